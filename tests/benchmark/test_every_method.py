"""Every method in the loop: it spends its budget exactly, is weaned, and repeats itself."""

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.teacher import digest, flatten
from reincarnate.benchmark import train as loop
from reincarnate.benchmark.budget import Budget
from reincarnate.benchmark.environments import seeds
from reincarnate.benchmark.train import train

from .toys import ACTIONS, TOY, Catch, filled

SMALL, ENVS, STEPS = Architecture("mlp", {"size": 8, "depth": 1}), 4, 80
NET = build(SMALL, ACTIONS)
TEACHER = Teacher(SMALL, NET.apply, NET.init(jax.random.key(5), Catch(seeds("log", 0, 1)).observe()))
QUICK = {"batch_size": 4, "n_step": 1, "updates_per_step": 0.5, "warmup": 8, "target_period": 2}
LATE = 0.5  # the deadline of those that have one
NEVER = ("dagger", "dagger_ql")  # ask for ever


def lived(name: str, monkeypatch, **settings):
    """(method, all that the watcher was told, the last snapshot) of a run of 80 steps and 60 updates."""
    monkeypatch.setattr(loop, "WATCH_SECONDS", -1.0)
    monkeypatch.setattr(loop, "WEANED_UPDATES", 1)
    method = keywords.make(name, {**QUICK, **settings})
    log, _ = filled(Catch(seeds("log", 0, 2)), TOY.stack, 200, 60)
    env = lambda number: Catch(seeds("train", 0, ENVS, number))  # noqa: E731
    told, budget = [], Budget(steps=STEPS, updates=60)
    architecture = method.network(SMALL, SMALL)
    last = list(train(TOY, method, architecture, TEACHER, log, env, lambda p: 0.2, 0, budget, (0.25, 1.0), told.append))
    return method, told, last[-1]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(keywords.names()))
def test_every_method_spends_exactly_and_is_weaned(name, monkeypatch):
    known = keywords.known(keywords.find(name))
    early = {"deadline": LATE} if "deadline" in known else {"horizon": 2, "decay": 0.5} if name == "jsrl" else {}
    _, told, last = lived(name, monkeypatch, **early)
    spent = last.spent
    assert spent["steps"] <= STEPS and spent["updates"] <= 60
    assert STEPS - spent["steps"] == 0 or 60 - spent["updates"] == 0  # the first limit ends it, to the last unit
    assert spent["frames"] == spent["steps"] * TOY.frame_skip
    counts = [(status.spent["steps"] / status.plan.steps, status.spent["queries"]) for status in told]
    if name in NEVER:
        assert counts[-1][1] > next(queries for share, queries in counts if share >= 0.8)
    else:  # a little later than the deadline, as the loop asks between updates
        late = {queries for share, queries in counts if share >= LATE + 0.1}
        assert len(late) == 1
    asks = counts[-1][1] > 0
    assert asks == (name in (*NEVER, "annealed_mixing", "distillation", "dqfd", "ibrl", "jsrl", "kickstarting", "pbt",
                             "pex", "qdagger", "tgrl"))  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "base"), [("qdagger", "rainbow"), ("qdagger", "drq"), ("cal_ql", "drq")])
def test_methods_with_other_bases_repeat_themselves(name, base, monkeypatch):
    more = {"base": base, **({"shift": 1} if base == "drq" else {"atoms": 5})}
    one, other = (lived(name, monkeypatch, **more) for _ in range(2))
    assert digest(flatten(one[2].params)) == digest(flatten(other[2].params))
    assert np.isfinite(list(one[1][-1].losses.values())).all()
