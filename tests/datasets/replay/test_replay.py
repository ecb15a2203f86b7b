"""The replay against a plain reference that keeps every episode in a list."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reincarnate.datasets.replay.mixture import sample_mix, sample_shares
from reincarnate.datasets.replay.replay import Replay
from reincarnate.datasets.transition import Steps

from ..logs import episode


def step(number, age, last, terminal):
    """Return a step whose frame and reward say which one it is."""
    reward = 0.0 if last else float(number % 7 - 3)
    return dict(frame=np.full((2, 2), number % 251 + 1, np.uint8), action=number % 5, reward=reward, age=age) | dict(
        is_last=last, is_terminal=terminal
    )


@st.composite
def streams(draw):
    """Return up to 3 streams of uneven episodes, the last of them unfinished."""
    number, out = 0, []
    for _ in range(draw(st.integers(1, 3))):
        stream = []
        for length in draw(st.lists(st.integers(1, 9), min_size=1, max_size=8)):
            terminal = draw(st.booleans())
            for age in range(length + 1):
                number += 1
                last = age == length
                stream.append(step(number, age, last, last and terminal))
        out.append(stream[: draw(st.integers(1, len(stream)))])
    return out


def fill(capacity, stack, all_steps):
    """Return a replay to which the streams' steps were added in turns."""
    replay = Replay(capacity, all_steps[0][0]["frame"], stack, len(all_steps))
    for turn in range(max(len(stream) for stream in all_steps)):
        who = np.array([s for s, stream in enumerate(all_steps) if turn < len(stream)])
        now = [all_steps[s][turn] for s in who]
        replay.add(who, **{key: np.array([one[key] for one in now]) for key in now[0]})
    return replay


def observation(stream, t, stack):
    """Return the stack that an environment shows at step t: zeros before the episode's first frame."""
    age = stream[t]["age"]
    frames = [stream[t - min(back, age)]["frame"] * np.uint8(back <= age) for back in range(stack)]
    return np.stack(frames[::-1])


def reference(stream, t, stack, n, discount):
    """Return (obs, action, return, discount, next obs), one step at a time."""
    total, factor, k = np.float32(0), np.float32(1), 0
    while k < n and not stream[t + k]["is_last"]:
        total += factor * np.float32(stream[t + k]["reward"])
        factor *= np.float32(discount)
        k += 1
    factor = np.float32(0) if stream[t + k]["is_terminal"] else factor
    return observation(stream, t, stack), stream[t]["action"], total, factor, observation(stream, t + k, stack)


def usable(stream, t, rows, stack, n):
    """Return whether a ring of this many rows holds everything that a sample at t needs."""
    begin, end = max(0, len(stream) - rows), len(stream)
    if stream[t]["is_last"] or t - min(stream[t]["age"], stack - 1) < begin:
        return False
    ahead = stream[t + 1 : min(t + n + 1, end)]
    return len(ahead) == n or any(one["is_last"] for one in ahead)


