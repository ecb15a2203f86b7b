"""What `verify` prints: sentences for people, and JSON on request."""

import json

import pytest

from reincarnate.benchmark.submission.verify import findings, report, spoken
from reincarnate.leaderboard.record import Evaluation
from reincarnate.leaderboard.submission import Verdict

from .test_datasets import reincarnate

PLAYED = Evaluation(returns=(1.0, 2.0, 6.0), lengths=(5, 5, 5), epsilon=0.0, seeds=(0, 2))
GOOD = Verdict(run="r1", state="re-scored", rescored=PLAYED, claimed=4.5, agreement=0.5)
BAD = Verdict(run="r2", state="rejected", reasons=("its ledger does not add up",))


def test_a_verdict_is_said_in_a_line_for_each_finding():
    assert findings(GOOD) == [
        "claimed 4.50, re-scored 3.00 over 3 episodes",
        "acts like its teacher on 50% of what it saw",
    ]
    lines = spoken({"7": [GOOD, BAD], "sent/folder": [BAD]}, merged=False).splitlines()
    assert lines[:3] == ["request 7", "  r1: re-scored", "    claimed 4.50, re-scored 3.00 over 3 episodes"]
    assert lines[4:6] == ["  r2: rejected", "    its ledger does not add up"]
    assert lines[6] == "sent/folder" and "--merge" in lines[-1]
    assert "--merge" not in spoken({"7": [GOOD]}, merged=True)
    assert spoken({}, merged=False) == "no request waits for a verdict"
    assert "- claimed 4.50, re-scored 3.00 over 3 episodes\n" in report([GOOD])


@pytest.mark.slow
def test_a_folder_that_is_rejected(tmp_path):
    (tmp_path / "results" / "ann").mkdir(parents=True)
    (tmp_path / "results" / "ann" / "r.json").write_text("{")
    told = reincarnate("verify", tmp_path, "--quiet")
    assert told.code == 1 and told.out.splitlines()[1] == "  all of it: rejected" and "{" not in told.out
    plain = reincarnate("verify", tmp_path, "--quiet", "--json")
    (verdict,) = json.loads(plain.out)[str(tmp_path)]
    assert plain.code == 1 and verdict["state"] == "rejected" and verdict["reasons"]
