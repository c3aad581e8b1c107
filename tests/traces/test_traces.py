"""Scripted protocol tests: a few lines of scenario, and beside them the whole trace that they must give.

Each `.txt` file here holds a federation (YAML), a line `----`, and the trace. After a change that is meant, run with
`COTERIE_REWRITE_TRACES=1` and read the difference. Hellos, which say nothing but that a node is there, are left out.
"""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import toy
from coterie.core.errors import RunError
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.environments.faults import FAULTS
from coterie.federation import messages
from coterie.federation.membership import Membership
from coterie.federation.roles import NOBODY, Roles
from coterie.federation.schedule import Schedule
from coterie.federation.sharing import Sharing
from coterie.federation.staleness import polynomial
from coterie.simulator.injections import Injection

FOLDER = Path(__file__).parent


def injection(kind: str, **settings) -> Injection:
    """A fault of a script: `{kind: crash, nodes: [2], at_seconds: 1, for_seconds: 3}`."""
    known = {name: settings.pop(name) for name in ("disk", "one_way", "share", "seconds", "factor", "rate") if name in settings}
    places = {name: tuple(settings.pop(name)) for name in ("nodes", "to") if name in settings}
    return Injection(kind=FAULTS.entry(kind).thing(**known), **places, **settings)


def intrude(run, at_seconds, sender, to, kind, number, of, phase="", numbers=()) -> None:
    """Once it is `at_seconds`, node `to` gets from its neighbour `sender` a message that no node of ours would send."""
    run.run(until=lambda: run.now >= at_seconds)
    payload = Handle(np.array(numbers, np.float32))
    message = getattr(messages, kind)(number, NodeId(of), payload, phase=messages.PHASES.index(phase), attempt=1)
    run.trace(run.now, f"{to} gets {message!r} from {sender}, made up")
    run.nodes[to].deliver(NodeId(sender), message, (), (1, 0, 0, 0))


def traced(script: str) -> str:
    settings = yaml.safe_load(script)
    rounds = settings.pop("rounds")
    if "deadline" in settings:
        settings["schedule"] = Schedule(deadline_seconds=settings.pop("deadline"))
    elif "schedule" in settings:
        settings["schedule"] = Schedule(**settings.pop("schedule"))
        settings["schedule"] = replace(settings["schedule"], discount=polynomial)
    if "sharing" in settings:
        settings["sharing"] = Sharing(**settings.pop("sharing"))
    if "roles" in settings:
        rules = {role: toy.rule(**spec) if isinstance(spec, dict) else toy.rule(spec) for role, spec in settings.pop("roles").items()}
        settings["roles"] = Roles(rules["trainer"], rules["aggregator"], rules.get("proxy", NOBODY), rules.get("idle", NOBODY))
    if "stays" in settings:
        settings["stays"] = {node: (joins, leaves) for node, (joins, leaves) in settings["stays"].items()}
    faults = [injection(**fault) for fault in settings.pop("faults", ())]
    if "membership" in settings:
        settings["membership"] = Membership(**settings["membership"])
    until, intrusions = settings.pop("until_seconds", 1000.0), settings.pop("made_up", ())
    shape = toy.federation(**settings)
    run = toy.faulty(shape, faults, rounds, until_seconds=until) if faults or shape.membership else toy.simulator(shape, rounds)
    lines = []
    run.trace = lambda time, what: lines.append(f"{time:.3f} {what}") if "Hello(" not in what else None
    run.start()
    for made_up in intrusions:
        intrude(run, *made_up)
    try:
        run.run()
    except RunError as problem:
        lines.append(f"{type(problem).__name__}: {problem}")
        return "\n".join(lines) + "\n"
    lines.append(f"models {' '.join(f'{value:g}' for _, value in toy.results(run))}")
    if set(run.results) < set(range(shape.nodes)):
        lines.append(f"finished {' '.join(map(str, sorted(run.results)))}")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_trace(path):
    script, _, expected = path.read_text().partition("----\n")
    trace = traced(script)
    if os.environ.get("COTERIE_REWRITE_TRACES"):
        path.write_text(f"{script}----\n{trace}")
    assert trace == expected
