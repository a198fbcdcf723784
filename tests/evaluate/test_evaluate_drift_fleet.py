"""A fleet's figures: against scipy and against those of single pairs, calibrated, honest about what was too small to see."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.histogram import Binned
from sloengine.evaluate.drift.verdict import compare

EDGES = np.concatenate([[-np.inf], np.linspace(0.05, 0.95, 19), [np.inf]])
BINS = len(EDGES) - 1


def drawn(size: int, n: int, m: int, seed: int, bins: int = BINS) -> fleet.Block:
    dice = np.random.default_rng(seed)
    shares = dice.dirichlet(np.ones(bins), size=size)
    base = np.stack([dice.multinomial(m, p) for p in shares]).astype(float)
    now = np.stack([dice.multinomial(n, p) for p in shares]).astype(float)
    return fleet.Block.plain(base, now, EDGES if bins == BINS else None)


def joined(base: np.ndarray, now: np.ndarray) -> tuple[list[float], list[float]]:
    """Neighbours joined one by one until the baseline expects five events, for a single pair, in plain Python."""
    need, found, b, c = 5 * base.sum() / min(base.sum(), now.sum()), [], 0.0, 0.0
    for x, y in zip(base, now, strict=True):
        b, c = b + x, c + y
        if b >= need:
            found.append((b, c))
            b = c = 0.0
    found[-1] = (found[-1][0] + b, found[-1][1] + c)
    return [x for x, _ in found], [y for _, y in found]


def test_every_index_is_that_of_a_single_pair() -> None:
    block = drawn(50, 400, 3000, 1)
    found = fleet.read(block)
    for i in range(50):
        single = compare(Binned(EDGES, block.baseline[i]), Binned(EDGES, block.current[i]))
        for name, values in found.values.items():
            reading = single.readings[name]
            assert reading is not None
            assert values[i] == pytest.approx(reading.value, rel=1e-9, abs=1e-12), name
        assert found.ks_error[i] == pytest.approx(single.ks_error, abs=1e-12)
        assert single.outside is not None
        assert (found.below[i], found.above[i]) == pytest.approx(
            (single.outside["below"][1], single.outside["above"][1])
        )


def test_p_is_that_of_scipys_log_likelihood_ratio_over_the_joined_bins() -> None:
    block = drawn(40, 300, 2000, 2)
    found = fleet.read(block)
    for i in range(40):
        base, now = joined(block.baseline[i], block.current[i])
        assert found.bins[i] == len(base)
        table = np.array([base, now])
        g = stats.chi2_contingency(table, lambda_="log-likelihood", correction=False).statistic
        n, m, whole = sum(now), sum(base), sum(now) + sum(base)
        # Williams 1976 as in Sokal & Rohlf, Biometry, box 17.7.
        q = 1 + (whole / n + whole / m - 1) * (whole * np.sum(1 / table.sum(axis=0)) - 1) / (
            6 * whole * (len(base) - 1)
        )
        assert found.p[i] == pytest.approx(stats.chi2.sf(g / q, len(base) - 1), rel=1e-7)


def test_an_estimated_inflation_makes_p_that_of_f() -> None:
    block = drawn(30, 500, 4000, 3)
    size = len(block.current)
    known = fleet.read(fleet.Block(block.baseline, block.current, EDGES, np.full(size, 2.0), np.full(size, np.inf)))
    guessed = fleet.read(fleet.Block(block.baseline, block.current, EDGES, np.full(size, 2.0), np.full(size, 30.0)))
    plain = fleet.read(block)
    g = stats.chi2.isf(plain.p, plain.bins - 1)
    assert known.p == pytest.approx(stats.chi2.sf(g / 2, known.bins - 1), rel=1e-6)
    assert guessed.p == pytest.approx(stats.f.sf(g / 2 / (plain.bins - 1), plain.bins - 1, 30), rel=1e-6)
    assert guessed.smallest_psi(0.01) == pytest.approx(2 * plain.smallest_psi(0.01))


@pytest.mark.parametrize(("n", "m"), [(60, 2000), (500, 5000), (5000, 5000)])
def test_so_many_undrifted_series_are_significant_as_alpha_says(n: int, m: int) -> None:
    found = fleet.read(drawn(20_000, n, m, 4))
    for alpha, tolerance in ((0.05, 0.2), (0.01, 0.35)):
        share = float(np.mean(found.p <= alpha))
        assert share == pytest.approx(alpha, rel=tolerance), (alpha, share)


def test_so_many_drifted_series_are_found_as_the_smallest_detectable_effect_says() -> None:
    dice = np.random.default_rng(5)
    bins, n, m, alpha = 10, 2000, 20_000, 1e-4
    base = np.full(bins, 0.1)
    size = fleet.read(drawn(1, n, m, 5, bins)).smallest_psi(alpha)[0]
    # PSI of shares 0.1 ± d is 10·2d·ln((0.1 + d) / (0.1 - d)) / 2, about 200 d² for small d.
    d = np.sqrt(size * 0.1 / bins)
    moved = base + d * np.resize([1.0, -1.0], bins)
    shown = float(np.sum((moved - base) * np.log(moved / base)))
    assert shown == pytest.approx(size, rel=0.02)
    before, now = (dice.multinomial(k, p, size=4000).astype(float) for k, p in ((m, base), (n, moved)))
    found = fleet.read(fleet.Block.plain(before, now))
    assert float(np.mean(found.p <= alpha)) == pytest.approx(fleet.POWER, abs=0.04)


@pytest.mark.parametrize("index", ["psi", "js", "hellinger", "ks"])
def test_effects_of_undrifted_series_are_near_nothing_however_few_events(index: str) -> None:
    found = fleet.read(drawn(2000, 200, 2000, 6))
    seen, effect = found.values[index], found.effect(index)
    assert float(np.mean(effect)) < 0.5 * float(np.mean(seen))
    if index == "psi":
        # Without bins that are nearly empty, what chance adds is taken away whole.
        even = np.random.default_rng(7)
        base, now = (even.multinomial(k, np.full(10, 0.1), size=4000).astype(float) for k in (4000, 400))
        plain = fleet.read(fleet.Block.plain(base, now))
        assert float(np.mean(plain.values["psi"])) == pytest.approx(9 * (1 / 400 + 1 / 4000), rel=0.05)


def test_of_nothing_and_of_one_bin_nothing_is_said() -> None:
    base = np.array([[0.0, 0, 0], [10, 20, 30], [100, 0, 0], [10, 20, 30]])
    now = np.array([[1.0, 2, 3], [0, 0, 0], [50, 0, 0], [1, 0, 1]])
    found = fleet.read(fleet.Block.plain(base, now))
    assert np.isnan(found.p).all()
    assert found.bins.tolist() == [0, 0, 1, 0]
    assert np.isnan(found.smallest_psi(0.01)).all()
    assert np.isnan(found.values["psi"][:2]).all()
    assert found.values["psi"][2] == pytest.approx(0, abs=0.01)


def test_pieces_on_several_processors_say_what_single_series_say() -> None:
    block = drawn(fleet.ROWS * fleet.PIECES_MIN + 7, 100, 1000, 8)
    whole = fleet.read(block)
    for i in (0, fleet.ROWS - 1, fleet.ROWS, len(block.current) - 1):
        one = fleet.read(block.part(slice(i, i + 1)))
        assert one.p[0] == whole.p[i]
        assert {k: v[0] for k, v in one.values.items()} == {k: v[i] for k, v in whole.values.items()}
    assert len(whole.p) == len(block.current)


def test_a_block_without_series_has_no_figures() -> None:
    found = fleet.read(fleet.Block.plain(np.zeros((0, 5)), np.zeros((0, 5))))
    assert found.p.shape == (0,)
    assert found.smallest_psi(0.05).shape == (0,)
