"""Evaluations that the runs of a sweep share, played once: random play, the teacher, untrained students."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import jax
import numpy as np

from ...agents.method import Apply, Params
from ...agents.teacher import digest, flatten
from ...datasets import atomic
from ...datasets.folders import regular
from ...leaderboard.record import Evaluation
from .. import machine
from ..tasks.task import Task


def program(apply: Apply, params: Params, obs: np.ndarray) -> str:
    """Return a digest of what a network computes, including its parameters and constants in its code."""
    traced = jax.jit(apply).trace(params, obs)
    held = digest({str(number): np.asarray(one) for number, one in enumerate(traced.jaxpr.consts)})
    return _sha(json.dumps([traced.lower().as_text(), held, digest(flatten(params))]))


def once(folder: Path | None, task: Task, seed: np.ndarray, player: str, play: Callable[[], Evaluation]) -> Evaluation:
    """Return the result of `play`, or the one that another run saved in the folder.

    The same `player` on the same seeds, with the same code, libraries and kind of machine, plays bitwise equal
    episodes. A record therefore holds what its run would have measured, and `evaluate` can repeat it.
    """
    if folder is None:
        return play()
    made = {name: value for name, value in machine.describe().items() if name != "commit"}
    known = [made, repr(task), seed.tolist(), player]
    path = folder / f"{_sha(json.dumps(known, sort_keys=True))}.json"
    try:
        return Evaluation.model_validate_json(regular(path).read_bytes())
    except (ValueError, OSError):
        found = play()
    with suppress(IsADirectoryError):
        atomic.write(path, found.model_dump_json().encode())
    return found


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
