"""One run: pull -> train -> evaluate -> record."""

import hashlib
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..agents import keywords
from ..agents.method import Architecture, Params
from ..agents.networks import build
from ..leaderboard import record as records
from ..leaderboard.score import normalise
from . import budget as budgets
from . import machine
from .display import Display
from .environments import make, seeds
from .experience import Experience
from .journal import Journal
from .prior import pull_logs, pull_teacher
from .referee import Referee
from .task import find
from .train import reads_log, train

SHARES = (0.0, 0.1, 0.25, 0.5, 1.0)  # sample budgets: shares of the planned agent steps


def run(
    task: str,
    method: str,
    budget: str,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    network: str = "",
    teacher: str = "",
    teacher_log: str | Sequence[str] = "",
    hub: str = "bundled",
    out: str | Path = "",
    points: Sequence[float] = SHARES,
    episodes: int = 0,
    environments: int = 8,
    threads: int = 0,
    log: bool = False,
    display: Display | None = None,
) -> records.RunRecord:
    """Trains a student under a budget and evaluates it at its sample budgets; the command `run` has the same names.

    `points`: shares of the planned agent steps at which the student is evaluated.
    `episodes`: whole episodes an evaluation, 0 for the task's own number.
    `environments`: how many are stepped together in training. `out`: the run's
    folder, which must not exist. `log`: also write the student's own experience
    there, as RLDS. `teacher_log`: one or several, each with the part that is used,
    as `choose.Part.parse` reads it. Raises ValueError with one sentence if the run
    cannot start; then nothing has been written.
    """
    show = display or Display(quiet=True)
    played, settings = find(task), dict(settings or {})
    if network:
        settings["network"] = network
    chosen = keywords.make(method, settings)
    limits = budgets.parse(budget)
    folder = folder_of(task, method, seed, out)
    if folder.exists():
        raise ValueError(f"{folder} exists: give another folder with --out, or remove it")
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not (above.is_dir() and os.access(above, os.W_OK)):
        raise ValueError(f"{folder} cannot be written: give another folder with --out")
    if episodes < 0:
        raise ValueError(f"{episodes} episodes cannot be played: give a number, or 0 for the task's own")
    if environments < 1 or not points or not all(0.0 <= share <= 1.0 for share in points):
        raise ValueError("a run needs at least one environment, and points that are shares from 0 to 1")
    played = played._replace(evaluation_episodes=episodes or played.evaluation_episodes)

    guide, its_origin = pull_teacher(teacher or played.teacher, hub, played)
    logged, log_origins = pull_logs((teacher_log or played.log) if reads_log(chosen) else "", hub, played)
    for origin in (its_origin, *log_origins):
        if origin:
            chosen_part = f", {origin.part}" if origin.part else ""
            show.note(
                f"{origin.kind}: {origin.reference}{chosen_part}"
                + (f", from the hub {hub!r}" if "@" in origin.reference else "")
            )
    asked: list[str] = []  # grows when a traced update or action asks the teacher

    def ask(params: Params, obs, **options):
        asked.append("")
        return guide.apply(params, obs, **options)

    referee = Referee(played, seed, threads, show)
    scale: dict[str, float] = {}

    def validate(params: Params) -> float:
        mean = float(np.mean(referee.play(build_apply, params, "validation", "validating").returns))
        return float(normalise(mean, scale["random"], scale["teacher"]))

    architecture = chosen.network(Architecture(played.network), guide.architecture if its_origin else None)
    example = make(played, seeds("train", seed, 1), threads)
    build_apply = build(architecture, example.actions).apply
    journal = Journal(folder, show)
    identity = hashlib.sha256(f"{folder.resolve()} {time.time_ns()}".encode()).hexdigest()[:12]
    own: Experience | None = None
    if log:
        streams, frame = environments * chosen.population, example.observe()[0, -1]
        own = Experience(folder / "log", played, f"run {identity}", streams, frame, example.actions)
    snapshots = train(
        played,
        chosen,
        architecture,
        guide._replace(apply=ask) if its_origin else guide,
        logged,
        lambda number: make(played, seeds("train", seed, environments, number), threads),
        validate,
        seed,
        limits,
        points,
        journal.watch,
        None if own is None else own.keep,
    )
    if chosen.scored and not its_origin:
        raise ValueError(f"{method} compares its student with a teacher, and there is none: give one with --teacher")
    random = referee.random()
    guided = referee.play(guide.apply, guide.params, "test", "evaluating the teacher") if its_origin else None
    used = its_origin if asked or chosen.inherits else None  # a teacher that is only a yardstick is no parent
    parents = [parent for parent in (used, *log_origins) if parent]
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
    sources = {"--teacher": teacher, "--teacher-log": teacher_log, "--hub": hub if hub != "bundled" else ""}
    command = _command(task, method, budget, seed, settings, sources, points, episodes, environments, log)
    done: list[records.Point] = []
    result: records.RunRecord | None = None
    for snapshot in snapshots:
        judged = referee.play(build_apply, snapshot.params, "test", "evaluating the student")
        done.append(journal.point(snapshot, judged))
        if own is not None:
            own.point()
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
    if own is not None:
        show.note(f"{folder / 'log'}: {own.close(command):,} transitions of the student's own experience")
    return result


def folder_of(task: str, method: str, seed: int, out: str | Path = "") -> Path:
    """Where a run goes unless it is told otherwise."""
    return Path(out) if out else Path("runs") / f"{task.replace('/', '-')}-{method.split(':')[-1]}-{seed}"


def _base_name(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"base": str(settings["base"])} if "base" in settings else {}


def _list(value: str | Sequence[str]) -> list[str]:
    return [one for one in ([value] if isinstance(value, str) else value) if one]


def _command(task, method, budget, seed, settings, sources, points, episodes, environments, log) -> str:
    """What makes the same run again."""
    words = ["reincarnate", "run", "--task", task, "--method", method, "--budget", budget, "--seed", str(seed)]
    words += [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    words += [word for flag, value in sources.items() for one in _list(value) for word in (flag, one)]
    words += ["--points", ",".join(str(float(share)) for share in points)]
    words += ["--episodes", str(episodes)] if episodes else []
    words += ["--log"] if log else []
    return shlex.join([*words, "--environments", str(environments)])
