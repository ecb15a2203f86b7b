"""What several commands take: options with one meaning everywhere."""

from typing import Annotated

import typer

Out = Annotated[str, typer.Option(help="Folder to write; it must not exist.")]

Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on standard error.")]

Json = Annotated[
    bool,
    typer.Option(
        "--json",
        help="The result as one JSON document on standard output; progress and errors as JSON lines on standard error.",
    ),
]

POLICY = "A run's folder; a teacher's folder, file or user/name[@commit]; or a Python function, module:function."
OfTask = Annotated[str, typer.Option("--task", help="What it plays, where its card does not say so, or otherwise.")]
OfFile = Annotated[str, typer.Option("--file", help="Which of several files in the teacher's folder or repository.")]


def with_file(reference: str, file: str) -> str:
    """A teacher's reference and which of its files is meant, in one text."""
    return f"{reference}#{file}" if file else reference


def given(context: typer.Context) -> set[str]:
    """The options that stand on the command line, such as --budget."""
    sources = ((param, context.get_parameter_source(str(param.name))) for param in context.command.params)
    return {param.opts[0] for param, source in sources if source and source.name == "COMMANDLINE"}


def pairs(texts: list[str]) -> dict[str, str]:
    """NAME=VALUE texts as a dict; ValueError for anything else."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise ValueError(f"--set {text} is no setting: write NAME=VALUE, such as --set temperature=0.2")
        found[name] = value
    return found
