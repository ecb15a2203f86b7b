"""What is sent to a results repository: one record, and what only its author can say of it; and what became of it."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from . import record as records
from .lineage import Node
from .record import Evaluation, RunRecord

SCHEMA = 1
LIMIT = 8 * 2**20  # bytes of a submission's JSON
DEPTH = 32  # of brackets within brackets; a submission has 6

HUGE = re.compile(rb"[eE]\+?0*[1-9]\d{2}|\d{300}")
Text = Annotated[str, Field(max_length=2000)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,95}$")]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Costs = dict[Name, Amount]
Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(_Strict):
    """A teacher or log that has no record in the repository: counted somewhere else, or by nobody."""

    digest: Text  # as in the record's parent
    kind: Literal["teacher", "log"]
    reference: Text
    run: Text = ""  # id of its training, if that is known
    parents: tuple[Text, ...] = ()  # digests of what it was made from
    spent: Costs | None = None  # None: nobody counted
    at_least: Costs = {}  # the declared lower bound of what was not counted


class Tuning(_Strict):
    """A run that only served to choose the configuration; the tuned track pays for it."""

    run: Name
    spent: Costs


class Submission(_Strict):
    """One run of one entry. An entry is all runs of an author under one label."""

    schema_version: int = SCHEMA
    author: Name
    entry: Name  # the label that its runs share, such as qdagger-impala
    track: Literal["fixed", "tuned"] = "fixed"
    submitted: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]
    student: Text  # user/name@commit of the model repository with the last student
    record: RunRecord
    sources: Annotated[tuple[Source, ...], Field(max_length=64)] = ()
    tuning: Annotated[tuple[Tuning, ...], Field(max_length=10_000)] = ()
    about: Text = ""

    @field_validator("record")
    @classmethod
    def _id(cls, record: RunRecord) -> RunRecord:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,95}", record.run):
            raise ValueError("run is no id: it must be letters, digits, dots and dashes")
        return record


State = Literal["rejected", "self-reported", "re-scored", "re-trained", "promoted", "revoked"]


class Verdict(_Strict):
    """What a maintainer found out about one run."""

    schema_version: int = SCHEMA
    run: Text
    state: State
    reasons: tuple[Text, ...] = ()  # why it is rejected or revoked, or what was not checked
    accepted: str = ""  # when, UTC; entries take their turns at the front in this order
    seals: dict[str, str] = {}  # SHA-256 of the files that were judged
    rescored: Evaluation | None = None  # the maintainer's own evaluation of the weights
    claimed: float | None = None  # mean return of the record's last point
    agreement: float | None = None  # share of observations on which student and teacher act alike
    retrained: tuple[float, ...] = ()  # mean returns of the maintainer's own runs of the same command
    teacher: Text = ""  # user/name@commit once it is promoted
    request: Text = ""  # the pull request


def parse(data: bytes, model: type[Model], where: str) -> Model:
    """Untrusted bytes as a model; ValueError names the file and the path of each field that is wrong."""
    if len(data) > LIMIT:
        raise ValueError(f"{where} has more than {LIMIT} bytes: send records only, weights go into model repositories")
    content = plain(data, where)
    if not isinstance(content, dict):
        raise ValueError(f"{where} is no JSON object")
    _same_schema(content, (SCHEMA,), where, "")
    if isinstance(content.get("record"), dict):
        _same_schema(content["record"], records.READS, where, "record.")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        told = [f"{'.'.join(map(str, one['loc'])) or 'it'}: {one['msg']}" for one in error.errors()[:10]]
        raise ValueError(f"{where}: {'; '.join(told)}") from None


def plain(data: bytes, where: str) -> Any:
    """JSON from strangers: no NaN, nothing beyond a float, no key twice, no abyss of brackets. ValueError otherwise."""
    bare = re.sub(rb'"(?:[^"\\]|\\.)*"', b"", data)
    depth = deepest = 0
    for bracket in re.findall(rb"[\[\]{}]", bare):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    if HUGE.search(bare):
        raise ValueError(f"{where} has a number that no float holds")
    if deepest > DEPTH:
        raise ValueError(f"{where} nests {deepest} deep: this is no submission")
    try:
        return json.loads(data, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where} is no good JSON: {error}") from None


def nodes(submission: Submission) -> list[Node]:
    """The sources of a submission as nodes of a lineage."""
    return list(map(node_of, submission.sources))


def node_of(one: Source) -> Node:
    """Return a source as a node of a lineage; sources of one training are paid for once."""
    key = one.digest or one.reference
    kind = "log" if one.kind == "log" else "outside"
    return Node(key, one.run or key, one.spent, one.at_least, one.parents, kind, one.reference)


def load(path: Path) -> Submission:
    """Reads a submission; ValueError says what is wrong and where."""
    if not path.is_file():
        raise ValueError(f"there is no submission at {path}")
    with path.open("rb") as file:
        return parse(file.read(LIMIT + 1), Submission, str(path))


def _same_schema(content: dict, read: tuple[int, ...], where: str, prefix: str) -> None:
    theirs, ours = content.get("schema_version"), read[-1]
    if theirs in read and not isinstance(theirs, bool):
        return
    field = f"{where}: {prefix}schema_version"
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise ValueError(f"{field} must be the number {ours}")
    if theirs > ours:
        raise ValueError(
            f"{field} is {theirs}, newer than {ours}, which is all that this version reads: update reincarnate"
        )
    raise ValueError(f"{field} is {theirs}, older than {ours}: submit the run again with the present version")


def _refuse(word: str):
    raise ValueError(f"{word} is no number that can be counted with")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
