"""Teachers uploaded by Stable-Baselines3 or its zoo: a zip of JSON and torch state dicts.

The JSON also holds pickles as text, which are never decoded. Their content stands next to them as plain text: the
spaces, and the keywords of the policy.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np

from ..folders import regular
from ..pickled import DamagedFile
from . import claim, continuous, normalizer, torch_file, zipped
from .layouts import KINDS, Kind, Ours, normalised, ours

JSON_LIMIT = 4 * 2**20  # bytes
FIRST = {"q_net.": "dqn", "quantile_net.": "qrdqn", "action_net.": "actor-critic"}  # prefix of a name -> kind
VARIABLES = "pytorch_variables.pth", "tensors.pth"  # where SAC and TQC keep the weight of the entropy
VARIABLES_LIMIT = 2**16  # bytes
MOST_LOG = 50.0  # a weight that is further from 1 is no number to go on with
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
        raise ValueError("its policy.pth holds something other than named tensors")
    _check_class(about.get("policy_class"))
    if any(name.startswith("lstm_") for name in arrays):
        raise ValueError("its policy is recurrent (LSTM), and recurrent networks cannot be read")
    observation = _observation(about.get("observation_space"))
    environment = _environment(path)
    if any(name.startswith("actor.") for name in arrays):
        network, cnn = continuous.ours(arrays, about.get("action_space"), about.get("policy_kwargs")), False
        network.arrays["params/temperature"] = _log_temperature(archive, about.get("ent_coef"))
    else:
        network, cnn = _discrete(arrays, about, observation)
    shape = observation["shape"] if cnn else [1, *observation["shape"]]
    as_bytes = observation["dtype"] == "uint8" and normalizer.find(path) is None
    if as_bytes and not _divides(about, observation["shape"]):
        _undivided(network, 0 if cnn else math.prod(shape))
    network, normalised = _normalised(network, path, shape)
    return network, {"observation": {**observation, "shape": shape}, **normalised, **environment}


def _log_temperature(archive: ZipFile, given: Any) -> np.ndarray:
    """Return the logarithm of the entropy's weight: the learned one, else the given one, else 0, as a new agent has."""
    for name in VARIABLES:
        try:
            found = torch_file.read(zipped.member(archive, name, VARIABLES_LIMIT))
        except ValueError:  # it is not there, or cannot be read: the policy plays without it
            continue
        learned = found.get("log_ent_coef") if isinstance(found, dict) else None
        if isinstance(learned, np.ndarray) and learned.size == 1 and abs(float(learned.item())) < MOST_LOG:
            return learned.astype(np.float32).reshape(())
    constant = type(given) in (int, float) and math.exp(-MOST_LOG) < given < math.exp(MOST_LOG)
    return np.array(math.log(given) if constant else 0.0, np.float32)


def _divides(about: dict[str, Any], shape: list[int]) -> bool:
    """Return whether the policy divides bytes by 255: those of an image, which has three axes and all of 0 to 255.

    Source: preprocess_obs and is_image_space in stable_baselines3/common/preprocessing.py.
    """
    keywords, space = about.get("policy_kwargs"), about.get("observation_space")
    if isinstance(keywords, dict) and keywords.get("normalize_images") is False or len(shape) != 3:
        return False
    ends = [set(re.findall(r"\d+", str(space.get(end)))) for end in ("low", "high")] if isinstance(space, dict) else []
    if not all(ends):
        raise ValueError("it does not say between which bounds its observations are")
    return ends == [{"0"}, {"255"}]


def _undivided(network: Ours, size: int) -> None:
    """Let a network see raw bytes, which ours divides by 255: enlarge the weights of its inputs.

    `size`: how many numbers dense layers see; critics have the action in the rows behind.
    """
    wholes = ("params/actor/", "params/critics/") if network.architecture["name"] == "actor_critic" else ("",)
    for whole in wholes:
        first = next(name for name in network.arrays if name.startswith(whole) and name.endswith("/kernel"))
        kernel = network.arrays[first].copy()
        rows = kernel[..., :size, :] if size else kernel
        rows *= np.float32(255.0)
        network.arrays[first] = kernel


def _check_class(said: Any) -> None:
    """Raise ValueError for a policy that computes something other than its arrays' names suggest."""
    module = str(said.get("__module__", "")) if isinstance(said, dict) else ""
    if ".maskable." in module:
        raise ValueError("its policy needs a mask of allowed actions (MaskablePPO), which no task here gives")
    if module and module.partition(".")[0] not in ("stable_baselines3", "sb3_contrib"):
        raise ValueError(f"its policy is a class of its author's own, of {module[:60]!r}, and its code is not run")


def _discrete(arrays: dict[str, np.ndarray], about: dict[str, Any], observation: dict[str, Any]) -> tuple[Ours, bool]:
    """Return the network of DQN, QR-DQN, PPO, A2C or TRPO, and whether it is convolutional."""
    if "log_std" in arrays:
        raise ValueError("its policy draws continuous actions (PPO, A2C, TRPO); only SAC, TQC, TD3 and DDPG are read")
    actions = _actions(about.get("action_space"))
    algorithm = next((kind for start, kind in FIRST.items() if any(name.startswith(start) for name in arrays)), None)
    if algorithm is None:
        raise ValueError("its policy is not one of DQN, QR-DQN, PPO, A2C or TRPO with discrete actions")
    if algorithm == "actor-critic" and not any(name.startswith("pi_features_extractor.") for name in arrays):
        arrays |= {f"pi_{name}": x for name, x in arrays.items() if name.startswith("features_extractor.")}
    cnn = any("features_extractor.cnn." in name for name in arrays)
    kind = _told(KINDS[f"sb3 {algorithm} {'cnn' if cnn else 'mlp'}"], about.get("policy_kwargs"))
    if cnn != (observation == FRAMES):
        seen = f"{observation['dtype']}{observation['shape']}"
        raise ValueError(f"its observations are {seen}, and its network is not one for them that can be read")
    return ours(kind, arrays, actions), cnn


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
        raise ValueError(f"{place.name} is for observations of shape {list(found.mean.shape)}, not {shape[1:]}")
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
        raise ValueError("its member 'data' is not JSON") from error
    if not isinstance(found, dict):
        raise ValueError("its member 'data' is not a JSON object of settings")
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


def _told(kind: Kind, keywords: Any) -> Kind:
    """Return the kind with the policy's activation; ValueError if its layers are its author's own."""
    keywords = keywords if isinstance(keywords, dict) else {}
    extractor = str(keywords.get("features_extractor_class", "NatureCNN'>"))
    if not extractor.endswith(("NatureCNN'>", "FlattenExtractor'>")):
        raise ValueError("its features_extractor_class is not one of Stable-Baselines3's own, and its code is not run")
    activation = keywords.get("activation_fn")
    return kind._replace(activation=continuous.activation(activation)) if activation else kind
