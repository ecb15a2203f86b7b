"""`reincarnate sweep SUITE ...`: run a resumable grid of runs; `sweep status` and `sweep report`."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ...datasets.words import several
from .help import Plain, group
from .options import asking, pairs


class _Grid(Plain):
    """A group that treats an unknown command as the suite to start or resume."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """Show how to start a sweep, and the other commands."""
        formatter.write_usage("reincarnate sweep", "SUITE --methods NAMES --budget UNIT=AMOUNT [OPTIONS]")
        formatter.write_usage("reincarnate sweep", "status FOLDER", prefix="       ")
        formatter.write_usage("reincarnate sweep", "report FOLDER", prefix="       ")

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Show the options for starting a sweep, then the commands for existing ones."""
        self.commands["start"].format_options(ctx, formatter)
        self.format_commands(ctx, formatter)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        known = args and (args[0] in self.commands or args[0] in ("--help", "-h"))
        return super().parse_args(ctx, args if known or not args else ["start", *args])


sweep = group("Train every method on every task with every seed, in a grid that can be stopped and resumed.", _Grid)

Folder = Annotated[Path, typer.Argument(help="Folder of a sweep.")]
FORMATS = ("terminal", "markdown", "json")


@sweep.command("start", hidden=True)
@asking(
    budget="Budget of each run, as for `run`.",
    settings="For every method: NAME=VALUE; updates_per_step=inf spends all FLOPs.",
    preset="As for `run`: see `reincarnate presets`.",
    teacher="As for `run`; {task}: minatar-space-invaders, {game}: space-invaders, like its cell.",
    teacher_log="As --teacher; may be repeated.",
    hub="",
    points="Where students are evaluated, as for `run`.",
    episodes="",
    environments="",
    metrics="",
)
def start_sweep(
    suite: Annotated[
        str,
        typer.Argument(
            help="minatar5, atari-small, atari10, pendulum, halfcheetah, mujoco3, walker-walk, balloon, or tasks "
            "comma-separated."
        ),
    ],
    methods: Annotated[str, typer.Option(help="all, or names comma-separated: dqn,qdagger:temperature=0.2.")],
    seeds: Annotated[str, typer.Option(help="0..4, or 0,3,7.")] = "0..2",
    together: Annotated[
        bool, typer.Option("--together", help="Train the seeds of a cell in one process, as one batch on the device.")
    ] = False,
    on: Annotated[str, typer.Option(help="Where cells run: local, ray, slurm, jobs.")] = "local",
    out: Annotated[str, typer.Option(help="Folder to write; a sweep in it is resumed.  [default: sweeps/SUITE]")] = "",
    plan: Annotated[bool, typer.Option("--plan", "--dry-run", help="Show the plan without running it.")] = False,
    network: Annotated[str, typer.Option(help="Network of the students; default: each task's own.")] = "",
    at: Annotated[str, typer.Option("--at", help="A results repository, for tasks such as atari/Pong@1.")] = "",
    jobs: Annotated[int, typer.Option(help="Cells to run at once; 0: as many as fit.")] = 0,
    cpus: Annotated[int, typer.Option(help="Cores per cell, which are also XLA's threads.")] = 1,
    gpus: Annotated[float, typer.Option(help="Accelerators per cell; -1: one, if this machine has any.")] = -1.0,
    memory: Annotated[float, typer.Option(help="GiB of memory per cell; 0: the plan's estimate.")] = 0.0,
    option: Annotated[
        list[str] | None, typer.Option(help="Backend option: partition=gpu for slurm, flavor=t4-small for jobs.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Retry cells that failed twice.")] = False,
    **asked: Any,
) -> None:
    """Show the cost of a grid of runs, and run the unfinished ones; the same command resumes it."""
    from ..sweep import backends, drive, sweep
    from ..sweep.grid import seeds_of

    backends.find(on, pairs(option or []))
    asked["settings"] = pairs(asked["settings"] or [])
    grid = sweep.asked_for(suite, methods, seeds=seeds_of(seeds), at=at, network=network, **asked)
    place = drive.Placement(on, jobs, cpus, gpus, memory, together, pairs(option or []))
    raise typer.Exit(drive.drive(sweep.folder_of(suite, out), grid, place, only_plan=plan, retry=retry))


@sweep.command()
def status(folder: Folder) -> None:
    """Show the cells of a sweep, also of a running one; exit with 1 if any has failed."""
    from ..sweep.grid import load
    from ..sweep.table import board, faults, lines, states
    from ..tables import WIDE, console, room

    asked = load(folder)
    now = states(folder, asked)
    if room() == WIDE:  # in a pipe
        typer.echo(lines(now))
    else:
        console().print(board(asked, now))
    for sentence in faults(now):
        typer.echo(sentence)
    raise typer.Exit(1 if faults(now) else 0)


@sweep.command()
def report(
    folder: Folder,
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "terminal",
) -> None:
    """Show the IQM of each method at each sample budget with 95 % intervals: 0 is random play, 1 the teacher."""
    import json

    from ..sweep.sweep import scores
    from ..sweep.table import markdown, scored
    from ..tables import room

    if form not in FORMATS:
        raise ValueError(f"there is no format {form!r}: use one of {', '.join(FORMATS)}")
    found = scores(folder)
    if form == "terminal":
        typer.echo(scored(found.rows, room()))
    else:
        typer.echo(json.dumps(found.rows, indent=1) if form == "json" else markdown(found.rows))
    typer.echo(
        f"{found.done} of {several(found.cells, 'run')} of {several(found.tasks, 'task')} done", err=form != "terminal"
    )
