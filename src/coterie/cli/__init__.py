"""The command line: one file per command. What is heavy is imported inside commands, so that help comes at once."""

from typing import Annotated

import typer

import coterie
from coterie.cli.bench import bench
from coterie.cli.calibrate import calibrate
from coterie.cli.check import check
from coterie.cli.compare import compare
from coterie.cli.evaluate import evaluate
from coterie.cli.export import export
from coterie.cli.federation import app as federation
from coterie.cli.list import list_kind
from coterie.cli.matrix import matrix
from coterie.cli.node import app as node
from coterie.cli.plan import plan
from coterie.cli.report import report
from coterie.cli.resume import resume
from coterie.cli.run import run
from coterie.cli.schema import schema
from coterie.cli.up import up
from coterie.cli.usage import Command, Group

app = typer.Typer(
    name="coterie",
    help="Federated learning in every architecture: one scenario, from a fast simulator to real nodes.",
    cls=Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (run, check, plan, calibrate, bench, resume, compare, matrix, report, evaluate, export, schema, up):
    app.command(cls=Command)(command)
app.command("list", cls=Command)(list_kind)
app.add_typer(federation, name="federation")
app.add_typer(node, name="node")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coterie {coterie.__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")] = False,
) -> None:
    pass


def main() -> None:
    """The entry point."""
    app()
