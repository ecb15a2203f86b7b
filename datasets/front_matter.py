"""Cards: the YAML on top of a README.md, read here for the client, for teachers' claims and for the Hub server."""

import json
import re
from collections.abc import Callable
from typing import Any

import yaml

FRONT = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)
LIMIT = 64 * 1024  # characters of a card's metadata, or of a file of results
BRACKETS = 500  # in it: PyYAML's time grows with the square of open ones
NUMBER = r"-?(\d+(\.\d+)?(e[+-]?\d+)?|nan|inf)"
SCORE = re.compile(rf"{NUMBER}(\s*\+/-\s*{NUMBER})?")
ENVIRONMENT = re.compile(r"[\w./:-]{1,80}")


class _Plain:
    """No aliases: a few lines with them can stand for gigabytes."""

    def compose_node(self, parent, index):
        if self.check_event(yaml.events.AliasEvent):  # type: ignore[attr-defined]
            raise yaml.YAMLError("aliases are not allowed here")
        return super().compose_node(parent, index)  # type: ignore[misc]


class PlainLoader(_Plain, yaml.SafeLoader):
    """YAML as what JSON can hold."""


class TextLoader(_Plain, yaml.BaseLoader):
    """The same with every value as it was written: 20.40 stays 20.40, and tags make nothing."""


def read_yaml(text: str, loader: type = PlainLoader) -> Any:
    """Read YAML as what JSON can hold; YAMLError if it is none, or too much of it."""
    if len(text) > LIMIT:
        raise yaml.YAMLError(f"more than {LIMIT} characters of YAML")
    if len(re.findall(r"[\[{]", text)) > BRACKETS:
        raise yaml.YAMLError(f"more than {BRACKETS} brackets in YAML")
    try:
        return json.loads(json.dumps(yaml.load(text, loader), default=str))
    except (ValueError, TypeError, RecursionError, OverflowError) as error:
        raise yaml.YAMLError(str(error)) from None


def front_matter(text: str) -> str | None:
    """Return the metadata of a card as text, None if it has none; a byte order mark and any line ends are fine."""
    found = FRONT.match(text)
    return found[1] if found else None


def metadata(text: str, loader: type = PlainLoader) -> dict[str, Any]:
    """Return the metadata of a card; empty if there is none that can be read."""
    try:
        found = read_yaml(front_matter(text) or "", loader)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def claims(card: Any) -> list[dict[str, str]]:
    """Return what a card's `model-index` says, a dict of environment and mean_reward for each result.

    What is missing, or of another form, is left out; a result that says neither is as well.
    """
    found = []
    for model in _list(card, "model-index"):
        for result in _list(model, "results"):
            name = _text(result, "dataset", "name")
            rewards = [_text(one, "value") for one in _list(result, "metrics") if _text(one, "type") == "mean_reward"]
            said = {"environment": name} if ENVIRONMENT.fullmatch(name) else {}
            said |= next(({"mean_reward": one} for one in rewards if SCORE.fullmatch(one)), {})
            found += [said] if said else []
    return found


def claim(card: Any, fits: Callable[[str], bool] = lambda environment: True) -> dict[str, str]:
    """Return the first claim of a card with a score in an environment that fits, else the first one that it has."""
    found = claims(card)
    scored = [one for one in found if "mean_reward" in one]
    fitting = [one for one in scored if fits(one.get("environment", ""))]
    return (fitting or scored or found or [{}])[0]


def _list(of: Any, key: str) -> list:
    value = of.get(key) if isinstance(of, dict) else None
    return value if isinstance(value, list) else []


def _text(of: Any, *keys: str) -> str:
    """Return a value of nested dicts as text, empty if there is none."""
    for key in keys:
        of = of.get(key) if isinstance(of, dict) else None
    return " ".join(str(of).split()) if isinstance(of, (str, int, float)) and not isinstance(of, bool) else ""
