"""The committed results: each is verified and what its ledger says, and the board is made from them."""

import shlex
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.tasks.balloon import genuine
from reincarnate.benchmark.tasks.suites import SUITES
from reincarnate.benchmark.tasks.task import find
from reincarnate.benchmark.training.preset_choice import settle
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard import ledger, record, results, site
from reincarnate.leaderboard.entries import ORDER as STATES
from reincarnate.leaderboard.entries import TRUSTED, entries
from reincarnate.leaderboard.told import pinned

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
ON_ALE = ("dqn", "fine_tuning", "qdagger", "kickstarting", "cql", "rehearsal", "dqfd", "jsrl")
ON_MINATAR = (*ON_ALE, "dagger_ql", "dagger", "fine_tuning-learning_rate-2.5e-4", "rainbow", "drq")
BY_WEAKER = ("qdagger",)
OTHER_TEACHER_OR_LOG = ("-early-log", "-early-teacher")
LONGER = ("dqn", "qdagger", "dagger_ql")
FLOWN = ("fine_tuning", "qdagger", "kickstarting", "bc_rl", "qr_dqn", "iqn")
FLOWN_LONGER = ("qdagger-iqn", "qdagger-qr_dqn", *FLOWN[:1], *FLOWN[2:])
CONTROL = (
    *("sac", "td3", "fine_tuning", "qdagger", "kickstarting", "bc_rl", "rehearsal", "jsrl", "rlpd", "cal_ql", "wsrl"),
    *("pex", "ibrl", "residual"),
)
ON_MUJOCO = ("sac", "td3", "fine_tuning", "qdagger", "kickstarting", "bc_rl", "rehearsal", "jsrl")
ON_DMC = ("td3", "fine_tuning", "surgery", "qdagger", "kickstarting")
FIRST = (  # the methods of the first board, by the names that they had then
    *("annealed_mixing", "bc_rl", "cal_ql", "cql", "dagger", "dagger_ql", "distillation", "dopamine_dqn", "dqfd"),
    *("dqn", "drq", "fine_tuning", "ibrl", "jsrl", "kickstarting", "nature_dqn", "pbt", "pex", "qdagger", "rainbow"),
    *("rehearsal", "rlpd", "surgery", "tgrl", "wsrl"),
)
GRIDS_V1 = (  # suite, how its entries end, how they begin: with the method, budget
    ("minatar5", "", FIRST, (("steps", 1e5), ("flops", 1e12))),
    ("minatar5", "-early", ("fine_tuning", "kickstarting", "distillation"), (("steps", 1e5), ("flops", 1e12))),
)
GRIDS = (
    ("minatar5", "", ON_MINATAR, (("steps", 1e5), ("flops", 1e12))),
    *(("minatar5", end, BY_WEAKER, (("steps", 1e5), ("flops", 1e12))) for end in ("-early", *OTHER_TEACHER_OR_LOG)),
    ("minatar5", "-long", LONGER, (("steps", 3e5), ("flops", 5e12))),
    ("atari-small", "-5T", ON_ALE, (("steps", 1e5), ("flops", 5e12))),
    ("balloon", "-balloon", FLOWN, (("steps", 30_720.0),)),
    ("balloon", "-balloon-92k", FLOWN_LONGER, (("steps", 92_160.0),)),
    ("pendulum", "-pendulum", CONTROL, (("steps", 1e4), ("flops", 3.7e11))),
    ("pendulum", "-pendulum-ratio", CONTROL, (("steps", 1e4),)),
    ("halfcheetah", "-halfcheetah", ON_MUJOCO, (("steps", 5e4), ("flops", 2.95e13))),
    ("walker-walk", "-walker", ON_DMC, (("steps", 2.5e4), ("flops", 1.15e13))),
)
LARGE = ("fine_tuning-balloon", "fine_tuning-balloon-92k")  # entries whose students have 12 MB of weights each
PLAYED = sorted({suite for suite, *_ in GRIDS})


@pytest.fixture(scope="module")
def committed() -> results.Results:
    return results.read(DOCS / "results")


@pytest.fixture(scope="module", params=["results", "results-v1"])
def each(request) -> results.Results:
    return results.read(DOCS / request.param)


