"""What the queue remembers: the order of commits, and the students of rejected requests."""

import pytest

from reincarnate.leaderboard import results, seen
from reincarnate.leaderboard.seen import Seen, Student
from reincarnate.leaderboard.submission import LIMIT

from .makers import digest

NOW = "2026-01-01T00:00:00.000000+00:00"


def row(number: int, students: int = 0, size: int = 6000) -> Seen:
    made = [Student(run=f"r{n}", parameters=digest(f"{number}/{n}"), fingerprint="A" * size) for n in range(students)]
    return Seen(request=number, author="ann", head=f"{number:040x}", first=NOW, state="rejected", students=tuple(made))


def test_thousands_of_requests_with_students_are_read_again(tmp_path):
    """With the fingerprints in one file it was too large to be read after some 700, and all was forgotten."""
    rows = [row(number, students=2) for number in range(1, 1501)]
    data = seen.written(rows)
    assert len(data) < LIMIT and b"AAAA" not in data
    (tmp_path / seen.FILE).write_bytes(data)
    (tmp_path / "seen").mkdir()
    for one in rows:
        (tmp_path / seen.path(one.request)).write_bytes(seen.listed(one))
    assert results.read(tmp_path).seen == tuple(rows) and results.read(tmp_path).faults == ()


def test_a_flood_of_requests_is_not_forgotten():
    """Tens of thousands of rejected requests made the list larger than a submission may be, and all was forgotten."""
    rows = [row(number) for number in range(1, 30_001)]
    data = seen.written(rows)
    assert len(data) > LIMIT and seen.parse(data, seen.FILE) == tuple(rows)


@pytest.mark.parametrize("size", [6000, 50_000])
def test_of_a_request_with_too_many_students_the_newest_are_kept(size):
    one = row(7, students=900, size=size)
    data = seen.listed(one)
    kept = seen.students(data, "seen/7.json")
    assert len(data) < LIMIT and 50 < len(kept) < 900 and kept == one.students[-len(kept) :]


def test_a_damaged_file_of_students_is_a_fault_that_is_named(tmp_path):
    (tmp_path / seen.FILE).write_bytes(seen.written([row(1)]))
    (tmp_path / "seen").mkdir()
    (tmp_path / seen.path(1)).write_bytes(b'[{"run": 1}]')
    assert any("seen/1.json" in fault for fault in results.read(tmp_path).faults)
