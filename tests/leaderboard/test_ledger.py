"""An untouched ledger is valid; an edited one names the edited line."""

import copy
import json

import pytest

from reincarnate.leaderboard import ledger
from reincarnate.leaderboard.ledger import START, Ledger, faults, read, seal

BUDGET = {"frames": 400.0, "updates": 30.0}


def spent(steps: float, updates: float, seconds: float = 1.0) -> dict[str, float]:
    return {"frames": 4 * steps, "steps": steps, "updates": updates, "flops": 1e9 * updates, "seconds": seconds}


@pytest.fixture
def path(tmp_path):
    """Start, two lines of progress, one student, the end."""
    written = Ledger(tmp_path / "ledger.jsonl")
    written.write("start", run="a", budget=BUDGET, frame_skip=4)
    written.write("progress", phase="offline", spent=spent(0, 6), losses={"td": 0.5})
    written.write("point", spent=spent(40, 10), parameters="e" * 64, returns=[1.0])
    written.write("progress", phase="online", spent=spent(80, 20))
    written.write("end", spent=spent(100, 30, 2.0), parameters="f" * 64, returns=[2.0])
    return tmp_path / "ledger.jsonl"


def resealed(lines: list[dict]) -> list[dict]:
    """Return what a forger with this file's code would write: every line sealed and chained anew."""
    previous, forged = START, []
    for line in lines:
        line = {**{key: value for key, value in line.items() if key != "hash"}, "previous": previous}
        previous = seal(line)
        forged.append({**line, "hash": previous})
    return forged


def test_a_ledger_that_nobody_touched_holds(path):
    lines = read(path)
    assert faults(lines) == []
    assert [line["event"] for line in lines] == ["start", "progress", "point", "progress", "end"]
    assert lines[0]["previous"] == START
    assert [line["previous"] for line in lines[1:]] == [line["hash"] for line in lines[:-1]]
    assert faults(resealed(lines)) == []


def test_every_line_is_on_disk_at_once_and_its_hash_is_told(tmp_path):
    written = Ledger(tmp_path / "ledger.jsonl")
    for number in range(1, 4):
        told = written.write("start" if number == 1 else "progress", number=number)
        lines = read(tmp_path / "ledger.jsonl")
        assert len(lines) == number and lines[-1]["hash"] == told == written.digest


def test_a_ledger_can_be_gone_on_with(path):
    lines = read(path)[:2]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    Ledger(path, lines[-1]["hash"]).write("end", spent=spent(100, 30))
    assert faults(read(path)) == [] and len(read(path)) == 3


def test_the_seal_does_not_depend_on_the_order_of_keys():
    assert seal({"a": 1, "b": {"c": 2.5, "d": 3}}) == seal({"b": {"d": 3, "c": 2.5}, "a": 1}) != seal({"a": 1})


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_an_edited_line_is_named(path, number):
    lines = read(path)
    lines[number - 1]["time"] += 1.0
    (found,) = faults(lines)
    assert found.startswith(f"line {number} is not chained")


def test_an_edited_and_sealed_line_breaks_the_next_one(path):
    lines = read(path)
    line = {key: value for key, value in lines[2].items() if key != "hash"} | {"returns": [21.0]}
    lines[2] = {**line, "hash": seal(line)}
    assert [found[:7] for found in faults(lines)] == ["line 4 "]


@pytest.mark.parametrize(
    ("change", "numbers"),
    [
        (lambda lines: lines.pop(2), [3]),
        (lambda lines: lines.insert(3, copy.deepcopy(lines[2])), [4]),
        (lambda lines: lines.reverse(), [1]),
    ],
)
def test_lines_cannot_be_taken_out_doubled_or_moved(path, change, numbers):
    lines = read(path)
    change(lines)
    found = faults(lines)
    assert [f"line {number} " == one[:7] for number, one in zip(numbers, found, strict=False)] == [True] * len(numbers)


def test_two_ledgers_cannot_be_spliced(path, tmp_path):
    other = Ledger(tmp_path / "other.jsonl")
    other.write("start", run="b", budget=BUDGET, frame_skip=4)
    other.write("progress", spent=spent(0, 6))
    mixed = read(tmp_path / "other.jsonl") + read(path)[2:]
    assert any(found.startswith("line 3 is not chained") for found in faults(mixed))


@pytest.mark.parametrize(
    ("number", "change", "says"),
    [
        (4, spent(39, 20), "line 4: frames went back from 160 to 156"),
        (4, spent(80, 9), "line 4: updates went back from 10 to 9"),
        (5, spent(100, 30, 0.5), "line 5: seconds went back from 1 to 0.5"),
        (5, spent(101, 30), "line 5: 404 frames are more than the budget's 400"),
        (5, spent(100, 31), "line 5: 31 updates are more than the budget's 30"),
        (3, {**spent(40, 10), "frames": 120.0}, "line 3: 120 frames are not 40 steps times 4"),
    ],
)
def test_a_forgery_that_is_sealed_well_still_has_to_keep_the_rules(path, number, change, says):
    lines = read(path)
    lines[number - 1]["spent"] = change
    assert says in faults(resealed(lines))


