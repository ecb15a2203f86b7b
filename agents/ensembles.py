"""Ensembles of critics: the minimum over a subset, and one target for all members."""

import jax
from jax import Array

from . import losses
from .method import Architecture
from .networks import with_options

DISTRIBUTIONS = ("categorical", "quantile", "implicit_quantile")  # networks with several values per action


def least(key: Array, each: Array, subset: int) -> Array:
    """Take the minimum over `subset` randomly drawn members: [E, B, A] -> [B, A] (Chen et al., 2021: REDQ)."""
    return each[jax.random.choice(key, len(each), (subset,), replace=False)].min(axis=0)


def squared(each: Array, action: Array, goal: Array) -> Array:
    """Average the squared error of the chosen value over the members: [E, B, A], [B], [B] -> [B]."""
    return jax.vmap(losses.squared_td, in_axes=(0, None, None))(each, action, goal).mean(axis=0)


def of_values(inner: Architecture, whose: str) -> Architecture:
    """Return the architecture; ValueError if it gives distributions, which the method `whose` cannot use."""
    if inner.name in DISTRIBUTIONS:
        raise ValueError(f"{whose} needs a network of values, not of distributions: leave out its base")
    return inner


def network(inner: Architecture, members: int, layer_norm: bool, whose: str) -> Architecture:
    """Make an ensemble of the network `inner`; ValueError if that gives distributions."""
    inner = of_values(inner, whose)
    options = with_options(inner, layer_norm=True).options if layer_norm else inner.options
    return Architecture("ensemble", {"of": inner.name, "options": options, "members": members})


def check(members: int, subset: int, whose: str) -> None:
    """Raise ValueError if the subset is larger than the ensemble."""
    if not 1 <= subset <= members:
        raise ValueError(f"{whose} cannot draw {subset} of {members} members: give a subset from 1 to {members}")
