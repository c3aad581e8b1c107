"""Rounds to a test accuracy on MNIST with the FedAvg paper's CNN, beside the paper's own table.

    python benchmarks/fedavg_mnist.py MNIST            both cells, then the table; may be stopped and started again
    python benchmarks/fedavg_mnist.py MNIST --only iid

MNIST is an .npz file (x_train, y_train, x_test, y_test) or a folder of idx files. McMahan et al. 2017, "Communication-Efficient
Learning of Deep Networks from Decentralized Data", table 2: 100 clients, a tenth of them a round, batch size 10, 5 local
epochs. Cells are run folders under benchmarks/results/fedavg_mnist; a cell that was stopped goes on from its checkpoint.
"""

import argparse
from pathlib import Path

import coterie
from coterie.reporting.run_folder import RunFolder

FOLDER = Path(__file__).parent / "results" / "fedavg_mnist"
CELLS = {"iid": ({"name": "iid"}, 0.99, 100), "shards": ({"name": "shards", "per_node": 2}, 0.97, 150)}
"""partition, the accuracy that ends the cell, and the most rounds."""
PAPER = {("iid", 0.99): 20, ("shards", 0.99): 229}
"""Table 2, CNN, E = 5, B = 10: rounds to 99 %."""


def run_cell(name: str, mnist: str, rate: float) -> RunFolder:
    """One partition, to its accuracy; what is there already is taken as it is."""
    folder = FOLDER / f"{name}-{rate:g}"
    if (folder / "scenario.yaml").exists():
        return coterie.resume(folder, quiet=False).folder
    partition, accuracy, rounds = CELLS[name]
    scenario = coterie.Scenario(
        name=f"fedavg-mnist-{name}",
        nodes=100,
        participation=10,
        until={"rounds": rounds, "target": accuracy},
        task={"dataset": {"name": "mnist", "path": mnist}, "model": "cnn", "test_fraction": 0.0},
        partition=partition,
        training={"batch_size": 10, "epochs": 5, "optimizer": {"name": "sgd", "learning_rate": rate}},
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    return coterie.run(scenario, out=folder, quiet=False).folder


def rounds_to(folder: RunFolder, accuracy: float) -> int | None:
    """The first round after which the global model has `accuracy` on the test set."""
    series = folder.metrics.series("accuracy")
    reached = series.round[series.value >= accuracy]
    return int(reached.min()) if len(reached) else None


def main() -> None:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mnist", type=lambda path: str(Path(path).resolve()))
    parser.add_argument("--only", choices=sorted(CELLS))
    parser.add_argument("--rate", type=float, default=0.1, help="learning rate (the paper chose the best of a grid for each cell)")
    arguments = parser.parse_args()
    print(f"{'partition':10} {'accuracy':>8} {'rounds':>7} {'paper':>6}")
    for name in [arguments.only] if arguments.only else CELLS:
        folder = run_cell(name, arguments.mnist, arguments.rate)
        for accuracy in (0.97, 0.99):
            found = rounds_to(folder, accuracy)
            print(f"{name:10} {accuracy:8.0%} {found or 'not yet':>7} {PAPER.get((name, accuracy), ''):>6}")


if __name__ == "__main__":
    main()
