"""A teacher from elsewhere plays its own game and no other; what its author claims stands beside what was measured."""

import json
import lzma
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from reincarnate.agents.teacher import values
from reincarnate.benchmark.cli.main import app
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.prior.adopt import adopt
from reincarnate.benchmark.prior.collect import collect
from reincarnate.benchmark.prior.load import pull_teacher
from reincarnate.benchmark.prior.log_folder import LogRequest
from reincarnate.benchmark.prior.promote import open_players
from reincarnate.benchmark.prior.recognised import describe, remark, task_of
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.teachers import claim
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
    """Return a folder as its library uploads it."""
    fixture = ROOT / "tests" / "fixtures" / "foreign" / name
    for path in fixture.rglob("*.xz"):
        place = folder / path.relative_to(fixture).with_suffix("")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(lzma.decompress(path.read_bytes()))
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
    with pytest.raises(ValueError, match="x names its task neither in"):
        task_of(tmp_path, "x")
    (tmp_path / "README.md").write_text(CARD.replace("ENVIRONMENT", environment).replace("CLAIM", "1 +/- 1"))
    assert task_of(tmp_path, "x").name == task


def test_a_teacher_from_elsewhere_fills_a_log(tmp_path):
    folder = teacher(tmp_path, "sb3-trained", "CartPole-v1")
    (player,), task = open_players(folder, "bundled")
    assert task.name == "gym/CartPole-v1" and np.asarray(
        values(player.policy)(np.zeros((3, 1, 4), np.float32))
    ).shape == (3, 2)
    log = tmp_path / "log"
    collect(task, [player], LogRequest(name="me/log", steps=20, environments=1), log)
    assert json.loads((log / "provenance.json").read_text())["license"] == "other"  # not ours to give away
    assert "license: other" in (log / "README.md").read_text()


def test_what_is_pulled_is_described(tmp_path):
    name = teacher(tmp_path, "sb3-ppo-relu")
    assert describe(Path(name)).startswith(
        "stable-baselines3, mlp with 722 parameters, actions 2, observations {'shape'"
    )
    (tmp_path / "model.zip").write_bytes(b"")
    with pytest.raises(ValueError, match="choose one with --file: model.zip, ppo-relu.zip"):
        describe(Path(name))


def shown(*words):
    return CliRunner().invoke(app, ["teachers", *words], catch_exceptions=False)


def test_a_folder_and_a_file_are_shown_as_what_they_are(tmp_path):
    folder = teacher(tmp_path, "sb3-ppo-relu", "CartPole-v0", "9.50 +/- 1.00")
    found = json.loads(shown("show", folder, "--json").stdout)
    assert found["library"] == "stable-baselines3" and found["outputs"] == "logits"
    assert found["task"] == "gym/CartPole-v0" and found["claimed"] == "9.50 +/- 1.00" and "differs" not in found
    there = json.loads(shown("show", f"{folder}/ppo-relu.zip", "--task", "gym/CartPole-v1", "--json").stdout)
    assert there["task"] == "gym/CartPole-v1" and there["file"] == found["file"]
    assert there["differs"].endswith("CartPole-v1 is played: since v1 it lasts 500 steps, not 200")


def test_one_of_several_files_is_chosen(tmp_path):
    folder = teacher(tmp_path, "sb3-ppo-relu")
    teacher(tmp_path, "sb3-dqn-mlp")
    task = find("gym/CartPole-v1")
    with pytest.raises(ValueError, match="choose one with --file: dqn-mlp.zip, ppo-relu.zip"):
        pull_teacher(folder, "bundled", task)
    policies = [pull_teacher(f"{folder}#{name}.zip", "bundled", task)[0] for name in ("dqn-mlp", "ppo-relu")]
    assert [policy.outputs for policy in policies] == ["values", "logits"]
    assert pull_teacher(Path(folder) / "ppo-relu.zip", "bundled", task)[0].outputs == "logits"
    linked = tmp_path / "snapshot"  # as hubs' caches have it
    linked.mkdir()
    for name in ("dqn-mlp.zip", "ppo-relu.zip"):
        (linked / name).symlink_to(Path(folder).resolve() / name)
    assert pull_teacher(f"{linked}#ppo-relu.zip", "bundled", task)[0].outputs == "logits"
    for name in ("../x.zip", "none.zip"):
        with pytest.raises(ValueError, match="has no file"):
            pull_teacher(f"{folder}#{name}", "bundled", task)


