"""Who was first: whatever the order in which requests are judged, what counts is when their commits were seen."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reincarnate.benchmark.submission import known, queue, submit
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.hub.pull_requests import Request
from reincarnate.leaderboard import seen
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import Results
from reincarnate.leaderboard.seen import Seen, Student
from reincarnate.leaderboard.submission import Submission, Verdict

from ...leaderboard.makers import digest, parent, record, submission
from .hub import house
from .test_adversary import Forger, noise, trained
from .test_same import fresh, printed
from .test_same import trained as moved

TASK = find("gym/CartPole-v1")
HEAD = "a" * 40


def at(minute: int) -> datetime:
    return datetime(2026, 1, 1, 0, minute, tzinfo=UTC)


def test_a_clock_that_is_set_back_makes_nobody_earlier():
    rows = seen.noticed([], [(3, "ann", HEAD)], at(10))
    rows = seen.noticed(rows, [(3, "ann", HEAD), (1, "mallory", HEAD), (2, "mallory", HEAD)], at(5))
    assert [row.request for row in sorted(rows, key=lambda row: row.first)] == [3, 1, 2]
    assert len({row.first for row in rows}) == 3


def test_a_request_whose_turn_comes_later_is_seen_all_the_same():
    """ann hands in more than take turns at once; mallory's request came last and is judged before the last of hers."""
    most = queue.WAITING + 2
    heads = [*((number, "ann", HEAD) for number in range(1, most + 1)), (most + 1, "mallory", HEAD)]
    rows = seen.noticed([], heads, at(0))
    turns = queue._fair([Request(number, author, "", head) for number, author, head in reversed(heads)], rows)
    assert [one.number for one in turns] == [*range(1, queue.WAITING + 1), most + 1]
    assert [row.request for row in sorted(rows, key=lambda row: row.first)] == [number for number, *_ in heads]


@pytest.mark.parametrize(("accepted", "author", "copied"), [(9, "bob", True), (1, "bob", False), (9, "ann", False)])
def test_an_accepted_run_that_was_seen_later_is_no_original_but_a_copy(accepted: int, author: str, copied: bool):
    """bob's run is ann's with noise. If it was seen after hers, its acceptance gains nothing."""
    mine, theirs = record("a", method="dqn"), record("b", method="dqn")
    text = printed(fresh(1)).text()
    told = Verdict(run="a", state="re-scored", fingerprint=text, parameters=mine.points[-1].parameters)
    accepted_one = Verdict(run="b", state="re-scored", fingerprint=printed(moved(fresh(1), 1e-4)).text())
    dated = accepted_one.model_copy(update={"seen": at(accepted).isoformat(timespec="microseconds")})
    rows = (Seen(request=1, author="ann", head=HEAD, first=at(5).isoformat(timespec="microseconds")),)
    held = Results(Path(), {"b": submission(theirs, author)}, {"b": dated}, (), (), (), rows)
    one, request = submission(mine, "ann"), f"#1@{HEAD}"
    assert [each.parameters == theirs.points[-1].parameters for each in others(one, held, request)] == (
        [] if copied else [True]
    )
    assert known.copies(one, told, held, TASK, request) == (("b",) if copied else ())
    revoked = held._replace(verdicts={"b": dated.model_copy(update={"state": "revoked"})})
    assert known.copies(one, told, revoked, TASK, request) == ()


@pytest.mark.parametrize("shared", [True, False])
def test_students_of_one_teacher_are_relatives_though_the_request_of_one_was_rejected(shared: bool):
    """The likeness of two fine-tunings of one teacher is no copy, even if others handed in the first."""
    above = parent("someone/teacher")
    one = submission(record("a", above, method="fine_tuning"), "ann")
    (found,) = others(one, rejected((above.digest if shared else digest("other"),), "bob"), LAST)
    assert found.relative is shared
    near = printed(moved(fresh(1), 5e-3), seed=2)  # as siblings of one teacher are
    assert bool(known._copied(near, digest("a"), [found])) is not shared


def test_who_was_rejected_may_train_again_and_get_the_same_weights():
    """Training is deterministic: the same seed and settings give the same student under another id."""
    one = submission(record("a", method="dqn"), "ann")
    assert others(one, rejected((), "ann"), LAST) == []
    assert len(others(one, rejected((), "bob"), LAST)) == 1


LAST = f"#2@{HEAD}"


def others(one: Submission, held: Results, request: str) -> list[known.KnownStudent]:
    """Return the students that one is compared with, but for the task's teachers."""
    return [each for each in known.of(one, TASK, held, [], request, []) if each.name.startswith("run ")]


def rejected(above: tuple[str, ...], author: str) -> Results:
    """Return results with a rejected request that was seen before ann's."""
    times = [at(minute).isoformat(timespec="microseconds") for minute in (1, 2)]
    what = {"fingerprint": printed(fresh(1)).text(), "task": TASK.name, "above": above, "first": times[0]}
    student = Student(run="b", parameters=digest("b"), **what)
    rows = (
        Seen(request=1, author=author, head="b" * 40, first=times[0], state="rejected", students=(student,)),
        Seen(request=2, author="ann", head=HEAD, first=times[1]),
    )
    return Results(Path(), {}, {}, (), (), (), rows)


@pytest.mark.slow
def test_a_copy_that_has_its_turn_before_its_original_does_not_keep_its_place(tmp_path_factory, monkeypatch):
    """ann hands in two runs; mallory copies the second to the bit, and is judged before it as ann's turn is over."""
    monkeypatch.setattr(queue, "WAITING", 1)
    with house(tmp_path_factory.mktemp("order")) as hub:
        trained(hub, "ann", 0)
        folder, ours, lines = trained(hub, "ann", 1)
        forger = Forger(hub, folder, {**ours, "author": "mallory"}, lines)
        copied = forger.hand_in("copied", arrays=noise(0.0))
        told = list(queue.queue(hub.as_user("lab"), hub.url).items())
        assert [number for number, _ in told] == [1, copied, 2]
        assert [[one.state for one in verdicts] for _, verdicts in told] == [["re-scored"]] * 3, told
        results = submit.repository_folder(hub.as_user("lab"), hub.url)
        assert results.faults == () and results.verdicts["copied"].state == "revoked"
        run = ours["record"]["run"]
        assert f"it copies run {run} of ann" in results.verdicts["copied"].reasons[-1]
        assert results.verdicts[run].copies == ("copied",) and results.verdicts[run].state == "re-scored"
        states = {one["author"]: one["state"] for one in board(results)["entries"]}
        assert states == {"ann": "re-scored", "mallory": "revoked"}
        again = forger.hand_in("again", arrays=noise(1e-4))
        (verdict,) = queue.queue(hub.as_user("lab"), hub.url)[again]
        assert verdict.state == "rejected" and "a copy of it or made from it" in json.dumps(verdict.reasons)
