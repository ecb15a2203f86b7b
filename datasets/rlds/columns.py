"""Validation of an episode's columns: every reader passes through it, and each fault is one sentence.

No axis with more than one entry is dropped, and casts change numbers only by rounding to float32.
"""

import math
from typing import Any

import numpy as np


def numbers(values: Any, name: str) -> np.ndarray:
    """Return numbers [T] from [T] or [T, 1]; ValueError for other shapes and types."""
    array = _array(values, name)
    if array.ndim == 0 or math.prod(array.shape[1:]) != 1:
        raise ValueError(f"its {name} has shape {list(array.shape[1:])} a step, where one number is needed")
    return array.reshape(len(array))


def choices(values: Any) -> np.ndarray:
    """Return discrete actions [T] int32; ValueError for one that is not a whole number from 0 up."""
    array = numbers(values, "action")
    with np.errstate(invalid="ignore"):
        good = (array >= 0) & (array < 2**31 - 1) & (array == np.floor(array) if array.dtype.kind == "f" else True)
    for step in np.flatnonzero(~good)[:1]:
        fault = "out of range" if array[step] == np.floor(array[step]) else "not a whole number"
        raise ValueError(f"step {step}: the action is {fault}: it is {array[step]}, and actions are counted from 0")
    return array.astype(np.int32)


def actions(values: Any) -> np.ndarray:
    """Return discrete actions [T] int32, or continuous ones [T, D] float32; ValueError for others."""
    array = _array(values, "action")
    if array.dtype.kind == "f" and array.ndim == 2:
        return _float32(array, "action")
    return choices(array)


def rewards(values: Any, name: str = "reward") -> np.ndarray:
    """Return [T] float32; ValueError for a number beyond its range."""
    return _float32(numbers(values, name), name)


def flags(values: Any, name: str) -> np.ndarray:
    """Return [T] bool; ValueError for a number other than 0 and 1."""
    array = numbers(values, name)
    for step in np.flatnonzero((array != 0) & (array != 1))[:1]:
        raise ValueError(f"step {step}: its {name} is {array[step]}, neither 0 nor 1")
    return array.astype(bool)


def planes(values: np.ndarray) -> np.ndarray:
    """Return bits [T, *frame] as bool; ValueError for a number other than 0 and 1."""
    for step in np.flatnonzero(_in_row((values != 0) & (values != 1)))[:1]:
        raise ValueError(f"step {step}: its observation has numbers other than 0 and 1")
    return values.astype(bool)


def frames(values: Any) -> np.ndarray:
    """Return observations [T, *frame], float64 as float32; ValueError if they are not numbers, or none at all."""
    array = _array(values, "observation")
    if 0 in array.shape[1:]:
        raise ValueError(f"its observation is {array.dtype}{list(array.shape[1:])}: there is nothing to be seen")
    if array.dtype.kind == "f" and array.dtype.itemsize > 4:
        return _float32(array, "observation")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def values_of_actions(values: Any) -> np.ndarray:
    """Return a teacher's values [T, A] float32; ValueError unless there is one float per action."""
    array = _array(values, "teacher_values")
    if array.ndim != 2 or array.dtype.kind != "f":
        found = f"{array.dtype}{list(array.shape[1:])}"
        raise ValueError(f"its teacher_values are {found} a step, where one float for each action is needed")
    return _float32(array, "teacher_values")


def is_continuous(dtype: np.dtype | str, shape: Any) -> bool:
    """Return whether a column of this type and shape (of one step) holds continuous actions: a row of floats."""
    return np.dtype(dtype).kind == "f" and len(shape) == 1


def playable(dtype: np.dtype | str, shape: Any) -> None:
    """Raise ValueError unless a column of this type and shape (of one step) holds discrete or continuous actions."""
    if not is_continuous(dtype, shape):
        discrete(dtype, shape)


def discrete(dtype: np.dtype | str, shape: Any) -> None:
    """Raise ValueError unless a column of this type and shape (of one step) holds discrete actions."""
    shape = list(shape)
    if np.dtype(dtype).kind not in "biu":
        raise ValueError(
            f"its actions are not discrete: they are {dtype}{shape} a step, where a whole number is needed"
        )
    if math.prod(shape) != 1:
        raise ValueError(f"its actions are not one choice: they are {dtype}{shape}, where one number is needed")


def _array(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"its {name} is of type {array.dtype}, where numbers are needed")
    return array


def _in_row(marks: np.ndarray) -> np.ndarray:
    """Return [T] whether any mark of [T, ...] is set, also where T is 0."""
    return np.asarray(marks.any(axis=tuple(range(1, marks.ndim))))


def _float32(array: np.ndarray, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        cast = array.astype(np.float32, copy=False)
    whole = array.dtype.kind in "iu"
    lost = cast.astype(np.longdouble) != array if whole else np.isinf(cast) & ~np.isinf(array)
    for step in np.flatnonzero(_in_row(lost))[:1]:
        what = "a whole number that float32 cannot hold" if whole else "a number that is beyond float32"
        raise ValueError(f"step {step}: its {name} holds {what}")
    return cast
