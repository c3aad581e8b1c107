"""`summary.json`: what a run came to, in a fixed shape that scripts rely on."""

import hashlib
import statistics
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from coterie.core.errors import RunError, ScenarioError
from coterie.reporting.judged import Defence
from coterie.reporting.measures import measure

SCHEMA_VERSION = 1
ROUNDS = "rounds"
"""What ends a run that goes to its last round."""
WORST_SHARE = 0.1

Count = Annotated[int, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(ge=0)]


class Spread(msgspec.Struct, frozen=True):
    """One metric over the nodes, each node counting once.

    std is the population's. worst_decile is the mean of the worst tenth of the nodes (rounded up): the lowest values of a
    metric that should rise, the highest of a loss. All are null when a node's value is not a finite number.
    """

    mean: float | None = None
    min: float | None = None
    max: float | None = None
    std: float | None = None
    worst_decile: float | None = None

    @classmethod
    def of(cls, values: npt.ArrayLike, *, rising: bool = True) -> "Spread | None":
        """The spread of `values` (n,); None of no values."""
        ordered = np.sort(np.asarray(values, dtype=np.float64).ravel())
        if not ordered.size:
            return None
        if not np.isfinite(ordered).all():
            return cls()
        few = -(-ordered.size // round(1 / WORST_SHARE))
        worst = ordered[:few] if rising else ordered[-few:]
        low, high = float(ordered[0]), float(ordered[-1])
        mean = min(max(float(ordered.mean()), low), high)  # summation may step outside by the last bit
        return cls(mean, low, high, float(ordered.std()), float(worst.mean()))


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a run, or one of its baselines, came to.

    metric: the name of the task's main metric, `accuracy` or `r2`; the others of these fields are null.
    Names without `_own` are measured on the common test set, names with it on each node's own test data.
    metrics: every further metric by name (`train_loss`, the user's own).
    bytes_sent, bytes_received, messages: of the protocol. raw_bytes: samples that left the node they belong to.
    virtual_seconds: on the simulated clock; wall_seconds: on the real one. job_seconds: how much of the real time training,
    aggregation and evaluation took; the rest is the protocol's.
    attackers: how many of the nodes attack at any time; what they say of themselves is in no metric.
    faults: how many were injected, by kind. defence: what became of updates that stood out, null where nothing did.
    refused: how many messages were not taken in, by reason. updates_taken: how many updates, and models of others, were aggregated.
    happened: how often nodes held others to be gone, waited, gave up, took over, began anew with a server's state, …, by what it was.
    digest: SHA-256 over the final parameters in node order.
    """

    nodes: Count = 0
    rounds: Count = 0
    metric: str = "accuracy"
    accuracy: Spread | None = None
    accuracy_own: Spread | None = None
    r2: Spread | None = None
    r2_own: Spread | None = None
    loss: Spread | None = None
    loss_own: Spread | None = None
    metrics: dict[str, Spread] = {}
    bytes_sent: Count = 0
    bytes_received: Count = 0
    messages: Count = 0
    raw_bytes: Count = 0
    virtual_seconds: Seconds = 0.0
    wall_seconds: Seconds = 0.0
    job_seconds: dict[str, Seconds] = {}
    samples_trained: Count = 0
    attackers: Count = 0
    faults: dict[str, Count] = {}
    refused: dict[str, Count] = {}
    happened: dict[str, Count] = {}
    updates_taken: Count = 0
    defence: Defence | None = None
    digest: str | None = None

    def spread(self, metric: str) -> Spread | None:
        """The spread of any metric by name; None where it was not measured."""
        found: Spread | None = getattr(self, metric) if metric in SPREADS else self.metrics.get(metric)
        return found

    @property
    def score(self) -> Spread | None:
        """The main metric: on the common test set, or where there is none on the nodes' own test data."""
        return self.spread(self.scored)

    @property
    def scored(self) -> str:
        """The name of the metric that `score` tells."""
        return self.metric if self.spread(self.metric) is not None else f"{self.metric}_own"


class Summary(Outcome, frozen=True, kw_only=True):
    """The content of `summary.json`.

    ended_by: what ended the run, such as `rounds`, `target` or `converged`.
    baselines: the same figures for each baseline by name.
    dataset_bytes: the raw size of the data, which central training would have moved.
    """

    schema_version: int = SCHEMA_VERSION
    name: str = ""
    seed: int = 0
    ended_by: str | None = None
    baselines: dict[str, Outcome] = {}
    dataset_bytes: Count | None = None

    def check_learned(self) -> None:
        """Raises RunError where nodes trained, and every single update was refused: the models are those that the run began with."""
        if self.samples_trained and not self.updates_taken and (count := sum(self.refused.values())):
            reasons = ", ".join(f"{many} {reason}" for reason, many in self.refused.items())
            fix = "; a smaller learning rate may help" if "not finite" in self.refused else ""
            raise RunError(f"nothing was learned: all updates were refused, {count} of them ({reasons}){fix}")


SPREADS = ("accuracy", "accuracy_own", "r2", "r2_own", "loss", "loss_own")


def spreads(values: Mapping[str, npt.ArrayLike]) -> dict[str, Any]:
    """Final values per node (n,) of each metric, as the fields of an Outcome: `Outcome(**spreads(values), …)`."""
    every = {name: Spread.of(over_nodes, rising=measure(name).rising) for name, over_nodes in values.items()}
    return {
        **{name: every.get(name) for name in SPREADS},
        "metric": "r2" if "r2" in values or "r2_own" in values else "accuracy",
        "metrics": {name: spread for name, spread in every.items() if name not in SPREADS and spread is not None},
    }


def digest(vectors: Iterable[npt.NDArray[np.float32]]) -> str:
    """SHA-256 over the final parameters in node order, as little-endian float32."""
    found = hashlib.sha256()
    for vector in vectors:
        found.update(np.ascontiguousarray(vector, "<f4").data.cast("B"))
    return found.hexdigest()


def encode(summary: Summary) -> bytes:
    """The bytes of `summary.json`, indented; who and what comes before the figures."""
    fields = msgspec.to_builtins(summary)
    ordered = {name: fields.pop(name) for name in ("schema_version", "name", "seed")} | fields
    return msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n"


def decode(data: bytes, place: str = "summary.json") -> Summary:
    """A summary out of its file's bytes; raises ScenarioError where they are damaged or of a newer version."""
    try:
        summary = msgspec.json.decode(data, type=Summary)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ScenarioError.at(
            place, f"is not a summary of a run ({error})", "restore it from a copy, or delete it and resume the run"
        ) from None
    if summary.schema_version > SCHEMA_VERSION:
        raise ScenarioError.at(
            place, f"has version {summary.schema_version}; this Coterie reads up to {SCHEMA_VERSION}", "install a newer Coterie"
        )
    return summary


def read_summary(path: Path) -> Summary:
    """The summary in the file at `path`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScenarioError.at(str(path), f"cannot be read ({error.strerror or error})", "is this the folder of a run?") from None
    return decode(data, str(path))


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of `summary.json`."""
    found = msgspec.json.schema(Summary)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Coterie run summary", **found}


class Estimate(msgspec.Struct, frozen=True):
    """A figure over runs that differ only in their seed: mean, sample standard deviation (null of one run), how many runs."""

    mean: float
    std: float | None
    runs: int

    @classmethod
    def of(cls, values: Iterable[float | None]) -> "Estimate | None":
        """The estimate from `values`; None where one is missing, since runs without a figure must not flatter the rest."""
        numbers = list(values)
        known = [value for value in numbers if value is not None]
        if not known or len(known) < len(numbers):
            return None
        return cls(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else None, len(known))
