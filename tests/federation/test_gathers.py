"""Gathers: what closes them, what they take, and what a mailbox refuses."""

import pytest

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.effects import (
    FOREVER,
    Absent,
    Checkpoint,
    Gather,
    Sleep,
    beside,
)
from coterie.federation.messages import EXCHANGE, Goodbye, Model, Text, Update
from coterie.federation.state import RoundState, View
from federation.alone import ANN, BOB, CAT, gathering, node_running, origins


def test_a_synchronous_gather_waits_for_everybody_and_orders_by_origin():
    node, driver = node_running(gathering())
    for peer in (CAT, ANN):
        node.deliver(peer, Update(0, peer))
    assert not driver.over
    node.deliver(BOB, Update(0, BOB))
    assert origins(driver.result) == [ANN, BOB, CAT]


def test_messages_that_came_first_are_found_and_later_rounds_stay():
    async def flow(me, federation, state):
        await Gather(Text, 0, 0, frozenset((CAT,)))
        first = await Gather(Update, 0, 0, frozenset((ANN, BOB)))
        second = await Gather(Update, 1, 1, frozenset((ANN, BOB)))
        return origins(first), origins(second)

    node, driver = node_running(flow)
    for number in (1, 0):
        for peer in (BOB, ANN):
            node.deliver(peer, Update(number, peer))
    node.deliver(CAT, Text(0, CAT))
    assert driver.result == ([ANN, BOB], [ANN, BOB])


def test_one_sender_twice_is_not_everybody():
    node, driver = node_running(gathering())
    for attempt in range(3):
        node.deliver(ANN, Update(0, ANN, attempt=attempt))
    assert not driver.over


def test_a_quorum_with_grace_closes_at_the_timer_or_when_all_are_there():
    for all_answer in (False, True):
        node, driver = node_running(gathering(need=2, grace_seconds=5.0))
        node.deliver(ANN, Update(0, ANN))
        assert driver.timers == []
        node.deliver(BOB, Update(0, BOB))
        ((seconds, flow, token),) = driver.timers
        assert seconds == 5.0
        assert not driver.over
        if all_answer:
            node.deliver(CAT, Update(0, CAT))
        else:
            node.ring(flow, token)
        assert origins(driver.result) == ([ANN, BOB, CAT] if all_answer else [ANN, BOB])


def test_a_quorum_without_grace_closes_at_once():
    node, driver = node_running(gathering(need=2))
    node.deliver(CAT, Update(0, CAT))
    node.deliver(ANN, Update(0, ANN))
    assert origins(driver.result) == [ANN, CAT]


def test_a_deadline_closes_with_what_is_there_and_never_raises():
    node, driver = node_running(gathering(deadline_seconds=9.0))
    ((_, flow, token),) = driver.timers
    node.ring(flow, token)
    assert driver.result == ()


def test_an_old_timer_finds_nobody():
    async def flow(me, federation, state):
        await Gather(Update, 0, 0, frozenset((ANN,)), deadline_seconds=9.0)
        return await Gather(Update, 1, 1, frozenset((ANN,)), deadline_seconds=9.0)

    node, driver = node_running(flow)
    _, number, token = driver.timers[0]
    node.deliver(ANN, Update(0, ANN))
    node.ring(number, token)
    assert not driver.over


@pytest.mark.parametrize("how", ["absent", "goodbye"])
def test_who_is_gone_is_not_waited_for(how):
    async def flow(me, federation, state):
        return await Gather(Update, 2, 2, frozenset((ANN, BOB)))

    async def detector(me, federation, state):
        await Sleep(1.0)
        await Absent(frozenset((BOB,)))

    async def main(me, federation, state):
        async with beside(detector, me, federation, None):
            return await flow(me, federation, state)

    node, driver = node_running(main if how == "absent" else flow)
    node.deliver(ANN, Update(2, ANN))
    if how == "absent":
        ((_, number, token),) = driver.timers
        node.ring(number, token)
    else:
        node.deliver(BOB, Goodbye(3, BOB))
        assert not driver.over  # it goes after round 2, whose update may still come
        node.deliver(BOB, Goodbye(2, BOB))
    assert origins(driver.result) == [ANN]


def test_duplicates_strangers_old_terms_stale_rounds_and_floods_are_refused_with_their_reason():
    async def flow(me, federation, state):
        await Checkpoint(RoundState(3, Handle(0), held=True, view=View(2)))
        await Gather(Model, 9, 9, frozenset((ANN,)))

    node, driver = node_running(flow)
    cases = [Update(3, NodeId(7)), Update(2, ANN), Update(3, ANN), Update(3, ANN)]
    cases[0].term = cases[1].term = cases[2].term = cases[3].term = 2
    old = Update(4, BOB)
    old.term = 1
    for message in (*cases, old):
        node.deliver(ANN, message)
    assert driver.refusals() == ["stranger", "stale", "duplicate", "old term"]
    for number in range(1000):
        message = Update(5 + number, BOB)
        message.term = 2
        node.deliver(BOB, message)
    assert driver.refusals().count("flood") == 1000 - 256


def test_the_wrong_phase_or_sender_is_not_taken():
    async def flow(me, federation, state):
        return await Gather(Update, 0, 0, None, need=1, phase=1, accepts=lambda message: message.origin == ANN)

    node, driver = node_running(flow)
    node.deliver(ANN, Update(0, ANN))
    node.deliver(BOB, Update(0, BOB, phase=1))
    assert not driver.over
    node.deliver(ANN, Update(0, ANN, phase=1))
    assert origins(driver.result) == [ANN]


def test_a_gather_takes_no_more_than_it_asks_for_and_leaves_the_rest_to_the_next():
    async def flow(me, federation, state):
        await Sleep(1.0)
        first = await Gather(Update, 0, FOREVER, None, need=2, most=2)
        return first, await Gather(Update, 0, FOREVER, None, need=1)

    node, driver = node_running(flow)
    for origin in (CAT, BOB, ANN):
        node.deliver(origin, Update(0, origin))
    ((_, number, token),) = driver.timers
    node.ring(number, token)
    first, second = driver.result
    assert [update.origin for update in first] == [BOB, CAT]  # those that came first, in order of origin
    assert [update.origin for update in second] == [ANN]


def test_what_is_late_is_taken_in_but_answers_for_nothing():
    async def flow(me, federation, state):
        return await Gather(Update, 1, 2, None, need=1, since=2, awaited=frozenset((ANN, BOB)))

    node, driver = node_running(flow)
    node.deliver(ANN, Update(1, ANN))
    assert not driver.over
    node.deliver(BOB, Update(2, BOB))
    assert [(update.origin, update.round) for update in driver.result] == [(ANN, 1), (BOB, 2)]


def test_a_newer_model_takes_the_place_of_one_that_waits_and_counts_once():
    async def flow(me, federation, state):
        return await Gather(Model, 0, FOREVER, frozenset((ANN, BOB)), need=2, phase=EXCHANGE)

    node, driver = node_running(flow, newest_only=True)
    for number in (0, 1):
        node.deliver(ANN, Model(number, ANN, phase=EXCHANGE))
    assert not driver.over
    node.deliver(BOB, Model(0, BOB, phase=EXCHANGE))
    assert [(model.origin, model.round) for model in driver.result] == [(ANN, 1), (BOB, 0)]
