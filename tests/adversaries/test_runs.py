"""Runs under attack: the same bits whatever computes them and however often they are cut; figures of honest nodes alone."""

import numpy as np
import pytest
import torch

import coterie
from coterie.core.jobs import Handle
from coterie.federation.messages import Message
from coterie.reporting.progress import Progress
from coterie.reporting.run_folder import RunFolder
from coterie.scenario.setup import Setup
from coterie.simulator import cut, simulate
from coterie.simulator.executor import executor_of

EVERYTHING = {
    "star": {
        "attacks": [
            {"name": "mimic", "knowledge": "honest", "who": [1, 2]},
            {"name": "backdoor", "target": 3, "parts": 2, "who": [3, 4], "when": {"from": 1, "to": 3}},
            {"name": "model_replacement", "alpha": 0.7, "who": [3, 4], "when": {"once": 3}},
            {"name": "replay", "relabelled": True, "age": 2, "who": [5]},
            {"name": "neurotoxin", "who": [6]},
            {"name": "free_rider", "noise": 1.0, "who": [7]},
            {"name": "interference", "action": "delay", "share": 0.5, "seconds": 0.02, "who": {"number": 2}},
        ]
    },
    "graph": {
        "architecture": "decentralized",
        "topology": {"name": "regular", "degree": 4},
        "attacks": [
            {"name": "dissensus", "knowledge": "honest", "who": [1, 2]},
            {"name": "gaussian", "who": [5], "when": {"from": 1, "stealthy": 2.0}},
            {"name": "label_flip", "mode": "random", "who": [4]},
            {"name": "delay", "seconds": 0.5, "who": [6]},
        ],
    },
    "buffered": {
        "schedule": {"name": "asynchronous", "buffer": 3},
        "device": {"spread": "uniform"},
        "attacks": [{"name": "alie", "knowledge": "honest", "who": [2, 3]}, {"name": "flooding", "numbered": True, "who": [4]}],
    },
    "in turn": {
        "architecture": "semi-decentralized",
        "attacks": [{"name": "inner_product", "knowledge": "honest", "who": [1, 2]}],
        "trust": "beta",  # which goes with the aggregator, and is there again after a cut
    },
}
TRAINING = {"batch_size": 16, "optimizer": {"name": "sgd", "learning_rate": 0.1}}


def scenario(shape, **more):
    chosen = {"task": "digits", "nodes": 8, "until": 6, "training": TRAINING, "partition": {"name": "dirichlet", "alpha": 0.5}}
    return coterie.Scenario(**{**chosen, **EVERYTHING[shape], **more})


@pytest.mark.parametrize("shape", EVERYTHING)
def test_workers_and_windows_change_nothing(shape, tmp_path, monkeypatch):
    first = coterie.run(scenario(shape, engine="exact"), out=tmp_path / "a").summary.digest
    with_workers = scenario(shape, engine="exact", executor={"name": "processes", "workers": 2})
    assert coterie.run(with_workers, out=tmp_path / "b").summary.digest == first
    monkeypatch.setattr(simulate, "WINDOW_JOBS", (1, 3))
    assert coterie.run(scenario(shape, engine="exact"), out=tmp_path / "c").summary.digest == first
    assert coterie.run(scenario(shape, engine="exact", seed=1), out=tmp_path / "d").summary.digest != first


@pytest.mark.parametrize("shape", EVERYTHING)
def test_batched_training_is_the_same_within_rounding(shape, tmp_path):
    runs = [coterie.run(scenario(shape, engine=engine, until=4), out=tmp_path / engine) for engine in ("exact", "fast")]
    vectors = [run.folder.models().vector(0) for run in runs]
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-3)


