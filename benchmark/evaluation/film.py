"""An episode as a person would watch it: the actions of an evaluation, played again in an environment that draws.

An environment answers the same seed and the same actions with the same episode,
sticky actions included; the rewards are compared on the way.
"""

import subprocess
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ...agents.method import Teacher
from ...leaderboard.record import Evaluation
from ..tasks.environments import Atari, Environment, MinAtar, Step, make
from ..tasks.gym_envs import opened
from ..tasks.task import Task
from .episodes import evaluate, make_greedy

LONGEST = 180  # seconds of film; a longer episode is cut
SIZE = 400  # pixels that the longer side has at least, by repeating pixels
ALE_RATE = 60  # frames a second of the console
GYM_RATE = 30  # frames a second where an environment does not say
MINATAR_RATE = 10
COLOURS = np.array(  # of MinAtar's planes, after the empty field: far apart, and to be told apart by most people
    [[20, 20, 24], [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0]]
    + [[204, 121, 167], [240, 240, 240], [150, 150, 150], [120, 80, 200], [90, 60, 30]],
    np.uint8,
)


Drawn = Iterator[tuple[np.ndarray, float]]  # what is to be seen [H, W, 3] before an action, and its reward


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


def film(path: Path, task: Task, seed: int, actions: Sequence[int]) -> float:
    """Plays actions from a seed, writes what is to be seen as an MP4, and returns the episode's return.

    ValueError if the environment cannot be drawn.
    """
    total, process = 0.0, None
    rate, drawn = {"atari": _atari, "minatar": _minatar, "gym": _gym}[task.family](task, seed, actions)
    try:
        for number, (frame, reward) in enumerate(drawn):
            total += reward
            if number < LONGEST * rate:
                frame = enlarge(frame)
                process = process or _encoder(path, frame, rate)
                assert process.stdin is not None
                process.stdin.write(frame.tobytes())
        if process is not None and (fault := process.communicate()[1]):
            raise ValueError(f"the film could not be written: {fault.decode(errors='replace')[-200:]}")
    finally:
        if process is not None:
            process.kill()
    return total


def film_of(path: Path, task: Task, policy: Teacher, judged: Evaluation) -> dict[str, float]:
    """Plays the evaluated episode whose return is nearest to the mean once more, and films it.

    Returns its number, its return and the most seconds there are of it. ValueError if the environment cannot be
    drawn, or if the episode is not the same again; then there is no film.
    """
    one = int(np.argmin(np.abs(np.array(judged.returns) - np.mean(judged.returns))))
    seed = np.array([judged.seeds[0] + one], np.int32)
    env = Recorder(make(task, seed))
    evaluate(partial(make_greedy(policy.apply), policy.params), [env], judged.epsilon, seed)
    partly = path.with_name(f".{path.stem}.partial.mp4")
    try:
        again = film(partly, task, int(seed[0]), [int(actions[0]) for actions in env.taken])
        if again != judged.returns[one]:
            raise ValueError(f"played again, the episode returns {again:g} instead of {judged.returns[one]:g}")
        partly.replace(path)
    finally:
        partly.unlink(missing_ok=True)
    return {"episode": one, "return": again, "seconds": LONGEST}


def _encoder(path: Path, frame: np.ndarray, rate: float) -> subprocess.Popen:
    """Takes frames like this one on its standard input, as bytes."""
    from imageio_ffmpeg import get_ffmpeg_exe

    size = f"{frame.shape[1]}x{frame.shape[0]}"
    source = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", f"{rate:g}", "-i", "-"]
    coded = ["-c:v", "libx264", "-crf", "23", "-pix_fmt", "yuv420p", "-threads", "1", "-movflags", "+faststart"]
    command = [get_ffmpeg_exe(), "-v", "error", "-y", *source, *coded, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def enlarge(frame: np.ndarray) -> np.ndarray:
    """[H, W, 3] -> the same with every pixel repeated, and even sides, as video wants them."""
    times = max(1, -(-SIZE // max(frame.shape[:2])))
    frame = frame.repeat(times, 0).repeat(times, 1)
    return frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2]


def _atari(task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
    look = {"grayscale": False, "img_height": 210, "img_width": 160, "stack_num": 1}
    env = Atari(task, np.array([seed], np.int32), 1, **look)
    return ALE_RATE / task.frame_skip, (
        (env.observe()[0, 0], float(env.step(np.array([a])).reward[0])) for a in actions
    )


def _gym(task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
    try:
        env = opened(task.env, render_mode="rgb_array")
        env.reset(seed=seed)
        env.render()
    except Exception as error:
        raise ValueError(f"{task.env} cannot be drawn here: {' '.join(str(error).split())[:300]}") from None
    start, rate = int(env.action_space.start), float(env.metadata.get("render_fps") or GYM_RATE)  # pyright: ignore
    return rate, ((np.asarray(env.render(), np.uint8), float(env.step(int(a) + start)[1])) for a in actions)


def _minatar(task: Task, seed: int, actions: Sequence[int]) -> tuple[float, Drawn]:
    env = MinAtar(task, np.array([seed], np.int32), 1)

    def draw() -> np.ndarray:
        planes = env.observe()[0, 0]  # [10, 10, C], the last one on top
        return COLOURS[np.where(planes.any(-1), planes.shape[-1] - planes[..., ::-1].argmax(-1), 0)]

    return MINATAR_RATE, ((draw(), float(env.step(np.array([a])).reward[0])) for a in actions)
