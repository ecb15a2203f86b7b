"""A policy given as a Python function, `module:function`. It runs in this process with all its privileges.

`function(observations)` or, with a memory, `function(observations, first)`: observations [N, S, *frame] of all
environments in a fixed order, where first [N] marks the start of an episode. It returns integer actions [N], or values
or logits [N, A], of which the greedy action is taken. Continuous actions are [N, D], in the environment's units.
"""

import hashlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.method import Architecture, Teacher
from ...agents.working_folder import importable
from ...datasets.transition import Actions, Box, outputs
from ..tasks.environment import Environment

NAME = r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*"


class Called(NamedTuple):
    """A policy given as a function."""

    name: str  # module:function
    call: Callable[[np.ndarray, np.ndarray], np.ndarray]  # (observations, first) -> actions [N] or values [N, A]
    has_memory: bool
    outputs: str  # actions, values, or continuous actions
    digest: str  # SHA-256 of its source file

    def act(self, obs: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Return the greedy actions [N]."""
        told = self.call(obs, first)
        return told if told.ndim == 1 or self.outputs == "continuous actions" else told.argmax(axis=1)


def is_called(reference: Any) -> bool:
    """Return whether a reference names a function rather than a file."""
    text = os.fspath(reference)
    return bool(re.fullmatch(NAME, text)) and not os.path.exists(text)


@importable()
def load(name: str, env: Environment) -> Called:
    """Import a function by name and try it on an environment's first observations.

    ValueError if it cannot be imported, or returns neither actions nor values.
    """
    module, _, attribute = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise ValueError(f"the module {module} has no {attribute}: name the function as module:function") from None
    except (Exception, SystemExit) as error:  # a script that reads its own command line ends there
        where = f"{type(error).__name__}: {error}, searched in {os.getcwd()} and Python's package folders"
        raise ValueError(f"the policy {name} cannot be imported: {where}") from error
    if inspect.isclass(found):
        raise ValueError(f"the policy {name} is a class: put `policy = {attribute}()` into the module, and name that")
    if not callable(found):
        raise ValueError(f"the policy {name} is not a function: give one that takes observations and returns actions")
    has_memory = _takes_first(found, name)
    source = getattr(sys.modules[module], "__file__", None)
    digest = hashlib.sha256(Path(source).read_bytes() if source else name.encode()).hexdigest()

    def call(obs: np.ndarray, first: np.ndarray) -> np.ndarray:
        try:
            shown = np.array(obs)  # a copy: what a policy does in place must not reach the environment or a log
            told = np.array(found(shown, np.array(first)) if has_memory else found(shown))
        except (Exception, SystemExit) as error:
            raise ValueError(f"the policy {name} raised {type(error).__name__}: {error}") from error
        return _checked(told, name, len(obs), env.actions)

    told = call(env.observe(), np.ones(env.n, bool))
    kind = "continuous actions" if isinstance(env.actions, Box) else "actions" if told.ndim == 1 else "values"
    return Called(name, call, has_memory, kind, digest)


def unasked(called: Called) -> Teacher:
    """Return a placeholder for a function's policy where only the function itself is called."""

    def apply(*given: Any, **options: Any) -> NoReturn:
        raise ValueError(f"the policy {called.name} is a Python function, which compiled code cannot call here")

    return Teacher(Architecture("called"), apply, (), outputs=called.outputs)


def teacher(called: Called, actions: Actions) -> Teacher:
    """Return a function as a teacher for traced code, which calls the host from the device each time.

    If it returns actions, the chosen one has value 1 and the others 0. ValueError if it has a memory, since updates ask
    about observations in any order.
    """
    if called.has_memory:
        raise ValueError(
            f"the policy {called.name} has a memory (it takes `first`), and a student asks about observations in any "
            f"order: make a log of it, `reincarnate log {called.name} --task ...`, and give that with --teacher-log"
        )

    def ask(obs: np.ndarray) -> np.ndarray:
        told = called.call(np.asarray(obs), np.zeros(len(obs), bool))
        if isinstance(actions, Box):
            return actions.unit(told).astype(np.float32)
        return np.eye(outputs(actions), dtype=np.float32)[told] if told.ndim == 1 else told.astype(np.float32)

    def apply(params: Any, obs: jax.Array, **options: Any) -> jax.Array:
        shape = jax.ShapeDtypeStruct((obs.shape[0], outputs(actions)), jnp.float32)
        return jax.pure_callback(ask, shape, obs, vmap_method="sequential")

    return Teacher(Architecture("called"), apply, (), outputs=called.outputs)


def _takes_first(found: Callable[..., Any], name: str) -> bool:
    try:
        given = inspect.signature(found).parameters.values()
    except (TypeError, ValueError):  # functions written in C have no signature
        return False
    given = list(given)
    positional = [one for one in given if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in positional if one.default is one.empty]
    if not positional and any(one.kind is one.VAR_POSITIONAL for one in given):
        return False
    if len(needed) > 2 or not positional:
        raise ValueError(
            f"the policy {name} takes {len(needed)} arguments: it must take observations, and may take `first`"
        )
    return len(needed) == 2 or any(one.name == "first" for one in positional[1:2])


def _checked(told: np.ndarray, name: str, n: int, actions: Actions) -> np.ndarray:
    """Check integers [N] below the number of actions, finite values [N, A], or numbers [N, D] within their bounds."""
    if isinstance(actions, Box):
        whole = told.shape == (n, actions.size) and told.dtype.kind in "iuf" and np.isfinite(told).all()
        if not whole or (np.abs(told - actions.real(actions.unit(told))) > 1e-4 * np.abs(told).max()).any():
            shape = f"{told.dtype}{list(told.shape)} for {n} observations"
            raise ValueError(f"the policy {name} gave {shape}: it must give [{n}, {actions.size}] within their bounds")
        return told.astype(np.float32)
    if told.dtype.kind in "iu" and (told.shape == (n, 1) or n == 1 and not told.shape):
        told = told.reshape(n)
    if told.shape == (n,) and told.dtype.kind in "biu":
        if not ((told >= 0) & (told < actions)).all():
            odd = int(told[(told < 0) | (told >= actions)][0])
            raise ValueError(f"the policy {name} gave the action {odd}, but actions are 0 to {actions - 1}")
        return told.astype(np.int32)
    if told.shape == (n, actions) and told.dtype.kind in "biuf":
        with np.errstate(over="ignore"):
            values = told.astype(np.float32)
        if np.isfinite(values).all():
            return values
    raise ValueError(
        f"the policy {name} gave {told.dtype}{list(told.shape)} for {n} observations: it must give whole numbers "
        f"[{n}], or finite values [{n}, {actions}]"
    )
