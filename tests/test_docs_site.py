"""The documentation's site: built by one command, it asks no other host, has no dead link, and can be searched."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

from reincarnate.benchmark.cli.help import SECTIONS

from .leaderboard.browser import WINDOWS, needs_chromium, picture_file, window

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("material", reason="the extra docs is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra docs is not installed")
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "mkdocs", "build", "-q", "-f", ".ci/mkdocs.yml", "--site-dir", str(out)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0 and "ERROR" not in done.stderr, done.stderr
    return out


def test_it_asks_no_other_host(site):
    for page in site.rglob("*.html"):
        elements = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page.read_text())
        loaded = re.findall(r"\b(?:src|href)=\"?(https?://[^\"\s>]+)", "".join(elements))
        assert [address for address in loaded if "127.0.0.1" not in address] == [], page


def test_its_links_lead_somewhere_and_every_page_is_linked(site):
    linked = set()
    pages = [page for page in site.rglob("*.html") if page.name != "404.html"]
    for page in pages:
        for address, place in re.findall(r"<a\b[^>]*\bhref=\"?([^\"#:\s>]*)(#[^\"\s>]+)?[\"\s>]", page.read_text()):
            to = (page.parent / unquote(address)).resolve() if address else page
            assert to.is_file(), f"{page.name}: {address}"
            linked |= {to} - {page}
            if place and to.suffix == ".html":
                assert re.search(rf"\bid=\"?{re.escape(unquote(place[1:]))}[\"\s>]", to.read_text()), (page.name, place)
    assert {page.resolve() for page in pages} <= linked


def test_the_rooms_own_pages_are_on_it(site):
    rules = (site / "rules.html").read_text()
    assert 'href="how-to/class.html"' in rules and "<h1" in rules
    assert "Stable-Baselines3" in (site / "teachers-and-logs.html").read_text()
    assert 'href="../rules.html"' in (site / "how-to" / "board.html").read_text()


def test_the_reference_is_the_codes_own(site):
    python, commands, methods = (
        (site / "reference" / f"{name}.html").read_text() for name in ("python", "commands", "methods")
    )
    assert "Train a student under a budget" in python and "RunRecord" in python and "load_log" in python
    assert "reincarnate leaderboard create" in commands and "--at-least REF:UNIT=AMOUNT" in commands
    heads = re.findall(r"<h2 id=\"?reincarnate-(\w+)", commands)
    assert list(dict.fromkeys(heads)) == [name for names in SECTIONS.values() for name in names]
    assert "<code>USER/NAME" in commands and "<code>RUN...</code>" in commands
    assert "QDagger: distil the teacher on its log" in methods and "deadline" in methods


@needs_chromium
@pytest.mark.parametrize(("width", "dark"), WINDOWS)
def test_it_is_read_and_searched_from_disk(site, tmp_path, width, dark):
    with window(width, dark) as browser:
        for page in ("index", "tutorial", "how-to/class", "reference/python", "results"):
            browser.open(f"file://{site}/{page}.html")
            browser.wait("document.querySelector('h1') !== null")
            assert browser.js("document.documentElement.scrollWidth") <= width, page
            assert browser.faint() == [], page
            browser.picture(picture_file(tmp_path, f"docs-{page.replace('/', '-')}", width, dark))
        box = "document.querySelector('[data-md-component=search-query]')"
        browser.wait(f"{box} !== null")
        browser.js("document.querySelector('[data-md-toggle=search]').click()")
        browser.js(f"{box}.focus()")
        for letter in "ledger":
            browser.call("Input.insertText", text=letter)
            browser.js(f"{box}.dispatchEvent(new KeyboardEvent('keyup', {{bubbles: true}}))")
        browser.wait("document.querySelectorAll('.md-search-result__item').length > 0")
        own = ("file://", "data:", "blob:", "about:")
        outside = [address for address in browser.asked if not address.startswith(own)]
        assert browser.faults == [] and outside == []
