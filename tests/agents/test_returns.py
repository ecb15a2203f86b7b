"""Lambda-returns, worked by hand: over ends, truncations, and for several environments at once."""

import numpy as np
import pytest

from reincarnate.agents.returns import lambda_returns

REWARD, VALUE = [1.0, 2.0, 3.0], [4.0, 8.0, 16.0]  # of three steps; of the states that they lead to


def returns(cut=(), terminal=(), trace=0.5):
    """Return the returns of the three steps with a discount of 0.5."""
    steps = np.arange(3)
    discount = np.where(np.isin(steps, terminal), 0.0, 0.5)
    reward, fades, value, ends = (
        np.array(one, float)[:, None] for one in (REWARD, discount, VALUE, np.isin(steps, cut))
    )
    return lambda_returns(reward, fades, value, ends > 0.0, trace)[:, 0].tolist()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        # 3 + 16/2 = 11; 2 + (8 + 11)/4 = 6.75; 1 + (4 + 6.75)/4 = 3.6875
        ({}, [3.6875, 6.75, 11.0]),
        ({"trace": 0.0}, [3.0, 6.0, 11.0]),  # one step: 1 + 4/2, 2 + 8/2
        ({"trace": 1.0}, [4.75, 7.5, 11.0]),  # 2 + 11/2, 1 + 7.5/2
        # the game ends with the second step: 2, and 1 + (4 + 2)/4; the third step is another game's
        ({"cut": (1,), "terminal": (1,)}, [2.5, 2.0, 11.0]),
        # it is cut off there: 2 + 8/2 of the last frame, and 1 + (4 + 6)/4
        ({"cut": (1,)}, [3.5, 6.0, 11.0]),
        ({"cut": (1,), "trace": 1.0}, [4.0, 6.0, 11.0]),
        ({"cut": (2,), "terminal": (2,)}, [1.0 + (4 + 2.0 + (8 + 3) / 4) / 4, 2.0 + (8 + 3) / 4, 3.0]),
        ({"cut": (0, 1, 2), "terminal": (0, 1, 2)}, REWARD),
    ],
)
def test_returns_by_hand(case, expected):
    assert returns(**case) == pytest.approx(expected, rel=1e-6)


def test_environments_do_not_touch_each_other():
    rng = np.random.default_rng(0)
    reward, value, cut = rng.normal(size=(5, 3)), rng.normal(size=(5, 3)), rng.random((5, 3)) < 0.3
    discount = np.where(cut & (rng.random((5, 3)) < 0.5), 0.0, 0.9)
    whole = lambda_returns(reward, discount, value, cut, 0.7)
    for one in range(3):
        at = (slice(None), slice(one, one + 1))
        np.testing.assert_allclose(whole[at], lambda_returns(reward[at], discount[at], value[at], cut[at], 0.7))