@pytest.mark.parametrize("shape", EVERYTHING)
@pytest.mark.parametrize("events", [7, 40, 90, 150])
def test_a_run_cut_anywhere_goes_on_to_the_same_end(shape, events, tmp_path):
    wanted = scenario(shape)
    whole = coterie.run(wanted, out=tmp_path / "whole")
    setup = Setup(wanted)
    folder = RunFolder.create(wanted.yaml(), name="cut", path=tmp_path / "cut", root=tmp_path)
    executor = executor_of(setup, folder.path)
    half = simulate.Simulation(setup, folder, executor, Progress(quiet=True), messages=False)
    half.simulator.start()
    half.simulator.run(until=lambda: half.simulator.events >= events)
    over = not half.simulator.heap
    if not over:
        half.save(folder.path / simulate.CHECKPOINT)
        positions = cut.extra_of(folder.path / simulate.CHECKPOINT)["positions"]
    executor.close()
    folder.close()
    if over:
        pytest.skip("the run is shorter")
    folder = RunFolder.resume(folder.path, positions)
    executor = executor_of(setup, folder.path)
    rest = simulate.Simulation(setup, folder, executor, Progress(quiet=True), messages=False)
    found = rest.run("cut")
    executor.close()
    folder.close()
    assert found.outcome.digest == whole.summary.digest
    assert found.outcome.metrics == whole.summary.metrics
    assert found.outcome.virtual_seconds == whole.summary.virtual_seconds


