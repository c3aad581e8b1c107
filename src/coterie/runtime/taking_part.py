"""The nodes of one place take part in a run, from its beginning or their checkpoints to the end."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from coterie.core.ids import NodeId
from coterie.core.jobs import Executor, Handle
from coterie.federation import journal
from coterie.federation.effects import Flow
from coterie.federation.federation import Federation
from coterie.federation.flows.participate import FLOWS, participate
from coterie.federation.membership import Membership
from coterie.federation.node import Node
from coterie.federation.state import RoundState
from coterie.runtime.admission import Run
from coterie.runtime.host import Host, Outcome, Vectors
from coterie.runtime.watch import Watch

if TYPE_CHECKING:
    from coterie.runtime.transport.links import Links

PATIENCE_SECONDS, LINGER_SECONDS, ALONE_SECONDS = 600.0, 5.0, 600.0
HEARTBEAT_SECONDS = 2.0


@dataclass(frozen=True)
class Part:
    """What every place of a run must know. flow: what every node does. alone_seconds: how long to go on without a link to anybody."""

    run: Run
    federation: Federation
    initial: NDArray[np.float32]
    vectors: Vectors
    flow: Callable[..., Flow[RoundState]] = participate
    alone_seconds: float = ALONE_SECONDS

    @property
    def in_real_time(self) -> Federation:
        """The federation for nodes that cannot notice by themselves that nobody will send them a model, and any of which may fail."""
        watched = self.federation.membership or Membership(interval_seconds=HEARTBEAT_SECONDS, deadline_seconds=PATIENCE_SECONDS)
        return replace(self.federation, patience_seconds=PATIENCE_SECONDS, membership=watched)

    def neighbours(self, place: int) -> list[int]:
        """The places of those that the nodes of `place` have an edge to."""
        place_of = {node: there for there, nodes in enumerate(self.run.places) for node in nodes}
        graph = self.federation.planner.graph
        return sorted({place_of[NodeId(other)] for node in self.run.places[place] for other in graph.neighbours(node).tolist()} - {place})


def part_of(
    federation: Federation,
    initial: NDArray[np.float32],
    vectors: Vectors,
    places: tuple[tuple[NodeId, ...], ...],
    *,
    number: int,
    rounds: int,
    flow: Callable[..., Flow[RoundState]] = participate,
) -> Part:
    """The part of any place in a run of so many rounds; `number` sets its messages apart from other runs'."""
    run = Run(
        number,
        places,
        largest=4 * initial.size + 4096,
        rounds=rounds,
        sizes=federation.sizes,
        staleness_rounds=federation.kept_rounds,
        newest_only=federation.schedule.asynchronous,
        forwards=federation.ever_forwards,
    )
    return Part(run, federation, initial, vectors, flow)


async def take_part(  # noqa: PLR0917 - what a place consists of
    part: Part,
    links: "Links",
    executor: Executor,
    folder: Path | None,
    watch: Watch,
    go_on: Callable[[RoundState], bool],
    agree: "Callable[[Federation], Awaitable[Federation | None]] | None" = None,
) -> Outcome:
    """The nodes of this place do their part. folder: for checkpoints. go_on: whether a node is to begin the round of this state.

    agree: awaited before the first round: the federation as its members then know it, or None where there is nothing to do.
    """
    federation = part.in_real_time

    async def ready() -> bool:
        nonlocal federation
        agreed = federation if agree is None else await agree(federation)
        federation = agreed or federation
        return agreed is not None

    def begin(node: Node) -> None:
        model = Handle(part.vectors.from_numpy(part.initial))
        node.start(part.flow, node.id, federation, federation.initially(node.id, model))

    flows: dict[str, Callable[..., Any]] = FLOWS | {part.flow.__name__: part.flow}

    def flows_of(me: NodeId) -> journal.Build:
        return lambda name, state: (flows[name], (me, federation, state))

    host = Host(
        part.run,
        links,
        executor,
        part.vectors,
        go_on=lambda state: not isinstance(state, RoundState) or go_on(state),
        folder=folder,
        watch=watch,
        alone_seconds=part.alone_seconds,
    )
    return await host.run(begin, flows_of, part.neighbours(links.mine), LINGER_SECONDS, ready)
