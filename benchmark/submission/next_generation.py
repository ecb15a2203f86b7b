"""The next generation: a re-scored student becomes a teacher with a log, and its task waits for students."""

import tempfile
from pathlib import Path

from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import Repository
from ...datasets.hub.reference import Ref
from ...datasets.teachers.weights import load
from ...leaderboard import generations
from ...leaderboard.generations import Generation
from ...leaderboard.results import Results, verdict_path
from ...leaderboard.submission import Submission
from ..display import Display
from ..prior.ancestors import total
from ..prior.collect import Player, collect
from ..prior.load import policy_of, read_config
from ..prior.promote import write_teacher
from ..tasks.environments import make, seeds
from ..tasks.task import find
from .submit import repository_folder

READY = ("re-scored", "re-trained", "promoted")


def promote_run(
    run: str,
    repository: Repository,
    hub: str,
    steps: int,
    name: str = "",
    epsilon: float = 0.01,
    show: Display | None = None,
) -> tuple[str, Generation]:
    """Publishes a student as a teacher with its log, and enters both as a task of the next generation.

    `steps`: transitions of the log. Returns the task's name, such as minatar/breakout@2, and what it is. ValueError
    unless a maintainer has re-scored the run, or if it is promoted already. If it is killed, it can be run again.
    """
    show = show or Display(quiet=True)
    results = repository_folder(repository, hub)
    one, verdict = _submitted(run, results, repository), results.verdicts.get(run)
    if verdict is None or verdict.state not in READY:
        raise ValueError(
            f"run {run} is {verdict.state if verdict else 'self-reported'}: verify it before it is promoted"
        )
    file = results.folder / generations.FILE
    made = generations.parse(file.read_bytes(), generations.FILE) if file.is_file() else ()
    if before := next((entry for entry in made if entry.run == run), None):
        raise ValueError(f"run {run} is a teacher already: {before.teacher}")
    record, task = one.record, find(one.record.task)
    name = name or f"{repository.me()}/{task.env.replace('_', '-').lower()}-{run}"
    folder = hubs.snapshot(Ref.parse(one.student), "model", hub)
    config, arrays = read_config(folder), load(folder / "policy.safetensors")
    policy = policy_of(config, make(task, seeds("log", 0, 1)), arrays, one.student)
    rescored = verdict.rescored or record.points[-1].evaluation
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(scratch) / "teacher"
        at.mkdir()
        for each in ("policy.safetensors", "record.json", "ledger.jsonl"):
            (at / each).write_bytes((folder / each).read_bytes())
        words = f"Promoted from {one.student} by {repository.repo}; its score is the maintainers' own."
        whole = total(record, record.points[-1], hub)._asdict()
        card = {**record.model_dump(), "total": whole, "description": words}
        write_teacher(at, name, task, policy, rescored, config | {"name": name, "student": one.student}, card, show)
        teacher = hubs.publish(at, name, "model", hub, message=f"Promote run {run}")
        show.note(f"teacher: {teacher}")
        command = f"reincarnate promote {run} --at {repository.repo} --steps {steps} --name {name}"
        log = Path(scratch) / "log"
        collect(task, [Player(policy, str(teacher))], steps, log, epsilon, 0, 8, command, f"{name}-log", show=show)
        logged = hubs.publish(log, f"{name}-log", "dataset", hub, message=f"Log of run {run}")
        show.note(f"log: {logged}")
    above = {parent.digest for parent in record.parents}
    entry = Generation(
        generation=1 + max([0, *(parent.generation for parent in made if parent.digest in above)]),
        task=record.task,
        teacher=str(teacher),
        log=str(logged),
        run=run,
        digest=record.points[-1].parameters,
    )
    files = {
        generations.FILE: generations.written([*made, entry]),
        verdict_path(one.author, run): (
            verdict.model_copy(update={"state": "promoted", "teacher": str(teacher)}).model_dump_json() + "\n"
        ).encode(),
    }
    repository.write(files, f"Promote run {run}")
    return next(name for name, each in generations.names([*made, entry]).items() if each is entry), entry


def revoke(run: str, reason: str, repository: Repository, hub: str) -> list[str]:
    """Revokes a run, with its reason; returns all runs that descend from it, which the board flags from now on."""
    from ...leaderboard.costs import family
    from ...leaderboard.submission import Verdict

    results = repository_folder(repository, hub)
    one = _submitted(run, results, repository)
    before = results.verdicts.get(run) or Verdict(run=run, state="revoked")
    verdict = before.model_copy(update={"state": "revoked", "reasons": (*before.reasons, reason)})
    text = (verdict.model_dump_json() + "\n").encode()
    repository.write({verdict_path(one.author, run): text}, f"Revoke run {run}")
    known = results._replace(verdicts={**results.verdicts, run: verdict})
    return sorted((set(family(known).tainted) & set(results.submissions)) - {run})


def _submitted(run: str, results: Results, repository: Repository) -> Submission:
    if run not in results.submissions:
        raise ValueError(f"{repository.repo} has no run {run!r}: name one of its runs")
    return results.submissions[run]
