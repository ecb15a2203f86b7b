"""Load prior computation: a reference on the Hub, or a folder, becomes a teacher or a log."""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...agents.method import Architecture, Teacher
from ...agents.teacher import absent, digest, restore
from ...datasets.hub import hub as hubs
from ...datasets.replay.mixture import Mixture
from ...datasets.replay.replay import Replay
from ...datasets.rlds import read, select
from ...datasets.rlds.cache import cached
from ...datasets.rlds.folder import chosen_shards, open_log, shards_in
from ...datasets.teachers import claim, formats, weights
from ...datasets.transition import Actions, Box, Steps, stated
from ...datasets.words import several
from ...leaderboard.record import Parent
from ..tasks.environments import Environment, make, seeds
from ..tasks.task import Task, game_of
from . import called
from .log_folder import SMALL
from .recognised import claim_of, content, library_of, place_of, remark


def texts(value: str | Sequence[str]) -> tuple[str, ...]:
    """Return a text or several as a tuple without empty ones."""
    return tuple(text for text in ([value] if isinstance(value, str) else value) if text)


OTHER = "give another teacher"
OPTIMIZER = "optimizer.safetensors"  # state of a student's optimizer at its last evaluation


def pull_teacher(reference: str | os.PathLike, hub: str, task: Task) -> tuple[Teacher, Parent | None]:
    """Load a teacher from a reference, folder, file or function; an empty reference gives one that cannot be asked.

    ValueError if it does not fit the task.
    """
    if not reference:
        return absent(), None
    if called.is_called(reference):
        found = called.load(os.fspath(reference), make(task, seeds("random", 0, 1)))
        made = called.teacher(found, make(task, seeds("random", 0, 1)).actions)
        return made, Parent(kind="teacher", reference=found.name, digest=found.digest)
    place, ref = place_of(reference, hub)
    config, arrays = content(place)
    claim.check_card(place if place.is_dir() else place.parent)
    theirs, claimed = config.get("task"), claim_of(place, config, task)
    if theirs is not None and (not theirs or theirs not in (task.name, task.same_as)):
        named = repr(theirs)[:99].strip("'")
        raise ValueError(f"the teacher {reference} plays {named}, but the task is {task.name}: {OTHER}")
    if claimed.get("environment") and game_of(claimed["environment"]) != game_of(task.env):
        raise ValueError(
            f"the teacher {reference} plays {claimed['environment']}, but the task is {task.name}: {OTHER}"
        )
    env = make(task, seeds("random", 0, 1))
    obs = env.observe()
    ours = {"actions": stated(env.actions), "observation": {"shape": list(obs.shape[1:]), "dtype": str(obs.dtype)}}
    for key, mine in ours.items():
        if not _fits(config.get(key), mine):
            raise ValueError(
                f"the teacher {reference} has {key} {config.get(key)!r:.99}, but {task.name} has {mine}: {OTHER}"
            )
    teacher = policy_of(config, env, arrays, os.fspath(reference))
    differs = remark(claimed.get("environment", ""), task)
    said = config.get("outputs") if config.get("outputs") in ("values", "logits") else "values"
    outputs = "continuous actions" if isinstance(env.actions, Box) else said
    teacher = teacher._replace(outputs=outputs, remarks=(differs,) if differs else ())
    folder = place if place.is_dir() else place.parent
    if (folder / OPTIMIZER).is_file() and library_of(config) == "reincarnate":
        teacher = teacher._replace(optimizer=weights.load(folder / OPTIMIZER))
    return teacher, Parent(
        kind="teacher", reference=str(ref or place), digest=digest(arrays), claim=claimed.get("mean_reward", "")
    )


def _fits(theirs: Any, mine: Any) -> bool:
    """Return whether a configuration's value fits the task's; bounds of actions may differ by rounding."""
    if not isinstance(mine, dict) or "low" not in mine or not isinstance(theirs, dict):
        return theirs == mine
    try:
        said, ours = (np.array([one[end] for end in ("low", "high")], float) for one in (theirs, mine))
        return said.shape == ours.shape and np.allclose(said, ours, rtol=1e-5, atol=1e-6)
    except (ValueError, TypeError, KeyError):
        return False


def policy_of(config: dict, env: Environment, arrays: dict[str, np.ndarray], whose: str) -> Teacher:
    """Return the policy of a configuration with these weights; ValueError if they do not fit each other or the task."""
    architecture = Architecture(config["architecture"]["name"], config["architecture"].get("options", {}))
    try:
        return restore(architecture, env.actions, env.observe(), arrays)
    except (ArithmeticError, TypeError, AttributeError, KeyError):  # caused by odd options or tiny images
        raise ValueError(f"the network {architecture.name!r} of {whose} cannot be built for this task") from None


def read_config(folder: Path) -> dict:
    """Return the `config.json` of a teacher or run; ValueError if none describes the network."""
    return formats.config_of(folder)


