"""A small repository whose numbers can be worked out by hand."""

import hashlib
import json
from typing import Any

import pytest

from reincarnate.leaderboard import board as board_module
from reincarnate.leaderboard import exports, hub_formats, results
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.submission import Tuning
from reincarnate.leaderboard.suite import Anchor, Span, Suite

from . import makers
from .makers import judge, parent, put, record, submission

GAMES = ("gym/A", "gym/B")


@pytest.fixture
def folder(tmp_path):
    """ann: two seeds on both games from nothing; bob: one seed on A, taught by ann's first run."""
    anchor = Anchor(random=0.0, teacher=10.0, costs={"flops": Span(cheap=100.0, dear=10_000.0)})
    suite = Suite(name="two", version=1, seeds=1, tasks=dict.fromkeys(GAMES, anchor))
    (tmp_path / "suites").mkdir()
    (tmp_path / "suites" / "two.json").write_text(suite.model_dump_json())
    first = record("a0", task="gym/A", method="dqn", points=((0, 0), (100, 90)), returns=[(0.0,), (4.0, 6.0)])
    runs = [
        first,
        record("a1", task="gym/A", method="dqn", seed=1, points=((0, 0), (100, 90)), returns=[(0.0,), (6.0, 8.0)]),
        record("a2", task="gym/B", method="dqn", points=((0, 0), (100, 90)), returns=[(0.0,), (2.0, 2.0)]),
        record("a3", task="gym/B", method="dqn", seed=1, points=((0, 0), (100, 90)), returns=[(0.0,), (2.0, 2.0)]),
    ]
    for one in runs:
        put(tmp_path, submission(one, "ann", submitted="2026-01-01T00:00:00Z"))
        judge(tmp_path, submission(one, "ann"), accepted="2026-01-02T00:00:00Z")
    last = record("b0", parent(first), task="gym/A", points=((0, 10), (50, 15)), returns=[(9.0, 9.0), (12.0, 12.0)])
    put(tmp_path, submission(last, "bob"))
    return tmp_path


def made(folder):
    return board(results.read(folder))


def test_scores_at_shares_of_the_usual_budget(folder):
    """Ann begins at 0 FLOPs and ends at 1,000; bob was seen at 100, ends at 200, and has one of the two games."""
    bob, ann = exports.along(made(folder), "flops")
    assert (bob["author"], bob["rank"], ann["author"], ann["rank"]) == ("bob", 1, "ann", 2)
    assert [ann[key] for key in ("0", "100", "250", "500", "1000")] == [0.0, 0.0, 0.0, 0.0, 0.35]
    assert [bob[key] for key in ("0", "100", "250", "500", "1000")] == [0.0, 0.45, 0.6, 0.6, 0.6]
    assert ann["1000_low"] <= ann["1000"] < ann["1000_high"] and bob["1000_low"] is None


def test_one_long_run_does_not_move_the_columns_and_a_small_overshoot_is_read_at_its_end(folder):
    """Of 200, 1,000 and 109,000 FLOPs the second is usual; with a fourth entry of 1,100 that."""
    long = record("c0", task="gym/A", method="td3", points=((0, 0), (9_000, 10_000)), returns=[(0.0,), (10.0, 10.0)])
    put(folder, submission(long, "cy"))
    rows = exports.along(made(folder), "flops")
    assert exports.budgets(rows) == ["0", "100", "250", "500", "1000"]
    assert {row["author"]: row["1000"] for row in rows} == {"bob": 0.6, "ann": 0.35, "cy": 0.0}
    over = record("d0", task="gym/A", method="sac", points=((0, 0), (100, 100)), returns=[(0.0,), (8.0, 8.0)])
    put(folder, submission(over, "dot"))
    rows = exports.along(made(folder), "flops")
    assert exports.budgets(rows)[-1] == "1100" and {row["author"]: row["1100"] for row in rows}["dot"] == 0.4
    (suite,) = made(folder)["suites"]
    assert max(suite["grid"]["flops"]) == 109_000.0  # curves still go to the largest


