"""Arrays from recorded pickle calls: what numpy, jax and flax would have made of them."""

import math
import re
from typing import Any

import numpy as np

from .. import pickled
from ..pickled import DamagedFile
from . import flax_file

TYPES = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
FUNCTIONS = {"_reconstruct", "scalar", "_frombuffer"}  # of numpy.core.multiarray and numpy.core.numeric, or numpy._core
JAX = {  # jax.Array's own way to pickle, in its versions: (reconstruct, its arguments, numpy's state, jax's state)
    "jax._src.array._reconstruct_array",
    "jax._src.device_array.reconstruct_device_array",
}
FROZEN = "flax.core.frozen_dict.FrozenDict"
PLAIN = {FROZEN, "collections.OrderedDict", "_codecs.encode", "numpy.ndarray", "numpy.dtype", *JAX}
VALUES = 1000


def known(name: str) -> bool:
    """Return whether pickled arrays, or maps of arrays, use this name."""
    numpy = re.fullmatch(r"numpy\.(_core|core)\.(multiarray|numeric)\.(\w+)", name)
    return name in PLAIN or bool(numpy and numpy[3] in FUNCTIONS)


def tree(value: Any) -> Any:
    """Return the nested dicts of arrays that a pickle names; ValueError if it names anything else."""
    return _tree(value, [VALUES], 0)


def _tree(value: Any, left: list[int], depth: int) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > flax_file.DEPTH:
        raise ValueError("it holds more than nested dicts of arrays")
    match value:
        case pickled.PickledCall(name=name, given=(inner,)) if name == FROZEN:
            return _tree(inner, left, depth + 1)
        case pickled.PickledCall(name=name, state={"_dict": dict(inner)}) if name == FROZEN:
            return _tree(inner, left, depth + 1)
        case dict():
            return {key: _tree(item, left, depth + 1) for key, item in value.items()}
    return array(value)


def array(value: Any) -> np.ndarray:
    """Return the array that a pickle names, read-only; ValueError if it names anything else."""
    match value:
        case pickled.PickledCall(name=name, given=(pickled.PickledCall(), _, state, *_)) if name in JAX:
            return _array(state)
        case pickled.PickledCall(name=name, given=tuple(), state=state) if name.endswith(".multiarray._reconstruct"):
            return _array(state)
        case pickled.PickledCall(name=name, given=(content, kind, shape, order)) if name.endswith(
            ".numeric._frombuffer"
        ):
            return _array((1, shape, kind, order == "F", content))
    raise ValueError("it holds something other than nested dicts of arrays")


def number(value: Any) -> float:
    """Return the plain number that a pickle names, also one of numpy's; ValueError if it names anything else."""
    match value:
        case bool() | int() | float():
            return float(value)
        case pickled.PickledCall(name=name, given=(kind, content)) if name.endswith(".multiarray.scalar"):
            return float(_array((1, (), kind, False, content)))
    return float(array(value).reshape(()))


def _array(state: Any) -> np.ndarray:
    """Return an array out of numpy's own state: (version, shape, type, whether columns come first, content)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("an array has no shape, type and content")
    _, shape, kind, fortran, content = state
    order = kind.state if isinstance(kind, pickled.PickledCall) else None
    if not isinstance(kind, pickled.PickledCall) or not kind.given or kind.given[0] not in TYPES:
        raise ValueError("an array is of a type that is not a plain number")
    if isinstance(order, tuple) and len(order) > 1 and order[1] not in ("<", "=", "|"):
        raise ValueError("an array is big-endian, which is not supported")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 8:
        raise ValueError("an array has an impossible shape")
    match content:
        case pickled.PickledCall(name="_codecs.encode", given=(str(text), "latin1")):  # bytes in the oldest protocols
            content = text.encode("latin1")
    dtype = np.dtype(kind.given[0]).newbyteorder("<")
    if (
        not isinstance(content, (bytes, bytearray))
        or math.prod(shape) * dtype.itemsize != len(content)
        or fortran not in (True, False)
    ):
        raise DamagedFile("an array's size does not match its shape")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")
