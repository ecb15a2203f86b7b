"""Convert Stable-Baselines3's actors and critics of SAC, TQC, TD3 and DDPG to our `actor_critic`.

With `h` for the hidden layers and their activation, they compute:

- SAC, TQC: mean = mu(h(s)), log-deviation = log_std(h(s)) clipped to [-20, 2], action in [-1, 1] = tanh(mean); an actor
  with `use_sde` has one `log_std` [units, actions] instead of a layer, and clips its mean to [-clip_mean, clip_mean].
- TD3, DDPG: tanh(mu(h(s))).
- critics: the value of the concatenated state and action in [-1, 1]; in TQC several quantiles of it.

The policy does not hold the temperature, which is 1 unless the caller finds it elsewhere in the file.
"""

import re
from typing import Any

import numpy as np

from ..transition import Box, stated
from ..words import several
from .layouts import ACTIONS, LAYERS, PARTS, UNITS, Ours

ACTIVATIONS = {"ReLU": "relu", "Tanh": "tanh", "ELU": "elu", "LeakyReLU": "leaky_relu", "SiLU": "silu"}
HEADS = {"mu": "mean", "mu.0": "mean", "log_std": "log_std"}
CLIP_MEAN = 2.0  # default bound of the mean with `use_sde`
BESIDE = ("actor_target.", "critic_target.")


