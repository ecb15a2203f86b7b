"""The types of everything that a stranger may write: closed, finite, bounded. Numbers are never read from text."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, ValidationError

from .pinned import is_pinned
from .units import NAMES

LARGEST = 1e15  # of a return
MOST_EPISODES = 10_000  # of one evaluation
MOST_POINTS = 1000  # of one run
DEPTH = 8  # of the options of a network, or of what is said of a machine


class Closed(BaseModel):
    """A frozen model that refuses unknown fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def first_faults(error: ValidationError, most: int = 1) -> str:
    """Return the first things that are wrong and in which fields, as one sentence."""
    found = error.errors(include_url=False, include_context=False, include_input=False)[:most]
    told = [("".join(f".{part}" for part in one["loc"])[1:201] or "it", one["msg"][:300]) for one in found]
    return "; ".join(f"{where}: {what.removeprefix('Value error, ')}" for where, what in told)


def _is_shallow(value: Any, depth: int = DEPTH) -> Any:
    """Accept plain JSON, not too deep, with finite numbers; ValueError otherwise."""
    if isinstance(value, dict):
        if depth == 0 or not all(isinstance(key, str) and len(key) <= 200 for key in value):
            raise ValueError(f"it nests deeper than {DEPTH}, or has a key that is not a short text")
        for each in value.values():
            _is_shallow(each, depth - 1)
    elif isinstance(value, (list, tuple)):
        if depth == 0:
            raise ValueError(f"it nests deeper than {DEPTH}")
        for each in value:
            _is_shallow(each, depth - 1)
    elif isinstance(value, (int, float)):
        if not abs(value) < 1e300:
            if value != float("inf"):  # updates_per_step=inf is a setting
                raise ValueError("it has a number that is not finite")
    elif value is not None and not isinstance(value, str):
        raise ValueError("it holds something other than plain JSON")
    return value


def _is_shown(text: str) -> str:
    """Accept only what can be printed: nothing that turns the direction of writing,
    moves a cursor or is half a character."""
    if not text.isprintable():
        raise ValueError("it has a character that cannot be printed")
    return text


def _is_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}", text) or ".." in text:
        raise ValueError("it must be letters, digits, single dots and dashes, at most 96")
    return text


def _is_pinned(text: str) -> str:
    if not is_pinned(text):
        raise ValueError("it is not pinned: give user/name@commit with the commit's full 40 digits")
    return text


def _is_date(text: str) -> str:
    try:
        if len(text) != 20 or not text.isascii():
            raise ValueError
        datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise ValueError("it is not a time such as 2026-11-23T18:19:22Z") from None
    return text


def _is_inside(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,3}", text):
        raise ValueError("it is not a plain name of a file, or leads outside its folder")
    return text


Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Count = Annotated[Whole, Field(ge=0, le=10**15)]
Finite = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=-LARGEST, le=LARGEST)]
Amount = Annotated[float, Strict(), Field(allow_inf_nan=False, ge=0, le=1e30)]
Positive = Annotated[Amount, Field(gt=0)]
Share = Annotated[Amount, Field(le=1)]
Text = Annotated[str, AfterValidator(_is_shown), Field(max_length=2000)]
Name = Annotated[str, AfterValidator(_is_name)]
Pinned = Annotated[str, AfterValidator(_is_pinned)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}\z")]
File = Annotated[str, AfterValidator(_is_inside)]
Method = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,99}(:[A-Za-z_][A-Za-z0-9_]{0,99})?\z")]
Date = Annotated[str, AfterValidator(_is_date)]
Plain = Annotated[Any, AfterValidator(_is_shallow)]


def _known_units(spent: dict[str, float]) -> dict[str, float]:
    if odd := sorted(set(spent) - set(NAMES)):
        raise ValueError(f"{odd[0][:40]!r} is not a unit: use one of {', '.join(NAMES)}")
    return spent


Costs = Annotated[dict[str, Amount], AfterValidator(_known_units)]
Limits = Annotated[dict[str, Positive], AfterValidator(_known_units), Field(min_length=1)]
