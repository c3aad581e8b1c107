"""A place of its own for code that registers names, imports modules and writes files: nothing of it is left afterwards."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coterie.attacks import ATTACKS
from coterie.cli.list import KINDS
from coterie.scenario import plugins


@contextmanager
def apart(folder: Path) -> Iterator[Path]:
    """Within this, `folder` is the current one; registered names, imported modules and the Python path are put back at the end."""
    registries = [getattr(importlib.import_module(where.partition(":")[0]), where.partition(":")[2]) for _, where in KINDS.values()]
    registries.append(ATTACKS)  # among those of attacks, but kept apart
    for registry in registries:
        registry.names()  # so that all of its own are known before
    entries = [dict(registry._entries) for registry in registries]
    files, modules, path, here = dict(plugins._files), set(sys.modules), list(sys.path), Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(here)
        sys.path[:] = path
        for name in set(sys.modules) - modules:
            if Path(getattr(sys.modules[name], "__file__", None) or "/").is_relative_to(folder.resolve()):
                del sys.modules[name]
        plugins._files.clear()
        plugins._files.update(files)
        for registry, before in zip(registries, entries, strict=True):
            registry._entries.clear()
            registry._entries.update(before)
