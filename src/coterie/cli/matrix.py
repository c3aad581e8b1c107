"""`coterie matrix`: attacks against defences."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from coterie.cli.arguments import AsJson, ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import FAILED, outcome

ATTACKS = "none,sign_flip,label_flip,alie,inner_product,min_max,mimic"
DEFENCES = "mean,median,trimmed_mean,krum,geometric_median,centered_clipping,nearest_neighbour_mixing"


def matrix(
    scenario: ScenarioFile,
    *,
    attacks: Annotated[str, typer.Option(metavar="A,B,…", help="Names, or {name: …, …}; `none` is none.")] = ATTACKS,
    defences: Annotated[str, typer.Option(metavar="A,B,…", help="Aggregation rules in the same way.")] = DEFENCES,
    seeds: Annotated[int, typer.Option(metavar="N", min=1, help="Run each cell with so many seeds.")] = 1,
    workers: Annotated[int | None, typer.Option(metavar="N", min=1, help="Processes, a thread each; by default a core each.")] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where the runs and the table go; what is there is not run again.")] = Path(
        "matrix"
    ),
    sets: Sets = None,
    seed: Seed = None,
    as_json: AsJson = False,
) -> None:
    """Run a SCENARIO under every attack with every defence, and tell what the worst attack leaves of each defence.

    Who attacks and when is said by the scenario's first attack; without one, a fifth of the nodes attack, always. An attack knows at least
    what it needs; a rule that wants to be told how many bad updates there are (byzantine) is told.
    """
    with outcome():
        from rich.console import Console

        from coterie.reporting.matrix import Matrix, Result, failures, table, write
        from coterie.scenario.grid import cells
        from coterie.scenario.reading import read
        from coterie.simulator.grid import checked, run_all

        chosen = read(scenario, sets=settings(sets, seed=seed)).scenario
        grid = cells(chosen, _listed(attacks, "--attacks"), _listed(defences, "--defences"), seeds)
        checked(grid)
        done = [0]

        def told(result: Result) -> None:
            done[0] += 1
            what = result.failed or ("no number" if result.score is None else f"{result.metric} {result.score:.3f}")
            typer.echo(f"{done[0]}/{len(grid)} {result.attack} against {result.defence}, seed {result.seed}: {what}", err=True)

        results = run_all(grid, out, min(workers or os.cpu_count() or 1, len(grid)), told)
        found = Matrix(chosen.name, tuple(results))
        pages = write(found, out)
        if as_json:
            typer.echo(json.dumps(found.plain(), indent=2))
        else:
            console = Console()
            console.print(table(found))
            console.print(f"Table and heat map: {', '.join(map(str, pages))}", highlight=False, markup=False, soft_wrap=True)
        for words in failures(results):
            typer.secho(words, fg="red", err=True)
        if failures(results):
            raise typer.Exit(FAILED)


def _listed(text: str, option: str) -> list[Any]:
    """What is between the commas, as YAML has it; raises ScenarioError."""
    from coterie.core.errors import ScenarioError
    from coterie.scenario import overrides

    try:
        found = overrides.parse(f"list=[{text}]")[1]
    except ScenarioError as error:
        raise ScenarioError.at(option, error.faults[0].problem, "write a,b,{name: c, parameter: 1}") from None
    if not isinstance(found, list) or not found:
        raise ScenarioError.at(option, "names nothing", "write a,b")
    return found
