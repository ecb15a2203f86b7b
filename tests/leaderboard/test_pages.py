"""The site in a real browser: sorting, filtering, switching, following a lineage, keys, phone, dark; no faults."""

import json

import pytest

from reincarnate.leaderboard.results import verdict_path
from reincarnate.leaderboard.site import build

from .browser import Browser, needs_chromium
from .makers import fill

pytestmark = [pytest.mark.slow, needs_chromium]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("board")
    fill(folder / "repo", 45, 2, 3)
    path = folder / "repo" / verdict_path("user1", "r1-0-0")  # trained again, and its student is gone since
    told = {**json.loads(path.read_text()), "state": "re-trained", "retrained": [5.0], "gone": "2026-12-01T00:00:00Z"}
    path.write_text(json.dumps(told))
    build(folder / "repo", folder / "site")
    return folder / "site"


@pytest.fixture
def page(site):
    browser = Browser(1400)
    browser.open(f"file://{site}/index.html")
    browser.wait("document.querySelectorAll('#curves .curve path').length > 0")
    yield browser
    faults, asked = browser.faults, browser.asked
    browser.close()
    assert faults == []
    assert [address for address in asked if not address.startswith(("file://", "data:"))] == []


def column(page, key: str) -> list[str]:
    """Return what a column of the table says, from top to bottom."""
    place = f"[...document.querySelectorAll('#rows thead button')].findIndex(b => b.dataset.key === '{key}') + 1"
    return page.js(f"[...document.querySelectorAll('#rows tbody tr')].map(r => r.cells[{place}].textContent)")


def choose(page, select: str, value: str) -> None:
    page.js(
        f"(s => {{ s.value = '{value}'; s.dispatchEvent(new Event('change')); }})(document.getElementById('{select}'))"
    )


def test_sorting_by_click_and_by_key(page):
    scores = [float(text.split("[")[0]) for text in column(page, "score")]
    assert scores == sorted(scores, reverse=True) and len(scores) == 40
    page.js("document.querySelector('[data-key=score]').click()")
    scores = [float(text.split("[")[0]) for text in column(page, "score")]
    assert scores == sorted(scores)
    page.js("document.querySelector('[data-key=area]').click()")
    areas = [float(text) for text in column(page, "area")]
    assert areas == sorted(areas, reverse=True)
    page.js("document.querySelector('[data-key=author]').focus()")
    page.press("Enter", 13, "\r")
    authors = column(page, "author")
    assert authors == sorted(authors)
    assert page.js("document.activeElement.dataset.key") == "author"  # the focus is kept
    assert page.js("document.querySelector('th[aria-sort=ascending]').textContent") == "Author"
    page.js("document.querySelector('#pager button:last-child').click()")
    assert len(column(page, "author")) == 5


