"""Who owns weights, and whose ledger counts for their cost: only those of accepted runs."""

import pytest

from reincarnate.leaderboard import results
from reincarnate.leaderboard.costs import costs, family
from reincarnate.leaderboard.submission import Source, State

from .makers import digest, judge, parent, put, record, submission

PRICE = Source(digest=digest("teacher"), kind="teacher", reference="official/teacher", run="t", spent={"flops": 1000.0})


def full(folder, run: str, *prices: Source) -> tuple[float, tuple[str, ...], list[str]]:
    held = results.read(folder)._replace(prices=prices)
    of = family(held)
    told = costs(held.submissions[run], of)
    return told.views["full"]["flops"], told.unpriced, of.tainted.get(run, [])


@pytest.fixture
def folder(tmp_path):
    """Make results with ann's accepted student of the official teacher; 300 FLOPs of her own."""
    one = record("a", parent("teacher"), points=((100, 20),))
    put(tmp_path, submission(one, sources=(PRICE,)))
    judge(tmp_path, submission(one), accepted="2026-01-02T00:00:00Z")
    return tmp_path


def poison(folder, state: State, submitted: str = "2000-01-01T00:00:00Z"):
    """Add a cheap run that lists the official teacher's weights as its own, before everybody else's."""
    one = record("p", points=((1, 0), (10, 1)))
    first = one.points[0].model_copy(update={"parameters": digest("teacher")})
    one = one.model_copy(update={"points": (first, one.points[1])})
    put(folder, submission(one, "mal", submitted=submitted))
    judge(folder, submission(one, "mal"), state, accepted="2026-01-01T00:00:00Z" if state == "re-scored" else "")


@pytest.mark.parametrize("state", ["re-scored", "revoked", "self-reported"])
def test_a_price_of_the_repository_is_nobodys_to_change(folder, state):
    assert full(folder, "a", PRICE) == (1300.0, (), [])
    poison(folder, state)
    assert full(folder, "a", PRICE) == (1300.0, (), [])


@pytest.mark.parametrize("state", ["revoked", "self-reported"])
def test_what_was_not_accepted_owns_only_what_nobody_else_has(folder, state):
    real = record("b", points=((100, 50),))
    real = real.model_copy(update={"points": (real.points[0].model_copy(update={"parameters": digest("teacher")}),)})
    put(folder, submission(real, "bob", submitted="2026-03-03T00:00:00Z"))
    judge(folder, submission(real, "bob"), accepted="2026-01-01T00:00:00Z")
    assert full(folder, "a") == (300.0 + 600.0, (), [])
    poison(folder, state)
    assert full(folder, "a") == (300.0 + 600.0, (), [])


@pytest.mark.parametrize("state", ["revoked", "self-reported"])
def test_what_was_not_accepted_does_not_own_what_an_accepted_run_declared(folder, state):
    """The price of ann's teacher was compared with its repository when her run was accepted."""
    assert full(folder, "a") == (1300.0, (), [])
    poison(folder, state)
    assert full(folder, "a") == (1300.0, (), [])


def test_the_first_word_counts_and_not_the_larger(folder):
    dear = PRICE.model_copy(update={"spent": {"flops": 9e9}})
    one = record("c", parent("teacher"), points=((100, 20),))
    put(folder, submission(one, "cy", sources=(dear,), submitted="2000-01-01T00:00:00Z"), judged=False)
    assert full(folder, "a")[0] == full(folder, "c")[0] == 1300.0  # cy's was not accepted, however early it was sent


def test_two_students_of_one_training_cost_what_the_longer_did(folder):
    late = Source(digest=digest("late"), kind="teacher", reference="official/late", run="t", spent={"flops": 5000.0})
    one = record("d", parent("teacher"), parent("late"), points=((100, 20),))
    put(folder, submission(one, "dan", sources=(PRICE, late)))
    assert full(folder, "d", PRICE, late)[0] == 5300.0


@pytest.mark.parametrize("state", ["revoked", "self-reported"])
def test_what_was_not_accepted_does_not_share_a_teachers_cost(folder, state):
    def shared() -> float:
        held = results.read(folder)
        return costs(held.submissions["a"], family(held)).views["shared"]["flops"]

    assert shared() == 1300.0
    for run in ("b", "c"):
        one = record(run, parent("teacher"), points=((100, 20),))
        put(folder, submission(one, "bob", sources=(PRICE,)))
        judge(folder, submission(one, "bob"), state)
    assert shared() == 1300.0
    judge(folder, submission(record("b", parent("teacher")), "bob"), accepted="2026-03-03T00:00:00Z")
    assert shared() == 300.0 + 1000.0 / 2
