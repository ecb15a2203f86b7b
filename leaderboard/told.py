"""The runs on an entry's page: the verdict in words, the command with pinned commits, links to the student."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .costs import Costs
from .entries import Entry, state_of
from .record import RunRecord
from .results import Results
from .submission import Submission, Verdict

FILM, WEIGHTS = "replay.mp4", "policy.safetensors"
OPTIONS = {"teacher": "--teacher", "log": "--teacher-log"}


def runs(
    results: Results, entry: Entry, costs: Mapping[str, Costs], published: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """Return the page's data on each run, with exact costs.

    `costs`: by run. `published`: addresses of the students' public files.
    """
    told = []
    for one in (one for runs in entry.tasks.values() for one in runs):
        record, verdict, spent = one.record, results.verdicts.get(one.record.run), costs[one.record.run]
        rescored = verdict.rescored if verdict else None
        good = (rescored or record.points[-1].evaluation).shares
        told.append(
            {
                "run": record.run,
                "task": record.task,
                "seed": record.seed,
                "state": state_of(results, record.run),
                "claimed": float(np.mean(record.points[-1].evaluation.returns)),
                "rescored": [float(np.mean(rescored.returns)), len(rescored.returns)] if rescored else None,
                "good": float(np.mean(good)) if good else None,
                "agreement": verdict.agreement if verdict else None,
                "verdict": verdict_of(one, verdict),
                "submitted": one.submitted,
                "student": one.student,
                "files": dict(published.get(one.student, {})),
                "parents": [parent.reference for parent in record.parents],
                "spent": record.points[-1].spent,
                "budget": record.budget,
                "costs": spent.views,
                "unpriced": list(spent.unpriced),
                "ledger": record.ledger,
                "command": pinned(record),
                "code": str(record.machine.get("commit") or "")[:12],
            }
        )
    return told


def verdict_of(one: Submission, verdict: Verdict | None) -> list[str]:
    """Describe a verdict in sentences; the first says whether the score was verified."""
    if verdict is None or verdict.rescored is None:
        return ["Only its author has played this student: its score is a claim."]
    claimed, found = one.record.points[-1].evaluation.mean, verdict.rescored
    count = len(found.returns)
    episodes = "1 episode" if count == 1 else f"{count} episodes"
    said = [
        f"A maintainer played its last student for {episodes} on seeds drawn after its "
        f"submission: {found.mean:.2f} on average; the author states {claimed:.2f}."
    ]
    if len(one.record.points) > 1:
        all_played = len(verdict.points) == len(one.record.points)
        said.append("Its earlier students were played too." if all_played else "Its scores before the end are claims.")
    if verdict.agreement is not None:
        said.append(f"It chooses its teacher's action in {verdict.agreement:.0%} of the compared states.")
    if verdict.retrained:
        said.append(
            f"A maintainer trained it again, with the mean return {', '.join(f'{x:.2f}' for x in verdict.retrained)}."
        )
    else:
        said.append("Nobody has trained it again: its cost is only what its author's ledger says.")
    said += [f"{reason[:1].upper()}{reason[1:]}." for reason in verdict.reasons]
    if verdict.gone:
        said.append(f"Its student has not been on the hub since {verdict.gone[:10]}.")
    if verdict.teacher:
        said.append(f"It was promoted to a teacher: {verdict.teacher}.")
    if verdict.state == "revoked":
        said.append("It was revoked and is not ranked.")
    return [*said, f"Judged on {verdict.accepted[:10]}."] if verdict.accepted else said


def pinned(record: RunRecord) -> str:
    """Return a run's command with its preset, and with every teacher and log pinned to its commit.

    A parent that is a part of a log is left as typed. A record without a preset is older than presets: its run had the
    method's own settings, which the preset `paper` keeps.
    """
    words = shlex.split(record.command)
    if "--preset" not in words:
        words += ["--preset", record.preset or "paper"]
    for kind, option in OPTIONS.items():
        parents = [parent for parent in record.parents if parent.kind == kind and "@" in parent.reference]
        for parent in (one for one in parents if not one.part):
            words = _with(words, option, parent.reference, add=len(parents) == 1)
    return shlex.join(words)


def _with(words: Sequence[str], option: str, reference: str, add: bool) -> list[str]:
    """Return the command with a reference pinned to its commit."""
    name = reference.partition("@")[0]
    found = [n + 1 for n, word in enumerate(words[:-1]) if word == option]
    if not found:
        return [*words, option, reference] if add else list(words)
    return [reference if n in found and word.partition("@")[0] == name else word for n, word in enumerate(words)]
