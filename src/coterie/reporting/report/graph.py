"""Where to draw the nodes of a graph: stars, rings and dense graphs on a circle, others by stress majorization.

Gansner, Koren, North: "Graph drawing by stress majorization", GD 2004: every pair of nodes wants to be as far apart on paper
as it is in the graph, near pairs more urgently. No draws: the same graph always looks the same.
"""

from collections import deque

import numpy as np
import numpy.typing as npt

Edges = npt.NDArray[np.int64]
Points = npt.NDArray[np.float64]

MOST_NODES = 300
MOST_EDGES = 3000
_STEPS = 60


def place(nodes: int, edges: Edges) -> Points:
    """Positions (nodes, 2) within 0 to 1 for the edges (m, 2)."""
    degrees = np.bincount(edges.ravel(), minlength=nodes)
    if nodes > 3 and degrees.max(initial=0) == nodes - 1 == len(edges):
        return _into_unit(_star(nodes, int(degrees.argmax())))
    if nodes < 4 or _round(nodes, edges):
        return _into_unit(_circle(nodes))
    return _into_unit(_stress(_distances(nodes, edges)))


def excerpt(nodes: int, edges: Edges) -> npt.NDArray[np.int64]:
    """At most MOST_NODES nodes, in order of id: all of them, or those nearest to the busiest one, with their edges."""
    if nodes <= MOST_NODES:
        return np.arange(nodes, dtype=np.int64)
    neighbours = _neighbours(nodes, edges)
    busiest = int(np.bincount(edges.ravel(), minlength=nodes).argmax())
    chosen = {busiest: None}
    waiting = deque(chosen)
    while waiting and len(chosen) < MOST_NODES:
        for other in neighbours[waiting.popleft()]:
            if other not in chosen and len(chosen) < MOST_NODES:
                chosen[other] = None
                waiting.append(other)
    for node in range(nodes):  # where its part of the graph is small, others join it
        if len(chosen) == MOST_NODES:
            break
        chosen.setdefault(node)
    return np.array(sorted(chosen), np.int64)


def _neighbours(nodes: int, edges: Edges) -> list[list[int]]:
    found: list[list[int]] = [[] for _ in range(nodes)]
    for a, b in edges.tolist():
        found[a].append(b)
        found[b].append(a)
    return found


def _round(nodes: int, edges: Edges) -> bool:
    """Whether the graph reads best on a circle: it is dense, or most edges are short along a circle that they close."""
    if len(edges) > nodes * (nodes - 1) / 5:
        return True
    ahead = (edges[:, 1] - edges[:, 0]) % nodes
    start = np.where(2 * ahead <= nodes, edges[:, 0], edges[:, 1])
    gap = np.minimum(ahead, nodes - ahead)
    short = gap <= max(1, nodes // 8)
    across = np.zeros(nodes, bool)  # whether an edge passes from i to i + 1
    for step in range(int(gap[short].max(initial=0))):
        across[(start[short & (gap > step)] + step) % nodes] = True
    return bool(across.all()) and float(short.mean()) > 0.5


def _circle(nodes: int) -> Points:
    angle = 2 * np.pi * np.arange(nodes) / max(nodes, 1) - np.pi / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _star(nodes: int, hub: int) -> Points:
    around = _circle(nodes - 1)
    points: Points = np.concatenate([around[:hub], np.zeros((1, 2)), around[hub:]])
    return points


def _distances(nodes: int, edges: Edges) -> npt.NDArray[np.float64]:
    """Steps between all pairs (nodes, nodes); parts that do not hang together lie a little farther apart than the widest."""
    near = np.zeros((nodes, nodes), bool)
    near[edges[:, 0], edges[:, 1]] = near[edges[:, 1], edges[:, 0]] = True
    far = np.full((nodes, nodes), np.inf)
    reached = np.eye(nodes, dtype=bool)
    front, steps = reached.copy(), 0
    while front.any():
        far[front] = steps
        front = (front.astype(np.float32) @ near > 0) & ~reached
        reached |= front
        steps += 1
    return np.where(np.isinf(far), float(steps), far)


def _stress(distance: npt.NDArray[np.float64]) -> Points:
    """Positions whose distances come near `distance`: classical scaling first, then majorization."""
    nodes = len(distance)
    centred = distance**2 - (distance**2).mean(0) - (distance**2).mean(1)[:, None] + (distance**2).mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    points: Points = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 1e-9))
    points += 0.01 * _circle(nodes)  # no two nodes on one spot
    off = ~np.eye(nodes, dtype=bool)
    weight = np.where(off, 1 / np.where(off, distance, 1) ** 2, 0.0)
    laplacian = np.diag(weight.sum(1)) - weight
    inverse = np.linalg.inv(laplacian + 1 / nodes) - 1 / nodes
    for _ in range(_STEPS):
        apart = np.linalg.norm(points[:, None] - points, axis=-1)
        pull = -weight * distance / np.maximum(apart, 1e-9)
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(1))
        points = inverse @ (pull @ points)
    return points


def _into_unit(points: Points) -> Points:
    """Scaled alike in both directions, and centred, to fill 0 to 1."""
    if not len(points):
        return points
    low, high = points.min(0), points.max(0)
    size = float((high - low).max()) or 1.0
    scaled: Points = (points - (low + high) / 2) / size + 0.5
    return scaled
