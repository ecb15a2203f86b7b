"""Teachers uploaded by Stable-Baselines3 or its zoo: a zip of JSON and torch state dicts.

The JSON also holds pickles as text, which are never decoded. Their content stands next to them as plain text: the
spaces, and the keywords of the policy.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from ..folders import regular
from ..pickled import DamagedFile
from . import claim, continuous, normalizer, torch_file, zipped
from .layers import KINDS, Kind, Ours, normalised, ours

JSON_LIMIT = 4 * 2**20  # bytes
FIRST = {"q_net.": "dqn", "quantile_net.": "qrdqn", "action_net.": "actor-critic"}  # prefix of a name -> kind
FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}


def find(folder: Path) -> list[Path]:
    """Return the model zips in a folder, without the zoo's zip of evaluations."""
    return [path for path in sorted(folder.glob("*.zip")) if path.name != "train_eval_metrics.zip"]


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """Return the network of a model's bytes, and what its config.json says besides.

    ValueError if it is not a model of a kind. Observations are normalised where a file of statistics lies beside it.
    """
    archive = zipped.opened(data)
    about = _json(zipped.member(archive, "data", JSON_LIMIT))
    arrays = torch_file.read(zipped.member(archive, "policy.pth"))
    if not isinstance(arrays, dict) or not all(isinstance(x, np.ndarray) and type(n) is str for n, x in arrays.items()):
        raise ValueError("its policy.pth holds something else than named tensors")
    _check_class(about.get("policy_class"))
    if any(name.startswith("lstm_") for name in arrays):
        raise ValueError("its policy is recurrent (LSTM), and networks with a memory cannot be read")
    observation = _observation(about.get("observation_space"))
    environment = _environment(path)
    if any(name.startswith("actor.") for name in arrays):
        network = continuous.ours(arrays, about.get("action_space"), about.get("policy_kwargs"))
    else:
        network, observation = _discrete(path, arrays, about, observation)
    shape = observation["shape"] if len(observation["shape"]) > 1 else [1, *observation["shape"]]
    network, normalised = _normalised(network, path, shape)
    return network, {"observation": {**observation, "shape": shape}, **normalised, **environment}


def _check_class(said: Any) -> None:
    """Raise ValueError for a policy that computes something other than its arrays' names suggest."""
    module = str(said.get("__module__", "")) if isinstance(said, dict) else ""
    if ".maskable." in module:
        raise ValueError("its policy is told which actions are allowed (MaskablePPO), which no task here says")
    if module and module.partition(".")[0] not in ("stable_baselines3", "sb3_contrib"):
        raise ValueError(f"its policy is a class of its author's own, of {module[:60]!r}, and its code is not run")


def _discrete(path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any], observation: dict[str, Any]):
    """Return the network of DQN, QR-DQN, PPO, A2C or TRPO, and its observation."""
    actions = _actions(about.get("action_space"))
    algorithm = next((kind for start, kind in FIRST.items() if any(name.startswith(start) for name in arrays)), None)
    if algorithm is None or "log_std" in arrays:
        raise ValueError("its policy is none of DQN, QR-DQN, PPO, A2C or TRPO with discrete actions")
    if algorithm == "actor-critic" and not any(name.startswith("pi_features_extractor.") for name in arrays):
        arrays |= {f"pi_{name}": x for name, x in arrays.items() if name.startswith("features_extractor.")}
    cnn = any("features_extractor.cnn." in name for name in arrays)
    kind, raw = _told(KINDS[f"sb3 {algorithm} {'cnn' if cnn else 'mlp'}"], about.get("policy_kwargs"))
    if cnn != (observation == FRAMES):
        seen = f"{observation['dtype']}{observation['shape']}"
        raise ValueError(f"its observations are {seen}, and its network is not one for them that can be read")
    network = ours(kind, arrays, actions)
    raw = raw or not cnn  # SB3's dense networks see raw bytes, ours divide them by 255
    if raw and observation["dtype"] == "uint8" and normalizer.find(path) is None:
        first = next(iter(network.arrays))
        network.arrays[first] = network.arrays[first] * np.float32(255.0)
    if not cnn:
        observation = {"shape": [1, *observation["shape"]], "dtype": observation["dtype"]}
    return network, observation


def _normalised(network: Ours, path: Path, shape: list[int]) -> tuple[Ours, dict[str, Any]]:
    """Return the network with the statistics next to its file, and that file's name; unchanged if there are none."""
    place = normalizer.find(path)
    if place is None:
        return network, {}
    if regular(place).stat().st_size > normalizer.LIMIT:
        raise ValueError(f"{place.name} has more than {normalizer.LIMIT} bytes: it is not a file of statistics")
    data = place.read_bytes()
    try:
        found = normalizer.read(data)
    except ValueError as error:
        kind = DamagedFile if isinstance(error, DamagedFile) else ValueError
        raise kind(f"its observations are normalised by {place.name}, which cannot be read: {error}") from error
    said = {"normalizer": {"file": place.name, "sha256": hashlib.sha256(data).hexdigest()}}
    if found is None:
        return network, said
    if [1, *found.mean.shape] != shape:
        raise ValueError(f"{place.name} is about observations of shape {list(found.mean.shape)}, not {shape[1:]}")
    scale = 1.0 / np.sqrt(found.variance + found.epsilon)
    return normalised(network, found.mean[None], scale[None], found.clip), said


def _environment(path: Path) -> dict[str, str]:
    """Return the environment in the zoo's args.yml, next to the model or in the folder of its name."""
    for place in (path.parent, path.with_suffix("")):
        name = claim.of({"environment": claim.pairs(place / "args.yml").get("env")})
        if name:
            return name
    return {}


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("its member 'data' is no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("its member 'data' is no JSON of settings")
    return found


def _actions(space: Any) -> int:
    """Return the number of a Discrete space's actions; newer versions write it as text."""
    kind, number = (space.get(":type:"), space.get("n")) if isinstance(space, dict) else (None, None)
    if not isinstance(kind, str) or ".Discrete'" not in kind:
        raise ValueError("its actions are not discrete")
    if not re.fullmatch(r"\d{1,4}", str(number)) or int(str(number)) < 1:
        raise ValueError("it does not say how many actions it has")
    return int(str(number))


def _observation(space: Any) -> dict[str, Any]:
    """Return shape and type as in our environments: bytes and booleans unchanged, other numbers as float32."""
    kind = space.get(":type:") if isinstance(space, dict) else None
    shape, dtype = (space.get("_shape", space.get("shape")), space.get("dtype")) if kind else (None, None)
    if not isinstance(kind, str) or ".Box'" not in kind or not isinstance(dtype, str):
        raise ValueError("its observations are not arrays (Box)")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4 or not all(type(x) is int and x > 0 for x in shape):
        raise ValueError("it does not say what shape its observations have")
    return {"shape": shape, "dtype": dtype if dtype in ("uint8", "bool") else "float32"}


def _told(kind: Kind, keywords: Any) -> tuple[Kind, bool]:
    """Return the kind with the policy's activation, and whether the policy sees raw bytes, not divided by 255."""
    keywords = keywords if isinstance(keywords, dict) else {}
    extractor = str(keywords.get("features_extractor_class", "NatureCNN'>"))
    if not extractor.endswith(("NatureCNN'>", "FlattenExtractor'>")):
        raise ValueError("its features_extractor_class is none of Stable-Baselines3's own, and its code is not run")
    if activation := keywords.get("activation_fn"):
        kind = kind._replace(activation=continuous.activation(activation))
    return kind, keywords.get("normalize_images") is False
