"""The maintainer's side: judge folders and pull requests, say so on the request, merge what holds."""

import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import Repository, Request
from ...datasets.hub.reference import Ref
from ...leaderboard import check, ledger
from ...leaderboard import submission as submissions
from ...leaderboard.results import Results, read, verdict_path
from ...leaderboard.submission import Submission, Verdict
from ..display import Display
from .deadline import until
from .judge import MOST_BYTES, Case, judge, seal
from .retrain import retrain
from .submit import case_of, repository_folder

SECONDS = 3600.0  # for one request
MOST_RUNS = 200  # of one request
MARK = "<!-- reincarnate verdict on {} -->"


def verify_folder(
    folder: Path, results: Results, places: Sequence[str], episodes: int = 0, seconds: float = SECONDS
) -> list[Verdict]:
    """Judges a submission's folder, as `submit` writes it. ValueError if there is no submission in it."""
    found = read(folder)
    told = [Verdict(run="", state="rejected", reasons=found.faults)] if found.faults else []
    if not found.submissions and not told:
        raise ValueError(f"{folder} has no submission: it needs results/USER/RUN.json, its ledger, and students/RUN")
    together, deadline = list(found.submissions.values()), time.monotonic() + seconds
    return told + [
        _careful(case_of(folder, one), results, together, places, episodes, deadline, "") for one in together
    ]


def verify_request(
    request: Request,
    repository: Repository,
    hub: str,
    results: Results,
    episodes: int = 0,
    seconds: float = SECONDS,
    again: int = 0,
) -> list[Verdict]:
    """Judges all runs of a pull request by its newest commit. Nothing that it holds can raise, only be rejected.

    `again`: so many of its runs, drawn by chance, are also trained again.
    """
    name = f"#{request.number}@{request.head}"

    def reject(*reasons: str, run: str = "") -> Verdict:
        return Verdict(run=run, state="rejected", reasons=tuple(r[:2000] for r in reasons), request=name)

    deadline = time.monotonic() + seconds
    try:
        with until(deadline):
            difference = repository.difference(request)
            if wrong := check.changes(request.author, difference.added, difference.changed, difference.removed):
                return [reject(*wrong)]
            names = sorted(path for path in difference.added if not path.endswith(".ledger.jsonl"))
            if len(names) > MOST_RUNS:
                return [reject(f"{len(names)} runs are too many: at most {MOST_RUNS} in one pull request")]
            large = [path for path, size in difference.added.items() if size > _limit(path)]
            if large:
                return [reject(*(f"{path} is larger than {_limit(path)} bytes" for path in sorted(large)))]
            parsed: dict[str, Submission] = {}
            data: dict[str, bytes] = {path: repository.read(path, request.head) for path in difference.added}
            for path in names:
                one = submissions.parse(data[path], Submission, path)
                if path != f"results/{one.author}/{one.record.run}.json" or one.author != request.author:
                    says = f"that it is {one.author}'s run {one.record.run}, in {request.author}'s request"
                    return [reject(f"{path}: it says {says}")]
                parsed[path] = one
    except ValueError as error:
        return [reject(str(error))]
    told, together = [], list(parsed.values())
    for path, one in parsed.items():
        log = path.removesuffix(".json") + ".ledger.jsonl"
        seals = {path: seal(data[path]), log: seal(data[log])}
        with tempfile.TemporaryDirectory() as scratch:
            try:
                (Path(scratch) / "ledger.jsonl").write_bytes(data[log])
                lines = ledger.read(Path(scratch) / "ledger.jsonl")
                with until(deadline):
                    case = Case(one, lines, _fetch(one.student, hub), seals)
            except ValueError as error:
                told.append(reject(str(error), run=one.record.run))
                continue
        told.append(_careful(case, results, together, (hub, "bundled"), episodes, deadline, name))
    held = [number for number, verdict in enumerate(told) if verdict.state == "re-scored"]
    for number in random.SystemRandom().sample(held, min(again, len(held))):
        told[number] = retrain(together[number], told[number], hub, deadline)
    return told


