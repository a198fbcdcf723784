"""Notifications as the engine's jobs make them today: labels and annotations of real kinds, with made-up names."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sloengine.alert.notification import Notification, Told

BEGAN = datetime(2026, 3, 4, 3, 6, 7, tzinfo=UTC)
ENDED = datetime(2026, 3, 4, 4, 0, tzinfo=UTC)
CONSOLE = "https://slo.example"
BURN = {
    "alertname": "ErrorBudgetBurn",
    "severity": "page",
    "cluster": "edge",
    "slo": "digits-success",
    "service": "digits",
    "model": "digits-classifier",
    "region": "eu-north",
}


def burn_evidence(long: float = 30.0) -> str:
    return json.dumps(
        {
            "at": BEGAN.isoformat(),
            "target": 0.999,
            "window": "30d",
            "sli": 0.9641,
            "good": 11934.0,
            "bad": 444.0,
            "unknown": 12.0,
            "interval": [0.9608, 0.9672],
            "coverage": 0.9712,
            "budget_remaining": -2.1,
            "burn": [
                _pair("page", "1h", "5m", 14.4, long, 32.1, exceeded=True),
                _pair("page", "6h", "30m", 6.0, 9.3, 30.7, exceeded=True),
                _pair("ticket", "1d", "2h", 3.0, 2.4, 22.0, exceeded=False),
            ],
            "state": "burning",
            "reason": "burning 30.0x over 1h and 32.1x over 5m, limit 14.4x",
        }
    )


def _pair(severity: str, long: str, short: str, factor: float, burn: float, now: float, *, exceeded: bool) -> object:
    return {
        "severity": severity,
        "long": long,
        "short": short,
        "factor": factor,
        "long_burn": burn,
        "short_burn": now,
        "exceeded": exceeded,
    }


def burn_page(
    labels: Mapping[str, str] = BURN, key: str = "sloengine-0123456789abcdef0123-4", long: float = 30.0
) -> Told:
    where = ", ".join(f"{name} {labels[name]}" for name in ("model", "region", "device") if name in labels)
    return Told(
        dedup_key=key,
        labels=labels,
        annotations={
            "summary": f"Digits answered: burning {long:.1f}x over 1h and 32.1x over 5m, limit 14.4x ({where})",
            "description": "444 of 12378 events were bad in 30d; target 99.9000%, now 96.4130%,"
            " budget left -210.0000%, coverage 97.1200%.",
            "versions": "over 5m: version 2: 431 of 1,204 bad; version 1: 13 of 11,174 bad",
            "nodes": "jetson-0417: 212 of 240 bad; jetson-0031: 180 of 233 bad",
            "evidence": burn_evidence(long),
            "dedup_key": key,
            "owner": "ml-engineering",
            "runbook": "https://slo.example/runbooks/inference-success",
            "console": f"{CONSOLE}/#digits-success",
            "dashboard": "https://grafana.example/d/sloengine-on-call?var-region=eu-north&var-model=digits-classifier",
        },
        started_at=BEGAN,
        ended_at=None,
    )


def drift_ticket() -> Told:
    evidence = {
        "window_end": "2026-03-04T03:00:00+00:00",
        "window": "1h",
        "index": "psi",
        "minimum": 0.1,
        "baseline": 7,
        "baseline_quality": "good",
        "told": 12,
        "exceeding": 3,
        "members": [
            {
                "series": "model digits-classifier, version 2, camera front",
                "effect": 0.41,
                "p": 3.2e-9,
                "events": 18234.0,
            }
        ],
    }
    return Told(
        dedup_key="sloengine-fedcba98765432100123-1",
        labels={
            "alertname": "PredictionDrift",
            "severity": "ticket",
            "cluster": "edge",
            "monitor": "digits-scores",
            "service": "digits",
            "model": "digits-classifier",
            "version": "2",
            "segment": "camera=front",
        },
        annotations={
            "summary": "Predictions drift: model digits-classifier, version 2, segment camera=front",
            "description": "PSI 0.41 beyond chance in model digits-classifier, version 2, camera front (18,234 events);"
            " 3 of 12 parts that could be told drift in 1h until 2026-03-04 03:00.",
            "evidence": json.dumps(evidence),
            "why": "Inputs drift as well: brightness (PSI 0.9) in the same windows.",
            "dedup_key": "sloengine-fedcba98765432100123-1",
            "owner": "ml-engineering",
            "runbook": "docs/runbooks/drift.md",
            "console": f"{CONSOLE}/#drift",
        },
        started_at=BEGAN,
        ended_at=None,
    )


def integrity_page() -> Told:
    return Told(
        dedup_key="sloengine-aaaabbbbccccddddeeee-2",
        labels=BURN | {"slo": "model-integrity", "region": "us-west"},
        annotations={
            "summary": "Models are what was signed: 2 bad over 1h, where none is tolerated"
            " (model digits-classifier, region us-west)",
            "description": "2 of 61 events were bad in 30d; target 100.0000%, now 96.7213%,"
            " budget left unknown, coverage unknown.",
            "failures": "jetson-0417: digits-classifier 2 /opt/models/digits.onnx has 9f2c, expected 41aa, signer release-key\n"
            "jetson-0031: digits-classifier 2 /opt/models/digits.onnx has no hash, expected 41aa, signer unknown",
            "evidence": json.dumps(
                {
                    "target": 1.0,
                    "good": 59.0,
                    "bad": 2.0,
                    "unknown": 0.0,
                    "interval": [0.8865, 0.996],
                    "coverage": None,
                    "burn": [_pair("page", "1h", "5m", 0.0, 2.0, 2.0, exceeded=True)],
                }
            ),
            "dedup_key": "sloengine-aaaabbbbccccddddeeee-2",
            "owner": "security",
            "runbook": "docs/runbooks/integrity-failure.md",
            "console": f"{CONSOLE}/#model-integrity",
            "dashboard": "/d/sloengine-on-call?var-region=us-west&var-model=digits-classifier",
        },
        started_at=BEGAN,
        ended_at=None,
    )


def resolved(alert: Told, ended_at: datetime = ENDED) -> Told:
    summary = alert.annotations["summary"].replace(
        "burning 30.0x over 1h and 32.1x over 5m, limit 14.4x", "31% of the budget left"
    )
    evidence = json.dumps(json.loads(burn_evidence()) | {"burn": [], "good": 12402.0, "budget_remaining": 0.31})
    description = (
        "444 of 12846 events were bad in 30d; target 99.9000%, now 96.5437%, budget left 31.0000%, coverage 98.0000%."
    )
    told = {**alert.annotations, "summary": summary, "evidence": evidence, "description": description}
    return replace(alert, ended_at=ended_at, annotations={k: v for k, v in told.items() if k != "nodes"})


def many(count: int) -> list[Told]:
    """Burns of as many devices, one of them worse than the others and some over."""
    alerts = []
    for n in range(count):
        labels = BURN | {"device": f"jetson-{n:04}"}
        alert = burn_page(labels, f"sloengine-{n:020x}-1", long=45.0 if n == 217 else 15.0 + n % 10)
        alert = replace(alert, started_at=BEGAN + timedelta(seconds=n))
        alerts.append(resolved(alert) if n % 25 == 0 else alert)
    return alerts


def of(alerts: Sequence[Told], truncated: int = 0) -> Notification:
    """Of one group, as routed."""
    return Notification(
        receiver="on-call",
        group_key='{}/{severity="page"}:{cluster="edge", model="digits-classifier"}',
        dedup_key=f"{alerts[0].dedup_key}-group",
        group_labels={"cluster": "edge", "model": "digits-classifier"},
        alerts=alerts,
        external_url=CONSOLE,
        truncated=truncated,
    )


SAMPLES: Mapping[str, Notification] = {
    "burn_page": of([burn_page()]),
    "drift_ticket": of([drift_ticket()]),
    "integrity_page": of([integrity_page()]),
    "group_of_300": of(many(300)),
    "resolve": of([resolved(burn_page())]),
}
