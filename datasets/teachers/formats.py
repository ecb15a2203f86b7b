"""Convert teachers from other libraries, without these libraries and without running code.

Each format has its own file; the table layouts.KINDS describes the networks. Files hold arrays and little else, so
every array's name, shape and type must agree with the table, and unknown arrays are refused.
"""

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..folders import regular
from ..pickled import DamagedFile
from . import claim, cleanrl, dopamine, frozen_graph, pickles, sample_factory, sb3, torch_with_config
from .layouts import Ours

CONFIG_LIMIT = 2**20  # bytes of a config.json


class Foreign(NamedTuple):
    """A teacher from another library, converted."""

    config: dict[str, Any]  # in the form of our own config.json, with its known origin
    arrays: dict[str, np.ndarray]  # with the names of our own networks


class Format(NamedTuple):
    """A format: how to find and read teachers of one library."""

    find: Callable[[Path], list[Path]]  # candidate files in a folder
    read: Callable[[Path, bytes], tuple[Ours, dict[str, Any]]]
    limit: int  # greatest size of a file in bytes, twice that of the largest known ones


FORMATS = {
    "cleanrl": Format(cleanrl.find, cleanrl.read, 64 * 2**20),
    "stable-baselines3": Format(sb3.find, sb3.read, 128 * 2**20),
    "dopamine": Format(dopamine.find, dopamine.read, 256 * 2**20),
    "sample-factory": Format(sample_factory.find, sample_factory.read, 256 * 2**20),
    "tensorflow": Format(frozen_graph.find, frozen_graph.read, 64 * 2**20),
    "flax": Format(pickles.find, pickles.read, 256 * 2**20),
    "torch": Format(torch_with_config.find, lambda path, data: _plain(path, data), 64 * 2**20),
}
LATER = ("tensorflow", "flax", "torch")  # tried last: many tools leave such files next to a teacher of another library


def recognise(place: Path) -> tuple[str, Path] | None:
    """Return the library of the teacher in a folder or file, and its file; None if it is ours.

    ValueError if there are several teachers.
    """
    if place.is_file():
        return _of_file(place)
    found = {name: files for name, one in FORMATS.items() if (files := one.find(place))}
    if len(found) > 1:
        found = {name: files for name, files in found.items() if name not in LATER} or found
    if len(found) > 1:
        raise ValueError(f"{place} holds teachers of {' and '.join(found)}: choose one with --file")
    for name, files in found.items():
        if len(files) > 1:
            names = ", ".join(str(path.relative_to(place)) for path in files[:20])
            raise ValueError(f"{place} holds {len(files)} teachers of {name}: choose one with --file: {names}")
        return name, files[0]
    return None


def _of_file(path: Path) -> tuple[str, Path] | None:
    """Return the library of one file, by its name or, of pickles, its first byte."""
    if sample_factory.owns(path):
        return "sample-factory", path
    if path.name == "policy.safetensors":
        return None
    for name, one in FORMATS.items():
        if re.fullmatch(r"ckpt\.\d{1,9}", path.name) if name == "dopamine" else path in one.find(path.parent):
            return name, path
    with regular(path).open("rb") as file:
        return ("flax", path) if file.read(1) == b"\x80" else None


def read(place: Path) -> Foreign:
    """Read the teacher of another library from a folder or a file.

    ValueError if there is none or several, if it is of an unknown kind, or if the file does not fit its kind.
    """
    found = recognise(place)
    if found is None:
        raise ValueError(f"{place} holds no teacher that can be read: datasets/README.md lists the formats")
    library, path = found
    if regular(path).stat().st_size > FORMATS[library].limit:
        raise ValueError(f"{path} has more than {FORMATS[library].limit} bytes: not a network of {library}")
    data = path.read_bytes()
    try:
        network, about = FORMATS[library].read(path, data)
    except ValueError as error:
        again = "; download it again" if isinstance(error, DamagedFile) else ""
        raise ValueError(f"{path} is not a network of {library} that can be read: {error}{again}") from error
    claimed = {name: about.pop(name) for name in ("environment", "mean_reward") if name in about}
    origin = {"library": about.pop("library", library), "file": path.name, "sha256": hashlib.sha256(data).hexdigest()}
    origin |= {name: about.pop(name) for name in ("normalizer", "head") if name in about}
    config = {
        "architecture": network.architecture,
        "actions": network.actions,
        "outputs": network.outputs,
        **about,
        "origin": origin,
        "claim": {**claimed, **claim.read(path.parent if path.parent.name != "checkpoint_p0" else path.parents[1])},
    }
    return Foreign(config, network.arrays)


def _plain(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    return torch_with_config.read(path, data, config_of(path.parent))


def config_of(folder: Path) -> dict[str, Any]:
    """Return the `config.json` of a teacher or a run; ValueError if it is missing or does not describe the network."""
    path = regular(folder / "config.json")
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_LIMIT + 1)
        config: Any = json.loads(text) if len(text) <= CONFIG_LIMIT else None
        name, options = config["architecture"]["name"], config["architecture"].get("options", {})
        if not isinstance(name, str) or not isinstance(options, dict):
            raise TypeError
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"{folder} holds no teacher: neither one of ours, with a config.json, nor one of {', '.join(FORMATS)}"
        ) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path} does not say what the network is: add an architecture with a name") from None
    return config
