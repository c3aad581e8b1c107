"""`coterie schema`: the JSON schemas of what Coterie reads and writes."""

import json
from typing import Annotated, Literal

import typer

from coterie.cli.outcome import outcome


def schema(
    of: Annotated[Literal["scenario", "summary"], typer.Argument(metavar="[scenario|summary]", help="What of.")] = "scenario",
) -> None:
    """Print the JSON schema of scenarios (for editors and forms), or of a run's summary.json."""
    with outcome():
        if of == "summary":
            from coterie.reporting.summary import schema as found
        else:
            from coterie.scenario.plugins import load_installed
            from coterie.scenario.schema import schema as found

            load_installed()
        typer.echo(json.dumps(found(), indent=2, ensure_ascii=False))
