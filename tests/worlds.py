"""Federations, schedules and faults drawn from a seed, and run with the checks on.

A world is plain data, so that it can be printed, changed and run again. What must hold of any: nobody waits for ever once faults have
stopped, all who are not down for good finish, the checks find nothing, the same seed gives the same trace, also when it is cut in between;
and, where no deadline can pass and nothing is lost for good, the models are those of the same federation without faults.
"""

import json
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

import toy
from coterie.environments.faults import FAULTS
from coterie.federation import check
from coterie.federation.budget import Budget
from coterie.federation.federation import Federation
from coterie.federation.flows.waiting import GaveUp
from coterie.federation.membership import Membership
from coterie.federation.roles import Roles
from coterie.federation.schedule import FOREVER, Schedule, in_full
from coterie.federation.sharing import Sharing
from coterie.federation.staleness import hinge, polynomial
from coterie.simulator import cut
from coterie.simulator.checks import Checks
from coterie.simulator.faulty import FaultySimulator
from coterie.simulator.injections import Injection, Injections
from coterie.simulator.network import Network
from coterie.simulator.simulator import Simulator
from coterie.simulator.trace import TraceDigest
from coterie.simulator.work import JobGraph

DISCOUNTS = {"none": in_full, "polynomial": polynomial, "hinge": hinge}
CUT_EVERY = 5
"""One world in so many is run twice, the second time cut and resumed."""
EVENTS = 200_000
"""No world has more; one that does goes round in circles."""


@dataclass(frozen=True)
class World:
    """A federation and what goes wrong in it. roles: of an architecture by name, or of each kind by ids."""

    seed: int
    nodes: int
    rounds: int
    edges: list[list[int]]
    roles: Any
    participation: list[Any]
    seconds: list[float]
    schedule: dict[str, Any]
    sharing: dict[str, Any]
    hands_over: bool = False
    everyone: bool = True
    latency: float = 0.01
    faults: list[dict[str, Any]] = field(default_factory=list)
    until: float = 20.0
    reconnect: float = 0.5
    membership: dict[str, Any] | None = None

    def text(self) -> str:
        """A line that makes it again: `World(**json.loads(line))`."""
        return json.dumps(asdict(self))

    @property
    def kept(self) -> bool:
        """Whether no node loses anything for good."""
        return not any(one["name"] == "crash" and (one.get("disk") == "lost" or one.get("for_seconds", 0) is None) for one in self.faults)


def federation_of(world: World) -> Federation | None:
    """Its federation; None where the checks of a scenario would refuse it."""
    if not world.edges:
        return None
    roles = toy.roles_of(world.roles, world.nodes) if isinstance(world.roles, str) else _roles(world.roles)
    settings = {**world.schedule, "discount": DISCOUNTS[world.schedule.get("discount", "none")]}
    if roles.coupled:
        settings["mixing"] = None  # as a scenario's setup has it
    found = toy.federation(
        world.nodes,
        "edges",
        topology_params={"pairs": [(a, b) for a, b in world.edges]},
        roles=roles,
        participation=(world.participation[0], world.participation[1]),
        seconds=world.seconds,
        schedule=Schedule(**settings),
        sharing=Sharing(**world.sharing),
        hands_over=world.hands_over,
        everyone=world.everyone,
        membership=None if world.membership is None else Membership(**world.membership),
    )
    wrong = check.faults(found.planner, world.rounds, everyone=found.everyone, isolated=False, hands_over=found.hands_over)
    wrong = wrong or check.schedule_faults(found.planner, found.schedule)
    if found.membership is not None:
        wrong = wrong or list(check.membership_faults(found.planner))
    return None if wrong else found


def _roles(given: dict[str, Any]) -> Roles:
    rules = {kind: toy.rule(one["ids"], **{key: one[key] for key in one if key != "ids"}) for kind, one in given.items()}
    return Roles(rules["trainer"], rules["aggregator"], rules["proxy"], rules["idle"])


