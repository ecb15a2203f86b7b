"""Collect the runs that settings were chosen by, and write the tables of docs/settings.md from them.

    python -m tests.learning.settings NAME=SWEEP_FOLDER ...

adds a sweep's finished cells to docs/settings.json under a name, and writes the tables anew. Without arguments it only
writes the tables.
"""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard import results, score, suite

DOCS = Path(__file__).parents[2] / "docs"
DATA, PAGE = DOCS / "settings.json", DOCS / "settings.md"
FIRST = DOCS / "results-v1"  # the records of the first board
GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
SHARES = (0.0, 0.25, 0.5, 1.0)
LOGS = {  # sweep -> what its runs learned from
    "weight": "its play, 20,000 to 34,000 transitions",
    "log-larger": "its play, 100,000",
    "log-random": "its play with 10 % random actions, 100,000",
    "log-training": "the last 20,000 of its training",
}
MARKED = re.compile(r"<!-- table (\w+) -->\n.*?<!-- end -->", re.DOTALL)

Run = dict


def cells(name: str, folder: Path) -> Iterable[Run]:
    """Read the finished cells of a sweep, scored by the suites' anchors."""
    for path in sorted((folder / "cells").glob("*/ledger.jsonl")):
        lines = [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]
        if not lines or lines[-1].get("event") != "end":
            continue
        record = json.loads((path.parent / "record.json").read_text())
        task, teacher = record["task"], next((one["reference"] for one in record["parents"]), "")
        yield {
            "sweep": name,
            **{key: record.get(key) for key in ("task", "method", "settings", "preset", "seed")},
            "scores": [round(scored(task, one["evaluation"]["mean"], teacher), 3) for one in shown(record["points"])],
            "updates": int(record["points"][-1]["spent"]["updates"]),
            "flops": record["points"][-1]["spent"]["flops"],
            "weaned": record.get("weaned"),
            "commit": record["machine"].get("commit", ""),
        }


def shown(points: list[dict]) -> list[dict]:
    """Leave out what is not in the tables: three quarters of the older runs, a tenth of the newer ones."""
    if len(points) == len(SHARES):
        return points
    steps = [point["spent"]["steps"] for point in points]
    return [point for k, point in enumerate(points) if k != (3 if steps[1] > 0.2 * steps[-1] else 1)]


def scored(task: str, mean: float, teacher: str = "") -> float:
    """Score a mean return by the anchors of the suite with this teacher, the task's own if none is given."""
    found = suite.anchor_of(task, teacher or find(task).teacher)
    assert found
    return float(score.normalise(mean, found[1].random, found[1].teacher))


def label(run: Run) -> str:
    """Name a run's method, with what was set beside the preset, or by a row that the preset no longer has."""
    told = {key: value for key, value in run["settings"].items() if isinstance(value, str) and value != "inf"}
    if run["sweep"] == "quarter":
        told["explore"] = run["settings"]["explore"]
    ours = {"temperature": "8gap"} if run["preset"] else {}
    return ":".join([run["method"], *(f"{key}={value}" for key, value in told.items() if ours.get(key) != value)])


