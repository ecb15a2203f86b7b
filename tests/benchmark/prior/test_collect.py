"""Logs of CartPole: their contents, and that a killed attempt loses and repeats nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import numpy as np
import pyarrow.parquet
import pytest

from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.teacher import restore
from reincarnate.benchmark.prior import collect as collecting
from reincarnate.benchmark.prior.collect import Player, collect
from reincarnate.benchmark.prior.log_folder import LogRequest
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.rlds import read
from reincarnate.datasets.rlds.check import check
from reincarnate.datasets.rlds.folder import open_log
from reincarnate.datasets.teachers import weights

ROOT = Path(__file__).parents[3]
TASK = find("gym/CartPole-v1")
LINEAR = Architecture("mlp", {"depth": 0})


def arrays(sign: float) -> dict[str, np.ndarray]:
    """Return a policy that pushes to the side where the pole falls, for 500 steps; with the sign -1, for about nine."""
    kernel = np.outer(np.array([0.0, 0.1, 1.0, 0.5]), [-sign, sign])
    return {"params/Dense_0/kernel": kernel.astype(np.float32), "params/Dense_0/bias": np.zeros(2, np.float32)}


def policy(sign: float) -> Teacher:
    return restore(LINEAR, 2, np.zeros((1, 1, 4), np.float32), arrays(sign))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Return a log of two checkpoints, the first clumsy, the second good: 60 transitions, 30 of each."""
    folder = tmp_path_factory.mktemp("collect") / "log"
    players = [Player(policy(-1.0), "run a at 10 steps"), Player(policy(1.0), "run a at 20 steps")]
    said = collect(TASK, players, LogRequest(60, 0.25, seed=3, environments=3, command="reincarnate log it"), folder)
    assert said == check(folder / "array_record").transitions
    return folder


def test_every_checkpoint_has_its_share_in_the_order_of_training(made):
    report = check(made / "array_record")
    assert report.violations == [] and report.duplicates == [] and report.checksums == "verified"
    assert list(report.splits) == ["checkpoint_00", "checkpoint_01"]
    assert all(count >= 30 for count in report.splits.values())
    assert [shard.split for shard in open_log(made / "array_record").shards] == ["checkpoint_00", "checkpoint_01"]
    episodes = list(read.read(made / "array_record"))
    assert [episode.episode_id for episode in episodes] == list(range(len(episodes)))
    assert {(episode.checkpoint_id, episode.agent_id) for episode in episodes} == {
        (0, "run a at 10 steps"),
        (1, "run a at 20 steps"),
    }
    first, second = ([e.raw_return for e in episodes if e.checkpoint_id == number] for number in (0, 1))
    assert np.mean(second) > 4 * np.mean(first)


def test_the_behavior_is_logged_with_what_it_did(made):
    """An action that is not the policy's best was drawn at random: an eighth of them, of two actions."""
    odd = []
    for episode in read.read(made / "array_record"):
        steps = episode.steps
        assert steps.teacher_values is not None and steps.behavior_epsilon is not None
        assert set(steps.behavior_epsilon) == {np.float32(0.25)}
        player = policy(1.0 if episode.checkpoint_id else -1.0)
        worth = np.asarray(player.apply(player.params, steps.frame[:-1, None]))
        np.testing.assert_allclose(steps.teacher_values[:-1], worth, rtol=1e-5, atol=1e-6)
        assert not steps.teacher_values[-1].any()  # nobody acted on it
        odd += (steps.action[:-1] != steps.teacher_values[:-1].argmax(axis=1)).tolist()
    assert len(odd) > 300 and 0.06 < np.mean(odd) < 0.2


