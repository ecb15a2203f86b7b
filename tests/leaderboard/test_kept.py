"""What a build keeps for the next one: the same site, whatever is kept, and nothing taken from a damaged file."""

import hashlib
import os
import pickle
import sqlite3
import time
from pathlib import Path

import pytest

from reincarnate.leaderboard import bootstrap, kept, submission, unchanged
from reincarnate.leaderboard.kept import Kept
from reincarnate.leaderboard.results import paths
from reincarnate.leaderboard.site import build

from .makers import fill, judge, put, record
from .makers import submission as handed_in


@pytest.fixture
def places(tmp_path, monkeypatch) -> tuple[Path, Path, Path]:
    """Return a repository, and where a site and what is kept belong."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    fill(tmp_path / "repo", 6, 2, 2)
    put(tmp_path / "repo", handed_in(record("alone", task="minatar/game0"), entry="alone"))
    return tmp_path / "repo", tmp_path / "site", tmp_path / "kept.sqlite"


def made(repository: Path, site: Path, file: Path | None) -> dict[str, bytes]:
    """Build a site, and return its files."""
    store = Kept(file)
    build(repository, site, kept=store)
    store.close()
    return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}


def test_a_site_is_the_same_with_and_without_what_is_kept(places):
    repository, site, file = places
    plain = made(repository, site, None)
    assert made(repository, site, file) == plain  # all is new
    assert made(repository, site, file) == plain  # all is known


def test_only_what_is_new_is_computed(places, monkeypatch):
    repository, site, file = places
    made(repository, site, file)
    parsed, resampled = [], []
    parse, estimates = submission.parse, bootstrap.estimates_of
    monkeypatch.setattr(submission, "parse", lambda *given: parsed.append(given[2]) or parse(*given))
    monkeypatch.setattr(bootstrap, "estimates_of", lambda *given: resampled.append(1) or estimates(*given))
    made(repository, site, file)
    assert parsed == resampled == []
    points = [(share * 1000, 100 + share * 4000) for share in range(5)]
    facts = {"task": "minatar/game1", "points": points, "returns": [(1.0, 2.0)] * 5}
    for seed in range(2):
        put(repository, handed_in(record(f"new{seed}", seed=seed, **facts), entry="new"))
    found = made(repository, site, file)
    assert sorted(Path(path).name for path in parsed) == ["new0.json", "new0.json", "new1.json", "new1.json"]
    assert len(resampled) == 1  # of the new entry
    assert found == made(repository, site, None)


def test_what_changes_a_number_changes_it_on_the_page(places):
    """A verdict, a suite's anchor, a revoked ancestor and a new extreme of the grid."""
    repository, site, file = places
    made(repository, site, file)
    known = handed_in(record("alone", task="minatar/game0"), entry="alone")
    far = record("far", task="minatar/game0", points=[(0, 0), (90_000, 90_000)])
    suite = repository / "suites" / "games.json"
    for change in (
        lambda: judge(repository, known, state="revoked"),
        lambda: put(repository, handed_in(far, entry="far")),
        lambda: suite.write_text(suite.read_text().replace('"teacher":10.0', '"teacher":20.0')),
    ):
        before = made(repository, site, file)
        change()
        after = made(repository, site, file)
        assert after != before and after == made(repository, site, None)


@pytest.mark.parametrize("how", ["not a database", "cut off", "flipped bits", "a folder"])
def test_a_damaged_file_is_made_again(places, how):
    repository, site, file = places
    plain = made(repository, site, file)
    data = file.read_bytes()
    if how == "not a database":
        file.write_bytes(b"these are no values" * 1000)
    elif how == "cut off":
        file.write_bytes(data[: len(data) // 2])
    elif how == "flipped bits":
        file.write_bytes(data[:4096] + bytes(byte ^ (number % 997 == 0) for number, byte in enumerate(data[4096:])))
    else:
        file.unlink()
        file.mkdir()
    assert made(repository, site, file) == plain
    assert made(repository, site, file) == plain


def test_a_forged_value_is_not_run(places):
    """Even with the right digest, a pickle that names anything else than a record's models is refused."""
    repository, site, file = places
    plain = made(repository, site, file)
    trap = site.parent / "trap"

    class Evil:
        def __reduce__(self):
            return Path.touch, (trap,)

    forged = pickle.dumps(Evil())
    with sqlite3.connect(file) as store:
        for (key,) in store.execute("SELECT key FROM kept").fetchall():
            store.execute("UPDATE kept SET value = ? WHERE key = ?", (kept._digest(key, forged) + forged, key))
    assert made(repository, site, file) == plain
    assert not trap.exists()


def test_what_no_build_uses_is_dropped(places, monkeypatch):
    repository, site, file = places
    made(repository, site, file)
    put(repository, handed_in(record("later"), entry="later"))
    monkeypatch.setattr(kept.time, "time", lambda: 4e9)  # years later
    made(repository, site, file)
    with sqlite3.connect(file) as store:
        assert {day for (day,) in store.execute("SELECT day FROM kept")} == {int(4e9 // 86_400)}


def test_unchanged_files_are_not_read(places, monkeypatch):
    """A change is noticed even if it leaves a file's size and date as they were."""
    repository, site, file = places
    monkeypatch.setattr(unchanged, "COARSE", -(10**12))  # as if the files were old
    made(repository, site, file)
    read, data_of = [], submission.data_of
    monkeypatch.setattr(submission, "data_of", lambda path: read.append(path) or data_of(path))
    plain = made(repository, site, file)
    assert read == []
    path = next((repository / "results").glob("*/alone.json"))
    before = path.stat()
    path.write_text(path.read_text().replace('"entry":"alone"', '"entry":"stone"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    changed = made(repository, site, file)
    assert read == [path] and changed != plain and changed == made(repository, site, None)


def test_files_of_the_last_moment_are_read_again(places, monkeypatch):
    """A file that is written while a build reads it may keep its times, since the clock is coarse."""
    repository, site, file = places
    now = time.time_ns()
    monkeypatch.setattr(unchanged, "_stamp", lambda path: (1, 1, now, now))
    plain = made(repository, site, file)
    path = next((repository / "results").glob("*/alone.json"))
    path.write_text(path.read_text().replace('"entry":"alone"', '"entry":"stone"'))
    changed = made(repository, site, file)
    assert changed != plain and changed == made(repository, site, None)


def test_a_verdict_that_no_longer_counts_counts_nowhere(places):
    """Its run was edited since; what was kept of the run with that verdict is not used."""
    repository, site, file = places
    known = handed_in(record("sealed", task="minatar/game0"), entry="sealed")
    ledger = repository / paths(known.author, "sealed")[1]
    put(repository, known)
    ledger.write_text("{}\n")
    judge(repository, known, seals={paths(known.author, "sealed")[1]: hashlib.sha256(b"{}\n").hexdigest()})
    before = made(repository, site, file)
    ledger.write_text("{} \n")
    after = made(repository, site, file)
    assert after != before and after == made(repository, site, None)
    rows = [row for row in after["exports/runs.csv"].decode().splitlines() if row.startswith("sealed,")]
    assert rows and all(",0," in row for row in rows)  # no episodes of a maintainer
