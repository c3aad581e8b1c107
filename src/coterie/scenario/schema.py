"""The JSON schema of scenarios (draft 2020-12), for editors, forms and other programs."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coterie.scenario.choice import Choice

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OWN_CODE = {"type": "string", "pattern": r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$", "description": "Code of your own: module:attribute."}

TOPOLOGY = "a star where the architecture is centralized, else full"
AGGREGATOR = (
    "that of the architecture: node 0 (or the star's center) where it is centralized, each in turn where semi-decentralized, "
    "all where decentralized"
)
"""The defaults that depend on the architecture, in words."""


def schema() -> dict[str, Any]:
    """The schema of a scenario file, with every registered name and its parameters."""
    from coterie.scenario.scenario import Scenario

    found = Scenario.model_json_schema(mode="validation")
    definitions = found.pop("$defs", {})
    whole = {"$schema": DIALECT, **found, "$defs": definitions}
    _hoist(whole, definitions)
    for about, name, said in ((whole, "topology", TOPOLOGY), (definitions["Roles"], "aggregator", AGGREGATOR)):
        about["properties"][name] = {"$ref": about["properties"][name]["$ref"], "description": f"By default {said}."}
    whole["title"] = "Coterie scenario"
    return whole


def of_choice(kind: "type[Choice]", body: dict[str, Any]) -> dict[str, Any]:
    """The schema of a choice: a name alone, or a mapping with the name and that thing's parameters.

    body: what pydantic says of the class; its settings beside name and parameters go into every alternative.
    """
    beside = {key: value for key, value in body["properties"].items() if key not in ("name", "params")}
    entries = [kind.things().entry(name) for name in kind.things().names()]
    alternatives: list[dict[str, Any]] = [*kind.short_schema(), {"enum": bare_names(kind)}]
    for entry in entries:
        params = entry.parameters.model_json_schema(ref_template=f"#/$defs/{kind.__name__}.{entry.name}.{{model}}")
        inner = {f"{kind.__name__}.{entry.name}.{name}": found for name, found in params.get("$defs", {}).items()}
        named = {"name": {"const": entry.name}} if entry.name != kind.default else {"name": {"const": entry.name, "default": entry.name}}
        required = [*([] if entry.name == kind.default else ["name"]), *params.get("required", [])]
        alternative = {
            "title": entry.name,
            "description": entry.doc,
            "type": "object",
            "properties": {**named, **params.get("properties", {}), **beside},
            "additionalProperties": False,
            **({"required": required} if required else {}),
            **({"$defs": inner} if inner else {}),
        }
        alternatives.append(alternative)
    if kind.own_code:
        alternatives += [OWN_CODE, {"type": "object", "properties": {"name": OWN_CODE}, "required": ["name"]}]
    return {"title": body["title"], "description": body.get("description", ""), "anyOf": alternatives}


def bare_names(kind: "type[Choice]") -> list[str]:
    """The names that may stand alone: of things without required parameters."""
    entries = [kind.things().entry(name) for name in kind.things().names()]
    return [entry.name for entry in entries if not any(field.is_required() for field in entry.parameters.model_fields.values())]


def _hoist(node: Any, definitions: dict[str, Any]) -> None:
    """Moves definitions inside `node` to where references point."""
    if isinstance(node, dict):
        for name, inner in list(node.items()):
            if name == "$defs" and inner is not definitions:
                definitions |= node.pop(name)
            else:
                _hoist(inner, definitions)
    elif isinstance(node, list):
        for inner in node:
            _hoist(inner, definitions)
