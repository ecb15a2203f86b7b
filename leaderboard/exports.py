"""Exports of the board: Parquet, CSV, LaTeX, Markdown, and the Hub's formats."""

import csv
import html
import io
import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from . import hub_formats, units
from .kept import Kept
from .provenance import now
from .results import Results
from .submission import Submission

HEAD = (
    "rank",
    "entry",
    "author",
    "badge",
    "track",
    "runs",
    "missing",
    "score",
    "low",
    "high",
    "median",
    "above teacher",
    "area",
)
HEAD += (
    "own FLOPs",
    "full FLOPs",
    "unpriced",
    "improvement",
    "beats next",
    "cost badge",
    "scores before the end",
    "students gone",
)
UNITS = tuple(unit.name for unit in units.UNITS if unit.on_every_line or unit.on_board)
COLUMNS = tuple(name.replace(" ", "_").lower() for name in HEAD)


def rows(board: dict[str, Any], suite: str = "") -> list[dict[str, Any]]:
    """Return a row per entry of the named suite, or the first, best first; ValueError if there is no such suite."""
    name, ranked = _ranked(board, suite)
    found = []
    for rank, entry in enumerate(ranked, 1):
        of = entry["suites"][name]
        score = of["end"]["iqm"]
        found.append(
            {
                "rank": None if of["unranked"] else rank,
                "entry": entry["entry"],
                "author": entry["author"],
                "badge": entry["state"],
                "track": entry["track"],
                "runs": entry["runs"],
                "missing": len(of["missing"]),
                "score": score[0],
                "low": score[1] if len(score) > 1 else None,
                "high": score[2] if len(score) > 1 else None,
                "median": of["end"]["median"][0],
                "above_teacher": of["end"]["above"][0],
                "area": of["area"]["frames"][0],
                "own_flops": entry["cost"]["marginal"]["flops"],
                "full_flops": entry["cost"]["full"]["flops"],
                "unpriced": len(entry["unpriced"]),
                "improvement": of["gain"],
                "beats_next": of.get("beats_next"),
                "cost_badge": entry["cost_badge"],
                "scores_before_the_end": "claimed" if entry["claimed"] else "re-scored",
                "students_gone": len(entry["gone"]),
            }
        )
    return found


def along(board: dict[str, Any], axis: str, suite: str = "") -> list[dict[str, Any]]:
    """Return a row for each entry: the IQM of its scores at shares of an axis's usual budget, best final score first.

    Columns are named by the budget in the axis's unit, with `_low` and `_high` for the ends of the 95 % interval.
    ValueError if there is no such suite.
    """
    name, ranked = _ranked(board, suite)
    grid = next((one["grid"][axis] for one in board["suites"] if one["name"] == name), [])
    points = next((one["levels"][axis] for one in board["suites"] if one["name"] == name), [])
    found = []
    for rank, entry in enumerate(ranked, 1):
        told = {
            "rank": None if entry["suites"][name]["unranked"] else rank,
            **{key: entry[key] for key in ("entry", "author", "runs")},
        }
        told["own_flops"] = entry["cost"]["marginal"]["flops"]
        for point, level in zip(points, entry["suites"][name]["levels"][axis], strict=True):
            budget, (low, high) = f"{grid[point]:g}", level["iqm"][1:] or (None, None)
            told |= {budget: level["iqm"][0], f"{budget}_low": low, f"{budget}_high": high}
        found.append(told)
    return found


def budgets(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the budgets of the columns of rows made by `along`."""
    return [key for key in rows[0] if f"{key}_low" in rows[0]] if rows else []


def _ranked(board: dict[str, Any], suite: str) -> tuple[str, list[dict[str, Any]]]:
    """Return the named suite, or the first, and its entries, best first."""
    names = [one["name"] for one in board["suites"]]
    if suite and suite not in names:
        raise ValueError(f"there is no suite {suite!r}; there are: {', '.join(names) or 'none'}")
    name = suite or (names[0] if names else "")
    found = [entry for entry in board["entries"] if entry["suites"].get(name)]

    def turn(one: dict[str, Any]) -> tuple:
        of = one["suites"][name]
        return bool(of["unranked"]), -of["end"]["iqm"][0], one["author"], one["entry"]

    return name, sorted(found, key=turn)


def runs(results: Results) -> list[dict[str, Any]]:
    """Return a row for every point of every run: the claimed return, and a maintainer's if measured."""
    return [row for _, one in sorted(results.submissions.items()) for row in _points(one, results)]


def _points(one: Submission, results: Results) -> list[dict[str, Any]]:
    """Return the rows of one run."""
    verdict, record = results.verdicts.get(one.record.run), one.record
    points = record.points
    own: list[Any] = list(verdict.points) if verdict and len(verdict.points) == len(points) else [None] * len(points)
    if verdict and verdict.rescored:
        own[-1] = verdict.rescored
    about: dict[str, Any] = {"run": record.run, "author": one.author, "entry": one.entry, "track": one.track}
    about |= {"task": record.task, "method": record.method, "seed": record.seed}
    return [
        {
            **about,
            "point": number,
            **{unit: float(point.spent.get(unit, 0.0)) for unit in UNITS},
            "mean_return": measured.mean if measured else None,
            "episodes": len(measured.returns) if measured else 0,
            "returns": list(measured.returns) if measured else [],
            "claimed_return": point.evaluation.mean,
        }
        for number, (point, measured) in enumerate(zip(points, own, strict=True))
    ]


def _written(one: Submission, results: Results) -> tuple[list[dict[str, Any]], str]:
    """Return the rows of one run, and as lines of comma-separated text."""
    rows = _points(one, results)
    return rows, as_csv(rows).partition("\n")[2]


def _all_written(results: Results, kept: Kept) -> list[tuple[list[dict[str, Any]], str]]:
    """Return what `_written` gives for all runs, kept in one piece for each author."""
    authors = {one.author for one in results.submissions.values()}
    old = {author: kept.load("points", [author]) or {} for author in authors}
    new: dict[str, dict] = {author: {} for author in authors}
    found = []
    for run, one in sorted(results.submissions.items()):
        digest = results.digests.get(run, "")
        found.append(old[one.author].get(digest) or _written(one, results))
        new[one.author][digest] = found[-1]
    for author in authors:
        if new[author].keys() != old[author].keys():
            kept.keep("points", [author], new[author])
    return found


def as_csv(table: list[dict[str, Any]]) -> str:
    """Return comma-separated text without the lists. Text that a spreadsheet would run as a formula is quoted."""
    text = io.StringIO()
    names = [name for name in (table[0] if table else COLUMNS) if name != "returns"]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_safe(row[name]) for name in names] for row in table)
    return text.getvalue()


