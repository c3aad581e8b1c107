"""The votes of SentinelGlobal: trust by losses on the node's own data, and a majority that overrules it."""

import numpy as np
import pytest

import coterie
from coterie import aggregation
from coterie.scenario import Scenario
from coterie.trust import Detection, Guard, Ledger
from coterie.trust.guard import Round
from coterie.trust.reputations.votes import Votes

MEAN = aggregation.build("mean")
ME, IDS = 0, np.arange(6)
OWN_LOSS, DRAW = 0.5, np.random.default_rng(0)
MODELS = (1 + 0.01 * DRAW.standard_normal((6, 40))).astype(np.float32)


def judged(losses, ledger=None, opinions=None, models=MODELS, **params):
    """What a node makes of six models, its own the first, by what they lose on its data."""
    guard = Guard(Detection(("norm",), threshold=1e9), 6, Votes(**params))
    known = Round(
        ME, IDS, np.ones(6), ledger, models=True, opinions=opinions or {}, losses=lambda: np.array(losses, float), losses_of=lambda _: None
    )
    return guard.judge(MEAN.points(models), MEAN, known)


def said(rounds, excess):
    return Ledger(np.array(sorted(excess)), np.array([[rounds, excess[node]] for node in sorted(excess)], float))


def rows(found):
    return dict(zip(found.ledger.ids.tolist(), found.ledger.rows.tolist(), strict=True))


def test_trust_is_the_exponential_of_the_mean_excess_loss():
    first = judged([0.5, 0.5, 0.4, 0.75, 0.5, 1.0])
    assert rows(first) == {1: [1, 0], 2: [1, 0], 3: [1, 0.5], 4: [1, 0], 5: [1, 1.0]}
    second = judged([0.25, 0.5, 0.25, 0.25, 0.25, 0.25], first.ledger)
    assert rows(second) == {1: [2, 0.5], 2: [2, 0], 3: [2, 0.25], 4: [2, 0], 5: [2, 0.5]}
    np.testing.assert_allclose(second.weights, np.minimum(1, [1, *np.exp([-0.5, 0, -0.25, 0, -0.5])] / np.exp(-0.25)), rtol=1e-6)


def test_models_that_do_badly_or_point_elsewhere_do_not_count():
    models = MODELS.copy()
    models[4] *= -1
    found = judged([0.5, 0.5, 0.5, 5.0, 0.5, 0.5], models=models)
    assert found.kept.tolist() == [0, 1, 2, 5]


@pytest.mark.parametrize(("against", "counts"), [(2, True), (3, False)])
def test_a_majority_overrules_ones_own_trust_from_the_third_round_on(against, counts):
    """Of five voters (its own is for it), two or three others are against node 5."""
    voters = {node: said(3, {5: 9.0 if node <= against else 0.0}) for node in range(1, 5)}
    losses, ledger = [OWN_LOSS] * 6, None
    for number in range(1, 5):
        found = judged(losses, ledger, voters)
        ledger = found.ledger
        assert (5 in found.kept.tolist()) == (counts or number < 3)


def test_nobody_votes_for_himself():
    """One for it, two against; with its own voice it would be a draw."""
    ledger = said(5, dict.fromkeys(range(1, 6), 0.0))
    against = {node: said(5, {5: 9.0}) for node in (1, 2)}
    assert 5 not in judged([OWN_LOSS] * 6, ledger, {**against, 5: said(5, {5: 0.0})}).kept.tolist()


def test_who_was_voted_out_comes_back_when_the_votes_do():
    against = {node: said(3, {5: 9.0}) for node in range(1, 5)}
    ledger = said(6, dict.fromkeys(range(1, 6), 0.0))
    gone = judged([OWN_LOSS] * 6, ledger, against)
    assert 5 not in gone.kept.tolist()
    assert 5 in judged([OWN_LOSS] * 6, gone.ledger, {}).kept.tolist()


def test_a_majority_of_bad_neighbours_does_no_harm_in_a_federation(tmp_path):
    """Seven of ten flip labels: the mean falls for them, votes do not."""
    training = {"batch_size": 16, "epochs": 5, "optimizer": {"name": "sgd", "learning_rate": 0.2}}
    settings = {"task": "digits", "nodes": 10, "architecture": "decentralized", "until": 6, "training": training}
    flip = [{"name": "label_flip", "who": {"number": 7}}]
    bare, voted = (
        coterie.run(Scenario(**settings, attacks=flip, trust=trust), out=tmp_path / str(trust)).summary for trust in (None, "votes")
    )
    assert voted.accuracy.min > bare.accuracy.mean + 0.2
    assert voted.defence.recall > 0.6
