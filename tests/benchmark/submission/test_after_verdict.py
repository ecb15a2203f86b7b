"""With the real queue: an honest run changed in every way, re-training, and what can happen after a verdict."""

import json
import random
from typing import Any

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.next_generation import revoke
from reincarnate.benchmark.submission.queue import Rules, queue
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import paths
from reincarnate.leaderboard.site import build
from reincarnate.leaderboard.submission import Submission, parse

from ...leaderboard.test_mutations import places
from .hub import RESULTS, House, files_of, house, resealed
from .test_adversary import Forger, noise, told, trained

pytestmark = pytest.mark.slow
EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
ODD = (0, -1, 1, 2.5, True, 1e6, 1e-6, 1e99, None, "", "x", "../x", "0" * 64, [], {}, [1], {"flops": 1.0})


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with house(tmp_path_factory.mktemp("after")) as made:
        yield made


@pytest.fixture(scope="module")
def forger(hub: House) -> Forger:
    """Return what mallory has trained, after a run of ann's was accepted."""
    trained(hub, "ann", 0)
    told = queue(hub.as_user("lab"), hub.url)
    assert [one.state for verdicts in told.values() for one in verdicts] == ["re-scored"]
    return Forger(hub, *trained(hub, "mallory", 1))


def at_random(content: Any, rng: random.Random) -> None:
    """Set or drop a part of JSON, wherever it is."""
    *above, last = rng.choice([place for place in places(content) if place])
    for step in above:
        content = content[step]
    if rng.random() < 0.25:
        del content[last]
    else:
        content[last] = rng.choice(ODD)


