"""`reincarnate leaderboard ...`: the ranking in the terminal and as pages."""

from pathlib import Path
from typing import Annotated

import typer

from .cli_report import Quiet

leaderboard = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The ranking of a results repository.")

Repository = Annotated[Path, typer.Argument(help="The folder of a results repository.")]
Which = Annotated[str, typer.Option(help="Which suite; default: the first.")]
Baseline = Annotated[str, typer.Option(help="Compare with this entry, author~label~track, also on large boards.")]
FORMATS = ("terminal", "csv", "markdown", "latex", "json")


@leaderboard.command()
def show(
    repository: Repository,
    suite: Which = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "terminal",
    along: Annotated[
        str, typer.Option(help="Instead, scores at budgets of: frames, flops, seconds, device; not as LaTeX.")
    ] = "",
    only: Annotated[str, typer.Option(help="These entries, with commas between.")] = "",
    plot: Annotated[str, typer.Option(help="With --along: also draw them to this PNG file.")] = "",
) -> None:
    """Print the ranking: score with its interval, badge, what it cost, how far it moved the front."""
    import json

    from ..leaderboard import exports
    from ..leaderboard.board import board
    from ..leaderboard.entries import AXES
    from ..leaderboard.results import read
    from . import board_table as tables

    if form not in FORMATS or (along and form == "latex"):
        raise ValueError(f"there is no format {form!r} here; there are {', '.join(FORMATS)}")
    if along and along not in AXES:
        raise ValueError(f"there are no budgets of {along!r}; there are {', '.join(AXES)}")
    if plot and not along:
        raise ValueError(f"--plot draws scores at budgets: say which with --along, one of {', '.join(AXES)}")
    made = board(read(repository))
    table = exports.along(made, along, suite) if along else exports.rows(made, suite)
    names = [name.strip() for name in only.split(",") if name.strip()]
    if odd := sorted(set(names) - {row["entry"] for row in table}):
        raise ValueError(f"there is no entry {odd[0]!r}; there are {', '.join(row['entry'] for row in table)}")
    table = [row for row in table if row["entry"] in names or not names]
    if plot:
        from ..datasets import atomic
        from .report_plots import png, scores

        atomic.write(Path(plot), png(scores(table, along)))
    if form == "terminal":
        from rich.console import Console

        shown = tables.drawn(*tables.along(table, along)) if along else tables.terminal(made, table, suite)
        Console().print(shown)
    elif along and form == "markdown":
        typer.echo(tables.markdown(*tables.along(table, along)))
    else:
        plain = {"csv": exports.as_csv, "markdown": exports.as_markdown, "latex": exports.as_latex}
        typer.echo(plain[form](table) if form in plain else json.dumps(table), nl=form == "json")
    for sentence in made["faults"]:
        typer.echo(f"left out: {sentence}", err=True)


@leaderboard.command()
def build(
    repository: Repository,
    out: Annotated[Path, typer.Option(help="Folder of the site; an old site there is replaced.")] = Path("site"),
    baseline: Baseline = "",
    hub: Annotated[str, typer.Option(help="Address that links to students point at.")] = "https://huggingface.co",
) -> None:
    """Make the static site: opens from disk, asks no other host; with exports as Parquet, CSV, LaTeX and Markdown."""
    from ..leaderboard.site import build as make

    made = make(repository, out, baseline, hub)
    runs = sum(entry["runs"] for entry in made["entries"])
    typer.echo(f"{out / 'index.html'}: {len(made['entries'])} entries, {runs} runs, {len(made['suites'])} suites")
    for sentence in made["faults"]:
        typer.echo(f"left out: {sentence}", err=True)


