"""The YAML front matter of a card (README.md), read without aliases and tags, within limits."""

import json
import re
from typing import Any

import yaml

FRONT = re.compile(r"[\ufeff\s]*---[ \t]*(?:\r\n?|\n)(.*?)(?:\r\n?|\n)---[ \t]*(?:\r\n?|\n|$)", re.DOTALL)
LIMIT = 64 * 1024  # characters of a card's metadata, or of a file of results
BRACKETS = 500  # in it: PyYAML's time grows with the square of open ones


class _Plain:
    """A loader without aliases, a few lines of which can expand to gigabytes."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):  # type: ignore[attr-defined]
            raise yaml.YAMLError("aliases are not allowed here")
        return super().compose_node(parent, index)  # type: ignore[misc]


class PlainLoader(_Plain, yaml.SafeLoader):
    """A loader of YAML with JSON's types only."""


class TextLoader(_Plain, yaml.BaseLoader):
    """The same, with all values as text: 20.40 stays 20.40, and tags are ignored."""


def read_yaml(text: str, loader: type = PlainLoader) -> Any:
    """Read YAML with JSON's types only; YAMLError for anything else, or too much of it."""
    if len(text) > LIMIT:
        raise yaml.YAMLError(f"more than {LIMIT} characters of YAML")
    if len(re.findall(r"[\[{]", text)) > BRACKETS:
        raise yaml.YAMLError(f"more than {BRACKETS} brackets in YAML")
    try:
        return json.loads(json.dumps(yaml.load(text, loader), default=str))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise yaml.YAMLError(str(error)) from None


def front_matter(text: str) -> str | None:
    """Return the metadata of a card as text, None if it has none; accepts a byte order mark and any line ends."""
    found = FRONT.match(text)
    return found[1] if found else None


def metadata(text: str, loader: type = PlainLoader) -> dict[str, Any]:
    """Return the metadata of a card; empty if missing or unreadable."""
    try:
        found = read_yaml(front_matter(text) or "", loader)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}
