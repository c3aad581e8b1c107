"""What a step of the protocol asks the executor for."""

import numpy as np

import toy
from coterie.core.ids import NodeId
from coterie.core.jobs import Handle
from coterie.federation.messages import EXCHANGE, Model, Update


def state():
    return toy.federation(3).initially(NodeId(0), toy.initial())


def test_nobody_weighs_more_than_the_samples_it_is_known_to_have():
    federation = toy.federation(3)
    updates = tuple(Update(0, NodeId(origin), Handle(np.zeros(5)), weight=weight) for origin, weight in ((0, 1), (1, 10**12), (2, 0)))
    assert federation.aggregate(NodeId(0), state(), updates).args[0] == (1.0, 1.0, 0.0)
    claimed = []
    shape = toy.federation(3, architecture="decentralized")
    object.__setattr__(shape, "mixing", lambda me, others, samples, degrees: claimed.append(samples) or (0.5, 0.5))
    shape.mix(NodeId(0), state(), (Model(0, NodeId(1), Handle(np.zeros(5)), weight=10**12, phase=EXCHANGE),))
    assert claimed == [(1, 1)]


def test_the_share_that_took_part_is_of_all_who_ever_train():
    federation = toy.federation(4, participation=("number", {"count": 2}))
    updates = tuple(Update(0, NodeId(origin), Handle(np.zeros(5)), weight=1) for origin in (1, 3))
    assert federation.aggregate(NodeId(0), state(), updates).args[2] == 0.5
