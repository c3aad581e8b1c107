"""A scenario under every one of some attacks, with every one of some defences: the cells of a matrix, as ordinary scenarios."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coterie.adversaries.conduct import EVERY
from coterie.aggregation.rules import RULES
from coterie.core.errors import Fault, ScenarioError
from coterie.scenario.attacks import GRANTS
from coterie.scenario.protection import protection
from coterie.scenario.scenario import Scenario
from coterie.scenario.setup import Setup

NONE = "none"
"""The column without an attack."""
KEPT = ("who", "when", "knowledge")
"""What an attack of the grid has from the scenario's first, where it does not say it itself."""


@dataclass(frozen=True)
class Cell:
    """One run of a matrix. attack, defence: their labels."""

    attack: str
    defence: str
    seed: int
    scenario: Scenario

    @property
    def name(self) -> str:
        """A name for its folder."""
        return f"{self.attack} against {self.defence}, seed {self.seed}"


def cells(scenario: Scenario, attacks: Sequence[Any], defences: Sequence[Any], seeds: int = 1) -> list[Cell]:
    """All cells, attack by attack within defence; raises ScenarioError with the faults of all that cannot be made.

    attacks, defences: names, or mappings with parameters, as in a scenario's `attacks` and `aggregation`. An attack's `who` and `when` are
    those of the scenario's first attack where it does not say; its knowledge is at least what it needs. A rule that has to be told how
    many bad updates to stand (`byzantine`), and is not, is told the most that the attackers send to one node.
    """
    found, faults = [], list[Fault]()
    for defence in labelled(defences):
        for attack in labelled(attacks):
            try:
                made = _scenario(scenario, attack[1], defence[1])
                found += [
                    Cell(attack[0], defence[0], scenario.seed + number, made.changed(seed=scenario.seed + number))
                    for number in range(seeds)
                ]
            except ScenarioError as error:
                where = f"{attack[0]} against {defence[0]}"
                faults += [Fault(f"{where}: {fault.place}".removesuffix(": "), fault.problem, fault.fix) for fault in error.faults]
    if faults:
        raise ScenarioError(*faults)
    return found


def labelled(choices: Sequence[Any]) -> list[tuple[str, Any]]:
    """Each choice with a label: its name, and its parameters where two have the same name. Raises ScenarioError."""
    named = []
    for choice in choices:
        told = choice if isinstance(choice, Mapping) else {"name": choice}
        if not isinstance(told.get("name"), str):
            raise ScenarioError.at("", f"{choice!r} has no name", "write a name, or {name: …, …}")
        named.append(told)
    names = [told["name"] for told in named]
    return [(told["name"] if names.count(told["name"]) == 1 else _long(told), told) for told in named]


def _long(told: Mapping[str, Any]) -> str:
    return " ".join([told["name"], *(f"{key}={value}" for key, value in told.items() if key != "name")])


def _scenario(scenario: Scenario, attack: Mapping[str, Any], defence: Mapping[str, Any]) -> Scenario:
    """The scenario with this attack in place of its own, and this rule."""
    plain = scenario.resolved()
    first = plain["attacks"][0] if plain["attacks"] else {}
    kept = {key: first[key] for key in KEPT if isinstance(first, Mapping) and key in first}
    attacks = [] if attack["name"] == NONE else [_knowing({**kept, **attack})]
    changes = {"attacks": attacks, "baselines": [], "executor": "inline", "name": f"{attack['name']} against {defence['name']}"[:100]}
    bad = _bad(scenario.changed(**changes, aggregation="mean"), kept) if _asks(defence) else 0
    return scenario.changed(**changes, aggregation=_told(defence, bad))


def _knowing(attack: Mapping[str, Any]) -> dict[str, Any]:
    """The attack with at least as much knowledge as it needs."""
    if attack["name"] not in EVERY.names():
        return dict(attack)
    given = attack.get("knowledge", "own")
    known = [given] if isinstance(given, str) else list(given)
    sees: frozenset[str] = getattr(EVERY.entry(attack["name"]).thing, "sees", frozenset())
    for name in ("own", "honest", "rule"):
        granted = frozenset().union(*(GRANTS[one] for one in known if one in GRANTS))
        if sees - granted and (sees - granted) & GRANTS[name]:
            known.append(name)
    return {**attack, "knowledge": known}


def _rules(defence: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The rule, and those that follow it as far as they are written out."""
    yield defence
    then = defence.get("then")
    if then is not None:
        yield from _rules({"name": then} if isinstance(then, str) else then)


def _asks(defence: Mapping[str, Any]) -> bool:
    """Whether a rule has to be told how many bad updates there are, and is not."""
    return any(
        rule["name"] in RULES.names() and "byzantine" in RULES.entry(rule["name"]).parameters.model_fields and "byzantine" not in rule
        for rule in _rules(defence)
    )


def _told(defence: Mapping[str, Any], bad: int) -> dict[str, Any]:
    found = dict(defence)
    if defence["name"] in RULES.names():
        known = RULES.entry(defence["name"]).parameters.model_fields
        if "byzantine" in known:
            found.setdefault("byzantine", bad)
        if "then" in known:
            then = found.get("then", known["then"].default)
            found["then"] = _told({"name": then} if isinstance(then, str) else then or {}, bad)
    return found


def _bad(scenario: Scenario, kept: Mapping[str, Any]) -> int:
    """The most bad updates that come together at a node; where nobody attacks, as many as if somebody did."""
    setup = Setup(scenario if scenario.attacks else scenario.changed(attacks=[{**kept, "name": "scaling"}]))
    return protection(setup, attackers=setup.attackers).byzantine
