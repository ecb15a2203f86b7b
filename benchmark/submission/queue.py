"""The maintainer's queue: judge every open request, and write accepted ones to the main branch.

No request's branch is ever merged. The judged bytes are committed to the main branch directly after the commit that
they were judged against, or not at all if anything else was pushed; then the request is closed. A request cannot crash
the queue or delay the others.
"""

import hashlib
import random
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ...datasets.hub.pull_requests import DatasetRepository, Moved, Request
from ...leaderboard import seen as registry
from ...leaderboard.results import Results, paths, verdict_path
from ...leaderboard.seen import Seen, Student
from ...leaderboard.submission import Verdict
from ..display import Display
from .apart import Apart, Died
from .submit import repository_folder
from .verify import SECONDS, report

MARK = "<!-- reincarnate verdict on {} -->"
TRIES = 5  # attempts at writing, in case of concurrent writers
WAITING = 16  # requests of an author that are judged before the other authors get their turn


class Rules(NamedTuple):
    """How to judge the requests of a queue."""

    episodes: int = 0  # of the re-evaluation; 0: the claimed number
    seconds: float = SECONDS  # maximum per request
    write: bool = True  # whether accepted runs are written to the main branch
    again: int = 0  # number of randomly drawn runs per request to train again


def queue(
    repository: DatasetRepository,
    hub: str,
    rules: Rules = Rules(),  # noqa: B008 (it cannot change)
    show: Display | None = None,
    judge: Any = None,
) -> dict[int, list[Verdict]]:
    """Handle all open and draft requests, in the order in which their commits were first seen.

    Completed steps are skipped, so the queue can be repeated, or killed and restarted. A rejected request stays open,
    and is judged again when its author adds a commit. `judge`: judges in place of a child process.
    """
    show, me = show or Display(quiet=True), repository.me()
    found: dict[int, list[Verdict]] = {}
    done: set[int] = set()
    with Apart() if judge is None else nullcontext(judge) as judges:
        while turns := _turns(repository, hub, rules.write, done):
            for request in turns:
                done.add(request.number)
                try:
                    told = _handled(request, repository, hub, me, rules, judges)
                except ValueError as error:  # its author may have closed it, or others are writing
                    repository.head()  # if the hub does not answer, the queue ends without a verdict
                    show.note(f"pull request {request.number}: {error}")
                    continue
                if told is not None:
                    found[request.number] = told
                    show.note(f"pull request {request.number} by {request.author}: {_word(told, rules.write)}")
    return found


def _turns(repository: DatasetRepository, hub: str, write: bool, done: Collection[int]) -> list[Request]:
    """Return the open requests that are not `done` and whose turn it is, earliest commit first.

    All new requests are recorded, also those whose turn comes later, so that nobody who is judged before them can take
    their students for his own.
    """
    requests = repository.requests()
    for _ in range(TRIES):
        base = repository.head()
        rows = repository_folder(repository, hub, base).seen
        heads = _in_order([(one.number, one.author, one.head) for one in requests], rows, repository)
        after = registry.noticed(rows, heads, datetime.now(UTC))
        known = {(row.request, row.head) for row in rows}
        if write and any((row.request, row.head) not in known for row in after):
            try:
                repository.write({registry.FILE: registry.written(after)}, "Note new requests", base)
            except Moved:
                continue
        return _fair([one for one in requests if one.number not in done], after)
    raise Moved(f"{repository.repo} keeps changing: run the queue when it is quiet")


def _fair(requests: Sequence[Request], rows: Sequence[Seen]) -> list[Request]:
    """Return the requests in the order in which they were seen, but only so many new ones of an author that nobody can
    fill the queue.
    """
    known = {row.request: row for row in rows}
    waiting: dict[str, int] = {}
    found = []
    for one in sorted(requests, key=lambda one: known[one.number].first):
        row = known[one.number]
        if row.state == "waiting":
            waiting[one.author] = waiting.get(one.author, 0) + 1
        if row.state != "waiting" or waiting[one.author] <= WAITING:
            found.append(one)
    return found


def _in_order(
    heads: Sequence[tuple[int, str, str]], rows: Sequence[Seen], repository: DatasetRepository
) -> list[tuple[int, str, str]]:
    """Return the commits in the order in which the hub received them: a request that was opened early may just have
    been filled with another author's student.
    """
    seen = {(row.request, row.head) for row in rows}
    new = [(number, author, head) for number, author, head in heads if (number, head) not in seen]
    if len(new) < 2:
        return sorted(heads)
    times = {number: repository.pushed(number, head) for number, _, head in new}
    return sorted(heads, key=lambda one: (times.get(one[0], 0.0), one[0]))