def steps_of(folder: Path, split: list[str] | None) -> Steps:
    """Return a log's steps: small logs are decoded in memory, others once into memory-mapped files that processes
    share."""
    lengths = [shard.steps for shard in chosen_shards(open_log(folder), split)]
    small = all(steps is not None for steps in lengths) and sum(sum(steps or ()) for steps in lengths) <= SMALL
    return read.load(folder, split) if small else cached(folder, split)


def pull_logs(texts: str | Sequence[str], hub: str, task: Task) -> tuple[Replay | Mixture | None, list[Parent]]:
    """Load logs from references or folders, to be sampled as one; (None, []) if there is no reference.

    Each may be followed by the part to use, as parsed by `choose.Part.parse`.
    """
    parts = [select.LogPart.parse(text) for text in ([texts] if isinstance(texts, str) else texts) if text]
    pulled = [_pull_log(part, hub, task) for part in parts]
    replays, parents = [replay for replay, _ in pulled], [parent for _, parent in pulled]
    if len(replays) < 2:
        return (replays[0] if replays else None), parents
    return Mixture(replays, [part.share for part in parts]), parents


def _within(steps: Steps, box: Box, log: str, task: str) -> Steps:
    """Check a log's continuous actions [T, D], and scale the teacher's to [-1, 1] like a teacher's answers."""
    if steps.action.shape[1:] != (box.size,):
        raise ValueError(f"{log} has actions of {several(steps.action.shape[1], 'number')}, but {task} has {box.size}")
    room = 1e-3 * (np.asarray(box.high) - np.asarray(box.low))  # tolerance for rounding
    beyond = (steps.action < np.asarray(box.low) - room) | (steps.action > np.asarray(box.high) + room)
    if (beyond.any(axis=1) & ~steps.is_last).any():
        raise ValueError(f"{log} has actions beyond the bounds of {task}: it was made in another environment")
    values = steps.teacher_values
    if values is None or values.shape[1:] != (box.size,):
        return steps._replace(teacher_values=None)
    return steps._replace(teacher_values=box.unit(values).astype(np.float32))


def _is_of(shards: Path, log: str, mine: np.ndarray, actions: Actions, task: str) -> None:
    """Raise ValueError for a log that says itself that it is of another game, before hours go into decoding it."""
    said = open_log(shards)
    column = said.columns["observation"][1]
    if not said.own or -1 in column.shape:
        return
    if (np.prod(column.shape), column.dtype) != (mine.size, str(mine.dtype)):
        theirs = f"{column.dtype}{list(column.shape)}"
        raise ValueError(f"the log {log} has frames {theirs}, but {task} has {mine.dtype}{list(mine.shape)}")
    if isinstance(said.actions, int) and isinstance(actions, int) and said.actions > actions:
        raise ValueError(f"the log {log} has {said.actions} actions, but {task} has {actions}")


def _pull_log(part: select.LogPart, hub: str, task: Task) -> tuple[Replay, Parent]:
    folder, ref = hubs.open_ref(part.reference, "dataset", hub)
    shards = shards_in(folder)
    split = None if part.first is None else select.checkpoints(shards, part.first, part.last)
    env = make(task, seeds("random", 0, 1))
    mine = env.observe()[0, -1]
    _is_of(shards, part.reference, mine, env.actions, task.name)
    steps = steps_of(shards, split)
    frame = steps.frame[0]
    if frame.shape != mine.shape or frame.dtype != mine.dtype:
        shapes = [f"{x.dtype}{list(x.shape)}" for x in (frame, mine)]
        raise ValueError(f"the log {part.reference} has frames {shapes[0]}, but {task.name} has {shapes[1]}")
    if (steps.action.ndim == 1) != isinstance(env.actions, int):
        kind = "discrete" if steps.action.ndim == 1 else "continuous"
        raise ValueError(f"the log {part.reference} has {kind} actions, but {task.name} does not: give another log")
    if isinstance(env.actions, Box):
        steps = _within(steps, env.actions, f"the log {part.reference}", task.name)
    elif int(np.max(steps.action)) >= env.actions:
        raise ValueError(
            f"the log {part.reference} has an action {int(np.max(steps.action))}, but those of {task.name} "
            f"are 0 to {env.actions - 1}"
        )
    whole = (part.low, part.high) == (0.0, 1.0)
    replay = Replay.of(steps, task.stack, None if whole else select.by_return(steps, part.low, part.high))
    if not len(replay):
        raise ValueError(f"the log {part.reference} has no transition from {part.options}: choose a larger part")
    manifest = shards / "manifest.json"  # has the digest of every shard
    seal = hashlib.sha256(manifest.read_bytes()).hexdigest() if manifest.exists() else ""
    return replay, Parent(kind="log", reference=str(ref or folder), digest=seal, part=part.options)
