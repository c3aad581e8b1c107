"""What stands out among updates, and what becomes of it."""

import numpy as np
import pytest

from coterie import aggregation, attacks
from coterie.core.errors import ScenarioError
from coterie.trust import STATISTICS, Detection, Guard, Ledger, Seen, robust_z
from coterie.trust.guard import Round
from trust.rounds import MEAN, NODES, updates

EVERY = ("norm", "cosine", "distance", "spectral")


def seen(rows, losses=None):
    return Seen(MEAN.points(np.asarray(rows, np.float32)), losses)


def judged(rows, rule=MEAN, weights=None, me=NODES - 1, **settings):
    guard = Guard(Detection(**settings), NODES)
    known = Round(me, np.arange(len(rows)), np.ones(len(rows)) if weights is None else weights)
    return guard.judge(rule.points(rows, **dict.fromkeys(rule.inputs & {"own"}, rows[0])), rule, known)


def test_all_statistics_are_tried_here():
    assert set(STATISTICS.names()) == {*EVERY, "loss"}


def z_by_hand(values):
    values = sorted(values)
    count = len(values)
    middle = np.median(values)
    deviations = sorted(abs(value - middle) for value in values)
    factor = {5: 1.206, 9: 1.107}.get(count, count / (count - 0.8))
    return 1.4826 * factor * (1 + 4.2 / (count - 3.2)) * np.median(deviations), middle


@pytest.mark.parametrize("count", [5, 9, 20])
def test_robust_z_by_hand(count):
    values = np.random.default_rng(count).normal(3, 2, count)
    scale, middle = z_by_hand(values.tolist())
    np.testing.assert_allclose(robust_z(values), (values - middle) / scale, rtol=1e-12)
    np.testing.assert_allclose(robust_z(values * 10 + 5), robust_z(values), rtol=1e-9)


def test_robust_z_of_odd_values():
    assert robust_z([2, 2, 2, 2, 2]).tolist() == [0] * 5
    assert robust_z([0, 0, 0, 0, 0]).tolist() == [0] * 5
    assert robust_z([2] * 19 + [9])[-1] > 10  # the deviation of most is 0
    assert robust_z([1, 2, 3, 4, np.inf])[-1] == np.inf
    assert robust_z([1, 1.0001, 0.9999, 1.0002, 1.0005]).max() < 1  # they differ by less than a thousandth
    assert robust_z([np.inf] * 5).tolist() == [0] * 5


@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_statistics_are_what_float64_gives(offset):
    """Also for raw weights of about 1 that differ by 1e-3."""
    draw = np.random.default_rng(0)
    rows = (offset + (1e-3 if offset else 1.0) * draw.standard_normal((9, 50_000))).astype(np.float32)
    wide = rows.astype(np.float64)
    found = seen(rows)
    middle = found.median @ wide
    off = wide - middle
    np.testing.assert_allclose(found.lengths, np.linalg.norm(wide, axis=1), rtol=1e-5)
    np.testing.assert_allclose(found.away, np.linalg.norm(off, axis=1), rtol=1e-4)
    cosines = wide @ middle / np.linalg.norm(wide, axis=1) / np.linalg.norm(middle)
    np.testing.assert_allclose(found.turned, 1 - cosines, rtol=2e-3)
    _, _, direction = np.linalg.svd(off, full_matrices=False)
    np.testing.assert_allclose(np.abs(found.along), np.abs(off @ direction[0]), rtol=1e-2, atol=1e-3 * np.abs(off @ direction[0]).max())


BAD = {
    "norm": attacks.build("scaling", factor=5.0),
    "cosine": attacks.build("sign_flip"),
    "distance": attacks.build("inner_product", epsilon=10.0),
    "spectral": attacks.build("inner_product", epsilon=2.0),
}


@pytest.mark.parametrize("name", EVERY)
def test_each_statistic_finds_what_it_is_for(name):
    honest = updates(16)
    rows = np.vstack([honest, BAD[name](honest, 4)])
    found = Detection((name,)).found(seen(rows))
    assert (found.scores[16:] > 3.5).all()
    assert (found.scores[:16] > 3.5).mean() < 0.2
    assert set(found.statistics) == {name}


def test_a_short_update_stands_out_by_its_norm():
    honest = updates(16)
    found = Detection(("norm",)).found(seen(np.vstack([honest, 0.01 * honest[:2]])))
    assert (found.scores[16:] > 3.5).all()


def test_losses_are_asked_for_only_if_a_statistic_wants_them():
    rows, losses = updates(10), np.r_[np.linspace(1, 1.2, 8), 5, np.nan]
    assert (Detection(("loss",)).found(seen(rows, lambda: losses)).scores[8:] > 3.5).all()
    Detection(EVERY).found(seen(rows, lambda: 1 / 0))
    with pytest.raises(ValueError, match="no data of its own"):
        Detection(("loss",)).found(seen(rows))


