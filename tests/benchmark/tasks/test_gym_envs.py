"""Environments of Gymnasium and of users: their faults are one sentence, and none plays for ever."""

import sys

import gymnasium
import numpy as np
import pytest

from reincarnate.benchmark.evaluation.episodes import evaluate
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.tasks import gym_envs
from reincarnate.benchmark.tasks.environments import EnvironmentFault, make
from reincarnate.benchmark.tasks.retired import present
from reincarnate.benchmark.tasks.task import find, network_for
from reincarnate.leaderboard.ledger import read


class Base(gymnasium.Env):
    """Five steps long, with an array of three numbers to see."""

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (3,), np.float32)
    action_space = gymnasium.spaces.Discrete(2)
    length = 5

    def see(self):
        return np.zeros(3, np.float32)

    def pay(self):
        return 1.0

    def reset(self, *, seed=None, options=None):
        self.t = 0
        return self.see(), {}

    def step(self, action):
        self.t += 1
        return self.see(), self.pay(), self.t >= self.length, False, {}


def broken(**methods):
    return type("Broken", (Base,), methods)


def boom(self):
    raise RuntimeError("the simulator\nlost its connection")


def leave(self):
    raise SystemExit  # as a window does when it is closed


LATE_NAN = broken(pay=lambda self: np.nan if self.t == 3 else 1.0)
FOUR = broken(step=lambda self, action: (self.see(), 1.0, False, {}))
FLAG = broken(step=lambda self, action: (self.see(), 1.0, None, False, {}))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (broken(see=lambda self: np.array([0, 0, 2**24 + 1])), "of int64, whose values float32 cannot hold"),
        (broken(see=lambda self: np.ma.masked_equal(np.zeros(3, np.float32), 0)), "some values are masked"),
        (broken(see=lambda self: None), r"gave the observation None, but .* promises an array of shape \[3\]"),
        (broken(see=lambda self: np.zeros(4, np.float32)), r"gave the observation float32\[4\], but .* of shape \[3\]"),
        (broken(see=lambda self: [[1], [1, 2]]), "gave the observation list of 2"),
        (broken(see=lambda self: np.full(3, np.nan)), "an observation with NaN"),
        (broken(pay=lambda self: None), "at step 1 of an episode gave the reward None, not a finite number"),
        (broken(pay=lambda self: np.ones(2)), r"gave the reward float64\[2\], not a finite number"),
        (broken(pay=lambda self: 1e39), r"gave the reward 1e\+39, not a finite number of float32"),
        (broken(pay=leave), "at step 1 of an episode raised SystemExit"),
        (broken(see=lambda self: np.full(3, 1e39)), "an observation with a number beyond float32"),
        (broken(see=lambda self: "\x1b[31m"), "gave the observation"),
        (LATE_NAN, "at step 3 of an episode gave the reward nan, not a finite number"),
        (broken(pay=boom), "at step 1 of an episode raised RuntimeError: the simulator lost its connection"),
        (broken(see=boom), "raised RuntimeError at reset: the simulator lost"),
        (FLAG, "gave None for terminated, neither true nor false"),
        (FOUR, "has the API of old Gym; .*`step` five"),
        (broken(reset=lambda self, seed=None, options=None: self.see()), "the API of old Gym"),
        (broken(reset=lambda self: (self.see(), {})), "'seed'.* the API of old Gym"),
        (
            broken(observation_space=gymnasium.spaces.Box(0, 255, (3,), np.uint8), see=lambda self: np.full(3, 256)),
            "uint8 cannot hold",
        ),
    ],
)
def test_what_an_environment_breaks_is_one_sentence_that_names_it(registered, kind, says):
    with pytest.raises(EnvironmentFault, match=f"the environment gym/Broken-v0 .*{says}") as caught:
        env = make(find(f"gym/{registered(kind)}"), np.arange(1))
        for _ in range(7):
            env.step(np.zeros(1, int))
    assert str(caught.value).isprintable()


def leave_at_once(self, **settings):
    raise SystemExit(3)


