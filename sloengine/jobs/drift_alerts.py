"""Findings of drift become alerts: begun once, kept while they last, ended when they are over; and rows that people query."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from sloengine.actions.hooks import target_of
from sloengine.actions.retrain import Call, body
from sloengine.alert.drift import ALERT, OVER, Reason, labels_of, severity_of, where
from sloengine.alert.episodes import Episode, EpisodeState, identity_of
from sloengine.evaluate.drift.causes import Finding, Seen, causes
from sloengine.evaluate.drift.judge import Verdict
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_behind import Behind, behind, known_behind, named_series, unknown, window_of
from sloengine.jobs.drift_look import Look
from sloengine.jobs.drift_read import Span
from sloengine.jobs.enrol import enrol, leads
from sloengine.monitor import Cause, DriftMonitor
from sloengine.state import episodes as episode_rows
from sloengine.state import groups as group_rows
from sloengine.state.database import transaction
from sloengine.state.episodes import Change
from sloengine.store.client import Row
from sloengine.times import format_duration

log = logging.getLogger("sloengine.jobs")

MEMBERS_SHOWN = 10
TOLD = ("drift", "slow_drift", "no_drift")


def open_findings(engine: Deps, monitor: DriftMonitor) -> dict[str, Episode]:
    """Alerts of a monitor that fire, by identity."""
    with transaction(engine.state) as connection:
        return _open(connection, monitor)


def _open(connection: Connection, monitor: DriftMonitor) -> dict[str, Episode]:
    return {
        identity: episode
        for identity, episode in episode_rows.latest(connection).items()
        if episode.state is EpisodeState.FIRING
        and episode.labels.get("alertname") == ALERT
        and episode.labels.get("monitor") == monitor.name
    }


def findings_of(engine: Deps, look: Look) -> list[Finding]:
    """Causes of what drifts in a look; nothing is read where nothing drifts."""
    if not look.count(Verdict.DRIFT) + look.count(Verdict.SLOW_DRIFT):
        return []
    return causes((_seen(row) for row in engine.store.rows("drift_seen", **window_of(look))), look.monitor.index)


def _seen(row: Row) -> Seen:
    names = (row["ModelName"], row["ModelVersion"], row["Region"], row["DeviceId"])
    depth = {"model": 1, "version": 2, "segment": 2, "region": 3, "device": 4}[row["Level"]]
    segment = (row["Segment"], row["Value"]) if row["Level"] == "segment" else None
    return Seen(names[:depth], row["Verdict"] != "no_drift", True, row["Effect"], row["P"], row["N"], segment)


@dataclass(frozen=True, slots=True)
class _Step:
    """One look's change of one alert."""

    engine: Deps
    look: Look
    now: datetime

    def fire(self, connection: Connection, episode: Episode, finding: Finding, because: Behind) -> None:
        told = _annotations(self.look, finding, episode.labels)
        change = Change(
            at=self.now,
            reason=Reason.FOUND.value,
            evidence=_evidence(self.look, finding),
            annotations=self._annotated(episode, told | ({"why": because.why} if because.why else {})),
            calls=self._calls(episode, finding, because.span),
        )
        episode_id = episode_rows.fire(connection, episode, change)
        enrol(self.engine, connection, {episode_id: episode.labels}, self.now)
        log.warning("alert %s fires: drift of %s", episode.dedup_key, where(episode.labels))

    def resolve(self, connection: Connection, episode: Episode, reason: Reason) -> None:
        told = self._annotated(episode, {"summary": f"{reason.value}: {where(episode.labels)}"})
        change = Change(self.now, reason.value, {"at": self.look.end.isoformat()}, told)
        group_rows.touch(connection, [episode_rows.resolve(connection, episode, change)], self.now)
        log.warning("alert %s resolved: %s", episode.dedup_key, reason.value)

    def _calls(self, episode: Episode, finding: Finding, span: Span) -> dict[str, str]:
        """The retrain hook's, where the monitor has one."""
        monitor, cause, shown = self.look.monitor, _cause(finding), _shown(finding)
        if not monitor.retrain:
            return {}
        told = Call(
            episode.dedup_key, monitor.name, monitor.service, monitor.metric, cause, span, monitor.index,
            shown.effect, shown.n, _summary(self.look, finding), monitor.runbook, f"{self.engine.settings.public_url}/#drift",
        )  # fmt: skip
        return {target_of(monitor.retrain): json.dumps(body(told), sort_keys=True)}

    def identity(self, finding: Finding) -> str:
        return identity_of(labels_of(self.look.monitor, _cause(finding), self.engine.settings.cluster))

    def _annotated(self, episode: Episode, told: Mapping[str, str]) -> dict[str, str]:
        monitor, url = self.look.monitor, self.engine.settings.public_url
        more = {"owner": monitor.owner, "runbook": monitor.runbook, "console": f"{url}/#drift"}
        found = {**told, "dedup_key": episode.dedup_key, **more}
        return {name: text for name, text in found.items() if text}