@pytest.mark.parametrize("shape", EVERYTHING)
def test_what_attackers_remember_is_kept(shape, tmp_path):
    """All of it, number by number: in a run that goes on from a file."""

    def plain(value):
        if isinstance(value, Handle):
            return plain(value.value)
        if isinstance(value, (torch.Tensor, np.ndarray)):
            return np.asarray(value).tolist()
        if isinstance(value, Message):
            return [*value.identity, value.weight, plain(value.payload)]
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items()}
        return [plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    wanted = scenario(shape)
    folder = RunFolder.create(wanted.yaml(), name="cut", path=tmp_path / "cut", root=tmp_path)
    file = folder.path / simulate.CHECKPOINT
    found = []
    for number in range(2):
        setup = Setup(wanted)
        executor = executor_of(setup, folder.path)
        simulation = simulate.Simulation(setup, folder, executor, Progress(quiet=True), messages=False)
        simulator = simulation.simulator
        if number == 0:
            simulator.start()
            simulator.run(until=lambda simulator=simulator: simulator.events >= 60)
            simulation.save(file)
        else:
            cut.load(simulator, file, torch.from_numpy)
        found.append(plain(simulator.driver.saved()))
        executor.close()
    folder.close()
    assert found[0] == found[1]
    assert any(coalition["made"] for _, coalition in found[0]["coalitions"])
    if shape == "star":
        assert found[0]["coalitions"][0][1]["histories"], "mimic has a memory"
        assert found[0]["past"], "replay has one"
        assert found[0]["starts"], "free riders have one"


def test_attackers_are_in_no_figure(tmp_path):
    run = coterie.run(scenario("graph"), out=tmp_path / "a")
    for name in ("accuracy", "loss", "accuracy_own", "train_loss"):
        nodes, _ = run.folder.metrics.last(name)
        assert nodes.tolist() == [0, 3, 7], name
    assert run.summary.attackers == 5
    assert run.folder.facts.attacks[0].nodes == (1, 2)


def test_a_target_counts_honest_nodes_only(tmp_path):
    """Or it would wait for figures that never come."""
    run = coterie.run(
        scenario("graph", until={"rounds": 30, "target": 0.2}, attacks=[{"name": "delay", "seconds": 0.001, "who": [1, 2]}]),
        out=tmp_path / "a",
    )
    assert "reached 0.2" in run.summary.ended_by
    assert run.summary.rounds < 30


def test_success_is_that_of_the_model(tmp_path):
    """Measured anew on the final model, for a backdoor in two parts and for a targeted flip."""
    attacks = [
        {"name": "backdoor", "target": 3, "parts": 2, "who": [3, 4, 5]},
        {"name": "label_flip", "mode": "targeted", "source": 1, "target": 7, "who": [6, 7]},
    ]
    run = coterie.run(scenario("star", until=10, attacks=attacks), out=tmp_path / "a")
    task, model = run.setup.task, run.model()
    others = task.common_inputs[task.common_targets != 3].copy()
    others[..., :3, :3] = 1.0
    ones = task.common_inputs[task.common_targets == 1]
    with torch.no_grad():
        shares = [
            float((model(torch.from_numpy(inputs)).argmax(1) == wanted).double().mean()) for inputs, wanted in ((others, 3), (ones, 7))
        ]
    metrics = run.folder.metrics
    assert [metrics.last(name)[1].tolist() for name in ("attack_success", "attack_success_2")] == [[share] for share in shares]
    assert shares[0] > 0.5
    assert len(metrics.series("attack_success")) == 11  # of every round, and of the beginning


@pytest.mark.parametrize(
    "attack", [{"name": "sign_flip"}, {"name": "label_flip"}, {"name": "free_rider"}, {"name": "inner_product", "knowledge": "honest"}]
)
@pytest.mark.parametrize("engine", ["exact", "fast"])
def test_it_begins_and_ends_when_it_is_said_to(attack, engine, tmp_path):
    """Up to the round all is as without; attacked once, only that round's step is another."""
    runs, attack = {}, {**attack, "who": [1, 2]}
    for name, attacks in {"none": [], "once": [{**attack, "when": {"once": 2}}], "late": [{**attack, "when": {"from": 5}}]}.items():
        found = coterie.run(scenario("star", attacks=attacks, engine=engine), out=tmp_path / name).folder.metrics.series("loss")
        runs[name] = dict(zip(found.round.tolist(), found.value.tolist(), strict=True))
    assert [runs["once"][number] == runs["none"][number] for number in range(7)] == [True] * 3 + [False] * 4
    assert [runs["late"][number] == runs["none"][number] for number in range(7)] == [True] * 6 + [False]


def test_stealth_is_the_update_of_an_honest_node_where_the_attack_would_show(tmp_path):
    """Far too loud for any round: as without attack. Never loud: as always."""
    loud = [{"name": "scaling", "factor": 100.0, "knowledge": "honest", "who": [1, 2]}]
    digests = [
        coterie.run(scenario("star", attacks=attacks), out=tmp_path / name).summary.digest
        for name, attacks in {
            "none": [],
            "stealthy": [{**loud[0], "when": "stealthy"}],
            "daring": [{**loud[0], "when": {"stealthy": 1e9}}],
            "always": loud,
        }.items()
    ]
    assert digests[0] == digests[1]
    assert digests[2] == digests[3] != digests[0]


def test_who_attacks_is_drawn_by_the_seed_and_entry():
    def nodes(seed=0, **who):
        setup = Setup(coterie.Scenario(task="digits", nodes=20, seed=seed, attacks=[{"name": "sign_flip", "who": who}]))
        return setup.plots[0].nodes

    assert len(nodes(share=0.25)) == 5  # of the 19 that do not aggregate
    assert nodes(number=5) == nodes(number=5) != nodes(seed=1, number=5)
    assert set(nodes(number=4)) < set(nodes(number=5))
    assert 0 not in nodes(number=19)


def test_a_place_in_the_graph():
    def plot(position):
        wanted = {"name": "sign_flip", "who": {"number": 1, "position": position}}
        shape = {"architecture": "decentralized", "topology": {"name": "star", "center": 4}}
        return Setup(coterie.Scenario(task="digits", nodes=9, attacks=[wanted], **shape)).plots[0].nodes

    assert plot("central") == (4,)
    assert plot("peripheral") != (4,)


def test_a_distributed_pattern_is_dealt_out(tmp_path):
    setup = Setup(scenario("star", attacks=[{"name": "backdoor", "target": 3, "parts": 3, "share": 1.0, "who": [2, 4, 6]}]))
    bench = setup.bench("exact")
    clean = setup.task
    changed = []
    for node in (2, 4, 6):
        inputs, targets = bench.train_shards[bench.shard(node, 0)]
        assert set(targets.tolist()) == {3}
        differs = (inputs.numpy() != clean.inputs[clean.train[node]]).any(axis=0).ravel()
        changed.append(set(np.flatnonzero(differs).tolist()))
    corner = {8 * row + column for row in range(3) for column in range(3)}
    assert set().union(*changed) <= corner
    assert sum(map(len, changed)) == len(set().union(*changed))
