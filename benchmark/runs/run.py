"""One run: pull -> train -> evaluate -> record; and resuming an interrupted one."""

import errno
import hashlib
import inspect
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ...agents import keywords
from ...agents.method import Apply, Architecture, Params, Teacher
from ...agents.networks import build, gives
from ...datasets.teachers import claim
from ...datasets.transition import Actions, stated
from ...datasets.words import several
from ...leaderboard import record as records
from ...leaderboard.units import NAMES
from .. import compiled, machine
from ..display import Display
from ..evaluation.evaluator import Evaluator
from ..prior import promoted_tasks
from ..prior.load import read_config
from ..tasks.environments import Environment, EnvironmentFault, make, on_device, seeds
from ..tasks.task import Task, canonical, find, network_for
from ..training import weaning
from ..training.budget import Plan
from ..training.course import Training
from ..training.loop import train
from ..training.observer import Interrupted, Snapshot
from ..training.preset_choice import resolved, told
from ..training.programs import Alone, Worker
from ..training.weaning import Validation
from . import own_log
from .check_request import check, check_folder
from .metrics import sinks_of
from .prepare import Prepared, introduce, judged, prepare
from .request import RunRequest, folder_of, placed
from .run_folder import RunFolder


def run(
    *request: Any,
    out: str | Path = "",
    network: str = "",
    at: str = "",
    display: Display | None = None,
    worker: Worker | None = None,
    shared: Path | None = None,
    **options: Any,
) -> records.RunRecord:
    """Train a student under a budget and evaluate it at its sample budgets; arguments are named as in the command
    `run`.

    `request`: a `RunRequest`, or its values and keywords: `run("atari/Pong", "qdagger", budget, settings=...)`.

    `points`: where the student is evaluated: shares [0, 1] of the planned agent steps or, above 1, agent steps;
    default: those of the task. `episodes`: whole episodes per evaluation, 0 for the task's number. `environments`:
    number stepped together in training; 0: 8, or 128 for a method that learns from its newest steps. `log`: also write
    the student's own experience to the run's folder, as RLDS. `fused`: act, step, replay and learn in one program on
    the device, if the task is made of arrays. `teacher_log`: one or several, each with the part to use as parsed by
    `select.Part.parse`; default: the one that `teacher_log.log_of` finds for `teacher`, or without a teacher the task's
    own. `replay`: checkpoints hold the student's replay; otherwise a resumed run starts with an empty one. `metrics`:
    trackers besides `metrics.jsonl`: "tensorboard", "wandb", "trackio". `preset`: settings for the task and the length
    of the run; empty: chosen automatically. `settings` override it.

    Not part of the request: `out`: the run's folder, which must not exist. `network`: the setting of this name. `at`:
    the results repository that defines a task's generation, such as minatar/breakout@2. `worker`: for seeds that train
    together. `shared`: a folder through which runs reuse each other's evaluations of random play and of the teacher.

    Raises ValueError in one sentence if the run cannot start; then nothing has been written. `resume` continues a run
    that was stopped (KeyboardInterrupt) or killed.
    """
    machine.check_arithmetic()
    asked = request[0] if request and isinstance(request[0], RunRequest) else RunRequest(*request, **options)
    chosen = asked.settings | ({"network": network} if network else {})
    method = keywords.RENAMED.get(asked.method, asked.method)
    asked = replace(asked, task=canonical(asked.task), method=method, settings=chosen, metrics=sinks_of(asked.metrics))
    folder = folder_of(asked.task, method, asked.seed, out)
    check_folder(folder)
    check(replace(asked, task=asked.task.partition("@")[0]))
    teacher, logs = placed(asked.teacher), [placed(one) for one in asked.teacher_log]
    task, teacher, logs = promoted_tasks.resolve(asked.task, at, asked.hub, teacher, logs)
    asked = replace(
        asked,
        task=task,
        teacher=teacher,
        teacher_log=logs,
        points=asked.points or find(task).points,
    )
    return _go(asked, folder, None, display or Display(quiet=True), worker or Alone(), shared)


def _signature() -> inspect.Signature:
    """Return the signature of `run`: the fields of a request, and its own keywords."""
    own = [one for one in inspect.signature(run).parameters.values() if one.kind is inspect.Parameter.KEYWORD_ONLY]
    values = inspect.signature(RunRequest).parameters.values()
    return inspect.Signature([*values, *own], return_annotation=records.RunRecord)


run.__signature__ = _signature()  # type: ignore[attr-defined]


def resume(
    folder: str | Path, display: Display | None = None, worker: Worker | None = None, shared: Path | None = None
) -> records.RunRecord:
    """Resume an interrupted run from its last checkpoint, with its original request.

    Counters continue from the ledger, and completed evaluations are not repeated. Environments start new episodes.
    ValueError if the run is complete, or if its method, teacher or log has changed.
    """
    show, worker = display or Display(quiet=True), worker or Alone()
    return _go(None, Path(folder), RunFolder(Path(folder), show, worker.stop), show, worker, shared)


