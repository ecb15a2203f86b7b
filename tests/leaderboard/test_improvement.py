"""Fronts and their areas by hand."""

import itertools
import math

import numpy as np
import pytest
from pydantic import ValidationError

from reincarnate.leaderboard.improvement import Candidate, front, hypervolume, resample, shares, walk
from reincarnate.leaderboard.suite import Anchor, Span, Suite

SPAN = Span(cheap=1.0, dear=100.0)  # two decades: a cost of 10 is half way


def sure(name: str, cost: float, score: float, **fields) -> Candidate:
    return Candidate(name, cost, ((score,) * 5,), **fields)


def one_by_one(candidates, span):
    return walk([[one] for one in candidates], span)


def test_the_front_keeps_what_nothing_beats():
    assert front([(5.0, 1.0), (1.0, 0.5), (3.0, 0.4), (9.0, 1.0), (2.0, 0.5)]) == [(1.0, 0.5), (5.0, 1.0)]


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([], 0.0),
        ([(1.0, 1.0)], 1.0),
        ([(0.01, 1.0)], 1.0),  # cheaper than cheap is not better
        ([(10.0, 1.0)], 0.5),
        ([(100.0, 5.0)], 0.0),
        ([(1000.0, 5.0)], 0.0),
        ([(10.0, -1.0)], 0.0),
        ([(1.0, 0.5), (10.0, 1.5)], 0.5 + 0.5 * 1.0),
        ([(1.0, 0.5), (10.0, 0.2)], 0.5),
    ],
)
def test_hypervolume_by_hand(points, area):
    assert hypervolume(points, SPAN) == pytest.approx(area)


def test_gains_add_up_to_the_volume_and_an_entry_that_is_beaten_gains_nothing():
    steps = one_by_one([sure("a", 10, 0.5), sure("b", 10, 0.4), sure("c", 1, 0.3), sure("d", 50, 0.9)], SPAN)
    assert [step.advances for step in steps] == [True, False, True, True]
    assert steps[0].gain == pytest.approx(0.25)
    assert steps[2].gain == pytest.approx(0.3 + 0.5 * 0.2 - 0.25)
    assert sum(step.gain for step in steps) == pytest.approx(steps[-1].volume)
    assert steps[1].gain == 0.0


def test_a_later_entry_never_changes_an_earlier_ones_score():
    first = [sure("a", 10, 0.5), Candidate("b", 5, ((0.4, 0.6), (0.5, 0.3)))]
    later = [sure("c", 1, 3.0), sure("d", 0.5, 1.0)]
    assert one_by_one([*first, *later], SPAN)[:2] == one_by_one(first, SPAN)


def test_a_batch_has_no_order():
    """Neither the alphabet nor the queue's order matters."""
    batch = [sure("a", 10, 0.5), sure("b", 10, 0.4), sure("c", 1, 0.3), sure("d", 50, 0.9), sure("e", 2, -1.0)]
    first = [sure("old", 20, 0.2)]
    told = {step.name: step for step in walk([first, batch], SPAN)}
    for order in (batch[::-1], batch[2:] + batch[:2], [batch[n] for n in (3, 0, 4, 2, 1)]):
        assert {step.name: step for step in walk([first, order], SPAN)} == told
    assert [told[name].advances for name in "abcde"] == [True, True, True, True, False]
    assert sum(step.gain for step in told.values()) == pytest.approx(told["a"].volume)  # nothing is lost or doubled
    assert told["a"].gain > told["b"].gain > 0.0  # b is beaten by a, which came with it and not before it
    alone = walk([first, [batch[1]]], SPAN)[-1]
    assert told["b"].gain < alone.gain


