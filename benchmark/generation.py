"""The next generation: a re-scored student becomes a teacher with a log, and its task waits for students."""

import json
import tempfile
from pathlib import Path
from typing import Any

from ..datasets import hub as hubs
from ..datasets.card import teacher_card
from ..datasets.pull_requests import Repository
from ..datasets.reference import Ref
from ..datasets.weights import load
from ..leaderboard.results import verdict_path
from .collect import Player, collect
from .display import Display
from .environments import make, seeds
from .prior import policy_of, read_config
from .submit import repository_folder
from .task import find

GENERATIONS = "generations.json"
READY = ("re-scored", "re-trained", "promoted")


def promote_run(
    run: str,
    repository: Repository,
    hub: str,
    steps: int,
    name: str = "",
    epsilon: float = 0.01,
    show: Display | None = None,
) -> dict[str, Any]:
    """Publishes a student as a teacher with its log, and enters both as a task of the next generation.

    `steps`: transitions of the log. Returns {generation, task, teacher, log, run}. ValueError unless a maintainer
    has re-scored the run, or if it is promoted already.
    """
    show = show or Display(quiet=True)
    results = repository_folder(repository, hub)
    one, verdict = results.submissions.get(run), results.verdicts.get(run)
    if one is None:
        raise ValueError(f"{repository.repo} has no run {run!r}: name one of its runs")
    if verdict is None or verdict.state not in READY:
        raise ValueError(
            f"run {run} is {verdict.state if verdict else 'self-reported'}: verify it before it is promoted"
        )
    made = _read(results.folder / GENERATIONS)
    if before := next((entry for entry in made if entry["run"] == run), None):
        raise ValueError(f"run {run} is a teacher already: {before['teacher']}")
    task = find(one.record.task)
    name = name or f"{repository.me()}/{task.env.replace('_', '-').lower()}-{run}"
    folder = hubs.snapshot(Ref.parse(one.student), "model", hub)
    config, arrays = read_config(folder), load(folder / "policy.safetensors")
    rescored = verdict.rescored or one.record.points[-1].evaluation
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(scratch) / "teacher"
        at.mkdir()
        for each in ("policy.safetensors", "record.json", "ledger.jsonl"):
            (at / each).write_bytes((folder / each).read_bytes())
        facts = {"name": name, "evaluation": rescored.model_dump(), "student": one.student}
        (at / "config.json").write_text(json.dumps(config | facts, indent=1) + "\n")
        card = one.record.model_dump() | {"evaluation": rescored.model_dump(), "environment": task.environment}
        card["description"] = f"Promoted from {one.student} by {repository.repo}; its score is the maintainers' own."
        (at / "README.md").write_text(teacher_card(name, card))
        teacher = hubs.publish(at, name, "model", hub, message=f"Promote run {run}")
        show.note(f"teacher: {teacher}")
        policy = policy_of(config, make(task, seeds("log", 0, 1)), arrays, one.student)
        command = f"reincarnate promote {run} --results {repository.repo}"
        log = Path(scratch) / "log"
        collect(task, [Player(policy, str(teacher))], steps, log, epsilon, 0, 8, command, f"{name}-log", show=show)
        logged = hubs.publish(log, f"{name}-log", "dataset", hub, message=f"Log of run {run}")
        show.note(f"log: {logged}")
    above = {parent.digest for parent in one.record.parents}
    parents = [entry for entry in made if entry["digest"] in above]
    entry = {
        "generation": 1 + max([0, *(parent["generation"] for parent in parents)]),
        "task": one.record.task,
        "teacher": str(teacher),
        "log": str(logged),
        "run": run,
        "digest": one.record.points[-1].parameters,
    }
    files = {
        GENERATIONS: (json.dumps([*made, entry], indent=1) + "\n").encode(),
        verdict_path(one.author, run): (
            verdict.model_copy(update={"state": "promoted", "teacher": str(teacher)}).model_dump_json(indent=1) + "\n"
        ).encode(),
    }
    repository.write(files, f"Promote run {run}")
    return entry


def revoke(run: str, reason: str, repository: Repository, hub: str) -> list[str]:
    """Revokes a run, with its reason; returns all runs that descend from it, which the board flags from now on."""
    from ..leaderboard.costs import family
    from ..leaderboard.submission import Verdict

    results = repository_folder(repository, hub)
    one = results.submissions.get(run)
    if one is None:
        raise ValueError(f"{repository.repo} has no run {run!r}: name one of its runs")
    before = results.verdicts.get(run) or Verdict(run=run, state="revoked")
    verdict = before.model_copy(update={"state": "revoked", "reasons": (*before.reasons, reason)})
    text = (verdict.model_dump_json(indent=1) + "\n").encode()
    repository.write({verdict_path(one.author, run): text}, f"Revoke run {run}")
    known = results._replace(verdicts={**results.verdicts, run: verdict})
    return sorted((set(family(known).tainted) & set(results.submissions)) - {run})


def _read(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_bytes()) if path.is_file() else []
