"""The user's own code, named `module:attribute` in a scenario: imported from the scenario's folder or the Python path.

Only local scenarios may name it: a scenario that comes over a wire is checked for such names before it gets here.
"""

import importlib
import sys
import traceback
from pathlib import Path
from typing import Any

from coterie.core.errors import ScenarioError, nearest

_found_in: dict[str, set[str]] = {}
"""The modules that were loaded from each scenario's folder."""


def is_own(name: str) -> bool:
    """Whether `name` is the user's own (`module:attribute`) and not that of a registered thing."""
    return ":" in name


def load(name: str, place: str = "", folder: str | None = None) -> Any:
    """The object that `name` (`module:attribute`, dots allowed in both) stands for.

    folder: the scenario's folder; it stays at the head of `sys.path`, for what the module imports later.
    Raises ScenarioError at `place` when there is no such module or attribute, or when the module itself raises.
    """
    module_name, _, path = name.partition(":")
    if not module_name or not path:
        raise ScenarioError.at(place, f"{name!r} does not name code of your own", "write module:attribute, like my_model:Net")
    if module_name.endswith(".py"):
        raise ScenarioError.at(place, f"{module_name!r} is a file name", f"write {module_name.removesuffix('.py')}:{path}")
    if folder is not None:
        _look_first_in(folder)
    found = _module(module_name, place, folder)
    for part in path.split("."):
        if not hasattr(found, part):
            raise ScenarioError.at(place, f"{module_name} has nothing called {path!r}", nearest(part, _public(found)))
        found = getattr(found, part)
    return found


def _look_first_in(folder: str) -> None:
    """Puts `folder` at the head of the path, and forgets what came from other scenarios' folders: names may be the same."""
    if sys.path[:1] != [folder]:
        sys.path[:] = [folder, *(place for place in sys.path if place != folder)]
    for other in [other for other in _found_in if other != folder]:
        for name in _found_in.pop(other):
            sys.modules.pop(name, None)


def _module(name: str, place: str, folder: str | None) -> Any:
    importlib.invalidate_caches()
    before = set(sys.modules)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            where = f"in {folder} or on the Python path" if folder else "on the Python path"
            raise ScenarioError.at(place, f"there is no module {name!r} {where}", "put its file beside the scenario") from None
        raise ScenarioError.at(place, f"importing {name!r} failed: {error}", "install what it imports") from error
    except (Exception, SystemExit) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        problem = f"importing {name!r} failed: {type(error).__name__}: {error} ({last.filename}, line {last.lineno})"
        raise ScenarioError.at(place, problem, "correct the module") from error
    finally:
        if folder is not None:
            _found_in.setdefault(folder, set()).update(name for name in set(sys.modules) - before if _lies_in(folder, name))


def _lies_in(folder: str, name: str) -> bool:
    """Whether a loaded module is a file (or in a package) right in `folder`; what is installed below it does not count."""
    file, top = getattr(sys.modules[name], "__file__", None), name.partition(".")[0]
    return file is not None and any(Path(file).is_relative_to(Path(folder) / entry) for entry in (top, f"{top}.py"))


def _public(found: Any) -> list[str]:
    return [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
