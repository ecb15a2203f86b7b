"""Read the output of flax.serialization.to_bytes, without flax and without running code."""

import math
import re
from typing import Any

import numpy as np

from ..pickled import DamagedFile
from .weights import TYPES

DEPTH, MAPS, ENTRIES, DIMENSIONS = 8, 1024, 256, 8  # networks have about ten maps of ten entries


def read(data: bytes) -> dict[str, Any]:
    """Return the nested maps of a flax msgpack file, whose leaves are read-only arrays, numbers, text and None.

    ValueError for anything else, before memory is allocated for it.
    """
    import msgpack

    maps = 0

    def pairs(items: list[tuple[Any, Any]]) -> dict[str, Any]:
        nonlocal maps
        maps += 1
        found = dict(items)
        if maps > MAPS or len(found) != len(items) or not all(isinstance(key, str) for key in found):
            raise ValueError("it has too many maps, or names that are repeated or not text")
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
            raise DamagedFile("an array's size does not match its shape")
        return np.frombuffer(buffer, np.dtype(dtype).newbyteorder("<")).reshape(shape)

    limits = {"max_array_len": 0, "max_map_len": ENTRIES, "max_str_len": 256, "max_bin_len": 0}
    try:
        tree = msgpack.unpackb(data, ext_hook=array, object_pairs_hook=pairs, **limits)
    except (TypeError, KeyError, OverflowError, RecursionError) as error:
        raise DamagedFile("it is not msgpack of named arrays") from error
    except DamagedFile:
        raise
    except ValueError as error:
        if text := re.sub(r"[^ -~]+", " ", str(error))[:120]:
            raise ValueError(text) from error
        raise DamagedFile("it is cut short or not msgpack of named arrays") from error
    if not isinstance(tree, dict):
        raise ValueError("it holds something other than nested maps of arrays")
    return tree


def arrays(tree: Any, path: str = "", depth: int = 0) -> dict[str, np.ndarray]:
    """Return {"params/Dense_0/kernel": array, ...} of nested maps; ValueError if they hold anything else."""
    if isinstance(tree, np.ndarray):
        return {path: tree}
    if not isinstance(tree, dict) or depth > DEPTH:
        raise ValueError("it holds something other than nested maps of arrays")
    found: dict[str, np.ndarray] = {}
    for name, value in tree.items():
        if not isinstance(name, str) or "/" in name:
            raise ValueError("it has names with a slash, or that are not text")
        found |= arrays(value, f"{path}/{name}" if path else name, depth + 1)
    return found
