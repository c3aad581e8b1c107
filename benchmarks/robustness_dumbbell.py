"""Decentralized rules beside the figures of the ClippedGossip paper: a dumbbell, a ring of attacked nodes, a bridge under attack.

    python benchmarks/robustness_dumbbell.py MNIST            all cells that are missing, then the tables; may be stopped and started
    python benchmarks/robustness_dumbbell.py MNIST --table    only the tables of what is there

MNIST is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. He, Karimireddy, Jaggi 2022, "Byzantine-Robust
Decentralized Learning via ClippedGossip", https://arxiv.org/abs/2202.01545, with the settings of the authors' program where the paper
does not say them: one step on 32 samples a round at rate 0.01 with momentum (a sum) of 0.9; self-centered clipping within a fixed radius,
1 (on the ring 0.1), beside the adaptive one, which is the program's other choice and our default; accuracies are those of means of
models. Here a network of one hidden layer in place of a convolutional one with dropout.

- dumbbell: two cliques of ten with one edge between them; nobody attacks. By halves: one clique has the labels below 5, the other
  the rest, dealt out evenly within. `+ edge, buckets`: a second edge, drawn, and buckets of two before the rule.
- ring: five honest nodes on a ring, each with two bad neighbours of its own; without an honest majority one of them has a third. Here
  300 rounds instead of 900.
- bridge: two cliques of five and an honest node between them, which has a bad neighbour; what that weighs there goes from 0 to 1/4.
  Samples are sorted by label; a tenth of the rate.

Each cell is a line of benchmarks/results/robustness_dumbbell.jsonl.
"""

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import robustness_cells as cells_of
import torch

import coterie
from coterie.aggregation.mixing import Neighbourhoods, metropolis_hastings, mixing
from coterie.attacks import update_attack
from coterie.core.bounds import Count, Finite, Fraction, Natural, Probability
from coterie.tasks.partitions import partition
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Ragged
from coterie.topologies import SparseGraph, topology
from coterie.topologies.graph import Graph

NAME, KEYS = "robustness_dumbbell", ("experiment", "rule", "case", "seed")
CLIQUE, RING, RATE, BETA = 10, 5, 0.01, 0.9
ROUNDS = {"dumbbell": 900, "ring": 300, "ring, majority": 300, "bridge": 1470}
RULES: dict[str, dict[str, Any]] = {
    "Gossip": {"name": "mean"},
    "SCClip": {"name": "self_centered_clipping", "radius": 1.0},
    "SCClip, adaptive": {"name": "self_centered_clipping", "byzantine": 1},
    "GM": {"name": "geometric_median"},
    "TM": {"name": "bridge_trimmed_mean", "byzantine": 1},
    "UBAR": {"name": "ubar", "byzantine": 0},
}
ON_THE_RING: dict[str, dict[str, Any]] = {
    "SCClip": {"name": "self_centered_clipping", "radius": 0.1},
    "UBAR": {"name": "ubar", "byzantine": 2},
    "GM": {"name": "geometric_median"},
    "GM8": {"name": "smoothed_geometric_median", "iterations": 8, "smoothing": 0.1, "start": "zero"},
    "TM": {"name": "trimmed_mean", "byzantine": 2},
}
"""GM is to convergence here; GM8 is what the authors' program does, eight steps from zero."""
ATTACKS: dict[str, dict[str, Any]] = {
    "ALIE": {"name": "alie", "z": 10.0},
    "dissensus": {"name": "dissensus", "epsilon": 1.5},
    "IPM": {"name": "against_models", "epsilon": 0.1},
}
CASES = ("iid", "halves", "halves + edge, buckets")
DELTAS = (0.0, 0.0625, 0.125, 0.1875, 0.25)
DUMBBELL: dict[str, tuple[float | None, ...]] = {
    "Gossip": (96.4, 93.6, 68.7, 75.1, None),
    "SCClip": (96.4, 93.7, 70.9, 72.1, 93.7),
    "SCClip, adaptive": (None, None, None, None, None),
    "GM": (95.7, 88.6, 50.7, 47.2, 93.2),
    "TM": (95.4, 86.9, 50.7, 47.3, 93.4),
    "UBAR": (96.0, 85.9, 50.6, 47.2, 62.1),
}
"""Global accuracy iid and by halves, by halves that of each clique's mean, and global with another edge and buckets, in %."""
MALICIOUS: dict[str, dict[str, tuple[float, ...]]] = {
    "ring": {
        "SCClip": (94.4, 90.2, 91.7),
        "UBAR": (95.6, 93.7, 95.6),
        "GM": (9.8, 9.8, 11.3),
        "GM8": (9.8, 9.8, 11.3),
        "TM": (9.8, 9.8, 11.3),
    },
    "ring, majority": {"SCClip": (94.4, 89.5, 91.4), "GM": (9.8, 89.3, 11.3), "GM8": (9.8, 89.3, 11.3), "TM": (11.3, 90.3, 84.2)},
}
"""In the order of ATTACKS."""
BRIDGE = (88.6, 77.6, 45.4, 20.4, 19.4)


