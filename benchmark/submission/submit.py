"""Submit runs: a folder that is checked as a maintainer would, students on the Hub, one pull request."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ...datasets import atomic
from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import DatasetRepository
from ...datasets.hub.reference import Ref
from ...datasets.words import several
from ...leaderboard import ledger
from ...leaderboard import record as records
from ...leaderboard.costs import costs, family
from ...leaderboard.plain_file import content
from ...leaderboard.results import Results, paths, read
from ...leaderboard.submission import Submission, Tuning, Verdict, checked
from ...leaderboard.suite import BUNDLED
from ..display import Display
from ..prior.ancestors import declare
from ..prior.promote import Description, config_of, student, write_teacher
from .judge import Case, judge, now, seal

UNSENT = "0" * 40  # in place of the commit of a student that is not uploaded yet


class SubmissionPlan(NamedTuple):
    """A submission to be sent, and the verdicts that a maintainer would give."""

    folder: Path  # results/USER/RUN.json and its ledger; students/RUN/
    runs: list[Submission]
    verdicts: list[Verdict]
    costs: list[dict[str, float]]  # including all ancestors
    size: int  # bytes of all students


class Offer(NamedTuple):
    """An author's description of the runs to submit, and options of the check."""

    author: str
    entry: str = ""  # a label that the runs share; default: the method
    track: str = "fixed"  # or tuned
    tuning: Sequence[Path] = ()  # folders of the runs that chose the configuration
    at_least: Mapping[str, Mapping[str, float]] | None = None  # {reference: {unit: amount}}
    about: str = ""  # a sentence for its page
    places: Sequence[str] = ("bundled",)  # hubs to search for ancestors
    episodes: int = 0  # of the check; 0: the claimed number
    film: bool = True  # whether each student gets a film of an episode


def prepare(
    runs: Sequence[Path], out: Path, results: Results, offer: Offer, show: Display | None = None
) -> SubmissionPlan:
    """Write a submission to a new folder and judge it. ValueError if a run cannot be submitted; then nothing is
    written."""
    show = show or Display(quiet=True)
    atomic.vacant(out)
    if not runs:
        raise ValueError("there is nothing to submit: name the folder of at least one run")
    _once(runs)
    tuned = [_tuning(run) for run in offer.tuning]
    made = [_submission(run, results, offer, tuned) for run in runs]
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        for run, one in zip(runs, made, strict=True):
            _student_folder(run, one, partial / "students" / one.record.run, offer.film, show)
            _put(partial, one, content(run / "ledger.jsonl"))
        verdicts: list[Verdict] = []
        for one in made:
            show.note(f"checking run {one.record.run} as a maintainer will")
            case = case_of(partial, one)
            verdicts.append(judge(case, results, made, offer.places, offer.episodes, told=verdicts))
        partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    of = family(results._replace(submissions={**results.submissions, **{one.record.run: one for one in made}}))
    size = sum(path.stat().st_size for path in (out / "students").rglob("*") if path.is_file())
    return SubmissionPlan(out, made, verdicts, [costs(one, of).views["full"] for one in made], size)


def _tuning(run: Path) -> Tuning:
    record = _record(run)
    return checked({"run": record.run, "spent": record.points[-1].spent}, Tuning, str(run))


def _submission(run: Path, results: Results, offer: Offer, tuned: Sequence[Tuning]) -> Submission:
    """Return a run as it would be submitted; ValueError if it, its ledger or what its author says is not valid."""
    record = _record(run)
    if not record.complete:
        raise ValueError(f"{run} has not spent its budget: finish it before submitting it")
    if before := results.submissions.get(record.run):
        raise ValueError(f"run {record.run} was already submitted by {before.author} as {before.entry}")
    ledger.read(run / "ledger.jsonl")
    facts = {
        "author": offer.author,
        "entry": offer.entry or record.method.rpartition(":")[2],
        "track": "tuned" if offer.track == "tuned" else "fixed",
        "submitted": now(),
        "student": f"{offer.author}/{record.run}@{UNSENT}",
        "record": record,
        "sources": tuple(declare(record, results, offer.places, offer.at_least)),
        "tuning": tuple(one for one in tuned if one.run != record.run),
        "about": offer.about,
    }
    return checked(facts, Submission, f"{run} cannot be submitted like this")


