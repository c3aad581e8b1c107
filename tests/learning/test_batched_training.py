"""The engine `fast` beside `exact`: the same batches, results apart by rounding, and bits that depend on nothing but a node's own work.

Tolerances are relative to the Euclidean norm: SMOOTH for logistic and linear regression under SGD, BENT with ReLU or Adam.
"""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from coterie.algorithms.algorithm import first_model
from coterie.algorithms.jobs import aggregate
from coterie.core.jobs import JobFailed
from coterie.learning.executors.inline import Inline
from coterie.learning.executors.processes import Processes
from coterie.learning.jobs import train
from coterie.tasks.ragged import Ragged
from learning.benches import bench, task

OWN = "learning.own_code:"
SMOOTH, BENT = 1e-4, 1e-3
SIZES = (7, 5, 12, 1, 3, 4, 8, 30)
SGD = {"name": "sgd", "learning_rate": 0.1}
HEAVY = SGD | {"momentum": 0.9, "weight_decay": 0.01}
NESTEROV = SGD | {"momentum": 0.9, "nesterov": True}
ADAM = {"name": "adam", "learning_rate": 0.01, "weight_decay": 0.01}
MLP = {"name": "mlp", "hidden": [5, 4]}
CNN = {"name": "cnn", "channels": [3], "kernel": 3, "hidden": [4]}
LSTM = {"name": "char-lstm", "hidden": 4}
CONVOLVED, ATTENTIVE, CARRYING, TIED, TOKENS = (f"{OWN}{name}" for name in ("Convolved", "Attentive", "Carrying", "Tied", "Tokens"))
MODULES = [CNN, CONVOLVED, ATTENTIVE, CARRYING, TIED, TOKENS]


def start_of(at, value=0.0):
    model = first_model(at.network.initial(0), at.algorithm)
    model[at.size :] = value
    return model


def trained(at, nodes, rounds=(0,), clients=None, executor=None, broadcast=0.0, **options):
    """(update, client state, facts) of each of `nodes`, all trained in one call."""
    executor = executor or Inline(at)
    start, clients = executor.put(start_of(at, broadcast)), clients or {}
    held = {node: executor.put(state) for node, state in clients.items()}
    jobs = [train(start, held.get(node), node=node, round=rounds[place % len(rounds)], **options) for place, node in enumerate(nodes)]
    executor.run(jobs)
    return [tuple(handle.value for handle in job.outputs) for job in jobs]


def apart(found, wanted):
    """How far two vectors are apart, relative to the length of the second."""
    found, wanted = torch.as_tensor(found), torch.as_tensor(wanted)
    assert found.shape == wanted.shape
    return float((found - wanted).norm() / wanted.norm()) if len(wanted) else 0.0


def agree(fast, exact, tolerance):
    for (update, client, facts), (wanted, kept, known) in zip(fast, exact, strict=True):
        assert apart(update, wanted) < tolerance
        assert apart(client, kept) < tolerance
        assert facts == pytest.approx(known, rel=tolerance)


def problem(model):
    """Samples of a shape that suits the model."""
    if model in (LSTM, TOKENS):
        return task(sizes=SIZES, features=(5,), classes=9, vocabulary=9)
    if model == TIED:
        return task(sizes=SIZES, features=(6,), classes=6)
    shapes = {str(CNN): (8, 8), CONVOLVED: (2, 6, 6)}
    return task(sizes=SIZES, features=shapes.get(str(model), (13,)))


def rounds_of(engine, at, count):
    """The published vector after some rounds of training everywhere and aggregating."""
    executor = Inline(at)
    model, server = executor.put(start_of(at)), None
    clients = dict.fromkeys(range(at.task.nodes))
    for number in range(count):
        jobs = [train(model, clients[node], node=node, round=number) for node in clients]
        executor.run(jobs)
        clients = {job.node: job.outputs.client for job in jobs}
        updates, sizes = tuple(job.outputs.update for job in jobs), tuple(at.task.train.sizes.astype(float).tolist())
        made = aggregate(model, server, None, updates, weights=sizes, origins=tuple(clients), fraction=1.0, node=0, round=number)
        executor.run([made])
        model, server = made.outputs.model, made.outputs.server
    assert (at.batched is not None) == (engine == "fast")
    return model.value


@pytest.mark.parametrize("optimizer", [SGD, HEAVY, NESTEROV, ADAM, ADAM | {"decoupled": True}])
@pytest.mark.parametrize(
    "algorithm", ["fedavg", {"name": "fedprox", "proximity": 0.5}, "scaffold", "fedadam", {"name": "momentum", "beta": 0.3}]
)
@pytest.mark.parametrize(("model", "classes"), [("logistic", 3), (MLP, 3), ("logistic", 0), (MLP, 0)])
def test_five_rounds_agree(model, classes, algorithm, optimizer):
    tolerance = SMOOTH if model == "logistic" and optimizer["name"] == "sgd" else BENT
    at = task(sizes=SIZES, classes=classes)
    if algorithm == "scaffold" and not classes and optimizer.get("momentum"):
        optimizer = optimizer | {"learning_rate": 0.02}  # more, and errors grow from round to round
    models = [
        rounds_of(engine, bench(at, model=model, algorithm=algorithm, optimizer=optimizer, engine=engine, chunk=3, epochs=2), 5)
        for engine in ("fast", "exact")
    ]
    assert apart(*models) < tolerance
    assert apart(models[1], start_of(bench(at, model=model, algorithm=algorithm))) > 100 * tolerance


