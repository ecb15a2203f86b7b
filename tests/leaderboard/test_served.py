"""The site in a browser as a hub serves it: uploaded to the embedded Hub, opened over HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reincarnate.datasets.hub import hub as hubs
from reincarnate.datasets.hub import place
from reincarnate.leaderboard.site import build

from .browser import Browser, needs_chromium
from .makers import fill

pytestmark = [pytest.mark.slow, needs_chromium]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def url(tmp_path):
    command = [
        sys.executable,
        "-m",
        "reincarnate.datasets.hub.local_hub",
        "--root",
        str(tmp_path / "hub"),
        "--empty",
    ]
    env = {**os.environ, "PYTHONPATH": str(ROOT / ".src")}
    process = subprocess.Popen([*command, "--user", "lab"], stdout=subprocess.PIPE, env=env, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait(10)


def test_a_site_on_the_embedded_hub(tmp_path, url, monkeypatch):
    fill(tmp_path / "repo", 6, 2, 2)
    build(tmp_path / "repo", tmp_path / "site")
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "caches"))
    monkeypatch.setenv(place.TOKEN, (tmp_path / "hub" / "tokens" / "lab").read_text().strip())
    hubs.publish(tmp_path / "site", "lab/board", "dataset", url)
    page = Browser()
    try:
        page.open(f"{url}/pages/lab/board/")
        page.wait("document.querySelectorAll('#curves .curve path').length === 6")
        assert page.js("document.querySelectorAll('#rows tbody tr').length") == 6
        page.js("document.querySelector('[data-key=author]').click()")
        assert page.js("document.querySelector('th[aria-sort]:not([aria-sort=none])').textContent") == "Author"
        page.js("document.querySelector('#rows tbody a').click()")
        page.wait("document.querySelectorAll('#runs tbody tr').length === 4")
        assert page.js("document.querySelectorAll('#curves .curve path').length") in (
            1,
            2,
        )  # and the baseline's, if it is another
        assert page.js("fetch('/api/models').then(() => 'reached', () => 'refused')") == "refused"  # strangers' pages
        faults = [text for text in page.faults if "connect-src" not in text and "/api/models" not in text]
        asked = [address for address in page.asked if not address.startswith((f"{url}/pages/lab/board/", "data:"))]
    finally:
        page.close()
    assert faults == [] and asked in ([], [f"{url}/api/models"]), json.dumps([faults, asked])
