"""Counts that gateways make from sampled spans are estimates, and say so."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import timedelta

import pytest
from engine_rig import BASE, DELTA, HISTOGRAM_COLUMNS, MINUTE, SHARED_COLUMNS, SUM_COLUMNS, Rig, Series, slo

from sloengine.evaluate.interval import bad_ratio_bounds
from sloengine.model import Counts, Matcher, Selector, Sli, Source

CALLS, DURATION = "traces.span.metrics.calls", "traces.span.metrics.duration"


def _is(status: str) -> tuple[Selector, ...]:
    return (Selector(Source.SUM, CALLS, (Matcher("status.code", "=", status),)),)


SUCCESS = Sli(good=_is("STATUS_CODE_UNSET"), bad=_is("STATUS_CODE_ERROR"))


def _told(rig: Rig, status: str, value: float, **sampling: str) -> None:
    names = {"method": "sampling.method", "threshold": "edge.sampling.threshold"}
    extra = (("status.code", status), *((names[name], said) for name, said in sampling.items()))
    at = BASE + MINUTE
    row = Series(temporality=DELTA, start=BASE, extra=extra).row(CALLS, "1", at, at + timedelta(seconds=2), None)
    rig.store.insert("otel_metrics_sum", SUM_COLUMNS, [[*row, value, True]])


def _counts(rig: Rig) -> Counts:
    (status,) = rig.tick(BASE + 3 * MINUTE)
    return status.counts


@pytest.fixture
def rig(rigs) -> Rig:  # type: ignore[no-untyped-def]
    return rigs(slos=[slo(sli=SUCCESS, by=("region",))])


def test_counts_from_sampled_spans_carry_the_squares_of_their_weights(rig: Rig) -> None:
    _told(rig, "STATUS_CODE_UNSET", 400, method="extrapolated", threshold="c")
    _told(rig, "STATUS_CODE_UNSET", 30, method="counted")
    _told(rig, "STATUS_CODE_ERROR", 20, method="extrapolated", threshold="8")
    counts = _counts(rig)
    # Weights 4 and 2: a hundred spans and ten.
    assert (counts.good, counts.bad, counts.unknown) == (430, 20, 0)
    assert counts.sampled
    assert counts.squares == (400 * 4 + 30, 20 * 2)


def test_what_was_counted_whole_is_exact(rig: Rig) -> None:
    _told(rig, "STATUS_CODE_UNSET", 30, method="counted")
    _told(rig, "STATUS_CODE_ERROR", 2, method="extrapolated", threshold="0")
    counts = _counts(rig)
    assert (counts.good, counts.bad, counts.sampled) == (30, 2, False)


@pytest.mark.parametrize("threshold", ["", "x"])
def test_an_estimate_of_unknown_weights_is_unknown(rig: Rig, threshold: str) -> None:
    _told(rig, "STATUS_CODE_UNSET", 30, method="counted")
    _told(rig, "STATUS_CODE_ERROR", 7, method="extrapolated", threshold=threshold)
    counts = _counts(rig)
    assert (counts.good, counts.bad, counts.unknown) == (30, 0, 7)


def _rounded(weight: float, dice: random.Random) -> int:
    """As span_metrics does: up with the probability of the fraction."""
    return int(weight) + (dice.random() < weight % 1)


def _square(weights: Iterable[int]) -> float:
    return float(sum(weight * weight for weight in weights))


def test_weights_that_are_no_whole_numbers_are_rounded_at_random(rig: Rig) -> None:
    """The square per event that buckets hold is the one that counting so many spans shows."""
    dice, threshold = random.Random(7), "5"
    weight = 16 / (16 - 5)
    drawn = [_rounded(weight, dice) for _ in range(200_000)]
    _told(rig, "STATUS_CODE_UNSET", sum(drawn), method="extrapolated", threshold=threshold)
    counts = _counts(rig)
    assert counts.good == sum(drawn)
    assert counts.squares[0] == pytest.approx(_square(drawn), rel=0.005)


FAST = Sli(
    good=(Selector(Source.HISTOGRAM, DURATION, (Matcher("value", "<=", "1"),)),),
    total=(Selector(Source.HISTOGRAM, DURATION),),
)

# Scale 0: twelve in (0.5, 1], eight in (1, 2].
EXPONENTIAL: tuple[list[str], list[object]] = (HISTOGRAM_COLUMNS, [20, 0, 0, -1, [12, 8]])
EXPLICIT: tuple[list[str], list[object]] = (
    [*SHARED_COLUMNS, "Count", "ExplicitBounds", "BucketCounts"],
    [20, [0.5, 1.0, 2.0], [0, 12, 8, 0]],
)


@pytest.mark.parametrize(
    ("threshold", "expected"), [("c", (12, 8, 0)), ("", (0, 0, 20))], ids=["of weight 4", "unknown"]
)
@pytest.mark.parametrize(
    ("table", "cells"),
    [("otel_metrics_exponential_histogram", EXPONENTIAL), ("otel_metrics_histogram", EXPLICIT)],
    ids=["exponential", "explicit"],
)
def test_durations_of_sampled_spans_are_estimates_too(  # type: ignore[no-untyped-def]
    rigs, table: str, cells: tuple[list[str], list[object]], threshold: str, expected: tuple[float, ...]
) -> None:
    rig = rigs(slos=[slo(sli=FAST, by=("region",))])
    at = BASE + MINUTE
    extra = (("sampling.method", "extrapolated"), ("edge.sampling.threshold", threshold))
    series = Series(temporality=DELTA, start=BASE, extra=extra)
    row = series.row(DURATION, "s", at, at + timedelta(seconds=2), None)
    columns, values = cells
    rig.store.insert(table, columns, [[*row, *values]])
    (status,) = rig.tick(BASE + 3 * MINUTE)
    counts = status.counts
    assert (counts.good, counts.bad, counts.unknown) == expected
    assert counts.sampled == bool(threshold)
    if threshold:
        assert counts.squares == (48, 32)
        # Twenty durations of weight 4 are five spans.
        low, high = bad_ratio_bounds(12, 8, 48, 32)
        assert status.effective == pytest.approx(5)
        assert status.interval == pytest.approx((1 - high, 1 - low))
