"""A Python function as a policy: evaluated, logged and queried, told where episodes begin, or refused in a sentence."""

import json

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.prior import called
from reincarnate.benchmark.prior.load import pull_teacher
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.rlds.read import read

CARTPOLE = find("gym/CartPole-v1")
SOURCE = """
import numpy as np

def lean(obs):
    return (obs[:, -1, 2] + 0.3 * obs[:, -1, 3] > 0).astype(int)

def values(obs):
    x = obs[:, -1, 2] + 0.3 * obs[:, -1, 3]
    return np.stack([-x, x], axis=1)

class Alternating:  # an action at the start of an episode and the other after it, and so on
    def __init__(self):
        self.age = np.zeros(0, int)

    def __call__(self, obs, first):
        if len(self.age) != len(first):
            self.age = np.zeros(len(first), int)
        self.age = np.where(first, 0, self.age + 1)
        return self.age % 2

alternating = Alternating()

def many(obs, first, more):
    return obs

def float_actions(obs):
    return np.zeros(len(obs))

def too_large(obs):
    return np.full(len(obs), 2)

def raises(obs):
    raise RuntimeError("no")

def negative(obs):
    return np.where(np.arange(len(obs)) == 0, -1, 1)

def listed(obs):
    return [int(one[-1, 2] > 0) for one in obs]

def one_hot(obs):
    return np.eye(2, dtype=int)[listed(obs)]

def scalar(obs):
    return np.int64(1)

def any_arguments(*given):
    return listed(*given)

def in_place(obs):
    taken = listed(obs)
    obs[:] = 0
    return taken

def none(obs):
    pass

def nan(obs):
    return np.full((len(obs), 2), np.nan)

def huge(obs):
    return np.full((len(obs), 2), 1e300)

def shorter(obs):
    return np.zeros(len(obs) + 1, int)

def leaves(obs):
    raise SystemExit(0)

class Policy:
    def __init__(self, obs=None):
        pass

number = 7
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_policies.py").write_text(SOURCE)
    (tmp_path / "own_script.py").write_text("import sys\nsys.exit(2)\n")
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_function_is_evaluated():
    told = CliRunner().invoke(
        app, ["evaluate", "own_policies:lean", "--task", "gym/CartPole-v1", "--episodes", "3", "--json", "--quiet"]
    )
    assert json.loads(told.stdout)["returns"] == [500.0] * 3


def test_a_policy_with_a_memory_is_told_where_episodes_begin():
    """Its actions in the log are 0, 1, 0, 1 from the start of every episode."""
    command = ["log", "own_policies:alternating", "--task", "gym/CartPole-v1", "--steps", "300", "--epsilon", "0"]
    told = CliRunner().invoke(app, [*command, "--out", "log", "--quiet"], catch_exceptions=False)
    assert told.exit_code == 0
    episodes = list(read("log/array_record"))
    assert len(episodes) > 5
    for episode in episodes:
        taken = episode.steps.action[:-1]
        assert np.array_equal(taken, np.arange(len(taken)) % 2)
        assert episode.steps.teacher_values is None  # it gives none


def test_a_function_is_asked_as_a_teacher():
    policy, parent = pull_teacher("own_policies:values", "bundled", CARTPOLE)
    obs = np.random.default_rng(0).normal(0, 1, (5, 1, 4)).astype(np.float32)
    told = jax.jit(policy.apply)(policy.params, obs)
    x = obs[:, -1, 2] + 0.3 * obs[:, -1, 3]
    np.testing.assert_allclose(np.asarray(told), np.stack([-x, x], axis=1), rtol=1e-6)
    assert (
        policy.outputs == "values" and parent and parent.reference == "own_policies:values" and len(parent.digest) == 64
    )
    policy, _ = pull_teacher("own_policies:lean", "bundled", CARTPOLE)
    assert policy.outputs == "actions"
    assert np.asarray(policy.apply((), obs)).tolist() == np.eye(2)[(x > 0).astype(int)].tolist()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("own_policies:nothing", "has no nothing"),
        ("own_nowhere:lean", "cannot be imported: ModuleNotFoundError: No module named 'own_nowhere', searched in"),
        ("own_policies:number", "is not a function"),
        ("own_policies:many", "takes 3 arguments"),
        ("own_policies:float_actions", r"gave float64\[1\] for 1 observations: it must give whole numbers \[1\]"),
        ("own_policies:too_large", "gave the action 2, but actions are 0 to 1"),
        ("own_policies:raises", "raised RuntimeError: no"),
        ("own_policies:negative", "gave the action -1, but actions are 0 to 1"),
        ("own_policies:none", r"gave object\[\] for 1 observations"),
        ("own_policies:nan", r"gave float64\[1, 2\] for 1 observations: .* finite values"),
        ("own_policies:huge", r"gave float64\[1, 2\] for 1 observations: .* finite values"),
        ("own_policies:shorter", r"gave int64\[2\] for 1 observations"),
        ("own_policies:leaves", "raised SystemExit: 0"),
        ("own_policies:Policy", r"is a class: put `policy = Policy\(\)` into the module, and name that"),
        ("own_script:lean", "cannot be imported: SystemExit: 2"),
        ("own_policies:alternating", "has a memory .*: make a log of it"),
    ],
)
def test_what_is_no_policy_is_refused_in_a_sentence(name, says):
    with pytest.raises(ValueError, match=says):
        pull_teacher(name, "bundled", CARTPOLE)


def test_a_file_of_that_name_comes_first(tmp_path):
    assert called.is_called("own_policies:lean") and not called.is_called("me/own:lean")
    (tmp_path / "own_policies:lean").write_text("")
    assert not called.is_called("own_policies:lean")


def test_observations_of_all_environments_come_in_one_order():
    """With environments whose episodes are over, each keeps its row."""
    env = make(CARTPOLE, np.arange(3))
    found = called.load("own_policies:lean", env)
    assert found.act(env.observe(), np.ones(3, bool)).shape == (3,) and not found.has_memory


@pytest.mark.parametrize("name", ["listed", "one_hot", "any_arguments", "in_place"])
def test_plain_answers_are_taken_and_observations_are_left_as_they_are(name):
    env = make(CARTPOLE, np.arange(3))
    seen = env.observe().copy()
    told = called.load(f"own_policies:{name}", env).act(env.observe(), np.ones(3, bool))
    assert told.tolist() == (seen[:, -1, 2] > 0).astype(int).tolist()
    np.testing.assert_array_equal(env.observe(), seen)


def test_one_number_is_an_answer_to_one_observation_only():
    env = make(CARTPOLE, np.arange(1))
    assert called.load("own_policies:scalar", env).act(env.observe(), np.ones(1, bool)).tolist() == [1]
    with pytest.raises(ValueError, match=r"gave int64\[\] for 3 observations"):
        called.load("own_policies:scalar", make(CARTPOLE, np.arange(3)))
