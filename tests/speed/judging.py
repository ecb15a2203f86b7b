"""How long a maintainer's queue takes for one request of honest runs.

`python -m tests.speed.judging RUN...`: folders of finished MinAtar runs, such as those of a sweep. They are handed in
at an embedded Hub with the suite and the prices of the committed results, all in one request, and judged as
`reincarnate verify --queue` does: one run after another, in one process. Prints a line of JSON: seconds and CPU seconds
of the judging process and the queue together, runs, those that were accepted, points, and the machine's cores. The
runs' own check by `submit` is left out. What is not accepted is named on standard error. More runs of the same games
take at most as many CPU seconds each, as programs are compiled once a network and game.
"""

import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.queue import queue
from reincarnate.leaderboard.submission import Verdict

from ..benchmark.submission.hub import ROOT, house

SUITE, PRICES = ROOT / "leaderboard" / "suites" / "minatar5-v1.json", ROOT / "docs" / "results-v1" / "prices.json"


def main(runs: list[Path], at: Path) -> None:
    """Submit, judge, and print how long it took and what became of each run."""
    submit.judge = lambda case, *rest, **more: Verdict(run=case.submission.record.run, state="re-scored")
    with house(at) as hub:
        hub.as_user("lab").write(
            {f"suites/{SUITE.name}": SUITE.read_bytes(), PRICES.name: PRICES.read_bytes()}, "suite"
        )
        ann = hub.as_user("ann")
        known = submit.repository_folder(ann, hub.url)
        plan = submit.prepare(runs, at / "sent", known, submit.Offer("ann", places=(hub.url, "bundled"), film=False))
        submit.send(plan, ann, hub.url)
        started, before = time.perf_counter(), _cpu()
        (told,) = queue(hub.as_user("lab"), hub.url).values()
        seconds, spent = time.perf_counter() - started, _cpu() - before
    names = {one.record.run: f"{one.record.task} {one.record.method} {one.record.seed}" for one in plan.runs}
    refused = [verdict for verdict in told if verdict.state != "re-scored"]
    for verdict in refused:
        print(names.get(verdict.run, "the request"), verdict.state, *verdict.reasons, file=sys.stderr)
    points = sum(len(one.record.points) for one in plan.runs)
    facts = {"seconds": round(seconds, 1), "cpu_seconds": round(spent, 1), "cores": os.cpu_count()}
    print(json.dumps({**facts, "runs": len(told), "accepted": len(told) - len(refused), "points": points}))


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main([Path(word) for word in sys.argv[1:]], Path(scratch))
