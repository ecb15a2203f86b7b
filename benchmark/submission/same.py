"""Whether two students are the same, by their actions on fixed observations and by their weights in a canonical form.

Hidden units can be permuted and scaled. The comparison of weights therefore uses two invariants: the quantiles of each
array, and the directions of the first layer's units in observation space. Training hardly rotates these, and trainings
from different fresh weights have unrelated directions. Actors of continuous actions learn longer from fewer numbers
and are turned more, so their directions have to agree more closely.
"""

import base64
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any, NamedTuple

import jax
import numpy as np

from ...agents.method import Apply, Teacher
from ...datasets.transition import Actions, Box
from ..tasks.environments import actions_of, make, seeds
from ..tasks.task import Task

LOOKS, PLAYERS = 512, 16  # observations, and the environments they come from
STEP = 0.08  # of a standard deviation, the resolution of stored advantages
SHARES = np.linspace(0.0, 1.0, 17)  # quantiles of each array of weights
ARRAYS = 240  # stored arrays of a network, so that a fingerprint has at most 50,000 characters
UNITS, DIRECTIONS = 128, 64  # stored units of the first layer, each projected to DIRECTIONS numbers
LEAST_INPUTS = 16  # of a unit: in a smaller space all directions are similar
# Measured: independent trainings agree on 0.16 to 0.78 of the actions, and their weights differ by 0.13 to 8 standard
# deviations. Students of one teacher differ by 0.003 or more, a student and its teacher by 0.013 or more; noise of a
# thousandth gives 0.004, of a hundredth 0.04.
ALIKE, ALONG = 0.98, 0.99  # unrelated students with more equal actions and a higher correlation are the same
APART = 0.05  # unrelated students whose weights differ by less are the same, despite added noise
SAME, ALL_ALONG = 0.995, 0.9999  # the thresholds for relatives: students of one teacher, and the teacher itself
# Three trainings of sac on Pendulum correlate by 0.72 to 0.97, and offer nothing else to compare. Noise of a hundredth
# gives 0.9991, of three hundredths 0.992. On HalfCheetah 18 trainings of eight methods correlate by 0.85 at most
# and their weights differ by 0.12 or more; noise of a tenth gives 0.05.
NUMBERS = 0.998
CLOSE = 0.001
ALIGNED = (
    0.75  # mean cosine of the units' directions; 0.54 at most from other fresh weights, 0.85 after noise of a tenth
)
ALIGNED_ACTORS = 0.98  # of continuous actions; 0.94 at most from other fresh weights, 0.99 after noise of a tenth


class Print(NamedTuple):
    """A policy's fingerprint: its actions on the task's fixed observations, and its weights in canonical form."""

    actions: np.ndarray  # [L] uint8, greedy
    advantages: np.ndarray  # [L, A] float, mean 0 over actions, standard deviation 1 overall
    weights: np.ndarray  # [W, 1 + Q] float32, the standard deviation and quantiles of each array
    units: np.ndarray  # [U, D] float, directions of the first layer's units; empty if they have few inputs

    def text(self) -> str:
        """Encode it for a verdict."""
        steps = np.clip(np.round(self.advantages / STEP), -127, 127).astype(np.int8)
        turned = np.round(self.units * 127).astype(np.int8)
        parts = (self.actions.tobytes(), steps.tobytes(), self.weights.astype("<f4").tobytes(), turned.tobytes())
        return ".".join(base64.b64encode(part).decode() for part in parts)


def read(text: str) -> Print | None:
    """Decode a fingerprint from a verdict, also without the units of newer ones; None if it is invalid."""
    try:
        actions, steps, kept, *rest = (base64.b64decode(part, validate=True) for part in text.split("."))
        units = np.frombuffer(b"".join(rest), np.int8).astype(float).reshape(-1, DIRECTIONS) / 127
        advantages = np.frombuffer(steps, np.int8).astype(float).reshape(LOOKS, -1) * STEP
        order = np.frombuffer(kept, "<f4").reshape(-1, 1 + len(SHARES))
    except ValueError:
        return None
    return Print(np.frombuffer(actions, np.uint8), advantages, order, units) if len(actions) == LOOKS else None


