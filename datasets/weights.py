"""Named arrays in safetensors files: written whole and always alike, read only within limits. No code is ever run."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from . import atomic

LIMIT = 512 * 2**20  # bytes of a file; the largest networks here take a tenth of it
HEADER_LIMIT = 2**20  # bytes of names, types and shapes
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
    """Writes arrays under their names; the same arrays and metadata give the same bytes. ValueError for other types."""
    plain = {name: np.asarray(array, order="C") for name, array in sorted(arrays.items())}
    for name, array in plain.items():
        if array.dtype.name not in TYPES or name == "__metadata__":
            raise ValueError(f"{name} ({array.dtype}) cannot be stored as weights: use one of {', '.join(TYPES)}")
    data = safetensors.numpy.save(plain)
    if metadata:  # the library writes it in random order
        size = 8 + int.from_bytes(data[:8], "little")
        header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(data[8:size])}
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)  # arrays begin at a multiple of 8 bytes
        data = len(text).to_bytes(8, "little") + text + data[size:]
    atomic.write(path, data)


def load(path: Path, limit_bytes: int = LIMIT) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file by name, read-only. Takes at most twice the file's size in memory.

    ValueError if there is no such file, if it is larger than allowed, or if its
    header and its size do not agree to the byte.
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


def parsed(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of a safetensors file's bytes; the ValueError's sentence lacks its subject, the file."""
    header = int.from_bytes(data[:8], "little")
    if len(data) < 8 or header > min(HEADER_LIMIT, len(data) - 8):
        raise ValueError("is cut short or no safetensors file: download or export it again")
    try:
        return safetensors.numpy.load(data)
    except KeyError as error:
        raise ValueError("has numbers of a type that numpy lacks: convert it to float32") from error
    except (SafetensorError, ValueError, OverflowError) as error:
        raise ValueError("is a damaged safetensors file: download or export it again") from error
