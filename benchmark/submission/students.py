"""Check that accepted students are still at their references: a repository can be deleted, or created again."""

from ...datasets.hub import hub as hubs
from ...datasets.hub.pull_requests import DatasetRepository
from ...datasets.hub.reference import Ref
from ...leaderboard.costs import ACCEPTED
from ...leaderboard.results import verdict_path
from .judge import now
from .submit import repository_folder


def look(repository: DatasetRepository, hub: str, write: bool = True) -> dict[str, str]:
    """Return {run: why} for accepted runs whose student is gone.

    Verdicts record since when, in `gone`; the entry is removed when the student is back. ValueError if the hub does not
    answer; then nothing is recorded.
    """
    base = repository.head()
    results = repository_folder(repository, hub, base)
    found, files = {}, {}
    for run, verdict in sorted(results.verdicts.items()):
        one = results.submissions.get(run)
        if one is None or verdict.state not in ACCEPTED:
            continue
        if why := _why_gone(one.student, repository, hub):
            found[run] = why
        since = (verdict.gone or now()) if why else ""
        if since != verdict.gone:
            told = verdict.model_copy(update={"gone": since})
            files[verdict_path(one.author, run)] = (told.model_dump_json() + "\n").encode()
    if write and files:
        repository.write(files, f"Look for {len(results.verdicts)} students: {len(found)} are gone", base)
    return found


def _why_gone(student: str, repository: DatasetRepository, hub: str) -> str:
    """Return why a student is unavailable; empty if its owner publishes its commit."""
    try:
        published = hubs.is_published(Ref.parse(student), "model", hub)
    except ValueError as error:
        repository.head()  # raises if the hub does not answer
        return str(error)
    return (
        ""
        if published
        else f"{student} is not a commit of its repository any more: its history was rewritten or it was created anew"
    )
