"""What honest students have in common: python -m tests.speed.siblings OUT.json RUN... (folders of finished runs).

Writes a row for each pair of last students of one task, and of a student and its teacher: whether they are relatives,
whether both may have begun from the same weights, and their likeness. tests/fixtures/siblings.json was made by it.
"""

import itertools
import json
import sys
from pathlib import Path

from reincarnate.benchmark.prior.load import policy_of, read_config
from reincarnate.benchmark.submission import known, same
from reincarnate.benchmark.tasks.environments import make, seeds
from reincarnate.benchmark.tasks.task import find
from reincarnate.datasets.teachers import weights
from reincarnate.leaderboard.record import RunRecord, load
from reincarnate.leaderboard.results import Results

NOTHING = Results(Path(), {}, {}, (), ())


def printed(folder: Path, record: RunRecord, applies: dict) -> same.Print:
    """Return the fingerprint of a run's last student; networks alike are compiled once."""
    task = find(record.task)
    arrays = weights.load(folder / record.points[-1].file)
    policy = policy_of(read_config(folder), make(task, seeds("verification", 0, 1)), arrays, "a student")
    apply = applies.setdefault(json.dumps([record.task, record.network], sort_keys=True), policy.apply)
    return same.fingerprint(policy._replace(apply=apply), arrays, task)


def row(ours: RunRecord, theirs: RunRecord, likeness: same.Likeness) -> list:
    """Return a line of the file."""
    above = [{parent.digest for parent in one.parents if parent.kind == "teacher"} for one in (ours, theirs)]
    roots = [known.roots(one, NOTHING, find(one.task)) for one in (ours, theirs)]
    names = [f"{one.method}-{one.seed}" for one in (ours, theirs)]
    numbers = [*(round(float(value), 5) for value in likeness[:4]), likeness.single]
    return [ours.task, *names, bool(above[0] & above[1]), known.may_meet(*roots), *numbers]


def main() -> None:
    """Measure all pairs."""
    out, folders, applies = Path(sys.argv[1]), list(map(Path, sys.argv[2:])), {}
    found = []
    for folder in folders:
        record = load(folder / "record.json")
        found.append((record, printed(folder, record, applies)))
        print(len(found), "of", len(folders), folder.name, flush=True)
    rows = [
        row(a, b, same.likeness(x, y))
        for (a, x), (b, y) in itertools.combinations(found, 2)
        if a.task == b.task and a.points[-1].parameters != b.points[-1].parameters
    ]
    for record, print_ in found:
        for name, parameters, theirs, _ in known.teachers(find(record.task)):
            if parameters in {parent.digest for parent in record.parents}:
                numbers = [round(float(value), 5) for value in same.likeness(print_, theirs)[:4]]
                rows.append([record.task, f"{record.method}-{record.seed}", name, True, True, *numbers])
    out.write_text("[\n" + ",\n".join(map(json.dumps, rows)) + "\n]\n")


if __name__ == "__main__":
    main()