def as_markdown(table: list[dict[str, Any]]) -> str:
    """Return the board as a Markdown table."""
    lines = [
        "| # | entry | author | badge | score [95 %] | area | full FLOPs | improvement |",
        "|--:|---|---|---|--:|--:|--:|--:|",
    ]
    for row in table:
        cells = [
            ("–" if row["rank"] is None else str(row["rank"])),
            row["entry"],
            row["author"],
            row["badge"],
            _score(row),
            f"{row['area']:.2f}",
            _flops(row),
            _gain(row),
        ]
        lines.append(piped(cells))
    return "\n".join(lines) + "\n"


def piped(cells: Sequence[str]) -> str:
    """Return a line of a Markdown table, with bars in the cells escaped."""
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def as_latex(table: list[dict[str, Any]]) -> str:
    """Return the board as a LaTeX table; needs the package booktabs."""
    lines = [r"\begin{tabular}{rlllrrrr}", r"\toprule"]
    lines += [r"\# & entry & author & badge & score [95\,\%] & area & full FLOPs & improvement \\", r"\midrule"]
    for row in table:
        names = [_tex("--" if row[key] is None else str(row[key])) for key in ("rank", "entry", "author", "badge")]
        names += [_score(row), f"{row['area']:.2f}"]
        lines.append(" & ".join([*names, _tex(_flops(row)).replace("≥", r"$\ge$"), _gain(row)]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def write(
    board: dict[str, Any],
    results: Results,
    folder: Path,
    dataset: str = "reincarnate/results",
    kept: Kept | None = None,
) -> None:
    """Write all exports, and a page that lists them.

    `dataset` names the results repository; its root is the place for `eval.yaml`. `kept`: what builds before have
    computed.
    """
    import pyarrow
    from pyarrow import parquet

    folder.mkdir(parents=True)
    for suite in board["suites"]:
        table = rows(board, suite["name"])
        for ending, make in (("csv", as_csv), ("md", as_markdown), ("tex", as_latex)):
            (folder / f"{suite['name']}.{ending}").write_text(make(table), encoding="utf-8")
        if table:
            parquet.write_table(pyarrow.Table.from_pylist(table), folder / f"{suite['name']}.parquet")
    kept = kept or Kept()
    parts = _all_written(results, kept)
    each = [row for rows, _ in parts for row in rows]
    head = as_csv(each[:1]).partition("\n")[0]
    (folder / "runs.csv").write_text("".join([f"{head}\n", *(lines for _, lines in parts)]), encoding="utf-8")
    if each:
        parquet.write_table(pyarrow.Table.from_pylist(each), folder / "runs.parquet")
    (folder / "eval_results").mkdir()
    for name, text in hub_formats.eval_results(board, dataset).items():
        (folder / "eval_results" / f"{name}.yaml").write_text(text, encoding="utf-8")
    (folder / "eval.yaml").write_text(hub_formats.eval_yaml(results.suites), encoding="utf-8")
    for path, told in hub_formats.every_eval_ever(board, dataset, _version(), now()).items():
        file = folder / "every_eval_ever" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(told) + "\n", encoding="utf-8")
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    items = "".join(f'<li><a href="{html.escape(name)}">{html.escape(name)}</a></li>' for name in names)
    head = '<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="../style.css"><title>Exports</title>'
    (folder / "index.html").write_text(f"{head}<h1>Exports</h1><ul>{items}</ul>\n", encoding="utf-8")


def _version() -> str:
    try:
        return metadata.version("reincarnate")
    except metadata.PackageNotFoundError:  # a checkout, not installed
        return "unknown"


def _safe(value: Any) -> Any:
    return f"'{value}" if type(value) is str and value[:1] in "=+-@\t\r" else value


def estimate(value: float, low: float | None, high: float | None) -> str:
    """Format as `0.53 [0.48, 0.58]`, or the value alone if it has no interval."""
    return f"{value:.2f}" + ("" if low is None else f" [{low:.2f}, {high:.2f}]")


def _score(row: dict[str, Any]) -> str:
    return estimate(row["score"], row["low"], row["high"])


def _flops(row: dict[str, Any]) -> str:
    return ("≥ " if row["unpriced"] else "") + f"{row['full_flops']:.3g}"


def _gain(row: dict[str, Any]) -> str:
    return "" if row["improvement"] is None else f"{row['improvement']:.3f}"


def _tex(text: str) -> str:
    for character in "&%$#_{}":
        text = text.replace(character, f"\\{character}")
    return text
