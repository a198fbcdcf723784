"""What the engine found of the drift that the demo planted, beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.alert.drift import ALERT, where
from sloengine.gameday import past, plan
from sloengine.store.client import Row, Store
from sloengine.times import utc

MONITOR = "digits-scores"


@dataclass(frozen=True, slots=True)
class Told:
    """Findings that somebody was told of, and what looks said beside."""

    findings: list[dict[str, Any]]
    before: dict[str, Any]
    """Looks at windows that ended before the drift was planted; ``since``: at all others."""
    since: dict[str, Any]

    @property
    def right(self) -> bool:
        """One ticket that names what was planted, and silence in the hours before."""
        if [finding["severity"] for finding in self.findings] != ["ticket"]:
            return False
        named = plan.DRIFT.labels.items() <= self.findings[0]["labels"].items()
        return bool(named and self.before["looks"] and not self.before["found"])


def read(store: Store, alerts: Sequence[Mapping[str, Any]], planted: datetime) -> Told:
    """``alerts`` are those that a receiver got, whatever they are about."""
    sent = {alert["dedup_key"]: alert for alert in alerts if alert["labels"].get("alertname") == ALERT}
    waiting = _ask(store, "drift_labels", **past.drift_since(planted))[0]
    looks = {bool(row["before"]): row for row in _ask(store, "drift_looks", monitor=MONITOR, planted=planted)}
    found = _ask(store, "drift_found", monitor=MONITOR)
    return Told(
        [_finding(row, sent[row["finding"]], planted) | waiting for row in found if row["finding"] in sent],
        _looks(looks.get(True)),
        _looks(looks.get(False)),
    )


def _ask(store: Store, name: str, **parameters: object) -> list[Row]:
    return store.sql_rows(past.statement(name), parameters)


def _finding(row: Row, alert: Mapping[str, Any], planted: datetime) -> dict[str, Any]:
    return {
        "labels": alert["labels"],
        "severity": alert["severity"],
        "began_at": utc(row["began"]).isoformat(),
        "planted_at": planted.isoformat(),
        "found_after_h": round((utc(row["said"]) - planted) / timedelta(hours=1), 1),
        "effect": round(row["effect"], 3),
        "events": row["events"],
        "why": alert["annotations"].get("why", ""),
    }


def _looks(row: Row | None) -> dict[str, Any]:
    if row is None:
        return {"looks": 0, "series": 0, "verdicts": 0, "found": 0, "whose": []}
    return {key: value for key, value in row.items() if key != "before"}


def in_words(told: Told) -> list[str]:
    """For people: what was found, what is true, and what else was looked at."""
    drift, looked = plan.DRIFT, told.before
    calm = f"{looked['found']} of {looked['verdicts']:,} verdicts on {looked['series']} series saw drift"
    return [
        *(line for finding in told.findings for line in _finding_in_words(finding)),
        f"planted: {where(drift.labels)}: its {drift.stroke} digits have been on coarse paper since then",
        f"in the {looked['looks']} hours looked at before it {calm}",
    ]


def _finding_in_words(finding: Mapping[str, Any]) -> list[str]:
    return [
        f"a {finding['severity']}: {where(finding['labels'])}; PSI {finding['effect']} in the last hour",
        f"away from normal since {finding['began_at']:.16}, planted at {finding['planted_at']:.16}",
        finding["why"],
    ]
