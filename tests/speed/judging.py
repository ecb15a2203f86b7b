"""How long a maintainer's queue takes for one request of honest runs.

`python -m tests.speed.judging RUN...`: folders of finished MinAtar runs, such as those of a sweep. They are handed in
at an embedded Hub with the suite and the prices of the committed results, all in one request, and judged as
`reincarnate verify --queue` does. The time is that of the judging process and the queue; the runs' own check by
`submit` is left out.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from reincarnate.benchmark.submission import submit
from reincarnate.benchmark.submission.queue import queue
from reincarnate.leaderboard.submission import Verdict

from ..benchmark.submission.hub import ROOT, house

SUITE, PRICES = ROOT / "leaderboard" / "suites" / "minatar5-v1.json", ROOT / "docs" / "results" / "prices.json"


def main(runs: list[Path], at: Path) -> None:
    """Hand in, judge, and print how long it took and what became of each run."""
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
    for verdict in told:
        print(names.get(verdict.run, ""), verdict.state, *verdict.reasons)
    accepted = sum(verdict.state == "re-scored" for verdict in told)
    print(f"{accepted} of {len(told)} accepted in {seconds:.0f} s, {spent:.0f} CPU seconds; {plan.size / 1e6:.0f} MB")


def _cpu() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in each)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        main([Path(word) for word in sys.argv[1:]], Path(scratch))
