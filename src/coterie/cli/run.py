"""`coterie run`: train the federation that a scenario describes."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coterie.cli.arguments import AsJson, ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import outcome

if TYPE_CHECKING:
    from coterie.reporting.summary import Summary
    from coterie.scenario.reading import Source


def run(
    scenario: ScenarioFile,
    *,
    sets: Sets = None,
    seed: Seed = None,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Repeat with so many seeds and report mean ± standard deviation.")] = 1,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The run's folder; by default a new one under runs/.")] = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="exact|fast", help="exact: bit for bit as on real nodes; fast, the default: many nodes as one computation."),
    ] = None,
    checked: Annotated[
        bool, typer.Option("--checked", help="Look on whether the protocol does what it must; stop where it does not.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train the federation of a SCENARIO, compare it with its baselines, and write a report."""
    with outcome():
        from coterie.scenario.reading import read

        source = read(scenario, sets=settings(sets, seed=seed, engine=engine))
        summaries = [_run_one(source, number, out, several=seeds > 1, checked=checked, as_json=as_json) for number in range(seeds)]
        if seeds > 1:
            _show_seeds(summaries, as_json=as_json)


def _run_one(source: "Source", number: int, out: Path | None, *, several: bool, checked: bool, as_json: bool) -> "Summary":
    """Runs the scenario with the seed that is `number` after its own."""
    import coterie

    first = source.scenario
    scenario = first.changed(seed=first.seed + number) if number else first
    folder = out / f"seed-{scenario.seed}" if out is not None and several else out
    with source.placing():
        finished = coterie.run(scenario, out=folder, quiet=False, looked_after=checked)
    if not several and as_json:
        typer.echo(_encoded(finished.summary))
    elif not several:
        from rich.console import Console

        from coterie.reporting.tables import show_outcome

        show_outcome(Console(), finished.summary, finished.report, finished.folder.events.rejected)
    finished.summary.check_learned()
    return finished.summary


def _show_seeds(summaries: "list[Summary]", *, as_json: bool) -> None:
    from coterie.reporting.tables import over_seeds, seeds_table

    if as_json:
        typer.echo(json.dumps(over_seeds(summaries), indent=2))
    else:
        from rich.console import Console

        Console().print(seeds_table(summaries))


def _encoded(summary: Any) -> str:
    from coterie.reporting.summary import encode

    return encode(summary).decode().rstrip()
