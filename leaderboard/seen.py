"""What the queue has seen and when: whose commit came first, and which students came with it.

The maintainer keeps it as `queue.json` in a results repository, and the students of each rejected request as
`seen/NUMBER.json`; those of accepted requests are in their verdicts. The numbers of requests and the dates of commits
prove nothing: anyone can open an empty request early and later fill it with another author's student.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from .fields import Closed, Count, Digest, Name, first_faults
from .submission import LIMIT, plain

FILE = "queue.json"
MOST = 1000  # maximum of stored students per request; the newest are kept
LARGEST = 64 * 2**20  # bytes of the list of requests; 300,000 take as much


class Student(Closed):
    """A student that came with a request, whatever the outcome."""

    run: Name
    parameters: Digest
    fingerprint: Annotated[str, Field(max_length=50_000)] = ""  # on the task's fixed observations
    task: Annotated[str, Field(max_length=200)] = ""
    seed: Count | None = None
    above: Annotated[tuple[Digest, ...], Field(max_length=1000)] = ()  # weights of its teachers
    first: str = ""  # when its commit was first seen, UTC


class Seen(Closed):
    """The newest commit of a request."""

    request: Count
    author: Name
    head: Annotated[str, Field(pattern=r"^[0-9a-f]{40}\z")]
    first: str  # when the queue first saw this commit, UTC
    state: Literal["waiting", "rejected", "accepted"] = "waiting"
    students: Annotated[tuple[Student, ...], Field(max_length=MOST)] = ()


def parse(data: bytes, where: str) -> tuple[Seen, ...]:
    """Parse the file; ValueError names the invalid field."""
    if len(data) > LARGEST:
        raise ValueError(f"{where} has more than {LARGEST} bytes: this is not a list of requests")
    try:
        return tuple(_ROWS.validate_json(data))
    except ValidationError as error:
        raise ValueError(f"{where}: {first_faults(error)}") from None


_ROWS = TypeAdapter(list[Seen])


def students(data: bytes, where: str) -> tuple[Student, ...]:
    """Parse the file of one request; ValueError names the invalid field."""
    try:
        return tuple(TypeAdapter(list[Student]).validate_python(plain(data, where)))
    except ValidationError as error:
        raise ValueError(f"{where}: {first_faults(error)}") from None


def path(number: int) -> str:
    """Return the path of a request's students, relative to the repository."""
    return f"seen/{number}.json"


def written(rows: Sequence[Seen]) -> bytes:
    """Encode the file, one row per line, without the students."""
    plain_rows = [row.model_copy(update={"students": ()}) for row in rows]
    return b"[\n" + b",\n".join(row.model_dump_json().encode() for row in plain_rows) + b"\n]\n"


def listed(row: Seen) -> bytes:
    """Encode the file of one request: its newest students, as many as can be read again."""
    kept: list[bytes] = []
    for each in reversed(row.students[-MOST:]):
        kept.insert(0, each.model_dump_json().encode())
        if sum(map(len, kept)) > LIMIT - 4 * MOST:
            kept = kept[1:]
            break
    return b"[\n" + b",\n".join(kept) + b"\n]\n"


def noticed(rows: Sequence[Seen], heads: Sequence[tuple[int, str, str]], now: datetime) -> list[Seen]:
    """Add rows for new commits, and drop requests that are no longer open and have no students.

    `heads`: (number, author, commit) of all open requests, in the order in which their commits arrived. A request with
    a new commit moves to the end; its earlier students are kept as its author's. Times are later than those of all
    other rows, even if the clock was set back, so that no two are equal.
    """
    known, there = {row.request: row for row in rows}, {number: head for number, _, head in heads}
    kept = [row for row in rows if there.get(row.request, "" if row.state == "waiting" else row.head) == row.head]
    at = max([now, *(datetime.fromisoformat(row.first) + timedelta(microseconds=1) for row in rows)])
    fresh = []
    for number, author, head in heads:
        row, first = known.get(number), (at + timedelta(microseconds=len(fresh))).isoformat(timespec="microseconds")
        if row is None:
            fresh.append(Seen(request=number, author=author, head=head, first=first))
        elif row.head != head:
            fresh.append(row.model_copy(update={"head": head, "first": first, "state": "waiting"}))
    return kept + fresh
