"""Arguments that several commands share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

ScenarioFile = Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario's file (YAML).", show_default=False)]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a run.", show_default=False)]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="A setting in place of the file's, such as training.batch_size=16. Repeatable."),
]
Seed = Annotated[int | None, typer.Option("--seed", metavar="N", help="The seed in place of the file's.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")]
Node = Annotated[int | None, typer.Option("--node", metavar="N", help="This node's model; by default the average over nodes.")]


@contextmanager
def option(name: str) -> Iterator[None]:
    """Within this, a fault at the place `name` is one of the option that is called so."""
    from coterie.core.errors import Fault, ScenarioError

    try:
        yield
    except ScenarioError as error:
        faults = (Fault(f"--{name}" if fault.place == name else fault.place, fault.problem, fault.fix) for fault in error.faults)
        raise ScenarioError(*faults) from error.__cause__


def settings(sets: list[str] | None, **more: object) -> list[str]:
    """All settings that are given beside the file, in the form of `--set`."""
    return [*(sets or ()), *(f"{name}={value}" for name, value in more.items() if value is not None)]
