"""What labels say of a drift, in `drift explain` and in the alert: over-confidence, and whether accuracy agrees."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from drift_rig import CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig, slo

from sloengine import jobs
from sloengine.evaluate.interval import bad_ratio_interval
from sloengine.jobs.drift import SETTLE, watch
from sloengine.monitor import DriftMonitor
from sloengine.tools.drift_explain import Part, run_drift_explain

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
BEGAN = MIDNIGHT + DAY + 2 * HOUR
END = BEGAN + 3 * HOUR
MONITOR = DriftMonitor("scores", SERVICE, METRIC, levels=("model", "version", "region"))
REGIONS = ("eu", "us", "ap")


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    """A day that is calm, two calm hours, then three in which a region drifts; M3 promises 0.9."""
    rig, dice = rigs(), np.random.default_rng(11)
    watched_by(rig, MONITOR)
    promised = replace(slo("digits-accuracy", "M1"), indicator="M3", target=0.9)
    rig.deps.catalogue = replace(rig.deps.catalogue, slos=(promised,))
    hours, at = Hours(rig.store), MIDNIGHT
    while at < END:
        for region in REGIONS:
            shares = MOVED if region == "us" and at >= BEGAN else CALM
            hours.explicit(Device(f"{region}-1", region=region), at, dice.multinomial(500, shares))
        at += HOUR
    hours.flush()
    return rig


def recorded(rig: Rig, *, right: float, labelled: float, weight: float | None = 2.0) -> list[dict[str, Any]]:
    """Predictions of all regions, each delivered twice; before the drift 19 of 20 are right. What is told of `us` since."""
    dice, rows, labels, told = np.random.default_rng(5), [], [], []
    columns = ["Timestamp", "IngestTime", "GatewayTime", "GatewayId", "DeviceId", "Region", "ServiceName", "ModelName",
        "ModelVersion", "PredictionId", "Score", "Label", "Weight"]  # fmt: skip
    for n in range(600):
        at = MIDNIGHT + DAY + n * timedelta(seconds=30)
        for region in REGIONS:
            drifts = region == "us" and at >= BEGAN
            ident, score = f"{region}-{n}", 0.9 + 0.08 * dice.random()
            good = bool(dice.random() < (right if drifts else 0.95))
            rows += [[at, at, at, "gw", f"{region}-1", region, SERVICE, "m", "1", ident, score, "7", weight]] * 2
            known = bool(dice.random() < (labelled if drifts else 1.0))
            if known:
                labels.append([ident, SERVICE, at + HOUR, "7" if good else "1", at + HOUR, at + HOUR])
            if drifts and at < END:
                told.append({"score": score, "good": good, "known": known})
    rig.store.insert("predictions", columns, rows)
    rig.store.insert("labels", ["PredictionId", "ServiceName", "At", "Truth", "IngestTime", "GatewayTime"], labels)
    return told


def watched(rig: Rig) -> str:
    """Looks until the end; what the alert says of why."""
    for ended in range(24, 29):
        now = MIDNIGHT + (ended + 1) * HOUR + SETTLE + timedelta(minutes=1)
        rig.deps.counted_until = rig.clock.now = now
        watch(rig.deps, now)
    jobs.deliver(rig.deps)
    alert = rig.pager.received[-1]
    return str(alert["annotations"]["why"])


def explained(rig: Rig) -> Any:
    return run_drift_explain(rig.deps, "scores", Part("m", "1", "us"), END + timedelta(minutes=10))


def test_a_drift_that_is_over_confident_is_told_with_its_figures(rig: Rig) -> None:
    told = recorded(rig, right=0.7, labelled=0.5)
    why = watched(rig)
    assert "over-confident" in why
    found = explained(rig).found["labels"]
    known = [p for p in told if p["known"]]
    good = 2.0 * sum(p["good"] for p in known)
    bad = 2.0 * len(known) - good
    wrong = bad_ratio_interval(good, bad, 2 * good, 2 * bad)
    assert (found["recorded"], found["labelled"]) == (len(told), len(known))
    assert found["since"] == pytest.approx(
        {
            "score": float(np.mean([p["score"] for p in known])),
            "accuracy": good / (good + bad),
            "low": 1 - wrong.high,
            "high": 1 - wrong.low,
        }
    )
    assert found["before"]["accuracy"] == pytest.approx(0.95, abs=0.04)
    assert (found["verdict"], found["accuracy"]) == (
        "over-confident",
        {"slo": "digits-accuracy", "target": 0.9, "verdict": "agrees"},
    )
    assert "accuracy (digits-accuracy) agrees: below the 0.9 that is promised" in explained(rig).text
    rows = rig.rows("SELECT * FROM drift_findings FINAL ORDER BY At")
    # Two looks found it: the second keeps what was told at the first.
    assert len(rows) == 2
    assert {row["Onset"] for row in rows} == {BEGAN}
    assert all(row["OnsetLow"] <= BEGAN <= row["OnsetHigh"] for row in rows)
    whole = [json.loads(row["Explanation"]) for row in rows]
    assert [told["why"] for told in whole] == [why, why]
    assert whole[1]["labels"] == whole[0]["labels"] != {}
    assert whole[1]["window_end"] != whole[0]["window_end"]


def test_scores_that_drift_while_answers_stay_right_are_told_to_disagree(rig: Rig) -> None:
    recorded(rig, right=1.0, labelled=1.0)
    watched(rig)
    found = explained(rig).found["labels"]
    assert (found["verdict"], found["accuracy"]["verdict"]) == ("under-confident", "disagrees")


def test_before_labels_come_accuracy_can_not_tell(rig: Rig) -> None:
    told = recorded(rig, right=0.7, labelled=0.0)
    why = watched(rig)
    assert "accuracy can't tell yet: 0 of" in why
    found = explained(rig).found["labels"]
    assert (found["recorded"], found["labelled"], found["since"]) == (len(told), 0, None)
    assert (found["verdict"], found["accuracy"]["verdict"]) == ("cannot_tell", "cannot_tell")


def test_predictions_of_unknown_weight_are_not_counted_as_one(rig: Rig) -> None:
    recorded(rig, right=0.7, labelled=1.0, weight=None)
    assert "have labels, 0 of them with a score and a known weight" in watched(rig)
    found = explained(rig).found["labels"]
    assert found["labelled"] > 100
    assert found["since"] is None
