"""The static site as files: complete, replaced in one step, and safe whatever people call their things."""

import csv
import json
import re

import pytest
import yaml
from pyarrow import parquet

from reincarnate.leaderboard import exports
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.site import build

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
    with pytest.raises(ValueError, match="is no leaderboard"):
        build(tmp_path / "repo", tmp_path / "thesis")


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
    """Addresses of other hosts are only in links that a person may follow."""
    fill(tmp_path / "repo", 2, 1, 2)
    build(tmp_path / "repo", tmp_path / "site", hub="https://hub.example")
    for path in (tmp_path / "site").rglob("*"):
        if path.suffix in (".html", ".js", ".css"):
            found = re.findall(r"https?://(?!www\.w3\.org/2000/svg)[\w.]+", path.read_text())
            assert set(found) <= {"https://hub.example"}, path


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
