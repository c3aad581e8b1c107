"""A user's own thing by name, `package.module:attribute`.

Only for names that come from the user's own scenario file or program: importing runs what the module says.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

from coterie.core.errors import ScenarioError, nearest


def resolve(reference: str, place: str = "", folder: str | None = None) -> Any:
    """What `reference` names, looked for on the Python path and first of all in `folder` (default: the current one).

    The folder stays on the path, for what the module imports later.

    Raises:
        ScenarioError: there is no such module or attribute, or importing it fails.
    """
    name, _, attribute = reference.partition(":")
    if not name or not attribute or name.endswith(".py"):
        raise ScenarioError.at(place, f"{reference!r} does not name a thing in a module", "write module:function, like my_data:load")
    here = str(Path(folder or ".").absolute())
    if here not in sys.path:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        found = importlib.import_module(name)
    except Exception as error:
        missing = isinstance(error, ModuleNotFoundError) and error.name is not None and f"{name}.".startswith(f"{error.name}.")
        problem = (
            f"there is no module {name!r} in {here} or on the Python path" if missing else f"{name} raised {type(error).__name__}: {error}"
        )
        raise ScenarioError.at(place, problem, "put its file beside the scenario" if missing else "correct the module") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise ScenarioError.at(place, f"{name} has nothing called {attribute!r}", nearest(part, [n for n in dir(found) if n[0] != "_"]))
        found = getattr(found, part)
    return found
