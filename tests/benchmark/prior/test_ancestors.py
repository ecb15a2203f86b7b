"""What a student cost with all it descends from: the run, its teacher's run, its log and who played it, each once."""

import hashlib
import json
from pathlib import Path

import pytest

from reincarnate.agents.teacher import digest as weights_digest
from reincarnate.benchmark.prior import ancestors
from reincarnate.benchmark.prior.ancestors import AncestorPrice, declare, total
from reincarnate.benchmark.submission import judge
from reincarnate.benchmark.tasks.task import PINNED
from reincarnate.datasets.hub import bundled
from reincarnate.datasets.hub.reference import KINDS
from reincarnate.datasets.hub.shipped import SHIPPED
from reincarnate.leaderboard import costs, results
from reincarnate.leaderboard.ledger import Ledger
from reincarnate.leaderboard.record import Parent, RunRecord, save
from reincarnate.leaderboard.submission import Source

from ...leaderboard.makers import digest, record, spent, submission

DOCS = Path(__file__).parents[3] / "docs"
UNITS = ("frames", "steps", "updates", "flops", "seconds", "device")


def folder_of(path, one: RunRecord) -> str:
    """Return a teacher's folder: its record, and a ledger that holds."""
    path.mkdir()
    written = Ledger(path / "ledger.jsonl")
    written.write("start", budget={"steps": 1e9}, frame_skip=4)
    save(one.model_copy(update={"ledger": written.digest}), path / "record.json")
    return str(path)


@pytest.fixture
def run():
    """Return a run with students at 100 and at 300 steps."""
    return record("first", points=((100, 10), (300, 30)), task="gym/CartPole-v1")


@pytest.fixture
def teacher(tmp_path, run, monkeypatch):
    """Return the folder of its student at 100 steps, an action of which is 7 FLOPs."""
    monkeypatch.setattr(ancestors, "content", lambda folder: ({}, {"weights": Path(folder).name}))
    monkeypatch.setattr(ancestors, "digest", lambda arrays: digest("first/0"))
    monkeypatch.setattr(ancestors, "action_flops", lambda *_: 7.0)
    return Parent(kind="teacher", reference=folder_of(tmp_path / "teacher", run), digest=digest("first/0"))


def log(folder, teacher: Parent, **more) -> Parent:
    folder.mkdir()
    facts = {"task": "gym/CartPole-v1", "transitions": 40, "parents": [{"reference": teacher.reference}]}
    (folder / "provenance.json").write_text(json.dumps({**facts, **more}))
    (folder / "manifest.json").write_text("{}")
    return Parent(kind="log", reference=str(folder), digest=hashlib.sha256(b"{}").hexdigest())


def test_every_ancestor_counts_once_and_a_log_in_all_units(tmp_path, teacher):
    """1000 steps, on a teacher that took 100, and on a log of 40 that the same teacher played in 2 seconds."""
    made = record("second", teacher, log(tmp_path / "log", teacher, epsilon=0.01, seconds=2.0), points=((1000, 0),))
    found = total(made, made.points[0], "bundled")
    own, above = spent(1000, 0), spent(100, 10)
    assert found.unpriced == ()
    assert found.spent == {
        "steps": own["steps"] + above["steps"] + 40.0,
        "frames": own["frames"] + above["frames"] + 40.0,  # CartPole skips none
        "updates": above["updates"],
        "flops": own["flops"] + above["flops"] + 40 * 7.0,
        "seconds": own["seconds"] + above["seconds"] + 2.0,
        "device": own["device"] + above["device"] + 2.0,  # nobody told: never too little
    }


def test_a_log_alone_brings_the_one_who_played_and_says_its_device_seconds_if_it_knows_them(tmp_path, teacher):
    made = record("second", log(tmp_path / "log", teacher, epsilon=0.0, seconds=2.0, device=0.5), points=((1000, 0),))
    found = total(made, made.points[0], "bundled").spent
    assert found["steps"] == 1140.0 and found["device"] == 5.0 + 0.5 + 0.5


def test_experience_of_a_training_costs_all_of_that_training(tmp_path, teacher, monkeypatch):
    """Whichever of its students gave the log its name, the log has the last transitions of 300 steps."""
    own, above = spent(1000, 0), spent(300, 30)
    for number, student in enumerate((teacher, teacher.model_copy(update={"digest": digest("first/1")}))):
        monkeypatch.setattr(ancestors, "digest", lambda arrays, student=student: student.digest)
        made = record("second", log(tmp_path / f"log{number}", student), points=((1000, 0),))
        found = total(made, made.points[0], "bundled")
        assert found == ({unit: own[unit] + above[unit] for unit in UNITS}, ())


