"""A confirmed drift calls the retrain hook, once, with the windows that drift as Parquet."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from drift_rig import CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig
from pyarrow import parquet
from pydantic import HttpUrl

from sloengine import jobs
from sloengine.config.routing import Hook
from sloengine.jobs.drift import SETTLE, watch
from sloengine.monitor import DriftMonitor
from sloengine.signing import is_signed

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 3 * DAY
BEGAN = MIDNIGHT + DAY + 2 * HOUR
MONITOR = DriftMonitor(
    "scores", SERVICE, METRIC, levels=("model", "version", "region"), owner="ml", runbook="drift.md", retrain="again"
)
REGIONS = ("eu", "us", "ap")


class Trainer:
    """Takes calls on a loopback port, and refuses the first ones if told so."""

    def __init__(self) -> None:
        self.calls: list[tuple[dict[str, str], bytes]] = []
        self.refuse = 0
        trainer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                trainer.calls.append((dict(self.headers.items()), body))
                trainer.refuse -= 1
                self.send_response(503 if trainer.refuse >= 0 else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/retrain"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def trainer() -> Iterator[Trainer]:
    found = Trainer()
    yield found
    found.server.shutdown()
    found.server.server_close()


def drifting(rig: Rig, trainer: Trainer, folder: Path) -> None:
    """A day that is calm, two calm hours, then a region that drifts for three."""
    (folder / "secret").write_text("hush", encoding="utf-8")
    hook = Hook(name="again", url=HttpUrl(trainer.url), secret_file=folder / "secret")
    rig.deps.alerting = rig.deps.alerting.model_copy(update={"hooks": [hook]})
    rig.deps.settings = rig.deps.settings.model_copy(update={"exports": folder / "exports"})
    watched_by(rig, MONITOR)
    hours, dice = Hours(rig.store), np.random.default_rng(11)
    at = MIDNIGHT
    while at < BEGAN + 3 * HOUR:
        for region in REGIONS:
            shares = MOVED if region == "us" and at >= BEGAN else CALM
            hours.explicit(Device(f"{region}-1", region=region), at, dice.multinomial(500, shares))
        at += HOUR
    hours.flush()
    predictions(rig)
    for ended in range(24, 29):
        now = MIDNIGHT + (ended + 1) * HOUR + SETTLE + timedelta(minutes=1)
        rig.deps.counted_until = now
        watch(rig.deps, now)
        rig.clock.now = now


def predictions(rig: Rig) -> None:
    """One of each region and half hour, delivered twice; of every second one in `us` the label is known, and was corrected."""
    columns = ["Timestamp", "IngestTime", "GatewayTime", "GatewayId", "DeviceId", "Region", "ServiceName", "ModelName",
        "ModelVersion", "PredictionId", "Score", "Label", "Segments", "Weight", "ResourceAttributes"]  # fmt: skip
    rows, labels = [], []
    for n in range(60):
        at = MIDNIGHT + n * HOUR / 2
        for region in REGIONS:
            who = ["gw-1", f"{region}-1", region, SERVICE, "m", "1", f"{region}-{n}"]
            rows += [[at, at, at, *who, 0.9, "7", {"edge.segment.stroke": "thin"}, 4.0, {}]] * 2
        if n % 2:
            for minutes, truth in ((10, "7"), (20, "1")):
                given = at + timedelta(minutes=minutes)
                labels.append([f"us-{n}", SERVICE if n % 3 else "", given, truth, given, given])
    rig.store.insert("predictions", columns, rows)
    rig.store.insert("labels", ["PredictionId", "ServiceName", "At", "Truth", "IngestTime", "GatewayTime"], labels)


def test_the_hook_is_called_once_and_signed_with_what_drifts(rig: Rig, trainer: Trainer, tmp_path: Path) -> None:
    drifting(rig, trainer, tmp_path)
    jobs.deliver(rig.deps)
    jobs.deliver(rig.deps)
    [(headers, raw)] = trainer.calls
    said = json.loads(raw)
    handed_on_is_what_drifts_and_nothing_else(said["export"])
    identity, stamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert is_signed(headers["webhook-signature"], b"hush", identity, stamp, raw)
    assert identity == headers["Idempotency-Key"] == f"{said['dedup_key']}:firing:hook/again"
    where = {key: said[key] for key in ("action", "monitor", "model", "versions", "region", "device", "segments")}
    assert where == {
        "action": "retrain",
        "monitor": "scores",
        "model": "m",
        "versions": ["1"],
        "region": "us",
        "device": "",
        "segments": {},
    }
    # Away since the hour in which it began; two windows of three confirmed it.
    assert (said["from"], said["to"]) == (BEGAN.isoformat(), (BEGAN + 2 * HOUR).isoformat())
    assert said["effect"] > 0.1
    # People are told too, and the pager is no hook.
    assert [alert["labels"]["region"] for alert in rig.pager.received] == ["us"]


def handed_on_is_what_drifts_and_nothing_else(export: dict[str, Any]) -> None:
    folder = Path(export["folder"])
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["files"] == export["files"]
    for file in export["files"]:
        content = (folder / file["name"]).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    told = parquet.read_table(folder / "predictions.parquet").to_pylist()
    assert [row["PredictionId"] for row in told] == [f"us-{n}" for n in range(52, 56)]
    assert [row["Truth"] for row in told] == ["", "1", "", "1"]
    assert {(row["Region"], row["ModelVersion"], row["Score"], row["Weight"]) for row in told} == {
        ("us", "1", 0.9, 4.0)
    }
    hours = parquet.read_table(folder / "histograms.parquet").to_pylist()
    assert [(row["Hour"].replace(tzinfo=UTC), row["DeviceId"]) for row in hours] == [
        (BEGAN, "us-1"),
        (BEGAN + HOUR, "us-1"),
    ]
    assert [sum(row["Counts"]) for row in hours] == [500.0, 500.0]
    rows = {file["name"]: file["rows"] for file in export["files"]}
    assert rows == {"predictions.parquet": 4, "histograms.parquet": 2}


def test_a_hook_or_its_secret_that_is_away_is_waited_for_and_the_call_stays_the_same(
    rig: Rig, trainer: Trainer, tmp_path: Path
) -> None:
    drifting(rig, trainer, tmp_path)
    (tmp_path / "secret").rename(tmp_path / "away")
    jobs.deliver(rig.deps)
    assert trainer.calls == []
    (tmp_path / "away").rename(tmp_path / "secret")
    rig.clock.now += timedelta(minutes=5)
    trainer.refuse = 2
    for _ in range(3):
        jobs.deliver(rig.deps)
        rig.clock.now += timedelta(minutes=5)
    assert len(trainer.calls) == 3
    assert len({(headers["Idempotency-Key"], body) for headers, body in trainer.calls}) == 1


def test_no_hook_is_called_that_no_monitor_names(rig: Rig, trainer: Trainer, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("test_engine_drift_retrain.MONITOR", replace(MONITOR, retrain=""))
    drifting(rig, trainer, tmp_path)
    jobs.deliver(rig.deps)
    assert trainer.calls == []
    assert len(rig.pager.received) == 1
