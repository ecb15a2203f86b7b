"""What keywords mean, as their authors wrote it: in a factory's docstring, or in a comment beside the keyword.

In a docstring `name`: begins the meaning of a keyword, several names those of each; it goes on to the next ones, or
to the end of the paragraph.
"""

import inspect
import re
from typing import Any

NAMES = re.compile(r"((?:`\w+`, )*`\w+`): ")
BESIDE = re.compile(r"^\s+(\w+)[ ]*:[^#\n]*#[ ]*(\S.*)$", re.MULTILINE)


def meanings(of: Any) -> dict[str, str]:
    """Return the meanings that a factory, or a class with its fields, gives; the docstring goes first."""
    try:
        found = dict(BESIDE.findall(inspect.getsource(of)))
    except (OSError, TypeError):  # it has no file
        found = {}
    said: dict[str, list[str]] = {}
    for paragraph in (inspect.getdoc(of) or "").split("\n\n"):
        _, *parts = NAMES.split(" ".join(paragraph.split()))
        for names, text in zip(parts[::2], parts[1::2], strict=True):
            for name in re.findall(r"\w+", names):
                said.setdefault(name, []).append(text.strip(" ;"))
    return {**found, **{name: " ".join(texts) for name, texts in said.items()}}
