"""Experience saved by the libraries themselves is read as what `fixtures/make.py` gave them."""

import json
from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.rlds import from_dopamine, importing
from reincarnate.datasets.rlds.check import check as check_log
from reincarnate.datasets.rlds.read import read
from reincarnate.datasets.rlds.source import JPEG

from .fixtures.make import LENGTHS, ends, row

HERE = Path(__file__).parent / "fixtures"


def check(got, number, shape, begin=0, end=None, terminal=None, final=True):
    """Check that an episode is the given one from `begin` to `end`; `final`: the last observation is known."""
    end = LENGTHS[number] if end is None else end
    frames = [row(number, t, shape)[0] for t in range(begin, end + 1)]
    s = got.steps
    assert got.length == end - begin
    assert np.array_equal(s.frame[:-1], frames[:-1]) and np.array_equal(s.frame[-1].any(), final)
    assert not final or np.array_equal(s.frame[-1], frames[-1])
    assert s.action[:-1].tolist() == [row(number, t)[1] for t in range(begin, end)]
    assert s.reward[:-1].tolist() == [row(number, t)[2] for t in range(begin, end)]
    assert s.is_terminal[-1] == (ends(number) if terminal is None else terminal)


def imported(kind, path, tmp_path):
    """Return the episodes of a log as the importer writes them, and its notes."""
    made = importing.write(importing.open_source(kind, path), tmp_path / "log")
    assert check_log(made.folder).violations == []
    return list(read(made.folder)), made.notes


def test_dopamine(tmp_path):
    """Its buffer was not told that an episode was cut off, and keeps no observation after the last action."""
    assert from_dopamine.checkpoints(HERE / "dopamine") == [7]
    episodes, notes = imported("dopamine", HERE / "dopamine", tmp_path)
    for number, got in enumerate(episodes):
        check(got, number, (84, 84), terminal=True, final=False)
    assert len(episodes) == len(LENGTHS) and notes == []


@pytest.mark.parametrize("layout", ["hdf5", "arrow"])
def test_minari(tmp_path, layout):
    episodes, notes = imported("minari", HERE / "minari" / "rows" / f"{layout}-v0", tmp_path)
    for number, got in enumerate(episodes):
        check(got, number, (3,))
        assert got.steps.frame.dtype == np.float32
    assert len(episodes) == len(LENGTHS) and notes == []


def test_frames_that_minari_made_jpegs_of_are_read_and_marked_as_lossy(tmp_path):
    episodes, notes = imported("minari", HERE / "minari" / "rows" / "jpeg-v0", tmp_path)
    assert notes == [JPEG] and len(episodes) == len(LENGTHS)
    assert json.loads((tmp_path / "log" / "provenance.json").read_bytes())["lossy"] == "jpeg"
    for number, got in enumerate(episodes):
        exact = [row(number, t, (32, 32, 3))[0] for t in range(LENGTHS[number] + 1)]
        assert got.steps.frame.shape == (LENGTHS[number] + 1, 32, 32, 3)
        assert np.abs(got.steps.frame.astype(int) - exact).max() <= 8  # a dark picture with two dim points
        assert got.steps.action[:-1].tolist() == [row(number, t)[1] for t in range(LENGTHS[number])]


def test_stable_baselines3(tmp_path):
    """Two streams in a ring of ten rows that has wrapped around: of 22 steps the last ten are left."""
    episodes, _ = imported("npz", HERE / "sb3.npz", tmp_path)
    assert len(episodes) == 4
    for got, (number, begin) in zip(episodes, ((2, 0), (3, 0), (3, 1), (0, 0)), strict=True):
        check(got, number, (3,), begin)


def test_the_buffer_of_cleanrl_for_atari(tmp_path):
    """The newest frame of each stack is kept; the buffer does not distinguish time limits from ends, nor keep the final
    observation."""
    episodes, notes = imported("npz", HERE / "cleanrl.npz", tmp_path)
    assert len(episodes) == len(LENGTHS)
    for number, got in enumerate(episodes):
        check(got, number, (84, 84), terminal=True, final=False)
    assert len(notes) == 1 and notes[0].startswith("Only the newest frame of each stack of four is kept")
