"""Teachers saved by Dopamine's JAX agents: `ckpt.N`, a pickle of dicts of arrays, read without unpickling.

DQN, and C51 and Rainbow, which share a network in Dopamine. The file does not state the atoms: they are 51 from -10 to
10, by Dopamine's configurations.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from .. import pickled
from . import flax_file, pickled_arrays
from .layouts import KINDS, Ours, ours

ATOMS, V_MAX, GAME_ACTIONS = 51, 10.0, 18
FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}


def _known(name: str) -> bool:
    """Accept what a checkpoint holds besides arrays: the optimizer's state, named tuples of optax:
    they are named, and not made."""
    return pickled_arrays.known(name) or bool(re.fullmatch(r"optax(\._src)?\.\w+\.\w+State", name))


def find(folder: Path) -> list[Path]:
    """Return the newest checkpoint, like Dopamine itself."""
    numbers = [match for path in folder.glob("ckpt.*") if (match := re.fullmatch(r"ckpt\.(\d{1,9})", path.name))]
    newest = max(numbers, key=lambda match: int(match[1]), default=None)
    return [folder / newest[0]] if newest else []


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a checkpoint's bytes, and what its config.json says besides.
    ValueError if it is none of those."""
    bundle = pickled.read(data, _known)
    if not isinstance(bundle, dict) or "online_params" not in bundle:
        raise ValueError("it is not a checkpoint of a Dopamine agent in JAX")
    arrays = flax_file.arrays(pickled_arrays.tree(bundle["online_params"]))
    head = arrays.get("params/Dense_1/bias", np.empty(0))
    kind, parts = ("dqn", 1) if head.size <= GAME_ACTIONS else ("categorical", ATOMS)
    network = ours(KINDS[f"dopamine {kind}"], arrays, parts=parts, v_max=V_MAX)
    if network.actions > GAME_ACTIONS:
        raise ValueError(f"it has {head.size} outputs, neither 1 to {GAME_ACTIONS} values nor {ATOMS} atoms of each")
    return network, {"observation": FRAMES}