def simulator_of(world: World, federation: Federation, *, faults: bool = True, window: int = 100) -> Simulator:
    """A simulator of it with the checks and the trace digest on, not yet started; without its faults, an ordinary one."""
    settings: dict[str, Any] = {
        "budget": Budget(world.rounds, together=not federation.schedule.asynchronous),
        "recorder": toy.Silent(),
        "network": Network(world.latency),
    }
    jobs = JobGraph(toy.ToyExecutor(), window)
    if faults:
        wanted = tuple(map(_injection, world.faults))
        injections = Injections(wanted, federation.planner.graph, world.seed, until_seconds=world.until, reconnect_seconds=world.reconnect)
        found: Simulator = FaultySimulator(federation, toy.initial(), jobs, injections=injections, **settings)
    else:
        found = Simulator(federation, toy.initial(), jobs, **settings)
    found.digest, found.checks = TraceDigest(), Checks(federation)
    return found


def _injection(one: dict[str, Any]) -> Injection:
    when = {key: one[key] for key in ("at_seconds", "at_round", "per_hour", "mean_seconds") if key in one}
    sides = {key: tuple(one[key]) for key in ("nodes", "to") if key in one}
    lasts = one.get("for_seconds", inf)
    beside = {*when, *sides, "for_seconds", "name"}
    kind = FAULTS.entry(one["name"]).thing(**{key: one[key] for key in one if key not in beside})
    return Injection(kind=kind, **when, **sides, for_seconds=inf if lasts is None else lasts)


def run(world: World, *, faults: bool = True) -> Simulator:
    """The whole run; raises whatever is wrong, and GaveUp where nobody can finish."""
    federation = federation_of(world)
    assert federation is not None, "the checks of a scenario refuse this world"
    simulator = simulator_of(world, federation, faults=faults)
    simulator.start()
    simulator.run(until=lambda: simulator.events >= EVENTS)
    assert simulator.events < EVENTS, f"{EVENTS} events and no end"
    return simulator


def gone(world: World) -> set[int]:
    """Who is down for good."""
    lost = (one for one in world.faults if one["name"] == "crash" and one.get("for_seconds", 0) is None)
    return {node for one in lost for node in one["nodes"]}


def failure(world: World) -> str:
    """What is wrong with how a world goes, in words that do not depend on details; empty where nothing is."""
    try:
        examine(world)
    except GaveUp as reason:
        return "" if gone(world) else f"GaveUp: {reason}"
    except Exception as error:  # noqa: BLE001 - any failure is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {where.name}: {error}"
    return ""


def examine(world: World) -> None:
    """Run a world and look at what came of it; raises AssertionError, or whatever the run raises."""
    simulator = run(world)
    federation = simulator.federation
    expected = set(range(world.nodes)) if world.everyone else set(federation.planner.holders(world.rounds).tolist())
    expected -= gone(world) | (simulator.given_up.keys() if gone(world) else set())
    states = toy.results(simulator)
    if federation.succeeds and not world.everyone:  # who is the last to aggregate is not known beforehand
        expected = {max(range(world.nodes), key=lambda node: states[node][0])} if not gone(world) else set()
    behind = {node: states[node][0] for node in expected if states[node][0] != world.rounds}
    assert not behind, f"some do not finish: {behind}"
    assert all(np.isfinite(value) for _, value in states), "a model is not finite"
    if world.seed % CUT_EVERY == 0:
        _cut_and_resumed(world, simulator)
    if exact(world):
        plain = run(world, faults=False)
        others = {
            node: (states[node], other) for node, other in enumerate(toy.results(plain)) if node in expected and states[node] != other
        }
        assert not others, f"other models than without faults: {others}"
    if conserves(world):
        total, wanted = sum(value for _, value in states), world.rounds * sum(range(1, world.nodes + 1))
        assert abs(total - wanted) <= 1e-3 * wanted, f"the sum of all models is {total}, and trainings add up to {wanted}"


