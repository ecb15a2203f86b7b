"""Tables fit the terminal by leaving out whole columns; a cell is never cut, and a record never takes two lines."""

import pytest

from reincarnate.benchmark import tables
from reincarnate.benchmark.tables import Column, scores, text

COLUMNS = (Column("#", right=True), Column("entry"), Column("author", rank=1), Column("cost", right=True, rank=2))
ROWS = [("1", "a-very-long-name-of-a-method", "ann", "1.5T"), ("22", "dqn", "bob", "300G")]


def test_everything_is_shown_where_there_is_room():
    assert text(COLUMNS, ROWS, tables.WIDE, "suite", "caption") == "\n".join([
        "suite",
        " #  entry                         author  cost",
        " 1  a-very-long-name-of-a-method  ann     1.5T",
        "22  dqn                           bob     300G",
        "",
        "caption",
    ])  # fmt: skip


@pytest.mark.parametrize("width", [46, 45, 40, 39, 32, 20, 1])
def test_columns_go_by_their_rank_and_names_are_never_cut(width):
    head, *lines = text(COLUMNS, ROWS, width).splitlines()
    assert len(lines) == 2 and lines[0].split()[1] == "a-very-long-name-of-a-method"
    assert ("author" in head, "cost" in head) == (width >= 40, width >= 46)
    assert max(map(len, (head, *lines))) <= max(width, 32)


def test_what_all_rows_have_in_common_goes_below_first():
    rows = [(*row[:2], "ann", row[3]) for row in ROWS]
    shown = text(COLUMNS, rows, 40)
    assert "cost" in shown.splitlines()[0] and shown.endswith("\n\nin every row: author ann")


def test_scores_lose_their_intervals_before_anything_is_folded():
    columns = (Column("entry"), Column("runs", True, 1), Column("10k", True), Column("100k", True))
    rows = [("kickstarting-early", "15", "0.25 [0.24, 0.28]", "0.17 [0.15, 0.18]")]
    assert scores(columns, rows, 62).splitlines()[1] == "kickstarting-early    15  0.25 [0.24, 0.28]  0.17 [0.15, 0.18]"
    assert scores(columns, rows, 58).splitlines()[1] == "kickstarting-early  0.25 [0.24, 0.28]  0.17 [0.15, 0.18]"
    assert scores(columns, rows, 50).splitlines()[1] == "kickstarting-early    15  0.25  0.17 [0.15, 0.18]"


def test_a_strangers_name_moves_no_cursor_and_breaks_no_line():
    (line,) = text((Column("name"), Column("claim")), [("a\x1b[31m\nb", "1")], 80).splitlines()[1:]
    assert line == "a [31m b  1"


def test_wide_letters_are_counted_as_they_are_shown():
    shown = text((Column("name"), Column("n")), [("\u4e2d\u6587", "1"), ("abcd", "2")], 80)
    assert shown.splitlines()[1:] == ["\u4e2d\u6587  1", "abcd  2"]


def test_a_pipe_has_no_width_unless_one_is_asked_for(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: False, raising=False)
    assert tables.room() == tables.WIDE
    monkeypatch.setenv("COLUMNS", "80")
    assert tables.room() == 80
    monkeypatch.setenv("COLUMNS", "many")
    assert tables.room() == tables.WIDE
