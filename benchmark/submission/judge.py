"""Judges a submission: all that can be read off it, then its weights on seeds drawn after it was handed in."""

import hashlib
import secrets
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...agents import keywords
from ...agents.method import Teacher
from ...agents.teacher import digest
from ...datasets.teachers import weights
from ...leaderboard import check
from ...leaderboard.record import Evaluation, RunRecord
from ...leaderboard.results import Results
from ...leaderboard.submission import Submission, Verdict
from ..evaluation.episodes import evaluate, make_greedy
from ..evaluation.evaluator import AT_ONCE, MOST
from ..prior.ancestors import declare, log_facts, open_pinned
from ..prior.load import content, policy_of, read_config
from ..tasks.environments import blocks, make, seeds
from ..tasks.task import Task, find
from ..training import budget as budgets
from ..training.loop import reads_log

FILES = ("config.json", "policy.safetensors", "README.md", "record.json", "ledger.jsonl", "replay.mp4")
MOST_BYTES = 600 * 2**20  # of a student's repository
LEAST = 30  # episodes of a re-evaluation: the spread of fewer says little
ERRORS = 2.576  # standard errors: an honest claim fails once in a hundred times, and is looked at again
RARE, AGAIN = 3.891, 4  # then it fails once in ten thousand times, by so many times as many new episodes
WATCHED = 4  # every so many steps, student and teacher are asked alike


class Case(NamedTuple):
    """A run to judge."""

    submission: Submission
    lines: Sequence[dict]  # of its ledger
    student: Path  # the folder of its model repository
    seals: Mapping[str, str] = {}  # SHA-256 of the files in the request


def judge(
    case: Case,
    results: Results,
    together: Sequence[Submission] = (),
    places: Sequence[str] = ("bundled",),
    episodes: int = 0,
    request: str = "",
) -> Verdict:
    """The verdict on a run: rejected with every reason, or re-scored.

    `episodes`: 0 for as many as it claims, or 30; a claim that they do not bear out is judged by four times as many.
    `together`: the other runs of the same request. What is played is nobody's code: the network by its name, the
    weights as numbers.
    """
    one, record = case.submission, case.submission.record
    reasons = check.faults(one, case.lines, results, together)
    reasons += _protocol(record) + _prior(record, case.lines)
    policy, task, told = _student(record, case.student)
    reasons += told
    guide, told = _teacher(record, task, places) if task else (None, [])
    reasons += told + _declared(one, results, together, places)
    if policy and guide and (near := _distance(policy, guide)) is not None and near < 1e-4:
        reasons.append(f"the student's weights are its teacher's but for {near:.1e} of their size: it is a copy")
    found = Verdict(
        run=record.run,
        state="rejected",
        reasons=tuple(dict.fromkeys(reasons)),
        seals=dict(case.seals),
        claimed=float(np.mean(record.points[-1].evaluation.returns)),
        request=request,
    )
    if reasons or policy is None or task is None:
        return found
    claimed = record.points[-1].evaluation
    episodes, mean = episodes or max(len(claimed.returns), LEAST), float(np.mean(claimed.returns))
    # of hundreds of honest runs some would be rejected, if the first look were the last word
    for times, errors in ((1, ERRORS), (AGAIN, RARE)):
        judged, agreement = play(policy, guide, task, secrets.randbelow(2**14), times * episodes)
        low, high = interval(judged, claimed, record, errors)
        if low <= mean <= high:
            break
    found = found.model_copy(update={"rescored": judged, "agreement": agreement, "accepted": now()})
    if not low <= mean <= high:
        reason = f"the claim {mean:.2f} is not within [{low:.2f}, {high:.2f}], what the weights do on fresh seeds"
        return found.model_copy(update={"reasons": (reason,), "accepted": ""})
    return found.model_copy(update={"state": "re-scored"})


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def play(
    policy: Teacher, guide: Teacher | None, task: Task, seed: int, episodes: int
) -> tuple[Evaluation, float | None]:
    """Whole episodes on fresh seeds, and how often the two would act alike."""
    where = seeds("verification", seed, min(episodes, MOST))
    greedy, alike, asked, steps = make_greedy(policy.apply), 0, 0, 0
    other = make_greedy(guide.apply) if guide else None

    def choose(obs: np.ndarray) -> np.ndarray:
        nonlocal alike, asked, steps
        actions = greedy(policy.params, obs)
        if guide and other and steps % WATCHED == 0:
            alike += int((other(guide.params, obs) == actions).sum())
            asked += len(actions)
        steps += 1
        return actions

    returns, lengths = evaluate(choose, blocks(task, where[:AT_ONCE]), task.evaluation_epsilon, where)
    judged = Evaluation(
        returns=tuple(map(float, returns)),
        lengths=tuple(map(int, lengths)),
        epsilon=task.evaluation_epsilon,
        seeds=(int(where[0]), int(where[-1])),
    )
    return judged, alike / asked if asked else None


