"""Experience saved by the libraries themselves is read as what `fixtures/make.py` gave them."""

from pathlib import Path

import numpy as np
import pytest

from reincarnate.datasets.rlds import from_dopamine, from_minari
from reincarnate.datasets.rlds.copy import write
from reincarnate.datasets.rlds.read import read

from ..logs import same
from .fixtures.make import LENGTHS, ends, row

HERE = Path(__file__).parent / "fixtures"


def check(got, number, shape, begin=0, end=None, terminal=None, final=True):
    """That an episode is the steps from `begin` to `end` of the given one; `final`: the last observation is known."""
    end = LENGTHS[number] if end is None else end
    frames = [row(number, t, shape)[0] for t in range(begin, end + 1)]
    s = got.steps
    assert got.length == end - begin
    assert np.array_equal(s.frame[:-1], frames[:-1]) and np.array_equal(s.frame[-1].any(), final)
    assert not final or np.array_equal(s.frame[-1], frames[-1])
    assert s.action[:-1].tolist() == [row(number, t)[1] for t in range(begin, end)]
    assert s.reward[:-1].tolist() == [row(number, t)[2] for t in range(begin, end)]
    assert s.is_terminal[-1] == (ends(number) if terminal is None else terminal)


def written_and_read(episodes, tmp_path):
    write(episodes, tmp_path / "log", "real", 6)
    assert all(same(a.steps, b.steps) for a, b in zip(episodes, read(tmp_path / "log"), strict=True))


def test_dopamine(tmp_path):
    """Its buffer cannot say that an episode was cut off, and keeps no observation after the last action."""
    assert from_dopamine.checkpoints(HERE / "dopamine") == [7]
    episodes = list(from_dopamine.read(HERE / "dopamine", 7))
    for number, got in enumerate(episodes):
        check(got, number, (84, 84), terminal=True, final=False)
    assert len(episodes) == len(LENGTHS)
    written_and_read(episodes, tmp_path)


@pytest.mark.parametrize("layout", ["hdf5", "arrow"])
def test_minari(tmp_path, layout):
    episodes = list(from_minari.minari(HERE / "minari" / "rows" / f"{layout}-v0"))
    for number, got in enumerate(episodes):
        check(got, number, (3,))
        assert got.steps.frame.dtype == np.float32
    assert len(episodes) == len(LENGTHS)
    written_and_read(episodes, tmp_path)


def test_frames_that_minari_made_jpegs_of_are_refused():
    with pytest.raises(ValueError, match="episode_0: nested or JPEG-encoded observations are not read"):
        list(from_minari.minari(HERE / "minari" / "rows" / "jpeg-v0"))


def test_stable_baselines3(tmp_path):
    """Two streams in a ring of ten rows that has come round: of 22 steps the last ten are there."""
    episodes = list(from_minari.npz(HERE / "sb3.npz"))
    assert len(episodes) == 4
    for got, (number, begin) in zip(episodes, ((2, 0), (3, 0), (3, 1), (0, 0)), strict=True):
        check(got, number, (3,), begin)
    written_and_read(episodes, tmp_path)


def test_the_buffer_of_cleanrl_for_atari(tmp_path):
    """Of stacks the newest frame; it does not tell time limits from ends, nor keep what was seen last."""
    episodes = list(from_minari.npz(HERE / "cleanrl.npz"))
    assert len(episodes) == len(LENGTHS)
    for number, got in enumerate(episodes):
        check(got, number, (84, 84), terminal=True, final=False)
    written_and_read(episodes, tmp_path)
