"""The balloon as arrays: its parts by hand, and whole episodes beside the genuine simulator's under the same draws."""

import numpy as np
import pytest

from reincarnate.benchmark.tasks.balloon import air, estimate, features, genuine, safety, sun, vehicle
from reincarnate.benchmark.tasks.balloon.simulator import Simulator
from reincarnate.benchmark.tasks.balloon_envs import BalloonFamily, Balloons, GenuineBalloons
from reincarnate.benchmark.tasks.environment import EnvironmentFault
from reincarnate.benchmark.tasks.task import find

TASK = find("balloon/station_keeping")
EQUINOX, SOLSTICE = 1_363_777_320, 1_371_791_040  # 20 March 2013, 11:02 UTC; 21 June 2013, 5:04 UTC
NOON = 1_363_780_800  # 20 March 2013, 12:00 UTC
STANDARD = air.between(np.array([0.0, 1.0]))


def with_wheel(test):
    """Let a test run among the slow ones, where the wheel is installed."""
    missing = f"the balloon's wheel is not installed: {genuine.INSTALL}"
    return pytest.mark.slow(pytest.mark.skipif(not genuine.installed(), reason=missing)(test))


def drifting(**changed) -> vehicle.Balloons:
    """Return two equal balloons over the station at noon, but for what is changed."""
    place = place_of(2)
    start = vehicle.afloat(place, np.zeros(2), np.zeros(2), np.full(2, 9_000.0), np.full(2, NOON))
    return start._replace(**{name: np.array(value) for name, value in changed.items()})


def place_of(n: int) -> vehicle.Place:
    return vehicle.Place(np.zeros(n), np.zeros(n), np.full(n, 250.0), air.between(np.full(n, 0.5)))


def test_the_sun_stands_where_almanacs_say():
    zero = np.zeros(1)
    equinox, solstice = sun.orbit(np.array([EQUINOX])), sun.orbit(np.array([SOLSTICE]))
    assert np.degrees(equinox.declination)[0] == pytest.approx(0.0, abs=0.01)
    assert np.degrees(solstice.declination)[0] == pytest.approx(23.44, abs=0.01)
    assert equinox.equation[0] * 180 / np.pi == pytest.approx(-7.4, abs=0.2)  # minutes
    assert 1_320 < solstice.flux[0] < 1_366 < sun.orbit(np.array([SOLSTICE - 170 * sun.DAY])).flux[0] < 1_415
    heights = [
        sun.elevation(zero, zero, sun.orbit(np.array([NOON + 444 + hours * 3600])))[0] for hours in (-6, 0, 3, 6)
    ]
    assert heights == pytest.approx([0.5, 90.0, 45.0, 0.5], abs=0.6)  # refraction lifts the horizon


def test_the_sun_rises_and_sets_once_a_day():
    time = NOON + np.arange(0, sun.DAY, 7_200)
    rise, fall = sun.next_sunrise_sunset(np.zeros(12), np.zeros(12), time)
    for turn in (rise, fall):
        assert ((turn >= time) & (turn <= time + sun.DAY)).all()
        height = sun.elevation(np.zeros(12), np.zeros(12), sun.orbit(turn))
        np.testing.assert_allclose(height, sun.HORIZON, atol=0.76)  # the sun moves by 0.75 degrees in 3 minutes
    hours = (rise % sun.DAY / 3600, fall % sun.DAY / 3600)
    np.testing.assert_allclose(hours[0], 6.12 - 4.242 / 15, atol=0.06)
    np.testing.assert_allclose(hours[1], 18.12 + 4.242 / 15, atol=0.06)


def test_no_light_before_sunrise_and_less_of_it_below():
    height = np.array([-5.0, 0.0, 45.0, 90.0])
    light = sun.transmission(height, np.full(4, 8_000.0))
    assert light[0] == 0.0 and (np.diff(light) > 0).all() and light[3] < 1.0
    assert sun.transmission(height, np.full(4, 14_000.0))[2] < light[2]
    assert sun.facing(np.array([90.0]))[0] == pytest.approx(
        0.4392 * (4 * np.cos(np.radians(55)) + 2 * np.cos(np.radians(25)))
    )


