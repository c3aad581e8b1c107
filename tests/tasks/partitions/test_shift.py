"""Feature shift: what nodes see of their samples, composed with any partition that deals."""

import numpy as np
import pytest

from coterie.core.errors import ScenarioError
from coterie.tasks import partitions
from coterie.tasks.partitions import Placement
from coterie.tasks.task import build


def placement(nodes=3, each=4, seed=0):
    owners = np.repeat(np.arange(nodes), each)
    return Placement(nodes, owners, np.arange(nodes * each) * 7 % (nodes * each), seed)


def shifted(name, inputs, where=None, **params):
    return partitions.build(name, **params).shift(inputs.copy(), where or placement())


def test_a_quarter_turn_moves_every_pixel_to_its_place():
    images = np.random.default_rng(0).random((12, 1, 5, 5)).astype(np.float32)
    turned = shifted("rotation", images, angles=[90, 0, -90])
    assert turned[:4] == pytest.approx(np.rot90(images[:4], axes=(2, 3)), abs=1e-6)
    assert np.array_equal(turned[4:8], images[4:8])
    assert turned[8:] == pytest.approx(np.rot90(images[8:], -1, axes=(2, 3)), abs=1e-6)


def test_a_small_turn_interpolates_and_keeps_the_range():
    images = np.random.default_rng(0).random((12, 6, 6)).astype(np.float32)
    turned = shifted("rotation", images, degrees=30)
    assert turned.min() >= 0
    assert turned.max() <= images.max() + 1e-6
    assert not np.allclose(turned, images)
    middle = np.zeros((1, 3, 3), np.float32)
    middle[0, 1, 1] = 1
    where = Placement(1, np.zeros(1, np.int64), np.zeros(1, np.int64), 0)
    assert shifted("rotation", middle, where, angles=[37])[0, 1, 1] == 1


def test_angles_are_the_nodes_own_and_within_the_bound():
    rotation = partitions.build("rotation", degrees=20).shifts[0]
    few, more = rotation._angles(placement(5)), rotation._angles(placement(6))
    assert np.array_equal(few, more[:5])
    assert len(np.unique(few)) == 5
    assert abs(few).max() <= 20


def test_only_images_turn():
    with pytest.raises(ScenarioError, match="only images can be turned"):
        shifted("rotation", np.zeros((12, 4), np.float32))


def test_noise_has_each_nodes_level():
    where = Placement(2, np.repeat([0, 1], 5000), np.arange(10_000), 1)
    noise = shifted("noise", np.zeros((10_000, 3), np.float32), where, level=2.0)
    deviations = noise[:5000].std(), noise[5000:].std()
    assert max(deviations) <= 2.05
    assert deviations[0] != pytest.approx(deviations[1], rel=0.05)
    assert abs(noise.mean()) < 0.05


def test_a_rows_noise_does_not_depend_on_where_it_went():
    rows = np.array([5, 2000, 1, 3])
    one = shifted("noise", np.zeros((4, 2), np.float32), Placement(1, np.zeros(4, np.int64), rows, 1))
    other = shifted("noise", np.zeros((2, 2), np.float32), Placement(1, np.zeros(2, np.int64), rows[[2, 1]], 1))
    assert np.array_equal(one[[2, 1]], other)


def test_affine_is_one_gain_and_offset_for_each_node_and_feature():
    x = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    seen = shifted("affine", x)
    for node in range(3):
        for feature in range(2):
            mine = slice(4 * node, 4 * node + 4)
            gain, offset = np.polyfit(x[mine, feature], seen[mine, feature], 1)
            assert seen[mine, feature] == pytest.approx(gain * x[mine, feature] + offset, abs=1e-5)
            assert gain > 0
    assert np.array_equal(shifted("affine", x, gain=0, offset=0), x)


def test_images_have_one_gain_a_channel():
    x = np.ones((12, 2, 3, 3), np.float32)
    seen = shifted("affine", x)
    assert all(len(np.unique(seen[i, c])) == 1 for i in range(12) for c in range(2))
    assert len(np.unique(seen)) == 6


def test_shifts_compose_and_the_innermost_deals():
    labels = np.arange(100) % 4
    inner = partitions.build("dirichlet", alpha=0.2)(labels, 5, seed=3)
    nested = partitions.build("noise", level=0.1, of={"name": "affine", "of": {"name": "dirichlet", "alpha": 0.2}})
    assert all(np.array_equal(a, b) for a, b in zip(inner, nested(labels, 5, seed=3), strict=True))
    x = np.ones((12, 2), np.float32)
    assert np.array_equal(nested.shift(x.copy(), placement()), shifted("noise", shifted("affine", x), level=0.1))


def test_a_task_has_shifted_nodes_and_an_unshifted_common_test_set():
    plain, turned = (
        build(dataset="digits", partition=partition, nodes=4, seed=2)
        for partition in ("iid", {"name": "rotation", "angles": [0, 90, 180, 270]})
    )
    assert np.array_equal(plain.common_inputs, turned.common_inputs)
    for node in range(4):
        for part in (plain.train, plain.test):
            assert np.rot90(plain.inputs[part[node]], node, axes=(2, 3)) == pytest.approx(turned.inputs[part[node]], abs=1e-6)


def test_shifting_tokens_is_refused(tmp_path):
    np.savez(tmp_path / "t.npz", x=np.arange(120).reshape(40, 3) % 5, y=np.arange(40) % 2)
    for name in ("noise", "affine", "rotation"):
        with pytest.raises(ScenarioError, match=r"^partition: tokens"):
            build(dataset={"name": "npz", "path": str(tmp_path / "t.npz"), "vocabulary": 5}, partition=name, nodes=2)
