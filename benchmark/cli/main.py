"""The command line: `reincarnate COMMAND`. Only commands that need JAX and other heavy packages import them."""

import errno
import io
import os
import sys
from json import dumps
from typing import Annotated, Any

import typer

from .datasets import cache, datasets
from .evaluate import evaluate
from .help import Grouped
from .hub import hub as hub_commands
from .hub import teachers
from .leaderboard import leaderboard
from .promote import log, promote
from .report import ledger, report
from .run import methods, quickstart, run, show_presets, tasks
from .submission import submit, verify
from .sweep import sweep

app = typer.Typer(
    cls=Grouped,
    name="reincarnate",
    help="Train agents from prior computation: teachers' policies and logs, fixed budgets, honest evaluation.",
    epilog="Begin with `reincarnate quickstart`; `reincarnate COMMAND --help` explains the others.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

for command in (quickstart, run, evaluate, report):  # in the order in which users need them
    app.command()(command)
app.add_typer(sweep, name="sweep")
app.command()(tasks)
app.command()(methods)
app.command("presets")(show_presets)
app.add_typer(teachers, name="teachers")
app.add_typer(datasets, name="datasets")
app.add_typer(cache, name="cache")
for command in (log, submit, verify):
    app.command()(command)
app.add_typer(leaderboard, name="leaderboard")
app.command()(promote)
app.add_typer(hub_commands, name="hub")
app.add_typer(ledger, name="ledger")


def show_version(asked: bool) -> None:
    """Print the version and exit."""
    if asked:
        from importlib import import_module

        typer.echo(f"reincarnate {import_module('reincarnate').__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=show_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""


TRACEBACK = "REINCARNATE_TRACEBACK"  # environment variable: show the traceback of an unexpected error
USAGE: Any = typer.BadParameter.__mro__[1]  # the base class of usage errors, which has no public name


def main() -> None:
    """Run the command line. A user's mistake gives one sentence on standard error and exit code 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a stranger's letter ends no table on an ASCII terminal
    try:
        _check_names()
        code = app(prog_name="reincarnate", standalone_mode=False)
    except USAGE as error:
        sentence = error.format_message()
        if sentence.startswith("Usage:"):  # called without arguments: the message is the help
            print(sentence, file=sys.stderr)
            sys.exit(2)
        where = error.ctx.command_path if error.ctx else "reincarnate"
        code = _say(f"{sentence.rstrip('.')}: see `{where} --help`")
    except OSError as error:
        named = f"{error.filename}: {error.strerror}" if error.filename else str(error)
        code = _say(_no_room(error) or named)
    except ValueError as error:
        code = _say(str(error))
    except Exception as error:  # of a library, or a bug: print a sentence, and the traceback on request
        if os.environ.get(TRACEBACK):
            raise
        said = " ".join(str(error).split())[:400].rstrip(".") or "without a reason"
        code = _say(_no_room(error) or f"{type(error).__name__}: {said}; {TRACEBACK}=1 shows where")
    if code == 130:
        print("reincarnate: stopped", file=sys.stderr)
    sys.exit(code)


def _check_names() -> None:
    """Raise ValueError if an argument or the working folder cannot be used as a file name."""
    try:
        here = os.getcwd()
    except OSError:
        raise ValueError("the current folder no longer exists: change to one that does") from None
    for name in (*sys.argv[1:], here):
        try:
            name.encode()
        except UnicodeEncodeError:
            cure = "rename it, or set LC_ALL=C.UTF-8 if only the terminal is ASCII"
            raise ValueError(f"the name {ascii(name)} holds bytes that are not UTF-8: {cure}") from None


NO_ROOM = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the disk quota is used up: make room",
    errno.EROFS: "the disk is read-only: make it writable, or name another folder",
    errno.ENOMEM: "the memory is used up: free or allow more, or ask for smaller batches, replays or networks",
}


def _no_room(error: Exception) -> str:
    """Describe an error that means that disk or memory are full, in whichever library it was raised; empty for
    others."""
    used_up = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
    for number, what in NO_ROOM.items():
        if (
            getattr(error, "errno", None) == number
            or os.strerror(number) in str(error)
            or (used_up and number == errno.ENOMEM)
        ):
            return f"{what}, and start again, with --resume if the command has it"
    return ""


def _say(sentence: str) -> int:
    sentence = " ".join(sentence.split())
    if "--json" in sys.argv:
        print(dumps({"event": "error", "text": sentence}), file=sys.stderr)
    else:
        print("reincarnate:", sentence, file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
