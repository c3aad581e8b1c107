"""Nodes that only adopt the last model need no flow; what comes of them is what their flow would have made."""

import numpy as np
import pytest

import toy
from coterie.federation.schedule import Schedule
from coterie.federation.state import replace
from coterie.simulator.trace import TraceDigest

SOME = {"participation": ("number", {"count": 3})}
SHAPES = {
    "star": {"architecture": "centralized", **SOME},
    "star that looks seldom": {"architecture": "centralized", "evaluate_every": 100, **SOME},
    "star of everybody": {"architecture": "centralized"},
    "aggregator that moves": {"architecture": "semi-decentralized", "hands_over": True, **SOME},
    "late updates": {"architecture": "semi-decentralized", "schedule": Schedule(0.5, staleness_rounds=1), **SOME},
    "proxies": {"topology": "ring", "architecture": "centralized", "roles": "proxies", **SOME},
    "asynchronous": {"architecture": "centralized", "schedule": Schedule(0.0, staleness_rounds=2, asynchronous=True, buffer=2), **SOME},
    "not everybody is told": {"architecture": "centralized", "everyone": False, **SOME},
}


class Diary(toy.Silent):
    """A recorder that keeps what is reported, and when rounds end."""

    def __init__(self):
        super().__init__()
        self.lines = []

    def reported(self, time, node, round, facts):
        self.lines.append((time, int(node), round))

    def round_done(self, time, round):
        self.lines.append((time, "round", round))

    def refused(self, time, node, refusal):
        self.lines.append((time, int(node), str(refusal.problem)))


def run_of(shape, *, flows, rounds=4):
    """A finished run, and how many flows were begun; `flows`: also for nodes that only adopt the last model."""
    settings = dict(SHAPES[shape])
    if settings.get("roles") == "proxies":
        settings["roles"] = toy.Roles(toy.rule([0]), toy.rule(range(12)), proxy=toy.rule(range(12)))
    federation = toy.federation(12, **settings)
    object.__setattr__(federation, "tests", np.arange(12) % 3)
    run = toy.simulator(federation, rounds)
    run.recorder, run.digest, begun, wake = Diary(), TraceDigest(), [], run._wake
    run._wake = lambda node: begun.append(node) or wake(node)
    if flows:
        run.trace = lambda *_: None
    run.start()
    run.run()
    return run, len(begun)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_becomes_of_them_is_what_their_flow_would_have_made(shape):
    (short, few), (long, many) = (run_of(shape, flows=flows) for flows in (False, True))
    assert toy.results(short) == toy.results(long)
    assert sorted(map(str, short.recorder.lines)) == sorted(map(str, long.recorder.lines))
    assert (short.finished_at, short.events, short.timeline.messages) == (long.finished_at, long.events, long.timeline.messages)
    assert (short.digest.hexdigest(), short.results.keys()) == (long.digest.hexdigest(), long.results.keys())
    assert (short.heads.saved(), short.resting.saved()[0]) == (long.heads.saved(), long.resting.saved()[0])
    last = [[replace(run.results[node], model=None, client=None, server=None, rule=None) for node in run.results] for run in (short, long)]
    assert last[0] == last[1]
    assert few < many if "star" in shape and "everybody" not in shape else few <= many