def test_episodes_are_whole_and_those_that_their_seeds_make(made):
    """Replayed from the logged seeds and actions, every environment shows the same and ends at the same steps."""
    episodes = list(read.read(made / "array_record"))
    for number in (0, 1):
        left = {e.steps.frame[0].tobytes(): e for e in episodes if e.checkpoint_id == number}
        (config,) = {e.environment_config for e in left.values()}
        about = json.loads(config)
        assert about["env"] == "CartPole-v1" and "gymnasium" in about["versions"] and len(about["seeds"]) == 3
        for seed in about["seeds"]:
            env = gymnasium.make("CartPole-v1")
            shown, _ = env.reset(seed=seed)
            assert shown.tobytes() in left  # also the longest episode, however late it ends
            while shown.tobytes() in left:
                steps = left.pop(shown.tobytes()).steps
                ends = []
                for t, action in enumerate(steps.action[:-1]):
                    shown, reward, terminated, truncated, _ = env.step(int(action))
                    assert np.array_equal(shown, steps.frame[t + 1]) and reward == steps.reward[t]
                    ends.append((terminated, terminated or truncated))
                assert [over for _, over in ends] == [False] * (len(ends) - 1) + [True]
                assert steps.is_terminal[-1] == ends[-1][0]
                shown, _ = env.reset()
        assert left == {}


def test_a_small_log_is_a_whole_dataset(made):
    report = check(made / "tfrecord")
    ours = check(made / "array_record")
    assert report.violations == [] and report.returns.tolist() == ours.returns.tolist()
    rows = pyarrow.parquet.read_table(made / "preview" / "train.parquet")
    assert 0 < rows.num_rows <= ours.transitions + ours.episodes
    facts = json.loads((made / "provenance.json").read_text())
    who = [{key: parent[key] for key in ("kind", "reference")} for parent in facts["parents"]]
    assert who == [{"kind": "teacher", "reference": f"run a at {number} steps"} for number in (10, 20)]
    assert all(re.fullmatch("[0-9a-f]{64}", parent["digest"]) for parent in facts["parents"])  # of its weights
    assert (facts["transitions"], facts["episodes"]) == (ours.transitions, ours.episodes)
    assert facts["returns"] == ours.returns.tolist()
    assert (facts["task"], facts["seed"], facts["epsilon"], facts["attempts"]) == (TASK.name, 3, 0.25, 1)
    assert "reincarnate log it" in (made / "README.md").read_text()
    assert {path.name for path in made.iterdir()} == {
        "array_record",
        "tfrecord",
        "preview",
        "provenance.json",
        "README.md",
    }
    assert [path.name for path in made.parent.iterdir()] == ["log"]


def test_the_smallest_log_is_the_same_experience_without_a_copy(tmp_path):
    sizes, told = [], []
    for name, smallest in (("usual", False), ("small", True)):
        asked = LogRequest(600, 0.5, 3, 2, command="x", smallest=smallest)
        collect(TASK, [Player(policy(1.0), "a")], asked, tmp_path / name)
        (shard,) = (tmp_path / name / "array_record").glob("*array_record-0*")
        manifest = json.loads((tmp_path / name / "array_record" / "manifest.json").read_text())
        sizes.append(manifest["shards"][0]["bytes"])
        told.append([one.steps for one in read.read(tmp_path / name / "array_record")])
        assert (tmp_path / name / "tfrecord").exists() != smallest and shard.stat().st_size == sizes[-1]
    assert sizes[1] <= sizes[0]
    for usual, small in zip(*told, strict=True):
        assert usual.teacher_values is not None and small.teacher_values is None  # the teacher can be asked again
        rest = usual._replace(teacher_values=None)
        assert all(np.array_equal(a, b) for a, b in zip(rest, small, strict=True) if b is not None)


@pytest.mark.parametrize("options", [{"environments": 0}, {"epsilon": -0.1}, {"epsilon": 1.1}, {"seed": 2**14}])
def test_what_cannot_be_logged_is_refused(tmp_path, options):
    with pytest.raises(ValueError, match="needs at least one environment|the seed is"):
        collect(TASK, [Player(policy(1.0), "a")], LogRequest(10, **options), tmp_path / "log")
    assert not (tmp_path / "log").exists()


# -- killed