def _cut_and_resumed(world: World, whole: Simulator) -> None:
    """The same world once more, cut at some event, goes on as if it had not been."""
    federation = whole.federation
    part = simulator_of(world, federation, window=7)
    part.start()
    place = int(np.random.default_rng(world.seed).random() * (whole.events - 1))
    part.run(until=lambda: part.events >= place)
    rest = simulator_of(world, federation)
    with tempfile.TemporaryDirectory() as folder:
        cut.save(part, Path(folder) / "checkpoint", {}, np.asarray)
        cut.load(rest, Path(folder) / "checkpoint", lambda vector: vector)
    rest.run()
    assert rest.digest is not None
    assert whole.digest is not None
    assert rest.digest.hexdigest() == whole.digest.hexdigest(), f"another trace after a cut at event {place}"
    assert toy.results(rest) == toy.results(whole), f"other models after a cut at event {place}"


def exact(world: World) -> bool:
    """Whether faults may change only when things happen, and not what is computed."""
    schedule = world.schedule
    waits = world.membership is None and schedule.get("quorum", FOREVER) == FOREVER and schedule.get("deadline_seconds", FOREVER) == FOREVER
    return world.kept and waits and not schedule.get("asynchronous", False)


def conserves(world: World) -> bool:
    """Whether the sum of all models changes through training alone, whatever happens."""
    both = world.sharing.get("pairwise", False) or world.sharing.get("direction") == "push-pull"
    overtaken = any(one["name"] == "reordering" for one in world.faults)  # a goodbye may then overtake an answer
    stays = world.kept and world.membership is None
    return stays and world.roles == "decentralized" and bool(world.schedule.get("asynchronous")) and both and not overtaken


# ---- drawing


def drawn(seed: int) -> World:
    """The world of a seed; one that the checks of a scenario have nothing against."""
    rng = np.random.default_rng(seed)
    while True:
        world = _drawn(rng, seed)
        if federation_of(world) is not None:
            return world


def _drawn(rng: np.random.Generator, seed: int) -> World:
    nodes = int(rng.integers(2, 8))
    dense = rng.choice([0.5, 1.0])
    edges = [[a, b] for a in range(nodes) for b in range(a + 1, nodes) if rng.random() < dense]
    few = rng.choice([0.05, 0.3, 1.0])
    world = World(
        seed=seed,
        nodes=nodes,
        rounds=int(rng.integers(1, 6)),
        edges=edges,
        roles=_drawn_roles(rng, nodes),
        participation=[["all", {}], ["all", {}], ["fraction", {"share": 0.5}], ["number", {"count": 1}]][rng.integers(4)],
        seconds=[round(one, 4) for one in rng.lognormal(-1.0, 1.0, nodes).tolist()],
        schedule=_drawn_schedule(rng),
        sharing=_drawn_sharing(rng),
        hands_over=bool(rng.integers(2)),
        everyone=bool(rng.integers(2)),
        latency=[0.001, 0.01, 0.2][rng.integers(3)],
        faults=[one for one in _drawn_faults(rng, nodes) if rng.random() < few],
        until=float(rng.integers(1, 30)),
        reconnect=[0.05, 0.1, 1.0][rng.integers(3)],
        membership=_drawn_membership(rng),
    )
    if world.membership is None:
        return world
    return replace(world, faults=[*world.faults, *_drawn_losses(rng, world)])


def _drawn_membership(rng: np.random.Generator) -> dict[str, Any] | None:
    interval, patience = [0.2, 1.0][rng.integers(2)], [2.0, 4.0][rng.integers(2)]
    return None if rng.integers(2) else {"interval_seconds": interval, "patience": patience, "deadline_seconds": 100.0}


def _drawn_losses(rng: np.random.Generator, world: World) -> Iterator[dict[str, Any]]:
    """Where nodes look after one another: one that loses its disk, one that is down for good; never the only aggregator.

    Nor does one lose its disk that takes late updates in its turn: it would forget whose are in its model.
    """
    roles = toy.roles_of(world.roles, world.nodes) if isinstance(world.roles, str) else _roles(world.roles)
    candidates = roles.aggregator.candidates.tolist()
    others = [node for node in range(world.nodes) if candidates != [node]]
    for disk, lasts in (("lost", round(float(rng.exponential(2.0)) + 0.01, 3)), ("kept", None)):
        if rng.random() < 0.3:
            at, node = round(float(rng.exponential(1.0)), 3), int(rng.choice(others))
            late = world.schedule.get("asynchronous") or world.schedule.get("staleness_rounds")
            if disk == "lost" and late and roles.aggregator.rotates and node in candidates:
                continue
            yield {"name": "crash", "nodes": [node], "disk": disk, "at_seconds": at, "for_seconds": lasts}