def transition_findings(engine: Deps, look: Look, now: datetime) -> list[Finding]:
    """Begin and end the alerts of a monitor after its newest look; what was found.

    One transaction for all of it: a crash leaves no trace or all, and the next look says the same.
    """
    found = findings_of(engine, look)
    step, known = _Step(engine, look, now), open_findings(engine, look.monitor)
    # Before the transaction, which is not to wait for the store.
    told = [(step.identity(finding), finding) for finding in found]
    fresh = {one: behind(engine, look, _cause(finding)) for one, finding in told if one not in known}
    said = known_behind(engine.store, look.monitor, [known[one].dedup_key for one, _ in told if one in known])
    with transaction(engine.state) as connection:
        if not leads(engine, connection, now):
            return found
        latest, kept = episode_rows.latest(connection), _open(connection, look.monitor)
        rows: list[list[object]] = []
        for finding in found:
            cause = _cause(finding)
            labels = labels_of(look.monitor, cause, engine.settings.cluster)
            identity = identity_of(labels)
            episode = kept.pop(identity, None)
            if episode is None:
                number = latest[identity].number + 1 if identity in latest else 1
                severity = severity_of(look.monitor, cause)
                episode = Episode(identity, number, severity, labels, EpisodeState.FIRING, now, now)
                step.fire(connection, episode, finding, fresh.get(identity, unknown(look)))
            else:
                episode_rows.still_bad(connection, episode, now)
            because = fresh.get(identity) or said.get(episode.dedup_key) or unknown(look)
            rows.append(_row(look, finding, episode.dedup_key, because))
        for episode in kept.values():
            reason = _over(engine, look, episode, found)
            if reason:
                step.resolve(connection, episode, reason)
    engine.store.insert("drift_findings", list(FINDING_COLUMNS), rows)
    return found


def _cause(finding: Finding) -> Cause:
    return Cause(finding.model, finding.versions, finding.region or "", finding.device or "", finding.segments)


def _over(engine: Deps, look: Look, episode: Episode, found: Iterable[Finding]) -> Reason | None:
    """Why an alert that no finding speaks of any more ends; None: what it names could not be told, and it holds."""
    labels = episode.labels
    attribute, _, value = labels.get("segment", "").partition("=")
    named = Cause(
        labels["model"],
        (labels["version"],) if "version" in labels else (),
        labels.get("region", ""),
        labels.get("device", ""),
        ((attribute, value),) if value else (),
    )
    said = engine.store.rows("drift_verdict_of", **window_of(look), **named_series(named))
    verdicts = {row["Verdict"] for row in said}
    if verdicts and verdicts <= set(OVER):
        return Reason.CALM
    drifting = {finding.model for finding in found}
    if verdicts & {"drift", "slow_drift"} and labels["model"] in drifting:
        return Reason.WIDER
    return None


# --- what is said of a finding


FINDING_COLUMNS = (
    "Monitor", "Finding", "At", "State", "Kind", "ServiceName", "ModelName", "ModelVersions", "Region", "DeviceId", "Segments",
    "Effect", "Events", "Members", "Told", "Exceeding", "Onset", "OnsetLow", "OnsetHigh", "Explanation", "Reason",
)  # fmt: skip


def _row(look: Look, finding: Finding, key: str, because: Behind) -> list[object]:
    shown, explanation = _shown(finding), {**_evidence(look, finding), "why": because.why, "labels": because.labels}
    return [
        look.monitor.name, key, look.end, "firing", finding.level, look.monitor.service, finding.model, list(finding.versions),
        finding.region or "", finding.device or "", dict(finding.segments), shown.effect, shown.n, len(finding.members),
        finding.told, finding.exceeding, *because.onset, json.dumps(explanation), _summary(look, finding),
    ]  # fmt: skip


def _shown(finding: Finding) -> Seen:
    """Whose figures a finding is told by: of segments that it names the worst, because in the whole version they are diluted."""
    segments = [s for s in finding.members if s.segment in finding.segments]
    return segments[0] if segments else finding.head or finding.members[0]


def _evidence(look: Look, finding: Finding) -> dict[str, object]:
    """The numbers that decided, as known then."""
    return {
        "window_end": look.end.isoformat(),
        "window": format_duration(look.monitor.window),
        "index": look.monitor.index,
        "minimum": look.monitor.minimum,
        "baseline": look.version.number,
        "baseline_quality": look.version.quality,
        "told": finding.told,
        "exceeding": finding.exceeding,
        "members": [
            {"series": name_of(s), "effect": s.effect, "p": s.p, "events": s.n} for s in finding.members[:MEMBERS_SHOWN]
        ],
    }


def name_of(seen: Seen) -> str:
    """A series in words."""
    names = dict(zip(("model", "version", "region", "device"), seen.path, strict=False))
    if seen.segment:
        names[seen.segment[0]] = seen.segment[1]
    return ", ".join(f"{name} {value or '(none)'}" for name, value in names.items())


def _summary(look: Look, finding: Finding) -> str:
    shown = _shown(finding)
    parts = f"; {finding.exceeding} of {finding.told} parts that could be told drift" if finding.told else ""
    return f"{look.monitor.index.upper()} {shown.effect:.3g} beyond chance in {name_of(shown)} ({shown.n:,.0f} events){parts}"


def _annotations(look: Look, finding: Finding, labels: Mapping[str, str]) -> dict[str, str]:
    """What a person needs to act: measured values belong here and never into labels."""
    doubts = f" The baseline is dubious: {look.version.doubts}." if look.version.doubts else ""
    window = f"{format_duration(look.monitor.window)} until {look.end:%Y-%m-%d %H:%M}"
    return {
        "summary": f"Predictions drift: {where(labels)}",
        "description": f"{_summary(look, finding)} in {window}.{doubts}",
        "evidence": json.dumps(_evidence(look, finding)),
    }
