"""What the queue has seen and when: whose commit was first judged first, and which students came with it.

The maintainer keeps it as `queue.json` of a results repository, and the students of each request that was rejected as
`seen/NUMBER.json`; those of accepted ones are in their verdicts. Numbers of requests and dates of commits say nothing:
anybody may open an empty request early and fill it with somebody else's student.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from .fields import Closed, Count, Digest, Name
from .submission import LIMIT, plain

FILE = "queue.json"
MOST = 1000  # students of a request that are kept, its newest


class Student(Closed):
    """One that came with a request, whatever became of it."""

    run: Name
    parameters: Digest
    fingerprint: Annotated[str, Field(max_length=50_000)] = ""  # its fingerprint on the task's fixed observations
    task: Annotated[str, Field(max_length=200)] = ""
    seed: Count | None = None
    first: str = ""  # when the commit that it came with was first seen, UTC


class Seen(Closed):
    """A request's newest commit."""

    request: Count
    author: Name
    head: Annotated[str, Field(pattern=r"^[0-9a-f]{40}\z")]
    first: str  # when the queue saw this commit first, UTC
    state: Literal["waiting", "rejected", "accepted"] = "waiting"
    students: Annotated[tuple[Student, ...], Field(max_length=MOST)] = ()


def parse(data: bytes, where: str) -> tuple[Seen, ...]:
    """Return the content of the file; ValueError names the field that is wrong."""
    if len(data) > LIMIT:
        raise ValueError(f"{where} has more than {LIMIT} bytes: this is not a list of requests")
    try:
        return tuple(TypeAdapter(list[Seen]).validate_python(plain(data, where)))
    except ValidationError as error:
        raise ValueError(f"{where}: {error.errors()[0]['msg']}") from None


def students(data: bytes, where: str) -> tuple[Student, ...]:
    """Read the content of a request's own file; ValueError names the field that is wrong."""
    try:
        return tuple(TypeAdapter(list[Student]).validate_python(plain(data, where)))
    except ValidationError as error:
        raise ValueError(f"{where}: {error.errors()[0]['msg']}") from None


def path(number: int) -> str:
    """Return where the students of a request are, from the repository's root."""
    return f"seen/{number}.json"


def written(rows: Sequence[Seen]) -> bytes:
    """Return the content of the file, a row a line, without the students."""
    plain_rows = [row.model_copy(update={"students": ()}) for row in rows]
    return b"[\n" + b",\n".join(row.model_dump_json().encode() for row in plain_rows) + b"\n]\n"


def listed(row: Seen) -> bytes:
    """Return the content of a request's own file: its newest students, as many as can be read again."""
    kept: list[bytes] = []
    for each in reversed(row.students[-MOST:]):
        kept.insert(0, each.model_dump_json().encode())
        if sum(map(len, kept)) > LIMIT - 4 * MOST:
            kept = kept[1:]
            break
    return b"[\n" + b",\n".join(kept) + b"\n]\n"


def noticed(rows: Sequence[Seen], heads: Sequence[tuple[int, str, str]], now: str) -> list[Seen]:
    """Return the rows with those of new commits; requests that are not open any more drop out unless they hold
    students.

    `heads`: (number, author, commit) of all open requests, in the order in which their commits came. A request that
    got another commit begins anew, behind those that waited before; its students of before stay known, as its author's.
    """
    known, there = {row.request: row for row in rows}, {number: head for number, _, head in heads}
    kept = [row for row in rows if there.get(row.request, "" if row.state == "waiting" else row.head) == row.head]
    fresh = []
    for number, author, head in heads:
        row = known.get(number)
        if row is None:
            fresh.append(Seen(request=number, author=author, head=head, first=now))
        elif row.head != head:
            fresh.append(row.model_copy(update={"head": head, "first": now, "state": "waiting"}))
    return kept + fresh  # not by the clock: two looks may come within its resolution
