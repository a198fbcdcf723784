"""When a drift began, against every cut by scipy and over many draws; and which bins it moved."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.onset import ABOVE, BELOW, Onset, moved, onset

Floats = np.ndarray
BINS = 10
BASE = np.linspace(1, 2, BINS) / np.linspace(1, 2, BINS).sum()
RARE = np.array([0.5, 0.3, 0.15, 0.04, 0.0095, 0.0004, 0.0001])
"""With bins that the baseline hardly knows."""


def tilted(shares: Floats, by: float) -> Floats:
    moved = shares * np.exp(by * np.linspace(-1, 1, len(shares)))
    return moved / moved.sum()


def drawn(dice: np.random.Generator, shares: Floats, size: int, inflation: float = 1.0) -> Floats:
    """Counts of an hour, that vary so many times as much as chance makes them (Dirichlet-multinomial)."""
    if inflation > 1:
        shares = dice.dirichlet(((size - 1) / (inflation - 1) - 1) * shares)
    return dice.multinomial(size, shares).astype(float)


def day(seed: int, begun: int, by: float, size: int = 200, hours: int = 24) -> tuple[Floats, Floats]:
    dice = np.random.default_rng(seed)
    shares = [BASE] * begun + [tilted(BASE, by)] * (hours - begun)
    return np.stack([drawn(dice, p, size) for p in shares]), drawn(dice, BASE, 10_000)


def test_the_deviance_of_every_cut_is_that_of_scipys_table() -> None:
    hours, baseline = day(1, 9, 0.3, 60)
    by_cut = []
    for cut in range(24):
        table = np.array([baseline + hours[:cut].sum(axis=0), hours[cut:].sum(axis=0)])
        by_cut.append(stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic)
    within = np.flatnonzero(np.array(by_cut) >= max(by_cut) - 7.352)
    found = onset(hours, baseline)
    assert found == Onset(int(np.argmax(by_cut)), within[0], within[-1], pytest.approx(max(by_cut)))
    # Hansen 2000, table I: 5.94, 7.35 and 10.59 for 90, 95 and 99 %.
    for confidence, ratio in ((0.9, 5.94), (0.99, 10.59)):
        within = np.flatnonzero(np.array(by_cut) >= max(by_cut) - ratio)
        found = onset(hours, baseline, confidence=confidence)
        assert found and (found.first, found.last) == (within[0], within[-1])


def test_a_strong_drift_is_dated_to_its_hour() -> None:
    found = onset(*day(2, 17, 1.5))
    assert found and (found.first, found.hour, found.last) == (17, 17, 17)


def test_what_has_drifted_all_the_time_may_have_begun_before() -> None:
    found = onset(*day(3, 0, 1.5))
    assert found and (found.hour, found.first) == (0, 0)


def test_hours_without_events_may_be_the_one_but_are_not_named() -> None:
    hours, baseline = day(4, 12, 1.5)
    gap = np.zeros((5, BINS))
    found = onset(np.concatenate([hours[:12], gap, hours[12:]]), baseline)
    assert found and (found.first, found.hour, found.last) == (12, 17, 17)
    late = onset(np.concatenate([gap, day(5, 0, 1.5)[0], gap]), baseline)
    assert late and (late.first, late.hour) == (0, 5)
    assert onset(np.zeros((24, BINS)), baseline) is None
    assert onset(np.zeros((0, BINS)), baseline) is None


def test_events_that_come_five_at_a_time_are_dated_as_single_ones() -> None:
    hours, baseline = day(6, 9, 0.3, 60)
    one, five = onset(hours, baseline), onset(5 * hours, 5 * baseline, inflation=5.0)
    assert one and five
    assert (five.first, five.hour, five.last) == (one.first, one.hour, one.last)
    assert five.deviance == pytest.approx(one.deviance)


def held(
    shares: Floats, by: float, size: int, inflation: float, told: float, draws: int = 150, hours: int = 48
) -> tuple[list[bool], list[int]]:
    """Whether intervals held the true hour, and how long they are; of drifts of which the p is at most ``told``."""
    dice = np.random.default_rng(7)
    inside, lengths = [], []
    for _ in range(draws):
        begun = int(dice.integers(1, hours))
        after = tilted(shares, by)
        counts = [drawn(dice, after if h >= begun else shares, size, inflation) for h in range(hours)]
        found = onset(np.stack(counts), drawn(dice, shares, 20_000), inflation)
        assert found
        if stats.chi2.sf(found.deviance, len(shares) - 1) <= told:
            inside.append(found.first <= begun <= found.last)
            lengths.append(found.last - found.first + 1)
    return inside, lengths


@pytest.mark.parametrize(("size", "inflation"), [(20, 1.0), (100, 1.0), (400, 4.0)])
@pytest.mark.parametrize(("shares", "by"), [(BASE, 0.25), (RARE, 0.6)], ids=["even", "rare"])
def test_so_many_intervals_hold_the_true_hour_as_they_say(
    shares: Floats, by: float, size: int, inflation: float
) -> None:
    # As easily seen of few events as of many.
    inside, lengths = held(shares, by * (100 / size * inflation) ** 0.5, size, inflation, told=1e-5)
    assert len(inside) > 80
    assert np.mean(inside) >= 0.93
    assert np.mean(lengths) < 20


def test_intervals_of_events_in_clumps_would_be_too_short_as_if_they_were_single() -> None:
    dice = np.random.default_rng(8)
    inside = {1.0: [], 10.0: []}
    after = tilted(BASE, 0.3)
    for _ in range(100):
        counts = np.stack([drawn(dice, after if h >= 20 else BASE, 400, 10.0) for h in range(48)])
        baseline = drawn(dice, BASE, 50_000)
        for inflation, held in inside.items():
            found = onset(counts, baseline, inflation)
            held.append(found is not None and found.first <= 20 <= found.last)
    assert np.mean(inside[10.0]) >= 0.93
    assert np.mean(inside[1.0]) < 0.8


# --- which bins


def test_bins_that_moved_add_up_to_the_psi_the_largest_first() -> None:
    edges = np.array([-np.inf, 0, 1, 2, np.inf])
    baseline, current = np.array([100.0, 400, 400, 100]), np.array([10.0, 200, 190, 600])
    found = moved(baseline, current, edges)
    assert sum(b.psi for b in found) == pytest.approx(float(indices.psi(baseline, current)))
    assert [b.psi for b in found] == sorted((b.psi for b in found), reverse=True)
    first = found[0]
    assert (first.at, first.edges, first.name, first.then, first.now) == (3, (2, np.inf), ABOVE, 0.1, 0.6)
    assert {b.at: b.name for b in found} == {0: BELOW, 1: "", 2: "", 3: ABOVE}
    assert all(b.psi >= 0 for b in found)


def test_bins_that_have_not_moved_are_in_their_order_and_classes_have_no_edges() -> None:
    same = np.full(3, 100.0)
    found = moved(same, same, None)
    assert [(b.at, b.edges, b.name, b.psi) for b in found] == [(at, None, "", 0) for at in range(3)]
    closed = moved(same, same, np.array([-3.0, -2, -1, 0]))
    assert [b.name for b in closed] == ["", "", ""]
