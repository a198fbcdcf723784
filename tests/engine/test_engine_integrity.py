"""M10, from a device's failed check to the page that lets a person judge it: one false positive blocks updates."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from engine_rig import BASE, HOUR, MINUTE, SERVICE, SUM_COLUMNS, Rig, Series

from sloengine.config.catalogue import load_catalogue

CHECKS = "edge.model.integrity_checks"
LOG_COLUMNS = ["ResourceAttributes", "ServiceName", "Timestamp", "EventName", "LogAttributes", "IngestTime"]
CATALOGUE = f"""\
apiVersion: sloengine.dev/v1
kind: Indicators
metadata: {{name: {SERVICE}}}
spec:
  service: {SERVICE}
  owner: security
  by: model, region
  indicators:
    - M10
"""
FAILED = {
    "event.name": "edge.model.integrity_failed",
    "edge.model.name": "m",
    "edge.model.version": "2",
    "artifact.path": "/models/m-2.onnx",
    "artifact.hash": "sha256:bad0",
    "edge.integrity.expected_hash": "sha256:900d",
    "edge.integrity.signer": "release@example",
}


def _checks(rig: Rig, device: str, at: datetime, ok: int, failed: int) -> None:
    """A device that has checked its model files so many times since it started, from nothing."""
    for result, count in (("ok", ok), ("failed", failed)):
        series = Series(device, version="2", outcome="", start=BASE, extra=(("edge.integrity.result", result),))
        for when, value in ((BASE, 0), (at, count)):
            row = series.row(CHECKS, "{check}", when, None, None)
            rig.store.insert("otel_metrics_sum", SUM_COLUMNS, [[*row, float(value), True]])


def _event(rig: Rig, device: str, at: datetime, attributes: dict[str, str]) -> None:
    resource = {"device.id": device, "edge.region": "eu", "edge.gateway.id": "gw-1"}
    row: list[Any] = [resource, SERVICE, at, attributes["event.name"], attributes, at + timedelta(seconds=2)]
    rig.store.insert("otel_logs", LOG_COLUMNS, [row])


def _rig(rigs: Callable[..., Rig], folder: Path) -> Rig:
    (folder / "catalogue").mkdir()
    (folder / "catalogue" / "slos.yaml").write_text(CATALOGUE, encoding="utf-8")
    return rigs(slos=load_catalogue(folder / "catalogue").slos)


def test_one_failed_check_among_a_thousand_pages_with_node_model_hashes_and_signer(
    rigs: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = _rig(rigs, tmp_path)
    for n in range(20):
        _checks(rig, f"node-{n}", BASE + MINUTE, 50, 0)
    rig.tick(BASE + 2 * MINUTE)
    assert rig.pager.received == []
    _checks(rig, "node-7", BASE + 3 * MINUTE, 51, 1)
    _event(rig, "node-7", BASE + 3 * MINUTE, FAILED)
    rig.tick(BASE + 4 * MINUTE)
    (page,) = rig.pager.pages()
    assert {k: page["labels"][k] for k in ("severity", "slo", "model", "region", "service")} == {
        "severity": "page",
        "slo": "digits-integrity",
        "model": "m",
        "region": "eu",
        "service": SERVICE,
    }
    said = page["annotations"]
    assert said["failures"] == (
        "node-7: m 2 /models/m-2.onnx has sha256:bad0, expected sha256:900d, signer release@example"
    )
    assert said["versions"] == "over 5m: version 2: 1 of 1,002 bad"
    assert (said["owner"], said["runbook"]) == ("security", "docs/runbooks/integrity-failure.md")
    assert json.loads(said["evidence"])
    # Once: it goes on being true.
    rig.tick(BASE + 5 * MINUTE)
    assert len(rig.pager.pages()) == 1


def test_a_check_that_tells_no_hash_and_no_signer_pages_and_says_that_they_are_unknown(
    rigs: Callable[..., Rig], tmp_path: Path
) -> None:
    rig = _rig(rigs, tmp_path)
    _checks(rig, "node-1", BASE + MINUTE, 0, 1)
    bare = {k: v for k, v in FAILED.items() if not k.startswith(("artifact.hash", "edge.integrity"))}
    _event(rig, "node-1", BASE + MINUTE, bare)
    _event(rig, "node-1", BASE - 8 * 24 * HOUR, FAILED)  # last week's is no part of it
    rig.tick(BASE + 2 * MINUTE)
    (page,) = rig.pager.pages()
    assert page["annotations"]["failures"] == (
        "node-1: m 2 /models/m-2.onnx has no hash, expected unknown, signer unknown"
    )
