"""Pictures of each chart, on a desk and on a phone, light and dark: something is drawn, no label lies on another,
nothing is wider than the page, and words can be read. PICTURES=FOLDER keeps them, to be looked at."""

import itertools
from pathlib import Path

import pytest
from PIL import Image

from reincarnate.leaderboard.site import build

from .browser import WINDOWS, Browser, needs_chromium, picture_file, window
from .makers import fill

pytestmark = [pytest.mark.slow, needs_chromium]
CHARTS = {
    "index.html": ("#curves .chart", "#intervals .chart", "#heat table", "#front .chart", "#profiles .chart", "#tree"),
    "entries/user1~entry1~fixed.html": ("#curves .chart",),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    fill(folder / "repo", 12, 3, 2)
    build(folder / "repo", folder / "site")
    return folder / "site"


@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_pictures(site, tmp_path, width, dark):
    with window(width, dark) as browser:
        for page, charts in CHARTS.items():
            browser.open(f"file://{site}/{page}")
            browser.wait("document.querySelectorAll('#curves .curve path').length > 1")
            assert browser.js("document.documentElement.scrollWidth") <= width
            path = picture_file(tmp_path, Path(page).stem.partition("~")[0], width, dark)
            browser.picture(path)
            assert browser.faint() == []
            with Image.open(path) as picture:
                for chart in charts:
                    seen(browser, picture, chart)
                    apart(browser, chart)
        assert browser.faults == []


BOX = "(r => [r.left, r.top + scrollY, r.right, r.bottom + scrollY])(%s.getBoundingClientRect())"


def seen(browser: Browser, picture: Image.Image, chart: str) -> None:
    """Assert that something is drawn there, in more than one colour."""
    box = browser.js(BOX % f"document.querySelector('{chart}')")
    left, top, right, bottom = map(round, box)
    part = picture.convert("RGB").crop((left, top, right, bottom))
    counts = sorted((count for count, _ in part.getcolors(1 << 24) or []), reverse=True)
    assert len(counts) > 20 and sum(counts[1:]) > 0.01 * sum(counts), chart


def apart(browser: Browser, chart: str) -> None:
    """Assert that no two bold labels, which name the lines and the front, overlap."""
    labels = f"[...document.querySelectorAll('{chart} svg g[font-weight] text')]"
    boxes = browser.js(f"{labels}.map(t => [t.textContent, ...{BOX % 't'}])")
    for (one, *a), (other, *b) in itertools.combinations(boxes, 2):
        over = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        assert over[0] <= 1 or over[1] <= 4, (chart, one, other)
