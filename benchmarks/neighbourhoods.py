"""Robust rules in decentralized simulations: what a whole run costs beside one with a plain mean.

    python benchmarks/neighbourhoods.py            64 nodes, 30 rounds of digits, an MLP of 19,210 parameters; processor seconds

Cells are measured in turn with the mean on the same graph, and the ratio of each pair is what counts. `engine: fast` is what simulations
take by default. Results in benchmarks/results/neighbourhoods.json.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import coterie

RESULTS = Path(__file__).parent / "results" / "neighbourhoods.json"
RING, EIGHT = "ring", {"name": "regular", "degree": 8}
CELLS: dict[str, dict[str, Any]] = {
    "ring, trimmed_mean": {"topology": RING, "aggregation": {"name": "trimmed_mean", "byzantine": 1}},
    "ring, median": {"topology": RING, "aggregation": "median"},
    "8 neighbours, trimmed_mean": {"topology": EIGHT, "aggregation": {"name": "trimmed_mean", "byzantine": 2}},
    "8 neighbours, krum": {"topology": EIGHT, "aggregation": {"name": "krum", "byzantine": 2}},
    "8 neighbours, self_centered_clipping": {"topology": EIGHT, "aggregation": "self_centered_clipping"},
    "8 neighbours, mean and detection: flag": {"topology": EIGHT, "detection": "flag"},
    "8 neighbours, mean and trust: beta": {"topology": EIGHT, "trust": "beta"},
}


def seconds(**settings: Any) -> float:
    """Processor seconds of a whole run."""
    task = {"dataset": "digits", "model": {"name": "mlp", "hidden": [256]}}
    chosen = {"nodes": 64, "architecture": "decentralized", "until": 30, "evaluation": 30, "training": {"batch_size": 16}}
    scenario = coterie.Scenario(task=task, **chosen, **settings)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        coterie.run(scenario, out=Path(folder) / "run")
        return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    told = parser.parse_args()
    found: dict[str, Any] = {}
    for name, settings in CELLS.items():
        seconds(**settings)
        pairs = [(seconds(**settings), seconds(topology=settings["topology"])) for _ in range(told.repeats)]
        ratios = sorted(one / other for one, other in pairs)
        found[name] = {
            "seconds": statistics.median(one for one, _ in pairs),
            "mean": statistics.median(other for _, other in pairs),
            "ratio": statistics.median(ratios),
            "least": ratios[0],
            "most": ratios[-1],
        }
        RESULTS.write_text(json.dumps(found, indent=1) + "\n")
        one = found[name]
        print(f"{name:40} {one['seconds']:.2f} s, {one['ratio']:.2f} ({one['least']:.2f} to {one['most']:.2f}) times the mean", flush=True)


if __name__ == "__main__":
    main()
