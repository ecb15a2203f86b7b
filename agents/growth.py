"""Function-preserving growth: embed a network's weights in a wider and deeper one that computes the same function.

Added units are new, with fresh input weights and zero output weights (OpenAI, 2019), or copies of old units that share
their output weights (Net2WiderNet). Added layers are identities (Net2DeeperNet; Chen et al., 2016).
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .actor_critic import ActorCritic
from .method import Architecture, Params
from .networks import NETWORKS
from .torsos import Conv, Impala


class Layer(NamedTuple):
    """A layer of the grown network. Layers that must agree on the order of units name the same group."""

    name: str
    reads: str  # the group of units it reads
    makes: str  # the group of units it makes
    old: str = ""  # its name in the old network; empty if the layer is new
    kind: str = "identity"  # or "fresh", or "zero"


class Units(NamedTuple):
    """The origin of a group's units [N]."""

    origin: np.ndarray  # [N] index of the old unit, -1 for a new one
    share: np.ndarray  # [N] share of the old unit's output weights; the copies of a unit sum to 1


FIXED = ("ensemble", "anchored", "guided", "implicit", "implicit_quantile", "normalized")  # that are never grown
UNGROWN = (
    "layer_norm",
    "norm",
    "noisy",
    "sde",
    "memory",
    "state",
    "expanded",
    "beneath",
)  # nor with these


def grow(architecture: Architecture, width: float = 1.0, deeper: int = 0) -> Architecture:
    """Return the same kind of network with hidden layers `width` times as wide, and `deeper` more of them.

    `deeper` adds as many dense layers, and as many convolutions after the last one or residual blocks in each stage.
    ValueError for a network whose function cannot be preserved.
    """
    name, options = architecture
    if name in ("categorical", "quantile"):
        inner = grow(Architecture(options["of"], options["options"]), width, deeper)
        return Architecture(name, {**options, "options": inner.options})
    if name in FIXED or any(options.get(option) for option in UNGROWN):
        raise ValueError(f"surgery cannot grow this {name} network without changing its function: take another teacher")
    if options.get("activation", "relu") != "relu" or (deeper and options.get("sizes")):
        raise ValueError(
            f"surgery cannot grow this converted {name} network without changing its function: take another teacher"
        )
    make, now = _options(architecture)
    if make is ActorCritic:
        rows = {row: [round(width * size) for size in now[row]] for row in ("sizes", "critic_sizes") if now[row]}
        plain = {"width": round(width * now["width"]), "depth": now["depth"] + deeper}
        return Architecture(name, {**options, **plain, **rows})
    more: dict[str, Any] = {"width": width * now["width"]} if width != 1.0 else {}
    if deeper:
        if not now["depth"]:
            raise ValueError("surgery cannot deepen a network without a hidden layer: leave out deeper")
        more["depth"] = now["depth"] + deeper
        if make is Impala:
            more["blocks"] = now["blocks"] + deeper
        if make is Conv and now["layers"]:
            identity = [now["layers"][-1][0], 3, 1, "SAME"]
            more["layers"] = [*map(list, now["layers"]), *[identity] * deeper]
    return Architecture(name, {**options, **more})


def embed(
    old: Architecture,
    new: Architecture,
    weights: Params,
    fresh: Params,
    rng: np.random.Generator | None = None,
    one: float = 1.0,
) -> Params:
    """Embed the weights of `old` in the fresh ones of `new`, which is `old` after `grow`.

    With `rng`, added units are copies of randomly drawn old ones and share their output weights unequally, so that they
    learn to differ; without it, they are new. For optimizer moments pass zeros as `fresh` and `one=0`, so that added
    layers get no identity.
    """
    if "params" in weights:
        return {"params": embed(old, new, weights["params"], fresh["params"], rng, one)}
    if "inner" in weights:  # a network of distributions
        old, new = (Architecture(whole.options["of"], whole.options["options"]) for whole in (old, new))
        return {"inner": embed(old, new, weights["inner"], fresh["inner"], rng, one)}
    if old.name == "actor_critic":
        return _parts(old, new, weights, fresh, rng, one)
    return _embedded(_layers(old, new), weights, fresh, rng, one)


def _parts(
    old: Architecture, new: Architecture, weights: Params, fresh: Params, rng: np.random.Generator | None, one: float
) -> Params:
    """Embed an actor and each of its critics."""
    (_, before), (_, after) = _options(old), _options(new)

    def part(sizes: str, heads: tuple[str, ...], mine: Params, fresh: Params) -> Params:
        depths = [len(options[sizes] or options["sizes"]) or options["depth"] for options in (before, after)]
        layers, last = [], "seen"
        for i in range(depths[1]):
            known = i < depths[0]
            layers.append(Layer(f"Dense_{i}", last, f"dense{i}" if known else last, f"Dense_{i}" if known else ""))
            last = layers[-1].makes
        layers += [Layer(head, last, head, head) for head in heads]
        theirs, ours = ({**every["body"], **{head: every[head] for head in heads}} for every in (mine, fresh))
        made = _embedded(layers, theirs, ours, rng, one)
        return {**{head: made.pop(head) for head in heads}, "body": made}

    heads = ("mean", "log_std") if before["stochastic"] else ("mean",)
    stacks = [(weights["critics"], fresh["critics"])] * before["members"]
    members = [[jax.tree.map(lambda x, i=i: x[i], one) for one in both] for i, both in enumerate(stacks)]
    critics = [part("critic_sizes", ("value",), *both) for both in members]
    return {
        "actor": part("sizes", heads, weights["actor"], fresh["actor"]),
        "critics": jax.tree.map(lambda *each: jnp.stack(each), *critics),
        "temperature": weights["temperature"],
    }


