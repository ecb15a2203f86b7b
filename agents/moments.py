"""Optimizer state as named arrays and back, so that a student can continue with its teacher's moments."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .method import Params


def _named(tree: Any) -> list[tuple[str, Any]]:
    paths = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [(jax.tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in paths]


def named(opt_state: Any) -> dict[str, np.ndarray]:
    """Return {"0/mu/params/Dense_0/kernel": array, ...}, as safetensors wants it."""
    return {name: np.asarray(leaf) for name, leaf in _named(opt_state)}


def restored(fresh: Any, arrays: Mapping[str, Any]) -> Any:
    """Return the state like `fresh` with these arrays in it; ValueError if any name, shape or type differs."""
    wanted = {name: (leaf.shape, leaf.dtype) for name, leaf in _named(fresh)}
    if wanted != {name: (array.shape, array.dtype) for name, array in arrays.items()}:
        raise ValueError("the teacher's optimizer differs from the student's: start with fresh moments, moments=false")
    leaves = [jnp.asarray(arrays[name]) for name in wanted]
    return jax.tree.unflatten(jax.tree.structure(fresh), leaves)


def changed(opt_state: Any, params: Params, change: Callable[[Params], Params]) -> Any:
    """Apply `change` to each part of the state that is shaped like the parameters, such as the moments."""
    like = jax.tree.structure(params)

    def is_moment(part: Any) -> bool:
        return jax.tree.structure(part) == like

    return jax.tree.map(lambda part: change(part) if is_moment(part) else part, opt_state, is_leaf=is_moment)
