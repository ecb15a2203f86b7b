"""Sampling in proportion to priorities: the sums by hand, and a replay that uses it."""

import numpy as np
import pytest

from reincarnate.datasets.replay.mixture import sample_mix
from reincarnate.datasets.replay.priorities import Priorities
from reincarnate.datasets.replay.replay import Replay


class Dice(np.random.Generator):
    """In the place of a random generator: it always throws the same share."""

    def __init__(self, share: float):
        super().__init__(np.random.PCG64(0))
        self.share = share

    def random(self, size):  # pyright: ignore[reportIncompatibleMethodOverride]
        return np.full(size, self.share)


def tree(values) -> Priorities:
    priorities = Priorities(len(values))
    priorities.set(np.arange(len(values)), np.array(values, float))
    return priorities


def test_rows_are_drawn_where_their_shares_of_the_sum_lie():
    """1, 2, 0, 5 of 8: in eight equal shares the first is row 0, then two of row 1, then five of row 3."""
    priorities = tree([1.0, 2.0, 0.0, 5.0])
    assert priorities.draw(Dice(0.5), 8).tolist() == [0, 1, 1, 3, 3, 3, 3, 3]
    assert priorities.draw(Dice(0.0), 4).tolist() == [0, 1, 3, 3]
    priorities.set(np.array([3, 0]), np.array([1.0, 5.0]))  # the sums above follow
    assert priorities.draw(Dice(0.5), 8).tolist() == [0, 0, 0, 0, 0, 1, 1, 3]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_rows_are_drawn_in_proportion_whatever_their_number(size):
    values = np.arange(1.0, size + 1)
    values[size // 2 : size // 2 + 1] = 0.0 if size > 1 else 1.0
    drawn = np.bincount(tree(values).draw(np.random.default_rng(0), 10_000), minlength=size)
    assert len(drawn) == size
    np.testing.assert_allclose(drawn / 10_000, values / values.sum(), atol=2e-4)  # equal shares spread evenly
    assert (drawn[values == 0.0] == 0).all()


def test_where_a_row_is_set_twice_the_last_counts():
    priorities = tree([1.0, 1.0, 1.0])
    priorities.set(np.array([2, 0, 2, 2]), np.array([9.0, 1.0, 4.0, 2.0]))
    assert priorities[np.arange(3)].tolist() == [1.0, 1.0, 2.0]
    assert priorities.draw(Dice(0.5), 4).tolist() == [0, 1, 2, 2]


def test_the_highest_ever_is_remembered():
    priorities = Priorities(3)
    assert priorities.highest == 1.0
    priorities.set(np.array([0, 1]), np.array([0.5, 4.0]))
    priorities.set(np.array([1]), 0.25)
    assert priorities.highest == 4.0


def test_to_set_nothing_changes_nothing():
    priorities = tree([1.0, 3.0])
    priorities.set(np.empty(0, int), np.empty(0))
    assert priorities[np.arange(2)].tolist() == [1.0, 3.0] and priorities.highest == 3.0


def test_rows_are_drawn_in_proportion_across_all_levels():
    """Five thousand rows, most of them 0: the others lie at the ends of rows, of blocks and of the whole."""
    values = np.zeros(5000)
    where = np.array([0, 31, 32, 1023, 1024, 2047, 3333, 4999])
    values[where] = np.arange(1.0, 9.0)
    drawn = np.bincount(tree(values).draw(np.random.default_rng(0), 36_000), minlength=5000)
    assert len(drawn) == 5000 and (drawn[values == 0.0] == 0).all()
    np.testing.assert_allclose(drawn[where], 1000 * np.arange(1.0, 9.0), atol=2)


def test_no_row_of_priority_zero_is_drawn_where_rounding_is_worst():
    """Tenths do not add up exactly; every second row is 0, and throws fall on the very borders."""
    values = np.tile([0.0, 0.1], 2048)
    for share in (0.0, 0.5, np.nextafter(1.0, 0.0)):
        assert (values[tree(values).draw(Dice(share), 4096)] > 0.0).all()


@pytest.mark.parametrize("values", [[1.0, 0.0], [1.0, 2.0, 0.0], [0.1, 0.2, 0.3, 0.0, 0.0]])
def test_the_highest_throw_draws_no_row_of_priority_zero(values):
    """Sums are rounded, so a draw can reach the whole sum."""
    highest = np.nextafter(1.0, 0.0)
    for size in (1, 2, 8, 1000):
        drawn = tree(values).draw(Dice(highest), size)
        assert (np.array(values)[drawn] > 0.0).all()


# -- a replay


def play(replay: Replay, lengths, stream: int = 0, number: int = 0) -> None:
    """Add whole episodes of so many transitions, terminated; frames count up from `number`."""
    who, zero = np.array([stream]), np.zeros(1)
    for length in lengths:
        for age in range(length + 1):
            over = np.array([age == length])
            replay.add(who, np.array([[number]], np.float32), zero, zero, np.array([age]), over, over)
            number += 1


def counts(replay: Replay, draws: int = 4000, n_step: int = 1) -> dict[int, int]:
    """Count how often each transition was drawn, by the number in its frame."""
    batch = replay.sample(np.random.default_rng(0), draws, n_step, 0.5)
    assert batch is not None
    frames, often = np.unique(batch.window[:, 0, 0], return_counts=True)
    return dict(zip(frames.astype(int).tolist(), often.tolist(), strict=True))


def rows_of(replay: Replay, draws: int = 4000) -> dict[int, int]:
    """Return the row of every transition by the number in its frame."""
    batch = replay.sample(np.random.default_rng(1), draws, 1, 0.5)
    assert batch is not None
    return dict(zip(batch.window[:, 0, 0].astype(int).tolist(), batch.row.tolist(), strict=True))


def test_transitions_are_drawn_in_proportion_and_last_steps_never():
    """Rows 0 1 2 | 3 4: of frames 0, 1 and 3, which begin transitions, one has seven times the others' priority."""
    replay = Replay(5, np.zeros(1, np.float32), prioritized=True)
    play(replay, [2, 1])
    even = counts(replay)
    assert set(even) == {0, 1, 3} and max(even.values()) < 1.1 * min(even.values())
    replay.prioritize(np.array([0, 1, 3]), np.array([0.5, 3.5, 0.5]))
    drawn = counts(replay)
    assert set(drawn) == {0, 1, 3}
    np.testing.assert_allclose([drawn[0], drawn[1], drawn[3]], [444, 3111, 444], rtol=0.1)


def test_new_steps_get_the_highest_priority():
    replay = Replay(8, np.zeros(1, np.float32), prioritized=True)
    play(replay, [2])
    replay.prioritize(np.array([0, 1]), np.array([6.0, 1.0]))
    play(replay, [1], number=3)
    drawn = counts(replay, 13_000)
    assert set(drawn) == {0, 1, 3}
    np.testing.assert_allclose([drawn[0], drawn[1], drawn[3]], [6000, 1000, 6000], rtol=0.1)


def test_a_row_of_priority_zero_is_never_drawn():
    replay = Replay(8, np.zeros(1, np.float32), prioritized=True)
    play(replay, [3])
    replay.prioritize(np.array([0, 2]), np.zeros(2))
    assert set(counts(replay)) == {1}


def test_priorities_follow_the_ring_around():
    """Six rows in each of two streams. In the first, seven steps more begin again at its start."""
    replay = Replay(12, np.zeros(1, np.float32), streams=2, prioritized=True)
    play(replay, [2, 2], stream=1, number=100)  # rows 6 to 11
    play(replay, [2, 2], stream=0, number=0)  # rows 0 to 5
    assert rows_of(replay) == {0: 0, 1: 1, 3: 3, 4: 4, 100: 6, 101: 7, 103: 9, 104: 10}
    replay.prioritize(np.array([0, 9]), np.array([5.0, 20.0]))
    play(replay, [6], stream=0, number=6)  # seven steps: the last one lies in row 0, over what had the priority 5
    assert rows_of(replay) == {7: 1, 8: 2, 9: 3, 10: 4, 11: 5, 100: 6, 101: 7, 103: 9, 104: 10}
    drawn = counts(replay, 123 * 20)  # five new ones with 20, 103 with 20, three with 1: 123 in all
    np.testing.assert_allclose([drawn[key] for key in (7, 8, 9, 10, 11, 103)], [400] * 6, rtol=0.15)
    assert all(drawn[key] < 40 for key in (100, 101, 104))


def test_importance_weights_by_hand():
    """1 / sqrt(p) over the batch's largest: priorities 1, 4 and 16 give 1, 1/2 and 1/4."""
    replay = Replay(4, np.zeros(1, np.float32), prioritized=True)
    play(replay, [3])
    replay.prioritize(np.array([0, 1, 2]), np.array([1.0, 4.0, 16.0]))
    batch = replay.gather(np.zeros(3, int), np.array([2, 0, 1]), 1, 0.5, False)
    np.testing.assert_allclose(batch.weight, [0.25, 1.0, 0.5], rtol=1e-6)
    assert batch.row.tolist() == [2, 0, 1] and batch.weight.dtype == np.float32
    rest = replay.gather(np.zeros(2, int), np.array([2, 1]), 1, 0.5, False)
    np.testing.assert_allclose(rest.weight, [0.5, 1.0], rtol=1e-6)  # the largest of this batch, not of all


def test_a_batch_s_own_places_take_its_new_priorities():
    replay = Replay(16, np.zeros(1, np.float32), streams=2, prioritized=True)
    play(replay, [3], stream=0)
    play(replay, [4], stream=1, number=50)
    batch = replay.sample(np.random.default_rng(0), 32, 1, 0.5)
    assert batch is not None
    replay.prioritize(batch.row, batch.window[:, 0, 0].astype(float) + 1.0)
    again = replay.gather(*np.divmod(batch.row, 8), 1, 0.5, False)
    np.testing.assert_array_equal(again.window, batch.window)
    worth = 1.0 / np.sqrt(batch.window[:, 0, 0] + 1.0)
    np.testing.assert_allclose(again.weight, worth / worth.max(), rtol=1e-5)


def test_rows_of_another_replay_are_ignored():
    log, replay = (Replay(8, np.zeros(1, np.float32), prioritized=own) for own in (False, True))
    play(log, [4], number=20)
    play(replay, [2])
    mixed = sample_mix(np.random.default_rng(0), log, replay, 64, 0.5, 1, 0.5)
    assert mixed is not None
    teacher = mixed.from_teacher == 1.0
    assert 0 < teacher.sum() < 64
    logged = log.gather(np.zeros(teacher.sum(), int), mixed.row[teacher], 1, 0.5, False)
    assert (mixed.row >= 0).all() and np.array_equal(logged.window, mixed.window[teacher])
    assert (mixed.weight[teacher] == 1.0).all()
    replay.prioritize(mixed.row[~teacher], np.full((~teacher).sum(), 2.0))
    assert set(counts(replay)) == {0, 1} and replay.gather(np.zeros(1, int), np.zeros(1, int), 1, 0.5, False)
    play(replay, [1], number=3)
    drawn = counts(replay)
    assert max(drawn.values()) < 1.1 * min(drawn.values())  # a new step has 2, the highest of its own, not a million
    replay.prioritize(np.empty(0, int), np.empty(0))  # nothing at all
    log.prioritize(np.array([0]), np.ones(1))  # not prioritized
    assert counts(replay) == drawn
