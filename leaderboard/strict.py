"""Strict JSON, which all readers understand the same way: no duplicate keys, and only finite numbers."""

import json
import math
from typing import Any


def loads(text: str) -> Any:
    """Parse JSON in one pass; ValueError for input that other readers would refuse or understand differently."""
    return json.loads(text, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_once)


def _refuse(word: str):
    raise ValueError(f"{word} is not a finite number")


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (math.inf, -math.inf):
        raise ValueError("it has a number beyond the range of floats")
    return number


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found
