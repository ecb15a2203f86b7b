"""The leaderboard as a folder of static pages, which open from disk without a server or another host."""

import html
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from . import exports, told
from .board import board
from .costs import family
from .detail import detail
from .entries import anchors, entries, grids, matrices, views
from .provenance import commit_of, today
from .results import Results, read

PAGES = Path(__file__).parent / "pages"
CARD = """---
title: Leaderboard of reincarnating RL
sdk: static
app_file: index.html
---

Made by `reincarnate leaderboard build`: open `index.html`.
"""  # front matter of a static Space on the Hub
ASSETS = ("index.html", "style.css", "words.js", "charts.js", "tables.js", "tree.js", "index.js", "entry.js")
VENDOR = ("d3.min.js", "plot.umd.min.js", "LICENSE-d3.txt", "LICENSE-plot.txt")  # unmodified


class Around(NamedTuple):
    """Content of the pages that is not in the results repository."""

    at: str = "reincarnate/results"  # the repository that takes requests
    methods: Mapping[str, str] = {}  # descriptions of methods, a sentence or two each
    published: Mapping[str, Mapping[str, str]] = {}  # student -> addresses of its public files
    students: Mapping[str, Path] = {}  # student -> folder of files to copy into the site


def build(repository: Path, out: Path, baseline: str = "", around: Around | None = None) -> dict[str, Any]:
    """Write the site of a results repository and return the board.

    The old site is replaced atomically. ValueError if `out` is not a site.
    """
    around = around or Around()
    if out.exists() and not (out / "data" / "board.js").is_file():
        raise ValueError(f"{out} exists and is not a leaderboard: give another folder with --out, or remove it")
    results = read(repository)
    made = board(results, baseline)
    made["about"] = {
        "built": today(),
        "commit": commit_of(repository),
        "at": around.at,
        "methods": _methods(made, around),
    }
    partial, old = (out.with_name(f".{out.name}.{word}") for word in ("partial", "old"))
    for folder in (partial, old):
        shutil.rmtree(folder, ignore_errors=True)
    (partial / "data").mkdir(parents=True)
    try:
        for name in ASSETS:
            shutil.copyfile(PAGES / name, partial / name)
        (partial / "vendor").mkdir()
        for name in VENDOR:
            shutil.copyfile(PAGES / "vendor" / name, partial / "vendor" / name)
        (partial / "README.md").write_text(CARD, encoding="utf-8")
        (partial / "data" / "board.js").write_text(f"window.BOARD = {_json(made)};\n", encoding="utf-8")
        _entries(results, partial / "entries", {**around.published, **_copied(around.students, partial / "students")})
        exports.write(made, results, partial / "exports", around.at)
        if out.exists():
            out.rename(old)
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return made


def _entries(results: Results, folder: Path, published: Mapping[str, Mapping[str, str]]) -> None:
    folder.mkdir()
    found, scales, of = entries(results), anchors(results), family(results)
    shown = [(suite, grids(found, suite)) for suite in views(results, scales)]
    page = Template((PAGES / "entry.html").read_text(encoding="utf-8"))
    for entry in found:
        first = entry.runs[0]
        about = {
            "about": first.about,
            "suites": {
                suite.name: detail(entry, suite, matrices(entry, suite, grid))
                for suite, grid in shown
                if any(task in suite.tasks for task in entry.tasks)
            },
            "runs": told.runs(results, entry, of, published),
        }
        title = html.escape(f"{first.author} / {first.entry}")
        filled = page.substitute(title=title, id=html.escape(entry.id), script=f"{quote(entry.id)}.js")
        (folder / f"{entry.id}.html").write_text(filled, encoding="utf-8")
        (folder / f"{entry.id}.js").write_text(f"DETAIL({_json(entry.id)}, {_json(about)});\n", encoding="utf-8")


def _methods(made: Mapping[str, Any], around: Around) -> dict[str, str]:
    used = {method for entry in made["entries"] for method in entry["methods"]}
    return {name: text for name, text in around.methods.items() if name in used}


def _copied(students: Mapping[str, Path], folder: Path) -> dict[str, dict[str, str]]:
    """Copy the weights and films of students into the site; return their addresses relative to an entry's page."""
    found: dict[str, dict[str, str]] = {}
    for student, place in students.items():
        name = student.partition("@")[0].replace("/", "~")
        for file in (told.WEIGHTS, told.FILM):
            if (place / file).is_file():
                (folder / name).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / file, folder / name / file)
                found.setdefault(student, {})[file] = f"../students/{quote(name)}/{file}"
    return found


def _json(content: Any) -> str:
    """Return JSON that is safe inside a script element."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
