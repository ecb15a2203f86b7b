"""Grow the teacher into a wider student that starts as the same function (OpenAI, 2019; Chen et al., 2016)."""

import jax.numpy as jnp
import numpy as np

from ..method import Architecture, Method, Params
from .dqn import dqn
from .fine_tuning import fine_tuning


def widen(fresh: np.ndarray, old: np.ndarray, units: int = 1) -> np.ndarray:
    """One kernel [..., in, out] or bias [out] with the old one inside it.

    `units` is the size of the old layer before: a kernel's inputs are these times the cells of the image that
    flattening put side by side. New units keep their fresh incoming weights, so that they can learn; what they
    feed to the old units starts at zero.
    """
    inputs = old.shape[:-1]  # of a bias: none
    cells = int(np.prod(inputs)) // units
    grown = np.array(fresh).reshape(cells, -1, fresh.shape[-1])
    grown[:, units:, : old.shape[-1]] = 0.0
    grown[:, :units, : old.shape[-1]] = np.asarray(old).reshape(cells, units, -1)
    return grown.reshape(fresh.shape)


def graft(fresh: Params, teacher: Params) -> Params:
    """The student's fresh weights with the teacher's inside them; layers follow one another as they are numbered."""
    if len(teacher) == 1 and "kernel" not in teacher:  # {"params": ...} or {"inner": ...}
        return {name: graft(fresh[name], teacher[name]) for name in teacher}
    grown, units = {}, 0
    kinds = {name: name.split("_") for name in teacher}
    for name in sorted(kinds, key=lambda name: (kinds[name][0], int(kinds[name][1]))):  # Conv_2, Conv_10, Dense_0
        new, old = fresh[name], teacher[name]
        kernel = widen(new["kernel"], old["kernel"], units or old["kernel"].shape[-2])
        grown[name] = {"bias": jnp.asarray(widen(new["bias"], old["bias"])), "kernel": jnp.asarray(kernel)}
        units = len(old["bias"])
    return grown


def wider(architecture: Architecture, width: float) -> Architecture:
    """The same network with every hidden layer `width` times as wide; ValueError if that cannot keep its function."""
    name, options = architecture
    if name in ("ensemble", "anchored") or options.get("layer_norm"):
        raise ValueError(f"surgery cannot widen this {name} network and keep its function: take another teacher")
    if name == "categorical":
        inner = wider(Architecture(options["of"], options["options"]), width)
        return Architecture(name, {**options, "options": inner.options})
    return Architecture(name, {**options, "width": width * options.get("width", 1.0)})


def surgery(
    base=dqn,
    width: float = 1.5,
    settle: float = 40_000,
    learning_rate: float = 1e-5,
    explore: float = 0.0,
    keep_log: bool = True,
    n_step: int = 1,
    **numbers,
) -> Method:
    """Fine-tuning of the grown student.

    `width`: how many times wider every hidden layer becomes. `settle`: agent steps after the warm-up, at
    most a twentieth of those planned, in which the optimizer only gathers its moments.
    """
    own = fine_tuning(base, learning_rate, explore, keep_log, n_step, **numbers)
    if width < 1.0:
        raise ValueError(f"surgery cannot make a network narrower: give a width of at least 1, not {width}")

    def rate(progress):
        until = jnp.minimum(own.warmup / progress.planned, 0.1) + jnp.minimum(settle / progress.planned, 0.05)
        return jnp.where(progress.offline, 1.0, progress.spent >= until) * own.rate(progress)

    return own._replace(
        network=lambda task, teacher: wider(own.network(task, teacher), width),
        init=lambda learner, teacher: own.init(learner, graft(learner.params, teacher)),
        rate=rate,
    )
