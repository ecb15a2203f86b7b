"""The static site as files: complete, replaced in one step, and safe whatever names people use."""

import csv
import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from dulwich import porcelain
from pyarrow import parquet

from reincarnate.leaderboard import exports
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.site import Around, build

from .makers import fill, judge, put, record, submission


@pytest.mark.parametrize("runs", [0, 1])
def test_empty_and_one_entry(tmp_path, runs):
    (tmp_path / "repo").mkdir()
    for number in range(runs):
        put(tmp_path / "repo", submission(record(f"r{number}")))
    build(tmp_path / "repo", tmp_path / "site")
    assert len(list((tmp_path / "site" / "entries").glob("*.html"))) == runs
    assert (tmp_path / "site" / "exports" / "index.html").is_file()
    text = (tmp_path / "site" / "data" / "board.js").read_text()
    assert len(json.loads(text.removeprefix("window.BOARD = ").removesuffix(";\n"))["entries"]) == runs


def test_the_old_site_is_replaced_and_nothing_else_ever_is(tmp_path):
    fill(tmp_path / "repo", 2, 1, 2)
    build(tmp_path / "repo", tmp_path / "site")
    (tmp_path / "site" / "entries" / "stale.html").write_text("old")
    build(tmp_path / "repo", tmp_path / "site")
    assert not (tmp_path / "site" / "entries" / "stale.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repo", "site"]
    (tmp_path / "thesis").mkdir()
    with pytest.raises(ValueError, match="is not a leaderboard"):
        build(tmp_path / "repo", tmp_path / "thesis")


def test_the_old_site_stays_if_the_new_one_cannot_take_its_place(tmp_path, monkeypatch):
    fill(tmp_path / "repo", 2, 1, 2)
    build(tmp_path / "repo", tmp_path / "site")
    (tmp_path / "site" / "mine.txt").write_text("old")
    rename = Path.rename

    def failing(path, to):
        if path.name.endswith(".partial"):
            raise OSError(39, "Directory not empty")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="not empty"):
        build(tmp_path / "repo", tmp_path / "site")
    assert (tmp_path / "site" / "mine.txt").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repo", "site"]


def test_two_builds_at_once_do_not_write_to_one_folder(tmp_path, monkeypatch):
    """The second build begins and ends while the first one writes."""
    fill(tmp_path / "repo", 2, 1, 2)
    build(tmp_path / "repo", tmp_path / "site")
    write, began = exports.write, []

    def interrupted(*given):
        if not began:
            began.append(True)
            build(tmp_path / "repo", tmp_path / "site")
        return write(*given)

    monkeypatch.setattr(exports, "write", interrupted)
    build(tmp_path / "repo", tmp_path / "site")
    assert (tmp_path / "site" / "exports" / "index.html").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["repo", "site"]


def test_names_cannot_leave_their_place(tmp_path):
    evil = '</script><img src=x onerror="alert(1)">'
    one = submission(record("a", command=evil, settings={evil: evil}), entry="fine", about=evil)
    put(tmp_path / "repo", one)
    judge(tmp_path / "repo", one, reasons=(evil,))
    build(tmp_path / "repo", tmp_path / "site")
    for path in (tmp_path / "site").rglob("*"):
        if path.suffix in (".html", ".js"):
            assert "<img" not in path.read_text(), path
    for name in ("../up", "a/b", "", "-x", "a~b", "a" * 200):
        with pytest.raises(ValueError):
            submission(record("a"), author=name or " ")
        with pytest.raises(ValueError):
            submission(record(name), author="ann")


def test_pages_ask_nobody_else(tmp_path):
    """Only links for people to follow have addresses of other hosts."""
    fill(tmp_path / "repo", 2, 1, 2)
    student = read(tmp_path / "repo").submissions["r0-0-0"].student
    around = Around(published={student: {"replay.mp4": "https://hub.example/replay.mp4"}})
    build(tmp_path / "repo", tmp_path / "site", around=around)
    told = set()
    for path in (tmp_path / "site").rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            text = re.sub(r"^// https?://\S+ v[\d.]+ Copyright.*", "", path.read_text())  # what D3 says of itself
            told |= set(re.findall(r"https?://(?!www\.w3\.org/)[\w.]+", text))
    assert told == {"https://hub.example"}