@pytest.mark.parametrize("optimizer", [SGD, NESTEROV, ADAM | {"decoupled": True}])
@pytest.mark.parametrize("algorithm", ["fedavg", {"name": "fedprox", "proximity": 0.5}, "scaffold", {"name": "momentum", "beta": 0.3}])
@pytest.mark.parametrize("model", MODULES)
def test_five_rounds_of_modules_agree(model, algorithm, optimizer):
    fast, exact = (
        bench(problem(model), model=model, algorithm=algorithm, optimizer=optimizer, engine=engine, chunk=3) for engine in ("fast", "exact")
    )
    assert fast.batching.how == "vmap"
    count = 1 if model == ATTENTIVE and algorithm == "scaffold" and optimizer["name"] == "adam" else 5
    found, wanted = rounds_of("fast", fast, count), rounds_of("exact", exact, count)
    assert apart(found, wanted) < BENT
    assert apart(wanted, start_of(exact)) > 10 * BENT


@pytest.mark.parametrize("algorithm", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize("model", [CNN, CARRYING])
@pytest.mark.parametrize("settings", [{"clip_norm": 0.05}, {"batch_size": None}, {"steps": 5, "optimizer": HEAVY}])
def test_settings_of_modules_agree(model, algorithm, settings):
    settings = {"model": model, "algorithm": algorithm, "epochs": 2} | settings
    fast, exact = (bench(problem(model), engine=engine, chunk=3, **settings) for engine in ("fast", "exact"))
    options = {"rounds": (0, 3, 1), "broadcast": 0.01}
    for whole in (False, True):
        agree(trained(fast, range(8), whole=whole, **options), trained(exact, range(8), whole=whole, **options), BENT)


@pytest.mark.parametrize("model", [MLP, CONVOLVED])
def test_a_loss_of_ones_own_that_tells_each_samples_agrees(model):
    fast, exact = (bench(problem(model), model=model, loss=f"{OWN}loss_of_each", engine=engine, chunk=3) for engine in ("fast", "exact"))
    assert fast.batched is not None
    agree(trained(fast, range(8)), trained(exact, range(8)), BENT)


@pytest.mark.parametrize("algorithm", ["fedavg", "fedprox", "scaffold"])
@pytest.mark.parametrize(
    "settings",
    [
        {"clip_norm": 0.05},
        {"clip_norm": 0.05, "optimizer": ADAM},
        {"batch_size": None},
        {"batch_size": 1},
        {"batch_size": 100},
        {"steps": 5},
        {"learning_rate_schedule": {"name": "exponential", "factor": 0.5}},
        {"learning_rate_schedule": {"name": "exponential", "factor": 0.5}, "schedule_by": "step"},
        {"learning_rate_schedule": {"name": "warm-up", "length": 4}, "schedule_by": "step", "optimizer": HEAVY},
        {"learning_rate_schedule": {"name": "warm-up", "length": 4}, "schedule_by": "step", "optimizer": ADAM},
    ],
)
def test_settings_agree(algorithm, settings):
    """Nodes of different rounds, with states of their own, in one call."""
    at, draw = task(sizes=SIZES), np.random.default_rng(0)
    settings = {"model": MLP, "algorithm": algorithm, "epochs": 3} | settings
    fast, exact = (bench(at, engine=engine, chunk=3, **settings) for engine in ("fast", "exact"))
    size = fast.size * len(fast.algorithm.client_state)
    clients = {node: draw.standard_normal(size).astype(np.float32) / 9 for node in (0, 2, 5)} if size else {}
    options = {"rounds": (0, 3, 1), "clients": clients, "broadcast": 0.01}
    agree(trained(fast, range(8), **options), trained(exact, range(8), **options), BENT)


def test_jobs_of_different_models_and_demands_agree():
    at = task(sizes=SIZES)
    found = []
    for engine in ("fast", "exact"):
        executor = Inline(bench(at, model=MLP, engine=engine, chunk=3, epochs=2))
        models = [executor.put(executor.bench.network.initial(seed)) for seed in range(3)]
        demands = [{}, {"whole": True}, {"steps": 1}, {"steps": 7, "whole": True}]
        jobs = [train(models[node % 3], None, node=node, round=0, **demands[node % 4]) for node in range(8)]
        executor.run(jobs)
        found.append([tuple(handle.value for handle in job.outputs) for job in jobs])
    agree(*found, BENT)
    assert [facts["steps"] for _, _, facts in found[0]][2:4] == [1, 7]


def test_samples_that_lie_anywhere_agree():
    at = task(sizes=SIZES)
    mixed = Ragged(np.random.default_rng(0).permutation(at.train.indices), at.train.offsets)
    at = at.__class__(**{**vars(at), "train": mixed})
    fast, exact = (bench(at, model=MLP, engine=engine, chunk=3, epochs=2) for engine in ("fast", "exact"))
    agree(trained(fast, range(8)), trained(exact, range(8)), BENT)


def test_images_are_taken_as_rows():
    at = task(sizes=SIZES, features=(2, 3, 3))
    fast, exact = (bench(at, model="logistic", engine=engine) for engine in ("fast", "exact"))
    agree(trained(fast, range(8)), trained(exact, range(8)), SMOOTH)


def bytes_of(results):
    return [(update.numpy().tobytes(), client.numpy().tobytes(), facts) for update, client, facts in results]


@pytest.mark.parametrize("algorithm", ["fedavg", "scaffold"])
@pytest.mark.parametrize("optimizer", [SGD, ADAM])
@pytest.mark.parametrize("model", ["logistic", MLP, {"name": "mlp", "hidden": [37]}, *MODULES, LSTM])
def test_bits_depend_on_no_companion(model, optimizer, algorithm):
    at = bench(problem(model), model=model, optimizer=optimizer, algorithm=algorithm, engine="fast", chunk=3, epochs=2)
    together = bytes_of(trained(at, range(8), broadcast=0.01))
    alone = [bytes_of(trained(at, [node], broadcast=0.01))[0] for node in range(8)]
    backwards = bytes_of(trained(at, range(7, -1, -1), broadcast=0.01))[::-1]
    some = bytes_of(trained(at, [6, 2, 7], broadcast=0.01))
    assert together == alone == backwards
    assert some == [together[node] for node in (6, 2, 7)]


@pytest.mark.parametrize("model", ["logistic", MLP, CNN, CONVOLVED, LSTM])
def test_bits_depend_on_no_number_of_workers(model):
    def make():
        return bench(problem(model), model=model, algorithm="scaffold", engine="fast", chunk=2, epochs=2)

    wanted = bytes_of(trained(make(), range(8)))
    for workers in (1, 2, 3):
        pool = Processes(make, workers)
        try:
            assert bytes_of(trained(make(), range(8), executor=pool)) == wanted
        finally:
            pool.close()


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=7).map(tuple),
    features=st.integers(1, 20),
    hidden=st.lists(st.integers(1, 9), max_size=2),
    batch_size=st.one_of(st.none(), st.integers(1, 6)),
    chunks=st.tuples(st.integers(1, 8), st.integers(1, 8)),
)
def test_any_shape_agrees_for_any_chunk(sizes, features, hidden, batch_size, chunks):
    at = task(sizes=sizes, tests=(0,) * len(sizes), features=(features,))
    model = {"name": "mlp", "hidden": hidden} if hidden else "logistic"
    settings = {"model": model, "batch_size": batch_size, "epochs": 2}
    exact = trained(bench(at, **settings), range(len(sizes)))
    for chunk in chunks:
        agree(trained(bench(at, engine="fast", chunk=chunk, **settings), range(len(sizes))), exact, BENT)


