"""Grow the teacher into a wider student that starts as the same function (OpenAI, 2019; Chen et al., 2016)."""

import jax.numpy as jnp
import numpy as np

from ..method import Method, Params
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
    grown, units = {}, 0
    kinds = {name: name.split("_") for name in teacher["params"]}
    for name in sorted(kinds, key=lambda name: (kinds[name][0], int(kinds[name][1]))):  # Conv_2, Conv_10, Dense_0
        new, old = fresh["params"][name], teacher["params"][name]
        kernel = widen(new["kernel"], old["kernel"], units or old["kernel"].shape[-2])
        grown[name] = {"bias": jnp.asarray(widen(new["bias"], old["bias"])), "kernel": jnp.asarray(kernel)}
        units = len(old["bias"])
    return {"params": grown}


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

    def network(task, teacher):
        inherited = own.network(task, teacher)
        if inherited.name in ("ensemble", "anchored") or inherited.options.get("layer_norm"):
            raise ValueError(f"surgery cannot widen this {inherited.name} network and keep its function")
        options = {**inherited.options, "width": width * inherited.options.get("width", 1.0)}
        return inherited._replace(options=options)

    def rate(progress):
        until = jnp.minimum(own.warmup / progress.planned, 0.1) + jnp.minimum(settle / progress.planned, 0.05)
        return jnp.where(progress.offline, 1.0, progress.spent >= until) * own.rate(progress)

    return own._replace(
        network=network,
        init=lambda learner, teacher: own.init(learner, graft(learner.params, teacher)),
        rate=rate,
    )
