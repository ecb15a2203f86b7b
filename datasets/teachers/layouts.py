"""The table of other libraries' networks, and the conversion of their layers to ours."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..words import several

ACTIONS, PARTS = 64, 1024  # upper limits: actions, and atoms or quantiles per action
LAYERS, UNITS = 32, 2**14  # upper limits for a network of dense layers

Shape = tuple[int, ...]


class Kind(NamedTuple):
    """One kind of file. Networks see the oldest frame first, and divide bytes by 255 unless the file says otherwise."""

    network: str  # ours, see SHAPES: nature has no padding, nature_same SAME; impala_torch pads its pooling by a pixel
    layout: str  # flax: kernels [H, W, in, out], rows height first; torch: [out, in, H, W], rows channels first
    outputs: str  # values, logits, atoms (logits of an action's distribution), or quantiles (with the value as mean)
    layers: tuple[str, ...]  # names in the order of computation; * stands for growing numbers
    beside: tuple[str, ...] = ()  # prefixes of arrays that no output depends on
    activation: str = "relu"


class Ours(NamedTuple):
    """A network in our own form."""

    architecture: dict[str, Any]
    actions: Any  # their number, or the bounds of continuous ones, as written by `transition.stated`
    arrays: dict[str, np.ndarray]
    outputs: str  # values or logits


_CONVS = ((8, 8, 4, 32), (4, 4, 32, 64), (3, 3, 64, 64))
_STAGES = [((3, 3, old, new), *(((3, 3, new, new),) * 4)) for old, new in ((4, 16), (16, 32), (32, 32))]
SHAPES: dict[str, tuple[Shape, ...]] = {  # of our kernels, in our order; 0 stands for the number of outputs
    "nature": (*_CONVS, (7 * 7 * 64, 512), (512, 0)),
    "nature_same": (*_CONVS, (11 * 11 * 64, 512), (512, 0)),
    "impala": (*(shape for stage in _STAGES for shape in stage), (11 * 11 * 32, 256), (256, 0)),
    "impala_512": (*(shape for stage in _STAGES for shape in stage), (11 * 11 * 32, 512), (512, 0)),
}
SHAPES["impala_torch"], SHAPES["impala_torch_512"] = SHAPES["impala"], SHAPES["impala_512"]
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {  # as agents/networks.py names them
    "nature": ("nature", {}),
    "nature_same": ("nature_same", {}),
    "impala": ("impala", {"dense": 256}),
    "impala_512": ("impala", {}),
    "impala_torch": ("impala", {"dense": 256, "pool_padding": 1}),
    "impala_torch_512": ("impala", {"pool_padding": 1}),
}

_flax = ("Conv_0", "Conv_1", "Conv_2", "Dense_0")
_nature = tuple(f"params/{name}" for name in (*_flax, "Dense_1"))
_torch = tuple(f"network.{number}" for number in (0, 2, 4, 7, 9))
_blocks = ["Conv_0", *(f"ResidualBlock_{block}/Conv_{conv}" for block in (0, 1) for conv in (0, 1))]
_impala = tuple(f"params/ConvSequence_{stage}/{name}" for stage in range(3) for name in _blocks) + ("params/Dense_0",)
_modules = ["conv", *(f"res_block{block}.conv{conv}" for block in (0, 1) for conv in (0, 1))]
_impala_torch = tuple(f"network.{stage}.{name}" for stage in range(3) for name in _modules)
_cnn = tuple(f"features_extractor.{name}" for name in ("cnn.0", "cnn.2", "cnn.4", "linear.0"))
_dense = tuple(f"params/Dense_{number}" for number in range(3))
_ppo = {  # a list of three networks, which flax writes as a map: features, policy, critic
    "nature": (*(f"0/params/{name}" for name in _flax), "1/params/Dense_0"),
    "impala": (*(f"0/{name}" for name in _impala), "1/params/Dense_0"),
}
_idqn_impala = tuple(f"params/Stack_{stage}/Conv_{conv}" for stage in range(3) for conv in range(5))
_sf, _sf_head = "encoder.encoders.obs", "action_parameterization.distribution_linear"
_sf_blocks = tuple(  # pooling has a number too: conv, pool, block, block, three times
    f"{_sf}.conv_head.{4 * stage + at}{name}"
    for stage in range(3)
    for at, names in (
        (0, ("",)),
        (2, (".res_block_core.1", ".res_block_core.3")),
        (3, (".res_block_core.1", ".res_block_core.3")),
    )
    for name in names
)
_sf_beside = ("obs_normalizer.", "returns_normalizer.", "critic_linear.")
_critics = ("value_net.", "mlp_extractor.value_net.", "features_extractor.", "vf_features_extractor.")

KINDS: dict[str, Kind] = {
    "cleanrl dqn_atari_jax": Kind("nature", "flax", "values", _nature),
    "cleanrl c51_atari_jax": Kind("nature", "flax", "atoms", _nature),
    "cleanrl qdagger_dqn_atari_jax_impalacnn": Kind("impala", "flax", "values", (*_impala, "params/Dense_1")),
    "cleanrl ppo_atari_envpool_xla_jax": Kind("nature", "flax", "logits", _ppo["nature"], ("2/",)),
    "cleanrl ppo_atari_envpool_xla_jax_scan": Kind("nature", "flax", "logits", _ppo["nature"], ("2/",)),
    "cleanrl ppo_atari_envpool_async_jax_scan_impalanet_machado": Kind(
        "impala", "flax", "logits", _ppo["impala"], ("2/",)
    ),
    "cleanba impala": Kind("impala", "flax", "logits", _ppo["impala"], ("2/",)),
    "cleanba nature": Kind("nature", "flax", "logits", _ppo["nature"], ("2/",)),
    "cleanrl dqn_jax": Kind("mlp", "flax", "values", _dense),
    "cleanrl c51_jax": Kind("mlp", "flax", "atoms", _dense),
    "cleanrl dqn_atari": Kind("nature", "torch", "values", _torch),
    "cleanrl c51_atari": Kind("nature", "torch", "atoms", _torch, ("atoms",)),
    "cleanrl qdagger_dqn_atari_impalacnn": Kind(
        "impala_torch", "torch", "values", (*_impala_torch, "network.5", "network.7")
    ),
    "cleanrl dqn": Kind("mlp", "torch", "values", ("network.*",)),
    "cleanrl c51": Kind("mlp", "torch", "atoms", ("network.*",), ("atoms",)),
    "sb3 dqn cnn": Kind(
        "nature", "torch", "values", tuple(f"q_net.{x}" for x in (*_cnn, "q_net.*")), ("q_net_target.",)
    ),
    "sb3 dqn mlp": Kind("mlp", "torch", "values", ("q_net.q_net.*",), ("q_net_target.",)),
    "sb3 qrdqn cnn": Kind(
        "nature",
        "torch",
        "quantiles",
        tuple(f"quantile_net.{x}" for x in (*_cnn, "quantile_net.*")),
        ("quantile_net_target.",),
    ),
    "sb3 qrdqn mlp": Kind("mlp", "torch", "quantiles", ("quantile_net.quantile_net.*",), ("quantile_net_target.",)),
    "sb3 actor-critic cnn": Kind(
        "nature", "torch", "logits", (*(f"pi_{x}" for x in _cnn), "mlp_extractor.policy_net.*", "action_net"), _critics
    ),
    "sb3 actor-critic mlp": Kind(
        "mlp", "torch", "logits", ("mlp_extractor.policy_net.*", "action_net"), _critics, activation="tanh"
    ),
    "gymnax ppo": Kind("mlp", "flax", "logits", ("params/Dense_*",), ("params/critic_fc_",)),
    "i-dqn cnn": Kind("nature_same", "flax", "values", _nature),
    "i-dqn impala": Kind("impala_512", "flax", "values", (*_idqn_impala, "params/Dense_0", "params/Dense_1")),
    "i-dqn mlp": Kind("mlp", "flax", "values", ("params/Dense_*",)),
    "sample-factory nature": Kind(
        "nature",
        "torch",
        "logits",
        (*(f"{_sf}.enc.conv_head.{n}" for n in (0, 2, 4)), f"{_sf}.enc.mlp_layers.0", _sf_head),
        _sf_beside,
    ),
    "sample-factory impala": Kind(
        "impala_torch_512", "torch", "logits", (*_sf_blocks, f"{_sf}.mlp_layers.0", _sf_head), _sf_beside
    ),
    "sample-factory mlp": Kind("mlp", "torch", "logits", (f"{_sf}.mlp_head.*", _sf_head), _sf_beside, "elu"),
    "dopamine dqn": Kind("nature_same", "flax", "values", _nature),
    "dopamine categorical": Kind("nature_same", "flax", "atoms", _nature),
}


def ours(kind: Kind, theirs: Mapping[str, np.ndarray], actions: int = 0, parts: int = 1, v_max: float = 10.0) -> Ours:
    """Convert a network of a kind; ValueError for the first array that does not fit the kind's row.

    `actions`: their number, if known. `parts`: otherwise, the number of atoms per action. `v_max`: the largest atom;
    the least is -v_max. Quantiles are replaced by their mean, which the last layer can compute.
    """
    names = [name for pattern in kind.layers for name in _expand(pattern, theirs)]
    weight, bias = ("/kernel", "/bias") if kind.layout == "flax" else (".weight", ".bias")
    wanted = {name + leaf for name in names for leaf in (weight, bias)}
    rest = {name for name in set(theirs) - wanted if not name.startswith(kind.beside)}
    if odd := sorted(rest | (wanted - set(theirs))):
        raise ValueError(f"the array {odd[0][:80]!r} is {'missing' if odd[0] in wanted else 'unknown'}")
    kernels = [_turned(theirs[name + weight], kind.layout) for name in names]
    biases = [theirs[name + bias] for name in names]
    if not kernels or biases[-1].ndim != 1:
        raise ValueError("it has no layers, or a last one without a bias for every output")
    whole = biases[-1].size
    actions, parts = (actions, whole // actions) if actions else (whole // max(parts, 1), parts)
    if not 1 <= actions <= ACTIONS or not 1 <= parts <= PARTS or actions * parts != whole:
        raise ValueError(f"it has {whole} outputs, which are not 1 to {ACTIONS} actions with 1 to {PARTS} parts each")
    if parts > 1 and kind.outputs in ("values", "logits"):
        raise ValueError(f"it has {several(whole, 'output')} for {several(actions, 'action')}")
    for name, kernel, shift, shape in zip(names, kernels, biases, _shapes(kind, kernels, whole), strict=False):
        _check(name + weight, kernel, shape)
        _check(name + bias, shift, shape[-1:])
    if len(kernels) != len(_shapes(kind, kernels, whole)):
        raise ValueError(f"it has {several(len(kernels), 'layer')}, not {len(SHAPES[kind.network])}")
    if kind.layout == "torch":
        kernels = _height_first(kernels)
    if kind.outputs == "quantiles":  # [..., quantiles * actions]
        kernels[-1], biases[-1] = (
            array.reshape(*array.shape[:-1], parts, actions).mean(-2, dtype=np.float64)
            for array in (kernels[-1], biases[-1])
        )
    outputs = "logits" if kind.outputs == "logits" else "values"
    return Ours(_architecture(kind, kernels, parts, v_max), actions, _named(kind, kernels, biases), outputs)


def normalised(network: Ours, mean: np.ndarray, scale: np.ndarray, clip: float) -> Ours:
    """Return the network on clip((observation - mean) * scale, -clip, clip); `mean`, `scale` [S, *frame]."""
    name, options = network.architecture["name"], network.architecture["options"]
    around = {"of": name, "options": options, "shape": list(mean.shape), "clip": clip}
    arrays = {"params/inner/" + key.removeprefix("params/"): array for key, array in network.arrays.items()}
    arrays |= {"params/mean": mean.astype(np.float32), "params/scale": scale.astype(np.float32)}
    return network._replace(architecture={"name": "normalized", "options": around}, arrays=arrays)


def _expand(pattern: str, theirs: Mapping[str, np.ndarray]) -> list[str]:
    """Return a name, or the layers' names that match its *, in numerical order."""
    before, star, after = pattern.partition("*")
    if not star:
        return [pattern]
    leaf = r"(\.weight|/kernel)"
    matches = [re.fullmatch(rf"{re.escape(before)}(\d{{1,4}}){re.escape(after)}{leaf}", name) for name in theirs]
    return [f"{before}{number}{after}" for number in sorted({int(match[1]) for match in matches if match})]


