"""Read files of torch.save, without torch and without running code.

Since torch 1.6 such a file is a zip: `data.pkl` describes the layout of tensors in the members `data/0`, `data/1`, ...,
which are plain numbers. Before, it was five pickles in sequence (a magic number, a version, the machine, the value, the
names of storages), followed by each storage's size and numbers.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import pickled
from ..pickled import DamagedFile
from . import zipped

TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}
TYPES |= {"ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}
TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
KNOWN = frozenset({"collections.OrderedDict", TENSOR, PARAMETER, *(f"torch.{name}" for name in TYPES)})
VALUES, DEPTH, DIMENSIONS = 20_000, 8, 8
LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # the pickled magic number at the start of files before torch 1.6


def read(data: bytes) -> Any:
    """Return the saved value: nested dicts, lists, numbers and text, with read-only arrays for tensors.

    Tensors that share a storage share memory. ValueError for a damaged file, or one that names functions other than
    torch's own for tensors.
    """
    if data.startswith(LEGACY):
        return _value(*_legacy(data))
    archive = zipped.opened(data)
    roots = [name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise ValueError("it is not a file of torch.save")
    root = roots[0]
    if root + "byteorder" in archive.NameToInfo and zipped.member(archive, root + "byteorder", 16) != b"little":
        raise ValueError("its numbers are big-endian, which is not supported")
    tree = pickled.read(zipped.member(archive, root + "data.pkl", 2**22), KNOWN.__contains__)
    left = [zipped.LIMIT]

    def content(key: str, _: np.dtype) -> bytes:
        found = zipped.member(archive, f"{root}data/{key}", left[0])
        left[0] -= len(found)
        return found

    return _value(tree, content)


def _legacy(data: bytes) -> tuple[Any, Callable[[str, np.dtype], bytes]]:
    """Return the tree and the contents of storages of a file from before torch 1.6."""
    at, found = 0, []
    for _ in range(5):
        value, end = pickled.read_next(data[at:], KNOWN.__contains__)
        found.append(value)
        at += end
    _, version, machine, tree, keys = found
    little = isinstance(machine, dict) and machine.get("little_endian") is True
    if version != 1001 or not little or not isinstance(keys, list) or not all(type(key) is str for key in keys):
        raise ValueError("it is not a file of torch.save of a supported version from a little-endian machine")
    place = {key: number for number, key in enumerate(keys)}
    starts = [at]  # of storages whose size in bytes is known so far: they follow one another

    def content(key: str, dtype: np.dtype) -> bytes:
        if key not in place or place[key] >= len(starts):
            raise ValueError("a tensor has a storage that is not in the file")
        start = starts[place[key]]
        size = int.from_bytes(data[start : start + 8], "little") * dtype.itemsize
        if size > len(data) - start - 8:
            raise DamagedFile("it is cut short")
        if place[key] + 1 == len(starts):
            starts.append(start + 8 + size)
        return data[start + 8 : start + 8 + size]

    kinds: dict[str, np.dtype] = {}
    _kinds(tree, kinds, [VALUES])
    for key in keys:  # in the file's order
        if key not in kinds:
            raise ValueError("it has a storage that no tensor needs")
        content(key, kinds[key])
    return tree, content


def _kinds(tree: Any, kinds: dict[str, np.dtype], left: list[int], depth: int = 0) -> None:
    """Add the type of each storage that a tree names, by its key."""
    left[0] -= 1
    if left[0] < 0 or depth > 2 * DEPTH:
        raise ValueError("it holds more values than any network")
    match tree:
        case pickled.PickledCall(name="persistent", given=(_, pickled.PickledCall(name=kind), str(key), *_)):
            name = kind.removeprefix("torch.")
            if name not in TYPES:
                raise ValueError("a tensor has a storage of an unknown kind")
            kinds[key] = np.dtype(TYPES[name])
        case pickled.PickledCall(given=tuple(given)):
            _kinds(given, kinds, left, depth + 1)
        case dict():
            for item in tree.values():
                _kinds(item, kinds, left, depth + 1)
        case list() | tuple():
            for item in tree:
                _kinds(item, kinds, left, depth + 1)


def _value(tree: Any, content: Callable[[str, np.dtype], bytes]) -> Any:
    """Return the tree with arrays for tensors; `content` gives the bytes of a storage."""
    storages: dict[str, np.ndarray] = {}

    def storage(reference: Any) -> np.ndarray:
        """Return ("storage", its type, its number, its device, its size) -> its numbers;
        the device is of no interest."""
        if not isinstance(reference, pickled.PickledCall) or not isinstance(reference.given, tuple):
            raise ValueError("a tensor has no storage")
        tag, kind, key, _, size, *view = reference.given
        name = kind.name.removeprefix("torch.") if isinstance(kind, pickled.PickledCall) else ""
        if tag != "storage" or any(view) or name not in TYPES or not isinstance(key, str) or not key.isdecimal():
            raise ValueError("a tensor has a storage of an unknown kind")
        if key not in storages:
            numbers = content(key, np.dtype(TYPES[name]))
            if len(numbers) % np.dtype(TYPES[name]).itemsize:
                raise DamagedFile("a storage's size differs from the stated one")
            storages[key] = np.frombuffer(numbers, TYPES[name])
        if type(size) is not int or storages[key].size != size or storages[key].dtype != TYPES[name]:
            raise DamagedFile("a storage's size differs from the stated one")
        return storages[key]

    def tensor(reference: Any, offset: Any, size: Any, stride: Any, *_: Any) -> np.ndarray:
        numbers = storage(reference)
        geometry = (offset, *size, *stride)
        if len(size) != len(stride) or len(size) > DIMENSIONS or not all(type(x) is int and x >= 0 for x in geometry):
            raise ValueError("a tensor has an impossible shape")
        reach = offset + 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if max(math.prod(size), *size, 0) > numbers.size or (all(size) and reach > numbers.size):
            raise ValueError("a tensor is larger than its storage")
        if not all(size):
            return np.zeros(size, numbers.dtype)
        steps = [step * numbers.itemsize for step in stride]
        return np.lib.stride_tricks.as_strided(numbers[offset:], size, steps, writeable=False)

    count = 0

    def value(tree: Any, depth: int = 0) -> Any:
        nonlocal count
        count += 1
        if count > VALUES or depth > DEPTH:
            raise ValueError("it holds more values than any network")
        match tree:
            case pickled.PickledCall(name=name, given=tuple(given)) if name == TENSOR:
                return tensor(*given)
            case pickled.PickledCall(name=name, given=tuple(given)) if name == PARAMETER:
                return value(given[0], depth + 1)
            case pickled.PickledCall():
                raise ValueError("it holds something that is neither a tensor nor plain data")
            case dict():
                return {key: value(item, depth + 1) for key, item in tree.items()}
            case list() | tuple():
                return [value(item, depth + 1) for item in tree]
        return tree

    try:
        return value(tree)
    except (TypeError, LookupError, OverflowError) as error:
        raise ValueError("it is not a file of tensors") from error
