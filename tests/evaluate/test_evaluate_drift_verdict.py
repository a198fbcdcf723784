"""p-values as verdicts use them: as small as they should be, also where bins are nearly empty, and without a floor."""

from __future__ import annotations

import numpy as np
import pytest

from sloengine.evaluate.drift.histogram import explicit
from sloengine.evaluate.drift.verdict import Compared, Rule, Verdict, compare


def compared(base: object, now: object, **rule: float) -> Compared:
    sides = [np.asarray(side, dtype=float) for side in (base, now)]
    return compare(*(explicit(list(range(len(side) - 1)), side) for side in sides), Rule(**rule))  # type: ignore[arg-type]


@pytest.mark.parametrize(("bins", "n", "m"), [(8, 60, 2000), (24, 150, 3000)])
def test_without_drift_the_p_of_every_index_is_as_small_as_it_should_be(bins: int, n: int, m: int) -> None:
    """By limits alone Hellinger's is below 0.05 in a tenth of pairs of the second kind, PSI's in 2 %."""
    dice, pairs = np.random.default_rng(bins), 700
    shares = np.full(bins, 1 / bins)
    found = [
        compared(dice.multinomial(m, shares), dice.multinomial(n, shares), rounds=199).readings for _ in range(pairs)
    ]
    for name in found[0]:
        p = np.array([reading[name].p for reading in found])  # type: ignore[union-attr]
        assert 0.03 < np.mean(p <= 0.05) < 0.075, name


def test_a_nearly_empty_bin_does_not_keep_an_overwhelming_drift_from_being_sure() -> None:
    base, now = [400_000, 300_000, 300_000, 2], [100_000, 300_000, 600_000, 1]
    found = compared(base, now, alpha=1e-9)
    assert found.verdict is Verdict.DRIFT, found.reason
    assert all(found.readings[name].p < 1e-9 for name in ("psi", "js", "hellinger", "chi2", "ks"))  # type: ignore[union-attr]


def test_where_no_two_bins_are_full_enough_p_is_what_deals_tell() -> None:
    found = compared([3, 0, 0], [0, 0, 4])
    # One of the 35 ways to deal seven events to three and four, and none of the others is as far apart.
    assert found.readings["psi"].p == pytest.approx(1 / 35, abs=0.01)  # type: ignore[union-attr]
    assert found.readings["ks"].p == pytest.approx(1 / 35, rel=1e-9)  # type: ignore[union-attr]
