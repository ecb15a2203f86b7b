"""What every method's update and action compute, as fingerprints: `python tests/agents/golden.py` writes them anew.

A fingerprint is a hash of all the operations that JAX traces, with the shapes and constants that go into them, in no
order: renaming and moving code does not change it, computing something else does. It also depends on JAX itself.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import jaxprs_in_params

from reincarnate.agents import keywords
from reincarnate.agents.learner import init_learner, key_of, make_act, make_update
from reincarnate.agents.method import Architecture, Clock, Progress, Teacher
from reincarnate.agents.networks import build
from reincarnate.datasets.transition import Batch, Box

FILE = Path(__file__).with_name("golden.json")
OWN, ACTIONS, SIZE = Architecture("minatar", {"width": 0.25}), 3, 4
BOX, ROW = Box((-1.0, -2.0), (1.0, 2.0)), Architecture("actor_critic", {"width": 8, "depth": 1})


def seen(count: int, frames: int, continuous: bool) -> np.ndarray:
    """Return observations of MinAtar's shapes, or of a few numbers."""
    return np.zeros((count, frames, 3), np.float32) if continuous else np.zeros((count, frames, 10, 10, 4), bool)


def shaped(method) -> Batch:
    """Return a batch of such observations."""
    window = seen(SIZE, 1 + method.n_step, method.continuous)
    whole, real = np.ones(SIZE, np.int32), np.zeros(SIZE, np.float32)
    action = np.zeros((SIZE, 2), np.float32) if method.continuous else whole
    played = np.zeros((SIZE, len(method.remembers)), np.float32) if method.remembers else None
    ahead = real if method.needs_return_to_go else None
    return Batch(window, whole, action, real, real, real, real, whole, return_to_go=ahead, played=played)


def traced(name: str, **settings) -> tuple[Any, Any, tuple]:
    """Return a method's update and act, and the update's arguments: (learner, teacher's params, batch, progress)."""
    method = keywords.make(name, {"batch_size": SIZE, **settings})
    own, actions = (
        (OWN, ACTIONS) if not method.continuous else (ROW if method.inherits else method.network(ROW, ROW), BOX)
    )
    guide, student = build(own, actions), build(method.network(own, own), actions)
    obs = seen(1, 1, method.continuous)
    zeros = lambda net: jax.tree.map(  # noqa: E731
        lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(net.init, jax.random.key(0), obs)
    )
    theirs, params = zeros(guide), zeros(student)
    learner = method.init(init_learner(method, params), Teacher(own, guide.apply, theirs))
    now = Progress(*(np.float32(x) for x in (0.0, 0.5, 1_000.0, 0.0, 0.0)), key=key_of(0, 1))
    update, act = (make(method, student.apply, guide.apply, actions=actions) for make in (make_update, make_act))
    return update, act, (learner, theirs, shaped(method), now)


def operations(jaxpr: Any) -> list[str]:
    """Return one line for each operation, nested ones too, in no particular order."""
    lines = []
    for equation in jaxpr.eqns:
        told = []
        for name, value in equation.params.items():
            inside = list(jaxprs_in_params({name: value}))
            lines += [line for part in inside for line in operations(part)]
            if not inside and name != "name" and " at 0x" not in str(value):
                told.append(f"{name}={value}")
        read = [str(getattr(v, "val", v.aval)) for v in equation.invars]
        made = [str(v.aval) for v in equation.outvars]
        lines.append(f"{equation.primitive} {sorted(told)} {read} {made}")
    return lines


def seal(program: Any) -> str:
    rounded = [np.round(np.asarray(constant, np.float64), 4) + 0.0 for constant in program.jaxpr.consts]
    constants = [hashlib.sha256(constant.tobytes()).hexdigest() for constant in rounded]
    text = "\n".join(sorted(operations(program.jaxpr.jaxpr)) + sorted(constants))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def fingerprint(name: str, **settings) -> dict[str, Any]:
    """Return hashes of one update and one action, and the FLOPs of the update."""
    update, act, (learner, theirs, batch, now) = traced(name, **settings)
    clock, continuous = Clock(np.zeros(2, np.int32), np.zeros(2, np.int32)), keywords.make(name, settings).continuous
    obs = seen(2, 1, continuous)
    updating, acting = update.trace(learner, theirs, batch, now), act.trace(learner.params, theirs, obs, clock, now)
    flops = updating.lower().cost_analysis()["flops"]
    return {"update": seal(updating), "act": seal(acting), "flops": int(flops)}


def main() -> None:
    found = {name: fingerprint(name) for name in keywords.names()}
    FILE.write_text(json.dumps({"jax": jax.__version__, "methods": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
