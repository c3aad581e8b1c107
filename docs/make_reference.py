# ruff: noqa: INP001, T201 - a command, not a package
"""Writes reference.md, beside this file: every setting of a scenario and every name that it may use.

python docs/make_reference.py            writes it
python docs/make_reference.py --check    says whether it is up to date (exit 1 if it is not)
"""

import importlib
import inspect
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coterie.cli.list import KINDS
from coterie.core.registry import Entry, Registry
from coterie.scenario.choice import Choice
from coterie.scenario.schema import schema

PAGE = Path(__file__).parent / "reference.md"
HEAD = """\
# Reference

Every setting of a scenario and every name that it may use, with parameters and defaults; what they are for is told in
[scenarios.md](scenarios.md). This page is made by `python docs/make_reference.py`. `coterie list KIND` prints its second part,
also with your own plugins, and `coterie schema` gives all of it as JSON Schema, for editors and forms.
"""
NAMES = {"integer": "whole number", "number": "number", "string": "text", "boolean": "true or false", "array": "list", "object": "mapping"}
BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
HUGE = 1e15
Body = Mapping[str, Any]


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, "## Settings", "", *_settings(schema()), *_kinds()])


def _settings(whole: Body) -> Iterator[str]:
    """A table for the scenario itself, and a section for each of its parts that has settings of its own."""
    sections = {"": whole}
    for place in (places := [""]):
        part = sections[place]
        if place:
            yield from (f"### {place}", "", _prose(part["description"]), "")
        yield from _table("setting", part, lambda name, about, place=place: _value(f"{place}.{name}".strip("."), about, whole, sections))
        places += [found for found in sections if found not in places]


def _value(place: str, about: Body, whole: Body, sections: dict[str, Body]) -> str:
    """What a setting may be; a part that is new gets a section."""
    for kind, (where, _) in KINDS.items():
        if where == place:
            return f"[{kind}]({_anchor(kind)})" + (", a list" if place in {"task.preprocess", "attacks", "detection.statistics"} else "")
    part = _part(about, whole["$defs"])
    if part is None:
        return _words(about)
    known = next((name for name, body in sections.items() if body == part), place)
    sections.setdefault(known, part)
    return f"[settings]({_anchor(known)})"


def _part(about: Body, definitions: Body) -> Body | None:
    """The mapping with settings of its own that `about` refers to, if it does."""
    for one in (about, *about.get("anyOf", [])):
        if "$ref" in one:
            body = definitions[one["$ref"].rpartition("/")[2]]
            return next(inner for inner in (body, *body.get("anyOf", [])) if "properties" in inner)
    return None


def _kinds() -> Iterator[str]:
    """A section for each registry."""
    for kind, (place, where) in KINDS.items():
        module, _, name = where.partition(":")
        registry: Registry[Any] = getattr(importlib.import_module(module), name)
        choice = next(found for found in Choice.__subclasses__() if found.things() is registry)
        yield from (f"## {kind}", "", f"For `{place}`. {_prose(inspect.getdoc(choice) or '')}", "")
        beside = [name for name in choice.model_fields if name not in {"name", "params"}]
        for entry in map(registry.entry, registry.names()):
            yield from (f"### {entry.name}", "", entry.doc, "", *_parameters(entry))
        if beside:
            yield from (f"Beside the name and its parameters: {', '.join(f'`{name}`' for name in beside)}.", "")


def _parameters(entry: Entry[Any]) -> Iterator[str]:
    about = entry.parameters.model_json_schema()
    if about.get("properties"):
        yield from _table("parameter", about, lambda _, one: _words(one))
    more = _prose((inspect.getdoc(entry.thing) or "").partition("\n")[2].strip().partition("\n\nRaises")[0])
    if more:
        yield from (more, "")


def _table(heading: str, part: Body, value: Any) -> Iterator[str]:
    yield from (f"| {heading} | value | default |", "|---|---|---|")
    for name, about in part["properties"].items():
        default = "needed" if name in part.get("required", []) else _default(about.get("default")) or _told(about)
        yield f"| `{name}` | {value(name, about)} | {default} |".replace("|  |", "| |")
    yield ""


def _words(about: Body) -> str:
    """A JSON schema in words."""
    if "anyOf" in about:
        return " or ".join(dict.fromkeys(_words(one) for one in about["anyOf"] if one.get("type") != "null"))
    if "const" in about:
        return f"`{about['const']}`"
    if "enum" in about:
        return " or ".join(f"`{one}`" for one in about["enum"])
    if about.get("type") == "array":
        inner = about.get("items") or next(iter(about.get("prefixItems", [])), None)
        return f"list of {_words(inner)}" if inner else "list"
    bounds = [f"{words} {about[key]:,}" for key, words in BOUNDS.items() if key in about and abs(about[key]) < HUGE]
    return " ".join([NAMES.get(about.get("type", ""), "anything"), *bounds]).replace(".0 ", " ").removesuffix(".0")


def _default(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) >= 1000:
        value = int(value)
    return f"`{value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}`"


def _told(about: Body) -> str:
    """A default that depends on other settings, in words."""
    told = about.get("description", "")
    return told.removeprefix("By default ").rstrip(".") if told.startswith("By default ") else ""


def _prose(text: str) -> str:
    """A docstring's text as paragraphs, one line each."""
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in text.split("\n\n"))


def _anchor(heading: str) -> str:
    """Where a heading is linked to, as web pages of repositories number them."""
    return "#" + "".join(letter for letter in heading.lower().replace(" ", "-") if letter.isalnum() or letter in "-_")


def main(arguments: list[str]) -> int:
    """The command."""
    made = page()
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != made:
        print(f"{PAGE.name} is not up to date: run python docs/make_reference.py")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
