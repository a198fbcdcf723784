"""Pairs of histograms as `compare` judges them, beside the dummy detector and scipy on the same bins."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sloengine.evaluate.drift.histogram import Binned, Floats
from sloengine.evaluate.drift.verdict import NAMES, Compared, Rule, Verdict, compare
from tests.drift_tables.run import RULE_OF_THUMB, dice
from tests.drift_tables.shapes import edges_of

RIVALS = ("scipy ks_2samp", "scipy chi2_contingency")


@dataclass(frozen=True, slots=True)
class Judged:
    """Of many pairs; arrays over pairs."""

    p: dict[str, Floats]
    verdicts: Counter[Verdict]
    dummy: int
    """Pairs that the dummy detector calls drift."""
    pairs: int

    def share(self, verdict: Verdict) -> float:
        return self.verdicts[verdict] / self.pairs


def judged(
    name: tuple[object, ...], sides: tuple[Floats, Floats], sizes: tuple[int, int], pairs: int, rounds: int
) -> Judged:
    """``pairs`` times a baseline and a current histogram, drawn from the shares of ``sides``."""
    chance, edges, rule = dice("pairs", *name), edges_of(len(sides[0])), Rule(rounds=rounds)
    base, now = (
        chance.multinomial(size, side, size=pairs).astype(float) for size, side in zip(sizes, sides, strict=True)
    )
    found = [compare(Binned(edges, b), Binned(edges, c), rule) for b, c in zip(base, now, strict=True)]
    p = {index: np.array([_p(one, index) for one in found]) for index in NAMES}
    p |= dict(zip(RIVALS, np.array([scipys(b, c) for b, c in zip(base, now, strict=True)]).T, strict=True))
    dummy = sum(_value(one, "psi") > RULE_OF_THUMB for one in found)
    return Judged(p, Counter(one.verdict for one in found), dummy, pairs)


def scipys(base: Floats, now: Floats) -> tuple[float, float]:
    """p of ks_2samp, asymptotic, of every event at its bin's place, and of chi2_contingency over bins that aren't empty."""
    n, m = base.sum(), now.sum()
    distance = np.max(np.abs(np.cumsum(base) / n - np.cumsum(now) / m))
    # What ks_2samp(method="asymp") works out once it has sorted all events; a test holds the two against each other.
    by_ks = float(stats.kstwo.sf(distance, np.round(n * m / (n + m))))
    held = base + now > 0
    if np.count_nonzero(held) < 2:
        return by_ks, 1.0
    return by_ks, float(stats.chi2_contingency(np.array([base[held], now[held]]), correction=False).pvalue)


def _p(found: Compared, index: str) -> float:
    reading = found.readings[index]
    return 1.0 if reading is None else reading.p


def _value(found: Compared, index: str) -> float:
    reading = found.readings[index]
    return 0.0 if reading is None else reading.value
