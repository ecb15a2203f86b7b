"""The ledger: what a run spent, line by line, each line sealed with the hash of the one before."""

import hashlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from . import strict
from .plain_file import content as bytes_of
from .units import COUNTERS, TIMES

ON_DEVICE = ("offline", "act", "update")  # phases that begin and end with an idle device
EVENTS = ("start", "resume", "progress", "point", "end")
FASTER = 2.0  # times the measured peak is impossible, with room for a peak measured on a busy machine
START = "0" * 64
LIMIT = 64 * 2**20  # bytes; a line a minute for a month takes a quarter of it


class Ledger:
    """Append lines to a JSONL file; a line is on disk before `write` returns.

    `time` is for people and is not judged, because clocks are adjusted. `clock` is monotonic: the seconds since the
    process began to work on the run.
    """

    def __init__(self, path: Path, last: str = START):
        self._path, self.digest = path, last

    def write(self, event: str, **content) -> str:
        """Seal one line and return its hash: SHA-256 of the line without its own hash, keys sorted."""
        line = {"event": event, "time": round(time.time(), 3), **content, "previous": self.digest}
        digest = seal(line)
        with self._path.open("ab", buffering=0) as file:  # a buffer would be written when closed
            before, left = os.fstat(file.fileno()).st_size, json.dumps({**line, "hash": digest}).encode() + b"\n"
            try:
                while left:
                    left = left[file.write(left) or 0 :]
                os.fsync(file.fileno())
            except OSError:  # leave no half line on a full disk
                os.truncate(self._path, before)
                raise
        self.digest = digest
        return digest


def mend(path: Path) -> bool:
    """Cut off a last line that a crash left half-written; return whether there was one."""
    data = bytes_of(path)
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        os.truncate(path, len(whole))
    return whole != data