@compiled.kept()
def _go(
    request: RunRequest | None,
    folder: Path,
    run_folder: RunFolder | None,
    show: Display,
    worker: Worker,
    shared: Path | None,
) -> records.RunRecord:
    start: dict[str, Any] | None = None
    if request is None:
        assert run_folder is not None
        machine.check_arithmetic()
        facts = {"machine": machine.describe(), "peak_flops": machine.peak_flops()}
        start = run_folder.reopen(facts)
        request = RunRequest.from_json(start["request"])
    else:
        run_folder = RunFolder(folder, show, worker.stop)
    run_folder.remembers(request.replay, request.log, request.metrics)
    if run_folder.ended:  # only the final files are missing
        try:
            actions = read_config(folder)["actions"]
            return _finish(request, folder, judged(find(request.task), request.episodes), actions, run_folder, show)
        finally:
            run_folder.release()
    ready = prepare(request, start, worker)
    introduce(ready, show)
    evaluator = Evaluator(ready.task, ready.request.seed, ready.request.threads, show, run_folder.pause, shared=shared)
    training = _training(ready, evaluator, run_folder, worker)
    found = resolved(ready.settings, ready.plain, training.plan)
    show.note(told(ready.preset, ready.settings, found))
    if ready.method.scored and not ready.origin:
        raise ValueError(f"{request.method} needs a teacher to compare its student with: give --teacher")
    if start is None:
        _open(ready, training, evaluator, run_folder, found, show)
    else:
        _same(ready, training, run_folder, start)
    return _drive(ready, training, evaluator, run_folder, show)


class _Training(NamedTuple):
    """A run that is ready to spend its budget."""

    snapshots: Iterator[Snapshot]
    architecture: Architecture
    apply: Apply
    example: Environment  # not used for learning
    plan: Plan
    asked: list[str]  # grows when a traced update or action asks the teacher
    yards: list[records.Yardstick]  # known once random play and the teacher have been evaluated


def _training(ready: Prepared, evaluator: Evaluator, run_folder: RunFolder, worker: Worker) -> _Training:
    """Build the student and trace its programs; ValueError if the method, network and task do not fit."""
    request, task, method, guide = ready.request, ready.task, ready.method, ready.guide
    asked, yards, plans = [], [], []

    def ask(params: Params, obs, **options):
        asked.append("")
        return guide.apply(params, obs, **options)

    each = request.episodes or max(weaning.VALIDATED, task.evaluation_episodes)  # few on request: a wide bound
    validator = evaluator.with_protocol(evaluation_episodes=each, evaluation_steps=0)

    def validate(params: Params) -> Validation:
        return weaning.validated(validator.play(net.apply, params, "validation", "validating"), yards[0])

    attempt = run_folder.attempt
    place = worker.environment if method.population == 1 else make  # members of a population act one after another
    example = make(task, seeds("train", request.seed, 1), request.threads)
    own = Architecture(network_for(task, example.observe()))
    architecture = method.network(own, guide.architecture if ready.origin else None)
    net = build(architecture, example.actions)

    def environments(number: int) -> Environment:
        if request.fused:
            return on_device(task, seeds("train", request.seed, request.environments, number, attempt))
        return place(task, seeds("train", request.seed, request.environments, number, attempt), request.threads)

    snapshots = train(
        Training(
            task,
            method,
            architecture,
            guide._replace(apply=ask) if ready.origin else guide,
            ready.logged,
            request.seed,
            request.limits,
            request.points,
        ),
        environments,
        validate,
        run_folder.watch,
        run_folder,
        worker,
        plans.append,
    )
    return _Training(snapshots, architecture, net.apply, example, plans[0], asked, yards)


def _known(ready: Prepared) -> dict[str, Any]:
    """Return the facts that must be unchanged when the run is resumed."""
    return {
        "origins": [origin.model_dump() for origin in ready.origins],
        "method_code": machine.method_digest(ready.request.method, ready.request.settings),
    }


def _open(
    ready: Prepared,
    training: _Training,
    evaluator: Evaluator,
    run_folder: RunFolder,
    found: dict[str, Any],
    show: Display,
) -> None:
    """Evaluate random play and the teacher, and write the first line of the ledger."""
    known, origin = _known(ready), ready.origin
    used = origin if training.asked or ready.method.inherits else None  # a mere yardstick is not a parent
    parents = [parent for parent in (used, *ready.log_origins) if parent]
    random, guided, yard = _compared(evaluator, ready.task, ready.method.scored, ready.guide, origin)
    if origin and guided and (short := claim.shortfall(origin.claim, guided.mean, guided.interval[1])):
        show.note(short, "bold")
    if yard:
        training.yards.append(yard)
        known["yardstick"] = yard.model_dump()
    network = {"name": training.architecture.name, "options": dict(training.architecture.options)}
    chosen = {"settings": ready.settings, "preset": ready.preset, "measured": ready.measured, "resolved": found}
    run_folder.open(
        _start(ready.request, ready.task, run_folder.folder, network, parents, random, guided) | chosen | known,
        _config(ready.task, network, training.example),
    )


