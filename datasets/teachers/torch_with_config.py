"""Teachers with weights from torch or in safetensors, whose network is named in a config.json.

`architecture` is one of ours; `actions` and `observation` describe the task. Layers are used in the file's order, in
safetensors in natural order of their names (fc2 before fc10), or in the order of a list `layers`. `divide_by` and
`newest_first` describe the frames if they are not divided by 255 and oldest first. `outputs` is values (the default) or
logits.
"""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..words import several
from . import torch_file, weights
from .layouts import Kind, Ours, ours

NETWORKS = ("nature", "nature_same", "mlp")
ENDINGS = (".pt", ".pth", ".bin", ".safetensors")


def find(folder: Path) -> list[Path]:
    """Return weight files in foreign formats; of a sharded one only its index."""
    files = [path for path in sorted(folder.glob("*")) if path.suffix in ENDINGS and path.name != "policy.safetensors"]
    shards = re.compile(r".*-\d{5}-of-\d{5}\.safetensors")
    indices = [path for path in sorted(folder.glob(f"*{weights.INDEX}")) if path.name != f"policy{weights.INDEX}"]
    return indices + [path for path in files if not indices or not shards.fullmatch(path.name)]


def read(path: Path, data: bytes, config: dict[str, Any]) -> tuple[Ours, dict[str, Any]]:
    """Return the network in a file's bytes, and further facts from its config.json; ValueError if they do not fit."""
    name, options = config["architecture"]["name"], config["architecture"].get("options", {})
    if name not in NETWORKS or set(options) - {"sizes", "activation"}:
        raise ValueError(f"it is a {name[:40]!r} with options; of torch only {', '.join(NETWORKS)} can be read")
    try:
        if path.name.endswith(weights.INDEX):
            arrays = weights.load_sharded(path)
        else:
            arrays = weights.parsed(data) if path.suffix == ".safetensors" else torch_file.read(data)
    except ValueError as error:
        raise ValueError(f"it {str(error).removeprefix('it ')}") from error
    if isinstance(arrays, dict) and isinstance(arrays.get("state_dict"), dict):
        arrays = arrays["state_dict"]
    if not isinstance(arrays, dict) or not all(isinstance(x, np.ndarray) and type(n) is str for n, x in arrays.items()):
        raise ValueError("it holds something other than named tensors")
    names = [name.removesuffix(".weight") for name in arrays if name.endswith(".weight")]
    if path.name.endswith((".safetensors", weights.INDEX)):
        names.sort(key=lambda name: [int(part) if part.isdecimal() else part for part in re.split(r"(\d{1,9})", name)])
    layers = config.get("layers", names)
    if not isinstance(layers, list) or not all(isinstance(layer, str) for layer in layers) or set(layers) != set(names):
        raise ValueError("the list 'layers' in its config.json does not name every layer of the file once")
    outputs = config.get("outputs", "values")
    if outputs not in ("values", "logits"):
        raise ValueError(f"its config.json says {str(outputs)[:40]!r} for 'outputs': write values or logits")
    kind = Kind(name, "torch", outputs, tuple(layers), activation=str(options.get("activation", "relu")))
    network = ours(kind, {name: x for name, x in arrays.items() if not name.endswith("num_batches_tracked")})
    sizes = network.architecture["options"].get("sizes")
    if options.get("sizes", sizes) != sizes:
        raise ValueError(f"its layers have {sizes} units, but its config.json states other sizes")
    if config.get("actions") != network.actions:
        raise ValueError(
            f"it has {several(network.actions, 'output')}, but its config.json states another number of actions"
        )
    _sees(config, network)
    _frames(config, network)
    return network, {key: config[key] for key in ("observation", "task", "protocol") if key in config}


def _sees(config: dict[str, Any], network: Ours) -> None:
    """Raise ValueError if dense layers do not see as many numbers as the config.json says."""
    observation = config.get("observation")
    shape = observation.get("shape") if isinstance(observation, dict) else None
    if network.architecture["name"] != "mlp" or shape is None:
        return
    if not isinstance(shape, list) or not all(type(size) is int and 0 < size < 2**20 for size in shape):
        raise ValueError("the shape of 'observation' in its config.json is not a list of whole numbers")
    inputs = len(network.arrays["params/Dense_0/kernel"])
    if math.prod(shape) != inputs:
        raise ValueError(f"its first layer sees {inputs} numbers, but its config.json states observations of {shape}")


def _frames(config: dict[str, Any], network: Ours) -> None:
    """Fold the scale and order of the frames into the first layer: ours are divided by 255, oldest first."""
    divisor, newest_first = config.get("divide_by", 255), config.get("newest_first", False)
    if type(divisor) not in (int, float) or not 0 < divisor < 1e6 or not isinstance(newest_first, bool):
        raise ValueError("'divide_by' must be a positive number and 'newest_first' true or false in its config.json")
    first, arrays = "params/Conv_0/kernel", network.arrays
    if first in arrays:
        kernel = arrays[first] * np.float32(255 / divisor)
        arrays[first] = np.ascontiguousarray(kernel[:, :, ::-1] if newest_first else kernel)
    elif newest_first:
        raise ValueError("'newest_first' in its config.json is for networks with convolutions")
    elif "divide_by" in config and _bytes(config):
        arrays["params/Dense_0/kernel"] = arrays["params/Dense_0/kernel"] * np.float32(255 / divisor)


def _bytes(config: dict[str, Any]) -> bool:
    observation = config.get("observation")
    return isinstance(observation, dict) and observation.get("dtype") == "uint8"
