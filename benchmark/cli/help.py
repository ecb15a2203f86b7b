"""The format of help pages: commands in a useful order, whole sentences, and values in users' terms."""

from typing import Any

import typer
from typer.core import TyperGroup

SECTIONS = {  # of the top-level help; other commands get a section of their own
    "Start": ("quickstart", "tasks", "methods", "presets"),
    "Run": ("run", "sweep", "log"),
    "Compare": ("evaluate", "report", "leaderboard"),
    "Share": ("teachers", "datasets", "promote", "submit", "hub"),
    "Maintain": ("verify", "ledger", "cache"),
}
NAMES = {  # placeholders for the values of options and arguments; others use their own name
    "FOLDER": "folder into out repository results resume root students training tuning",
    "RUN": "run runs",
    "FILE": "file plot strip users video",
    "USER/NAME": "at name",
    "HUB": "hub parents where",
    "REFERENCE": "baseline policy reference references teacher teacher_log",
    "NAME=VALUE": "option settings",
    "UNIT=AMOUNT": "budget",
    "REF:UNIT=AMOUNT": "at_least",
    "UNIT=FROM..TO": "costs",
    "UNIT": "along",
    "AMOUNT": "steps",
    "SHARES": "points",
    "FIRST..LAST": "seeds",
    "N": "actions checkpoint checkpoints cpus environments episodes jobs most port retrain seed threads version",
    "X": "bar epsilon gpus point sticky",
    "GIB": "memory",
    "SECONDS": "seconds",
    "NAMES": "methods metrics only split splits suites tasks",
    "FORMAT": "form kind",
    "TEXT": "about reason source text",
    "REQUEST": "what",
    "PLACE": "on",
}
VALUES = {name: value for value, names in NAMES.items() for name in names.split()}


class Grouped(TyperGroup):
    """A group whose help has sections and truncates nothing."""

    sections: dict[str, tuple[str, ...]] = SECTIONS

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        for command in self.commands.values():
            name_values(command)

    def resolve_command(self, ctx: Any, args: Any) -> Any:
        """Find a command; `list`, which people guess first, is `search` here."""
        if args and args[0] == "list" and not {"list", "ls"} & set(self.commands) and "search" in self.commands:
            raise ValueError("there is no command 'list': did you mean search?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write every command with its first sentence."""
        shown = {name: one for name, one in self.commands.items() if not one.hidden}
        named = {title: [name for name in names if name in shown] for title, names in self.sections.items()}
        rest = [name for name in shown if not any(name in names for names in named.values())]
        wide = max(map(len, shown), default=0)
        for title, names in {**named, "Commands": rest}.items():
            if names:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(wide), first_sentence(shown[name].help)) for name in names])


class Plain(Grouped):
    """A group without sections."""

    sections = {}


def group(about: str, cls: type[Grouped] = Plain) -> typer.Typer:
    """Return a group of commands with a description, which shows its help if called without a command."""
    return typer.Typer(cls=cls, no_args_is_help=True, rich_markup_mode=None, help=about)


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a help text."""
    paragraph = " ".join((text or "").partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].rstrip(".") + "."


def name_values(command: Any) -> None:
    """Name the values of a command's options and arguments in users' terms instead of Python's types."""
    for param in command.params:
        value: str = VALUES.get(param.name, str(param.name).upper().replace("_", "-"))
        if param.param_type_name == "argument":
            usage = value + ("..." if param.nargs == -1 else "")
            pieces, record = [usage if param.required else f"[{usage}]"], (usage, param.help or "")
            param.get_usage_pieces = lambda ctx, pieces=pieces: pieces
            param.get_help_record = lambda ctx, record=record: record
        elif not getattr(param, "is_flag", False) and param.metavar is None:
            param.metavar = value
