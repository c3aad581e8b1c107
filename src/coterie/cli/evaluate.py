"""`coterie evaluate`: a run's final model on data from elsewhere."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.arguments import AsJson, Folder, Node
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.scenario.setup import Setup
    from coterie.tasks.task import FederatedTask

READERS = {".npz": "npz", ".csv": "csv", ".gz": "csv", ".parquet": "parquet"}
HELD_BACK = 0.01
"""What a task has to hold back as a common test set; it is evaluated with the rest."""


def evaluate(
    folder: Folder,
    data: Annotated[Path, typer.Option(metavar="FILE", help="Samples with targets: .npz, .csv or .parquet.", show_default=False)],
    target: Annotated[str | None, typer.Option(metavar="NAME", help="The column or array to predict; by default the scenario's.")] = None,
    node: Node = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the final model of the run in FOLDER on the samples in a FILE.

    The file is treated as a new node's data: the task's preprocessing is fitted to it.
    """
    with outcome():
        from coterie.reporting.run_folder import RunFolder
        from coterie.simulator.run import Run

        finished = Run(RunFolder.open(folder))
        task = _as_common(finished.setup, data.absolute(), target)
        facts = _evaluated(finished.setup, task, finished.folder.models().vector(node))
        if as_json:
            typer.echo(json.dumps({"samples": len(task.common_targets), **facts}, indent=2))
            return
        from coterie.reporting.measures import measure
        from coterie.reporting.units import counted

        shown = ", ".join(f"{measure(name).label} {measure(name).written(value)}" for name, value in facts.items())
        typer.echo(f"{counted(len(task.common_targets), 'sample')}: {shown}")


def _as_common(setup: "Setup", file: Path, target: str | None) -> "FederatedTask":
    """The run's task with the samples of `file` as its common test set; raises ScenarioError where they do not fit."""
    import numpy as np

    from coterie.core.errors import Fault, ScenarioError
    from coterie.tasks import task as tasks

    task = setup.task
    try:
        other = tasks.build(
            dataset=_dataset(setup, file, target),
            partition="iid",
            nodes=1,
            test_fraction=0.0,
            common_test_fraction=HELD_BACK,
            minimum=1,
            preprocess=task.preprocess,
        )
    except ScenarioError as error:
        raise ScenarioError(*(Fault("--data", fault.problem, fault.fix) for fault in error.faults)) from None
    if other.features != task.features:
        problem = f"its samples have the shape {other.features}, the run's {task.features}"
        raise ScenarioError.at("--data", problem, "give samples of the same features")
    inputs = np.concatenate([other.inputs, other.common_inputs])
    targets = _renamed(np.concatenate([other.targets, other.common_targets]), other, task)
    return replace(task, common_inputs=inputs, common_targets=targets)


def _dataset(setup: "Setup", file: Path, target: str | None) -> dict[str, Any]:
    """How to read the file: as the scenario reads its own, where that is of the same kind."""
    from coterie.core.errors import ScenarioError, nearest

    reader = READERS.get(file.suffix)
    if reader is None:
        raise ScenarioError.at("--data", f"{file.name} is of no known format", nearest(file.suffix, READERS))
    dataset = setup.scenario.task.dataset
    known = dict(dataset.params) if dataset.name == reader else {}
    wanted = {name: value for name, value in known.items() if value is not None and not name.startswith("test")}
    return {"name": reader, "kind": setup.task.kind, **wanted, "path": str(file), **({"target": target} if target else {})}


def _renamed(targets: Any, other: "FederatedTask", task: "FederatedTask") -> Any:
    """The targets of `other` as labels of `task`, by the names of the classes; numbers in the scale that the model predicts."""
    import numpy as np

    from coterie.core.errors import ScenarioError

    if task.kind == "regression":
        return (targets * other.target_scale + other.target_offset - task.target_offset) / task.target_scale
    unknown = sorted(set(other.classes) - set(task.classes))
    if unknown:
        problem = f"it has the classes {', '.join(unknown[:8])}, which the run does not know"
        raise ScenarioError.at("--data", problem, f"its classes are {', '.join(task.classes[:20])}")
    return np.array([task.classes.index(name) for name in other.classes], np.int64)[targets]


def _evaluated(setup: "Setup", task: "FederatedTask", vector: Any) -> dict[str, float]:
    import torch

    from coterie.core.jobs import Call
    from coterie.learning.evaluation import evaluate as job

    bench = setup.bench()
    bench.task = task
    ((facts,),) = job(bench, [Call((torch.as_tensor(vector),), ("common", None), 0, 0)])
    return {name: float(value) for name, value in facts.items()}
