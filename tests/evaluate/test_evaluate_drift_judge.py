"""What a look says of each series, and when it first says it, on seeded streams."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import numpy as np
import pytest

from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.baseline import Gathering, doubts, inflations
from sloengine.evaluate.drift.discovery import level_of_look
from sloengine.evaluate.drift.judge import Before, Given, Judged, Rule, Verdict, judge
from sloengine.evaluate.drift.levels import Sums, others, places_in, summed

HOUR = timedelta(hours=1)
BINS = 10
FLAT = np.full(BINS, 0.1)
RULE = Rule(level=0.0003, index="psi", minimum=0.1, persistence=(2, 3))


def shifted(psi: float) -> np.ndarray:
    """Shares that are so far from flat ones: alternately more and less."""
    d = np.sqrt(psi * 0.1 / BINS)
    return FLAT + d * np.resize([1.0, -1.0], BINS)


def given(series: int, lasting: float = 1.0) -> Given:
    return Given(np.zeros(series), np.ones(series, dtype=bool), np.full(series, lasting))


def stream(shares: list[np.ndarray], n: int, series: int, seed: int, rule: Rule = RULE) -> list[Judged]:
    """Looks at so many series that all follow ``shares``, one for each look."""
    dice, before, found = np.random.default_rng(seed), Before.fresh(series), []
    base = dice.multinomial(200_000, FLAT, size=series).astype(float)
    for p in shares:
        now = dice.multinomial(n, p, size=series).astype(float)
        read = fleet.read(fleet.Block.plain(base, now))
        found.append(judge(read, given(series), before, rule))
        before = found[-1].after
    return found


def verdicts(found: list[Judged], series: int = 0) -> list[Verdict]:
    return [Verdict(look.verdicts[series]) for look in found]


D, S, N, F = Verdict.DRIFT, Verdict.SUSPECTED, Verdict.NO_DRIFT, Verdict.NOT_ENOUGH_DATA


@pytest.mark.parametrize(
    ("persistence", "drifts", "said"),
    [
        ((2, 3), "-XX---", [N, S, D, D, N, N]),
        ((2, 3), "-X-X--", [N, S, N, D, N, N]),
        ((2, 3), "-X--X-", [N, S, N, N, S, N]),
        ((1, 1), "-X-", [N, D, N]),
        ((3, 3), "XXXX-X", [S, S, D, D, N, S]),
        ((3, 8), "X-X-X---", [S, N, S, N, D, D, D, D]),
    ],
)
def test_it_is_drift_in_so_many_of_the_last_looks(
    persistence: tuple[int, int], drifts: str, said: list[Verdict]
) -> None:
    shares = [shifted(0.4) if mark == "X" else FLAT for mark in drifts]
    found = stream(shares, 5000, 3, 1, Rule(0.0003, "psi", 0.1, persistence))
    assert verdicts(found) == verdicts(found, 1) == said


def test_a_drift_that_is_sure_but_small_is_none() -> None:
    found = stream([shifted(0.05)] * 4, 20_000, 2, 2, Rule(0.0003, "psi", 0.2, (2, 3)))
    assert found[0].q.max() < 1e-6
    assert verdicts(found) == [N] * 4


def test_a_large_difference_of_few_events_is_not_enough_data() -> None:
    found = stream([shifted(0.2)] * 4, 25, 50, 3)
    assert {verdict for look in found for verdict in look.verdicts} == {F}
    assert (found[0].smallest > 0.1).all()


def test_a_slow_drift_below_what_single_looks_show_is_found_by_its_sum_at_this_look() -> None:
    # PSI 0.06 of 400 events is a noncentrality of 24 at nine degrees of freedom: among 50,000 series never significant.
    series, first = 40, np.zeros(40, dtype=int)
    rule = Rule(0.0003 * series / 50_000, "psi", 0.1, (2, 3))
    for look, found in enumerate(stream([shifted(0.06)] * 40, 400, series, 4, rule), 1):
        first[(first == 0) & (found.verdicts == Verdict.SLOW_DRIFT)] = look
    assert first[:10].tolist() == [6, 6, 6, 5, 6, 8, 6, 7, 6, 8]
    assert 0 < first.min() <= first.max() < 15


@pytest.mark.parametrize("windows", [1, 3, 5])
def test_what_surely_moved_by_less_than_matters_is_slow_only_after_the_looks_that_single_ones_are_told_from(
    windows: int,
) -> None:
    """Until then a part of it may be on its way to be told, and would be the better name."""
    found = stream([shifted(0.08)] * 7, 20_000, 40, 12, Rule(0.0003, "psi", 0.1, (1, windows)))
    assert {verdict for look in found[:windows] for verdict in look.verdicts} == {N}
    assert set(found[windows + 1].verdicts) == {Verdict.SLOW_DRIFT}


def test_hours_that_depend_on_each_other_are_no_slow_drift() -> None:
    """Shares that wander and stay for six hours: the baseline says so, and cumulative sums wait as much longer."""
    dice, ids = np.random.default_rng(11), np.arange(1, 31, dtype=np.uint64)
    gathering, before, slow, sums = Gathering(BINS), Before.fresh(30), {1: 0, 0: 0}, Before.fresh(30)

    def hours(count: int) -> Iterator[np.ndarray]:
        for h in range(count):
            if h % 6 == 0:
                shares = dice.dirichlet(FLAT * 160, size=30)
            yield np.stack([dice.multinomial(500, p) for p in shares]).astype(float)

    for h, now in enumerate(hours(168)):
        gathering.add(Sums(ids, ids, now, np.zeros(30)), first_half=h < 84)
    base = gathering.baseline()
    assert float(np.mean(base.inflation)) == pytest.approx(660 / 161, rel=0.1)
    assert 3.5 < float(np.mean(base.lasting)) < 6.5
    for now in hours(168):
        read = fleet.read(fleet.Block(base.counts, now, None, base.inflation, base.freedom, base.joined))
        known = judge(read, Given(np.zeros(30), np.ones(30, dtype=bool), base.lasting), before, RULE)
        naive = judge(read, given(30), sums, RULE)
        before, sums = known.after, naive.after
        for which, found in ((1, known), (0, naive)):
            slow[which] += int(np.count_nonzero(found.verdicts == Verdict.SLOW_DRIFT))
    assert slow[0] > 10
    assert slow[1] == 0


@pytest.mark.parametrize(("bins", "events", "tilt", "lasting"), [(10, 500, 0.5, 3.0), (30, 50, 0.8, 1.3)])
def test_a_mix_that_comes_again_every_day_is_no_slow_drift(bins: int, events: int, tilt: float, lasting: float) -> None:
    """Night is not as noon, today as in the baseline: windows tell of the next, although days are all alike. What few events make
    of many bins joined together varies by more than what each of these does."""
    size, dice, ids = 30, np.random.default_rng(12), np.arange(1, 31, dtype=np.uint64)
    slope, gathering, before, slow = np.linspace(-1, 1, bins), Gathering(bins), Before.fresh(30), 0

    def hour(h: int) -> np.ndarray:
        shares = np.exp(tilt * np.sin(2 * np.pi * h / 24) * slope)
        return dice.multinomial(events, shares / shares.sum(), size=size).astype(float)

    for h in range(168):
        gathering.add(Sums(ids, ids, hour(h), np.zeros(size)), first_half=h < 84)
    base = gathering.baseline()
    assert float(np.mean(base.lasting)) > lasting
    for h in range(168):
        read = fleet.read(fleet.Block(base.counts, hour(h), None, base.inflation, base.freedom, base.joined))
        found = judge(read, Given(np.zeros(size), np.ones(size, dtype=bool), base.lasting), before, RULE)
        before, slow = found.after, slow + int(np.count_nonzero(found.verdicts == Verdict.SLOW_DRIFT))
    assert slow == 0


@pytest.mark.parametrize(("hours", "within"), [(48, 0.2), (168, 0.07)])
@pytest.mark.parametrize("kind", ["chance", "each bin by itself", "along the score", "along the score for six hours"])
def test_of_undrifted_looks_the_mean_is_what_the_baselines_inflation_says(kind: str, hours: int, within: float) -> None:
    """Over the bins that looks join, however what varies goes over them and however long it lasts; of eight scenes less well."""
    size, bins, dice, events = 100, 30, np.random.default_rng(14), 60
    slope, gathering, ids = np.linspace(-1, 1, bins), Gathering(bins), np.arange(1, 101, dtype=np.uint64)
    tilt, flat = np.zeros(size), np.full((size, bins), 1 / bins)

    def hour(h: int) -> np.ndarray:
        nonlocal tilt
        if kind == "each bin by itself":
            return np.stack([dice.multinomial(events, p) for p in dice.dirichlet(flat[0] * 20, size=size)]).astype(
                float
            )
        if kind != "chance" and (kind == "along the score" or h % 6 == 0):
            tilt = dice.normal(0, 0.8, size)
        shares = flat * np.exp(tilt[:, None] * slope)
        return dice.multinomial(events, shares / shares.sum(axis=1, keepdims=True)).astype(float)

    for h in range(hours):
        gathering.add(Sums(ids, ids, hour(h), np.zeros(size)), first_half=2 * h < hours)
    base = gathering.baseline()
    found = [fleet.likelihood(base.counts, hour(h)) for h in range(120)]
    means = np.mean([g / (b - 1) for g, b in found], axis=0)
    assert float(np.mean(means / base.joined)) == pytest.approx(1, abs=within)
    if kind.startswith("along"):
        assert float(np.mean(means / base.inflation)) > 1.5


def test_where_no_window_fills_a_bin_inflation_is_that_of_all_bins() -> None:
    dice, gathering, ids = np.random.default_rng(15), Gathering(BINS), np.arange(1, 51, dtype=np.uint64)
    for h in range(48):
        shares = dice.dirichlet(FLAT * 3, size=50)
        counts = np.stack([dice.multinomial(7, p) for p in shares]).astype(float)
        gathering.add(Sums(ids, ids, counts, np.zeros(50)), first_half=h < 24)
    found = gathering.baseline()
    assert (found.joined == found.inflation).all()
    assert float(np.mean(found.joined)) == pytest.approx((7 + 3) / (1 + 3), rel=0.1)
    assert found.freedom == pytest.approx(47 * 9 / found.lasting)


def test_hours_that_tell_nothing_of_the_next_last_one_hour() -> None:
    dice, gathering, ids = np.random.default_rng(13), Gathering(BINS), np.arange(1, 201, dtype=np.uint64)
    for h in range(168):
        shares = dice.dirichlet(FLAT * 160, size=200)
        gathering.add(Sums(ids, ids, dice.multinomial(500, shares).astype(float), np.zeros(200)), first_half=h < 84)
    lasting = gathering.baseline().lasting
    assert (lasting >= 1).all()
    assert float(np.mean(lasting)) < 1.1


def test_of_a_few_windows_nobody_knows_how_long_what_varies_lasts() -> None:
    gathering, ids = Gathering(BINS), np.array([1], dtype=np.uint64)
    for h in range(6):
        gathering.add(Sums(ids, ids, FLAT[None, :] * 100, np.zeros(1)), first_half=h < 3)
    assert np.isnan(gathering.baseline().lasting).all()


def test_the_sum_of_a_calm_series_starts_anew() -> None:
    found = stream([FLAT] * 300, 400, 100, 5)
    assert not any((look.verdicts == Verdict.SLOW_DRIFT).any() for look in found)
    assert np.mean(found[-1].after.sums.looks == 0) > 0.3


def test_a_fleet_without_drift_is_silent_for_weeks() -> None:
    found = stream([FLAT] * 168, 1000, 500, 6, Rule(level_of_look(0.05, HOUR), "psi", 0.01, (1, 1)))
    alarms = sum(int(np.count_nonzero(look.verdicts == Verdict.DRIFT)) for look in found)
    assert alarms == 0


def test_what_is_counted_elsewhere_is_refused_and_what_is_not_told_keeps_its_past() -> None:
    dice = np.random.default_rng(7)
    base = dice.multinomial(10_000, FLAT, size=3).astype(float)
    now = dice.multinomial(1000, shifted(0.5), size=3).astype(float)
    read = fleet.read(fleet.Block.plain(base, now))
    before = Before(np.array([1, 1, 1], dtype=np.uint8), Before.fresh(3).sums)
    found = judge(read, Given(np.array([0.0, 0.2, 0.0]), np.array([True, True, False]), np.ones(3)), before, RULE)
    assert [Verdict(v) for v in found.verdicts] == [D, Verdict.REFUSED, Verdict.NO_BASELINE]
    assert found.after.exceeded.tolist() == [3, 1, 1]
    assert np.isnan(found.q[1:]).all()


@pytest.mark.parametrize("index", ["psi", "js", "hellinger", "ks", "wasserstein"])
def test_any_index_may_say_what_matters(index: str) -> None:
    dice, edges = np.random.default_rng(8), np.concatenate([[-np.inf], np.arange(1.0, BINS), [np.inf]])
    base = dice.multinomial(100_000, FLAT, size=2).astype(float)
    ramp = FLAT * np.linspace(0.4, 1.6, BINS)
    now = np.stack([dice.multinomial(20_000, p) for p in (FLAT, ramp)]).astype(float)
    read = fleet.read(fleet.Block.plain(base, now, edges))
    minimum = float(read.effect(index)[1]) / 2
    found = judge(read, given(2), Before.fresh(2), Rule(0.001, index, minimum, (1, 1)))
    assert [Verdict(v) for v in found.verdicts] == [N, D]


# --- baselines


def test_inflation_is_one_of_chance_alone_and_what_it_is_of_more() -> None:
    dice = np.random.default_rng(9)
    plain = dice.multinomial(300, FLAT, size=(400, 60)).astype(float)
    wild = np.array(
        [[dice.multinomial(300, dice.dirichlet(FLAT * 100)) for _ in range(60)] for _ in range(100)]
    ).astype(float)
    for hours, expected in ((plain, 1.0), (wild, 400 / 101)):
        n = hours.sum(axis=2)
        squares = np.sum(hours**2 / n[:, :, None], axis=1)
        counts = hours.sum(axis=1)
        found, freedom = inflations(counts, squares, np.full(len(hours), 60.0))
        assert freedom.tolist() == [59 * 9] * len(hours)
        assert float(np.mean(found)) == pytest.approx(max(expected, 1.02), rel=0.05)
        assert (found >= 1).all()


def test_a_window_alone_has_no_inflation_and_series_that_come_late_are_added() -> None:
    gathering = Gathering(2)
    ids = np.array([5, 9], dtype=np.uint64)
    gathering.add(Sums(ids[:1], ids[:1], np.array([[3.0, 1.0]]), np.zeros(1)), first_half=True)
    gathering.add(Sums(ids, ids, np.array([[1.0, 1.0], [4.0, 4.0]]), np.zeros(2)), first_half=False)
    found = gathering.baseline()
    assert found.ids.tolist() == [5, 9]
    assert found.counts.tolist() == [[4, 2], [4, 4]]
    assert found.windows.tolist() == [2, 1]
    assert found.freedom.tolist() == [1, 0]
    assert found.inflation[1] == 1


def test_rows_of_one_series_add_up_and_peers_are_the_others() -> None:
    ids, peers = np.array([7, 3, 7, 4], dtype=np.uint64), np.array([1, 1, 1, 0], dtype=np.uint64)
    sums = summed(ids, peers, np.array([[1.0, 0], [2, 2], [3, 1], [9, 9]]), np.array([1.0, 0, 2, 0]))
    assert sums.ids.tolist() == [3, 4, 7]
    assert sums.counts.tolist() == [[2, 2], [9, 9], [4, 1]]
    assert sums.lost.tolist() == [0, 0, 3]
    assert others(sums).tolist() == [[4, 1], [0, 0], [2, 2]]
    place, known = places_in(sums.ids, np.array([4, 5, 99], dtype=np.uint64))
    assert (place[0], known.tolist()) == (1, [True, False, False])


def test_doubts_name_what_is_wrong() -> None:
    def made(windows: int, draw: Callable[[int], np.ndarray]) -> tuple[str, list[str]]:
        gathering, ids = Gathering(BINS), np.array([1], dtype=np.uint64)
        for w in range(windows):
            gathering.add(Sums(ids, ids, draw(w)[None, :].astype(float), np.zeros(1)), first_half=2 * w < windows)
        return doubts(gathering.baseline(), ids, HOUR)

    dice = np.random.default_rng(10)
    assert made(48, lambda w: dice.multinomial(300, FLAT)) == ("good", [])
    quality, [why] = made(48, lambda w: dice.multinomial(300, FLAT if w < 24 else shifted(0.6)))
    assert (quality, "halves differ" in why) == ("dubious", True)
    quality, reasons = made(3, lambda w: dice.multinomial(10, FLAT))
    assert quality == "refused"
    assert len(reasons) == 2
