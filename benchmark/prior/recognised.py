"""Recognise a teacher and its task from its location: a folder, a file, or a repository on a Hub."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.hub import hub as hubs
from ...datasets.hub.reference import Ref
from ...datasets.teachers import claim, formats, weights
from ..tasks.ale import atari_games
from ..tasks.minatar_envs import MINATAR
from ..tasks.retired import between, present
from ..tasks.task import Task, find, game_of
from . import installed

POLICY = "policy.safetensors"


def place_of(reference: str | os.PathLike, hub: str) -> tuple[Path, Ref | None]:
    """Return the folder or file that a teacher's reference means, and the pinned reference of a repository.

    `#NAME` after a folder or repository selects one of its files. ValueError if there is no such file.
    """
    text = os.fspath(reference)
    if file := installed.file_of(text):
        return file, Ref(text)
    path = os.path.expanduser(text)
    if os.path.isfile(path):
        return Path(path), None
    where, hash_, name = text.rpartition("#")
    if not hash_ or os.path.isdir(path):
        return hubs.open_ref(text, "model", hub)
    under = os.path.dirname(name)  # fetch only this teacher's folder from a repository with hundreds
    if name.startswith("/") or ".." in name.split("/"):
        raise ValueError(f"{where} has no file {name!r}: name one of its files")
    folder, ref = hubs.open_ref(where, "model", hub, under=under)
    chosen = folder / name
    if not chosen.is_file():  # may be a link, as in the caches of hubs
        raise ValueError(f"{where} has no file {name!r}: name one of {', '.join(_files(folder))}")
    return chosen, ref


def _files(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in sorted(folder.rglob("*")) if path.is_file()][:20]


def content(place: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return configuration and weights in our own layout, or in one from elsewhere."""
    folder = place.parent if place.name == POLICY else place
    if folder.is_dir() and (folder / POLICY).exists():
        return formats.config_of(folder), weights.load(folder / POLICY)
    if formats.recognise(place):
        config, arrays = formats.read(place)
        return installed.completed(config), arrays
    return formats.config_of(folder), weights.load(folder / POLICY)


def claim_of(place: Path, config: dict[str, Any], task: Task | None = None) -> dict[str, str]:
    """Return the environment and score that a teacher's author states; of several, those for the task."""
    folder = place if place.is_dir() else place.parent
    fits = (lambda environment: game_of(environment) == game_of(task.env)) if task else (lambda environment: True)
    return claim.of(config.get("claim")) | claim.read(folder, fits)


def task_of(place: Path, whose: str) -> Task:
    """Return the task of a teacher, by its config.json or by the environment that its author names.

    A version that Gymnasium has retired maps to its successor.
    """
    config, _ = content(place)
    if isinstance(config.get("task"), str):
        return find(config["task"])
    environment = claim_of(place, config).get("environment", "")
    if not environment:
        raise ValueError(f"{whose} names its task neither in a config.json nor in a card: name it with --task")
    family, games = ("minatar", MINATAR) if environment.startswith("MinAtar/") else ("atari", atari_games())
    game = next((game for game in games if game_of(game) == game_of(environment)), None)
    return find(f"{family}/{game}" if game else f"gym/{present(environment)[0] or environment}")


def remark(environment: str, task: Task) -> str:
    """Describe how the environment that a teacher's author names differs from the task; empty if it does not."""
    if not environment or environment in (task.environment, task.env):
        return ""
    if task.family in ("gym", "mujoco"):
        difference = between(environment, task.env)
        return f"its author names {environment}, but {task.env} is played: {difference}" if difference else ""
    if task.family == "atari":
        rules = f"{task.name} has sticky actions {task.sticky:g} and whole games"
        old = "NoFrameskip" in environment or "Deterministic" in environment
        return f"its author names {environment}{', which has no sticky actions' if old else ''}; {rules}"
    return ""


def describe(place: Path) -> str:
    """Describe a teacher in a line; ValueError if none can be read."""
    config, arrays = content(place)
    size = sum(array.size for array in arrays.values())
    words = f"{library_of(config)}, {_network(config)} with {size:,} parameters"
    outputs = f", outputs {config['outputs']:.20}" if isinstance(config.get("outputs"), str) else ""
    return f"{words}, actions {config.get('actions')!r:.20}, observations {config.get('observation')!r:.99}{outputs}"


def facts(place: Path, task: Task | None = None) -> dict[str, str]:
    """Describe what was recognised at a location: one short text per name."""
    config, arrays = content(place)
    said = config.get("origin")
    origin: dict[str, Any] = said if isinstance(said, dict) else {}
    claimed = claim_of(place, config)
    found = {
        "library": library_of(config),
        "file": f"{origin['file']}, sha256 {origin['sha256']}" if origin else str(place),
        "network": f"{_network(config)} with {sum(array.size for array in arrays.values()):,} parameters",
        "actions": f"{config.get('actions')!r:.40}",
        "observation": f"{config.get('observation')!r:.99}",
        "outputs": str(config.get("outputs", "values"))[:40],
        "normalised by": str(origin.get("normalizer", {}).get("file", "")),
        "head": str(origin.get("head", "")),
        "author names": claimed.get("environment", ""),
        "claimed": claimed.get("mean_reward", ""),
        **{key: str(origin.get(key, ""))[:300] for key in ("source", "license", "cost", "scores")},
    }
    try:
        task = task or task_of(place, str(place))
        found |= {"task": task.name, "differs": remark(claimed.get("environment", ""), task)}
    except ValueError as error:
        found["task"] = str(error)
    return {name: text for name, text in found.items() if text}


def library_of(config: dict[str, Any]) -> str:
    """Return the library that made a teacher, from its configuration."""
    origin = config.get("origin")
    return str(origin.get("library"))[:20] if isinstance(origin, dict) else "reincarnate"


def license_of(config: dict[str, Any]) -> str:
    """Return the licence of a teacher and its experience; "other" if its author states none."""
    origin = config.get("origin")
    return str(origin.get("license") or "other")[:40] if isinstance(origin, dict) else "apache-2.0"


def _network(config: dict[str, Any]) -> str:
    name, options = config["architecture"]["name"], config["architecture"].get("options", {})
    return (
        f"{name:.40} {options['of']:.40}"
        if name == "normalized" and isinstance(options.get("of"), str)
        else f"{name:.40}"
    )
