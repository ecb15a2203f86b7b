"""Films show the very episode that was evaluated, in colour, and as fast as it was played."""

import re
import subprocess

import numpy as np
import pytest
from PIL import Image

from reincarnate.agents.method import Architecture, Teacher
from reincarnate.benchmark.display import Display
from reincarnate.benchmark.evaluation.episodes import evaluate
from reincarnate.benchmark.evaluation.evaluator import Evaluator
from reincarnate.benchmark.evaluation.film import Recorder, enlarge, film, film_of
from reincarnate.benchmark.tasks.environments import make
from reincarnate.benchmark.tasks.task import find


def played(name: str, steps: int, seed: int):
    """Return the actions [T] of an episode played at random, and its return."""
    task, seeds = find(name)._replace(max_steps=steps), np.array([seed], np.int32)
    env = Recorder(make(task, seeds, 1))
    returns, _, _ = evaluate(lambda obs: np.zeros(len(obs), int), [env], 1.0, seeds)
    return task, [int(actions[0]) for actions in env.taken], returns[0]


def look(path) -> tuple[str, np.ndarray]:
    """Return what ffmpeg says of a film, and its frames [T, H, W, 3]."""
    from imageio_ffmpeg import get_ffmpeg_exe

    said = subprocess.run([get_ffmpeg_exe(), "-i", path], capture_output=True, text=True).stderr
    size = re.search(r", (\d+)x(\d+)", said)
    assert size
    raw = subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True
    ).stdout
    return said, np.frombuffer(raw, np.uint8).reshape(-1, int(size[2]), int(size[1]), 3)


@pytest.mark.parametrize(
    ("name", "steps", "size", "rate"),
    [("atari/Breakout", 150, (420, 320), 15), ("minatar/breakout", 200, (400, 400), 10)],
)
def test_a_film_is_the_episode(tmp_path, name, steps, size, rate):
    task, actions, returned = played(name, steps, 12)
    assert film(tmp_path / "replay.mp4", task, 12, actions) == returned
    said, frames = look(tmp_path / "replay.mp4")
    assert "h264" in said and "yuv420p" in said and f"{rate} fps" in said
    assert frames.shape == (len(actions), *size, 3)
    assert (np.ptp(frames[-1].reshape(-1, 3).astype(int), axis=1) > 60).any()  # some pixel is not grey
    assert (frames[0] != frames[-1]).any()


def test_a_still_shows_what_the_last_picture_holds(tmp_path):
    task, actions, _ = played("minatar/breakout", 20, 12)
    film(tmp_path / "a.mp4", task, 12, actions)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    film(tmp_path / "a.mp4", task._replace(traced=True), 12, actions)
    with Image.open(tmp_path / "a.png") as still:
        shown = np.asarray(still).astype(int)
    _, frames = look(tmp_path / "a.mp4")
    assert shown.shape == frames[-1].shape and np.abs(shown - frames[-1]).mean() < 5 < np.abs(shown - frames[0]).mean()


@pytest.mark.parametrize("traced", [False, True])
def test_what_is_said_of_a_film_is_of_the_episode_nearest_to_the_mean(tmp_path, traced):
    task = find("minatar/breakout")._replace(max_steps=50, traced=traced)
    policy = Teacher(Architecture("mlp"), lambda params, obs: np.zeros((obs.shape[0], 3), np.float32), {})
    with Display(quiet=True) as show:
        judged = Evaluator(task, 0, 1, show).play(policy.apply, {}, "verification", "", np.arange(3, dtype=np.int32))
    told = film_of(tmp_path / "a.mp4", task, policy, judged)
    near = int(np.argmin(np.abs(np.array(judged.returns) - judged.mean)))
    still = {"still": "a.png"} if traced else {}
    assert told == {"episode": near, "return": judged.returns[near], "seconds": 180, **still}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", *still.values()]


def test_another_seed_is_another_episode(tmp_path):
    """The comparison with the evaluation can fail."""
    task, actions, returned = played("minatar/space_invaders", 2000, 2)
    others = [film(tmp_path / "replay.mp4", task, seed, actions) for seed in (3, 4, 5, 6)]
    assert any(other != returned for other in others)


def test_pixels_are_repeated_and_sides_are_even():
    frame = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    large = enlarge(frame)
    assert large.shape == (268, 402, 3)  # 134 times, the longer side 402
    assert (large[0, 0] == frame[0, 0]).all() and (large[-1, -1] == frame[-1, -1]).all()
    assert enlarge(np.zeros((501, 401, 3), np.uint8)).shape == (500, 400, 3)


def test_what_cannot_be_drawn_is_said(tmp_path):
    task, actions, _ = played("gym/CartPole-v1", 10, 2)
    try:
        import pygame  # noqa: F401  # pyright: ignore
    except ImportError:
        with pytest.raises(ValueError, match="CartPole-v1 cannot be drawn here"):
            film(tmp_path / "replay.mp4", task, 2, actions)
    else:
        film(tmp_path / "replay.mp4", task, 2, actions)
        assert (tmp_path / "replay.mp4").stat().st_size
