"""`drift explain`: the figures of one series, its bins, and whether its segments or their shares have changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from drift_rig import CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig

from sloengine.evaluate.drift import indices
from sloengine.monitor import Against, DriftMonitor
from sloengine.tools.drift_explain import Part, run_drift_explain
from sloengine.tools.drift_run import run_drift

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
NOW = MIDNIGHT + 2 * DAY + HOUR + timedelta(minutes=10)
MONITOR = DriftMonitor("scores", SERVICE, METRIC, levels=("model", "version", "region"), segments=("segment",))
OWN = {"large": CALM, "small": CALM[::-1]}
"""Segments that are unlike each other: a shift of their shares looks like drift."""


def filled(
    rigs: Callable[..., Rig], now: dict[str, tuple[int, np.ndarray]], monitor: DriftMonitor = MONITOR
) -> tuple[Rig, Hours]:
    """Two days of as much of each segment, then an hour of so many events of these distributions."""
    rig, dice = rigs(), np.random.default_rng(1)
    hours = Hours(rig.store)
    for h in range(49):
        for segment, shares in OWN.items():
            n, p = now[segment] if h == 48 else (500, shares)
            hours.explicit(Device("eu-1", segment=segment), MIDNIGHT + h * HOUR, dice.multinomial(n, p))
    hours.flush()
    watched_by(rig, MONITOR)
    run_drift(rig.deps, "scores", NOW)
    return rig


@pytest.mark.parametrize(
    ("now", "verdict"),
    [
        ({"large": (1600, OWN["large"]), "small": (400, OWN["small"])}, "mix"),
        ({"large": (1000, MOVED), "small": (1000, OWN["small"])}, "drift"),
        ({"large": (1000, OWN["large"]), "small": (1000, OWN["small"])}, "neither"),
    ],
)
def test_a_shift_of_the_mix_is_told_from_drift(
    rigs: Callable[..., Rig], now: dict[str, tuple[int, np.ndarray]], verdict: str
) -> None:
    rig = filled(rigs, now)
    outcome = run_drift_explain(rig.deps, "scores", Part("m", "1"), NOW)
    [mix] = outcome.found["mix"]
    assert (mix["attribute"], mix["verdict"]) == ("segment", verdict)
    assert {s["value"] for s in mix["segments"]} == {"large", "small"}
    assert outcome.code == (verdict != "neither")
    if verdict == "mix":
        assert "segments are as they were; their shares have changed" in outcome.text


def test_the_worst_is_told_with_its_bins_and_its_looks(rigs: Callable[..., Rig]) -> None:
    rig = filled(rigs, {"large": (1000, MOVED), "small": (1000, OWN["small"])})
    outcome = run_drift_explain(rig.deps, "scores", Part(), NOW)
    assert outcome.found["series"] == {"model": "m", "version": "1", "segment": "segment=large"}
    rows = rig.rows("SELECT Hour, Counts FROM histogram_hours WHERE Attributes LIKE '%large%'")
    base, current = (
        np.sum([r["Counts"] for r in rows if (r["Hour"] < MIDNIGHT + 2 * DAY) == past], axis=0)
        for past in (True, False)
    )
    assert outcome.found["look"]["Psi"] == pytest.approx(float(indices.psi(base, current)))
    top = outcome.found["bins"][0]
    assert top["bin"] == "up to 0.1"
    assert top["now"] == pytest.approx(current[0] / current.sum())
    assert top["then"] == pytest.approx(base[0] / base.sum())
    began = outcome.found["began"]
    assert (began["at"], began["between"], began["before"]) == (MIDNIGHT + 2 * DAY, (MIDNIGHT + 2 * DAY,) * 2, False)
    assert f"began {MIDNIGHT + 2 * DAY:%Y-%m-%d %H:%M}" in outcome.text
    assert len(outcome.found["past"]) == 48
    assert outcome.found["past"][-1]["psi"] == pytest.approx(outcome.found["look"]["Psi"])


def test_what_no_look_speaks_of_is_refused_with_what_there_is(rigs: Callable[..., Rig]) -> None:
    rig = filled(rigs, {"large": (100, OWN["large"]), "small": (100, OWN["small"])})
    outcome = run_drift_explain(rig.deps, "scores", Part("m", "1", "mars"), NOW)
    assert outcome.code == 2
    assert "region mars; on that level there are" in outcome.text
    assert "model m, version 1, region eu" in outcome.text
    empty = rigs()
    watched_by(empty, MONITOR)
    assert "has not looked yet" in run_drift_explain(empty.deps, "scores", Part(), NOW).text


@pytest.mark.parametrize("against", [Against.CONTROL, Against.PREVIOUS, Against.LAST_WEEK])
def test_every_kind_of_baseline_is_read_as_the_look_read_it(rigs: Callable[..., Rig], against: Against) -> None:
    rig, dice = rigs(), np.random.default_rng(2)
    hours, monitor = Hours(rig.store), replace(MONITOR, against=against, levels=("model", "version"))
    for h in range(48):
        hours.explicit(Device(segment="large"), MIDNIGHT + h * HOUR, dice.multinomial(500, CALM))
    now = MIDNIGHT + 2 * DAY
    hours.explicit(Device(segment="large"), now - 7 * DAY, dice.multinomial(900, CALM))
    hours.explicit(Device(version="2", segment="large"), now - 7 * DAY, dice.multinomial(800, CALM))
    hours.explicit(Device(segment="large"), now, dice.multinomial(700, CALM))
    hours.explicit(Device(version="2", segment="large"), now, dice.multinomial(600, MOVED))
    hours.flush()
    watched_by(rig, monitor)
    if against is Against.PREVIOUS:
        rig.store.command(
            "ALTER TABLE histogram_hours DELETE WHERE Hour < now() - INTERVAL 6 DAY SETTINGS mutations_sync = 1"
        )
    assert run_drift(rig.deps, "scores", NOW).code in (0, 1)
    outcome = run_drift_explain(rig.deps, "scores", Part("m", "2"), NOW)
    expected = {Against.CONTROL: 700, Against.PREVIOUS: 48 * 500, Against.LAST_WEEK: 800}[against]
    assert outcome.found["look"]["M"] == expected
    assert outcome.found["bins"]
    assert outcome.found["past"][-1]["psi"] == pytest.approx(outcome.found["look"]["Psi"])
