"""What the author of a teacher says of it: the environment and its score. Nothing here was measured by us."""

import re
from pathlib import Path
from typing import Any

CARD_LIMIT = 2**15  # bytes of a README.md's front matter, and of a file of results
BRACKETS = 500  # in it: PyYAML's time grows with the square of open ones
NUMBER = r"-?(\d+(\.\d+)?|nan|inf)"
SCORE = rf"{NUMBER}(\s*\+/-\s*{NUMBER})?"
ENVIRONMENT = r"[\w./:-]{1,80}"


def read(folder: Path) -> dict[str, str]:
    """{"environment": ..., "mean_reward": "291.10 +/- 116.43"} of a repository; what it does not say is left out.

    From the `model-index` of its README.md; the score, where that has none, from
    its `.eval_results/*.yaml`. It is the author's word, under the author's protocol.
    """
    found = _card(folder / "README.md")
    if "mean_reward" not in found:
        results = folder / ".eval_results"
        for path in sorted(results.glob("*.yaml"))[:8] if results.is_dir() else []:
            found |= _result(path)
    return found


def of(said: Any) -> dict[str, str]:
    """The part of a config.json's "claim" that has the form of one, which may be nothing."""
    patterns = {"environment": ENVIRONMENT, "mean_reward": SCORE}
    said = said if isinstance(said, dict) else {}
    return {k: said[k] for k, p in patterns.items() if isinstance(said.get(k), str) and re.fullmatch(p, said[k])}


def pairs(path: Path) -> dict[str, Any]:
    """Return what a YAML file of the RL Zoo says, a map or an ordered map as a list of pairs; all values are text."""
    found = _yaml(_text(path))
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, list):
        found = dict(pair for pair in found if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str))
    return found if isinstance(found, dict) else {}


def _card(path: Path) -> dict[str, str]:
    front = re.match(r"---\n(.*?)\n---\n", _text(path), re.DOTALL)
    card: Any = _yaml(front[1]) if front else None
    try:
        result = card["model-index"][0]["results"][0]
        rewards = [metric["value"] for metric in result["metrics"] if metric["type"] == "mean_reward"]
        return of({"environment": result["dataset"]["name"], "mean_reward": rewards[0] if rewards else ""})
    except (LookupError, TypeError, AttributeError):
        return {}


def _result(path: Path) -> dict[str, str]:
    """The first result of a file as the Hub keeps them: a list of {dataset, value}."""
    try:
        return of({"mean_reward": _yaml(_text(path))[0]["value"]})
    except (LookupError, TypeError, AttributeError):
        return {}


def _yaml(text: str) -> Any:
    import yaml

    if len(re.findall(r"[\[{]", text)) > BRACKETS:
        return None
    try:
        return yaml.load(text, Loader=yaml.BaseLoader)  # texts, lists and maps only: nothing is made or merged
    except (yaml.YAMLError, ValueError, RecursionError):
        return None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(CARD_LIMIT).decode("utf-8-sig", errors="replace").replace("\r\n", "\n")
    except OSError:
        return ""