KILLED = """
import os, signal, sys
from pathlib import Path
word, count, sys.argv = sys.argv[1], int(sys.argv[2]), ["reincarnate", *sys.argv[3:]]
from reincarnate.benchmark.cli import main as cli
from reincarnate.benchmark.prior import collect
collect.SHARD_BYTES = 3000  # two or three episodes
rename, seen = os.replace, 0

def replace(source, target):
    global seen
    seen += word in Path(target).name
    if seen == count:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)

os.replace = replace
cli.main()
"""


@pytest.fixture
def teacher(tmp_path) -> Path:
    folder = tmp_path / "teacher"
    folder.mkdir()
    weights.save(folder / "policy.safetensors", arrays(-1.0))
    config = {
        "architecture": {"name": LINEAR.name, "options": dict(LINEAR.options)},
        "actions": 2,
        "observation": {"shape": [1, 4], "dtype": "float32"},
        "task": TASK.name,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def start(folder: Path, steps: int, *how: str, more=()) -> subprocess.Popen:
    words = ("log", str(folder / "teacher"), "--steps", str(steps), "--out", str(folder / "log"), "--quiet", *more)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    return subprocess.Popen([sys.executable, *how, *words], env=environment, stderr=subprocess.PIPE, text=True)


def whole(folder: Path, least: int) -> None:
    report = check(folder / "array_record")
    assert report.violations == [] and report.duplicates == [] and report.checksums == "verified"
    assert report.transitions >= least
    ids = [episode.episode_id for episode in read.read(folder / "array_record")]
    assert ids == list(range(report.episodes))
    copy = check(folder / "tfrecord")
    assert copy.violations == [] and copy.returns.tolist() == report.returns.tolist()
    assert {path.name for path in folder.parent.iterdir()} == {"teacher", "log"}


@pytest.mark.slow
def test_a_log_that_is_killed_again_and_again_is_complete_in_the_end(teacher, tmp_path):
    """Killed before the manifest vouches for a third shard, amid the last renames, and before the card is written."""
    players, safe = [Player(policy(-1.0), str(teacher))], []
    for word, count in (("manifest.json", 3), ("-of-", 2), ("provenance.json", 1)):
        with start(tmp_path, 200, "-c", KILLED, word, str(count), more=["--resume"] if safe else []) as process:
            assert process.wait(100) == -signal.SIGKILL, process.stderr and process.stderr.read()
        (manifest,) = (tmp_path / ".log.partial").glob("array_record*/manifest.json")
        safe.append(json.loads(manifest.read_bytes())["shards"])
        assert not (tmp_path / "log").exists()
        with pytest.raises(ValueError, match="is an unfinished log: resume it with --resume, or remove it$"):
            collect(TASK, players, LogRequest(200), tmp_path / "log")
    digests = [[shard["sha256"] for shard in shards] for shards in safe]
    assert len(digests[0]) == 2 and digests[1][:2] == digests[0] and digests[2] == digests[1]  # nothing safe was lost
    same = LogRequest(200)
    for asked, who, said in (
        (same._replace(epsilon=0.5), players, "epsilon 0.01, not 0.5"),
        (same._replace(seed=1), players, "seed 0, not 1"),
        (same._replace(environments=3), players, "environments 8, not 3"),
        (same._replace(steps=201), players, "steps 200, not 201"),
        (same, [Player(policy(1.0), str(teacher))], "weights [0-9a-f]{64}, not [0-9a-f]{64}"),
        (same, players * 2, f"policies {teacher}, not {teacher}, {teacher}"),
    ):
        with pytest.raises(ValueError, match=f"was begun with {said}: resume with the same, or remove it$"):
            collect(TASK, who, asked, tmp_path / "log", resume=True)
    collect(TASK, players, LogRequest(200), tmp_path / "log", resume=True)
    whole(tmp_path / "log", 200)
    configs = {e.environment_config for e in read.read(tmp_path / "log" / "array_record")}
    assert len({seed for config in configs for seed in json.loads(config)["seeds"]}) == 8 * len(configs) == 16
    assert (
        json.loads((tmp_path / "log" / "provenance.json").read_text())["attempts"] == 3
    )  # the fourth found all played


def test_the_seconds_of_all_attempts_count(tmp_path, monkeypatch):
    """Each episode takes 2 s; the first attempt is stopped after three, and keeps none of them."""
    now, left, made = 100.0, 3, collecting._episode

    def episode(*given):
        nonlocal now, left
        if not left:
            raise KeyboardInterrupt
        now, left = now + 2.0, left - 1
        return made(*given)

    monkeypatch.setattr(collecting, "_episode", episode)
    monkeypatch.setattr(collecting, "time", SimpleNamespace(perf_counter=lambda: now))
    players, asked = [Player(policy(-1.0), "a")], LogRequest(60, environments=1)
    with pytest.raises(KeyboardInterrupt):
        collect(TASK, players, asked, tmp_path / "log")
    left = 1000
    collect(TASK, players, asked, tmp_path / "log", resume=True)
    facts = json.loads((tmp_path / "log" / "provenance.json").read_text())
    assert facts["attempts"] == 2 and facts["seconds"] == 6.0 + 2.0 * facts["episodes"]


@pytest.mark.parametrize(
    "content",
    [b"[]", b"3", b'{"attempts": 1, "seconds": "x"}', b'{"attempts": 1, "seconds": -1}', b'{"attempts": "x"}'],
)
def test_damaged_attempts_are_a_sentence(tmp_path, content):
    (tmp_path / ".log.partial").mkdir()
    (tmp_path / ".log.partial" / "attempts.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"attempts.json is damaged: remove .*, and start again$"):
        collect(TASK, [Player(policy(-1.0), "a")], LogRequest(60), tmp_path / "log", resume=True)


def test_killed_before_the_very_last_rename(teacher, tmp_path):
    players = [Player(policy(-1.0), str(teacher))]
    said = collect(TASK, players, LogRequest(30), tmp_path / "log")
    (tmp_path / "log").rename(tmp_path / ".log.partial")
    assert collect(TASK, players, LogRequest(30), tmp_path / "log", resume=True) == said
    whole(tmp_path / "log", 30)


SMALL_SHARDS = """
from reincarnate.benchmark.cli import main as cli
from reincarnate.benchmark.prior import collect
collect.SHARD_BYTES = 15_000  # a dozen episodes
cli.main()
"""


@pytest.mark.slow
def test_a_program_killed_ten_times_at_any_moment_loses_and_repeats_nothing(teacher, tmp_path):
    """The final log has every shard in the manifest of the killed process, in order and only once."""
    rng, kills, safe, more = np.random.default_rng(0), 0, [], []
    begun = tmp_path / ".log.partial" / "attempts.json"
    while kills < 10:
        before = begun.stat().st_mtime_ns if begun.exists() else 0
        with start(tmp_path, 45_000, "-c", SMALL_SHARDS, more=more) as process:
            while not begun.exists() or begun.stat().st_mtime_ns == before:
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.01)
            time.sleep(rng.uniform(0.0, 0.7))
            process.kill()
            assert process.wait(100) == -signal.SIGKILL
        kills, more = kills + 1, ["--resume"]
        found = list((tmp_path / ".log.partial").glob("array_record*/manifest.json"))
        digests = [shard["sha256"] for shard in json.loads(found[0].read_bytes())["shards"]] if found else []
        assert digests[: len(safe)] == safe
        safe = digests
    assert len(safe) > 3
    with start(tmp_path, 45_000, "-c", SMALL_SHARDS, more=more) as process:
        assert process.wait(200) == 0, process.stderr and process.stderr.read()
    whole(tmp_path / "log", 45_000)
    shards = json.loads((tmp_path / "log" / "array_record" / "manifest.json").read_bytes())["shards"]
    assert [shard["sha256"] for shard in shards][: len(safe)] == safe
    assert json.loads((tmp_path / "log" / "provenance.json").read_text())["attempts"] in (
        10,
        11,
    )  # all may be played before the last kill
