"""Every command of the documentation is run, page by page, in the order in which it stands there.

A block's first line says where it belongs: `# as ann` runs with her token; blocks of SKIPPED are not run. A hub that is
served goes on in the background, and its address stands for http://hub:8000; FOLDER is the last line that was printed.
"""

import json
import lzma
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from reincarnate.benchmark.tasks.balloon import genuine

from .leaderboard.browser import CHROMIUM, Browser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = ["balloon.md", *sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("how-to/*.md")), "tutorial.md"]
FILES = {"ppo-CartPole-v1.zip": ROOT / "tests/fixtures/foreign/sb3-trained/ppo-CartPole-v1.zip.xz"}  # a reader has them
SKIPPED = ("# with internet", "# on each machine", "# on a cluster", "# with an account")
HUB = "http://hub:8000"


def blocks(page: str, language: str = "sh") -> Iterator[str]:
    """Return the fenced blocks of a page in a language."""
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", (DOCS / page).read_text(), re.MULTILINE | re.DOTALL):
        yield found[1]


class Reader:
    """Somebody who types what a page says, in a folder of their own."""

    def __init__(self, folder: Path):
        self.folder, self.hub, self.last, self._server = folder, "", "", None
        (folder / "bin").mkdir()
        script = f'#!/bin/sh\nexec {sys.executable} -P -m reincarnate.benchmark.cli.main "$@"\n'
        (folder / "bin" / "reincarnate").write_text(script)  # -P: like the installed command, which adds no folder
        (folder / "bin" / "reincarnate").chmod(0o755)
        self.env = {**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / ".src")}
        self.env |= {"REINCARNATE_CACHE": str(folder / "cache"), "REINCARNATE_HUB_ROOT": str(folder / "own")}
        self.env |= {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "REINCARNATE_HUB_TOKEN": "", "COLUMNS": "100"}

    def types(self, block: str) -> str:
        """Run a block and return what it printed; an error if a command fails."""
        if block.startswith(SKIPPED):
            return ""
        block = block.replace(HUB, self.hub or HUB).replace("FOLDER", self.last)
        if "reincarnate hub serve" in block:
            return self._serve(block)
        env = dict(self.env)
        if found := re.match(r"# as (\w+)\n", block):
            env["REINCARNATE_HUB_TOKEN"] = (self.folder / "class" / "tokens" / found[1]).read_text().strip()
        done = subprocess.run(["bash", "-ec", block], cwd=self.folder, env=env, capture_output=True, text=True)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        self.last = (done.stdout.strip().splitlines() or [self.last])[-1]
        return done.stdout

    def _serve(self, block: str) -> str:
        block = (
            block.replace("--port 8000", "--port 0")
            .replace("--host 0.0.0.0 ", "")
            .replace("reincarnate", "exec reincarnate")
        )
        self._server = subprocess.Popen(
            ["bash", "-ec", block], cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True
        )
        assert self._server.stdout is not None
        self.hub = self._server.stdout.readline().strip()
        assert self.hub.startswith("http://"), self.hub
        return self.hub

    def close(self) -> None:
        if self._server:
            self._server.terminate()
            self._server.wait(10)


@pytest.fixture
def reader(tmp_path):
    made = Reader(tmp_path)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page != "how-to/class.md"])
def test_the_commands_of_a_page(page, reader):
    if page == "balloon.md" and not genuine.installed():
        pytest.skip(f"the balloon's simulator is not installed: {genuine.INSTALL}")
    (reader.folder / "docs").symlink_to(ROOT / "docs")
    for name, packed in FILES.items():
        (reader.folder / name).write_bytes(lzma.decompress(packed.read_bytes()))
    for block in blocks(page, "(?:sh|python)"):
        if block.startswith(SKIPPED) or not block.lstrip().startswith(("import ", "from ")):
            reader.types(block)
        else:
            (reader.folder / "typed.py").write_text(block)
            reader.types(f"{sys.executable} typed.py")


@pytest.mark.slow
def test_a_class_from_the_first_command_to_its_board(reader):
    """Two users, a maintainer, the hub in a browser, and the board's page, with documented commands alone."""
    typed = list(blocks("how-to/class.md"))
    judged = next(number for number, block in enumerate(typed) if "verify --queue" in block)
    for block in typed[:judged]:
        reader.types(block)
    listed = get(f"{reader.hub}/")
    assert "ann: fine_tuning, 1 run" in listed and "bob: dqn, 1 run" in listed and "nothing yet" in listed
    for block in typed[judged:]:
        reader.types(block)
    listed = get(f"{reader.hub}/datasets/class/results/discussions")
    assert listed.count(">re-scored<") == 2 and "/pages/class/board/" in get(f"{reader.hub}/")
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: the board's page was not opened")
    page = Browser(1400)
    try:
        page.open(f"{reader.hub}/pages/class/board/")
        page.wait("document.querySelectorAll('#rows tbody tr').length === 2")
        names = page.js("[...document.querySelectorAll('#rows tbody a')].map(a => a.textContent)")
        assert sorted(names) == ["dqn", "fine_tuning"] and page.faults == []
        page.open(page.js("document.querySelector('#rows tbody a').href"))
        page.wait("document.querySelectorAll('#reports a').length > 0")  # weights and film, where they are
        told = page.js("document.getElementById('reports').textContent")
        assert "film of an episode" in told and "A maintainer played its last student" in told
    finally:
        page.close()


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    """Its cells in their order, in one namespace, as a kernel runs them."""
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    begun = time.process_time()  # of all threads: what a quiet core takes
    for cell in json.loads((DOCS / "notebook.ipynb").read_text())["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None  # kept without outputs, which age
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    assert len(names["students"]) == 2 and names["picture"].axes
    assert time.process_time() - begun < 180.0


def get(address: str) -> str:
    with urllib.request.urlopen(address) as answer:
        return answer.read().decode()


def test_links_lead_somewhere_in_the_repository_too():
    """Pages that are read on the site and beside the code; only two of them are made for the site alone."""
    made = {DOCS / "reference" / name for name in ("commands.md", "methods.md")}
    for page in DOCS.rglob("*.md"):
        if "students" not in page.parts and "results" not in page.parts:
            for to in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text(encoding="utf-8")):
                target = (page.parent / to).resolve()
                assert target.exists() or (target in made and page == DOCS / "index.md"), f"{page.name}: {to}"


def test_every_page_has_commands_that_are_run():
    for page in PAGES:
        assert [block for block in blocks(page, "(?:sh|python)") if not block.startswith(SKIPPED)], page