def test_height_and_pressure_are_inverses():
    np.testing.assert_allclose(STANDARD.temperature[:, 1], [300 - 0.007 * 17_610, 300 - 0.0058 * 17_610])
    for height in (5_000.0, 15_240.0, 18_000.0, 25_000.0, 40_000.0):
        found, temperature = air.at_pressure(STANDARD, air.pressure_at(STANDARD, height))
        np.testing.assert_allclose(found, height, rtol=1e-9)
        assert (temperature > 170).all()
    many = air.at_pressure(STANDARD, np.array([[5e3, 9e3], [5e3, 9e3]]))[0]
    np.testing.assert_allclose(many[:, 1], air.at_pressure(STANDARD, np.full(2, 9e3))[0])


def test_the_envelope_fills_before_it_stretches():
    volume, strain = vehicle.inflated(np.array([0.0, 4_000.0]), np.array([206.0, 206.0]), np.array([9_000.0, 9_000.0]))
    free = 6_830 * 8.3144621 * 206 / 9_000
    assert volume[0] == pytest.approx(free) and strain[0] == 0.0 and free < 1_804
    assert volume[1] == pytest.approx(1_804 + 0.0199 * strain[1])
    assert (9_000 + strain[1]) * volume[1] == pytest.approx(10_830 * 8.3144621 * 206)


def test_a_balloon_drifts_sinks_and_rises():
    start, wind = drifting(), np.array([[3.0, -1.0], [3.0, -1.0]])
    place = place_of(2)
    later = vehicle.fly(start, place, wind, np.array([vehicle.DOWN, vehicle.UP]))
    np.testing.assert_allclose(later.x, 540.0)
    np.testing.assert_allclose(later.y, -180.0)
    assert later.ballast[0] > start.ballast[0] > later.ballast[1] and later.pressure[0] > later.pressure[1]
    assert later.compressor[0] >= 100 and later.compressor[1] == 0 and later.charge[0] < later.charge[1]
    assert (later.elapsed == 180).all() and (later.time == NOON + 180).all() and (later.status == vehicle.FLYING).all()


def test_a_balloon_that_fails_stays_as_it_failed():
    start = drifting(superpressure=[500.0, 500.0], ballast=[20_000.0, 3_000.0], time=[NOON, NOON - 43_200])
    later = vehicle.fly(start, place_of(2), np.ones((2, 2)), np.ones(2, int))
    assert later.status.tolist() == [vehicle.BURST, vehicle.FLYING]
    assert later.elapsed.tolist() == [10, 180] and later.x.tolist() == [10.0, 180.0]
    empty = drifting(charge=[0.4, 0.4], time=[NOON - 43_200, NOON])  # at night, 184 W last for 8 seconds
    later = vehicle.fly(empty, place_of(2), np.ones((2, 2)), np.ones(2, int))
    assert later.status.tolist() == [vehicle.OUT_OF_POWER, vehicle.FLYING]


@pytest.mark.parametrize(
    ("strains", "expected"),
    [
        ([140, 200, 260, 310, 260], [vehicle.UP, vehicle.STAY, vehicle.STAY, vehicle.DOWN, vehicle.DOWN]),
        ([2_240, 2_200, 2_100, 2_050, 2_100], [vehicle.UP, vehicle.STAY, vehicle.STAY, vehicle.DOWN, vehicle.DOWN]),
    ],
)
def test_superpressure_is_kept_within_limits_and_remembered(strains, expected):
    state, place = safety.begin(np.full(2, NOON + 60_000), np.full(2, NOON + 20_000)), place_of(2)
    for strain, wanted in zip(strains, expected, strict=True):
        now = drifting(superpressure=[strain, 1_000.0])
        state, effective = safety.allowed(state, now, place, np.array([vehicle.DOWN, vehicle.DOWN]))
        assert effective.tolist() == [wanted, vehicle.DOWN]
        assert state.paused().tolist() == [wanted != vehicle.DOWN, False]


