"""What a round of training is for each node: steps, samples, seconds, and what the steps amount to."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from coterie.algorithms.fednova import effort
from coterie.environments.devices import Load
from coterie.learning.network import Network
from coterie.scenario.scenario import Scenario

BACKWARD = 3
"""A training step costs about three forward passes: forward, and backward by inputs and by weights."""


@dataclass(frozen=True)
class Workload:
    """All arrays have the shape (nodes,).

    sizes: the samples of each node. seconds_of: how long each node's device takes for a load.
    """

    scenario: Scenario
    network: Network
    sizes: NDArray[np.int64]
    seconds_of: Callable[[Load], NDArray[np.float64]]

    @cached_property
    def samples(self) -> NDArray[np.int64]:
        """Samples that each node trains on in a round, repeats counted."""
        return self._usual_samples if self.local_steps is None else self._samples_of(self.local_steps)

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """How long each node's device takes for a round of training."""
        if self.local_steps is None:
            return self.usual_seconds
        share: NDArray[np.float64] = self.local_steps / np.maximum(self.usual_steps, 1)
        return self.usual_seconds * share

    @cached_property
    def local_steps(self) -> NDArray[np.int64] | None:
        """Optimizer steps of each node in a round, where that is as many as its device does in a given time (one at least)."""
        seconds = self.scenario.schedule.local_seconds
        if seconds is None:
            return None
        each = self.usual_seconds / np.maximum(self.usual_steps, 1)
        fits = np.floor(seconds / np.maximum(each, 1e-12) * (1 + 1e-9))
        steps: NDArray[np.int64] = np.maximum(1, fits).astype(np.int64)
        return steps

    @cached_property
    def effort(self) -> NDArray[np.float64]:
        """What each node's steps amount to in steps of plain gradient descent."""
        steps, settings = self.usual_steps if self.local_steps is None else self.local_steps, self.scenario.training.optimizer.params
        momentum, nesterov = float(settings.get("momentum", 0.0)), bool(settings.get("nesterov", False))
        return np.array([effort(count, momentum, nesterov=nesterov) for count in steps.tolist()])

    @cached_property
    def usual_seconds(self) -> NDArray[np.float64]:
        """`seconds` for as many steps or epochs as `training` says."""
        samples, wanted = self._usual_samples, self.scenario
        operations = BACKWARD * self.network.flops * samples
        return self.seconds_of(Load(operations, samples, wanted.training.batch_size, self.network.layout.size, wanted.folder))

    @property
    def usual_steps(self) -> NDArray[np.int64]:
        """Optimizer steps of each node in a round, as `training` says."""
        training = self.scenario.training
        if training.steps is not None:
            return np.broadcast_to(np.int64(training.steps), self.sizes.shape)
        return self._batches_a_pass * (training.epochs or 1)

    @property
    def _usual_samples(self) -> NDArray[np.int64]:
        training = self.scenario.training
        return self.sizes * (training.epochs or 1) if training.steps is None else self._samples_of(self.usual_steps)

    def _samples_of(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many samples so many steps of each node are on."""
        passes, more = np.divmod(steps, self._batches_a_pass)
        samples: NDArray[np.int64] = passes * self.sizes + np.minimum(more * self._batch, self.sizes)  # a pass may end in a small batch
        return samples

    @property
    def _batch(self) -> NDArray[np.int64]:
        return np.minimum(np.maximum(self.sizes, 1), self.scenario.training.batch_size or self.sizes.max(initial=1))

    @property
    def _batches_a_pass(self) -> NDArray[np.int64]:
        batches: NDArray[np.int64] = -(-self.sizes // self._batch) + (self.sizes == 0)
        return batches