def test_many_seeds_of_an_easy_task_do_not_raise_the_rank_nor_does_leaving_a_hard_one_out(folder):
    def score() -> float:
        return entry(folder, "ann~dqn~fixed")["suites"]["two"]["end"]["iqm"][0]

    before = score()
    for seed in range(2, 9):
        more = record(
            f"a{seed + 2}", task="gym/A", method="dqn", seed=seed, points=((0, 0), (100, 90)), returns=[(0.0,), (9.0,)]
        )
        put(folder, submission(more, "ann"))
        judge(folder, submission(more, "ann"))
    assert score() == before == 0.35  # the middle half of 0.2, 0.2, 0.5 and 0.7
    shown = entry(folder, "ann~dqn~fixed")["suites"]["two"]["tasks"]["gym/A"]
    assert shown["runs"] == len(shown["scores"]) == 9  # a task's own row has all of them
    for run in ("a2", "a3"):
        (folder / "results" / "ann" / f"{run}.json").unlink()
    assert score() == 0.39  # of nine zeros, 0.5, 0.7 and seven of 0.9; with a single zero it would be 0.87


def entry(folder, name):
    return next(one for one in made(folder)["entries"] if one["id"] == name)


def test_scores_by_hand(folder):
    ann = entry(folder, "ann~dqn~fixed")["suites"]["two"]
    assert ann["end"]["mean"][0] == pytest.approx((0.6 + 0.2) / 2)  # mean over tasks of the mean over runs
    assert ann["end"]["iqm"][0] == pytest.approx((0.2 + 0.5) / 2, abs=1e-4)  # the middle half
    assert ann["end"]["mean"][1:] == pytest.approx([(0.5 + 0.2) / 2, (0.7 + 0.2) / 2])
    assert ann["tasks"]["gym/A"]["scores"] == [0.5, 0.7] and ann["tasks"]["gym/A"]["return"] == 6.0
    assert ann["missing"] == [] and ann["reach"]["flops"][-1] == 1.0  # nobody of ann's reached the teacher


def test_a_missing_cell_counts_as_random_play_and_is_shown(folder):
    bob = entry(folder, "bob~qdagger~fixed")["suites"]["two"]
    assert bob["missing"] == ["gym/B"] and bob["end"]["mean"] == [pytest.approx(0.6)]
    assert bob["end"]["above"] == [0.5] and bob["reach"]["flops"] == [None, 0.5]  # a miss is not a small cost


def test_costs_to_the_last_flop(folder):
    bob = entry(folder, "bob~qdagger~fixed")
    assert bob["cost"]["marginal"]["flops"] == 10 * 15 + 50
    assert bob["cost"]["full"]["flops"] == 10 * 15 + 50 + 10 * 90 + 100
    assert bob["cost"]["shared"]["flops"] == 10 * 15 + 50 + 10 * 90 + 100  # it is the only one that uses it
    assert made(folder)["lineage"]["b0"]["parents"] == ["a0"] and made(folder)["lineage"]["b0"]["full"] == 1200.0


def test_the_front_goes_in_the_order_of_acceptance(folder):
    (suite,) = made(folder)["suites"]
    steps = suite["fronts"]["gym/A"]["flops"]["full"]
    assert [step[0] for step in steps] == ["ann~dqn~fixed", "bob~qdagger~fixed"]
    assert [step[4] for step in steps] == [1, 1]
    assert steps[0][5] == pytest.approx(0.5 * 0.6)  # 1000 FLOPs are half way from 10,000 to 100
    assert entry(folder, "ann~dqn~fixed")["suites"]["two"]["gain"] == pytest.approx((0.3 + 0.1) / 2, abs=1e-3)


def test_improvement_does_not_depend_on_names(folder):
    """Two entries of ann's, accepted on one day, under names in either alphabetical order."""
    found = []
    for names in (("early", "late"), ("late", "early")):
        for number, name in enumerate(names):
            one = record(f"c{number}", task="gym/B", points=((100, 90),), returns=[(4.0 + number, 4.2 + number)])
            put(folder, submission(one, "cy", name))
            judge(folder, submission(one, "cy"), accepted=f"2026-01-03T0{number}:00:00Z")
        gains = [entry(folder, f"cy~{name}~fixed")["suites"]["two"]["gain"] for name in names]
        assert 0.0 < gains[0] < gains[1]
        found.append(gains)
    assert found[0] == found[1]


def test_badges(folder):
    assert entry(folder, "ann~dqn~fixed")["state"] == "re-scored"
    judge(folder, submission(record("a1"), "ann"), "promoted")
    assert entry(folder, "ann~dqn~fixed")["state"] == "promoted"


