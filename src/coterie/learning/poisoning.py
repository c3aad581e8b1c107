"""Training parts that take the place of nodes' own in some rounds, and samples that tell whether that worked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coterie.tasks.ragged import Ragged, offsets_of


class Probe(NamedTuple):
    """Samples (m, *features) on which a model goes wrong as the attackers want if it takes them for `target`; name: of the metric."""

    name: str
    inputs: NDArray[np.generic]
    target: int


@dataclass(frozen=True, eq=False)
class Poisoning:
    """What attackers train on in place of their own samples.

    parts: indices into the task's inputs, a list for each part. rounds: for each node that has any, (first round, last round, part).
    """

    parts: Ragged
    rounds: Mapping[int, tuple[tuple[int, float, int], ...]]
    probes: tuple[Probe, ...] = field(default=())

    def part(self, node: int, round: int) -> int | None:
        """Which part the node trains on in a round; None for its own samples."""
        return next((part for first, last, part in self.rounds.get(node, ()) if first <= round <= last), None)

    def behind(self, own: Ragged) -> Ragged:
        """The nodes' `own` parts, and after them these."""
        return Ragged(np.concatenate([own.indices, self.parts.indices]), offsets_of(np.concatenate([own.sizes, self.parts.sizes])))
