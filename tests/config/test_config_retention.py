"""A window may be as long as what is counted is kept, whatever the telemetry behind it; the tables' own TTLs say how long."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from sloengine.config.sources import DERIVED, LOOKBACK_MAX
from sloengine.config.windows import MAX_WINDOW, NOMINAL
from sloengine.jobs import indicators, predictions, rollouts, slices
from sloengine.jobs.roll_up import RETENTION

MIGRATIONS = Path(indicators.__file__).parents[1] / "store" / "migrations"
DAY = timedelta(days=1)
COUNTED = ("count_minutes", "count_hour_minutes", "count_hours", "count_days", "histogram_hours")
SOURCES = {
    "predictions": (predictions.KEPT, ("predictions", "prediction_places", "labels")),
    "label.lag": (predictions.KEPT, ("predictions", "labels")),
    "calibration.ece": (predictions.KEPT, ("predictions", "labels")),
    "rollout.devices": (rollouts.KEPT, ("device_updates", "rollout_targets")),
    "nodes.heard": (RETENTION, ("node_minutes",)),
    "drift.psi": (indicators.REACH, ("histogram_minutes",)),
    "retrain.step": (indicators.REACH, ("count_hours",)),
    "slo.burning": (MAX_WINDOW, ("slo_status",)),
}
"""How far back the job of a derived measure counts anew, and the tables that it reads for that."""


def kept() -> dict[str, timedelta]:
    """How long each table keeps its rows, by the newest migration that says so."""
    found: dict[str, timedelta] = {}
    for file in sorted(MIGRATIONS.glob("*.sql")):
        text = file.read_text(encoding="utf-8")
        table = re.search(r"(?:CREATE TABLE IF NOT EXISTS|ALTER TABLE) (\w+)", text)
        days = re.search(r"TTL .*?toIntervalDay\((\d+)\)", text)
        if table and days:
            found[table[1]] = int(days[1]) * DAY
    return found


@pytest.mark.parametrize("table", COUNTED)
def test_what_is_counted_is_kept_as_long_as_the_longest_window(table: str) -> None:
    assert kept()[table] >= MAX_WINDOW


def test_the_longest_calendar_periods_fit_too() -> None:
    longest = {"month": 31, "quarter": 92, "year": 366, "week": 7, "day": 1}
    for unit, days in NOMINAL.items():
        most = MAX_WINDOW // (days * DAY)
        # Thirteen months are at most 397 days, four quarters and a year 366.
        real = {"month": 366 + 31, "quarter": 366, "year": 366}.get(unit, most * longest[unit])
        assert real * DAY <= MAX_WINDOW, unit


@pytest.mark.parametrize("measure", list(SOURCES))
def test_nothing_is_counted_anew_from_a_source_that_has_expired(measure: str) -> None:
    """A minute counted again without its rows would say that every node was silent, or that nobody predicted anything."""
    reach, tables = SOURCES[measure]
    for table in tables:
        assert reach < kept()[table] or (measure == "slo.burning" and reach <= kept()[table]), table


def test_every_derived_measure_is_in_this_table() -> None:
    assert set(SOURCES) == set(DERIVED)


def test_raw_telemetry_outlives_what_is_counted_anew_from_it() -> None:
    raw = [days for table, days in kept().items() if table.startswith("otel_")]
    assert len(raw) >= 7
    assert min(raw) > max(RETENTION, LOOKBACK_MAX, slices.REACH)
