"""`reincarnate leaderboard ...`: the ranking in the terminal and as pages."""

from pathlib import Path
from typing import Annotated

import typer

leaderboard = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The ranking of a results repository.")

Repository = Annotated[Path, typer.Argument(help="The folder of a results repository.")]
Suite = Annotated[str, typer.Option(help="Which suite; default: the first.")]
Baseline = Annotated[str, typer.Option(help="Compare with this entry, author~label~track, also on large boards.")]
FORMATS = ("terminal", "csv", "markdown", "latex", "json")


@leaderboard.command()
def show(
    repository: Repository,
    suite: Suite = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "terminal",
) -> None:
    """Print the ranking: score with its interval, badge, what it cost, how far it moved the front."""
    import json

    from ..leaderboard import exports
    from ..leaderboard.board import board
    from ..leaderboard.results import read

    if form not in FORMATS:
        raise ValueError(f"there is no format {form!r}; there are {', '.join(FORMATS)}")
    made = board(read(repository))
    table = exports.rows(made, suite)
    if form == "terminal":
        from rich.console import Console

        from .board_table import terminal

        Console().print(terminal(made, table, suite))
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
