"""An episode as a person would watch it: the actions of an evaluation, played again in an environment that draws.

An environment answers the same seed and the same actions with the same episode,
sticky actions included; the rewards are compared on the way.
"""

import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...agents.method import Teacher
from ...leaderboard.record import Evaluation
from ..tasks.environments import Environment, Step, make
from ..tasks.task import FAMILIES, Task
from .episodes import evaluate, make_greedy

LONGEST = 180  # seconds of film; a longer episode is cut
SIZE = 400  # pixels that the longer side has at least, by repeating pixels


class Recorder:
    """Environments that remember the actions they were given."""

    def __init__(self, env: Environment):
        self._env, self.n, self.actions = env, env.n, env.actions
        self.taken: list[np.ndarray] = []  # of each step [N]

    def observe(self) -> np.ndarray:
        return self._env.observe()

    def step(self, actions: np.ndarray) -> Step:
        self.taken.append(np.array(actions))
        return self._env.step(actions)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._env.restart(which, seed)


def film(path: Path, task: Task, seed: int, actions: Sequence[Any]) -> float:
    """Plays actions from a seed, writes what is to be seen as an MP4, and returns the episode's return.

    ValueError if the environment cannot be drawn.
    """
    total, process = 0.0, None
    rate, drawn = FAMILIES[task.family].draw(task, seed, actions)
    try:
        for number, (frame, reward) in enumerate(drawn):
            total += reward
            if number < LONGEST * rate:
                frame = enlarge(frame)
                process = process or encoder(path, frame, rate)
                assert process.stdin is not None
                process.stdin.write(frame.tobytes())
        if process is not None and (fault := process.communicate()[1]):
            raise ValueError(f"the film could not be written: {fault.decode(errors='replace')[-200:]}")
    finally:
        if process is not None:
            process.kill()
    return total


def film_of(path: Path, task: Task, policy: Teacher, judged: Evaluation) -> dict[str, float]:
    """Play the evaluated episode whose return is nearest to the mean once more and film it.

    Returns its number, its return and the most seconds there are of it. ValueError if the environment cannot be
    drawn, or if the episode is not the same again; then there is no film.
    """
    one, seed, actions = typical(task, policy, judged)
    partly = path.with_name(f".{path.stem}.partial.mp4")
    try:
        again = film(partly, task, seed, actions)
        if again != judged.returns[one]:
            raise ValueError(f"played again, the episode returns {again:g} instead of {judged.returns[one]:g}")
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)
    return {"episode": one, "return": again, "seconds": LONGEST}


def typical(task: Task, policy: Teacher, judged: Evaluation) -> tuple[int, int, list[Any]]:
    """Play the evaluated episode whose return is nearest to the mean again: (its number, its seed, its actions)."""
    one = int(np.argmin(np.abs(np.array(judged.returns) - np.mean(judged.returns))))
    seed = np.array([judged.seeds[0] + one], np.int32)
    env = Recorder(make(task, seed))
    evaluate(partial(make_greedy(policy.apply, env.actions), policy.params), [env], judged.epsilon, seed)
    return one, int(seed[0]), [actions[0] for actions in env.taken]


def encoder(path: Path, frame: np.ndarray, rate: float) -> subprocess.Popen:
    """Take frames like this one on its standard input, as bytes."""
    from imageio_ffmpeg import get_ffmpeg_exe

    size = f"{frame.shape[1]}x{frame.shape[0]}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{rate:g}", "-i", "-"]
    coded = ["-c:v", "libx264", "-crf", "23", "-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "+faststart"]
    command = [get_ffmpeg_exe(), "-v", "error", "-y", *source, *coded, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def enlarge(frame: np.ndarray) -> np.ndarray:
    """Repeat every pixel of [H, W, 3], with even sides, as video wants them."""
    times = max(1, -(-SIZE // max(frame.shape[:2])))
    frame = frame.repeat(times, 0).repeat(times, 1)
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
