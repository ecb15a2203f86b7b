"""One run: pull -> train -> evaluate -> record."""

import hashlib
import json
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..agents import keywords
from ..agents.method import Architecture, Params, Teacher
from ..agents.networks import build
from ..agents.teacher import absent, digest, flatten
from ..datasets import weights
from ..datasets.replay import Replay
from ..leaderboard import record as records
from ..leaderboard.ledger import Ledger
from ..leaderboard.score import normalise
from . import budget as budgets
from . import machine
from .display import Display
from .environments import make, seeds
from .evaluate import evaluate, make_greedy
from .prior import pull_log, pull_teacher
from .task import Task, find
from .train import Snapshot, Status, train

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # sample budgets: shares of the planned agent steps
LEDGER_SECONDS = 60.0
METRIC_SECONDS = 5.0


def run(
    task: str,
    method: str,
    budget: str,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    network: str = "",
    teacher: str = "",
    log: str = "",
    hub: str = "bundled",
    out: str | Path = "",
    points: Sequence[float] = SHARES,
    episodes: int = 0,
    environments: int = 8,
    threads: int = 0,
    display: Display | None = None,
) -> records.RunRecord:
    """Trains a student under a budget and evaluates it at its sample budgets; the command `run` has the same names.

    `points`: shares of the planned agent steps at which the student is evaluated.
    `episodes`: whole episodes an evaluation, 0 for the task's own number.
    `environments`: how many are stepped together in training. `out`: the run's
    folder, which must not exist. Raises ValueError with one sentence if the run
    cannot start; then nothing has been written.
    """
    show = display or Display(quiet=True)
    played, settings = find(task), dict(settings or {})
    if network:
        settings["network"] = network
    chosen = keywords.make(method, settings)
    limits = budgets.parse(budget)
    folder = Path(out) if out else Path("runs") / f"{task.replace('/', '-')}-{method.split(':')[-1]}-{seed}"
    if folder.exists():
        raise ValueError(f"{folder} exists: give another folder with --out, or remove it")
    if environments < 1 or not points or not all(0.0 <= share <= 1.0 for share in points):
        raise ValueError("a run needs at least one environment, and points that are shares from 0 to 1")
    played = played._replace(evaluation_episodes=episodes or played.evaluation_episodes)

    guide, parents = _prior(played, teacher, log, hub, chosen)
    logged: Replay | None = None
    if chosen.offline > 0.0 or chosen.keep_log or log or played.log:
        logged, parent = pull_log(log or played.log, hub, played)
        parents += [parent] if parent else []

    referee = Referee(played, seed, threads, show)
    scale: dict[str, float] = {}

    def validate(params: Params) -> float:
        mean = float(np.mean(referee.play(build_apply, params, "validation", "validating").returns))
        return float(normalise(mean, scale["random"], scale["teacher"]))

    architecture = chosen.network(Architecture(played.network), guide.architecture if guide else None)
    example = make(played, seeds("train", seed, 1), threads)
    build_apply = build(architecture, example.actions).apply
    journal = Journal(folder, show)
    snapshots = train(
        played,
        chosen,
        architecture,
        guide or absent(),
        logged,
        lambda number: make(played, seeds("train", seed, environments, number), threads),
        validate,
        seed,
        limits,
        points,
        journal.watch,
    )
    if chosen.scored and guide is None:
        raise ValueError(f"{method} compares its student with a teacher, and there is none: give one with --teacher")
    random = referee.random()
    guided = referee.play(guide.apply, guide.params, "test", "evaluating the teacher") if guide else None
    scale["random"] = float(np.mean(random.returns))
    scale["teacher"] = float(np.mean(guided.returns)) if guided else 1.0

    facts: dict[str, Any] = {
        "task": task,
        "protocol": played.protocol(),
        "method": method,
        "settings": {key: value for key, value in settings.items() if key != "base"} | _base_name(settings),
        "network": {"name": architecture.name, "options": dict(architecture.options)},
        "seed": seed,
        "environments": environments,
        "budget": limits.limits(),
        "parents": [parent.model_dump() for parent in parents],
        "machine": machine.describe(),
    }
    identity = hashlib.sha256(json.dumps([facts, time.time_ns()], sort_keys=True).encode()).hexdigest()[:12]
    journal.open({"run": identity, **facts, "frame_skip": played.frame_skip})
    shape = example.observe().shape[1:]
    journal.config(
        {
            "architecture": facts["network"],
            "actions": example.actions,
            "observation": {"shape": list(shape), "dtype": str(example.observe().dtype)},
            "task": task,
            "protocol": played.protocol(),
        }
    )
    command = _command(task, method, budget, seed, settings, teacher, log, hub, points, episodes, environments)
    done: list[records.Point] = []
    result: records.RunRecord | None = None
    for snapshot in snapshots:
        judged = referee.play(build_apply, snapshot.params, "test", "evaluating the student")
        done.append(journal.point(snapshot, judged))
        result = records.RunRecord(
            run=identity,
            random=random,
            teacher=guided,
            points=tuple(done),
            complete=snapshot.last,
            ledger=journal.ledger.digest,
            command=command,
            **{**facts, "parents": tuple(parents)},
        )
        records.save(result, folder / "record.json")
    assert result is not None
    return result


