"""Show results of runs to people and programs: `reincarnate report`, `ledger check`, and the output of `run`."""

from pathlib import Path
from typing import Annotated

import typer

from ...datasets.words import several
from .help import group
from .options import Json, Quiet

ledger = group("What runs spent.")


def show_run(record, folder: Path, machine_readable: bool) -> None:
    """Print the result of a run: a table and its files, or its record as JSON."""
    from ..report.terminal import plot, table
    from ..tables import console

    plot(record, folder / "curve.png")
    if machine_readable:
        typer.echo(record.model_dump_json(indent=1))
        return
    console().print()
    console().print(table(record))
    typer.echo(f"\n{folder}: record.json, ledger.jsonl, curve.png, students/")


def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs; those that differ only in their seed are averaged.")
    ],
    out: Annotated[str, typer.Option(help="Folder of the report; default: RUN/report; for several runs: report.")] = "",
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Plot one or several runs: a self-contained report.html, which opens from disk, and PNG plots.

    It shows learning curves along a selectable cost with the weaning marked, what was spent of each limit, the weight
    of the teacher, the time by phase, losses, and videos. Runs of a sweep are compared with its tabula rasa run.
    """
    from json import dumps

    from ..display import Display
    from ..report.page import report as make

    with Display(quiet, json) as show:
        told = make(runs, Path(out) if out else runs[0] / "report" if len(runs) == 1 else Path("report"))
        found = {"run": runs, "group": told["groups"], "plot": told["plots"]}
        show.note(", ".join(several(len(each), name) for name, each in found.items()))
    typer.echo(dumps(told, indent=1) if json else told["page"])


@ledger.command("check")
def check_ledger(run: Annotated[Path, typer.Argument(help="Folder of a run.")]) -> None:
    """Replay a run's ledger; list every line that breaks a rule and all damaged students, and then exit with 1."""
    from ...leaderboard.ledger import faults, read
    from ...leaderboard.record import load, mismatches
    from ..runs.run_folder import damaged

    lines, record = read(run / "ledger.jsonl"), load(run / "record.json")
    found = faults(lines) + mismatches(lines, record)
    if not found and (run / "students").is_dir():
        found = [f"{path} is missing, or its weights are not those in the ledger" for path in damaged(run, lines)]
    for sentence in found:
        typer.echo(sentence)
    typer.echo(f"{run}: {several(len(lines), 'line')}, {several(len(found), 'fault')}")
    raise typer.Exit(1 if found else 0)
