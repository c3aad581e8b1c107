"""Runs without common rounds over the network: each node's part can be had again from what it was told, to the same effects and bits."""

import numpy as np
import pytest

import coterie
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.runtime import host, replay
from coterie.runtime.local import LocalFederation, LocalProcesses
from coterie.scenario.setup import Setup

NODES, ROUNDS = 4, 15
COMMON = {
    "task": {"dataset": "digits", "model": {"name": "mlp", "hidden": [8]}},
    "nodes": NODES,
    "seed": 7,
    "until": ROUNDS,
    "engine": "exact",
    "training": {"batch_size": 64},
}
SHAPES = {
    "FedBuff": {"architecture": "centralized", "schedule": {"name": "asynchronous", "buffer": 2}},
    "gossip": {
        "architecture": "decentralized",
        "topology": "full",
        "schedule": "asynchronous",
        "sharing": {"name": "gossip", "neighbours": 1, "direction": "push"},
    },
}


class Tapped(LocalProcesses):
    """Processes whose nodes write down what they are told and do, for the test to read."""

    async def _in_place(self, place, folder, executor, watch):
        made = []

        def make(*arguments, **settings):
            made.append(replay.TappedNode(*arguments, to_numpy=self.what.vectors.to_numpy, **settings))
            return made[0]

        host.Host.make_node = staticmethod(make)
        outcome = await super()._in_place(place, folder, executor, watch)
        (self.folder / f"{place}.journal").write_bytes(replay.written(made[0].tap.entries))
        return outcome


@pytest.fixture(scope="module", params=SHAPES)
def run(request, tmp_path_factory):
    """What a run left behind: how it was made up, its results, and each node's entries."""
    scenario = coterie.Scenario(**COMMON, **SHAPES[request.param])
    what, folder = LocalFederation.of(Setup(scenario)), tmp_path_factory.mktemp("journals")
    with Tapped(what, NODES, folder) as processes:
        results = processes.results(60)
    return processes, results, [replay.read((folder / f"{place}.journal").read_bytes()) for place in range(NODES)]


def again(processes, me, entries):
    """The last state of a fresh node that is told the same."""
    what, part = processes.what, processes.part
    run, executor = part.run, what.executor()
    node = replay.TappedNode(
        NodeId(me),
        NODES,
        None,
        to_numpy=what.vectors.to_numpy,
        incarnation=1,
        durable=True,
        staleness_rounds=run.staleness_rounds,
        newest_only=run.newest_only,
    )
    federation, initial = part.in_real_time, Handle(what.vectors.from_numpy(part.initial))

    def begin(node):
        node.start(part.flow, node.id, federation, federation.initially(node.id, initial))

    try:
        return replay.replay(node, begin, entries, executor, what.vectors.from_numpy)
    finally:
        executor.close()


def test_each_node_does_the_same_again(run):
    processes, results, journals = run
    assert sum(entry[0] == "submit" for entries in journals for entry in entries) > ROUNDS
    for me, entries in enumerate(journals):
        state = again(processes, me, entries)
        assert state.round == results[me].rounds
        np.testing.assert_array_equal(processes.what.vectors.to_numpy(state.model.value), results[me].vector)


def test_what_is_not_as_it_was_is_found(run):
    processes, _, journals = run
    entries = [
        (*entry[:3], {number: one_bit_off(raw) for number, raw in entry[3].items()}, *entry[4:]) if entry[0] == "deliver" else entry
        for entry in journals[1]
    ]
    with pytest.raises(replay.Strayed):
        again(processes, 1, entries)


def one_bit_off(raw):
    return bytes([raw[0] ^ 1]) + raw[1:]
