"""What cannot be submitted is a sentence, and leaves no folder behind."""

import pytest

from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.leaderboard.ledger import Ledger
from reincarnate.leaderboard.record import save
from reincarnate.leaderboard.results import Results
from reincarnate.leaderboard.submission import Verdict

from ...leaderboard.makers import record


@pytest.fixture
def run(tmp_path):
    """Return the folder of a finished run without students, which are not written here."""
    folder = tmp_path / "run"
    folder.mkdir()
    Ledger(folder / "ledger.jsonl").write("start")
    save(record("abc"), folder / "record.json")
    return folder


@pytest.fixture
def make(run, tmp_path, monkeypatch):
    """Return what prepares the run; students are empty folders, and every verdict is the same."""
    monkeypatch.setattr(submit, "_student_folder", lambda run, one, folder, *_: folder.mkdir(parents=True))
    monkeypatch.setattr(submit, "judge", lambda *_, **__: Verdict(run="abc", state="re-scored"))
    known = Results(tmp_path, {}, {}, (), ())
    return lambda **offer: prepare([run], tmp_path / "out", known, Offer(**{"author": "ann", **offer}))


def test_a_run_is_written_and_judged(make, tmp_path):
    plan = make(entry="mine", about="A sentence.")
    assert (plan.folder, plan.runs[0].entry, plan.verdicts[0].state) == (tmp_path / "out", "mine", "re-scored")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"results", "students"}
    assert {path.name for path in tmp_path.iterdir()} == {"run", "out"}


@pytest.mark.parametrize(
    "offer, says",
    [
        ({"entry": "my entry"}, "entry: it must be letters, digits, single dots and dashes, at most 96$"),
        ({"about": "a\tb"}, "about: it has a character that cannot be printed$"),
        ({"author": "../ann"}, "author: it must be letters"),
    ],
)
def test_what_an_author_may_not_say_is_a_sentence(make, run, tmp_path, offer, says):
    with pytest.raises(ValueError, match=says) as caught:
        make(**offer)
    assert str(caught.value).startswith(f"{run} cannot be submitted like this: ") and "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_tuning_run_with_an_odd_name_is_a_sentence(make, tmp_path):
    (tmp_path / "run" / "tuning").mkdir()
    save(record("a b"), tmp_path / "run" / "tuning" / "record.json")
    with pytest.raises(ValueError, match="tuning: run: it must be letters") as caught:
        make(tuning=(tmp_path / "run" / "tuning",))
    assert "\n" not in str(caught.value)


def test_a_damaged_ledger_leaves_no_folder_behind(make, run, tmp_path):
    before = (run / "ledger.jsonl").read_bytes()
    (run / "ledger.jsonl").write_bytes(before + b'{"x')
    with pytest.raises(ValueError, match="line 2 is not a ledger line"):
        make()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    (run / "ledger.jsonl").write_bytes(before)
    assert make().folder == tmp_path / "out"


def test_a_check_that_fails_leaves_no_folder_behind(make, tmp_path, monkeypatch):
    def failing(*_, **__):
        raise OSError("the hub does not answer")

    monkeypatch.setattr(submit, "judge", failing)
    with pytest.raises(OSError, match="does not answer"):
        make()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
