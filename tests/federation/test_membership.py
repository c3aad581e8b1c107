"""The failure detector's arithmetic, what a node knows of its peers, and whom it waits for."""

from coterie.core.ids import NodeId
from coterie.federation.delivery import Delivery
from coterie.federation.effects import Gather
from coterie.federation.membership import Pulse
from coterie.federation.messages import BEAT, EXCHANGE, UPDATES, Goodbye, Hello, Model, Update
from coterie.federation.presence import MOST_TERMS, Presence, away, furthest

ME, ANN, BOB = (NodeId(i) for i in range(3))
PATIENCE = 4.0


def after(pulse: Pulse, heard: str) -> Pulse:
    """One interval for each letter: x where it was heard of."""
    for sign in heard:
        pulse = pulse.next(sign == "x", PATIENCE)
    return pulse


def silence_until_gone(pulse: Pulse) -> int:
    return next(count for count in range(1, 1000) if (after(pulse, "." * count)).silent > after(pulse, "." * count).bound(PATIENCE))


def test_a_regular_peer_is_missed_after_the_floor():
    assert silence_until_gone(after(Pulse(ANN), "x" * 50)) == 4


def test_an_irregular_peer_is_given_more_time():
    assert silence_until_gone(after(Pulse(ANN), "x...x.x..x....x.x...x" * 5)) > 6


def test_a_crash_does_not_teach_sloth():
    pulse = after(Pulse(ANN), "x" * 50)
    assert silence_until_gone(after(pulse, "." * 500 + "x")) < 12


def beat(number: int, term: int = 0, promised: int = 0, of: NodeId = ANN) -> Hello:
    found = Hello(number, of, phase=BEAT, attempt=promised)
    found.term = term
    return found


def test_heartbeats_tell_where_a_peer_is():
    presence = Presence()
    assert presence.hear(ANN, beat(3))
    assert not presence.hear(ANN, beat(2, 1, 4))  # it may go back: it has lost its disk, or a view began anew
    assert presence.around() == ((ANN, 2, 1, 4, False, -1),)
    assert (presence.heard(), presence.heard()) == ((ANN,), ())


def test_an_acknowledgement_is_no_sign_of_life():
    presence = Presence()
    presence.hear(ANN, beat(3))
    assert presence.heard() == (ANN,)
    presence.hear(ANN, Hello(0, ANN, attempt=7))
    assert presence.heard() == ()
    assert presence.around()[0][:4] == (ANN, 3, 0, 0)


def test_terms_beyond_reason_are_not_believed():
    presence = Presence()
    presence.hear(ANN, beat(3, MOST_TERMS, MOST_TERMS))
    assert presence.around() == ((ANN, 3, -1, 0, False, -1),)


def test_who_said_goodbye_is_back_when_it_speaks_in_a_later_view():
    presence = Presence()
    presence.gone[ANN] = 5
    presence.hear(ANN, beat(5, 0))
    assert away(presence.around()) == {ANN: 5}
    presence.hear(ANN, beat(4, 1))
    assert away(presence.around()) == {}


def test_the_furthest_is_asked_for_by_view():
    presence = Presence()
    presence.hear(ANN, beat(9, 0))
    presence.hear(BOB, Goodbye(3, BOB))
    assert (furthest(presence.around()), furthest(presence.around(), 1)) == (9, -1)


def test_nobody_waits_for_the_model_of_a_neighbour_that_is_further():
    presence = Presence()
    presence.hear(ANN, beat(4))
    presence.hear(BOB, beat(3, of=BOB))
    exchange = Gather(Model, 3, 3, frozenset((ANN, BOB)), phase=EXCHANGE)
    assert presence.released(exchange, {ANN, BOB}) == {ANN}
    updates = Gather(Update, 3, 3, frozenset((ANN, BOB)), phase=UPDATES)
    assert presence.released(updates, {ANN, BOB}) == set()  # who is one further has sent its update, which may be on its way
    presence.suspected.add(BOB)
    assert presence.released(updates, {ANN, BOB}) == {BOB}


def test_what_is_known_survives_a_checkpoint():
    presence, again = Presence(), Presence()
    presence.hear(ANN, beat(4, 2, 3))
    presence.gone[BOB] = 1
    presence.suspected.add(ANN)
    again.restored(presence.saved())
    assert again.around() == presence.around()
    assert again.heard() == (ANN,)


def test_only_the_newest_of_each_kind_is_kept_for_who_is_away():
    delivery = Delivery(1)
    for number in range(5):
        delivery.post(ANN, Model(number, ME, phase=EXCHANGE), (), newest_only=True)
        delivery.post(ANN, Update(number, ME), (), newest_only=True)
    kept = [message for _, message, _ in delivery.repeats(ANN) if message.__class__ is not Hello]
    assert [(message.__class__, message.round) for message in kept] == [(Model, 4), (Update, 4)]
    assert [ticket[1] for ticket, _, _ in delivery.repeats(ANN)] == list(range(1, 11))  # without gaps


def test_who_comes_back_with_nothing_is_sent_the_newest_of_each_kind_once_more():
    sender, receiver = Delivery(1), Delivery(1)
    for number in range(3):
        assert receiver.arrived(ME, sender.post(ANN, Model(number, ME), ()))
    receiver.kept()
    sender.arrived(ANN, receiver.ticket(receiver.link(ME), 0))
    assert sender.settled()
    fresh = Delivery(2)
    late = sender.post(ANN, Update(2, ME), ())
    assert not fresh.arrived(ME, late)  # numbered for a life that it knows nothing of
    sender.arrived(ANN, fresh.ticket(fresh.link(ME), 0))
    again = sender.repeats(ANN)
    assert [(message.__class__, message.round) for _, message, _ in again] == [(Model, 2), (Update, 2)]
    assert all(fresh.arrived(ME, ticket) for ticket, _, _ in again)
    fresh.kept()
    sender.arrived(ANN, fresh.ticket(fresh.link(ME), 0))
    assert sender.settled()


def test_who_comes_back_with_its_disk_is_sent_only_what_it_has_not_kept():
    sender, receiver = Delivery(1), Delivery(1)
    assert receiver.arrived(ME, sender.post(ANN, Model(0, ME), ()))
    receiver.kept()
    sender.arrived(ANN, receiver.ticket(receiver.link(ME), 0))
    receiver.incarnation = 2
    sender.post(ANN, Model(1, ME), ())
    sender.arrived(ANN, receiver.ticket(receiver.link(ME), 0))
    assert [message.round for _, message, _ in sender.repeats(ANN)] == [1]
