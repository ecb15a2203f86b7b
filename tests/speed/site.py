"""Seconds until the pages of 10,000 records are built: 200 entries of 50 runs, and 10,000 of one. Prints JSON lines.

python tests/speed/site.py
"""

import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.leaderboard.makers import fill  # noqa: E402

from reincarnate.leaderboard.site import build  # noqa: E402


def main() -> None:
    for entries, tasks, seeds in ((200, 10, 5), (10_000, 1, 1)):
        with tempfile.TemporaryDirectory() as scratch:
            records = fill(Path(scratch) / "repo", entries, tasks, seeds)
            started = time.perf_counter()
            build(Path(scratch) / "repo", Path(scratch) / "site")
            took = time.perf_counter() - started
        print(json.dumps({"records": records, "entries": entries, "seconds": round(took, 1), "limit": 60}))


if __name__ == "__main__":
    main()