def test_filtering(page):
    page.js("document.getElementById('more').click()")  # also columns that say the same in every row
    page.js("(f => { f.value = 'user3'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    assert set(column(page, "author")) == {"user3"}
    choose(page, "state", "promoted")
    assert set(column(page, "state")) <= {"promoted"}
    page.js("(f => { f.value = 'nobody'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    assert column(page, "author") == [] and "Nothing fits" in page.js("document.getElementById('pager').textContent")
    assert "filter=nobody" in page.js("location.search")  # the view can be shared


def test_switching_suite_task_axis_and_budget(page):
    before = column(page, "own")
    choose(page, "unit", "frames")
    assert column(page, "own") != before and "frames" in heads(page)[-2]
    choose(page, "axis", "flops")
    assert page.js("document.querySelector('#curves svg').getAttribute('aria-label')") == "score against FLOPs"
    assert column(page, "b0") != column(page, "b3") != column(page, "score")
    choose(page, "task", "minatar/game1")
    assert "Score (mean)" in heads(page)
    assert page.js("document.getElementById('front-task').value") == "minatar/game1"
    assert page.js("document.querySelectorAll('#intervals circle').length") == 45 + 1  # and the ring that marks one


def heads(page) -> list[str]:
    return page.js("[...document.querySelectorAll('#rows thead button')].map(b => b.textContent)")


def test_it_opens_on_the_largest_suite_with_budgets_as_columns(page):
    assert page.js("document.getElementById('suite').value") == "games"
    assert page.js("document.getElementById('baseline').value").endswith("~entry0~fixed")  # dqn, and the first of them
    assert heads(page)[3:8] == ["0", "1.6k", "4k", "8k", "End"]
    assert page.js("document.getElementById('about').textContent").count("Built on 20") == 1
    page.js("document.getElementById('more').click()")
    assert {"Improvement", "Median", "Optimality gap"} <= {*heads(page)}


def test_every_column_says_what_it_is(page):
    page.js("document.getElementById('more').click()")
    page.call("Emulation.setFocusEmulationEnabled", enabled=True)
    keys = page.js("[...document.querySelectorAll('#rows thead button')].map(b => b.dataset.key)")
    for key in keys:
        page.js(f"document.querySelector('#rows [data-key={key}]').focus()")
        told = page.js("document.getElementById('bubble').hidden || document.getElementById('bubble').textContent")
        assert isinstance(told, str) and len(told) > 15, key


def test_the_baseline_is_always_drawn(page):
    base = page.js("label(document.getElementById('baseline').value)")
    page.js("document.querySelector('[data-key=score]').click()")
    for _ in range(2):
        names = page.js("[...document.querySelectorAll('#curves svg text')].map(t => t.textContent)")
        assert base in names
        page.js("document.querySelector('[data-key=score]').click()")


def test_a_table_of_tasks_and_a_front_with_names(page):
    assert page.js("document.querySelectorAll('#heat tbody tr').length") == 45
    assert page.js("document.querySelectorAll('#heat tbody td').length") == 45 * 2
    first = page.js("document.querySelector('#heat tbody a').textContent")
    assert first == page.js("document.querySelector('#rows tbody a').textContent")
    assert page.js("[...document.querySelectorAll('#front svg g text')].some(t => t.textContent.includes('entry'))")
    assert page.js("document.getElementById('front-until').hidden")


def test_entries_are_coloured_by_what_is_transferred(page):
    for host in ("intervals", "front"):
        words = page.js(f"document.querySelector('#{host} .legend').textContent")
        assert words.startswith("what is transferred:") and "nothing" in words, host
        kinds = page.js("[...new Set(BOARD.entries.map(e => e.transfers))]")
        names = {"weights": "the teacher's weights", "labels": "the teacher's answers", "log": "a log alone"}
        assert all(names.get(kind, kind) in words for kind in kinds)


def test_commands_are_copied(page):
    page.js("document.getElementById('part').open = true")
    page.js("document.querySelector('#part .copy').click()")
    page.wait("document.querySelector('#part .copy').textContent !== 'Copy'")
    said = page.js("document.querySelector('#part .copy').textContent + '|' + getSelection()")
    assert said.startswith("Copied") or said.endswith(page.js("document.querySelector('#commands').textContent"))
    assert page.js("document.querySelector('#commands').textContent").count("reincarnate ") == 4


def test_curves_and_profiles_answer_to_the_pointer_and_to_keys(page):
    for chart in ("#curves", "#profiles"):
        page.js(f"document.querySelector('{chart}').scrollIntoView({{block: 'center'}})")
        where = f"document.querySelector('{chart} svg .curve path')"
        end = "p.getPointAtLength(p.getTotalLength()).matrixTransform(p.getScreenCTM())"
        x, y = page.js(f"(p => (q => [q.x, q.y])({end}))({where})")
        page.point(x, y)
        page.wait(f"!document.querySelector('{chart} .tip').hidden")
        first = page.js(f"document.querySelector('{chart} .tip').textContent")
        assert first.startswith("user") and ": " in first  # an entry, a budget, its score
        page.js(f"document.querySelector('{chart} svg').focus()")
        for _ in range(12):
            page.press("ArrowRight", 39)
        assert page.js(f"document.querySelector('{chart} .tip').textContent") != first
        page.press("Escape", 27)
        assert page.js(f"document.querySelector('{chart} .tip').hidden")


def test_the_front_over_time(page):
    choose(page, "front-task", "minatar/game0")
    count = "document.querySelectorAll('#front circle:not(.ring)').length"
    whole = page.js(count)
    slider = "document.getElementById('front-time')"
    page.js(f"{slider}.value = 5; {slider}.dispatchEvent(new Event('input'))")
    assert page.js(count) == 5 < whole
    assert page.js("document.getElementById('front-when').textContent").startswith("5 of 45")


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
    page.wait("document.querySelectorAll('#curves .curve path').length === 2")  # its own and the baseline's
    assert page.js("document.querySelectorAll('#runs tbody tr').length") == 6
    command = page.js("document.querySelector('#reports pre').textContent")
    assert command.startswith("reincarnate run") and ("--teacher" not in command or f"@{'a' * 40}" in command)
    told = page.js("document.getElementById('reports').textContent")
    assert "A maintainer played its last student for 10 episodes" in told and "not published" in told
    page.js("document.querySelector('#runs tbody a').click()")
    page.wait("document.querySelector('#reports details').open")  # the run that was clicked
    assert "FLOPs" in page.js("document.getElementById('facts').textContent")


def test_whose_word_a_cost_is_and_whose_student_is_gone(page):
    page.js("(f => { f.value = 'user1'; f.dispatchEvent(new Event('input')); })(document.getElementById('filter'))")
    entry = "document.querySelector('#rows tbody tr[data-id^=\"user1~entry1~\"]')"
    own = dict(zip(column(page, "entry"), column(page, "own"), strict=True))
    assert {name.split()[0] for name, told in own.items() if "checked 1/6" in told} == {"entry1"}
    assert all("self-reported" in told for name, told in own.items() if name.split()[0] != "entry1")
    assert "1 student gone" in page.js(f"{entry}.textContent")
    page.open(page.js(f"{entry}.querySelector('a').href"))
    page.wait("document.querySelectorAll('#curves .curve path').length > 0")
    assert "cost checked by re-training (1 of 6 runs)" in page.js("document.getElementById('facts').textContent")
    assert "not on the hub any more: the students of r1-0-0" in page.js("document.getElementById('about').textContent")
    assert "not been on the hub since 2026-12-01" in page.js("document.getElementById('report-r1-0-0').textContent")


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