def test_a_retired_environment_stands_for_the_present_one(tmp_path):
    folder = teacher(tmp_path, "sb3-ppo-relu", "LunarLander-v2")
    assert task_of(Path(folder), "x").name == "gym/LunarLander-v3"
    words = remark("LunarLander-v2", find("gym/LunarLander-v3"))
    assert words.startswith(
        "its author names LunarLander-v2, but LunarLander-v3 is played: since v3 the wind starts afresh"
    )
    assert remark("CartPole-v1", find("gym/CartPole-v1")) == ""
    assert "has no sticky actions; atari/Pong has sticky actions 0.25" in remark(
        "PongNoFrameskip-v4", find("atari/Pong")
    )


def test_logits_are_refused_where_values_are_matched(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t").mkdir()
    folder = teacher(tmp_path / "t", "sb3-trained", "CartPole-v1")
    collect(find("gym/CartPole-v1"), open_players(folder, "bundled")[0], LogRequest(100), tmp_path / "log")
    with pytest.raises(ValueError, match="distillation matches the teacher's action values, but .* gives logits"):
        run("gym/CartPole-v1", "distillation", "steps=600", teacher=folder, teacher_log="log", episodes=1)
    assert not (tmp_path / "runs").exists()


def test_actors_of_continuous_control_are_shown_and_refused_where_actions_are_others(tmp_path):
    folder = teacher(tmp_path, "continuous-sac", "CartPole-v1")
    assert json.loads(shown("show", folder, "--json").stdout)["outputs"] == "continuous actions"
    with pytest.raises(ValueError, match=r"has actions \{'low': .*, but gym/CartPole-v1 has 2: give another"):
        open_players(folder, "bundled")


def test_a_teacher_from_elsewhere_is_adopted_with_a_card_that_states_its_source(tmp_path):
    (tmp_path / "theirs").mkdir()
    folder = Path(teacher(tmp_path / "theirs", "sb3-ppo-normalised", "CartPole-v1", "9.50 +/- 1.00"))
    out, about = tmp_path / "ours", {"source": "https://example.org/zoo", "license": "mit"}
    judged = adopt(folder, out, "ann/theirs", "", 3, about, Display(quiet=True))
    task = find("gym/CartPole-v1")
    policies = [pull_teacher(place, "bundled", task)[0] for place in (folder, out)]
    obs = np.random.default_rng(0).normal(0, 1, (4, 1, 4)).astype(np.float32)
    theirs, ours = (np.asarray(values(policy)(obs)) for policy in policies)
    assert np.array_equal(theirs, ours)
    assert [policy.outputs for policy in policies] == ["logits"] * 2
    config, card = json.loads((out / "config.json").read_text()), (out / "README.md").read_text()
    assert (
        config["origin"]["library"] == "stable-baselines3"
        and config["origin"]["normalizer"]["file"] == "vecnormalize.pkl"
    )
    for text in (
        "Source: https://example.org/zoo.",
        f"ppo-normalised.zip, sha256 {config['origin']['sha256']}",
        "claims a mean return of 9.50 +/- 1.00 in CartPole-v1",
        "normalised by the statistics of its vecnormalize.pkl",
        "license: mit",
        "Its training cost is unknown",
    ):
        assert text in card
    assert len(judged.returns) == 3 and not list(out.glob("*.zip"))


@pytest.mark.parametrize(
    ("said", "mean", "most", "warned"),
    [
        ("-110.42 +/- 19.47", -200.0, -200.0, True),
        ("-110.42 +/- 19.47", -109.0, -102.0, False),
        ("-110.42 +/- 19.47", -131.0, -120.0, False),
        ("500.00 +/- 0.00", 480.0, 499.0, True),
        ("58.80", 50.0, 52.0, True),
        ("58.80", 52.0, 54.0, False),
        ("", 0.0, 0.0, False),
        ("nan", 0.0, 0.0, False),
    ],
)
def test_a_score_far_below_its_claim_is_warned_about_with_both_numbers(said, mean, most, warned):
    words = claim.shortfall(said, mean, most)
    assert bool(words) == warned and (not warned or (said in words and f"{mean:.2f}" in words))
