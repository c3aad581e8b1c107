"""`coterie evaluate`: a run's final model on data from elsewhere."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.arguments import AsJson, Folder, Node, option
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.core.errors import Fault
    from coterie.scenario.setup import Setup
    from coterie.tasks.task import FederatedTask

READERS = {".npz": "npz", ".csv": "csv", ".gz": "csv", ".parquet": "parquet"}


def evaluate(
    folder: Folder,
    data: Annotated[Path, typer.Option(metavar="FILE", help="Samples with targets: .npz, .csv or .parquet.", show_default=False)],
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column or array to predict; by default the scenario's.")] = None,
    node: Node = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the final model of the run in FOLDER on the samples in a FILE.

    They are preprocessed as the common test set is: with the statistics of the federation that learned the model.
    """
    with outcome(), option("node"):
        from coterie.reporting.run_folder import RunFolder
        from coterie.simulator.run import Run

        finished = Run(RunFolder.open(folder))
        task = _visited(finished.setup, data.absolute(), target)
        facts = _evaluated(finished.setup, task, finished.folder.models().vector(node))
        if as_json:
            typer.echo(json.dumps({"samples": len(task.common_targets), **facts}, indent=2))
            return
        from coterie.reporting.measures import measure
        from coterie.reporting.units import counted

        shown = ", ".join(f"{measure(name).label} {measure(name).written(value)}" for name, value in facts.items())
        typer.echo(f"{counted(len(task.common_targets), 'sample')}: {shown}")


def _visited(setup: "Setup", file: Path, target: str | None) -> "FederatedTask":
    """The run's task with the samples of `file` as its common test set; raises ScenarioError where they do not fit."""
    from coterie.core.errors import ScenarioError, nearest
    from coterie.tasks import datasets

    reader = READERS.get(file.suffix)
    if reader is None:
        raise ScenarioError.at("--data", f"{file.name} is of no known format", nearest(file.suffix, READERS))
    if not file.is_file():
        raise ScenarioError.at("--data", f"there is no file {file}", "write the path of a file, as seen from here")
    kind = setup.task.kind  # what is wrong with the run's own data is told as such
    try:
        return setup.task_with(datasets.load(_dataset(setup, reader, file, target) | {"kind": kind}))
    except ScenarioError as error:
        raise ScenarioError(*map(_beside, error.faults)) from None


def _beside(fault: "Fault") -> "Fault":
    """A fault of the data set's settings as one of the command's options."""
    from coterie.core.errors import Fault

    if fault.problem == "is missing":
        return Fault("--target", fault.problem, "name the column or array to predict")
    return Fault("--data", fault.problem, fault.fix)


def _dataset(setup: "Setup", reader: str, file: Path, target: str | None) -> dict[str, Any]:
    """How to read the file: as the scenario reads its own, where that is of the same kind."""
    dataset = setup.scenario.task.dataset
    known = dict(dataset.params) if dataset.name == reader else {}
    wanted = {name: value for name, value in known.items() if value is not None and name != "node" and not name.startswith("test")}
    return {"name": reader, **wanted, "path": str(file), **({"target": target} if target else {})}


def _evaluated(setup: "Setup", task: "FederatedTask", vector: Any) -> dict[str, float]:
    import torch

    from coterie.core.jobs import Call
    from coterie.learning.evaluation import evaluate as job

    bench = setup.bench()
    bench.task = task
    ((facts,),) = job(bench, [Call((torch.as_tensor(vector),), ("common", None), 0, 0)])
    return {name: float(value) for name, value in facts.items()}
