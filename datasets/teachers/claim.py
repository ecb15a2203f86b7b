"""The claims of a teacher's author: environment and score. None of them was measured by us."""

import codecs
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from ..folders import regular
from ..hub.server.cards import LIMIT, TextLoader, front_matter, metadata, read_yaml

MARKS = {  # what text of other encodings begins with; that of UTF-32 begins with that of UTF-16
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
NUMBER = r"-?(\d+(\.\d+)?(e[+-]?\d+)?|nan|inf)"
SCORE = re.compile(rf"{NUMBER}(\s*\+/-\s*{NUMBER})?")
ENVIRONMENT = re.compile(r"[\w./:-]{1,80}")


def read(folder: Path, fits: Callable[[str], bool] = lambda environment: True) -> dict[str, str]:
    """Return a repository's claim, {"environment": ..., "mean_reward": "291.10 +/- 116.43"}, without missing parts.

    It is the first result in the `model-index` of README.md whose environment fits; if that has no score, the score is
    taken from `.eval_results/*.yaml`. The author made the claim under the author's own protocol.
    """
    found = claim(metadata(_text(folder / "README.md"), TextLoader), fits)
    if "mean_reward" not in found:
        results = folder / ".eval_results"
        for path in sorted(results.glob("*.yaml"))[:8] if results.is_dir() else []:
            found |= _result(path)
    return found


def claims(card: Any) -> list[dict[str, str]]:
    """Return the environment and mean_reward of each result in a card's `model-index`.

    Missing or malformed values are left out, and so are results with neither.
    """
    found = []
    for model in _list(card, "model-index"):
        for result in _list(model, "results"):
            name = _said(result, "dataset", "name")
            rewards = [_said(one, "value") for one in _list(result, "metrics") if _said(one, "type") == "mean_reward"]
            said = {"environment": name} if ENVIRONMENT.fullmatch(name) else {}
            said |= next(({"mean_reward": one} for one in rewards if SCORE.fullmatch(one)), {})
            found += [said] if said else []
    return found


def claim(card: Any, fits: Callable[[str], bool] = lambda environment: True) -> dict[str, str]:
    """Return a card's first claim with a score in a fitting environment, else its first claim."""
    found = claims(card)
    scored = [one for one in found if "mean_reward" in one]
    fitting = [one for one in scored if fits(one.get("environment", ""))]
    return (fitting or scored or found or [{}])[0]


def check_card(folder: Path) -> None:
    """Raise ValueError if the metadata of a folder's card, which names the environment, cannot be read."""
    front = front_matter(_text(folder / "README.md"))
    try:
        read_yaml(front or "", TextLoader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"the metadata of {folder / 'README.md'} cannot be read: {reason}; correct it, or give a folder without it"
        ) from None


def of(said: Any) -> dict[str, str]:
    """Return the well-formed part of a config.json's "claim", possibly empty."""
    patterns = {"environment": ENVIRONMENT, "mean_reward": SCORE}
    texts = {key: value for key, value in said.items() if isinstance(value, str)} if isinstance(said, dict) else {}
    return {key: texts[key] for key, one in patterns.items() if one.fullmatch(texts.get(key, ""))}


def shortfall(said: str, mean: float, most: float) -> str:
    """Return a warning if a policy scores far below its author's claim, `110.4 +/- 19.5`; else an empty text.

    `most`: the upper end of the measured mean's interval. "Far" means by more than the claim's deviation, or a tenth.
    """
    match = SCORE.fullmatch(said or "")
    numbers = [float(text) for text in said.split("+/-")] if match else []
    if not numbers or not math.isfinite(numbers[0]):
        return ""
    spread = numbers[1] if len(numbers) > 1 and math.isfinite(numbers[1]) else abs(numbers[0]) / 10
    if most >= numbers[0] - spread:
        return ""
    why = "another protocol, other preprocessing of observations, or a policy that draws its actions"
    return f"its author claims {said}, but it scores {mean:.2f} here: {why} may be why"


def pairs(path: Path) -> dict[str, Any]:
    """Read a YAML file of the RL Zoo, a map or an ordered map as a list of pairs; all values are text."""
    try:
        found = read_yaml(_text(path), TextLoader)
    except yaml.YAMLError:
        return {}
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, list):
        found = dict(pair for pair in found if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str))
    return found if isinstance(found, dict) else {}


def _result(path: Path) -> dict[str, str]:
    """Return the first result of a file in the Hub's format: a list of {dataset, value}."""
    try:
        return of({"mean_reward": read_yaml(_text(path), TextLoader)[0]["value"]})
    except (yaml.YAMLError, LookupError, TypeError, AttributeError):
        return {}


def _text(path: Path) -> str:
    if path.is_dir():  # no card
        return ""
    try:
        with regular(path).open("rb") as file:
            data = file.read(2 * LIMIT)
    except OSError:
        return ""
    marked = next((kind for mark, kind in MARKS.items() if data.startswith(mark)), "utf-8-sig")
    text = data.decode(marked, errors="replace")
    if "\0" in text:
        raise ValueError(f"{path} is not UTF-8 text: save it as UTF-8, or give a folder without it")
    return text


def _list(of: Any, key: str) -> list:
    value = of.get(key) if isinstance(of, dict) else None
    return value if isinstance(value, list) else []


def _said(of: Any, *keys: str) -> str:
    """Return a value of nested dicts as text, empty if there is none."""
    for key in keys:
        of = of.get(key) if isinstance(of, dict) else None
    return " ".join(str(of).split()) if isinstance(of, (str, int, float)) and not isinstance(of, bool) else ""
