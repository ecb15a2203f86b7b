"""Cheats of strangers who know all the others: references, sizes, copies and numbers that look like something else."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.submission.queue import Rules, queue
from reincarnate.benchmark.submission.submit import repository_folder
from reincarnate.leaderboard.results import paths

from .hub import RESULTS, House, house
from .test_adversary import BIAS, IN, OUT, Forger, noise, prey, told
from .test_more_cheats import asked, spends

pytestmark = pytest.mark.slow


def bf16(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights with 8 bits of mantissa."""
    return {k: (v.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for k, v in w.items()}


def each_scaled(w: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the same policy with every hidden unit scaled by itself, and its answer scaled back, in another order."""
    by = np.exp(np.random.default_rng(2).uniform(-3, 3, w[BIAS].size)).astype("f4")
    order = np.random.default_rng(3).permutation(by.size)
    return {**w, IN: (w[IN] * by)[:, order], BIAS: (w[BIAS] * by)[order], OUT: (w[OUT] / by[:, None])[order]}


def header(size: int):
    """Write a file of weights whose header says a million things."""

    def files(folder: Path) -> None:
        one = '"x%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
        text = ("{" + ",".join(one % n for n in range(size)) + "}").encode()
        (folder / "policy.safetensors").write_bytes(struct.pack("<Q", len(text)) + text)

    return files


def grown(options: dict) -> tuple:
    """Say of the network in the configuration, the record and the ledger that it is another: (change, files)."""

    def change(record, rows):
        record["network"] = rows[0]["network"] = {"name": "mlp", "options": options}

    def files(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        config["architecture"]["options"] = options
        (folder / "config.json").write_text(json.dumps(config))

    return change, files


def resumed(record, rows):
    """Say that the run was interrupted a million million times."""
    record["resumed"] = 10**12


def bomb(**settings):
    """Say that the run was asked for, and had, a setting whose update no machine holds."""

    def change(record, rows):
        asked(settings={**record["settings"], **settings})(record, rows)

    return change


def up(forger: Forger) -> int:
    """Return a request whose run says that it belongs to another's folder."""
    one = json.loads(json.dumps(forger.submission))
    one["record"]["run"] = "../../ann/x"
    data = (json.dumps(one).encode(), forger.lines)
    return forger.hub.as_user("mallory").propose(dict(zip(paths("mallory", "up"), data, strict=True)), "up", "")


def branched(forger: Forger) -> dict[int, str]:
    """Return requests whose student or parent is at a branch, a tag or a request that looks like a commit."""
    api = forger.hub.api("mallory")
    where, made = forger.student("branched", noise(1e-2))
    name, _, commit = where.partition("@")
    above = {"kind": "teacher", "digest": digest(made), "claim": "", "part": ""}
    found = {}
    for kind, text in (("branch", "b" * 40), ("tag", "e" * 40)):
        try:
            getattr(api, f"create_{kind}")(name, **{kind: text}, revision=commit)
        except Exception:  # noqa: BLE001 (a hub may refuse such names)
            continue
        found[forger.hand_in(f"at-{kind}", more={"student": f"{name}@{text}"})] = "is not a commit of its main branch"
    side = api.create_commit(name, [CommitOperationAdd("README.md", b"x")], commit_message="side", create_pr=True).oid
    found[forger.hand_in("parent-side", told(parents=[{**above, "reference": f"{name}@{side}"}]), noise(0.0))] = (
        "is not a commit that its owner published"
    )
    nobody = f"{name}@{'f' * 40}"
    found[forger.hand_in("nowhere", more={"student": nobody})] = "is not a commit of its main branch"
    found[forger.hand_in("nowhere-2", told(parents=[{**above, "reference": nobody}]), noise(0.0))] = (
        "is not a commit that its owner published"
    )
    many = [{**above, "reference": where} for _ in range(500)]
    found[forger.hand_in("parents", told(parents=many), noise(0.0))] = "record.parents: 500 are more than"
    return found


def test_what_strangers_try_is_rejected_or_gains_nothing(tmp_path_factory):
    with house(tmp_path_factory.mktemp("strangers")) as hub:
        forger, (stolen, _), champion = prey(hub)
        hand_in, own = forger.hand_in, noise(0.0)
        wide, deep = grown({"size": 16384, "depth": 3}), grown({"size": 64, "depth": 10**6})
        minus = lambda w: {k: np.where(v == 0, -0.0, v).astype("f4") for k, v in w.items()}  # noqa: E731
        copied = "a copy of it or made from it"
        wanted = {
            hand_in("bf16", arrays=lambda _: bf16(champion)): copied,
            hand_in("each-scaled", arrays=lambda _: each_scaled(champion)): copied,
            hand_in("minus-zero", arrays=lambda _: minus(champion)): "run",
            hand_in("header", arrays=own, files=header(300_000)): "student: ",
            hand_in("wide", wide[0], own, files=wide[1]): "student: ",
            hand_in("deep", deep[0], own, files=deep[1]): "student: ",
            hand_in("batch", bomb(batch_size=2**40), own): "no update of dqn can be traced",
            hand_in("window", bomb(n_step=2**40), own): "no update of dqn can be traced",
            hand_in("resumed", resumed, own): "times",
            hand_in("free", spends(flops=-0.0, updates=1.0), own): "FLOPs are less than",
            hand_in("tiny", told(budget={"steps": 5e-324}), own): "more than",
            hand_in("up", lambda r, rows: r["points"][0].update(file="../../../etc/passwd")): "leads outside",
            hand_in("up-2", lambda r, rows: r["points"][0].update(file="students/../../x")): "leads outside",
            up(forger): "it must be letters",
            hand_in("suite", asked(task="gym/Pendulum-v1"), own): "",
            **branched(forger),
        }
        late = {"submitted": "9999-12-31T23:59:59Z"}
        first = hand_in("future", lambda record, rows: rows[0].update(time=1e30), own, late)  # nobody looks at times
        second = hand_in("twice", arrays=own)
        verdicts = queue(hub.as_user("lab"), hub.url, Rules(seconds=300.0))
        reasons = {number: "\n".join(reason for one in verdicts[number] for reason in one.reasons) for number in wanted}
        assert [(says, reasons[n]) for n, says in wanted.items() if says not in reasons[n]] == []
        assert all(reasons.values()) and str(hub.at) not in str(reasons)
        assert {one.state for number in wanted for one in verdicts[number]} == {"rejected"}
        assert [verdicts[n][0].state for n in (first, second)] == ["re-scored", "rejected"], verdicts[first]
        results = repository_folder(hub.as_user("lab"), hub.url)
        assert results.faults == () and {*results.submissions} == {stolen.run, "future"}
        assert {path for path in hub.main() if path.startswith("results/ann")} == {*paths("ann", stolen.run)}
        files = [path for path in (hub.at / "caches").rglob("*/blobs/*") if path.stat().st_size > 50_000]
        left = {path.parents[1].name for path in files if "models--mallory" in str(path)}
        assert left == {"models--mallory--future"}  # the others would fill the disk
        strangers_at_anns(hub)


def strangers_at_anns(hub: House) -> None:
    """Push to another's open request, close it, rename it and write to its student: the hub refuses all of it."""
    number = hub.as_user("ann").propose({path: b"{}" for path in paths("ann", "open")}, "ann's", "")
    api, how = hub.api("mallory"), {"repo_type": "dataset"}
    change = [CommitOperationAdd(paths("ann", "open")[0], b'{"by": "mallory"}')]
    for call in (
        lambda: api.create_commit(RESULTS, change, commit_message="x", revision=f"refs/pr/{number}", **how),
        lambda: api.change_discussion_status(RESULTS, number, "closed", **how),
        lambda: api.rename_discussion(RESULTS, number, "mine now", **how),
        lambda: api.merge_pull_request(RESULTS, number, **how),
        lambda: api.create_commit(RESULTS, change, commit_message="x", **how),
        lambda: api.create_branch(RESULTS, branch="x", **how),
    ):
        with pytest.raises(Exception, match="403|401|[Ff]orbidden|permission|may not"):
            call()
    (one,) = [each for each in hub.as_user("lab").requests() if each.number == number]
    assert hub.as_user("lab").read(paths("ann", "open")[0], one.head) == b"{}"
