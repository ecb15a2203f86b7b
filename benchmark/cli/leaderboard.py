"""`reincarnate leaderboard ...`: the ranking in the terminal and as web pages."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.words import several
from ...leaderboard.units import AXES
from .evaluate import span_of
from .help import group
from .options import Quiet
from .submission import RESULTS, At, Hub

leaderboard = group("The ranking of a results repository.")

DatasetRepository = Annotated[Path, typer.Argument(help="Folder of a results repository.")]
Which = Annotated[str, typer.Option(help="Suite to show; default: the one with the most runs.")]
Baseline = Annotated[str, typer.Option(help="Compare with this entry, author~label~track, also on large boards.")]
FORMATS = ("terminal", "csv", "markdown", "latex", "json")


@leaderboard.command()
def show(
    repository: DatasetRepository,
    suite: Which = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "terminal",
    along: Annotated[
        str, typer.Option(help=f"Show the scores at budgets of one of these instead: {', '.join(AXES)}; not as LaTeX.")
    ] = "",
    only: Annotated[str, typer.Option(help="Only these entries, comma-separated.")] = "",
    plot: Annotated[
        str, typer.Option(help="Also draw the entries as intervals, or with --along the scores, to this PNG.")
    ] = "",
) -> None:
    """Print the ranking like the board's page: scores at budgets, area under the curve, cost, the baseline."""
    import json

    from ...leaderboard import exports
    from ...leaderboard.board import board
    from ...leaderboard.results import read
    from ..report import ranking as tables

    if form not in FORMATS or (along and form == "latex"):
        raise ValueError(f"{form!r} is not a format of this table: use one of {', '.join(FORMATS)}")
    if along and along not in AXES:
        raise ValueError(f"{along!r} is not a unit of budgets: use one of {', '.join(AXES)}")
    made = board(read(repository))
    table = exports.along(made, along, suite) if along else exports.rows(made, suite)
    names = [name.strip() for name in only.split(",") if name.strip()]
    if odd := sorted(set(names) - {row["entry"] for row in table}):
        raise ValueError(f"there is no entry {odd[0]!r}: use one of {', '.join(row['entry'] for row in table)}")
    table = [row for row in table if row["entry"] in names or not names]
    if plot:
        from ...datasets import atomic
        from ..report.plots import entries, png, scores

        drawn = scores(table, along) if along else entries(*tables.intervals(made, table, suite))
        atomic.write(Path(plot), png(drawn))
    if form == "terminal" and not table:
        how = "send one with `reincarnate submit RUN --at USER/NAME --send`, and accept it with `reincarnate verify"
        kept = ", ".join(one["name"] for one in made["suites"]) or "no suite"
        typer.echo(f"{repository}, with {kept}, has no accepted run yet: {how} --queue --merge`")
    elif form == "terminal":
        from ..tables import room

        head_and_cells = tables.along(table, along) if along else ([], [])
        shown = tables.drawn(*head_and_cells, along, room()) if along else tables.terminal(made, table, suite, room())
        typer.echo(shown)
    elif along and form == "markdown":
        typer.echo(tables.markdown(*tables.along(table, along)))
    else:
        plain = {"csv": exports.as_csv, "markdown": exports.as_markdown, "latex": exports.as_latex}
        typer.echo(plain[form](table) if form in plain else json.dumps(table), nl=form == "json")
    for sentence in made["faults"]:
        typer.echo(f"left out: {sentence}", err=True)


@leaderboard.command()
def build(
    repository: DatasetRepository,
    out: Annotated[Path, typer.Option(help="Folder to write; a previous site there is replaced.")] = Path("site"),
    baseline: Baseline = "",
    at: At = RESULTS,
    hub: Annotated[str, typer.Option(help="Link to the students on this hub: hf, or http://...")] = "",
    students: Annotated[Path | None, typer.Option(help="Folder of students to copy into the site.")] = None,
) -> None:
    """Build the static site; it opens from disk, contacts no other host, and has exports as Parquet, CSV, LaTeX and
    Markdown."""
    from ...datasets import folders
    from ...leaderboard.kept import Kept
    from ...leaderboard.results import read
    from ...leaderboard.site import build as make
    from ..report import around

    kept = Kept(folders.caches() / "board.sqlite")
    results = read(repository, kept)
    made = make(results, out, baseline, around.around(results, at, hub, students), kept)
    kept.close()
    runs = sum(entry["runs"] for entry in made["entries"])
    entries = several(len(made["entries"]), "entry", "entries")
    typer.echo(f"{out / 'index.html'}: {entries}, {several(runs, 'run')}, {several(len(made['suites']), 'suite')}")
    for sentence in made["faults"]:
        typer.echo(f"left out: {sentence}", err=True)


