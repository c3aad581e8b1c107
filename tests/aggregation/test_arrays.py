import numpy as np
import pytest
import torch

from coterie.aggregation import arrays


@pytest.mark.parametrize("rows", [1, 3, arrays.GROUP, arrays.GROUP + 1, 3 * arrays.GROUP + 5])
@pytest.mark.parametrize("size", [1, arrays.CHUNK - 1, arrays.CHUNK + 3])
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_weighted_sum_equals_the_product_in_double(rows, size, library):
    draw = np.random.default_rng(rows)
    matrix = draw.standard_normal((rows, size)).astype(np.float32)
    coefficients = draw.random(rows) / rows
    vectors = list(matrix) if library == "numpy" else list(torch.from_numpy(matrix))
    found = arrays.weighted_sum(vectors, coefficients.tolist())
    assert found.dtype == vectors[0].dtype
    np.testing.assert_allclose(np.asarray(found), coefficients @ matrix.astype(np.float64), rtol=0, atol=2e-6)


def test_many_large_rows_lose_nothing_to_rounding():
    rows = [np.full(4, 1e4, np.float32) for _ in range(4000)]
    found = arrays.weighted_sum(rows, [1 / 4000] * 4000)
    np.testing.assert_allclose(found, 1e4, rtol=3e-7)


def test_weighted_sum_does_not_touch_its_rows():
    rows = [torch.ones(5), torch.ones(5)]
    arrays.weighted_sum(rows, [2.0, 3.0])
    assert all((row == 1).all() for row in rows)
