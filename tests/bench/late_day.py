"""A node was away for a day: its whole day arrives at once, a point of each series every 10 s, and is recomputed.

The other nodes of its gateway and of two more have their day in the store already, folded.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_store import MEMORY_GOAL_MB, EngineProcess, Job, a_store, database, engine_on, entry, size
from slo_windows import slos_over

from sloengine.jobs.roll_up import roll_up
from sloengine.model import Catalogue
from sloengine.store.client import Store

NODES = size("NODES", 30)
LATE = size("LATE_DAYS", 5)
"""Nodes that come back, one after the other: each is one measurement."""
GATEWAYS, EVERY_S, DAY_S = 3, 10, 86_400
NOW = (datetime.now(UTC) - timedelta(hours=2)).replace(second=0, microsecond=0)
YESTERDAY = NOW.replace(hour=0, minute=0) - timedelta(days=1)
GOAL_S = 1.0


def run() -> list[dict[str, Any]]:
    with a_store() as url:
        store = database(url, "late")
        with EngineProcess(url, "late", Job(_engine)) as engine:
            for node in range(NODES):
                _day_of(store, node, NOW - timedelta(minutes=10))
            first_s, batches = engine.do(NOW - timedelta(minutes=5))
            engine.do(NOW - timedelta(minutes=3))
            took = []
            for number in range(LATE):
                arrives = NOW + timedelta(minutes=3 * number)
                _day_of(store, NODES + number, arrives)
                took.append(engine.do(arrives + timedelta(seconds=30))[0])
                # The next tick sees it once more, as its watermark trails; the one after it no longer.
                engine.do(arrives + timedelta(seconds=90))
            memory = engine.peak_mb
        rows = store.sql_rows(
            "SELECT sum(Items) AS n FROM count_minutes FINAL WHERE Measure = 'edge.inference.requests'"
        )
    expected = (NODES + LATE) * DAY_S // EVERY_S * 2
    if rows[0]["n"] != expected:
        raise RuntimeError(f"{rows[0]['n']} points were folded, not {expected}")
    points = DAY_S // EVERY_S
    detail = (
        f"{NODES} other nodes behind {GATEWAYS} gateways; their own first day: {first_s:.1f} s in {batches} batches"
    )
    return [
        entry(
            f"late day of a node, {points} points in each of 3 series",
            statistics.median(took),
            GOAL_S,
            unit="s",
            detail=detail,
        ),
        entry("late day of a node, memory of the engine", memory, MEMORY_GOAL_MB, unit="MB"),
    ]


def _engine(url: str, name: str, folder: Path) -> Callable[[datetime], int]:
    engine = engine_on(url, name, Catalogue(slos_over("camera"), ()), folder)
    return lambda now: roll_up(engine, now)


def _day_of(store: Store, node: int, arrived: datetime) -> None:
    """Requests by outcome, cumulative, and their durations, as one node counts them through a day."""
    shared = """ResourceAttributes, ScopeName, ServiceName, MetricName, MetricUnit, Attributes, StartTimeUnix, TimeUnix,
        AggregationTemporality, IngestTime"""
    common = f"""map('service.name', 'camera', 'device.id', 'node-{node}', 'edge.region', 'eu',
        'edge.gateway.id', 'gw-{node % GATEWAYS}'),
        'sloengine.edge', 'camera'"""
    start = f"toDateTime64('{YESTERDAY:%Y-%m-%d %H:%M:%S}', 9, 'UTC')"
    when = (
        f"{start}, {start} + toIntervalSecond({EVERY_S} * n), 2, toDateTime64('{arrived:%Y-%m-%d %H:%M:%S}', 3, 'UTC')"
    )
    model = "'edge.model.name', 'digits', 'edge.model.version', '1'"
    points = DAY_S // EVERY_S
    store.command(
        f"""INSERT INTO otel_metrics_sum ({shared}, Value, IsMonotonic)
        WITH intDiv(number, 2) AS n, number % 2 AS bad
        SELECT {common}, 'edge.inference.requests', '', map({model}, 'edge.inference.outcome', if(bad, 'failure', 'success')),
            {when}, if(bad, intDiv(n, 50), n * 7), true FROM numbers({2 * points})"""
    )
    store.command(
        f"""INSERT INTO otel_metrics_exponential_histogram ({shared},
            Count, Scale, ZeroCount, PositiveOffset, PositiveBucketCounts)
        WITH number AS n
        SELECT {common}, 'edge.inference.duration', 's', map({model}), {when},
            7 * n, 6, 0, -300, arrayMap(i -> intDiv(n * (i + 7), 20), range(40)) FROM numbers({points})"""
    )
