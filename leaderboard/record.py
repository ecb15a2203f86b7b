"""What one run leaves behind: the only thing the leaderboard knows of it."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SCHEMA = 1
LIMIT = 64 * 2**20  # bytes; a thousand points of a hundred episodes take a tenth of it


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Evaluation(_Strict):
    """Whole episodes of one policy under the task's protocol."""

    returns: Annotated[tuple[float, ...], Field(min_length=1)]  # unclipped, one an episode
    lengths: Annotated[tuple[int, ...], Field(min_length=1)]  # agent steps
    epsilon: float
    seeds: tuple[int, int]  # first and last environment seed


class Point(_Strict):
    """The student at one sample budget."""

    spent: dict[str, float]  # frames, steps, updates, flops, seconds of training so far
    evaluation: Evaluation
    parameters: str  # SHA-256 of the student's weights
    file: str  # where they are, relative to the run


class Parent(_Strict):
    """A teacher or a log that the run was given."""

    kind: str  # "teacher" or "log"
    reference: str  # user/name@commit, or a folder
    digest: str  # SHA-256 of a teacher's weights, or of a log's manifest
    claim: str = ""  # the score that its author states, if it comes from elsewhere
    part: str = ""  # of a log, if not all of it: checkpoints, returns, and its share against other logs


class RunRecord(_Strict):
    """One run: what, with what, from which parents, the returns at each sample budget, what it cost."""

    schema_version: int = SCHEMA
    run: str  # its id
    task: str
    protocol: dict[str, Any]
    method: str
    settings: dict[str, Any]  # the method's keywords that differ from its defaults
    network: dict[str, Any]
    seed: int
    environments: int  # stepped together in training
    budget: dict[str, float]
    parents: tuple[Parent, ...]
    random: Evaluation
    teacher: Evaluation | None  # re-evaluated by the harness in this run
    points: Annotated[tuple[Point, ...], Field(min_length=1)]
    complete: bool  # whether the budget was spent to its end
    ledger: str  # hash of the ledger's last line
    command: str  # what makes it again
    machine: dict[str, Any]


def save(record: RunRecord, path: Path) -> None:
    """Writes the record whole or not at all."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        partial.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def load(path: Path) -> RunRecord:
    """Reads a record; ValueError names the first field that is wrong."""
    if not path.is_file():
        raise ValueError(f"there is no record at {path}: name the folder of a run")
    if path.stat().st_size > LIMIT:
        raise ValueError(f"{path} has more than {LIMIT} bytes: this is no record of a run")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is no JSON: the file is damaged") from None
    try:
        return RunRecord.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(f"{path} is no run record: {where or 'it'}: {first['msg']}") from None
