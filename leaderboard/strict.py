"""Strict JSON, which all readers understand the same way: no duplicate keys, and only finite numbers."""

import json
import math
from collections.abc import Callable
from typing import Any


def _finite(digits: str) -> float:
    number = float(digits)
    if number in (math.inf, -math.inf):
        raise ValueError("it has a number beyond the range of floats")
    return number


def loads(text: str, parse_float: Callable[[str], float] | None = _finite) -> Any:
    """Parse JSON in one pass; ValueError for input that other readers would refuse or understand differently.

    `parse_float`: None is fast and reads a number beyond the range of floats as infinite.
    """
    return json.loads(text, parse_constant=_refuse, parse_float=parse_float, object_pairs_hook=_once)


def _refuse(word: str):
    raise ValueError(f"{word} is not a finite number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found
