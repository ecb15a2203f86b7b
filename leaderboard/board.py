"""The leaderboard as plain data: everything that the pages, the tables and the exports show."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from . import bootstrap, score
from .costs import VIEWS, Costs, RepositoryLineage, all_costs, family
from .detail import THRESHOLDS, digits, line, rows_of
from .entries import SHARES, Entry, Matrices, anchors, claims, entries, grids, matrices, unranked, views
from .fronts import Fronts, fronts, gains
from .kept import Kept
from .results import Results
from .submission import Submission
from .suite import Suite
from .units import AXES, UNIT

USUAL = "dqn"  # the best-known baseline
PAIRS = 40  # with up to this many entries, all pairs are compared


class Made(NamedTuple):
    """A board, and what the pages of its entries take from it."""

    board: dict[str, Any]
    found: list[Entry]
    of: RepositoryLineage
    spent: dict[str, Costs]  # by run
    shown: list[tuple[Suite, dict[str, np.ndarray]]]  # suites, and the costs at which their curves are read


class Shown(NamedTuple):
    """An entry's numbers in one suite, or why it has none."""

    row: dict[str, Any]
    ends: np.ndarray  # [R, T]
    fault: str = ""


def board(results: Results, baseline: str = "") -> dict[str, Any]:
    """Compute the whole board, deterministically. `baseline`: the entry to compare with, as author~label~track.

    ValueError if there is no such entry.
    """
    return make(results, baseline, Kept()).board


def make(results: Results, baseline: str, kept: Kept) -> Made:
    """Compute the board as `board` does, taking from `kept` what was computed before."""
    found = entries(results)
    if baseline and baseline not in {one.id for one in found}:
        raise ValueError(f"there is no entry {baseline!r}: name one as author~label~track")
    scales, faults = anchors(results), list(results.faults)
    of = family(results)
    spent = all_costs(results.submissions.values(), of)
    rows = {entry.id: _head(entry, spent, of, results) for entry in found}
    suites, shown = [], []
    for suite in views(results, scales):
        here = [entry for entry in found if any(task in suite.tasks for task in entry.tasks)]
        grid, levels = grids(here, suite)
        shown.append((suite, grid))
        made = {entry.id: _kept(entry, suite, grid, levels, spent, kept) for entry in here}
        faults += [made[entry.id].fault for entry in here if made[entry.id].fault]
        here = [entry for entry in here if not made[entry.id].fault]
        compared = _rivals(here, suite, baseline)
        walked = fronts(results, here, spent, suite, kept)
        gained = gains(walked, "flops", "full")
        for entry in here:
            row = made[entry.id].row
            row["unranked"] = unranked(entry, suite)
            row["better"] = {
                other: _improvement(made[entry.id].ends, made[other].ends, kept)
                for other in compared
                if other != entry.id
            }
            row["gain"] = _number(gained.get(entry.id, 0.0))
            rows[entry.id]["suites"][suite.name] = row
        _places(rows, suite.name, {name: one.ends for name, one in made.items()}, kept)
        suites.append(
            {
                "name": suite.name,
                "version": suite.version,
                "about": suite.about,
                "scale": suite.scale,
                "seeds": suite.seeds,
                "tasks": {task: _task(suite, task) for task in suite.tasks},
                "grid": {axis: [float(f"{x:.6g}") for x in grid[axis]] for axis in AXES},
                "levels": levels,
                "baselines": compared,
                "fronts": _fronts(walked),
            }
        )
    told = {
        "suites": _by_runs(suites, rows.values()),
        "axes": list(AXES),
        "units": {axis: UNIT[axis].amounts for axis in AXES},
        "thresholds": [round(float(x), 4) for x in THRESHOLDS],
        "entries": list(rows.values()),
        "apart": _apart(found, scales),
        "claims": [_claim(one) for one in claims(results, found)],
        "faults": faults,
        "lineage": _lineage(results, of, spent),
    }
    return Made(told, found, of, spent, shown)


