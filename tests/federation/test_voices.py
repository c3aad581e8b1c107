"""A node gives its voice to one claim a term, whatever else it is asked."""

import numpy as np
import pytest

import toy
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.effects import Around, Numbers
from coterie.federation.flows.succession import asked
from coterie.federation.membership import Membership
from coterie.federation.messages import CLAIM, Notice
from coterie.federation.state import RoundState
from coterie.federation.succession import Ballot


def voiced(ballot: Ballot, claimer: int, term: int, *, asks: bool = True) -> Ballot:
    """What node 3 of five remembers once `claimer` has asked for its voice in `term`, or gives that up; nobody is missed."""
    shape = toy.federation(5, "full", "semi-decentralized", membership=Membership())
    numbers = Handle(np.zeros(2, np.float32)) if asks else None
    claim = Notice(2, NodeId(claimer), numbers, phase=CLAIM, attempt=term)
    flow = asked(NodeId(3), shape, ballot, RoundState(2, toy.initial(), held=False), claim)
    answer = None
    while True:
        try:
            effect = flow.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = {Around: (), Numbers: (0, 0)}[type(effect)]


@pytest.mark.parametrize(("claimer", "term", "given"), [
    (1, 3, True),  # to whom it was promised: once more, should it not have been heard
    (2, 3, False),  # to another in the same term: never
    (2, 2, False),
    (2, 4, True),
])  # fmt: skip
def test_one_voice_a_term(claimer, term, given):
    before = Ballot(promised=3, to=NodeId(1))
    after = voiced(before, claimer, term)
    assert (after.answer is not None) == given
    assert (after.promised, after.to) == ((term, claimer) if given else (3, 1))


@pytest.mark.parametrize(("claimer", "term", "free"), [(1, 3, True), (1, 2, False), (2, 3, False)])
def test_a_claim_that_is_given_up_sets_its_voters_free(claimer, term, free):
    before = Ballot(promised=3, to=NodeId(1))
    after = voiced(before, claimer, term, asks=False)
    assert (after.promised, after.answer) == (0 if free else 3, None)
