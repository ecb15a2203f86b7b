"""The next generation: a re-scored student becomes a teacher with a log, and its task is open to students."""

import tempfile
from pathlib import Path
from typing import Any

from ...agents.teacher import digest
from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import DatasetRepository, Moved
from ...datasets.hub.reference import Ref
from ...datasets.teachers import weights
from ...datasets.transition import stated
from ...leaderboard import generations
from ...leaderboard.costs import costs, family
from ...leaderboard.generations import Generation
from ...leaderboard.record import Evaluation
from ...leaderboard.results import Results, paths, verdict_path
from ...leaderboard.score import normalise
from ...leaderboard.submission import Submission, Verdict
from ..display import Display
from ..prior.collect import Player, collect
from ..prior.load import policy_of
from ..prior.log_folder import LogRequest
from ..prior.promote import Description, write_teacher
from ..tasks.environments import Environment, make, seeds
from ..tasks.task import Task, find
from .submit import repository_folder

BAR = 0.5  # minimum score of a teacher, by the suite's anchors
READY = ("re-scored", "re-trained", "promoted")
TRIES = 5  # attempts at writing, in case of concurrent writers


def promote_run(
    run: str,
    repository: DatasetRepository,
    hub: str,
    steps: int,
    name: str = "",
    show: Display | None = None,
    bar: float = BAR,
) -> tuple[str, Generation]:
    """Publish a student as a teacher with its log, and record both as a task of the next generation.

    Only judged or computed data is published: the weights with the judged digest, the record and ledger of the results
    repository, a configuration of known fields, our own evaluation and costs. Nothing else comes from the student's
    repository. `steps`: transitions of the log. `bar`: the score that the student must reach in our own episodes.
    Returns the task's name, such as minatar/breakout@2, and its entry. ValueError unless a maintainer has re-scored the
    run, or if it is already promoted or not good enough. Can be repeated if it is killed.
    """
    show = show or Display(quiet=True)
    results = repository_folder(repository, hub)
    one, verdict = _submitted(run, results, repository), results.verdicts.get(run)
    if verdict is None or verdict.state not in READY:
        raise ValueError(f"run {run} is {verdict.state if verdict else 'self-reported'}: verify it before promoting it")
    file = results.folder / generations.FILE
    made = generations.parse(file.read_bytes(), generations.FILE) if file.is_file() else ()
    if before := next((entry for entry in made if entry.run == run), None):
        raise ValueError(f"run {run} is already a teacher: {before.teacher}")
    record, task = one.record, find(one.record.task)
    name = name or f"{repository.me()}/{task.env.replace('_', '-').lower()}-{run}"
    assert verdict.rescored is not None
    _good_enough(run, record.task, verdict.rescored, results, bar)
    folder = hubs.snapshot(Ref.parse(one.student), "model", hub)
    arrays = weights.load(folder / "policy.safetensors")
    if digest(arrays) != record.points[-1].parameters:
        raise ValueError(f"{one.student} does not hold the weights that were judged, so it is not promoted")
    env = make(task, seeds("log", 0, 1))
    config = _config(one, task, env, name)
    policy = policy_of(config, env, arrays, one.student)
    spent = costs(one, family(results))
    whole = {"spent": spent.views["full"], "unpriced": spent.unpriced}
    with tempfile.TemporaryDirectory() as scratch:
        at = Path(scratch) / "teacher"
        at.mkdir()
        weights.save(at / "policy.safetensors", arrays)
        (at / "record.json").write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        (at / "ledger.jsonl").write_bytes((results.folder / paths(one.author, run)[1]).read_bytes())
        words = f"Promoted from {one.student} by {repository.repo}; its score is the maintainers' own."
        card = {**record.model_dump(), "total": whole, "description": words}
        write_teacher(at, task, policy, verdict.rescored, Description(name, config, card), show)
        teacher = hubs.publish(at, name, "model", hub, message=f"Promote run {run}")
        show.note(f"teacher: {teacher}")
        command = f"reincarnate promote {run} --at {repository.repo} --steps {steps} --name {name}"
        log = Path(scratch) / "log"
        asked = LogRequest(steps, name=f"{name}-log", command=command)
        collect(task, [Player(policy, str(teacher))], asked, log, show=show)
        logged = hubs.publish(log, f"{name}-log", "dataset", hub, message=f"Log of run {run}")
        show.note(f"log: {logged}")
    return _entered(one, verdict, (str(teacher), str(logged)), repository, hub)