def test_a_balloon_that_is_too_low_must_rise():
    place, heights = place_of(2), [15_200.0, 15_300.0, 15_500.0, 15_600.0, 15_500.0]
    wanted = [vehicle.UP, vehicle.STAY, vehicle.STAY, vehicle.DOWN, vehicle.DOWN]
    state = safety.begin(np.full(2, NOON + 60_000), np.full(2, NOON + 20_000))
    for height, expected in zip(heights, wanted, strict=True):
        now = drifting(pressure=[air.pressure_at(place.air, height)[0], 9_000.0], superpressure=[1_000.0, 1_000.0])
        state, effective = safety.allowed(state, now, place, np.array([vehicle.DOWN, vehicle.DOWN]))
        assert effective.tolist() == [expected, vehicle.DOWN]


def test_power_is_saved_at_night_until_the_battery_has_recovered():
    night, needed = NOON - 43_200, safety.NIGHT_LOAD * 7.0 + 0.025 * vehicle.CAPACITY  # 6.5 hours until sunrise
    state = safety.begin(np.full(2, night + 23_400), np.full(2, night + 65_000))
    down = np.array([vehicle.DOWN, vehicle.DOWN])

    def at(time: int, charge: float):
        now = drifting(time=[time, time], charge=[charge, 2_900.0], superpressure=[1_000.0, 1_000.0])
        return safety.allowed(state, now, place_of(2), down)

    assert at(night, needed + 1)[1].tolist() == [vehicle.DOWN, vehicle.DOWN]
    state, effective = at(night, needed - 1)
    assert effective.tolist() == [vehicle.STAY, vehicle.DOWN] and state.saving.tolist() == [True, False]
    state, effective = at(night + 30_000, 0.04 * vehicle.CAPACITY)  # by day, but still low
    assert effective.tolist() == [vehicle.STAY, vehicle.DOWN] and state.sunrise[0] == night + 23_400 + 1_800 + sun.DAY
    assert at(night + 30_000, 0.06 * vehicle.CAPACITY)[1].tolist() == [vehicle.DOWN, vehicle.DOWN]


def test_the_estimate_is_the_gaussian_process_of_the_last_six_hours():
    """Compare with the textbook's formula on the measurements kept, while they come and after the first have gone."""
    chance, known = np.random.default_rng(0), estimate.Estimate(3)
    path = np.cumsum(chance.normal(0, [900, 900, 40, 0], (150, 4)), 0) + [0, 0, 9_000, 0]
    path[:, 3] = 180 * np.arange(150)
    errors = chance.normal(0, 1, (150, 2))
    pressures = np.linspace(7_000, 11_000, 9)
    for step in range(150):
        known.add(np.array([0, 2]), path[[step, step]], errors[[step, step]])
        if step not in (0, 3, 119, 120, 149):
            continue
        at, seen = path[: step + 1][-120:], errors[: step + 1][-120:]
        asked = np.column_stack([np.tile(path[step], (9, 1))[:, :2], pressures, np.full(9, path[step, 3])])

        def kernel(a, b):
            apart = (a[:, None] - b[None]) / [357_000, 357_000, 326, 34_560]
            return 3.6**2 * np.exp(-np.sqrt((apart**2).sum(-1)))

        solved = np.linalg.solve(kernel(at, at) + 0.05 * np.eye(len(at)), kernel(at, asked))
        for balloon in (0, 2):
            mean, variance = known.at(balloon, path[step], pressures)
            np.testing.assert_allclose(mean, solved.T @ seen, atol=1e-9)
            np.testing.assert_allclose(variance, 1 - (kernel(asked, at) * solved.T).sum(1) / 3.6**2, atol=1e-9)
    known.forget(np.array([0]))
    mean, variance = known.at(0, path[0], pressures)
    assert not mean.any() and (variance == 1.0).all() and known.at(2, path[0], pressures)[1].max() < 1.0


