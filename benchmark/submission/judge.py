"""Judge a submission: first its files, then its weights on seeds drawn after it was submitted."""

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...agents import keywords, presets
from ...agents.method import Apply, Method, Teacher
from ...agents.teacher import digest
from ...datasets.hub.card import RESULTS
from ...datasets.teachers import weights
from ...datasets.transition import Actions, Box
from ...datasets.words import several
from ...leaderboard import rules
from ...leaderboard.record import Evaluation, RunRecord, foreign
from ...leaderboard.results import Results
from ...leaderboard.submission import Submission, Verdict, sentences
from ..evaluation.episodes import evaluate, make_greedy
from ..evaluation.evaluator import AT_ONCE, MOST, are_rounds, evaluation_of
from ..prior.ancestors import declare, is_published, log_facts, open_pinned, sizes
from ..prior.load import policy_of, read_config
from ..prior.recognised import content
from ..tasks.environments import actions_of, blocks, make, seeds
from ..tasks.task import Task, find
from ..training import weaning
from ..training.teacher_values import reads_log
from . import agree, asked, floor, fresh, known
from .known import Weights

FILES = ("config.json", "policy.safetensors", "README.md", "record.json", "ledger.jsonl", "replay.mp4", "replay.png")
MOST_BYTES = 600 * 2**20  # of a student's repository, and of all teachers of a run
MOST_PARENTS = 64  # of a run
MOST_TOGETHER = 16 * 2**30  # of all students of a request
MOST_FILES = 100
KEPT = 32  # networks whose programs are cached: the runs of an entry share one
WATCHED = 4  # steps between comparisons of the student's action with the teacher's


class Case(NamedTuple):
    """A run to judge."""

    submission: Submission
    lines: Sequence[dict]  # of its ledger
    student: Path  # folder of its model repository
    seals: Mapping[str, str] = {}  # SHA-256 of the files in the request


class StudentFiles(NamedTuple):
    """The contents of a student's repository, read only as data."""

    policies: tuple[Teacher, ...]  # of all points, in order
    arrays: Weights  # of the last point
    task: Task


def judge(
    case: Case,
    results: Results,
    together: Sequence[Submission] = (),
    places: Sequence[str] = ("bundled",),
    episodes: int = 0,
    request: str = "",
    told: Sequence[Verdict] = (),
) -> Verdict:
    """Return the verdict on a run: rejected with all reasons, or re-scored.

    `episodes`: 0 for the claimed number, or 30; a claim outside of the tolerance gets a second look with eight times as
    many. `together`: the other runs of the request, and `told`: the verdicts on those already judged. No submitted code
    runs: networks are built by name and weights are read as numbers.
    """
    one, record = case.submission, case.submission.record
    reasons = rules.faults(one, case.lines, results, together, known.later(one, results, request))
    reasons += asked.faults(case.lines[0] if case.lines else {}, record) + _protocol(record)
    method, odd = _method(record)
    reasons += odd
    student, odd = _student(record, case.student)
    reasons += odd
    task = student.task if student else None
    above, odd = _parents(record, task, places)
    reasons += odd + _declared(one, results, together, places)
    remarks: list[str] = []
    if method and task and not reasons:
        reasons, remarks = asked.settled(case.lines[0], record, task, above.policies)
    if method and task and not reasons:
        reasons += floor.faults(record, method, task, above.logged, case.lines)
        reasons += floor.tuned(one.tuning, record, method, task)
    found = Verdict(
        run=record.run,
        state="rejected",
        seals=dict(case.seals),
        claimed=record.points[-1].evaluation.mean,
        request=request,
        task=record.task,
        parameters=record.points[-1].parameters,
        seed=None if known.inherits(record) else record.seed,
        above=tuple(sorted(known.teachers_of(record))),
    )
    if student:
        last = student.policies[-1]
        seen = known.of(one, student.task, results, told, request, above.policies, together)
        odd, print_ = known.faults(last, student.arrays, record.points[-1].parameters, student.task, seen)
        reasons += odd
        begun = fresh.begun(student.policies, record, method, student.task)
        odd, earlier = known.early(student.policies, record, student.task, seen, begun)
        reasons += [*odd, *known.laundered(one, seen)]
        reasons += fresh.faults(student.policies, record, method, student.task, above.policies)
        found = found.model_copy(update={"fingerprint": print_, "earlier": earlier})
        found = found.model_copy(update={"copies": known.copies(one, found, results, student.task, request)})
    if reasons or student is None:
        return found.model_copy(update={"reasons": sentences(reasons)})
    judged, agreement, odd = _played(record, student, above.policies, _span(record.task, results), episodes)
    found = found.model_copy(update={"rescored": judged[-1], "points": judged, "agreement": agreement})
    if odd:
        return found.model_copy(update={"reasons": sentences(odd)})
    remarks += [f"run {run} was judged before it and seen after it, and is a copy of it" for run in found.copies]
    kept = sentences(remarks)
    return found.model_copy(update={"state": "re-scored", "accepted": now(), "reasons": kept})


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _span(task: str, results: Results) -> float:
    """Return the span from random play to the teacher in the newest suite with the task; 0 if there is none."""
    return next((s.tasks[task].teacher - s.tasks[task].random for s in results.suites if task in s.tasks), 0.0)