@pytest.mark.parametrize(("name", "grids"), [("results", GRIDS), ("results-v1", GRIDS_V1)])
def test_every_run_was_verified_and_every_method_of_a_suite_has_the_same_ones(name, grids):
    committed = results.read(DOCS / name)
    assert committed.faults == () and {suite.name for suite in committed.suites} == {suite for suite, *_ in grids}
    assert all(STATES.index(committed.verdicts[run].state) >= TRUSTED for run in committed.submissions)
    found = 0
    for suite, ending, methods, budget in grids:
        names = {name + ending: name for name in methods}
        told = [(names[one.entry], one.record) for one in committed.submissions.values() if one.entry in names]
        here = [one for _, one in told if one.task in SUITES[suite]]
        found += len(here)
        assert all(name.partition("-")[0] == one.method for name, one in told)
        cells = {(name, one.task, one.seed) for name, one in told if one.task in SUITES[suite]}
        seeds = {one.seed for one in here}
        assert cells == {(name, task, seed) for name in methods for task in SUITES[suite] for seed in seeds}
        assert len(cells) == len(here) and {tuple(one.budget.items()) for one in here} == {budget}
        (anchors,) = [one.tasks.values() for one in committed.suites if one.name == suite]
        teachers = {parent.reference for one in here for parent in one.parents if parent.kind == "teacher"}
        early = {name.partition("@")[0].endswith("-early") for name in teachers}
        assert early == {ending in ("-early", "-early-teacher")} and len(teachers) == len(anchors)
        if ending == "-long":  # with the tasks' own teachers
            assert teachers == {find(task).teacher for task in SUITES[suite]}
        elif early == {False}:
            assert teachers == {anchor.reference for anchor in anchors}
    assert found == len(committed.submissions)
    assert len(entries(committed)) == sum(len(methods) for _, _, methods, _ in grids)


def test_of_the_students_the_best_of_each_games_leading_entry_is_kept(committed):
    wanted = {}
    for task in (task for suite in PLAYED for task in SUITES[suite]):
        ends: dict[str, list[tuple[float, str]]] = {}
        for run, one in committed.submissions.items():
            if one.record.task == task and one.entry not in LARGE:
                ends.setdefault(one.entry, []).append((float(np.mean(one.record.points[-1].evaluation.returns)), run))
        wanted |= {max(max(ends.values(), key=lambda runs: np.mean([mean for mean, _ in runs])))[1]: task}
    kept = {}
    for folder in (DOCS / "students").iterdir():
        told = record.load(folder / "record.json")
        kept[told.run] = told.task
        assert told == committed.submissions[told.run].record
        assert digest(weights.load(folder / "policy.safetensors")) == told.points[-1].parameters
    assert kept == wanted


@pytest.mark.slow
def test_the_board_is_built_from_them_alike_each_time(each, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795910400")  # the pages say when they were built
    made = []
    for name in ("first", "second"):
        site.build(each.folder, tmp_path / name)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        made.append({path.relative_to(tmp_path / name): path.read_bytes() for path in files})
    assert made[0] == made[1] and len(made[0]) > len(entries(each))


@pytest.mark.slow
def test_every_record_says_what_its_ledger_says(each):
    for run, one in each.submissions.items():
        lines = ledger.read(each.folder / results.paths(one.author, run)[1])
        assert ledger.faults(lines) == [] and record.mismatches(lines, one.record) == []
        assert one.record.complete


@pytest.mark.slow
def test_the_command_on_an_entrys_page_gives_each_run_its_settings_again(each):
    """Not those of a preset that was made later, and of today's methods."""
    for one in each.submissions.values():
        if one.record.seed or (one.record.task in SUITES["balloon"] and not genuine.installed()):
            continue  # all seeds have the same settings
        words = shlex.split(pinned(one.record))
        given = dict(value.split("=", 1) for name, value in pairwise(words) if name == "--set")
        preset, budget = (words[words.index(name) + 1] for name in ("--preset", "--budget"))
        _, settings = settle(find(one.record.task), one.record.method, budget, given, preset)
        told = {key: str(value) for key, value in one.record.settings.items()}
        assert {key: str(value) for key, value in settings.items()} == told, (one.entry, one.record.task)
