"""Baselines of validation sets: what telemetry is held against that says nothing of validation, and how they are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from drift_rig import BOUNDS, CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig

from sloengine.evaluate.drift import indices
from sloengine.jobs.drift import keep_baseline
from sloengine.jobs.drift_look import look
from sloengine.monitor import Against, DriftMonitor, Values
from sloengine.tools.drift_baseline import Handed, Pin, list_baselines, pin_baseline, pin_handed
from sloengine.tools.drift_explain import Part, run_drift_explain

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
NOW = MIDNIGHT + 2 * DAY + HOUR + timedelta(minutes=10)
MONITOR = DriftMonitor("scores", SERVICE, METRIC, against=Against.PINNED, baseline="valid", persistence=(1, 1))
SHIFTED = np.roll(CALM, 2)
"""What version 2 gives, on its own validation set too."""
DEVICES = [Device(f"{region}-{n}", version=str(n), region=region) for region in ("eu", "us") for n in (1, 2)]


def handed(version: str, shares: np.ndarray, **change: Any) -> Handed:
    histogram = {"bounds": list(BOUNDS), "counts": [round(50_000 * s) for s in shares]}
    return replace(Handed("valid", "m", version, histogram, "ml", "accepted"), **change)


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    """Two days of two versions that are unlike each other, then an hour in which version 1 drifts in one region."""
    rig, dice = rigs(), np.random.default_rng(3)
    hours = Hours(rig.store)
    for h in range(49):
        for device in DEVICES:
            usual = CALM if device.version == "1" else SHIFTED
            shares = MOVED if h == 48 and device.name == "us-1" else usual
            hours.explicit(device, MIDNIGHT + h * HOUR, dice.multinomial(800, shares))
    hours.flush()
    watched_by(rig, MONITOR)
    return rig


def pinned(rig: Rig, *those: Handed) -> None:
    for number, one in enumerate(those):
        assert pin_handed(rig.deps, "scores", one, NOW + timedelta(milliseconds=number)).code == 0


def verdicts(rig: Rig) -> dict[tuple[str, ...], tuple[str, float]]:
    from sloengine.jobs.drift_look import write

    found = look(rig.store, MONITOR, MIDNIGHT + 2 * DAY + HOUR)
    assert found is not None
    write(rig.store, found, 1)
    rows = rig.rows("SELECT Level, ModelVersion, Region, DeviceId, Verdict, Psi FROM drift_by_series")
    return {
        tuple(r[k] for k in ("Level", "ModelVersion", "Region", "DeviceId") if r[k]): (r["Verdict"], r["Psi"])
        for r in rows
    }


def test_each_version_is_held_against_its_own_validation_set_on_every_level(rig: Rig) -> None:
    pinned(rig, handed("1", CALM), handed("2", SHIFTED))
    assert look(rig.store, MONITOR, NOW) is None, "how much hours vary is not known yet"
    assert keep_baseline(rig.deps, MONITOR, NOW) is not None
    found = verdicts(rig)
    drifting = {series for series, (verdict, _) in found.items() if verdict == "drift"}
    assert drifting == {("version", "1"), ("region", "1", "us"), ("device", "1", "us", "us-1")}
    assert found["device", "2", "eu", "eu-2"][0] == "no_drift"
    # Nobody said what is normal for the model as a whole.
    assert found["model",][0] == "no_baseline"
    now = rig.rows(
        f"SELECT Counts FROM histogram_hours WHERE DeviceId = 'us-1' AND Hour = '{MIDNIGHT + 2 * DAY:%Y-%m-%d %H:%M:%S}'"
    )[0]["Counts"]
    held = np.array([round(50_000 * s) for s in CALM], dtype=float)
    told = run_drift_explain(rig.deps, "scores", Part("m", "1", "us", "us-1"), NOW).found["bins"]
    moved = {b["bin"]: (b["then"], b["now"]) for b in told}
    assert moved["up to 0.1"] == pytest.approx((held[0] / held.sum(), now[0] / sum(now)))
    assert found["device", "1", "us", "us-1"][1] == pytest.approx(float(indices.psi(held, np.array(now))), rel=1e-9)


def test_a_model_s_validation_set_stands_for_versions_that_have_none(rig: Rig) -> None:
    pinned(rig, handed("", CALM), handed("2", SHIFTED))
    keep_baseline(rig.deps, MONITOR, NOW)
    found = verdicts(rig)
    assert found["device", "1", "us", "us-1"][0] == "drift"
    assert found["device", "1", "eu", "eu-1"][0] == "no_drift"
    assert found["device", "2", "us", "us-2"][0] == "no_drift"
    # Half of what the model as a whole gives is version 2's.
    assert found["model",][0] == "drift"


def test_pinning_one_version_keeps_the_others_and_the_same_again_changes_nothing(rig: Rig) -> None:
    pinned(rig, handed("1", CALM), handed("2", SHIFTED))
    first, second = list_baselines(rig.deps, "scores").found["baselines"][::-1]
    # Both came in one second.
    assert second["version"] == first["version"] + 1
    assert (first["series"], second["series"], second["kind"]) == (1, 2, "validation")
    pinned(rig, handed("2", SHIFTED))
    assert len(list_baselines(rig.deps, "scores").found["baselines"]) == 2
    pinned(rig, handed("2", CALM))
    newest = list_baselines(rig.deps, "scores").found["baselines"][0]
    assert (newest["series"], newest["events"]) == (2, 100_000)


def test_telemetry_that_is_pinned_later_under_the_name_takes_its_place(rig: Rig) -> None:
    pinned(rig, handed("1", CALM))
    later = NOW + timedelta(minutes=1)
    pin = Pin("valid", f"{MIDNIGHT:%Y-%m-%d}", f"{MIDNIGHT + 2 * DAY:%Y-%m-%d}", "ml", "better")
    assert pin_baseline(rig.deps, "scores", pin, later).code == 0
    found = look(rig.store, MONITOR, MIDNIGHT + 2 * DAY + HOUR)
    assert found is not None
    assert found.version.kind == "pinned"


EXPONENTIAL = {"scale": 2, "zero_count": 0, "positive": {"offset": -8, "counts": [300] * 8}}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"histogram": {"bounds": [0.5], "counts": [3, 4]}}, 1, "refused: it holds 7 events, and 1000 are needed"),
        ({"histogram": {"bounds": [0.5], "counts": [0, 0]}}, 2, "it holds no event"),
        ({"histogram": {"bounds": [0.5], "counts": [1]}}, 2, "1 counts do not go with 1 bounds"),
        ({"histogram": {"categories": {"a": 5000}}}, 2, "scores compares numbers, and this histogram holds categories"),
        ({"histogram": [1]}, 2, "expected one object"),
        (
            {"histogram": EXPONENTIAL, "version": "2"},
            2,
            "its bins don't go into those that 'valid' has of other versions",
        ),
        ({"model": ""}, 2, "a validation set is one of a model"),
        ({"author": ""}, 2, "has an author and a reason"),
    ],
)
def test_what_is_no_baseline_is_refused_and_what_there_is_stays(
    rigs: Callable[..., Rig], change: dict[str, Any], code: int, said: str
) -> None:
    rig = rigs()
    watched_by(rig, MONITOR)
    pinned(rig, handed("1", CALM))
    refused = pin_handed(rig.deps, "scores", replace(handed("1", CALM), **change), NOW + timedelta(minutes=1))
    assert (refused.code, said in refused.text) == (code, True), refused.text
    good = [b for b in list_baselines(rig.deps, "scores").found["baselines"] if b["quality"] == "good"]
    assert [b["events"] for b in good] == [50_000]


def test_exponential_validation_sets_of_any_range_go_together(rigs: Callable[..., Rig]) -> None:
    rig = rigs()
    watched_by(rig, MONITOR)
    wider = {"scale": 2, "zero_count": 0, "positive": {"offset": -12, "counts": [300] * 12}}
    pinned(rig, handed("1", CALM, histogram=EXPONENTIAL), handed("2", CALM, histogram=wider))
    newest = list_baselines(rig.deps, "scores").found["baselines"][0]
    assert (newest["series"], newest["events"]) == (2, 8 * 300 + 12 * 300)


def test_classes_have_validation_sets_too(rigs: Callable[..., Rig]) -> None:
    rig = rigs()
    classes = DriftMonitor(
        "scores", SERVICE, "found", Values.CLASSES, "digit", against=Against.PINNED, baseline="valid"
    )
    watched_by(rig, classes)
    pinned(
        rig,
        handed("1", CALM, histogram={"categories": {"b": 900, "a": 200}}),
        handed("2", CALM, histogram={"categories": {"c": 5000}}),
    )
    rows = rig.rows("SELECT Labels FROM drift_baseline_versions FINAL ORDER BY Version DESC")
    assert rows[0]["Labels"] == ["a", "b", "c"]
    counts = rig.rows(
        "SELECT Counts FROM drift_baselines WHERE Version = (SELECT max(Version) FROM drift_baselines) ORDER BY Events"
    )
    assert [row["Counts"] for row in counts] == [[0, 200, 900, 0], [0, 0, 0, 5000]]