@pytest.mark.parametrize("settings", [{"loss": f"{OWN}half_loss"}, {"model": f"{OWN}Normed"}, {"function": f"{OWN}training"}])
def test_what_cannot_be_batched_is_done_as_in_exact(settings):
    fast, exact = (bench(engine=engine, **settings) for engine in ("fast", "exact"))
    assert fast.batched is None
    assert bytes_of(trained(fast, range(3))) == bytes_of(trained(exact, range(3)))


def test_inputs_are_never_changed():
    executor = Inline(bench(algorithm="scaffold", optimizer=HEAVY, engine="fast"))
    size = executor.bench.size
    model, client = executor.put(np.ones(2 * size)), executor.put(np.ones(size))
    executor.run([train(model, client, node=node, round=0) for node in range(3)])
    assert (model.value == 1).all()
    assert (client.value == 1).all()


def test_results_that_are_kept_are_not_written_over():
    at = bench(task(sizes=SIZES), model=MLP, engine="fast", chunk=3)
    executor = Inline(at)
    first = trained(at, range(8), executor=executor)
    kept = first[4][0]
    copy = kept.clone()
    del first
    for number in range(1, 4):
        trained(at, range(8), rounds=(number,), executor=executor)
    assert (kept == copy).all()


def test_a_job_that_fails_names_its_node_and_round():
    at = bench(task(sizes=(4, 0, 4)), engine="fast")
    with pytest.raises(JobFailed, match="train of node 1 in round 6 failed: ValueError: it has no training samples"):
        trained(at, range(3), rounds=(5, 6, 7))
    executor = Inline(at)
    good, bad = executor.put(at.network.initial(0)), executor.put(np.zeros(5))
    with pytest.raises(JobFailed, match="train of node 2 in round 4 failed: ValueError: its model has 5 numbers, not 21"):
        executor.run([train(good, None, node=0, round=4), train(bad, None, node=2, round=4)])