def test_nothing_comes_after_the_end(path):
    lines = read(path)
    lines = resealed([*lines, {**lines[3], "spent": spent(100, 30, 3.0)}])
    assert faults(lines) == ["line 6 comes after the end of the run"]


def test_a_ledger_begins_with_its_start(path):
    assert faults([]) == faults(read(path)[1:]) == ["line 1 must be the start of the run"]
    lines = read(path)
    assert "line 3 must be one of resume, progress, point, end: a ledger is of one run" in faults(
        resealed([*lines[:2], lines[0], *lines[2:]])
    )


@pytest.mark.parametrize(
    "change",
    [
        {"spent": None},
        {"spent": 3},
        {"spent": {}},
        {"spent": {"frames": "many"}},
        {"spent": {**spent(40, 10), "flops": None}},
        {"spent": {**spent(40, 10), "updates": float("nan")}},
        {"spent": {**spent(40, 10), "steps": True}},
        {"hash": 7},
        {"event": ["point"]},
        {"spent": {**spent(40, 10), "flops": 10**400}},
    ],
)
def test_what_is_not_as_it_should_be_is_a_fault_and_no_crash(path, change):
    """A stranger's ledger may hold anything."""
    lines = read(path)
    lines[2] = {**lines[2], **change}
    assert any(found.startswith("line 3") for found in faults(resealed(lines) if "hash" not in change else lines))


@pytest.mark.parametrize(
    "change", [{"budget": None}, {"budget": {"frames": "x"}}, {"frame_skip": "4"}, {"budget": []}, {"budget": {}}]
)
def test_a_start_that_is_not_as_it_should_be_is_a_fault_and_no_crash(path, change):
    lines = read(path)
    lines[0] = {**lines[0], **change}
    assert any(found.startswith("line 1") for found in faults(resealed(lines)))


@pytest.mark.parametrize("text", ["{", "[]", "7", "null", "x", '{"event": ', "[" * 100_000])
def test_a_damaged_line_is_named(path, text):
    path.write_text(path.read_text() + text + "\n")
    with pytest.raises(ValueError, match=r"ledger.jsonl, line 6 is not a ledger line"):
        read(path)


def test_a_file_that_is_no_text_is_a_sentence(path):
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"ledger.jsonl.*damaged") as error:
        read(path)
    assert "\n" not in str(error.value)


def test_a_file_that_would_fill_the_memory_is_refused(path, monkeypatch):
    monkeypatch.setattr(ledger, "LIMIT", 1000)
    with pytest.raises(ValueError, match="more than 1000 bytes"):
        read(path)


# Lines as a run writes them today: seconds by phase, and counters that came later.


def today(steps: float, updates: float, flops: float, device: float, seconds: float) -> dict:
    spent = {"frames": 4 * steps, "steps": steps, "updates": updates, "flops": flops}
    phases = {"compile": 0.5, "update": device, "environment": seconds - device - 0.5}
    return {"spent": {**spent, "device": device, "queries": 0.0, "seconds": seconds}, "phases": phases, "time": seconds}


@pytest.fixture
def timed():
    """Return 100 GFLOPs in 10 seconds on a device that does 100 a second."""
    start = {"event": "start", "budget": {"device": 5.0}, "frame_skip": 4, "peak_flops": 1e11, "method_code": "a"}
    lines = [
        {**start, "time": 0.0},
        {"event": "progress", **today(10, 5, 5e10, 4.0, 10.0)},
        {"event": "resume", **today(10, 5, 5e10, 4.0, 10.0), "method_code": "a"},
        {"event": "end", **today(40, 20, 4e11, 9.0, 20.0)},
    ]
    assert faults(resealed(lines)) == []  # device seconds may pass their limit: they are looked at between updates
    return lines


@pytest.mark.parametrize(
    ("number", "change", "says"),
    [
        (4, lambda line: line["spent"].update(flops=9e12), "more than the device can do"),
        (4, lambda line: line.update(clock=7.0), "10 seconds were spent within 7"),
        (4, lambda line: line.update(clock="late"), "its clock does not continue from 0"),
        (4, lambda line: line.update(clock=-1.0), "its clock does not continue from 0"),
        (2, lambda line: line.update(clock=5.0), "10 seconds were spent within 5"),
        (
            4,
            lambda line: line["phases"].update(update=3.0),
            "the phases add up to 3 seconds on the device, the counter to 9",
        ),
        (4, lambda line: line["phases"].update(environment=0.0), "do not add up"),
        (4, lambda line: line["phases"].update(environment="long"), "phases are not numbers"),
        (4, lambda line: line["spent"].pop("queries"), "does not say how many"),
        (4, lambda line: line["spent"].update(queries=-1.0), "queries went back from 0 to -1"),
        (4, lambda line: line["spent"].update(device=3.0), "device went back from 4 to 3"),
        (3, lambda line: line.update(method_code="b"), "different code of its method"),
        (3, lambda line: line.pop("time"), "does not say when"),
    ],
)
def test_what_no_machine_can_have_done_is_named(timed, number, change, says):
    change(timed[number - 1])
    found = faults(resealed(timed))
    assert any(fault.startswith(f"line {number}") and says in fault for fault in found), found


