"""The known students and teachers of a task, and whether a new student copies one of them."""

from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from ...agents import keywords, presets
from ...agents.method import Teacher
from ...agents.teacher import digest, flatten
from ...datasets.hub import bundled
from ...datasets.hub import hub as hubs
from ...datasets.teachers import weights as files
from ...leaderboard import record as records
from ...leaderboard.record import RunRecord, foreign
from ...leaderboard.results import Results
from ...leaderboard.submission import Submission, Verdict
from ..prior import installed
from ..prior.load import policy_of, read_config
from ..prior.recognised import content
from ..tasks.environments import make, seeds
from ..tasks.task import Task
from . import same
from .same import Print

Weights = Mapping[str, np.ndarray]
OWN = "its own teacher"
KEPT = 16  # approximate number of stored fingerprints before the last student
TRAINED = 0.1  # minimum share of its run's updates for an earlier student to count as trained


class KnownStudent(NamedTuple):
    """A known student or teacher."""

    name: str
    parameters: str  # digest of its weights
    print: Print | None
    relative: bool  # whether the record states a common ancestor
    begun: bool  # whether both may have started from the same weights: fresh ones of one seed, or their teacher's
    early: bool = False  # whether it was not its run's last student


def of(
    one: Submission,
    task: Task,
    results: Results,
    told: Sequence[Verdict],
    request: str,
    guides: Sequence[Teacher],
    together: Sequence[Submission] = (),
) -> list[KnownStudent]:
    """Return the known students of this task, whoever submitted them, including revoked ones.

    Of rejected and waiting requests, only those of others whose commit was first seen earlier count; accepted runs of
    others that were seen later cannot be its originals.
    """
    given = teachers_of(one.record)
    found: dict[str, KnownStudent] = {}
    ours, after = roots(one.record, results, task), later(one, results, request)
    for run, verdict in results.verdicts.items():
        theirs = results.submissions.get(run)
        if theirs is None or theirs.record.task != task.name or run == one.record.run or run in after:
            continue
        begun = may_meet(ours, roots(theirs.record, results, task))
        for each in _of_run(one.record, theirs.record, verdict, f"run {run} of {theirs.author}", begun):
            found.setdefault(each.parameters, each)
    mine = first_seen(results, request)
    for row in results.seen:
        for each in row.students if row.author != one.author else ():  # who trains again may get the same weights
            if each.task == task.name and mine and each.first < mine and each.parameters not in found:
                name = f"run {each.run} of {row.author} in pull request {row.request}, which was seen before"
                begun, related = may_meet(ours, {each.seed}), bool(given & {*each.above, each.parameters})
                print_ = same.read(each.fingerprint)
                found[each.parameters] = KnownStudent(name, each.parameters, print_, related, begun)
    mates = {each.record.run: each.record for each in together}
    for verdict in told:
        if verdict.task == task.name and verdict.run in mates:
            mate, name = mates[verdict.run], f"run {verdict.run} of the same request"
            for each in _of_run(one.record, mate, verdict, name, may_meet(ours, roots(mate, results, task))):
                found.setdefault(each.parameters, each)
    for name, parameters, print_, seed in teachers(task):
        found[parameters] = KnownStudent(
            f"the teacher {name}", parameters, print_, parameters in given, may_meet(ours, {seed})
        )
    return [*found.values(), *(_guide(guide, task) for guide in guides)]


def teachers_of(record: RunRecord) -> set[str]:
    """Return the digests of a run's teachers."""
    return {parent.digest for parent in record.parents if parent.kind == "teacher" and parent.digest}


def first_seen(results: Results, request: str) -> str:
    """Return when the commit of a request was first seen; empty if the queue has not seen it."""
    return next((row.first for row in results.seen if f"#{row.request}@{row.head}" == request), "")


def later(one: Submission, results: Results, request: str) -> set[str]:
    """Return the accepted runs of others that were seen after a request, but had their turn before it."""
    mine = first_seen(results, request)
    return {
        run
        for run, theirs in results.submissions.items()
        if mine and run in results.verdicts and results.verdicts[run].seen > mine and theirs.author != one.author
    }