class Referee:
    """Evaluates policies of one run on environment seeds that training never uses."""

    def __init__(self, task: Task, seed: int, threads: int, show: Display):
        self._task, self._seed, self._threads, self._show = task, seed, threads, show
        self._greedy = {}

    def play(self, apply, params: Params, stream: str, label: str) -> records.Evaluation:
        """Whole greedy episodes, but for the protocol's epsilon."""
        greedy = self._greedy.setdefault(apply, make_greedy(apply))
        return self._episodes(partial(greedy, params), stream, label, self._task.evaluation_epsilon)

    def random(self) -> records.Evaluation:
        """Whole episodes of uniformly random actions."""
        n = self._task.evaluation_episodes
        return self._episodes(lambda obs: np.zeros(n, int), "random", "playing at random", 1.0)

    def _episodes(self, choose, stream: str, label: str, epsilon: float) -> records.Evaluation:
        n = self._task.evaluation_episodes
        seed = seeds(stream, self._seed, n)
        env = make(self._task, seed, self._threads)
        with self._show.phase(label, n, "episodes") as bar:
            returns, lengths = evaluate(choose, env, epsilon, seed, lambda over, steps: bar.to(over, steps=steps))
        returns, lengths = tuple(map(float, returns)), tuple(map(int, lengths))
        return records.Evaluation(returns=returns, lengths=lengths, epsilon=epsilon, seeds=(int(seed[0]), int(seed[-1])))


class Journal:
    """The files of a run. Nothing is on disk before `open`."""

    def __init__(self, folder: Path, show: Display):
        self._folder, self._show = folder, show
        self._ledger_at = self._metric_at = time.monotonic()

    def open(self, start: dict) -> None:
        (self._folder / "students").mkdir(parents=True)
        self.ledger = Ledger(self._folder / "ledger.jsonl")
        self.ledger.write("start", **start)

    def config(self, content: dict) -> None:
        write_json(self._folder / "config.json", content)

    def watch(self, status: Status) -> None:
        """Shows the status, and writes it down when it is time to."""
        self._show.status(status)
        now = time.monotonic()
        if now - self._ledger_at > LEDGER_SECONDS:
            self._ledger_at = now
            self.ledger.write("progress", phase=status.phase, spent=status.spent, losses=status.losses)
        if now - self._metric_at > METRIC_SECONDS:
            self._metric_at = now
            returns = list(status.returns)
            line = {"phase": status.phase, **status.spent, "losses": status.losses}
            line["training_return"] = float(np.mean(returns)) if returns else None
            with (self._folder / "metrics.jsonl").open("a") as file:
                file.write(json.dumps(line) + "\n")

    def point(self, snapshot: Snapshot, judged: records.Evaluation) -> records.Point:
        arrays = flatten(snapshot.params)
        parameters = digest(arrays)
        name = f"students/{int(snapshot.spent['steps']):010d}.safetensors"
        weights.save(self._folder / name, arrays, {"format": "reincarnate"})
        self.ledger.write(
            "end" if snapshot.last else "point",
            spent=snapshot.spent,
            parameters=parameters,
            returns=list(judged.returns),
        )
        self._ledger_at = time.monotonic()
        self._show.point(snapshot.spent, float(np.mean(judged.returns)))
        return records.Point(spent=snapshot.spent, evaluation=judged, parameters=parameters, file=name)


def write_json(path: Path, content: Any) -> None:
    """Writes a JSON file whole or not at all."""
    partial_file = path.with_name(f".{path.name}.partial")
    partial_file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(partial_file, path)


def _prior(task: Task, teacher: str, log: str, hub: str, method) -> tuple[Teacher | None, list[records.Parent]]:
    reference = teacher or task.teacher
    if not reference:
        return None, []
    guide, parent = pull_teacher(reference, hub, task)
    return guide, [parent]


def _base_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"base": str(settings["base"])} if "base" in settings else {}


def _command(task, method, budget, seed, settings, teacher, log, hub, points, episodes, environments) -> str:
    words = ["reincarnate", "run", "--task", task, "--method", method, "--budget", budget, "--seed", str(seed)]
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    optional = {"--teacher": teacher, "--log": log, "--hub": hub if hub != "bundled" else ""}
    words += [word for flag, value in optional.items() if value for word in (flag, value)]
    words += ["--points", ",".join(f"{share:g}" for share in points)]
    words += ["--episodes", str(episodes)] if episodes else []
    return shlex.join([*words, "--environments", str(environments)])
