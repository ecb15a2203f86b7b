"""Whether two students are the same one: by what they do on fixed observations, and by weights in a canonical order.

Hidden units may stand in any order and have any scale, so two things of the weights are compared that neither changes:
the quantiles of each array, and the directions in which the units of the first layer look at the observation. Training
hardly turns these, and two trainings from other fresh weights have nothing in common there.
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

LOOKS, PLAYERS = 512, 16  # observations, from so many environments
STEP = 0.08  # of a standard deviation, as advantages are kept
SHARES = np.linspace(0.0, 1.0, 17)  # quantiles of each array of weights
ARRAYS = 240  # of a network that are kept, so that a fingerprint has at most 50,000 characters
UNITS, DIRECTIONS = 128, 64  # units of the first layer that are kept, each projected to DIRECTIONS numbers
LEAST_INPUTS = 16  # of a unit: in a smaller space all directions are near one another
# Measured: independent trainings agree on 0.16 to 0.78 of the actions, their weights differ by 0.13 to 8 standard
# deviations; students of one teacher by 0.003 and more, a student from its teacher by 0.013 and more; noise of a
# thousandth by 0.004, of a hundredth by 0.04.
ALIKE, ALONG = 0.98, 0.99  # strangers that agree on so many actions, and whose advantages correlate so much, are one
APART = 0.05  # strangers whose weights differ by less are one, whatever noise was added
SAME, ALL_ALONG = 0.995, 0.9999  # the same for relatives: students of one teacher, and the teacher itself
# Three trainings of sac on Pendulum correlate by 0.72 to 0.97, and have nothing but that to be compared by; noise of a
# hundredth leaves 0.9991, of three hundredths 0.992.
NUMBERS = 0.998
CLOSE = 0.001
ALIGNED = (
    0.75  # mean cosine of the units' directions; 0.54 at most from other fresh weights, 0.85 after noise of a tenth
)


class Print(NamedTuple):
    """A policy's fingerprint: what it would do on the task's fixed observations, and its weights in order."""

    actions: np.ndarray  # [L] uint8, greedy
    advantages: np.ndarray  # [L, A] float, mean 0 over the actions, standard deviation 1 over all
    weights: np.ndarray  # [W, 1 + Q] float32, of each array its standard deviation and its quantiles
    units: np.ndarray  # [U, D] float, directions of the first layer's units; none if their inputs are few

    def text(self) -> str:
        """Write it as verdicts keep it."""
        steps = np.clip(np.round(self.advantages / STEP), -127, 127).astype(np.int8)
        turned = np.round(self.units * 127).astype(np.int8)
        parts = (self.actions.tobytes(), steps.tobytes(), self.weights.astype("<f4").tobytes(), turned.tobytes())
        return ".".join(base64.b64encode(part).decode() for part in parts)


def read(text: str) -> Print | None:
    """Read a fingerprint as a verdict keeps it, older ones without the units; None if it is none."""
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
    """Return what a policy does on the fixed observations of its task. ValueError if it is not a number."""
    apply, obs = _compiled(policy.apply), observations(task)
    values = np.concatenate([np.asarray(apply(policy.params, obs[at : at + 64]), float) for at in range(0, LOOKS, 64)])
    if not np.isfinite(values).all():
        raise ValueError("its values are not numbers")
    continuous = isinstance(actions_of(task), Box)
    over = values - values.mean(axis=0 if continuous else 1, keepdims=True)
    chosen = np.zeros(LOOKS) if continuous else values.argmax(axis=1)  # numbers are compared by their correlation alone
    scaled = over / max(float(over.std()), 1e-12)
    return Print(chosen.astype(np.uint8), scaled, in_order(arrays), directions(arrays))


@lru_cache(32)  # the students of a run, and those of an entry, have one function
def _compiled(apply: Apply) -> Any:
    return jax.jit(apply)


def in_order(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the weights in order [W, 1 + Q]: of each array its standard deviation and its quantiles."""
    kept = [arrays[name] for name in sorted(arrays) if arrays[name].size > 1][:ARRAYS]
    order = [[array.std(), *np.quantile(array, SHARES)] for array in kept]
    return np.array(order, np.float32).reshape(-1, 1 + len(SHARES))


