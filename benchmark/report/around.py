"""What a board's pages show besides its records: descriptions of methods, and which students can be downloaded."""

from pathlib import Path

from ...agents import keywords
from ...datasets.hub import hub as hubs
from ...datasets.hub import place
from ...datasets.hub.reference import Ref
from ...leaderboard import record as records
from ...leaderboard.results import Results
from ...leaderboard.site import Around
from ...leaderboard.told import FILM, WEIGHTS


def around(results: Results, at: str = "", hub: str = "", students: Path | None = None) -> Around:
    """Collect what the pages of a results repository need from outside of it.

    `hub`: where to look up its students; empty: nowhere. `students`: a folder of students' folders.
    """
    used = {one.record.method for one in results.submissions.values()}
    known = {*keywords.shipped(), *keywords.RENAMED}
    methods = {name: _first(keywords.about(keywords.find(name))) for name in sorted(used & known)}
    return Around(at, methods, published(results, hub) if hub else {}, _here(results, students) if students else {})


def published(results: Results, hub: str) -> dict[str, dict[str, str]]:
    """Return the addresses of the students' weights and films at a hub."""
    wanted = {one.student.partition("@")[0]: one.student for one in results.submissions.values()}
    url = str(place.find(hub).api().endpoint).rstrip("/")
    found: dict[str, dict[str, str]] = {}
    for author in sorted({one.author for one in results.submissions.values()}):
        there = {one.ref.repo for one in hubs.search("model", hub, text=author, most=10_000)}
        for repo in sorted(there & wanted.keys()):
            try:
                files = hubs.files(Ref.parse(wanted[repo]), "model", hub)
            except ValueError:
                continue  # the name now belongs to another student
            base = f"{url}/{repo}/resolve/{wanted[repo].partition('@')[2]}"
            found[wanted[repo]] = {name: f"{base}/{name}" for name in (WEIGHTS, FILM) if name in files}
    return found


def _here(results: Results, folder: Path) -> dict[str, Path]:
    """Return the students' folders by their references in the repository."""
    found = {}
    for path in sorted(folder.glob("*/record.json")):
        one = results.submissions.get(records.load(path).run)
        if one is not None:
            found[one.student] = path.parent
    return found


def _first(text: str) -> str:
    """Return the first two paragraphs, each on one line."""
    return "\n".join(" ".join(part.split()) for part in text.split("\n\n")[:2])