def interval(judged: Evaluation, claimed: Evaluation, record: RunRecord, errors: float = ERRORS) -> tuple[float, float]:
    """Where an honest claim lies within so many standard errors, 99 of 100 cases unless said.

    By the spread of our own episodes: theirs might be made up.
    """
    ours = np.array(judged.returns)
    spread = float(ours.std(ddof=1)) if ours.size > 1 else 0.0
    z, free = errors, max(ours.size - 1, 1)  # Student's t by its expansion for large samples
    t = z + (z**3 + z) / (4 * free) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * free**2)
    width = t * spread * float(np.sqrt(1 / ours.size + 1 / len(claimed.returns)))
    scale = abs(float(np.mean(record.teacher.returns)) - float(np.mean(record.random.returns))) if record.teacher else 0
    width = max(width, 0.01 * scale)  # episodes that all end alike leave no spread at all
    return float(ours.mean()) - width, float(ours.mean()) + width


def _protocol(record: RunRecord) -> list[str]:
    """The task's own protocol, its own seeds, its own epsilon: no other game, mode or stickiness."""
    if ":" in record.task:
        return [f"record.task: {record.task} names a module: only environments that are installed by name are played"]
    try:
        task = find(record.task)
        first = {stream: int(seeds(stream, record.seed, 1)[0]) for stream in ("random", "test")}
    except ValueError as error:
        return [f"record: {error}"]
    found = []
    for key in sorted({*record.protocol, *task.protocol()}):
        theirs, ours = record.protocol.get(key), task.protocol().get(key)
        if theirs != ours:
            found.append(f"record.protocol.{key}: {theirs} is not the task's, {ours}")
    judged = [("random", record.random, "random", 1.0)]
    judged += [("teacher", record.teacher, "test", task.evaluation_epsilon)] if record.teacher else []
    judged += [
        (f"points.{n}.evaluation", p.evaluation, "test", task.evaluation_epsilon) for n, p in enumerate(record.points)
    ]
    for name, one, stream, epsilon in judged:
        wanted = (first[stream], first[stream] + len(one.returns) - 1)
        if one.seeds != wanted:
            found.append(f"record.{name}.seeds: {one.seeds} are not the harness's for this run, {wanted}")
        if one.epsilon != epsilon:
            found.append(f"record.{name}.epsilon: {one.epsilon} is not the protocol's {epsilon}")
        if task.evaluation_steps and not _are_rounds(one.lengths, task):
            words = f"{task.evaluation_episodes} episodes at a time, until they have {task.evaluation_steps} steps"
            found.append(f"record.{name}: its {len(one.returns)} episodes are not the protocol's, {words}")
        if max(one.lengths) > (task.max_steps or float("inf")):
            found.append(f"record.{name}.lengths: an episode is longer than the protocol's {task.max_steps} steps")
    words = shlex.split(record.command) if record.command else []
    if "--budget" in words[:-1]:
        said = budgets.parse(words[words.index("--budget") + 1]).limits()
        if said != record.budget:
            found.append(f"record.budget: {record.budget} is not what the command says, {said}")
    return found


def _are_rounds(lengths: Sequence[int], task: Task) -> bool:
    """Whether an evaluation went on as long as the protocol says and no longer: nobody stops where it looks best."""
    each, least = task.evaluation_episodes, task.evaluation_steps
    whole = sum(lengths) >= least or len(lengths) + each > MOST
    return len(lengths) % each == 0 and whole and sum(lengths[:-each]) < least


