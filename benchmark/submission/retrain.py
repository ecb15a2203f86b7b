"""Train a run again from its request, and compare the two records field by field."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...leaderboard.record import RunRecord, foreign
from ...leaderboard.submission import Submission, Verdict, sentences
from ..runs.request import RunRequest
from ..runs.run import run
from . import agree, asked

CLOSE = {"flops": 0.02}  # relative tolerance, since other versions count slightly differently
COMPARED = ("task", "protocol", "method", "settings", "preset", "network", "seed", "environments", "budget")
FREE = ("device", "seconds")  # times depend on the machine


def wanted(one: RunRecord, start: Mapping[str, Any], hub: str) -> RunRequest:
    """Return the request that reproduces a record, from its ledger and its own parents.

    Teachers and logs come only from the parents, since the request may name a function or a file on the maintainer's
    machine. ValueError if the request is for another run, or names third-party code, which is never run here.
    """
    if wrong := asked.faults(start, one):
        raise ValueError(wrong[0])
    request = asked.read(start)
    if ":" in request.method or any(":" in str(request.settings.get(key, "")) for key in ("base", "network")):
        raise ValueError("it names third-party code, which is not run here")
    teachers = [parent.reference for parent in one.parents if parent.kind == "teacher"]
    logs = tuple(_log(parent) for parent in one.parents if parent.kind == "log")
    ours = {"hub": hub, "threads": 0, "log": False, "replay": True, "metrics": ()}  # everything else is as in the run
    return replace(request, teacher=teachers[0] if teachers else "", teacher_log=logs, **ours)


def retrain(one: Submission, lines: Sequence[dict], verdict: Verdict, hub: str) -> Verdict:
    """Train the run again; the verdict becomes re-trained, or rejected if the records differ.

    Settings, network, parents and everything spent except time must be equal. On the same kind of CPU the weights are
    equal too; elsewhere each claim must agree with the new student's own episodes. A run with third-party code keeps
    its verdict, with a remark that it was not trained again; any other run that cannot be trained again is rejected.
    """
    record = one.record
    if foreign(record):
        reason = "it was not re-trained: it names third-party code, which is not run here"
        return verdict.model_copy(update={"reasons": (*verdict.reasons, reason)})
    try:
        with tempfile.TemporaryDirectory() as scratch:
            again = run(wanted(record, lines[0], hub), out=Path(scratch) / "run")
    except ValueError as error:
        return _rejected(verdict, [f"it cannot be re-trained: {error}"])
    found = verdict.model_copy(update={"retrained": (*verdict.retrained, again.points[-1].evaluation.mean)})
    wrong = differences(record, again)
    if wrong:
        return _rejected(found, wrong)
    return found.model_copy(update={"state": "re-trained", "reasons": (*found.reasons, *remarks(record, again))})


def remarks(theirs: RunRecord, ours: RunRecord) -> list[str]:
    """Return what a maintainer should know about a retrained run: whether its weights are bitwise equal.

    On one kind of machine they are. There this reveals a student made of another's weights with added noise, under the
    other's seed and settings; other machines may round differently.
    """
    pairs = list(zip(theirs.points, ours.points, strict=True))
    others = sum(claim.parameters != made.parameters for claim, made in pairs)
    if not others:
        return []
    told = f"re-training gave different weights for {others} of {len(pairs)} students"
    where = "on a machine of the same name" if _machine(theirs) == _machine(ours) else "on another kind of machine"
    return [f"{told}, {where}"]


def differences(theirs: RunRecord, ours: RunRecord) -> list[str]:
    """Return where a retrained run differs, a sentence each; times and the machine may differ."""
    found = [
        f"record.{name}: {str(getattr(theirs, name))[:80]} became {str(getattr(ours, name))[:80]}"
        for name in COMPARED
        if getattr(theirs, name) != getattr(ours, name)
    ]
    above = [[(one.kind, one.digest, one.part) for one in record.parents] for record in (theirs, ours)]
    if above[0] != above[1]:
        found.append("record.parents: re-training gave others")
    if len(theirs.points) != len(ours.points):
        return [*found, f"record.points: {len(theirs.points)} became {len(ours.points)}"]
    for number, (claim, made) in enumerate(zip(theirs.points, ours.points, strict=True)):
        for unit in sorted({*claim.spent, *made.spent} - {*FREE}):
            said, spent = claim.spent.get(unit, 0.0), made.spent.get(unit, 0.0)
            if abs(said - spent) > CLOSE.get(unit, 0.0) * max(said, spent):
                found.append(f"record.points.{number}.spent.{unit}: {said:g} became {spent:g}")
        alike = claim.parameters == made.parameters and _machine(theirs) == _machine(ours)
        if alike and claim.evaluation.returns != made.evaluation.returns:
            found.append(f"record.points.{number}: in its episodes the same weights return {made.evaluation.mean:.2f}")
        elif not alike:
            chance = agree.FALSE / len(ours.points)
            low, high = agree.interval(made.evaluation.returns, len(claim.evaluation.returns), chance, 0.0)
            unlucky = agree.unlucky(claim.evaluation.returns, made.evaluation.returns, chance)
            if not (low <= claim.evaluation.mean <= high or unlucky):
                told = f"the claim {claim.evaluation.mean:.2f} is not within [{low:.2f}, {high:.2f}]"
                found.append(f"record.points.{number}: {told}, where the same request ends here")
    return found


def _machine(record: RunRecord) -> tuple[Any, Any]:
    return record.machine.get("device"), record.machine.get("processor")


def _log(parent) -> str:
    return f"{parent.reference}:{parent.part}" if parent.part else parent.reference


def _rejected(verdict: Verdict, reasons: Sequence[str]) -> Verdict:
    told = sentences(reasons)
    return verdict.model_copy(update={"state": "rejected", "accepted": "", "reasons": told})
