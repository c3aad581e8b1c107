"""How commands end: 0 done, 2 a bad scenario or arguments (all faults listed), 1 a failed run."""

import errno
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

from coterie.core.errors import RunError, ScenarioError
from coterie.core.jobs import JobFailed

FAILED, FAULTY, INTERRUPTED = 1, 2, 130
OF_THE_MACHINE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.EIO})
"""What the system refuses for reasons of its own: no space, no right, no file handles."""


@contextmanager
def outcome() -> Iterator[None]:
    """Within this, what goes wrong is told on standard error in words and ends the command with its exit code."""
    try:
        yield
    except ScenarioError as error:
        _tell_faults(error)
        raise typer.Exit(FAULTY) from None
    except KeyboardInterrupt as interrupt:
        typer.echo(" ".join(["Interrupted.", *getattr(interrupt, "__notes__", ())]), err=True)
        raise typer.Exit(INTERRUPTED) from None
    except RunError as error:
        _tell_failure(error)
        for note in getattr(error, "__notes__", ()):
            typer.echo(f"  {note}", err=True)
        raise typer.Exit(FAILED) from None
    except JobFailed as error:
        if isinstance(error.__cause__, ScenarioError):
            _tell_faults(error.__cause__)
            raise typer.Exit(FAULTY) from None
        _tell_cause(error)
        raise typer.Exit(FAILED) from None
    except (OSError, MemoryError, RuntimeError) as error:
        if not (reason := _lack(error)):
            raise
        _tell_failure(reason)
        raise typer.Exit(FAILED) from None


@contextmanager
def writing(path: Path, option: str = "--out") -> Iterator[None]:
    """Within this, what keeps `path` from being written is a fault of the `option` that names it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise ScenarioError.at(option, f"{path} cannot be written ({error.strerror or error})", "choose another file") from None


def _lack(error: Exception) -> str:
    """What the machine could not give, in words; empty where the error is about something else."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'}: {error.strerror}" if error.errno in OF_THE_MACHINE else ""
    lacks = isinstance(error, MemoryError) or "can't allocate memory" in str(error)  # the latter is torch's
    return "there is not enough memory; take a smaller model, or fewer workers" if lacks else ""


def _tell_faults(error: ScenarioError) -> None:
    count = len(error.faults)
    typer.secho("There is a fault:" if count == 1 else f"There are {count} faults:", fg="red", bold=True, err=True)
    for fault in error.faults:
        place = typer.style(f"{fault.place}: ", bold=True) if fault.place else ""
        typer.echo(f"  {place}{fault.problem}", err=True)
        if fault.fix:
            typer.secho(f"      → {fault.fix}", fg="cyan", err=True)


def _tell_failure(reason: object) -> None:
    typer.secho(f"The run failed: {reason}", fg="red", bold=True, err=True)


def _tell_cause(error: JobFailed) -> None:
    """The job that failed, and where in whose code; the way there through ours is left out."""
    _tell_failure(error)
    cause = error.__cause__
    if cause is None:
        return
    for frame in traceback.extract_tb(cause.__traceback__)[-3:]:
        typer.echo(f"  {frame.filename}, line {frame.lineno}, in {frame.name}: {frame.line}", err=True)
    typer.echo(f"  {type(cause).__name__}: {cause}", err=True)