def test_what_nobody_played_has_no_score_and_is_shown_as_a_claim(folder):
    boast = record("z0", task="gym/A", points=((1, 1),), returns=[(1e6, 1e6)], random=makers.evaluation(-1e9))
    put(folder, submission(boast, "mal"), judged=False)
    assert [one["author"] for one in made(folder)["entries"]] == ["ann", "bob"]
    assert made(folder)["claims"] == [
        {"author": "mal", "entry": "qdagger", "run": "z0", "task": "gym/A", "seed": 0, "claimed": 1e6}
    ]
    judge(folder, submission(record("b0"), "bob"), "self-reported")
    assert [one["author"] for one in made(folder)["entries"]] == ["ann"]


def test_the_maintainers_episodes_rank_and_no_claim_does(folder):
    """At the end and at every other point; a point that nobody played is marked as a claim."""
    boast = record("z0", task="gym/A", points=((0, 0), (10, 10)), returns=[(1e6, 1e6), (1e6, 1e6)])
    put(folder, submission(boast, "mal"))
    own = tuple(makers.evaluation(value, value) for value in (0.0, 3.0))
    judge(folder, submission(boast, "mal"), rescored=own[1], points=own)
    shown = entry(folder, "mal~qdagger~fixed")
    assert shown["suites"]["two"]["tasks"]["gym/A"]["scores"] == [0.3] and not shown["claimed"]
    assert max(level["iqm"][0] for level in shown["suites"]["two"]["levels"]["flops"]) <= 0.3
    judge(folder, submission(boast, "mal"), rescored=own[1], points=())
    shown = entry(folder, "mal~qdagger~fixed")
    assert shown["suites"]["two"]["tasks"]["gym/A"]["scores"] == [0.3] and shown["claimed"]


@pytest.mark.parametrize(("seeds", "says"), [((0, 1), ""), ((1, 2), "without gaps"), ((0,), "at least")])
def test_a_place_needs_all_seeds_from_the_first_on(folder, seeds, says):
    anchor = Anchor(random=0.0, teacher=10.0)
    wanted = Suite(name="two", version=2, seeds=2, tasks={"gym/A": anchor})
    (folder / "suites" / "two-v2.json").write_text(wanted.model_dump_json())
    for seed in seeds:
        put(folder, submission(record(f"s{seed}", task="gym/A", seed=seed), "cy"))
    told = entry(folder, "cy~qdagger~fixed")["suites"]["two"]
    assert says in told["unranked"] and ("place" in told) == (not says)


def test_a_season_shows_its_hidden_task_when_it_ends_and_only_the_file_that_was_named(folder):
    data = json.dumps({"gym/H": {"random": 0.0, "teacher": 10.0, "reference": "lab/h"}}).encode()
    named = hashlib.sha256(data).hexdigest()
    wanted = Suite(name="two", version=2, seeds=1, tasks={"gym/A": Anchor(random=0.0, teacher=10.0)}, hidden=named)
    (folder / "suites" / "two-v2.json").write_text(wanted.model_dump_json())
    put(folder, submission(record("h0", task="gym/H", points=((10, 10),), returns=[(5.0, 5.0)]), "cy"))
    assert "two-hidden" not in [suite["name"] for suite in made(folder)["suites"]]
    (folder / "seasons").mkdir()
    (folder / "seasons" / "two-v2.json").write_bytes(data.replace(b"10.0", b"99.0"))
    assert any("is not the file whose hash two published" in fault for fault in made(folder)["faults"])
    (folder / "seasons" / "two-v2.json").write_bytes(data)
    assert entry(folder, "cy~qdagger~fixed")["suites"]["two-hidden"]["tasks"]["gym/H"]["scores"] == [0.5]


