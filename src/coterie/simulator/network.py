"""How long things take in virtual time."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """Every link alike: a latency, and a rate at which its bytes pass."""

    latency_seconds: float = 0.01
    bandwidth_bytes_per_second: float = 1.25e7

    def delay_seconds(self, size_bytes: int) -> float:
        """From the moment a message of so many bytes is sent until it is there whole."""
        return self.latency_seconds + size_bytes / self.bandwidth_bytes_per_second
