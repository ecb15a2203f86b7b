"""`generations.json` has permanent names, and nothing strange is accepted."""

import json

import pytest

from reincarnate.leaderboard.generations import Generation, find, names, parse, written


def promoted(run: str, generation: int = 1, task: str = "gym/X") -> Generation:
    return Generation(
        generation=generation,
        task=task,
        teacher=f"lab/{run}@{'a' * 40}",
        log=f"lab/{run}-log@{'b' * 40}",
        run=run,
        digest=run,
    )


def test_a_name_stays_with_the_first_of_its_generation():
    made = [promoted("r1"), promoted("r2", 2), promoted("r3"), promoted("r4", 1, "gym/Y"), promoted("r5")]
    assert {name: one.run for name, one in names(made).items()} == {
        "gym/X@1": "r1",
        "gym/X@2": "r2",
        "gym/X@r3": "r3",
        "gym/Y@1": "r4",
        "gym/X@r5": "r5",
    }
    assert names(made[:1])["gym/X@1"] == names(made)["gym/X@1"]
    assert find("gym/X@2", made, "lab/results").run == find("gym/X@r2", made, "lab/results").run == "r2"
    for name in ("gym/X@3", "gym/Y@r1", "gym/Z@1", "gym/X"):
        with pytest.raises(ValueError, match=r"lab/results has no task .*there are gym/X@1, gym/X@2, gym/X@r3"):
            find(name, made, "lab/results")
    with pytest.raises(ValueError, match="no student of it has been promoted yet"):
        find("gym/X@1", [], "lab/results")


def test_it_is_read_as_it_was_written():
    made = (promoted("r1"), promoted("r2", 2))
    assert parse(written(made), "x") == made


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"teacher": "lab/x@main"}, "0.teacher"),
        ({"log": "/etc@" + "a" * 40}, "0.log"),
        ({"generation": 0}, "0.generation"),
        ({"run": "../x"}, "0.run"),
        ({"more": 1}, "0.more"),
    ],
)
def test_fields_that_are_wrong_are_named(change, says):
    content = promoted("r1").model_dump() | change
    with pytest.raises(ValueError, match=f"x: {says}"):
        parse(json.dumps([content]).encode(), "x")
    with pytest.raises(ValueError, match="not valid JSON"):
        parse(b"[", "x")