@leaderboard.command()
def suite(
    name: Annotated[str, typer.Argument(help="Name of the suite; small letters, digits and dashes.")],
    tasks: Annotated[str, typer.Option(help="minatar5, atari-small, atari10, or tasks with commas between.")],
    repository: Annotated[Path, typer.Option(help="Folder of the results repository; it gets suites/NAME-vN.json.")],
    version: Annotated[int, typer.Option(help="The anchors of a version never change.")] = 1,
    episodes: Annotated[int, typer.Option(help="Whole episodes of random play and of each teacher.")] = 200,
    costs: Annotated[
        str,
        typer.Option(help="Spans of the fronts: flops=1e12..1e18,frames=1M..1B; default: around each teacher's cost."),
    ] = "",
    hub: Annotated[str, typer.Option(help="Where the teachers are looked up.")] = "bundled",
    quiet: Quiet = False,
) -> None:
    """Measure random play and the pinned teachers anew, and fix them as the anchors of a suite."""
    from . import anchors
    from .display import Display
    from .suite import tasks_of

    spans = anchors.spans_of(costs)
    anchors.path_of(name, version, repository)
    with Display(quiet) as show:
        made = anchors.measure(name, tasks_of(tasks), version, episodes, spans, hub, show=show)
    typer.echo(f"{anchors.write(made, repository)}: {made.about}")


@leaderboard.command()
def price(
    references: Annotated[list[str], typer.Argument(help="user/name@commit of teachers, or of logs with --logs.")],
    repository: Annotated[Path, typer.Option(help="Folder of the results repository; it gets prices.json.")],
    logs: Annotated[bool, typer.Option("--logs", help="The references are logs.")] = False,
    hub: Annotated[str, typer.Option(help="Where they are looked up.")] = "bundled",
) -> None:
    """Enter what teachers and logs from outside cost, by their own ledgers; a price never changes."""
    from .display import short
    from .sources import enter

    kind = "log" if logs else "teacher"
    for one in enter(dict.fromkeys(references, kind), repository, (hub,)):
        typer.echo(f"{one.reference}: {short((one.spent or {}).get('flops', 0.0))} FLOPs")


At = Annotated[str, typer.Option("--at", help="user/name of the results repository.")]
Hub = Annotated[str, typer.Option(help="Where it is: local, hf, or http://...")]
Episodes = Annotated[int, typer.Option(help="Episodes of the re-evaluation; 0: as many as the run claims.")]
RESULTS = "reincarnate/results"


def submit(
    runs: Annotated[list[Path], typer.Argument(help="Folders of finished runs.")],
    entry: Annotated[str, typer.Option(help="Label that the runs share; default: the method.")] = "",
    track: Annotated[str, typer.Option(help="fixed: one configuration for all tasks; tuned.")] = "fixed",
    tuning: Annotated[list[Path] | None, typer.Option(help="Folder of a run that chose the configuration.")] = None,
    at_least: Annotated[
        list[str] | None, typer.Option(help="Lower bound of an uncounted ancestor: user/name:flops=1e15,frames=1M.")
    ] = None,
    about: Annotated[str, typer.Option(help="A sentence for its page.")] = "",
    film: Annotated[bool, typer.Option(help="Each student with a film of an episode.")] = True,
    out: Annotated[Path, typer.Option(help="Folder to write; it must not exist.")] = Path("submission"),
    at: At = RESULTS,
    hub: Hub = "local",
    send: Annotated[bool, typer.Option("--send", help="Upload and open the pull request; else only check.")] = False,
    quiet: Quiet = False,
) -> None:
    """Check runs as a maintainer will, show what will be sent, and with --send open one pull request."""
    from ..datasets.pull_requests import Repository as Remote
    from . import submit as submits
    from .board_table import pairs
    from .display import Display, short

    if track not in ("fixed", "tuned"):
        raise ValueError(f"there is no track {track!r}; there are fixed and tuned")
    remote = Remote(at, hub)
    with Display(quiet) as show:
        plan = submits.prepare(
            runs,
            out,
            remote.me(),
            submits.repository_folder(remote, hub),
            entry,
            track,
            tuning or (),
            dict(map(_bound, at_least or ())),
            (hub, "bundled"),
            about,
            film=film,
            show=show,
        )
        rows = [
            (
                "would be sent to",
                f"{at} at the hub {hub}, as {plan.runs[0].author}, and {plan.size / 1e6:.1f} MB of students",
            )
        ]
        for one, verdict, cost in zip(plan.runs, plan.verdicts, plan.costs, strict=True):
            own = short(one.record.points[-1].spent["flops"])
            rows.append((f"run {one.record.run}", f"{one.record.task}, {one.record.method}, seed {one.record.seed}"))
            rows.append(("", f"{own} FLOPs, {short(cost['flops'])} with all ancestors; it is {verdict.state}"))
            rows += [("", reason) for reason in verdict.reasons]
        typer.echo(pairs(rows))
        if any(verdict.state == "rejected" for verdict in plan.verdicts):
            raise typer.Exit(1)
        if send:
            typer.echo(f"pull request {submits.send(plan, remote, hub, show)} at {at}")
        else:
            typer.echo(f"{out}: nothing is sent yet, add --send and another --out")


