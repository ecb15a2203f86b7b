"""Teachers made elsewhere, in our terms: CleanRL's JAX value networks, read without flax and without running anything.

A CleanRL file holds arrays and nothing else: which network they belong to is
known from the file's name alone. So one table says what each name means, and
every name, shape and type in the file must agree with it.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .weights import TYPES

LIMIT = 64 * 2**20  # bytes of a file; the largest known one has 7 MB
CARD_LIMIT = 2**15  # bytes of a README.md's front matter
BRACKETS = 500  # in it: PyYAML's time grows with the square of open ones
DEPTH, MAPS, ENTRIES, DIMENSIONS = 8, 1024, 256, 8  # of a msgpack file: networks have some ten maps of ten entries
ACTIONS = 64  # at most; Atari has 18

Shape = tuple[int, ...]
Table = Mapping[
    str, tuple[str, Shape]
]  # their name -> our name and the shape, where 0 stands for any number of actions


class Foreign(NamedTuple):
    """A teacher from elsewhere."""

    config: dict[str, Any]  # as the config.json of our own teachers has it, and what is known of its origin
    arrays: dict[str, np.ndarray]  # under the names of our own networks


def _layers(kernels: Mapping[str, tuple[str, Shape]]) -> Table:
    """The kernels' table with their biases."""
    biases = {f"{a}/bias": (f"{b}/bias", shape[-1:]) for a, (b, shape) in kernels.items()}
    return {**{f"{a}/kernel": (f"{b}/kernel", shape) for a, (b, shape) in kernels.items()}, **biases}


def _same(kernels: Mapping[str, Shape]) -> Table:
    return _layers({f"params/{name}": (f"params/{name}", shape) for name, shape in kernels.items()})


def _impala() -> Table:
    """Three stages; theirs are nested (a convolution, then two blocks of two), ours are numbered in the same order."""
    kernels: dict[str, tuple[str, Shape]] = {
        "params/Dense_0": ("params/Dense_0", (11 * 11 * 32, 256)),
        "params/Dense_1": ("params/Dense_1", (256, 0)),
    }
    for stage, (before, features) in enumerate(((4, 16), (16, 32), (32, 32))):
        nested = ["Conv_0", *(f"ResidualBlock_{block}/Conv_{conv}" for block in (0, 1) for conv in (0, 1))]
        for i, name in enumerate(nested):
            shape = (3, 3, before if i == 0 else features, features)
            kernels[f"params/ConvSequence_{stage}/{name}"] = (f"params/Conv_{5 * stage + i}", shape)
    return _layers(kernels)


NATURE = {
    "Conv_0": (8, 8, 4, 32),
    "Conv_1": (4, 4, 32, 64),
    "Conv_2": (3, 3, 64, 64),
    "Dense_0": (7 * 7 * 64, 512),
    "Dense_1": (512, 0),
}
# CleanRL's name -> our network, its options and the table. All see four frames of 84 x 84 grey pixels, oldest first,
# divided by 255, and move the stack to the last axis inside, as our own do: no array needs to be turned.
CLEANRL: dict[str, tuple[str, dict[str, Any], Table]] = {
    "dqn_atari_jax": ("nature", {}, _same(NATURE)),
    "qdagger_dqn_atari_jax_impalacnn": ("impala", {"dense": 256}, _impala()),
}
CLEANRL_PROTOCOL = {  # what its networks were trained on: stable-baselines3's wrappers around NoFrameskip-v4
    "frame_skip": 4,
    "stack": 4,
    "sticky": 0.0,
    "noop_max": 30,
    "episodic_life": True,
    "fire_reset": True,
    "clip": True,
    "resize": "in colour, then grey",
}


def read(folder: Path, limit_bytes: int = LIMIT) -> Foreign:
    """The teacher in a folder that CleanRL uploaded.

    ValueError if the folder holds none or several, or one of an unknown kind, or if anything in the file differs
    from what its name promises.
    """
    files = sorted(folder.glob("*.cleanrl_model"))
    if len(files) != 1:
        raise ValueError(f"{folder} has {len(files)} files *.cleanrl_model: a teacher from CleanRL has exactly one")
    path = files[0]
    if path.stem not in CLEANRL:
        raise ValueError(f"{path.name} is of a kind that cannot be read; those that can: {', '.join(sorted(CLEANRL))}")
    if not path.is_file() or path.stat().st_size > limit_bytes:
        raise ValueError(f"{path} has more than {limit_bytes} bytes or is no file: it is no network of {path.stem}")
    data = path.read_bytes()
    network, options, table = CLEANRL[path.stem]
    try:
        arrays, actions = _rename(unpack(data), table)
    except ValueError as error:
        raise ValueError(
            f"{path} is no network of {path.stem}: {error}; download it again or ask its author"
        ) from error
    config = {
        "architecture": {"name": network, "options": options},
        "actions": actions,
        "observation": {"shape": [4, 84, 84], "dtype": "uint8"},
        "protocol": CLEANRL_PROTOCOL,
        "origin": {"library": "cleanrl", "file": path.name, "sha256": hashlib.sha256(data).hexdigest()},
        "claim": claim(folder),
    }
    return Foreign(config, arrays)


