"""The whole path, once, for real: ``sloengine demo --once --json`` over the gateway binary."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sloengine.gameday import plan

BINARY = Path(__file__).parents[2] / ".bin" / "sloengine-collector"
EIGHT_MINUTES_S = 480


@pytest.mark.collector
def test_one_fault_gives_exactly_one_page_within_two_minutes(tmp_path: Path) -> None:
    if not BINARY.exists():
        reason = "no .bin/sloengine-collector: run `make collector`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    done = subprocess.run(
        [sys.executable, "-m", "sloengine", "demo", "--once", "--json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=EIGHT_MINUTES_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # One object on stdout, and nothing else: json.loads refuses trailing text.
    result = json.loads(done.stdout)
    named = {"ok", "fault", "pages", "fault_to_page_s", "rows", "transport", "indicators", "drift", "drift_looks"}
    assert set(result) == named
    assert result["ok"] is True
    assert result["transport"] == "collector"
    assert result["rows"] > 10_000
    assert set(result["fault"]) == {"id", "model", "region", "began_at"}
    assert result["fault"]["id"] == "F1"
    [page] = result["pages"]
    assert set(page) == {"dedup_key", "severity", "labels", "received_at"}
    assert page["severity"] == "page"
    assert page["dedup_key"]
    wanted = {
        "alertname": "ErrorBudgetBurn",
        "slo": "digits-success",
        "service": "digits",
        "severity": "page",
        "cluster": "demo",
        "model": result["fault"]["model"],
        "region": result["fault"]["region"],
    }
    # Identity labels and no measured value among them.
    assert page["labels"] == wanted
    every_indicator_is_live(result["indicators"])
    drift_is_found_where_it_was_planted_and_nowhere_else(result["drift"], result["drift_looks"])
    waited = datetime.fromisoformat(page["received_at"]) - datetime.fromisoformat(result["fault"]["began_at"])
    assert result["fault_to_page_s"] == pytest.approx(waited.total_seconds(), abs=0.1)
    assert 0 < result["fault_to_page_s"] <= 120
    ready = re.search(r"ready after (\d+) s", done.stderr)
    assert ready
    # 73 s on two quiet cores; shared ones were seen at a quarter of that speed.
    assert int(ready[1]) <= 420
    for progress in (
        "train two versions",
        "start the store",
        "fold the past",
        "devices running inferences",
        "PAGE",
        "DRIFT",
    ):
        assert progress in done.stderr


def drift_is_found_where_it_was_planted_and_nowhere_else(drift: list[dict[str, Any]], looks: dict[str, Any]) -> None:
    """One cause, before any label; what is calm stays silent, before it began and since."""
    [found] = drift
    assert found["labels"] == {
        "alertname": "PredictionDrift",
        "severity": "ticket",
        "cluster": "demo",
        "monitor": "digits-scores",
        "service": "digits",
        "model": "digits-classifier",
        "version": "1",
        "segment": "edge.segment.stroke=thin",
    }
    assert found["labels"].items() >= plan.DRIFT.labels.items()
    assert found["severity"] == "ticket"
    # Of the hour in which it began only a part may show it.
    began, planted = (datetime.fromisoformat(found[key]) for key in ("began_at", "planted_at"))
    assert timedelta(0) <= began - planted.replace(minute=0, second=0) <= timedelta(hours=1)
    # Two windows are needed, and the one in which it began may be too mixed to count.
    assert 1 < found["found_after_h"] <= 3
    assert 0.15 < found["effect"] < 0.35
    assert found["predictions"] > 100
    assert found["labelled"] == 0
    before, since = looks["before"], looks["since"]
    # What comes is compared with days before: at least the day before today is looked at whole.
    assert before["looks"] >= 18
    assert before["series"] >= 40
    assert (before["found"], before["whose"]) == (0, [])
    assert since["looks"] >= 5
    # Its version, and regions and devices of that, hold it among others; nothing else ever seemed to drift.
    assert "segment digits-classifier 1 thin" in since["whose"]
    assert [whose for whose in since["whose"] if whose.split()[2:3] != ["1"] or whose.endswith("bold")] == []


def every_indicator_is_live(indicators: dict[str, Any]) -> None:
    """The worst slice of each has a figure; the fault burns M1 and M10 and shows in M9."""
    assert list(indicators) == [f"M{n}" for n in range(1, 16)]
    for name, worst in indicators.items():
        assert set(worst) == {"slo", "slice", "state", "reason", "sli"}
        assert worst["state"] in {"ok", "burning", "exhausted", "stale"}, (name, worst)
        assert worst["reason"] != "nothing was ever received", (name, worst)
        assert 0 <= worst["sli"] <= 1, (name, worst)
    assert indicators["M1"]["slo"] == "digits-success"
    assert indicators["M1"]["state"] == indicators["M10"]["state"] == "burning"
    healthy = {name: worst for name, worst in indicators.items() if name not in {"M1", "M9", "M10"}}
    assert {name: worst for name, worst in healthy.items() if worst["state"] in {"burning", "exhausted"}} == {}
