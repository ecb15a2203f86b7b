"""The leaderboard as a folder of static pages: no server, no other host, opens from disk."""

import html
import json
import shutil
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np

from . import exports
from .board import board, detail
from .costs import costs, family
from .entries import Entry, anchors, entries, grids, state_of, views
from .results import Results, read

PAGES = Path(__file__).parent / "pages"
CARD = """---
title: Leaderboard of reincarnating RL
sdk: static
app_file: index.html
---

Made by `reincarnate leaderboard build`: open `index.html`.
"""  # what the Hub wants of a static Space
ASSETS = ("index.html", "style.css", "words.js", "charts.js", "tree.js", "index.js", "entry.js")


def build(repository: Path, out: Path, baseline: str = "", hub: str = "") -> dict[str, Any]:
    """Write the site of a results repository and return the board.

    `hub`: the address that links to students point at; nothing is ever loaded
    from there. The old site is replaced in one step. ValueError if `out` is
    something else than a site.
    """
    if out.exists() and not (out / "data" / "board.js").is_file():
        raise ValueError(f"{out} exists and is no leaderboard: give another folder with --out, or remove it")
    results = read(repository)
    made = board(results, baseline)
    partial, old = (out.with_name(f".{out.name}.{word}") for word in ("partial", "old"))
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    (partial / "data").mkdir(parents=True)
    try:
        for name in ASSETS:
            shutil.copyfile(PAGES / name, partial / name)
        (partial / "README.md").write_text(CARD, encoding="utf-8")
        (partial / "data" / "board.js").write_text(f"window.BOARD = {_json(made)};\n", encoding="utf-8")
        _entries(results, partial / "entries", hub)
        exports.write(made, results, partial / "exports")
        if out.exists():
            out.rename(old)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return made


def _entries(results: Results, folder: Path, hub: str) -> None:
    folder.mkdir()
    found, scales, of = entries(results), anchors(results), family(results)
    shown = [(suite, grids(found, suite)) for suite in views(results, scales)]
    page = Template((PAGES / "entry.html").read_text(encoding="utf-8"))
    for entry in found:
        first = entry.runs[0]
        about = {
            "hub": hub.rstrip("/"),
            "about": first.about,
            "suites": {
                suite.name: detail(entry, suite, grid)
                for suite, grid in shown
                if any(task in suite.tasks for task in entry.tasks)
            },
            "runs": _runs(results, entry, of),
        }
        title = html.escape(f"{first.author} / {first.entry}")
        filled = page.substitute(title=title, id=html.escape(entry.id), script=f"{quote(entry.id)}.js")
        (folder / f"{entry.id}.html").write_text(filled, encoding="utf-8")
        (folder / f"{entry.id}.js").write_text(f"DETAIL({_json(entry.id)}, {_json(about)});\n", encoding="utf-8")


def _runs(results: Results, entry: Entry, of) -> list[dict[str, Any]]:
    """Return what the page says of each run; costs to the last digit."""
    told = []
    for runs in entry.tasks.values():
        for one in runs:
            record, verdict, spent = one.record, results.verdicts.get(one.record.run), costs(one, of)
            rescored = verdict.rescored if verdict else None
            told.append(
                {
                    "run": record.run,
                    "task": record.task,
                    "seed": record.seed,
                    "state": state_of(results, record.run),
                    "claimed": float(np.mean(record.points[-1].evaluation.returns)),
                    "rescored": [float(np.mean(rescored.returns)), len(rescored.returns)] if rescored else None,
                    "agreement": verdict.agreement if verdict else None,
                    "reasons": list(verdict.reasons) if verdict else [],
                    "retrained": list(verdict.retrained) if verdict else [],
                    "accepted": verdict.accepted if verdict else "",
                    "teacher": verdict.teacher if verdict else "",
                    "gone": verdict.gone if verdict else "",
                    "submitted": one.submitted,
                    "student": one.student,
                    "parents": [parent.reference for parent in record.parents],
                    "spent": record.points[-1].spent,
                    "budget": record.budget,
                    "costs": spent.views,
                    "unpriced": list(spent.unpriced),
                    "ledger": record.ledger,
                    "command": record.command,
                }
            )
    return told


def _json(content: Any) -> str:
    """Return JSON that may stand in a script, whatever names people gave."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