def _rename(theirs: Mapping[str, np.ndarray], table: Table) -> tuple[dict[str, np.ndarray], int]:
    """Our names, and the number of actions; ValueError for the first array that is not as the table says."""
    if odd := sorted(set(theirs) ^ set(table)):
        raise ValueError(f"the array {odd[0][:80]!r} is {'missing' if odd[0] in table else 'unknown'}")
    last = next(name for name, (_, shape) in table.items() if shape == (0,))  # the bias of the last layer
    actions = theirs[last].size
    if not 1 <= actions <= ACTIONS:
        raise ValueError(f"it has {actions} actions, not 1 to {ACTIONS}")
    for name, (_, shape) in table.items():
        wanted = tuple(size or actions for size in shape)
        if theirs[name].shape != wanted or theirs[name].dtype != np.float32:
            given = f"{theirs[name].dtype}{list(theirs[name].shape)}"
            raise ValueError(f"the array {name} is {given}, not float32{list(wanted)}")
        if not np.isfinite(theirs[name]).all():
            raise ValueError(f"the array {name} has values that are no numbers")
    return {ours: theirs[name] for name, (ours, _) in table.items()}, actions


def unpack(data: bytes) -> dict[str, np.ndarray]:
    """A flax msgpack file as {"params/Dense_0/kernel": array, ...}, read-only.

    ValueError for anything but nested maps of arrays, and before memory is taken for what such files never need.
    """
    import msgpack

    maps = 0

    def pairs(items: list[tuple[Any, Any]]) -> dict[str, Any]:
        nonlocal maps
        maps += 1
        found = dict(items)
        if maps > MAPS or len(found) != len(items) or not all(isinstance(key, str) for key in found):
            raise ValueError("it has too many maps, or names that are no text or there twice")
        return found

    def array(code: int, payload: bytes) -> np.ndarray:
        if code not in (1, 3):  # flax's codes for an array and for one number
            raise ValueError(f"it holds something of the unknown kind {code}")
        limits = {"max_array_len": DIMENSIONS, "max_map_len": 0, "max_ext_len": 0}
        shape, dtype, buffer = msgpack.unpackb(payload, **limits)
        if dtype not in TYPES or not isinstance(shape, list) or not isinstance(buffer, bytes):
            raise ValueError("an array has no known type, shape and content")
        if not all(isinstance(size, int) and 0 <= size <= len(buffer) for size in shape):
            raise ValueError("an array has an impossible shape")
        if math.prod(shape) * np.dtype(dtype).itemsize != len(buffer):
            raise ValueError("an array has another size than its shape")
        return np.frombuffer(buffer, np.dtype(dtype).newbyteorder("<")).reshape(shape)

    limits = {"max_array_len": 0, "max_map_len": ENTRIES, "max_str_len": 256, "max_bin_len": 0}
    try:
        tree = msgpack.unpackb(data, ext_hook=array, object_pairs_hook=pairs, **limits)
    except (TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ValueError("it is no msgpack of named arrays") from error
    except ValueError as error:
        text = re.sub(r"[^ -~]+", " ", str(error))[:120]
        raise ValueError(text or "it is cut short or no msgpack of named arrays") from error
    return _flatten(tree)


def _flatten(tree: Any, path: str = "", depth: int = 0) -> dict[str, np.ndarray]:
    if isinstance(tree, np.ndarray):
        return {path: tree}
    if not isinstance(tree, dict) or depth > DEPTH:
        raise ValueError("it holds something else than nested maps of arrays")
    found: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if "/" in name:
            raise ValueError("it has names with a slash")
        found |= _flatten(value, f"{path}/{name}" if path else name, depth + 1)
    return found


def claim(folder: Path) -> dict[str, str]:
    """What the author's README.md says: environment, and mean_reward as `291.10 +/- 116.43`. Empty if it says nothing.

    It is the author's word, under the author's protocol, and nothing that was measured here.
    """
    import yaml

    try:
        with (folder / "README.md").open("rb") as file:
            text = file.read(CARD_LIMIT).decode(errors="replace").replace("\r\n", "\n")
        front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        if front is None or len(re.findall(r"[\[{]", front[1])) > BRACKETS:
            return {}
        card: Any = yaml.load(front[1], Loader=yaml.BaseLoader)  # texts, lists and maps only: nothing is made or merged
        result = card["model-index"][0]["results"][0]
        found = {"environment": result["dataset"]["name"]}
        found["mean_reward"] = next(x["value"] for x in result["metrics"] if x["type"] == "mean_reward")
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError, StopIteration, yaml.YAMLError):
        return {}
    number = r"-?(\d+(\.\d+)?|nan|inf)"
    good = isinstance(found["mean_reward"], str) and re.fullmatch(rf"{number}\s*\+/-\s*{number}", found["mean_reward"])
    plain = isinstance(found["environment"], str) and re.fullmatch(r"[\w./:-]{1,80}", found["environment"])
    return found if good and plain else {}
