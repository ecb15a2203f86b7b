"""Schedules: exploration, the shortfall and its latch, JSRL's horizons, annealed mixing, the rates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from reincarnate.agents.learner import key_of
from reincarnate.agents.method import Clock, Progress
from reincarnate.agents.methods.annealed_mixing import annealed_mixing
from reincarnate.agents.methods.cql import cql
from reincarnate.agents.methods.dagger import dagger
from reincarnate.agents.methods.dagger_ql import dagger_ql
from reincarnate.agents.methods.distillation import distillation
from reincarnate.agents.methods.dqfd import dqfd
from reincarnate.agents.methods.dqn import dqn, epsilon_greedy
from reincarnate.agents.methods.drq import drq
from reincarnate.agents.methods.jsrl import drawn, horizons, jsrl
from reincarnate.agents.methods.kickstarting import kickstarting
from reincarnate.agents.methods.qdagger import qdagger, shortfall, weaned
from reincarnate.agents.methods.rainbow import rainbow
from reincarnate.agents.methods.surgery import surgery
from reincarnate.agents.schedules import annealed, period, share_of


def at(spent=0.0, offline=0.0, planned=2_500_000.0, score=0.0, best=0.0, key=0):
    offline, spent, planned, score, best = map(np.float32, (offline, spent, planned, score, best))
    return Progress(offline, spent, planned, score, best, jax.random.key(key))


@pytest.mark.parametrize(
    ("progress", "explore", "warmup", "expected"),
    [
        (at(0.0), 50_000, 20_000, 1.0),
        (at(0.008), 50_000, 20_000, 1.0),  # the first update: exploration begins when learning does
        (at(0.018), 50_000, 20_000, 0.505),  # 25,000 of 50,000 steps after it
        (at(0.028), 50_000, 20_000, 0.01),
        (at(1.0), 50_000, 20_000, 0.01),
        (at(0.01, planned=100_000.0), 0.25, 0.01, 1.0),  # shares: of 100,000 steps 1,000 and 25,000
        (at(0.135, planned=100_000.0), 0.25, 0.01, 0.505),
        (at(0.26, planned=100_000.0), 0.25, 0.01, 0.01),
        (at(0.135, planned=20_000.0), 0.25, 0.01, 0.505),  # and of 20,000 steps 200 and 5,000
        (at(0.5, planned=100_000.0), 100_000, 0.0, 0.505),  # what is asked for is not cut
        (at(0.0), 0, 20_000, 0.01),  # pretrained: at once
    ],
)
def test_epsilon(progress, explore, warmup, expected):
    assert annealed(progress, 0.01, explore, warmup) == pytest.approx(expected, abs=1e-4)


def test_an_amount_below_one_is_a_share_of_the_plan():
    assert [share_of(0.01, steps) for steps in (20_000, 100_000, 2_500_000)] == [0.01] * 3
    assert [share_of(20_000, steps) for steps in (20_000, 100_000, 2_500_000)] == [1.0, 0.2, 0.008]
    assert [int(period(0.0125, updates)) for updates in (4_000, 20_000, 1_600_000)] == [50, 250, 20_000]
    assert [int(period(2_000, updates)) for updates in (4_000, 1_600_000)] == [2_000, 2_000]
    assert int(period(0.0125, 3)) == 1


def test_epsilon_greedy_explores_as_often_as_it_says():
    values = jnp.tile(jnp.array([0.0, 1.0, 0.0, 0.0]), (2_000, 1))
    action = np.asarray(epsilon_greedy(jax.random.key(0), values, jnp.float32(0.4)))
    assert np.mean(action != 1) == pytest.approx(0.3, abs=0.03)  # 0.4 of all, of which a quarter finds the best
    assert set(action) == {0, 1, 2, 3}
    assert np.all(np.asarray(epsilon_greedy(jax.random.key(0), values, jnp.float32(0.0))) == 1)


@pytest.mark.parametrize(
    ("progress", "expected"),
    [
        (at(offline=1.0), 1.0),
        (at(offline=1.0, score=2.0, best=2.0), 1.0),  # offline the weight stays whole
        (at(0.1), 1.0),  # no checkpoint yet
        (at(0.2, score=0.3, best=0.4), 0.7),  # follows the last score, not the best
        (at(0.2, score=-0.5), 1.5),  # worse than random: not cut at 1
        (at(0.2, score=1.2, best=1.2), 0.0),
        (at(0.3, score=0.5, best=1.0), 0.0),  # latched
        (at(0.6, score=0.5, best=0.5), 0.5),  # on the deadline
        (at(0.61, score=0.5, best=0.5), 0.0),  # past it
        (at(0.61, score=-0.5), 0.0),
    ],
)
def test_shortfall(progress, expected):
    assert shortfall(progress, 0.6) == pytest.approx(expected)
    assert bool(weaned(progress, 0.6)) == (expected == 0.0)


@pytest.mark.parametrize(
    ("spent", "expected"),
    [(0.0, 1.0), (0.09, 1.0), (0.1, 0.0), (0.5, 0.0)],  # already as good after the offline phase
)
def test_the_score_does_not_count_in_the_first_tenth(spent, expected):
    progress = at(spent, score=1.2, best=1.2)
    assert shortfall(progress, 0.6, 0.1) == expected and bool(weaned(progress, 0.6, 0.1)) == (expected == 0.0)
    assert shortfall(at(0.05), 0.0, 0.1) == 0.0  # a deadline goes before


@pytest.mark.parametrize(
    ("student", "teacher", "random", "expected"),
    [
        (60.0, 110.0, 10.0, 0.5),
        (-10.0, 20.0, -20.0, 0.75),  # Pong: 10 of 40 points above random play
        (5.0, 0.0, 10.0, 0.5),  # a teacher worse than random: half way down to it
        (20.0, 0.0, 10.0, 2.0),  # better than both: the harness's score is -1
    ],
)
def test_shortfall_of_a_random_subtracted_score(student, teacher, random, expected):
    score = (student - random) / (teacher - random)
    assert shortfall(at(0.1, score=score, best=max(score, 0.0))) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("method", "progress", "expected"),
    [
        (qdagger(), at(offline=1.0), 1.0),
        (qdagger(), at(0.11, score=0.5, best=0.5), 0.55),  # 1e-4 * 0.5 + 1e-5 * 0.5, in units of 1e-4
        (qdagger(), at(0.11, score=-1.0), 1.0),
        (qdagger(), at(0.7), 0.1),
        (cql(), at(offline=1.0), 1.0),
        (cql(), at(0.0), 0.1),
        (surgery(), at(0.015), 0.0),  # 40,000 steps to settle are 0.016 of the run
        (surgery(), at(0.017), 1.0),
        (surgery(warmup=20_000.0), at(0.02), 0.0),  # with a warm-up 0.024
        (surgery(warmup=20_000.0), at(0.025), 1.0),
        (surgery(warmup=0.1, settle=0.05), at(0.14, planned=1_000.0), 0.0),
        (surgery(warmup=0.1, settle=0.05), at(0.151, planned=1_000.0), 1.0),
        (dqn(), at(0.5), 1.0),
    ],
)
def test_factor_on_the_learning_rate(method, progress, expected):
    assert method.learning_rate_factor(progress) == pytest.approx(expected)


def test_horizons_shrink_by_tenths():
    assert horizons(1_000, 0.8) == [1000, 800, 640, 512, 409, 327, 261, 208, 166, 132]
    assert horizons(100, 1.0) == [100] * 10
    assert horizons(2, 0.5) == [2, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_jsrl_ends_without_its_teacher():
    """At 0.6 of the run, whatever is left of the horizon then."""
    method = jsrl(horizon=10, decay=1.0, explore=0, epsilon=0.0)
    first = [play(method, at(spent), np.arange(200), np.zeros(200, int)).mean() for spent in (0.0, 0.59, 0.6, 1.0)]
    assert first == [1.0, 1.0, 0.0, 0.0]
    assert [bool(method.weaned(at(spent))) for spent in (0.59, 0.61)] == [False, True]


def test_the_draw_is_uniform_and_lasts_an_episode():
    def draw(seed, count, most=3):
        key = jax.random.wrap_key_data(jnp.asarray(key_of(seed, count)), impl="threefry2x32")
        return np.asarray(drawn(key, jnp.arange(2_000), jnp.asarray(most)))

    first = draw(seed=4, count=17)
    assert [np.mean(first == h) for h in (1, 2, 3)] == pytest.approx([1 / 3] * 3, abs=0.03)
    assert np.array_equal(first, draw(seed=4, count=18))
    assert np.mean(first == draw(seed=5, count=17)) == pytest.approx(1 / 3, abs=0.04)  # another run rolls in otherwise
    assert not draw(seed=4, count=17, most=0).any()


def play(method, progress, episode, step):
    """Return the actions of a student that always takes 0 with a teacher that always takes 1."""
    n = len(episode)
    clock = Clock(jnp.asarray(episode), jnp.asarray(step))
    student, teacher = jnp.tile(jnp.array([1.0, 0.0]), (n, 1)), jnp.tile(jnp.array([0.0, 1.0]), (n, 1))
    return np.asarray(method.act(lambda obs: student, lambda obs: teacher, None, clock, progress))


@pytest.mark.parametrize(("spent", "most"), [(0.0, 10), (0.15, 5), (0.25, 2), (0.45, 0), (1.0, 0)])
def test_jsrl_rolls_in(spent, most):
    method, episodes = jsrl(horizon=10, decay=0.5, explore=0, epsilon=0.0), np.arange(2_000)
    lengths = np.sum([play(method, at(spent), episodes, np.full(2_000, step)) for step in range(12)], axis=0)
    assert set(lengths) == (set(range(1, most + 1)) or {0})
    assert method.weaned(at(spent)) == (most == 0)


@pytest.mark.parametrize(("spent", "chance"), [(0.0, 1.0), (0.25, 0.5), (0.5, 0.0), (0.9, 0.0)])
def test_annealed_mixing_fades(spent, chance):
    method = annealed_mixing(explore=0, epsilon=0.0, deadline=0.5, roll_in=100)
    late = play(method, at(spent), np.arange(2_000), np.full(2_000, 100))
    assert late.mean() == pytest.approx(chance, abs=0.04)
    early = play(method, at(spent), np.arange(2_000), np.zeros(2_000, int))
    assert not early.any()  # the student plays at least one step


@pytest.mark.parametrize(
    ("method", "progress", "expected"),
    [
        (dqn(), at(0.1), 0.0),  # has no teacher
        (qdagger(weight=3.0), at(offline=1.0), 3.0),
        (qdagger(weight=3.0), at(0.2, score=0.5), 1.5),
        (qdagger(), at(0.2, score=1.0, best=1.0), 0.0),
        (qdagger(base=rainbow), at(offline=1.0), 1.0),  # the paper's for each student
        (qdagger(base=rainbow), at(0.9, score=0.5), 0.5),
        (qdagger(base=drq), at(0.9, score=0.5), 1.5),
        (kickstarting(base=rainbow), at(), 1.0),
        (kickstarting(base=rainbow, weight=2.0, deadline=0.6), at(0.7), 0.0),
        (qdagger(), at(0.9, score=0.5), 0.0),
        (dagger(base=rainbow), at(0.9), 1.0),
        (dagger_ql(base=drq), at(0.9), 3.0),
        (dagger(weight=2.0), at(0.9, score=1.0, best=1.0), 2.0),
        (distillation(weight=0.5), at(0.4), 0.5),
        (distillation(weight=0.5), at(0.6), 0.0),
        (dqfd(weight=2.0, squared=True), at(0.2, score=0.5), 0.5),
        (jsrl(horizon=100, decay=0.5), at(0.15), 0.5),
        (annealed_mixing(deadline=0.5), at(0.1), 0.8),
        (annealed_mixing(deadline=0.5), at(0.9), 0.0),
    ],
)
def test_how_much_the_teacher_counts(method, progress, expected):
    assert method.guidance(progress) == pytest.approx(expected, abs=1e-6)