@pytest.mark.parametrize(
    ("accepted", "track", "says"),
    [
        ("2026-05-01T00:00:00Z", "fixed", ""),
        ("2026-06-02T00:00:00Z", "fixed", "its first run came 2026-06-02"),
        ("2026-05-01T00:00:00Z", "tuned", "it is in the tuned track"),
    ],
)
def test_on_what_a_season_hid_only_those_have_a_place_that_were_there_before(folder, accepted, track, says):
    """With the configuration that they had then, which the fixed track keeps for all tasks."""
    data = json.dumps({"gym/H": {"random": 0.0, "teacher": 10.0, "reference": "lab/h"}}).encode()
    anchor, named = Anchor(random=0.0, teacher=10.0), hashlib.sha256(data).hexdigest()
    more: dict[str, Any] = {"hidden": named, "ends": "2026-06-01T00:00:00Z"}
    wanted = Suite(name="two", version=2, seeds=1, tasks={"gym/A": anchor}, **more)
    (folder / "suites" / "two-v2.json").write_text(wanted.model_dump_json())
    (folder / "seasons").mkdir()
    (folder / "seasons" / "two-v2.json").write_bytes(data)
    tuning = (Tuning(run="t", spent={"flops": 1.0}),) if track == "tuned" else ()
    for name, task, when in (("c0", "gym/A", accepted), ("h0", "gym/H", "2026-07-01T00:00:00Z")):
        one = submission(record(name, task=task), "cy", track=track, tuning=tuning)
        judge(folder, one, accepted=when)
        put(folder, one)
    told = entry(folder, f"cy~qdagger~{track}")["suites"]
    assert told["two"]["unranked"] == ""
    assert says in told["two-hidden"]["unranked"] and ("place" in told["two-hidden"]) == (not says)


def test_a_third_partys_code_is_apart(folder):
    put(folder, submission(record("m0", task="gym/A", method="mine:method"), "cy", entry="mine"))
    assert "it is listed apart" in entry(folder, "cy~mine~fixed")["suites"]["two"]["unranked"]
    assert "place" not in entry(folder, "cy~mine~fixed")["suites"]["two"]


def test_a_place_says_how_probably_it_beats_the_next(folder):
    bob, ann = (entry(folder, name)["suites"]["two"] for name in ("bob~qdagger~fixed", "ann~dqn~fixed"))
    assert (bob["place"], ann["place"]) == (1, 2) and ann["beats_next"] is None and 0.5 < bob["beats_next"] <= 1.0


def test_an_entry_that_cannot_be_shown_is_named_and_the_rest_goes_on(folder, monkeypatch):
    real = board_module.matrices

    def odd(one, suite, grid):
        if one.runs[0].author == "bob":
            raise KeyError("something nobody thought of")
        return real(one, suite, grid)

    monkeypatch.setattr(board_module, "matrices", odd)
    told = made(folder)
    assert any(fault.startswith("bob~qdagger~fixed cannot be shown in two") for fault in told["faults"])
    assert "two" in next(one for one in told["entries"] if one["author"] == "ann")["suites"]


def test_a_revoked_entry_flags_its_descendants_and_leaves_the_front(folder):
    judge(folder, submission(record("a0"), "ann"), "revoked")
    assert entry(folder, "bob~qdagger~fixed")["tainted"] == ["a0"]
    assert entry(folder, "ann~dqn~fixed")["state"] == "revoked"
    (suite,) = made(folder)["suites"]
    assert [step[0] for step in suite["fronts"]["gym/A"]["flops"]["full"]] == ["bob~qdagger~fixed"]
    told = entry(folder, "ann~dqn~fixed")["suites"]["two"]
    assert told["unranked"] == "a maintainer has revoked it" and "place" not in told


def test_tuning_is_charged(folder):
    one = record("t0", task="gym/A", points=((50, 15),), returns=[(3.0,)])
    put(folder, submission(one, "cy", track="tuned", tuning=({"run": "x", "spent": {"flops": 7.0, "frames": 1.0}},)))
    cost = entry(folder, "cy~qdagger~tuned")["cost"]
    assert cost["marginal"]["flops"] == cost["full"]["flops"] == 10 * 15 + 50 + 7.0


def test_a_task_of_no_suite_has_returns_and_no_score(folder):
    """A return of 500 without a scale is in no aggregate: it once stood above every honest entry."""
    put(folder, submission(record("a", returns=[(0.0,), (500.0, 500.0)]), "cy"))
    told = made(folder)
    assert told["apart"] == [{"entry": "cy~qdagger~fixed", "task": "gym/CartPole-v1", "seed": 0, "return": 500.0}]
    assert entry(folder, "cy~qdagger~fixed")["suites"] == {} and [s["name"] for s in told["suites"]] == ["two"]