def _turned(kernel: np.ndarray, layout: str) -> np.ndarray:
    """Return a kernel as [H, W, in, out] or [in, out]."""
    if kernel.ndim not in (2, 4):
        raise ValueError(f"a layer's weights have {kernel.ndim} dimensions, not 2 or 4")
    return kernel if layout == "flax" else kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)


def _shapes(kind: Kind, kernels: list[np.ndarray], whole: int) -> list[Shape]:
    """Return the required shapes of the kernels; sizes of consecutive dense layers must agree."""
    if kind.network != "mlp":
        return [tuple(size or whole for size in shape) for shape in SHAPES[kind.network]]
    sizes = [kernels[0].shape[0], *(kernel.shape[-1] for kernel in kernels[:-1]), whole]
    if len(kernels) > LAYERS or not all(1 <= size <= UNITS for size in sizes[:-1]):
        raise ValueError(f"it has more than {LAYERS} layers, or layers without 1 to {UNITS} units")
    return list(zip(sizes, sizes[1:], strict=False))


def _check(name: str, array: np.ndarray, shape: Shape) -> None:
    if array.shape != shape or array.dtype != np.float32:
        raise ValueError(f"the array {name} is {array.dtype}{list(array.shape)}, not float32{list(shape)}")
    if not np.isfinite(array).all():
        raise ValueError(f"the array {name} has values that are not numbers")


