"""The ledger: what a run spent, line by line, each line sealed with the hash of the one before."""

import hashlib
import json
import os
import time
from pathlib import Path

COUNTERS = ("frames", "steps", "updates", "flops", "seconds")
EVENTS = ("start", "progress", "point", "end")
START = "0" * 64
LIMIT = 64 * 2**20  # bytes; a line a minute for a month takes a quarter of it


class Ledger:
    """Appends lines to a JSONL file. A line is on disk before `write` returns."""

    def __init__(self, path: Path, last: str = START):
        self._path, self.digest = path, last

    def write(self, event: str, **content) -> str:
        """Seals one line and returns its hash: SHA-256 of the line without its own hash, keys sorted."""
        line = {"event": event, "time": round(time.time(), 3), **content, "previous": self.digest}
        self.digest = seal(line)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**line, "hash": self.digest}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        return self.digest


def seal(line: dict) -> str:
    """The hash of a line: [content and `previous`] -> 64 hex digits."""
    return hashlib.sha256(json.dumps(line, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read(path: Path) -> list[dict]:
    """The lines of a ledger; ValueError names the first that is no JSON object."""
    if path.stat().st_size > LIMIT:
        raise ValueError(f"{path} has more than {LIMIT} bytes: this is no ledger of a run")
    lines = []
    for number, text in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
            line = None
        if not isinstance(line, dict):
            raise ValueError(f"{path}, line {number} is no ledger line: the file is damaged")
        lines.append(line)
    return lines


def faults(lines: list[dict]) -> list[str]:
    """What breaks the rules, one sentence each; empty means the ledger holds.

    The rules: it starts with `start`; every line is sealed and chained to the one
    before, and says what is spent so far; no counter ever falls; frames are steps
    times the frame skip; nothing is spent beyond a limit, and nothing comes after `end`.
    """
    if not lines or lines[0].get("event") != "start":
        return ["line 1 must be the start of the run"]
    found, previous, ended = [], START, False
    before = dict.fromkeys(COUNTERS, 0.0)
    skip, limits = lines[0].get("frame_skip"), lines[0].get("budget")
    if not (_is_number(skip) and isinstance(limits, dict) and limits and all(map(_is_number, limits.values()))):
        return ["line 1 does not say what the budget and the frame skip are, in numbers"]
    for number, line in enumerate(lines, 1):
        content = {key: value for key, value in line.items() if key != "hash"}
        if line.get("previous") != previous or line.get("hash") != seal(content):
            found.append(f"line {number} is not chained to the one before: it was edited or belongs to another run")
        previous = line.get("hash")
        if ended:
            found.append(f"line {number} comes after the end of the run")
        ended = ended or line.get("event") == "end"
        if number == 1:
            continue
        if line.get("event") not in EVENTS[1:]:
            found.append(f"line {number} must be one of {', '.join(EVENTS[1:])}: a ledger is of one run")
        spent = line.get("spent")
        if not isinstance(spent, dict) or not all(_is_number(spent.get(unit)) for unit in COUNTERS):
            found.append(f"line {number} does not say how many {', '.join(COUNTERS)} are spent")
            continue
        for unit in COUNTERS:
            if spent[unit] < before[unit]:
                found.append(f"line {number}: {unit} went back from {before[unit]:g} to {spent[unit]:g}")
            if spent[unit] > limits.get(unit, float("inf")) and unit != "seconds":
                found.append(f"line {number}: {spent[unit]:g} {unit} are more than the budget's {limits[unit]:g}")
        if spent["frames"] != spent["steps"] * skip:
            found.append(f"line {number}: {spent['frames']:g} frames are not {spent['steps']:g} steps times {skip}")
        before = spent
    return found


def _is_number(value) -> bool:
    """Whether it is a number that can be counted with: not true, not NaN, and within what a float holds."""
    return type(value) in (int, float) and abs(value) < 1e300
