"""The report: groups and curves by hand-worked numbers, and a page that needs nothing else."""

import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from reincarnate.benchmark.cli import main
from reincarnate.benchmark.report.against import rivals, sentences
from reincarnate.benchmark.report.groups import curve, groups, levels, read
from reincarnate.benchmark.report.page import report
from reincarnate.benchmark.report.plots import budget, learning, weaned_at
from reincarnate.leaderboard import record as records
from reincarnate.leaderboard.ledger import Ledger
from reincarnate.leaderboard.record import Evaluation, Parent, Point, RunRecord

PHASES = {"compile": 1.0, "offline": 2.0, "act": 1.0, "update": 1.0, "environment": 3.0}


def judged(*returns: float) -> Evaluation:
    return Evaluation(returns=returns, lengths=(5,) * len(returns), epsilon=0.0, seeds=(0, len(returns) - 1))


def spent(share: float) -> dict[str, float]:
    """Return what was spent; half of the updates are made before the first step."""
    units = {"frames": 4e3, "steps": 1e3, "flops": 8e9, "device": 4.0, "seconds": 8.0, "queries": 64.0, "logged": 0.0}
    return {unit: share * most for unit, most in units.items()} | {"updates": 50.0 + 50.0 * share}


def made(folder, seed: int, ends: float, method="qdagger", task="gym/Thing-v0", settings=None, video=False):
    """Return a run whose mean return goes from 0 to `ends`."""
    folder.mkdir()
    points = tuple(
        Point(spent=spent(share), evaluation=judged(share * ends - 1, share * ends + 1), parameters="f" * 64, file="x")
        for share in (0.0, 0.5, 1.0)
    )
    start = {"peak_flops": 4e9, "request": {"points": [0, 0.5, 1]}}
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.write("start", **start)
    ledger.write("end", spent=points[-1].spent, phases=PHASES)
    record = RunRecord(
        run=f"{method}{seed}{task}{settings}", task=task, protocol={}, method=method, settings=settings or {},
        network={"name": "mlp", "options": {}}, seed=seed, environments=1, budget={"steps": 1000.0, "updates": 200.0},
        parents=(Parent(kind="teacher", reference="me/<b>&$x$", digest=""),), random=judged(-1.0, 1.0),
        teacher=judged(19.0, 21.0), points=points, complete=True, phases=PHASES, ledger=ledger.digest,
        command="reincarnate run <script>alert(1)</script>", machine={},
    )  # fmt: skip
    records.save(record, folder / "record.json")
    line = {"phases": {}, "losses": {"td": 0.5, "distill": 2.0}, "training_return": 3.0, "rate": 1.0}
    told = [line | {"phase": "online", "guidance": 3.0 * (1 - x), **spent(x)} for x in (0.0, 0.5, 1.0)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told))
    if video:
        (folder / "replay.mp4").write_bytes(b"film")
        (folder / "replay.png").write_bytes(b"still")
    return folder


