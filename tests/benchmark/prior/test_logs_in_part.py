"""Parts of several logs at once, in the requested shares, and the record of them."""

import shlex
from typing import Any

import numpy as np
import pytest

from reincarnate.benchmark.prior import load
from reincarnate.benchmark.prior.load import pull_logs
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.write import LogWriter
from reincarnate.leaderboard import record as records

TASK = find("gym/CartPole-v1")


@pytest.fixture
def logs(tmp_path):
    """Write two logs of three checkpoints with two episodes each; a frame holds (log, checkpoint, episode, step)."""
    for name in range(2):
        with LogWriter(tmp_path / str(name) / "array_record", "toy", np.zeros(4, np.float32), 2) as writer:
            for number in range(6):
                length = 4 + 2 * number  # which is the return too
                frames = [(name, number // 2, number, step) for step in range(length + 1)]
                about = {"checkpoint_id": number // 2}
                writer.add(
                    Episode.of(
                        np.array(frames, np.float32), [number % 2] * length, [1.0] * length, True, number, **about
                    )
                )
    return tmp_path


def seen(log, size=4000):
    """Return the frames [size, 4] at which the transitions of a large batch begin."""
    batch = log.sample(np.random.default_rng(0), size, 3, 0.99, True)
    return batch.window[:, 0]


def test_checkpoints_and_returns_choose_what_is_drawn(logs):
    log, (parent,) = pull_logs(f"{logs / '0'}:checkpoints=1-2:returns=0.5", "bundled", TASK)
    assert log is not None and len(log) == 12 + 14  # of the lengths 8 to 14, those from the median 11 on
    assert set(seen(log)[:, 2]) == {4.0, 5.0}
    assert (parent.reference, parent.part) == (str(logs / "0"), "checkpoints=1-2:returns=0.5")
    log, _ = pull_logs(f"{logs / '0'}:checkpoints=-1", "bundled", TASK)
    assert set(seen(log)[:, 1]) == {2.0}


def test_a_log_of_another_game_is_refused_before_it_is_decoded(logs, monkeypatch):
    monkeypatch.setattr(load, "steps_of", None)  # as a call would tell
    with pytest.raises(ValueError, match=r"has frames float32\[4\], but gym/MountainCar-v0 has float32\[2\]"):
        pull_logs(str(logs / "0"), "bundled", find("gym/MountainCar-v0"))
    with LogWriter(logs / "three" / "array_record", "toy", np.zeros(4, np.float32), 3) as writer:
        writer.add(Episode.of(np.zeros((3, 4), np.float32), [0, 1], [1.0] * 2, True, 0))
    with pytest.raises(ValueError, match="three has 3 actions, but gym/CartPole-v1 has 2"):
        pull_logs(str(logs / "three"), "bundled", TASK)


def test_logs_are_drawn_by_their_shares(logs):
    log, parents = pull_logs([f"{logs / '0'}:share=3", f"{logs / '1'}:checkpoints=0"], "bundled", TASK)
    assert log is not None and len(log) == sum(4 + 2 * n for n in range(6)) + 4 + 6
    frames = seen(log)
    assert abs(np.mean(frames[:, 0] == 0) - 0.75) < 0.03
    assert set(frames[frames[:, 0] == 1][:, 1]) == {0.0}
    assert [parent.part for parent in parents] == ["share=3", "checkpoints=0"]


@pytest.mark.parametrize(
    ("part", "said"),
    [("checkpoints=5-9", "has checkpoints 0 to 2; none"), ("returns=0.1-0.15", "has no transition from returns=0.1")],
)
def test_a_part_that_holds_nothing_is_refused(logs, part, said):
    with pytest.raises(ValueError, match=said):
        pull_logs(f"{logs / '0'}:{part}", "bundled", TASK)


@pytest.mark.slow
def test_a_run_records_the_parts_and_can_be_made_again(logs):
    parts = [f"{logs / '0'}:checkpoints=1-2:share=0.25", f"{logs / '1'}:returns=0.5-1:share=0.75"]
    small = {"batch_size": 8, "network": "mlp:depth=1,width=8"}
    settings = {key: str(value) for key, value in small.items()}
    how: dict[str, Any] = {"settings": settings, "episodes": 1, "environments": 2, "points": (1.0,)}
    made = run("gym/CartPole-v1", "cql", "updates=12", teacher_log=parts, out=logs / "run", **how)
    assert [parent.part for parent in made.parents] == [part.split(":", 1)[1] for part in parts]
    assert records.load(logs / "run" / "record.json").parents == made.parents
    words = shlex.split(made.command)
    again = [words[at + 1] for at, word in enumerate(words) if word == "--teacher-log"]
    assert again == parts
    same = run("gym/CartPole-v1", "cql", "updates=12", teacher_log=again, out=logs / "same", **how)
    assert same.points[-1].parameters == made.points[-1].parameters
    other = run("gym/CartPole-v1", "cql", "updates=12", teacher_log=parts[:1], out=logs / "other", **how)
    assert other.points[-1].parameters != made.points[-1].parameters
