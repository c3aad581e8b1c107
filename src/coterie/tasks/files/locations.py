"""Which files a `path` in a scenario means: a file, a folder, a pattern, or a list of those."""

from pathlib import Path

from coterie.core.errors import ScenarioError

Paths = str | tuple[str, ...]


def absolute(path: str, folder: str | None = None) -> Path:
    """Where `path` points, seen from `folder` (default: the current one); `~` is understood."""
    return (Path(folder or ".") / Path(path).expanduser()).absolute()


def files(path: Paths, suffixes: tuple[str, ...], *, folder: str | None = None, place: str = "path") -> list[Path]:
    """The files that `path` means, seen from `folder`, in order; of a folder, those that end in one of `suffixes`, by name.

    Patterns with `*` and `?` are understood.

    Raises:
        ScenarioError: there are none.
    """
    try:
        found = [file for part in ([path] if isinstance(path, str) else path) for file in _files(absolute(part, folder), suffixes, place)]
    except OSError as error:  # a name that is too long, a folder that may not be read
        raise ScenarioError.at(place, f"cannot be looked up: {error.strerror}", "correct the path, or who may read it") from None
    if not found:
        raise ScenarioError.at(place, "no file is named", f"write {place}: data{suffixes[0]}")
    if doubles := {file for file in found if found.count(file) > 1}:
        raise ScenarioError.at(place, f"{min(doubles)} is named twice", "name every file once")
    return found


def _files(where: Path, suffixes: tuple[str, ...], place: str) -> list[Path]:
    if where.is_file():
        return [where]
    if where.is_dir():
        found = sorted(file for file in where.iterdir() if file.is_file() and file.name.endswith(suffixes))
        if not found:
            raise ScenarioError.at(place, f"the folder {where} holds no {' or '.join(suffixes)} file", "give the folder that holds them")
        return found
    found = sorted(file for file in Path(where.anchor).glob(str(where.relative_to(where.anchor))) if file.is_file())
    if not found:
        raise ScenarioError.at(place, f"there is no file or folder {where}", "correct the path; it is seen from the folder of the scenario")
    return found


def stems(found: list[Path]) -> list[str]:
    """A name for each file: without folder and ending where that tells them apart."""
    names = [file.name.removesuffix(".gz").partition(".")[0] for file in found]
    return names if len(set(names)) == len(names) else [str(file) for file in found]
