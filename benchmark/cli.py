"""The command line: `reincarnate COMMAND`. JAX and the rest are imported only by the commands that need them."""

import sys
from json import dumps
from pathlib import Path
from typing import Annotated, Any

import typer

from .cli_board import leaderboard, submit, verify
from .cli_datasets import cache, datasets
from .cli_evaluate import evaluate
from .cli_hub import hub as hub_commands
from .cli_hub import teachers
from .cli_report import Json, Out, Quiet, given, ledger, report, show_run
from .cli_sweep import sweep
from .cli_teach import log, promote

app = typer.Typer(
    name="reincarnate",
    help="Train agents from prior computation: teachers' policies and logs, fixed budgets, honest evaluation.",
    epilog="Begin with `reincarnate quickstart`: it needs no network and a few minutes.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(teachers, name="teachers")
app.add_typer(datasets, name="datasets")
app.add_typer(hub_commands, name="hub")
app.add_typer(cache, name="cache")
app.add_typer(leaderboard, name="leaderboard")
app.command()(submit)
app.command()(verify)
app.add_typer(sweep, name="sweep")
app.add_typer(ledger, name="ledger")
app.command()(evaluate)
app.command()(report)
app.command()(promote)
app.command()(log)

At = Annotated[str, typer.Option("--at", help="user/name of a results repository, for a task such as atari/Pong@1.")]
USAGE: Any = typer.BadParameter.__mro__[1]  # the class of all mistakes in commands and options has no public name

Set = Annotated[list[str] | None, typer.Option("--set", help="A keyword of the method: NAME=VALUE; may be repeated.")]
PRESET = "Settings by name, see `reincarnate presets`; default: what fits the task and the length of the run."


@app.command()
def quickstart(
    out: Out = "runs/quickstart",
    seed: Annotated[int, typer.Option(help="Seed of the whole run.")] = 0,
    short: Annotated[bool, typer.Option(help="The shortest form: shows that everything works, learns little.")] = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Reincarnate the bundled Pong teacher into a new student; no network, a few minutes on 2 CPU cores."""
    from . import quickstart as start
    from .display import Display

    with Display(quiet, json) as show:
        record = start.quickstart(out, seed, short, show)
    show_run(record, Path(out), json)
    if not json:
        typer.echo(start.NEXT.format(out=out))


@app.command()
def run(
    context: typer.Context,
    task: Annotated[str, typer.Option(help="atari/<Game>, minatar/<game>, gym/<id>; with --at one of `tasks`.")] = "",
    budget: Annotated[
        str,
        typer.Option(
            help="Limits: frames, steps, updates, flops, device (seconds), queries (of the teacher), logged (distinct "
            "transitions read), seconds: frames=400k,flops=2e14,device=2h. The first one exhausted ends the run."
        ),
    ] = "",
    method: Annotated[str, typer.Option(help="See `reincarnate methods`, or package.module:factory.")] = "qdagger",
    seed: Annotated[int, typer.Option(help="Seed of the whole run.")] = 0,
    settings: Set = None,
    preset: Annotated[str, typer.Option(help=PRESET)] = "",
    network: Annotated[str, typer.Option(help="nature, dqn2013, impala:width=2, ...; default: the task's own.")] = "",
    teacher: Annotated[str, typer.Option(help="user/name[@commit] or a folder; default: the task's own.")] = "",
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
    environments: Annotated[int, typer.Option(help="Environments stepped together in training.")] = 8,
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
    from . import run as runs
    from .display import Display
    from .request import folder_of, points_of

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
            settings=_pairs(settings or []),
            network=network,
            teacher=teacher,
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


@app.command()
def tasks(at: At = "", hub: Annotated[str, typer.Option(help="Where it is.")] = "bundled") -> None:
    """List what can be played; with --at, what promoted students teach: each with its own teacher and log."""
    if at:
        from .generation import known

        rows = known(at, hub)
    else:
        from .task import known

        rows = known()
    for name, line in rows:
        typer.echo(f"{name:28} {line}")


@app.command()
def methods(
    name: Annotated[str, typer.Argument(help="Show this method's keywords and their defaults.")] = "",
) -> None:
    """List the ways to reuse a teacher; with a name, its keywords."""
    from ..agents import keywords

    if name:
        for key, value in keywords.known(keywords.find(name)).items():
            typer.echo(f"--set {key}={value}")
        return
    for key, line in keywords.names().items():
        typer.echo(f"{key:16} {line}")


@app.command("presets")
def show_presets(
    name: Annotated[str, typer.Argument(help="Show this preset's settings, each with its source.")] = "",
) -> None:
    """List the presets: settings that fit a task and the length of a run; with a name, its rows."""
    from ..agents.presets import PRESETS, settings

    if name:
        settings(name, "", "", ())
        for row in PRESETS[name].rows:
            whose = f" for {', '.join(row.only)}" if row.only else f", not for {', '.join(row.but)}" if row.but else ""
            typer.echo(f"--set {row.keyword}={row.value}{whose}: {row.source}")
        return
    for key, preset in PRESETS.items():
        typer.echo(f"{key:16} {preset.about}")


def main() -> None:
    """Runs the command line. A user's mistake is one sentence on standard error and exit code 2."""
    try:
        code = app(prog_name="reincarnate", standalone_mode=False)
    except USAGE as error:
        sentence = error.format_message()
        if sentence.startswith("Usage:"):  # nothing was asked for: the sentence is the help
            print(sentence, file=sys.stderr)
            sys.exit(2)
        where = error.ctx.command_path if error.ctx else "reincarnate"
        code = _say(f"{sentence.rstrip('.')}: see `{where} --help`")
    except OSError as error:
        code = _say(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except ValueError as error:
        code = _say(str(error))
    if code == 130:
        print("reincarnate: stopped", file=sys.stderr)
    sys.exit(code)


def _say(sentence: str) -> int:
    sentence = " ".join(sentence.split())
    if "--json" in sys.argv:
        print(dumps({"event": "error", "text": sentence}), file=sys.stderr)
    else:
        print("reincarnate:", sentence, file=sys.stderr)
    return 2


def _pairs(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a dict; ValueError for anything else."""
    pairs = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set {text} is no setting: write NAME=VALUE, such as --set temperature=0.2")
        pairs[name] = value
    return pairs


if __name__ == "__main__":
    main()
