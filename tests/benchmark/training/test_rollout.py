"""A method with a rollout learns from its newest steps, each as often as it states, with correct returns."""

from functools import cache

import jax
import numpy as np
import pytest

from reincarnate.agents import keywords
from reincarnate.agents.method import Architecture, Teacher
from reincarnate.agents.networks import build
from reincarnate.agents.returns import lambda_returns
from reincarnate.benchmark.prior.load import pull_teacher
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.runs.run import resume, run
from reincarnate.benchmark.runs.run_folder import RunFolder
from reincarnate.benchmark.tasks.environments import seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training import loop
from reincarnate.benchmark.training.budget import Budget
from reincarnate.benchmark.training.course import Training
from reincarnate.benchmark.training.loop import train
from reincarnate.benchmark.training.preset_choice import settle
from reincarnate.benchmark.training.rollout import Rollout
from reincarnate.leaderboard import ledger

from ..toys import ACTIONS, TOY, Catch, Witness, filled, scored

PLAIN, ENVS, STEPS, SIZE, EPOCHS = Architecture("mlp", {"size": 8, "depth": 1}), 4, 5, 6, 2
NORMED = Architecture("mlp", {"size": 8, "depth": 1, "norm": "layer"})
QUICK = {"rollout": STEPS, "batch_size": SIZE, "epochs": EPOCHS}
EACH = STEPS * ENVS // SIZE  # batches of an epoch: 3, and two of 20 steps fill no batch
LOG, _ = filled(Catch(seeds("log", 0, 2)), TOY.stack, 300, 60)


@cache
def taught() -> Teacher:
    net = build(NORMED, ACTIONS)
    return Teacher(NORMED, net.apply, jax.jit(net.init)(jax.random.key(5), Catch(seeds("log", 0, 1)).observe()))


def course(method, budget: Budget, log=None):
    """Return (snapshots, what was seen) of a run in four environments."""
    witness = Witness(Catch(seeds("train", 0, ENVS)))
    network = method.network(PLAIN, NORMED)
    points = (0.0, 0.5, 1.0)
    snapshots = train(Training(TOY, method, network, taught(), log, 0, budget, points), lambda n: witness, scored(0.2))
    return list(snapshots), witness


def test_it_learns_from_each_of_the_newest_steps_by_its_lambda_return(monkeypatch):
    """Three rollouts of five steps in four boards, whose games are four steps long or cut off after three."""
    heard, drawn, original = [], [], Rollout.batch

    def spy(self, rng):
        drawn.append(original(self, rng))
        return drawn[-1]

    def told(reward, discount, value, cut, trace):
        heard.append((reward, discount, value, cut, lambda_returns(reward, discount, value, cut, trace)))
        return heard[-1][-1]

    monkeypatch.setattr(Rollout, "batch", spy)
    made = keywords.make("pqn", QUICK)._replace(returns=told)
    (first, _, last), witness = course(made, Budget(steps=63))  # three steps are left over
    assert (last.spent["steps"], last.spent["updates"]) == (63, 3 * EPOCHS * EACH) and len(heard) == 3
    net, played, kinds = build(made.network(PLAIN, PLAIN), ACTIONS), 0, set()
    for number, (reward, discount, value, cut, target) in enumerate(heard):
        batches = drawn[number * EPOCHS * EACH : (number + 1) * EPOCHS * EACH]
        wanted = []
        for stream in range(ENVS):
            rows, steps = witness.rows[stream], 0
            at = [place for place, row in enumerate(rows) if row.action >= 0][played : played + STEPS]
            for place in at:
                row, after = rows[place], rows[place + 1]
                assert reward[steps, stream] == np.clip(row.reward, -1.0, 1.0)  # as the task has it
                assert cut[steps, stream] == (after.action == -1)
                assert discount[steps, stream] == pytest.approx(0.0 if after.terminal else 0.99)
                kinds.add((bool(cut[steps, stream]), bool(after.terminal)))
                if number == 0:  # the network that played is known: it is the first
                    known = float(np.asarray(net.apply(first.params, after.shown[None])).max())
                    assert value[steps, stream] == pytest.approx(known, rel=1e-4, abs=1e-5)
                wanted.append((row.shown.tobytes(), row.action, float(target[steps, stream])))
                steps += 1
        for epoch in range(EPOCHS):  # each step at most once, and all but two
            parts = batches[epoch * EACH : (epoch + 1) * EACH]
            got = [
                (part.window[i, : TOY.stack].tobytes(), int(part.action[i]), float(part.reward[i]))
                for part in parts
                for i in range(SIZE)
            ]
            assert len(got) == EACH * SIZE and not [one for one in set(got) if got.count(one) > wanted.count(one)]
        assert all((part.discount == 0.0).all() for part in batches)
        played += STEPS
    assert kinds == {(False, False), (True, True), (True, False)}


