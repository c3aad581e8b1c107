"""YAML as scenarios use it, read with the place of everything in it, from files that nobody vouches for.

Plain data only: mappings with text keys, lists, text, numbers, true, false, null, as YAML 1.2 reads them (`1e-3` is a number,
`yes` and `no` are text). Refused: tags, duplicate keys, merge keys, aliases that refer to themselves or make a file much
larger than it is, deep nesting, numbers beyond any use, more than one document.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from coterie.core.errors import Fault, ScenarioError

MOST_BYTES = 4 << 20
MOST_VALUES = 500_000
"""Values in all, what an alias stands for counted each time."""
DEEPEST = 40
MOST_DIGITS = 19

Path = tuple[str | int, ...]
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?")
_BREAK = re.compile("[\x85\u2028\u2029]")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


class Mark(NamedTuple):
    """A place in a text; both count from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass
class Document:
    """What a text says: `value`, where each part of it stands, and what was wrong with it (those parts are left out)."""

    value: Any = None
    keys: dict[Path, Mark] = field(default_factory=dict)
    values: dict[Path, Mark] = field(default_factory=dict)
    faults: list[tuple[Path, Mark, Fault]] = field(default_factory=list)


class _Refused(Exception):
    """What the reader cannot go on from."""

    def __init__(self, mark: Any, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.mark, self.problem, self.fix = _mark(mark), problem, fix


class _Anchored(NamedTuple):
    value: Any
    size: int


_NOTHING = object()


def read(text: str | bytes) -> Document:
    """Reads a text; raises ScenarioError, placed `line:column`, where it cannot be read to its end."""
    import yaml

    if len(text) > MOST_BYTES:
        raise ScenarioError.at("", f"is larger than {MOST_BYTES >> 20} MB", "keep data in files of their own")
    try:
        decoded = text if isinstance(text, str) else text.decode("utf-8-sig")
        events = yaml.parse(decoded, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _Reader(events).document()
    except UnicodeDecodeError:
        raise ScenarioError.at("", "is not text in UTF-8", "save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ScenarioError.at(str(_mark(mark)) if mark else "", f"is not YAML: {error.problem}", "correct the line") from None
    except yaml.YAMLError as error:
        raise ScenarioError.at("", f"is not YAML: {str(error).splitlines()[0]}", "correct the file") from None
    except _Refused as refused:
        raise ScenarioError.at(str(refused.mark), refused.problem, refused.fix) from None


def dump(value: Any) -> str:
    """Plain data as text that `read` reads back as the same."""
    import yaml

    class Dumper(yaml.SafeDumper):  # type: ignore[misc] # PyYAML has no types
        """Quotes text that would be read as a number here."""

        def ignore_aliases(self, _data: Any) -> bool:
            return True

        def text(self, data: str) -> Any:
            """PyYAML writes the rarer line breaks as they are, and reads them back as others."""
            return self.represent_scalar("tag:yaml.org,2002:str", data, style='"' if _BREAK.search(data) else None)

    Dumper.add_representer(str, Dumper.text)
    Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(f"^(?:{_FLOAT.pattern})$"), list("-+0123456789."))
    return str(yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120))


class _Reader:
    """Builds plain data out of the parser's events."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events
        self.found = Document()
        self.anchors: dict[str, _Anchored] = {}
        self.count = 0

    def document(self) -> Document:
        """The only document of the text."""
        import yaml

        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise _Refused(event.start_mark, "a second document begins", "write one scenario a file")
            elif isinstance(event, yaml.NodeEvent):
                self.found.value = self._value(event, ())
        return self.found

    def _value(self, event: Any, path: Path) -> Any:
        """The value that begins with `event`; `_NOTHING` where it is refused."""
        import yaml

        self.found.values[path] = _mark(event.start_mark)
        if len(path) > DEEPEST:
            raise _Refused(event.start_mark, f"is nested more than {DEEPEST} deep")
        before = self.count
        self._counted(1, event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag not in (None, "!"):
            self._fault(path, event, f"the tag {event.tag} is not taken: a scenario is plain data", "leave the tag out")
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(path)
        else:
            value = self._mapping(path)
        if event.anchor is not None:
            self.anchors[event.anchor] = _Anchored(value, self.count - before)
        return _NOTHING if event.tag not in (None, "!") else value

    def _alias(self, event: Any) -> Any:
        known = self.anchors.get(event.anchor)
        if known is None:
            raise _Refused(event.start_mark, f"*{event.anchor} refers to nothing before it, or to itself", "write the value out")
        self._counted(known.size, event)
        return known.value

    def _counted(self, values: int, event: Any) -> None:
        self.count += values
        if self.count > MOST_VALUES:
            raise _Refused(
                event.start_mark, f"holds more than {MOST_VALUES:,} values, aliases written out", "keep data in files of their own"
            )

    def _sequence(self, path: Path) -> list[Any]:
        import yaml

        items: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            value = self._value(event, (*path, len(items)))
            items.append(None if value is _NOTHING else value)
        return items

    def _mapping(self, path: Path) -> dict[str, Any]:
        import yaml

        items: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event, path)
            inner = (*path, key)
            twice = inner in self.found.keys
            if twice:
                self._fault(inner, event, f"{key!r} is written twice, first in line {self.found.keys[inner].line}", "write it once")
            self.found.keys.setdefault(inner, _mark(event.start_mark))
            value = self._value(next(self.events), inner)
            if not twice and value is not _NOTHING:
                items[key] = value
        return items

    def _key(self, event: Any, path: Path) -> str:
        import yaml

        if not isinstance(event, yaml.ScalarEvent):
            raise _Refused(event.start_mark, "a key must be text", "write key: value")
        if event.value == "<<" and event.implicit[0]:
            raise _Refused(event.start_mark, "merge keys (<<) are not taken", "write the settings out")
        if len(event.value) > 200:
            raise _Refused(event.start_mark, "a key is longer than 200 characters")
        if event.implicit[0] and not isinstance(_plain(event.value), str):
            self._fault((*path, event.value), event, f"the key {event.value} is not text", "put it in quotes")
        return str(event.value)

    def _scalar(self, event: Any, path: Path) -> Any:
        if not event.implicit[0]:
            return event.value
        value = _plain(event.value)
        if value is _NOTHING:
            shown = event.value if len(event.value) <= 40 else event.value[:37] + "…"
            self._fault(path, event, f"{shown} is a number beyond any use", "write a smaller one, or put it in quotes if it is text")
        return value

    def _fault(self, path: Path, event: Any, problem: str, fix: str) -> None:
        place = ".".join(map(str, path))
        self.found.faults.append((path, _mark(event.start_mark), Fault(place, problem, fix)))


def _plain(text: str) -> Any:
    """What a scalar without quotes stands for; `_NOTHING` for numbers that are refused."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        digits = text.replace("_", "")
        return int(digits) if len(digits.lstrip("-+0")) < MOST_DIGITS else _NOTHING
    if _NO_NUMBER.fullmatch(text):
        return _NOTHING
    if _FLOAT.fullmatch(text):
        number = float(text.replace("_", ""))
        return number if math.isfinite(number) else _NOTHING
    return text


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def expect_mapping(found: Document) -> Mapping[str, Any]:
    """The document's value, which must be a mapping; raises ScenarioError where it is not."""
    if not isinstance(found.value, Mapping):
        what = "is empty" if found.value is None else "is no mapping"
        raise ScenarioError.at("1:1", f"the scenario {what}", "write key: value lines, such as task: digits")
    return found.value
