"""A results repository on disk: `results/USER/RUN.json`, its ledger, the maintainers' verdicts, prices and suites."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from . import prices
from . import seen as registry
from . import submission as submissions
from .kept import Kept
from .plain_file import content
from .seen import Seen
from .submission import Source, Submission, Verdict
from .suite import Suite, parse, season, suite_id
from .unchanged import models
from .uncollected import uncollected


class Results(NamedTuple):
    """The content of a repository, and the faults of files that cannot be read."""

    folder: Path
    submissions: dict[str, Submission]  # by run
    verdicts: dict[str, Verdict]  # by run
    suites: tuple[Suite, ...]
    faults: tuple[str, ...]
    prices: tuple[Source, ...] = ()  # of outside teachers and logs, one per digest
    seen: tuple[Seen, ...] = ()  # requests that the queue has seen, and when
    digests: dict[str, str] = {}  # by run: SHA-256 of its submission, followed by its verdict's


def paths(author: str, run: str) -> tuple[str, str]:
    """Return the paths of a run's submission and ledger, relative to the repository."""
    return f"results/{author}/{run}.json", f"results/{author}/{run}.ledger.jsonl"


def verdict_path(author: str, run: str) -> str:
    return f"verdicts/{author}/{run}.json"


@uncollected()
def read(folder: Path, kept: Kept | None = None) -> Results:
    """Read a repository, possibly empty; ValueError if there is no such folder.

    `kept`: what was read before, by content; an unchanged file is not checked again.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: name the folder of a results repository")
    kept = kept or Kept()
    found: dict[str, Submission] = {}
    faults: list[str] = []
    verdicts: dict[str, Verdict] = {}
    digests: dict[str, str] = {}
    sealed: dict[str, str] = {}  # SHA-256 by path
    for name, one, digest, fault in models(folder, "results", Submission, submissions.data_of, kept):
        if one is None:
            faults.append(fault)
        elif name != paths(one.author, one.record.run)[0]:
            faults.append(f"{name} is of {one.author}'s run {one.record.run}: it is in the wrong place")
        elif one.record.run in found:
            faults.append(f"{name}: there is already a run {one.record.run} by {found[one.record.run].author}")
        else:
            found[one.record.run], digests[one.record.run], sealed[name] = one, digest, digest
    for name, one, digest, fault in models(folder, "verdicts", Verdict, content, kept):
        if one is None:
            faults.append(fault)
            continue
        if one.run in found and name != verdict_path(found[one.run].author, one.run):
            faults.append(f"{name} is a verdict on run {one.run}, and is in the wrong place")
            continue
        verdicts[one.run] = one
        if one.run in found and _edited(one, folder, sealed, faults):
            verdicts.pop(one.run)
        elif one.run in found:
            digests[one.run] += digest
    suites = _suites(folder, faults)
    known: tuple[Source, ...] = ()
    rows: tuple[Seen, ...] = ()
    try:
        known = prices.parse(content(folder / prices.FILE), prices.FILE)
    except FileNotFoundError:
        pass
    except (ValueError, OSError) as error:
        faults.append(str(error))
    try:
        rows = registry.parse(content(folder / registry.FILE), registry.FILE)
        rows = tuple(_with_students(row, folder) for row in rows)
    except FileNotFoundError:
        pass
    except (ValueError, OSError) as error:
        faults.append(str(error))
    return Results(folder, found, verdicts, suites, tuple(faults), known, rows, digests)


def _suites(folder: Path, faults: list[str]) -> tuple[Suite, ...]:
    """Return the newest version of each suite and the suites of ended seasons; append what cannot be read."""
    suites: dict[str, Suite] = {}
    for path in sorted(folder.glob("suites/*.json")):
        try:
            one = parse(content(path), str(path))
            if one.name not in suites or suites[one.name].version < one.version:
                suites[one.name] = one
        except (ValueError, OSError) as error:
            faults.append(str(error))
    for one in list(suites.values()):
        try:
            if ended := season(one, folder / "seasons" / f"{suite_id(one.name, one.version)}.json"):
                suites[ended.name] = ended
        except (ValueError, OSError) as error:
            faults.append(str(error))
    return tuple(suites.values())


def _edited(verdict: Verdict, folder: Path, sealed: Mapping[str, str], faults: list[str]) -> bool:
    """Return whether a file differs from what was judged; append what is wrong. `sealed`: SHA-256 of known files."""
    edited = False
    for name, seal in verdict.seals.items():
        try:
            if (sealed.get(name) or _sha256(content(folder / name))) != seal:
                edited = True
                faults.append(f"{name} was edited after it was judged: its verdict no longer counts")
        except (ValueError, OSError) as error:
            faults.append(str(error))
    return edited


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _with_students(row: Seen, folder: Path) -> Seen:
    """Return a row of the queue with the students that came with it, if they have a file of their own."""
    path = folder / registry.path(row.request)
    try:
        data = content(path)
    except FileNotFoundError:
        return row
    return row.model_copy(update={"students": registry.students(data, registry.path(row.request))})
