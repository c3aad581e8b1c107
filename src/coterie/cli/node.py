"""`coterie node …`: a member of a federation of real nodes."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coterie.cli.arguments import AsJson
from coterie.cli.outcome import FAILED, INTERRUPTED, outcome
from coterie.cli.usage import Command, Group

if TYPE_CHECKING:
    from coterie.reporting.run_folder import RunFolder
    from coterie.runtime.site import Site

HOME = Path("node")
Home = Annotated[Path, typer.Option("--folder", metavar="FOLDER", help="The node's folder, for its owner's eyes only.")]
File = Annotated[
    Path | None, typer.Option("--file", metavar="FILE", help="The node's file (YAML): its data, its device, its site's policy.")
]

app = typer.Typer(cls=Group, no_args_is_help=True, help="Join a federation of real nodes and take part in it.")


@app.command(cls=Command)
def join(
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="What `coterie federation invite` printed.", show_default=False)],
    *,
    address: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where others can dial this node; left out, it only dials out (behind a firewall)."),
    ] = None,
    folder: Home = HOME,
) -> None:
    """Become a member of the federation that TOKEN is from. The node's key is made here and never leaves."""
    with outcome():
        from coterie.runtime import home
        from coterie.runtime.addresses import parsed
        from coterie.runtime.enrolment import JoinRefused

        if address is not None:
            parsed(address, "--address")
        try:
            joined = asyncio.run(home.join(token, folder, address))
        except JoinRefused as problem:
            typer.secho(f"Not joined: {problem}", fg="red", err=True)
            raise typer.Exit(FAILED) from None
        typer.echo(f"{joined.name} is node {joined.node} of {joined.federation_name}; its identity is in {folder}/.")
        typer.echo(f"Next: coterie node check --folder {folder}, then coterie node start --folder {folder}.")


@app.command(cls=Command)
def start(
    *,
    folder: Home = HOME,
    file: File = None,
    out: Annotated[Path | None, typer.Option(metavar="FOLDER", help="The run's folder; by default a new one in the node's.")] = None,
) -> None:
    """Take part in the federation's run, to the end. Ended early, it goes on where it was when it is started again."""
    with outcome():
        from coterie.reporting.report.page import write_report
        from coterie.runtime import start as starting

        site = _site(folder, file)
        run = _run_folder(site, out)
        if run.finished:
            typer.echo(f"This node has taken part in the run to its end; the model and the report are in {run.path}/.")
            return
        try:
            with run, run.logging():
                starting.start(site, run, Teller())
                write_report(run)
        except starting.Refused as problem:
            typer.secho(f"This node does not take part, by its site's policy: {problem}", fg="red", err=True)
            raise typer.Exit(FAILED) from None
        except asyncio.CancelledError:
            typer.echo(f"Stopped; it goes on when it is started again: coterie node start --folder {folder}", err=True)
            raise typer.Exit(INTERRUPTED) from None
        typer.echo(f"Done: the model and the report are in {run.path}/.")


class Teller:
    """Says on standard error what changes: a line for each new state and every round."""

    def __init__(self) -> None:
        self._said = ""

    def __call__(self, node: object) -> None:
        """There may be news."""
        status = node.status()  # type: ignore[attr-defined]
        line = f"{status['name']}: {status['state']}"
        if status.get("waits_for"):
            line += f": {status['waits_for']}"
        elif status["state"] == "running":
            line += f", round {status['round']}/{status['rounds']}"
            line += f": {status['problem']}" if status["problem"] else ""
        if line != self._said:
            self._said = line
            typer.echo(line, err=True)


def _site(folder: Path, file: Path | None) -> "Site":
    """The node in a folder, with the newest register that can be had."""
    from coterie.runtime.enrolment import JoinRefused
    from coterie.runtime.home import Home as NodeHome
    from coterie.runtime.node_file import NodeFile
    from coterie.runtime.site import Site

    home = NodeHome.read(folder)
    try:
        home = asyncio.run(home.refreshed())
    except JoinRefused as problem:
        typer.echo(f"Going by the members known here (register {home.register.number}): {problem}", err=True)
    return Site.of(home, NodeFile.read(file))


def _run_folder(site: "Site", out: Path | None) -> "RunFolder":
    """A new one, or that of the run which was begun."""
    from coterie.reporting.run_folder import RunFolder
    from coterie.runtime.start import checkpoint_folder, resumable

    scenario, root = site.scenario, site.home.folder / "runs"
    earlier = resumable(checkpoint_folder(site))
    if earlier is not None:
        return earlier
    made = RunFolder.create(scenario.yaml(), name=scenario.name, path=out, root=root)
    checkpoint_folder(site).mkdir(parents=True, exist_ok=True, mode=0o700)
    (checkpoint_folder(site) / "folder").write_text(str(made.path.absolute()))
    return made


@app.command(cls=Command)
def check(folder: Home = HOME, file: File = None) -> None:
    """Try certificate, clock, members, policy, data, one batch and memory; say the fix for each that fails."""
    with outcome():
        from coterie.runtime.checks import check_node

        good = True
        for what, problem, fix in check_node(folder, file):
            good = good and not problem
            mark = typer.style("✗", fg="red") if problem else typer.style("✓", fg="green")
            typer.echo(f"{mark} {what}" + (f": {problem}" if problem else ""))
            if problem and fix:
                typer.secho(f"    → {fix}", fg="cyan")
        if not good:
            raise typer.Exit(FAILED)


@app.command(cls=Command)
def status(folder: Home = HOME, as_json: AsJson = False) -> None:
    """Show the node's state, round, peers and links, and what went wrong last."""
    with outcome():
        from coterie.runtime.statuses import read_status, show_node

        found = read_status(folder)
        if as_json:
            typer.echo(json.dumps(found, indent=2))
        else:
            show_node(found)
