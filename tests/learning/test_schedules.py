import math

import pytest

from coterie.learning.schedules import SCHEDULES

BY_HAND = {
    "constant": ({}, [1, 1, 1, 1, 1, 1]),
    "step": ({"every": 2, "factor": 0.5}, [1, 1, 0.5, 0.5, 0.25, 0.25]),
    "exponential": ({"factor": 0.5}, [1, 0.5, 0.25, 0.125, 0.0625, 0.03125]),
    "cosine": ({"period": 4, "floor": 0.2}, [1, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2 + 0.4 * (1 - math.sqrt(0.5)), 0.2, 0.2]),
    "warm-up": ({"length": 4}, [0.25, 0.5, 0.75, 1, 1, 1]),
    "warm-up-cosine": ({"length": 2, "period": 2}, [0.5, 1, 1, 0.5, 0, 0]),
    "inverse-square-root": ({}, [1, 1 / math.sqrt(2), 1 / math.sqrt(3), 0.5, 1 / math.sqrt(5), 1 / math.sqrt(6)]),
}


@pytest.mark.parametrize("name", SCHEDULES.names())
def test_by_hand(name):
    entry = SCHEDULES.entry(name)
    params, expected = BY_HAND[name]
    assert [entry.thing(time, **entry.check(params)) for time in range(6)] == pytest.approx(expected)