def test_the_rules_come_with_it(tmp_path):
    fill(tmp_path / "repo", 1, 1, 1)
    build(tmp_path / "repo", tmp_path / "site")
    assert "What a reviewer checks" in (tmp_path / "site" / "rules.txt").read_text(encoding="utf-8")
    assert 'href="rules.txt"' in (tmp_path / "site" / "index.html").read_text()


def test_libraries_come_with_their_licences(tmp_path):
    (tmp_path / "repo").mkdir()
    build(tmp_path / "repo", tmp_path / "site")
    for name in ("LICENSE-d3.txt", "LICENSE-plot.txt"):
        assert "Permission to use, copy, modify" in (tmp_path / "site" / "vendor" / name).read_text()


def test_a_board_says_when_it_was_built_and_from_which_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764374400")
    fill(tmp_path / "plain", 1, 1, 1)
    about = build(tmp_path / "plain", tmp_path / "site")["about"]
    assert (about["built"], about["commit"], about["at"]) == ("2025-11-29", "", "reincarnate/results")
    (tmp_path / ("a" * 40)).mkdir()
    assert build(tmp_path / ("a" * 40), tmp_path / "site")["about"]["commit"] == "a" * 40
    repository = porcelain.init(tmp_path / "git")
    fill(tmp_path / "git" / "results", 1, 1, 1)
    porcelain.add(repository, paths=[str(path) for path in (tmp_path / "git").rglob("*.json")])
    commit = porcelain.commit(repository, message=b"results", author=b"a <a@b>", committer=b"a <a@b>").decode()
    assert build(tmp_path / "git" / "results", tmp_path / "site")["about"]["commit"] == commit


def test_only_files_that_somebody_can_get_are_linked(tmp_path):
    fill(tmp_path / "repo", 1, 1, 2)
    first, second = (read(tmp_path / "repo").submissions[f"r0-0-{seed}"].student for seed in (0, 1))
    (tmp_path / "student").mkdir()
    (tmp_path / "student" / "policy.safetensors").write_bytes(b"weights")
    build(tmp_path / "repo", tmp_path / "site", around=Around(students={first: tmp_path / "student"}))
    script = (tmp_path / "site" / "entries" / "user0~entry0~fixed.js").read_text()
    runs = {run["student"]: run for run in json.loads(script.partition(", ")[2].removesuffix(");\n"))["runs"]}
    assert list(runs[first]["files"]) == ["policy.safetensors"] and runs[second]["files"] == {}
    address = unquote(runs[first]["files"]["policy.safetensors"])
    assert (tmp_path / "site" / "entries" / address).resolve().read_bytes() == b"weights"


def test_exports_say_what_the_board_says(tmp_path):
    """Read back with another library's reader: the table of a suite, and every evaluation of every run."""
    fill(tmp_path / "repo", 3, 2, 2)
    made = build(tmp_path / "repo", tmp_path / "site")
    table = parquet.read_table(tmp_path / "site" / "exports" / "games.parquet").to_pylist()
    assert table == exports.rows(made, "games") and [row["rank"] for row in table] == [1, 2, 3]
    each = parquet.read_table(tmp_path / "site" / "exports" / "runs.parquet").to_pylist()
    assert each == exports.runs(read(tmp_path / "repo")) and len(each) == 3 * 2 * 2 * 5
    assert len(each[0]["returns"]) == each[0]["episodes"] == 10 and each[-1]["device"] > 0
    with open(tmp_path / "site" / "exports" / "games.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["score"]) for row in rows] == [row["score"] for row in table]
    told = yaml.safe_load((tmp_path / "site" / "exports" / "eval_results" / "user0~entry0~fixed.yaml").read_text())
    assert told[0]["dataset"]["task_id"] == "games-v1" and told[0]["value"] in [row["score"] for row in table]
