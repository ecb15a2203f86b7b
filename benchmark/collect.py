"""Plays a policy and logs what it does as RLDS: prior computation for the next student."""

import json
import shutil
import time
from importlib import metadata
from pathlib import Path

import jax
import numpy as np

from ..agents.method import Teacher
from ..datasets.card import log_card
from ..datasets.episode import Episode
from ..datasets.rlds_write import LogWriter
from .display import Display
from .environments import make, seeds
from .task import Task

FOLDER = "array_record"  # of the shards, within a log's repository


def collect(
    task: Task,
    policy: Teacher,
    agent: str,
    steps: int,
    folder: Path,
    epsilon: float = 0.01,
    seed: int = 0,
    environments: int = 8,
    command: str = "",
    name: str = "local/log",
    show: Display | None = None,
) -> int:
    """Logs at least `steps` transitions of whole episodes to a new folder, and returns how many.

    Every environment finishes the episode that it is in when there are enough,
    so that long episodes are not left out. `epsilon` is the behavior's; the
    policy's values of every observation are logged with it. `agent` says whose
    log it is, such as user/name@commit.
    """
    show = show or Display(quiet=True)
    if folder.exists():
        raise ValueError(f"{folder} exists: give another folder with --out, or remove it")
    seed_of = seeds("log", seed, environments)
    env = make(task, seed_of)
    obs = env.observe()
    values = jax.jit(policy.apply)
    chance = np.random.default_rng([seed, 2])
    config = json.dumps({**task.protocol(), "seed": seed, "versions": _versions()}, sort_keys=True)
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    playing, returns, started = np.ones(env.n, bool), [], time.perf_counter()
    parts = [[] for _ in range(env.n)]  # of each environment's episode: (frame, values, action, reward)
    try:
        with (
            LogWriter(
                partial / FOLDER,
                "".join(c if c.isalnum() else "_" for c in task.name.lower()),
                obs[0, -1],
                env.actions,
                teacher_values=True,
                behavior_epsilon=True,
                description=f"{task.name} played by {agent}, epsilon {epsilon:g}. Rewards are not clipped.",
            ) as writer,
            show.phase(f"logging {task.name}", steps, "transitions") as bar,
        ):
            while playing.any():
                obs = env.observe()
                worth = np.asarray(values(policy.params, obs))
                explore, anything = chance.random(env.n) < epsilon, chance.integers(env.actions, size=env.n)
                action = np.where(explore, anything, worth.argmax(axis=1))
                frames = obs[:, -1].copy()
                told = env.step(action)
                for i in np.flatnonzero(playing):
                    parts[i].append((frames[i], worth[i], action[i], told.reward[i]))
                for i in np.flatnonzero(playing & (told.terminated | told.truncated)):
                    about = {"behavior_epsilon": epsilon, "agent_id": agent, "environment_config": config}
                    episode = _episode(parts[i], told.final[i], bool(told.terminated[i]), writer.episodes, **about)
                    writer.add(episode)
                    returns.append(episode.raw_return)
                    parts[i] = []
                    playing[i] = writer.transitions < steps
                going = sum(map(len, parts))
                bar.to(min(writer.transitions + going, steps), transitions=writer.transitions + going)
        provenance = {
            "task": task.name,
            "protocol": task.protocol(),
            "policy": agent,
            "parents": [{"kind": "teacher", "reference": agent}],
            "seed": seed,
            "epsilon": epsilon,
            "environments": environments,
            "transitions": writer.transitions,
            "episodes": len(returns),
            "returns": returns,
            "versions": _versions(),
            "seconds": round(time.perf_counter() - started, 1),
            "command": command,
        }
        (partial / "provenance.json").write_text(json.dumps(provenance, indent=1) + "\n")
        (partial / "README.md").write_text(
            log_card(name, {**provenance, "environment": task.environment, "bytes": writer.bytes})
        )
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return writer.transitions


def _episode(parts, final, terminated, number, **about) -> Episode:
    frames, worth, actions, rewards = zip(*parts, strict=True)
    taught = np.stack([*worth, np.zeros_like(worth[0])])  # the last observation was acted on by nobody
    return Episode.of(np.stack([*frames, final]), actions, rewards, terminated, number, teacher_values=taught, **about)


def _versions() -> dict[str, str]:
    found = {}
    for package in ("ale-py", "gymnasium", "minatar", "reincarnate"):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
