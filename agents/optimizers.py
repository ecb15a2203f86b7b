"""Adam as the methods use it: with one learning rate, or one for each part of an actor-critic."""

from collections.abc import Hashable
from typing import Any

import jax
import optax

PARTS = ("actor", "temperature", "frozen")  # names in the parameters; all others belong to the critics


def adam(rate: float, epsilon: float, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Make Adam, or AdamW if there is weight decay (Loshchilov and Hutter, 2019)."""
    if weight_decay:
        return optax.adamw(rate, eps=epsilon, weight_decay=weight_decay)
    return optax.adam(rate, eps=epsilon)


def by_part(
    critics: float, actor: float | None, temperature: float | None, epsilon: float, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Make Adam with a rate and a step count for each part; frozen parameters stay.

    The actor's rate defaults to the critics', and the temperature's to the actor's.
    """
    actor = critics if actor is None else actor
    temperature = actor if temperature is None else temperature
    parts: dict[Hashable, optax.GradientTransformation] = {
        "critics": adam(critics, epsilon, weight_decay),
        "actor": adam(actor, epsilon, weight_decay),
        "temperature": adam(temperature, epsilon),
        "frozen": optax.set_to_zero(),
    }
    return optax.transforms.partition(parts, labels)


def labels(params: Any) -> Any:
    """Label each parameter with its part."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: part_of(path), params)


def part_of(path: Any) -> str:
    """Return the part of an actor-critic that the parameter on this path belongs to."""
    found = names(path)
    return next((part for part in PARTS if part in found), "critics")


def names(path: Any) -> list[str]:
    """Return the keys and the fields on the path to a leaf."""
    return [str(getattr(step, "key", getattr(step, "name", ""))) for step in path]
