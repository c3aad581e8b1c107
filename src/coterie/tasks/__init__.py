"""Tasks: data sets, how they are dealt out to nodes, node-local preprocessing, and how skewed the result is."""

import importlib
from typing import Any

_MODULES = frozenset({"datasets", "partitions", "preprocessing", "skew", "task"})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"coterie.tasks.{name}")
    raise AttributeError(f"module 'coterie.tasks' has no attribute {name!r}")
