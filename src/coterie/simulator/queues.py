"""A network with queues: a message takes a step or two of arithmetic, and no event of its own until it arrives.

Each node's uplink and downlink is a number, the moment from which it is free. A message takes its turn on the sender's uplink,
whole; its bytes are charged to the receiver's downlink when it is sent, so that a slow sender does not keep others waiting; it has
come through when both are done with it, and then takes the link's latency. With equal latencies this is first in, first out at
both ends; where they differ, a downlink serves in the order of sending.
"""

from math import ceil, expm1, log
from typing import Any

import numpy as np

from coterie.core import draws
from coterie.core.ids import NodeId
from coterie.environments.availability import Since
from coterie.environments.networks import Ends
from coterie.federation.messages import Message
from coterie.scenario import conditions
from coterie.scenario.setup import Setup
from coterie.simulator.network import Network

PACKET_BYTES = 1400
"""What a packet carries, of the 1500 that Ethernet allows."""
LINKS_KEPT = 1 << 17
"""From so many links on, those with nothing under way are forgotten."""
_JITTER, _LOSS = 1, 2


class QueuedNetwork(Network):
    """Ends with a rate up and a rate down. Draws are keyed by (seed, what the message is, sender, receiver): they hold no state."""

    def __init__(self, ends: Ends, seed: int, since: Since | None = None) -> None:
        super().__init__(since=since)
        self.nodes = len(ends.latency_seconds)
        self._half: list[float] = (ends.latency_seconds / 2).tolist()
        self._up: list[float] = (1 / ends.up_bytes_per_second).tolist()
        self._down: list[float] = (1 / ends.down_bytes_per_second).tolist()
        self._jitter: list[float] | None = ends.jitter_seconds.tolist() if ends.jitter_seconds.any() else None
        self._arrive: list[float] | None = np.sqrt(1 - ends.loss).tolist() if ends.loss.any() else None
        self._latency, self._rate = ends.link_latency_seconds, ends.link_bytes_per_second
        self._key = draws.key(seed, "network")
        self._up_free, self._down_free = [0.0] * self.nodes, [0.0] * self.nodes
        self._up_busy, self._down_busy = [0.0] * self.nodes, [0.0] * self.nodes
        self._last: dict[int, dict[int, float]] = {}
        self._links = 0
        self._link_free: dict[int, float] = {}
        self._kept = 0
        self._plain = not (self._latency or self._rate)

    def arrivals(self, now: float, sender: NodeId, to: tuple[NodeId, ...], message: Message, size_bytes: int) -> list[float]:
        """When each of `to` has the message whole."""
        since = self.since
        if since is not None:
            now = since(sender, now)
        half, down, down_free, down_busy = self._half, self._down, self._down_free, self._down_busy
        arrive, plain = self._arrive, self._plain
        up_seconds = size_bytes * self._up[sender]
        begin = free = max(now, self._up_free[sender])
        mine = half[sender]
        found = []
        for receiver in to:
            begun, seconds, up = free, size_bytes * down[receiver], up_seconds
            if arrive is not None:
                share = arrive[sender] * arrive[receiver]
                up, seconds = up / share, seconds / share  # what is sent again takes room, too
            free = begun + up
            through = max(now, down_free[receiver]) + seconds
            down_free[receiver] = through
            down_busy[receiver] += seconds
            at = max(free, through, begun + seconds)
            found.append(at + mine + half[receiver] if plain else self._of_link(sender, receiver, size_bytes, begun, at))
        self._up_busy[sender] += free - begin
        self._up_free[sender] = self.left = free
        if arrive is not None or self._jitter is not None:
            if self._links > max(LINKS_KEPT, 2 * self._kept):
                self._forget(now)
            self._disturb(sender, to, message, size_bytes, found)
        return found if since is None else [since(receiver, at) for receiver, at in zip(to, found, strict=True)]

    def _of_link(self, a: int, b: int, size_bytes: int, begun: float, through: float) -> float:
        """The arrival where the link may have a latency or a rate of its own, in which its messages take turns."""
        rate = self._rate.get((a, b))
        if rate is not None:
            link = a * self.nodes + b
            free = self._link_free[link] = max(begun, self._link_free.get(link, 0.0)) + size_bytes / rate
            through = max(through, free)
        return through + self._latency.get((a, b), self._half[a] + self._half[b])

    def _disturb(self, sender: int, to: tuple[NodeId, ...], message: Message, size_bytes: int, found: list[float]) -> None:
        """Adds jitter and what repeats take to the arrivals `found`; what was sent before on a link stays before."""
        what = (message.attempt << 48) + (message.round << 16) + (message.code << 8) + message.phase
        what = draws.mixed((what + message.origin * draws.GOLDEN) & draws.MASK)
        base = draws.mixed(((self._key ^ what) + sender * draws.GOLDEN) & draws.MASK)
        jitters = self._drawn(base + _JITTER, to) if self._jitter is not None else None
        losses = self._drawn(base + _LOSS, to) if self._arrive is not None else None
        last, jitter, mine = self._last.setdefault(sender, {}), self._jitter, 0.0 if self._jitter is None else self._jitter[sender]
        self._links -= len(last)
        for place, receiver in enumerate(to):
            at = found[place]
            if jitters is not None:
                at += (mine + jitter[receiver]) * jitters[place]  # type: ignore[index]
            if losses is not None:
                at += self._repeats(sender, receiver, size_bytes, losses[place])
            before = last.get(receiver, at)
            last[receiver] = found[place] = max(at, before)
        self._links += len(last)

    @staticmethod
    def _drawn(base: int, to: tuple[NodeId, ...]) -> list[float]:
        """A number in [0, 1) for each receiver."""
        if len(to) < 6:
            return [draws.uniform(base, receiver) for receiver in to]
        numbers: list[float] = draws.uniforms(base & draws.MASK, np.array(to)).tolist()
        return numbers

    def _repeats(self, sender: int, receiver: int, size_bytes: int, drawn: float) -> float:
        """Seconds of the round trips in which lost packets are sent again, until none is missing.

        After k sends a packet is still missing with probability pᵏ, so all of n are there with (1 - pᵏ)ⁿ: the draw's quantile.
        """
        loss = 1 - self._arrive[sender] * self._arrive[receiver]  # type: ignore[index]
        packets = -(-size_bytes // PACKET_BYTES)
        if loss <= 0 or drawn <= (1 - loss) ** packets:
            return 0.0
        missing = -expm1(log(drawn) / packets)
        sends = ceil(log(missing) / log(loss))
        return float(2 * (sends - 1) * (self._half[sender] + self._half[receiver]))

    def _forget(self, now: float) -> None:
        under_way = {sender: {receiver: at for receiver, at in last.items() if at > now} for sender, last in self._last.items()}
        self._last = {sender: last for sender, last in under_way.items() if last}
        self._kept = self._links = sum(map(len, self._last.values()))

    def busy(self, direction: str) -> list[float]:
        """Seconds in which each node's end was in use, `up` or `down`."""
        return self._up_busy if direction == "up" else self._down_busy

    def saved(self) -> list[Any]:
        """What `restored` needs."""
        lists = [self._up_free, self._down_free, self._up_busy, self._down_busy]
        last = [[sender, list(times.items())] for sender, times in self._last.items()]
        return [self.left, self._kept, last, list(self._link_free.items()), *(_sparse(values) for values in lists)]

    def restored(self, saved: list[Any]) -> None:
        """Become what `saved` said."""
        self.left, self._kept, last, links, *lists = saved
        self._last, self._link_free = {sender: dict(times) for sender, times in last}, dict(links)
        self._links = sum(map(len, self._last.values()))
        for values, pairs in zip((self._up_free, self._down_free, self._up_busy, self._down_busy), lists, strict=True):
            for node, value in pairs:
                values[node] = value


def network_of(setup: Setup) -> Network:
    """The network of a scenario; raises ScenarioError."""
    ends, since = conditions.ends(setup), conditions.since(setup)
    if ends is not None:
        return QueuedNetwork(ends, setup.scenario.seed, since)
    constant = conditions.constant(setup)
    return Network(constant.latency_seconds, constant.bandwidth_bytes_per_second, since)


def _sparse(values: list[float]) -> list[list[Any]]:
    return [[node, value] for node, value in enumerate(values) if value]
