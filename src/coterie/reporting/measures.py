"""What is known of a metric from its name: how to write it, and which way is better."""

from dataclasses import dataclass

_LABELS = {
    "accuracy": "accuracy",
    "accuracy_own": "accuracy on own data",
    "loss": "loss",
    "loss_own": "loss on own data",
    "train_loss": "training loss",
    "attack_success": "success of the attack",
    "r2": "R²",
    "r2_own": "R² on own data",
}
_FALLING = ("loss", "error", "perplexity", "rmse", "mse", "mae")


@dataclass(frozen=True, slots=True)
class Measure:
    """A metric. `percent`: it is a share between 0 and 1; `rising`: more is better."""

    name: str
    label: str
    percent: bool
    rising: bool

    def written(self, value: float | None) -> str:
        """A value as a person reads it: `91.3 %`, `0.482`, `—` where there is none."""
        if value is None:
            return "—"
        return f"{100 * value:.1f} %" if self.percent else f"{value:.3g}" if abs(value) >= 1000 else f"{value:.3f}"

    def ranged(self, middle: float | None, low: float | None, high: float | None) -> str:
        """A value with its range: `91.3 % [88.0-94.1]`, `0.1 [-0.2 to 0.3]`; without one where all are the same."""
        if middle is None or low is None or high is None or low == high:
            return self.written(middle)
        between = "–" if low >= 0 else " to "  # noqa: RUF001 - a range
        return f"{self.written(middle)} [{self.written(low).removesuffix(' %')}{between}{self.written(high).removesuffix(' %')}]"


def measure(name: str) -> Measure:
    """The measure called `name`; unknown names are taken as plain numbers, better when higher unless they say loss or error."""
    base = name.removesuffix("_own")
    harm = base.startswith("attack_success")
    rising = not harm and not any(base == word or base.endswith("_" + word) for word in _FALLING)
    return Measure(name, _LABELS.get(name, name.replace("_", " ")), base == "accuracy" or harm, rising)


def own(name: str) -> str:
    """The name of the same metric on a node's own test data."""
    return f"{name}_own"