def queue(
    repository: Repository,
    hub: str,
    episodes: int = 0,
    seconds: float = SECONDS,
    merge: bool = True,
    again: int = 0,
    show: Display | None = None,
) -> dict[int, list[Verdict]]:
    """Handles all open and draft requests: verdicts as a comment and in the repository, then the merge.

    Each step is skipped if it was done before, so that it can be run twice, or killed and run again. A rejected
    request stays open: it is looked at again when its author adds a commit.
    """
    show, me = show or Display(quiet=True), repository.me()
    found: dict[int, list[Verdict]] = {}
    for request in repository.requests():
        mark = MARK.format(request.head)
        said = [text for author, text in repository.comments(request.number) if author == me and mark in text]
        results = repository_folder(repository, hub)
        name = f"#{request.number}@{request.head}"
        held = [verdict for verdict in results.verdicts.values() if verdict.request == name]
        if said and not held:
            continue  # rejected, and nothing new since
        verdicts = held or verify_request(request, repository, hub, results, episodes, seconds, again)
        found[request.number] = verdicts
        good = all(verdict.state != "rejected" for verdict in verdicts)
        if good and merge and not held:
            files = {
                verdict_path(request.author, verdict.run): (verdict.model_dump_json() + "\n").encode()
                for verdict in verdicts
            }
            repository.write(files, f"Verdict on pull request {request.number}")
        if not said:
            repository.comment(request.number, f"{mark}\n{report(verdicts)}")
        if good and merge:
            repository.merge(request.number)
        words = "merged" if good and merge else "accepted" if good else "rejected"
        show.note(f"pull request {request.number} by {request.author}: {words}")
    return found


def report(verdicts: Sequence[Verdict]) -> str:
    """Verdicts as a comment: a sentence for each reason, and the whole as JSON."""
    lines = []
    for verdict in verdicts:
        lines.append(f"**{verdict.run or 'this request'}: {verdict.state}**")
        lines += [f"- {_harmless(reason)}" for reason in verdict.reasons]
        if verdict.rescored:
            mean = sum(verdict.rescored.returns) / len(verdict.rescored.returns)
            lines.append(
                f"- claimed {verdict.claimed:.2f}, re-scored {mean:.2f} over {len(verdict.rescored.returns)} episodes"
            )
        if verdict.agreement is not None:
            lines.append(f"- acts like its teacher on {verdict.agreement:.0%} of what it saw")
    whole = "[" + ",\n".join(verdict.model_dump_json() for verdict in verdicts) + "]"
    return "\n".join([*lines, "", "```json", _harmless(whole), "```"])[:60_000]


def _careful(case: Case, results: Results, together, places, episodes: int, deadline: float, name: str) -> Verdict:
    """A verdict, whatever happens: what a stranger's file provokes is a reason to reject it."""
    try:
        with until(deadline):
            return judge(case, results, together, places, episodes, name)
    except Exception as error:  # noqa: BLE001
        reason = f"it could not be judged: {type(error).__name__}: {str(error)[:300]}"
        return Verdict(run=case.submission.record.run, state="rejected", reasons=(reason,), request=name)


def _fetch(reference: str, hub: str) -> Path:
    """A student's repository, if it is small enough to be looked at."""
    if not check.is_pinned(reference):
        raise ValueError(f"student: {reference[:200]} is not pinned: give user/name@commit")
    ref = Ref.parse(reference)
    files = hubs.files(ref, "model", hub)
    if len(files) > 32 or sum(files.values()) > MOST_BYTES:
        raise ValueError(
            f"student: {reference} has {len(files)} files of {sum(files.values()):,} bytes: too many or too large"
        )
    return hubs.snapshot(ref, "model", hub)


def _limit(path: str) -> int:
    return ledger.LIMIT if path.endswith(".ledger.jsonl") else submissions.LIMIT


def _harmless(text: str) -> str:
    """Nothing that a stranger wrote ends a block, mentions anybody or loads a picture."""
    return text.replace("`", "'").replace("@", "@\u200b").replace("![", "[").replace("<", "&lt;")
