"""Lower bounds of a run's cost: what the judge traces, compared with the run's ledger."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...agents.learner import init_learner, key_of
from ...agents.method import Architecture, Clock, Method, Progress, Teacher
from ...agents.networks import build
from ...agents.schedules import share_of
from ...datasets.transition import outputs
from ...leaderboard.record import RunRecord
from ...leaderboard.submission import Tuning
from .. import machine
from ..tasks.environments import Environment, make, seeds
from ..tasks.task import Task
from ..training import rollout
from ..training.programs import Kind, blank_batch, programs, updating
from ..training.teacher_values import reads_log
from . import devices

ROOM = 0.9  # of the traced cost: other versions count slightly less
FASTER = 2.0  # multiple of its device's peak that no run exceeds; it also takes more than zero time
AT_ONCE = 1.0  # second: work in the first call of a program counts as compilation
LEAST_FLOPS = 1e6  # of a teacher without a recorded cost: a thousand updates of a thousand FLOPs
ODD = (ValueError, TypeError, AttributeError, AssertionError, IndexError, KeyError)  # of settings that do not fit
TRACED: dict[str, tuple[float, float]] = {}  # traces of earlier runs: seeds and games of an entry are alike
PIECES = ("frames", "steps", "updates", "queries", "logged")  # units with a remainder smaller than the next act
COUNTED = ("frames", "steps", "updates", "flops", "device", "seconds")  # in every ledger


def bound(at_least: Mapping[str, float], kind: str) -> str:
    """Return how a lower bound is declared and why that is implausible; empty if it is accepted."""
    told = ", ".join(f"{unit}={amount:g}" for unit, amount in at_least.items() if amount) or "nothing"
    if kind == "teacher" and at_least.get("flops", 0.0) < LEAST_FLOPS:
        return f"with at least {told}: a teacher took at least {LEAST_FLOPS:g} FLOPs"
    if kind == "log" and max(at_least.get("steps", 0.0), at_least.get("frames", 0.0)) < 1.0:
        return f"with at least {told}: a log has at least a step or a frame"
    return ""


def tuned(tuning: Sequence[Tuning], record: RunRecord, method: Method, task: Task) -> list[str]:
    """Check that the runs that chose a configuration cost at least their updates."""
    if not tuning:
        return []
    try:
        each = traced(record, method, task)[0]
    except ValueError:
        return []  # already reported
    found = []
    for one in tuning:
        updates = one.spent.get("updates", 0.0)
        if updates < 1 or one.spent.get("flops", 0.0) < ROOM * updates * each:
            found.append(f"tuning: run {one.run} is declared with fewer FLOPs than its updates take, or with none")
    return found


def traced(record: RunRecord, method: Method, task: Task) -> tuple[float, float]:
    """Return the FLOPs of an update and of one step of all environments, without the teacher: a lower bound.

    ValueError if the method cannot have been trained this way; all bundled methods can be traced with their network.
    """
    told = (record.method, record.settings, record.network, record.measured, record.environments, record.task)
    key = json.dumps((*told, "logged" in record.budget), sort_keys=True, default=str)
    if key not in TRACED:
        try:
            TRACED[key] = _traced(record, method, task)
        except (*ODD, ArithmeticError, MemoryError, RuntimeError) as error:
            why = str(error).partition("\n")[0][:200]
            raise ValueError(
                f"no update of {record.method} can be traced with this network and settings: {why}"
            ) from None
    return TRACED[key]


def _traced(record: RunRecord, method: Method, task: Task) -> tuple[float, float]:
    architecture = Architecture(record.network["name"], record.network.get("options", {}))
    if "logged" in record.budget:
        method = method._replace(offline_share=0.0)  # that limit may end the offline phase, so its share is no bound
    return least(method, architecture, make(task, seeds("verification", 0, record.environments)))


def least(method: Method, architecture: Architecture, env: Environment) -> tuple[float, float]:
    """Return the FLOPs of an update and of one step of all environments, for a run that never asks a teacher.

    An update is the mean over those with and without the slow terms, and over both phases by the share of the offline
    one, which comes first.
    """
    obs = env.observe()
    net = build(architecture, env.actions)
    params = net.init(jax.random.key(0), jnp.asarray(obs[:1]))
    clock = Clock(np.arange(env.n, dtype=np.int32), np.zeros(env.n, np.int32))
    progress = Progress(**{name: np.float32(1.0) for name in Progress._fields if name != "key"}, key=key_of(0, 0))
    width = outputs(env.actions)
    nobody = Teacher(Architecture("none"), lambda params, obs, **options: jnp.zeros((obs.shape[0], width)), ())
    like = (init_learner(method, params), blank_batch(obs, method, env.actions), obs, clock, progress)
    made = programs(method, net.apply, nobody, env.actions, like, weaned=True)

    def mean(online: bool) -> float:
        whole, light = made.update.cost.flops, 0.0
        if online:
            whole = updating(method, net.apply, nobody, env.actions, like, Kind(weaned=True, online=True)).cost.flops
        if method.delay > 1:
            kind = Kind(weaned=True, light=True, online=online)
            light = updating(method, net.apply, nobody, env.actions, like, kind).cost.flops
        return (whole + (method.delay - 1) * light) / method.delay

    if not method.offline_only:
        return mean(online=False), made.act.cost.flops
    share = method.offline_share
    return share * mean(online=False) + (1.0 - share) * mean(online=True), made.act.cost.flops


def faults(
    record: RunRecord, method: Method, task: Task, logged: float = math.inf, lines: Sequence[Mapping[str, Any]] = ()
) -> list[str]:
    """Return where a run claims a lower cost than is possible, one sentence each.

    `logged`: transitions in its logs, if known. `lines`: of its ledger, which names the machines used after a resume.
    """
    spent = record.points[-1].spent
    if missing := [unit for unit in COUNTED if unit not in spent]:
        return [f"record.points: the ledger does not count {', '.join(missing)}"]
    found = [*_demanded(record, method), *_read(spent, method, logged)]
    try:
        update, act = traced(record, method, task)
    except ValueError as error:
        return [*found, f"record.network: {error}{_elsewhere(lines)}"]
    found += _unspent(record, method, update, act)
    for number, point in enumerate(record.points):
        acts = point.spent.get("steps", 0.0) / record.environments
        least = ROOM * (point.spent.get("updates", 0.0) * update + acts * act)
        if point.spent.get("flops", 0.0) < least:
            told = f"{point.spent.get('flops', 0.0):.4g} FLOPs are less than {least:.4g}"
            found.append(
                f"record.points.{number}.spent.flops: {told}, what its updates and actions take{_elsewhere(lines)}"
            )
        found += _too_fast(f"record.points.{number}", point.spent, [record.machine, *_machines(lines)])
        due = point.due
        if due is not None and not due <= point.spent.get("steps", 0.0) < due + max(record.environments, 1) + 1:
            found.append(f"record.points.{number}.due: an evaluation planned for {due} steps was made elsewhere")
    return found


def _elsewhere(lines: Sequence[Mapping[str, Any]]) -> str:
    """Explain that a run with other methods than the traced ones was not checked."""
    theirs = lines[0].get("method_code") if lines else None
    if theirs in (None, machine.method_digest("", {})):
        return ""
    return " (its methods are another version's: have it judged by that one)"


def _machines(lines: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the machines on which a run was resumed."""
    return [line["machine"] for line in lines if isinstance(line.get("machine"), dict)]


