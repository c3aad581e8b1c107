"""Scenarios from files: every fault with its line, settings given beside the file, and what comes from elsewhere."""

import time

import pytest

from coterie.core.errors import ScenarioError
from coterie.core.registry import MOST_FAULTS
from coterie.scenario.reading import load, parse, read

GOOD = """\
name: clinics
nodes: 16
until: 5
task: digits
partition: {name: dirichlet, alpha: 0.3}
"""


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "s.yaml"
        path.write_text(text)
        return path

    return write


def told(path, *sets):
    """The faults as printed, the folder left out."""
    with pytest.raises(ScenarioError) as caught:
        load(path, sets=sets)
    return [f"{fault.place.replace(str(path), path.name)}: {fault.problem}" for fault in caught.value.faults]


def test_a_file_gives_a_scenario_that_knows_its_folder(file):
    path = file(GOOD)
    scenario = load(path)
    assert scenario.nodes == 16
    assert scenario.folder == str(path.parent)


def test_without_a_name_it_has_that_of_its_file(file):
    assert load(file(GOOD)).name == "clinics"
    unnamed = file(GOOD.replace("name: clinics\n", ""))
    assert load(unnamed).name == "s"
    assert load(unnamed, sets=["name=other"]).name == "other"
    strange = unnamed.with_name("a\tb" * 40 + ".yaml")
    assert load(unnamed.rename(strange)).name == ("a b" * 40)[:100]


def test_every_fault_comes_with_its_line_in_the_order_of_the_file(file):
    path = file("""\
nodes: 16
nodes: 17
until: {rounds: 30, target: {metric: acuracy, value: 0.9}}
task: {dataset: digits, model: {hidden: [64, 0]}}
partition:
  name: dirichlet
  alfa: 0.3
architecture: decentralized
topology: {name: small-world, neighbours: 3}
algorithm: scaffold
participation: 99
seed: 1e400
trainin: 3
""")
    assert [line.partition(": ")[0] for line in told(path, "training.batch_size=0", "events=x", "foo.bar=1")] == [
        "s.yaml:2:1 nodes",
        "s.yaml:3:38 until.target.metric",
        "s.yaml:4:46 task.model.hidden.1",
        "s.yaml:7:3 partition.alfa",
        "s.yaml:9:43 topology.neighbours",
        "s.yaml:10:12 algorithm",
        "s.yaml:11:16 participation",
        "s.yaml:12:7 seed",
        "s.yaml:13:1 trainin",
        "--set foo",
        "--set training.batch_size",
        "--set events",
    ]


def test_a_missing_setting_points_to_what_it_is_missing_in(file):
    assert told(file("name: x\n")) == ["s.yaml task: is missing"]
    assert told(file("name: x\ntask:\n  model: cnn\n")) == ["s.yaml:3:3 task.dataset: is missing"]


def test_a_short_form_is_where_its_faults_are(file):
    assert told(file(GOOD.replace("until: 5", "until: 0"))) == ["s.yaml:3:8 until.rounds: must be at least 1 (got 0)"]


@pytest.mark.parametrize(
    ("text", "told_of"),
    [
        ("", "s.yaml:1:1: the scenario is empty"),
        ("- a\n", "s.yaml:1:1: the scenario is no mapping"),
        ("a: [\n", "s.yaml:2:1: is not YAML"),
        ("a: &a [*a]\n", "s.yaml:1:8: *a refers to nothing before it, or to itself"),
    ],
)
def test_a_file_that_is_no_scenario(file, text, told_of):
    (line,) = told(file(text))
    assert line.startswith(told_of)


def test_a_file_that_is_not_there(tmp_path):
    (line,) = told(tmp_path / "none.yaml")
    assert line.startswith("none.yaml: cannot be read: No such file")
    assert "cannot be read" in told(tmp_path)[0]


def test_settings_beside_the_file(file):
    scenario = load(
        file(GOOD),
        sets=[
            "until.target.value=0.5",
            "task.model=logistic",
            "training.optimizer.learning_rate=5e-2",
            "partition.minimum=3",
            "baselines=[local]",
            "topology={name: star, center: 2}",
            "name=a=b",
            "aggregation.mixing=uniform",
        ],
    )
    assert (scenario.until.rounds, scenario.until.target.value) == (5, 0.5)
    assert (scenario.task.dataset.name, scenario.task.model.name) == ("digits", "logistic")
    assert scenario.training.optimizer.params["learning_rate"] == 0.05
    assert (scenario.partition.params["alpha"], scenario.partition.minimum) == (0.3, 3)
    assert scenario.baselines == ("local",)
    assert scenario.topology.params == {"center": 2}
    assert scenario.name == "a=b"
    assert (scenario.aggregation.name, scenario.aggregation.mixing.name) == ("mean", "uniform")


def test_a_setting_beside_the_file_can_change_an_item_of_a_list(file):
    path = file(GOOD + "roles:\n  idle: [1, 2]\n")
    scenario = load(path, sets=["roles.idle.nodes.1=3", "roles.aggregator=[4]"])
    assert scenario.roles.idle.nodes == (1, 3)
    assert "there is no item 5" in told(path, "roles.idle.nodes.5=3")[0]


@pytest.mark.parametrize("override", ["nodes", "=3", "a..b=3", "nodes=[1", "nodes=*a", "nodes=!!int 3"])
def test_what_is_no_setting(file, override):
    (line,) = told(file(GOOD), override)
    assert line.startswith("--set ")


def test_the_file_stays_as_it_was_read(file):
    source = read(file(GOOD), sets=["task.model=logistic"])
    before = repr(source.settings)
    assert source.scenario.task.model.name == "logistic"
    assert repr(source.settings) == before


def test_what_is_raised_later_about_the_scenario_gets_its_line_and_what_is_not_does_not(file):
    source = read(file(GOOD))
    with pytest.raises(ScenarioError) as caught, source.placing():
        raise ScenarioError.at("partition", "cannot be made")
    assert caught.value.faults[0].place.endswith("s.yaml:5:12 partition")
    with pytest.raises(ScenarioError) as caught, source.placing():
        raise ScenarioError.at("/some/folder", "is in use")
    assert caught.value.faults[0].place == "/some/folder"


def test_a_text_from_elsewhere_is_not_trusted():
    assert parse(GOOD).scenario.nodes == 16
    with pytest.raises(ScenarioError, match="elsewhere"):
        _ = parse(GOOD + "plugins: [rules.py]\n").scenario
    assert parse(GOOD).scenario.folder is None


def test_a_text_of_nothing_but_faults_does_not_keep_its_reader_busy():
    text = "task: digits\n" + "".join(f"k{number}x: 1\n" for number in range(20_000))
    began = time.process_time()
    with pytest.raises(ScenarioError) as raised:
        _ = parse(text, trusted=False).scenario
    assert time.process_time() - began < 5  # of 20 s, when each was held against all others
    assert len(raised.value.faults) == MOST_FAULTS + 1
    assert "19799 others" in raised.value.faults[-1].problem
