"""The record of a run: all that the leaderboard knows of it."""

import json
import os
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    computed_field,
    field_validator,
    model_serializer,
    model_validator,
)

from .fields import (
    LARGEST,
    MOST_EPISODES,
    MOST_POINTS,
    Amount,
    Closed,
    Costs,
    Count,
    Digest,
    File,
    Finite,
    Flag,
    Limits,
    Method,
    Plain,
    Share,
    Text,
    Whole,
    first_faults,
)
from .score import interval
from .units import COUNTERS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SCHEMA = 2  # since 2, points state the steps that they were planned for
READS = (1, 2)
LIMIT = 64 * 2**20  # bytes; a thousand points of a hundred episodes take a tenth of it
MOST_SAID = 50_000  # characters of free content: settings, machine


Seed = Annotated[Whole, Field(ge=0, lt=2**31)]
Length = Annotated[Whole, Field(ge=1, le=10**9)]


def _is_mean(claimed: float, returns: Sequence[float]) -> bool:
    """Return whether a number is the mean of others but for rounding; plain, since a board checks a million of them."""
    mean = sum(returns) / len(returns)
    return abs(claimed - mean) <= 1e-8 + 1e-9 * abs(mean)


@lru_cache(maxsize=2**16)  # a board asks several times
def _mean(returns: tuple[float, ...]) -> float:
    return float(np.add.reduce(returns) / len(returns))  # as np.mean, which takes far longer


@lru_cache(maxsize=1024)
def _interval(returns: tuple[float, ...]) -> tuple[float, float]:
    """Return the 95 % interval of a mean, cached: a run writes its record, with all evaluations, at each point."""
    return interval(np.array(returns))


