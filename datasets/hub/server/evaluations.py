"""Results in models' `.eval_results/*.yaml`, and the leaderboards of datasets made from them."""

import math
import re
from typing import Any

import yaml

from . import discussions
from .accounts import User
from .cards import read_yaml
from .describe import card
from .store import Hub, Repository

RESULTS = re.compile(r"\.eval_results/[^/]+\.ya?ml")


def results(hub: Hub, model: Repository) -> list[dict[str, Any]]:
    """Return a model's stated results, on main and in open pull requests."""
    git, main = hub.git(model), hub.files(model)
    places = [(0, main)]
    for pull in discussions.listing(hub, model):
        if pull["pull"] and pull["status"] in discussions.LIVE:
            places.append((pull["number"], hub.files(model, f"refs/pr/{pull['number']}")))
    found = []
    for number, files in places:
        for path, blob in files.items():
            if RESULTS.fullmatch(path) and (number == 0 or main.get(path) != blob):
                more = {"pullRequest": number} if number else {}
                found += [{"filename": path, **told, **more} for told in _entries(git.blob(blob))]
    return found


def _entries(data: bytes) -> list[dict[str, Any]]:
    try:
        entries = read_yaml(data.decode())
        return [
            {"verified": False, "data": one} for one in entries if one["dataset"]["id"] and one["dataset"]["task_id"]
        ]
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, AttributeError) as error:
        return [{"error": f"{type(error).__name__}: {error}"}]


def leaderboard(
    hub: Hub, user: User | None, dataset: Repository, task: str | None, bases: bool
) -> list[dict[str, Any]]:
    """Return all models visible to the user, best first.
    `bases` leaves out those that were made from another model."""
    rows = []
    for model in hub.all("model"):
        if not hub.reads(user, model) or (bases and card(hub.git(model), hub.resolve(model, "main")).get("base_model")):
            continue
        for result in results(hub, model):
            one = result.get("data", {})
            value = _number(one.get("value"))
            if value is None or one["dataset"]["id"] != dataset.name or task not in (None, one["dataset"]["task_id"]):
                continue
            more = {"pullRequest": result["pullRequest"]} if "pullRequest" in result else {}
            rows.append({
                "modelId": model.name,
                "value": value,
                "filename": result["filename"],
                "verified": False,
                "source": one.get("source"),
                "notes": one.get("notes"),
                "taskId": one["dataset"]["task_id"],
                "author": {"type": "user", "name": model.namespace},
                **more,
            })  # fmt: skip
    rows.sort(key=lambda row: -row["value"])
    return [{"rank": place, **row} for place, row in enumerate(rows, 1)]


def _number(value: Any) -> float | None:
    try:
        return float(value) if math.isfinite(float(value)) else None
    except (TypeError, ValueError):
        return None
