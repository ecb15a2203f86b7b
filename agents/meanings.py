"""Meanings of keywords, read from a factory's docstring or from a comment on the keyword's line.

In a docstring, `name`: or `one`, `two`: begins a meaning. It ends at the next name, or with the paragraph.
"""

import inspect
import re
from typing import Any

NAMES = re.compile(r"((?:`\w+`, )*`\w+`): ")
BESIDE = re.compile(r"^\s+(\w+)[ ]*:[^#\n]*#[ ]*(\S.*)$", re.MULTILINE)


def meanings(of: Any) -> dict[str, str]:
    """Return the meanings that a factory or a class documents; its docstring takes precedence over comments."""
    try:
        found = dict(BESIDE.findall(inspect.getsource(of)))
    except (OSError, TypeError):  # no source file
        found = {}
    said: dict[str, list[str]] = {}
    for paragraph in (inspect.getdoc(of) or "").split("\n\n"):
        _, *parts = NAMES.split(" ".join(paragraph.split()))
        for names, text in zip(parts[::2], parts[1::2], strict=True):
            for name in re.findall(r"\w+", names):
                said.setdefault(name, []).append(text.strip(" ;"))
    return {**found, **{name: " ".join(texts) for name, texts in said.items()}}