def test_experience_of_a_training_in_the_repository_costs_all_of_it(tmp_path, run, teacher):
    named = teacher.model_copy(update={"reference": "run first at 100 steps"})
    (source,) = ancestors.above([log(tmp_path / "log", named)], {"first": run}, ("bundled",), local=True)
    assert source.spent == {unit: spent(300, 30)[unit] - spent(100, 10)[unit] for unit in UNITS}
    assert source.parents == (digest("first/0"),)


@pytest.mark.parametrize("how", ["incomplete", "without the student"])
def test_experience_of_a_training_whose_end_nobody_knows_is_unpriced(tmp_path, run, teacher, how):
    spoil = {"complete": False} if how == "incomplete" else {"points": run.points[1:]}
    save(run.model_copy(update=spoil), Path(teacher.reference) / "record.json")
    parent = log(tmp_path / "log", teacher)
    sources = {one.kind: one for one in ancestors.above([parent], {}, ("bundled",), local=True)}
    assert sources["log"].spent is None


def test_the_shipped_log_that_an_earlier_student_names_costs_the_whole_training():
    """Asterix's teacher was saved after 3,800,064 of 4,000,000 steps, and the log's episodes are from the end."""
    (ref,) = [one for one in SHIPPED if one.startswith("reincarnate/minatar-asterix-pqn-training-log@")]
    parent = Parent(kind="log", reference=ref, digest=ancestors.log_facts(ref, ("bundled",))[0])
    made = record("a", parent, points=((1000, 0),))
    found = total(made, made.points[0], "bundled")
    assert found.unpriced == () and found.spent["updates"] == 62_464.0
    (priced, teacher) = sorted(ancestors.above([parent], {}, ("bundled",)), key=lambda one: one.kind)
    assert priced.spent and teacher.spent and priced.spent["steps"] + teacher.spent["steps"] == 4_000_000.0


def test_two_students_of_one_training_are_paid_for_once(tmp_path, run, teacher):
    late = Parent(kind="teacher", reference=folder_of(tmp_path / "late", run), digest=digest("first/1"))
    made = record("second", teacher, late, points=((1000, 0),))
    assert total(made, made.points[0], "bundled").spent["steps"] == 1300.0
    one = submission(made, sources=tuple(declare(made, None, ("bundled",), local=True)))
    assert [source.run for source in one.sources] == ["first", "first"]
    held = results.Results(tmp_path, {"second": one}, {}, (), ())
    assert costs.costs(one, costs.family(held)).views["full"]["steps"] == 1300.0


def test_a_student_that_has_learned_nothing_still_has_its_own_cost(teacher):
    made = record("second", teacher, points=((50, 0),))
    copy = made.points[0].model_copy(update={"parameters": teacher.digest})
    made = made.model_copy(update={"points": (copy,)})
    assert total(made, copy, "bundled").spent["steps"] == 150.0


@pytest.mark.parametrize("spoil", ["absent", "{", "[]", "{}", '{"parents": 3}'])
def test_what_cannot_be_read_is_unpriced(teacher, spoil):
    path = Path(teacher.reference) / "record.json"
    if spoil == "absent":
        path.unlink()
    else:
        path.write_text(spoil)
    made = record("second", teacher, points=((1000, 0),))
    found = total(made, made.points[0], "bundled")
    assert found.spent == spent(1000, 0) and found.unpriced == (teacher.reference,)


@pytest.mark.parametrize("line", ["{}", '{"event": "x"}', "[]", "{"])
def test_a_teacher_whose_ledger_does_not_hold_is_unpriced(teacher, line):
    with (Path(teacher.reference) / "ledger.jsonl").open("a") as file:
        file.write(line + "\n")
    made = record("second", teacher, points=((1000, 0),))
    assert total(made, made.points[0], "bundled").unpriced == (teacher.reference,)


def test_a_folder_is_no_parent_for_anybody_else(teacher):
    made = record("second", teacher, points=((1000, 0),))
    (source,) = declare(made, None, ("bundled",))
    assert source.spent is None


