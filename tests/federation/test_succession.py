"""Agreement on who aggregates next: votes as data, and random faults under which two must never act in one term."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toy
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.environments.faults import Crash, Delay, Loss, Partition, Pause
from coterie.federation.membership import Membership
from coterie.federation.messages import VIEW, Notice
from coterie.federation.node import Node
from coterie.federation.saved import Packer, Unpacker
from coterie.federation.state import RoundState, View
from coterie.federation.succession import Ballot, Vote, acting, following, majority, numbers_of, rank, view_from
from coterie.simulator.injections import Injection

OLD, NEW = Handle(np.zeros(5, np.float32)), Handle(np.ones(5, np.float32))
VIEW_2 = View(2, (NodeId(1),), 7, NodeId(2), 1)


def state(number, *, held, term=1, update=None, **more) -> RoundState:
    """At the head of round `number`, with its model or with that of the round before, which was published in `term`."""
    has = (term, number if held else number - 1)
    return RoundState(number, OLD, held=held, view=View(term), update=update, has=has, **more)


def test_a_majority_is_more_than_half():
    assert [majority(nodes) for nodes in (1, 2, 3, 4, 5)] == [1, 2, 2, 3, 3]


def test_a_voice_counts_once_and_the_later_view_has_more_than_the_later_round():
    ballot = Ballot().vote(Vote(NodeId(1), 0, 9)).vote(Vote(NodeId(2), 1, 3)).vote(Vote(NodeId(1), 0, 9))
    assert [vote.node for vote in ballot.votes] == [1, 2]
    assert ballot.best().node == 2  # what the other has may be void


def test_who_goes_back_does_not_take_its_void_model_for_an_older_one():
    """It waits for the model of round 7, and what it has is still the void one of round 9, which an election may find."""
    after = following(state(9, held=True), VIEW_2)
    assert (after.round, after.held, after.has) == (7, False, (1, 9))
    assert acting(after, VIEW_2._replace(base=0), NEW).update is None


def test_who_trained_on_the_very_model_of_a_view_has_it_by_its_new_name():
    assert following(state(8, held=False, update=NEW), VIEW_2).has == (2, 7)


def test_candidates_claim_in_the_order_of_the_rotation():
    assert [rank(NodeId(node), [0, 2, 3], 2) for node in (2, 3, 0, 1)] == [0, 1, 2, 3]


def test_who_has_trained_on_the_views_first_model_sends_its_update_again():
    after = following(state(8, held=False, update=NEW), VIEW_2)
    assert (after.round, after.update, after.again) == (8, NEW, True)


@pytest.mark.parametrize(
    "before",
    [
        state(8, held=False, update=NEW, term=0),  # it missed a view, so its update may be of a model that is void
        state(9, held=False, update=NEW),  # of a later round, which is void
        state(8, held=True),  # a model that only a minority took
    ],
)
def test_what_is_void_is_dropped(before):
    after = following(before, VIEW_2)
    assert (after.round, after.held, after.update, after.again) == (7, False, None, False)


def test_the_holder_keeps_its_server_state_only_where_it_aggregated_last():
    same = acting(state(7, held=True, server=NEW), VIEW_2, OLD)
    other = acting(state(8, held=False, server=NEW, update=NEW), VIEW_2, OLD)
    assert (same.server, same.held, same.round) == (NEW, True, 7)
    assert (other.server, other.held, other.round, other.update) == (None, True, 7, NEW)
    assert same.has == other.has == (2, 7)


def test_views_travel_as_numbers():
    assert view_from(2, 7, numbers_of(VIEW_2), 4) == VIEW_2


@pytest.mark.parametrize("numbers", [[], [1], [2, 2], [1, 4], [1, -1], [1, 2, 9], [1, 2, 2]])
def test_numbers_that_are_no_view(numbers):
    assert view_from(2, 7, numbers, 4) is None


def test_a_ballot_survives_a_checkpoint():
    ballot = Ballot(3, NodeId(1), (NodeId(2),), (Vote(NodeId(1), 1, 4, NEW),), 2).saying(
        Notice(4, NodeId(1), OLD, phase=VIEW), (NodeId(0),)
    )
    packer, unpacker = Packer(), Unpacker()
    again = unpacker.unpack(packer.pack(ballot))
    assert (again.promised, again.to, again.absent, again.ticks, again.to_whom) == (3, 1, (2,), 2, (0,))
    assert again.votes[0][:3] == (1, 1, 4)
    assert (again.answer.phase, again.answer.round) == (VIEW, 4)


AT = {"at_seconds": st.floats(0, 4), "for_seconds": st.sampled_from([0.1, 0.5, 1.5, 4.0])}
FAULTS = st.one_of(
    st.builds(lambda node, **when: Injection(kind=Crash(), nodes=(node,), **when), st.integers(0, 4), **AT),
    st.builds(lambda node, **when: Injection(kind=Pause(), nodes=(node,), **when), st.integers(0, 4), **AT),
    st.builds(
        lambda side, one_way, **when: Injection(kind=Partition(one_way=one_way), nodes=tuple(sorted(side)), **when),
        st.sets(st.integers(0, 4), min_size=1, max_size=4),
        st.booleans(),
        **AT,
    ),
    st.builds(lambda share, **when: Injection(kind=Loss(share=share), **when), st.sampled_from([0.01, 0.1]), **AT),
    st.builds(lambda **when: Injection(kind=Delay(share=0.3), **when), **AT),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(FAULTS, min_size=1, max_size=3), st.integers(0, 2**20))
def test_two_never_aggregate_in_one_term_and_all_end_with_one_model(faults, seed):
    membership = Membership(interval_seconds=0.2, deadline_seconds=30.0)
    shape = toy.federation(5, "full", "semi-decentralized", seconds=[0.1, 0.3, 0.2, 0.4, 0.25], membership=membership)
    run = toy.faulty(shape, faults, 6, seed=seed)
    who, begun = defaultdict(set), run.begun

    def watched(node: Node, job):
        if job.function == "aggregate":
            who[node.root.state.view.term, job.round].add(node.id)
        return begun(node, job)

    run.begun = watched
    run.start()
    run.run(until=lambda: run.now > 300)
    assert all(len(nodes) == 1 for nodes in who.values())
    assert run.now <= 300
    assert len({toy.results(run)[node] for node in run.results}) == 1
    assert len(run.results) >= 3  # with half of the messages lost at the very end, one may be left that gives up