def _played(
    record: RunRecord, student: StudentFiles, guides: Sequence[Teacher], span: float, episodes: int
) -> tuple[tuple[Evaluation, ...], float | None, list[str]]:
    """Play our own episodes of the student at every point, and return the claims that they contradict."""
    made: dict[str, Evaluation] = {}
    judged, found, agreement = [], [], None
    for number, (point, policy) in enumerate(zip(record.points, student.policies, strict=True)):
        last = point is record.points[-1]
        wanted = episodes or max(len(point.evaluation.returns) if last else 0, agree.LEAST)
        before = None if last else made.get(point.parameters)
        ours, told = _looked(point.evaluation, policy, student.task, wanted, (span, len(record.points)), before)
        made[point.parameters] = ours
        if told:
            found.append(told if last else f"record.points.{number}: {told}")
        elif last:  # other episodes make the score: those that a claim was accepted by lean towards it
            guide = guides[0] if guides else None
            ours, agreement = play(policy, guide, student.task, secrets.randbelow(2**14), wanted)
        judged.append(ours)
    return tuple(judged), agreement, found


def _looked(
    claimed: Evaluation,
    policy: Teacher,
    task: Task,
    episodes: int,
    scale: tuple[float, int],
    before: Evaluation | None,
) -> tuple[Evaluation, str]:
    """Play once, and again if the claim disagrees: (episodes, what is wrong).

    `scale`: the span from random play to the teacher, and the run's number of points. `before`: episodes of the same
    weights.
    """
    span, points = scale
    ours, low, high = before, 0.0, 0.0
    for times, chance in agree.looks(points):
        if ours is None or times > 1:
            ours, _ = play(policy, None, task, secrets.randbelow(2**14), min(times * episodes, MOST))
        low, high = map(float, agree.interval(ours.returns, len(claimed.returns), chance, span))
        if low <= claimed.mean <= high or agree.unlucky(claimed.returns, ours.returns, chance):
            return ours, ""
    assert ours is not None
    return ours, (
        f"the claim {claimed.mean:.2f} is not within [{low:.2f}, {high:.2f}], what the weights reach on fresh seeds"
    )


def play(
    policy: Teacher, guide: Teacher | None, task: Task, seed: int, episodes: int
) -> tuple[Evaluation, float | None]:
    """Play whole episodes on fresh seeds, and measure how often student and teacher act alike."""
    where = seeds("verification", seed, min(episodes, MOST))
    greedy, alike, asked, steps = _greedy(policy.apply, task), 0, 0, 0
    other = _greedy(guide.apply, task) if guide else None

    def choose(obs: np.ndarray) -> np.ndarray:
        nonlocal alike, asked, steps
        actions = greedy(policy.params, obs)
        if guide and other and steps % WATCHED == 0:
            alike += int(close(other(guide.params, obs), actions, actions_of(task)).sum())
            asked += len(actions)
        steps += 1
        return actions

    epsilon = task.evaluation_epsilon
    played = evaluate(choose, blocks(task, where[:AT_ONCE]), epsilon, where)
    return evaluation_of(played, task, epsilon, where), alike / asked if asked else None


@lru_cache(KEPT)
def _greedy(apply: Apply, task: Task) -> Callable[[Any, np.ndarray], np.ndarray]:
    return make_greedy(apply, actions_of(task))


def _alike(policy: Teacher, task: Task) -> Teacher:
    """Return a policy with the function of an earlier one with the same network, to share compiled programs."""
    name, options = policy.architecture
    return policy._replace(
        apply=_first(task.name, json.dumps([name, options], sort_keys=True)).setdefault(0, policy.apply)
    )