def _head(entry: Entry, spent: Mapping[str, Costs], of: RepositoryLineage, results: Results) -> dict[str, Any]:
    first = entry.runs[0]
    mean = {
        view: {
            unit: math.fsum(spent[one.record.run].views[view].get(unit, 0.0) for one in entry.runs) / len(entry.runs)
            for unit in AXES
        }
        for view in VIEWS
    }
    return {
        "id": entry.id,
        "author": first.author,
        "entry": first.entry,
        "track": first.track,
        "state": entry.state,
        "claimed": entry.claimed,
        "checked": entry.checked,
        "cost_badge": cost_badge(entry),
        "accepted": entry.accepted if not entry.accepted.startswith("9") else "",
        "submitted": max(one.submitted for one in entry.runs),
        "methods": sorted({one.record.method for one in entry.runs}),
        "reuses": reuses(entry),
        "transfers": transfers(entry),
        "networks": sorted({str(one.record.network.get("name", "")) for one in entry.runs}),
        "runs": len(entry.runs),
        "cost": mean,
        "unpriced": sorted({name for one in entry.runs for name in spent[one.record.run].unpriced}),
        "gone": sorted(one.record.run for one in entry.runs if results.verdicts[one.record.run].gone),
        "tainted": sorted({bad for one in entry.runs for bad in of.tainted.get(one.record.run, ())}),
        "suites": {},
    }


def reuses(entry: Entry) -> str:
    """Return the prior computation that the entry's runs were given: a teacher, a log, both, or none."""
    kinds = {parent.kind for one in entry.runs for parent in one.record.parents}
    return " and ".join(kind for kind in ("teacher", "log") if kind in kinds) or "nothing"


def transfers(entry: Entry) -> str:
    """Return what was transferred: the teacher's weights, its labels, a log alone, or nothing.

    A teacher that is a parent and was never queried contributed its weights.
    """
    kinds = {parent.kind for one in entry.runs for parent in one.record.parents}
    if "teacher" not in kinds:
        return "log" if "log" in kinds else "nothing"
    return "labels" if any(one.record.points[-1].spent.get("queries") for one in entry.runs) else "weights"


def cost_badge(entry: Entry) -> str:
    """Say how well the entry's cost is verified: a ledger is a claim until the run was trained again."""
    if not entry.checked:
        return "self-reported cost"
    return f"cost checked by re-training ({entry.checked} of {len(entry.runs)} runs)"


def _kept(entry: Entry, suite: Suite, grid, levels, spent: Mapping[str, Costs], kept: Kept) -> Shown:
    """Return an entry's numbers in a suite, computed unless its runs, their costs, the suite and the grid are known."""
    flops = [spent[one.record.run].views["full"].get("flops", 0.0) for one in entry.runs]
    parts = [entry.content, suite.model_dump_json(), *(grid[axis].tobytes() for axis in AXES), repr(flops)]

    def made() -> tuple[dict[str, Any], list[list[float]], str]:
        try:
            found = matrices(entry, suite, grid)
            if not np.isfinite(found.ends[~np.isnan(found.ends)]).all():
                raise ValueError("it has a score that is not a number")
        except (ValueError, ArithmeticError, KeyError, IndexError, TypeError) as error:
            return {}, [], f"{entry.id} cannot be shown in {suite.name}: {error}"
        return _row(entry, found, levels, suite, spent), found.ends.tolist(), ""

    row, ends, fault = kept.value("row", parts, made)
    return Shown(row, np.array(ends), fault)


