"""Values of i-DQN and i-IQN (Vincent et al., 2025): a chain of K networks, each the next Bellman iteration of the
previous one. The last one is used.

There are three layouts of flax parameters, each for one network or with a leading axis for several:

- slimDQN's, `models/SEED`: {params: {Conv_0, ..., Dense_1}};
- that of the first scripts, with torso and head separate: {params: {torso, head}};
- the same with shared torsos, {torso_params [2], head_params [K]}: the first head, the target, uses the first
  torso and all others the second. TheoVincent/Atari_i-QN has these as `parameters/GAME/iDQN/5_Q_1_best_online_params`.

IQN and i-IQN also have a quantile embedding for each torso: 64 cosines, counted from 1. They act by the mean of 32
random quantiles; here the quantiles are evenly spaced.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np

from ..words import several
from .layouts import KINDS, Ours, ours

FRAMES = {"shape": [4, 84, 84], "dtype": "uint8"}
HEADS = 64  # maximum length of the chain
WAVES, FEATURES, ASKED = 64, 11 * 11 * 64, 32  # of the embedding; number of quantiles used to act
PARTS = {  # prefix of a name -> its part of a network
    "torso_params/params/": "torso",
    "head_params/params/": "head",
    "quantiles_params/params/": "places",
    "params/torso/": "torso",
    "params/head/": "head",
    "params/quantile_embedding/": "places",
}


def network(arrays: dict[str, np.ndarray], path: Path) -> tuple[Ours, dict[str, Any]]:
    """Return the last network of named arrays, and other facts about it; ValueError for other layouts."""
    while all(name.startswith("params/params/") for name in arrays):
        arrays = {name.removeprefix("params/"): array for name, array in arrays.items()}
    if any(name.startswith("params_nets/") for name in arrays):
        raise ValueError("it is a random mixture of networks (REM, i-REM), which cannot be read: i-DQN and i-IQN can")
    parts = _parts(arrays)
    counts = {part: _count(named) for part, named in parts.items()}
    heads = counts["head" if "head" in parts else ""]
    if any(count not in ((heads, 2) if heads > 1 else (heads,)) for count in counts.values()):
        raise ValueError(f"its numbers of torsos and heads are not those of i-DQN: {counts}")
    last = {part: {n: x[-1] if heads else x for n, x in named.items()} for part, named in parts.items()}
    places = last.pop("places", {})
    found = {f"params/{name.removeprefix('params/')}": x for named in last.values() for name, x in named.items()}
    if "params/Dense_0/bias" not in found:
        raise ValueError("it is neither a gymnax agent nor a network of i-DQN: it has no array params/Dense_0/bias")
    layers = {"params/Stack_0/Conv_0/kernel": "impala", "params/Conv_0/kernel": "cnn"}
    kind = next((kind for name, kind in layers.items() if name in found), "mlp")
    made = ours(KINDS[f"i-dqn {kind}"], {name: np.ascontiguousarray(array) for name, array in found.items()})
    inputs = made.arrays["params/Dense_0/kernel"].shape[0]
    about: dict[str, Any] = {"observation": {"shape": [1, inputs], "dtype": "float32"} if kind == "mlp" else FRAMES}
    about |= {"library": "i-dqn"} | ({"head": f"{heads} of {heads}"} if heads else {}) | _environment(path)
    return _implicit(made, places) if places else made, about


def _parts(arrays: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
    """Return torso, head and embedding by the names within them; everything under an empty name if they are not
    separate."""
    parts: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        begin = next((begin for begin in PARTS if name.startswith(begin)), "")
        parts.setdefault(PARTS.get(begin, ""), {})[name.removeprefix(begin)] = array
    if len(parts) > 1 and ("" in parts or not {"torso", "head"} <= parts.keys()):
        odd = next(iter(parts.get("", parts.get("places", {}))))
        raise ValueError(f"the array {odd[:80]!r} is not one of a torso, a head or an embedding of quantiles")
    if "" not in parts and not {"torso", "head"} <= parts.keys():
        raise ValueError("it has only part of a network: a torso and a head are needed")
    return parts


def _count(named: dict[str, np.ndarray]) -> int:
    """Return the length of the chain, from the biases; 0 for one network without a leading axis."""
    biases = [array for name, array in named.items() if name.endswith("bias")]
    count = biases[0].shape[0] if biases and biases[0].ndim == 2 else 0
    if count > HEADS or count and any(array.shape[:1] != (count,) for array in named.values()):
        raise ValueError(f"its arrays are not those of {several(count, 'network')} in a row")
    return count


def _implicit(inner: Ours, places: dict[str, np.ndarray]) -> Ours:
    """Apply the quantile network: features multiplied by the embedding of a quantile in [0, 1]."""
    wanted = {"Dense_0/kernel": (WAVES, FEATURES), "Dense_0/bias": (FEATURES,)}
    for name, shape in wanted.items():
        found = places.pop(name, np.empty(0))
        if found.shape != shape or found.dtype != np.float32 or not np.isfinite(found).all():
            raise ValueError(
                f"its embedding of quantiles has {name} {found.dtype}{list(found.shape)}, not float32{list(shape)}"
            )
        inner.arrays[f"params/places/{name.rpartition('/')[2]}"] = np.ascontiguousarray(found)
    if places:
        raise ValueError(f"the array {next(iter(places))[:80]!r} of its embedding of quantiles is unknown")
    options = {
        "of": inner.architecture["name"],
        "options": inner.architecture["options"],
        "asked": ASKED,
        "waves_from": 1,
    }
    arrays = {f"params/inner/{name.removeprefix('params/')}": array for name, array in inner.arrays.items()}
    return Ours({"name": "implicit_quantile", "options": options}, inner.actions, arrays, "values")


def _environment(path: Path) -> dict[str, str]:
    """Return the game named by a file's folders, `Pong/iDQN`; empty for other paths."""
    if re.fullmatch(r"i?(DQN|IQN)", path.parent.name) and re.fullmatch(r"[A-Z][A-Za-z]{2,29}", path.parents[1].name):
        return {"environment": f"ALE/{path.parents[1].name}-v5"}
    return {}