NOTHING = gymnasium.spaces.Box(0, 1, (0,), np.float32)
HUGE = gymnasium.spaces.Box(0, 255, (4_097, 4_096), np.uint8)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (broken(__init__=leave_at_once), "cannot be made: SystemExit 3"),
        (broken(observation_space=property(boom)), "does not say what its .* the simulator lost its connection"),
        (broken(observation_space=None), "shows None: only arrays"),
        (broken(action_space=None), "has the actions None"),
        (broken(action_space=gymnasium.spaces.Discrete(10**9)), "has 1,000,000,000 actions, where 1 to 65,536"),
        (broken(observation_space=NOTHING), "shows 0 numbers at once"),
        (broken(observation_space=HUGE), "shows 16,781,312 numbers at once, where 1 to 16,777,216"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_before_it_is_played(registered, kind, says):
    with pytest.raises(ValueError, match=f"Broken-v0 {says}") as caught:
        make(find(f"gym/{registered(kind)}"), np.arange(1))
    assert str(caught.value).isprintable()


def test_a_module_that_ends_the_process_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "leaves_at_once.py").write_text("raise SystemExit(0)")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="leaves_at_once:X-v0 cannot be made: SystemExit 0"):
        make(find("gym/leaves_at_once:X-v0"), np.arange(1))


@pytest.fixture
def registered():
    def register(kind, **settings):
        gymnasium.register("Broken-v0", kind, **settings)
        return "Broken-v0"

    yield register
    gymnasium.registry.pop("Broken-v0", None)


@pytest.mark.parametrize(
    "kind",
    [
        broken(see=lambda self: [0.0, 0.0, 0.0]),
        broken(pay=lambda self: np.ones(1)),
        broken(pay=lambda self: np.float64(1)),
    ],
)
def test_lists_and_arrays_of_one_number_are_what_they_say(registered, kind):
    env = make(find(f"gym/{registered(kind)}"), np.arange(2))
    step = env.step(np.zeros(2, int))
    assert step.reward.tolist() == [1.0, 1.0] and env.observe().tolist() == [[[0.0] * 3]] * 2


def test_an_episode_without_a_time_limit_is_cut_off_by_the_protocols(registered, monkeypatch):
    monkeypatch.setattr(gym_envs, "LIMIT", 4)
    env = make(find(f"gym/{registered(broken(length=10**12))}"), np.arange(1))
    told = [env.step(np.zeros(1, int)) for _ in range(8)]
    assert [bool(one.truncated[0]) for one in told] == [False, False, False, True] * 2
    limited = make(find("gym/Broken-v0+TimeLimit=6"), np.arange(1))
    assert [bool(limited.step(np.zeros(1, int)).truncated[0]) for _ in range(6)] == [False] * 5 + [True]


def test_an_evaluation_of_what_never_ends_is_bounded_by_the_protocols_limit(registered, monkeypatch):
    monkeypatch.setattr(gym_envs, "LIMIT", 7)
    env = make(find(f"gym/{registered(broken(length=10**12))}"), np.arange(2))
    played = evaluate(lambda obs: np.zeros(len(obs), int), [env], 0.0, np.arange(3))
    assert played.lengths.tolist() == played.returns.tolist() == [7, 7, 7]


def test_a_time_limit_of_its_own_is_the_only_one(registered, monkeypatch):
    monkeypatch.setattr(gym_envs, "LIMIT", 4)
    env = make(find(f"gym/{registered(broken(length=10**12), max_episode_steps=6)}"), np.arange(1))
    assert [bool(env.step(np.zeros(1, int)).truncated[0]) for _ in range(6)] == [False] * 5 + [True]


def test_discrete_and_dict_observations_are_learned_from_in_a_wrapper_that_the_task_names():
    with pytest.raises(ValueError, match=r"shows Discrete\(16\): .* name gym/FrozenLake-v1\+FlattenObservation"):
        make(find("gym/FrozenLake-v1"), np.arange(1))
    env = make(find("gym/FrozenLake-v1+FlattenObservation"), np.arange(2))
    assert env.observe().shape == (2, 1, 16) and env.observe()[0, 0].tolist() == [1.0] + [0.0] * 15
    with pytest.raises(
        ValueError, match="no wrapper 'Nope': name one of gymnasium.wrappers, or your own as module:Class"
    ):
        make(find("gym/CartPole-v1+Nope"), np.arange(1))


