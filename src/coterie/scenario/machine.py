"""What virtual time is made of, and what a run takes place on."""

from typing import ClassVar, Literal

from coterie.scenario.part import Count, NonNegative, Part, Positive, Short


class Network(Part):
    """Every link: how long a message is under way, and how fast its bytes pass."""

    latency_seconds: NonNegative = 0.01
    bandwidth_bytes_per_second: Positive = 1.25e7


class Device(Part):
    """Every node's processor: floating-point operations that it does in a second of training."""

    short: ClassVar[Short | None] = Short("flops_per_second", (int, float))

    flops_per_second: Positive = 1e10


class Evaluation(Part):
    """When models are evaluated: after every so many rounds, and always after the last."""

    short: ClassVar[Short | None] = Short("every", (int,))

    every: Count = 1


class Executor(Part):
    """What does the heavy work of a simulation: `inline` in this process, or `processes` that each use one thread.

    auto: whichever is faster for the size of the work. workers: how many processes; by default one for each processor core.
    chunk: how many nodes the engine fast computes at a time; by default a number that suits the size of the model and its batches.
    """

    short: ClassVar[Short | None] = Short("name", (str,))

    name: Literal["auto", "inline", "processes"] = "auto"
    workers: Count | None = None
    chunk: Count | None = None
