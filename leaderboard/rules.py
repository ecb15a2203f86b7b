"""Rules that a submission must follow, checked without playing: its record, ledger, lineage and path.

Every fault is one sentence. An honest run has none. The harness checks what only an evaluation of the weights can show.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from . import ledger, lineage
from .costs import sources
from .pinned import is_pinned
from .record import Parent, RunRecord, mismatches
from .results import Results, paths
from .submission import Submission, nodes
from .units import TIMES

STARTED = ("run", "task", "protocol", "method", "settings", "network", "seed", "environments", "budget")
MOST_RUNS = 200  # of a pull request
MOST_BYTES = 64 * 2**20  # of all files of a pull request
MOST_POINTS = 64  # of a submitted run; all are played


def faults(
    one: Submission,
    lines: Sequence[dict],
    results: Results,
    together: Sequence[Submission] = (),
    later: Collection[str] = (),
) -> list[str]:
    """Return all faults of a run, given its ledger, the repository and the other runs of the request.

    `later`: runs that were seen after it, which cannot own its weights.
    """
    record = one.record
    found = [f"the ledger: {sentence}" for sentence in ledger.faults(list(lines))]
    found += _against_ledger(record, lines)
    found += _evaluations(record)
    others = {**results.submissions, **{each.record.run: each for each in together}}
    others.pop(record.run, None)
    found += _parents(one, others)
    found += _track(one, list(others.values()))
    before = results.submissions.get(record.run)
    if before is not None and before != one:
        found.append(f"run {record.run} is already there, by {before.author}: {_again(one, lines, before, results)}")
    if not is_pinned(one.student):
        found.append(f"student: {one.student} is not pinned: give user/name@commit with all 40 digits of the commit")
    known = [each.record for run, each in others.items() if run not in later]
    told = lineage.faults([*known, record], sources([*others.values(), one]))
    return found + [sentence for sentence in told if record.run in sentence or "circle" in sentence]


def _again(one: Submission, lines: Sequence[dict], before: Submission, results: Results) -> str:
    """Return why a run's second record is refused: its folder was copied and resumed twice, or the id is taken."""
    path = results.folder / paths(before.author, before.record.run)[1]
    if one.record.ledger == before.record.ledger or not path.is_file():
        return "a record is never replaced"
    line = ledger.parting(lines, ledger.read(path))
    told = (
        f"a copy of its folder was resumed on its own; the ledgers part at line {line}" if line else "it is another run"
    )
    return f"{told}: a record is never replaced"


def changes(author: str, added: Mapping[str, int], changed: Sequence[str], removed: Sequence[str]) -> list[str]:
    """Return what a pull request must not do: it may only add its author's own records and ledgers.

    `added`: {path: bytes}; `changed`, `removed`: existing paths.
    """
    found = [f"{path} is changed: a pull request may only add files" for path in changed]
    found += [f"{path} is removed: a pull request may only add files" for path in removed]
    if len(added) > 2 * MOST_RUNS:
        return [f"{len(added)} files are too many: at most {MOST_RUNS} runs in one pull request"]
    for path in added:
        run = path.rpartition("/")[2].removesuffix(".json").removesuffix(".ledger.jsonl")
        if path not in paths(author, run):
            found.append(f"{path} is not {author}'s: only results/{author}/RUN.json and RUN.ledger.jsonl may be added")
        elif not {*paths(author, run)} <= set(added):
            found.append(f"{path} comes alone: a record and its ledger belong together")
    if not added:
        found.append("the pull request adds nothing")
    return found


def too_large(added: Mapping[str, int], limit: Callable[[str], int]) -> list[str]:
    """Return which of the added files are too large, alone or together."""
    found = [f"{path} is larger than {limit(path)} bytes" for path, size in sorted(added.items()) if size > limit(path)]
    if sum(added.values()) > MOST_BYTES:
        found.append(f"its files together have more than {MOST_BYTES} bytes: split it into several requests")
    return found


def _against_ledger(record: RunRecord, lines: Sequence[dict]) -> list[str]:
    """Check that the record equals its ledger, to the last line."""
    if not lines:
        return []
    found = [f"record: {sentence}" for sentence in mismatches(list(lines), record)]
    missing = [key for key in STARTED if key not in lines[0]]
    if missing:
        found.append(f"the ledger: line 1 does not say the run's {', '.join(missing)}")
    if _started_with(lines[0]) != json.loads(record.model_dump_json(include={"parents"}))["parents"]:
        found.append("record.parents: they are not those in the ledger's first line")
    if record.complete and record.ledger != lines[-1].get("hash"):
        found.append("record.ledger: the hash is not that of the ledger's last line")
    if not record.complete:
        found.append("record.complete: the run has not spent its budget: finish it before submitting it")
    for unit, limit in record.budget.items():
        spent = record.points[-1].spent.get(unit, 0.0)
        if spent > limit and unit not in TIMES:
            found.append(f"record.budget.{unit}: {spent:g} were spent, which is more than the limit {limit:g}")
    return found