@pytest.mark.slow
def test_a_policy_learns_from_what_the_network_that_played_said(monkeypatch):
    """Before its first update: the log-probability of each action, the critic's values before and after it."""
    drawn, original = [], Rollout.batch
    monkeypatch.setattr(Rollout, "batch", lambda self, rng: drawn.append(original(self, rng)) or drawn[-1])
    heard = []

    def told(reward, discount, value, cut, trace):
        heard.append((value, lambda_returns(reward, discount, value, cut, trace)))
        return heard[-1][-1]

    made = keywords.make("ppo", QUICK)._replace(returns=told)
    (first, *_), witness = course(made, Budget(steps=63))
    net, wanted = build(made.network(PLAIN, PLAIN), ACTIONS), {}
    for stream in range(ENVS):
        rows = witness.rows[stream]
        at = [place for place, row in enumerate(rows) if row.action >= 0][:STEPS]
        for step, place in enumerate(at):
            seen = np.stack([rows[place].shown, rows[place + 1].shown])
            logits, value = map(np.asarray, net.apply(first.params, seen, method="heads"))
            assert heard[0][0][step, stream] == pytest.approx(value[1], rel=1e-4, abs=1e-5)
            said = jax.nn.log_softmax(logits[0])[rows[place].action]
            wanted[rows[place].shown.tobytes(), rows[place].action] = (float(said), float(value[0]))
    assert len(drawn) == 3 * EPOCHS * EACH
    for batch in drawn[: EPOCHS * EACH]:
        for window, action, played in zip(batch.window, batch.action, batch.played, strict=True):
            told_so = wanted[window[: TOY.stack].tobytes(), int(action)]
            assert tuple(played) == pytest.approx(told_so, rel=1e-3, abs=1e-4)


def test_what_is_spent_is_counted_to_the_last_flop(traced):
    """Actions, updates, and the values that returns need: if one of these cannot be paid for, the run is over."""
    counts, method = [], traced("pqn", QUICK)
    for steps in (20, 40):
        runs, _ = course(method, Budget(steps=steps))
        counts.append(runs[-1].spent)
    once, twice = counts
    assert twice["flops"] == pytest.approx(2 * once["flops"]) and twice["updates"] == 2 * once["updates"]
    short, _ = course(method, Budget(flops=1.5 * once["flops"]))
    spent = short[-1].spent
    assert once["flops"] < spent["flops"] <= 1.5 * once["flops"] and 20 < spent["steps"] <= 40
    assert once["updates"] <= spent["updates"] < twice["updates"]
    few, _ = course(method, Budget(steps=60, updates=8))
    assert few[-1].spent["updates"] == 8 and few[-1].spent["steps"] <= 40


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("kickstarting", {}),
        pytest.param("distillation", {}, marks=pytest.mark.slow),
        pytest.param("dagger", {"offline_share": 0.5}, marks=pytest.mark.slow),
        pytest.param("qdagger", {}, marks=pytest.mark.slow),
        pytest.param("dagger_ql", {"offline_share": 0.0}, marks=pytest.mark.slow),
        pytest.param("bc_rl", {}, marks=pytest.mark.slow),
        pytest.param("fine_tuning", {"keep_log": False}, marks=pytest.mark.slow),
        pytest.param("jsrl", {"horizon": 2}, marks=pytest.mark.slow),
        pytest.param("dqn", {}, marks=pytest.mark.slow),  # whose own loss learns from returns as well
        ("kickstarting", {"base": "ppo"}),
        pytest.param("ppo", {}, marks=pytest.mark.slow),
        *(
            pytest.param(name, {"base": "ppo", **more}, marks=pytest.mark.slow)
            for name, more in (
                ("distillation", {}),
                ("dagger", {"offline_share": 0.5}),
                ("qdagger", {}),
                ("dagger_ql", {}),
                ("bc_rl", {}),
            )
        ),
    ],
)
def test_methods_compose_with_it_where_their_definition_allows(method, settings):
    base = {} if method in ("dqn", "ppo") else {"base": "pqn"}
    warm = {"warmup": 0.0} if method == "dqn" else {}
    made = keywords.make(method, {**QUICK, **base, **warm, **settings})
    runs, _ = course(made, Budget(steps=60), log=LOG)
    first, last = runs[0], runs[-1]
    assert made.rollout == STEPS and last.spent["steps"] == 60
    assert last.spent["updates"] == first.spent["updates"] + 3 * EPOCHS * EACH
    assert (first.spent["updates"] > 0) == (made.offline_share > 0.0)


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("rehearsal", {"base": "pqn"}, "learns only from its newest steps once it plays"),
        ("fine_tuning", {"base": "pqn"}, "set keep_log=false"),
        ("rainbow", {"atoms": 5}, "replays by priority"),
        ("pqn", {"updates_per_step": "2"}, "epochs and batch_size set the number of updates"),
        ("pqn", {"batch_size": 21}, "4 environments with 5 steps each are less than a batch of 21"),
    ],
)
def test_what_cannot_learn_from_rollouts_is_refused(method, settings, says):
    made = keywords.make(method, {**QUICK, **settings})
    with pytest.raises(ValueError, match=says):
        course(made, Budget(steps=60), log=LOG)