def copies(one: Submission, told: Verdict, results: Results, task: Task, request: str) -> tuple[str, ...]:
    """Return the accepted runs that were seen later and would be rejected as copies of this one."""
    found, ours = [], roots(one.record, results, task)
    for run in sorted(later(one, results, request)):
        theirs, verdict = results.submissions[run].record, results.verdicts[run]
        print_ = same.read(verdict.fingerprint)
        if theirs.task == task.name and print_ is not None and verdict.state != "revoked":
            begun = may_meet(ours, roots(theirs, results, task))
            if _copied(print_, verdict.parameters, _of_run(theirs, one.record, told, "", begun)):
                found.append(run)
    return tuple(found)


def roots(record: RunRecord, results: Results, task: Task, deep: int = 8) -> set[int | None]:
    """Return the seeds of the fresh weights that a run may descend from: its own, and those of its inherited weights.

    None stands for a teacher with unknown initial weights.
    """
    found: set[int | None] = {record.seed}
    if not inherits(record):
        return found
    bundled = {parameters: seed for _, parameters, _, seed in teachers(task)}
    for parent in record.parents:
        made = [
            one.record
            for one in results.submissions.values()
            if any(point.parameters == parent.digest for point in one.record.points)
        ]
        if parent.kind == "teacher" and parent.digest in bundled:
            found.add(bundled[parent.digest])
        elif parent.kind == "teacher":
            found |= roots(made[0], results, task, deep - 1) if made and deep else {None}
    return found


def may_meet(ours: set[int | None], theirs: set[int | None]) -> bool:
    """Return whether two students may descend from the same fresh weights."""
    return None in ours | theirs or bool(ours & theirs)


def _of_run(ours: RunRecord, theirs: RunRecord, verdict: Verdict, name: str, begun: bool) -> list[KnownStudent]:
    """Return the last student of a run, and earlier ones with a tenth of its updates."""
    given, taken = teachers_of(ours), teachers_of(theirs)
    related = bool(given & (taken | {point.parameters for point in theirs.points}))
    last = theirs.points[-1]
    found = [KnownStudent(name, last.parameters, same.read(verdict.fingerprint), related, begun)]
    for point, text in zip(theirs.points[:-1], verdict.earlier, strict=False):
        learned = point.spent.get("updates", 0.0) >= TRAINED * last.spent.get("updates", 0.0) > 0.0
        if text and learned and point.parameters not in {last.parameters, *taken}:
            when = f"{name} at {point.spent.get('steps', 0.0):.0f} steps"
            found.append(KnownStudent(when, point.parameters, same.read(text), related or begun, begun, True))
    return found


def inherits(record: RunRecord) -> bool:
    """Return whether a run starts with its teacher's weights, or may, as with third-party code."""
    if foreign(record):
        return True
    try:
        return keywords.make(record.method, presets.absolute(dict(record.settings), dict(record.measured))).inherits
    except (ValueError, TypeError, KeyError, ArithmeticError):
        return True


@cache
def teachers(task: Task) -> tuple[tuple[str, str, Print, int | None], ...]:
    """Return (reference, digest, fingerprint, seed if known) of the task's bundled and installed teachers."""
    found = []
    for ref in bundled.newest("model"):
        try:
            folder = hubs.snapshot(ref, "model", "bundled")
            config = read_config(folder)
            if config.get("task") != task.name:
                continue
            arrays = files.load(folder / "policy.safetensors")
            policy = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, str(ref))
            told = folder / "record.json"
            seed = records.load(told).seed if told.is_file() else None
            found.append((str(ref), digest(arrays), same.fingerprint(policy, arrays, task), seed))
        except (ValueError, OSError):
            continue  # other commands report a damaged package
    for one in installed.installed():
        if one.known.task == task.name:
            config, arrays = content(one.file)
            policy = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, one.name)
            found.append((one.name, digest(arrays), same.fingerprint(policy, arrays, task), None))
    return tuple(found)


