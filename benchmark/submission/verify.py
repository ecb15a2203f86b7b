"""The maintainer's side: judge a submission's folder or pull request, and write a comment."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import DatasetRepository, Request
from ...datasets.hub.reference import Ref
from ...datasets.words import several
from ...leaderboard import exports, ledger, rules
from ...leaderboard import submission as submissions
from ...leaderboard.board import board
from ...leaderboard.results import Results, paths, read
from ...leaderboard.submission import Submission, Verdict, sentence, sentences
from .judge import MOST_BYTES, MOST_FILES, MOST_TOGETHER, Case, judge, seal
from .submit import case_of

SECONDS = 3600.0  # maximum per request
LEDGER = 16 * 2**20  # maximum bytes of a submitted ledger; a line per minute for ten days takes a third


def verify_folder(folder: Path, results: Results, places: Sequence[str], episodes: int = 0) -> list[Verdict]:
    """Judge a submission's folder, as written by `submit`. ValueError if there is no submission in it."""
    found = read(folder)
    told = [Verdict(run="", state="rejected", reasons=sentences(found.faults))] if found.faults else []
    if not found.submissions and not told:
        raise ValueError(f"{folder} has no submission: it needs results/USER/RUN.json, its ledger, and students/RUN")
    together = list(found.submissions.values())
    for one in together:
        told.append(_careful(case_of(folder, one), results, together, places, episodes, "", told))
    return told


def verify_request(
    request: Request, repository: DatasetRepository, hub: str, results: Results, episodes: int = 0
) -> list[Verdict]:
    """Judge all runs of a pull request at its newest commit. Its content cannot raise an error, only be rejected.

    Runs that are already on the main branch, byte for byte, keep their verdict.
    """
    name = f"#{request.number}@{request.head}"

    def reject(*reasons: str, run: str = "") -> Verdict:
        return Verdict(run=run, state="rejected", reasons=sentences(reasons), request=name)

    try:
        difference = repository.difference(request)
        if wrong := rules.changes(request.author, difference.added, difference.changed, difference.removed):
            return [reject(*wrong)]
        if large := rules.too_large(difference.added, _limit):
            return [reject(*large)]
        cases = [_read(path, request, repository) for path in sorted(difference.added) if _is_record(path)]
    except Exception as error:  # noqa: BLE001
        return [reject(_why(error, "it could not be read"))]
    told, together = [], [one for one, *_ in cases]
    if len(set(one.record.run for one in together)) < len(together):
        return [reject("two of its runs have the same id")]
    left = MOST_TOGETHER
    for one, lines, seals in cases:
        run = one.record.run
        before = results.verdicts.get(run)
        if before is not None and dict(before.seals) == seals:
            told.append(before)
            continue
        try:
            folder, size = _fetch(one.student, request.author, hub, left)
            case, left = Case(one, lines, folder, seals), left - size
        except Exception as error:  # noqa: BLE001
            told.append(reject(_why(error, "the student could not be fetched"), run=run))
            continue
        told.append(_careful(case, results, together, (hub, "bundled"), episodes, name, told))
    if any(verdict.state == "rejected" for verdict in told):
        for one in together:  # they would fill the disk
            if rules.is_pinned(one.student) and one.student.startswith(f"{request.author}/"):
                hubs.forget(Ref.parse(one.student), "model", hub)
    return told


def submitted(request: Request, repository: DatasetRepository, run: str) -> tuple[Submission, list[dict]]:
    """Return one run of a request and the lines of its ledger."""
    one, lines, _ = _read(paths(request.author, run)[0], request, repository)
    return one, lines


def _read(path: str, request: Request, repository: DatasetRepository) -> tuple[Submission, list[dict], dict[str, str]]:
    """Return a run of a request: its submission, its ledger, and the digests of both files."""
    log = path.removesuffix(".json") + ".ledger.jsonl"
    data = {each: repository.read(each, request.head) for each in (path, log)}
    one = submissions.parse(data[path], Submission, path)
    if path != paths(one.author, one.record.run)[0] or one.author != request.author:
        says = f"that it is {one.author}'s run {one.record.run}, in {request.author}'s request"
        raise ValueError(f"{path}: it says {says}")
    return one, ledger.parse(data[log], log), {each: seal(content) for each, content in data.items()}