def test_an_environment_of_ones_own_is_found_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = [path for path in sys.path if path]
    monkeypatch.setattr(sys, "path", list(path))
    source = "import gymnasium\nfrom gymnasium.envs.classic_control import CartPoleEnv\n"
    (tmp_path / "own_module.py").write_text(source + "gymnasium.register('Own-v0', CartPoleEnv)\n")
    assert make(find("gym/own_module:Own-v0"), np.arange(1)).actions == 2
    with pytest.raises(
        ValueError, match="other_module:X-v0 cannot be made: No module named 'other_module', searched in"
    ):
        make(find("gym/other_module:X-v0"), np.arange(1))
    assert sys.path == path  # the process's own


def test_retired_versions_are_refused_by_the_present_one_and_what_differs():
    with pytest.raises(
        ValueError, match="LunarLander-v2 is retired: play gym/LunarLander-v3, where since v3 the wind starts afresh"
    ):
        make(find("gym/LunarLander-v2"), np.arange(1))
    assert present("CarRacing-v2") == (
        "CarRacing-v3",
        "since v3 an episode that ends with the lap is terminated, not truncated",
    )
    with pytest.raises(
        ValueError, match=r"HalfCheetah-v3 is retired: play gym/HalfCheetah-v5, where since v4 MuJoCo is"
    ):
        make(find("gym/HalfCheetah-v3"), np.arange(1))  # a name that Gymnasium keeps, and that only raises
    assert present("Walker2d-v2")[0] == "Walker2d-v5" and "friction" in present("Walker2d-v2")[1]
    assert present("Reacher-v4") == ("", "")
    assert present("CartPole-v0") == present("CartPole-v1") == present("Nope-v0") == ("", "")


def test_pixels_of_gymnasium_get_a_convolution_and_vectors_do_not():
    task = find("gym/CartPole-v1")
    for shape, dtype, network in (
        ((1, 1, 64, 64, 3), np.uint8, "nature"),
        ((1, 1, 84, 84), np.uint8, "nature"),
        ((1, 1, 7, 7, 3), np.uint8, "minatar"),
        ((1, 1, 128), np.uint8, "mlp"),
        ((1, 1, 64, 64, 3), np.float32, "mlp"),
        ((1, 1, 3, 64, 64), np.uint8, "mlp"),
    ):
        assert network_for(task, np.zeros(shape, dtype)) == network
    assert network_for(find("minatar/breakout"), np.zeros((1, 1, 10, 10, 4), bool)) == "minatar"


@pytest.mark.slow
def test_a_run_whose_environment_dies_has_saved_what_it_learned_and_goes_on(registered, tmp_path):
    state = {"steps": 0, "limit": 10**9}

    def step(self, action):
        state["steps"] += 1
        if state["steps"] == state["limit"]:
            raise RuntimeError("the simulator lost its connection")
        return Base.step(self, action)

    name = registered(broken(step=step))
    how = {"method": "dqn", "budget": "steps=600", "settings": {"warmup": 100}, "episodes": 2, "points": (0.0, 1.0)}
    run(f"gym/{name}", out=tmp_path / "whole", **how)
    whole, state["steps"] = state["steps"], 0
    state["limit"] = whole - 100  # in training: the last evaluation has ten steps
    with pytest.raises(ValueError, match="raised RuntimeError: .*; what was learned is saved, resume with: .*--resume"):
        run(f"gym/{name}", out=tmp_path / "died", **how)
    before = read(tmp_path / "died" / "ledger.jsonl")[-1]["spent"]["steps"]
    assert 100 < before < 600
    record = resume(tmp_path / "died")
    assert record.complete and record.points[-1].spent["steps"] == 600
