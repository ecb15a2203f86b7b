"""The data of a report: runs read from their folders, grouped by everything but the seed, and their curves."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...datasets.folders import regular
from ...leaderboard import bootstrap, ledger
from ...leaderboard.record import RunRecord, load
from ...leaderboard.score import interval, normalise
from ...leaderboard.units import UNITS
from ..runs import metrics
from ..training.stopwatch import ON_DEVICE

AXES = {unit.name: unit.label for unit in UNITS if unit.limits and unit.name != "steps"}  # frames show the same
LIMIT = 64 * 2**20  # bytes of metrics: a line every five seconds for over a month


class Run(NamedTuple):
    """A run's folder."""

    folder: Path
    record: RunRecord
    lines: list[dict[str, Any]]  # of its ledger, if there is one
    metrics: list[dict[str, Any]]  # of training, without evaluations
    video: Path | None

    @property
    def end(self) -> dict[str, float]:
        """What the run has spent in total."""
        return self.record.points[-1].spent

    def offline(self) -> dict[str, float]:
        """Return what the run had spent before its first step in the game."""
        spent = [line["spent"] for line in self.lines if ledger.has_numbers(line.get("spent"))]
        spent += [point.spent for point in self.record.points]
        before = [each for each in spent if each.get("steps") == 0]
        return max(before, key=lambda each: each.get("updates", 0.0), default={})

    def peak_share(self) -> float | None:
        """Return the FLOP/s while the device worked for the run, relative to its measured peak."""
        start = self.lines[0] if self.lines else {}
        peak, device = start.get("peak_flops"), sum(self.record.phases.get(phase, 0.0) for phase in ON_DEVICE)
        return self.end["flops"] / device / peak if isinstance(peak, (int, float)) and peak and device else None


class Group(NamedTuple):
    """Runs that differ only in their seed."""

    task: str
    label: str
    runs: tuple[Run, ...]


class Curve(NamedTuple):
    """The mean return of a group at the points that all its runs have reached, with 95 % intervals."""

    costs: dict[str, np.ndarray]  # axis -> [K], mean over the runs
    value: np.ndarray  # [K] mean return
    low: np.ndarray
    high: np.ndarray


def read(folder: Path) -> Run:
    """Read a run's folder; ValueError if it has no record yet or its files are damaged."""
    record = load(folder / "record.json")
    path, told = folder / "ledger.jsonl", folder / "metrics.jsonl"
    lines = ledger.read(path) if regular(path).exists() else []
    if regular(told).exists() and told.stat().st_size > LIMIT:
        raise ValueError(f"{told} has more than {LIMIT} bytes: these are not metrics of a run")
    training = [line for line in metrics.lines(told) if line.get("phase") in ("offline", "online")]
    video = folder / "replay.mp4"
    return Run(folder, record, lines, training, video if video.is_file() else None)


def of_record(record: RunRecord) -> Run:
    """Return a run of which only the record is available."""
    return Run(Path(record.run), record, [], [], None)


def groups(runs: Sequence[Run]) -> list[Group]:
    """Group runs with the same task, method, settings, network, budget and points."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(json.dumps(_traits(run), sort_keys=True, default=str), []).append(run)
    alike = list(found.values())
    return [
        Group(one[0].record.task, _label(_traits(one[0]), [_traits(other[0]) for other in alike]), tuple(one))
        for one in sorted(alike, key=lambda one: one[0].record.task)
    ]


def _traits(run: Run) -> dict[str, Any]:
    record, request = run.record, (run.lines[0] if run.lines else {}).get("request")
    points = request.get("points") if isinstance(request, dict) else None
    settings = {f"settings {key}": value for key, value in record.settings.items()}
    parents = sorted(parent.reference for parent in record.parents)
    shown = {"network": record.network.get("name"), "budget": record.budget, "points": points, "parents": parents}
    return {"task": record.task, "method": record.method, **settings, **shown, "options": record.network.get("options")}


def _label(traits: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> str:
    """Return the method, and what distinguishes the group from others with the same task and method."""
    rivals = [each for each in others if (each["task"], each["method"]) == (traits["task"], traits["method"])]
    differ = [
        key for key in {key: 0 for each in rivals for key in each} if len({_text(r.get(key)) for r in rivals}) > 1
    ]
    words = [f"{key.removeprefix('settings ')}={_text(traits.get(key))}" for key in differ]
    return " ".join([str(traits["method"]).split(":")[-1], *words])


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ",".join(f"{key}={_text(each)}" for key, each in value.items())
    return f"{value:g}" if isinstance(value, float) else "default" if value is None else str(value)


def curve(group: Group) -> Curve:
    """Return the mean over runs at each point. Intervals resample whole runs, or the episodes of a single one."""
    records = [run.record for run in group.runs]
    count = min(len(record.points) for record in records)
    points = [record.points[:count] for record in records]
    costs = {
        axis: np.array([[point.spent.get(axis, np.nan) for point in each] for each in points]).mean(axis=0)
        for axis in AXES
    }
    returns = np.array([[point.evaluation.mean for point in each] for each in points])
    if len(records) > 1:
        return Curve(costs, *bootstrap.mean_curve(returns))
    bounds = np.array([interval(np.array(point.evaluation.returns)) for point in points[0]])
    return Curve(costs, returns[0], bounds[:, 0], bounds[:, 1])


def levels(runs: Sequence[Run]) -> dict[str, float]:
    """Return the mean return of random play and of each teacher, over the runs of a task.

    A tabula rasa run names no teacher: if it has the same teacher episodes as another run, it gets that teacher's name.
    """
    found: dict[str, list[float]] = {}
    known: dict[tuple[float, ...], str] = {}
    for run in sorted(runs, key=lambda run: not run.record.parents):  # runs that name their teacher first
        found.setdefault("random", []).extend(run.record.random.returns)
        if run.record.teacher:
            names = [parent.reference for parent in run.record.parents if parent.kind == "teacher"]
            own = f"teacher {names[0].partition('@')[0]}" if names else ""
            name = own or known.get(run.record.teacher.returns, "teacher")
            known[run.record.teacher.returns] = name
            found.setdefault(name, []).extend(run.record.teacher.returns)
    teachers = [name for name in found if name != "random"]
    short = {teachers[0]: "teacher"} if len(teachers) == 1 else {}
    return {short.get(name, name): float(np.mean(returns)) for name, returns in found.items()}


def summary(found: Sequence[Group]) -> list[dict[str, Any]]:
    """Return a report's numbers for programs."""
    made = []
    for group in found:
        drawn, record = curve(group), group.runs[0].record
        teacher = record.teacher.mean if record.teacher else None
        scores = None if teacher is None else normalise(drawn.value, record.random.mean, teacher).tolist()
        made.append({
            "task": group.task,
            "label": group.label,
            "method": record.method,
            "runs": [str(run.folder) for run in group.runs],
            "seeds": [run.record.seed for run in group.runs],
            "complete": all(run.record.complete for run in group.runs),
            "spent": {axis: values.tolist() for axis, values in drawn.costs.items() if np.isfinite(values).all()},
            "return": drawn.value.tolist(),
            "low": drawn.low.tolist(),
            "high": drawn.high.tolist(),
            "score": scores,
            "phases": mean_of([run.record.phases for run in group.runs]),
            "peak_share": [run.peak_share() for run in group.runs],
        })  # fmt: skip
    return made


def mean_of(dicts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return {name: mean}; a missing name counts as zero."""
    names = dict.fromkeys(name for each in dicts for name in each)
    return {name: sum(each.get(name, 0.0) for each in dicts) / len(dicts) for name in names}