OUTSIDE = Parent(kind="log", reference="ann/log@" + 40 * "a", digest=digest("log"))
NOBODY = ancestors.Accepted(frozenset(), {})


def test_a_log_that_nobody_accepted_has_no_price_and_still_brings_who_played_it(run, monkeypatch):
    """By its own word, which may hide a teacher: naming one gains nothing. Students of the repository count as such."""
    told = [{"reference": "ann/old@" + 40 * "b", "digest": digest("old")}, {"reference": "run first at 100 steps"}]
    monkeypatch.setattr(ancestors, "log_facts", lambda *_: ("", {"parents": told}))
    least = {"ann/log": {"steps": 40.0}, "ann/old": {"flops": 1e9}}
    found = {one.digest: one for one in ancestors.above([OUTSIDE], {"first": run}, ("x",), least, registry=NOBODY)}
    assert set(found) == {digest("log"), digest("old")}  # and not the run's own student, which is no outside source
    assert set(found[digest("log")].parents) == {digest("old"), digest("first/0")}
    assert [one.spent for one in found.values()] == [None, None]
    assert found[digest("log")].at_least == {"steps": 40.0} and found[digest("old")].at_least == {"flops": 1e9}


@pytest.mark.parametrize(
    "facts", [{}, {"parents": 3}, {"parents": [3]}, {"parents": [{"reference": 3, "digest": "x"}]}]
)
def test_a_log_that_does_not_say_who_played_it_stands_alone(facts, monkeypatch):
    monkeypatch.setattr(ancestors, "log_facts", lambda *_: ("", facts))
    (one,) = ancestors.above([OUTSIDE], {}, ("x",), registry=NOBODY)
    assert one.digest == digest("log") and one.spent is None and one.parents == ()


def test_no_log_can_name_players_that_stand_for_an_accepted_teacher_or_push_it_out(monkeypatch):
    real = Parent(kind="teacher", reference="lab/old@" + 40 * "c", digest=digest("real"))
    told = [{"reference": f"ann/{n}@" + 40 * "d", "digest": digest(f"{n}")} for n in range(99)]
    told.insert(0, {"reference": "ann/x@" + 40 * "d", "digest": real.digest})
    monkeypatch.setattr(ancestors, "log_facts", lambda *_: ("", {"parents": told}))
    monkeypatch.setattr(ancestors, "price", lambda parent, *_: AncestorPrice(spent(100, 10), "first", ()))
    registry = ancestors.Accepted(frozenset({real.reference}), {})
    for parents in ([real, OUTSIDE], [OUTSIDE, real]):
        found = {one.digest: one for one in ancestors.above(parents, {}, ("x",), registry=registry)}
        assert found[real.digest].reference == real.reference and found[real.digest].spent == spent(100, 10)
        assert len(found) == 2 + ancestors.PLAYERS - 1 and real.digest in found[digest("log")].parents


def test_who_leaves_out_the_player_of_a_log_is_told(monkeypatch):
    source = Source(digest=digest("log"), kind="log", reference="ann/log", parents=(digest("old"),), spent=None)
    alone = source.model_copy(update={"parents": (), "at_least": {"steps": 40.0}})
    monkeypatch.setattr(judge, "declare", lambda *_: [source])
    held = results.Results(Path(), {}, {}, (), ())
    one = submission(record("second", OUTSIDE, points=((1000, 0),)), sources=(alone,))
    assert any("without the teachers that played it" in why for why in judge._declared(one, held, (), ()))


def test_the_list_of_what_ships_is_that_of_the_bundled_folder(monkeypatch):
    monkeypatch.setenv(bundled.BUNDLE, "/nowhere")
    found = {str(one) for kind in KINDS for one in bundled.newest(kind, bundled.OWN)}
    assert found == SHIPPED and {one for pair in PINNED.values() for one in pair if one} <= SHIPPED
    assert ancestors.accepted(results.Results(Path(), {}, {}, (), ())).references == SHIPPED