def send(plan: SubmissionPlan, repository: DatasetRepository, hub: str, show: Display | None = None) -> int:
    """Upload the students and open a single pull request with the records and ledgers; return its number.

    ValueError if the check rejects a run, or if it is already in an open request.
    """
    show = show or Display(quiet=True)
    for verdict in plan.verdicts:
        if verdict.state == "rejected":
            raise ValueError(f"run {verdict.run} would be rejected: {'; '.join(verdict.reasons)}")
    wanted = {path for one in plan.runs for path in paths(one.author, one.record.run)}
    for request in repository.requests():
        if twice := wanted & set(repository.difference(request).added):
            raise ValueError(f"pull request {request.number} already has {sorted(twice)[0]}: wait for its verdict")
    files: dict[str, bytes] = {}
    for one in plan.runs:
        run = one.record.run
        ref = hubs.publish(plan.folder / "students" / run, f"{one.author}/{run}", "model", hub, message=f"Run {run}")
        show.note(f"student: {ref}")
        sent = one.model_copy(update={"student": str(ref)})
        _put(plan.folder, sent, (plan.folder / paths(one.author, run)[1]).read_bytes())
        for path in paths(one.author, run):
            files[path] = (plan.folder / path).read_bytes()
    first = plan.runs[0]
    title = f"{first.author}: {first.entry}, {several(len(plan.runs), 'run')}"
    return repository.propose(
        files, title, f"Students: {', '.join(f'{one.author}/{one.record.run}' for one in plan.runs)}"
    )


def repository_folder(repository: DatasetRepository, hub: str, commit: str = "") -> Results:
    """Return the results repository at a commit of its main branch, by default the latest."""
    try:
        newest = commit or repository.head()
    except ValueError as error:
        if "has no dataset" not in str(error):
            raise
        make = f"reincarnate leaderboard create {repository.repo} --hub {hub}"
        raise ValueError(f"{error}; `{make}` makes an empty one") from None
    return read(hubs.snapshot(Ref(repository.repo, newest), "dataset", hub))


def without_a_hub() -> Results:
    """Return what is known without a hub: the bundled suites, and no results."""
    return read(BUNDLED.parent)


def case_of(folder: Path, one: Submission) -> Case:
    """Return a run in a submission's folder, ready to be judged."""
    names = paths(one.author, one.record.run)
    seals = {name: seal(content(folder / name)) for name in names}
    lines = ledger.read(folder / names[1])
    return Case(one, lines, folder / "students" / one.record.run, seals)


def _record(run: Path) -> records.RunRecord:
    return records.load(run / "record.json")


def _once(runs: Sequence[Path]) -> None:
    """Raise ValueError if two folders are of one run: the same folder, or copies that continued separately."""
    found: dict[str, Path] = {}
    for folder in runs:
        name = _record(folder).run
        if (other := found.setdefault(name, folder)) is not folder:
            raise ValueError(
                f"{other} and {folder} are both run {name}{_parted(other, folder)}: submit only one of them"
            )


def _parted(one: Path, other: Path) -> str:
    line = ledger.parting(*(ledger.read(folder / "ledger.jsonl") for folder in (one, other)))
    return f", copied and continued twice (their ledgers part at line {line})" if line else ""


def _put(folder: Path, one: Submission, lines: bytes) -> None:
    record, log = (folder / path for path in paths(one.author, one.record.run))
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(one.model_dump_json() + "\n", encoding="utf-8")
    log.write_bytes(lines)


def _student_folder(run: Path, one: Submission, folder: Path, film: bool, show: Display) -> None:
    """Make the model repository of a run's last student: weights, configuration, card, film, record and ledger."""
    policy, task, record, point = student(run)  # checks the weights against the record
    folder.mkdir(parents=True)
    shutil.copyfile(run / point.file, folder / "policy.safetensors")
    for earlier in record.points[:-1]:  # maintainers play the students of all points
        (folder / earlier.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / earlier.file, folder / earlier.file)
    for name in ("record.json", "ledger.jsonl"):
        shutil.copyfile(run / name, folder / name)
    name = f"{one.author}/{record.run}"
    config = config_of(run, name, record, point)
    write_teacher(folder, task, policy, point.evaluation, Description(name, config, record.model_dump()), show, film)
