"""Choose a run's preset, and resolve its settings."""

import json
import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp

from ...agents import keywords, presets
from ...agents.method import Architecture, Method
from ...agents.networks import build
from ...datasets.transition import Box
from ..tasks.environments import actions_of, make, seeds
from ..tasks.task import Task
from . import budget as budgets

AMOUNTS = {"warmup": "steps", "explore": "steps", "settle": "steps", "target_period": "updates"}  # of the plan
PASSES = 4  # forward passes per transition of an update: two forward, and one backward that costs two


def settle(task: Task, method: str, budget: str, given: Mapping[str, Any], preset: str) -> tuple[str, dict[str, Any]]:
    """Return the preset's name and all settings: those of the preset, overridden by the given ones.

    `preset`: empty for the one that fits the task's family and the planned updates. Raises ValueError if there is no
    such preset, method or keyword, or if a value is invalid.
    """
    units = dict.fromkeys(presets.UNITS, 1.0)
    continuous, factory = isinstance(actions_of(task), Box), keywords.find(method)
    if continuous and "base" not in given and keywords.takes_base(factory):
        given = {**presets.settings("control", method, "", ("base",)), **given}
    plain = presets.absolute(given, units)
    check_kind(task, continuous, method, str(plain.get("base", "")))
    made = keywords.make(method, plain)
    updates = 0.0 if continuous else planned_updates(task, made, budgets.parse(budget))
    name = preset or ("control" if continuous else presets.chosen(task.family, updates))
    base = str(plain.get("base", ""))
    known = keywords.known(factory, keywords.find(base) if base else None)
    settings = {**presets.settings(name, method, base, known), **given}
    keywords.make(method, presets.absolute(settings, units))
    return name, settings


def check_kind(task: Task, continuous: bool, method: str, base: str) -> None:
    """Raise ValueError if a bundled method, or its base, is for the other kind of actions."""
    ours = keywords.shipped()
    able = (*presets.CONTROL, *presets.BOTH, *presets.ONLY_CONTROL)
    if continuous and method in ours and method not in able:
        able = ", ".join(able)
        raise ValueError(f"{method} is for discrete actions, but those of {task.name} are continuous: take {able}")
    learns = base or method
    if continuous and learns in ours and learns not in (*presets.CONTROL, *presets.BOTH):
        raise ValueError(f"the base {learns} is for discrete actions: {task.name} needs sac or td3")
    if base in presets.POLICIES and method in ours and method not in presets.FOR_POLICIES:
        why = "it needs action values, or learns from what others play"
        raise ValueError(f"{method} is not defined for a policy, which {base} learns: {why}; take base=dqn")
    if not continuous and (mine := {method, base} & {*presets.CONTROL, *presets.ONLY_CONTROL}):
        raise ValueError(f"{min(mine)} is for continuous actions, but those of {task.name} are discrete: take dqn")


def methods_for(task: Task) -> tuple[str, ...]:
    """Return the bundled methods that support the actions of a task."""
    own = (*presets.CONTROL, *presets.ONLY_CONTROL)
    if isinstance(actions_of(task), Box):
        return tuple(name for name in keywords.shipped() if name in (*own, *presets.BOTH))
    return tuple(name for name in keywords.shipped() if name not in own)


def planned_updates(task: Task, method: Method, budget: budgets.Budget) -> float:
    """Estimate how many updates a budget allows; an update is taken as PASSES forward passes of its batch.

    The order of magnitude is enough, and avoids tracing twice.
    """
    steps = min(budget.steps, budget.frames / task.frame_skip)
    bounds = [budget.updates]
    if method.updates_per_step < math.inf and method.offline_share < 1.0:
        bounds.append(steps * method.updates_per_step / (1.0 - method.offline_share))
    if min(bounds) >= presets.LONG and budget.flops < math.inf:
        network = _network(task, method)
        forward = _forward(task, network.name, json.dumps(network.options))
        bounds.append(budget.flops / (PASSES * method.batch_size * forward))
    return min(bounds)


def _network(task: Task, method: Method) -> Architecture:
    """Return the student's network; the task's default for a method that starts from its teacher's weights."""
    try:
        return method.network(Architecture(task.network), None)
    except ValueError:
        return Architecture(task.network)


@cache
def _forward(task: Task, network: str, options: str) -> float:
    """Return the FLOPs of a network on one observation; `options`: as JSON."""
    env = make(task, seeds("random", 0, 1))
    obs, net = jnp.asarray(env.observe()), build(Architecture(network, json.loads(options)), env.actions)
    params = jax.eval_shape(net.init, jax.random.key(0), obs)
    analysis: Any = jax.jit(net.apply).lower(params, obs).cost_analysis()
    return float(analysis["flops"])


def resolved(settings: Mapping[str, Any], plain: Mapping[str, Any], plan: budgets.Plan) -> dict[str, Any]:
    """Return the absolute values of relative settings and of shares of the plan."""
    found = {key: plain[key] for key, value in settings.items() if plain[key] != value}
    for key, unit in AMOUNTS.items():
        if key in settings and 0.0 < float(settings[key]) < 1.0:
            found[key] = max(round(float(settings[key]) * getattr(plan, unit)), 1)
    return found


def told(name: str, settings: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Describe the preset in a line: its name and settings, with their absolute values in brackets."""
    words = [f"{key}={value}" + (f" ({found[key]:g})" if key in found else "") for key, value in settings.items()]
    return f"preset {name}: {', '.join(words) or 'the defaults of the method'}"
