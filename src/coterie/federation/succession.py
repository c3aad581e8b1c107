"""Who aggregates next when the node whose turn it is has gone: agreement on views by a majority, as data and pure rules.

A node that cannot go on asks the others for their voices in a new view (CLAIM); each gives its voice (PROMISE) to one node a term at
the most; with the voices of a majority the view is decided and announced (VIEW), and its holder publishes a model once a majority stands
in it. That is how Raft elects a leader (Ongaro and Ousterhout 2014, "In search of an understandable consensus algorithm"), with a round's
model in place of a log: a model is known by the term it was published in and its round (`RoundState.has`), and that of the later term, in
one term that of the later round, is more. In which view a node stands says nothing about the model it has.

Invariants. A majority is of all nodes of the federation, absent ones too; so it is one of the members of any view.

1. A node's promised term is never less than its view's and never falls, save that it may give up a claim of its own, and is then free
   as are those who gave it their voices, when they are told: no term is claimed twice, so nobody will ever count them. It promises
   a term to one node at the most, keeps that in a checkpoint before it answers, and from then on takes in nothing of an earlier term
   that belongs to a round.
2. A view of a term is announced only by the node to which a majority promised that term. So there is one view of a term, with one holder
   of its first model, and its plan names one aggregator for each of its rounds: two never act in one term.
3. A holder publishes a model only when a majority stands in its view. Who stands in a view, or has promised a later term, takes nothing
   from an earlier one, and gives its voice to nobody who stands in an earlier one. So a view is acted in only until a majority has
   promised a later term, and every later view that is decided follows it.
4. The first model of a view is that of the one who has most, of the majority that it was promised by. A model that a majority has taken
   is never lost, since every majority has somebody who has it; what only a minority took is void, and whoever took it goes back: what
   it then has is still called what it is.
5. Whoever has trained on that very model sends its update again to the holder: no update of the round is lost, and none is used in two
   rounds of one history.

A node that loses its disk has forgotten its promises: it gives no voice before it has heard from the federation again, and counts as
one more failure that a majority must stand without.
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.messages import Notice
from coterie.federation.presence import MOST_TERMS
from coterie.federation.state import RoundState, View

NOBODY = NodeId(-1)
CLAIM_TICKS = 4
"""A claim is repeated so many intervals before a new one is made, in a further term; and so long candidates wait for one another."""


class Vote(NamedTuple):
    """One voice for a claim: who gave it, which model it has (term, round), and that model if it has more than the claimer."""

    node: NodeId
    term: int
    round: int
    model: Handle | None = None


class Ballot(msgspec.Struct, frozen=True, gc=False):
    """What a node remembers of votes.

    promised, to: the newest term in which it has promised its voice, and to whom. absent, votes: of its own claim, if that is it.
    ticks: for how many intervals it has been in trouble since the last claim that it knows of. answer, to_whom: what is still to be said.
    trouble, at: for how many in all, and in which round that was. claimed: the last term in which it has asked for voices itself.
    """

    promised: int = 0
    to: NodeId = NOBODY
    absent: tuple[NodeId, ...] = ()
    votes: tuple[Vote, ...] = ()
    ticks: int = 0
    answer: Notice | None = None
    to_whom: tuple[NodeId, ...] = ()
    trouble: int = 0
    at: int = 0
    claimed: int = 0

    def promising(self, term: int, to: NodeId, absent: tuple[NodeId, ...] = ()) -> "Ballot":
        """With its voice given to another node, or with a claim of its own, without that of `absent`, or with a claim given up."""
        return replace(self, promised=term, to=to, absent=absent, votes=(), ticks=0)

    def troubled(self, state: RoundState) -> "Ballot":
        """One interval more in trouble."""
        return replace(self, ticks=self.ticks + 1, trouble=self.trouble + 1 if state.round == self.at else 1, at=state.round)

    def vote(self, vote: Vote) -> "Ballot":
        """With one voice more for the own claim, or the same once more."""
        others = tuple(one for one in self.votes if one.node != vote.node)
        return replace(self, votes=tuple(sorted((*others, vote), key=lambda one: one.node)))

    def saying(self, answer: Notice | None, to_whom: tuple[NodeId, ...]) -> "Ballot":
        """With something to be said, once this is kept."""
        return self if answer is None else replace(self, answer=answer, to_whom=to_whom)

    def best(self) -> Vote:
        """Who has most."""
        return max(self.votes, key=lambda one: one[1:3])


def majority(nodes: int) -> int:
    """How many of so many are more than half."""
    return nodes // 2 + 1


def rank(me: NodeId, candidates: Sequence[int], first: int) -> int:
    """How many are to claim before `me`, where `first` is next in the rotation."""
    if me not in candidates:
        return len(candidates)
    start = candidates.index(first) if first in candidates else 0
    return (candidates.index(me) - start) % len(candidates)


def acting(state: RoundState, view: View, model: Handle) -> RoundState:
    """The state of the holder of `view`, with the model that it begins with."""
    same = state.has == (view.base, view.round)
    goes_on = same and state.held
    return replace(
        state,
        round=view.round,
        model=model,
        held=True,
        mixing=False,
        view=view,
        server=state.server if goes_on else None,
        rule=state.rule if goes_on else None,
        update=state.update if same and not state.held else None,
        again=False,
        asked=(),
        has=(view.term, view.round),
    )


def following(state: RoundState, view: View) -> RoundState:
    """The state of any other node in `view`: it has an update of the view's first round, from the very model, or waits for that model."""
    if state.has == (view.base, view.round) and state.update is not None and not state.held:
        return replace(state, view=view, again=True, has=(view.term, view.round))
    return replace(
        state,
        round=min(state.round, view.round),
        held=False,
        mixing=False,
        view=view,
        server=None,
        rule=None,
        update=None,
        again=False,
        asked=(),
    )


def numbers_of(view: View) -> list[int]:
    """A view as numbers, for the wire; its term and round travel beside."""
    return [view.base, view.holder, *view.absent]


def view_from(term: int, number: int, numbers: Sequence[int], nodes: int) -> View | None:
    """The way back; None where the numbers are none."""
    if not term < MOST_TERMS or len(numbers) < 2 or not 0 <= numbers[0] < term or not 0 <= numbers[1] < nodes:
        return None
    absent = numbers[2:]
    if not all(0 <= node < nodes for node in absent) or numbers[1] in absent:
        return None
    return View(term, tuple(map(NodeId, absent)), number, NodeId(numbers[1]), numbers[0])
