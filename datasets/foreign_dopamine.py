"""Teachers that Dopamine's JAX agents saved: `ckpt.N`, a pickle of dicts of arrays, which is not unpickled.

DQN, and C51 and Rainbow, which have the same network there: 51 atoms from -10 to
10 by its configurations, since the file does not say.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from . import flax_file, pickled
from .foreign_layers import KINDS, Ours, ours

ATOMS, V_MAX, GAME_ACTIONS = 51, 10.0, 18
FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}
TYPES = {"f4": np.dtype("<f4")}
NUMPY = {"_reconstruct", "scalar", "_frombuffer"}  # of numpy.core.multiarray and numpy.core.numeric, or numpy._core
JAX = {  # jax.Array's own way to pickle, in its versions: (reconstruct, its arguments, numpy's state, jax's state)
    "jax._src.array._reconstruct_array",
    "jax._src.device_array.reconstruct_device_array",
}
FROZEN = "flax.core.frozen_dict.FrozenDict"
PLAIN = {FROZEN, "collections.OrderedDict", "_codecs.encode", "numpy.ndarray", "numpy.dtype", *JAX}


def _known(name: str) -> bool:
    """Besides arrays a checkpoint holds the optimizer's state, named tuples of optax: they are named, and not made."""
    numpy = re.fullmatch(r"numpy\.(_core|core)\.(multiarray|numeric)\.(\w+)", name)
    return (
        name in PLAIN or bool(numpy and numpy[3] in NUMPY) or bool(re.fullmatch(r"optax(\._src)?\.\w+\.\w+State", name))
    )


def find(folder: Path) -> Path | None:
    """The newest checkpoint, as Dopamine itself would choose it; None if there is none."""
    numbers = [match for path in folder.glob("ckpt.*") if (match := re.fullmatch(r"ckpt\.(\d{1,9})", path.name))]
    newest = max(numbers, key=lambda match: int(match[1]), default=None)
    return folder / newest[0] if newest else None


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """The network of a checkpoint's bytes, and what its config.json says besides. ValueError if it is none of those."""
    bundle = pickled.read(data, _known)
    if not isinstance(bundle, dict) or "online_params" not in bundle:
        raise ValueError("it is no checkpoint of a Dopamine agent in JAX")
    arrays = flax_file.arrays(_plain(bundle["online_params"], [1000]))
    head = arrays.get("params/Dense_1/bias", np.empty(0))
    kind, parts = ("dqn", 1) if head.size <= GAME_ACTIONS else ("categorical", ATOMS)
    network = ours(KINDS[f"dopamine {kind}"], arrays, parts=parts, v_max=V_MAX)
    if network.actions > GAME_ACTIONS:
        raise ValueError(f"it has {head.size} outputs, neither 1 to {GAME_ACTIONS} values nor {ATOMS} atoms of each")
    return network, {"observation": FRAMES}


def _plain(value: Any, left: list[int], depth: int = 0) -> Any:
    """Nested dicts of arrays out of what the pickle names."""
    left[0] -= 1
    if left[0] < 0 or depth > flax_file.DEPTH:
        raise ValueError("it holds more than nested dicts of arrays")
    match value:
        case pickled.Call(name=name, given=(inner,)) if name == FROZEN:
            return _plain(inner, left, depth + 1)
        case dict():
            return {key: _plain(item, left, depth + 1) for key, item in value.items()}
        case pickled.Call(name=name, given=(pickled.Call(), _, state, *_)) if name in JAX:
            return _array(state)
        case pickled.Call(name=name, given=tuple(), state=state) if name.endswith(".multiarray._reconstruct"):
            return _array(state)
        case pickled.Call(name=name, given=(content, kind, shape, order)) if name.endswith(".numeric._frombuffer"):
            return _array((1, shape, kind, order == "F", content))
    raise ValueError("it holds something else than nested dicts of arrays")


def _array(state: Any) -> np.ndarray:
    """An array out of numpy's own state: (version, shape, type, whether columns come first, content)."""
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError("an array has no shape, type and content")
    _, shape, kind, fortran, content = state
    order = kind.state if isinstance(kind, pickled.Call) else None
    if not isinstance(kind, pickled.Call) or not kind.given or kind.given[0] not in TYPES:
        raise ValueError("an array is of another type than float32")
    if isinstance(order, tuple) and len(order) > 1 and order[1] not in ("<", "=", "|"):
        raise ValueError("an array has the other byte order")
    if not isinstance(shape, tuple) or not all(type(size) is int and size >= 0 for size in shape) or len(shape) > 8:
        raise ValueError("an array has an impossible shape")
    if (
        not isinstance(content, (bytes, bytearray))
        or math.prod(shape) * 4 != len(content)
        or fortran not in (True, False)
    ):
        raise ValueError("an array has another size than its shape")
    return np.frombuffer(content, TYPES["f4"]).reshape(shape, order="F" if fortran else "C")
