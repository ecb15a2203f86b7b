"""Every link of a built board leads somewhere: to one of its files, to a place on a page, or to a published student."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from reincarnate.benchmark.report import around
from reincarnate.leaderboard import site as sites
from reincarnate.leaderboard.results import read

from .browser import Browser, needs_chromium
from .makers import fill

ROOT = Path(__file__).parents[2]


class Links(HTMLParser):
    """Collect a page's links and anchors."""

    def __init__(self, text: str):
        super().__init__()
        self.to, self.places = [], set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.to += [facts[name] for name in ("href", "src") if facts.get(name)]
        self.places |= {facts["id"]} if facts.get("id") else set()


def dead(site: Path, page: Path, links: list[str], places: set[str]) -> list[str]:
    """Return the links of a page that lead nowhere; addresses of other hosts are not asked."""
    found = []
    for link in links:
        parts = urlsplit(link)
        if parts.scheme in ("data", "http", "https"):
            continue
        to = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        inside = to.is_relative_to(site.resolve()) and to.exists()
        gone = parts.fragment and to == page and unquote(parts.fragment) not in places
        found += [link] if not inside or gone else []
    return found


def test_the_pages_as_they_are_written(tmp_path):
    fill(tmp_path / "repo", 6, 2, 2)
    sites.build(tmp_path / "repo", tmp_path / "site")
    pages = sorted((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 6
    for page in pages:
        links = Links(page.read_text())
        assert links.to and dead(tmp_path / "site", page, links.to, links.places) == [], page.name


@pytest.mark.slow
@needs_chromium
def test_the_committed_board_as_a_browser_shows_it(tmp_path):
    """Only runs whose student is in the repository have links to weights, and these files are in the site."""
    results = read(ROOT / "docs" / "results")
    about = around.around(results, "reincarnate/results", "", ROOT / "docs" / "students")
    sites.build(results, tmp_path / "site", around=about)
    browser = Browser(1400)
    shown = set()
    try:
        for page in sorted((tmp_path / "site").rglob("*.html")):
            browser.open(f"file://{page}")
            browser.wait("document.querySelectorAll('a[href]').length > 1")
            links = browser.js(
                "[...document.querySelectorAll('[href],[src]')].map(a => a.getAttribute('href') || a.src)"
            )
            places = set(browser.js("[...document.querySelectorAll('[id]')].map(a => a.id)"))
            links = [
                link.removeprefix(f"file://{page.parent}/") if link.startswith("file:") else link for link in links
            ]
            assert dead(tmp_path / "site", page, links, places) == [], page.name
            shown |= {link for link in links if link.endswith("policy.safetensors")}
        assert browser.faults == []
    finally:
        browser.close()
    assert len(shown) == len(list((ROOT / "docs" / "students").iterdir()))