@leaderboard.command()
def create(
    at: Annotated[str, typer.Argument(help="user/name of the new results repository.")],
    suites: Annotated[str, typer.Option(help="Names of bundled suites, comma-separated; default: all.")] = "",
    hub: Hub = "local",
) -> None:
    """Create a results repository that accepts runs, with the bundled suites."""
    from ..submission.create import create as make

    made = make(at, hub, [name.strip() for name in suites.split(",") if name.strip()])
    typer.echo(f"{at} at the hub {hub}, with the suites {', '.join(made)}")
    typer.echo(f"next: reincarnate submit RUN --at {at} --hub {hub} --send --out sent")


@leaderboard.command()
def suite(
    name: Annotated[str, typer.Argument(help="Name of the suite: lower-case letters, digits and dashes.")],
    tasks: Annotated[
        str,
        typer.Option(
            help="minatar5, atari-small, atari10, pendulum, halfcheetah, mujoco3, walker-walk, balloon, or tasks "
            "comma-separated."
        ),
    ],
    repository: Annotated[Path, typer.Option(help="Folder of the results repository; it gets suites/NAME-vN.json.")],
    version: Annotated[int, typer.Option(help="Version of the suite; its anchors never change.")] = 1,
    episodes: Annotated[int, typer.Option(help="Whole episodes for random play and for each teacher.")] = 200,
    costs: Annotated[
        str,
        typer.Option(help="Spans of the fronts: flops=1e12..1e18,frames=1M..1B; default: around each teacher's cost."),
    ] = "",
    teacher: Annotated[
        str, typer.Option(help="Teachers to use instead of the pinned ones: reincarnate/{task}-pqn.")
    ] = "",
    hub: Annotated[str, typer.Option(help="Hub on which the teachers are looked up.")] = "bundled",
    episode_seeds: Annotated[
        str, typer.Option("--seeds", help="Seeds of the episodes, such as small_eval or 0..99, instead of --episodes.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Measure random play and the teachers again, and fix the results as the anchors of a suite."""
    from ..display import Display
    from ..submission import suite_anchors
    from ..tasks.suites import filled, tasks_of

    spans, which = suite_anchors.spans_of(costs), span_of(episode_seeds) or episodes
    teachers = {task: filled(teacher, task) for task in tasks_of(tasks)}
    suite_anchors.path_of(name, version, repository)
    with Display(quiet) as show:
        made = suite_anchors.measure(name, teachers, version, which, spans, hub, show)
    typer.echo(f"{suite_anchors.write(made, repository)}: {made.about}")


@leaderboard.command()
def price(
    references: Annotated[list[str], typer.Argument(help="user/name@commit of teachers, or of logs with --logs.")],
    repository: Annotated[Path, typer.Option(help="Folder of the results repository; it gets prices.json.")],
    logs: Annotated[bool, typer.Option("--logs", help="The references are logs.")] = False,
    hub: Annotated[str, typer.Option(help="Hub on which references are looked up.")] = "bundled",
) -> None:
    """Record the costs of outside teachers and logs, from their own ledgers; a price never changes."""
    from ..display import short
    from ..prior.ancestors import enter

    kind = "log" if logs else "teacher"
    for one in enter(dict.fromkeys(references, kind), repository, (hub,)):
        typer.echo(f"{one.reference}: {short((one.spent or {}).get('flops', 0.0))} FLOPs")


@leaderboard.command()
def revoke(
    run: Annotated[str, typer.Argument(help="Id of a run of the results repository.")],
    reason: Annotated[str, typer.Option(help="The reason, in one sentence.")],
    at: At = RESULTS,
    hub: Hub = "local",
) -> None:
    """Revoke a run; all its descendants are flagged."""
    from ...datasets.hub.pull_requests import DatasetRepository as Remote
    from ..submission.next_generation import revoke as make

    below = make(run, reason, Remote(at, hub), hub)
    typer.echo(f"run {run} is revoked; flagged descendants: {', '.join(below) or 'none'}")
