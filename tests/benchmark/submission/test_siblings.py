"""How rarely an honest student is taken for somebody else's, by what 96 trainings have in common.

tests/fixtures/siblings.json is measured: thirteen methods under three seeds in two games, all pairs, and each with its
teacher; on HalfCheetah five under three seeds and three under one. `python -m tests.speed.siblings` makes it again.
"""

import json
import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest

from reincarnate.benchmark.submission import same
from reincarnate.benchmark.submission.agree import FALSE

ROWS = json.loads((Path(__file__).parents[2] / "fixtures" / "siblings.json").read_text())


def likeness(row: list) -> same.Likeness:
    return same.Likeness(*row[5:])


def pairs(relative: bool, begun: bool | None = None) -> list[same.Likeness]:
    """Return the likeness of strangers or relatives."""
    return [likeness(row) for row in ROWS if row[3] is relative and begun in (None, row[4])]


def beyond(values, limit: float) -> float:
    """Return the chance that one more is above the limit, by the normal distribution of those that there are."""
    values = np.asarray(values, float)
    return 1.0 - NormalDist(float(values.mean()), float(values.std(ddof=1))).cdf(limit)


def test_no_honest_student_is_taken_for_another_or_its_teacher():
    assert len(ROWS) > 1000 and len(pairs(True)) > 300 and len(pairs(False)) > 1000
    found = [(row[:3], same.copied(likeness(row), row[3], row[4])) for row in ROWS]
    assert [told for told in found if told[1]] == []


@pytest.mark.parametrize("relative", [False, True])
def test_the_weights_of_one_more_are_as_near_less_than_once_in_ten_thousand_times(relative):
    near = same.CLOSE if relative else same.APART
    gaps = [-math.log(one.gap) for one in pairs(relative) if math.isfinite(one.gap)]
    assert beyond(gaps, -math.log(near)) < FALSE


@pytest.mark.parametrize("relative", [False, True])
def test_nor_does_one_more_act_as_much_alike(relative):
    """Both must be that near 1: the share of equal actions, and the correlation."""
    least, most = (same.SAME, same.ALL_ALONG) if relative else (same.ALIKE, same.ALONG)
    lacking = np.array([max((1 - one.alike) / (1 - least), (1 - one.along) / (1 - most)) for one in pairs(relative)])
    assert lacking.min() > 1 and beyond(-np.log(lacking), 0.0) < FALSE


@pytest.mark.parametrize(("single", "limit"), [(False, same.ALIGNED), (True, same.ALIGNED_ACTORS)])
def test_nor_look_the_units_of_one_more_where_those_of_other_fresh_weights_do(single, limit):
    """Of actors of continuous actions neither, which training turns more."""
    strangers = pairs(False, begun=False) + pairs(True, begun=False)
    turned = np.array([one.turned for one in strangers if one.single == single])
    assert len(turned) > 50 and beyond(np.arctanh(turned), math.atanh(limit)) < FALSE
