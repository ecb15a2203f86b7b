"""The teacher's values on its log's observations: as the log states them, else asked for once, not in every batch."""

from typing import Any

import jax
import numpy as np

from ..agents.learner import key_of
from ..agents.method import Method, Progress, Teacher
from ..datasets.mixture import Mixture
from ..datasets.replay import Replay
from .budget import Cost, Meter
from .device import Device, Program

CHECKED, TOGETHER = 32, 256  # observations compared, and asked about at a time


def reads_log(method: Method) -> bool:
    """Whether the method learns from a teacher's log: offline, as part of its replay, or mixed into batches."""
    now = [Progress(0.0, spent, 1.0, 0.0, 0.0, key=key_of(0, 0)) for spent in (0.0, 0.5)]
    return method.offline > 0.0 or method.keep_log or any(float(method.mix(then)) > 0.0 for then in now)


def attach(log: Replay | Mixture | None, teacher: Teacher, device: Device, meter: Meter, wanted: int) -> None:
    """Gives the log's batches the teacher's values where that costs less than to ask in each of them.

    `wanted`: places in all batches that come from the log alone. What a log states is taken where it is this
    teacher's, as a few observations show; else all of its observations are asked about, if they are fewer than
    those batches hold. That is paid for, once: not again where a run goes on after an interruption.
    """
    if log is None or not wanted or not device.told_saves:
        return
    replays = log.replays if isinstance(log, Mixture) else [log]
    example = replays[0].observations(np.zeros(TOGETHER, int))
    ask: Any = jax.jit(teacher.apply)
    flops = float(ask.lower(teacher.params, example).cost_analysis()["flops"]) / TOGETHER
    free = meter.spent["queries"] > 0

    def paid(count: int) -> bool:
        cost = Cost(flops * count, count)._asdict()
        if free or not meter.affords(**cost):
            return free
        meter.spend(**cost)
        return True

    def asked(replay: Replay, rows: np.ndarray) -> np.ndarray:
        """[K, A] on the observations of rows [K], in pieces of one size."""
        program, values = Program(ask, Cost(0.0, 0.0)), []
        for first in range(0, len(rows), TOGETHER):
            some = np.resize(rows[first : first + TOGETHER], TOGETHER)
            obs = replay.observations(some)
            values.append(np.asarray(device.call("offline", program, teacher.params, obs)))
        return np.concatenate(values)[: len(rows)]

    for replay in replays:
        rows, stated = replay.starts, replay.stated_values
        few = rows[np.linspace(0, len(rows) - 1, CHECKED).astype(int)]
        if stated is not None and paid(CHECKED) and _alike(stated[few], asked(replay, few)):
            replay.teacher_values = stated
        elif wanted >= len(log) and paid(len(rows)):
            known = asked(replay, rows)
            replay.teacher_values = np.zeros((replay.size, known.shape[1]), np.float32)
            replay.teacher_values[rows] = known


def _alike(stated: np.ndarray, asked: np.ndarray) -> bool:
    return stated.shape == asked.shape and np.allclose(stated, asked, rtol=1e-3, atol=1e-3)
