"""What runs left behind, for people and programs: `reincarnate report`, and what `run` prints at its end."""

from pathlib import Path
from typing import Annotated

import typer

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]
Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="The result as one JSON document on standard output; progress and errors as JSON lines on standard error.",
    ),
]


def show_run(record, folder: Path, machine_readable: bool) -> None:
    """The end of a run: its table and where its files are, or its record as JSON."""
    from rich.console import Console

    from .report import plot, table

    plot(record, folder / "curve.png")
    if machine_readable:
        typer.echo(record.model_dump_json(indent=1))
        return
    console = Console()
    console.print()
    console.print(table(record))
    typer.echo(f"\n{folder}: record.json, ledger.jsonl, curve.png, students/")
