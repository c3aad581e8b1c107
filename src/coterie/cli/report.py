"""`coterie report`: the page of a run, made anew."""

import typer

from coterie.cli.arguments import Folder
from coterie.cli.outcome import outcome


def report(folder: Folder) -> None:
    """Write the report of the run in FOLDER anew, finished or not, and print its path."""
    with outcome():
        from coterie.reporting.report.page import write_report
        from coterie.reporting.run_folder import RunFolder

        typer.echo(str(write_report(RunFolder.open(folder))))
