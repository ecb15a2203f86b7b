"""The balloon by its own simulator: what the wheel draws and answers, and that other libraries see no stand-ins."""

import subprocess
import sys

import numpy as np
import pytest

from reincarnate.benchmark.cli.evaluate import span_of
from reincarnate.benchmark.evaluation.episodes import GOOD, evaluate
from reincarnate.benchmark.tasks.balloon import genuine
from reincarnate.benchmark.tasks.balloon_envs import SUITES, BalloonFamily, GenuineBalloons
from reincarnate.benchmark.tasks.environment import EnvironmentFault
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.task import canonical, find

TASK, GENUINE = find("balloon/station_keeping"), find("balloon/station_keeping_genuine")


def with_wheel(test):
    """Let a test run among the slow ones, where the simulator is installed."""
    missing = f"the balloon's simulator is not installed: {genuine.INSTALL}"
    return pytest.mark.slow(pytest.mark.skipif(not genuine.installed(), reason=missing)(test))


@pytest.fixture(scope="module")
def two() -> GenuineBalloons:
    """Return two balloons; each test begins its own episodes."""
    return GenuineBalloons(GENUINE, np.array([0, 1]))


def test_its_names_and_suites():
    assert canonical("gym/BalloonLearningEnvironment-v0") == canonical("balloon") == TASK.name
    assert TASK.max_steps == 960 and TASK.share == "TWR50" and find(TASK.name).protocol()["max_steps"] == 960
    assert BalloonFamily().task("another") is None and GENUINE.same_as == TASK.name and GENUINE.share == TASK.share
    assert span_of("small_eval") == range(100) and span_of("micro_eval") == range(1) and len(SUITES) == 5
    with pytest.raises(ValueError, match="tiny_eval"):
        span_of("eval")


def test_what_is_missing_is_one_sentence(monkeypatch):
    monkeypatch.setattr(genuine, "NEEDED", ("no_such_library",))
    for task in (TASK, GENUINE):
        with pytest.raises(ValueError, match="needs no_such_library.*pip install --no-deps balloon-learning") as told:
            make(task, np.array([0]))
        assert "\n" not in str(told.value)
    assert all("needs pip install" in line for _, line in BalloonFamily().known())


@with_wheel
def test_an_episode_begins_as_the_wheel_draws_it_and_repeats(two):
    two.restart(np.array([0, 1]), np.array([0, 1]))
    first = two.observe()
    assert first.shape == (2, 1, 1099) and first.dtype == np.float32
    np.testing.assert_allclose(first[:, 0, 0], [0.29124013, 0.4486351], atol=1e-6)  # what the wheel itself gives
    answers = [two.step(np.array([0, 2])) for _ in range(3)]
    two.restart(np.array([1]), np.array([0]))  # the other balloon, in the first one's episode
    again = [two.step(np.array([1, 0])) for _ in range(3)]
    for one, other in zip(answers, again, strict=True):
        assert one.reward[0] == other.reward[1] and np.array_equal(one.final[0], other.final[1])
    assert not any(step.terminated.any() or step.truncated.any() for step in answers + again)


@with_wheel
def test_the_reward_says_who_is_within_50_km(two):
    """Check the reward on both sides of its bounds, with and without power used, by the simulator's own function."""
    reward = genuine.simulator().perciatelli_reward_function
    two.restart(np.array([0]), np.array([0]))
    state = two._envs[0].get_simulator_state()
    balloon = state.balloon_state
    one_km, down = type(balloon.x)(km=1.0), type(balloon.last_command).DOWN
    for command in (balloon.last_command, down):
        balloon.last_command, balloon.acs_power = command, type(balloon.acs_power)(watts=300.0)
        balloon.x, balloon.y = one_km * 50, one_km * 0
        assert reward(state) > GOOD
        balloon.x = one_km * 50.001
        assert reward(state) < GOOD
    assert reward(state) == pytest.approx(0.4 * 0.65, rel=1e-4)


@with_wheel
def test_an_episode_ends_after_its_steps_and_its_share_is_counted(monkeypatch, two):
    short = GenuineBalloons(GENUINE._replace(max_steps=2), np.array([5]))
    found = evaluate(lambda obs: np.ones(len(obs), int), [short], 0.0, np.array([5, 6]))
    assert found.lengths.tolist() == [2, 2]
    monkeypatch.setattr(short._envs[0], "step", lambda action: (_ for _ in ()).throw(AssertionError("odd pressure")))
    with pytest.raises(EnvironmentFault, match="balloon/station_keeping_genuine at step 0 .* odd pressure"):
        short.step(np.array([1]))


@with_wheel
def test_nobody_else_sees_the_stand_ins():
    code = """
import sys
import numpy, scipy.interpolate, sklearn.gaussian_process as gp
before = {name: dict(vars(one)) for name, one in (("numpy", numpy), ("interpolate", scipy.interpolate), ("gp", gp))}
from reincarnate.benchmark.tasks.balloon import genuine
genuine.simulator()
assert genuine.simulator() is genuine.simulator()
gone = ("gym", "gin", "tensorflow", "balloon_learning_environment")
names = [name for name in sys.modules if name.split(".")[0] in gone]
assert not names, names
after = {"numpy": numpy, "interpolate": scipy.interpolate, "gp": gp}
assert all(vars(after[name])[key] is value for name, one in before.items() for key, value in one.items())
assert not hasattr(scipy.interpolate, "interp2d") or scipy.interpolate.interp2d is before["interpolate"]["interp2d"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@with_wheel
def test_a_flight_is_drawn():
    rate, frames = BalloonFamily().draw(TASK, 0, [0, 2, 1])
    drawn = [frame for frame, _ in frames]
    assert rate == 24 and {frame.shape for frame in drawn} == {(600, 480, 3)}
    assert not np.array_equal(drawn[0], drawn[2])


@with_wheel
def test_random_play_returns_what_the_wheel_alone_returned():
    chance = np.random.default_rng(0)
    env = make(GENUINE, np.array([0]))
    found = evaluate(lambda obs: np.array([chance.integers(3)]), [env], 0.0, np.array([0]))
    assert found.returns[0] == pytest.approx(82.6, abs=0.1) and found.lengths[0] == 960
