"""Seconds until `reincarnate --help` is done, beside a Python that does nothing, in turns. Prints one JSON line.

python tests/speed/startup.py
"""

import json
import statistics
import subprocess
import sys
import time

HELP = [sys.executable, "-c", "import sys; sys.argv = ['reincarnate', '--help']; "]
HELP[-1] += "from reincarnate.benchmark.cli.main import main; main()"
NOTHING = [sys.executable, "-c", "pass"]


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    pairs = [(seconds(HELP), seconds(NOTHING)) for _ in range(11)][1:]
    result = {
        "what": "seconds of `reincarnate --help`",
        "median": round(statistics.median(pair[0] for pair in pairs), 3),
        "least": round(min(pair[0] for pair in pairs), 3),
        "python_alone": round(statistics.median(pair[1] for pair in pairs), 3),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
