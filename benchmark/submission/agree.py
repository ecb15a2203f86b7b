"""Whether a claim agrees with the maintainer's own episodes. The submitter has no influence on the tolerance."""

import numpy as np
from scipy.special import stdtrit  # the quantile of Student's t
from scipy.stats import permutation_test

LEAST = 30  # episodes of a re-evaluation: fewer say little about the spread
FIRST = 0.01  # share of honest claims that get a second look
FALSE = 1e-4  # maximum share of honest runs that fail the second look at any of their points
AGAIN = 8  # multiple of new episodes in the second look
DEGREES = 4  # at least, of freedom: below, the interval of one in ten thousand contains nearly every claim
SHUFFLES = 99_999  # of a permutation test, and the least chance that it can tell from none
FLOOR = 0.01  # of the span from random play to the teacher: episodes with equal returns have no spread


def looks(points: int) -> tuple[tuple[int, float], ...]:
    """Return (multiple of episodes, chance that an honest claim fails) of the first and the second look at each
    point."""
    return (1, FIRST), (AGAIN, FALSE / max(points, 1))


def interval(ours, count: int, chance: float, span: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the interval that contains the mean of `count` honest episodes except with this chance, given our own
    returns [..., E].

    Spread and skewness come from our episodes, since theirs might be made up. The interval uses Student's t, with the
    expansion of Cornish and Fisher (1938) for the difference of two means, because returns are skewed: a rare long
    episode is in only one of the two samples. `span`: from random play to the teacher.
    """
    ours = np.asarray(ours, float)
    n, mean = ours.shape[-1], ours.mean(axis=-1)
    off = ours - mean[..., None]
    second = (off**2).sum(axis=-1) / max(n - 1, 1)
    third, fourth = (off**3).mean(axis=-1), (off**4).mean(axis=-1) - 3.0 * second**2
    spread = np.sqrt(second * (1.0 / n + 1.0 / max(count, 1)))
    size = np.where(spread > 0.0, spread, 1.0)
    skew = third * (1.0 / max(count, 1) ** 2 - 1.0 / n**2) / size**3
    tails = np.maximum(fourth, 0.0) * (1.0 / max(count, 1) ** 3 + 1.0 / n**3) / size**4
    z = float(stdtrit(max(n - 1, DEGREES), 1.0 - chance / 2.0))
    even = z + tails * (z**3 - 3.0 * z) / 24.0
    high = np.maximum(even + np.maximum(skew, 0.0) * (z**2 - 1.0) / 6.0, z)
    low = np.maximum(even + np.maximum(-skew, 0.0) * (z**2 - 1.0) / 6.0, z)
    floor = FLOOR * (abs(span) or np.maximum(np.abs(mean), 1e-3))
    return mean - np.maximum(low * spread, floor), mean + np.maximum(high * spread, floor)


def unlucky(theirs, ours, chance: float) -> bool:
    """Return whether their mean is below ours and may be honest all the same, except with this chance.

    By an exact permutation test of both, whatever the distribution: a rare fall may be in their episodes alone, and
    ours do not tell of it. Who makes up returns that are too low gains nothing, so theirs can be believed here.
    """

    def lower(x, y, axis):
        return x.mean(axis=axis) - y.mean(axis=axis)

    both = np.asarray(theirs, float), np.asarray(ours, float)
    if min(map(len, both)) < 2 or both[0].mean() >= both[1].mean():
        return False
    found = permutation_test(both, lower, n_resamples=SHUFFLES, batch=1_000, alternative="less", rng=0)
    return bool(found.pvalue > max(chance, 2.0 / SHUFFLES))
