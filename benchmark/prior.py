"""Prior computation, pulled: a reference on the Hub or a folder becomes a teacher or a log."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from ..agents.method import Architecture, Teacher
from ..agents.teacher import absent, digest, restore
from ..datasets import foreign, rlds_read, weights
from ..datasets import hub as hubs
from ..datasets.cache import cached
from ..datasets.replay import Replay, Steps
from ..datasets.rlds_folder import open_log
from ..leaderboard.record import Parent
from .environments import Environment, make, seeds
from .log_folder import SMALL, shards_in
from .task import Task, rom


def pull_teacher(reference: str, hub: str, task: Task) -> tuple[Teacher, Parent | None]:
    """The teacher of a reference or folder, for none one that cannot be asked; ValueError if it does not fit."""
    if not reference:
        return absent(), None
    folder, ref = hubs.open_ref(reference, "model", hub)
    config, arrays = _content(folder)
    theirs = config.get("task")
    if theirs is not None and theirs != task.name:
        raise ValueError(f"the teacher {reference} plays {theirs}, but the task is {task.name}: give another teacher")
    claim = config.get("claim", {})
    if claim.get("environment") and rom(re.sub(r"^ALE/|NoFrameskip|-v\d+$", "", claim["environment"])) != task.env:
        raise ValueError(f"the teacher {reference} plays {claim['environment']}, but the task is {task.name}")
    env = make(task, seeds("random", 0, 1))
    obs = env.observe()
    ours = {"actions": env.actions, "observation": {"shape": list(obs.shape[1:]), "dtype": str(obs.dtype)}}
    for key, mine in ours.items():
        if config.get(key) != mine:
            raise ValueError(f"the teacher {reference} has {key} {config.get(key)}, but {task.name} has {mine}")
    teacher = policy_of(config, env, arrays, reference)
    return teacher, Parent(
        kind="teacher", reference=str(ref or folder), digest=digest(arrays), claim=claim.get("mean_reward", "")
    )


def policy_of(config: dict, env: Environment, arrays: dict[str, np.ndarray], whose: str) -> Teacher:
    """The policy of a configuration with these weights; ValueError if they or the task do not fit it."""
    architecture = Architecture(config["architecture"]["name"], config["architecture"].get("options", {}))
    try:
        return restore(architecture, env.actions, env.observe(), arrays)
    except (ArithmeticError, TypeError, AttributeError, KeyError):  # whatever odd options or tiny images lead to
        raise ValueError(f"the network {architecture.name!r} of {whose} cannot be built for this task") from None


def _content(folder: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """Configuration and weights of our own layout, or of a layout from elsewhere."""
    if not (folder / "config.json").exists() and any(folder.glob("*.cleanrl_model")):
        return foreign.read(folder)
    return read_config(folder), weights.load(folder / "policy.safetensors")


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


def _steps(folder: Path) -> Steps:
    """A log's steps: small ones decoded into memory, others once into memory-mapped files that all processes share."""
    lengths = [shard.steps for shard in open_log(folder).shards]
    small = all(steps is not None for steps in lengths) and sum(sum(steps or ()) for steps in lengths) <= SMALL
    return rlds_read.load(folder) if small else cached(folder)


def pull_log(reference: str, hub: str, task: Task) -> tuple[Replay | None, Parent | None]:
    """The log of a reference or folder, ready to be sampled; (None, None) for no reference."""
    if not reference:
        return None, None
    folder, ref = hubs.open_ref(reference, "dataset", hub)
    steps = _steps(shards_in(folder))
    env = make(task, seeds("random", 0, 1))
    frame, mine = steps.frame[0], env.observe()[0, -1]
    if frame.shape != mine.shape or frame.dtype != mine.dtype:
        shapes = [f"{x.dtype}{list(x.shape)}" for x in (frame, mine)]
        raise ValueError(f"the log {reference} has frames {shapes[0]}, but {task.name} has {shapes[1]}")
    if int(np.max(steps.action)) >= env.actions:
        raise ValueError(
            f"the log {reference} has an action {int(np.max(steps.action))}, but {task.name} has {env.actions}"
        )
    manifest = next(iter(sorted(shards_in(folder).glob("manifest.json"))), None)  # it holds the digest of every shard
    seal = hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest else ""
    return Replay.of(steps, task.stack), Parent(kind="log", reference=str(ref or folder), digest=seal)
