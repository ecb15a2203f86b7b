"""Measure a suite's anchors: random play and pinned teachers over many fresh episodes, and the teachers' costs."""

import math
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ...datasets import atomic
from ...datasets.hub import hub as hubs
from ...leaderboard import record as records
from ...leaderboard.plain_file import content
from ...leaderboard.record import Parent
from ...leaderboard.suite import NAME, Anchor, Span, Suite, parse, suite_id
from ...leaderboard.units import AXES
from ..display import Display
from ..evaluation.evaluator import MOST, Evaluator
from ..prior.ancestors import total
from ..prior.load import pull_teacher
from ..tasks.task import find
from ..training.budget import amount_of

SEED = 2**14 - 1  # no run's episodes, unless it uses the very last seed
CHEAP, DEAR = 1e-3, 10.0  # multiples of the teacher's cost with its ancestors, rounded outwards to powers of ten


def measure(
    name: str,
    teachers: Mapping[str, str],
    version: int = 1,
    episodes: int | range = 200,
    costs: Mapping[str, Span] | None = None,
    hub: str = "bundled",
    show: Display | None = None,
) -> Suite:
    """Play whole episodes by each task's protocol, at random and with its teacher; ValueError if it has none.

    `teachers`: of each task; empty for the pinned one. `episodes`: their number, or their seeds. `costs`: the spans of
    the fronts by unit, the same for every task; a missing unit uses the teacher's own cost, if that was recorded.
    """
    of, which = None, ""
    if isinstance(episodes, range):
        of, which = np.array(episodes, np.int32), f", of the seeds {episodes[0]} to {episodes[-1]}"
        episodes = len(episodes)
    if not 30 <= episodes <= MOST:
        raise ValueError(f"{episodes} episodes do not make an anchor: give 30 to {MOST}")
    show, anchors, told = show or Display(quiet=True), {}, []
    for each, teacher in teachers.items():
        task = find(each)._replace(evaluation_episodes=episodes, evaluation_steps=0)
        named = teacher or task.teacher
        if not named:
            raise ValueError(f"{each} has no pinned teacher to measure it by: leave it out, or name one")
        policy, origin = pull_teacher(named, hub, task)
        assert origin is not None
        evaluator = Evaluator(task, SEED, 0, show)
        random = evaluator.random(of)
        guided = evaluator.play(policy.apply, policy.params, "promotion", f"evaluating the teacher of {each}", of)
        if guided.mean - random.mean <= 2 * math.hypot(guided.standard_error, random.standard_error):
            raise ValueError(f"the teacher of {each} is hardly better than random play, so it cannot be an anchor")
        spans = {**_spans(origin, hub), **(costs or {})}
        scale = {"random": round(random.mean, 4), "teacher": round(guided.mean, 4)}
        anchors[each] = Anchor(**scale, costs=spans, reference=origin.reference)
        means = [f"{one.mean:.2f} (standard error {one.standard_error:.2f})" for one in (random, guided)]
        told.append(f"{each}: random play {means[0]}, {origin.reference} {means[1]}")
        show.note(told[-1])
    about = f"Means of {episodes} whole episodes each{which}. {'; '.join(told)}."
    return Suite(name=name, version=version, tasks=anchors, about=about)


def path_of(name: str, version: int, repository: Path) -> Path:
    """Return a suite's path in a results repository; ValueError if that version exists, since it must not change."""
    path = repository / "suites" / f"{suite_id(name, version)}.json"
    if not re.fullmatch(NAME, name) or version < 1:
        raise ValueError(
            f"{name} version {version} is not a suite: use lower-case letters, digits and dashes, and a version from 1"
        )
    for old in sorted(path.parent.glob("*.json")):
        one = parse(content(old), str(old))
        if (one.name, one.version) == (name, version):
            raise ValueError(f"{old} has that version, and its anchors never change: use the next, --version")
    return path


def write(suite: Suite, repository: Path) -> Path:
    """Write a suite to a results repository's folder; ValueError if that version exists."""
    path = path_of(suite.name, suite.version, repository)
    atomic.write(path, (suite.model_dump_json(indent=1) + "\n").encode())
    return path


def spans_of(text: str) -> dict[str, Span]:
    """Parse `flops=1e12..1e18,frames=1M..1B` -> the span of each unit; ValueError otherwise."""
    found = {}
    for part in filter(None, text.split(",")):
        unit, _, ends = part.partition("=")
        cheap, dots, dear = ends.partition("..")
        if unit not in AXES or not dots or not amount_of(cheap) < amount_of(dear):
            raise ValueError(f"--costs {part} is not a span: write UNIT=CHEAP..DEAR with one of {', '.join(AXES)}")
        found[unit] = Span(cheap=amount_of(cheap), dear=amount_of(dear))
    return found


def _spans(teacher: Parent, hub: str) -> dict[str, Span]:
    """Return powers of ten around a teacher's cost with all its ancestors; empty for units without a recorded cost."""
    folder, _ = hubs.open_ref(teacher.reference, "model", hub)
    if not (folder / "record.json").is_file():
        return {}
    record = records.load(folder / "record.json")
    point = next((one for one in record.points if one.parameters == teacher.digest), None)
    whole = total(record, point, hub) if point else None
    if whole is None or whole.unpriced:
        return {}
    return {
        unit: Span(
            cheap=10.0 ** math.floor(math.log10(CHEAP * spent)), dear=10.0 ** math.ceil(math.log10(DEAR * spent))
        )
        for unit in AXES
        if (spent := whole.spent.get(unit, 0.0)) > 0.0
    }
