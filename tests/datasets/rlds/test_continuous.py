"""Logs of continuous actions: written, read, checked, copied, and brought over from Minari and from strangers' RLDS."""

import json

import numpy as np
import pytest

from reincarnate.datasets.rlds import check, exporting, importing
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.folder import open_log
from reincarnate.datasets.rlds.read import load, read
from reincarnate.datasets.rlds.write import Layout, LogWriter
from reincarnate.datasets.transition import Box, said, stated

BOX = Box((-2.0, 0.0), (2.0, 1.0))


def episode(number: int, length: int = 5, size: int = 2, **extras) -> Episode:
    rng = np.random.default_rng(number)
    frames, rewards = rng.normal(size=(length + 1, 3)).astype(np.float32), rng.normal(size=length)
    actions = rng.uniform(BOX.low[:size], BOX.high[:size], (length, size)).astype(np.float32)
    return Episode.of(frames, actions, rewards, number % 2 == 0, number, **extras)


def written(folder, box=BOX, size: int = 2, **options):
    values = np.zeros((6, size), np.float32) if options.get("teacher_values") else None
    episodes = [episode(number, size=size, teacher_values=values) for number in range(3)]
    with LogWriter(folder, "point", episodes[0].steps.frame[0], box, Layout(**options)) as writer:
        for one in episodes:
            writer.add(one)
    return episodes


@pytest.mark.parametrize("format", ["array_record", "tfrecord"])
@pytest.mark.parametrize("size", [1, 2])
def test_what_was_written_is_read_to_the_last_bit(format, size, tmp_path):
    """A single number, too, is not mistaken for a choice."""
    box = Box(BOX.low[:size], BOX.high[:size])
    episodes = written(tmp_path / "log", box, size, format=format, teacher_values=True)
    steps = load(tmp_path / "log")
    wanted = np.concatenate([one.steps.action for one in episodes])
    assert steps.action.dtype == np.float32 and np.array_equal(steps.action, wanted)
    assert steps.teacher_values is not None and steps.teacher_values.shape == (18, size)
    assert open_log(tmp_path / "log").actions == box
    report = check.check(tmp_path / "log")
    assert not report.violations and report.transitions == 15 and len(report.actions) == 0
    chosen = np.concatenate([one.steps.action[:-1] for one in episodes])
    assert np.array_equal(report.spans, np.stack([chosen.min(0), chosen.max(0)], 1))


def test_one_hot_actions_are_named_by_the_check_too(tmp_path):
    with LogWriter(tmp_path / "log", "point", np.zeros(3, np.float32), Box((0.0, 0.0), (1.0, 1.0))) as writer:
        one = episode(0)
        one.steps.action[:-1] = np.eye(2)[[0, 1, 1, 0, 1]]
        writer.add(one)
    assert check.check(tmp_path / "log").violations == [
        f"{tmp_path / 'log'}: its actions are one-hot vectors of 2 numbers: give the number of the action "
        "instead, counted from 0."
    ]


def test_actions_out_of_their_bounds_are_refused_and_found(tmp_path):
    with LogWriter(tmp_path / "log", "point", np.zeros(3, np.float32), BOX) as writer:
        wrong = episode(0)
        writer.add(wrong)
        wrong.steps.action[2, 1] = 1.5
        with pytest.raises(ValueError, match="step 2: the action is out of range"):
            writer.add(wrong)
    path = tmp_path / "log" / "manifest.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "actions": {"low": [-1.0, 0.0], "high": [1.0, 1.0]}}))
    assert any("out of range" in sentence for sentence in check.check(tmp_path / "log").violations)
    path.write_text(json.dumps({**told, "actions": {"low": [1.0], "high": [0.0]}}))
    with pytest.raises(ValueError, match="not bounds of actions"):
        open_log(tmp_path / "log")


def test_actions_are_stated_and_read():
    assert said(stated(BOX)) == BOX and said(3) == 3
    ends = ([], ["x"], [1e400], [0.0])
    for wrong in (0, True, 2.5, {}, *({"low": [0], "high": high} for high in ends)):
        with pytest.raises(ValueError, match="actions"):
            said(wrong)


@pytest.mark.parametrize("format", ["parquet", "minari", "tfrecord"])
def test_a_log_goes_out_and_comes_back(format, tmp_path):
    episodes = written(tmp_path / "log", teacher_values=True)
    exporting.export(tmp_path / "log", tmp_path / "out", format)
    kinds = {"parquet": ("parquet", "data"), "minari": ("minari", "reincarnate/point-v0"), "tfrecord": ("rlds", "")}
    kind, place = kinds[format]
    values = {"teacher_values": "teacher_values"} if kind == "minari" else {}
    source = importing.open_source(kind, tmp_path / "out" / place, **values)
    assert source.actions == BOX
    importing.write(source, tmp_path / "back")
    for one, other in zip(episodes, read(tmp_path / "back" / "array_record"), strict=True):
        assert np.array_equal(one.steps.action, other.steps.action)
        assert np.array_equal(one.steps.frame, other.steps.frame)
        assert one.steps.is_terminal[-1] == other.steps.is_terminal[-1]


def test_genuine_minari_reads_what_is_exported_and_its_own_continuous_data_are_imported(tmp_path, monkeypatch):
    minari, spaces = pytest.importorskip("minari"), pytest.importorskip("gymnasium.spaces")
    low, high = (np.array(end, np.float32) for end in BOX)
    episodes = written(tmp_path / "log")
    exporting.export(tmp_path / "log", tmp_path / "out", "minari")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "out"))
    theirs = minari.load_dataset("reincarnate/point-v0")
    assert theirs.action_space == spaces.Box(
        np.array(BOX.low, np.float32), np.array(BOX.high, np.float32), (2,), np.float32
    )
    for one, other in zip(episodes, theirs.iterate_episodes(), strict=True):
        assert np.array_equal(one.steps.action[:-1], other.actions)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "mujoco"))
    buffers = [
        minari.data_collector.EpisodeBuffer(
            id=number,
            observations=list(one.steps.frame.astype(float)),
            actions=list(one.steps.action[:-1]),
            rewards=list(one.steps.reward[:-1].astype(float)),
            terminations=[False] * 4 + [bool(one.steps.is_terminal[-1])],
            truncations=[False] * 4 + [not one.steps.is_terminal[-1]],
        )
        for number, one in enumerate(episodes)
    ]
    minari.create_dataset_from_buffers(
        "mujoco/point/test-v0",
        buffers,
        observation_space=spaces.Box(-np.inf, np.inf, (3,), np.float64),
        action_space=spaces.Box(low, high, (2,), np.float32),
    )
    source = importing.open_source("minari", tmp_path / "mujoco" / "mujoco" / "point" / "test-v0")
    assert source.actions == BOX
    importing.write(source, tmp_path / "back")
    for one, other in zip(episodes, read(tmp_path / "back" / "array_record"), strict=True):
        assert np.array_equal(one.steps.action, other.steps.action)


def test_a_strangers_log_states_no_bounds_and_gets_those_that_were_seen(tmp_path):
    written(tmp_path / "log")
    (tmp_path / "log" / "manifest.json").unlink()
    assert open_log(tmp_path / "log").actions is None
    importing.write(importing.open_source("rlds", tmp_path / "log"), tmp_path / "back")
    found = open_log(tmp_path / "back" / "array_record").actions
    seen = load(tmp_path / "back" / "array_record").action
    assert isinstance(found, Box) and np.allclose(found.high, seen.max(axis=0)) and found.low[0] < -0.5
