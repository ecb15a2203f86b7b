"""Reads what torch.save wrote, without torch and without running anything.

Since torch 1.6 such a file is a zip: `data.pkl` says how tensors lie in the
members `data/0`, `data/1`, ..., which are plain numbers.
"""

import math
from typing import Any

import numpy as np

from . import pickled, zipped

TYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "LongStorage": "<i8", "IntStorage": "<i4"}
TYPES |= {"ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1", "BoolStorage": "?"}
TENSOR, PARAMETER = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_parameter"
KNOWN = frozenset({"collections.OrderedDict", TENSOR, PARAMETER, *(f"torch.{name}" for name in TYPES)})
VALUES, DEPTH, DIMENSIONS = 20_000, 8, 8


def read(data: bytes) -> Any:
    """The value that was saved: nested dicts, lists, numbers and texts, with read-only arrays for tensors.

    Tensors that share a storage share memory. ValueError for a damaged file, one
    that names any function but torch's own for tensors, or one of a torch before 1.6.
    """
    archive = zipped.opened(data)
    roots = [name[: -len("data.pkl")] for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise ValueError("it is no file of torch.save since torch 1.6")
    root = roots[0]
    if root + "byteorder" in archive.NameToInfo and zipped.member(archive, root + "byteorder", 16) != b"little":
        raise ValueError("its numbers have the other byte order")
    tree = pickled.read(zipped.member(archive, root + "data.pkl", 2**22), KNOWN.__contains__)
    left = [zipped.LIMIT]
    storages: dict[str, np.ndarray] = {}

    def storage(reference: Any) -> np.ndarray:
        """("storage", its type, its number, its device, its size) -> its numbers; the device is of no interest."""
        if not isinstance(reference, pickled.Call) or not isinstance(reference.given, tuple):
            raise ValueError("a tensor has no storage")
        tag, kind, key, _, size = reference.given
        name = kind.name.removeprefix("torch.") if isinstance(kind, pickled.Call) else ""
        if tag != "storage" or name not in TYPES or not isinstance(key, str) or not key.isdecimal():
            raise ValueError("a tensor has a storage of an unknown kind")
        if key not in storages:
            content = zipped.member(archive, f"{root}data/{key}", left[0])
            left[0] -= len(content)
            if len(content) % np.dtype(TYPES[name]).itemsize:
                raise ValueError("a storage has another size than it says")
            storages[key] = np.frombuffer(content, TYPES[name])
        if type(size) is not int or storages[key].size != size or storages[key].dtype != TYPES[name]:
            raise ValueError("a storage has another size than it says")
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
            case pickled.Call(name=name, given=tuple(given)) if name == TENSOR:
                return tensor(*given)
            case pickled.Call(name=name, given=tuple(given)) if name == PARAMETER:
                return value(given[0], depth + 1)
            case pickled.Call():
                raise ValueError("it holds something that is neither a tensor nor plain")
            case dict():
                return {key: value(item, depth + 1) for key, item in tree.items()}
            case list() | tuple():
                return [value(item, depth + 1) for item in tree]
        return tree

    try:
        return value(tree)
    except (TypeError, LookupError, OverflowError) as error:
        raise ValueError("it is no file of tensors") from error
