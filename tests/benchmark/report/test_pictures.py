"""The report in a browser, on a desk and on a phone, light and dark: nothing is too wide, all is readable.

PICTURES=FOLDER keeps the pictures, to be looked at."""

import pytest

from reincarnate.benchmark.report.page import report

from ...leaderboard.browser import WINDOWS, needs_chromium, picture_file, window
from .test_page import made

pytestmark = [pytest.mark.slow, needs_chromium]
SMALLEST = 8.5  # pixels of a letter in a plot


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    runs = [made(folder / name, seed, ends, method, task="minatar/space_invaders") for name, seed, ends, method in RUNS]
    report(runs, folder / "out")
    return folder / "out" / "report.html"


RUNS = (("a", 0, 18.0, "qdagger"), ("b", 1, 22.0, "qdagger"), ("c", 0, 5.0, "dqn"), ("d", 0, 9.0, "annealed_mixing"))
SHOWN = """[...document.querySelectorAll("svg text")].filter(t => t.checkVisibility() && t.getComputedTextLength())"""
LETTERS = (
    SHOWN + ".map(t => parseFloat(getComputedStyle(t).fontSize) * Math.hypot(t.getScreenCTM().a, t.getScreenCTM().b))"
)
CUT = (
    SHOWN
    + """.filter(t => {
  const a = t.getBoundingClientRect(), b = t.closest("svg").getBoundingClientRect();
  return a.left < b.left - 1 || a.right > b.right + 1 || a.bottom > b.bottom + 1 }).map(t => t.textContent)"""
)


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_a_report_can_be_read_everywhere(page, tmp_path, width, dark):
    with window(width, dark) as browser:
        browser.open(f"file://{page}")
        browser.picture(picture_file(tmp_path, "report", width, dark))
        assert browser.js("document.documentElement.scrollWidth") <= width
        assert browser.faint() == [] and browser.faults == []
        assert browser.js("document.querySelectorAll('main figure svg').length") >= 4
        assert min(browser.js(LETTERS)) >= SMALLEST and browser.js(CUT) == []
        assert browser.js("document.querySelectorAll('main table tbody tr').length") >= 3
        for one in browser.js("[...document.querySelectorAll('.axes label')].map(l => l.htmlFor)"):
            browser.js(f"document.getElementById('{one}').click()")
            shown = "[...document.querySelectorAll('.axes figure')].filter(f => f.getBoundingClientRect().height)"
            assert browser.js(f"{shown}.length") == 1  # the curve along the cost that was chosen