@topology("dumbbell")
def dumbbell(nodes: int, draw: np.random.Generator, *, clique: Count = CLIQUE, more: Natural = 0) -> Graph:
    """Two cliques, an edge between them, and `more` that are drawn."""
    halves = [np.arange(clique), np.arange(clique, nodes)]
    edges = {pair for half in halves for pair in itertools.combinations(half.tolist(), 2)} | {(0, nodes - 1)}
    edges |= {(int(draw.integers(1, clique)), int(draw.integers(clique, nodes - 1))) for _ in range(more)}
    return SparseGraph.of(nodes, np.array(sorted(edges)))


@topology("attacked-ring")
def attacked_ring(nodes: int, draw: np.random.Generator, *, honest: Count = RING) -> Graph:  # noqa: ARG001
    """A ring of the first `honest` nodes; the others hang on it, one after the other, one more time round and round."""
    ring = [(place, (place + 1) % honest) for place in range(honest)]
    return SparseGraph.of(nodes, np.array([tuple(sorted(pair)) for pair in ring] + [(bad % honest, bad) for bad in range(honest, nodes)]))


@topology("bridge")
def bridge(nodes: int, draw: np.random.Generator, *, clique: Count = RING) -> Graph:  # noqa: ARG001
    """Two cliques, a node that is linked to the first of the one and the last of the other, and one that hangs on it."""
    edges = [pair for first in (0, clique) for pair in itertools.combinations(range(first, first + clique), 2)]
    return SparseGraph.of(nodes, np.array([*edges, (0, 2 * clique), (2 * clique - 1, 2 * clique), (2 * clique, 2 * clique + 1)]))


@partition("halves")
def by_halves(pool: Pool) -> Ragged:
    """The first half of the nodes has the labels below 5, the other one the rest; within, dealt out evenly."""
    half = pool.count // 2
    order = np.argsort(pool.keys)
    owners = np.empty(pool.size, np.int64)
    for number, some in enumerate((order[pool.targets[order] < 5], order[pool.targets[order] >= 5])):
        owners[some] = number * half + np.arange(len(some)) % half
    return pool.dealt(owners)


@partition("sorted")
def in_order(pool: Pool) -> Ragged:
    """Samples sorted by label, cut into as many runs as there are nodes."""
    owners = np.empty(pool.size, np.int64)
    owners[np.lexsort((pool.keys, pool.targets))] = np.arange(pool.size) * pool.count // pool.size
    return pool.dealt(owners)


@mixing("slower")
def slower(at: Neighbourhoods, *, share: Fraction) -> tuple[np.ndarray, np.ndarray]:
    """`share` of the weights of neighbours, the rest for the node itself."""
    others = share * metropolis_hastings(at)[1]
    return 1.0 - at.row_sums(others), others


@mixing("one-apart")
def one_apart(at: Neighbourhoods, *, node: Natural, weight: Probability) -> tuple[np.ndarray, np.ndarray]:
    """As usual, but for the edges of one `node`, which have a `weight` of their own."""
    others = metropolis_hastings(at)[1]
    others[(at.indices == node) | (at.spread(at.rows) == node)] = weight
    return 1.0 - at.row_sums(others), others


@update_attack(sees={"honest"}, of_models=True)
def against_models(honest: np.ndarray, count: int, *, epsilon: Finite = 0.1) -> np.ndarray:  # noqa: ARG001
    """The mean of the honest models, times -`epsilon`."""
    return -epsilon * honest.mean(axis=0)


def told(experiment: str, rule: str, case: Any) -> dict[str, Any]:
    """What a scenario of that cell says of its own."""
    if experiment == "dumbbell":
        chosen: dict[str, Any] = RULES[rule]
        if case == CASES[2]:
            chosen = {"name": "bucketing", "size": 2, "then": chosen}
        graph = {"name": "dumbbell", "more": int(case == CASES[2])}
        return {"nodes": 2 * CLIQUE, "topology": graph, "partition": "iid" if case == "iid" else "halves", "aggregation": chosen}
    if experiment in MALICIOUS:
        nodes, least = (3 * RING, 1 / 5) if experiment == "ring, majority" else (3 * RING + 1, 1 / 6)
        aggregation = {**ON_THE_RING[rule], "mixing": {"name": "slower", "share": 1 / (2 - least)}}
        bad = {**ATTACKS[case], "who": [f"{RING}-{nodes - 1}"], "knowledge": "honest"}
        return {"nodes": nodes, "topology": "attacked-ring", "partition": "iid", "aggregation": aggregation, "attacks": [bad]}
    nodes = 2 * RING + 2
    weights = {"name": "one-apart", "node": nodes - 1, "weight": case}
    bad = {**ATTACKS["dissensus"], "who": [nodes - 1], "knowledge": "honest"}
    aggregation = {**RULES[rule], "mixing": weights}
    return {"nodes": nodes, "topology": "bridge", "partition": "sorted", "aggregation": aggregation, "attacks": [bad]}


