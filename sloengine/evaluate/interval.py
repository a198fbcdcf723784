"""How sure a ratio of weighted events is: effective sample size, intervals, and the bound that guards pages. Pure.

Four sums describe what was seen: ``good`` and ``bad`` are sums of weights, ``good_squares`` and ``bad_squares`` sums of squared
weights. An exact counter's events weigh 1, so its squares equal its sums; a sampled span weighs its adjusted count. Every
function is about ``bad / (good + bad)``.

Functions in the plural take arrays (or scalars) that broadcast and give float64 arrays; those in the singular take and give
single values. Both raise ValueError for sums that no events can have and for a confidence outside (0, 1).
Formulas, sources and measured coverage: docs/statistics.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

PAGE_CONFIDENCE = 0.99
"""Confidence of the bound that a page must have over its line. docs/statistics.md shows the false pages that this prevents."""

MANY = 10_000.0
"""Events on both sides from which a beta quantile is approximated."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio's bounds, in [0, 1], ``low <= high``."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class _Side:
    """One outcome's weighted events as a scaled Poisson count: ``events`` of them, each of weight ``weight``."""

    events: Floats
    weight: Floats


def effective_sizes(
    good: ArrayLike,
    bad: ArrayLike,
    good_squares: ArrayLike,
    bad_squares: ArrayLike,
    *,
    good_weight: ArrayLike | None = None,
    bad_weight: ArrayLike | None = None,
) -> Floats:
    """How many equally weighted events would know the ratio as well; 0 without events.

    It is p(1-p)/Var(p) with the linearised variance of a ratio (Taylor series; Särndal, Swensson & Wretman 1992, §5.5), so
    weights may depend on the outcome. With one outcome only, its limit: the sum seen over the weight that an event of the other
    outcome would have had. That can't be seen; it is ``bad_weight`` (``good_weight``) if given, else taken to be as for the
    outcome seen, which gives Kish's (Σw)²/Σw².
    """
    g, b, g2, b2 = _checked(good, bad, good_squares, bad_squares)
    own_good, own_bad = _mean_weight(g, g2), _mean_weight(b, b2)
    heavy_good = np.where(g > 0, own_good, own_bad if good_weight is None else _weight("good_weight", good_weight))
    heavy_bad = np.where(b > 0, own_bad, own_good if bad_weight is None else _weight("bad_weight", bad_weight))
    spread = heavy_bad * g + heavy_good * b
    return np.divide((g + b) ** 2, spread, out=np.zeros_like(spread), where=spread > 0)


def effective_size(
    good: float,
    bad: float,
    good_squares: float,
    bad_squares: float,
    *,
    good_weight: float | None = None,
    bad_weight: float | None = None,
) -> float:
    """:func:`effective_sizes` of one ratio."""
    found = effective_sizes(good, bad, good_squares, bad_squares, good_weight=good_weight, bad_weight=bad_weight)
    return float(found)