class Evaluation(Closed):
    """Whole episodes of one policy under the task's protocol."""

    returns: Annotated[tuple[Finite, ...], Field(min_length=1, max_length=MOST_EPISODES)]  # unclipped, one an episode
    lengths: Annotated[tuple[Length, ...], Field(min_length=1, max_length=MOST_EPISODES)]  # agent steps
    epsilon: Share
    seeds: tuple[Seed, Seed]  # first and last environment seed
    shares: Annotated[tuple[Share, ...], Field(max_length=MOST_EPISODES)] = ()  # share of good steps, by episode

    @model_serializer(mode="wrap")
    def _without_what_is_not_told(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the shares of a task that has none, as in older records."""
        return {key: value for key, value in plain(self).items() if key != "shares" or value}

    @model_validator(mode="before")
    @classmethod
    def _says_what_it_shows(cls, data: Any) -> Any:
        """Check the derived numbers."""
        if isinstance(data, dict):
            data = {key: value for key, value in data.items() if key not in ("standard_error", "interval")}
            claimed, returns = data.pop("mean", None), data.get("returns")
            if claimed is not None and not _is_number(claimed):
                raise ValueError("the mean is not a number")
            if claimed is not None and _are_numbers(returns) and not _is_mean(claimed, returns):
                raise ValueError(f"the mean {claimed} is not that of the returns")
        return data

    @computed_field
    @property
    def mean(self) -> float:
        """Return the mean return."""
        return _mean(self.returns)

    @computed_field
    @property
    def standard_error(self) -> float:
        """Return the standard error of the mean return; 0 for a single episode."""
        return float(np.std(self.returns, ddof=1) / np.sqrt(len(self.returns))) if len(self.returns) > 1 else 0.0

    @computed_field
    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % bootstrap interval of the mean over the episodes."""
        return _interval(self.returns)


class Point(Closed):
    """The student at one sample budget."""

    spent: Costs  # amounts spent so far, by unit: see units.py
    evaluation: Evaluation
    parameters: Digest  # SHA-256 of the student's weights
    file: File  # path of the weights, relative to the run
    due: Count | None = None  # agent steps it was planned for; None: the end of the run, or not written down (schema 1)

    @field_validator("spent")
    @classmethod
    def _counted(cls, spent: dict[str, float]) -> dict[str, float]:
        if missing := [unit for unit in COUNTERS if unit not in spent]:
            raise ValueError(f"it does not say how many {missing[0]} are spent")
        return spent

    @field_validator("due", mode="before")
    @classmethod
    def _end(cls, due: Any) -> Any:
        return None if due == -1 else due  # as ledgers have it


class Parent(Closed):
    """A teacher or a log that a run was given."""

    kind: Literal["teacher", "log"]
    reference: Text  # user/name@commit, or a folder
    digest: Digest | Literal[""]  # SHA-256 of a teacher's weights, or of a log's manifest
    claim: Text = ""  # score stated by the author, if it comes from elsewhere
    part: Text = ""  # part of a log: checkpoints, returns, and its share among several logs


class Weaning(Closed):
    """When and why a student was weaned off its teacher."""

    steps: Amount  # agent steps taken
    share: Share  # of those planned
    reason: Literal["validation", "schedule"]  # by its score, or regardless of it
    score: Finite | None = None  # of the deciding validation; 0 is random play, 1 the teacher
    low: Finite | None = None  # lower bound of that
    episodes: Count | None = None


class Yardstick(Closed):
    """The mean returns that score 0 and 1 in validations."""

    random: Finite
    teacher: Finite
    error: Amount  # standard error of the teacher's mean, 0 for a suite's anchor
    source: Text  # suite and version, or the number of episodes played in this run


class RunRecord(Closed):
    """One run: task, method and settings, parents, returns at each sample budget, and cost."""

    schema_version: int = SCHEMA
    run: Text  # its id
    task: Annotated[Text, Field(max_length=200)]
    protocol: dict[str, Plain]
    method: Method
    settings: dict[str, Plain]  # keywords that differ from the method's defaults, including the preset's
    preset: Text = ""  # source of the settings that the user did not give; empty in old records
    measured: dict[str, Amount] = {}  # size of the teacher's units, for settings such as 8gap
    resolved: dict[str, Plain] = {}  # plain values of relative settings and shares of the plan
    network: dict[str, Plain]
    seed: Annotated[Whole, Field(ge=0, lt=2**14)]
    environments: Annotated[Whole, Field(ge=1, le=1024)]  # stepped together in training
    budget: Limits
    parents: Annotated[tuple[Parent, ...], Field(max_length=1000)]
    random: Evaluation
    teacher: Evaluation | None  # re-evaluated by the harness in this run
    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=MOST_POINTS)]
    complete: Flag  # whether the budget was used up
    phases: dict[str, Amount] = {}  # seconds of training by phase
    yardstick: Yardstick | None = None  # reference of validation scores, if the method used any
    weaned: Weaning | None = None  # of the last student, if it was weaned
    planned: Count | None = None  # agent steps that the budget allows; sample budgets are shares of them
    resumed: Count = 0  # number of resumptions
    copied: Count = 0  # number of resumptions in another folder, as a copy of the run
    ledger: Digest  # hash of the ledger's last line
    command: str  # that repeats the run
    machine: dict[str, Plain]

    def __repr__(self) -> str:
        from .shown import text

        return text(self)

    __str__ = __repr__

    def plot(self) -> "Figure":
        """Draw the learning curve as a figure, which a notebook shows and `savefig` saves."""
        from .shown import figure

        return figure(self)

    @field_validator("protocol", "settings", "resolved", "network", "machine")
    @classmethod
    def _small(cls, value: dict[str, Any]) -> dict[str, Any]:
        """Bound the size, because the record is rewritten at every point."""
        if len(json.dumps(value)) > MOST_SAID:
            raise ValueError(f"it has more than {MOST_SAID} characters")
        return value

    @field_validator("network")
    @classmethod
    def _named(cls, network: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(network.get("name"), str) or not isinstance(network.get("options", {}), dict):
            raise ValueError("it does not say what the network's name and options are")
        return network


def foreign(record: RunRecord) -> str:
    """Return the third-party code that a run names as its method or base; empty if none."""
    named = (record.method, record.settings.get("base"))
    return next((text for text in named if isinstance(text, str) and ":" in text), "")


def of_ledger(lines: list[dict]) -> RunRecord:
    """Return the record of a run, rebuilt from the lines of its ledger; ValueError if they do not hold one."""
    start = lines[0] if lines else {}
    shown = [line for line in lines if line.get("event") in ("point", "end")]
    points = [{key: line.get(key) for key in Point.model_fields} for line in shown]
    facts = {key: start[key] for key in RunRecord.model_fields if key in start}
    facts |= {"points": points, "complete": lines[-1].get("event") == "end" if lines else False}
    facts |= {
        "ledger": shown[-1].get("hash", "") if shown else "",
        "phases": shown[-1].get("phases", {}) if shown else {},
        "weaned": shown[-1].get("weaned") if shown else None,
        "planned": shown[-1].get("planned") if shown else None,
    }
    return _valid(facts | _went_on(lines), "the ledger")


def _went_on(lines: list[dict]) -> dict[str, int]:
    """Count a run's resumptions before its newest point, and those as a copy of itself."""
    shown = [number for number, line in enumerate(lines) if line.get("event") in ("point", "end")]
    again = [line for line in lines[: shown[-1] if shown else None] if line.get("event") == "resume"]
    return {"resumed": len(again), "copied": sum(bool(line.get("copied")) for line in again)}


def mismatches(lines: list[dict], record: RunRecord) -> list[str]:
    """Return the differences between a record and its ledger, one sentence each."""
    found, start = [], lines[0] if lines else {}
    if all(line.get("hash") != record.ledger for line in lines):
        found.append("no line of the ledger has the record's hash: they belong to different runs")
    for name in set(RunRecord.model_fields) & set(start):
        if (mine := record.model_dump(mode="json", include={name})[name]) != start[name] and name != "parents":
            found.append(f"line 1 and the record differ in {name}: {start[name]} and {mine}")
    shown = [(number, line) for number, line in enumerate(lines, 1) if line.get("event") in ("point", "end")]
    if len(shown) != len(record.points):
        found.append(f"the ledger has {len(shown)} points, the record {len(record.points)}")
    for (number, line), point in zip(shown, record.points, strict=False):
        played = line.get("evaluation")
        returns = line.get("returns") or (played.get("returns") if isinstance(played, dict) else None)
        same = (line.get("spent"), line.get("parameters"), returns)
        if same != (point.spent, point.parameters, list(point.evaluation.returns)):
            found.append(f"line {number}: its totals or returns are not those of the record")
        if line.get("planned", record.planned) != record.planned:
            found.append(f"line {number}: its number of planned steps is not the record's")
        due = None if line.get("due") == -1 else line.get("due")
        if record.schema_version > 1 and due != point.due:
            found.append(f"line {number}: the student was not planned for {point.due} steps")
    if shown and shown[-1][1].get("weaned") != (record.weaned and record.weaned.model_dump()):
        found.append(f"line {shown[-1][0]} and the record differ in when and why the student was weaned")
    if shown and shown[-1][1].get("phases", {}) != record.phases:
        found.append(f"line {shown[-1][0]} and the record differ in the seconds of the phases")
    for name, times in _went_on(lines).items():
        if getattr(record, name) != times:
            found.append(f"the run was {name} {getattr(record, name)} times by its record, {times} times by its ledger")
    if lines and record.complete != (lines[-1].get("event") == "end"):
        found.append(f"line {len(lines)} and the record differ in whether the run is complete")
    return found


def save(record: RunRecord, path: Path) -> None:
    """Write the record whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> RunRecord:
    """Read a record; ValueError names the first invalid field."""
    if not path.is_file():
        raise ValueError(f"there is no record at {path}: name the folder of a run")
    if path.stat().st_size > LIMIT:
        raise ValueError(f"{path} has more than {LIMIT} bytes: this is not a record of a run")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not JSON: the file is damaged") from None
    return _valid(content, str(path))


def load_record(run: str | os.PathLike) -> RunRecord:
    """Read the record of a run: its folder, or its record.json. Raises ValueError if there is none that can be read."""
    path = Path(run)
    return load(path / "record.json" if path.is_dir() else path)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= LARGEST


def _are_numbers(values: Any) -> bool:
    """Return whether these are numbers within bounds; by few calls, since a board checks a million of them."""
    plain = isinstance(values, (list, tuple)) and bool(values) and {*map(type, values)} <= {int, float}
    return plain and min(values) >= -LARGEST and max(values) <= LARGEST


def _valid(content: Any, whose: str) -> RunRecord:
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{whose} is not a run record: {first_faults(error)}") from None