def _handled(
    request: Request, repository: DatasetRepository, hub: str, me: str, rules: Rules, judges: Any
) -> list[Verdict] | None:
    """Handle a request; None if there is nothing new."""
    name, mark = f"#{request.number}@{request.head}", MARK.format(request.head)
    for _ in range(TRIES):
        base = repository.head()
        results = repository_folder(repository, hub, base)
        row = next(
            (each for each in results.seen if each.request == request.number and each.head == request.head), None
        )
        said = any(author == me and mark in text for author, text in repository.comments(request.number))
        if row is not None and row.state == "rejected" and said:
            return None
        held = [verdict for verdict in results.verdicts.values() if verdict.request == name]
        told = held or _judged(request, repository, hub, base, rules, judges)
        fresh = [verdict for verdict in told if verdict.request == name and not held]
        if rules.write and fresh:
            files = _files(request, repository, results, told) if _good(told) else {}
            after = _noted(results.seen, request, told)
            files |= {registry.FILE: registry.written(after)}
            mine = [row for row in after if row.request == request.number and row.students]
            files |= {registry.path(row.request): registry.listed(row) for row in mine}
            try:
                repository.write(files, f"Verdict on pull request {request.number}", base)
            except Moved:
                continue
        if rules.write and not said:
            repository.comment(request.number, f"{mark}\n{report(told)}")
        if rules.write and _good(told):
            text = "Accepted: the maintainer has written what was judged to the main branch. Nothing was merged."
            repository.close(request.number, text)
        return told
    raise Moved("others wrote first: it will be judged again next time")


def _judged(
    request: Request, repository: DatasetRepository, hub: str, base: str, rules: Rules, judges: Any
) -> list[Verdict]:
    """Return verdicts on a request without raising: errors caused by untrusted files are reasons to reject it."""
    name = f"#{request.number}@{request.head}"
    try:
        told = judges.examine(repository, hub, request, base, rules.episodes, rules.seconds)
    except Exception as error:  # noqa: BLE001
        repository.head()  # if the hub does not answer, the queue ends without a verdict
        reason = str(error) if isinstance(error, Died) else f"it could not be judged: {type(error).__name__}"
        return [Verdict(run="", state="rejected", reasons=(reason,), request=name)]
    if not _good(told):
        return told
    held = [number for number, verdict in enumerate(told) if verdict.state == "re-scored"]
    for number in random.SystemRandom().sample(held, min(rules.again, len(held))):
        try:
            told[number] = judges.retrain(repository, hub, request, base, told[number], rules.seconds)
        except Died as error:
            reasons = (*told[number].reasons, f"it was not re-trained: {error}")
            told[number] = told[number].model_copy(update={"reasons": reasons})
    return told


def _files(
    request: Request, repository: DatasetRepository, results: Results, told: Sequence[Verdict]
) -> dict[str, bytes]:
    """Return the judged files and the verdicts at paths of the request's author, and nothing else but the revocation of
    later runs that copy these.
    """
    first = next((row.first for row in results.seen if row.request == request.number), "")
    files: dict[str, bytes] = {}
    for verdict in told:
        for path in paths(request.author, verdict.run):
            data = repository.read(path, request.head)
            if hashlib.sha256(data).hexdigest() != verdict.seals.get(path):
                raise ValueError(f"{path} is not what was judged")
            files[path] = data
        dated = verdict.model_copy(update={"seen": first})
        files[verdict_path(request.author, verdict.run)] = (dated.model_dump_json() + "\n").encode()
        for run in verdict.copies:
            before = results.verdicts[run]
            why = f"it copies run {verdict.run} of {request.author}, whose request was seen before this one's"
            after = before.model_copy(update={"state": "revoked", "reasons": (*before.reasons, why)})
            files[verdict_path(results.submissions[run].author, run)] = (after.model_dump_json() + "\n").encode()
    return files


def _noted(rows: Sequence[Seen], request: Request, told: Sequence[Verdict]) -> list[Seen]:
    """Add the outcome of a request to the rows, with the students in it that were examined.

    Accepted students are in their verdicts. A digest alone proves nothing, since the weights may be another's.
    """
    after = []
    for row in rows:
        if row.request == request.number:
            known = {one.parameters: one for one in row.students}  # earlier entries keep their date
            for verdict in told:
                if verdict.run and verdict.fingerprint and verdict.parameters not in known and not _good(told):
                    known[verdict.parameters] = Student(
                        run=verdict.run,
                        parameters=verdict.parameters,
                        fingerprint=verdict.fingerprint,
                        task=verdict.task,
                        seed=verdict.seed,
                        above=verdict.above,
                        first=row.first,
                    )
            state = "accepted" if _good(told) else "rejected"
            row = row.model_copy(update={"state": state, "students": tuple(known.values())[-registry.MOST :]})
        after.append(row)
    return after


def _good(told: Sequence[Verdict]) -> bool:
    return bool(told) and all(verdict.state != "rejected" for verdict in told)


def _word(told: Sequence[Verdict], write: bool) -> str:
    return ("accepted and written" if write else "accepted") if _good(told) else "rejected"
