"""How far honest runs are above what the judge says that they must have cost: python -m tests.speed.floors OUT.json.

Writes a row for each committed run: task, method, seed, the least ratio of its FLOPs to those traced here at any of its
points, the largest ratio of its FLOPs to those that its device could do in its seconds and one more, and of those
between two lines of its ledger to what the measured peak allows. The first is left out (null) where the method takes
other FLOPs today, in another version. tests/fixtures/floors.json was made by it.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from reincarnate.benchmark.submission import devices, floor
from reincarnate.benchmark.submission.judge import _method
from reincarnate.benchmark.tasks.task import find
from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.record import RunRecord
from reincarnate.leaderboard.results import paths, read

RESULTS = tuple((Path(__file__).parents[2] / "docs").glob("results*/"))
# What was committed by versions whose update had another network or batch; today's have no such runs.
OTHERS = ("cal_ql", "ibrl", "pex", "rlpd", "tgrl", "wsrl")


def beyond(lines: Sequence[dict]) -> float:
    """Return the largest share of what the measured peak allows that was done between two lines of a ledger."""
    peak, flops, device, most = lines[0]["peak_flops"], 0.0, 0.0, 0.0
    for line in lines[1:]:
        spent, peak = line["spent"], max(peak, line.get("peak_flops", 0.0))
        seconds = spent["device"] - device + line.get("phases", {}).get("compile", 0.0)
        most = max(most, (spent["flops"] - flops) / ledger.beyond(peak, seconds))
        flops, device = spent["flops"], spent["device"]
    return most


def row(record: RunRecord, lines: Sequence[dict]) -> list:
    """Return a line of the file."""
    method, _ = _method(record)
    assert method is not None
    paid = [point.spent for point in record.points if point.spent["flops"]]
    ratio = None
    if record.method not in OTHERS:
        update, act = floor.traced(record, method, find(record.task))
        took = [one["updates"] * update + one["steps"] / record.environments * act for one in paid]
        ratio = round(min(one["flops"] / least for one, least in zip(paid, took, strict=True)), 7)
    peak = devices.peak(record.machine)
    fast = max(one["flops"] / (peak * (one["device"] + floor.AT_ONCE)) for one in paid)
    return [record.task, record.method, record.seed, ratio, round(fast, 5), round(beyond(lines), 5)]


if __name__ == "__main__":
    found = []
    for committed in map(read, RESULTS):
        for one in committed.submissions.values():
            found.append(row(one.record, ledger.read(committed.folder / paths(one.author, one.record.run)[1])))
    Path(sys.argv[1]).write_text("[\n" + ",\n".join(map(json.dumps, sorted(found, key=lambda one: one[:3]))) + "\n]\n")
