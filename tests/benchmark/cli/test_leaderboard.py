"""The leaderboard on the command line."""

import json

import pytest

from reincarnate.datasets.hub import place

from ...datasets.hub.server.conftest import start
from ...leaderboard.makers import fill, record, submission
from ...leaderboard.makers import put as put_in
from .test_datasets import refused, reincarnate


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repo")
    fill(folder, 3, 1, 2)
    return folder


def test_show(repository):
    table = reincarnate("leaderboard", "show", repository)
    assert table.code == 0 and "games" in table.out and "entry2" in table.out
    rows = json.loads(reincarnate("leaderboard", "show", repository, "--format", "json").out)
    assert [row["rank"] for row in rows] == [1, 2, 3]
    assert reincarnate("leaderboard", "show", repository, "--format", "csv").out.startswith("rank,entry,author")
    assert r"\begin{tabular}" in reincarnate("leaderboard", "show", repository, "--format", "latex").out
    refused(reincarnate("leaderboard", "show", repository, "--format", "x"), "'x' is not a format")
    refused(reincarnate("leaderboard", "show", repository, "--suite", "x"), "no suite 'x'")
    refused(reincarnate("leaderboard", "show", repository / "nowhere"), "there is no folder")


def test_show_along_an_axis(repository, tmp_path):
    rows = json.loads(reincarnate("leaderboard", "show", repository, "--along", "flops", "--format", "json").out)
    budgets = [key for key in rows[0] if key.replace(".", "").replace("e+", "").isdigit()]
    most = float(budgets[-1])
    assert [float(budget) / most for budget in budgets] == pytest.approx([0.0, 0.1, 0.25, 0.5, 1.0], abs=1e-3)
    ends = json.loads(reincarnate("leaderboard", "show", repository, "--format", "json").out)
    assert [row["entry"] for row in rows] == [row["entry"] for row in ends]
    text = reincarnate("leaderboard", "show", repository, "--along", "flops", "--format", "markdown").out
    first = [cell.strip() for cell in text.splitlines()[2].split("|")]
    assert first[2] == f"`{rows[0]['entry']}`" and first[-2].startswith(f"{rows[0][budgets[-1]]:.2f} [")
    table = reincarnate("leaderboard", "show", repository, "--along", "frames")
    assert table.code == 0 and "frames" in table.out and "entry2" in table.out
    drawn = ("--along", "flops", "--only", "entry1,entry2", "--plot", tmp_path / "plot.png", "--format", "csv")
    told = reincarnate("leaderboard", "show", repository, *drawn)
    assert len(told.out.splitlines()) == 3 and "entry0" not in told.out
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    reincarnate("leaderboard", "show", repository, "--plot", tmp_path / "entries.png")
    assert (tmp_path / "entries.png").read_bytes().startswith(b"\x89PNG")
    refused(reincarnate("leaderboard", "show", repository, "--only", "nobody"), "no entry 'nobody'")
    refused(reincarnate("leaderboard", "show", repository, "--along", "x"), "'x' is not a unit of budgets")
    refused(
        reincarnate("leaderboard", "show", repository, "--along", "flops", "--format", "latex"),
        "'latex' is not a format of this table",
    )


def test_build_tells_what_it_left_out(repository, tmp_path):
    (tmp_path / "repo").mkdir()
    put_in(tmp_path / "repo", submission(record("a"))).write_text("{")
    answer = reincarnate("leaderboard", "build", tmp_path / "repo", "--out", tmp_path / "site")
    assert answer.code == 0 and "0 entries" in answer.out and "left out" in answer.err
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.slow
def test_mistakes_in_submitting_and_verifying(tmp_path):
    refused(reincarnate("verify"), "name a pull request or a folder")
    refused(reincarnate("verify", tmp_path / "nowhere"), "there is no folder")
    (tmp_path / "empty").mkdir()
    refused(reincarnate("verify", tmp_path / "empty"), "has no submission")
    refused(reincarnate("submit", tmp_path, "--track", "x"), "there is no track")
    refused(reincarnate("submit", tmp_path, "--hub", "bundled"), "bundled hub is read-only")
    nobody = ("--hub", "http://127.0.0.1:1")
    refused(reincarnate("submit", tmp_path / "nowhere", *nobody), "there is no record at .*nowhere")
    refused(reincarnate("submit", tmp_path / "nowhere"), "there is no record at .*nowhere")


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Return the address of an empty hub, where `lab` is who asks."""
    server = start(tmp_path / "hub", "--user", "lab")
    monkeypatch.setenv("REINCARNATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(place.TOKEN, server.token("lab"))
    yield server.url
    server.stop()


def test_a_results_repository_is_made_by_one_command(tmp_path, lab):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "record.json").write_text(record("a").model_dump_json())
    missing = reincarnate("submit", tmp_path / "run", "--at", "lab/results", "--hub", lab)
    refused(missing, f"`reincarnate leaderboard create lab/results --hub {lab}` makes an empty one")
    refused(reincarnate("leaderboard", "create", "lab/results", "--hub", lab, "--suites", "x"), "no bundled suite 'x'")
    made = reincarnate("leaderboard", "create", "lab/results", "--hub", lab, "--suites", "minatar5")
    assert made.code == 0 and "with the suites minatar5-v1" in made.out
    refused(reincarnate("leaderboard", "create", "lab/results", "--hub", lab), "409|exists|already")
    folder = reincarnate("datasets", "pull", "lab/results", "--hub", lab).out.splitlines()[1]
    assert "minatar5" in reincarnate("leaderboard", "show", folder).out


def test_a_board_without_runs_says_how_one_gets_there(tmp_path):
    shown = reincarnate("leaderboard", "show", tmp_path)
    assert shown.code == 0 and "has no accepted run yet: send one with `reincarnate submit" in shown.out
    assert "IQM" not in shown.out
    assert reincarnate("leaderboard", "show", tmp_path, "--format", "json").out.strip() == "[]"


def test_a_terminal_of_80_columns_shows_30_entries_by_their_whole_names(tmp_path, monkeypatch):
    fill(tmp_path, 30, 1, 2)
    monkeypatch.setenv("COLUMNS", "80")
    lines = reincarnate("leaderboard", "show", tmp_path).out.splitlines()
    assert lines[0] == "games" and lines[1].split()[:3] == ["#", "entry", "0"] and max(map(len, lines)) <= 80
    assert sorted(line.split()[1] for line in lines[2:32]) == sorted(f"entry{number}" for number in range(30))
    assert {"early", "full"} <= set(lines[1].split())
    monkeypatch.delenv("COLUMNS")
    wide = reincarnate("leaderboard", "show", tmp_path).out.splitlines()[1]
    assert all(word in wide for word in ("1.6k", "own", "full", "beats entry0", "improvement"))
