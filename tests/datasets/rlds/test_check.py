"""The report on a log: its statistics by hand, and one violation for every broken rule."""

import io

import numpy as np
import pytest
from PIL import Image

from reincarnate.datasets.rlds import tf_example
from reincarnate.datasets.rlds.check import check, picture_strip
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.write import LogWriter

from ..logs import FRAMES, columns, log, rewrite


def _tiny(folder):
    """Write two episodes by hand: rewards 2 -1 terminated, 0.5 truncated."""
    frames = np.arange(6, dtype=np.float32).reshape(3, 2)
    with LogWriter(folder, "toy", frames[0], 4) as writer:
        writer.add(Episode.of(frames, [1, 3], [2, -1], True, 0))
        writer.add(Episode.of(frames[:2], [1], [0.5], False, 1, checkpoint_id=1))


def _set(name, index, value):
    """Return a change of one number of a record."""

    def change(record):
        lists = columns(record)
        lists[name] = np.array(lists[name])
        lists[name][index] = value
        return tf_example.encode(lists)

    return change


def test_the_report_by_hand(tmp_path):
    _tiny(tmp_path / "log")
    report = check(tmp_path / "log")
    assert report.violations == [] and report.duplicates == []
    assert (report.episodes, report.transitions, report.terminated) == (2, 3, 1)
    assert report.returns.tolist() == [1, 0.5]
    assert report.lengths.tolist() == [2, 1]
    assert report.actions.tolist() == [0, 2, 0, 1]
    assert report.splits == {"checkpoint_00": 2, "checkpoint_01": 1}
    assert report.checksums == "verified"
    assert check(tmp_path / "log", "checkpoint_01").transitions == 1


RULES = {
    "step 1: the discount is 1 where 0 belongs": _set("steps/discount", 1, 1.0),
    "step 0: the discount is 0 where 1 belongs": _set("steps/discount", 0, 0.0),
    "step 0: the reward is not a finite number": _set("steps/reward", 0, np.inf),
    "step 1: the action is out of range": _set("steps/action", 1, 4),
    "step 1: is_first must be true on the first step only": _set("steps/is_first", 1, 1),
    "step 2: is_last must be true on the last step only": _set("steps/is_last", 2, 0),
    "step 0: is_terminal is true before the last step": _set("steps/is_terminal", 0, 1),
    "step 0: the frame holds a number that is not finite": _set("steps/observation", 1, np.nan),
    "its episode_length is stated as 7 but is 2": _set("episode_length", 0, 7),
    "its raw_return is stated as 7 but is 1": _set("raw_return", 0, 7.0),
    "its episode_return is stated as 7 but is 0": _set("episode_return", 0, 7.0),
    "episode_id 1 is also that of": _set("episode_id", 0, 1),
    "a length points beyond the end of the record": lambda record: record[:-3],
}


@pytest.mark.parametrize("rule", RULES)
def test_every_broken_rule_is_reported(tmp_path, rule):
    _tiny(tmp_path / "log")
    rewrite(tmp_path / "log", RULES[rule])
    report = check(tmp_path / "log")
    assert len(report.violations) == 1, report.violations
    assert rule in report.violations[0]
    assert ".array_record-00000-of-00001, episode 0" in report.violations[0]


def test_duplicates_and_damage_are_found(tmp_path):
    rng = np.random.default_rng(0)
    frames = FRAMES["vector"](rng, 4)
    with LogWriter(tmp_path / "log", "toy", frames[0], 4) as writer:
        for number in range(2):
            writer.add(Episode.of(frames, [0, 1, 2], [0, 0, 1], True, number))
    report = check(tmp_path / "log")
    assert report.violations == [] and len(report.duplicates) == 1
    (shard,) = (tmp_path / "log").glob("*array_record*")
    shard.write_bytes(shard.read_bytes()[:-1])
    report = check(tmp_path / "log")
    assert report.checksums == "damaged"
    assert "sha256" in report.violations[0]


@pytest.mark.parametrize("kind", ["pixels", "planes"])
def test_the_strip_shows_first_to_last_frames(tmp_path, kind):
    episodes = log(tmp_path / "log", kind)
    picture_strip(tmp_path / "log", tmp_path / "strip.png", episodes=2, frames=3)
    strip = np.asarray(Image.open(io.BytesIO((tmp_path / "strip.png").read_bytes())))
    size = 84 if kind == "pixels" else 10
    assert strip.shape == (2 * size, 3 * size)
    if kind == "pixels":
        assert np.array_equal(strip[:84, :84], episodes[0].steps.frame[0])
        assert np.array_equal(strip[84:, -84:], episodes[-1].steps.frame[-1])