def verify(
    what: Annotated[str, typer.Argument(help="Number of a pull request, or a submission's folder.")] = "",
    queue: Annotated[bool, typer.Option("--queue", help="All open requests: judge, comment, write.")] = False,
    at: At = RESULTS,
    hub: Hub = "local",
    results: Annotated[str, typer.Option(help="Folder of the results repository, for a submission's folder.")] = "",
    episodes: Episodes = 0,
    seconds: Annotated[float, typer.Option(help="At most so long for one request.")] = 3600.0,
    merge: Annotated[bool, typer.Option("--write/--no-write", help="Write what holds to the main branch.")] = True,
    retrain: Annotated[int, typer.Option(help="Also train so many runs of each request again, drawn by chance.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Judge a submission: its files, its lineage, its ledger, and its weights on fresh seeds. Prints JSON."""
    from ..datasets.pull_requests import Repository as Remote
    from .display import Display
    from .submission.apart import Apart
    from .submission.queue import queue as handle

    if bool(what) == queue:
        raise ValueError("name a pull request or a folder, or give --queue for all open requests")
    with Display(quiet) as show, Apart() as judges:
        if what and not what.isdigit():
            found = {what: judges.folder(Path(what), results, (hub, "bundled"), episodes, seconds)}
        else:
            remote = Remote(at, hub)
            if queue:
                found = handle(remote, hub, episodes, seconds, merge, retrain, show)
            else:
                request = next((one for one in remote.requests() if one.number == int(what)), None)
                if request is None:
                    raise ValueError(f"{at} has no open pull request {what}")
                told = judges.examine(remote, hub, request, remote.head(), episodes, seconds)
                found = {what: told}
    typer.echo(_json({str(key): [verdict.model_dump() for verdict in told] for key, told in found.items()}))
    bad = any(verdict.state == "rejected" for told in found.values() for verdict in told)
    raise typer.Exit(1 if bad and not queue else 0)


@leaderboard.command()
def revoke(
    run: Annotated[str, typer.Argument(help="Id of a run of the results repository.")],
    reason: Annotated[str, typer.Option(help="Why, in a sentence.")],
    at: At = RESULTS,
    hub: Hub = "local",
) -> None:
    """Revoke a run; everything that descends from it is flagged."""
    from ..datasets.pull_requests import Repository as Remote
    from .promotion import revoke as make

    below = make(run, reason, Remote(at, hub), hub)
    typer.echo(f"run {run} is revoked; descendants that are flagged: {', '.join(below) or 'none'}")


def _bound(text: str) -> tuple[str, dict[str, float]]:
    """user/name:flops=1e15,frames=1M -> the reference and the amounts."""
    from .budget import parse

    reference, colon, amounts = text.partition(":")
    if not colon:
        raise ValueError(f"--at-least {text} is no lower bound: write user/name:flops=1e15")
    return reference, parse(amounts).limits()


def _json(content: object) -> str:
    import json

    return json.dumps(content, indent=1)
