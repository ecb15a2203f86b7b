"""More cheats against the real queue on a real hub, by somebody who has read how the others are caught."""

from pathlib import Path

import numpy as np
import pytest

from reincarnate.agents.teacher import digest
from reincarnate.benchmark.runs.request import RunRequest
from reincarnate.benchmark.submission.queue import queue
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.results import paths

from .hub import house
from .test_adversary import noise, permuted, prey, told

pytestmark = pytest.mark.slow


def asked(**changes):
    """Ask for another run in the record, the ledger, its request and its command alike."""

    def change(record, rows):
        for key, value in changes.items():
            record[key] = rows[0][key] = rows[0]["request"][key] = value
        record["command"] = rows[0]["command"] = RunRequest.from_json(rows[0]["request"]).command()

    return change


def spends(machine=None, **spent):
    """State other totals at the end than the run had, without the phases that would show it, and another device."""

    def change(record, rows):
        for row in rows:
            row.pop("phases", None)
            row.pop("peak_flops", None)
            if "spent" in row:
                row["spent"] |= spent
        for point in record["points"]:
            point["spent"] |= spent
        record["phases"] = {}
        if machine:
            record["machine"] = rows[0]["machine"] = machine

    return change


def begins(arrays):
    """Make a curve that begins with these weights: (change, files)."""

    def change(record, rows):
        row = next(row for row in rows if row["event"] == "point")
        row["parameters"] = record["points"][0]["parameters"] = digest(arrays)
        assert not record["points"][0]["spent"]["updates"]

    def files(folder: Path):
        weights.save(next((folder / "students").glob("*.safetensors")), arrays)

    return change, files


def other_phases(record):
    record["phases"] = {name: 0.0 for name in record["phases"]}


def fast(record, rows):
    """Say a thousandth of the seconds, by a peak that the run says to have measured."""
    rows[0]["peak_flops"] = 1e18
    for one in [*rows, *record["points"]]:
        if "spent" in one:
            one["spent"] |= {"flops": 1e15, "device": 1e-3, "seconds": 1e-3}
        if "phases" in one:
            one["phases"] = {"update": 1e-3}
    record["phases"] = {"update": 1e-3}


def test_more_cheats_are_rejected_or_gain_nothing(tmp_path_factory):
    with house(tmp_path_factory.mktemp("more")) as hub:
        forger, (stolen, _), champion = prey(hub)
        own = {key: np.array(value) for key, value in weights.load(forger.folder / "policy.safetensors").items()}
        mine, late = noise(0.0), begins(own)
        noisy = begins(noise(0.03)(own))
        where, teacher = forger.student("teacher", lambda _: permuted(noise(1e-4)(champion)))
        above = {"kind": "teacher", "reference": where, "digest": digest(teacher), "claim": "", "part": ""}
        source = {"digest": digest(teacher), "kind": "teacher", "reference": where, "at_least": {"flops": 1e6}}
        marker = hub.at / "called"
        shell = {"cmd": f"touch {marker}"}
        hand_in = forger.hand_in
        wanted = {
            hand_in("first", late[0], mine, files=late[1]): "was never updated, but its weights are",
            hand_in("noisy-first", noisy[0], mine, files=noisy[1]): "was never updated, but its weights are",
            hand_in("phases", arrays=mine, unsealed=other_phases): "differ in the seconds of the phases",
            hand_in("peak", fast, mine): "are more than cpu: cpu does",
            hand_in("no-phases", spends(flops=1e15, device=1e-3, seconds=1e-3), mine): "are more than cpu: cpu does",
            hand_in("made-up", spends({"device": "gpu: Wonder"}, flops=1e15, device=1.0, seconds=1.0), mine): (
                "a maintainer can add a device"
            ),
            hand_in("idle", spends(device=99.0, seconds=1.0), mine): "are more than the 1 of the run",
            hand_in("launder", told(parents=[above]), mine, {"sources": [source]}): "the teacher",
            hand_in("wrapped", asked(task="gym/CartPole-v1+subprocess:getoutput=3"), mine): "names a module",
            hand_in(stolen.run, arrays=mine, more={"entry": "squatted"}): "is already there, by ann",
            hand_in("seconds", spends(seconds=float("1e300")), mine): "less than or equal to",
            hand_in("minus", spends(steps=-0.5), mine): "greater than or equal to 0",
        }
        hand_in("code", asked(method="subprocess:getoutput", settings=shell), mine)  # allowed, and apart
        verdicts = queue(hub.as_user("lab"), hub.url)
        assert not marker.exists()
        reasons = {number: "\n".join(reason for one in verdicts[number] for reason in one.reasons) for number in wanted}
        assert [(says, reasons[n]) for n, says in wanted.items() if says not in reasons[n]] == []
        assert {one.state for number in wanted for one in verdicts[number]} == {"rejected"}
        taken = {path for path in hub.main() if path.startswith("results/") and "/code" not in path}
        assert taken == {*paths("ann", stolen.run)}
