"""Histograms cut into bands keep what was known of their events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig, Series, slo

from sloengine import jobs

FAST, SLOW = -160, -32
"""Buckets of scale 5 around 31 ms and half a second: on both sides of M2's 100 ms."""


def _tell(rig: Rig, series: Series, minute: int, fast: int, slow: int, *, off: timedelta = timedelta()) -> None:
    at = BASE + minute * MINUTE
    counts = [0] * (SLOW - FAST + 1)
    counts[0], counts[-1] = fast, slow
    rig.points.duration(series, at + off, (5, 0, FAST, counts), ingested=at + timedelta(seconds=2))


def _marks(rig: Rig) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Marks of histograms and of their bands; and each band's figures, of minutes with marks."""
    both = []
    for table in ("histogram_minutes", "count_minutes"):
        sql = (
            f"SELECT sum(Bridged) AS b, sum(Shifted) AS s FROM {table} FINAL WHERE Measure = 'edge.inference.duration'"
        )
        both += rig.rows(sql)
    bands = rig.rows(
        "SELECT JSONExtractString(Attributes, 'le') AS le, Events, Bridged, Shifted FROM count_minutes FINAL"
        " WHERE Measure = 'edge.inference.duration' AND Bridged + Shifted > 0 AND Events > 0 ORDER BY Minute, le"
    )
    return both[0], both[1], bands


def test_bands_share_the_bridged_events_of_their_histogram(rigs: Any) -> None:
    rig = rigs(slos=(slo("latency", "M2", by=()),))
    series = Series(start=BASE - HOUR)
    for minute, (fast, slow) in enumerate([(0, 0), (8, 2), (16, 4)]):
        _tell(rig, series, minute, fast, slow)
    # Nothing for twenty minutes, then what was counted meanwhile.
    _tell(rig, series, 22, 16 + 70, 4 + 31)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 30 * MINUTE)
    whole, banded, bands = _marks(rig)
    assert whole["b"] == 101
    assert banded["b"] == pytest.approx(101, abs=2e-6)
    assert sorted((r["Events"], r["Bridged"]) for r in bands) == [(31, 31), (70, 70)]
    (status,) = jobs.evaluate(rig.deps, BASE + 30 * MINUTE)
    assert status.counts.bridged == pytest.approx(101, abs=2e-6)


def test_where_only_some_events_were_bridged_each_band_has_its_share(rigs: Any) -> None:
    """One series of the minute came back after an outage, another never was away."""
    rig = rigs(slos=(slo("latency", "M2", by=()),))
    away, steady = Series(device="a", start=BASE - HOUR), Series(device="b", start=BASE - HOUR)
    for minute in range(23):
        _tell(rig, steady, minute, 30 * minute, 0)
    _tell(rig, away, 0, 0, 0)
    _tell(rig, away, 22, 0, 10)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 30 * MINUTE)
    whole, banded, bands = _marks(rig)
    assert (whole["b"], banded["b"]) == (10, pytest.approx(10, abs=2e-6))
    assert sorted((r["Events"], round(r["Bridged"], 6)) for r in bands) == [(10, 2.5), (30, 7.5)]


def test_bands_share_the_shifted_events_of_their_histogram(rigs: Any) -> None:
    rig = rigs(slos=(slo("latency", "M2", by=()),))
    series = Series(start=BASE - 2 * HOUR)
    for minute in range(31):
        _tell(rig, series, minute, 8 * minute, 2 * minute, off=-HOUR)
        # Clocks are found by the counters.
        at = BASE + minute * MINUTE
        rig.points.count(series, at - HOUR, 10 * minute, ingested=at + timedelta(seconds=2))
    rig.points.flush()
    for minute in range(0, 50, 5):
        jobs.roll_up(rig.deps, BASE + minute * MINUTE)
    whole, banded, _ = _marks(rig)
    assert whole["s"] == 300
    assert banded["s"] == pytest.approx(300, abs=1e-4)
