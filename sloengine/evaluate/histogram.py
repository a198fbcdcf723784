"""Quantiles of merged exponential histograms. Source: OpenTelemetry metrics data model, exponential histogram. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sloengine.model import Latency

Buckets = Mapping[int, float]


def merge(parts: Iterable[tuple[int, float, Buckets]]) -> tuple[int, float, dict[int, float]]:
    """Merge ``(scale, zero, buckets)`` at the coarsest scale among them; exact, in any order."""
    items = list(parts)
    scale = min((s for s, _, _ in items), default=0)
    merged: dict[int, float] = {}
    for own, _, buckets in items:
        for index, count in buckets.items():
            # An arithmetic shift rounds towards minus infinity, which is what merging neighbours means below 1 s too.
            coarse = index >> (own - scale)
            merged[coarse] = merged.get(coarse, 0) + count
    return scale, sum(z for _, z, _ in items), merged


def quantile(scale: int, zero: float, buckets: Buckets, q: float) -> float | None:
    """The q-quantile as its bucket's geometric middle; None of nothing.

    The true value lies in the same bucket, so the relative error is at most :func:`relative_error`.
    """
    count = zero + sum(buckets.values())
    if count == 0:
        return None
    seen = zero
    if zero > 0 and q * count <= zero:
        return 0.0
    held = sorted(index for index, weight in buckets.items() if weight > 0)
    for index in held:
        seen += buckets[index]
        if q * count <= seen:
            break
    # Weights may be fractions, whose sum depends on the order of adding: the last bucket holds what rounding left over.
    return float(2.0 ** ((index + 0.5) * 2.0**-scale))


def relative_error(scale: int) -> float:
    """Largest relative distance of a bucket's geometric middle from a value inside it: 2^(2^-(scale+1)) - 1."""
    return float(2.0 ** (2.0 ** -(scale + 1)) - 1)


def summarise(parts: Iterable[tuple[int, float, Buckets]]) -> Latency | None:
    """p50, p95 and p99 in seconds with their error; None of nothing."""
    scale, zero, buckets = merge(parts)
    p50, p95, p99 = (quantile(scale, zero, buckets, q) for q in (0.5, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return None
    return Latency(p50, p95, p99, relative_error(scale), round(zero + sum(buckets.values())))
