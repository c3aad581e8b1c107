"""What a scenario picks from a registry: a bare name, a mapping with a `name`, or an object with `name` and `params`."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from coterie.core.errors import Fault, ScenarioError


def parts(choice: Any) -> tuple[str, dict[str, Any]]:
    """The name and the parameters of `choice`.

    Raises:
        ScenarioError: it is none of the three forms.
    """
    if isinstance(choice, str):
        return choice, {}
    if isinstance(choice, Mapping):
        params = dict(choice)
        name = params.pop("name", None)
        if isinstance(name, str) and all(isinstance(key, str) for key in params):
            return name, params
    name, found = getattr(choice, "name", None), getattr(choice, "params", None)
    if isinstance(name, str) and isinstance(found, Mapping):
        return name, dict(found)
    raise ScenarioError.at("", f"a name, or a mapping with a name, is expected here (got {choice!r})", "write e.g. {name: iid}")


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Prefixes the place of every fault raised inside with `place`, so that a loader need not know where it is used."""
    try:
        yield
    except ScenarioError as error:
        faults = (Fault(".".join(filter(None, (place, f.place))), f.problem, f.fix) for f in error.faults)
        raise ScenarioError(*faults) from error.__cause__