def table(head: Iterable[str], rows: Iterable[Iterable[str]], left: int) -> str:
    """Write a table of Markdown: the first `left` columns are words, the others numbers."""
    head = list(head)
    rule = "|" + "---|" * left + "--:|" * (len(head) - left)
    return "\n".join([f"| {' | '.join(head)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)])


def single(runs: Iterable[Run], head: list[str], told: list[str]) -> str:
    """Write one row a run: its task, what was told of it, its seed, scores and updates."""
    rows = []
    for run in sorted(runs, key=lambda run: (run["task"], run["method"], [str(run["settings"].get(t)) for t in told])):
        words = [f"`{run['task']}`", *(f"`{run[name] if name in run else run['settings'][name]}`" for name in told)]
        rows.append([*words, str(run["seed"]), *(f"{x:.2f}" for x in run["scores"]), f"{run['updates']:,}"])
    return table([*head, "seed", "0", "25 %", "50 %", "100 %", "updates"], rows, len(head))


def curves(runs: list[Run]) -> str:
    """Write one row for each label and task: the mean score of its seeds at each share of the run."""
    return means([((f"`{run['task']}`", f"`{label(run)}`"), run) for run in runs], ["task", "method"])


def by_log(runs: list[Run]) -> str:
    """Write one row for each task, label and log of the teacher, as `curves` does."""
    told = [((f"`{run['task']}`", f"`{label(run)}`", LOGS[run["sweep"]]), run) for run in runs]
    return means(told, ["task", "method", "the teacher's log"])


def means(told: list[tuple[tuple[str, ...], Run]], head: list[str]) -> str:
    """Write one row for the runs that have the same words: seeds, mean score at each share, and each seed's end."""
    rows = []
    for words in sorted({words for words, _ in told}):
        ours = sorted((run for said, run in told if said == words), key=lambda run: run["seed"])
        scores = np.mean([run["scores"] for run in ours], axis=0)
        last = " ".join(f"{run['scores'][-1]:.2f}" for run in ours)
        rows.append([*words, f"{ours[0]['seed']}..{ours[-1]['seed']}", *(f"{mean:.2f}" for mean in scores), last])
    return table([*head, "seeds", "0", "25 %", "50 %", "100 %", "each seed's end"], rows, len(head) + 1)


def ends(runs: list[Run], before: dict[str, np.ndarray]) -> str:
    """Write one row a method: mean ends by game, and the IQM of all runs beside the first board's, with intervals."""
    rows = []
    for method in sorted({run["method"] for run in runs}):
        ours = [run for run in runs if run["method"] == method]
        after = matrix([(run["task"], run["seed"], run["scores"][-1]) for run in ours])
        updates = np.median([run["updates"] for run in ours])
        means = [f"{mean:.2f}" for mean in np.nanmean(after, axis=0)]
        rows.append((score.iqm(after), [f"`{method}`", *means, with_interval(after), with_interval(before[method])]))
        rows[-1][1].append(f"{updates:,.0f}")
    head = ["method", *GAMES, "IQM", "IQM of the first board", "updates"]
    return table(head, (row for _, row in sorted(rows, reverse=True)), 1)


def ensembles(runs: list[Run]) -> str:
    """Write one row for each size of batch and ensemble: the mean end in each game, and the median of the updates."""
    rows = []
    for method, batch, members in sorted({(run["method"], *sizes(run)) for run in runs}, reverse=True):
        ours = [run for run in runs if (run["method"], *sizes(run)) == (method, batch, members)]
        scores = matrix([(run["task"], run["seed"], run["scores"][-1]) for run in ours])
        seeds = f"{min(run['seed'] for run in ours)}..{max(run['seed'] for run in ours)}"
        means = [f"{mean:.2f}" for mean in np.nanmean(scores, axis=0)]
        updates = f"{np.median([run['updates'] for run in ours]):,.0f}"
        rows.append([f"`{method}`", str(batch), str(members), seeds, *means, updates])
    return table(["method", "batch", "members", "seeds", *GAMES, "updates"], rows, 1)


def sizes(run: Run) -> tuple[int, int]:
    """Return the transitions of a batch and the networks of the ensemble."""
    own = {"rlpd": 10, "wsrl": 10, "ibrl": 5, "pex": 1}[run["method"]]
    return int(run["settings"].get("batch_size", 256)), int(run["settings"].get("members", own))


def with_interval(scores: np.ndarray) -> str:
    """Write an IQM with its 95 % interval: [R, T] -> text."""
    low, high = score.interval(scores, score.iqm)
    return f"{score.iqm(scores):.2f} ({low:.2f} to {high:.2f})"


def matrix(found: Iterable[tuple[str, int, float]]) -> np.ndarray:
    """Order scores by seed and game: [R, T], not a number where one is missing."""
    told = {(task.removeprefix("minatar/"), seed): value for task, seed, value in found}
    seeds = sorted({seed for _, seed in told})
    return np.array([[told.get((game, seed), np.nan) for game in GAMES] for seed in seeds])


def first_board() -> dict[str, np.ndarray]:
    """Read the ends of the first board's runs, at 100,000 steps and 1 TFLOP: scores [R, T] by entry."""
    found: dict[str, list[tuple[str, int, float]]] = {}
    for one in results.read(FIRST).submissions.values():
        record = one.record
        if record.task.startswith("minatar/") and record.budget == {"steps": 1e5, "flops": 1e12}:
            end = scored(record.task, record.points[-1].evaluation.mean)
            found.setdefault(one.entry, []).append((record.task, record.seed, end))
    return {entry: matrix(ours) for entry, ours in found.items()}


def tables(runs: list[Run]) -> dict[str, str]:
    """Make every table of the page, by name."""

    def of(*sweeps: str, method: str = "", game: str = "") -> list[Run]:
        return [r for r in runs if r["sweep"] in sweeps and method in ("", r["method"]) and r["task"].endswith(game)]

    follows = [run for run in of("second") if "target_rate" in run["settings"]]
    constants = [run for run in of("search", "second", "pong", method="qdagger") if run not in follows]
    return {
        "constants": single(constants, ["task", "temperature"], ["temperature"]),
        "rules": curves(of("heldout", "temperature", "pong", method="qdagger")),
        "weight": curves(of("weight")),
        "logs": by_log(
            [
                run
                for run in of(*LOGS, method="qdagger")
                if run["task"] in ("minatar/breakout", "minatar/seaquest")
                and (run["sweep"] != "weight" or "weight" not in run["settings"])
            ]
        ),
        "explore": single(of("search", method="dqn"), ["task", "explore", "epsilon"], ["explore", "epsilon"]),
        "half": curves(of("heldout", "quarter", method="dqn") + of("freeway")),
        "follows": single(follows, ["task", "method"], ["method"]),
        "seaquest": curves(of("heldout", method="qdagger", game="seaquest") + of("seaquest")),
        "heldout": ends(of("heldout"), first_board()),
        "qdagger": curves(of("heldout", method="qdagger")),
        "command": curves(of("command")),
        "members": ensembles([r for r in of("heldout", "full", "batch") if r["method"] in ("rlpd", "wsrl", "ibrl")]),
        "tenfold": single(of("tenfold"), ["task", "method"], ["method"]),
    }


def written(page: str, runs: list[Run]) -> str:
    """Write the page with its tables made anew."""
    made = tables(runs)
    return MARKED.sub(lambda found: f"<!-- table {found[1]} -->\n{made[found[1]]}\n<!-- end -->", page)


def key(run: Run) -> tuple:
    return run["sweep"], run["task"], label(run), run["seed"], run["commit"]


if __name__ == "__main__":
    known = {key(run): run for run in json.loads(DATA.read_text())}
    for name, folder in (word.split("=", 1) for word in sys.argv[1:]):
        known |= {key(run): run for run in cells(name, Path(folder))}
    every = sorted(known.values(), key=lambda run: (run["task"], label(run), run["seed"], run["sweep"], run["commit"]))
    DATA.write_text(json.dumps(every, indent=0) + "\n")
    PAGE.write_text(written(PAGE.read_text(), every))
