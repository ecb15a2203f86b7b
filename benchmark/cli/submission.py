"""`reincarnate submit` and `verify`: send runs to a board, and judge them."""

from json import dumps
from math import inf
from pathlib import Path
from typing import Annotated

import typer

from .options import Json, Quiet

At = Annotated[str, typer.Option("--at", help="user/name of the results repository.")]


Hub = Annotated[str, typer.Option(help="Hub of that repository: local, hf, or http://...")]


Episodes = Annotated[int, typer.Option(help="Episodes of the re-evaluation; 0: as many as the run claims.")]


RESULTS = "reincarnate/results"


def submit(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    entry: Annotated[str, typer.Option(help="Label shared by the runs; default: the method.")] = "",
    track: Annotated[str, typer.Option(help="fixed (one configuration for all tasks) or tuned.")] = "fixed",
    tuning: Annotated[list[Path] | None, typer.Option(help="Folder of a run that chose the configuration.")] = None,
    at_least: Annotated[
        list[str] | None, typer.Option(help="Lower bound of an uncounted ancestor: user/name:flops=1e15,frames=1M.")
    ] = None,
    about: Annotated[str, typer.Option(help="A sentence for the entry's page.")] = "",
    film: Annotated[bool, typer.Option(help="Film an episode of each student.")] = True,
    episodes: Episodes = 0,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist.")] = Path("submission"),
    at: At = RESULTS,
    hub: Annotated[str, typer.Option(help="Hub of that repository: local, hf, http://...; default: offline.")] = "",
    send: Annotated[bool, typer.Option("--send", help="Upload and open the pull request; else only check.")] = False,
    quiet: Quiet = False,
) -> None:
    """Check runs like a maintainer, show what would be sent, and with --send open one pull request."""
    from ...datasets.hub.pull_requests import DatasetRepository as Remote
    from ...leaderboard.record import load_record
    from ..display import Display, short
    from ..report.ranking import pairs
    from ..submission import submit as submits

    if track not in ("fixed", "tuned"):
        raise ValueError(f"there is no track {track!r}: give fixed or tuned")
    remote = Remote(at, hub or "local") if hub or send else None
    for run in (*runs, *(tuning or ())):
        load_record(run)  # report a folder that is not a run before contacting a hub
    with Display(quiet) as show:
        bounds, places = dict(map(_bound, at_least or ())), (hub, "bundled") if hub else ("bundled",)
        me = remote.me() if remote else "me"
        known = submits.repository_folder(remote, hub or "local") if remote else submits.without_a_hub()
        offer = submits.Offer(me, entry, track, tuning or (), bounds, about, places, episodes, film)
        plan = submits.prepare(runs, out, known, offer, show)
        where = f"{at} at the hub {hub or 'local'}, as {me}, and {plan.size / 1e6:.1f} MB of students"
        offline = ("checked", "without a hub: only --hub finds earlier requests")
        rows = [("would be sent to", where) if remote else offline]
        for one, verdict, cost in zip(plan.runs, plan.verdicts, plan.costs, strict=True):
            own = short(one.record.points[-1].spent["flops"])
            rows.append((f"run {one.record.run}", f"{one.record.task}, {one.record.method}, seed {one.record.seed}"))
            rows.append(("", f"{own} FLOPs, {short(cost['flops'])} with all ancestors; {_foretold(verdict.state)}"))
            rows += [("", reason) for reason in verdict.reasons]
        typer.echo(pairs(rows))
        if any(verdict.state == "rejected" for verdict in plan.verdicts):
            raise typer.Exit(1)
        if send and remote:
            typer.echo(f"pull request {submits.send(plan, remote, hub or 'local', show)} at {at}")
        else:
            typer.echo(f"{out}: not sent: repeat it with --at {at} --hub {hub or 'local'} --send and another --out")


def verify(
    what: Annotated[str, typer.Argument(help="Number of a pull request, or folder of a submission.")] = "",
    queue: Annotated[bool, typer.Option("--queue", help="Judge all open requests, in order of arrival.")] = False,
    students: Annotated[bool, typer.Option("--students", help="Check that all accepted students still exist.")] = False,
    at: At = RESULTS,
    hub: Hub = "local",
    results: Annotated[str, typer.Option(help="Folder of the results repository, for a submission's folder.")] = "",
    episodes: Episodes = 0,
    seconds: Annotated[float, typer.Option(help="Time limit for one request.")] = 3600.0,
    merge: Annotated[
        bool,
        typer.Option(
            "--merge",
            help="With --queue: comment, write accepted runs to the main branch and close; without: change nothing.",
        ),
    ] = False,
    retrain: Annotated[int, typer.Option(help="Also train N random runs of each request again.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Judge submissions: files, lineage, ledger, and weights on fresh seeds.

    Nothing is written or merged without --merge; --students with it records which students are gone. Exit with 1 if a
    given request or folder is rejected.
    """
    from ...datasets.hub.pull_requests import DatasetRepository as Remote
    from ..display import Display
    from ..submission.apart import Apart
    from ..submission.queue import Rules
    from ..submission.queue import queue as handle
    from ..submission.verify import spoken

    if episodes < 0 or retrain < 0 or not 0 < seconds < inf:
        raise ValueError("--episodes and --retrain must not be negative, and --seconds must be positive: change them")
    if bool(what) + queue + students != 1:
        raise ValueError("name a pull request or a folder, or give --queue for all open requests, or --students")
    if merge and not (queue or students):
        raise ValueError("--merge needs --queue, which keeps the requests in order: leave out --merge")
    if students:
        from ..submission.students import look

        gone = look(Remote(at, hub), hub, merge)
        lines = [f"{run}: {why}" for run, why in gone.items()] or ["all accepted students still exist"]
        typer.echo(dumps(gone, indent=1) if json else "\n".join(lines))
        return
    with Display(quiet, json) as show, Apart() as judges:
        if what and not what.isdigit():
            found = {what: judges.folder(Path(what), results, (hub, "bundled"), episodes, seconds)}
        else:
            remote = Remote(at, hub)
            if queue:
                found = handle(remote, hub, Rules(episodes, seconds, merge, retrain), show)
            else:
                request = next((one for one in remote.requests() if one.number == int(what)), None)
                if request is None:
                    raise ValueError(f"{at} has no open pull request {what}: name an open one")
                told = judges.examine(remote, hub, request, remote.head(), episodes, seconds)
                found = {what: told}
    named = {str(key): told for key, told in found.items()}
    plain = {key: [verdict.model_dump(mode="json") for verdict in told] for key, told in named.items()}
    typer.echo(dumps(plain, indent=1) if json else spoken(named, merge))
    bad = any(verdict.state == "rejected" for told in found.values() for verdict in told)
    raise typer.Exit(1 if bad and not queue else 0)


def _foretold(state: str) -> str:
    return "it would be rejected" if state == "rejected" else f"a maintainer's verdict would be {state}"


def _bound(text: str) -> tuple[str, dict[str, float]]:
    """Split user/name:flops=1e15,frames=1M into the reference and the amounts."""
    from ..training.budget import parse

    reference, colon, amounts = text.partition(":")
    if not colon:
        raise ValueError(f"--at-least {text} is not a lower bound: write user/name:flops=1e15")
    return reference, parse(amounts).limits()