def run(mnist: str, experiment: str, rule: str, case: Any, seed: int) -> dict[str, Any]:
    """One cell: accuracy of the mean of all honest models, and on the dumbbell of each clique's."""
    rate = RATE / 10 if experiment == "bridge" else RATE
    scenario = coterie.Scenario(
        name=f"robustness-{experiment}",
        seed=seed,
        architecture="decentralized",
        until=ROUNDS[experiment],
        task={
            "dataset": {"name": "mnist", "path": mnist},
            "model": {"name": "mlp", "hidden": [100]},
            "test_fraction": 0.0,
            "preprocess": ["as-usual"],
        },
        training={"steps": 1, "batch_size": 32, "optimizer": {"name": "sgd", "learning_rate": rate / (1 - BETA)}},
        algorithm={"name": "momentum", "beta": BETA},
        evaluation={"every": ROUNDS[experiment]},
        executor="inline",
        plugins=[str(Path(__file__).resolve())],
        **told(experiment, rule, case),
    )
    with tempfile.TemporaryDirectory() as folder:
        done = coterie.run(scenario, out=Path(folder) / "run")
        honest = [node for node in range(scenario.nodes) if node not in done.setup.attackers]
        found = {"global": _of_mean(done, honest)}
        if experiment == "dumbbell":
            found |= {"first": _of_mean(done, honest[:CLIQUE]), "second": _of_mean(done, honest[CLIQUE:])}
    return found


def _of_mean(done: Any, nodes: Sequence[int]) -> float:
    """The accuracy of the mean of some nodes' models on the common test set."""
    models = [done.model(node=node) for node in nodes]
    states = [model.state_dict() for model in models]
    models[0].load_state_dict({name: torch.stack([state[name] for state in states]).mean(dim=0) for name in states[0]})
    task = done.setup.task
    with torch.no_grad():
        outputs = models[0](torch.from_numpy(np.asarray(task.common_inputs)))
    return float((outputs.argmax(1).numpy() == task.common_targets).mean())


def cells(seeds: int) -> Iterator[tuple[str, str, Any, int]]:
    """All cells, the most telling rows first."""
    quick = [rule for rule in RULES if rule != "UBAR"]  # which tries each model on all of a node's samples in every round
    for seed in range(seeds):
        yield from (("dumbbell", rule, "halves", seed) for rule in quick)
        yield from ((ring, rule, attack, seed) for ring in MALICIOUS for rule in ON_THE_RING if rule != "UBAR" for attack in ATTACKS)
        yield from (("bridge", "SCClip", delta, seed) for delta in DELTAS)
        yield from (("dumbbell", rule, CASES[2], seed) for rule in quick)
        yield from (("dumbbell", rule, "iid", seed) for rule in quick)
        yield from (("ring", "UBAR", attack, seed) for attack in ATTACKS)
        yield from (("dumbbell", "UBAR", case, seed) for case in ("halves", "iid"))


def show() -> None:
    """The tables: ours, and the paper's in brackets."""
    rows = cells_of.known(NAME, KEYS)

    def cell(experiment: str, rule: str, case: Any, figure: str, paper: float | None) -> str:
        found = [100 * row[figure] for key, row in rows.items() if key[:3] == (experiment, rule, case)]
        return f"{f'{np.mean(found):.1f}' if found else '-'} ({'-' if paper is None else paper})"

    print(f"{len(rows)} cells; accuracy in % (the paper's in brackets)\n\ndumbbell, {ROUNDS['dumbbell']} rounds")
    print(f"{'':17}" + "".join(f"{name:>24}" for name in ("iid", "halves", "first clique", "second clique", CASES[2])))
    columns = [("iid", "global"), ("halves", "global"), ("halves", "first"), ("halves", "second"), (CASES[2], "global")]
    for rule, paper in DUMBBELL.items():
        print(f"{rule:17}" + "".join(f"{cell('dumbbell', rule, *column, their):>24}" for column, their in zip(columns, paper, strict=True)))
    for ring, papers in MALICIOUS.items():
        print(f"\n{ring}, {ROUNDS[ring]} rounds")
        print(f"{'':17}" + "".join(f"{attack:>24}" for attack in ATTACKS))
        for rule in ON_THE_RING:
            both = itertools.zip_longest(ATTACKS, papers.get(rule, ()))
            print(f"{rule:17}" + "".join(f"{cell(ring, rule, attack, 'global', their):>24}" for attack, their in both))
    print(f"\nbridge, dissensus, by what the bad neighbour weighs, {ROUNDS['bridge']} rounds")
    print(f"{'':17}" + "".join(f"{delta:>24}" for delta in DELTAS))
    both = zip(DELTAS, BRIDGE, strict=True)
    print(f"{'SCClip':17}" + "".join(f"{cell('bridge', 'SCClip', delta, 'global', their):>24}" for delta, their in both))


def main() -> None:
    """Run what is missing and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--cells", type=int, default=10**9, help="run at most so many")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        cells_of.fill(NAME, KEYS, cells(arguments.seeds), lambda *cell: run(arguments.mnist, *cell), most=arguments.cells)
    show()


if __name__ == "__main__":
    main()