@settings(max_examples=150, deadline=None)
@given(streams(), st.integers(4, 60), st.integers(1, 4), st.integers(1, 4))
def test_the_usable_places_are_sampled_and_equal_the_reference(all_steps, capacity, stack, n):
    replay = fill(capacity, stack, all_steps)
    rows = max(capacity // len(all_steps), 1)
    expected = {
        (s, t)
        for s, stream in enumerate(all_steps)
        for t in range(max(0, len(stream) - rows), len(stream))
        if usable(stream, t, rows, stack, n)
    }
    kept = [one for stream in all_steps for one in stream[-rows:]]
    assert len(replay) == sum(not one["is_last"] for one in kept)
    places = replay.places(np.random.default_rng(0), 400, n)
    if not expected:
        assert places is None
        return
    assert places is not None
    drawn = set(zip(places[0].tolist(), places[1].tolist(), strict=True))
    assert drawn <= expected
    s, t = (np.array(column) for column in zip(*sorted(expected), strict=True))
    batch = replay.gather(s, t, n, 0.9, clip=False)
    for i, (who, when) in enumerate(sorted(expected)):
        obs, action, total, factor, after = reference(all_steps[who], when, stack, n, 0.9)
        assert np.array_equal(batch.window[i, :stack], obs)
        assert np.array_equal(batch.window[i, batch.span[i] : batch.span[i] + stack], after)
        assert batch.action[i] == action
        assert batch.reward[i] == pytest.approx(total, abs=1e-5)
        assert batch.discount[i] == pytest.approx(factor, abs=1e-6)


def test_every_usable_place_is_drawn_equally_often():
    stream = [step(i, i % 6, i % 6 == 5, i % 12 == 5) for i in range(40)]
    replay = fill(30, 4, [stream, stream[:17]])  # rings of 15
    expected = [(s, t) for s, one in enumerate((stream, stream[:17])) for t in range(len(one) - 15, len(one))]
    expected = [(s, t) for s, t in expected if usable((stream, stream[:17])[s], t, 15, 4, 2)]
    places = replay.places(np.random.default_rng(0), 20_000, 2)
    assert places is not None
    counts = {place: 0 for place in expected}
    for place in zip(places[0].tolist(), places[1].tolist(), strict=True):
        counts[place] += 1
    mean = 20_000 / len(expected)
    assert all(abs(count - mean) < 5 * np.sqrt(mean) for count in counts.values())


def test_the_only_usable_place_of_many_is_found():
    stream = [step(i, i, False, False) for i in range(3000)]
    replay = fill(5000, 4, [stream])
    for n, first in ((2999, 0), (3000, None)):
        places = replay.places(np.random.default_rng(0), 3, n)
        assert (None if places is None else places[1].tolist()) == (None if first is None else [0, 0, 0])


def _two_episodes(terminal):
    """Return frames 1 2 3 4 with rewards 5 -2 0.5, then an episode of 5 6 with reward 1."""
    frames = np.arange(1, 7, dtype=np.uint8)[:, None]
    last = np.array([0, 0, 0, 1, 0, 1], bool)
    return Steps(
        frame=frames,
        action=np.array([0, 1, 2, 9, 3, 9], np.int32),
        reward=np.array([5, -2, 0.5, 99, 1, 99], np.float32),
        is_first=np.array([1, 0, 0, 0, 1, 0], bool),
        is_last=last,
        is_terminal=last & terminal,
    )


def _at(steps, t, n, clip=False):
    batch = Replay.of(steps, stack=2).gather(np.array([0]), np.array([t]), n, 0.5, clip)
    span = batch.span[0]
    after = batch.window[0, span : span + 2, 0].tolist()
    return batch.window[0, :2, 0].tolist(), batch.reward[0], batch.discount[0], after


def test_n_step_sums_by_hand():
    ended, cut = _two_episodes(True), _two_episodes(False)
    assert _at(ended, 0, 1) == ([0, 1], 5, 0.5, [1, 2])
    assert _at(ended, 0, 2) == ([0, 1], 5 - 1, 0.25, [2, 3])
    assert _at(ended, 0, 2, clip=True) == ([0, 1], 1 - 0.5, 0.25, [2, 3])
    # The third step ends the episode: nothing to bootstrap from where it terminated ...
    assert _at(ended, 0, 3) == ([0, 1], 5 - 1 + 0.125, 0, [3, 4])
    assert _at(ended, 2, 3) == ([2, 3], 0.5, 0, [3, 4])
    # ... and where it was truncated its last frame, as many steps on as there were.
    assert _at(cut, 0, 3) == ([0, 1], 5 - 1 + 0.125, 0.125, [3, 4])
    assert _at(cut, 1, 3) == ([1, 2], -2 + 0.25, 0.25, [3, 4])
    assert _at(cut, 2, 3) == ([2, 3], 0.5, 0.5, [3, 4])
    assert _at(cut, 4, 3) == ([0, 5], 1, 0.5, [5, 6])


def test_a_replay_of_a_log_is_the_replay_that_its_steps_fill():
    rng = np.random.default_rng(0)
    parts = [episode(rng, number, "vector").steps for number in range(20)]
    steps = Steps(*(np.concatenate(column) for column in zip(*(part[:6] for part in parts), strict=True)))
    whole = Replay.of(steps, 3)
    filled = Replay(len(steps.action), steps.frame[0], 3)
    age = 0
    for t in range(len(steps.action)):
        age = 0 if steps.is_first[t] else age + 1
        frame, action, reward, _, last, terminal = (column[t][None] for column in steps[:6] if column is not None)
        filled.add(np.array([0]), frame, action, reward, np.array([age]), last, terminal)
    assert len(whole) == len(filled) == np.sum(~steps.is_last)
    for n in (1, 3):
        a, b = (r.sample(np.random.default_rng(1), 64, n, 0.99, True) for r in (whole, filled))
        assert a is not None and b is not None
        for x, y in zip(a, b, strict=True):
            assert np.array_equal(x, y)


def _share(rng, log, replay, share):
    batch = sample_mix(rng, log, replay, 32, share, 1, 0.9)
    assert batch is not None and len(batch.action) == 32
    return int(batch.from_teacher.sum())


def test_a_mix_draws_every_place_independently():
    log = replay = Replay.of(_two_episodes(True), 1)
    rng = np.random.default_rng(0)
    from_log = np.array([_share(rng, log, replay, 1 / 256) for _ in range(4000)])
    expected = 4000 * 32 / 256
    assert abs(from_log.sum() - expected) < 4 * np.sqrt(expected)
    assert 0 < (from_log >= 2).sum() < 100  # 0.7 % of the batches, not one place in every eighth
    assert _share(rng, log, replay, 0.0) == 0
    assert _share(rng, log, replay, 1.0) == 32
    assert _share(rng, None, replay, 0.5) == 0


def test_nothing_can_be_sampled_from_an_empty_replay():
    empty = Replay(10, np.zeros((2, 2), np.uint8), 4, 2)
    assert len(empty) == 0
    assert empty.sample(np.random.default_rng(0), 4, 1, 0.9) is None
    assert sample_mix(np.random.default_rng(0), None, empty, 4, 0.0, 1, 0.9) is None


def test_only_chosen_transitions_are_sampled():
    steps = _two_episodes(True)
    chosen = np.array([0, 1, 1, 1, 0, 1], bool)
    replay = Replay.of(steps, 2, chosen)
    assert len(replay) == 2
    places = replay.places(np.random.default_rng(0), 100, 1)
    assert places is not None
    assert set(places[1].tolist()) == {1, 2}
    assert np.array_equal(replay.gather(*places, 1, 0.9, False).action, places[1])
    nothing = Replay.of(steps, 2, np.zeros(6, bool))
    assert len(nothing) == 0
    assert nothing.sample(np.random.default_rng(0), 4, 1, 0.9) is None


def test_several_logs_are_drawn_by_their_shares():
    logs = [Replay.of(_two_episodes(terminal), 1) for terminal in (True, False, True)]
    rng = np.random.default_rng(0)
    counts = np.zeros(3)
    for _ in range(300):
        found = sample_shares(rng, logs, (0.5, 0.2, 0.3), 32, 1, 0.9)
        assert found is not None
        counts += np.bincount(found[1], minlength=3)
    assert np.all(np.abs(counts / 9600 - (0.5, 0.2, 0.3)) < 0.02)


def test_the_return_ahead_by_hand():
    """Rewards 1, 2 and 4 with discount 1/2: 1 + 1 + 1, 2 + 2 and 4; cut to 1 they are 1 + 1/2 + 1/4 and so on."""
    replay, who, no, yes = Replay(8, np.zeros(1, np.float32)), np.array([0]), np.array([False]), np.array([True])
    for age, reward in enumerate([1.0, 2.0, 4.0]):
        replay.add(who, np.zeros((1, 1)), [0], [reward], [age], no, no)
    s, t = np.zeros(3, int), np.arange(3)
    assert np.isneginf(replay.return_to_go(s, t, 0.5, False)).all()  # the episode goes on
    replay.add(who, np.zeros((1, 1)), [0], [100.0], [3], yes, no)  # what the last step holds means nothing
    assert replay.return_to_go(s, t, 0.5, False).tolist() == [3.0, 4.0, 4.0]
    assert replay.return_to_go(s, t, 0.5, True).tolist() == [1.75, 1.5, 1.0]
    assert replay.return_to_go(s, t, 0.0, False).tolist() == [1.0, 2.0, 4.0]
    assert replay.gather(s, t, 1, 0.5, False).return_to_go is None
    batch = replay.gather(s, t, 1, 0.5, False, True)
    assert batch.return_to_go is not None and batch.return_to_go.dtype == np.float32


def test_old_rows_do_not_end_an_episode_that_goes_on():
    """When the ring of four rows wraps around, the end of an old episode follows the newest step."""
    replay, who = Replay(4, np.zeros(1, np.float32)), np.array([0])
    for age, last in [(0, False), (1, True), (0, False), (1, False), (2, False)]:
        replay.add(who, np.zeros((1, 1)), [0], [1.0], [age], np.array([last]), np.array([last]))
    assert np.isneginf(replay.return_to_go(np.zeros(3, int), np.arange(2, 5), 0.5, False)).all()


def test_a_return_is_known_once_the_rest_counts_nothing():
    """With discount 0.1, six steps are enough although the episode goes on."""
    replay, who, no = Replay(16, np.zeros(1, np.float32)), np.array([0]), np.array([False])
    for age in range(8):
        replay.add(who, np.zeros((1, 1)), [0], [1.0], [age], no, no)
    seen = replay.return_to_go(np.zeros(8, int), np.arange(8), 0.1, False)
    np.testing.assert_allclose(seen[:3], 10 / 9, rtol=1e-5)
    assert np.isneginf(seen[3:]).all()


def test_a_batch_carries_the_teachers_values_if_all_of_it_has_some():
    zero, first = np.zeros(4, np.float32), np.array([True, False, False, False])
    values = np.arange(8.0, dtype=np.float32).reshape(4, 2)
    frames = np.arange(4, dtype=np.float32)[:, None]
    steps = Steps(frames, zero.astype(np.int32), zero, first, first[::-1], first[::-1], teacher_values=values)
    log, own, rng = Replay.of(steps, 1), Replay(4, frames[0]), np.random.default_rng(0)
    batch = sample_mix(rng, log, own, 8, 1.0, 1, 0.5)
    assert batch is not None and batch.teacher_values is None  # who knows whose they are
    log.teacher_values = log.stated_values
    batch = sample_mix(rng, log, own, 8, 1.0, 1, 0.5)
    assert batch is not None and batch.teacher_values is not None
    np.testing.assert_array_equal(batch.teacher_values, values[batch.window[:, 0, 0].astype(int)])
    for age in range(3):
        own.add(np.array([0]), np.zeros((1, 1)), [0], [0.0], [age], np.array([age == 2]), np.array([False]))
    mixed = sample_mix(rng, log, own, 64, 0.5, 1, 0.5)
    assert mixed is not None and mixed.teacher_values is None and len(mixed.action) == 64
    mixed = sample_mix(rng, log, own, 64, 0.5, 1, 0.5, False, True)
    assert mixed is not None and mixed.return_to_go is not None and (mixed.return_to_go == 0.0).all()