def activation(said: Any) -> str:
    """Return our name of a policy's activation; ValueError for an unsupported one."""
    name = str(said).removesuffix("'>").rpartition(".")[2]
    if name not in ACTIVATIONS:
        raise ValueError(f"its activation is {name[:40]!r}; those that can be read: {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def ours(theirs: dict[str, np.ndarray], space: Any, keywords: Any) -> Ours:
    """Convert actor and critics to our names: `actor/Dense_0/kernel`, `actor/Mean/bias`, `critic_0/Dense_0/kernel`.

    ValueError for the first array that does not fit, or if the actions have no known bounds.
    """
    keywords = keywords if isinstance(keywords, dict) else {}
    rest = {name: array for name, array in theirs.items() if not name.startswith(BESIDE)}
    sde = rest.pop("actor.log_std", None)
    deterministic = not any(name.startswith("actor.latent_pi.") for name in rest)
    if deterministic:
        network = _layers(rest, "params/actor", "actor.mu", [])
    else:
        mean = "actor.mu.0" if "actor.mu.0.weight" in rest else "actor.mu"
        heads = [mean] if sde is not None else [mean, "actor.log_std"]
        network = _layers(rest, "params/actor", "actor.latent_pi", heads)
    if sde is not None:
        network["params/actor/log_std"] = _checked("actor.log_std", sde, 2)
    sizes = _sizes(network, "params/actor")
    critics = sorted({int(match[1]) for name in rest if (match := re.match(r"critic\.qf(\d{1,2})\.", name))})
    if not critics or critics != list(range(len(critics))):
        raise ValueError("it has no critics that are numbered from 0")
    judges = [_layers(rest, "params/critics", f"critic.qf{number}", [], "value") for number in critics]
    if rest:
        raise ValueError(f"the array {sorted(rest)[0][:80]!r} is unknown")
    shapes = [{name: array.shape for name, array in judge.items()} for judge in judges]
    if any(one != shapes[0] for one in shapes):
        raise ValueError("its critics differ in shape")
    low, high = _bounds(space)
    if judges[0]["params/critics/value/bias"].size > PARTS:
        raise ValueError(f"its critics have more than {PARTS} outputs")
    mean = network["params/actor/mean/bias"]
    if mean.size != len(low):
        raise ValueError(f"its actor has {several(mean.size, 'output')} for {several(len(low), 'action')}")
    options: dict[str, Any] = {
        "sizes": sizes,
        "critic_sizes": _sizes(judges[0], "params/critics"),
        "activation": activation(keywords["activation_fn"]) if keywords.get("activation_fn") else "relu",
        "members": len(critics),
        "quantiles": int(judges[0]["params/critics/value/bias"].size),
        "stochastic": not deterministic,
    }
    if sde is not None:
        options |= {"sde": True, "clip_mean": float(keywords.get("clip_mean", CLIP_MEAN))}
    network |= {name: np.stack([judge[name] for judge in judges]) for name in judges[0]}
    network["params/temperature"] = np.zeros((), np.float32)
    box = Box(tuple(low), tuple(high))
    return Ours({"name": "actor_critic", "options": options}, stated(box), network, "continuous actions")


def _sizes(network: dict[str, np.ndarray], whose: str) -> list[int]:
    """Return the number of units of each hidden layer."""
    names = [name for name in network if name.startswith(f"{whose}/body/") and name.endswith("/bias")]
    return [int(network[name].size) for name in names]


def _layers(
    rest: dict[str, np.ndarray], whose: str, body: str, heads: list[str], last: str = "mean"
) -> dict[str, np.ndarray]:
    """Take the dense layers of a network out of `rest`; the sizes of consecutive layers must agree."""
    matches = [re.fullmatch(rf"{re.escape(body)}\.(\d{{1,3}})\.weight", name) for name in rest]
    names = [f"{body}.{number}" for number in sorted(int(match[1]) for match in matches if match)]
    if not 1 <= len(names) + len(heads) <= LAYERS or (not names and not heads):
        raise ValueError(f"it has no layers {body}, or more than {LAYERS}")
    found, width = {}, 0
    for number, name in enumerate([*names, *heads]):
        hidden = f"body/Dense_{number}" if heads or number < len(names) - 1 else last
        own = HEADS[name.removeprefix("actor.")] if name in heads else hidden
        try:
            kernel, bias = rest.pop(f"{name}.weight"), rest.pop(f"{name}.bias")
        except KeyError as error:
            raise ValueError(f"the array {error} is missing") from None
        kernel, bias = _checked(f"{name}.weight", kernel, 2).T, _checked(f"{name}.bias", bias, 1)
        if bias.size != kernel.shape[1] or not all(1 <= size <= UNITS for size in kernel.shape):
            raise ValueError(f"the array {name}.bias is float32[{bias.size}], not float32[{kernel.shape[1]}]")
        if width and kernel.shape[0] != width:
            raise ValueError(f"the layer {name} takes {kernel.shape[0]} units, but the one before gives {width}")
        width = width if name in heads and width else kernel.shape[1]
        found |= {f"{whose}/{own}/kernel": np.ascontiguousarray(kernel), f"{whose}/{own}/bias": bias}
    return found


def _checked(name: str, array: np.ndarray, dimensions: int) -> np.ndarray:
    if array.dtype != np.float32 or array.ndim != dimensions or not np.isfinite(array).all():
        raise ValueError(f"the array {name} is {array.dtype}{list(array.shape)} or has values that are not numbers")
    return array


def _bounds(space: Any) -> tuple[list[float], list[float]]:
    """Return the bounds of a Box's actions, which some versions write as text."""
    kind = space.get(":type:") if isinstance(space, dict) else None
    shape = space.get("_shape", space.get("shape")) if isinstance(space, dict) else None
    if not isinstance(kind, str) or ".Box'" not in kind or not isinstance(shape, list) or len(shape) != 1:
        raise ValueError("its actions are neither discrete nor one row of numbers (Box)")
    if type(shape[0]) is not int or not 1 <= shape[0] <= ACTIONS:
        raise ValueError(f"it has {str(shape[0])[:20]} actions, not 1 to {ACTIONS}")
    found = []
    for name in ("low", "high"):
        numbers = [float(text) for text in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", str(space.get(name))[:10_000])]
        if len(numbers) != shape[0] or not np.isfinite(numbers).all():
            raise ValueError(f"it does not state {name!r} for each of its {shape[0]} actions")
        found.append(numbers)
    return found[0], found[1]
