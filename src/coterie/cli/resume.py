"""`coterie resume`: go on with a run that was killed."""

import typer

from coterie.cli import up
from coterie.cli.arguments import AsJson, Folder
from coterie.cli.outcome import outcome


def resume(folder: Folder, as_json: AsJson = False) -> None:
    """Go on with the killed run in FOLDER; it ends as one that was not."""
    with outcome():
        import coterie
        from coterie.reporting.summary import encode

        if (folder / "nodes").is_dir():
            up.show(up.go_on(folder), as_json=as_json)
            return
        finished = coterie.resume(folder, quiet=False)
        if as_json:
            typer.echo(encode(finished.summary).decode().rstrip())
        else:
            from rich.console import Console

            from coterie.reporting.tables import show_outcome

            show_outcome(Console(), finished.summary, finished.report, finished.folder.events.rejected)
        finished.summary.check_learned()