def _row(entry: Entry, made: Matrices, levels, suite: Suite, spent: Mapping[str, Costs]) -> dict[str, Any]:
    """Return all numbers of one entry in one suite; no intervals if every task has a single run."""
    alone = made.ends.shape[0] == 1
    draws = 1 if alone else bootstrap.DRAWS
    places = [made.ends, *(made.at[axis][:, :, point] for axis in AXES for point in levels[axis])]
    shown = _alone(places) if alone else [*map(_rounded, bootstrap.estimates_of(places, draws))]
    areas = np.stack([made.areas[axis] for axis in AXES], axis=2)
    drawn = [digits(score.of_one_run(areas[0])["iqm"])] if alone else rows_of(bootstrap.curve(areas, draws))
    found = {
        "end": shown[0],
        "levels": {axis: shown[1 + n * len(SHARES) : 1 + (n + 1) * len(SHARES)] for n, axis in enumerate(AXES)},
        "area": dict(zip(AXES, zip(*drawn, strict=True), strict=True)),
        "reach": {},
        "line": line(entry, suite, made),
        "missing": list(made.missing),
        "tasks": {},
    }
    for axis in AXES:
        median, misses = bootstrap.cost(made.reach[axis], draws)
        found["reach"][axis] = [*(_number(x) for x in (median[:1] if alone else median)), round(misses, 4)]
    for task, anchor in suite.tasks.items():
        runs = entry.tasks.get(task, [])
        if runs:
            returns = np.array([entry.returns[one.record.run][-1] for one in runs])
            mine, many = score.normalise(returns, anchor.random, anchor.teacher), len(runs) > 1
            found["tasks"][task] = {
                "score": _shown(bootstrap.mean(mine, draws), False) if many else [round(float(mine[0]), 4)],
                "runs": len(runs),
                "scores": [round(float(x), 4) for x in mine],
                "return": round(float(returns.mean()), 4),
                "flops": math.fsum(spent[one.record.run].views["full"].get("flops", 0.0) for one in runs) / len(runs),
            }
    return found


def _rounded(found: Mapping[str, bootstrap.Estimate]) -> dict[str, list[float]]:
    return {name: _shown(one, False) for name, one in found.items()}


def _alone(places: Sequence[np.ndarray]) -> list[dict[str, list[float]]]:
    """Return the same numbers for an entry with one run per task: values without intervals."""
    found = score.of_one_run(np.concatenate(places).T)
    lists = {name: [round(value, 4) for value in values.tolist()] for name, values in found.items()}
    return [{name: [values[n]] for name, values in lists.items()} for n in range(len(places))]


def _shown(one: bootstrap.Estimate, alone: bool) -> list[float]:
    """Return [value, low, high], or [value] if a single run has no interval."""
    return [round(float(x), 4) for x in (one[:1] if alone else one)]


def _improvement(ours: np.ndarray, theirs: np.ndarray, kept: Kept) -> list[float]:
    def made() -> list[float]:
        draws = 1 if ours.shape[0] == theirs.shape[0] == 1 else bootstrap.DRAWS
        return bootstrap.rounded({"": bootstrap.improvement(ours, theirs, draws)})[""]

    return kept.value("improvement", _both(ours, theirs), made)


def _both(ours: np.ndarray, theirs: np.ndarray) -> list[str | bytes]:
    return [f"{ours.shape} {theirs.shape}", ours.tobytes(), theirs.tobytes()]


def _rivals(here: Sequence[Entry], suite: Suite, baseline: str) -> list[str]:
    """Return the entries to compare with: the chosen baseline first, else those without prior computation (with a place
    first, then DQN), or all entries of a small board."""
    names = [entry.id for entry in here]
    if baseline in names:
        return [baseline, *(name for name in names if name != baseline and len(names) <= PAIRS)]
    fresh = [entry for entry in here if reuses(entry) == "nothing"]

    def turn(entry: Entry) -> tuple[bool, bool, str]:
        return bool(unranked(entry, suite)), entry.runs[0].record.method != USUAL, entry.id

    fresh = [entry.id for entry in sorted(fresh, key=turn)]
    return [*fresh, *(name for name in names if name not in fresh)] if len(names) <= PAIRS else [*fresh, *names][:1]


def _task(suite: Suite, task: str) -> dict[str, Any]:
    anchor = suite.tasks[task]
    about = {"random": round(anchor.random, 4), "teacher": round(anchor.teacher, 4)}
    return {**about, "fault": "negative" if anchor.teacher <= anchor.random else "", "anchored": sorted(anchor.costs)}


