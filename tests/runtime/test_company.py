"""Nobody waits for ever: when there is no use in waiting any longer, and who can never meet."""

from types import SimpleNamespace

import pytest

import coterie
from coterie.runtime.company import OVER_SECONDS, Company
from coterie.runtime.register import Member, Register
from coterie.runtime.site import Site
from coterie.scenario.setup import Setup


def peer(place, *, streams=(), excluded=False, left=False):
    return SimpleNamespace(place=place, streams=list(streams), excluded=excluded, left=left)


@pytest.fixture
def clock():
    return SimpleNamespace(now=0.0)


def company(clock, *peers):
    return Company(peers, 100.0, lambda: clock.now)


def test_who_has_company_or_work_waits_on(clock):
    other = peer(1, streams=["a stream"])
    found = company(clock, other, peer(2))
    clock.now = 1000.0
    assert not found.lack(busy=False)
    other.streams.clear()
    clock.now = 2000.0
    assert not found.lack(busy=True)
    clock.now = 2099.0
    assert not found.lack(busy=False)
    clock.now = 2101.0
    assert "no other member could be reached for 100 s" in found.lack(busy=False)


def test_where_all_others_have_finished_it_is_over_at_once(clock):
    found = company(clock, peer(1, left=True), peer(2, left=True), peer(3, excluded=True))
    assert not found.lack(busy=False)
    clock.now = OVER_SECONDS
    assert "all other members have finished it without this node" in found.lack(busy=False)


def test_who_failed_may_come_back(clock):
    found = company(clock, peer(1, left=True), peer(2, left=True))
    found.failed.add(2)
    clock.now = 99.0
    assert not found.lack(busy=False)
    clock.now = 100.0
    assert "could be reached" in found.lack(busy=False)


def test_who_is_alone_by_the_scenario_waits_for_nobody(clock):
    found = company(clock, peer(1, excluded=True))
    clock.now = 1e9
    assert not found.lack(busy=False)


@pytest.mark.parametrize(("architecture", "topology", "apart"), [("decentralized", "full", (1, 3)), ("centralized", "star", None)])
def test_two_that_cannot_be_dialled_must_not_be_neighbours(architecture, topology, apart):
    setup = Setup(coterie.Scenario(task="digits", nodes=4, architecture=architecture, topology=topology, until=1))
    register = Register("f", 1, [Member(0, "a", "a:1"), Member(1, "b"), Member(2, "c", "c:1"), Member(3, "d")])
    site = SimpleNamespace(setup=setup)
    assert Site.apart(site, register, [0, 1, 2, 3]) == apart
    assert Site.apart(site, register, [0, 1, 2]) is None
