"""Colour frames become the grey ones that ALE gives agents, to the last bit."""

from typing import Any

import numpy as np
import pytest
from ale_py import ALEInterface, LoggerMode, roms
from ale_py.vector_env import AtariVectorEnv

from reincarnate.datasets.rlds import area, importing, survey
from reincarnate.datasets.rlds.episode import Episode
from reincarnate.datasets.rlds.read import read
from reincarnate.datasets.rlds.source import ForeignLog


@pytest.mark.parametrize("game", ["pong", pytest.param("ms_pacman", marks=pytest.mark.slow)])
def test_grey_and_resize_are_those_of_ale(game):
    """Play the same actions in ALE's vector environment, which gives 84 x 84, and in colour."""
    ALEInterface.setLoggerMode(LoggerMode.Error)
    settings: dict[str, Any] = dict(
        img_height=84, img_width=84, grayscale=True, stack_num=1, frameskip=4, maxpool=False, noop_max=0
    )
    settings |= dict(repeat_action_probability=0.0, use_fire_reset=False, num_threads=1)
    small = AtariVectorEnv(game, 1, **settings)
    shown = [np.asarray(small.reset(seed=np.array([7]))[0])[0, 0]]
    ale = ALEInterface()
    ale.setInt("random_seed", 7)
    ale.setFloat("repeat_action_probability", 0.0)
    ale.loadROM(str(roms.get_rom_path(game)))
    ale.reset_game()
    colour, moves = [ale.getScreenRGB()], ale.getMinimalActionSet()
    for action in np.random.default_rng(0).integers(len(moves), size=20):
        shown.append(np.asarray(small.step(np.array([action]))[0])[0, 0])
        for _ in range(4):
            ale.act(moves[action])
        colour.append(ale.getScreenRGB())
    frames = np.stack(colour)
    assert len(np.unique(frames.reshape(-1, 3), axis=0)) > 5
    assert np.array_equal(area.resize(area.grey(frames), 84, 84), np.stack(shown))


def test_a_mean_over_areas_by_hand():
    """3 x 3 -> 2 x 2: a target pixel covers one whole pixel, half of two and a quarter of one."""
    frame = np.array([[[0, 90, 0], [90, 180, 0], [0, 0, 9]]], np.uint8)
    corner = (0 * 1 + 90 * 0.5 + 90 * 0.5 + 180 * 0.25) / 2.25  # 60
    assert area.resize(frame, 2, 2).tolist() == [[[round(corner), 40], [40, 24]]]
    assert area.grey(np.array([[[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]]], np.uint8)).tolist() == [
        [[76, 150, 29, 255]]
    ]
    with pytest.raises(ValueError, match="cannot be enlarged"):
        area.resize(frame, 4, 2)


@pytest.mark.parametrize("first", [True, False])
def test_a_log_in_colour_is_imported_as_its_task_shows_it(tmp_path, first):
    frames = np.random.default_rng(0).integers(0, 256, (5, 210, 160, 3), np.uint8)
    given = np.moveaxis(frames, -1, 1) if first else frames
    source = ForeignLog(lambda: iter([Episode.of(given, [0, 1, 2, 3], [0.0] * 4, True, 0)]))
    wish = importing.Wish(frame=survey.Frame((84, 84), np.dtype(np.uint8)))
    made = importing.write(source, tmp_path / "out", wish)
    (got,) = read(made.folder)
    assert np.array_equal(got.steps.frame, area.resize(area.grey(frames), 84, 84))
    shape = "3x210x160" if first else "210x160x3"
    assert made.notes == [survey.RESIZED.format(shape)]
