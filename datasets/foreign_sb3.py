"""Teachers that Stable-Baselines3 or its zoo uploaded: a zip of JSON and of torch state dicts.

The JSON also holds pickles, as text; they are never decoded. What they say is
beside them in plain words: the spaces, and which keywords the policy was made with.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from . import torch_file, zipped
from .foreign_layers import KINDS, Kind, Ours, ours

JSON_LIMIT = 4 * 2**20  # bytes
FIRST = {"q_net.": "dqn", "quantile_net.": "qrdqn", "action_net.": "actor-critic"}  # a name begins so -> the kind
ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh"}


def find(folder: Path) -> Path | None:
    """The zip of a model, and not the zoo's zip of its evaluations; ValueError if there are several."""
    files = [path for path in sorted(folder.glob("*.zip")) if path.name != "train_eval_metrics.zip"]
    if len(files) > 1:
        raise ValueError(f"{folder} has {len(files)} models *.zip: a teacher from Stable-Baselines3 has exactly one")
    if files and (folder / "vec_normalize.pkl").exists():
        raise ValueError(
            f"{folder} normalises observations by vec_normalize.pkl, a pickle, which is not read: give another teacher"
        )
    return files[0] if files else None


def read(path: Path, data: bytes) -> tuple[Ours, dict[str, Any]]:
    """The network of a model's bytes, and what its config.json says besides. ValueError if it is no model of a kind."""
    archive = zipped.opened(data)
    about = _json(zipped.member(archive, "data", JSON_LIMIT))
    arrays = torch_file.read(zipped.member(archive, "policy.pth"))
    if not isinstance(arrays, dict) or not all(isinstance(x, np.ndarray) and type(n) is str for n, x in arrays.items()):
        raise ValueError("its policy.pth holds something else than named tensors")
    actions, observation = _actions(about.get("action_space")), _observation(about.get("observation_space"))
    algorithm = next((kind for start, kind in FIRST.items() if any(name.startswith(start) for name in arrays)), None)
    if algorithm is None or "log_std" in arrays:
        raise ValueError("its policy is none of DQN, QR-DQN, PPO or A2C with discrete actions")
    if algorithm == "actor-critic" and not any(name.startswith("pi_features_extractor.") for name in arrays):
        arrays |= {f"pi_{name}": x for name, x in arrays.items() if name.startswith("features_extractor.")}
    cnn = any("features_extractor.cnn." in name for name in arrays)
    kind, scale = _told(KINDS[f"sb3 {algorithm} {'cnn' if cnn else 'mlp'}"], about.get("policy_kwargs"))
    if cnn != (observation == {"shape": [4, 84, 84], "dtype": "uint8"}):
        seen = f"{observation['dtype']}{observation['shape']}"
        raise ValueError(f"its observations are {seen}, and its network is not one for them that can be read")
    if not cnn:
        observation = {"shape": [1, *observation["shape"]], "dtype": observation["dtype"]}
    network = ours(kind, arrays, actions)
    if scale != 1.0 and cnn:
        network.arrays["params/Conv_0/kernel"] = network.arrays["params/Conv_0/kernel"] * np.float32(scale)
    return network, {"observation": observation}


def _json(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("its member 'data' is no JSON") from error
    if not isinstance(found, dict):
        raise ValueError("its member 'data' is no JSON of settings")
    return found


def _actions(space: Any) -> int:
    """The number of a Discrete space's actions; newer versions write it as text."""
    kind, number = (space.get(":type:"), space.get("n")) if isinstance(space, dict) else (None, None)
    if not isinstance(kind, str) or ".Discrete'" not in kind:
        raise ValueError("its actions are not discrete")
    if not re.fullmatch(r"\d{1,4}", str(number)) or int(str(number)) < 1:
        raise ValueError("it does not say how many actions it has")
    return int(str(number))


def _observation(space: Any) -> dict[str, Any]:
    """Shape and type as our environments give them: bytes and booleans as they are, other numbers as float32."""
    kind = space.get(":type:") if isinstance(space, dict) else None
    shape, dtype = (space.get("_shape", space.get("shape")), space.get("dtype")) if kind else (None, None)
    if not isinstance(kind, str) or ".Box'" not in kind or not isinstance(dtype, str):
        raise ValueError("its observations are no arrays (Box)")
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4 or not all(type(x) is int and x > 0 for x in shape):
        raise ValueError("it does not say what shape its observations have")
    return {"shape": shape, "dtype": dtype if dtype in ("uint8", "bool") else "float32"}


def _told(kind: Kind, keywords: Any) -> tuple[Kind, float]:
    """The kind with the policy's own activation, and the factor on bytes if it does not divide them by 255."""
    keywords = keywords if isinstance(keywords, dict) else {}
    extractor = str(keywords.get("features_extractor_class", "NatureCNN'>"))
    if not extractor.endswith(("NatureCNN'>", "FlattenExtractor'>")):
        raise ValueError("its features_extractor_class is none of Stable-Baselines3's own, and its code is not run")
    if activation := keywords.get("activation_fn"):
        name = str(activation).removesuffix("'>").rpartition(".")[2]
        if name not in ACTIVATIONS:
            raise ValueError(f"its activation is {name[:40]!r}; those that can be read: {', '.join(ACTIVATIONS)}")
        kind = kind._replace(activation=ACTIVATIONS[name])
    return kind, 255.0 if keywords.get("normalize_images") is False else 1.0
