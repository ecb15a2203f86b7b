"""Teachers as values: from a configuration and named arrays, and back. Touches no file."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from ..datasets.transition import Actions
from .method import Architecture, Params, Teacher
from .networks import build


def flatten(params: Params) -> dict[str, np.ndarray]:
    """Return {"params/Dense_0/kernel": array, ...}, as safetensors wants it."""
    leaves = jax.tree_util.tree_flatten_with_path(params)[0]
    return {"/".join(str(key.key) for key in path): np.asarray(leaf) for path, leaf in leaves}


def digest(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and contents of the weights, as 64 hex digits."""
    seal = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        seal.update(f"{name} {array.dtype.str} {array.shape} ".encode() + array.tobytes())
    return seal.hexdigest()


def restore(architecture: Architecture, actions: Actions, obs: np.ndarray, arrays: Mapping[str, np.ndarray]) -> Teacher:
    """Make the teacher of an architecture with these weights; ValueError if any name, shape or type differs.

    `obs` [1, S, *frame]: an example observation.
    """
    module = build(architecture, actions)
    shapes = jax.eval_shape(module.init, jax.random.key(0), jnp.asarray(obs))
    wanted = {name: leaf for name, leaf in _named(shapes)}
    if set(wanted) != set(arrays):
        odd = ", ".join(sorted(set(wanted) ^ set(arrays)))
        raise ValueError(f"the weights are not those of {architecture.name!r} for this task: {odd} do not match")
    for name, leaf in wanted.items():
        if arrays[name].shape != leaf.shape or arrays[name].dtype != leaf.dtype:
            given, want = (f"{x.dtype}{list(x.shape)}" for x in (arrays[name], leaf))
            raise ValueError(f"the weight {name} is {given}, but {architecture.name!r} needs {want} for this task")
    params = jax.tree_util.tree_map_with_path(lambda path, _: jnp.asarray(arrays[_path(path)]), shapes)
    return Teacher(architecture, module.apply, params)


def absent() -> Teacher:
    """Raise ValueError: a method asked its teacher, and there is none."""

    def apply(params: Any, obs: Array, **options):
        raise ValueError("this method needs a teacher: give one with --teacher")

    return Teacher(Architecture("none"), apply, ())


def values(teacher: Teacher):
    """Return action values [B, A] of observations."""
    return partial(teacher.apply, teacher.params)


def _path(path) -> str:
    return "/".join(str(key.key) for key in path)


def _named(tree):
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        yield _path(path), leaf
