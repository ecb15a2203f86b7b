"""Costs of lineages by hand, to the last FLOP."""

import random

from reincarnate.leaderboard import lineage
from reincarnate.leaderboard.lineage import Node, ancestors, descendants, faults, full, graph, marginal, shared, tainted

from .makers import digest, parent, record

FIRST = record("first", points=((100, 0), (1000, 500)))  # 1000 + 5000 = 6000 FLOPs at its end
LEFT = record("left", parent(FIRST), points=((0, 100), (200, 100)))  # 1000, 1200
RIGHT = record("right", parent(FIRST), points=((0, 10), (50, 10)))  # 100, 150
LAST = record("last", parent(LEFT), parent(RIGHT, "log"), points=((0, 1), (7, 1)))  # 10, 17


def key(one, point: int = -1) -> str:
    return one.points[point].parameters


def flops(total) -> float:
    return total.spent["flops"]


def test_an_ancestor_that_both_parents_share_is_paid_once():
    nodes = graph([FIRST, LEFT, RIGHT, LAST])
    assert ancestors(nodes, key(LAST)) == {key(LEFT), key(RIGHT), key(FIRST)}
    assert flops(marginal(nodes, key(LAST))) == 17
    assert flops(full(nodes, key(LAST))) == 17 + 1200 + 150 + 6000
    assert full(nodes, key(LAST)).spent["frames"] == 4 * (7 + 200 + 50 + 1000)
    assert full(nodes, key(LAST)).unpriced == ()


def test_what_a_third_partys_code_has_spent_is_a_lower_bound_and_no_price():
    """Its updates cannot be traced: a ledger of one FLOP would make its students cheap teachers."""
    theirs = record("theirs", method="mine:method", points=((1, 1),))
    child = record("child", parent(theirs), points=((0, 10),))
    told = full(graph([theirs, child]), key(child))
    assert told.unpriced == ("mine:method theirs",) and told.spent["flops"] == 100 + 11
    based = record("based", parent(theirs), settings={"base": "mine:method"}, points=((0, 10),))
    assert full(graph([based, record("last", parent(based))]), key(based)).unpriced


def test_an_earlier_student_costs_what_was_spent_until_then():
    early = record("early", parent(FIRST).model_copy(update={"digest": key(FIRST, 0)}), points=((0, 0),))
    nodes = graph([FIRST, early])
    assert flops(full(nodes, key(early))) == 100


def test_two_students_of_one_run_are_one_training():
    """Teacher and log from different points of the same run: the later one includes the earlier."""
    both = record("both", parent(FIRST), parent(FIRST, "log").model_copy(update={"digest": key(FIRST, 0)}))
    nodes = graph([FIRST, both])
    assert flops(full(nodes, key(both))) == flops(marginal(nodes, key(both))) + 6000


def test_the_shared_view_splits_an_ancestor_among_all_that_use_it():
    nodes = graph([FIRST, LEFT, RIGHT, LAST])
    users = descendants(nodes)
    assert users == {"first": 3, "left": 1, "right": 1}
    assert flops(shared(nodes, key(LAST), users)) == 17 + 1200 + 150 + 6000 / 3
    assert flops(shared(nodes, key(LEFT), users)) == 1200 + 6000 / 3


def test_unknown_ancestors_are_unpriced_and_never_free():
    nodes = graph([record("child", parent("them/their-teacher@" + "b" * 40))])
    total = full(nodes, digest("child/1"))
    assert total.unpriced == ("them/their-teacher@" + "b" * 40,)
    declared = Node(digest("them/t"), digest("them/t"), None, {"flops": 1e15}, (), "outside", "them/t")
    nodes = graph([record("child", parent("them/t"))], [declared])
    total = full(nodes, digest("child/1"))
    assert (total.unpriced, flops(total)) == (("them/t",), 1e15 + 2100)


