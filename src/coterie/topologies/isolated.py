"""No edges: every node by itself, as in training alone."""

import numpy as np

from coterie.topologies import topology
from coterie.topologies.graph import Graph, SparseGraph


@topology("isolated")
def isolated(nodes: int, _draw: np.random.Generator) -> Graph:
    """Nobody talks to anybody: the federation in which every node trains alone."""
    return SparseGraph.of(nodes, np.empty((0, 2), np.int64))
