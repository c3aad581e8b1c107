"""Partitions: how the samples of a data set are dealt out to nodes, each sample to one node at most.

A partition is a function `(pool, *, parameters) -> Ragged` in a file of its own. One that changes what nodes see of their
samples (feature shift) is instead a frozen dataclass with a field `of`, the partition that deals, and a method
`shift(inputs, placement)`.

    >>> from coterie.tasks import partitions
    >>> deal = partitions.build("dirichlet", alpha=0.3)
    >>> shards = deal([0, 1, 2, 3] * 25, 4, seed=1)
    >>> len(shards), sum(map(len, shards))
    (4, 100)
"""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from functools import partial
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator

from coterie.core.errors import ScenarioError
from coterie.core.registry import Registry
from coterie.tasks import choices
from coterie.tasks import minimum as minima
from coterie.tasks.pool import Pool
from coterie.tasks.ragged import Indices, Ragged

PARTITIONS: Registry[Callable[..., Any]] = Registry("partition", home="coterie.tasks.partitions")
partition = PARTITIONS.register


class Placement(NamedTuple):
    """Where samples went.

    nodes: how many there are.
    owners: (n,), the node of each sample. rows: (n,), its row in the data set.
    seed: of the scenario; keys every draw.
    """

    nodes: int
    owners: Indices
    rows: Indices
    seed: int


def _completed(choice: Any) -> dict[str, Any]:
    name, params = choices.parts(choice)
    return {"name": name, **PARTITIONS.entry(name).check(params)}


Of = Annotated[str | dict[str, Any], AfterValidator(_completed)]
"""The partition that deals, inside one that shifts: a name, or a mapping with a name and parameters."""


@dataclass(frozen=True)
class Partition:
    """A partition with its parameters.

    deals: the function that deals the samples of a pool.
    shifts: those that change what nodes see, in the order in which they do.
    """

    name: str
    deals: Callable[[Pool], Ragged]
    shifts: tuple[Any, ...] = ()

    def __call__(
        self, labels: ArrayLike, nodes: int | None = None, seed: int = 0, *, groups: ArrayLike | None = None, minimum: int = 1
    ) -> list[Indices]:
        """The indices of each node's samples, one array per node.

        labels: (n,), classes, or floats to predict. groups: (n,), natural nodes, where there are any.

        Raises:
            ScenarioError: the samples cannot be dealt out so.
        """
        targets = np.asarray(labels)
        natural = None if groups is None else np.unique(np.asarray(groups), return_inverse=True)
        pool = Pool(
            targets,
            nodes,
            seed,
            minimum,
            groups=None if natural is None else natural[1].astype(np.int64),
            names=() if natural is None else tuple(map(str, natural[0])),
            rows=np.arange(len(targets)),
            total=len(targets),
        )
        return list(self.deal(pool))

    def deal(self, pool: Pool) -> Ragged:
        """Every node's shard of the pool; raises ScenarioError when it cannot be done."""
        if pool.targets.ndim != 1 or pool.size == 0:
            raise ScenarioError.at("", f"labels have the shape {pool.targets.shape}, expected (samples,)", "give at least one label")
        if pool.nodes is not None and pool.nodes < 1:
            raise ScenarioError.at("", f"{pool.nodes} nodes cannot hold anything", "write nodes: 1 or more")
        minima.check(pool.size, pool.nodes or 1, pool.minimum)
        shards = self.deals(pool)
        _check(shards, pool)
        return shards

    def shift(self, inputs: NDArray[np.float32], placement: Placement) -> NDArray[np.float32]:
        """What the nodes see in place of `inputs` (n, *features); may change them in place. Raises ScenarioError for tokens."""
        if self.shifts and inputs.dtype != np.float32:
            raise ScenarioError.at("", "tokens are names, not quantities: they cannot be shifted", "take a partition that only deals")
        for shift in self.shifts:
            inputs = shift.shift(inputs, placement)
        return inputs


def build(name: str, **params: Any) -> Partition:
    """The partition called `name`: a callable `(labels, nodes, seed) -> list of index arrays`.

    Raises:
        ScenarioError: no such partition, or a wrong parameter.
    """
    entry = PARTITIONS.entry(name)
    checked = entry.check(params)
    if not is_dataclass(entry.thing):
        return Partition(name, partial(entry.thing, **checked))
    shift = entry.thing(**checked)
    inner_name, inner_params = choices.parts(checked["of"])
    inner = build(inner_name, **inner_params)
    return Partition(name, inner.deals, (*inner.shifts, shift))


def _check(shards: Ragged, pool: Pool) -> None:
    """The promises of every partition, a user's own as well."""
    if pool.nodes is not None and len(shards) != pool.nodes:
        raise ScenarioError.at("", f"the partition made {len(shards):,} shards for {pool.nodes:,} nodes", "make one for each node")
    mine = shards.indices
    if len(mine) and (mine.min() < 0 or mine.max() >= pool.size):
        raise ScenarioError.at("", f"the partition deals out samples {mine.min()} to {mine.max()} of {pool.size:,}", "stay within the data")
    if len(mine) > pool.size or np.bincount(mine, minlength=1).max() > 1:
        raise ScenarioError.at("", "the partition gives a sample to two nodes", "use every sample once at most")
    poor = np.flatnonzero(shards.sizes < pool.minimum)
    if len(poor):
        some = ", ".join(f"{node} ({shards.sizes[node]})" for node in poor[:5]) + ("…" if len(poor) > 5 else "")
        raise ScenarioError.at(
            "",
            f"{len(poor):,} of {len(shards):,} nodes have fewer than {pool.minimum} samples: node {some}",
            "take fewer nodes, a smaller minimum, or more data",
        )
