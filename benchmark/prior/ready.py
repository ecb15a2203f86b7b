"""Tasks that are ready to run: those with a teacher and a log, and their reference returns."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...datasets.hub import bundled, reference
from ...datasets.hub.reference import Ref
from ...leaderboard.suite import anchor_of
from ..tasks.task import PINNED


class Ready(NamedTuple):
    """A task with everything a student needs; returns are means over fresh episodes, None if never measured."""

    task: str
    random: float | None
    teacher: float | None
    weaker: float | None  # return of the best weaker bundled teacher, an earlier student of the same training
    weaker_teacher: str  # name of that teacher; empty if there is none
    log: str


def ready() -> list[Ready]:
    """Return the tasks whose teacher and log ship with the package, sorted by name."""
    told = {str(ref): _told(ref) for ref in bundled.newest("model")}
    found = []
    for task, (teacher, log) in sorted(PINNED.items()):
        anchor = anchor_of(task, teacher)
        random, best = (anchor[1].random, anchor[1].teacher) if anchor else (None, told.get(teacher, ("", None))[1])
        own = teacher.partition("@")[0]
        named = ((name.partition("@")[0], *facts) for name, facts in told.items())
        others = [(returned, name) for name, plays, returned in named if plays == task and name != own and returned]
        earlier = [one for one in others if one[1] == f"{own}-early"] or others
        weaker = max([one for one in earlier if best is None or one[0] < best], default=(None, ""))
        found.append(Ready(task, random, best, *weaker, log.partition("@")[0]))
    return found


def _told(ref: Ref) -> tuple[str, float | None]:
    """Return the task of a bundled teacher, and its mean return as measured when it was made."""
    place = bundled.bundle() / reference.folder(ref, "model") / "snapshots" / str(ref.revision)
    try:
        facts = json.loads(Path(place / "config.json").read_bytes())
        return str(facts["task"]), float(np.mean(facts["evaluation"]["returns"]))
    except (OSError, ValueError, KeyError, TypeError):
        return "", None
