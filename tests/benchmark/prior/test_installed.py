"""The teacher that the balloon's wheel brings along: found by its name, known by its content, and priced by a bound."""

import shutil
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.prior import ancestors, installed
from reincarnate.benchmark.prior.load import pull_teacher
from reincarnate.benchmark.prior.recognised import content, facts, place_of, task_of
from reincarnate.benchmark.runs.reevaluate import evaluate
from reincarnate.benchmark.submission import floor, judge, known
from reincarnate.benchmark.tasks.balloon import genuine
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard.record import Parent, RunRecord

NAME = installed.PERCIATELLI44


def with_wheel(test):
    """Let a test run among the slow ones, where the wheel is installed."""
    missing = f"the balloon's wheel is not installed: {genuine.INSTALL}"
    return pytest.mark.slow(pytest.mark.skipif(not genuine.installed(), reason=missing)(test))


def test_its_name_needs_the_wheel_and_no_other_name_does(monkeypatch):
    monkeypatch.setattr(genuine, "NEEDED", ("no_such_library",))
    with pytest.raises(ValueError, match="needs no_such_library"):
        place_of(NAME, "bundled")
    assert installed.installed() == installed.search("", (), "") == [] and installed.file_of("lab/other") is None


def test_nobody_counted_it_and_its_lower_bound_stands():
    (source,) = ancestors.above([Parent(kind="teacher", reference=NAME, digest="0" * 64)], {}, ("bundled",))
    assert source.spent is None and source.at_least["device"] == 28 * 86_400
    assert floor.bound(source.at_least, "teacher") == ""
    told = {NAME: {"flops": 1e20}}
    (other,) = ancestors.above([Parent(kind="teacher", reference=NAME, digest="0" * 64)], {}, ("bundled",), told)
    assert other.at_least == {"flops": 1e20}, "who knows more may say so"


@with_wheel
def test_it_is_known_wherever_its_file_lies(tmp_path):
    assert [str(one.ref) for one in installed.search("perciatelli44", ("installed",), "balloon")] == [NAME]
    assert installed.search("", (), "atari/Pong") == []
    place, ref = place_of(NAME, "bundled")
    assert str(ref) == NAME and task_of(place, NAME).name == "balloon/station_keeping"
    shutil.copy(place, tmp_path / "copied.pb")
    told = facts(tmp_path)
    assert told["task"] == "balloon/station_keeping" and told["license"] == "apache-2.0" and "month" in told["cost"]
    assert "TWR50 35.2 %" in told["scores"] and told["scores"].endswith("seeds of big_eval")
    config, arrays = content(place)
    assert config["architecture"]["options"]["quantiles"] == 51
    assert config["architecture"]["options"]["options"]["sizes"] == [600] * 7
    assert sum(array.size for array in arrays.values()) == 2_915_553


@with_wheel
def test_it_plays_the_first_two_episodes_as_it_did_in_the_wheel_itself():
    found = evaluate(NAME, seeds=range(2))
    np.testing.assert_allclose(found.evaluation.returns, [543.9, 103.5], atol=0.1)
    np.testing.assert_allclose(found.evaluation.shares, [0.39, 0.0], atol=0.005)
    assert "TWR50: 19" in found.sentence()


@with_wheel
def test_a_judge_finds_it_without_a_hub():
    place, _ = place_of(NAME, "bundled")
    assert ancestors.open_pinned(NAME, "teacher", ()) == place and ancestors.is_published(NAME, "teacher", ())
    assert ancestors.sizes(NAME, "teacher", ()) == {"perciatelli44.pb": place.stat().st_size}
    with pytest.raises(ValueError, match="not pinned"):
        ancestors.open_pinned(NAME, "log", ("bundled",))
    own = digest(content(place)[1])
    for told, faults in ((own, []), ("0" * 64, [f"record.parents.0.digest: {NAME} has different weights"])):
        record = SimpleNamespace(parents=[Parent(kind="teacher", reference=NAME, digest=told)])
        above, found = judge._parents(cast(RunRecord, record), find("balloon/station_keeping"), ())
        assert found == faults and len(above.policies) == 1
    (mine,) = known.teachers(find("balloon/station_keeping"))  # so students with nearly its weights do not launder it
    assert (mine[0], mine[1], mine[3]) == (NAME, own, None)


@with_wheel
def test_it_plays_by_the_simulator_of_the_wheel_too():
    for name in ("balloon/station_keeping", "balloon/station_keeping_genuine"):
        _, parent = pull_teacher(NAME, "bundled", find(name))
        assert parent and parent.reference == NAME
    with pytest.raises(ValueError, match="plays balloon/station_keeping, but the task is gym/CartPole-v1"):
        pull_teacher(NAME, "bundled", find("gym/CartPole-v1"))