@pytest.mark.parametrize("method", ["jsrl", "dqfd", "cql", "rehearsal"])
def test_what_needs_action_values_takes_no_policy_as_its_base(method):
    with pytest.raises(ValueError, match=f"{method} is not defined for a policy, which ppo learns"):
        settle(find("minatar/breakout"), method, "steps=100k", {"base": "ppo"}, "")


@pytest.mark.slow
def test_a_policy_becomes_a_teacher_that_gives_logits(tmp_path):
    settings, short = {"rollout": 8, "batch_size": 32}, {"points": (1.0,), "episodes": 2, "environments": 8}
    run("gym/CartPole-v1", "ppo", "steps=256", settings=settings, out=tmp_path / "a", **short)
    promote(tmp_path / "a", tmp_path / "teacher", "local/teacher", episodes=2)
    teacher, _ = pull_teacher(str(tmp_path / "teacher"), "bundled", find("gym/CartPole-v1"))
    assert teacher.outputs == "logits" and teacher.architecture.name == "policy"
    how = {"teacher": str(tmp_path / "teacher"), **short}
    for method, more in (("kickstarting", {}), ("fine_tuning", {"keep_log": False})):
        chosen = {**settings, "base": "ppo", **more}
        record = run("gym/CartPole-v1", method, "steps=256", settings=chosen, out=tmp_path / method, **how)
        assert record.points[-1].spent["updates"] == 4 * 4 * 2
    with pytest.raises(ValueError, match="matches the teacher's action values"):
        run("gym/CartPole-v1", "distillation", "steps=256", settings={"base": "ppo"}, out=tmp_path / "no", **how)


@pytest.mark.slow
def test_a_rollout_that_was_interrupted_is_forgotten_and_the_run_goes_on(tmp_path, monkeypatch):
    """At 30 of 96 steps there are 14 of the second rollout's 16: a new one follows, and all steps count."""
    how = {"settings": {"rollout": 4, "batch_size": 8}, "points": (0.0, 1.0), "episodes": 1, "environments": 4}

    def watch(self, status) -> None:
        self._steps = status.spent["steps"]

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "_steps", 0, raising=False)
        patch.setattr(RunFolder, "watch", watch)
        patch.setattr(RunFolder, "stop", lambda self: self._steps >= 28)
        patch.setattr(loop, "WATCH_SECONDS", -1.0)
        with pytest.raises(KeyboardInterrupt):
            run("gym/CartPole-v1", "pqn", "steps=96", out=tmp_path / "run", **how)
    record = resume(tmp_path / "run")
    spent = record.points[-1].spent
    assert record.complete and record.resumed == 1 and spent["steps"] == 96
    assert spent["updates"] == 2 * 2 * ((16 + 68 - 68 % 16) // 16)  # one rollout before, and four of 68 steps after
    assert ledger.faults(ledger.read(tmp_path / "run" / "ledger.jsonl")) == []


@pytest.mark.slow
def test_a_method_says_how_many_environments_it_wants(tmp_path):
    settings = {"rollout": 1, "batch_size": 64}
    many = run("gym/CartPole-v1", "pqn", "steps=256", settings=settings, points=(1.0,), episodes=1, out=tmp_path / "a")
    assert many.environments == 128 and many.points[-1].spent["updates"] == 2 * 2 * 2
    assert "--environments 128" in many.command
