"""Time in which a process did not run is held against nobody."""

import asyncio

import pytest

from coterie.core.ids import NodeId
from coterie.federation.effects import Gather
from coterie.federation.messages import Text
from coterie.federation.node import Node
from coterie.runtime.timers import Timers


class Stalled(asyncio.SelectorEventLoop):
    """A loop whose clock is set by hand: it runs what is due then, in order, and nothing in between."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def time(self):
        return self.now

    def goes_on_at(self, now):
        """Nothing ran until `now`."""
        self.now = now
        for _ in range(3):
            self.call_soon(self.stop)
            self.run_forever()


@pytest.fixture
def loop():
    made = Stalled()
    yield made
    made.close()


def test_a_timer_on_time_rings_then(loop):
    rung = []
    Timers(loop).after(2.0, lambda: rung.append(loop.now))
    loop.goes_on_at(1.99)
    assert not rung
    loop.goes_on_at(2.1)
    assert rung == [2.1]


@pytest.mark.parametrize(("late", "again"), [(0.3, 0.3), (1.5, 1.5), (60.0, 2.0)])
def test_one_that_is_much_too_late_is_set_once_more_for_as_long_as_it_was_late_and_no_longer(loop, late, again):
    rung = []
    Timers(loop).after(2.0, lambda: rung.append(loop.now))
    loop.goes_on_at(2.0 + late)
    loop.goes_on_at(2.0 + late + again - 0.01)
    assert not rung
    loop.goes_on_at(1000.0)  # late again: but it must end some time
    assert rung == [1000.0]


class Host:
    """What a node asks of its driver, as far as waiting goes."""

    def __init__(self, loop):
        self.timers = Timers(loop)

    def after(self, node, seconds, flow, token):
        self.timers.after(seconds, lambda: node.ring(flow, token))

    def __getattr__(self, name):
        return lambda *_: None


async def waiting(me, heard):
    for message in await Gather(Text, 0, 0, frozenset((NodeId(1), NodeId(2))), deadline_seconds=2.0):
        heard.append(int(message.origin))


def test_what_lay_in_the_socket_while_the_process_did_not_run_comes_before_the_deadline(loop):
    heard = []
    node = Node(NodeId(0), 3, Host(loop), journal=False)
    node.start(waiting, node.id, heard)
    loop.goes_on_at(60.0)  # the deadline is over
    node.deliver(NodeId(1), Text(0, NodeId(1)))  # then it is read what node 1 sent long before
    assert not heard
    loop.goes_on_at(62.1)
    assert heard == [1]