def test_half_a_line_is_cut_off_and_nothing_else(path):
    whole = path.read_bytes()
    assert ledger.mend(path) is False and path.read_bytes() == whole
    for cut in (1, 40, len(whole.splitlines()[-1])):
        path.write_bytes(whole[:-cut])
        assert ledger.mend(path) and path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:-1])


# Honest runs: what happens to clocks, disks and machines is not a fault of theirs.


def clocked(event: str, steps: float, seconds: float, clock: float, time: float, **more) -> dict:
    return {"event": event, "spent": spent(steps, 0, seconds), "clock": clock, "time": time, **more}


@pytest.mark.parametrize("jump", [-86_400.0, -3600.0, -3.0, 0.0, 3600.0, 4e7])
def test_a_wall_clock_that_is_set_is_no_fault(jump):
    start = {"event": "start", "budget": BUDGET, "frame_skip": 4, "time": 1e9, "clock": 4.0}
    lines = [
        start,
        clocked("progress", 10, 30.0, 31.0, 1e9 + 27),
        clocked("point", 20, 50.0, 52.0, 1e9 + 48 + jump),
        clocked("resume", 20, 50.0, 6.0, 1e9 + 2 * jump),  # on a machine whose clock is somewhere else altogether
        clocked("end", 30, 70.0, 27.0, 1e9 + 20 - jump),
    ]
    assert faults(resealed(lines)) == []


def test_a_line_may_be_written_long_after_it_was_true():
    """A checkpoint that takes a minute lies between spending and its line; its seconds are in the next line."""
    start = {"event": "start", "budget": BUDGET, "frame_skip": 4, "time": 0.0, "clock": 1.0}
    lines = [
        start,
        clocked("progress", 10, 30.0, 91.0, 90.0),
        clocked("progress", 11, 90.4, 92.0, 91.0),  # 60 seconds more, of which one has passed since the last line
        clocked("end", 12, 91.0, 93.0, 92.0),
    ]
    assert faults(resealed(lines)) == []
    lines[3]["spent"]["seconds"] = 95.5
    assert faults(resealed(lines)) == ["line 4: 95.5 seconds were spent within 93"]


def test_a_clock_does_not_go_back_within_an_attempt():
    start = {"event": "start", "budget": BUDGET, "frame_skip": 4, "time": 0.0, "clock": 1.0}
    lines = [start, clocked("progress", 10, 3.0, 9.0, 1.0), clocked("end", 20, 4.0, 8.0, 2.0)]
    assert faults(resealed(lines)) == ["line 3: its clock does not continue from 9"]


def test_what_a_checkpoint_has_beyond_the_last_line_was_spent_before_the_resume():
    start = {"event": "start", "budget": BUDGET, "frame_skip": 4, "time": 0.0, "clock": 1.0}
    lines = [
        start,
        clocked("progress", 10, 3.0, 4.0, 4.0),
        clocked("resume", 50, 40.0, 2.0, 5.0),  # killed after the checkpoint and before its line
        clocked("end", 60, 45.0, 6.5, 9.0),
    ]
    assert faults(resealed(lines)) == []
    lines[3]["spent"]["seconds"] = 49.5
    assert faults(resealed(lines)) == ["line 4: 9.5 seconds were spent within 6.5"]


def test_a_run_that_goes_on_elsewhere_is_judged_by_the_faster_machine(timed):
    timed[2] |= {"machine": {"device": "gpu"}, "peak_flops": 1e13}
    timed[3]["spent"]["flops"] = 9e12  # far beyond where it began
    assert faults(resealed(timed)) == []
    timed[3]["spent"]["flops"] = 9e15
    assert "more than the device can do" in faults(resealed(timed))[0]
    del timed[2]["peak_flops"]  # as runs were resumed before: nobody measured it
    assert faults(resealed(timed)) == []


def test_a_peak_that_was_measured_again_counts(timed):
    timed[3]["spent"]["flops"] = 5e12
    assert "more than the device can do" in faults(resealed(timed))[0]
    timed[3]["peak_flops"] = 1e12
    assert faults(resealed(timed)) == []


def test_a_line_without_an_event_is_a_fault_and_no_crash(timed):
    del timed[2]["event"]
    assert any(fault.startswith("line 3 must be one of") for fault in faults(resealed(timed)))