def seal(line: dict) -> str:
    """Return the hash of a line: [content and `previous`] -> 64 hex digits."""
    return hashlib.sha256(json.dumps(line, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def read(path: Path) -> list[dict]:
    """Return the lines of a ledger; ValueError for what is no file, and for a line that is not a JSON object."""
    return parse(bytes_of(path, LIMIT), str(path))


def parse(data: bytes, where: str) -> list[dict]:
    """Return the lines of a ledger's bytes; ValueError names the first that is not a JSON object."""
    lines = []
    for number, text in enumerate(data.removesuffix(b"\n").split(b"\n"), 1):
        line = _line(text)
        if line is None:
            raise ValueError(f"{where}, line {number} is not a ledger line: the file is damaged")
        lines.append(line)
    return lines


def chained(data: bytes) -> tuple[list[dict], bytes]:
    """Return the leading lines that are sealed and chained, and the bytes of the rest."""
    lines, at, previous = [], 0, START
    for text in data.removesuffix(b"\n").split(b"\n"):
        line = _line(text)
        if line is None or line.get("previous") != previous or not is_sealed(line):
            break
        lines.append(line)
        at, previous = at + len(text) + 1, line["hash"]
    return lines, data[at:]


def sealed(data: bytes) -> list[dict]:
    """Return the lines that hold by themselves, whatever comes before them."""
    return [line for line in map(_line, data.split(b"\n")) if line is not None and is_sealed(line)]


def is_sealed(line: dict) -> bool:
    """Return whether a line has the hash of its content."""
    return line.get("hash") == seal({key: value for key, value in line.items() if key != "hash"})


def _line(text: bytes) -> dict | None:
    """Return a line; None if it is not a JSON object."""
    try:
        line = strict.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def parting(ours: Sequence[dict], theirs: Sequence[dict]) -> int:
    """Return the number of the first line in which two ledgers differ; 0 if they share no line, or all."""
    same = [mine.get("hash") == other.get("hash") for mine, other in zip(ours, theirs, strict=False)]
    alike = same.index(False) if False in same else len(same)
    return alike + 1 if 0 < alike < max(len(ours), len(theirs)) else 0


def faults(lines: list[dict]) -> list[str]:
    """Return violations of the rules, one sentence each; none means that the ledger holds.

    The rules: a ledger begins with `start`; every line is sealed, chained to the line before, and states the amounts
    spent so far; no counter falls or vanishes; frames are steps times the frame skip; no limit is exceeded; nothing
    follows `end`; a run resumes with the same method; phases add up; nothing is faster than the device; and no process
    spends more seconds than have passed since it began (`clock`).
    """
    if not lines or lines[0].get("event") != "start":
        return ["line 1 must be the start of the run"]
    start = lines[0]
    found, previous, ended = [], START, False
    before, attempt = dict.fromkeys(COUNTERS, 0.0), _Attempt(0.0, 0.0, start.get("peak_flops"))
    skip, limits = start.get("frame_skip"), start.get("budget")
    if not (
        _is_number(skip)
        and skip is not None
        and isinstance(limits, dict)
        and limits
        and all(map(_is_number, limits.values()))
    ):
        return ["line 1 does not say what the budget and the frame skip are, in numbers"]
    for number, line in enumerate(lines, 1):
        if line.get("previous") != previous or not is_sealed(line):
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
        if not isinstance(spent, dict) or not all(_is_number(spent.get(unit)) for unit in {*COUNTERS, *before, *spent}):
            found.append(f"line {number} does not say how many {', '.join(before)} are spent")
            continue
        found += [f"line {number}: {fault}" for fault in _misspent(before, spent, limits, skip)]
        attempt, told = _impossible(line, before, attempt, start)
        found += [f"line {number}: {fault}" for fault in told]
        before = spent
    return found


def _misspent(before: dict, spent: dict, limits: dict, skip: float) -> list[str]:
    """Return what is impossible between the amounts spent before and now."""
    found = []
    for unit in sorted(spent):
        if spent[unit] < (earlier := before.get(unit, 0.0)):
            found.append(f"{unit} went back from {earlier:g} to {spent[unit]:g}")
        if spent[unit] > limits.get(unit, float("inf")) and unit not in TIMES:
            found.append(f"{spent[unit]:g} {unit} are more than the budget's {limits[unit]:g}")
    if spent["frames"] != spent["steps"] * skip:
        found.append(f"{spent['frames']:g} frames are not {spent['steps']:g} steps times {skip}")
    return found


class _Attempt(NamedTuple):
    """One process of a run: the state in which it began, and its clock."""

    seconds: float  # spent before it began
    clock: float  # of its last line
    peak: Any  # FLOPs per second of the fastest device so far, if measured


def _impossible(line: dict, before: dict, attempt: _Attempt, start: dict) -> tuple[_Attempt, list[str]]:
    """Return what no machine can have done: seconds beyond the clock, FLOPs beyond the peak, inconsistent phases."""
    found, spent, phases = [], line["spent"], line.get("phases")
    if line.get("event") == "resume":  # its checkpoint was paid for before
        attempt = attempt._replace(seconds=spent["seconds"], clock=0.0)
        if line.get("method_code") != start.get("method_code"):
            found.append("the run was resumed with different code of its method")
        if "peak_flops" not in line and line.get("machine") != start.get("machine"):
            attempt = attempt._replace(peak=None)  # on another device, whose peak was not measured
    if _is_number(line.get("peak_flops")) and _is_number(attempt.peak):
        attempt = attempt._replace(peak=max(attempt.peak, line["peak_flops"]))
    if not _is_number(line.get("time")):
        return attempt, [*found, "it does not say when it was written"]
    if "clock" in line:
        now, used = line["clock"], spent["seconds"] - attempt.seconds
        if not _is_number(now) or now < attempt.clock:
            return attempt, [*found, f"its clock does not continue from {attempt.clock:g}"]
        if used > now + 2.0:
            found.append(f"{used:g} seconds were spent within {now:g}")
        attempt = attempt._replace(clock=now)
    if "device" not in spent or not isinstance(phases, dict):
        return attempt, found
    if not all(_is_number(seconds) for seconds in phases.values()):
        return attempt, [*found, "its phases are not numbers"]
    on_device = sum(phases.get(phase, 0.0) for phase in ON_DEVICE)
    if abs(on_device - spent["device"]) > 0.01 + 1e-6 * on_device:
        found.append(f"the phases add up to {on_device:g} seconds on the device, the counter to {spent['device']:g}")
    if spent["seconds"] > sum(phases.values()) + 0.01 or spent["device"] > spent["seconds"] + 0.01:
        found.append("its phases do not add up to its seconds")
    peak, device = attempt.peak, spent["device"] - before.get("device", 0.0)
    flops = spent["flops"] - before["flops"]
    if _is_number(peak) and peak and flops > beyond(peak, device + phases.get("compile", 0.0)):
        found.append(f"{flops:g} FLOPs in {device:g} seconds are more than the device can do ({peak:g} a second)")
    return attempt, found


def beyond(peak: float, seconds: float) -> float:
    """Return an upper bound on the FLOPs of a device of this measured peak in `seconds`."""
    return FASTER * peak * (seconds + 0.1)


def has_numbers(value: Any) -> bool:
    """Return whether it is an object of numbers, such as the amounts spent or the limits of a budget."""
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_number(value) -> bool:
    """Return whether it is a finite number, not a boolean, within the range of a float."""
    return type(value) in (int, float) and abs(value) < 1e300
