"""The teachers that ship with the package play as their cards say, and come with all that they were made by."""

import json
import math
import re

import numpy as np
import pytest

from reincarnate.benchmark.runs.reevaluate import evaluate
from reincarnate.datasets.hub import hub

from ...learning import teachers

TEACHERS = sorted(str(one.ref) for one in hub.search("model"))
EPISODES = {"minatar": 100, "atari": 2, "gym": 100}
UNFILMED = {  # of the first of all, films came later; Gymnasium draws Pendulum with a package of its own
    *("reincarnate/pong-rainbow", "reincarnate/pong-rainbow-first"),
    *("reincarnate/pendulum-sac", "reincarnate/pendulum-sac-early"),
}
WIDE = 4.0  # standard errors of the difference: one of a million honest teachers would be further away, were it normal


def test_the_table_is_made_from_the_cards():
    assert f"<!-- teachers -->\n{teachers.table()}\n<!-- end -->" in teachers.PAGE.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("reference", TEACHERS)
def test_a_bundled_teacher_plays_as_its_card_says(reference):
    """On other episodes than the card's: the mean is as near as chance allows."""
    folder, _ = hub.open_ref(reference, "model")
    config = json.loads((folder / "config.json").read_text())
    stated = np.array(config["evaluation"]["returns"])
    card = (folder / "README.md").read_text()
    assert f"{stated.mean():.2f} +/- {stated.std():.2f}" in card
    seeds = range(1_500_000_000, 1_500_000_000 + EPISODES[config["task"].partition("/")[0]])
    assert seeds.start > max(config["evaluation"]["seeds"])
    found = np.array(evaluate(reference, seeds=seeds).evaluation.returns)
    spread = math.hypot(stated.std(ddof=1) / len(stated) ** 0.5, max(found.std(), stated.std()) / len(found) ** 0.5)
    assert abs(found.mean() - stated.mean()) < WIDE * spread


@pytest.mark.parametrize("reference", TEACHERS)
def test_a_bundled_teacher_comes_with_its_record_its_ledger_and_a_film(reference):
    folder, _ = hub.open_ref(reference, "model")
    film = set() if reference.partition("@")[0] in UNFILMED else {"replay.mp4"}
    assert film | {"record.json", "ledger.jsonl", "policy.safetensors"} <= {path.name for path in folder.iterdir()}
    record = json.loads((folder / "record.json").read_text())
    config = json.loads((folder / "config.json").read_text())
    assert config["spent"]["flops"] in {point["spent"]["flops"] for point in record["points"]}
    assert config["run"] == record["run"]
    for parent in record["parents"]:  # its lineage is whole
        assert hub.open_ref(parent["reference"], "dataset" if parent["kind"] == "log" else "model")[1]


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_no_card_names_a_place_on_the_machine_that_made_it(kind):
    for one in hub.search(kind):
        folder, _ = hub.open_ref(str(one.ref), kind)
        commands = re.findall(r"^reincarnate .*", (folder / "README.md").read_text(), re.MULTILINE)
        assert [word for line in commands for word in line.split() if word.startswith("/")] == [], one.ref
