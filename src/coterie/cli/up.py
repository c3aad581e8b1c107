"""`coterie up`: a whole federation as processes of this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.arguments import AsJson, ScenarioFile, Seed, Sets, settings
from coterie.cli.outcome import INTERRUPTED, outcome

if TYPE_CHECKING:
    from coterie.reporting.run_folder import RunFolder
    from coterie.reporting.summary import Outcome
    from coterie.scenario.scenario import Scenario


def up(
    scenario: ScenarioFile,
    *,
    nodes: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many nodes, in place of the file's.")] = None,
    sets: Sets = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The run's folder; by default a new one under runs/.")] = None,
    reproducible: Annotated[
        bool,
        typer.Option("--reproducible", help="Derive the nodes' secrets from the seed: the same models as `coterie run --engine exact`."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the federation of a SCENARIO as real nodes: a process each, with its own certificate, over loopback with mutual TLS.

    Ended early, it goes on with `coterie resume FOLDER`, or with the same command and --out.
    """
    with outcome():
        from coterie.runtime import up as running
        from coterie.scenario.reading import read

        source = read(scenario, sets=settings(sets, nodes=nodes, seed=seed, engine="exact"))
        with source.placing():
            if out is not None and running.begun(out):
                _same(source.scenario, out)
                folder = running.opened(out)
            else:
                folder = None
            run = _run(source.scenario, folder, out, reproducible=reproducible)
        show(run, as_json=as_json)


def go_on(folder: Path) -> "RunFolder":
    """Go on with a run of processes that was ended early; raises ScenarioError where there is none."""
    from coterie.core.errors import ScenarioError
    from coterie.reporting.run_folder import SCENARIO, RunFolder
    from coterie.runtime import up as running
    from coterie.scenario.reading import load

    if RunFolder.open(folder).finished:
        return RunFolder.open(folder)
    if not running.begun(folder):
        raise ScenarioError.at(str(folder), "is a run of processes that ended before it began", "begin it anew: coterie up SCENARIO")
    return _run(load(folder / SCENARIO), running.opened(folder), folder, reproducible=running.reproducibly(folder))


def _same(scenario: "Scenario", out: Path) -> None:
    """Raises ScenarioError where the run in `out` is one of another scenario."""
    from coterie.core.errors import ScenarioError
    from coterie.reporting.run_folder import SCENARIO
    from coterie.scenario.reading import load

    if load(out / SCENARIO).digest != scenario.digest:
        raise ScenarioError.at(str(out), "holds an unfinished run of another scenario", f"go on with that one: coterie resume {out}")


def _run(scenario: "Scenario", folder: "RunFolder | None", out: Path | None, *, reproducible: bool) -> "RunFolder":
    from coterie.reporting.progress import Progress
    from coterie.reporting.report.page import write_report
    from coterie.reporting.run_folder import RunFolder
    from coterie.runtime.simulated_only import left_out
    from coterie.runtime.up import up as run_up
    from coterie.simulator.describe import facts_of
    from coterie.simulator.run import baselines, checked

    setup = checked(scenario)
    folder = folder or RunFolder.create(scenario.yaml(), name=scenario.name, path=out)
    if notice := left_out(scenario):
        typer.echo(notice, err=True)
    if scenario.baselines:
        typer.echo(f"When the nodes are through, {', '.join(scenario.baselines)} will be simulated to compare with.", err=True)

    def compared(result: "Outcome") -> "dict[str, Outcome]":
        with Progress(quiet=False) as progress:
            return baselines(setup, folder, result, progress)

    try:
        with folder, folder.logging():
            run_up(setup, folder, facts_of(setup), reproducible=reproducible, quiet=False, baselines=compared)
            write_report(folder)
    except KeyboardInterrupt:
        typer.echo(f"Interrupted: all nodes have ended. It goes on with coterie resume {folder.path}", err=True)
        raise typer.Exit(INTERRUPTED) from None
    return RunFolder.open(folder.path)


def show(folder: "RunFolder", *, as_json: bool) -> None:
    """The outcome of a finished run, on standard output; raises RunError where nothing came of it."""
    if as_json:
        from coterie.reporting.summary import encode

        typer.echo(encode(folder.summary).decode().rstrip())
    else:
        from rich.console import Console

        from coterie.reporting.tables import show_outcome

        show_outcome(Console(), folder.summary, folder.path / "report.html", folder.events.rejected)
    folder.summary.check_learned()