@lru_cache(KEPT)
def _first(task: str, network: str) -> dict[int, Apply]:
    return {}


def close(ours: np.ndarray, theirs: np.ndarray, actions: Actions) -> np.ndarray:
    """Return where two policies act alike [N]: equal choices, or numbers that differ by less than a twentieth of the
    range."""
    if not isinstance(actions, Box):
        return ours == theirs
    return (np.abs(actions.unit(ours) - actions.unit(theirs)) < 0.1).all(axis=1)


def _protocol(record: RunRecord) -> list[str]:
    """Check that the task's own protocol was used: game, mode, stickiness, seeds and epsilon."""
    if ":" in record.task:
        return [f"record.task: {record.task} names a module: only environments that are installed by name are played"]
    try:
        task = find(record.task)
        first = {stream: int(seeds(stream, record.seed, 1)[0]) for stream in ("random", "test")}
    except ValueError as error:
        return [f"record: {error}"]
    found = []
    for key in sorted({*record.protocol, *task.protocol()}):
        theirs, ours = record.protocol.get(key), task.protocol().get(key)
        if theirs != ours:
            found.append(f"record.protocol.{key}: {theirs} is not the task's, {ours}")
    each, least = task.evaluation_episodes, task.evaluation_steps
    more = weaning.references(record.yardstick, record.random, record.teacher, each)
    judged = [("random", record.random, "random", 1.0, more)]
    judged += [("teacher", record.teacher, "test", task.evaluation_epsilon, more)] if record.teacher else []
    judged += [
        (f"points.{n}.evaluation", p.evaluation, "test", task.evaluation_epsilon, each)
        for n, p in enumerate(record.points)
    ]
    for name, one, stream, epsilon, count in judged:
        wanted = (first[stream], first[stream] + len(one.returns) - 1)
        if one.seeds != wanted:
            found.append(f"record.{name}.seeds: {one.seeds} are not the harness's for this run, {wanted}")
        if one.epsilon != epsilon:
            found.append(f"record.{name}.epsilon: {one.epsilon} is not the protocol's {epsilon}")
        if least and not are_rounds(one.lengths, count, least):
            words = f"{count} episodes at a time, until they have {least} steps"
            found.append(f"record.{name}: it has {several(len(one.returns), 'episode')}, but the protocol has {words}")
        if max(one.lengths) > (task.max_steps or float("inf")):
            found.append(f"record.{name}.lengths: an episode is longer than the protocol's {task.max_steps} steps")
    return found


def _method(record: RunRecord) -> tuple[Method | None, list[str]]:
    """Return the method with its settings, and the parents that it lacks; None for third-party code."""
    kinds = {parent.kind for parent in record.parents}
    spent = record.points[-1].spent
    found = []
    if spent.get("queries", 0.0) > 0 and "teacher" not in kinds:
        found.append("record.parents: the ledger counts a teacher's answers, but no teacher is a parent")
    if spent.get("logged", 0.0) > 0 and "log" not in kinds:
        found.append("record.parents: the ledger counts logged transitions, but no log is a parent")
    if foreign(record):
        return None, found  # third-party code is never imported here
    try:
        chosen = keywords.make(record.method, presets.absolute(dict(record.settings), dict(record.measured)))
        if chosen.inherits and "teacher" not in kinds:
            found.append(f"record.parents: {record.method} starts from a teacher's weights: it must be a parent")
        if reads_log(chosen) and "log" not in kinds:
            found.append(f"record.parents: {record.method} learns from a log: it must be a parent")
        return chosen, found
    except (ValueError, TypeError, KeyError, ArithmeticError) as error:
        return None, [*found, f"record.settings: {error}"]


