"""What a run was asked for, as its ledger's first line has it: the only source that it is trained again from."""

from collections.abc import Mapping
from typing import Any

from ..runs.request import Request
from ..training import budget as budgets

TYPES: dict[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("task", "method", "budget", "teacher", "hub", "preset"), str),
    **dict.fromkeys(("seed", "episodes", "environments", "threads"), int),
    **dict.fromkeys(("log", "replay"), bool),
    **dict.fromkeys(("teacher_log", "points", "metrics"), list),
    "settings": dict,
}


def read(start: Mapping[str, Any]) -> Request:
    """The request of a ledger's first line; ValueError if it has none, or one with odd fields."""
    told = start.get("request")
    if not isinstance(told, dict):
        raise ValueError("the ledger's first line does not say what the run was asked for")
    if odd := sorted(map(str, set(told) - set(Request._fields))):
        raise ValueError(f"the request has a field {odd[0][:40]!r}, which no run has")
    for name, value in told.items():
        good = isinstance(value, TYPES.get(name, object)) and not (TYPES.get(name) is int and isinstance(value, bool))
        if not good:
            raise ValueError(f"the request's {name} is no {getattr(TYPES[name], '__name__', 'value')}")
    inner = [*told.get("teacher_log", ()), *told.get("metrics", ())]
    numbers = told.get("points", ())
    if not all(isinstance(text, str) for text in inner) or not all(type(x) in (int, float) for x in numbers):
        raise ValueError("the request's logs, metrics or points are of another kind")
    tuples = {key: tuple(told[key]) for key in ("teacher_log", "points", "metrics") if key in told}
    try:
        return Request(**{**told, **tuples})
    except TypeError as error:
        raise ValueError(f"the request is not whole: {error}") from None


def faults(start: Mapping[str, Any], record) -> list[str]:
    """Where the request is of another run than the record, one sentence each."""
    try:
        asked = read(start)
        limits = budgets.parse(asked.budget).limits()
        command = asked.command()
    except (ValueError, TypeError, AttributeError) as error:
        return [f"the ledger: {error}"]
    found = []
    for name in ("task", "method", "seed", "environments"):
        if name == "environments" and asked.environments == 0:
            continue  # the method's own number
        if getattr(asked, name) != getattr(record, name):
            told = f"{str(getattr(record, name))[:80]} is not what was asked for, {str(getattr(asked, name))[:80]}"
            found.append(f"record.{name}: {told}")
    if limits != record.budget:
        found.append(f"record.budget: {record.budget} is not what was asked for, {limits}")
    for key, value in asked.settings.items():
        if key != "network" and record.settings.get(key) != value:
            found.append(
                f"record.settings.{str(key)[:80]}: {str(record.settings.get(key))[:80]} is not what was asked for"
            )
    if set(record.settings) - set(asked.settings) and not record.preset:
        found.append("record.settings: they hold more than was asked for, and no preset says where that comes from")
    if record.command != command:
        found.append("record.command: it is not the command of what was asked for")
    return found
