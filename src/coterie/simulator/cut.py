"""A simulated run cut anywhere: heap, nodes, rows and counters in one file, and a simulator that goes on from it.

Flows are not saved but run again from their checkpoints on the answers they had, so the file holds only data. It is
written whole, between two events, with everything computed; the event after a cut is the same as without one.
"""

from collections.abc import Callable
from heapq import heapify
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.ids import NodeId
from coterie.federation import journal
from coterie.federation.flows.participate import FLOWS
from coterie.federation.saved import Packer, Unpacker, read, read_head, write
from coterie.simulator.simulator import Simulator
from coterie.simulator.trace import TraceDigest


def save(simulator: Simulator, path: Path, extra: Any, to_numpy: Callable[[Any], NDArray[Any]]) -> None:
    """Write the whole of `simulator` and `extra` (plain data) to `path`."""
    simulator.flush()
    packer = Packer()
    data = {
        "now": simulator.now,
        "sequence": simulator.sequence,
        "events": simulator.events,
        "initial": simulator.initial,
        "heap": simulator.heap,
        "nodes": [journal.save(node) for node in simulator.nodes.values()],
        "resting": simulator.resting.saved(),
        "results": list(simulator.results.items()),
        "rounds": _rounds(simulator),
        "beside": simulator.beside_saved(),
        "budget": simulator.budget.saved(),
        "digest": None if simulator.digest is None else simulator.digest.saved(),
    }
    write(path, {"simulator": packer.pack(data), "extra": extra}, packer.handles, to_numpy)


def load(simulator: Simulator, path: Path, from_numpy: Callable[[NDArray[np.float32]], Any]) -> Any:
    """Make a new `simulator` go on where `path` was written; the result is its `extra`. Raises ValueError for a damaged file."""
    unpacker = Unpacker()
    saved = read(path, unpacker, from_numpy)
    data = unpacker.unpack(saved["simulator"])
    simulator.now, simulator.sequence, simulator.events = data["now"], data["sequence"], data["events"]
    simulator.initial = simulator.resting.initial = data["initial"]
    simulator.heap[:] = data["heap"]
    heapify(simulator.heap)
    simulator.resting.restored(data["resting"])
    simulator.results.update(data["results"])
    _restore_rounds(simulator, data["rounds"])
    simulator.beside_restored(data["beside"])
    simulator.budget.restored(data["budget"])
    if data["digest"] is not None:
        simulator.digest = TraceDigest()
        simulator.digest.restored(data["digest"])
    flows = FLOWS | {simulator.flow.__name__: simulator.flow}

    def build(me: NodeId) -> journal.Build:
        return lambda name, state: (flows[name], (me, simulator.federation, state))

    for row in data["nodes"]:
        me = NodeId(row["id"])
        node = simulator.new_node(me)
        simulator.nodes[me] = node
        journal.load(node, row, build(me), again=False)
    if simulator.checks is not None:
        simulator.checks.begin_here()
    return saved["extra"]


def _rounds(simulator: Simulator) -> list[Any]:
    """What is known about rounds, links and who was busy."""
    reports = [[round, on, handles] for (round, on), handles in simulator.reports.items()]
    beside = [simulator.finished_at, list(simulator.given_up.items())]
    return [*simulator.heads.saved(), reports, simulator.network.saved(), simulator.timeline.saved(), beside]


def _restore_rounds(simulator: Simulator, saved: list[Any]) -> None:
    simulator.heads.restored(saved[:2])
    simulator.reports = {(round, on): handles for round, on, handles in saved[2]}
    simulator.network.restored(saved[3])
    simulator.timeline.restored(saved[4])
    simulator.finished_at, simulator.given_up = saved[5][0], dict(saved[5][1])


def extra_of(path: Path) -> Any:
    """The `extra` data of a checkpoint, without making anything of the rest. Raises ValueError for a damaged file."""
    return read_head(path)["data"]["extra"]