def _height_first(kernels: list[np.ndarray]) -> list[np.ndarray]:
    """Reorder the rows of the first dense layer: torch flattens channels first, we flatten height first."""
    last = max((number for number, kernel in enumerate(kernels) if kernel.ndim == 4), default=-1)
    if last < 0:
        return kernels
    channels, dense = kernels[last].shape[-1], kernels[last + 1]
    rows = dense.reshape(channels, -1, dense.shape[-1]).swapaxes(0, 1).reshape(dense.shape)
    return [*kernels[: last + 1], rows, *kernels[last + 2 :]]


def _architecture(kind: Kind, kernels: list[np.ndarray], parts: int, v_max: float) -> dict[str, Any]:
    if kind.network == "mlp":
        sizes = [kernel.shape[-1] for kernel in kernels[:-1]]
        name, options = "mlp", {"sizes": sizes, "activation": kind.activation} if sizes else {"depth": 0}
    else:
        name, options = NETWORKS[kind.network]
    if kind.outputs != "atoms":
        return {"name": name, "options": options}
    return {"name": "categorical", "options": {"of": name, "options": options, "atoms": parts, "v_max": v_max}}


def _named(kind: Kind, kernels: list[np.ndarray], biases: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Rename arrays to our names, which number convolutions and dense layers in the order of computation."""
    counts, found = {4: 0, 2: 0}, {}
    for kernel, bias in zip(kernels, biases, strict=True):
        layer = f"params/{'inner/' * (kind.outputs == 'atoms')}{'Conv' if kernel.ndim == 4 else 'Dense'}"
        for leaf, array in (("kernel", kernel), ("bias", bias)):
            found[f"{layer}_{counts[kernel.ndim]}/{leaf}"] = np.ascontiguousarray(array, np.float32)
        counts[kernel.ndim] += 1
    return found