def test_winds_are_centred_on_the_balloon_and_the_rest_is_out_of_reach():
    now, none = drifting(pressure=[5_000.0, 13_960.0]), np.zeros(2)
    sky = features.Sky(none, none, none, none > 0)
    winds = np.arange(2 * 181 * 3, dtype=float).reshape(2, 181, 3)
    state = safety.begin(np.zeros(2, int), np.zeros(2, int))
    seen = features.vector(now, np.array([vehicle.UP, vehicle.DOWN]), state, sky, winds)
    column = seen[:, 16:].reshape(2, 361, 3)
    np.testing.assert_array_equal(column[0, 180:], winds[0])
    np.testing.assert_array_equal(column[1, 1:182], winds[1])  # the balloon's level is 179 of 180
    assert (column[0, :180] == (0, 1, 1)).all() and (column[1, 182:] == (0, 1, 1)).all()
    assert seen[0, 8:13].tolist() == [1, 0, 0, 0, 1] and seen[1, 8:13].tolist() == [0, 0, 1, 0, 1]


def alike(seed: int, action_at, steps: int) -> tuple[float, float, set[bool]]:
    """Fly both simulators; return the worst differences of a feature and of a reward, and whether it was ever paused.

    Both learn of the end of an episode and begin the next one.
    """
    ours, theirs = Balloons(TASK, np.array([seed])), GenuineBalloons(TASK, np.array([seed]))
    feature, reward, paused = float(np.abs(ours.observe() - theirs.observe()).max()), 0.0, set()
    for step in range(steps):
        action = np.array([action_at(step)])
        one, other = ours.step(action), theirs.step(action)
        feature = max(feature, float(np.abs(one.final - other.final).max()))
        reward = max(reward, float(np.abs(one.reward - other.reward).max()))
        paused.add(bool(one.final[0, 11]))
        assert one.terminated == other.terminated and one.truncated == other.truncated
    feature = max(feature, float(np.abs(ours.observe() - theirs.observe()).max()))  # after an end, of the next episode
    return feature, reward, paused


@with_wheel
def test_a_whole_episode_and_the_next_one_are_the_genuine_ones():
    chance = np.random.default_rng(3)
    hold = np.repeat(chance.integers(3, size=100), 10)
    feature, reward, _ = alike(3, lambda step: hold[step], 965)
    assert feature < 1e-4 and reward < 1e-4


@with_wheel
@pytest.mark.parametrize(("seed", "action", "steps", "pauses"), [(11, 0, 300, {False, True}), (12, 2, 120, {False})])
def test_a_balloon_that_only_sinks_or_rises_is_the_genuine_one(seed, action, steps, pauses):
    feature, reward, paused = alike(seed, lambda step: action, steps)
    assert feature < 1e-4 and reward < 1e-4 and paused == pauses  # the safety layers keep it from sinking further


@with_wheel
def test_a_balloon_flies_the_same_alone_and_among_others():
    many, one = Simulator(np.arange(5)), Simulator(np.array([3]))
    chance = np.random.default_rng(0)
    for step in range(130):
        command = chance.integers(3, size=5)
        if step == 60:
            many.again(np.array([1, 4]))
        (reward, _), (alone, _) = many.step(command), one.step(command[3:4])
        assert reward[3] == alone[0] and np.array_equal(many.features[3], one.features[0])


@with_wheel
def test_a_fault_names_the_task(monkeypatch):
    env = Balloons(TASK, np.array([0]))
    monkeypatch.setattr(features, "BUFFER", 1_200.0)  # no superpressure is safe
    with pytest.raises(EnvironmentFault, match="balloon/station_keeping failed: a balloon cannot float safely"):
        env.step(np.array([1]))


@with_wheel
def test_its_flight_is_drawn():
    _, frames = BalloonFamily().draw(TASK, 0, [0, 2, 1])
    drawn = [frame for frame, _ in frames]
    assert {frame.shape for frame in drawn} == {(600, 480, 3)} and not np.array_equal(drawn[0], drawn[2])
