"""Options that several commands share, with the same meaning everywhere."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_origin, get_type_hints

import typer

from ..runs.request import Help, RunRequest

Out = Annotated[str, typer.Option(help="Folder to write; it must not exist.")]

Quiet = Annotated[bool, typer.Option("--quiet", help="Show no progress on standard error.")]

Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON document on standard output; progress and errors as JSON lines on standard error.",
    ),
]

POLICY = "A run's folder; a teacher's folder, file or user/name[@commit]; or a Python function, module:function."
OfTask = Annotated[str, typer.Option("--task", help="Task to play, if the card does not state it or to override it.")]
OfFile = Annotated[str, typer.Option("--file", help="Which of several files in the teacher's folder or repository.")]


def with_file(reference: str, file: str) -> str:
    """Join a teacher's reference and the file selected in it; ValueError for a file without a reference."""
    if file and not reference:
        raise ValueError(f"--file {file} needs the teacher with that file: give --teacher")
    return f"{reference}#{file}" if file else reference


def given(context: typer.Context) -> set[str]:
    """Return the options given on the command line, such as --budget."""
    sources = ((param, context.get_parameter_source(str(param.name))) for param in context.command.params)
    return {param.opts[0] for param, source in sources if source and source.name == "COMMANDLINE"}


def pairs(texts: list[str]) -> dict[str, str]:
    """Parse NAME=VALUE texts to a dict; ValueError for anything else."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set {text} is not a setting: write NAME=VALUE, such as --set temperature=0.2")
        found[name] = value
    return found


def asking(**says: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Replace `**asked` of a command by options for a request's fields, with the fields' defaults.

    `says`: the fields, each with its help text, or "" for the field's own; default: all fields.
    """
    hints = get_type_hints(RunRequest, include_extras=True)
    made = []
    for one in fields(RunRequest):
        if says and one.name not in says:
            continue
        told = next(extra for extra in hints[one.name].__metadata__ if isinstance(extra, Help))
        words = [told.option] if told.option else [f"--{one.name}"] if one.default is False else []
        kind = _typed(one.name, hints[one.name].__origin__)
        text = "" if kind is str else None  # if it is parsed from another type
        option = typer.Option(*words, help=says.get(one.name) or told.says)
        made.append(
            inspect.Parameter(
                one.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=text if one.default in (MISSING, ()) else one.default,
                annotation=Annotated[kind, option],
            )
        )

    def add(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters.values()
        kept = [one for one in own if one.kind is not inspect.Parameter.VAR_KEYWORD]
        first = [one for one in kept if one.default is inspect.Parameter.empty]
        rest = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in kept if one not in first]
        command.__signature__ = inspect.Signature([*first, *made, *rest])  # type: ignore[attr-defined]
        return command

    return add


def _typed(name: str, kind: Any) -> Any:
    """Return a field's type on the command line: a list for options that may be repeated, otherwise text."""
    if name in ("settings", "teacher_log"):
        return list[str] | None
    return str if get_origin(kind) is tuple else kind
