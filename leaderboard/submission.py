"""A submission to a results repository, a record with its author's declarations, and the verdict on it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, TypeAdapter, ValidationError, field_validator

from . import record as records
from . import strict
from .fields import Closed, Costs, Count, Date, Digest, Finite, Name, Pinned, Share, Text, first_faults
from .lineage import Node
from .record import Evaluation, RunRecord

SCHEMA = 1
LIMIT = 4 * 2**20  # bytes of a submission's JSON; 64 points of 1000 episodes take half of it
DEPTH = 32  # of brackets within brackets; a submission has 6
PARTS = 200_000  # values in it
STRING = 50_000  # characters of one text; a fingerprint for 18 actions has 25,000
REASONS = 50  # of a verdict
BITS = 70  # of a whole number; larger ones are written as 1e+21
BEYOND = (float("inf"), float("-inf"))  # what a number beyond the range of floats is read as

Model = TypeVar("Model", bound=BaseModel)


class Source(Closed):
    """A teacher or log without a record in the repository."""

    digest: Text  # as in the record's parent
    kind: Literal["teacher", "log"]
    reference: Text
    run: Text = ""  # id of its training, if known
    parents: Annotated[tuple[Text, ...], Field(max_length=64)] = ()  # digests of its parents
    spent: Costs | None = None  # None: unknown
    at_least: Costs = {}  # declared lower bound of an unknown cost


class Tuning(Closed):
    """A run that served to choose the configuration; its cost counts on the tuned track."""

    run: Name
    spent: Costs


_NAME = TypeAdapter(Name)  # making one takes as long as reading a submission


class Submission(Closed):
    """One run of one entry. An entry is all runs of an author under one label."""

    schema_version: int = SCHEMA
    author: Name
    entry: Name  # the label that its runs share, such as qdagger-impala
    track: Literal["fixed", "tuned"] = "fixed"
    submitted: Date
    student: Pinned  # user/name@commit of the model repository with the last student
    record: RunRecord
    sources: Annotated[tuple[Source, ...], Field(max_length=64)] = ()
    tuning: Annotated[tuple[Tuning, ...], Field(max_length=10_000)] = ()
    about: Text = ""

    @field_validator("record")
    @classmethod
    def _id(cls, record: RunRecord) -> RunRecord:
        _NAME.validate_python(record.run)
        return record


State = Literal["rejected", "self-reported", "re-scored", "re-trained", "promoted", "revoked"]


class Verdict(Closed):
    """A maintainer's verdict on one run."""

    schema_version: int = SCHEMA
    run: Text
    state: State
    reasons: tuple[Text, ...] = ()  # why it was rejected or revoked, or what was not checked
    accepted: str = ""  # when, UTC; the order of entries in improvement scores
    seals: dict[str, str] = {}  # SHA-256 of the judged files
    task: Text = ""
    parameters: Text = ""  # digest of the last student's weights
    seed: Count | None = None  # of its initial weights; None if they were a teacher's
    fingerprint: Annotated[str, Field(max_length=50_000)] = ""  # its outputs on fixed observations
    earlier: Annotated[
        tuple[Annotated[str, Field(max_length=50_000)], ...], Field(max_length=64)
    ] = ()  # fingerprints of earlier students
    above: Annotated[tuple[Digest, ...], Field(max_length=1000)] = ()  # weights of its teachers
    copies: tuple[Text, ...] = ()  # accepted runs of others that copy it, and were seen later than it was
    seen: str = ""  # when the commit that it came with was first seen, UTC
    rescored: Evaluation | None = None  # the maintainer's own evaluation of the last student
    points: Annotated[
        tuple[Evaluation, ...], Field(max_length=64)
    ] = ()  # the maintainer's evaluations of all points, in order
    claimed: Finite | None = None  # mean return of the record's last point
    agreement: Share | None = None  # share of observations on which student and teacher act alike
    retrained: tuple[Finite, ...] = ()  # mean returns of the maintainer's re-training runs
    teacher: Text = ""  # user/name@commit once it is promoted
    request: Text = ""  # the pull request
    gone: Annotated[str, Field(max_length=40)] = ""  # since when its student has been missing on the hub, UTC


def parse(data: bytes, model: type[Model], where: str) -> Model:
    """Parse untrusted bytes as a model; ValueError names the file and the path of each invalid field."""
    if len(data) > LIMIT:
        raise ValueError(f"{where} has more than {LIMIT} bytes: send records only, weights go into model repositories")
    content = plain(data, where)
    if not isinstance(content, dict):
        raise ValueError(f"{where} is no JSON object")
    _same_schema(content, (SCHEMA,), where, "")
    if isinstance(content.get("record"), dict):
        _same_schema(content["record"], records.READS, where, "record.")
    return checked(content, model, where)


