"""`reincarnate quickstart`, `run`, `tasks` and `methods`: start a run, and list its options."""

import inspect
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..runs.request import RunRequest, folder_of
from .options import Json, OfFile, Out, Quiet, asking, given, pairs, with_file
from .report import show_run

At = Annotated[str, typer.Option("--at", help="user/name of a results repository, for a task such as atari/Pong@1.")]


def quickstart(
    out: Annotated[str, typer.Option(metavar="FOLDER", help="Folder to write; the same command resumes.")] = "",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of both students.")] = 0,
    atari: Annotated[bool, typer.Option("--atari", help="Do the same on Pong: about 15 minutes on two cores.")] = False,
    short: Annotated[
        bool, typer.Option("--short", help="Finish in seconds: every part runs, little is learned.")
    ] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train two students of equal cost, one reincarnated and one from scratch, and compare them.

    It needs no network, and under 4 minutes on two CPU cores. It measures random play and the teacher, trains both
    students side by side, and produces a plot, a film and two runs that can be submitted.
    """
    from json import dumps

    from ..display import Display
    from ..quickstart import demo as demos
    from ..quickstart.start import quickstart as start

    demo = demos.ATARI if atari else demos.DEMO
    folder = out or f"runs/quickstart{'-atari' if atari else ''}{'-short' if short else ''}"
    with Display(quiet, json) as show:
        told = start(folder, seed, demos.shortest(demo) if short else demo, show)
    if json:
        typer.echo(dumps({"verdict": told.verdict, "next": [line for _, line in told.next], **told.facts}, indent=1))
        return
    typer.echo("\n" + "\n".join(told.verdict))
    typer.echo(f"\nplot: {told.files[0]}\nfilm: {told.files[1]}\n\nNext:")
    for what, command in told.next:
        typer.echo(f"  # {what}\n  {command}")


@asking()
def run(
    context: typer.Context,
    network: Annotated[str, typer.Option(help="nature, dqn2013, impala:width=2, ...; default: the task's own.")] = "",
    file: OfFile = "",
    at: At = "",
    out: Out = "",
    resume: Annotated[
        str, typer.Option(help="Folder of an interrupted run; it resumes with its original options.")
    ] = "",
    on: Annotated[str, typer.Option(help="Where to run: local, or jobs (Hugging Face Jobs).")] = "local",
    option: Annotated[list[str] | None, typer.Option(help="With --on jobs: flavor=t4-small, timeout=2h.")] = None,
    dry: Annotated[bool, typer.Option("--dry-run", help="With --on jobs: show the job without submitting it.")] = False,
    json: Json = False,
    quiet: Quiet = False,
    **asked: Any,
) -> None:
    """Train a student under a budget, evaluate it at several sample budgets, and write its record.

    Ctrl-C stops at the next update; --resume continues from the last checkpoint, also after a crash.
    """
    from ...leaderboard.record import load_record
    from ..display import Display
    from ..runs import run as runs

    if resume:
        if other := sorted(given(context) - {"--resume", "--quiet", "--json"}):
            raise ValueError(
                f"a run resumes with its original options: leave out {', '.join(other)}, or start another run"
            )
        with Display(quiet, json) as show:
            record = runs.resume(resume, show)
        show_run(record, Path(resume), json)
        return
    if not (asked["task"] and asked["budget"]):
        raise ValueError("a run needs a task and a budget: give --task and --budget, or --resume")
    words = {"settings": pairs(asked["settings"] or []), "teacher": with_file(asked["teacher"], file)}
    request = RunRequest(**asked | words)
    if on not in ("local", "jobs"):
        raise ValueError(f"--on {on} is not a place for a single run: use local or jobs")
    if on == "local" and (option or dry):
        raise ValueError("--option and --dry-run need --on jobs")
    if on == "jobs":
        from ..sweep.jobs import alone

        if at:
            raise ValueError("a job cannot use --at: name the teacher with --teacher")
        settings = request.settings | ({"network": network} if network else {})
        place = Path(folder_of(request.task, request.method, request.seed, out))
        alone(replace(request, settings=settings), place, pairs(option or []), dry, typer.echo)
        if not dry:
            show_run(load_record(place), place, json)
        return
    with Display(quiet, json) as show:
        folder = folder_of(request.task, request.method, request.seed, out)
        record = runs.run(request, network=network, out=folder, at=at, display=show)
    show_run(record, folder, json)


def tasks(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="WORD", help="Only tasks with all these words in their names: pong.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Also list the games without a bundled teacher.")] = False,
    at: At = "",
    hub: Annotated[str, typer.Option(help="Hub of the results repository.")] = "bundled",
) -> None:
    """List the tasks, first those with a teacher and a log.

    With --at, list the tasks of promoted students, each with its teacher and log.
    """
    wanted = [word.lower() for word in words or ()]
    fits = lambda name: all(word in name.lower() for word in wanted)  # noqa: E731
    if at:
        from ..prior.promoted_tasks import known

        for name, line in known(at, hub):
            if fits(name):
                typer.echo(f"{name:28} {line}")
        return
    from ...agents.keywords import meant
    from ..prior.ready import ready
    from ..tables import Column, described, room, text
    from ..tasks.task import known

    width = room()
    own = "reincarnate/" if width < 100 else ""  # owner of the bundled teachers and logs
    rows = [
        (
            one.task,
            *("" if value is None else f"{value:.1f}" for value in one[1:4]),
            one.log.removeprefix(own),
            one.weaker_teacher.removeprefix(own),
        )
        for one in ready()
        if fits(one.task)
    ]
    others = [(name, line) for name, line in known() if fits(name) and name not in {row[0] for row in rows}]
    if not rows and not others:
        names = [name for name, _ in known()]
        ends = [name.partition("/")[2] for name in names]
        hint = meant(" ".join(words or ()), names + ends) or "see `reincarnate tasks --all`"
        raise ValueError(f"no task has {' '.join(words or ())!r} in its name: {hint}")
    if rows:
        named = [Column(name, True) for name in ("random", "teacher", "weaker")]
        columns = (Column("task"), *named, Column("log", rank=1), Column("weaker teacher", rank=2))
        more = "Mean returns of random play, the teacher, and a weaker one for --teacher."
        more += f" Logs and teachers are {own}NAME." if own else ""
        typer.echo(text(columns, rows, width, caption="" if wanted else more))
    if others and (every or wanted):
        typer.echo("\nwithout a teacher: give one with --teacher, or train one with --method rainbow" if rows else "")
        wide = max(len(name) for name, _ in others) + 4
        for name, line in others:
            typer.echo(described(f"  {name}", line, width, wide))
    elif others:
        games = sum(name.startswith("atari/") for name, _ in others)
        more = f"{games} more games of ALE, MuJoCo, dm_control, a stratospheric balloon, and any Gymnasium environment"
        told = f"With a teacher of your own: {more} (gym/<id>): see `reincarnate tasks --all`"
        typer.echo("\n" + described("", told, min(width, 100), 0))


def methods(
    name: Annotated[str, typer.Argument(help="Show what this method does and which keywords it takes.")] = "",
) -> None:
    """List the methods, those from scratch included; with a name, describe the method and each keyword."""
    from ...agents import keywords, presets
    from ..tables import described, room

    width = room()
    if name:
        factory = keywords.find(name)
        for paragraph in keywords.about(factory).split("\n\n"):
            typer.echo(described("", " ".join(paragraph.split()), width, 0) + "\n")
        if name in keywords.shipped():
            kind = presets.actions(name)
            on = "gym/Pendulum-v1" if kind == "continuous" else "minatar/breakout"
            limits = "steps=20k" if kind == "continuous" else "steps=50k,flops=500G"
            typer.echo(f"actions: {kind}")
            typer.echo(f"example: reincarnate run --task {on} --method {name} --budget {limits} --out runs/{name}\n")
        for key, default, bounds, meaning in keywords.explained(factory):
            given = "..." if default is keywords.EMPTY else getattr(default, "__name__", default)
            told = f"--set {key}={given}" + (f", {bounds}" if bounds else "") + (f": {meaning}" if meaning else "")
            first, _, rest = " ".join(told.split()).partition(" ")
            typer.echo(described(f"{first} ", rest, width, 6))
        typer.echo(f"\nsource: {inspect.getsourcefile(factory)}")
        return
    for key, line in keywords.names().items():
        typer.echo(described(key, line, width, 17))


def show_presets(
    name: Annotated[str, typer.Argument(help="Show the settings of this preset, each with its source.")] = "",
) -> None:
    """List the presets, settings for a task and the length of a run; with a name, show its rows."""
    from ...agents.presets import PRESETS, settings
    from ..tables import described, room

    if name:
        settings(name, "", "", ())
        for row in PRESETS[name].rows:
            whose = f" for {', '.join(row.only)}" if row.only else f", not for {', '.join(row.but)}" if row.but else ""
            typer.echo(described("--set ", f"{row.keyword}={row.value}{whose}: {row.source}", room(), 6))
        return
    for key, preset in PRESETS.items():
        typer.echo(described(key, preset.about, room(), 17))
