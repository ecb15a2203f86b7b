"""Teachers made elsewhere, in our terms: read without their libraries, and without running anything.

Each format has a file, foreign_*.py; what their networks look like is one table,
foreign_layers.KINDS. A file holds arrays and little else, so what the table does
not know is refused, and every name, shape and type must agree with it.
"""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import claim, foreign_cleanrl, foreign_dopamine, foreign_plain, foreign_sb3
from .foreign_layers import Ours

CONFIG_LIMIT = 2**20  # bytes of a config.json


class Foreign(NamedTuple):
    """A teacher from elsewhere."""

    config: dict[str, Any]  # as the config.json of our own teachers has it, and what is known of its origin
    arrays: dict[str, np.ndarray]  # under the names of our own networks


class Format(NamedTuple):
    """How teachers of one library are found in a folder and read."""

    find: Callable[[Path], Path | None]
    read: Callable[[Path, bytes], tuple[Ours, dict[str, Any]]]
    limit: int  # bytes of a file; the largest known ones have half of it


FORMATS = {
    "cleanrl": Format(foreign_cleanrl.find, foreign_cleanrl.read, 64 * 2**20),
    "stable-baselines3": Format(foreign_sb3.find, foreign_sb3.read, 128 * 2**20),
    "dopamine": Format(foreign_dopamine.find, foreign_dopamine.read, 256 * 2**20),
}
PLAIN_LIMIT = 64 * 2**20


def recognise(folder: Path) -> str:
    """Which library made the teacher in a folder: a name of FORMATS, torch, or empty if it is one of ours or none."""
    found = [name for name, one in FORMATS.items() if one.find(folder)]
    if len(found) > 1:
        raise ValueError(f"{folder} holds teachers of {' and '.join(found)}: leave one")
    return found[0] if found else "torch" if foreign_plain.find(folder) else ""


def read(folder: Path) -> Foreign:
    """The teacher in a folder that another library filled.

    ValueError with one sentence if there is none or several, if it is of an unknown kind, or if anything in the
    file differs from what its kind promises.
    """
    library = recognise(folder)
    if not library:
        raise ValueError(f"{folder} holds no teacher that can be read: datasets/README.md lists the formats")
    if library == "torch":
        said = config_of(folder)
        path, limit = foreign_plain.find(folder), PLAIN_LIMIT
        parse = lambda path, data: foreign_plain.read(path, data, said)  # noqa: E731
    else:
        find, parse, limit = FORMATS[library]
        path = find(folder)
    assert path is not None
    if not path.is_file() or path.stat().st_size > limit:
        raise ValueError(f"{path} has more than {limit} bytes or is no file: it is no network of {library}")
    data = path.read_bytes()
    try:
        network, about = parse(path, data)
    except ValueError as error:
        raise ValueError(
            f"{path} is no network of {library} that can be read: {error}; download it again or ask its author"
        ) from error
    claimed = claim.read(folder)
    if "environment" in about:
        claimed = {"environment": about.pop("environment"), **claimed}
    config = {
        "architecture": network.architecture,
        "actions": network.actions,
        **about,
        "origin": {"library": library, "file": path.name, "sha256": hashlib.sha256(data).hexdigest()},
        "claim": claimed,
    }
    return Foreign(config, network.arrays)


def config_of(folder: Path) -> dict[str, Any]:
    """The `config.json` of a teacher or a run; ValueError if there is none that says what the network is."""
    path = folder / "config.json"
    try:
        with path.open("rb") as file:
            text = file.read(CONFIG_LIMIT + 1)
        config: Any = json.loads(text) if len(text) <= CONFIG_LIMIT else None
        name, options = config["architecture"]["name"], config["architecture"].get("options", {})
        if not isinstance(name, str) or not isinstance(options, dict):
            raise TypeError
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is no teacher: it has no config.json") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise ValueError(f"{path} does not say what the network is: the file is damaged") from None
    return config