def _entered(
    one: Submission, verdict: Verdict, published: tuple[str, str], repository: DatasetRepository, hub: str
) -> tuple[str, Generation]:
    """Record a published teacher and its log; ValueError if the run has another verdict by now.

    Publishing takes minutes, so the repository is read again, and written on top of what was read.
    """
    record, (teacher, logged) = one.record, published
    for _ in range(TRIES):
        base = repository.head()
        results = repository_folder(repository, hub, base)
        if results.verdicts.get(record.run) != verdict:
            raise ValueError(f"run {record.run} has a different verdict by now: review it before promoting it")
        file = results.folder / generations.FILE
        made = generations.parse(file.read_bytes(), generations.FILE) if file.is_file() else ()
        above = {parent.digest for parent in record.parents}
        entry = Generation(
            generation=1 + max([0, *(parent.generation for parent in made if parent.digest in above)]),
            task=record.task,
            teacher=teacher,
            log=logged,
            run=record.run,
            digest=record.points[-1].parameters,
        )
        promoted = verdict.model_copy(update={"state": "promoted", "teacher": teacher})
        files = {
            generations.FILE: generations.written([*made, entry]),
            verdict_path(one.author, record.run): (promoted.model_dump_json() + "\n").encode(),
        }
        try:
            repository.write(files, f"Promote run {record.run}", base)
        except Moved:
            continue
        return next(name for name, each in generations.names([*made, entry]).items() if each is entry), entry
    raise Moved(f"{repository.repo} is written to all the time: try again when it is quiet")


def _good_enough(run: str, task: str, judged: Evaluation, results: Results, bar: float) -> None:
    """Raise ValueError unless a student is significantly above random play, and at the bar, by the suite's anchors."""
    anchor = next((suite.tasks[task] for suite in results.suites if task in suite.tasks), None)
    if anchor is None:
        raise ValueError(f"no suite of the repository measures {task}, so run {run} cannot be compared with anything")
    score = float(normalise(judged.mean, anchor.random, anchor.teacher))
    if judged.mean - 2.0 * judged.standard_error <= anchor.random:
        raise ValueError(f"run {run} is hardly better than random play ({judged.mean:.2f}): it cannot become a teacher")
    if score < bar:
        raise ValueError(f"run {run} has the score {score:.2f}, below the bar {bar:g}: it cannot become a teacher")


def _config(one: Submission, task: Task, env: Environment, name: str) -> dict[str, Any]:
    """Return the configuration of a promoted student, from judged data."""
    record, obs = one.record, env.observe()
    return {
        "name": name,
        "architecture": record.network,
        "actions": stated(env.actions),
        "observation": {"shape": list(obs.shape[1:]), "dtype": str(obs.dtype)},
        "task": task.name,
        "protocol": task.protocol(),
        "spent": record.points[-1].spent,
        "parents": [parent.model_dump(include={"kind", "reference", "digest", "part"}) for parent in record.parents],
        "run": record.run,
        "complete": record.complete,
        "student": one.student,
    }


def revoke(run: str, reason: str, repository: DatasetRepository, hub: str) -> list[str]:
    """Revoke a run with a reason; return all its descendants, which the board then flags.

    Raises Moved if the repository was written to meanwhile.
    """
    base = repository.head()
    results = repository_folder(repository, hub, base)
    one = _submitted(run, results, repository)
    before = results.verdicts.get(run) or Verdict(run=run, state="revoked")
    verdict = before.model_copy(update={"state": "revoked", "reasons": (*before.reasons, reason)})
    text = (verdict.model_dump_json() + "\n").encode()
    repository.write({verdict_path(one.author, run): text}, f"Revoke run {run}", base)
    known = results._replace(verdicts={**results.verdicts, run: verdict})
    return sorted((set(family(known).tainted) & set(results.submissions)) - {run})


def _submitted(run: str, results: Results, repository: DatasetRepository) -> Submission:
    if run not in results.submissions:
        raise ValueError(f"{repository.repo} has no run {run!r}: name one of its runs")
    return results.submissions[run]
