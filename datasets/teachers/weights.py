"""Named arrays in safetensors files: written completely and reproducibly, read within limits. No code is ever run."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from .. import atomic
from ..folders import regular

LIMIT = 512 * 2**20  # bytes of a file; the largest networks here need a tenth
HEADER_LIMIT = 2**20  # bytes of the header, or of an index
SHARDED_ARRAYS = 10_000
INDEX = ".safetensors.index.json"  # suffix of an index of several files
TYPES = (
    "float16",
    "float32",
    "float64",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "bool",
)


def save(path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write arrays by name; equal arrays and metadata give equal bytes. ValueError for unsupported types."""
    plain = {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}
    for name, array in plain.items():
        if array.dtype.name not in TYPES or name == "__metadata__":
            raise ValueError(f"{name} ({array.dtype}) cannot be stored as weights: use one of {', '.join(TYPES)}")
    data = safetensors.numpy.save(plain)
    if metadata:  # the library's order is random
        size = 8 + int.from_bytes(data[:8], "little")
        header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8:size])}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # arrays are aligned to 8 bytes
        data = len(text).to_bytes(8, "little") + text + data[size:]
    atomic.write(path, data)


def load(path: Path, limit_bytes: int = LIMIT) -> dict[str, np.ndarray]:
    """Return the arrays of a safetensors file by name, read-only. Uses at most twice the file's size in memory.

    ValueError if there is no such file, if it is too large, or if its header contradicts its size.
    """
    if not path.is_file():
        raise ValueError(f"there is no file {path}: download or export the weights again")
    size = path.stat().st_size
    if size > limit_bytes:
        raise ValueError(f"{path} has more than {limit_bytes} bytes: these are not the weights of a network used here")
    with path.open("rb") as file:
        data = file.read(size)
    try:
        return parsed(data)
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error.__cause__


def load_sharded(index: Path, limit_bytes: int = LIMIT) -> dict[str, np.ndarray]:
    """Return the arrays of several safetensors files, using the index that maps names to files.

    ValueError if the index is damaged or points outside of its folder, or if the files do not hold exactly its arrays.
    """
    try:
        with regular(index).open("rb") as file:
            named = json.loads(file.read(HEADER_LIMIT))["weight_map"]
        if not isinstance(named, dict) or not all(type(x) is str for pair in named.items() for x in pair):
            raise TypeError
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        raise ValueError("is not an index of arrays: it has no map 'weight_map'") from None
    found: dict[str, np.ndarray] = {}
    left = limit_bytes
    for name in sorted(set(named.values())):
        if Path(name).name != name or not name.endswith(".safetensors") or len(named) > SHARDED_ARRAYS:
            raise ValueError(f"names {name[:80]!r}, which is not a safetensors file beside it")
        shard = load(index.parent / name, left)
        left -= (index.parent / name).stat().st_size
        if set(shard) != {key for key, file in named.items() if file == name}:
            raise ValueError(f"names other arrays for {name[:80]!r} than that file holds")
        found |= shard
    return found


def parsed(data: bytes) -> dict[str, np.ndarray]:
    """Return the arrays in a safetensors file's bytes; messages of ValueError lack the file name as their subject."""
    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > min(HEADER_LIMIT, len(data) - 8):
        raise ValueError("is cut short or not a safetensors file: download or export it again")
    try:
        return safetensors.numpy.load(data)
    except KeyError as error:
        raise ValueError("has numbers of a type that numpy lacks: convert it to float32") from error
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError("is a damaged safetensors file: download or export it again") from error