class Page(HTMLParser):
    """Collect what a page would fetch or run and its words, and check that elements are closed in order."""

    def __init__(self, text: str):
        super().__init__()
        self.refers, self.scripts, self.open, self.words, self.ids = [], 0, [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        facts = dict(attrs)
        self.scripts += tag == "script" or any(name.startswith("on") for name in facts)
        self.refers += [facts[name] for name in ("src", "href", "xlink:href") if name in facts]
        self.ids += [facts["id"]] if "id" in facts else []
        self.open += [tag] if tag not in ("meta", "br", "html", "img", "input") else []

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert tag == "html" or self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_runs_that_differ_in_the_seed_are_a_group(tmp_path):
    folders = [made(tmp_path / "a", 0, 10.0), made(tmp_path / "b", 1, 20.0), made(tmp_path / "c", 0, 5.0, "dqn")]
    folders.append(made(tmp_path / "d", 0, 7.0, settings={"weight": 2.0}))
    found = groups([read(folder) for folder in folders])
    assert [(group.label, len(group.runs)) for group in found] == [
        ("qdagger weight=default", 2), ("dqn", 1), ("qdagger weight=2", 1),
    ]  # fmt: skip


def test_a_curve_is_the_mean_over_seeds_with_an_interval_over_them(tmp_path):
    (group,) = groups([read(made(tmp_path / "a", 0, 10.0)), read(made(tmp_path / "b", 1, 20.0))])
    drawn = curve(group)
    assert drawn.value.tolist() == [0.0, 7.5, 15.0]
    assert drawn.low.tolist() == [0.0, 5.0, 10.0] and drawn.high.tolist() == [0.0, 10.0, 20.0]
    assert drawn.costs["frames"].tolist() == [0.0, 2000.0, 4000.0]
    assert drawn.costs["updates"].tolist() == [50.0, 75.0, 100.0]


def test_the_interval_of_one_run_is_over_its_episodes(tmp_path):
    (group,) = groups([read(made(tmp_path / "a", 0, 10.0))])
    drawn = curve(group)
    assert drawn.value.tolist() == [0.0, 5.0, 10.0]
    assert drawn.low.tolist() == [-1.0, 4.0, 9.0] and drawn.high.tolist() == [1.0, 6.0, 11.0]


def test_what_was_spent_offline_and_how_busy_the_device_was(tmp_path):
    run = read(made(tmp_path / "a", 0, 10.0))
    assert run.offline()["updates"] == 50.0 and run.end["updates"] == 100.0
    with (tmp_path / "a" / "ledger.jsonl").open("a") as file:
        file.write('{"spent": {"steps": 0.0, "updates": "x"}}\n')
    assert read(tmp_path / "a").offline()["updates"] == 50.0
    assert run.peak_share() == pytest.approx(8e9 / 4.0 / 4e9)  # act, update and offline took 4 seconds
    assert levels([run]) == {"random": 0.0, "teacher": 20.0}
    (tmp_path / "a" / "ledger.jsonl").unlink()
    assert read(tmp_path / "a").peak_share() is None


@pytest.mark.slow
def test_the_page_is_whole_and_needs_nothing_else(tmp_path):
    runs = [
        made(tmp_path / "a", 0, 10.0, video=True),
        made(tmp_path / "b", 1, 20.0),
        made(tmp_path / "c", 0, 5.0, "dqn"),
    ]
    told = report(runs, tmp_path / "out")
    text = (tmp_path / "out" / "report.html").read_text()
    page = Page(text)
    assert page.open == [] and page.scripts == 0 and len(set(page.ids)) == len(page.ids)
    shown = {"data:video/mp4;base64,ZmlsbQ==", "data:image/png;base64,c3RpbGw="}
    assert {reference for reference in page.refers if not reference.startswith("#")} == shown
    assert not re.findall(r"url\((?!#)", text) and "@import" not in text
    assert {reference[1:] for reference in page.refers if reference[0] == "#"} <= set(page.ids)
    assert "reincarnate run <script>alert(1)</script>" in page.words
    words = " ".join(page.words)
    for axis in (
        "environment frames",
        "gradient updates",
        "FLOPs",
        "device time",
        "wall-clock time",
        "teacher queries",
    ):
        assert axis in words and f"Return against {axis}" in words
    for title in ("Loss term: td", "Loss term: distill", "Weight of the teacher", "Where the time went"):
        assert title in words
    assert "logged transitions" not in words  # none was read
    assert "50.0%" in words  # of the peak
    pictures = re.findall(r"<svg.*?</svg>", text, flags=re.S)
    assert len(pictures) == 12 and all("var(--ink)" in picture or "var(--soft)" in picture for picture in pictures)
    fixed = {color for picture in pictures for color in re.findall(r"(?:fill|stroke): (#\w+)", picture)}
    assert fixed <= {"#ffffff", "#000000"}  # all others are those of the page, light or dark
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted([
        "budget.png", "guidance.png", "loss-distill.png", "loss-td.png", "report.html", "report.json", "time.png",
        "training.png", "curve-device.png", "curve-flops.png", "curve-frames.png", "curve-queries.png",
        "curve-seconds.png", "curve-updates.png",
    ])  # fmt: skip
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == told
    assert told["groups"][0]["return"] == [0.0, 7.5, 15.0]
    assert np.allclose(told["groups"][0]["score"], [0.0, 0.375, 0.75])


def test_a_run_without_metrics_ledger_or_phases_still_has_its_curves(tmp_path):
    folder = made(tmp_path / "a", 0, 10.0)
    for name in ("ledger.jsonl", "metrics.jsonl"):
        (folder / name).unlink()
    told = report([folder], tmp_path / "out")
    assert len(told["plots"]) == 8  # six costs, the budget and the time


def swept(tmp_path, weaned: bool = True):
    """Make a sweep's folder with a run that had a teacher and one from nothing: (its cells, the first, the second)."""
    cells = tmp_path / "cells"
    cells.mkdir()
    (tmp_path / "sweep.json").write_text("{}")
    first, second = made(cells / "a", 0, 10.0), made(cells / "b", 0, 4.0, "dqn")
    known = records.load(second / "record.json")
    records.save(known.model_copy(update={"parents": ()}), second / "record.json")
    if weaned:
        known = records.load(first / "record.json")
        when = {"steps": 250.0, "share": 0.25, "reason": "schedule", "score": None, "low": None, "episodes": None}
        told = RunRecord.model_validate(known.model_dump() | {"weaned": when})
        records.save(told, first / "record.json")
    return cells, first, second


def test_only_limits_are_rows_of_what_was_spent(tmp_path):
    figure = budget(groups([read(made(tmp_path / "a", 0, 10.0))]))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["steps", "updates"]
    assert not any("no limit" in text.get_text() for text in axes.texts)


def test_a_weight_of_the_teacher_that_is_never_there_is_not_drawn(tmp_path):
    folder = made(tmp_path / "a", 0, 10.0)
    told = [json.loads(line) | {"guidance": 0.0} for line in (folder / "metrics.jsonl").read_text().splitlines()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in told))
    report([folder], tmp_path / "out")
    assert not (tmp_path / "out" / "guidance.png").exists() and (tmp_path / "out" / "loss-td.png").exists()
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Weight of the teacher" not in page and "No distillation weight is shown" in page


