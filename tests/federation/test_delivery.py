"""Whatever is lost, repeated or late, and whoever restarts: each message is taken exactly once in the end."""

from hypothesis import given
from hypothesis import strategies as st

from coterie.core.ids import NodeId
from coterie.federation.delivery import Delivery
from coterie.federation.messages import Text

A, B = NodeId(0), NodeId(1)


@given(st.lists(st.sampled_from(["send", "lose", "deliver", "swap", "repeat", "keep", "ack"]), max_size=60), st.integers(0, 20))
def test_every_message_arrives_exactly_once_after_a_repeat(steps, extra):
    sender, receiver = Delivery(1), Delivery(1)
    on_the_way, taken, sent = [], [], 0
    for step in (*steps, *["send"] * extra):
        if step == "send":
            on_the_way.append((sender.post(B, Text(sent, A), ()), sent))
            sent += 1
        elif step == "lose" and on_the_way:
            on_the_way.pop(0)
        elif step == "swap" and len(on_the_way) > 1:
            on_the_way.append(on_the_way.pop(0))
        elif step == "deliver" and on_the_way:
            ticket, number = on_the_way.pop(0)
            if receiver.arrived(A, ticket):
                taken.append(number)
        elif step == "repeat":
            on_the_way.extend((ticket, message.round) for ticket, message, _ in sender.repeats(B))
        elif step == "keep":
            receiver.kept()
        elif step == "ack":
            sender.arrived(B, receiver.ticket(receiver.link(A), 0))
    for ticket, message, _ in sender.repeats(B):  # the connection is back: everything unacknowledged comes once more
        if receiver.arrived(A, ticket):
            taken.append(message.round)
    assert sorted(taken) == list(range(sent))
    receiver.kept()
    sender.arrived(B, receiver.ticket(receiver.link(A), 0))
    assert sender.settled()


def test_what_is_not_in_a_checkpoint_is_not_acknowledged():
    sender, receiver = Delivery(1), Delivery(1)
    assert receiver.arrived(A, sender.post(B, Text(0, A), ()))
    sender.arrived(B, receiver.ticket(receiver.link(A), 0))
    assert not sender.settled()
    receiver.kept()
    assert receiver.owed() == [A]
    sender.arrived(B, receiver.ticket(receiver.link(A), 0))
    assert sender.settled()
    assert receiver.owed() == []


def test_an_acknowledgement_of_an_earlier_life_counts_for_nothing():
    receiver = Delivery(1)
    first = Delivery(1)
    assert receiver.arrived(A, first.post(B, Text(0, A), ()))
    receiver.kept()
    stale = receiver.ticket(receiver.link(A), 0)
    second = Delivery(2)
    second.post(B, Text(0, A), ())
    second.arrived(B, stale)
    assert not second.settled()
