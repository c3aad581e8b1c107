"""A node's part in a round, and the short ways to it."""

import pytest

import toy
from coterie.federation.plans import Planner

SHAPES = [
    {"participation": ("fraction", {"share": 0.3})},
    {"participation": ("fraction", {"share": 0.3}), "architecture": "semi-decentralized"},
    {"architecture": "semi-decentralized", "topology": "ring", "participation": ("fraction", {"share": 0.3})},
    {"architecture": "decentralized", "topology": "ring"},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_who_trains_or_has_no_part_gets_the_plan_of_the_long_way(shape, monkeypatch):
    federation = toy.federation(12, **shape)
    short = [federation.planner.plan(node, number) for number in range(4) for node in range(12)]
    monkeypatch.setattr(Planner, "holds", lambda *_: True)  # then nobody takes a short way
    long = toy.federation(12, **shape)
    assert short == [long.planner.plan(node, number) for number in range(4) for node in range(12)]