def test_suites_with_most_runs_come_first_and_all_tasks_last_where_no_suites_played_whole_have_them(tmp_path):
    (tmp_path / "suites").mkdir()
    for name, tasks in {"one": ("gym/A",), "others": ("gym/B", "gym/C"), "wide": ("gym/A", "gym/D")}.items():
        told = Suite(name=name, version=1, tasks=dict.fromkeys(tasks, Anchor(random=0, teacher=1)))
        (tmp_path / "suites" / f"{name}-v1.json").write_text(told.model_dump_json())
    for task, names in {
        "gym/A": ["one", "wide", "others"],  # the first is all
        "gym/B": ["one", "others", "wide", "all"],
        "gym/C": ["others", "one", "wide"],  # the first two are all
        "gym/E": ["others", "one", "wide"],  # no suite has it
    }.items():
        put(tmp_path, submission(record(task[-1], task=task)))
        assert [suite["name"] for suite in made(tmp_path)["suites"]] == names


def test_a_bad_yardstick_is_flagged(tmp_path):
    (tmp_path / "suites").mkdir()
    odd = Suite(name="odd", version=1, seeds=1, tasks={"gym/CartPole-v1": Anchor(random=5.0, teacher=4.0)})
    (tmp_path / "suites" / "odd-v1.json").write_text(odd.model_dump_json())
    put(tmp_path, submission(record("a")))
    assert made(tmp_path)["suites"][0]["tasks"]["gym/CartPole-v1"]["fault"] == "negative"


def test_an_empty_repository_and_what_cannot_be_read(tmp_path):
    assert made(tmp_path)["entries"] == [] and made(tmp_path)["suites"] == []
    path = put(tmp_path, submission(record("a")))
    path.write_text(path.read_text().replace('"qdagger"', "7", 1))
    (fault,) = made(tmp_path)["faults"]
    assert "results/ann/a.json" in fault and "entry" in fault
    with pytest.raises(ValueError, match="there is no folder"):
        results.read(tmp_path / "nowhere")


def test_the_board_is_plain_json_and_the_same_twice(folder):
    assert json.dumps(made(folder), allow_nan=False) == json.dumps(made(folder), allow_nan=False)


def test_entries_are_compared_with_one_from_scratch_that_has_a_place(folder):
    assert made(folder)["suites"][0]["baselines"][0] == "ann~dqn~fixed"
    late = record("c0", task="gym/A", method="dqn", seed=1, points=((0, 0), (100, 90)), returns=[(0.0,), (4.0, 6.0)])
    put(folder, submission(late, "aaa"))  # no seed 0, so no place
    assert made(folder)["suites"][0]["baselines"][:2] == ["ann~dqn~fixed", "aaa~dqn~fixed"]


def test_a_baseline_must_exist(folder):
    with pytest.raises(ValueError, match="there is no entry 'x'"):
        board(results.read(folder), "x")
    better = next(one for one in board(results.read(folder), "ann~dqn~fixed")["entries"] if one["author"] == "bob")
    assert better["suites"]["two"]["better"]["ann~dqn~fixed"][0] == 0.5  # A won for sure, B missing and lost


def test_exports(folder):
    table = exports.rows(made(folder))
    assert [row["author"] for row in table] == ["bob", "ann"] and table[0]["low"] is None
    assert exports.as_csv(table).splitlines()[0].startswith("rank,entry,author,badge")
    assert "| 2 | dqn | ann | re-scored | 0.35 [" in exports.as_markdown(table)
    assert r"2 & dqn & ann & re-scored & 0.35 [" in exports.as_latex(table)
    assert len(exports.runs(results.read(folder))) == 10
    assert "task_id: two-v1" in hub_formats.eval_results(made(folder), "me/results")["ann~dqn~fixed"]
    with pytest.raises(ValueError, match="no suite 'x'; there are: two"):
        exports.rows(made(folder), "x")
    assert table[1]["area"] == entry(folder, "ann~dqn~fixed")["suites"]["two"]["area"]["frames"][0]
    heads = [exports.as_markdown(table).splitlines()[0], exports.as_latex(table).splitlines()[2]]
    assert all("area" in head for head in heads) and "area" in exports.as_csv(table).splitlines()[0].split(",")
    assert exports.as_csv([{"entry": "=1+1", "runs": 2}]) == "entry,runs\n'=1+1,2\n"
