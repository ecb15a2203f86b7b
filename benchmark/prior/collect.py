"""Play policies and log their experience as RLDS: prior computation for the next student."""

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from ...agents.method import Teacher
from ...agents.teacher import digest, flatten
from ...datasets import atomic
from ...datasets.folders import regular
from ...datasets.rlds.episode import Episode
from ...datasets.rlds.folder import SHARDS
from ...datasets.rlds.write import Layout, LogWriter
from ...datasets.transition import Actions, Box
from ..display import Bar, Display
from ..machine import versions
from ..tasks.environments import make, seeds
from ..tasks.task import Task
from .called import Called
from .log_folder import MAKERS, SHARD_BYTES, LogRequest, dataset_name, finish

ATTEMPTS = "attempts.json"  # in an unfinished log: its request, and the number of attempts and their seconds
SAVE_SECONDS = 1.0  # between two of its versions: a killed attempt cannot say how long it took


class Player(NamedTuple):
    """A policy and its reference, such as user/name@commit."""

    policy: Teacher
    agent: str
    called: Called | None = None  # a Python function to call instead of the policy
    claim: str = ""  # the score that its author states
    license: str = "apache-2.0"


class _Share(NamedTuple):
    """The part of the log that one player makes."""

    number: int  # of its split
    seeds: np.ndarray  # [N] of its environments
    steps: int  # transitions
    stated: bool  # whether the log holds the player's values of each action


