"""Several policies in one film: a typical episode of each, side by side."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ...agents.method import Teacher
from ...leaderboard.record import Evaluation
from ..tasks.task import FAMILIES, Task
from .film import encoder, enlarge, typical

LONGEST = 40  # seconds of film
STILL = 2.0  # seconds for which the last frame is held
GAP, STRIP = 12, 30  # pixels between boards, and of the line of text above and below each
PAPER, INK = (250, 250, 250), (30, 34, 40)
PALE = 0.35  # brightness of a board whose episode is over


class Board(NamedTuple):
    """A policy in the film."""

    name: str
    policy: Teacher
    judged: Evaluation


def boards(path: Path, task: Task, shown: Sequence[Board]) -> None:
    """Write an MP4 with the episode of each policy that is closest to its mean; boards fade when their episode ends.

    ValueError if the environment cannot be drawn. The file is written completely or not at all.
    """
    rate, courses = 0.0, []
    for one in shown:
        _, seed, actions = typical(task, one.policy, one.judged)
        rate, drawn = FAMILIES[task.family].draw(task, seed, actions)
        courses.append(_course(one, drawn))
    partly, process = path.with_name(f".{path.stem}.partial.mp4"), None
    try:
        for frame in _beside(courses, round(LONGEST * rate), round(STILL * rate)):
            process = process or encoder(partly, frame, rate)
            assert process.stdin is not None
            process.stdin.write(frame.tobytes())
        fault = process.communicate()[1].decode(errors="replace") if process else "it has no frame"
        if fault:
            raise ValueError(f"the film could not be written: {fault[-200:]}")
        partly.replace(path)
    finally:
        if process is not None:
            process.kill()
        partly.unlink(missing_ok=True)


def _course(board: Board, drawn) -> Iterator[tuple[np.ndarray, bool]]:
    """Yield a board's frame at each step, and whether its episode is over; endless."""
    total, frame = 0.0, None
    mean = f"mean {board.judged.mean:.1f}"
    for frame, reward in drawn:
        total += reward
        yield _framed(enlarge(frame), board.name, f"return {total:g}", mean), False
    if frame is None:
        raise ValueError("the episode has no step, so it cannot be filmed")
    last = _framed((enlarge(frame) * PALE).astype(np.uint8), board.name, f"return {total:g}, over", mean)
    while True:
        yield last, True


def _framed(frame: np.ndarray, name: str, said: str, mean: str) -> np.ndarray:
    """Put a name above a frame [H, W, 3], and its return so far and the mean below."""
    height, width = frame.shape[:2]
    sheet = Image.new("RGB", (width, height + 2 * STRIP), PAPER)
    sheet.paste(Image.fromarray(np.ascontiguousarray(frame, dtype=np.uint8)), (0, STRIP))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    pen.text((width / 2, STRIP / 2), name, INK, font, anchor="mm")
    pen.text((6, height + 1.5 * STRIP), said, INK, font, anchor="lm")
    pen.text((width - 6, height + 1.5 * STRIP), mean, INK, font, anchor="rm")
    return np.asarray(sheet)


def _beside(courses: Sequence[Iterator[tuple[np.ndarray, bool]]], most: int, still: int) -> Iterator[np.ndarray]:
    """Yield frames of all boards together, until shortly after the end of the last episode."""
    over = 0
    for _ in range(most):
        frames = [next(course) for course in courses]
        over += all(ended for _, ended in frames)
        gap = np.full((frames[0][0].shape[0], GAP, 3), PAPER, np.uint8)
        parts = [part for frame, _ in frames for part in (gap, frame)]
        yield _even(np.concatenate([*parts, gap], axis=1))
        if over > still:
            return


def _even(frame: np.ndarray) -> np.ndarray:
    """Crop a frame to even sides, as video encoders require."""
    return np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
