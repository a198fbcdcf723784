"""Indices: the digits of independent oracles, scipy on the same bins, and what holds for any two histograms."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats
from scipy.spatial import distance

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.indices import chi2, hellinger, js, ks, ks_most, ks_p, psi, smallest_psi, wasserstein

REFERENCE = np.array([120, 230, 300, 200, 100, 50, 0], dtype=np.float64)
CURRENT = np.array([60, 180, 310, 250, 130, 60, 10], dtype=np.float64)
SYMMETRIC = (psi, ks, js, hellinger)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    bins = draw(st.integers(2, 12))
    counts = st.lists(st.integers(0, 10_000), min_size=bins, max_size=bins).filter(any)
    return np.array(draw(counts), dtype=np.float64), np.array(draw(counts), dtype=np.float64)


def test_the_digits_of_the_worked_example() -> None:
    assert psi(REFERENCE, CURRENT) == pytest.approx(0.10474775516933, abs=1e-14)
    assert ks(REFERENCE, CURRENT) == pytest.approx(0.11, abs=1e-14)
    assert js(REFERENCE, CURRENT) == pytest.approx(0.11283742887638, abs=1e-14)
    assert hellinger(REFERENCE, CURRENT) == pytest.approx(0.11967320967497, abs=1e-14)
    assert wasserstein(REFERENCE, CURRENT, np.arange(8.0)) == pytest.approx(0.35, abs=1e-14)
    statistic, freedom = chi2(REFERENCE, CURRENT)
    assert (float(statistic), int(freedom)) == (pytest.approx(46.63918534, abs=1e-8), 6)


def apart(n: int, m: int) -> tuple[Any, Any]:
    """Two samples of which every value has a bin of its own."""
    first = np.random.default_rng(n).permutation(n + m) < n
    return first.astype(float), (~first).astype(float)


@pytest.mark.parametrize(
    ("n", "m", "seen", "p"),
    [(10, 10, 0.5, 0.167821), (100, 100, 0.2, 0.0363843), (1000, 1000, 0.06, 0.0546267), (100, 10**4, 0.15, 0.0207951)],
)
def test_the_exact_p_of_ks(n: int, m: int, seen: float, p: float) -> None:
    base, now = apart(n, m)
    assert ks_p(seen, base, now) == pytest.approx(p, rel=5e-6)
    assert ks_p(seen, now, base) == pytest.approx(p, rel=5e-6)


@pytest.mark.parametrize(("n", "m"), [(7, 7), (5, 12), (30, 41)])
def test_the_exact_p_of_ks_is_that_of_scipy(n: int, m: int) -> None:
    dice = np.random.default_rng(n)
    for _ in range(20):
        a, b = dice.normal(size=n), dice.normal(0.5, size=m)
        found = stats.ks_2samp(a, b, method="exact")
        assert ks_p(float(found.statistic), *apart(n, m)) == pytest.approx(found.pvalue, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("base", "now"),
    [([4, 0, 1], [1, 1, 3]), ([2, 2, 2], [1, 3, 0]), ([1, 4, 0, 1, 0, 1], [0, 1, 1, 0, 3, 1]), ([3, 0], [1, 7])],
)
def test_on_bins_the_p_of_ks_is_the_share_of_all_ways_to_deal_events(base: list[int], now: list[int]) -> None:
    """Every way is counted one by one."""
    sides = np.array([base, now], dtype=float)
    seen = float(ks(*sides))
    values = np.repeat(np.arange(len(base)), np.sum([base, now], axis=0))
    ways = list(itertools.combinations(range(len(values)), sum(base)))
    reached = 0
    for way in ways:
        dealt_to = np.isin(np.arange(len(values)), way)
        first, second = (np.bincount(values[mask], minlength=len(base)) for mask in (dealt_to, ~dealt_to))
        reached += float(ks(first.astype(float), second.astype(float))) >= seen - 1e-9
    assert ks_p(seen, *sides) == pytest.approx(reached / len(ways), rel=1e-9)


@pytest.mark.parametrize("bins", [3, 8, 20])
def test_on_few_bins_the_p_of_ks_is_as_small_as_it_should_be(bins: int) -> None:
    """That of raw samples is below 0.05 in 2 % of pairs over eight bins."""
    dice, rounds = np.random.default_rng(bins), 1500
    base, now = (dice.multinomial(n, np.full(bins, 1 / bins), size=rounds).astype(float) for n in (400, 900))
    p = [ks_p(float(ks(b, c)), b, c) for b, c in zip(base, now, strict=True)]
    assert 0.035 < np.mean(np.array(p) <= 0.05) < 0.065


def test_the_p_of_ks_is_that_of_chance_dealt_out_for_any_sizes() -> None:
    dice = np.random.default_rng(8)
    for n, m, bins in [(50, 1000, 64), (1, 30, 5), (3000, 200, 9), (10**6, 10**6, 30), (10**12, 70, 12)]:
        shares = dice.dirichlet(np.full(bins, 2.0))
        base, now = (dice.multinomial(size, shares).astype(float) for size in (n, m))
        seen = float(ks(base, now))
        by_chance = ks(*indices.dealt(base, now, rounds=4000, seed=2))
        assert ks_p(seen, base, now) == pytest.approx(indices.chance(by_chance, seen), abs=0.03)


def test_of_more_events_than_the_lattice_holds_the_p_of_ks_is_nearly_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    base, now = REFERENCE * 40, (REFERENCE * 39 + CURRENT) * 2
    exact = ks_p(float(ks(base, now)), base, now)
    monkeypatch.setattr(indices, "LATTICE_MAX", 10_000)
    assert ks_p(float(ks(base, now)), base, now) == pytest.approx(exact, rel=0.03)
    assert 0.1 < exact < 0.9


def test_the_p_of_ks_far_out_is_small_and_above_nothing() -> None:
    assert 0 < ks_p(float(ks(REFERENCE * 3, CURRENT)), REFERENCE * 3, CURRENT) < 1e-7
    assert ks_p(1.0, *np.array([[500.0, 0, 0], [0, 0, 400.0]])) < 1e-100
    assert ks_p(0.5, *np.array([[0.0, 0], [3, 4]])) == 1


@given(pairs())
def test_scipy_gives_the_same_on_the_same_bins(pair: tuple[Any, Any]) -> None:
    base, now = pair
    places = np.arange(len(base))
    assert js(base, now) == pytest.approx(distance.jensenshannon(base, now), abs=1e-7)
    p, q = base / base.sum(), now / now.sum()
    assert hellinger(base, now) == pytest.approx(distance.euclidean(np.sqrt(p), np.sqrt(q)) / math.sqrt(2), abs=1e-9)
    p, q = (base + 0.5) / (base + 0.5).sum(), (now + 0.5) / (now + 0.5).sum()
    assert psi(base, now) == pytest.approx(np.sum(special.rel_entr(p, q) + special.rel_entr(q, p)), abs=1e-9)
    # Values that lie at a bin's upper edge, whose distance the bins hide nothing of.
    moved = stats.wasserstein_distance(places, places, base, now)
    steps = np.repeat(np.arange(len(base) + 1.0), 2)[1:-1]
    doubled = [np.insert(side, np.arange(1, len(side)), 0.0) for side in pair]
    assert wasserstein(*doubled, steps) == pytest.approx(wasserstein(base, now, np.arange(len(base) + 1.0)), abs=1e-9)
    assert wasserstein(base, now, np.arange(len(base) + 1.0)) <= moved + 1e-9
    held = (base + now) > 0
    if np.count_nonzero(held) > 1:
        expected = stats.chi2_contingency(np.array([base[held], now[held]]), correction=False)
        statistic, freedom = chi2(base, now)
        assert (float(statistic), int(freedom)) == (pytest.approx(expected.statistic, abs=1e-6), expected.dof)
        assert indices.chi2_p(statistic, freedom) == pytest.approx(expected.pvalue, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_ks_of_bins_is_scipys_of_values_that_lie_at_their_places(seed: int) -> None:
    dice = np.random.default_rng(seed)
    base, now = dice.integers(0, 30, (2, 9))
    found = stats.ks_2samp(np.repeat(np.arange(9), base), np.repeat(np.arange(9), now), method="asymp")
    assert ks(base.astype(float), now.astype(float)) == pytest.approx(found.statistic, abs=1e-12)


@given(pairs())
def test_swapping_the_sides_changes_nothing(pair: tuple[Any, Any]) -> None:
    base, now = pair
    for index in SYMMETRIC:
        assert index(base, now) == pytest.approx(index(now, base), abs=1e-12)
    edges = np.arange(len(base) + 1.0)
    assert wasserstein(base, now, edges) == pytest.approx(wasserstein(now, base, edges), abs=1e-12)
    assert chi2(base, now)[0] == pytest.approx(chi2(now, base)[0], rel=1e-9)


@given(pairs(), st.data())
def test_joining_bins_only_lowers_them(pair: tuple[Any, Any], data: st.DataObject) -> None:
    base, now = pair
    at = data.draw(st.integers(0, len(base) - 2))
    coarse = [np.concatenate([side[:at], [side[at] + side[at + 1]], side[at + 2 :]]) for side in pair]
    for index in (ks, js, hellinger):
        assert index(*coarse) <= index(base, now) + 1e-9
    # PSI adds half an event to every bin, joined or not: on the shares that it takes, it falls too.
    smoothed = [np.concatenate([s[:at], [s[at] + s[at + 1] + 0.5], s[at + 2 :]]) for s in pair]
    assert psi(*smoothed) <= psi(base, now) + 1e-9


@given(pairs(), st.integers(2, 50))
def test_shares_are_all_that_counts(pair: tuple[Any, Any], times: int) -> None:
    base, now = pair
    for index in (ks, js, hellinger):
        assert index(base * times, now) == pytest.approx(index(base, now), abs=1e-9)


@given(pairs())
def test_equal_histograms_have_no_distance_and_bounds_hold(pair: tuple[Any, Any]) -> None:
    base, now = pair
    for index in SYMMETRIC:
        assert index(base, base) == pytest.approx(0, abs=1e-7)
    assert 0 <= ks(base, now) <= ks_most(base, now) <= 1
    assert 0 <= js(base, now) <= math.sqrt(math.log(2)) + 1e-9
    assert 0 <= hellinger(base, now) <= 1 + 1e-9


def test_the_distance_of_the_values_lies_between_that_of_the_bins_and_what_it_is_at_most() -> None:
    dice = np.random.default_rng(3)
    edges = np.array([-np.inf, -1, 0, 0.5, 2, np.inf])
    for _ in range(200):
        a, b = dice.normal(size=60), dice.normal(0.3, 1.2, size=90)
        counts = [np.histogram(side, np.array([-99, *edges[1:-1], 99]))[0].astype(float) for side in (a, b)]
        values = stats.ks_2samp(a, b, method="asymp").statistic
        assert ks(*counts) - 1e-12 <= values <= ks_most(*counts) + 1e-12


def test_many_histograms_at_once_are_as_one_by_one() -> None:
    dice = np.random.default_rng(5)
    base, now = dice.integers(0, 50, (2, 40, 9)).astype(float)
    edges = np.arange(10.0)
    for index in (*SYMMETRIC, lambda p, q: wasserstein(p, q, edges), lambda p, q: chi2(p, q)[0]):
        one_by_one = [float(index(p, q)) for p, q in zip(base, now, strict=True)]
        assert index(base, now) == pytest.approx(one_by_one, abs=1e-12)


def test_shifted_normals_have_the_distances_of_the_textbook() -> None:
    """N(0, 1) against N(μ, 1): PSI → μ², KS = 2Φ(μ/2) - 1, W1 = μ."""
    edges = np.concatenate([[-np.inf], np.linspace(-8, 8, 4001), [np.inf]])
    base, now = (1e9 * np.diff(stats.norm.cdf(edges, mean)) for mean in (0.0, 0.4))
    assert psi(base, now) == pytest.approx(0.16, rel=1e-3)
    assert ks(base, now) == pytest.approx(2 * stats.norm.cdf(0.2) - 1, rel=1e-4)
    assert wasserstein(base, now, edges) == pytest.approx(0.4, rel=1e-3)


@pytest.mark.parametrize("index", [psi, lambda p, q: 8 * js(p, q) ** 2, lambda p, q: 8 * hellinger(p, q) ** 2])
@pytest.mark.parametrize(("n", "m", "bins"), [(1000, 1000, 10), (500, 50_000, 20)])
def test_without_drift_the_share_of_small_p_is_what_it_should_be(index: Any, n: int, m: int, bins: int) -> None:
    dice = np.random.default_rng(11)
    shares = dice.dirichlet(np.full(bins, 8.0))
    base, now = (dice.multinomial(size, shares, size=8000).astype(float) for size in (n, m))
    p = indices.divergence_p(index(base, now), np.float64(n), np.float64(m), bins)
    for alpha in (0.05, 0.01):
        assert np.mean(p <= alpha) == pytest.approx(alpha, abs=5 * math.sqrt(alpha / 8000) + 0.2 * alpha)


def test_the_smallest_psi_is_found_as_often_as_it_says() -> None:
    n, m, bins, dice = 2000, 3000, 10, np.random.default_rng(2)
    smallest = smallest_psi(n, m, bins, 0.01, 0.8)
    base = np.full(bins, 1 / bins)
    away = np.array([1, -1] * (bins // 2)) / bins
    size = math.sqrt(smallest)
    now = base + away * size
    assert np.sum((now - base) * np.log(now / base)) == pytest.approx(smallest, rel=0.05)
    drawn = [dice.multinomial(k, shares, size=4000).astype(float) for k, shares in ((n, base), (m, now))]
    p = indices.divergence_p(psi(*drawn), np.float64(n), np.float64(m), bins)
    assert np.mean(p <= 0.01) == pytest.approx(0.8, abs=0.05)


def test_chance_dealt_out_keeps_both_sizes_and_the_sum() -> None:
    first, second = indices.dealt(REFERENCE, CURRENT, rounds=50, seed=1)
    assert np.all(first.sum(axis=1) == 1000) and np.all(first + second == REFERENCE + CURRENT)
    again, _ = indices.dealt(REFERENCE, CURRENT, rounds=50, seed=1)
    assert np.array_equal(first, again)
    huge, other = indices.dealt(REFERENCE * 10**7, CURRENT * 10**7, rounds=3, seed=1)
    assert np.all(huge.sum(axis=1) == 10**10) and np.all(other.sum(axis=1) == 10**10)
