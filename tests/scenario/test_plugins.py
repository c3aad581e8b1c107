"""Plugins: the user's own things become names, in this process and in workers; what fails says where."""

import multiprocessing
import sys
from importlib.metadata import EntryPoint

import pytest

from coterie import aggregation, topologies
from coterie.core.errors import ScenarioError
from coterie.scenario import Scenario, plugins
from coterie.scenario.reading import load

RULE = """
import coterie

@coterie.aggregation.rule
def {name}(updates, weights, *, keep: float = 0.9):
    \"\"\"The weighted mean, shrunk by `keep`.\"\"\"
    return keep * (weights @ updates) / weights.sum()
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    for registry in (aggregation.RULES, topologies.TOPOLOGIES):
        registry.names()
        monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    monkeypatch.setattr(plugins, "_files", {})
    monkeypatch.setattr(sys, "path", list(sys.path))


def test_a_rule_in_a_file_is_a_name_in_the_scenario(tmp_path):
    (tmp_path / "my_rules.py").write_text(RULE.format(name="shrunk_mean"))
    (tmp_path / "s.yaml").write_text("task: digits\nnodes: 4\nplugins: [my_rules.py]\naggregation: {name: shrunk_mean, keep: 0.5}\n")
    scenario = load(tmp_path / "s.yaml")
    assert scenario.aggregation.params == {"keep": 0.5}
    assert aggregation.build("shrunk_mean", keep=0.5)([[2.0], [4.0]]).tolist() == [1.5]


def test_a_plugin_is_loaded_once_and_anew_when_it_was_changed(tmp_path):
    path = tmp_path / "my_rules.py"
    path.write_text(RULE.format(name="first") + "print('loaded')\n")
    plugins.load(["my_rules.py"], str(tmp_path))
    before = aggregation.RULES.entry("first").thing
    plugins.load(["my_rules.py"], str(tmp_path))
    assert aggregation.RULES.entry("first").thing is before
    path.write_text(RULE.format(name="first").replace("keep *", "2 * keep *"))
    plugins.load([str(path)])
    assert aggregation.build("first", keep=1.0)([[2.0]]).tolist() == [4.0]


def test_files_of_the_same_name_do_not_stand_in_for_each_other(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "rules.py").write_text(RULE.format(name="twice"))
    plugins.load(["a/rules.py"], str(tmp_path))
    with pytest.raises(ScenarioError, match="two aggregation rules are called 'twice'"):
        plugins.load(["b/rules.py"], str(tmp_path))


def test_a_module_beside_the_scenario_may_be_named_too(tmp_path):
    (tmp_path / "coterie_test_topology.py").write_text(
        "import numpy as np, coterie\n"
        "@coterie.topologies.topology('line')\n"
        "def line(nodes, _draw):\n"
        "    return coterie.topologies.SparseGraph.of(nodes, np.stack([np.arange(nodes - 1), np.arange(1, nodes)], axis=1))\n"
    )
    scenario = Scenario(task="digits", nodes=3, topology="line", plugins=["coterie_test_topology"], folder=str(tmp_path))
    assert topologies.make("line", {}, 3, 0).edge_count == 2
    assert scenario.topology.name == "line"


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("none.py", None, "there is no file"),
        ("no_such_module_of_mine", None, "needs the module no_such_module_of_mine"),
        ("bad.py", "def f(:\n", "SyntaxError"),
        ("bad.py", "x = 1\n1 / 0\n", r"raised ZeroDivisionError: division by zero \(line 2\)"),
        ("bad.py", "import no_such_module_of_mine\n", "needs the module no_such_module_of_mine"),
        ("bad.py", RULE.format(name="mean"), "two aggregation rules are called 'mean'"),
    ],
)
def test_a_plugin_that_cannot_be_loaded(tmp_path, name, text, problem):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ScenarioError, match=problem) as caught:
        Scenario(task="digits", plugins=[name], folder=str(tmp_path))
    assert [fault.place for fault in caught.value.faults] == ["plugins.0"]
    assert caught.value.faults[0].fix


def test_all_plugins_that_fail_are_told(tmp_path):
    with pytest.raises(ScenarioError) as caught:
        plugins.load(["a.py", "b.py"], str(tmp_path))
    assert [fault.place for fault in caught.value.faults] == ["plugins.0", "plugins.1"]


def installed(monkeypatch, path, name):
    monkeypatch.syspath_prepend(path)
    entries = [EntryPoint(name="mine", value=name, group=plugins.GROUP)]
    monkeypatch.setattr(plugins, "entry_points", lambda group: entries if group == plugins.GROUP else [])
    plugins.load_installed.cache_clear()
    monkeypatch.setattr(plugins, "load_installed", plugins.load_installed.__wrapped__)


def test_installed_packages_announce_theirs(tmp_path, monkeypatch):
    (tmp_path / "coterie_test_installed.py").write_text(RULE.format(name="installed_mean"))
    installed(monkeypatch, tmp_path, "coterie_test_installed")
    assert Scenario(task="digits", aggregation="installed_mean").aggregation.params == {"keep": 0.9}


def test_a_broken_installed_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "coterie_test_broken.py").write_text("raise RuntimeError('nothing works')\n")
    installed(monkeypatch, tmp_path, "coterie_test_broken")
    with pytest.raises(ScenarioError, match="the installed plugin mine of coterie_test_broken failed: nothing works"):
        Scenario(task="digits")


def rule_of(scenario, answer):
    answer.put(scenario.aggregation.entry.name)


def test_a_worker_process_that_gets_a_scenario_has_its_plugins(tmp_path):
    (tmp_path / "my_rules.py").write_text(RULE.format(name="in_workers_too"))
    scenario = Scenario(task="digits", aggregation="in_workers_too", plugins=["my_rules.py"], folder=str(tmp_path))
    spawn = multiprocessing.get_context("spawn")
    answer = spawn.SimpleQueue()
    worker = spawn.Process(target=rule_of, args=(scenario, answer))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert answer.get() == "in_workers_too"
