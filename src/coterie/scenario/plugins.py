"""The user's own rules, models and topologies made known: files and modules that a scenario names, and installed packages.

A plugin is imported for what it registers. Installed packages announce theirs as entry points of the group `coterie.plugins`.
"""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from coterie.core.errors import Fault, ScenarioError

GROUP = "coterie.plugins"
_files: dict[Path, tuple[int, int]] = {}


def load(names: Sequence[Any], folder: str | None = None) -> None:
    """Imports the installed plugins and those called `names`: paths of .py files, seen from `folder`, or names of modules.

    Doing it again changes nothing, and reads a file anew only if it was changed. Raises ScenarioError with every plugin that
    cannot be imported, and why.
    """
    load_installed()
    if isinstance(names, str) or not isinstance(names, Sequence):
        return  # the check of the scenario says so
    faults: list[Fault] = []
    for number, name in enumerate(names):
        try:
            _load_one(str(name), Path(folder or "."))
        except ScenarioError as error:
            faults += (Fault(f"plugins.{number}", fault.problem, fault.fix) for fault in error.faults)
    if faults:
        raise ScenarioError(*faults)


@cache
def load_installed() -> None:
    """Imports the plugins of installed packages, once; raises ScenarioError."""
    for entry in entry_points(group=GROUP):
        try:
            entry.load()
        except Exception as error:
            owner = entry.dist.name if entry.dist else entry.value
            raise ScenarioError.at(
                "", f"the installed plugin {entry.name} of {owner} failed: {error}", f"repair or remove {owner}"
            ) from error


def _load_one(name: str, folder: Path) -> None:
    """Imports one plugin; raises ScenarioError."""
    if not name.strip():
        raise ScenarioError.at("", "is empty", "write the path of a .py file, or the name of a module")
    try:
        if name.endswith(".py"):
            _load_file((folder / Path(name).expanduser()).resolve())
            return
        if str(folder.resolve()) not in sys.path:
            sys.path.append(str(folder.resolve()))
        importlib.import_module(name)
    except ScenarioError:
        raise
    except FileNotFoundError as error:
        fix = "write the path of a .py file, seen from the scenario's folder"
        raise ScenarioError.at("", f"there is no file {error.filename}", fix) from None
    except (IsADirectoryError, PermissionError) as error:
        raise ScenarioError.at("", f"{error.filename} cannot be read: {error.strerror}", "write the path of a .py file") from None
    except SystemExit as error:
        raise ScenarioError.at("", f"{name} ended the program (exit {error.code})", "let it define things, and end nothing") from None
    except ModuleNotFoundError as error:
        raise ScenarioError.at(
            "", f"{name} needs the module {error.name}, which is not there", "install it, or correct the name"
        ) from error
    except Exception as error:
        problem = f"{name} raised {type(error).__name__}: {error}{_line(error, name)}"
        raise ScenarioError.at("", problem, "correct the plugin") from error


def _load_file(path: Path) -> None:
    """Imports a file under a name of its own, so that it never stands in for a module of the same name."""
    stat = path.stat()
    version = (stat.st_mtime_ns, stat.st_size)
    if _files.get(path) == version:
        return
    name = f"coterie_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    _files[path] = version


def _line(error: Exception, name: str) -> str:
    """Where in the plugin it happened."""
    if isinstance(error, SyntaxError):
        return ""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(Path(name).name)]
    return f" (line {lines[-1]})" if lines else ""
