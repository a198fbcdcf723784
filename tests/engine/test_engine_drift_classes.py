"""Counts of classes from the raw table to a verdict: the same roll-up, baseline and look as for scores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from drift_rig import watched_by
from engine_rig import DELTA, HOUR, SERVICE, SUM_COLUMNS, Rig, Series

from sloengine.evaluate.drift import indices
from sloengine.jobs.drift import SETTLE, watch
from sloengine.monitor import DriftMonitor, Values

DAY = timedelta(days=1)
CLASSES = ("cat", "dog", "owl")
CALM, MOVED = np.array([0.6, 0.3, 0.1]), np.array([0.35, 0.35, 0.3])
MONITOR = DriftMonitor(
    "classes", SERVICE, "animals.found", Values.CLASSES, "animal", ("model", "version", "region"), persistence=(1, 1)
)


def test_a_class_that_becomes_frequent_in_a_region_is_found_from_raw_counters(rig: Rig) -> None:
    """A day and an hour of deltas; in the last hour one region sees other animals, and one that nobody knew."""
    watched_by(rig, MONITOR)
    dice, begin = np.random.default_rng(4), rig.clock.now.replace(hour=0, minute=0, second=0) - 2 * DAY
    last, rows = {}, []
    for h in range(25):
        for region in ("eu", "us"):
            moved = h == 24 and region == "us"
            drawn = dice.multinomial(2_000, MOVED if moved else CALM)
            counts = dict(zip(CLASSES, drawn.tolist(), strict=True)) | ({"yak": 90} if moved else {})
            last[region] = counts
            for animal, count in counts.items():
                who = Series(device=f"{region}-1", region=region, temporality=DELTA, extra=(("animal", animal),))
                at = begin + h * HOUR + timedelta(minutes=30)
                row = replace(who, start=at - timedelta(minutes=1)).row("animals.found", "{animal}", at, None, None)
                rows.append([*row, float(count), True])
    rig.store.insert("otel_metrics_sum", SUM_COLUMNS, rows)
    now = begin + 25 * HOUR + SETTLE + timedelta(minutes=1)
    rig.tick(now)
    rig.deps.counted_until = now
    assert [found.end for found in watch(rig.deps, now)] == [begin + 25 * HOUR]
    found = rig.rows("SELECT Level, Region, Verdict, N, Psi, Chi2 FROM drift_by_series")
    verdicts = {row["Region"]: row["Verdict"] for row in found if row["Level"] == "region"}
    assert verdicts == {"eu": "no_drift", "us": "drift"}
    [us] = [row for row in found if row["Region"] == "us"]
    assert us["N"] == sum(last["us"].values())
    [version] = rig.rows("SELECT Labels FROM drift_baseline_versions FINAL")
    assert version["Labels"] == list(CLASSES)
    # A class that the baseline doesn't know counts with its first bin, of everything else.
    day = rig.rows(
        "SELECT JSONExtractString(Attributes, 'animal') AS Animal, sum(Events) AS N FROM count_hours FINAL"
        f" WHERE Region = 'us' AND Measure = 'animals.found' AND Hour < '{begin + DAY:%Y-%m-%d %H:%M:%S}' GROUP BY Animal"
    )
    base = {row["Animal"]: row["N"] for row in day}
    assert sum(base.values()) == 24 * 2_000
    before = np.array([0.0, *(base[animal] for animal in CLASSES)])
    after = np.array([90.0, *(last["us"][animal] for animal in CLASSES)])
    assert us["Psi"] == pytest.approx(float(indices.psi(before, after)), rel=1e-9)
