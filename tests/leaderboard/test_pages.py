"""The site in a real browser: sorting, filtering, switching, following a lineage, keys, phone, dark; no faults."""

import json

import pytest

from reincarnate.leaderboard.results import verdict_path
from reincarnate.leaderboard.site import build

from .browser import CHROMIUM, Browser
from .makers import fill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine: install it (apt-get install chromium)"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    fill(folder / "repo", 30, 2, 3)
    path = folder / "repo" / verdict_path("user1", "r1-0-0")  # trained again, and its student is gone since
    told = {**json.loads(path.read_text()), "state": "re-trained", "retrained": [5.0], "gone": "2026-12-01T00:00:00Z"}
    path.write_text(json.dumps(told))
    build(folder / "repo", folder / "site")
    return folder / "site"


@pytest.fixture
def page(site):
    browser = Browser()
    browser.open(f"file://{site}/index.html")
    browser.wait("document.querySelectorAll('#curves path.curve').length > 0")
    yield browser
    faults, asked = browser.faults, browser.asked
    browser.close()
    assert faults == []
    assert [address for address in asked if not address.startswith(("file://", "data:"))] == []


def column(page, key: str) -> list[str]:
    """What a column of the table says, from top to bottom."""
    place = f"[...document.querySelectorAll('#rows thead button')].findIndex(b => b.dataset.key === '{key}') + 1"
    return page.js(f"[...document.querySelectorAll('#rows tbody tr')].map(r => r.cells[{place}].textContent)")


def choose(page, select: str, value: str) -> None:
    page.js(
        f"(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('change')); }})(document.getElementById('{select}'))"
    )


def test_sorting_by_click_and_by_key(page):
    scores = [float(text.split()[0]) for text in column(page, "score")]
    assert scores == sorted(scores, reverse=True) and len(scores) == 25
    page.js("document.querySelector('[data-key=score]').click()")
    assert [float(text.split()[0]) for text in column(page, "score")] == sorted(
        float(text.split()[0]) for text in column(page, "score")
    )
    page.js("document.querySelector('[data-key=author]').focus()")
    page.press("Enter", 13, "\r")
    authors = column(page, "author")
    assert authors == sorted(authors)
    assert page.js("document.activeElement.dataset.key") == "author"  # the focus is kept
    assert page.js("document.querySelector('th[aria-sort=ascending]').textContent") == "Author"
    page.js("document.querySelector('#pager button:last-child').click()")
    assert len(column(page, "author")) == 5


def test_filtering(page):
    page.js("(f => { f.value = 'user3'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    assert set(column(page, "author")) == {"user3"}
    choose(page, "state", "promoted")
    assert set(column(page, "state")) <= {"promoted"}
    page.js("(f => { f.value = 'nobody'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    assert column(page, "author") == [] and "Nothing fits" in page.js("document.getElementById('pager').textContent")
    assert "filter=nobody" in page.js("location.search")  # the view can be shared


def test_switching_suite_task_axis_and_budget(page):
    before = column(page, "own")
    choose(page, "axis", "flops")
    assert column(page, "own") != before
    assert page.js("document.querySelector('#curves svg').getAttribute('aria-label')") == "score against FLOPs"
    at_the_end = column(page, "score")
    choose(page, "level", "0")
    assert column(page, "score") != at_the_end
    choose(page, "task", "minatar/game1")
    assert page.js("[...document.querySelectorAll('thead button')].map(b => b.textContent)")[3] == "Score (mean)"
    assert page.js("document.getElementById('front-task').value") == "minatar/game1"


def test_curves_and_profiles_answer_to_the_pointer_and_to_keys(page):
    for chart in ("#curves", "#profiles"):
        page.js(f"document.querySelector('{chart}').scrollIntoView()")
        box = page.js(
            f"(r => [r.x, r.y, r.width, r.height])(document.querySelector('{chart} svg').getBoundingClientRect())"
        )
        page.point(box[0] + box[2] * 0.9, box[1] + box[3] * 0.5)
        page.wait(f"!document.querySelector('{chart} .tip').hidden")
        first = page.js(f"document.querySelector('{chart} .tip').textContent")
        assert first.count("[") == 8  # eight entries with their intervals
        page.js(f"document.querySelector('{chart} svg').focus()")
        for _ in range(12):
            page.press("ArrowLeft", 37)
        assert page.js(f"document.querySelector('{chart} .tip').textContent") != first


def test_the_front_over_time(page):
    whole = page.js("document.querySelectorAll('#front circle').length")
    slider = "document.getElementById('front-time')"
    page.js(f"{slider}.value = 5; {slider}.dispatchEvent(new Event('input'))")
    assert page.js("document.querySelectorAll('#front circle').length") == 5 < whole
    assert page.js("document.getElementById('front-when').textContent").startswith("5 of 30")


def test_following_a_lineage(page):
    taught = page.js("Object.keys(BOARD.lineage).find(id => BOARD.lineage[id].parents.length)")
    page.js(f"tree('{taught}')")
    assert page.js("document.querySelectorAll('#tree a[data-node]').length") == 2
    page.js("document.querySelector('#tree a.edge').focus()")
    page.press("Enter", 13, "\r")
    assert "which cost" in page.js("document.getElementById('edge').textContent")
    parent = page.js("document.activeElement.dataset.node")
    assert parent == page.js(f"BOARD.lineage['{taught}'].parents[0]")
    page.press("Enter", 13, "\r")  # and on to the parent's own lineage
    assert page.js("document.getElementById('lineage-run').value") == parent


def test_the_page_of_an_entry(page):
    page.open(page.js("document.querySelector('#rows tbody a').href"))
    page.wait("document.querySelectorAll('#curves path.curve').length === 1")
    assert page.js("document.querySelectorAll('#runs tbody tr').length") == 6
    assert page.js("document.querySelector('#reports pre').textContent") == "reincarnate run"
    assert "FLOPs" in page.js("document.getElementById('facts').textContent")


def test_whose_word_a_cost_is_and_whose_student_is_gone(page):
    page.js("(f => { f.value = 'user1'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    entry = "document.querySelector('#rows tbody tr[data-id^=\"user1~entry1~\"]')"
    own = dict(zip(column(page, "entry"), column(page, "own"), strict=True))
    assert {name.split()[0] for name, told in own.items() if "checked 1/6" in told} == {"entry1"}
    assert all("self-reported" in told for name, told in own.items() if name.split()[0] != "entry1")
    assert "1 student gone" in page.js(f"{entry}.textContent")
    page.open(page.js(f"{entry}.querySelector('a').href"))
    page.wait("document.querySelectorAll('#curves path.curve').length === 1")
    assert "cost checked by re-training (1 of 6 runs)" in page.js("document.getElementById('facts').textContent")
    assert "not on the hub any more: the students of r1-0-0" in page.js("document.getElementById('about').textContent")
    assert "since 2026-12-01" in page.js("document.getElementById('report-r1-0-0').textContent")


def test_phone_and_dark(page):
    page.phone()
    page.dark()
    assert page.js("document.documentElement.scrollWidth") <= 390
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 28)"
    page.js("document.getElementById('theme').click()")
    assert page.js("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_an_empty_board_says_so(page, tmp_path):
    (tmp_path / "repo").mkdir()
    build(tmp_path / "repo", tmp_path / "site")
    page.open(f"file://{tmp_path}/site/index.html")
    assert "No entry yet" in page.js("document.getElementById('pager').textContent")
