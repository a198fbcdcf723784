"""What lies behind a finding: since when, which bins, which segments, what labels say. Read once, when it is first told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sloengine.errors import StoreError
from sloengine.evaluate.drift.judge import Verdict
from sloengine.jobs import drift_confidence
from sloengine.jobs.act import only_of
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_explain import Began, Question, explain, in_words
from sloengine.jobs.drift_look import Look
from sloengine.jobs.drift_read import Span
from sloengine.monitor import Cause, DriftMonitor
from sloengine.store.client import Row, Store
from sloengine.times import utc

AWAY_MAX = timedelta(days=14)
"""How far back the beginning of a finding is looked for, and what drifts is handed on for retraining."""
Onset = tuple[datetime | None, datetime | None, datetime | None]
"""When it began, and between which moments, as far as is known."""


@dataclass(frozen=True, slots=True)
class Behind:
    why: str
    """In words, for people."""
    span: Span
    """Since when it has been away from normal, until the look."""
    onset: Onset = (None, None, None)
    labels: Mapping[str, Any] = field(default_factory=dict)


def unknown(look: Look) -> Behind:
    """Of a finding of which nothing could be read: the windows that it needed."""
    return Behind("", (look.end - look.monitor.persistence[1] * look.monitor.window, look.end))


def behind(engine: Deps, look: Look, cause: Cause) -> Behind:
    """All of it; where the store does not answer, the alert goes out and says so."""
    drifting = look.compared.readings.inflation[look.judged.verdicts == Verdict.DRIFT]
    inflation = float(np.median(drifting)) if drifting.size else 1.0
    only, nothing = only_of(cause), unknown(look)
    try:
        span = _away(engine.store, look, cause) or nothing.span
        found = explain(engine.store, Question(look.monitor, look.end, look.version, only, inflation))
        labels = drift_confidence.told(engine.store, look.monitor, only, span, engine.catalogue.slos)
    except StoreError as error:
        return Behind(f"not known: {error}", nothing.span)
    said = (in_words(found, look.version.bins), drift_confidence.in_words(labels))
    return Behind("; ".join(part for part in said if part), span, _onset(found.began), drift_confidence.plain(labels))


def _onset(began: Began | None) -> Onset:
    return (began.at, *(began.between or (None, None))) if began else (None, None, None)


def _away(store: Store, look: Look, cause: Cause) -> Span | None:
    rows = store.rows("drift_away", **window_of(look), **named_series(cause), oldest=look.end - AWAY_MAX)
    return (utc(rows[0]["Began"]), look.end) if rows[0]["Windows"] else None


def known_behind(store: Store, monitor: DriftMonitor, findings: Sequence[str]) -> dict[str, Behind]:
    """What was told of findings when they were new, by their keys; nothing where it can't be read."""
    if not findings:
        return {}
    try:
        rows = store.rows("drift_onsets", monitor=monitor.name, findings=list(findings))
    except StoreError:
        return {}
    return {row["Finding"]: _read(row) for row in rows}


def _read(row: Row) -> Behind:
    told = json.loads(row["Explanation"])
    at, low, high = (utc(moment) if moment else None for moment in row["Began"])
    end = datetime.fromisoformat(told["window_end"])
    return Behind(told.get("why", ""), (end, end), (at, low, high), told.get("labels", {}))


def window_of(look: Look) -> dict[str, object]:
    """Which look, as statements ask for it."""
    hours = int(look.monitor.window / timedelta(hours=1))
    return {"monitor": look.monitor.name, "end": look.end, "hours": hours}


def named_series(cause: Cause) -> dict[str, object]:
    """The series that a cause names, as statements ask for them."""
    attribute, value = cause.segments[0] if cause.segments else ("", "")
    deepest = [
        level
        for level, name in (("device", cause.device), ("region", cause.region), ("version", cause.versions))
        if name
    ]
    level = "segment" if value else deepest[0] if deepest else "model"
    return {
        "level": level,
        "model": cause.model,
        "versions": list(cause.versions) or ([""] if level == "model" else []),
        "region": cause.region,
        "device": cause.device,
        "segment": attribute,
        "value": value,
    }
