"""A teacher from elsewhere plays its own game and no other; what its author claims stands beside what was measured."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reincarnate.agents.teacher import values
from reincarnate.benchmark.prior.load import describe, pull_teacher, task_of
from reincarnate.benchmark.prior.promote import open_players
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard import record as records

ROOT = Path(__file__).parents[3]
CARD = """---
library_name: stable-baselines3
model-index:
- name: DQN
  results:
  - task: {type: reinforcement-learning, name: reinforcement-learning}
    dataset: {name: ENVIRONMENT, type: ENVIRONMENT}
    metrics: [{type: mean_reward, value: CLAIM, name: mean_reward, verified: false}]
---
"""


def teacher(folder, name, environment="", claim="20.40 +/- 0.66"):
    """A folder as its library uploads it."""
    for path in (ROOT / "tests" / "fixtures" / "foreign" / name).glob("*.xz"):
        (folder / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
    if environment:
        card = CARD.replace("ENVIRONMENT", environment).replace("CLAIM", claim)
        (folder / "README.md").write_text(card)
    return str(folder)


@pytest.mark.parametrize(
    ("name", "environment", "task"),
    [
        ("cleanrl-dqn_atari_jax", "PongNoFrameskip-v4", "atari/Pong"),
        ("cleanrl-c51_atari", "SpaceInvadersNoFrameskip-v4", "atari/SpaceInvaders"),
        ("sb3-qrdqn-cnn", "ALE/Pong-v5", "atari/Pong"),
        ("sb3-dqn-mlp", "CartPole-v0", "gym/CartPole-v1"),
        ("cleanrl-dqn_jax", "", "gym/CartPole-v1"),
    ],
)
def test_a_teacher_from_elsewhere_is_pulled(tmp_path, name, environment, task):
    played = find(task)
    policy, parent = pull_teacher(teacher(tmp_path, name, environment), "bundled", played)
    assert parent is not None and parent.claim == ("20.40 +/- 0.66" if environment else "")
    obs = np.zeros((2, 4, 84, 84), np.uint8) if "atari" in task else np.zeros((2, 1, 4), np.float32)
    assert np.asarray(values(policy)(obs)).shape == (2, 6 if "atari" in task else 2)


@pytest.mark.parametrize(
    ("name", "environment", "task", "theirs", "ours"),
    [
        ("cleanrl-dqn_atari", "BreakoutNoFrameskip-v4", "atari/Pong", "plays BreakoutNoFrameskip-v4", "atari/Pong"),
        ("cleanrl-c51_atari_jax", "", "atari/Pong", "plays BreakoutNoFrameskip-v4", "atari/Pong"),  # by its arguments
        ("sb3-dqn-cnn", "", "atari/Breakout", "has actions 6", "atari/Breakout has 4"),
        ("sb3-ppo-cnn", "MinAtar/Pong-v1", "gym/CartPole-v1", "plays MinAtar/Pong-v1", "gym/CartPole-v1"),
        ("sb3-dqn-mlp", "", "gym/Acrobot-v1", "has actions 2", "gym/Acrobot-v1 has 3"),
        ("sb3-dqn-mlp", "CartPole-v1", "gym/Acrobot-v1", "plays CartPole-v1", "gym/Acrobot-v1"),
        ("dopamine-dqn", "", "gym/CartPole-v1", "has actions 6", "gym/CartPole-v1 has 2"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused_with_both_sides(tmp_path, name, environment, task, theirs, ours):
    with pytest.raises(ValueError, match="give another teacher") as caught:
        pull_teacher(teacher(tmp_path, name, environment), "bundled", find(task))
    assert theirs in str(caught.value) and ours in str(caught.value)


def test_observations_that_differ_are_named_on_both_sides(tmp_path):
    name = teacher(tmp_path, "plain-torch")
    config = json.loads((ROOT / "tests" / "fixtures" / "foreign" / "plain-torch" / "expected.json").read_text())[
        "config"
    ]
    seen = {"shape": [4, 64, 64], "dtype": "uint8"}
    (tmp_path / "config.json").write_text(json.dumps({**config, "observation": seen}))
    with pytest.raises(ValueError, match="give another teacher") as caught:
        pull_teacher(name, "bundled", find("atari/Pong"))
    assert "'shape': [4, 64, 64]" in str(caught.value) and "'shape': [4, 84, 84]" in str(caught.value)


@pytest.mark.slow
def test_a_model_of_stable_baselines3_teaches_a_student(tmp_path):
    """A PPO that stable-baselines3 trained: its author's 500 stands beside what was measured here."""
    trained = ROOT / "tests" / "fixtures" / "foreign" / "sb3-trained"
    claim = json.loads((trained / "expected.json").read_text())["claim"]
    (tmp_path / "theirs").mkdir()
    folder = teacher(tmp_path / "theirs", "sb3-trained", "CartPole-v1", claim)
    words = ["run", "--task", "gym/CartPole-v1", "--method", "kickstarting", "--budget", "steps=2k", "--episodes", "5"]
    words += ["--teacher", folder, "--out", str(tmp_path / "run"), "--points", "1", "--set", "warmup=100"]
    done = subprocess.run(
        [sys.executable, "-m", "reincarnate", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT / ".src")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    record = records.load(tmp_path / "run" / "record.json")
    assert record.parents[0].claim == claim and record.teacher is not None
    assert np.mean(record.teacher.returns) > 300 > np.mean(record.random.returns)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("   claimed")]
    assert claim in line


@pytest.mark.parametrize(
    ("environment", "task"),
    [
        ("SpaceInvadersNoFrameskip-v4", "atari/SpaceInvaders"),
        ("ALE/SpaceInvaders-v5", "atari/SpaceInvaders"),
        ("MinAtar/SpaceInvaders-v1", "minatar/space_invaders"),
        ("CartPole-v1", "gym/CartPole-v1"),
    ],
)
def test_what_it_plays_is_known_by_its_card(tmp_path, environment, task):
    teacher(tmp_path, "sb3-dqn-mlp")
    with pytest.raises(ValueError, match="x does not say what it plays"):
        task_of(tmp_path, "x")
    (tmp_path / "README.md").write_text(CARD.replace("ENVIRONMENT", environment).replace("CLAIM", "1 +/- 1"))
    assert task_of(tmp_path, "x").name == task


def test_a_teacher_from_elsewhere_fills_a_log(tmp_path):
    folder = teacher(tmp_path, "sb3-trained", "CartPole-v1")
    (player,), task = open_players(folder, "bundled")
    assert task.name == "gym/CartPole-v1" and np.asarray(
        values(player.policy)(np.zeros((3, 1, 4), np.float32))
    ).shape == (3, 2)


def test_what_is_pulled_is_described(tmp_path):
    name = teacher(tmp_path, "sb3-ppo-relu")
    assert describe(Path(name)).startswith(
        "stable-baselines3, mlp with 722 parameters, actions 2, observations {'shape'"
    )
    (tmp_path / "model.zip").write_bytes(b"")
    with pytest.raises(ValueError, match="choose one with --file: model.zip, ppo-relu.zip"):
        describe(Path(name))