def wilson_bounds(p: ArrayLike, n: ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Score interval of a ratio p of n events; n may be fractional, n = 0 gives (0, 1). Source: Wilson 1927.

    Cheap, and near its confidence on average, but below it where few bad events are expected (docs/statistics.md): for a figure
    at a glance, not for a decision.
    """
    ratio, size = np.asarray(p, dtype=np.float64), np.asarray(n, dtype=np.float64)
    if not np.all((ratio >= 0) & (ratio <= 1)) or not np.all((size >= 0) & np.isfinite(size)):
        raise ValueError("wilson: p must be in [0, 1] and n finite and not negative")
    z = special.ndtri(0.5 + _share(confidence) / 2)
    # Multiplied through by n, so that n = 0 is no division by zero.
    middle = size * ratio + z * z / 2
    half = z * np.sqrt(size * ratio * (1 - ratio) + z * z / 4)
    low, high = (middle - half) / (size + z * z), (middle + half) / (size + z * z)
    # Rounding may leave a ratio of exactly 0 or 1 outside its own interval.
    return np.clip(np.minimum(low, ratio), 0.0, 1.0), np.clip(np.maximum(high, ratio), 0.0, 1.0)


def wilson(p: float, n: float, confidence: float = 0.95) -> Interval:
    """:func:`wilson_bounds` of one ratio."""
    low, high = wilson_bounds(p, n, confidence)
    return Interval(float(low), float(high), confidence)


def bad_ratio_bounds(
    good: ArrayLike,
    bad: ArrayLike,
    good_squares: ArrayLike,
    bad_squares: ArrayLike,
    confidence: float = 0.95,
    *,
    good_weight: ArrayLike | None = None,
    bad_weight: ArrayLike | None = None,
) -> tuple[Floats, Floats]:
    """Two-sided interval of the bad ratio, (0, 1) without events.

    Clopper & Pearson 1934 where all weights are equal. Otherwise each outcome's sum is a scaled Poisson count, widened at its
    far side by one event that was not seen (Fay & Feuer 1997); given both counts, the bad share of them is binomial, and its odds
    are scaled back by the two weights.

    ``good_weight`` and ``bad_weight``: the heaviest weight that an event of this outcome can carry, where the sampling policy
    says it (1 for what is always kept). Without them an unseen event is taken to weigh what seen ones of either outcome do,
    whichever is heavier: safe when head sampling differs between nodes, and wide where errors are always kept.
    """
    sums = _checked(good, bad, good_squares, bad_squares)
    tail = (1 - _share(confidence)) / 2
    low = _bound_below(sums, tail, good_weight)
    g, b, g2, b2 = sums
    return low, 1 - _bound_below((b, g, b2, g2), tail, bad_weight)


def bad_ratio_interval(
    good: float,
    bad: float,
    good_squares: float,
    bad_squares: float,
    confidence: float = 0.95,
    *,
    good_weight: float | None = None,
    bad_weight: float | None = None,
) -> Interval:
    """:func:`bad_ratio_bounds` of one ratio."""
    weights = {"good_weight": good_weight, "bad_weight": bad_weight}
    low, high = bad_ratio_bounds(good, bad, good_squares, bad_squares, confidence, **weights)
    return Interval(float(low), float(high), confidence)


def lower_bounds(
    good: ArrayLike,
    bad: ArrayLike,
    good_squares: ArrayLike,
    bad_squares: ArrayLike,
    confidence: float = PAGE_CONFIDENCE,
    *,
    good_weight: ArrayLike | None = None,
) -> Floats:
    """One-sided: the bad ratio is above this bound with the confidence given; 0 without bad events. For pages.

    Method and ``good_weight`` as in :func:`bad_ratio_bounds`. A tail sampler that keeps 1 % of successes may have kept none of
    them so far: without ``good_weight=100`` the errors seen then look like all there was.
    """
    return _bound_below(_checked(good, bad, good_squares, bad_squares), 1 - _share(confidence), good_weight)


def lower_bound(
    good: float,
    bad: float,
    good_squares: float,
    bad_squares: float,
    confidence: float = PAGE_CONFIDENCE,
    *,
    good_weight: float | None = None,
) -> float:
    """:func:`lower_bounds` of one ratio."""
    return float(lower_bounds(good, bad, good_squares, bad_squares, confidence, good_weight=good_weight))


def doubts(
    good: ArrayLike,
    bad: ArrayLike,
    good_squares: ArrayLike,
    bad_squares: ArrayLike,
    allowed: float,
    *,
    good_weight: ArrayLike | None = None,
) -> Floats:
    """How likely so many bad events or more would be if the bad ratio were just the one allowed; 1 without bad events.

    :func:`lower_bounds` turned around: at a confidence of one less this doubt the bound is the ratio allowed.
    """
    sums = _checked(good, bad, good_squares, bad_squares)
    seen, widened = _seen_and_widened(sums, good_weight)
    none = sums[1] == 0
    heavy, light = allowed * widened.weight, (1 - allowed) * seen.weight
    share = np.divide(heavy, heavy + light, out=np.ones_like(light), where=~none)
    return np.where(none, 1.0, special.betainc(np.where(none, 1.0, seen.events), widened.events + none, share))


def _bound_below(sums: tuple[Floats, Floats, Floats, Floats], tail: float, other_weight: ArrayLike | None) -> Floats:
    """The ratio of the second sum to both that leaves ``tail`` below, with the first sum widened by an unseen event."""
    seen, widened = _seen_and_widened(sums, other_weight)
    none = sums[1] == 0
    share = _beta_quantile(np.where(none, 1.0, seen.events), np.where(none, 1.0, widened.events), tail)
    heavy, light = share * seen.weight, (1 - share) * widened.weight
    return np.divide(heavy, heavy + light, out=np.zeros_like(heavy), where=~none & (heavy > 0))


def _seen_and_widened(
    sums: tuple[Floats, Floats, Floats, Floats], other_weight: ArrayLike | None
) -> tuple[_Side, _Side]:
    """The second sum as it was seen, and the first with one event that was not seen."""
    other, own, other_squares, own_squares = sums
    mine = _mean_weight(own, own_squares)
    theirs = _mean_weight(other, other_squares)
    unseen = np.maximum(theirs, mine if other_weight is None else _weight("weight", other_weight))
    return _side(own, own_squares), _side(other + unseen, other_squares + unseen**2)


def _beta_quantile(a: Floats, b: Floats, q: float) -> Floats:
    """The q-quantile of Beta(a, b): exact, but for counts so large that exactness costs 100 times more and changes nothing.

    From MANY on by Paulson's 1942 approximation of F, which is Wilson & Hilferty's cube root on both sides; it is then off by
    less than a ten-thousandth of the interval's width.
    """
    a, b = np.broadcast_arrays(a, b)
    many = (a >= MANY) & (b >= MANY)
    found = np.empty(a.shape)
    found[many] = _paulson(a[many], b[many], q)
    found[~many] = special.betaincinv(a[~many], b[~many], q)
    return found


def _paulson(a: Floats, b: Floats, q: float) -> Floats:
    z, s, t = special.ndtri(q), 1 / (9 * a), 1 / (9 * b)
    square = (1 - t) ** 2 - z * z * t
    root = np.sqrt((1 - s) ** 2 * t + s * square)
    odds: Floats = (((1 - s) * (1 - t) + z * root) / square) ** 3 * a / b
    return np.asarray(odds / (1 + odds), dtype=np.float64)


def _side(total: Floats, squares: Floats) -> _Side:
    weight = _mean_weight(total, squares)
    return _Side(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0), weight)


def _mean_weight(total: Floats, squares: Floats) -> Floats:
    """Mean weight of an event as a unit of its sum sees it, Σw²/Σw; 0 where there is none."""
    return np.divide(squares, total, out=np.zeros_like(total), where=total > 0)


def _checked(*sums: ArrayLike) -> tuple[Floats, Floats, Floats, Floats]:
    good, bad, good_squares, bad_squares = np.broadcast_arrays(*(np.asarray(s, dtype=np.float64) for s in sums))
    for name, total, squares in (("good", good, good_squares), ("bad", bad, bad_squares)):
        if not np.all((total >= 0) & (squares >= 0) & np.isfinite(total) & np.isfinite(squares)):
            raise ValueError(f"{name}: sums of weights and of their squares must be finite and not negative")
        # A sum without squares would be known without any doubt.
        if not np.all((total > 0) == (squares > 0)):
            raise ValueError(
                f"{name}: a sum of weights and the sum of their squares must both be 0 or both be above it"
            )
    return good, bad, good_squares, bad_squares


def _weight(name: str, weight: ArrayLike) -> Floats:
    found = np.asarray(weight, dtype=np.float64)
    if not np.all((found > 0) & np.isfinite(found)):
        raise ValueError(f"{name} must be finite and above 0")
    return found


def _share(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be between 0 and 1, not {confidence}")
    return confidence
