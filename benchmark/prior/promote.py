"""Turn a finished student into a teacher: today's student is tomorrow's prior computation."""

import json
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...agents.method import Teacher
from ...agents.teacher import digest
from ...datasets import atomic
from ...datasets.hub.card import RESULTS, results, teacher_card
from ...datasets.teachers import weights
from ...leaderboard import record as records
from ..display import Display
from ..evaluation.evaluator import Evaluator
from ..evaluation.film import film_of
from ..tasks.environments import make, seeds
from ..tasks.task import Task, find
from . import called
from .ancestors import total
from .collect import Player
from .load import OPTIMIZER, policy_of, pull_teacher, read_config
from .recognised import content, license_of, place_of, task_of


class Description(NamedTuple):
    """The facts of a teacher's repository, except for how it plays."""

    name: str  # user/name
    config: dict[str, Any]  # the content of `config.json`
    card: dict[str, Any]  # the values for the card


CURVE = "curve.png"  # drawn by the command `run` when a run is complete


def student(folder: Path, at: float | None = None) -> tuple[Teacher, Task, records.RunRecord, records.Point]:
    """Return a run's student as a policy: the last one, or the one at `at` agent steps; ValueError if there is none."""
    record, config = records.load(folder / "record.json"), read_config(folder)
    points = {point.spent["steps"]: point for point in record.points}
    if at is not None and at not in points:
        raise ValueError(
            f"{folder} has no student at {at:g} steps; it has some at {', '.join(f'{s:g}' for s in points)}"
        )
    point = record.points[-1] if at is None else points[at]
    if Path(point.file).is_absolute() or ".." in Path(point.file).parts:
        raise ValueError(f"{folder}/record.json names a file outside its folder: {point.file}")
    arrays = weights.load(folder / point.file)
    if digest(arrays) != point.parameters:
        raise ValueError(f"{folder / point.file} is not what the record says it is: the file was changed or damaged")
    task = find(record.task)
    env = make(task, seeds("promotion", 0, 1))
    return policy_of(config, env, arrays, str(folder)), task, record, point


def promote(
    run: Path,
    out: Path,
    name: str,
    at: float | None = None,
    episodes: int = 0,
    show: Display | None = None,
    hub: str = "bundled",
) -> records.Evaluation:
    """Write a teacher's repository to a new folder, and return how it plays.

    Its score comes from fresh episodes on seeds that the run never used, so that a student picked for a lucky
    evaluation gains nothing. The folder holds the weights, `config.json`, the run's record and ledger, a film of the
    episode closest to the mean, the Hub's file of results, and a card. `hub`: where to look up the ancestors for their
    costs.
    """
    atomic.vacant(out)
    if episodes < 0:
        raise ValueError(f"{episodes} episodes cannot be played: give a positive number, or 0 for the task's default")
    show = show or Display(quiet=True)
    policy, task, record, point = student(run, at)
    task = task._replace(evaluation_episodes=episodes, evaluation_steps=0) if episodes else task
    judged = Evaluator(task, record.seed, 0, show).play(
        policy.apply, policy.params, "promotion", "evaluating the student"
    )
    config = config_of(run, name, record, point)
    card = {
        **record.model_dump(),
        "spent": point.spent,
        "total": total(record, point, hub)._asdict(),
    }
    last = point is record.points[-1]
    if not last or not record.complete:
        card["description"] = f"The student of the run after {point.spent['steps']:,.0f} agent steps."
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        shutil.copyfile(run / point.file, partial / "policy.safetensors")
        shutil.copyfile(run / "record.json", partial / "record.json")
        shutil.copyfile(run / "ledger.jsonl", partial / "ledger.jsonl")
        if last and (run / OPTIMIZER).is_file():
            shutil.copyfile(run / OPTIMIZER, partial / OPTIMIZER)
        if (run / CURVE).is_file():
            shutil.copyfile(run / CURVE, partial / CURVE)
            card["curve"] = CURVE
        write_teacher(partial, task, policy, judged, Description(name, config, card), show)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    show.note(f"{name}: mean return {np.mean(judged.returns):.2f} over {len(judged.returns)} fresh episodes")
    return judged


def config_of(run: Path, name: str, record: records.RunRecord, point: records.Point) -> dict[str, Any]:
    """Return the configuration of a run's student as its own repository, with its provenance."""
    return read_config(run) | {
        "name": name,
        "spent": point.spent,
        "parents": [parent.model_dump() for parent in record.parents],
        "run": record.run,
        "complete": record.complete,
    }


def write_teacher(
    folder: Path,
    task: Task,
    policy: Teacher,
    judged: records.Evaluation,
    about: Description,
    show: Display,
    film: bool = True,
) -> None:
    """Write the files that go with a teacher's weights, record and ledger: configuration, results, film and card."""
    config = about.config | {"evaluation": judged.model_dump()}
    card = about.card | {"evaluation": judged.model_dump(), "environment": task.environment}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    (folder / RESULTS).parent.mkdir()
    (folder / RESULTS).write_text(results(card))
    try:
        if film:
            card["film"] = film_of(folder / "replay.mp4", task, policy, judged)
    except (ValueError, OSError) as error:
        show.note(f"no film: {error}")
    (folder / "README.md").write_text(teacher_card(about.name, card))


def open_players(text: str, hub: str, last: int = 1, task: str = "") -> tuple[list[Player], Task]:
    """Return policies to play, and their task.

    They are the last students of a run's folder, or the teacher in a folder, a file, a reference or a function. `task`:
    the teacher's task, overriding its card. ValueError if that is another game, or if the task is unknown.
    """
    folder = Path(text)
    if (folder / "students").is_dir():
        if task:
            raise ValueError(f"{text} is a run, which plays the task it was trained on: leave out --task")
        points = records.load(folder / "record.json").points[-last:]
        found = [student(folder, point.spent["steps"]) for point in points]
        return [
            Player(policy, f"run {record.run} at {point.spent['steps']:.0f} steps")
            for policy, _, record, point in found
        ], found[0][1]
    if last > 1:
        raise ValueError(f"{text} is one policy: only a run's folder has checkpoints")
    if called.is_called(text):
        if not task:
            raise ValueError(f"{text} is a Python function, which does not state its task: name it with --task")
        played = find(task)
        one = called.load(text, make(played, seeds("random", 0, 1)))
        return [Player(called.unasked(one), text, one, license="other")], played
    place = place_of(text, hub)[0]
    played = find(task) if task else task_of(place, text)
    policy, parent = pull_teacher(text, hub, played)
    assert parent is not None
    return [Player(policy, parent.reference, claim=parent.claim, license=license_of(content(place)[0]))], played