def test_what_several_cover_is_divided_evenly_by_hand():
    gained = shares({"a": (10.0, 0.5), "b": (10.0, 0.4)}, [], SPAN)  # both reach half way
    assert gained == pytest.approx({"a": 0.5 * 0.4 / 2 + 0.5 * 0.1, "b": 0.5 * 0.4 / 2})
    assert shares({"a": (1.0, 0.5), "b": (10.0, 1.0)}, [], SPAN) == pytest.approx(
        {"a": 0.5 * 0.5 + 0.5 * 0.5 / 2, "b": 0.5 * 0.5 + 0.5 * 0.5 / 2}
    )
    assert shares({"a": (10.0, 0.5)}, [(10.0, 0.5)], SPAN) == {"a": 0.0}
    assert shares({"a": (10.0, 0.5), "twin": (10.0, 0.5)}, [(10.0, 0.2)], SPAN) == pytest.approx(
        {"a": 0.5 * 0.3 / 2, "twin": 0.5 * 0.3 / 2}
    )


def test_shares_are_the_mean_gain_over_all_orders():
    new = {"a": (3.0, 0.7), "b": (20.0, 1.1), "c": (1.0, 0.2), "d": (5.0, 0.6)}
    old = [(10.0, 0.4), (2.0, 0.1)]
    mean = dict.fromkeys(new, 0.0)
    for order in itertools.permutations(new):
        there, before = list(old), hypervolume(old, SPAN)
        for name in order:
            there.append(new[name])
            after = hypervolume(there, SPAN)
            mean[name] += (after - before) / math.factorial(len(new))
            before = after
    assert shares(new, old, SPAN) == pytest.approx(mean)


def test_only_a_sure_improvement_counts():
    """Better on average, but in fewer than 95 % of the resamples."""
    noisy = Candidate("noisy", 10, ((0.0, 1.4), (1.2, 0.0), (0.9, 0.1)))
    before, after = one_by_one([sure("a", 10, 0.55), noisy], SPAN)
    assert after.score > before.score and 0.3 < after.confidence < 0.95 and not after.advances and after.gain == 0.0
    steady = Candidate("steady", 10, ((0.6, 0.61), (0.6, 0.62), (0.6, 0.6)))
    assert one_by_one([sure("a", 10, 0.55), steady], SPAN)[1].advances


def test_the_fronts_own_noise_counts_too():
    noisy = Candidate("noisy", 10, ((0.2, 0.9), (0.9, 0.2), (0.5, 0.5)))
    assert one_by_one([noisy], SPAN)[0].advances  # surely better than random play
    assert not one_by_one([noisy, sure("a", 10, 0.6)], SPAN)[1].advances


def test_no_better_than_random_play_advances_nothing():
    assert not one_by_one([sure("a", 1, 0.0)], SPAN)[0].advances
    assert not one_by_one([Candidate("b", 1, ((-1.0, 1.1), (0.0, 0.0)))], SPAN)[0].advances


def test_an_unpriced_entry_holds_no_place_on_the_front():
    steps = one_by_one([sure("a", 1, 1.0, priced=False), sure("b", 5, 0.5)], SPAN)
    assert [step.advances for step in steps] == [False, True] and steps[0].confidence == 1.0


def test_without_anchors_there_is_a_front_but_no_gain():
    (step,) = one_by_one([sure("a", 1, 1.0)], None)
    assert step.advances and math.isnan(step.gain)


def test_resamples_are_those_of_the_name():
    one = Candidate("a", 1, ((0.0, 1.0), (2.0, 3.0)))
    assert (resample(one) == resample(one)).all()
    assert (resample(one) != resample(one._replace(name="b"))).any()
    assert resample(one).mean() == pytest.approx(1.5, abs=0.05)
    assert np.std(resample(one)) > np.std(resample(Candidate("a", 1, ((1.5, 1.5), (1.5, 1.5)))))


def test_a_suite_says_what_is_wrong_with_it():
    anchor = Anchor(random=0, teacher=1, costs={"flops": SPAN})
    assert Suite(name="small", version=1, tasks={"gym/CartPole-v1": anchor}).tasks["gym/CartPole-v1"].missing == 0.0
    with pytest.raises(ValidationError, match="cheap must be less than dear"):
        Span(cheap=2.0, dear=1.0)
    with pytest.raises(ValidationError, match="tasks"):
        Suite(name="small", version=1, tasks={})