def collect(
    task: Task,
    players: Sequence[Player],
    asked: LogRequest,
    folder: Path,
    resume: bool = False,
    show: Display | None = None,
) -> int:
    """Log the transitions of whole episodes to a new folder, and return their number.

    The players are checkpoints of one training in order; each plays an equal share and has its own split. Once there
    are enough transitions, every environment still finishes its episode, so that long episodes are not
    underrepresented. The policy's values are logged for every observation, also where epsilon replaces the action.
    `resume` keeps what a killed attempt finished, and continues the same request with other environment seeds, so no
    episode is lost or duplicated. Raises ValueError if the log is complete, or was started with another request.
    """
    show = show or Display(quiet=True)
    atomic.vacant(folder)
    if asked.environments < 1 or not 0.0 <= asked.epsilon <= 1.0:
        raise ValueError("a log needs at least one environment, and an epsilon from 0 to 1")
    partial = folder.with_name(f".{folder.name}.partial")
    if partial.exists() and not resume:
        raise ValueError(f"{partial} is an unfinished log: resume it with --resume, or remove it")
    if (partial / "README.md").exists() and not (partial / ATTEMPTS).exists():  # only the final rename is missing
        partial.rename(folder)
        return json.loads(regular(folder / "provenance.json").read_bytes())["transitions"]
    wanted: dict[str, Any] = {"task": task.name, "policies": [player.agent for player in players]}
    wanted["weights"] = [one.called.digest if one.called else digest(flatten(one.policy.params)) for one in players]
    played = {"epsilon": asked.epsilon, "seed": asked.seed, "environments": asked.environments}
    wanted |= {"steps": asked.steps, **played, **({"smallest": True} if asked.smallest else {})}
    attempts, before = _attempts(partial, wanted)
    many = asked.environments * len(players)
    own = seeds("log", asked.seed, many, attempt=attempts).reshape(len(players), asked.environments)
    example = make(task, seeds("log", asked.seed, 1))
    clock = _Clock(partial / ATTEMPTS, wanted, before)
    if not (partial / SHARDS).exists():  # otherwise all is played
        attempts += 1
        clock.begin(attempts)
        stated = not asked.smallest and not any(player.policy.outputs == "actions" for player in players)
        layout = Layout(
            teacher_values=stated,
            behavior_epsilon=True,
            description=f"{task.name} played by {', '.join(p.agent for p in players)}. Rewards are not clipped.",
            shard_bytes=SHARD_BYTES,
            level=asked.level,
        )
        frame = example.observe()[0, -1]
        writer = LogWriter(partial / SHARDS, dataset_name(task), frame, example.actions, layout, resume)
        with writer, show.phase(f"logging {task.name}", asked.steps, "transitions") as bar:
            for number, player in enumerate(players):
                share = _Share(number, own[number], -(-asked.steps // len(players)), stated)
                _play(task, player, share, asked.epsilon, writer, bar, clock)
        clock.save()
    parents = [
        {"kind": "teacher", "reference": player.agent, "digest": weights}
        for player, weights in zip(players, wanted["weights"], strict=True)
    ]
    facts = {**played, "attempts": attempts, "seconds": round(clock.seconds(), 1)}
    licenses = {player.license for player in players}
    facts["license"] = licenses.pop() if len(licenses) == 1 else "other"
    transitions = finish(partial, asked, task, parents=parents, **facts, command=asked.command)
    (partial / ATTEMPTS).unlink()
    partial.rename(folder)
    return transitions


class _Clock:
    """The seconds of all attempts at a log, kept in its file of attempts."""

    def __init__(self, path: Path, wanted: dict[str, Any], before: float):
        self._path, self._facts, self._before = path, wanted, before
        self._began = self._saved = time.perf_counter()

    def seconds(self) -> float:
        """Return the seconds so far, those of earlier attempts included."""
        return self._before + time.perf_counter() - self._began

    def begin(self, attempts: int) -> None:
        """Save that an attempt begins, the last of that many."""
        self._facts = {**self._facts, "attempts": attempts}
        self.save()

    def save(self) -> None:
        """Save the seconds so far."""
        atomic.write(self._path, json.dumps({**self._facts, "seconds": self.seconds()}).encode())
        self._saved = time.perf_counter()

    def tick(self) -> None:
        """Save the seconds if that is due."""
        if time.perf_counter() - self._saved >= SAVE_SECONDS:
            self.save()


def _attempts(partial: Path, wanted: dict[str, Any]) -> tuple[int, float]:
    """Return the number of attempts at this log and their seconds; ValueError if they were for another request."""
    try:
        begun = json.loads(regular(partial / ATTEMPTS).read_bytes())
        attempts, seconds = int(begun["attempts"]), float(begun.get("seconds", 0.0))
        if not 0.0 <= seconds < math.inf:
            raise ValueError
    except FileNotFoundError:
        return 0, 0.0
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{partial / ATTEMPTS} is damaged: remove {partial}, and start again") from None
    for name, now in wanted.items():
        if begun.get(name) != now:
            was, now = (", ".join(map(str, one)) if isinstance(one, list) else one for one in (begun.get(name), now))
            raise ValueError(f"{partial} was begun with {name} {was}, not {now}: resume with the same, or remove it")
    return attempts, seconds


def _play(
    task: Task, player: Player, share: _Share, epsilon: float, writer: LogWriter, bar: Bar, clock: _Clock
) -> None:
    """Add whole episodes until the player's split has enough transitions."""
    safe = [shard["steps"] for shard in writer.shards if shard["split"] == f"checkpoint_{share.number:02d}"]
    missing = share.steps - sum(sum(lengths) - len(lengths) for lengths in safe)
    if missing <= 0:
        return
    before = writer.transitions
    until = before + missing
    env = make(task, share.seeds)
    values = None if player.called else jax.jit(player.policy.apply)
    chance = np.random.default_rng(share.seeds)
    config = json.dumps(
        {**task.protocol(), "seeds": share.seeds.tolist(), "versions": versions(MAKERS)}, sort_keys=True
    )
    about = {"checkpoint_id": share.number, "agent_id": player.agent, "environment_config": config}
    playing, first = np.ones(env.n, bool), np.ones(env.n, bool)
    parts = [[] for _ in range(env.n)]  # per environment, its current episode: (frame, values, action, reward)
    while playing.any():
        obs = env.observe()
        if player.called:
            worth = player.called.call(obs, first)
        else:
            assert values is not None
            worth = np.asarray(values(player.policy.params, obs))
            worth = np.asarray(env.actions.real(worth)) if isinstance(env.actions, Box) else worth
        worth, action = _chosen(worth, env.actions, chance, epsilon)
        worth = worth if share.stated else np.zeros(env.n)
        frames = obs[:, -1].copy()
        told = env.step(action)
        first = told.terminated | told.truncated
        for i in np.flatnonzero(playing):
            parts[i].append((frames[i], worth[i], action[i], told.reward[i]))
        for i in np.flatnonzero(playing & (told.terminated | told.truncated)):
            writer.add(_episode(parts[i], told.final[i], bool(told.terminated[i]), writer.episodes, epsilon, about))
            parts[i], playing[i] = [], writer.transitions < until
        going = writer.transitions + sum(map(len, parts))
        clock.tick()
        bar.to(min(going, until), f"{writer.bytes_on_disk / 1e6:,.1f} MB on disk", transitions=going - before)


def _chosen(
    told: np.ndarray, actions: Actions, chance: np.random.Generator, epsilon: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the teacher's values for the log, and the actions [N] or [N, D] to play: its own, or random ones."""
    n = len(told)
    if isinstance(actions, Box):
        explore, anything = chance.random(n) < epsilon, chance.uniform(actions.low, actions.high, (n, actions.size))
        return told, np.where(explore[:, None], anything, told).astype(np.float32)
    explore, anything = chance.random(n) < epsilon, chance.integers(actions, size=n)
    return told, np.where(explore, anything, told if told.ndim == 1 else told.argmax(axis=1))


def _episode(parts, final, terminated: bool, number: int, epsilon: float, about: dict) -> Episode:
    frames, worth, actions, rewards = zip(*parts, strict=True)
    extras: dict[str, Any] = {"behavior_epsilon": epsilon}
    if np.ndim(worth[0]):  # functions that return actions have no values
        extras["teacher_values"] = np.stack([*worth, np.zeros_like(worth[0])])  # no action follows the last observation
    return Episode.of(np.stack([*frames, final]), actions, rewards, terminated, number, **extras, **about)
