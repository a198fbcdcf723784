"""Evaluate: sums over windows in, a status of every slice of every SLO out."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sloengine.errors import SloengineError
from sloengine.evaluate.burn import windows_of
from sloengine.evaluate.histogram import summarise
from sloengine.evaluate.judge import Sums, judge
from sloengine.jobs.deps import Deps
from sloengine.model import (
    DIMENSIONS,
    Counts,
    Group,
    Latency,
    Slo,
    State,
    Status,
)
from sloengine.rollup.plan import floor_minute
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")


def evaluate(engine: Deps, now: datetime) -> list[Status]:
    """Judge every SLO on all its windows with one query per bucket shape; an SLO that fails is broken, the others go on."""
    spans = sorted({span for slo in engine.catalogue.slos for span in windows_of(slo)})
    if not spans:
        return []
    end = floor_minute(now)
    counted = engine.store.rows("window_counts", spans=[int(s.total_seconds()) for s in spans], end=end)
    sums = {name: [_sums(r, spans) for r in counted if r["Indicator"] == name] for name in ("M1", "M4")}
    covered = {tuple(s.dimensions.values()): s for s in sums["M1"]}
    statuses: list[Status] = []
    for slo in engine.catalogue.slos:
        try:
            mine = _latency_sums(engine, slo, spans, end, covered) if slo.indicator == "M2" else sums[slo.indicator]
            statuses += judge(slo, mine, engine.catalogue.nodes, now)
        except SloengineError as error:
            log.error("SLO %s could not be evaluated: %s", slo.name, error)
            statuses.append(_broken(slo, now, str(error)))
    return statuses


def _broken(slo: Slo, now: datetime, reason: str) -> Status:
    return Status(slo, (), now, State.BROKEN, None, Counts(), None, None, (), reason)


def _sums(row: Mapping[str, Any], spans: Sequence[timedelta], covered: Sums | None = None) -> Sums:
    unknown, seconds = row.get("Unknown"), row.get("Covered")
    by_window = {
        span: Counts(
            int(row["Good"][i]),
            int(row["Bad"][i]),
            int(unknown[i]) if unknown else 0,
            float(seconds[i]) if seconds else (covered.by_window[span].covered_s if covered else 0.0),
        )
        for i, span in enumerate(spans)
    }
    return Sums({name: row[name] for name in DIMENSIONS}, by_window, utc(row["Last"]))


def _latency_sums(
    engine: Deps, slo: Slo, spans: Sequence[timedelta], end: datetime, covered: Mapping[tuple[str, ...], Sums]
) -> list[Sums]:
    rows = engine.store.rows(
        "window_latency", spans=[int(s.total_seconds()) for s in spans], end=end, threshold_s=slo.threshold_s
    )
    return [_sums(r, spans, covered.get(tuple(r[name] for name in DIMENSIONS))) for r in rows]


def latencies(engine: Deps, now: datetime) -> tuple[tuple[Group, Latency], ...]:
    """Quantiles of the last hour by service, model, version and region, from merged buckets."""
    parts: dict[Group, list[tuple[int, int, dict[int, int]]]] = {}
    end = floor_minute(now)
    for row in engine.store.rows("latency_buckets", start=end - timedelta(hours=1), end=end):
        group = tuple((name, row[name]) for name in ("service", "model", "version", "region"))
        parts.setdefault(group, []).append((row["Scale"], row["Zero"], row["Buckets"]))
    merged = ((group, summarise(items)) for group, items in sorted(parts.items()))
    return tuple((group, latency) for group, latency in merged if latency)
