"""Teachers in a pickle of flax parameters, read without unpickling: gymnax's PPO agents, and i-DQN's values.

gymnax-blines saves {log_steps, log_return, network, train_config}; its actor is a network of dense layers whose policy
samples actions from logits. `idqn` describes i-DQN's files, which may also be flax msgpack.
"""

from pathlib import Path
from typing import Any

from .. import pickled
from ..words import several
from . import flax_file, idqn, pickled_arrays
from .claim import ENVIRONMENT
from .layouts import KINDS, Ours, ours

ENDINGS = (".pkl", ".pickle", ".msgpack", ".flax")
MINATAR_CELLS = 100  # of its planes
ELSEWHERE = ("vecnormalize", "replay_buffer")  # in the names of pickles without a network


def find(folder: Path) -> list[Path]:
    """Return the pickles in a folder, and those of i-DQN: `models/0`, `parameters/*/*/*_best_online_params`."""
    files = [path for path in sorted(folder.glob("*")) if path.suffix in ENDINGS and path.is_file()]
    files = [
        path for path in files if not any(word in path.stem.lower().replace("vec_n", "vecn") for word in ELSEWHERE)
    ]
    seeds = [path for place in (folder, folder / "models") for path in sorted(place.glob("*")) if path.name.isdecimal()]
    published = [path for under in ("", "parameters/*/*/") for path in sorted(folder.glob(f"{under}*_online_params"))]
    return files + [path for path in [*seeds, *published] if path.is_file()]


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a file's bytes, and what its config.json says besides; ValueError if it is neither."""
    if data[:1] != b"\x80":
        return idqn.network(flax_file.arrays(flax_file.read(data)), path)
    tree = pickled.read(data, lambda name: pickled_arrays.known(name) or name == "dotmap.DotMap")
    if isinstance(tree, dict) and {"network", "train_config"} <= set(tree):
        return _gymnax(tree)
    named = pickled_arrays.tree(tree)
    if not isinstance(named, dict):
        raise ValueError("it holds something other than named arrays")
    return idqn.network(flax_file.arrays(named), path)


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
            raise ValueError(f"it takes {several(inputs, 'number')}, which are not planes of 10 x 10")
        planes = {"shape": [1, 10, 10, inputs // MINATAR_CELLS], "dtype": "bool"}
        about |= {"observation": planes, "environment": f"MinAtar/{name.removesuffix('-MinAtar')}-v1"}
    elif ENVIRONMENT.fullmatch(name):
        about["environment"] = name
    returns = tree.get("log_return")
    if isinstance(returns, list) and returns:
        about["mean_reward"] = f"{pickled_arrays.number(returns[-1]):.2f}"
    return network, about


def _settings(config: Any) -> dict[str, Any]:
    """Return the entries of a DotMap or a dict, one level deep."""
    if isinstance(config, pickled.PickledCall):
        config = config.items
    if not isinstance(config, dict):
        raise ValueError("its train_config is not a map")
    return config
