"""The findings of pydantic in plain words: where, what is wrong, what to write instead."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from coterie.core.errors import Fault, ScenarioError, nearest
from coterie.core.registry import MOST_FAULTS

Words = Callable[[Mapping[str, Any]], tuple[str, str]]


def join(*parts: str) -> str:
    """A place out of its parts, those that are empty left out."""
    return ".".join(filter(None, parts))


def within(place: str, faults: Iterable[Fault]) -> list[Fault]:
    """The faults of a part, placed in the whole."""
    return [Fault(join(place, fault.place), fault.problem, fault.fix) for fault in faults]


def faults_of(error: ValidationError, value: Any) -> list[Fault]:
    """One fault for each place in `value` that `error` finds something at; places are relative to `value`."""
    found: dict[str, Fault] = {}
    for finding in error.errors(include_url=False):
        place = ".".join(map(str, _existing(finding["loc"], value)))
        cause = finding.get("ctx", {}).get("error")
        if isinstance(cause, ScenarioError):
            found |= {f"{fault.place}\n{fault.problem}": fault for fault in within(place, cause.faults)}
            continue
        if finding["type"] == "missing":
            place = ".".join(map(str, finding["loc"]))
            found[place] = Fault(place, "is missing", "write it; it has no default")
            continue
        problem, fix = _words(finding)
        if place in found:  # the alternatives of a union
            known = found[place]
            found[place] = Fault(place, _either(known.problem, problem), known.fix if known.fix == fix else "")
        else:
            found[place] = Fault(place, f"{problem} (got {written(finding['input'])})", fix)
    return list(found.values())


def unknown(keys: Iterable[Any], known: Iterable[str], of: str = "") -> list[Fault]:
    """A fault for each of `keys` that is not among the `known` settings (of `of`), up to MOST_FAULTS and one for the rest."""
    names = list(known)
    strange = [key for key in keys if key not in names]
    problem = f"there is no such setting{of and f' of {of}'}"
    found = [Fault(str(key), problem, nearest(str(key), names) if names else "leave it out") for key in strange[:MOST_FAULTS]]
    if rest := strange[MOST_FAULTS:]:
        found.append(Fault(str(rest[0]), f"{problem}, nor are there {len(rest) - 1} others that follow", "leave them out"))
    return found


def written(value: Any) -> str:
    """A value as one would write it, cut where it is long."""
    words = {True: "true", False: "false", None: "null"}
    text = words[value] if value is None or isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _existing(place: tuple[int | str, ...], value: Any) -> tuple[int | str, ...]:
    """The front of `place` that leads into `value`: pydantic adds the alternatives of a union behind it."""
    for depth, step in enumerate(place):
        listed = isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value)
        if not listed and not (isinstance(value, Mapping) and step in value):
            return place[:depth]
        value = value[step]
    return place


def _either(first: str, second: str) -> str:
    """Two problems of one value in one sentence."""
    words, _, got = first.partition(" (got ")
    more = second.removeprefix("must be ")
    return first if more in words else f"{words}, or {more} (got {got}"


def _words(finding: Any) -> tuple[str, str]:
    wording = WORDS.get(finding["type"])
    if wording is None:
        message = str(finding["msg"]).removeprefix("Value error, ")
        return message[:1].lower() + message[1:], ""
    return wording({**finding.get("ctx", {}), "input": finding["input"]})


def _bound(words: str, key: str) -> Words:
    return lambda about: (f"must be {words} {about[key]}", f"write a number {words} {about[key]}")


def _literal(about: Mapping[str, Any]) -> tuple[str, str]:
    names = re.findall(r"'([^']*)'", about["expected"])
    return f"must be {about['expected']}", nearest(about["input"], names) if isinstance(about["input"], str) else ""


def _length(words: str, key: str) -> Words:
    return lambda about: (f"must have at {words} {about[key]} {'item' if about[key] == 1 else 'items'}", "")


def _always(problem: str, fix: str) -> Words:
    return lambda _: (problem, fix)


_whole = _always("must be a whole number", "write a number such as 10")
_number = _always("must be a number", "write a number such as 0.1")
_truth = _always("must be true or false", "write true or false")
_text = _always("must be text", "write text, in quotes if need be")
_list = _always("must be a list", "write [one, two]")
_mapping = _always("must be a mapping", "write {key: value}")
WORDS: dict[str, Words] = {
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _whole),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number"), _number),
    **dict.fromkeys(("bool_type", "bool_parsing"), _truth),
    "string_type": _text,
    "string_too_short": _always("must not be empty", "write some text"),
    "string_pattern_mismatch": _always("holds characters that do not go there", "write letters, digits and blanks"),
    **dict.fromkeys(("list_type", "tuple_type", "set_type", "frozen_set_type"), _list),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type", "mapping_type"), _mapping),
    "greater_than": _bound("above", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("below", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "literal_error": _literal,
    "too_short": _length("least", "min_length"),
    "too_long": _length("most", "max_length"),
}
