"""Prior computation, pulled: a reference on the Hub or a folder becomes a teacher or a log."""

import json
from pathlib import Path

import numpy as np

from ..agents.method import Architecture, Teacher
from ..agents.teacher import digest, restore
from ..datasets import hub as hubs
from ..datasets import rlds_read, weights
from ..datasets.replay import Replay
from ..leaderboard.record import Parent
from .collect import FOLDER
from .environments import make, seeds
from .task import Task


def pull_teacher(reference: str, hub: str, task: Task) -> tuple[Teacher, Parent]:
    """The teacher of a reference or folder; ValueError if it does not fit the task."""
    folder, ref = hubs.open_ref(reference, "model", hub)
    config = read_config(folder)
    env = make(task, seeds("random", 0, 1))
    obs = env.observe()
    ours = {"actions": env.actions, "observation": {"shape": list(obs.shape[1:]), "dtype": str(obs.dtype)}}
    for key, mine in ours.items():
        if config.get(key) != mine:
            raise ValueError(f"the teacher {reference} has {key} {config.get(key)}, but {task.name} has {mine}")
    arrays = weights.load(folder / "policy.safetensors")
    architecture = Architecture(config["architecture"]["name"], config["architecture"].get("options", {}))
    teacher = restore(architecture, env.actions, obs, arrays)
    return teacher, Parent(kind="teacher", reference=str(ref or folder), digest=digest(arrays))


def read_config(folder: Path) -> dict:
    """The `config.json` of a teacher or a run; ValueError if there is none that says what the network is."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        name, options = config["architecture"]["name"], config["architecture"].get("options", {})
        if not isinstance(name, str) or not isinstance(options, dict):
            raise TypeError
    except FileNotFoundError:
        raise ValueError(f"{folder} is no teacher: it has no config.json") from None
    except (ValueError, KeyError, TypeError):
        raise ValueError(f"{folder}/config.json does not say what the network is: the file is damaged") from None
    return config


def pull_log(reference: str, hub: str, task: Task) -> tuple[Replay | None, Parent | None]:
    """The log of a reference or folder, ready to be sampled; (None, None) for no reference."""
    if not reference:
        return None, None
    folder, ref = hubs.open_ref(reference, "dataset", hub)
    steps = rlds_read.load(folder / FOLDER if (folder / FOLDER).is_dir() else folder)
    env = make(task, seeds("random", 0, 1))
    frame, mine = steps.frame[0], env.observe()[0, -1]
    if frame.shape != mine.shape or frame.dtype != mine.dtype:
        shapes = [f"{x.dtype}{list(x.shape)}" for x in (frame, mine)]
        raise ValueError(f"the log {reference} has frames {shapes[0]}, but {task.name} has {shapes[1]}")
    if int(np.max(steps.action)) >= env.actions:
        raise ValueError(
            f"the log {reference} has an action {int(np.max(steps.action))}, but {task.name} has {env.actions}"
        )
    return Replay.of(steps, task.stack), Parent(kind="log", reference=str(ref or folder), digest="")
