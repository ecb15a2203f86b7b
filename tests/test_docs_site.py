"""The documentation's site: built by one command, it asks no other host, has no dead link, and can be searched."""

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

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


def test_its_links_lead_somewhere(site):
    for page in site.rglob("*.html"):
        if page.name in ("404.html", "results.html", "settings.html", "speed.html", "architecture.html"):
            continue  # these are read in the repository too, and lead to its files
        for address in re.findall(r"<a\b[^>]*\bhref=\"([^\"#:]+)(?:#[^\"]*)?\"", page.read_text()):
            assert (page.parent / unquote(address)).exists(), f"{page.name}: {address}"


def test_the_reference_is_the_codes_own(site):
    python, commands, methods = (
        (site / "reference" / f"{name}.html").read_text() for name in ("python", "commands", "methods")
    )
    assert "Train a student under a budget" in python and "RunRecord" in python and "load_log" in python
    assert "reincarnate leaderboard create" in commands and "--at-least" in commands
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