def test_a_log_is_paid_with_the_policy_that_made_it():
    log = Node("log", "log", {"flops": 30.0, "frames": 40.0}, {}, (key(FIRST),), "log", "me/log")
    child = record("child", parent("me/log", "log").model_copy(update={"digest": "log"}), points=((0, 1),))
    nodes = graph([FIRST, child], [log])
    assert flops(full(nodes, key(child))) == 10 + 30 + 6000


def test_sums_are_exact_where_floats_added_up_in_turn_are_not():
    small = [record(f"run{n}", points=((0, 0),), budget={"steps": 1.0}) for n in range(100)]
    small = [
        one.model_copy(update={"points": (one.points[0].model_copy(update={"spent": {"flops": 1.0}}),)})
        for one in small
    ]
    large = record("large", points=((0, 0),))
    large = large.model_copy(update={"points": (large.points[0].model_copy(update={"spent": {"flops": 2.0**53}}),)})
    child = record("child", *map(parent, [large, *small]), points=((0, 0),))
    nodes = graph([*small, large, child])
    assert int(flops(full(nodes, key(child)))) == 2**53 + 100


def test_a_circle_is_found_and_named():
    one = record("one", parent("two"))
    two = record("two", parent(one))
    one = one.model_copy(update={"parents": (parent(two),)})
    (found,) = faults([one, two])
    assert found.startswith("the lineage runs in a circle: qdagger")
    assert flops(full(graph([one, two]), key(one))) == 2100 * 2  # and nothing hangs
    assert faults([FIRST, LEFT, RIGHT, LAST]) == []


def test_a_run_cannot_descend_from_its_own_later_student():
    one = record("one", points=((0, 1), (5, 2)))
    one = one.model_copy(update={"parents": (parent(one),), "points": one.points[:1]})
    two = record("one", points=((0, 1), (5, 2)))
    two = two.model_copy(update={"points": two.points[1:]})
    assert "circle" in faults([one, two])[0]


def test_a_student_that_is_its_teacher_is_no_student():
    copy = record("copy", parent(FIRST), points=((0, 1),))
    copy = copy.model_copy(update={"points": (copy.points[0].model_copy(update={"parameters": key(FIRST)}),)})
    assert faults([FIRST, copy]) == ["the student of run copy is one of its parents: it has learned nothing"]


def test_two_runs_with_the_same_weights_are_told_unless_nothing_was_trained():
    copy = record("copy").model_copy(update={"points": FIRST.points})
    assert [found[:41] for found in faults([FIRST, copy])] == ["runs first and copy have the same weights"]
    fresh, other = (record(run, points=((10, 0),)) for run in ("fresh", "other"))
    assert faults([fresh, other.model_copy(update={"points": fresh.points})]) == []


def test_a_student_that_still_is_its_teacher_keeps_its_teachers_cost():
    """Fine-tuning before its first update: the point at 0 has the teacher's weights."""
    tuned = record("tuned", parent(FIRST), points=((0, 0), (10, 1)))
    same = tuned.points[0].model_copy(update={"parameters": key(FIRST)})
    tuned = tuned.model_copy(update={"points": (same, tuned.points[1])})
    nodes = graph([tuned, FIRST])
    assert nodes[key(FIRST)].training == "first" and faults([tuned, FIRST]) == []
    assert flops(full(nodes, key(tuned))) == 20 + 6000


def test_a_revoked_entry_flags_all_that_descends_from_it():
    nodes = graph([FIRST, LEFT, RIGHT, LAST])
    assert tainted(nodes, ["left"]) == {"left": ["left"], "last": ["left"]}
    assert set(tainted(nodes, ["first"])) == {"first", "left", "right", "last"}
    assert tainted(nodes, []) == {}


def test_a_chain_of_thousands_neither_recurses_nor_hangs():
    chain = [record("0", points=((1, 0),))]
    for number in range(1, 3000):
        chain.append(record(str(number), parent(chain[-1]), points=((1, 0),)))
    random.Random(0).shuffle(chain)
    nodes = graph(chain)
    assert flops(full(nodes, digest("2999/0"))) == 3000
    assert lineage.find_circle(nodes) == []
