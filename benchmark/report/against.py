"""The value of prior computation: runs with it, compared with tabula rasa runs on the same task."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from ...leaderboard.record import load
from ...leaderboard.units import short
from .groups import Group, curve


def from_nothing(group: Group) -> bool:
    """Return whether no run of a group had a teacher or a log."""
    return not any(run.record.parents for run in group.runs)


def rivals(folders: Sequence[Path]) -> list[Path]:
    """Return the finished tabula rasa runs of the same sweeps with the same task, seed and budget.

    Runs outside of sweeps have none. Unreadable cells are skipped, since the user did not name them.
    """
    named = {folder.resolve() for folder in folders}
    asked = [(folder, load(folder / "record.json")) for folder in folders]
    found: dict[Path, Path] = {}
    for folder, record in asked:
        cells = folder.resolve().parent
        if cells.name != "cells" or not (cells.parent / "sweep.json").is_file() or not record.parents:
            continue
        for path in sorted(cells.glob("*/record.json")):
            if path.parent in named or path.parent in found:
                continue
            try:
                other = load(path)
            except ValueError:
                continue
            same = (other.task, other.seed, other.budget) == (record.task, record.seed, record.budget)
            if same and other.complete and not other.parents:
                found[path.parent] = folder.parent / path.parent.name
    return list(found.values())


def sentences(found: Sequence[Group]) -> Iterator[str]:
    """Compare each group of a task with each tabula rasa group: the final score, and how soon it was reached."""
    for rival in filter(from_nothing, found):
        theirs = float(curve(rival).value[-1])
        for group in found:
            if from_nothing(group):
                continue
            mine, first = curve(group), group.runs[0].record
            gap = float(mine.value[-1]) - theirs
            text = f"{group.label} ends at {mine.value[-1]:.1f} and {rival.label}, which learned from nothing, at "
            text += f"{theirs:.1f}: {abs(gap):.1f} {'more' if gap >= 0 else 'less'}"
            if first.teacher and first.teacher.mean != first.random.mean:
                room = first.teacher.mean - first.random.mean
                text += f", {abs(gap / room):.2f} of the way from random play to the teacher"
            reached = np.flatnonzero(mine.value >= theirs)
            if len(reached):
                spent = mine.costs["flops"]
                when = f"after {short(float(spent[reached[0]]))} of its {short(float(spent[-1]))} FLOPs"
                text += f". It reached {theirs:.1f} {when if spent[reached[0]] else 'before its first update'}"
            yield text + "."