def faults(
    policy: Teacher, arrays: Weights, parameters: str, task: Task, known: Sequence[KnownStudent]
) -> tuple[list[str], str]:
    """Return which students this one copies, one sentence each; and its fingerprint."""
    try:
        ours = same.fingerprint(policy, arrays, task)
    except ValueError as error:
        return [f"student: {error}"], ""
    return _copied(ours, parameters, known), ours.text()


def _copied(ours: Print, parameters: str, known: Sequence[KnownStudent]) -> list[str]:
    found = []
    for one in known:
        if one.parameters and one.parameters == parameters:
            found.append(f"the student has the weights of {one.name}")
        elif one.print is not None and (why := same.is_copy(ours, one.print, one.relative, one.begun, one.early)):
            told = f"the student is {one.name}, a copy of it or made from it without saying so: {why}"
            still = f"the student has learned so little that it is still its own teacher: {why}; train it on"
            found.append(still if one.name == OWN else told)
    return found


def early(
    policies: Sequence[Teacher],
    record: RunRecord,
    task: Task,
    known: Sequence[KnownStudent],
    begun: Collection[str] = (),
) -> tuple[list[str], tuple[str, ...]]:
    """Return which students the run's earlier ones copy, one sentence each; and their fingerprints, in order.

    `begun`: digests of fresh weights, which are nobody's.

    Curves and areas include them. A student that is still its own teacher, or nearly so, is fine: the teacher is a
    parent, and its cost counts. Equal weights share a fingerprint, as do those of a run with many points. Comparisons
    with earlier students of other runs use the directions of units, unless both may have started from the same weights:
    two runs of one seed are equal until they diverge, and barely trained students act alike.
    """
    given = {parent.digest for parent in record.parents}
    own, others = [], []
    for one in known:
        if not one.early:
            (own if one.name == OWN or one.parameters in given else others).append(one)
    found, looked, prints = [], {record.points[-1].parameters, *given, *begun}, []
    for number, (policy, point) in enumerate(zip(policies[:-1], record.points, strict=False)):
        if point.parameters in looked:
            prints.append("")
            continue
        looked.add(point.parameters)
        arrays = flatten(policy.params)
        ours = same.fingerprint(policy, arrays, task)
        prints.append(ours.text() if len(record.points) <= KEPT or number % (len(record.points) // KEPT) == 0 else "")
        if not any(one.print is not None and same.is_copy(ours, one.print, True) for one in own):
            halves = [one for one in known if one.early and not one.begun and _turned(ours, point.parameters, one)]
            told = [*_copied(ours, point.parameters, others), *(f"the student is that of {one.name}" for one in halves)]
            found += [f"record.points.{number}: {sentence}" for sentence in told]
    return found, tuple(prints)


def laundered(one: Submission, known: Sequence[KnownStudent]) -> list[str]:
    """Return which of a run's teachers are known ones under other digests, one sentence each.

    The cost of one's own teacher is self-reported, so a copy of a priced teacher must not replace it. A teacher whose
    `sources` name its parent is a relative of that parent.
    """
    above = {source.digest: set(source.parents) for source in one.sources}
    found, others = [], [each for each in known if each.name != OWN and not each.early and each.print is not None]
    for guide in known:
        if guide.name != OWN or guide.print is None or guide.parameters in {each.parameters for each in others}:
            continue
        for each in others:
            related = each.parameters in above.get(guide.parameters, ())
            if each.print is not None and (why := same.is_copy(guide.print, each.print, related)):
                found.append(f"the teacher {guide.parameters[:12]} is {each.name}, a copy of it or made from it: {why}")
    return found


def _turned(ours: Print, parameters: str, theirs: KnownStudent) -> bool:
    """Return whether a student has another's weights, or units with the other's directions."""
    if theirs.parameters == parameters or theirs.print is None:
        return theirs.parameters == parameters
    return same.turned_alike(same.aligned(ours, theirs.print), same.single(ours, theirs.print))


def _guide(guide: Teacher, task: Task) -> KnownStudent:
    arrays = flatten(guide.params)
    try:
        return KnownStudent(OWN, digest(arrays), same.fingerprint(guide, arrays, task), True, True)
    except ValueError:
        return KnownStudent(OWN, digest(arrays), None, True, True)
