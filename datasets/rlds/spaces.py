"""Read and write Gymnasium's spaces in Minari's metadata, without Gymnasium."""

import json
import math
from typing import Any, NamedTuple

import numpy as np

from ..transition import Actions, Box

LARGEST = 1 << 28  # numbers in one observation


class Space(NamedTuple):
    """The content of one array of a dataset at each step."""

    kind: str  # Box, Discrete, MultiDiscrete, MultiBinary, Dict, Tuple or Text
    shape: tuple[int, ...] = ()
    dtype: str = ""
    start: int = 0  # of Discrete, and of MultiDiscrete with one number
    n: int | None = None  # likewise: how many there are
    parts: dict[str, Any] = {}  # noqa: RUF012  # of Dict and Tuple: their spaces
    bounds: Box | None = None  # of Box: one row of numbers with finite ends


def read(text: Any) -> Space:
    """Return a space from its JSON; ValueError if it is not one."""
    try:
        return _space(json.loads(text) if isinstance(text, str | bytes) else text)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"its metadata do not describe a space: {error!r}") from None


def _space(said: dict[str, Any]) -> Space:
    kind = str(said["type"])
    match kind:
        case "Box":
            shape = tuple(int(size) for size in said["shape"])
            space = Space(kind, shape, str(np.dtype(said["dtype"])), bounds=_bounds(said))
        case "Discrete":
            space = Space(kind, (), "int64", int(said.get("start", 0)), int(said["n"]))
        case "MultiDiscrete":
            counts, starts = np.array(said["nvec"]), np.array(said.get("start", np.zeros_like(said["nvec"])))
            one = counts.size == 1
            edges = (int(starts.ravel()[0]), int(counts.ravel()[0])) if one else (0, None)
            space = Space(kind, counts.shape, str(np.dtype(said.get("dtype", "int64"))), *edges)
        case "MultiBinary":
            shape = said["n"] if isinstance(said["n"], list) else [said["n"]]
            space = Space(kind, tuple(int(size) for size in shape), "int8")
        case "Dict" | "Tuple":
            parts = said["subspaces"]
            parts = parts if kind == "Dict" else dict(enumerate(parts))
            space = Space(kind, parts={str(name): _space(part) for name, part in parts.items()})
        case _:
            space = Space(kind)
    if min(space.shape, default=1) < 0 or math.prod(space.shape) > LARGEST:
        raise ValueError(f"a space of shape {space.shape} is too large")
    return space


def _bounds(said: dict[str, Any]) -> Box | None:
    """Return the bounds of a row of numbers, if finite."""
    ends = [np.asarray(said.get(end, ()), float) for end in ("low", "high")]
    shape = tuple(int(size) for size in said["shape"])
    if len(shape) != 1 or shape[0] > 2**14:
        return None
    low, high = (np.broadcast_to(end, shape) if end.ndim == 0 else end for end in ends)
    if low.shape != shape or high.shape != shape or not np.isfinite([low, high]).all() or not (low < high).all():
        return None
    return Box(tuple(low.tolist()), tuple(high.tolist()))


def leaf(space: Space, path: str) -> tuple[list[str], Space]:
    """Return the path to one array within nested spaces, and its space; without `path`, that of the only array.

    ValueError lists the existing ones.
    """
    way: list[str] = []
    for name in filter(None, path.split("/")):
        if name not in space.parts:
            raise ValueError(f"its observation has no field {path!r}; it has {_fields(space) or 'no fields'}")
        way, space = [*way, name], space.parts[name]
    while space.parts:
        if len(space.parts) > 1:
            raise ValueError(f"its observation has several fields: name one with --observation: {_fields(space)}")
        ((name, space),) = space.parts.items()
        way.append(name)
    return way, space


def _fields(space: Space) -> str:
    return ", ".join(f"{name} ({part.kind} {part.dtype}{list(part.shape)})" for name, part in space.parts.items())


def box(shape: tuple[int, ...], dtype: np.dtype) -> dict[str, Any]:
    """Return the JSON of the observation space: bytes from 0 to 255, booleans as MultiBinary, others unbounded."""
    if dtype.kind == "b":
        return {"type": "MultiBinary", "n": list(shape)}
    if dtype.kind == "f":
        low, high = -math.inf, math.inf
    else:
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
    bounds = {name: np.full(shape, bound, object).tolist() for name, bound in (("low", low), ("high", high))}
    return {"type": "Box", "dtype": dtype.name, "shape": list(shape), **bounds}


def of_actions(actions: Actions) -> dict[str, Any]:
    """Return the JSON of an action space."""
    if isinstance(actions, Box):
        bounds = {"low": list(actions.low), "high": list(actions.high)}
        return {"type": "Box", "dtype": "float32", "shape": [actions.size], **bounds}
    return discrete(actions)


def discrete(n: int) -> dict[str, Any]:
    """Return the JSON of the action space from 0 to n - 1."""
    return {"type": "Discrete", "dtype": "int64", "start": 0, "n": n}
