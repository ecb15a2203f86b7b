"""Requests with odd JSON, paths, numbers and files rather than odd claims."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.submission.queue import queue
from reincarnate.leaderboard.results import paths
from reincarnate.leaderboard.submission import REASONS

from .hub import RESULTS, House, files_of, house, resealed
from .test_adversary import Forger, noise, prey, told, trained

pytestmark = pytest.mark.slow


def more(record, rows):
    """Ask for ten times as much, and stop where it looks best."""
    record["budget"] = rows[0]["budget"] = {"steps": 4000.0, "updates": 3000.0}
    rows[0]["request"]["budget"] = "steps=4000.0,updates=3000.0"
    record["command"] = rows[0]["command"] = RunRequest.from_json(rows[0]["request"]).command()


def doubles(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {key: value.astype(np.float64) for key, value in arrays.items()}


def written(forger: Forger, name: str, change: Callable[[bytes], bytes], both=lambda record, rows: None) -> int:
    """Submit the run under another id, after a change of its ledger's bytes that leaves its seals right."""
    one = json.loads(json.dumps(forger.submission))

    def named(rows):
        one["record"]["run"] = rows[0]["run"] = name
        both(one["record"], rows)

    lines, one["record"]["ledger"] = resealed(forger.lines, named)
    one |= {"entry": name, "student": forger.student(name, noise(0.0))[0]}
    return forger.hub.as_user("mallory").propose(files_of(one, change(lines)), name, "")


def named_otherwise(forger: Forger) -> dict[int, str]:
    """Return requests whose paths look like an author's, but are not."""
    mallory, found = forger.hub.as_user("mallory"), {}
    for folder in (
        "results/Mallory",
        "results/MALLORY",
        "Results/mallory",
        "results/\uff4dallory",
        "results/mallory/a",
    ):
        found[mallory.propose({f"{folder}/x{end}": b"{}" for end in (".json", ".ledger.jsonl")}, "x", "")] = (
            "is not mallory's"
        )
    found[mallory.propose({f"results/mallory/x{end}": b"{}" for end in (".JSON", ".ledger.JSONL")}, "x", "")] = (
        "is not mallory's"
    )
    return found


def test_odd_requests_are_rejected_or_gain_nothing(tmp_path_factory):
    with house(tmp_path_factory.mktemp("odd")) as hub:
        forger, (stolen, _), champion = prey(hub)
        where, teacher = forger.student("teacher", noise(1e-2))
        name, _, commit = where.partition("@")
        above = {"kind": "teacher", "digest": digest(teacher), "claim": "", "part": ""}
        hand_in, own = forger.hand_in, noise(0.0)
        wanted = {
            hand_in(
                "short", told(parents=[{**above, "reference": f"{name}@{commit[:7]}"}]), own
            ): "is not a commit that its owner published",
            hand_in(
                "branch", told(parents=[{**above, "reference": f"{name}@main"}]), own
            ): "is not a commit that its owner published",
            hand_in("early", more, own): "of the budget is used",
            hand_in("float", told(seed=1.0)): "record.seed: Input should be a valid integer",
            hand_in("true", told(seed=True)): "record.seed: Input should be a valid integer",
            hand_in("minus", told(seed=-1)): "record.seed: Input should be greater than or equal to 0",
            hand_in("large", told(seed=10**400)): "beyond the range of floats",
            hand_in("cyrillic", lambda record, rows: record.update({"s\u0435ed": 1})): "Extra inputs",
            hand_in("half", told(settings={"\ud800": 1})): "cannot be printed",
            hand_in("nought", lambda record, rows: record["random"]["lengths"].__setitem__(0, 0)): "equal to 1",
            hand_in("doubles", arrays=lambda _: doubles(champion)): "student: ",
            written(
                forger, "twice", lambda data: data.replace(b'"event"', b'"event": "end", "event"', 1)
            ): "line 1 is not",
            written(forger, "nan", lambda data: data, lambda record, rows: rows[0].update(more=float("nan"))): (
                "line 1 is not a ledger line"
            ),
            written(forger, "many", lambda data: data + b"{}\n" * 2_000_000): "more",
            **named_otherwise(forger),
        }
        number = next(iter(wanted))
        hub.api("mallory").rename_discussion(RESULTS, number, "@lab <b>accepted</b> " * 20, repo_type="dataset")
        other = Forger(hub, *trained(hub, "mallory", 2))  # whose weights are in none of the others
        mine = written(other, "mine", lambda data: data)
        verdicts = queue(hub.as_user("lab"), hub.url)
        reasons = {number: "\n".join(reason for one in verdicts[number] for reason in one.reasons) for number in wanted}
        assert [(says, reasons[n]) for n, says in wanted.items() if says not in reasons[n]] == []
        assert {one.state for number in wanted for one in verdicts[number]} == {"rejected"}
        assert max(len(one.reasons) for told in verdicts.values() for one in told) <= REASONS + 1
        assert [one.state for one in verdicts[mine]] == ["re-scored"]
        taken = {*paths("ann", stolen.run), *paths("mallory", "mine")}
        assert {path for path in hub.main() if path.startswith("results/")} == taken
        _after_the_verdict(hub, mine)


def _after_the_verdict(hub: House, mine: int) -> None:
    """Push to an accepted request, open it again, and delete its files: main stays as it is."""
    api, before = hub.api("mallory"), hub.main()
    how = {"repo_type": "dataset", "commit_message": "later"}
    change = [CommitOperationAdd(paths("mallory", "mine")[0], b"{}")]
    with pytest.raises(Exception, match="is not open"):
        api.create_commit(RESULTS, change, revision=f"refs/pr/{mine}", **how)
    api.change_discussion_status(RESULTS, mine, "open", repo_type="dataset")
    api.create_commit(RESULTS, change, revision=f"refs/pr/{mine}", **how)
    gone = [CommitOperationDelete(path) for path in paths("mallory", "mine")]
    number = api.create_commit(RESULTS, gone, create_pr=True, **how).pr_num
    told = queue(hub.as_user("lab"), hub.url)
    assert {one.state for each in (mine, number) for one in told[each]} == {"rejected"}
    assert "is removed" in told[number][0].reasons[0]
    after = hub.main()
    assert {path for path in before if after.get(path) != before[path]} <= {"queue.json"}
    assert not any(Path(path).name.startswith("mine") for path in set(after) - set(before))