def mutated(one: dict[str, Any], lines: bytes, rng: random.Random) -> tuple[str, dict[str, bytes]]:
    """Draw a change of fields, types, order or files: what it is, and the files of the request."""
    one = json.loads(json.dumps(one))
    record, log = paths("mallory", one["record"]["run"])
    kind = rng.choice(["field", "line", "order", "points", "files"])
    if kind == "field":
        at_random(one, rng)
    elif kind == "line":
        lines, one["record"]["ledger"] = resealed(lines, lambda rows: at_random(rng.choice(rows), rng))
    elif kind == "order":
        lines, one["record"]["ledger"] = resealed(lines, rng.choice([rng.shuffle, list.reverse, list.pop]))
    elif kind == "points":
        rng.choice([list.reverse, list.pop, lambda points: points.append(points[0])])(one["record"]["points"])
    data = json.dumps(one).encode()
    if kind != "files":
        return kind, {record: data, log: lines}
    drawn = [
        {record: lines, log: data},
        {record: data},
        {record: data, log: lines[: len(lines) // 2]},
        {record: data, log: lines + lines.splitlines(keepends=True)[-1]},
        {record: data, log: b"\xef\xbb\xbf" + lines},
        {record: data.decode().encode("utf-16"), log: lines},
        {record: data, log: lines, "suites/poles.json": b"{}"},
        dict(zip(paths("ann", one["record"]["run"]), (data, lines), strict=True)),
        dict(zip(paths("mallory", "another"), (data, lines), strict=True)),
        {record: data, log: b""},
    ]
    return kind, rng.choice(drawn)


def essential(one: Submission) -> dict[str, Any]:
    """Return everything in a submission that ranks, costs or says what was trained."""
    wanted = {"task", "protocol", "method", "settings", "network", "seed", "environments", "budget", "parents", "run"}
    made = one.model_dump(include={"author", "track", "student", "sources", "tuning"})
    points = [(point.spent, point.parameters) for point in one.record.points]
    return made | one.record.model_dump(include=wanted) | {"points": points}


def test_whatever_is_changed_of_an_honest_run_only_the_honest_one_is_ever_accepted(forger: Forger):
    """Only fields that do not affect the ranking may differ: descriptions, and claims that our episodes confirm."""
    rng, mallory, files = random.Random(0), forger.hub.as_user("mallory"), {}
    where, _ = forger.student("drawn", noise(0.0))
    one = forger.submission | {"student": where}
    honest = mallory.propose(files_of(one, forger.lines), "honest", "")
    for draw in range(60):
        kind, changed = mutated(one, forger.lines, rng)
        files[mallory.propose(changed, f"{kind} {draw}", "")] = changed
    told = queue(forger.hub.as_user("lab"), forger.hub.url, Rules(seconds=300.0, write=False))
    assert [verdict.state for verdict in told[honest]] == ["re-scored"]
    wanted, accepted = essential(parse(json.dumps(one).encode(), Submission, "x")), 0
    for number, changed in files.items():
        assert told[number]
        if {verdict.state for verdict in told[number]} == {"rejected"}:
            assert all(verdict.reasons for verdict in told[number])
            continue
        accepted += 1
        (record,) = [data for path, data in changed.items() if not path.endswith(".ledger.jsonl")]
        assert essential(parse(record, Submission, "x")) == wanted, number
    assert accepted < len(files) / 3
    for number in (honest, *files):
        forger.hub.api("mallory").change_discussion_status(RESULTS, number, "closed", repo_type="dataset")


def constant(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return weights that nobody trained: always the same action."""
    zero = {name: np.zeros_like(array) for name, array in arrays.items()}
    return zero | {"params/Dense_2/bias": np.array([1.0, 0.0], "f4")}


def nine(record, rows):
    """Claim returns of 9, which is what the weights reach."""
    judged = record["points"][-1]["evaluation"]
    for name in ("mean", "standard_error", "interval"):
        judged.pop(name)
    many = len(judged["returns"])
    judged["returns"], judged["lengths"] = [9.0, 10.0] * (many // 2), [9, 10] * (many // 2)
    rows[-1]["evaluation"] = dict(judged)


def test_who_is_trained_again_revoked_or_writes_html(forger: Forger, tmp_path):
    hub, lab = forger.hub, forger.hub.as_user("lab")
    handmade = forger.hand_in("handmade", nine, constant)
    (verdict,) = queue(lab, hub.url, Rules(write=False))[handmade]
    assert verdict.state == "re-scored"  # without training again
    hub.api("mallory").change_discussion_status(RESULTS, handmade, "closed", repo_type="dataset")
    handmade = forger.hand_in("handmade-2", nine, constant)
    (verdict,) = queue(hub.as_user("lab"), hub.url, Rules(again=1))[handmade]
    assert verdict.state == "rejected" and "where the same request ends here" in verdict.reasons[0]
    honest = forger.hand_in("honest", arrays=noise(0.0), more={"about": EVIL})
    (verdict,) = queue(hub.as_user("lab"), hub.url, Rules(again=1))[honest]
    assert (verdict.state, len(verdict.retrained)) == ("re-trained", 1), verdict.reasons

    results = submit.repository_folder(hub.as_user("lab"), hub.url)
    (stolen,) = [one.record.run for one in results.submissions.values() if one.author == "ann"]
    shown = {one["author"]: one["cost_badge"] for one in board(results)["entries"]}
    assert shown == {"ann": "self-reported cost", "mallory": "cost checked by re-training (1 of 1 runs)"}
    build(results.folder, tmp_path / "site")
    pages = [path for path in (tmp_path / "site").rglob("*") if path.suffix in (".html", ".js")]
    assert pages and not any("<script>alert" in path.read_text() for path in pages)

    assert revoke(stolen, "stolen", hub.as_user("lab"), hub.url) == []
    folder = hub.at / "sent-ann-0" / "students" / stolen
    champion = {name: np.array(array) for name, array in weights.load(folder / "policy.safetensors").items()}
    again = forger.hand_in("again", arrays=lambda _: noise(1e-6)(champion))
    reference = results.submissions[stolen].student
    above = {"kind": "teacher", "reference": reference, "digest": digest(champion), "claim": "", "part": ""}
    other = Forger(hub, *trained(hub, "mallory", 2))
    child = other.hand_in("child", told(parents=[above]), noise(0.0))
    verdicts = queue(hub.as_user("lab"), hub.url)
    assert verdicts[again][0].state == "rejected" and f"run {stolen} of ann" in verdicts[again][0].reasons[0]
    assert verdicts[child][0].state == "re-scored", verdicts[child][0].reasons
    made = board(submit.repository_folder(hub.as_user("lab"), hub.url))["entries"]
    assert {one["entry"]: one["tainted"] for one in made if one["author"] == "mallory"} == {
        "honest": [],
        "child": [stolen],
    }
    assert all("place" not in suite for one in made if one["author"] == "ann" for suite in one["suites"].values())
