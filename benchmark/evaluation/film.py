"""A film of an evaluated episode: its actions, replayed in an environment that renders.

The same seed and actions give the same episode, sticky actions included; the rewards are compared to check this.
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

LONGEST = 180  # seconds of film; longer episodes are cut
STILL = ".png"  # beside a film: its last picture, where that shows the whole episode
SIZE = 400  # minimum pixels of the longer side, reached by repeating pixels


class Recorder:
    """Environments that record their actions."""

    def __init__(self, env: Environment):
        self._env, self.n, self.actions = env, env.n, env.actions
        self.taken: list[np.ndarray] = []  # [N] of each step

    def observe(self) -> np.ndarray:
        return self._env.observe()

    def step(self, actions: np.ndarray) -> Step:
        self.taken.append(np.array(actions))
        return self._env.step(actions)

    def restart(self, which: np.ndarray, seed: np.ndarray) -> None:
        self._env.restart(which, seed)


def film(path: Path, task: Task, seed: int, actions: Sequence[Any]) -> float:
    """Replay actions from a seed, write the pictures as an MP4, and return the episode's return.

    Where the last picture shows the whole episode, it is also written as a PNG beside the film. ValueError if the
    environment cannot be drawn.
    """
    total, process, frame = 0.0, None, None
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
        if task.traced and frame is not None:
            from PIL import Image

            Image.fromarray(frame).save(path.with_suffix(STILL))
    finally:
        if process is not None:
            process.kill()
    return total


def film_of(path: Path, task: Task, policy: Teacher, judged: Evaluation) -> dict[str, Any]:
    """Film the evaluated episode whose return is closest to the mean.

    Return its number, its return, the maximum length of the film in seconds and the name of the still, if there is one.
    ValueError if the environment cannot be drawn, or if the replayed episode differs; then no film is written.
    """
    one, seed, actions = typical(task, policy, judged)
    partly = path.with_name(f".{path.stem}.partial.mp4")
    still, whole = partly.with_suffix(STILL), path.with_suffix(STILL)
    try:
        again = film(partly, task, seed, actions)
        if again != judged.returns[one]:
            raise ValueError(f"when replayed, the episode returns {again:g} instead of {judged.returns[one]:g}")
        if still.is_file():
            still.replace(whole)
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)
        still.unlink(missing_ok=True)
    told = {"episode": one, "return": again, "seconds": LONGEST}
    return told | ({"still": whole.name} if task.traced else {})


def typical(task: Task, policy: Teacher, judged: Evaluation) -> tuple[int, int, list[Any]]:
    """Replay the evaluated episode whose return is closest to the mean; return (number, seed, actions)."""
    one = int(np.argmin(np.abs(np.array(judged.returns) - np.mean(judged.returns))))
    seed = np.array([judged.seeds[0] + one], np.int32)
    env = Recorder(make(task, seed))
    evaluate(partial(make_greedy(policy.apply, env.actions), policy.params), [env], judged.epsilon, seed)
    return one, int(seed[0]), [actions[0] for actions in env.taken]


def encoder(path: Path, frame: np.ndarray, rate: float) -> subprocess.Popen:
    """Start an encoder that reads frames like this one as bytes from its standard input."""
    from imageio_ffmpeg import get_ffmpeg_exe

    size = f"{frame.shape[1]}x{frame.shape[0]}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{rate:g}", "-i", "-"]
    coded = ["-c:v", "libx264", "-crf", "23", "-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "+faststart"]
    command = [get_ffmpeg_exe(), "-v", "error", "-y", *source, *coded, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def enlarge(frame: np.ndarray) -> np.ndarray:
    """Enlarge [H, W, 3] by repeating pixels, with even sides as video encoders require."""
    times = max(1, -(-SIZE // max(frame.shape[:2])))
    frame = frame.repeat(times, 0).repeat(times, 1)
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]