def findings(verdict: Verdict) -> list[str]:
    """Describe the findings on a run: reasons, the claimed and measured score, and its similarity to its teacher."""
    found = list(verdict.reasons)
    if verdict.rescored and verdict.claimed is not None:
        played = several(len(verdict.rescored.returns), "episode")
        found.append(f"claimed {verdict.claimed:.2f}, re-scored {verdict.rescored.mean:.2f} over {played}")
    if verdict.agreement is not None:
        found.append(f"acts like its teacher on {verdict.agreement:.0%} of what it saw")
    return found


def report(verdicts: Sequence[Verdict]) -> str:
    """Format verdicts as a comment: a sentence for each finding, and everything as JSON."""
    lines = []
    for verdict in verdicts:
        lines.append(f"**{verdict.run or 'this request'}: {verdict.state}**")
        lines += [f"- {_harmless(one)}" for one in findings(verdict)]
    whole = "[" + ",\n".join(verdict.model_dump_json() for verdict in verdicts) + "]"
    return "\n".join([*lines, "", "```json", _harmless(whole), "```"])[:60_000]


def spoken(found: Mapping[str, Sequence[Verdict]], merged: bool) -> str:
    """Format the verdicts on requests or folders for the terminal, with the next step."""
    if not found:
        return "no request waits for a verdict"
    lines = []
    for name, verdicts in found.items():
        lines.append(f"{'request ' if name.isdigit() else ''}{name}")
        for verdict in verdicts:
            lines.append(f"  {verdict.run or 'all of it'}: {verdict.state}")
            lines += [f"    {one}" for one in findings(verdict)]
    if not merged:
        lines.append(
            "nothing was changed: `reincarnate verify --queue --merge` writes accepted runs and tells the authors"
        )
    return "\n".join(lines)


def _careful(case: Case, results: Results, together, places, episodes: int, name: str, told) -> Verdict:
    """Return a verdict without raising: errors caused by an untrusted file are reasons to reject it."""
    try:
        verdict = judge(case, results, together, places, episodes, name, told)
        if verdict.state != "rejected":
            shown(case.submission, verdict, results)
        return verdict
    except Exception as error:  # noqa: BLE001
        reason = sentence(_why(error, "it could not be judged"))
        return Verdict(run=case.submission.record.run, state="rejected", reasons=(reason,), request=name)


def shown(one: Submission, verdict: Verdict, results: Results) -> None:
    """Build the board of this run alone; any error is a reason to reject the run, since no run may break the board."""
    run = one.record.run
    alone = results._replace(submissions={run: one}, verdicts={run: verdict}, faults=())
    made = board(alone)
    if made["faults"]:
        raise ValueError(f"the board cannot show it: {made['faults'][0]}")
    text = json.dumps([made, exports.runs(alone)], allow_nan=False) + exports.as_csv(exports.runs(alone))
    text.encode("utf-8")


def _why(error: Exception, what: str) -> str:
    """Return a sentence for a fault: our own unchanged, a library's with its name."""
    return str(error) if type(error) is ValueError else f"{what}: {type(error).__name__}: {str(error)[:300]}"


def _fetch(reference: str, author: str, hub: str, left: int) -> tuple[Path, int]:
    """Return a student's repository and its bytes, if it is the author's own, published, and small enough.

    `left`: bytes that the request's students may still use.
    """
    if not rules.is_pinned(reference):
        raise ValueError(f"student: {reference[:200]} is not pinned: give user/name@commit")
    ref = Ref.parse(reference)
    if ref.repo.partition("/")[0] != author:
        raise ValueError(f"student: {reference} is not in {author}'s own namespace")
    if not hubs.is_published(ref, "model", hub):
        raise ValueError(f"student: {reference} is not a commit of its main branch, but of somebody's pull request")
    files = hubs.files(ref, "model", hub)
    if len(files) > MOST_FILES or sum(files.values()) > MOST_BYTES:
        raise ValueError(
            f"student: {reference} has {several(len(files), 'file')} of {sum(files.values()):,} bytes: "
            "too many or too large"
        )
    size = sum(files.values())
    if size > left:
        raise ValueError(f"student: the request's students have more than {MOST_TOGETHER:,} bytes: split the request")
    return hubs.snapshot(ref, "model", hub), size


def _is_record(path: str) -> bool:
    return not path.endswith(".ledger.jsonl")


def _limit(path: str) -> int:
    return submissions.LIMIT if _is_record(path) else LEDGER


def _harmless(text: str) -> str:
    """Escape untrusted text so that it cannot end a code block, mention users or load images."""
    return text.replace("`", "'").replace("@", "@\u200b").replace("![", "[").replace("<", "&lt;")