@cache
def observations(task: Task) -> np.ndarray:
    """Return observations [L, S, *frame] from random play with fixed seeds, spread over its episodes."""
    env, rng = make(task, seeds("verification", 2**14 - 1, PLAYERS)), np.random.default_rng(0)
    seen = []
    for step in range(8 * LOOKS // PLAYERS):
        if step % 8 == 0:
            seen.append(env.observe().copy())
        env.step(_anything(rng, env.actions))
    return np.concatenate(seen)[:LOOKS]


def _anything(rng: np.random.Generator, actions: Actions) -> np.ndarray:
    if isinstance(actions, Box):
        return rng.uniform(actions.low, actions.high, (PLAYERS, actions.size)).astype(np.float32)
    return rng.integers(actions, size=PLAYERS)


def fingerprint(policy: Teacher, arrays: Mapping[str, np.ndarray], task: Task) -> Print:
    """Return a policy's fingerprint on the fixed observations of its task. ValueError if a value is not finite."""
    apply, obs = _compiled(policy.apply), observations(task)
    values = np.concatenate([np.asarray(apply(policy.params, obs[at : at + 64]), float) for at in range(0, LOOKS, 64)])
    if not np.isfinite(values).all():
        raise ValueError("its values are not numbers")
    continuous = isinstance(actions_of(task), Box)
    over = values - values.mean(axis=0 if continuous else 1, keepdims=True)
    chosen = np.zeros(LOOKS) if continuous else values.argmax(axis=1)  # numbers are compared by correlation
    scaled = over / max(float(over.std()), 1e-12)
    return Print(chosen.astype(np.uint8), scaled, in_order(arrays), directions(arrays))


@lru_cache(32)  # the students of a run, and those of an entry, share a function
def _compiled(apply: Apply) -> Any:
    return jax.jit(apply)


def in_order(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the canonical weights [W, 1 + Q]: the standard deviation and the quantiles of each array."""
    kept = [arrays[name] for name in sorted(arrays) if arrays[name].size > 1][:ARRAYS]
    order = [[array.std(), *np.quantile(array, SHARES)] for array in kept]
    return np.array(order, np.float32).reshape(-1, 1 + len(SHARES))


def directions(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return unit vectors [U, D]: the directions of the first layer's units, by a fixed random projection."""
    first = next((name for kind in ("Conv_0", "Dense_0") for name in sorted(arrays) if f"{kind}/kernel" in name), "")
    kernel = np.asarray(arrays[first], float) if first else np.zeros((1, 1))
    units = kernel.reshape(-1, kernel.shape[-1]).T
    if units.shape[1] < LEAST_INPUTS:
        return np.zeros((0, DIRECTIONS))
    largest = np.argsort(-np.linalg.norm(units, axis=1), kind="stable")[:UNITS]
    thrown = units[largest] @ np.random.default_rng(units.shape[1]).standard_normal((units.shape[1], DIRECTIONS))
    return thrown / np.maximum(np.linalg.norm(thrown, axis=1, keepdims=True), 1e-12)


class Likeness(NamedTuple):
    """The similarity of two fingerprints."""

    alike: float  # share of the observations with equal actions
    along: float  # correlation of their advantages
    gap: float  # distance of their canonical weights, in standard deviations
    turned: float  # mean cosine of each first-layer unit with the nearest one of the other
    single: bool = False  # whether actions cannot differ: continuous ones, or always the first


def likeness(ours: Print, theirs: Print) -> Likeness:
    """Compare two fingerprints."""
    gap, turned = distance(ours.weights, theirs.weights), aligned(ours, theirs)
    return Likeness(agreement(ours, theirs), correlation(ours, theirs), gap, turned, single(ours, theirs))


def is_copy(ours: Print, theirs: Print, relatives: bool, begun: bool = True, early: bool = False) -> str:
    """Return why two policies are the same; empty if they are not. See `copied`."""
    return copied(likeness(ours, theirs), relatives, begun, early)


def copied(found: Likeness, relatives: bool, begun: bool = True, early: bool = False) -> str:
    """Return why two policies with this similarity are the same; empty if they are not.

    `relatives`: one was trained from the other, or both from the same teacher, and the record says so. `begun`: both
    may have started from the same weights. `early`: the known one is not fully trained, so its weights may still be
    distributed like fresh ones.
    """
    least, most = (CLOSE, (SAME, ALL_ALONG)) if relatives else (APART, (ALIKE, ALONG))
    if found.single:
        most = (most[0], max(most[1], NUMBERS))
    if not begun and turned_alike(found.turned, found.single):
        return f"the units of its first layer look where theirs do (mean cosine {found.turned:.2f})"
    if found.gap < (CLOSE if early else least):
        return f"its weights in order differ from theirs by {found.gap:.1e} standard deviations"
    if found.alike >= most[0] and found.along >= most[1]:
        told = f"{found.alike:.1%} of the task's fixed observations (correlation {found.along:.4f})"
        return f"it acts like it on {told}"
    return ""


def single(ours: Print, theirs: Print) -> bool:
    """Return whether the actions of two policies cannot differ: continuous ones, or always the first."""
    return not (ours.actions.any() or theirs.actions.any())


def turned_alike(turned: float, single: bool) -> bool:
    """Return whether units of first layers with this mean cosine began as the same fresh weights."""
    return turned > (ALIGNED_ACTORS if single else ALIGNED)


def agreement(a: Print, b: Print) -> float:
    """Return the share of the observations with equal actions; 0 for different action spaces."""
    return float((a.actions == b.actions).mean()) if a.advantages.shape == b.advantages.shape else 0.0


def correlation(a: Print, b: Print) -> float:
    """Return the correlation of their advantages: 1 for the same policy, however its units are ordered and scaled."""
    if a.advantages.shape != b.advantages.shape:
        return 0.0
    x, y = a.advantages.ravel(), b.advantages.ravel()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else 1.0


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the distance of two sets of canonical weights [W, 1 + Q]: root mean square, in standard deviations.

    It does not depend on the order of hidden units, and noise hardly moves a quantile. Infinity for other shapes.
    """
    if ours.shape != theirs.shape or not len(ours):
        return float("inf")
    scale = np.maximum(np.maximum(ours[:, :1], theirs[:, :1]), 1e-9)
    return float(np.sqrt(np.mean(((ours[:, 1:] - theirs[:, 1:]) / scale) ** 2)))


def aligned(ours: Print, theirs: Print) -> float:
    """Return the mean cosine between each unit's direction and the nearest one of the other; 0 if there are none.

    The larger of both sides counts, so that adding units to a copied network does not hide it.
    """
    if not len(ours.units) or not len(theirs.units):
        return 0.0
    cosines = ours.units @ theirs.units.T
    return float(max(cosines.max(axis=0).mean(), cosines.max(axis=1).mean()))
