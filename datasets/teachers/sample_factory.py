"""Teachers saved by Sample Factory: `config.json` (formerly cfg.json) and the newest `checkpoint_p0/*.pth`.

config.json describes the network. The checkpoint holds the statistics of observations, which apply to bytes divided by
`obs_scale`; the result is clipped to [-5, 5].
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..folders import regular
from . import torch_file
from .layouts import KINDS, Ours, normalised, ours

FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}
CONFIGS = ("config.json", "cfg.json")
CONFIG_LIMIT = 2**20  # bytes
EPSILON, CLIP = 1e-5, 5.0  # of its running statistics
STATISTICS = "obs_normalizer.running_mean_std.running_mean_std.obs."
KNOWN = {"convnet_atari": "nature", "resnet_impala": "impala"}


def find(folder: Path) -> list[Path]:
    """Return the newest checkpoint of the first policy, like Sample Factory itself."""
    found = sorted((folder / "checkpoint_p0").glob("checkpoint_*.pth"), key=_age)
    return found[-1:] or sorted((folder / "checkpoint_p0").glob("best_*.pth"))


def owns(path: Path) -> bool:
    """Return whether a file is a checkpoint in a folder `checkpoint_p0`."""
    return path.suffix == ".pth" and re.fullmatch(r"checkpoint_p\d+", path.parent.name) is not None


def _age(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d{1,18}", path.stem))


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a checkpoint's bytes, and what its config.json says besides; ValueError if it is none."""
    said = _config(path.parent.parent)
    tree = torch_file.read(data)
    arrays = tree.get("model") if isinstance(tree, dict) else None
    if not isinstance(arrays, dict) or not all(isinstance(x, np.ndarray) for x in arrays.values()):
        raise ValueError("it holds no named tensors under 'model'")
    if said.get("use_rnn") or any(name.startswith("core.") for name in arrays):
        raise ValueError("its policy is recurrent, and recurrent networks cannot be read")
    if any(name.startswith("actor_encoder.") for name in arrays):
        raise ValueError("its actor and critic share no weights, and such networks cannot be read")
    if "action_parameterization.learned_stddev" in arrays:
        raise ValueError("its actions are continuous, and Sample Factory's networks for them cannot be read")
    images = not any(name.startswith("encoder.encoders.obs.mlp_head.") for name in arrays)
    kind = KINDS[f"sample-factory {_kind(said) if images else 'mlp'}"]
    activation = said.get("nonlinearity", "elu")
    if activation not in ("elu", "relu", "tanh") or (images and activation != "relu"):
        raise ValueError(f"its activation is {str(activation)[:40]!r}, which cannot be read in this network")
    network = ours(kind._replace(activation=activation), {n: x for n, x in arrays.items() if not _empty(n)})
    vector = {"shape": [1, next(iter(network.arrays.values())).shape[0]], "dtype": "float32"}
    observation = FRAMES if images else vector
    about: dict[str, Any] = {"observation": observation}
    game = re.fullmatch(r"atari_([a-z_0-9]{1,40})", str(said.get("env")))
    if game or re.fullmatch(r"[\w./:-]{1,80}", str(said.get("env"))):
        about["environment"] = f"{_camel(game[1])}NoFrameskip-v4" if game else said["env"]
    return _scaled(network, arrays, said, observation["shape"]), about


def _scaled(network: Ours, arrays: dict[str, np.ndarray], said: dict[str, Any], shape: list[int]) -> Ours:
    """Wrap the network in its own scaling and statistics of observations."""
    shift, divisor = (said.get(name, value) for name, value in (("obs_subtract_mean", 0.0), ("obs_scale", 1.0)))
    if not all(type(x) in (int, float) and abs(x) < 1e6 for x in (shift, divisor)) or not divisor:
        raise ValueError("its obs_subtract_mean and obs_scale are not numbers")
    mean, variance, clip = np.zeros(shape), np.ones(shape), 1e9
    if (theirs := arrays.get(STATISTICS + "running_mean")) is not None:
        variance = np.asarray(arrays.get(STATISTICS + "running_var"), np.float64) + EPSILON
        mean, clip = np.asarray(theirs, np.float64), CLIP
        if [*mean.shape] not in (shape, shape[1:]) or variance.shape != mean.shape or not (variance > 0).all():
            raise ValueError(f"its statistics are for observations of shape {list(mean.shape)}, not {shape}")
        mean, variance = mean.reshape(shape), variance.reshape(shape)
    elif said.get("normalize_input"):
        raise ValueError("its config.json says normalize_input, but it holds no statistics of observations")
    scale = 1.0 / np.sqrt(variance)
    return normalised(network, mean * divisor + shift, scale / divisor, clip)


def _kind(said: dict[str, Any]) -> str:
    name = said.get("encoder_conv_architecture")
    if name not in KNOWN:
        raise ValueError(f"its network is {str(name)[:40]!r}; those that can be read: {', '.join(KNOWN)}")
    return KNOWN[str(name)]


def _config(folder: Path) -> dict[str, Any]:
    for path in (folder / name for name in CONFIGS):
        try:
            with regular(path).open("rb") as file:
                said = json.loads(file.read(CONFIG_LIMIT))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, RecursionError):
            said = None
        if not isinstance(said, dict):
            raise ValueError(f"{path.name} beside it is not a JSON object of settings")
        return said
    raise ValueError(f"there is no config.json beside {folder.name}, which says what its network is")


def _camel(name: str) -> str:
    return name.title().replace("_", "")


def _empty(name: str) -> bool:
    """Return whether it is a counter that torch stores with batch normalisation."""
    return name.endswith("num_batches_tracked")
