"""The schema of a submission is closed: any odd change is refused, with its place."""

import json
import time

import pytest

from reincarnate.leaderboard.submission import LIMIT, Submission, parse, plain

from .makers import parent, record, submission

HONEST = json.loads(submission(record("r1", parent("someone/teacher")), about="fine").model_dump_json())


def placed(content, path: str):
    """Return the part of JSON that holds the last step of a path, and that step."""
    *above, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    for step in above:
        content = content[step]
    return content, last


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("record/points/0/evaluation/mean", "x"),
        ("record/points/0/evaluation/mean", [1, 2]),
        ("record/points/0/evaluation/mean", {}),
        ("record/points/0/evaluation/mean", True),
        ("record/points/0/evaluation/returns", ["1e9"] * 2),
        ("record/points/0/evaluation/returns", [1e99, 1e99]),
        ("record/points/0/evaluation/returns", []),
        ("record/points/0/evaluation/returns", {"0": 1.0}),
        ("record/points/0/evaluation/lengths", [-5, 5]),
        ("record/points/0/evaluation/lengths", [0, 5]),
        ("record/points/0/evaluation/lengths", [5.0, 5]),
        ("record/points/0/evaluation/epsilon", 2),
        ("record/points/0/evaluation/seeds", [-1, 1]),
        ("record/points/0/evaluation/seeds", [0, 2**40]),
        ("record/points/0/spent/flops", -1e15),
        ("record/points/0/spent/flops", "12"),
        ("record/points/0/spent/flops", 1e99),
        ("record/points/0/spent/bananas", 1.0),
        ("record/points/0/parameters", "A" * 64),
        ("record/points/0/parameters", "f" * 63),
        ("record/points/0/file", "../../x"),
        ("record/points/0/file", "/etc/passwd"),
        ("record/points", []),
        ("record/seed", True),
        ("record/seed", -1),
        ("record/seed", 2**14),
        ("record/environments", -5),
        ("record/budget", {"bananas": 1.0}),
        ("record/budget", {}),
        ("record/budget/steps", 0),
        ("record/complete", 1),
        ("record/resumed", -1),
        ("record/ledger", ""),
        ("record/method", "x\ud800:y"),
        ("record/method", "a b"),
        ("record/method", "x" * 10**6),
        ("record/settings", {"a": "x" * 10**6}),
        ("record/settings", {"a": [[[[[[[[[[[1]]]]]]]]]]]}),
        ("record/settings", {f"k{n}": "x" * 100 for n in range(1000)}),
        ("record/machine", [1]),
        ("record/parents/0/kind", "friend"),
        ("record/parents/0/digest", "x"),
        ("record/run", "a/../b"),
        ("record/schema_version", True),
        ("record/surprise", 1),
        ("schema_version", True),
        ("schema_version", 1.0),
        ("author", "b\u0430selines"),
        ("author", "ann\n"),
        ("entry", "a..b"),
        ("track", "free"),
        ("submitted", "\u0662\u0660\u0662\u0666-11-23T18:19:22Z"),
        ("submitted", "2026-13-41T18:19:22Z"),
        ("submitted", "0000-00-00T00:00:00Z"),
        ("student", "x y"),
        ("student", f"ann/../x@{'c' * 40}"),
        ("sources", [{"digest": "d", "kind": "teacher", "reference": "r", "at_least": {"bananas": 1e-30}}]),
        ("tuning", [{"run": "nothing", "spent": {"flops": -1}}]),
        ("about", "\u202e<script>"),
        ("about", "x" * 2001),
    ],
)
def test_an_odd_field_is_refused_with_its_place(path, value):
    content = json.loads(json.dumps(HONEST))
    assert parse(json.dumps(content).encode(), Submission, "x.json")
    inner, last = placed(content, path)
    inner[last] = value
    with pytest.raises(ValueError, match=r"^x\.json") as told:
        parse(json.dumps(content).encode(), Submission, "x.json")
    assert len(str(told.value)) < 6000 and str(told.value).isprintable()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "utf-32"])
def test_one_encoding(encoding):
    with pytest.raises(ValueError, match="UTF-8|byte order mark"):
        parse(json.dumps(HONEST).encode(encoding), Submission, "x.json")


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": "' + b'\\"' * (LIMIT // 2 - 10),
        b'{"a":"' + b"x" * (LIMIT - 10) + b'"}',
        b"[" * (LIMIT - 1),
        b"[" + b"1," * (LIMIT // 2 - 2) + b"1]",
        b"[" + b"9" * (LIMIT - 2) + b"]",
        b"[" + b"1e" + b"9" * (LIMIT - 4) + b"]",
        b'{"a":' * (LIMIT // 5),
        b"[" + b"[]," * (LIMIT // 3 - 1) + b"[]]",
    ],
    ids=["escapes", "string", "brackets", "numbers", "digits", "exponent", "keys", "lists"],
)
def test_reading_takes_time_in_proportion_to_the_bytes(data):
    started = time.process_time()
    with pytest.raises(ValueError):
        plain(data, "x.json")
    assert time.process_time() - started < 2.0