def _student(record: RunRecord, folder: Path) -> tuple[StudentFiles | None, list[str]]:
    """Return the students of all points, read only as data."""
    if ":" in record.task:
        return None, []  # opening the task would import a module; its refusal is already reported
    files = {point.file for point in record.points[:-1]}
    odd = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    odd = sorted(name for name in odd if name not in (*FILES, ".gitattributes", RESULTS, *files))
    found = [f"student: {name[:100]} does not belong there: only {', '.join(FILES)}, and students" for name in odd[:10]]
    try:
        config = read_config(folder)
        if any(":" in str(part) or "/" in str(part) for part in (config["architecture"]["name"],)):
            raise ValueError(f"config.json names code, {config['architecture']['name']!r}: give a network's name")
        if config["architecture"] != record.network:
            found.append("student: config.json has another network than the record")
        task = find(record.task)
        env = make(task, seeds("verification", 0, 1))
        policies, arrays = [], {}
        for number, point in enumerate(record.points):
            path = folder / ("policy.safetensors" if point is record.points[-1] else point.file)
            if not path.is_file():
                found.append(f"student: {point.file} is missing: submit the weights of every point")
                continue
            arrays = weights.load(path)
            if digest(arrays) != point.parameters:
                which = "the record's last point" if point is record.points[-1] else f"record.points.{number}"
                found.append(f"student: the weights are not those of {which}")
            if not all(np.isfinite(array).all() for array in arrays.values()):
                raise ValueError(f"{path.name} has weights that are not numbers")
            policies.append(_alike(policy_of(config, env, arrays, "the student"), task))
        return (StudentFiles(tuple(policies), arrays, task) if len(policies) == len(record.points) else None), found
    except (ValueError, OSError) as error:
        return None, [*found, f"student: {_plain(error, folder)}"]


class Above(NamedTuple):
    """A run's prior computation, as far as it can be read."""

    policies: tuple[Teacher, ...]  # of its teachers
    logged: float  # transitions in its logs; infinity if unknown


def _parents(record: RunRecord, task: Task | None, places: Sequence[str]) -> tuple[Above, list[str]]:
    """Return the parents if their references resolve, are published, and hold the recorded weights."""
    guides, found, logged, size = [], [], 0.0, 0
    if len(record.parents) > MOST_PARENTS:
        return Above((), float("inf")), [f"record.parents: {len(record.parents)} are more than {MOST_PARENTS}"]
    for number, parent in enumerate(record.parents):
        name = f"record.parents.{number}"
        try:
            if not is_published(parent.reference, parent.kind, places):
                found.append(f"{name}.reference: {parent.reference} is not a commit that its owner published")
                continue
            if parent.kind == "log":
                told, facts = log_facts(parent.reference, places)
                if told != parent.digest:
                    found.append(f"{name}.digest: {parent.reference} is a different log")
                steps = facts.get("transitions")
                logged += steps if isinstance(steps, (int, float)) and steps > 0 else float("inf")
                continue
            size += sum(sizes(parent.reference, parent.kind, places).values())
            if size > MOST_BYTES:
                found.append(
                    f"{name}.reference: with {parent.reference} its teachers have more than {MOST_BYTES:,} bytes"
                )
                continue
            folder = open_pinned(parent.reference, parent.kind, places)
        except ValueError as error:
            found.append(f"{name}.reference: {error}")
            continue
        try:
            config, arrays = content(folder)  # also for teachers from elsewhere
            if digest(arrays) != parent.digest:
                found.append(f"{name}.digest: {parent.reference} has different weights")
            if task is not None:
                guide = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, parent.reference)
                guides.append(_alike(guide, task))
        except ValueError as error:
            found.append(f"{name}: {_plain(error, folder)}")
    return Above(tuple(guides), logged if logged else float("inf")), found


def _declared(one: Submission, results: Results, together, places: Sequence[str]) -> list[str]:
    """Check that outside ancestors are declared as in their own repositories."""
    known = results._replace(submissions={**results.submissions, **{each.record.run: each for each in together}})
    told = {source.digest: source for source in one.sources}
    found = [] if len(told) == len(one.sources) else ["sources: an ancestor is declared twice"]
    for source in declare(one.record, known, places):
        theirs = told.get(source.digest)
        if theirs is None:
            found.append(f"sources: {source.reference} is an ancestor and is left out")
        elif source.spent is not None and (
            (theirs.spent, theirs.run, set(theirs.parents)) != (source.spent, source.run, set(source.parents))
        ):
            found.append(f"sources: {source.reference} is declared with a cost or parents that are not its own")
        elif source.spent is None and theirs.spent is not None:
            found.append(f"sources: the cost of {source.reference} cannot be traced: declare a lower bound, `at_least`")
        elif source.spent is None and not set(source.parents) <= set(theirs.parents):
            found.append(f"sources: {source.reference} is declared without the teachers that played it")
        elif source.spent is None and (why := floor.bound(theirs.at_least, source.kind)):
            found.append(f"sources: {source.reference} is declared {why}")
    return found


def _plain(error: Exception, folder: Path) -> str:
    """Return the sentence without the maintainer's paths."""
    return str(error).replace(f"{folder}/", "").replace(str(folder), "the repository")


def seal(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
