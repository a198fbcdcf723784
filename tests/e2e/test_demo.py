"""The whole path, once, for real: ``sloengine demo --once --json`` over the gateway binary."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

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
    assert set(result) == {"ok", "fault", "pages", "fault_to_page_s", "rows", "transport", "indicators"}
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
    waited = datetime.fromisoformat(page["received_at"]) - datetime.fromisoformat(result["fault"]["began_at"])
    assert result["fault_to_page_s"] == pytest.approx(waited.total_seconds(), abs=0.1)
    assert 0 < result["fault_to_page_s"] <= 120
    ready = re.search(r"ready after (\d+) s", done.stderr)
    assert ready
    # 73 s on two quiet cores; shared ones were seen at a quarter of that speed.
    assert int(ready[1]) <= 420
    for progress in ("train two versions", "start the store", "fold the past", "devices running inferences", "PAGE"):
        assert progress in done.stderr


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