def _prior(record: RunRecord, lines: Sequence[dict]) -> list[str]:
    """A method that learns from a teacher or a log has one among its parents."""
    kinds = {parent.kind for parent in record.parents}
    spent = record.points[-1].spent
    found = []
    if spent.get("queries", 0.0) > 0 and "teacher" not in kinds:
        found.append("record.parents: the ledger counts a teacher's answers, but no teacher is a parent")
    if spent.get("logged", 0.0) > 0 and "log" not in kinds:
        found.append("record.parents: the ledger counts logged transitions, but no log is a parent")
    if ":" in record.method or ":" in str(record.settings.get("base", "")):
        return found  # a third party's code is never imported here
    try:
        chosen = keywords.make(record.method, dict(record.settings))
        if chosen.inherits and "teacher" not in kinds:
            found.append(f"record.parents: {record.method} starts from a teacher's weights: it must be a parent")
        if reads_log(chosen) and "log" not in kinds:
            found.append(f"record.parents: {record.method} learns from a log: it must be a parent")
    except (ValueError, TypeError) as error:
        found.append(f"record.settings: {error}")
    return found


def _student(record: RunRecord, folder: Path) -> tuple[Teacher | None, Task | None, list[str]]:
    """The last student, read as data only."""
    odd = [path.name for path in folder.rglob("*") if path.is_file() and not _is_known(path.relative_to(folder))]
    found = [f"student: {name} does not belong there: only {', '.join(FILES)}" for name in sorted(odd)[:10]]
    try:
        config = read_config(folder)
        if any(":" in str(part) or "/" in str(part) for part in (config["architecture"]["name"],)):
            raise ValueError(f"config.json names code, {config['architecture']['name']!r}: give a network's name")
        if config["architecture"] != record.network:
            found.append("student: config.json has another network than the record")
        arrays = weights.load(folder / "policy.safetensors")
        if digest(arrays) != record.points[-1].parameters:
            found.append("student: the weights are not those of the record's last point")
        task = find(record.task)
        env = make(task, seeds("verification", 0, 1))
        return policy_of(config, env, arrays, "the student"), task, found
    except (ValueError, OSError) as error:
        return None, None, [*found, f"student: {_plain(error, folder)}"]


def _is_known(path: Path) -> bool:
    return str(path) in FILES or path.name == ".gitattributes" or path.parts[0] in (".cache", ".eval_results")


def _teacher(record: RunRecord, task: Task | None, places: Sequence[str]) -> tuple[Teacher | None, list[str]]:
    """The teacher, if its reference resolves and holds the weights that the record says."""
    guide, found = None, []
    for number, parent in enumerate(record.parents):
        name = f"record.parents.{number}"
        try:
            if parent.kind == "log":
                if log_facts(parent.reference, places)[0] != parent.digest:
                    found.append(f"{name}.digest: {parent.reference} is another log")
                continue
            folder = open_pinned(parent.reference, parent.kind, places)
        except ValueError as error:
            found.append(f"{name}.reference: {error}")
            continue
        try:
            config, arrays = content(folder)  # also of a teacher from elsewhere
            if digest(arrays) != parent.digest:
                found.append(f"{name}.digest: {parent.reference} has other weights")
            if task is None:
                continue
            guide = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, parent.reference)
        except ValueError as error:
            found.append(f"{name}: {_plain(error, folder)}")
    return guide, found


def _declared(one: Submission, results: Results, together, places: Sequence[str]) -> list[str]:
    """What the submission says of its outside ancestors must be what their own repositories say."""
    known = results._replace(submissions={**results.submissions, **{each.record.run: each for each in together}})
    told = {source.digest: source for source in one.sources}
    found = []
    for source in declare(one.record, known, places):
        theirs = told.get(source.digest)
        if theirs is None:
            found.append(f"sources: {source.reference} is an ancestor and is left out")
        elif source.spent is not None and (
            (theirs.spent, theirs.run, set(theirs.parents)) != (source.spent, source.run, set(source.parents))
        ):
            found.append(f"sources: {source.reference} is declared with another cost or other parents than it has")
        elif source.spent is None and theirs.spent is not None:
            found.append(f"sources: nobody can see what {source.reference} cost: declare a lower bound, `at_least`")
    return found


def _distance(ours: Teacher, theirs: Teacher) -> float | None:
    """Largest difference of two sets of weights, relative to their size; None for networks of other shapes."""
    import jax

    a, b = jax.tree.leaves(ours.params), jax.tree.leaves(theirs.params)
    if [x.shape for x in a] != [y.shape for y in b]:
        return None
    size = max(float(np.abs(y).max()) for y in b) or 1.0
    return max(float(np.abs(np.asarray(x) - np.asarray(y)).max()) for x, y in zip(a, b, strict=True)) / size


def _plain(error: Exception, folder: Path) -> str:
    """The sentence without the maintainer's own paths."""
    return str(error).replace(f"{folder}/", "").replace(str(folder), "the repository")


def seal(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