def _drawn_roles(rng: np.random.Generator, nodes: int) -> Any:
    architecture = str(rng.choice(["centralized", "semi-decentralized", "decentralized", "explicit", "explicit"]))
    if architecture != "explicit":
        return architecture

    def some(share: float) -> list[int]:
        return np.flatnonzero(rng.random(nodes) < share).tolist()

    count, order = [None, 1, 2][rng.integers(3)], str(rng.choice(["round-robin", "random"]))
    aggregator = {"ids": some(0.4), "count": count, "order": order}
    return {"trainer": {"ids": some(0.7)}, "aggregator": aggregator, "proxy": {"ids": some(0.3)}, "idle": {"ids": some(0.1)}}


def _drawn_schedule(rng: np.random.Generator) -> dict[str, Any]:
    kind = rng.choice(["synchronous", "semi-synchronous", "asynchronous"])
    discount, staleness = str(rng.choice(["polynomial", "hinge"])), [0, 1, 3, FOREVER][rng.integers(4)]
    deadline = [FOREVER, FOREVER, 0.3, 1.0][rng.integers(4)]
    if kind == "synchronous":
        return {"deadline_seconds": deadline}
    if kind == "semi-synchronous":
        numbers = {"quorum": [0.3, 0.8][rng.integers(2)], "grace_seconds": [0.0, 0.1][rng.integers(2)], "deadline_seconds": deadline}
        return {**numbers, "staleness_rounds": min(staleness, 3), "discount": discount}
    mixing = [None, 0.5][rng.integers(2)]
    buffer = 1 if mixing else int(rng.integers(1, 4))
    numbers = {"buffer": buffer, "mixing": mixing, "concurrency": max([FOREVER, 1, 2][rng.integers(3)], buffer), "quorum": 0.0}
    return {"asynchronous": True, "deadline_seconds": deadline, "staleness_rounds": staleness, "discount": discount, **numbers}


def _drawn_sharing(rng: np.random.Generator) -> dict[str, Any]:
    few = {"neighbours": int(rng.integers(1, 3)), "direction": str(rng.choice(["push", "pull", "push-pull"]))}
    return [{}, few, {"neighbours": 1, "direction": "push-pull", "pairwise": True}][rng.integers(3)]


def _drawn_faults(rng: np.random.Generator, nodes: int) -> Iterator[dict[str, Any]]:
    """Some of each kind, at times or at random; none is for good."""

    def when() -> dict[str, Any]:
        how, lasts = rng.integers(3), round(float(rng.exponential(2.0)) + 0.01, 3)
        if how == 0:
            return {"at_seconds": round(float(rng.exponential(1.0)), 3), "for_seconds": lasts}
        if how == 1:
            return {"at_round": int(rng.integers(4)), "for_seconds": lasts}
        return {"per_hour": float(rng.choice([300.0, 3000.0])), "mean_seconds": lasts}

    def some() -> list[int]:
        return sorted(rng.choice(nodes, int(rng.integers(1, nodes + 1)), replace=False).tolist())

    for _ in range(int(rng.integers(1, 4))):
        yield {"name": "crash", "nodes": some()[:2], **when()}
    yield {"name": "pause", "nodes": some(), **when()}
    yield {"name": "slow", "nodes": some(), "factor": float(rng.choice([2.0, 20.0])), **when()}
    yield {"name": "clock-skew", "nodes": some(), "rate": float(rng.choice([0.5, 2.0])), **when()}
    yield {"name": "full-disk", "nodes": some(), **when()}
    yield {"name": "cut", "one_way": bool(rng.integers(2)), **when()}
    yield {"name": "partition", "nodes": some()[: max(1, nodes // 2)], "one_way": bool(rng.integers(2)), **when()}
    for name in ("loss", "corruption", "duplication", "delay", "reordering"):
        yield {"name": name, "share": float(rng.choice([0.02, 0.2, 0.6]))}