def _same(ready: Prepared, training: _Training, run_folder: RunFolder, start: Mapping[str, Any]) -> None:
    """Restore the yardstick of a resumed run; ValueError if its method, teacher or log has changed."""
    known = _known(ready)
    for name, now in known.items():
        if start.get(name) != now:
            what = "code of the method" if name == "method_code" else "teacher or log"
            raise ValueError(f"the {what} has changed since {run_folder.folder} began: restore the original to resume")
    run_folder.facts |= known
    random, guided = (start[key] and records.Evaluation.model_validate(start[key]) for key in ("random", "teacher"))
    if ready.method.scored:
        training.yards.append(
            records.Yardstick(**start["yardstick"]) if "yardstick" in start else weaning.measured(random, guided)
        )


def _drive(
    ready: Prepared, training: _Training, evaluator: Evaluator, run_folder: RunFolder, show: Display
) -> records.RunRecord:
    """Spend the budget and evaluate the student at each sample budget; on an interruption, say how to resume."""
    folder = run_folder.folder
    with run_folder.listening():
        try:
            for snapshot in training.snapshots:
                if not run_folder.shown(snapshot):
                    played = evaluator.play(training.apply, snapshot.params, "test", "evaluating the student")
                    run_folder.point(snapshot, played)
            return _finish(ready.request, folder, ready.task, training.example.actions, run_folder, show)
        except Interrupted:
            show.note(f"stopped; resume with: reincarnate run --resume {folder}", "bold")
            raise KeyboardInterrupt from None
        except EnvironmentFault as error:
            saved = f"what was learned is saved, resume with: reincarnate run --resume {folder}"
            raise ValueError(f"{error}; {saved}") from error
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS):
                raise
            full = (
                "the disk is full" if error.errno == errno.ENOSPC else f"{folder} cannot be written ({error.strerror})"
            )
            raise ValueError(f"{full}: make room, and resume with: reincarnate run --resume {folder}") from None
        finally:
            run_folder.release()


def _compared(
    evaluator: Evaluator, task: Task, scored: bool, guide: Teacher, origin: records.Parent | None
) -> tuple[records.Evaluation, records.Evaluation | None, records.Yardstick | None]:
    """Evaluate the references: (random play, the teacher, the yardstick of validation scores).

    Where a scored method's weaning rests only on these, they have at least 100 episodes.
    """
    yard = weaning.anchored(task.name, origin.reference) if origin and scored else None
    if scored and not yard:
        evaluator = evaluator.with_protocol(evaluation_episodes=weaning.larger(task.evaluation_episodes))
    random = evaluator.random()
    guided = evaluator.play(guide.apply, guide.params, "test", "evaluating the teacher") if origin else None
    return random, guided, yard or (weaning.measured(random, guided) if guided and scored else None)


def _finish(
    request: RunRequest, folder: Path, task: Task, actions: Actions, run_folder: RunFolder, show: Display
) -> records.RunRecord:
    """Finish a run that is fully spent and evaluated; repeatable after an interruption."""
    if request.log:
        count = own_log.write(folder, task, request.command(), actions)
        show.note(f"{folder / 'log'}: {several(count, 'transition')} of the student's own experience")
    result = run_folder.record()
    run_folder.close()
    return result


def _start(request: RunRequest, task: Task, folder: Path, network, parents, random, guided) -> dict[str, Any]:
    """Return the first line of the ledger: the request, the prior computation, the machine and the references."""
    return {
        "run": hashlib.sha256(f"{folder.resolve()} {time.time_ns()}".encode()).hexdigest()[:12],
        "task": request.task,
        "protocol": task.protocol(),
        "method": request.method,
        "network": network,
        "seed": request.seed,
        "environments": request.environments,
        "budget": request.limits.limits(),
        "counters": NAMES,
        "parents": [parent.model_dump() for parent in parents],
        "machine": machine.describe(),
        "peak_flops": machine.peak_flops(),
        "frame_skip": task.frame_skip,
        "random": random.model_dump(mode="json"),
        "teacher": guided.model_dump(mode="json") if guided else None,
        "command": request.command(),
        "request": request.to_json(),
    }


def _config(task: Task, network, example) -> dict[str, Any]:
    """Return `config.json`: everything needed to play the run's students."""
    obs, told = example.observe(), gives(Architecture(network["name"], network["options"]))
    return {
        "architecture": network,
        **({} if told == "values" else {"outputs": told}),
        "actions": stated(example.actions),
        "observation": {"shape": list(obs.shape[1:]), "dtype": str(obs.dtype)},
        "task": task.name,
        "protocol": task.protocol(),
    }
