"""Honest submissions with any field changed to anything: refused with a sentence, left out, or without any gain."""

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reincarnate.leaderboard.board import board
from reincarnate.leaderboard.results import Results
from reincarnate.leaderboard.submission import Submission, Verdict, parse
from reincarnate.leaderboard.suite import Anchor, Suite

from .makers import evaluation, parent, record, submission

HONEST = json.loads(submission(record("r1", parent("someone/teacher")), about="fine").model_dump_json())
SUITE = Suite(name="poles", version=1, seeds=1, tasks={"gym/CartPole-v1": Anchor(random=0.0, teacher=10.0)})
OWN = (evaluation(0.0, 0.0), evaluation(4.0, 4.0))  # what the maintainer's episodes gave
NUMBERS = st.sampled_from([0, -1, 1, True, 1e6, -1e15, 1e99, 10**25, 0.5, float("inf"), float("nan")])
TEXTS = st.sampled_from(["", "x", "1e9", "../x", "a\nb", "\u202e", "\ud800", "x" * 3000, "<script>", "0" * 64])
ODD = st.one_of(NUMBERS, TEXTS, st.none(), st.sampled_from([[], {}, [1, "a"], {"flops": 1.0}, {"bananas": 1}, [[[]]]]))


def places(content, at=()):
    """Return the path of every part of JSON."""
    yield at
    inner = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inner:
        yield from places(value, (*at, key))


PLACES = [place for place in places(HONEST) if place]


def scores(one: Submission) -> list:
    """Return what the board makes of a run that a maintainer has played."""
    run = one.record.run
    seen = Verdict(run=run, state="re-scored", rescored=OWN[1], points=OWN, accepted="2026-01-01T00:00:00Z")
    made = board(Results(Path(), {run: one}, {run: seen}, (SUITE,), ()))
    json.dumps(made, allow_nan=False).encode("utf-8")
    return [entry["suites"]["poles"]["end"] for entry in made["entries"] if "poles" in entry["suites"]]


@given(st.sampled_from(PLACES), ODD, st.sampled_from(["set", "drop", "more"]))
@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_changed_is_refused_or_moves_no_score(place, value, what):
    content = json.loads(json.dumps(HONEST))
    inner = content
    for step in place[:-1]:
        inner = inner[step]
    if what == "drop":
        del inner[place[-1]]
    elif what == "more" and isinstance(inner, dict):
        inner[f"{place[-1]}s"] = value
    else:
        inner[place[-1]] = value
    try:
        one = parse(json.dumps(content).encode(), Submission, "x.json")
    except ValueError as error:
        assert str(error).startswith("x.json") and str(error).isprintable()
        return
    told, honest = scores(one), scores(parse(json.dumps(HONEST).encode(), Submission, "x.json"))
    assert told in (honest, []) or max(score["iqm"][0] for score in told) <= 0.4  # [] is left out and named
