"""Ensembles of critics: what a few of them agree on, and how all of them learn one goal."""

import jax
from jax import Array

from . import losses
from .method import Architecture
from .networks import with_options

DISTRIBUTIONS = ("categorical", "quantile", "implicit_quantile")  # networks that give more than one value an action


def least(key: Array, each: Array, subset: int) -> Array:
    """Take the least of `subset` members, drawn at random: [E, B, A] -> [B, A] (Chen et al., 2021: REDQ)."""
    return each[jax.random.choice(key, len(each), (subset,), replace=False)].min(axis=0)


def squared(each: Array, action: Array, goal: Array) -> Array:
    """Average the squared error of the chosen value over the members: [E, B, A], [B], [B] -> [B]."""
    return jax.vmap(losses.squared_td, in_axes=(0, None, None))(each, action, goal).mean(axis=0)


def of_values(inner: Architecture, whose: str) -> Architecture:
    """Return the architecture; ValueError if it gives distributions, which the method `whose` cannot work with."""
    if inner.name in DISTRIBUTIONS:
        raise ValueError(f"{whose} takes a network of values, not of their distributions: leave its base out")
    return inner


def network(inner: Architecture, members: int, layer_norm: bool, whose: str) -> Architecture:
    """Make an ensemble of a network for values; ValueError if `inner` is for distributions."""
    inner = of_values(inner, whose)
    options = with_options(inner, layer_norm=True).options if layer_norm else inner.options
    return Architecture("ensemble", {"of": inner.name, "options": options, "members": members})


def check(members: int, subset: int, whose: str) -> None:
    """Raise ValueError if more members are asked than there are."""
    if not 1 <= subset <= members:
        raise ValueError(f"{whose} cannot ask {subset} of {members} members: give a subset from 1 to {members}")
