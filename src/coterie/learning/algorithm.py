"""What an algorithm is to local training and to aggregation. Known without torch: methods only use operators.

The algorithms themselves, and the registry of their names, are in `coterie.algorithms`.
"""

from collections.abc import Callable
from typing import Any, ClassVar

Sections = tuple[Any, ...]
"""Vectors of one size each (NumPy arrays or torch tensors), in the order of their names."""


class Algorithm:
    """A client rule and a server rule with their state; as it stands, federated averaging. Algorithms are frozen dataclasses.

    update, broadcast: names of the sections of what a trainer sends ("delta", its change of the model, comes first) and of what
    an aggregator publishes after the model. client_state, server_state: of what a trainer and an aggregator keep.
    Every section has the size of a model. An algorithm is only ever shown the trained part, at the front; what is not trained
    travels in "delta" and is averaged.
    gradient: None, or `(gradient, parameters, start, broadcast, client) -> gradient` with the algorithm's own term, for each step.
    centralized_only: why the algorithm needs one server, or empty.
    normalizes: whether the aggregator makes up for trainers that took different numbers of steps (FedNova).
    rewrites: whether what a trainer sends as "delta" is another change than its training's: who keeps a model of its own then goes there.
    elementwise: whether `gradient` and `finish` treat each number of a vector apart, so that the engine `fast` may give them many
    nodes' vectors one above the other (n, d), with `moved` a column (n, 1). A class that writes either of the two says so itself.
    """

    update: ClassVar[tuple[str, ...]] = ("delta",)
    broadcast: ClassVar[tuple[str, ...]] = ()
    client_state: ClassVar[tuple[str, ...]] = ()
    server_state: ClassVar[tuple[str, ...]] = ()
    centralized_only: ClassVar[str] = ""
    normalizes: ClassVar[bool] = False
    rewrites: ClassVar[bool] = False
    elementwise: ClassVar[bool] = True
    gradient: Callable[[Any, Any, Any, Sections, Sections], Any] | None = None

    def finish(self, start: Any, end: Any, broadcast: Sections, client: Sections, moved: Any) -> tuple[Sections, Sections]:  # noqa: ARG002
        """(update sections, new client sections) once training went from `start` to `end`.

        client: zeros before a node's first round. moved: the sum of the learning rates of all steps.
        """
        return (end - start,), ()

    def server(self, model: Any, mean: Sections, broadcast: Sections, state: Sections, fraction: float) -> tuple[Any, Sections, Sections]:  # noqa: ARG002
        """(model, broadcast, state) after a round.

        mean: the aggregated update sections. broadcast: zeros in the first round. state: empty in the first round.
        fraction: the share of all trainers whose updates were aggregated.
        """
        return model + mean[0], broadcast, state

    def row_by_row(self) -> bool:
        """Whether `gradient` and `finish` may be given many nodes' vectors at once: whether the classes that write them say so."""
        writers = (next(kind for kind in type(self).__mro__ if name in vars(kind)) for name in ("gradient", "finish"))
        return all(vars(writer).get("elementwise", False) for writer in writers)
