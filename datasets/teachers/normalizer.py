"""Stable-Baselines3's statistics of observations: `vecnormalize.pkl`, read without unpickling.

A model's zip does not say that its observations were normalised. Uploads to the Hub keep `vec_normalize.pkl` next to
it, the zoo keeps `ENV/vecnormalize.pkl`, callbacks keep `rl_model_vecnormalize_N_steps.pkl`.
"""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .. import pickled
from . import claim, pickled_arrays

LIMIT = 2**22  # bytes of a file
NUMBERS = 2**16  # in an observation
NAMES = re.compile(r"(numpy|gym|gymnasium|stable_baselines3|sb3_contrib|collections|_codecs)(\.\w+)+")


class Normalizer(NamedTuple):
    """clip((observation - mean) / sqrt(variance + epsilon), -clip, clip)."""

    mean: np.ndarray  # float64, of an observation's shape
    variance: np.ndarray
    clip: float
    epsilon: float


def find(model: Path) -> Path | None:
    """Return the statistics file of a model's zip; None if there is none.

    ValueError if there are several, or if the zoo's config.yml requires one that is missing.
    """
    folders = [model.parent, *sorted(path for path in model.parent.glob("*") if path.is_dir())[:64]]
    files = [path for folder in folders for path in sorted(folder.glob("*.pkl"))]
    files = [path for path in files if "vecnormalize" in path.name.lower().replace("_", "")]
    steps = re.search(r"_(\d+)_steps$", model.stem)
    own = [path for path in files if path.parent.name == model.stem]
    of_steps = [path for path in files if steps and path.stem.endswith(f"_{steps[1]}_steps")]
    files = of_steps or own or [path for path in files if not re.search(r"_\d+_steps$", path.stem)]
    if len(files) > 1:
        names = ", ".join(str(path.relative_to(model.parent)) for path in files)
        raise ValueError(f"{model.name} may have been normalised by {names}: keep only the one that belongs to it")
    if not files and any(_normalises(path) for folder in folders for path in folder.glob("config.yml")):
        raise ValueError(
            f"{model.name} was trained on normalised observations, as its config.yml says, but the file with their "
            "statistics is missing: put vecnormalize.pkl beside it"
        )
    return files[0] if files else None


def read(data: bytes) -> Normalizer | None:
    """Return the statistics in a pickled VecNormalize; None if it leaves observations as they are.

    ValueError if the pickle holds anything else.
    """
    root = pickled.read(data, lambda name: bool(NAMES.fullmatch(name)))
    state = root.state if isinstance(root, pickled.PickledCall) and root.name.endswith(".VecNormalize") else None
    if not isinstance(state, dict):
        raise ValueError("it is not a VecNormalize of Stable-Baselines3")
    if state.get("norm_obs", True) is False:
        return None
    statistics = state.get("obs_rms")
    inner = statistics.state if isinstance(statistics, pickled.PickledCall) else None
    if not isinstance(inner, dict):
        raise ValueError("its statistics are of several observations (Dict), but only arrays (Box) can be read")
    try:
        mean, variance = (pickled_arrays.array(inner[name]).astype(np.float64) for name in ("mean", "var"))
        clip, epsilon = (pickled_arrays.number(state[name]) for name in ("clip_obs", "epsilon"))
    except KeyError as error:
        raise ValueError(f"it lacks {error}") from None
    if mean.shape != variance.shape or not 1 <= mean.size <= NUMBERS:
        raise ValueError(f"its mean has the shape {mean.shape}, but its variance {variance.shape}")
    if not (np.isfinite(mean).all() and np.isfinite(variance).all() and (variance + epsilon > 0).all()):
        raise ValueError("its mean or variance has values that are negative or not numbers")
    if not (0 < clip <= 1e9 and 0 <= epsilon < 1e3):
        raise ValueError(f"it clips observations at {clip:g} with an epsilon of {epsilon:g}, which is impossible")
    return Normalizer(mean, variance, clip, epsilon)


def _normalises(config: Path) -> bool:
    """Return whether the zoo's config.yml, an ordered map as a list of pairs, normalises observations."""
    said = claim.pairs(config).get("normalize", "")
    text = str(said).lower()
    return text not in ("", "false", "none", "null") and not re.search(r"norm_obs['\"]?\s*[:=]\s*['\"]?false", text)