def _places(rows: Mapping[str, dict[str, Any]], suite: str, ends: Mapping[str, np.ndarray], kept: Kept) -> None:
    """Set each ranked entry's place, and its probability of beating the next one."""
    ranked = sorted(
        (one for one in rows.values() if suite in one["suites"] and not one["suites"][suite]["unranked"]),
        key=lambda one: (-one["suites"][suite]["end"]["iqm"][0], one["author"], one["entry"]),
    )
    for place, one in enumerate(ranked, 1):
        below = ranked[place] if place < len(ranked) else None
        beats = _beats(ends[one["id"]], ends[below["id"]], kept) if below else None
        one["suites"][suite] |= {"place": place, "beats_next": beats}


def _beats(ours: np.ndarray, theirs: np.ndarray, kept: Kept) -> float:
    return kept.value("beats", _both(ours, theirs), lambda: round(bootstrap.beats(ours, theirs), 4))


def _by_runs(suites: list[dict[str, Any]], rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order suites by their number of runs, with views over all tasks at the end."""
    counts = Counter[str]()
    for row in rows:
        for name, of in row["suites"].items():
            counts[name] += sum(told["runs"] for told in of["tasks"].values())
    return sorted(suites, key=lambda suite: (suite["name"].startswith("all"), -counts[suite["name"]]))


def _apart(found: Sequence[Entry], scales: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List runs of tasks outside of all suites, with plain returns."""
    return [
        {
            "entry": entry.id,
            "task": task,
            "seed": one.record.seed,
            "return": round(entry.returns[one.record.run][-1], 4),
        }
        for entry in found
        for task, runs in entry.tasks.items()
        if task not in scales
        for one in runs
    ]


def _claim(one: Submission) -> dict[str, Any]:
    """Return a run that no maintainer has played."""
    record = one.record
    told = {"author": one.author, "entry": one.entry, "run": record.run, "task": record.task, "seed": record.seed}
    return {**told, "claimed": round(record.points[-1].evaluation.mean, 4)}


def _fronts(walked: Fronts) -> dict[str, Any]:
    """Return steps as lists: [name, cost, score, confidence, advances, gain, volume]."""
    return {
        task: {
            unit: {side: [[s.name, s.cost, *map(_number, s[2:4]), int(s.advances), *map(_number, s[5:])] for s in steps]
                   for side, steps in sides.items()}
            for unit, sides in units.items()
        }
        for task, units in walked.items()
    }  # fmt: skip


def _lineage(results: Results, of: RepositoryLineage, spent: Mapping[str, Costs]) -> dict[str, Any]:
    """Return trainings and outside sources by id, each with its parents and cost."""
    found: dict[str, Any] = {}
    for node in of.nodes.values():
        one = results.submissions.get(node.training)
        about = found.setdefault(
            node.training, {"name": node.name, "kind": node.kind, "parents": [], "flops": None, "least": 0.0}
        )
        for key in node.parents:
            above = of.nodes[key].training
            if above not in about["parents"] and above != node.training:
                about["parents"].append(above)
        if one:
            about |= {
                "entry": f"{one.author}~{one.entry}~{one.track}",
                "method": one.record.method,
                "task": one.record.task,
                "seed": one.record.seed,
                "flops": one.record.points[-1].spent.get("flops", 0.0),
                "full": spent[node.training].views["full"].get("flops", 0.0),
            }
        elif node.spent is not None:
            about["flops"] = max(about["flops"] or 0.0, node.spent.get("flops", 0.0))
        else:
            about["least"] = node.at_least.get("flops", 0.0)
        if node.training in of.tainted:
            about["tainted"] = of.tainted[node.training]
    return found


def _number(x: float) -> float | None:
    """Return a number for JSON; None for infinity and NaN, which JSON lacks."""
    return float(f"{x:.6g}") if math.isfinite(x) else None
