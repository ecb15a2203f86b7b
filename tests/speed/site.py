"""Seconds until the pages of 10,000 records are built, and built again with one more. Prints JSON lines.

    python tests/speed/site.py [--share 0.1] [--only 50]

200 entries of 50 runs, and 10,000 of one; the records are made up. Seconds of the CPU beside those by the clock.
`one more`: with a new entry of one run, evaluated at the same budgets as the others; `further`: with one beyond them,
which moves the costs at which all curves are read. `--share`: of the records, to see how it grows. `--only`: one of
the two, by its runs an entry.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.leaderboard.makers import fill, put, record, submission  # noqa: E402

from reincarnate.leaderboard.kept import Kept  # noqa: E402
from reincarnate.leaderboard.record import RunRecord  # noqa: E402
from reincarnate.leaderboard.site import build  # noqa: E402


def timed(do: Callable[[], object]) -> tuple[float, float]:
    """Return seconds by the clock and of the CPU."""
    started, worked = time.perf_counter(), time.process_time()
    do()
    return round(time.perf_counter() - started, 1), round(time.process_time() - worked, 1)


def again(repository: Path, site: Path, file: Path) -> None:
    kept = Kept(file)
    build(repository, site, kept=kept)
    kept.close()


def new(what: str, steps: int) -> RunRecord:
    points = [(share * steps, 100 + share * 4000) for share in range(5)]
    return record(what.replace(" ", "-"), task="minatar/game0", points=points, returns=[(1.0, 2.0)] * 5)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--share", type=float, default=1.0)
    options.add_argument("--only", type=int, choices=[50, 1])
    given = options.parse_args()
    share = given.share
    for entries, tasks, seeds in ((200, 10, 5), (10_000, 1, 1)):
        if given.only not in (None, tasks * seeds):
            continue
        with tempfile.TemporaryDirectory() as scratch:
            repository, site = Path(scratch) / "repo", Path(scratch) / "site"
            records = fill(repository, max(int(share * entries), 1), tasks, seeds)
            told = {"records": records, "entries": max(int(share * entries), 1)}
            for what, steps in (("first", 0), ("one more", 1000), ("further", 90_000)):
                if steps:
                    put(repository, submission(new(what, steps), entry=what.replace(" ", "-")))
                seconds, cpu = timed(lambda: again(repository, site, Path(scratch) / "kept.sqlite"))  # noqa: B023
                print(json.dumps(told | {"what": what, "seconds": seconds, "cpu": cpu}), flush=True)


if __name__ == "__main__":
    main()
