"""Runs without common rounds over the network: each node's part can be had again from what it was told, to the same effects and bits."""

import shutil
import time

import numpy as np
import pytest

import coterie
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation import journal
from coterie.federation.flows.participate import FLOWS
from coterie.federation.saved import Unpacker, read
from coterie.runtime import host, replay
from coterie.runtime.local import LocalFederation, LocalProcesses
from coterie.scenario.setup import Setup
from failing import kept_round

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
    """Processes whose nodes write down what they are told and do, and of each life what it began with, for the test to read."""

    async def _in_place(self, place, folder, executor, watch):
        def make(*arguments, incarnation, **settings):
            kept, life = folder / f"node-{place}.checkpoint", self.folder / f"{place}-{incarnation}"
            if kept.exists():
                shutil.copy(kept, life.with_suffix(".checkpoint"))
            to_numpy, file = self.what.vectors.to_numpy, life.with_suffix(".journal")
            return replay.TappedNode(*arguments, to_numpy=to_numpy, file=file, incarnation=incarnation, **settings)

        host.Host.make_node = staticmethod(make)
        return await super()._in_place(place, folder, executor, watch)

    def lives(self, place):
        """(incarnation, the file of its checkpoint, entries) of each life of the node at `place`."""
        files = sorted(self.folder.glob(f"{place}-*.journal"), key=lambda file: int(file.stem.split("-")[1]))
        return [(int(file.stem.split("-")[1]), file.with_suffix(".checkpoint"), replay.read(file.read_bytes())) for file in files]


@pytest.fixture(scope="module", params=[("FedBuff", 1), ("FedBuff", 0), ("gossip", 1)], ids=lambda about: f"{about[0]} without {about[1]}")
def run(request, tmp_path_factory):
    """What a run left behind in which a node was killed and came back: how it was made up, and its results."""
    shape, victim = request.param
    scenario = coterie.Scenario(**COMMON, **SHAPES[shape])
    with Tapped(LocalFederation.of(Setup(scenario)), NODES, tmp_path_factory.mktemp("journals")) as processes:
        file = processes.folder_of(victim) / f"node-{victim}.checkpoint"
        give_up = time.monotonic() + 30
        while not file.exists() or kept_round(file) < 3:
            assert time.monotonic() < give_up
        processes.kill(victim)
        processes.restart(victim)
        return processes, processes.results(60), victim


def again(processes, me, incarnation, checkpoint, entries):
    """The last state of a fresh node that is told the same, and the digests of all that it kept; by default from the beginning."""
    what, part = processes.what, processes.part
    run, executor, kept = part.run, what.executor(), []
    to_numpy, from_numpy = what.vectors.to_numpy, what.vectors.from_numpy
    settings = {"durable": True, "staleness_rounds": run.staleness_rounds, "newest_only": run.newest_only}
    node = replay.TappedNode(NodeId(me), NODES, None, to_numpy=to_numpy, incarnation=incarnation, **settings)
    federation, initial = part.in_real_time, Handle(from_numpy(part.initial))

    def begin(node):
        if checkpoint.exists():
            flows = lambda name, state: (FLOWS[name], (node.id, federation, state))  # noqa: E731
            journal.load(node, read_checkpoint(checkpoint, from_numpy), flows, again=True)
        else:
            node.start(part.flow, node.id, federation, federation.initially(node.id, initial))

    try:
        state = replay.replay(
            node, begin, entries, executor, from_numpy, on_keep=lambda node: kept.append(replay.digest(journal.save(node), to_numpy))
        )
        return state, kept
    finally:
        executor.close()


def read_checkpoint(file, from_numpy):
    unpacker = Unpacker()
    return unpacker.unpack(read(file, unpacker, from_numpy))["node"]


def test_each_node_does_the_same_again(run):
    processes, results, victim = run
    vectors = processes.what.vectors
    assert [len(processes.lives(me)) for me in range(NODES)] == [2 if me == victim else 1 for me in range(NODES)]
    for me in range(NODES):
        kept = []
        for incarnation, checkpoint, entries in processes.lives(me):
            if kept:  # what it came back with is what it had kept
                assert replay.digest(read_checkpoint(checkpoint, vectors.from_numpy), vectors.to_numpy) in kept[-2:]
            state, kept = again(processes, me, incarnation, checkpoint, entries)
        assert state is not None
        assert state.round == results[me].rounds
        np.testing.assert_array_equal(vectors.to_numpy(state.model.value), results[me].vector)


def test_half_an_entry_at_the_end_is_left_out(run):
    data = replay.written(run[0].lives(run[2])[0][2][:3])
    assert [len(replay.read(data[:size])) for size in (len(data), len(data) - 1, 5)] == [3, 2, 0]


def test_what_is_not_as_it_was_is_found(run):
    """In whichever lives something that came was used before their end: that of a killed node may have been too short."""
    processes, *_ = run
    strayed = []
    for me in range(NODES):
        for incarnation, checkpoint, entries in processes.lives(me):
            changed = [
                (*entry[:3], {number: one_bit_off(raw) for number, raw in entry[3].items()}, *entry[4:]) if entry[0] == "deliver" else entry
                for entry in entries
            ]
            try:
                again(processes, me, incarnation, checkpoint, changed)
            except replay.Strayed:
                strayed.append(me)
    assert len(set(strayed)) >= 2


def one_bit_off(raw):
    return bytes([raw[0] ^ 1]) + raw[1:]
