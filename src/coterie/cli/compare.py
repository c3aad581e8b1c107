"""`coterie compare`: runs over each other."""

from pathlib import Path
from typing import Annotated

import typer

from coterie.cli.outcome import outcome, writing


def compare(
    folders: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Folders of runs, two at least.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("compare.html"),
) -> None:
    """Compare the runs in FOLDERs: their outcomes, their curves, and only the settings that differ."""
    with outcome():
        from rich.console import Console

        from coterie.reporting.compare import compare as read
        from coterie.reporting.compare import comparison_tables, write_comparison

        found = read(folders)
        console = Console()
        console.print(comparison_tables(found))
        with writing(out):
            write_comparison(found, out)
        console.print(f"Report: {out}", highlight=False, markup=False, soft_wrap=True)
