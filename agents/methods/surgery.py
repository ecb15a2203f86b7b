"""Grow the teacher into a wider student that starts as the same function (OpenAI, 2019; Chen et al., 2016)."""

import jax.numpy as jnp
from jax import Array

from ..method import Method, Params
from .dqn import dqn
from .fine_tuning import fine_tuning


def widen(fresh: Array, old: Array, outputs: int = 1) -> Array:
    """One kernel [..., in, out] or bias [out] with the old one inside it.

    `outputs` is the number of units of the old layer before: what enters a layer are these times the cells of
    the image that flattening put side by side. New units keep their fresh incoming weights, so that they can
    learn; what they feed to the old units starts at zero.
    """
    if old.ndim == 1:
        return fresh.at[: len(old)].set(old)
    cells = old.size // (outputs * old.shape[-1])
    parts, olds = (x.reshape(cells, -1, x.shape[-1]) for x in (fresh, old))
    parts = parts.at[:, outputs:, : old.shape[-1]].set(0.0)
    return parts.at[:, :outputs, : old.shape[-1]].set(olds).reshape(fresh.shape)


def graft(fresh: Params, teacher: Params) -> Params:
    """The student's fresh weights with the teacher's inside them; layers are chained in the order of their names."""
    grown, outputs = {}, 0
    kinds = {name: name.partition("_")[::2] for name in teacher["params"]}
    for name in sorted(kinds, key=lambda name: (kinds[name][0], int(kinds[name][1]))):
        new, old = fresh["params"][name], teacher["params"][name]
        outputs = outputs or old["kernel"].shape[-2]
        grown[name] = {
            "kernel": widen(new["kernel"], old["kernel"], outputs),
            "bias": widen(new["bias"], old["bias"]),
        }
        outputs = len(old["bias"])
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