def _started_with(line: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the parents in a ledger's first line; None if they are malformed."""
    try:
        return [Parent.model_validate(one).model_dump() for one in line.get("parents", ())]
    except (TypeError, ValueError):
        return None


def _evaluations(record: RunRecord) -> list[str]:
    """Check that evaluations are complete: one return per seed, and the same seeds for every student."""
    found = []
    named = [("random", record.random), *([("teacher", record.teacher)] if record.teacher else [])]
    named += [(f"points.{number}.evaluation", point.evaluation) for number, point in enumerate(record.points)]
    test = record.points[0].evaluation.seeds[0]
    for name, judged in named:
        first, last = judged.seeds
        if not len(judged.returns) == len(judged.lengths) == last - first + 1:
            found.append(
                f"record.{name}: {len(judged.returns)} returns of {last - first + 1} seeds: episodes are left out"
            )
        if name != "random" and first != test:
            found.append(f"record.{name}.seeds: they begin at {first}, those of the other evaluations at {test}")
    if len(record.points) > MOST_POINTS:
        found.append(f"record.points: {len(record.points)} are more than {MOST_POINTS}")
    steps = [point.spent.get("steps", 0.0) for point in record.points]
    for number, (point, reached) in enumerate(zip(record.points, steps, strict=True)):
        if point.due is not None and not 0 <= reached - point.due < max(record.environments, 1):
            found.append(
                f"record.points.{number}.due: at {reached:g} steps it is not the evaluation planned for {point.due}"
            )
    if steps != sorted(steps):
        found.append("record.points: they are not in the order in which they were reached")
    return found


def _parents(one: Submission, others: Mapping[str, Submission]) -> list[str]:
    """Check that every ancestor is a known student, or declared with its cost."""
    graph = lineage.graph([*(each.record for each in others.values()), one.record], sources([*others.values(), one]))
    found = []
    for parent in one.record.parents:
        key = parent.digest or parent.reference
        for node in (graph[name] for name in (key, *sorted(lineage.ancestors(graph, key)))):
            if node.kind != "student" and node.spent is None and not any(node.at_least.values()):
                found.append(
                    f"{node.name}: its cost is unknown: declare it with a lower bound, "
                    f"--at-least {node.name.partition('@')[0]}:flops=1e15,frames=1M"
                )
    declared = {node.key for node in nodes(one)}
    used = {parent.digest or parent.reference for parent in one.record.parents}
    above = {name for key in used for name in (key, *lineage.ancestors(graph, key))}
    found += [f"sources: {graph[key].name} is not an ancestor of this run" for key in sorted(declared - above)]
    return list(dict.fromkeys(found))


def _track(one: Submission, others: Sequence[Submission]) -> list[str]:
    """Check the track: fixed has one configuration for all tasks; tuned has one per task and pays for the tuning."""
    if one.track == "tuned" and not one.tuning:
        return ["tuning: the tuned track needs every run that chose the configuration: none is declared"]
    if one.track == "fixed" and one.tuning:
        return ["track: tuning runs belong to the tuned track"]
    mates = [each for each in others if (each.author, each.entry, each.track) == (one.author, one.entry, one.track)]
    for mate in mates:
        same = mate.record.task == one.record.task
        end = min(each.points[-1].spent.get("steps", 0.0) for each in (one.record, mate.record))
        ours, theirs = _configuration(one.record, same, end), _configuration(mate.record, same, end)
        for key in ours:
            alike = one.track == "fixed" or key == "method" or same
            if alike and ours[key] != theirs[key]:
                return [
                    f"record.{key}: {_short(ours[key])}, but run {mate.record.run} of the same entry has "
                    f"{_short(theirs[key])}"
                ]
    cells = [(mate.record.task, mate.record.seed) for mate in mates]
    if (one.record.task, one.record.seed) in cells:
        return [f"record.seed: the entry has a run of {one.record.task} with seed {one.record.seed} already"]
    return []


def _configuration(record: RunRecord, same: bool, end: float) -> dict[str, Any]:
    """Return what the runs of an entry have in common, of one task (`same`) also the very teacher and log.

    Otherwise the best part of a log, or the best teacher for each seed, would be tuning that nobody pays for, and so
    would be the evaluations at which a run stood best. `end`: steps that both runs reached; FLOPs may end one earlier.
    """
    keys = ("method", "settings", "network", "budget", "environments")
    above = [[one.kind, one.part, *([one.digest] if same else [])] for one in record.parents]
    points = [one.due for one in record.points[:-1] if one.due is None or one.due < end]
    return {**{key: getattr(record, key) for key in keys}, "parents": above, "points": points}


def _short(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) < 80 else f"{text[:77]}..."
