"""What the Hub and Every Eval Ever read: one scheme of task ids, the board's own numbers and intervals."""

import json

import pytest
import yaml

from reincarnate.datasets.hub.card import BENCHMARK
from reincarnate.datasets.hub.card import results as result_file
from reincarnate.leaderboard import hub_formats, suite
from reincarnate.leaderboard.results import read
from reincarnate.leaderboard.site import build

from .makers import fill


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1764374400")
    fill(tmp_path / "repo", 3, 2, 2)
    build(tmp_path / "repo", tmp_path / "site")
    return tmp_path / "site" / "exports"


def ids(text: str) -> set[str]:
    return {task["id"] for task in yaml.safe_load(text)["tasks"]}


def test_what_results_are_of_is_declared(site, tmp_path):
    """By the entries' files, and by the students' cards, which use the same name for the task."""
    declared = ids((site / "eval.yaml").read_text())
    assert declared == {"minatar/game0", "minatar/game1", "games-v1"}
    found = [one for path in (site / "eval_results").iterdir() for one in yaml.safe_load(path.read_text())]
    assert len(found) == 3 and {one["dataset"]["task_id"] for one in found} <= declared
    evaluation = {"returns": [1.0, 2.0], "epsilon": 0.0, "seeds": [0, 1]}
    (card,) = yaml.safe_load(result_file({"task": "minatar/game0", "evaluation": evaluation}))
    assert card["dataset"]["task_id"] in declared and card["dataset"]["id"] == BENCHMARK == found[0]["dataset"]["id"]


def test_the_fields_of_eval_yaml_are_the_hubs():
    told = yaml.safe_load(hub_formats.eval_yaml(suite.bundled()))
    assert set(told) == {"name", "description", "evaluation_framework", "tasks"}
    assert {"minatar/breakout", "atari/Pong", "minatar5-v1"} <= {task["id"] for task in told["tasks"]}


def test_every_eval_ever_has_the_boards_numbers_and_intervals(site, tmp_path):
    board = json.loads(
        (site.parent / "data" / "board.js").read_text().removeprefix("window.BOARD = ").removesuffix(";\n")
    )
    paths = sorted((site / "every_eval_ever").rglob("*.json"))
    assert len(paths) == 3 and {path.parts[-4] for path in paths} == {"games-v1"}
    for path in paths:
        told = json.loads(path.read_text())
        assert set(told) == {
            "schema_version", "evaluation_id", "evaluation_timestamp", "retrieved_timestamp", "source_metadata",
            "eval_library", "model_info", "evaluation_results",
        }  # fmt: skip
        entry = next(one for one in board["entries"] if f"{one['author']}/{one['entry']}" == told["model_info"]["id"])
        whole, *tasks = told["evaluation_results"]
        of = entry["suites"]["games"]
        assert whole["evaluation_name"] == "games-v1" and whole["score_details"]["score"] == of["end"]["iqm"][0]
        between = whole["score_details"]["uncertainty"]["confidence_interval"]
        assert [between["lower"], between["upper"]] == of["end"]["iqm"][1:]
        assert {one["evaluation_name"]: one["score_details"]["score"] for one in tasks} == {
            task: one["score"][0] for task, one in of["tasks"].items()
        }
        for one in told["evaluation_results"]:
            metric = one["metric_config"]
            assert metric["min_score"] <= one["score_details"]["score"] <= metric["max_score"]
        details = told["model_info"]["additional_details"] | told["source_metadata"]["additional_details"]
        assert all(isinstance(value, str) for value in details.values())


def test_the_same_entry_has_the_same_file(site, tmp_path):
    before = {path.name for path in (site / "every_eval_ever").rglob("*.json")}
    build(tmp_path / "repo", tmp_path / "site")
    assert {path.name for path in (site / "every_eval_ever").rglob("*.json")} == before
    assert read(tmp_path / "repo").faults == ()
