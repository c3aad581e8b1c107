"""The node without IO: children, the outbox, and a restart from its journal."""

import pytest

from coterie.federation import journal
from coterie.federation.effects import (
    FOREVER,
    Cancelled,
    Checkpoint,
    FlowFailed,
    Gather,
    Send,
    Sleep,
    beside,
)
from coterie.federation.messages import Text, Update
from coterie.federation.node import Node
from coterie.federation.saved import Packer, Unpacker
from federation.alone import ANN, BOB, ME, Bench, node_running, origins


def test_a_child_ends_with_its_parent_and_may_clean_up():
    traces = []

    async def child(me, federation, state):
        try:
            await Sleep(1000.0)
        except Cancelled:
            traces.append("cleaned")
            raise

    async def parent(me, federation, state):
        async with beside(child, me, federation, None):
            await Gather(Update, 0, 0, frozenset((ANN,)))
        return "done"

    node, driver = node_running(parent)
    assert len(node.flows) == 2
    node.deliver(ANN, Update(0, ANN))
    assert (driver.result, traces, node.flows) == ("done", ["cleaned"], {})


def test_a_childs_failure_reaches_its_parent_at_its_await():
    async def child(me, federation, state):
        await Sleep(1.0)
        raise KeyError("broken")

    async def parent(me, federation, state):
        async with beside(child, me, federation, None):
            try:
                await Gather(Update, 0, 0, frozenset((ANN,)))
            except FlowFailed as failure:
                return repr(failure.__cause__)

    node, driver = node_running(parent)
    ((_, number, token),) = driver.timers
    node.ring(number, token)
    assert driver.result == "KeyError('broken')"
    assert node.waits == []


def test_an_await_while_being_cancelled_is_our_own_bug():
    async def child(me, federation, state):
        try:
            await Sleep(1000.0)
        except Cancelled:
            await Sleep(1.0)

    async def parent(me, federation, state):
        async with beside(child, me, federation, None):
            await Sleep(0.0)

    node, driver = node_running(parent)
    with pytest.raises(RuntimeError, match="awaited an effect while it was being cancelled"):
        node.ring(*driver.timers[-1][1:])


def test_a_failed_root_reaches_the_driver():
    async def flow(me, federation, state):
        raise ValueError("no")

    _, driver = node_running(flow)
    assert isinstance(driver.problem, ValueError)


async def _counting(me, federation, state):
    """Adds up what ANN says, three numbers a round, for two rounds; a child says something at once."""
    async with beside(_greeter, me, federation, 5):
        number, total = state or (0, 0)
        while await Checkpoint((number, total)) and number < 2:
            for step in range(3):
                (text,) = await Gather(Text, number, number, frozenset((ANN,)), phase=step)
                total += text.weight
            number += 1
        return total


async def _greeter(me, federation, state):
    await Send((BOB,), Text(0, me, weight=state))
    await Sleep(FOREVER)


@pytest.mark.parametrize("cut", range(7))
def test_a_node_cut_after_any_message_goes_on_from_its_journal(cut):
    flows = {"_counting": _counting, "_greeter": _greeter}
    texts = [Text(number, ANN, weight=10 * number + step, phase=step) for number in range(2) for step in range(3)]
    node, driver = node_running(_counting)
    for text in texts[:cut]:
        node.deliver(ANN, text)
    if cut == 6:
        assert driver.over
        return
    packer = Packer()
    saved = packer.pack(journal.save(node))
    again_driver = Bench()
    again = Node(ME, 4, again_driver)
    journal.load(again, Unpacker().unpack(saved), lambda name, state: (flows[name], (ME, None, state)), again=False)
    assert again_driver.sent == []  # what was sent before the cut is not sent again
    for text in texts[cut:]:
        again.deliver(ANN, text)
    assert again_driver.result == sum(text.weight for text in texts)


def test_what_an_earlier_life_waited_for_finds_nobody_in_the_next():
    async def flow(me, federation, state):
        await Checkpoint("begin")
        await Sleep(1.0)
        return "rung"

    _, earlier = node_running(flow, durable=True, incarnation=1)
    node, driver = node_running(flow, durable=True, incarnation=2)
    (_, number, late), (_, again, token) = earlier.timers + driver.timers
    assert number == again
    node.ring(number, late)
    node.answer(number, late, None)
    assert not driver.over
    node.ring(number, token)
    assert driver.result == "rung"


def test_an_outbox_keeps_what_is_not_acknowledged_and_repeats_it():
    async def flow(me, federation, state):
        await Checkpoint("begin")
        for number in range(3):
            await Send((ANN,), Text(number, me))
        await Gather(Text, 0, 0, frozenset((ANN,)))
        await Checkpoint("end")
        await Sleep(FOREVER)

    node, driver = node_running(flow, durable=True, incarnation=1)
    assert [ticket[1] for _, _, _, ticket in driver.sent] == [1, 2, 3]
    driver.sent.clear()
    node.deliver(ANN, Text(0, ANN), ticket=(1, 1, 1, 2))  # acknowledges the first two
    node.repeat(ANN)
    assert [(message.round, ticket) for _, message, _, ticket in driver.sent] == [(2, (1, 3, 1, 1))]
    node.deliver(ANN, Text(0, ANN), ticket=(1, 1, 1, 3))
    assert driver.refusals() == ["repeat"]
    driver.sent.clear()
    node.repeat(ANN)
    assert driver.sent == []


def test_nothing_is_acknowledged_before_a_checkpoint_holds_it():
    async def flow(me, federation, state):
        await Checkpoint("begin")
        await Gather(Text, 1, 1, frozenset((ANN,)))
        await Send((ANN,), Text(0, me))
        await Checkpoint("later")
        await Send((ANN,), Text(1, me))
        await Sleep(FOREVER)

    node, driver = node_running(flow, durable=True, incarnation=1)
    node.deliver(ANN, Text(1, ANN), ticket=(4, 1, 0, 0))
    acknowledged = [ticket[2:] for _, _, _, ticket in driver.sent]
    assert acknowledged == [(4, 0), (4, 1)]


def test_a_peer_that_restarted_counts_anew_and_its_old_life_is_ignored():
    async def flow(me, federation, state):
        return await Gather(Text, 0, 9, frozenset((ANN,)), need=2)

    async def main(me, federation, state):
        await Checkpoint("x")
        first = await Gather(Text, 0, 0, frozenset((ANN,)))
        second = await Gather(Text, 1, 1, frozenset((ANN,)))
        return origins((*first, *second))

    node, driver = node_running(main, durable=True, incarnation=1)
    node.deliver(ANN, Text(0, ANN), ticket=(1, 1, 0, 0))
    node.deliver(ANN, Text(1, ANN), ticket=(2, 1, 0, 0))
    assert driver.result == [ANN, ANN]
    node.deliver(ANN, Text(2, ANN), ticket=(1, 2, 0, 0))
    assert driver.refusals() == ["repeat"]


def test_what_a_node_sends_to_itself_goes_to_another_of_its_flows():
    async def child(me, federation, state):
        for message in await Gather(Text, 0, 0, frozenset((ME,))):
            await Send((ANN,), Text(1, me, weight=message.weight))

    async def flow(me, federation, state):
        async with beside(child, me, federation, None):
            await Send((ME, BOB), Text(0, me, weight=7))

    _, driver = node_running(flow)
    assert [(to, message.round, message.weight) for to, message, *_ in driver.sent] == [((ANN,), 1, 7), ((BOB,), 0, 7)]
