"""Whether nodes train many at once or one after the other in the engine `fast`, and how many: a rule that follows from measurement.

Known without torch for built-in models; a module or loss of the user's own is tried first (see `trial`). The figures behind the
rule are in docs/decisions/0006. What was chosen is written into the run's folder, and a run that is resumed keeps to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from coterie.core import own_code
from coterie.learning.algorithm import Algorithm
from coterie.learning.batched.chunk import even_parts, padded, width
from coterie.learning.layers import Flatten, Linear, Lstm, Relu
from coterie.learning.network import Network
from coterie.learning.optimizers import OPTIMIZERS
from coterie.learning.settings import Training
from coterie.tasks.choices import parts
from coterie.tasks.stored import Stored
from coterie.tasks.task import FederatedTask

How = Literal["products", "vmap", "one by one"]

CHUNK_BYTES = {"products": 12 << 20, "vmap": 16 << 20}
"""Memory that the models of a chunk and their batch go through in a step: a few times what the second-level cache of a core holds."""
MANY_NODES, MANY_NUMBERS = 64, 50_000
"""From so many nodes, or numbers in a model, on there are two chunks at least, so that two workers have something to do."""
DEVICE_CHUNK_BYTES = 1 << 30
"""The same on a GPU, which wants as much work at once as its memory holds."""
MOST_FLOPS = 1e7
"""A step of this many floating-point operations keeps a core busy by itself; `vmap` only makes it slower."""
LEAST_NODES = 8
"""Fewer models at a time are not worth `vmap`."""


@dataclass(frozen=True)
class Batching:
    """How many nodes' models are trained.

    how: `products`, written-out batched products; `vmap`, the module vectorised by torch.func; or `one by one`, as in the engine
    `exact`. nodes: at a time. why: the reason, in words.
    """

    how: How
    nodes: int
    why: str

    def __str__(self) -> str:
        ways = {"products": f"{self.nodes} at a time in batched products", "vmap": f"{self.nodes} at a time through torch.func.vmap"}
        return f"{ways.get(self.how, self.how)}: {self.why}"


def one_by_one(why: str) -> Batching:
    """Nodes are trained one after the other."""
    return Batching("one by one", 1, why)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be trained.

    engine, device, chunk: as the scenario has them. together: how many nodes train in a round, where that is known. trial: what
    says why a batched computation cannot stand for the nodes' own, or gives an empty string; asked only where that is not known
    beforehand.
    """

    engine: str
    network: Network
    training: Training
    algorithm: Algorithm
    device: str
    chunk: int | None
    task: FederatedTask
    together: int | None
    trial: Callable[[How], str]

    @property
    def at_once(self) -> int:
        """How many nodes train at a time."""
        return min(self.together or self.task.nodes, self.task.nodes)

    @property
    def flops(self) -> float:
        """Floating-point operations of a training step: forward, and backward by inputs and by weights."""
        return 3.0 * self.network.flops * self.batch

    @property
    def batch(self) -> int:
        """The padded length of the longest batch."""
        length, largest = self.training.batch_size, self.task.largest
        return int(width(np.array(min(length or largest, largest)), length))


def choose(wanted: Wanted) -> Batching:  # noqa: PLR0911 - a reason each
    """The way to train what is wanted."""
    if wanted.engine == "exact":
        return one_by_one("the engine is exact")
    if wanted.chunk == 1:
        return one_by_one("executor.chunk is 1")
    refusal = _refusal(wanted)
    if refusal:
        return one_by_one(refusal)
    how: How = "products" if _dense(wanted.network) and wanted.training.precision == "float32" else "vmap"
    if wanted.chunk is None and how == "vmap":
        refusal = _not_worth_it(wanted)
        if refusal:
            return one_by_one(refusal)
    if wanted.network.factory is not None or own_code.is_own(wanted.training.loss or ""):
        refusal = wanted.trial(how)
        if refusal:
            return one_by_one(refusal)
    if wanted.chunk is not None:
        return Batching(how, wanted.chunk, "executor.chunk says so")
    return Batching(how, _nodes(wanted, how), "so many models and batches fit near the core" if wanted.device == "cpu" else "so many fit")


def _dense(network: Network) -> bool:
    return bool(network.stack) and all(isinstance(at.layer, Linear | Relu | Flatten) for at in network.stack)


def _refusal(wanted: Wanted) -> str:
    """Why nothing can be batched, as far as that is known without torch."""
    name, _ = parts(wanted.training.optimizer)
    if isinstance(wanted.task.inputs, Stored):
        apart = wanted.task.inputs.apart(wanted.task.largest)
        if apart:
            return apart
    if wanted.training.function is not None:
        return "the local training is a function of your own"
    if not wanted.algorithm.row_by_row():
        return "the algorithm does not say that it is elementwise"
    if not hasattr(OPTIMIZERS.entry(name).thing, "step_rows"):
        return f"the optimizer {name} has no step for many nodes at once"
    if any(isinstance(at.layer, Lstm) for at in wanted.network.stack):
        return "torch.func has no rule for LSTMs"
    return ""


def _not_worth_it(wanted: Wanted) -> str:
    """Why `vmap` would be slower than one by one."""
    if wanted.at_once < 2:
        return "one node trains at a time"
    if wanted.device != "cpu":
        return ""
    if wanted.flops > MOST_FLOPS:
        return f"a step of {wanted.flops / 1e6:.0f} million operations is work enough for a core, and slower in groups"
    nodes = _most(wanted, "vmap")
    return f"only {nodes} models of {wanted.network.layout.size:,} numbers fit near the core" if nodes < LEAST_NODES else ""


def _most(wanted: Wanted, how: How) -> int:
    """How many models fit with what their batch makes of itself."""
    room = CHUNK_BYTES[how] if wanted.device == "cpu" else DEVICE_CHUNK_BYTES
    model = padded(wanted.network.layout.size) * (1 if how == "products" else 2)  # here the gradient is made apart
    return max(1, room // (4 * (model + wanted.batch * wanted.network.sample_numbers)))


def _nodes(wanted: Wanted, how: How) -> int:
    most, count = _most(wanted, how), wanted.at_once
    if count >= MANY_NODES or wanted.network.layout.size >= MANY_NUMBERS:
        most = min(most, -(-count // 2))
    return count if count <= most else even_parts(count, most)
