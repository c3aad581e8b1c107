import pytest

from coterie import algorithms
from coterie.learning.settings import Training

OWN = "learning.own_code:"


def test_good_settings_have_no_faults():
    assert Training().faults("classification") == []
    settings = Training(
        optimizer={"name": "adam"},
        learning_rate_schedule={"name": "cosine", "period": 9},
        loss=f"{OWN}half_loss",
        metrics=("accuracy", f"{OWN}confidence"),
        function=f"{OWN}training",
    )
    assert settings.faults("classification", algorithm=algorithms.build("fedadam")) == []


def test_all_faults_are_listed_each_at_its_place():
    settings = Training(
        optimizer={"name": "sdg"},
        learning_rate_schedule={"name": "cosine"},
        loss="squared-error",
        metrics=("r2", f"{OWN}nothing", f"{OWN}not_callable"),
        function="training",
    )
    found = {fault.place: str(fault) for fault in settings.faults("classification")}
    assert set(found) == {
        "training.optimizer",
        "training.learning_rate_schedule.period",
        "training.loss",
        "training.metrics",
        "training.function",
    }
    assert "did you mean 'sgd'" in found["training.optimizer"]
    assert "cross-entropy" in found["training.loss"]
    assert "module:function" in found["training.function"]
    assert len(settings.faults("classification")) == 7


@pytest.mark.parametrize("name", ["fedprox", "scaffold"])
def test_own_training_leaves_no_room_for_some_algorithms(name):
    faults = Training(function=f"{OWN}training").faults("classification", algorithm=algorithms.build(name))
    assert [fault.place for fault in faults] == ["training.function"]
