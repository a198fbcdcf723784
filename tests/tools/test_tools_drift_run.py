"""`drift run` and `drift baseline`: what they tell, store, refuse, and their exit codes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from drift_rig import CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig

from sloengine.monitor import Against, DriftMonitor
from sloengine.tools.drift_baseline import Pin, list_baselines, pin_baseline
from sloengine.tools.drift_run import run_drift

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
MONITOR = DriftMonitor("scores", SERVICE, METRIC, levels=("model", "version", "region"), persistence=(1, 1))
NOW = MIDNIGHT + 2 * DAY + HOUR + timedelta(minutes=10)


def filled(rigs: Callable[..., Rig], moved: str, monitor: DriftMonitor = MONITOR) -> Rig:
    rig, dice = rigs(), np.random.default_rng(1)
    hours = Hours(rig.store)
    for h in range(49):
        for region in ("eu", "us", "ap"):
            shares = MOVED if h == 48 and region == moved else CALM
            hours.explicit(Device(f"{region}-1", region=region), MIDNIGHT + h * HOUR, dice.multinomial(500, shares))
    hours.flush()
    watched_by(rig, monitor)
    return rig


def test_what_drifts_is_told_with_its_place_and_its_members(rigs: Callable[..., Rig]) -> None:
    rig = filled(rigs, "us")
    outcome = run_drift(rig.deps, "scores", NOW)
    assert outcome.code == 1
    assert "DRIFT of model m, version 1, region us" in outcome.text
    [finding] = outcome.found["findings"]
    assert (finding["kind"], finding["region"], finding["versions"]) == ("region", "us", ["1"])
    assert finding["members"][0]["effect"] > 0.1
    assert outcome.found["series"]["no_drift"] >= 2
    assert outcome.found["window_end"] == MIDNIGHT + 2 * DAY + HOUR
    assert rig.pager.received == []
    stored = rig.rows("SELECT count() AS n FROM drift_verdicts FINAL")
    assert stored[0]["n"] == sum(outcome.found["series"].values())


def test_a_calm_fleet_is_told_to_be_calm(rigs: Callable[..., Rig]) -> None:
    outcome = run_drift(filled(rigs, "nowhere").deps, "scores", NOW)
    assert (outcome.code, outcome.found["findings"]) == (0, [])
    assert "nothing drifts" in outcome.text


def test_mistakes_are_told_with_what_to_do(rigs: Callable[..., Rig]) -> None:
    rig = filled(rigs, "us")
    assert "did you mean scores?" in run_drift(rig.deps, "score", NOW).text
    assert run_drift(rig.deps, "scores", NOW, at="tomorrow").code == 2
    rig.deps.catalogue = replace(rig.catalogue, monitors=())
    assert "the catalogue has no DriftMonitor" in run_drift(rig.deps, "scores", NOW).text
    watched_by(rig, replace(MONITOR, metric="edge.input.feature"))
    refused = run_drift(rig.deps, "scores", NOW)
    assert (refused.code, "has no baseline" in refused.text) == (2, True)


def test_a_baseline_is_pinned_listed_and_used(rigs: Callable[..., Rig]) -> None:
    pinned = replace(MONITOR, against=Against.PINNED, baseline="validated")
    rig = filled(rigs, "us", pinned)
    assert run_drift(rig.deps, "scores", NOW).code == 2
    pin = Pin("validated", f"{MIDNIGHT:%Y-%m-%d}", f"{MIDNIGHT + 2 * DAY:%Y-%m-%d}", "ml", "accepted with release 1")
    made = pin_baseline(rig.deps, "scores", pin, NOW)
    assert (made.code, made.found["quality"], made.found["events"]) == (0, "good", 48 * 3 * 500)
    assert "does not use it" not in made.text
    listed = list_baselines(rig.deps, "scores")
    [row] = listed.found["baselines"]
    assert (row["name"], row["kind"], row["author"], row["reason"]) == (
        "validated",
        "pinned",
        "ml",
        "accepted with release 1",
    )
    assert len(row["checksum"]) == 64
    outcome = run_drift(rig.deps, "scores", NOW)
    assert (outcome.code, outcome.found["baseline"]["version"]) == (1, row["version"])


@pytest.mark.parametrize(
    ("change", "said", "code"),
    [
        ({"end": f"{MIDNIGHT + 5 * HOUR:%Y-%m-%dT%H:%M}"}, "24 are needed", 1),
        ({"end": f"{MIDNIGHT - DAY:%Y-%m-%d}"}, "holds no whole window", 2),
        ({"author": ""}, "an author", 2),
        ({"begin": "yesterday"}, "is not a moment", 2),
    ],
)
def test_a_pin_that_is_none_is_refused(rigs: Callable[..., Rig], change: dict[str, str], said: str, code: int) -> None:
    rig = filled(rigs, "us")
    pin = replace(Pin("v", f"{MIDNIGHT:%Y-%m-%d}", f"{MIDNIGHT + 2 * DAY:%Y-%m-%d}", "ml", "because"), **change)
    outcome = pin_baseline(rig.deps, "scores", pin, NOW)
    assert outcome.code == code
    assert said in outcome.text


def test_of_a_pin_that_the_monitor_does_not_use_it_is_said(rigs: Callable[..., Rig]) -> None:
    rig = filled(rigs, "us")
    pin = Pin("v", f"{MIDNIGHT:%Y-%m-%d}", f"{MIDNIGHT + 2 * DAY:%Y-%m-%d}", "ml", "because")
    assert "the monitor does not use it" in pin_baseline(rig.deps, "scores", pin, NOW).text
