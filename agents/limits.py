"""Limits on the size of a network that a file or a command line describes, checked before it is built."""

from typing import Any

from .method import Architecture

NUMBERS: dict[str, tuple[float, float]] = {  # numeric option -> (least, most)
    "width": (1e-3, 64),
    "size": (1, 2**14),
    "dense": (1, 2**14),
    "depth": (0, 64),
    "members": (1, 64),
    "atoms": (1, 1024),
    "quantiles": (1, 1024),
    "asked": (1, 1024),
    "waves_from": (0, 1),
    "v_max": (1e-6, 1e9),
    "clip": (1e-6, 1e9),
    "clip_mean": (0.0, 1e9),
    "blocks": (0, 16),
    "pool_padding": (-1, 1),
}
UNITS = {("actor_critic", "width"): (1, 2**14)}  # options whose unit differs in one network
ROWS = {
    "sizes": 64,
    "critic_sizes": 64,
    "stages": 16,
    "layers": 16,
    "shape": 8,
}  # options that are lists -> their greatest length
BOOLEANS = (
    *("layer_norm", "dueling", "noisy", "bfloat16", "expanded"),
    *("stochastic", "sde", "memory", "state"),
)
NAMES = {
    "padding": ("VALID", "SAME"),
    "norm": ("", "layer"),
    "activation": ("relu", "tanh", "elu", "leaky_relu", "silu"),
}
NAMES |= dict.fromkeys(BOOLEANS, (True, False))
NESTED = 4  # depth of networks inside networks


def check(architecture: Architecture, depth: int = 0) -> None:
    """Raise ValueError for an option of the wrong type or of excessive size; unknown options pass."""
    for name, value in architecture.options.items():
        text = f"{value!r:.60}" if isinstance(value, (int, float, str, bool)) else type(value).__name__
        where = f"the network {architecture.name!r} has the option {name!r} = {text}"
        if name in NUMBERS:
            low, high = UNITS.get((architecture.name, name), NUMBERS[name])
            size, real = architecture.options[name], name in ("width", "v_max", "clip", "clip_mean")
            kinds = (int, float) if real and (architecture.name, name) not in UNITS else (int,)
            if type(value) not in kinds or not low <= size <= high:
                raise ValueError(f"{where}: give a number from {low:g} to {high:g}")
        if name in ROWS and not _row(value, ROWS[name]):
            raise ValueError(f"{where}: give at most {ROWS[name]} numbers from 1 to {2**14}")
        if name in NAMES and value not in NAMES[name]:
            raise ValueError(f"{where}: give {' or '.join(map(str, NAMES[name]))}")
    if depth > NESTED:
        raise ValueError(f"the network {architecture.name!r} nests more than {NESTED} networks")
    inner, beneath = architecture.options.get("options", {}), architecture.options.get("beneath", {})
    if not hasattr(beneath, "items"):
        raise ValueError(f"the network {architecture.name!r} needs the options of an actor as `beneath`: give them")
    if beneath:
        check(Architecture("actor_critic", beneath), depth + 1)
    if not isinstance(architecture.options.get("of", ""), str) or not hasattr(inner, "items"):
        raise ValueError(f"the network {architecture.name!r} needs an inner network: give its name and options")
    if "of" in architecture.options:
        check(Architecture(architecture.options["of"], inner), depth + 1)


def _row(value: Any, longest: int, flat: bool = False) -> bool:
    """Return whether it is a list of small numbers, or of lists of three of them and an optional padding."""
    if not isinstance(value, (list, tuple)) or len(value) > longest:
        return False
    if not flat and value and all(isinstance(item, (list, tuple)) for item in value):
        return all(_row(item[:3], 3, flat=True) and item[3:] in ([], ["SAME"], ["VALID"]) for item in map(list, value))
    return all(type(item) is int and 1 <= item <= 2**14 for item in value)