def test_a_student_that_is_ahead_before_it_learns(tmp_path):
    _, first, second = swept(tmp_path)
    for folder, returns in ((first, 9.0), (second, 4.0)):
        known = records.load(folder / "record.json")
        free = {**known.points[0].spent, "flops": 0.0}
        at = known.points[0].model_copy(update={"evaluation": judged(returns - 1, returns + 1), "spent": free})
        records.save(known.model_copy(update={"points": (at, *known.points[1:])}), folder / "record.json")
    (said,) = sentences(groups([read(first), read(second)]))
    assert said.endswith("It reached 4.0 before its first update.")


def test_a_run_of_a_sweep_is_compared_with_the_one_from_nothing(tmp_path):
    _, first, second = swept(tmp_path)
    assert rivals([first]) == [second] and rivals([second]) == [] and rivals([first, second]) == []
    found = groups([read(first), read(second)])
    assert list(sentences(found)) == [
        "qdagger ends at 10.0 and dqn, which learned from nothing, at 4.0: 6.0 more, 0.30 of the way from random play "
        "to the teacher. It reached 4.0 after 4G of its 8G FLOPs."
    ]
    told = report([first], tmp_path / "out")
    assert {group["label"] for group in told["groups"]} == {"qdagger", "dqn"}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "at 4.0: 6.0 more" in page and page.count('type="radio"') == 6 and page.count(" checked>") == 1


def test_a_run_that_is_of_no_sweep_has_no_rivals(tmp_path):
    cells, first, _ = swept(tmp_path)
    (tmp_path / "sweep.json").unlink()
    assert rivals([first]) == []


def test_the_weaning_is_marked_along_every_cost(tmp_path):
    _, first, second = swept(tmp_path)
    found = groups([read(first), read(second)])
    assert [weaned_at(found[0], axis) for axis in ("frames", "flops")] == [1000.0, 2e9]
    assert weaned_at(found[1], "frames") is None
    figure = learning(found, "flops")
    assert [text.get_text() for text in figure.axes[0].texts] == ["weaned"]


def test_a_teacher_is_named_once_where_a_run_from_nothing_was_compared_with_it_too(tmp_path):
    _, first, second = swept(tmp_path)
    assert levels([read(second), read(first)]) == {"random": 0.0, "teacher": 20.0}


@pytest.mark.slow
def test_two_tasks_have_plots_of_their_own(tmp_path):
    runs = [made(tmp_path / "a", 0, 1.0), made(tmp_path / "b", 0, 1.0, task="gym/Other")]
    for run in runs:
        (run / "metrics.jsonl").unlink()
    told = report(runs, tmp_path / "out")
    assert len(told["plots"]) == 16 and any(name.endswith("gym-Other-curve-frames.png") for name in told["plots"])


def said(capsys, monkeypatch, *words) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["reincarnate", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main.main()
    out, err = capsys.readouterr()
    return end.value.code or 0, out, err  # pyright: ignore


@pytest.mark.slow
def test_the_command(tmp_path, capsys, monkeypatch):
    folder = made(tmp_path / "a", 0, 10.0)
    assert said(capsys, monkeypatch, "report", folder, "--quiet") == (0, f"{folder}/report/report.html\n", "")
    code, out, err = said(capsys, monkeypatch, "report", folder, "--out", tmp_path / "out", "--json")
    assert code == 0 and json.loads(out)["groups"][0]["runs"] == [str(folder)]
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["note"]


def test_what_is_no_run_is_said(tmp_path, capsys, monkeypatch):
    folder = made(tmp_path / "a", 0, 10.0)
    code, out, err = said(capsys, monkeypatch, "report", folder, folder)
    assert (code, out) == (2, "") and "is given twice: name each run once" in err
    code, out, err = said(capsys, monkeypatch, "report", tmp_path / "none", "--json")
    assert (code, out) == (2, "") and json.loads(err)["event"] == "error" and "there is no record" in err
