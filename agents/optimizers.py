"""Adam as the methods use it, alone or with a rate for each part of an actor-critic."""

from collections.abc import Hashable
from typing import Any

import jax
import optax

PARTS = ("actor", "temperature", "frozen")  # names in the parameters; all else is the critics'


def adam(rate: float, epsilon: float, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Adam, with decoupled weight decay if there is any (Loshchilov and Hutter, 2019): without, its state is Adam's."""
    if weight_decay:
        return optax.adamw(rate, eps=epsilon, weight_decay=weight_decay)
    return optax.adam(rate, eps=epsilon)


def by_part(
    critics: float, actor: float | None, temperature: float | None, epsilon: float, weight_decay: float = 0.0
) -> optax.GradientTransformation:
    """Adam for each part with its own rate and count of steps; what is frozen stays.

    The actor's rate is the critics' unless given, and the temperature's the actor's.
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
    """Return the name of the part of each parameter."""
    return jax.tree_util.tree_map_with_path(lambda path, leaf: part_of(path), params)


def part_of(path: Any) -> str:
    """Return the part of an actor-critic that a parameter belongs to, by its path."""
    found = names(path)
    return next((part for part in PARTS if part in found), "critics")


def names(path: Any) -> list[str]:
    """Return the keys and the fields on the path to a leaf."""
    return [str(getattr(step, "key", getattr(step, "name", ""))) for step in path]
