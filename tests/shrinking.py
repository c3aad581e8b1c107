"""A world that fails, made smaller: faults, nodes, rounds and links left out for as long as it fails in the same way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from worlds import World, failure, federation_of


def shrunk(world: World, tries: int = 400, problem: Callable[[World], str] = failure) -> World:
    """A world that fails in the same kind of way and has nothing that it could do without; at most so many runs."""
    wanted = kind_of(problem(world))
    while True:
        for smaller in _smaller(world):
            tries -= 1
            if tries < 0:
                return world
            if federation_of(smaller) is not None and kind_of(problem(smaller)) == wanted:
                world = smaller
                break
        else:
            return world


def kind_of(problem: str) -> str:
    """The part of a failure's words that is the same for the same bug."""
    return re.split(r"\d|\{", problem)[0]


def _smaller(world: World) -> Iterator[World]:
    for place in range(len(world.faults)):
        yield replace(world, faults=world.faults[:place] + world.faults[place + 1 :])
    if world.rounds > 1:
        yield replace(world, rounds=world.rounds - 1)
    yield from _without_a_node(world)
    for place in range(len(world.edges)):
        yield replace(world, edges=world.edges[:place] + world.edges[place + 1 :])
    for change in ({"participation": ["all", {}]}, {"hands_over": False}, {"everyone": True}, {"latency": 0.01}, {"reconnect": 0.0}):
        if any(getattr(world, key) != value for key, value in change.items()):
            yield replace(world, **change)
    if len(set(world.seconds)) > 1:
        yield replace(world, seconds=[0.1] * world.nodes)
    if world.sharing:
        yield replace(world, sharing={})
    if world.membership is not None:
        yield replace(world, membership=None)
    for place, one in enumerate(world.faults):
        for node in one.get("nodes", ()) if len(one.get("nodes", ())) > 1 else ():
            less = {**one, "nodes": [other for other in one["nodes"] if other != node]}
            yield replace(world, faults=[*world.faults[:place], less, *world.faults[place + 1 :]])


def _without_a_node(world: World) -> Iterator[World]:
    """Each node left out, those after it renumbered."""
    for out in reversed(range(world.nodes)) if world.nodes > 2 else ():

        def new(node: int, out: int = out) -> int:
            return node - (node > out)

        roles = world.roles
        if not isinstance(roles, str):
            roles = {kind: {**one, "ids": [new(node) for node in one["ids"] if node != out]} for kind, one in roles.items()}
        faults = [
            {**one, **({"nodes": [new(node) for node in one["nodes"] if node != out]} if "nodes" in one else {})} for one in world.faults
        ]
        yield replace(
            world,
            nodes=world.nodes - 1,
            edges=[[new(a), new(b)] for a, b in world.edges if out not in (a, b)],
            roles=roles,
            seconds=world.seconds[:out] + world.seconds[out + 1 :],
            faults=[one for one in faults if one.get("nodes", [0])],
        )
