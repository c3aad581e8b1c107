import sys

import pytest

from coterie.core import own_code
from coterie.core.errors import ScenarioError
from coterie.learning.network import Network


@pytest.fixture
def folder(tmp_path):
    before = list(sys.path), set(sys.modules)
    yield tmp_path
    sys.path[:] = before[0]
    for name in set(sys.modules) - before[1]:
        del sys.modules[name]


def test_code_beside_the_scenario_is_found(folder):
    (folder / "mine_found.py").write_text("class A:\n    b = 7\n")
    assert own_code.load("mine_found:A.b", folder=str(folder)) == 7


def test_two_scenarios_may_have_modules_of_one_name(folder):
    for name, value in (("one", 1), ("two", 2)):
        (folder / name).mkdir()
        (folder / name / "mine_twice.py").write_text("import mine_helping\nvalue = mine_helping.value")
        (folder / name / "mine_helping.py").write_text(f"value = {value}")
    for name, value in (("one", 1), ("two", 2), ("two", 2), ("one", 1)):
        assert own_code.load("mine_twice:value", folder=str(folder / name)) == value


def test_what_is_installed_below_a_scenarios_folder_is_never_forgotten(folder):
    (folder / "site" / "installed_below").mkdir(parents=True)
    (folder / "site" / "installed_below" / "__init__.py").touch()
    (folder / "other").mkdir()
    (folder / "mine_above.py").write_text("import installed_below")
    (folder / "other" / "mine_else.py").write_text("value = 1")
    sys.path.append(str(folder / "site"))
    own_code.load("mine_above:installed_below", folder=str(folder))
    own_code.load("mine_else:value", folder=str(folder / "other"))
    assert "installed_below" in sys.modules
    assert "mine_above" not in sys.modules


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "mine_1:", "module:attribute"),
        ("", "mine_1.py:f", "write mine_1:f"),
        ("", "not_there:f", "there is no module 'not_there' in"),
        ("", "mine_1.deeper:f", "there is no module 'mine_1.deeper'|importing 'mine_1.deeper' failed"),
        ("def feature(): ...", "mine_1:featuer", "did you mean 'feature'"),
        ("import not_installed", "mine_1:f", "importing 'mine_1' failed: No module named 'not_installed'"),
        ("x = 1\ny = 1 / 0", "mine_1:f", r"ZeroDivisionError.*mine_1\.py, line 2"),
        ("def f(:", "mine_1:f", "SyntaxError"),
    ],
)
def test_what_cannot_be_loaded_is_said(folder, text, name, words):
    (folder / "mine_1.py").write_text(text)
    with pytest.raises(ScenarioError, match=words) as found:
        own_code.load(name, "task.model.name", str(folder))
    assert found.value.faults[0].place == "task.model.name"


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("learning.own_code:Wide", r"gives \(2, 4\) for two samples, the task needs \(2, 3\)"),
        ("learning.own_code:Stiff", "no parameters to train"),
        ("learning.own_code:not_a_module", "gives a int"),
        ("learning.own_code:not_callable", "not a class or function"),
        ({"name": "learning.own_code:Plain", "depth": 3}, "depth"),
        ("learning.own_code:Nomed", "Normed"),
        ("torch.nn:Linear", "in_features"),
        ({"name": "torch.nn:Linear", "in_features": 5, "out_features": 3}, "fails on two samples"),
    ],
)
def test_modules_that_do_not_do_are_refused_with_the_reason(choice, words):
    with pytest.raises(ScenarioError, match=words):
        Network.of(choice, (6,), 3)


def test_a_users_module_is_a_network_like_any_other():
    network = Network.of({"name": "torch.nn:Linear", "in_features": 6, "out_features": 3}, (6,), 3)
    assert [entry.name for entry in network.layout.entries] == ["weight", "bias"]
    assert network.flops == 2 * 6 * 3
    assert (network.initial(1) == network.initial(1)).all()
    assert (network.initial(1) != network.initial(2)).any()
    module = network.module(network.initial(1))
    assert (module.weight.detach().numpy().ravel() == network.initial(1)[:18]).all()
