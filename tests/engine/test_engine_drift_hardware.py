"""Hardware and rollouts are segments: what drifts on one kind of machine, wherever it stands, is one finding that names it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
from drift_rig import BOUNDS, CALM, METRIC, MOVED, watched_by
from engine_rig import DELTA, HOUR, SERVICE, SHARED_COLUMNS, Rig, Series

from sloengine.jobs.drift import SETTLE, watch
from sloengine.jobs.drift_alerts import findings_of
from sloengine.monitor import DriftMonitor

MONITOR = DriftMonitor("scores", SERVICE, METRIC, segments=("edge.hardware", "edge.rollout.id"), persistence=(1, 1))


def test_one_kind_of_hardware_that_drifts_in_all_regions_is_named(rig: Rig) -> None:
    watched_by(rig, MONITOR)
    dice, rows = np.random.default_rng(8), []
    begin = rig.clock.now.replace(hour=0, minute=0, second=0) - timedelta(days=2)
    for h in range(25):
        for n, region in enumerate(("eu", "us", "eu", "us", "eu", "us", "eu", "us")):
            hardware = "jetson" if n < 4 else "pi5"
            who = Series(device=f"node-{n}", region=region, rollout=f"r-{n % 2}", temporality=DELTA)
            counts = dice.multinomial(900, MOVED if h == 24 and hardware == "jetson" else CALM)
            at = begin + h * HOUR + timedelta(minutes=30)
            row = replace(who, start=at - timedelta(minutes=1)).row(METRIC, "1", at, None, None)
            row[0] = {**row[0], "edge.hardware": hardware}
            rows.append([*row, int(counts.sum()), counts.tolist(), list(BOUNDS)])
    columns = [*SHARED_COLUMNS, "Count", "BucketCounts", "ExplicitBounds"]
    rig.store.insert("otel_metrics_histogram", columns, rows)
    now = begin + 25 * HOUR + SETTLE + timedelta(minutes=1)
    rig.tick(now)
    rig.deps.counted_until = now
    [look] = watch(rig.deps, now)
    [finding] = findings_of(rig.deps, look)
    assert (finding.model, finding.versions, finding.segments) == ("m", ("1",), (("edge.hardware", "jetson"),))
    assert rig.rows("SELECT DISTINCT Value FROM drift_by_series WHERE Segment = 'edge.rollout.id' ORDER BY Value") == [
        {"Value": "r-0"},
        {"Value": "r-1"},
    ]