def _embedded(
    layers: Sequence[Layer], weights: Params, fresh: Params, rng: np.random.Generator | None, one: float
) -> Params:
    """Embed layers that follow one another, or that read the same ones."""
    units: dict[str, Units] = {}

    def group(name: str, before: int, after: int) -> Units:
        if name not in units:
            units[name] = _units(before, after, rng)
        return units[name]

    def embedded(layer: Layer) -> dict[str, Any]:
        kernel, bias = (np.array(fresh[layer.name][part]) for part in ("kernel", "bias"))
        if layer.old:
            theirs = {part: np.asarray(weights[layer.old][part]) for part in ("kernel", "bias")}
            after = group(layer.makes, len(theirs["bias"]), len(bias))
            reads = units.get(layer.reads) or _units(theirs["kernel"].shape[-2], kernel.shape[-2], None)
            kernel, bias = _kernel(kernel, theirs["kernel"], reads, after), _bias(bias, theirs["bias"], after)
        elif layer.kind == "identity":
            kernel, bias = one * _identity(kernel), 0.0 * bias
        elif layer.kind == "zero":
            kernel, bias = 0.0 * kernel, 0.0 * bias
        return {"bias": jnp.asarray(bias), "kernel": jnp.asarray(kernel)}

    return {layer.name: embedded(layer) for layer in layers}


def _units(before: int, after: int, rng: np.random.Generator | None) -> Units:
    """Keep the old units in place and append new ones, or copies with `rng`."""
    if rng is None or before == after:
        return Units(np.where(np.arange(after) < before, np.arange(after), -1), np.ones(after))
    origin = np.concatenate([np.arange(before), rng.integers(before, size=after - before)])
    share = rng.uniform(0.5, 1.5, after)
    return Units(origin, share / np.bincount(origin, share)[origin])


def _kernel(fresh: np.ndarray, old: np.ndarray, reads: Units, makes: Units) -> np.ndarray:
    """Embed the old kernel in the new one [..., in, out]; a dense kernel may read a flattened image [cells * units]."""
    inputs = int(np.max(reads.origin)) + 1  # units of the preceding old layer
    theirs = old.reshape(-1, inputs, old.shape[-1])
    grown = fresh.reshape(len(theirs), len(reads.origin), fresh.shape[-1]).copy()
    known = np.where(reads.origin[:, None] >= 0, theirs[:, reads.origin] * reads.share[:, None], 0.0)
    kept = makes.origin >= 0
    grown[..., kept] = known[..., makes.origin[kept]]
    return grown.reshape(fresh.shape)


def _bias(fresh: np.ndarray, old: np.ndarray, makes: Units) -> np.ndarray:
    return np.where(makes.origin >= 0, old[makes.origin], fresh)


def _identity(kernel: np.ndarray) -> np.ndarray:
    """Return the identity kernel of a dense layer, or of a convolution: a one in the centre."""
    grown = np.zeros_like(kernel)
    grown[tuple(size // 2 for size in kernel.shape[:-2])] = np.eye(kernel.shape[-1])
    return grown


def _options(architecture: Architecture) -> tuple[Any, dict[str, Any]]:
    """Return a network's module and all its options, defaults included."""
    make, fixed = NETWORKS[architecture.name]
    defaults = {name: field.default for name, field in make.__dataclass_fields__.items()}
    return make, {**defaults, **fixed, **architecture.options}


def _layers(old: Architecture, new: Architecture) -> list[Layer]:
    """Return the layers of the grown network in forward order."""
    (make, before), (_, after) = _options(old), _options(new)
    layers, last = [], "frame"
    if make is Conv:
        for i in range(len(after["layers"])):
            known = i < len(before["layers"])
            layers.append(Layer(f"Conv_{i}", last, f"conv{i}" if known else last, f"Conv_{i}" if known else ""))
            last = layers[-1].makes
    if make is Impala:
        for stage in range(len(after["stages"])):
            mine, theirs = (stage * (1 + 2 * options["blocks"]) for options in (after, before))
            layers.append(Layer(f"Conv_{mine}", last, f"stage{stage}", f"Conv_{theirs}"))
            last = f"stage{stage}"
            for block in range(after["blocks"]):
                known = block < before["blocks"]
                inside, number = f"{last}, block {block}", 1 + 2 * block
                for part, (reads, makes, kind) in enumerate(((last, inside, "fresh"), (inside, last, "zero"))):
                    theirs_too = f"Conv_{theirs + number + part}" if known else ""
                    layers.append(Layer(f"Conv_{mine + number + part}", reads, makes, theirs_too, kind))
    for i in range(after["depth"]):
        known = i < before["depth"]
        layers.append(Layer(f"Dense_{i}", last, f"dense{i}" if known else last, f"Dense_{i}" if known else ""))
        last = layers[-1].makes
    for head in range(2 if after["dueling"] else 1):
        name, theirs = f"Dense_{after['depth'] + head}", f"Dense_{before['depth'] + head}"
        layers.append(Layer(name, last, f"values{head}", theirs))
    return layers
