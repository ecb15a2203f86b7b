"""Teachers in a pickle of flax parameters, which is not run: gymnax's PPO agents, and i-DQN's values.

gymnax-blines saves {log_steps, log_return, network, train_config}; its actor is a network of dense layers, and its
policy draws actions by its logits. i-DQN (Vincent et al.) saves {params} of K networks in a row, each the next
Bellman iteration of the one before; the last is taken. A file of flax's own msgpack with those values is read too.
"""

from pathlib import Path
from typing import Any

import numpy as np

from .. import pickled
from . import flax_file, pickled_arrays
from .claim import ENVIRONMENT
from .layers import KINDS, Ours, ours

ENDINGS = (".pkl", ".pickle", ".msgpack", ".flax")
FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}
MINATAR_CELLS = 100  # of its planes
ELSEWHERE = ("vecnormalize", "replay_buffer")  # in names of pickles that hold no network
HEADS = 64  # networks in a row, at most


def find(folder: Path) -> list[Path]:
    """Return the pickles in a folder, and those that i-DQN's scripts name by a seed, `models/0`."""
    files = [path for path in sorted(folder.glob("*")) if path.suffix in ENDINGS and path.is_file()]
    files = [
        path for path in files if not any(word in path.stem.lower().replace("vec_n", "vecn") for word in ELSEWHERE)
    ]
    seeds = [path for place in (folder, folder / "models") for path in sorted(place.glob("*")) if path.name.isdecimal()]
    return files + [path for path in seeds if path.is_file()]


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a file's bytes, and what its config.json says besides; ValueError if it is neither."""
    if data[:1] != b"\x80":
        return _idqn(flax_file.read(data))
    tree = pickled.read(data, lambda name: pickled_arrays.known(name) or name == "dotmap.DotMap")
    if not isinstance(tree, dict):
        raise ValueError("it holds something else than named arrays")
    return _gymnax(tree) if {"network", "train_config"} <= set(tree) else _idqn(tree)


def _gymnax(tree: dict[Any, Any]) -> tuple[Ours, dict[str, Any]]:
    said = _settings(tree["train_config"])
    if said.get("train_type") != "PPO" or said.get("network_name") != "Categorical-MLP":
        what = f"{str(said.get('train_type'))[:20]} with a {str(said.get('network_name'))[:20]}"
        raise ValueError(f"it is {what} of gymnax; only PPO with a Categorical-MLP can be read")
    network = ours(KINDS["gymnax ppo"], flax_file.arrays(pickled_arrays.tree(tree["network"])))
    inputs = network.arrays["params/Dense_0/kernel"].shape[0]
    about: dict[str, Any] = {"library": "gymnax", "observation": {"shape": [1, inputs], "dtype": "float32"}}
    name = str(said.get("env_name"))
    if name.endswith("-MinAtar"):
        if inputs % MINATAR_CELLS:
            raise ValueError(f"it takes {inputs} numbers, which are not planes of 10 x 10")
        planes = {"shape": [1, 10, 10, inputs // MINATAR_CELLS], "dtype": "bool"}
        about |= {"observation": planes, "environment": f"MinAtar/{name.removesuffix('-MinAtar')}-v1"}
    elif ENVIRONMENT.fullmatch(name):
        about["environment"] = name
    returns = tree.get("log_return")
    if isinstance(returns, list) and returns:
        about["mean_reward"] = f"{pickled_arrays.number(returns[-1]):.2f}"
    return network, about


def _settings(config: Any) -> dict[str, Any]:
    """Return what a DotMap or a dict says, without looking deeper."""
    if isinstance(config, pickled.Call):
        config = config.items
    if not isinstance(config, dict):
        raise ValueError("its train_config is not a map")
    return config


def _idqn(tree: Any) -> tuple[Ours, dict[str, Any]]:
    arrays = flax_file.arrays(pickled_arrays.tree(tree))
    while all(name.startswith("params/params/") for name in arrays):
        arrays = {name.removeprefix("params/"): array for name, array in arrays.items()}
    first = arrays.get("params/Dense_0/bias")
    if first is None and any("quantile" in name for name in arrays):
        raise ValueError(
            "it is an implicit quantile network of i-DQN (IQN, i-IQN), which is not read: only its values are"
        )
    if first is None and any("torso" in name for name in arrays):
        raise ValueError("its torso and its heads are apart, as i-DQN's first scripts kept them, which is not read")
    if first is None:
        raise ValueError("it is neither a gymnax agent nor a network of i-DQN: it has no array params/Dense_0/bias")
    heads = first.shape[0] if first.ndim == 2 else 0
    if heads:
        if heads > HEADS or not all(array.ndim and array.shape[0] == heads for array in arrays.values()):
            raise ValueError(f"its arrays are not those of {heads} networks in a row")
        arrays = {name: np.ascontiguousarray(array[-1]) for name, array in arrays.items()}
    kind = (
        "impala" if "params/Stack_0/Conv_0/kernel" in arrays else "cnn" if "params/Conv_0/kernel" in arrays else "mlp"
    )
    network = ours(KINDS[f"i-dqn {kind}"], arrays)
    inputs = network.arrays["params/Dense_0/kernel"].shape[0]
    observation = {"shape": [1, inputs], "dtype": "float32"} if kind == "mlp" else FRAMES
    about = {"library": "i-dqn", "observation": observation}
    return network, about | ({"head": f"{heads} of {heads}"} if heads else {})
