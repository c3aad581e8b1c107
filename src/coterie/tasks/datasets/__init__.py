"""Data sets: where samples come from.

A data set is a function `(*, parameters) -> Dataset` in a file of its own. It may also ask for `nodes` (how many there are, or
None), `seed` (of the scenario) and `folder` (where paths are seen from), which are not parameters. It imports what is heavy
inside. What it cannot read is a ScenarioError, placed at the parameter that is wrong.
"""

from collections.abc import Callable
from typing import Any

from coterie.core.registry import Registry
from coterie.tasks import choices
from coterie.tasks.dataset import Dataset

DATASETS: Registry[Callable[..., Dataset]] = Registry("data set", home="coterie.tasks.datasets", reserved={"nodes", "seed", "folder"})
dataset = DATASETS.register


def load(choice: Any, *, nodes: int | None = None, seed: int = 0, folder: str | None = None) -> Dataset:
    """The data set that a scenario chose.

    Raises:
        ScenarioError: no such data set, a wrong parameter, or data that cannot be read.
    """
    name, params = choices.parts(choice)
    entry = DATASETS.entry(name, "name")
    given = {"nodes": nodes, "seed": seed, "folder": folder}
    return entry.thing(**entry.check(params), **{key: given[key] for key in entry.inputs})