def test_honest_updates_seldom_stand_out():
    """Of 200 rounds of 20 honest updates, at most one in thirty does, all four statistics together."""
    out = [(Detection().found(seen(updates(20, seed=seed))).scores > 3.5).mean() for seed in range(200)]
    assert np.mean(out) < 1 / 30


@pytest.mark.parametrize("count", [5, 6, 7, 10, 20, 50])
def test_of_normal_numbers_one_in_two_hundred_scores_above_2_8(count):
    draw = np.random.default_rng(count)
    scores = np.abs([robust_z(draw.standard_normal(count)) for _ in range(3000)])
    assert 0.002 < (scores > 2.807).mean() < 0.008


def test_of_few_updates_none_stands_out():
    rows = updates(4)
    rows[3] *= -1e6
    assert judged(rows, action="cut").kept.tolist() == [0, 1, 2, 3]


def test_flag_down_weight_and_cut():
    rows = updates(12, 2)
    flagged, lighter, cut = (judged(rows, action=action, statistics=("cosine",)) for action in ("flag", "down-weight", "cut"))
    told = {verdict.place for verdict in flagged.verdicts}
    assert {12, 13} <= told
    assert flagged.weights.tolist() == [1.0] * 14
    assert {verdict.what for verdict in flagged.verdicts} == {"flagged"}
    assert {verdict.reason for verdict in flagged.verdicts} == {"cosine"}
    assert (lighter.weights[12:] < 0.6).all()
    assert {verdict.what for verdict in lighter.verdicts} == {"down-weighted"}
    assert not {12, 13} & set(cut.kept.tolist())
    assert len(cut.weights) == len(cut.kept)


def test_a_rule_keeps_as_many_as_it_needs_for_the_bad_ones_it_is_told_of():
    """Krum for 4 bad ones needs 11: of twelve updates one may be cut, the other only flagged."""
    rows = updates(10, 2)
    rows[11] *= 3
    made = judged(rows, aggregation.build("krum", byzantine=4), action="cut", statistics=("distance",))
    by_place = {verdict.place: verdict.what for verdict in made.verdicts}
    assert by_place[11] == "cut"
    assert by_place[10] == "flagged"
    assert len(made.kept) == 11


def test_ones_own_update_is_never_judged():
    rows = updates(12, 2)
    made = judged(rows, action="cut", me=13)
    assert 13 in made.kept
    assert 13 not in {verdict.place for verdict in made.verdicts}


def test_updates_are_not_changed_and_the_order_does_not_matter():
    rows = updates(12, 3)
    before = rows.copy()
    order = np.random.default_rng(0).permutation(15)
    found, moved = Detection().found(seen(rows)), Detection().found(seen(rows[order]))
    np.testing.assert_allclose(moved.scores, found.scores[order], rtol=1e-3, atol=1e-3)
    np.testing.assert_array_equal(rows, before)


def test_a_statistic_that_does_not_exist_is_named():
    with pytest.raises(ScenarioError, match="did you mean 'cosine'"):
        _ = Detection(("cosin",)).made
    with pytest.raises(ScenarioError, match="is empty"):
        _ = Detection(()).made


def test_ledgers_come_back_as_they_were():
    ledger = Ledger(np.array([1, 5, 9]), np.array([[1.5, 0], [2, 3], [0, 7]]))
    rest = np.array([4.0, 5.0], np.float32)
    found, tail = Ledger.read(ledger.written(rest), 2, 10)
    assert found.ids.tolist() == [1, 5, 9]
    np.testing.assert_array_equal(found.rows, ledger.rows)
    np.testing.assert_array_equal(tail, rest)
    assert Ledger.read(None, 2, 10)[0].ids.tolist() == []
    assert Ledger.read(Ledger.empty(2).written(), 2, 10)[0].ids.tolist() == []


@pytest.mark.parametrize(
    "vector",
    [
        [3, 1, 1, 1],  # too short
        [1e9, 1, 1, 1],
        [-1, 1, 1, 1],
        [np.nan, 1, 1, 1],
        [0.5, 1, 1, 1],
        [1, 10, 1, 1],  # nobody is called so
        [1, -1, 1, 1],
        [1, 1.5, 1, 1],
        [1, 1, np.inf, 1],
        [1, 1, -1, 1],
        [1, 1, 1, 1e9],
        [2, 5, 1, 1, 5, 1, 1],  # twice
        [2, 6, 1, 1, 5, 1, 1],  # not in order
    ],
)
def test_what_is_no_ledger_is_an_empty_one(vector):
    ledger, rest = Ledger.read(np.array(vector, np.float32), 2, 10)
    assert ledger.ids.tolist() == []
    assert rest.tolist() == []
