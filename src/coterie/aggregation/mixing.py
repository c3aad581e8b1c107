"""Mixing weights: how much a decentralized node gives its own model and each of its neighbours'.

A mixing is a function of arrays for any number of nodes at once: `(Neighbourhoods, *, parameters) -> (own (r,), others (m,))`
with own[k] + the others of row k = 1. A neighbour whose model is missing in this round is simply not listed.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from coterie.core.registry import Registry

Mixing = Callable[..., tuple[np.ndarray, np.ndarray]]
MIXING: Registry[Mixing] = Registry("mixing")
mixing = MIXING.register


class Neighbourhoods(NamedTuple):
    """Whose models are mixed by whom, for r nodes: a sparse matrix by rows.

    rows: (r,) the nodes that mix. indptr: (r + 1,) and indices: (m,): node rows[k] has the models of the neighbours
    indices[indptr[k]:indptr[k + 1]]. degrees: (nodes,) how many neighbours each node has in the graph, present or not.
    sizes: (nodes,) how many training samples each node has.
    """

    rows: np.ndarray
    indptr: np.ndarray
    indices: np.ndarray
    degrees: np.ndarray
    sizes: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """(r,) how many neighbours' models each row has."""
        return np.diff(self.indptr)

    def spread(self, values: np.ndarray) -> np.ndarray:
        """(m,) the value of its row for every entry, from `values` (r,)."""
        return np.repeat(values, self.counts)

    def row_sums(self, values: np.ndarray) -> np.ndarray:
        """(r,) the sums of `values` (m,) over each row."""
        return np.bincount(self.spread(np.arange(len(self.rows))), weights=values, minlength=len(self.rows))


@mixing("uniform")
def uniform(at: Neighbourhoods) -> tuple[np.ndarray, np.ndarray]:
    """The plain average of the models that are there, the node's own among them."""
    own = 1.0 / (at.counts + 1)
    return own, at.spread(own)


@mixing("samples")
def samples(at: Neighbourhoods) -> tuple[np.ndarray, np.ndarray]:
    """Each model by its node's share of the training samples among the models that are there."""
    others = at.sizes[at.indices].astype(np.float64)
    total = at.sizes[at.rows] + at.row_sums(others)
    return at.sizes[at.rows] / total, others / at.spread(total)


@mixing("metropolis-hastings")
def metropolis_hastings(at: Neighbourhoods) -> tuple[np.ndarray, np.ndarray]:
    """1 / (1 + the larger degree of the two) for a neighbour, the rest for the node itself: symmetric, so averages are kept.

    Xiao and Boyd 2004, "Fast linear iterations for distributed averaging". What a missing neighbour would get stays here.
    """
    others = 1.0 / (1.0 + np.maximum(at.spread(at.degrees[at.rows]), at.degrees[at.indices]))
    return 1.0 - at.row_sums(others), others


def build(name: str, **params: Any) -> Callable[[Neighbourhoods], tuple[np.ndarray, np.ndarray]]:
    """The mixing called `name` with its parameters; raises ScenarioError."""
    entry = MIXING.entry(name)
    checked = entry.check(params)
    return lambda at: entry.thing(at, **checked)


def of_node(mix: Mixing, node: int, present: np.ndarray, degrees: np.ndarray, sizes: np.ndarray) -> tuple[float, ...]:
    """The weights of one `node` (own first) and of the neighbours `present`, in their order."""
    at = Neighbourhoods(np.array([node]), np.array([0, len(present)]), np.asarray(present, dtype=np.int64), degrees, sizes)
    own, others = mix(at)
    return (float(own[0]), *others.tolist())
