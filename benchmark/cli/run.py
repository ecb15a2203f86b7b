"""`reincarnate quickstart`, `run`, `tasks` and `methods`: one run, and what it can be asked for."""

import inspect
from pathlib import Path
from typing import Annotated, Any

import typer

from ..runs.request import RunRequest, folder_of
from .options import Json, OfFile, Out, Quiet, asking, given, pairs, with_file
from .report import show_run

At = Annotated[str, typer.Option("--at", help="user/name of a results repository, for a task such as atari/Pong@1.")]


def quickstart(
    out: Out = "runs/quickstart",
    seed: Annotated[int, typer.Option(help="Seed of the whole run.")] = 0,
    short: Annotated[bool, typer.Option(help="The shortest form: shows that everything works, learns little.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reincarnate the bundled Pong teacher into a new student; no network, a few minutes on 2 CPU cores."""
    from ..display import Display
    from ..runs import quickstart as start

    with Display(quiet, json) as show:
        record = start.quickstart(out, seed, short, show)
    show_run(record, Path(out), json)
    if not json:
        typer.echo(start.NEXT.format(out=out))


@asking()
def run(
    context: typer.Context,
    network: Annotated[str, typer.Option(help="nature, dqn2013, impala:width=2, ...; default: the task's own.")] = "",
    file: OfFile = "",
    at: At = "",
    out: Out = "",
    resume: Annotated[str, typer.Option(help="Folder of a run that was interrupted; it goes on as it was asked.")] = "",
    json: Json = False,
    quiet: Quiet = False,
    **asked: Any,
) -> None:
    """Train a student under a budget, evaluate it at several sample budgets, and write its record.

    Ctrl-C stops at the next update; --resume goes on from the last checkpoint, also after a crash.
    """
    from ..display import Display
    from ..runs import run as runs

    if resume:
        if other := sorted(given(context) - {"--resume", "--quiet", "--json"}):
            raise ValueError(f"a run goes on as it was asked for: leave out {', '.join(other)}, or start another run")
        with Display(quiet, json) as show:
            record = runs.resume(resume, show)
        show_run(record, Path(resume), json)
        return
    if not (asked["task"] and asked["budget"]):
        raise ValueError("a run needs a task and a budget: give --task and --budget, or --resume")
    words = {"settings": pairs(asked["settings"] or []), "teacher": with_file(asked["teacher"], file)}
    request = RunRequest(**asked | words)
    with Display(quiet, json) as show:
        folder = folder_of(request.task, request.method, request.seed, out)
        record = runs.run(request, network=network, out=folder, at=at, display=show)
    show_run(record, folder, json)


def tasks(at: At = "", hub: Annotated[str, typer.Option(help="Where it is.")] = "bundled") -> None:
    """List what can be played; with --at, what promoted students teach: each with its own teacher and log."""
    if at:
        from ..prior.generations import known

        rows = known(at, hub)
    else:
        from ..tasks.task import known

        rows = known()
    for name, line in rows:
        typer.echo(f"{name:28} {line}")


def methods(
    name: Annotated[str, typer.Argument(help="Show what this method does, and its keywords.")] = "",
) -> None:
    """List the ways to reuse a teacher; with a name, what it does, and what each keyword means."""
    from ...agents import keywords

    if name:
        factory = keywords.find(name)
        typer.echo(keywords.about(factory) + "\n")
        for key, default, bounds, meaning in keywords.explained(factory):
            given = "..." if default is keywords.EMPTY else default
            typer.echo(f"--set {key}={given}" + (f", {bounds}" if bounds else "") + (f": {meaning}" if meaning else ""))
        typer.echo(f"\nsource: {inspect.getsourcefile(factory)}")
        return
    for key, line in keywords.names().items():
        typer.echo(f"{key:16} {line}")


def show_presets(
    name: Annotated[str, typer.Argument(help="Show this preset's settings, each with its source.")] = "",
) -> None:
    """List the presets: settings that fit a task and the length of a run; with a name, its rows."""
    from ...agents.presets import PRESETS, settings

    if name:
        settings(name, "", "", ())
        for row in PRESETS[name].rows:
            whose = f" for {', '.join(row.only)}" if row.only else f", not for {', '.join(row.but)}" if row.but else ""
            typer.echo(f"--set {row.keyword}={row.value}{whose}: {row.source}")
        return
    for key, preset in PRESETS.items():
        typer.echo(f"{key:16} {preset.about}")
