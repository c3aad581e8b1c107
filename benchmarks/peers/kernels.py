"""What share of a round's seconds is outside PyTorch's operations: flows, codec, metrics, draws, Python between operations.

    python benchmarks/peers/kernels.py a --data FOLDER

In one process, engine `fast`, under torch's profiler, which slows operations down a little; start-up is the run of one round, as elsewhere.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from torch.profiler import ProfilerActivity, profile


def main() -> None:
    """Print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workload")
    parser.add_argument("--data", type=Path, required=True)
    chosen = parser.parse_args()
    sys.argv = [sys.argv[0], chosen.workload, str(chosen.data), "fast inline"]
    import run_coterie

    import coterie

    found = []
    for rounds in (1, 1, 1 + run_coterie.load["rounds"]):  # the first warms up
        with tempfile.TemporaryDirectory() as folder, profile(activities=[ProfilerActivity.CPU]) as seen:
            run = coterie.run(coterie.Scenario(**run_coterie.scenario(rounds, "fast", "inline")), out=Path(folder) / "run", quiet=True)
            wall = run.summary.wall_seconds
        found.append((wall, sum(event.self_cpu_time_total for event in seen.key_averages()) / 1e6))
    (_, (wall, inside), (more, within)) = found
    print(f"({chosen.workload}) {1 - (within - inside) / (more - wall):.0%} of a round is outside torch's operations")


if __name__ == "__main__":
    main()