def directions(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return [U, D] unit vectors: where the units of the first layer look, by a fixed random projection."""
    first = next((name for kind in ("Conv_0", "Dense_0") for name in sorted(arrays) if f"{kind}/kernel" in name), "")
    kernel = np.asarray(arrays[first], float) if first else np.zeros((1, 1))
    units = kernel.reshape(-1, kernel.shape[-1]).T
    if units.shape[1] < LEAST_INPUTS:
        return np.zeros((0, DIRECTIONS))
    largest = np.argsort(-np.linalg.norm(units, axis=1), kind="stable")[:UNITS]
    thrown = units[largest] @ np.random.default_rng(units.shape[1]).standard_normal((units.shape[1], DIRECTIONS))
    return thrown / np.maximum(np.linalg.norm(thrown, axis=1, keepdims=True), 1e-12)


class Likeness(NamedTuple):
    """What two fingerprints have in common."""

    alike: float  # share of the observations on which both act alike
    along: float  # correlation of their advantages
    gap: float  # between their weights in order, in standard deviations
    turned: float  # mean cosine of the units of their first layers with the nearest of the other's
    single: bool = False  # whether neither has actions that could differ: numbers, or always the first one


def likeness(ours: Print, theirs: Print) -> Likeness:
    """Compare two fingerprints."""
    single = not (ours.actions.any() or theirs.actions.any())
    gap, turned = distance(ours.weights, theirs.weights), aligned(ours, theirs)
    return Likeness(agreement(ours, theirs), correlation(ours, theirs), gap, turned, single)


def is_copy(ours: Print, theirs: Print, relatives: bool, begun: bool = True, early: bool = False) -> str:
    """Return why two policies are one and the same; empty if they are not. See `copied`."""
    return copied(likeness(ours, theirs), relatives, begun, early)


def copied(found: Likeness, relatives: bool, begun: bool = True, early: bool = False) -> str:
    """Return why two policies that have so much in common are one and the same; empty if they are not.

    `relatives`: one was trained from the other, or both from the same teacher, and the record says so. `begun`: both
    may have started from the same weights. `early`: theirs is not trained to its end, so that its weights may still be
    distributed as fresh ones are.
    """
    least, most = (CLOSE, (SAME, ALL_ALONG)) if relatives else (APART, (ALIKE, ALONG))
    if found.single:
        most = (most[0], max(most[1], NUMBERS))
    if not begun and found.turned > ALIGNED:
        return f"the units of its first layer look where theirs do (mean cosine {found.turned:.2f})"
    if found.gap < (CLOSE if early else least):
        return f"its weights in order differ from theirs by {found.gap:.1e} standard deviations"
    if found.alike >= most[0] and found.along >= most[1]:
        told = f"{found.alike:.1%} of the task's fixed observations (correlation {found.along:.4f})"
        return f"it acts like it on {told}"
    return ""


def agreement(a: Print, b: Print) -> float:
    """Return the share of the observations on which both act alike; 0 where they have other actions."""
    return float((a.actions == b.actions).mean()) if a.advantages.shape == b.advantages.shape else 0.0


def correlation(a: Print, b: Print) -> float:
    """Correlate their advantages: 1 for the same policy, whatever the order and scale of its units."""
    if a.advantages.shape != b.advantages.shape:
        return 0.0
    x, y = a.advantages.ravel(), b.advantages.ravel()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else 1.0


def distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return how far two sets of weights in order [W, 1 + Q] are apart: in standard deviations, root mean square.

    Hidden units may stand in any order, and noise hardly moves a quantile. Infinite for networks of other shapes.
    """
    if ours.shape != theirs.shape or not len(ours):
        return float("inf")
    scale = np.maximum(np.maximum(ours[:, :1], theirs[:, :1]), 1e-9)
    return float(np.sqrt(np.mean(((ours[:, 1:] - theirs[:, 1:]) / scale) ** 2)))


def aligned(ours: Print, theirs: Print) -> float:
    """Return the mean cosine between each unit's direction and the nearest of the other's; 0 where there are none.

    Of both sides the larger: units that were added to somebody's network hide nothing.
    """
    if not len(ours.units) or not len(theirs.units):
        return 0.0
    cosines = ours.units @ theirs.units.T
    return float(max(cosines.max(axis=0).mean(), cosines.max(axis=1).mean()))
