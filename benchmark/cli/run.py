"""`reincarnate quickstart`, `run`, `tasks` and `methods`: one run, and what it can be asked for."""

import inspect
from pathlib import Path
from typing import Annotated

import typer

from ...leaderboard.units import HELP
from .options import Json, OfFile, Out, Quiet, given, pairs, with_file
from .report import show_run

At = Annotated[str, typer.Option("--at", help="user/name of a results repository, for a task such as atari/Pong@1.")]


Set = Annotated[list[str] | None, typer.Option("--set", help="A keyword of the method: NAME=VALUE; may be repeated.")]


PRESET = "Settings by name, see `reincarnate presets`; default: what fits the task and the length of the run."


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


def run(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="atari/<Game>, minatar/<game>, gym/<id>; with --at one of `tasks`.")] = "",
    budget: Annotated[
        str,
        typer.Option(help=f"Limits: {HELP}: frames=400k,flops=2e14,device=2h. The first one exhausted ends the run."),
    ] = "",
    method: Annotated[str, typer.Option(help="See `reincarnate methods`, or package.module:factory.")] = "qdagger",
    seed: Annotated[int, typer.Option(help="Seed of the whole run.")] = 0,
    settings: Set = None,
    preset: Annotated[str, typer.Option(help=PRESET)] = "",
    network: Annotated[str, typer.Option(help="nature, dqn2013, impala:width=2, ...; default: the task's own.")] = "",
    teacher: Annotated[
        str,
        typer.Option(
            help="user/name[@commit], a folder, a file, or a Python function module:function; default: the task's own."
        ),
    ] = "",
    file: OfFile = "",
    teacher_log: Annotated[
        list[str] | None,
        typer.Option(help="The same, with options: REF:checkpoints=40-49:returns=0.5-1:share=0.3; may be repeated."),
    ] = None,
    hub: Annotated[str, typer.Option(help="Where references are looked up.")] = "bundled",
    at: At = "",
    out: Out = "",
    points: Annotated[
        str,
        typer.Option(help="Where the student is evaluated: shares of the steps, or steps: 0,0.5,1,100k-steps."),
    ] = "",
    episodes: Annotated[int, typer.Option(help="Whole episodes an evaluation; 0: the task's own number.")] = 0,
    environments: Annotated[int, typer.Option(help="Stepped together in training; 0: the method's own number.")] = 0,
    threads: Annotated[int, typer.Option(help="Threads of the environments; 0: as many as there are cores.")] = 0,
    log: Annotated[bool, typer.Option("--log", help="Also write the student's own experience, as RLDS.")] = False,
    replay: Annotated[
        bool, typer.Option(help="Keep the replay in checkpoints; else it is empty after --resume.")
    ] = True,
    resume: Annotated[str, typer.Option(help="Folder of a run that was interrupted; it goes on as it was asked.")] = "",
    metrics: Annotated[
        str, typer.Option(help="Beside metrics.jsonl: tensorboard, wandb, or both with a comma between.")
    ] = "",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a student under a budget, evaluate it at several sample budgets, and write its record.

    Ctrl-C stops at the next update; --resume goes on from the last checkpoint, also after a crash.
    """
    from ..display import Display
    from ..runs import run as runs
    from ..runs.request import folder_of, points_of

    if resume:
        if other := sorted(given(context) - {"--resume", "--quiet", "--json"}):
            raise ValueError(f"a run goes on as it was asked for: leave out {', '.join(other)}, or start another run")
        with Display(quiet, json) as show:
            record = runs.resume(resume, show)
        show_run(record, Path(resume), json)
        return
    if not (task and budget):
        raise ValueError("a run needs a task and a budget: give --task and --budget, or --resume")
    with Display(quiet, json) as show:
        folder = folder_of(task, method, seed, out)
        record = runs.run(
            task,
            method,
            budget,
            seed,
            settings=pairs(settings or []),
            network=network,
            teacher=with_file(teacher, file),
            teacher_log=teacher_log or "",
            hub=hub,
            out=folder,
            points=points_of(points),
            episodes=episodes,
            environments=environments,
            threads=threads,
            log=log,
            replay=replay,
            metrics=metrics,
            at=at,
            preset=preset,
            display=show,
        )
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
