"""Plays policies and logs what they do as RLDS: prior computation for the next student."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from ..agents.method import Teacher
from ..datasets import atomic
from ..datasets.episode import Episode
from ..datasets.rlds_folder import SHARDS
from ..datasets.rlds_write import LogWriter
from .display import Bar, Display
from .environments import make, seeds
from .log_folder import MAKERS, SHARD_BYTES, dataset_name, finish
from .machine import versions
from .task import Task


class Player(NamedTuple):
    """A policy and whose it is, such as user/name@commit."""

    policy: Teacher
    agent: str


def collect(
    task: Task,
    players: Sequence[Player],
    steps: int,
    folder: Path,
    epsilon: float = 0.01,
    seed: int = 0,
    environments: int = 8,
    command: str = "",
    name: str = "local/log",
    tfrecord: bool = False,
    resume: bool = False,
    show: Display | None = None,
) -> int:
    """Logs at least `steps` transitions of whole episodes to a new folder, and returns how many.

    The players are checkpoints of a training in their order; each plays an equal
    share and has its own split. Every environment finishes the episode that it
    is in when there are enough, so that long episodes are not left out.
    `epsilon` is the behavior's; the policy's values of every observation are
    logged with it. `tfrecord`: also a copy for users of tf.data, as small logs
    always have. What a killed attempt has finished is kept by `resume`, which
    goes on with other environment seeds: no episode is lost or there twice.
    """
    show = show or Display(quiet=True)
    if folder.exists():
        raise ValueError(f"{folder} exists: give another folder with --out, or remove it")
    if environments < 1 or not 0.0 <= epsilon <= 1.0:
        raise ValueError("a log needs at least one environment, and an epsilon from 0 to 1")
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.exists() and not resume:
        raise ValueError(f"{partial} is an unfinished log: go on with --resume, or remove it")
    attempt = _attempt(partial)
    example = make(task, seeds("log", seed, 1))
    started = time.perf_counter()
    if not (partial / SHARDS).exists():  # else only the last rename is missing
        writer = LogWriter(
            partial / SHARDS,
            dataset_name(task),
            example.observe()[0, -1],
            example.actions,
            teacher_values=True,
            behavior_epsilon=True,
            description=f"{task.name} played by {', '.join(p.agent for p in players)}. Rewards are not clipped.",
            shard_bytes=SHARD_BYTES,
            resume=resume,
        )
        with writer, show.phase(f"logging {task.name}", steps, "transitions") as bar:
            for number, player in enumerate(players):
                who = seeds("log", seed, environments * (number + 1), attempt)[environments * number :]
                _play(task, player, number, who, epsilon, -(-steps // len(players)), writer, bar)
    transitions = finish(
        partial,
        name,
        task,
        tfrecord,
        parents=[{"kind": "teacher", "reference": player.agent} for player in players],
        seed=seed,
        epsilon=epsilon,
        environments=environments,
        attempts=attempt + 1,
        seconds=round(time.perf_counter() - started, 1),  # of the last attempt
        command=command,
    )
    (partial / "attempts").unlink()
    partial.rename(folder)
    return transitions


def _attempt(partial: Path) -> int:
    """Which attempt at this log begins now: 0 for the first."""
    path = partial / "attempts"
    attempt = int(path.read_text()) if path.exists() else 0
    partial.mkdir(parents=True, exist_ok=True)
    atomic.write(path, str(attempt + 1).encode())
    return attempt


def _play(task: Task, player: Player, number: int, seed, epsilon: float, steps: int, writer: LogWriter, bar: Bar):
    """Adds whole episodes until the player's split has `steps` transitions."""
    safe = [shard["steps"] for shard in writer.shards if shard["split"] == f"checkpoint_{number:02d}"]
    missing = steps - sum(sum(lengths) - len(lengths) for lengths in safe)
    if missing <= 0:
        return
    until = writer.transitions + missing
    env, values = make(task, seed), jax.jit(player.policy.apply)
    chance = np.random.default_rng(seed)
    config = json.dumps({**task.protocol(), "seeds": seed.tolist(), "versions": versions(MAKERS)}, sort_keys=True)
    about = {"checkpoint_id": number, "agent_id": player.agent, "environment_config": config}
    playing = np.ones(env.n, bool)
    parts = [[] for _ in range(env.n)]  # of each environment's episode: (frame, values, action, reward)
    while playing.any():
        obs = env.observe()
        worth = np.asarray(values(player.policy.params, obs))
        explore, anything = chance.random(env.n) < epsilon, chance.integers(env.actions, size=env.n)
        action = np.where(explore, anything, worth.argmax(axis=1))
        frames = obs[:, -1].copy()
        told = env.step(action)
        for i in np.flatnonzero(playing):
            parts[i].append((frames[i], worth[i], action[i], told.reward[i]))
        for i in np.flatnonzero(playing & (told.terminated | told.truncated)):
            writer.add(_episode(parts[i], told.final[i], bool(told.terminated[i]), writer.episodes, epsilon, about))
            parts[i], playing[i] = [], writer.transitions < until
        going = writer.transitions + sum(map(len, parts))
        bar.to(min(going, until), transitions=going)


def _episode(parts, final, terminated: bool, number: int, epsilon: float, about: dict) -> Episode:
    frames, worth, actions, rewards = zip(*parts, strict=True)
    taught = np.stack([*worth, np.zeros_like(worth[0])])  # the last observation was acted on by nobody
    extras = {"teacher_values": taught, "behavior_epsilon": epsilon}
    return Episode.of(np.stack([*frames, final]), actions, rewards, terminated, number, **extras, **about)
