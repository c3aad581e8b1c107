"""Whose fault an error is.

`ScenarioError` is the user's: it lists every fault found, each with its place and the fix.
`RunError` is nobody's in particular: a run came to where it cannot go on.
`PeerError` is another participant's: it is logged and counted, and is never fatal to us.
Anything else is a bug of ours and is an ordinary exception.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a scenario.

    `place` is a dotted path into the scenario (`partition.alpha`), `problem` says what is wrong and
    `fix` what to write instead; either of `place` and `fix` may be empty.
    """

    place: str
    problem: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.place}: " if self.place else ""
        return f"{where}{self.problem}" + (f" → {self.fix}" if self.fix else "")


class ScenarioError(ValueError):
    """A scenario, a data file or an argument that cannot be run as it stands; carries all its faults."""

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise TypeError("a ScenarioError needs at least one fault")
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = faults

    @classmethod
    def at(cls, place: str, problem: str, fix: str = "") -> "ScenarioError":
        """The error with a single fault."""
        return cls(Fault(place, problem, fix))


class RunError(RuntimeError):
    """A run that cannot go on, for a reason that the message tells in words."""


class PeerError(Exception):
    """Something a peer sent that is refused; `reason` is a short fixed word that is counted in reports."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt `word`: the nearest known name, or the list of all of them."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known: {', '.join(names)}" if names else "none is known"
