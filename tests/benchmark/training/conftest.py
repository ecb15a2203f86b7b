"""Runs of one file share what they trace and compile: most of what a short run costs."""

from functools import partial

import jax
import pytest

from reincarnate.agents import keywords
from reincarnate.benchmark.training import loop
from reincarnate.benchmark.training import programs as device


@pytest.fixture(scope="module")
def traced():
    """Return make(name, settings) -> method, the same one each time; keep the programs of each method, by its teacher,
    network and shapes, and each student's first weights."""
    methods, made, begun, weights = {}, {}, {}, loop.weights
    traces = {name: getattr(device, name) for name in ("programs", "updating")}

    def make(name, settings):
        return methods.setdefault((name, repr(settings)), keywords.make(name, settings))

    def kept_programs(name, method, apply, teacher, actions, like, *kind, **how):
        shapes = jax.eval_shape(lambda *given: given, *like)
        key = (name, id(method), id(teacher), repr((apply, actions, shapes, kind, how)))
        if key not in made:  # with the objects themselves, so that no other one gets their ids
            made[key] = traces[name](method, apply, teacher, actions, like, *kind, **how), method, teacher
        return made[key][0]

    def kept_weights(net, seed, number, obs, *after):
        key = repr((net, seed, number, obs.shape[1:], obs.dtype, after))
        if key not in begun:
            begun[key] = weights(net, seed, number, obs, *after)
        return begun[key]

    with pytest.MonkeyPatch.context() as patch:
        for name in traces:
            patch.setattr(device, name, partial(kept_programs, name))
        patch.setattr(loop, "weights", kept_weights)
        yield make


@pytest.fixture
def heard(monkeypatch, traced):
    """Tell the watcher of everything."""
    monkeypatch.setattr(loop, "WATCH_SECONDS", -1.0)
    monkeypatch.setattr("reincarnate.benchmark.training.course.WEANED_UPDATES", 1)
