"""A shift of the mix is told from drift: by hand, and where chance has much to say in segments that have become rare."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize

from sloengine.evaluate.drift import fleet, indices
from sloengine.evaluate.drift.mix import Mix, Part, Verdict, apart

Floats = np.ndarray
MINIMUM = {"psi": 0.1, "js": (0.1 / 8) ** 0.5, "ks": 0.1, "hellinger": (0.1 / 8) ** 0.5}
BINS = 10
EDGES = np.arange(BINS + 1.0)


def even(*weights: float) -> Floats:
    return np.array(weights) / sum(weights)


# --- by hand


def test_two_unchanged_segments_at_other_weights_are_a_shift_of_the_mix_and_no_drift() -> None:
    def pooled(a: float) -> float:
        p, q = np.array([0.5, 0.5]), np.array([0.8 * a + 0.2 * (1 - a), 0.8 * (1 - a) + 0.2 * a])
        return float(np.sum((q - p) * np.log(q / p))) - 0.149

    a = optimize.brentq(pooled, 0.5, 1.0)
    segments = np.array([[a, 1 - a], [1 - a, a]])
    found = apart(segments * [[5e6], [5e6]], segments * [[8e6], [2e6]], "psi", 0.1)
    assert found.pooled.value == pytest.approx(0.149, rel=1e-4)
    assert found.mix.value == pytest.approx(0.149, rel=1e-4)
    assert (found.inside.value, found.inside.effect) == (pytest.approx(0, abs=1e-9), 0)
    assert found.verdict is Verdict.MIX
    assert [(s.then, s.now) for s in sorted(found.segments, key=lambda s: s.at)] == [(0.5, 0.8), (0.5, 0.2)]
    assert all(s.own.effect == 0 for s in found.segments)


def tilted(shares: Floats, by: float) -> Floats:
    moved = shares * np.exp(by * np.linspace(-1, 1, shares.shape[-1]))
    return moved / moved.sum(axis=-1, keepdims=True)


def drawn(dice: np.random.Generator, weights: Floats, shares: Floats, size: int) -> Floats:
    return (
        np.stack([dice.multinomial(k, p) for k, p in zip(dice.multinomial(size, weights), shares, strict=True)]) * 1.0
    )


@pytest.mark.parametrize("index", ["psi", "js", "hellinger", "ks", "wasserstein"])
def test_each_index_is_that_of_the_mixtures_worked_out_one_by_one(index: str) -> None:
    dice = np.random.default_rng(1)
    shares = dice.dirichlet(np.full(BINS, 5.0), 3)
    base, now = drawn(dice, even(1, 2, 3), shares, 30_000), drawn(dice, even(3, 2, 1), tilted(shares, 0.4), 6000)
    m, n = base.sum(axis=1), now.sum(axis=1)
    inside, mix = np.zeros(BINS), np.zeros(BINS)
    for k in range(3):
        inside += m[k] / m.sum() * now[k] / n[k]
        mix += n[k] / n.sum() * base[k] / m[k]
    whole = base.sum(axis=0)
    of = {
        "psi": lambda q: indices.psi(whole, q),
        "js": lambda q: indices.js(whole, q),
        "hellinger": lambda q: indices.hellinger(whole, q),
        "ks": lambda q: indices.ks(whole, q),
        "wasserstein": lambda q: indices.wasserstein(whole, q, EDGES),
    }[index]
    found = apart(base, now, index, 0.1, edges=EDGES)
    # PSI's half events weigh what so many events do.
    assert found.inside.value == pytest.approx(float(of(inside * 1e4)), rel=0.01)
    assert found.mix.value == pytest.approx(float(of(mix * n.sum())), rel=1e-9)
    assert found.pooled.value == pytest.approx(float(of(now.sum(axis=0))), rel=1e-9)
    assert (found.new, found.untold) == (0, 0)


@pytest.mark.parametrize("index", ["psi", "js", "ks"])
def test_of_one_segment_everything_is_inside_it_and_as_it_is_of_a_fleets_series(index: str) -> None:
    dice = np.random.default_rng(2)
    shares = dice.dirichlet(np.full(BINS, 5.0), 1)
    base, now = drawn(dice, even(1), shares, 20_000), drawn(dice, even(1), tilted(shares, 0.5), 300)
    read = fleet.read(fleet.Block.plain(base, now, EDGES))
    found = apart(base, now, index, 0.1, edges=EDGES)
    assert found.inside.value == pytest.approx(read.values[index][0])
    assert found.inside.effect == pytest.approx(read.effect(index)[0], rel=0.02)
    assert np.log(found.inside.p) == pytest.approx(np.log(read.p[0]), rel=0.1)
    assert max(found.mix.value, found.mix.effect) < 1e-4
    assert found.mix.p == 1


def test_segments_are_in_order_of_what_they_add_to_the_whole() -> None:
    dice = np.random.default_rng(3)
    shares = dice.dirichlet(np.full(BINS, 5.0), 4)
    moved = shares.copy()
    moved[2] = tilted(shares[2], 1.5)
    found = apart(*(drawn(dice, even(1, 1, 1, 1), s, 100_000) for s in (shares, moved)), "psi", 0.03)
    assert (found.verdict, found.segments[0].at) == (Verdict.DRIFT, 2)
    assert found.segments[0].own.effect > 0.5 > 10 * max(s.own.effect for s in found.segments[1:])
    assert sum(s.contribution for s in found.segments) == pytest.approx(found.pooled.value, rel=1e-3)
    assert found.segments[0].contribution > 0.9 * found.pooled.value


def verdict_of(by: float, weights: Floats, minimum: float = 0.1) -> Mix:
    """Two segments far apart, tilted by so much, and at other weights."""
    dice = np.random.default_rng(4)
    shares = np.stack([tilted(np.full(BINS, 0.1), -1.0), tilted(np.full(BINS, 0.1), 1.0)])
    return apart(
        drawn(dice, even(1, 1), shares, 100_000), drawn(dice, weights, tilted(shares, by), 20_000), "psi", minimum
    )


def test_verdicts_name_what_is_there() -> None:
    same, shifted = even(1, 1), even(4, 1)
    assert verdict_of(0.0, same).verdict is Verdict.NEITHER
    assert verdict_of(0.8, same).verdict is Verdict.DRIFT
    assert verdict_of(0.0, shifted).verdict is Verdict.MIX
    assert (found := verdict_of(-1.5, shifted)).verdict is Verdict.BOTH
    assert found.inside.effect > 2 * found.mix.effect > 0.2
    # Where they undo each other, both are there although the whole has hardly moved.
    assert (found := verdict_of(0.6, shifted, 0.05)).verdict is Verdict.BOTH
    assert found.pooled.effect < 0.02


def test_where_only_both_together_reach_the_minimum_both_are_named() -> None:
    found = verdict_of(-0.4, even(2, 1))
    assert max(found.inside.effect, found.mix.effect) < 0.04 < 0.12 < found.pooled.effect
    assert found.verdict is Verdict.BOTH
    # What makes less than half of what the other does is no part of it.
    found = verdict_of(-0.5, even(3, 2))
    assert 2 * found.mix.effect < found.inside.effect < 0.06 < 0.1 < found.pooled.effect
    assert found.verdict is Verdict.DRIFT
    # And nothing is, where the whole doesn't reach it.
    assert verdict_of(-0.3, even(3, 2)).verdict is Verdict.NEITHER


def test_what_a_segment_adds_that_the_baseline_does_not_know_is_the_mixs() -> None:
    dice = np.random.default_rng(5)
    shares = np.vstack([dice.dirichlet(np.full(BINS, 5.0), 2), tilted(np.full(BINS, 0.1), 3.0)])
    base = drawn(dice, even(1, 1), shares[:2], 10_000)
    now = drawn(dice, even(3, 3, 4), shares, 5000)
    for seen_before in (0.0, 20.0):
        old = np.vstack([base, np.eye(BINS)[0] * seen_before])
        found = apart(old, now, "psi", 0.1)
        assert found.verdict is Verdict.MIX
        assert found.new == now[2].sum() / now.sum()
        assert found.mix.value == pytest.approx(found.pooled.value, rel=0.1)


def test_a_segment_that_has_vanished_is_the_mixs_and_untold() -> None:
    dice = np.random.default_rng(6)
    shares = np.vstack([dice.dirichlet(np.full(BINS, 5.0), 2), tilted(np.full(BINS, 0.1), 3.0)])
    base, now = drawn(dice, even(3, 3, 4), shares, 10_000), drawn(dice, even(1, 1, 0), shares, 5000)
    found = apart(base, now, "psi", 0.1)
    assert found.verdict is Verdict.MIX
    assert found.untold == base[2].sum() / base.sum()
    assert np.isnan(next(s for s in found.segments if s.at == 2).own.value)
    # As good as vanished: of so few events nothing is known.
    now[2, 0] = 29
    assert apart(base, now, "psi", 0.1).untold == found.untold
    now[2, 0] = 30
    assert apart(base, now, "psi", 0.1).untold == 0


def test_without_events_nothing_is_taken_apart() -> None:
    some, none = np.ones((2, 3)) * 100, np.zeros((2, 3))
    with pytest.raises(ValueError, match="no events now"):
        apart(some, none, "psi", 0.1)
    with pytest.raises(ValueError, match="no events in the baseline"):
        apart(none, some, "psi", 0.1)
    with pytest.raises(KeyError):
        apart(some, some, "wasserstein", 0.1)


def test_of_too_few_events_for_two_bins_neither_is_said() -> None:
    found = apart(np.full((2, 3), 20.0), np.array([[1.0, 0, 0], [0, 0, 1]]), "psi", 0.1)
    assert found.verdict is Verdict.NEITHER
    assert np.isnan(found.pooled.p)


# --- by chance

ROUNDS = 400
CASES = {
    # events of the baseline and now, weights then and now
    "as they were": (20_000, 2000, even(1, 1, 1, 1), even(1, 1, 1, 1)),
    "a small baseline": (600, 600, even(1, 1, 1, 1, 1), even(1, 1, 1, 1, 1)),
    "half then, 40 events now": (20_000, 2000, even(1, 1), even(49, 1)),
    "most then, 50 events now": (20_000, 2000, even(1, 3), even(39, 1)),
    "many that are rare now": (20_000, 800, even(*[1] * 10), even(10, *[1] * 9)),
    "some below the minimum": (20_000, 300, even(*[1] * 8), even(6, *[1] * 7)),
}


def by_chance(case: str, index: str, rounds: int = ROUNDS) -> list[Mix]:
    """Segments that differ and have not changed."""
    m, n, then, now = CASES[case]
    dice = np.random.default_rng(7)
    found = []
    for _ in range(rounds):
        shares = dice.dirichlet(np.full(BINS, 3.0), len(then))
        sides = drawn(dice, then, shares, m), drawn(dice, now, shares, n)
        found.append(apart(*sides, index, MINIMUM[index], edges=EDGES))
    return found


@pytest.mark.parametrize("index", ["psi", "ks"])
@pytest.mark.parametrize("case", CASES)
def test_segments_with_few_events_make_no_drift_out_of_noise(case: str, index: str) -> None:
    found = by_chance(case, index)
    assert sum(one.verdict in (Verdict.DRIFT, Verdict.BOTH) for one in found) <= 0.01 * ROUNDS
    p = np.array([one.inside.p for one in found])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.035)
    assert np.mean(p <= 0.01) <= 0.03
    # What chance adds on average is taken away: half of the draws are left with nothing.
    assert np.mean([one.inside.effect == 0 for one in found]) > 0.4


@pytest.mark.parametrize("case", ["as they were", "a small baseline"])
def test_weights_that_differ_by_chance_are_no_shift_of_the_mix(case: str) -> None:
    found = by_chance(case, "psi")
    p = np.array([one.mix.p for one in found])
    assert np.mean(p <= 0.05) <= 0.08
    assert all(one.verdict is Verdict.NEITHER for one in found)


def test_shares_of_a_segment_that_are_known_from_few_events_make_no_shift_of_the_mix() -> None:
    dice = np.random.default_rng(11)
    found = []
    for _ in range(ROUNDS):
        alike = np.repeat(dice.dirichlet(np.full(BINS, 3.0), 1), 2, axis=0)
        found.append(apart(drawn(dice, even(49, 1), alike, 3000), drawn(dice, even(1, 9), alike, 3000), "psi", 0.1))
    p = np.array([one.mix.p for one in found])
    assert np.mean(p <= 0.05) <= 0.08
    assert np.mean([one.verdict is Verdict.MIX for one in found]) <= 0.04


def test_events_that_come_in_clumps_are_no_drift_if_the_baseline_says_so() -> None:
    dice = np.random.default_rng(8)
    found: dict[float, list[Part]] = {1.0: [], 5.0: []}
    for _ in range(300):
        shares = dice.dirichlet(np.full(BINS, 3.0), 3)
        # Five at a time: counts vary five times as much as of single events.
        base, now = (5 * drawn(dice, even(1, 1, 1), shares, size) for size in (4000, 400))
        for inflation, all_of in found.items():
            all_of.append(apart(base, now, "psi", 0.1, inflation=inflation).inside)
    p = {inflation: np.array([part.p for part in parts]) for inflation, parts in found.items()}
    assert np.mean(p[1.0] <= 0.05) > 0.5
    assert np.mean(p[5.0] <= 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean([part.effect == 0 for part in found[5.0]]) > 0.4 > np.mean([part.effect == 0 for part in found[1.0]])


def test_an_inflation_known_from_few_hours_makes_p_larger() -> None:
    found = verdict_of(0.2, even(1, 1))
    dice = np.random.default_rng(9)
    shares = dice.dirichlet(np.full(BINS, 3.0), 3)
    base, now = drawn(dice, even(1, 1, 1), shares, 4000), drawn(dice, even(1, 1, 1), tilted(shares, 0.3), 900)
    sure, unsure = (apart(base, now, "psi", 0.1, freedom=f).inside.p for f in (np.inf, 10.0))
    assert found.inside.p < 1e-10
    assert sure < unsure / 3


def test_a_drift_of_a_segment_that_is_rare_now_is_found() -> None:
    dice = np.random.default_rng(10)
    found = []
    for _ in range(200):
        shares = dice.dirichlet(np.full(BINS, 3.0), 2)
        moved = np.stack([shares[0], tilted(shares[1], 2.0)])
        found.append(apart(drawn(dice, even(1, 1), shares, 20_000), drawn(dice, even(24, 1), moved, 2000), "psi", 0.1))
    assert np.mean([one.verdict in (Verdict.DRIFT, Verdict.BOTH) for one in found]) > 0.85
