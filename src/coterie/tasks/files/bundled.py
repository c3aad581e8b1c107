"""The small data sets that scikit-learn brings along, read from its folder: importing it would take a second."""

from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from coterie.core.errors import ScenarioError


def table(name: str, *, separator: str | None = ",", header: int = 0) -> NDArray[np.float64]:
    """The numbers of one of its files, (rows, columns), after so many lines of `header`.

    Raises:
        ScenarioError: scikit-learn is not installed, or keeps the file elsewhere.
    """
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ScenarioError.at("", "this data set comes with scikit-learn, which is not installed", "pip install scikit-learn")
    path = Path(spec.submodule_search_locations[0], "datasets", "data", name)
    if not path.is_file():
        raise ScenarioError.at("", f"scikit-learn {version('scikit-learn')} does not hold {path}", "pip install scikit-learn==1.9.1")
    return np.loadtxt(path, delimiter=separator, skiprows=header, ndmin=2)