@pytest.mark.slow
def test_whatever_ships_with_the_package_has_a_price():
    """So that its students can be submitted anywhere, without a bound on what it cost."""
    registry = ancestors.accepted(results.Results(Path(), {}, {}, (), ()))

    def costs_of(parent: Parent) -> list[float]:
        sources = ancestors.above([parent], {}, ("bundled",), registry=registry)
        assert sources and all(one.spent is not None for one in sources), parent.reference
        return [(one.spent or {}).get("flops", 0.0) for one in sources if one.kind == "teacher"]

    for ref in map(str, bundled.newest("model", bundled.OWN)):
        weights = ancestors.content(ancestors.open_pinned(ref, "teacher", ("bundled",)))[1]
        assert min(costs_of(Parent(kind="teacher", reference=ref, digest=weights_digest(weights)))) > 1e9
        wrong = Parent(kind="teacher", reference=ref, digest=digest("other"))
        (other,) = ancestors.above([wrong], {}, ("bundled",), registry=registry)
        assert other.spent is None
    for ref in map(str, bundled.newest("dataset", bundled.OWN)):
        played = costs_of(Parent(kind="log", reference=ref, digest=ancestors.log_facts(ref, ("bundled",))[0]))
        assert played and min(played) > 1e9, ref


def committed(name: str):
    found = results.read(DOCS / name)
    assert found.faults == ()
    return found, costs.family(found)


def test_the_price_of_a_committed_run_by_hand():
    """QDagger on Breakout: itself, its teacher, and 102,194 steps of its log, which took 6.6 s and 339.7 FLOPs each."""
    held, of = committed("results-v1")
    one = next(one for one in held.submissions.values() if one.entry == "qdagger" and "breakout" in one.record.task)
    own, whole = one.record.points[-1].spent, costs.costs(one, of).views["full"]
    teacher = next(source for source in held.prices if source.reference.startswith("reincarnate/minatar-breakout@"))
    assert teacher.spent is not None
    assert whole["flops"] == own["flops"] + teacher.spent["flops"] + 34_720_104_918.0
    assert whole["seconds"] == pytest.approx(own["seconds"] + teacher.spent["seconds"] + 6.6)
    assert whole["frames"] == own["frames"] + teacher.spent["frames"] + 102_194.0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["results", "results-v1"])
def test_cards_and_board_say_the_same_of_all_committed_runs(name):
    """Of every task and every set of parents one run, in all units, to the last digit."""
    held, of = committed(name)
    kinds = {tuple(parent.reference for parent in one.record.parents): one for one in held.submissions.values()}
    compared = 0
    for one in kinds.values():
        board, card = costs.costs(one, of), total(one.record, one.record.points[-1], "bundled")
        outside = {
            source.reference for source in one.sources if source.at_least
        }  # behind a log that is not here either
        assert card.unpriced == board.unpriced or set(board.unpriced) - set(card.unpriced) <= outside, one.record.run
        assert bool(card.unpriced) == bool(board.unpriced) and set(card.unpriced) <= set(board.unpriced)
        if not card.unpriced:  # else the board adds the bounds that a submission stated, which a card does not know
            assert card.spent == board.views["full"], one.record.run
            compared += 1
    assert compared > 20


def test_prices_are_entered_once_and_never_change(tmp_path, monkeypatch):
    reference = f"reincarnate/x@{'a' * 40}"
    known = AncestorPrice({"flops": 5.0}, "r", ())
    monkeypatch.setattr(ancestors, "open_pinned", lambda *_: tmp_path)
    monkeypatch.setattr(ancestors, "content", lambda folder: ({}, {}))
    monkeypatch.setattr(ancestors, "digest", lambda arrays: digest("x"))
    monkeypatch.setattr(ancestors, "price", lambda *_: known)
    (one,) = ancestors.enter({reference: "teacher"}, tmp_path, ("bundled",))
    assert results.read(tmp_path).prices == (one,) and one.spent == {"flops": 5.0} and one.run == "r"
    ancestors.enter({reference: "teacher"}, tmp_path, ("bundled",))
    known = AncestorPrice({"flops": 1.0}, "r", ())
    with pytest.raises(ValueError, match="already has a different price"):
        ancestors.enter({reference: "teacher"}, tmp_path, ("bundled",))
    known = AncestorPrice(None, "", ())
    with pytest.raises(ValueError, match="cannot be traced"):
        ancestors.enter({reference: "teacher"}, tmp_path, ("bundled",))
    assert results.read(tmp_path).prices == (one,)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"digest": "a"}]', "{}", "[[]]"])
def test_prices_that_cannot_be_read_are_named_and_do_not_stop_the_board(tmp_path, text):
    (tmp_path / "prices.json").write_text(text)
    found = results.read(tmp_path)
    assert found.prices == () and found.faults[0].startswith("prices.json")
