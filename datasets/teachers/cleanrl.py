"""Teachers uploaded by CleanRL and its cleanba: flax msgpack or a torch state dict.

Only the file's name identifies the network. Agents of cleanba with `machado` in their name have all 18 actions and were
trained with sticky actions; the others have the game's own actions, and one episode per life.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from . import flax_file, torch_file
from .claim import ENVIRONMENT
from .layouts import KINDS, Ours, ours

ENDING = ".cleanrl_model"
FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}
NAMES = sorted(name.removeprefix("cleanrl ") for name in KINDS if name.startswith("cleanrl "))


def find(folder: Path) -> list[Path]:
    """Return the network files in a folder; ValueError if none is of a supported kind."""
    files = sorted(folder.glob(f"*{ENDING}"))
    if files and not any(kind_of(path) for path in files):
        said = f"{files[0].name[:80]!r} is not a kind of agent that can be read"
        if files[0].stem.startswith("cleanba"):
            raise ValueError(f"{said}: of cleanba, only agents that see just four frames can be")
        raise ValueError(f"{said}; those that can: {', '.join([*NAMES, 'cleanba_*'])}")
    return files


def kind_of(path: Path) -> str:
    """Return the row of KINDS for a file's name; empty if there is none."""
    if path.stem in NAMES:
        return f"cleanrl {path.stem}"
    if re.match(r"cleanba_(ppo|impala)", path.stem) and not re.search(r"procgen|last_action_reward", path.stem):
        return f"cleanba {'nature' if 'naturecnn' in path.stem else 'impala'}"
    return ""


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a file's bytes, and what else its config.json says;
    ValueError if it is not what its name says."""
    name = kind_of(path)
    if not name:
        raise ValueError(
            f"its name is not that of an agent that can be read; those that can: {', '.join([*NAMES, 'cleanba_*'])}"
        )
    kind = KINDS[name]
    tree = flax_file.read(data) if kind.layout == "flax" else torch_file.read(data)
    if not isinstance(tree, dict):
        raise ValueError("it holds no named arrays")
    settings: Any = {}
    if path.stem.startswith("c51"):
        tree, settings = tree.get("model_weights"), tree.get("args")
    elif path.stem.startswith(("ppo", "cleanba")):
        tree, settings = tree.get("1"), tree.get("0")
    if not isinstance(settings, dict):
        raise ValueError("it lacks the arguments that its kind is saved with")
    parts, v_max = _support(settings) if kind.outputs == "atoms" else (1, 0.0)
    arrays = flax_file.arrays(tree) if kind.layout == "flax" else _tensors(tree)
    network = ours(kind, arrays, parts=parts, v_max=v_max)
    first = next(iter(network.arrays.values()))
    vector = {"shape": [1, first.shape[0]], "dtype": "float32"}
    about: dict[str, Any] = {"observation": vector if kind.network == "mlp" else FRAMES}
    environment = settings.get("env_id")
    if isinstance(environment, str) and ENVIRONMENT.fullmatch(environment):
        about["environment"] = environment
    return network, about


def _support(settings: dict[str, Any]) -> tuple[int, float]:
    """Return the number of atoms and the largest value; the least must be its negative."""
    atoms, low, high = (settings.get(name, "") for name in ("n_atoms", "v_min", "v_max"))
    if type(atoms) is not int or not all(isinstance(x, (int, float)) and abs(x) < 1e9 for x in (low, high)):
        raise ValueError("its arguments do not say n_atoms, v_min and v_max")
    if low != -high or not high > 0:
        raise ValueError(f"its values range from {low:g} to {high:g}, but only symmetric ranges can be read")
    return atoms, float(high)


def _tensors(tree: Any) -> dict[str, np.ndarray]:
    if not isinstance(tree, dict) or not all(isinstance(x, np.ndarray) and isinstance(n, str) for n, x in tree.items()):
        raise ValueError("it holds something other than named tensors")
    return tree
