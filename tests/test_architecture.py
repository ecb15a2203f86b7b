"""The picture of the architecture is what the imports draw, and the page lists every part."""

from .architecture import FILE, parts, picture, reduced, rows
from .test_layers import ROOT


def test_the_picture_is_current():
    assert FILE.read_text() == picture(), "draw it again: python -m tests.architecture"


def test_the_page_names_every_part():
    page = (ROOT / "docs" / "architecture.md").read_text()
    assert [part for part in parts() if f"`{part}`" not in page] == []
    assert page.count("\n") <= 60


def test_arrows_that_follow_from_others_are_left_out():
    asked = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    assert reduced(asked) == {"a": {"b"}, "b": {"c"}, "c": set()}
    found = {f"benchmark/{part}": {f"benchmark/{one}" for one in to} for part, to in asked.items()}
    assert rows(found) == [["benchmark/c"], ["benchmark/b"], ["benchmark/a"]]
