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
