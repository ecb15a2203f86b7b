"""The leaderboard as a folder of static pages, which open from disk without a server or another host."""

import contextlib
import html
import json
import secrets
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from string import Template
from typing import Any, NamedTuple
from urllib.parse import quote

from . import exports, told
from .board import Made, make
from .detail import detail
from .entries import Entry, matrices
from .kept import Kept
from .provenance import commit_of, today
from .results import Results, read
from .uncollected import uncollected

PAGES = Path(__file__).parent / "pages"
RULES = Path(__file__).parent / "README.md"
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


@uncollected()
def build(
    results: Results | Path, out: Path, baseline: str = "", around: Around | None = None, kept: Kept | None = None
) -> dict[str, Any]:
    """Write the site of a results repository, or of its folder, and return the board.

    The old site is replaced atomically. `kept`: what builds before have computed; with it or without, the site is the
    same. ValueError if `out` is not a site.
    """
    kept = kept or Kept()
    around = around or Around()
    if out.exists() and not (out / "data" / "board.js").is_file():
        raise ValueError(f"{out} exists and is not a leaderboard: give another folder with --out, or remove it")
    results = read(results, kept) if isinstance(results, Path) else results
    found = make(results, baseline, kept)
    made = found.board
    made["about"] = {
        "built": today(),
        "commit": commit_of(results.folder),
        "at": around.at,
        "methods": _methods(made, around),
    }
    fresh = _beside(out, "partial")
    (fresh / "data").mkdir(parents=True)
    try:
        for name in ASSETS:
            shutil.copyfile(PAGES / name, fresh / name)
        (fresh / "vendor").mkdir()
        for name in VENDOR:
            shutil.copyfile(PAGES / "vendor" / name, fresh / "vendor" / name)
        (fresh / "README.md").write_text(CARD, encoding="utf-8")
        shutil.copyfile(RULES, fresh / "rules.txt")  # text, which browsers show
        (fresh / "data" / "board.js").write_text(f"window.BOARD = {_json(made)};\n", encoding="utf-8")
        published = {**around.published, **_copied(around.students, fresh / "students")}
        _entries(results, found, fresh / "entries", published, kept)
        exports.write(made, results, fresh / "exports", around.at, kept)
        _replace(out, fresh)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return made


def _beside(out: Path, word: str) -> Path:
    """Return a name next to the site that no other build uses."""
    return out.with_name(f".{out.name}.{secrets.token_hex(4)}.{word}")


def _replace(out: Path, fresh: Path) -> None:
    """Give the new site its name; if that fails, the old one keeps it."""
    if not out.exists():
        fresh.rename(out)
        return
    old = _beside(out, "old")
    out.rename(old)
    try:
        fresh.rename(out)
    except BaseException:
        with contextlib.suppress(OSError):  # another build has put its site there: both are kept
            old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _entries(
    results: Results, made: Made, folder: Path, published: Mapping[str, Mapping[str, str]], kept: Kept
) -> None:
    folder.mkdir()
    page = Template((PAGES / "entry.html").read_text(encoding="utf-8"))
    suites = [suite.model_dump_json() for suite, _ in made.shown]
    for entry in made.found:
        of = [[made.spent[one.record.run], published.get(one.student)] for one in entry.runs]
        parts = [entry.id, entry.content, *suites, repr(of)]
        script = kept.value("page", parts, partial(_script, results, made, entry, published))
        title = html.escape(f"{entry.runs[0].author} / {entry.runs[0].entry}")
        filled = page.substitute(title=title, id=html.escape(entry.id), script=f"{quote(entry.id)}.js")
        (folder / f"{entry.id}.html").write_text(filled, encoding="utf-8")
        (folder / f"{entry.id}.js").write_text(script, encoding="utf-8")


def _script(results: Results, made: Made, entry: Entry, published: Mapping[str, Mapping[str, str]]) -> str:
    about = {
        "about": entry.runs[0].about,
        "suites": {
            suite.name: detail(entry, suite, matrices(entry, suite, grid))
            for suite, grid in made.shown
            if any(task in suite.tasks for task in entry.tasks)
        },
        "runs": told.runs(results, entry, made.spent, published),
    }
    return f"DETAIL({_json(entry.id)}, {_json(about)});\n"


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
