from types import SimpleNamespace

import pytest

from coterie.core.errors import Fault, ScenarioError
from coterie.tasks import choices


def test_three_forms_say_the_same():
    expected = ("dirichlet", {"alpha": 0.3})
    assert choices.parts({"name": "dirichlet", "alpha": 0.3}) == expected
    assert choices.parts(SimpleNamespace(name="dirichlet", params={"alpha": 0.3})) == expected
    assert choices.parts("iid") == ("iid", {})


@pytest.mark.parametrize("choice", [None, 3, {"alpha": 1}, {"name": 7}, {"name": "iid", 3: 4}])
def test_anything_else_is_refused(choice):
    with pytest.raises(ScenarioError, match="a name, or a mapping with a name"):
        choices.parts(choice)


def test_places_are_prefixed():
    with pytest.raises(ScenarioError) as caught, choices.placed("task"), choices.placed("dataset"):
        raise ScenarioError(Fault("path", "a", "b"), Fault("", "c"))
    assert [fault.place for fault in caught.value.faults] == ["task.dataset.path", "task.dataset"]
