"""Runs a submitted command again, as far as it names nobody's code, and compares what comes of it."""

import shlex
import tempfile
from pathlib import Path
from typing import Any

from ...leaderboard.submission import Submission, Verdict
from ..runs.request import points_of
from ..runs.run import run
from ..training import budget as budgets
from .deadline import until
from .judge import interval

ONE = {
    "--task",
    "--method",
    "--budget",
    "--seed",
    "--teacher",
    "--hub",
    "--points",
    "--episodes",
    "--environments",
    "--preset",
}
MANY = {"--set", "--teacher-log"}


def arguments(command: str) -> dict[str, Any]:
    """The keywords of `run` that a command stands for; ValueError for any other command, option or code by its name."""
    words = shlex.split(command)
    if words[:2] != ["reincarnate", "run"]:
        raise ValueError("the command is no `reincarnate run`")
    found: dict[str, Any] = {flag: [] for flag in MANY}
    rest = words[2:]
    while rest:
        flag = rest.pop(0)
        if flag == "--log":
            continue
        if flag not in ONE | MANY or not rest:
            raise ValueError(f"the command has an option that is not run again: {flag}")
        value = rest.pop(0)
        if flag in MANY:
            found[flag].append(value)
        else:
            found[flag] = value
    settings = dict(text.partition("=")[::2] for text in found["--set"])
    if ":" in found.get("--method", "") or ":" in settings.get("base", ""):
        raise ValueError("the command names somebody's code, which is not run here")
    return {
        "task": found.get("--task", ""),
        "method": found.get("--method", "qdagger"),
        "budget": found.get("--budget", ""),
        "seed": int(found.get("--seed", 0)),
        "settings": settings,
        "teacher": found.get("--teacher", ""),
        "teacher_log": tuple(found["--teacher-log"]),
        "points": points_of(found.get("--points", "")),
        "episodes": int(found.get("--episodes", 0)),
        "environments": int(found.get("--environments", 8)),
        "preset": found.get("--preset", ""),
    }


def retrain(one: Submission, verdict: Verdict, hub: str, deadline: float = float("inf")) -> Verdict:
    """Trains the run again from its command; the verdict becomes re-trained, or rejected if the claim does not hold.

    On the same kind of CPU the weights come out the same. Elsewhere, the claim must lie where the new student's
    own episodes put it; training differs more than playing does, so a miss is a reason to look, and says so. What is
    not finished at the deadline (of the monotonic clock), or names somebody's code, is not trained again, and says why.
    """
    record = one.record
    try:
        asked = arguments(record.command)
        named = (asked["task"], asked["method"], asked["seed"], budgets.parse(asked["budget"]).limits())
        if named != (record.task, record.method, record.seed, record.budget):
            raise ValueError("the command is of another run than the record")
        with tempfile.TemporaryDirectory() as scratch, until(deadline):
            again = run(**asked, hub=hub, out=Path(scratch) / "run")
    except ValueError as error:
        return verdict.model_copy(update={"reasons": (*verdict.reasons, f"it was not trained again: {error}")})
    ours, theirs = again.points[-1], record.points[-1]
    low, high = interval(ours.evaluation, theirs.evaluation, record)
    mean = theirs.evaluation.mean
    found = {"retrained": (*verdict.retrained, ours.evaluation.mean)}
    if ours.parameters == theirs.parameters or mean <= high:
        return verdict.model_copy(update={**found, "state": "re-trained"})
    reason = f"the claim {mean:.2f} is above [{low:.2f}, {high:.2f}], where the same command ends here"
    return verdict.model_copy(update={**found, "state": "rejected", "accepted": "", "reasons": (reason,)})