def checked(content: dict[str, Any], model: type[Model], where: str) -> Model:
    """Return the content as a model; ValueError names `where` and the path of each invalid field."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{where}: {first_faults(error, 10)}") from None


def plain(data: bytes, where: str) -> Any:
    """Parse untrusted JSON in one pass: UTF-8, finite numbers, unique keys, bounded depth and size, printable text.

    ValueError for anything else. Time and memory are linear in the number of bytes.
    """
    if data.startswith(b"\xef\xbb\xbf"):
        raise ValueError(f"{where} begins with a byte order mark: write plain UTF-8")
    if sum(map(data.count, (b",", b"[", b"{"))) > PARTS:
        raise ValueError(f"{where} has more than {PARTS:,} values: this is not a submission")
    try:
        text = data.decode("utf-8")
        content = strict.loads(text, parse_float=None)  # `_bounded` looks at them all
    except UnicodeDecodeError:
        raise ValueError(f"{where} is not written in UTF-8") from None
    except RecursionError:
        raise ValueError(f"{where} nests too deeply: this is not a submission") from None
    except ValueError as error:
        raise ValueError(f"{where} is not valid JSON: {error}") from None
    _bounded(content, where)
    return content


def _bounded(content: Any, where: str) -> None:
    """Raise ValueError for deep nesting, and for text that is too long or not printable."""
    layer, depth = [content], 0
    while layer:
        below: list[Any] = []
        for one in layer:
            kind = type(one)
            if kind is float:
                if one in BEYOND:
                    raise ValueError(f"{where} has a number beyond the range of floats")
            elif kind is int:
                if one.bit_length() > BITS:
                    raise ValueError(f"{where} has a number beyond the range of floats")
            elif kind is str:
                if len(one) > STRING or not one.isprintable():
                    raise ValueError(f"{where} has a text that is too long or cannot be printed: {one[:40]!a}")
            elif kind is dict:
                below += one
                below += one.values()
            elif kind is list:
                below += one
        depth += bool(below)
        if depth > DEPTH:
            raise ValueError(f"{where} nests deeper than {DEPTH} levels: this is not a submission")
        layer = below


def sentence(text: str) -> str:
    """Return the text as one printable line of limited length, for a verdict."""
    plain_text = "".join(c if c.isprintable() else "?" for c in text[:2000])
    return plain_text if len(text) <= 2000 else f"{plain_text[:1990]}..."


def sentences(found: Sequence[str]) -> tuple[str, ...]:
    """Return what a verdict may say of all that was found, each once: a ledger can have a million faults."""
    told = list(dict.fromkeys(found))
    left = [f"and {len(told) - REASONS:,} more"] if len(told) > REASONS else []
    return (*map(sentence, told[:REASONS]), *left)


def nodes(submission: Submission) -> list[Node]:
    """Return the sources of a submission as nodes of a lineage."""
    return list(map(node_of, submission.sources))


def node_of(one: Source) -> Node:
    """Return a source as a node of a lineage; sources of one training are paid for once."""
    key = one.digest or one.reference
    kind = "log" if one.kind == "log" else "outside"
    return Node(key, one.run or key, one.spent, one.at_least, one.parents, kind, one.reference)


def load(path: Path) -> Submission:
    """Read a submission; ValueError says what is wrong and where."""
    return parse(data_of(path), Submission, str(path))


def data_of(path: Path) -> bytes:
    """Return the bytes of a submission, one more than the limit of larger ones; ValueError if it is no file."""
    if not path.is_file():
        raise ValueError(f"there is no submission at {path}")
    with path.open("rb") as file:
        return file.read(LIMIT + 1)


def _same_schema(content: dict, read: tuple[int, ...], where: str, prefix: str) -> None:
    theirs, ours = content.get("schema_version"), read[-1]
    if type(theirs) is int and theirs in read:
        return
    field = f"{where}: {prefix}schema_version"
    if not isinstance(theirs, int) or isinstance(theirs, bool):
        raise ValueError(f"{field} must be the number {ours}")
    if theirs > ours:
        raise ValueError(
            f"{field} is {theirs}, newer than {ours}, which is all that this version reads: update reincarnate"
        )
    raise ValueError(f"{field} is {theirs}, older than {ours}: submit the run again with the current version")