def _too_fast(name: str, spent: Mapping[str, float], machines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Check that the fastest of its machines can do its FLOPs in its seconds, whatever peak the run claims."""
    seconds, device, flops = spent.get("seconds", 0.0), spent.get("device", 0.0), spent.get("flops", 0.0)
    if device > seconds + 0.01:
        return [f"{name}.spent.device: {device:g} seconds on the device are more than the {seconds:g} of the run"]
    fastest = max(machines, key=devices.peak)
    most = devices.peak(fastest)
    if flops > FASTER * most * (device + AT_ONCE):
        who = str(fastest.get("device", "no device"))[:80]
        told = f"{flops:.4g} FLOPs in {device:g} seconds are more than {who} does"
        return [f"{name}.spent.device: {told} ({most:.2g} a second; a maintainer can add a device to the table)"]
    return []


def _demanded(record: RunRecord, method: Method) -> list[str]:
    """Check the number of updates per step, and before the first step.

    For rollouts it follows from their size; each interruption may have lost an incomplete one. Else an update that is
    owed in part is not made.
    """
    spent, rate, offline = record.points[-1].spent, rollout.per_step(method, record.environments), method.offline_share
    steps, made = spent["steps"], spent["updates"]
    if made < 1:
        return ["record.points: no update was made, so nothing was learned"]
    if offline >= 1.0:
        return []
    if not math.isfinite(rate):
        return _paid_for(record, method)
    quiet = min(share_of(method.warmup, max(steps, 1.0)), 1.0) * steps
    if method.rollout:
        incomplete = method.rollout * record.environments * max(method.population, 1) * (1 + record.resumed)
        quiet += min(incomplete, steps / 2)  # a run with an update has lost less than that
        offline = 0.0
    least = ROOM * rate * (steps - quiet + steps * offline / (1.0 - offline)) - 64 * rate - (not method.rollout)
    if made < least:
        told = f"{made:g} updates in {steps:g} steps are less than the {least:.0f} that the method makes"
        return [f"record.points: {told}: its settings say {rate:g} a step"]
    return []


def _paid_for(record: RunRecord, method: Method) -> list[str]:
    """Check that a run made the updates that its budget covers.

    The plan prices teacher queries at their highest cost, so runs that ask a teacher may have made fewer updates.
    """
    spent, budget = record.points[-1].spent, record.budget
    steps = min(budget.get("steps", math.inf), budget.get("frames", math.inf) / record.protocol.get("frame_skip", 1))
    quiet = min(share_of(method.warmup, steps), 1.0) * steps if math.isfinite(steps) else math.inf
    if any(parent.kind == "teacher" for parent in record.parents) or not quiet < steps or "flops" not in budget:
        return []
    most = min(spent["flops"] / budget["flops"], 1.0)
    if spent["updates"] < 0.9 * budget.get("updates", math.inf) and most < ROOM * (spent["steps"] - quiet) / (
        steps - quiet
    ):
        told = f"{spent['flops']:.4g} FLOPs are {most:.0%} of the budget's"
        return [f"record.points: {told}, all of which updates_per_step=inf turns into updates"]
    return []


def _unspent(record: RunRecord, method: Method, update: float, act: float) -> list[str]:
    """Check that the budget ended the run: stopping where it looks best would be a choice among many students.

    A limit is used up once it does not cover the next act: a step in each environment, an update, or the values of a
    rollout.
    """
    spent, one = record.points[-1].spent, float(max(record.environments, method.batch_size))
    pieces = {"flops": update + 4.0 * act * max(method.rollout, 1), **{unit: one for unit in PIECES}}
    for unit, limit in record.budget.items():
        if limit - spent.get(unit, 0.0) <= max(pieces.get(unit, 0.0), (1.0 - ROOM) * limit):
            return []
    used = max(spent.get(unit, 0.0) / limit for unit, limit in record.budget.items())
    return [
        f"record.complete: {used:.0%} of the budget is used: a run must continue until it reaches one of its limits"
    ]


def _read(spent: Mapping[str, float], method: Method, logged: float) -> list[str]:
    """Check that a run that learns from a log has read it, and no more than the whole of it."""
    if not reads_log(method):
        return []
    read = spent.get("logged", 0.0)
    if read < 0.25 * min(method.batch_size, logged):  # batches may hold duplicates, and may be drawn in part
        return ["record.points: the method learns from a log, but its ledger counts no transition read from one"]
    if read > logged:
        return [f"record.points: {read:g} transitions were read from a log of {logged:g}"]
    if method.offline_share >= 1.0 and math.isfinite(logged):
        drawn = spent["updates"] * method.batch_size * float(method.log_share(_offline()))
        least = 0.5 * logged * (1.0 - math.exp(-drawn / logged))
        if read < least:
            return [f"record.points: {read:g} transitions were read by updates that read at least {least:.0f}"]
    return []


def _offline() -> Progress:
    zero = {name: np.float32(0.0) for name in Progress._fields if name != "key"}
    return Progress(**{**zero, "offline": np.float32(1.0), "planned": np.float32(1.0)}, key=key_of(0, 0))
