"""An honest submission with its files changed in every way, before the real judge: only the original ever ranks.

Fields, their types, the order of what has one, and the files; what races is in test_queue.py.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reincarnate.benchmark.runs.run import run
from reincarnate.benchmark.submission.submit import Offer, prepare
from reincarnate.benchmark.submission.verify import verify_folder
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import Results, read
from reincarnate.leaderboard.submission import Verdict
from reincarnate.leaderboard.suite import Anchor, Suite

from ...leaderboard.test_mutations import ODD, places
from .hub import resealed

pytestmark = pytest.mark.slow

TASK = "gym/CartPole-v1"
SUITE = Suite(name="poles", version=1, seeds=1, tasks={TASK: Anchor(random=20.0, teacher=200.0)})
GAIN = 0.02  # of an area along the frames: an evaluation may have been planned for a few steps earlier than it came


@pytest.fixture(scope="module")
def sent(tmp_path_factory):
    """Yield a submission's folder as `submit` writes it, of an honest run, and what the board says of it."""
    at = tmp_path_factory.mktemp("mutated")
    how = {"settings": {"warmup": 50, "learning_rate": 1e-3}, "episodes": 4, "points": (0, 0.5, 1)}
    run(TASK, "dqn", "steps=240,updates=120", out=at / "run", **how)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("secrets.randbelow", lambda n: 7)  # the same episodes each time
        plan = prepare([at / "run"], at / "sent", read(at), Offer("ann", film=False))
        assert [verdict.reasons for verdict in plan.verdicts] == [()]
        told = verify_folder(at / "sent", Results(at, {}, {}, (), ()), ("bundled",))
        (honest,) = shown(at / "sent", told)
        yield at / "sent", honest


def shown(folder: Path, verdicts: list[Verdict]) -> list[tuple[float, float]]:
    """Return what the board says of what was accepted: (score at the end, area along the frames)."""
    found = read(folder)
    known = {one.run: one for one in verdicts if one.state == "re-scored"}
    made = board(Results(folder, found.submissions, known, (SUITE,), ()))
    rows = [one["suites"]["poles"] for one in made["entries"] if "poles" in one["suites"]]
    return [(row["end"]["iqm"][0], row["area"]["frames"][0]) for row in rows]


@st.composite
def field(draw) -> Any:
    """Set, leave out or add one field of the submission, and of the ledger's first line if it has it too."""
    where, value, what = draw(st.integers(0, 10**6)), draw(ODD), draw(st.sampled_from(["set", "drop", "more"]))

    def change(folder: Path, one: dict, rows: list[dict]) -> None:
        every = [place for place in places(one) if place]
        place = every[where % len(every)]
        for inner in (one, {"record": rows[0]}):
            try:
                for step in place[:-1]:
                    inner = inner[step]
                if what == "drop":
                    del inner[place[-1]]
                else:
                    inner[f"{place[-1]}s" if what == "more" else place[-1]] = value
            except (KeyError, IndexError, TypeError):
                continue

    return change


@st.composite
def scaled(draw) -> Any:
    """Draw a number of the ledger and of the record, made smaller or larger in both."""
    unit = draw(st.sampled_from(["frames", "steps", "updates", "flops", "seconds", "device"]))
    factor = draw(st.sampled_from([0.0, 1e-9, 0.1, 0.99, 1.01, 10.0, 1e9, -1.0]))

    def change(folder: Path, one: dict, rows: list[dict]) -> None:
        for spent in [
            *(row["spent"] for row in rows if "spent" in row),
            *(p["spent"] for p in one["record"]["points"]),
        ]:
            spent[unit] = spent[unit] * factor

    return change


@st.composite
def order(draw) -> Any:
    """Reorder lines, points, returns or lengths."""
    what, seed = (
        draw(st.sampled_from(["lines", "points", "both", "returns", "lengths", "weights"])),
        draw(st.integers(0, 9)),
    )

    def change(folder: Path, one: dict, rows: list[dict]) -> None:
        rng, points = np.random.default_rng(seed), one["record"]["points"]
        if what == "lines":
            rows[1:] = [rows[1:][n] for n in rng.permutation(len(rows) - 1)]
        if what in ("points", "both"):
            points[:] = [points[n] for n in rng.permutation(len(points))]
        if what == "both":
            marked = [row for row in rows if row["event"] in ("point", "end")]
            for row, point in zip(marked, points, strict=True):
                row.update({key: point[key] for key in ("spent", "parameters", "evaluation") if key in point})
        if what in ("returns", "lengths"):
            for point, row in zip(points, (row for row in rows if row["event"] in ("point", "end")), strict=True):
                for kept in (point["evaluation"], row.get("evaluation") or {}):
                    if what in kept:
                        kept[what] = kept[what][::-1]
        if what == "weights":
            _swapped(folder, one, rng)

    return change


def _swapped(folder: Path, one: dict, rng: np.random.Generator) -> None:
    """Let two students change places."""
    files = sorted(_students(folder, one).rglob("*.safetensors"))
    a, b = rng.permutation(len(files))[:2]
    first, second = files[a].read_bytes(), files[b].read_bytes()
    files[a].write_bytes(second)
    files[b].write_bytes(first)


def _students(folder: Path, one: dict) -> Path:
    return next(iter((folder / "students").iterdir()))


@st.composite
def file(draw) -> Any:
    """Draw a file that is left out, cut, emptied, added, or other weights."""
    what, number = (
        draw(st.sampled_from(["drop", "cut", "empty", "more", "noise", "link", "nan"])),
        draw(st.integers(0, 99)),
    )

    def change(folder: Path, one: dict, rows: list[dict]) -> None:
        home = _students(folder, one)
        files = sorted(path for path in home.rglob("*") if path.is_file())
        path = files[number % len(files)]
        if what == "drop":
            path.unlink()
        elif what == "more":
            (home / ["x.py", ".cache", "policy.pkl", "students/more.safetensors"][number % 4]).write_bytes(b"x")
        elif what in ("cut", "empty"):
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 if what == "cut" else 0])
        elif what == "link":
            path.unlink()
            path.symlink_to("/etc/passwd")
        else:
            path = home / "policy.safetensors"
            made = {key: np.array(value) for key, value in weights.load(path).items()}
            more = np.nan if what == "nan" else 0.1
            weights.save(path, {key: (value + more).astype(value.dtype) for key, value in made.items()})

    return change


@given(st.one_of(field(), field(), scaled(), order(), file()))
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck.__members__.values()])
def test_whatever_is_changed_is_rejected_or_gains_nothing(sent, tmp_path_factory, change):
    folder, (best, most) = tmp_path_factory.mktemp("one") / "sent", sent[1]
    shutil.copytree(sent[0], folder)
    (path,) = (folder / "results" / "ann").glob("*.json")
    log = path.with_name(f"{path.name.removesuffix('.json')}.ledger.jsonl")
    one, before = json.loads(path.read_text()), json.loads(path.read_text())

    def both(rows: list[dict]) -> None:
        change(folder, one, rows)

    lines, last = resealed(log.read_bytes(), both)
    if isinstance(one.get("record"), dict) and one["record"].get("ledger") == before["record"]["ledger"]:
        one["record"]["ledger"] = last
    path.write_bytes(json.dumps(one).encode())
    log.write_bytes(lines)
    try:
        told = verify_folder(folder, Results(folder, {}, {}, (), ()), ("bundled",))
    except ValueError as error:
        assert str(error).isprintable()
        return
    assert all(reason and reason.isprintable() for verdict in told for reason in verdict.reasons)
    for end, area in shown(folder, told):
        assert end == best and area <= most + GAIN
