"""What the JSON API answers, typed for OpenAPI. Ratios are ratios, spans are seconds, absent is null."""

from __future__ import annotations

from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict

from sloengine.model import BurnReading, Counts, EpisodeNow, NodeNow, Severity, Snapshot, State, Status
from sloengine.web.view import is_firing, is_stale, worst_first


class Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class Tally(Answer):
    good: int | float
    bad: int | float
    unknown: int | float
    sampled: bool
    """Whether these are estimates from weighted samples; they need not be whole numbers then."""


class Burn(Answer):
    severity: Severity
    long_s: float
    short_s: float
    factor: float
    long_burn: float | None
    short_burn: float | None
    over: bool
    """Both points are over the factor."""
    exceeded: bool
    """Over the factor, and surely so: this is what alerts."""


class VersionTally(Tally):
    version: str


class SloSlice(Answer):
    slo: str
    display_name: str
    description: str
    service: str
    indicator: str
    slice: dict[str, str]
    folded: int
    """How many slices beyond the cardinality budget this one holds; 0: it is one of its own."""
    target: float
    window_s: float
    state: State
    reason: str
    at: datetime
    sli: float | None
    interval: tuple[float, float] | None
    """95 % interval of ``sli``."""
    effective: float | None
    """Effective sample size; the number of valid events where each was counted once and nodes are not told apart."""
    clustered: int
    """How many nodes or sites that differ ``interval`` allows for; 0: events are taken to be independent."""
    counts: Tally
    coverage: float | None
    budget_remaining: float | None
    """1 untouched, 0 spent, negative overspent."""
    burns: list[Burn]
    since_last_data_s: float | None
    versions: list[VersionTally]
    owner: str | None
    runbook: str | None
    source: str


class Slos(Answer):
    at: datetime | None
    """When this was judged; null before the first tick."""
    tick_age_s: float | None
    problems: list[str]
    slos: list[SloSlice]


class Alert(Answer):
    dedup_key: str
    severity: Severity
    state: str
    firing: bool
    labels: dict[str, str]
    started_at: datetime
    resolved_at: datetime | None


class Alerts(Answer):
    at: datetime | None
    tick_age_s: float | None
    outbox: dict[str, int]
    alerts: list[Alert]


class FleetNode(Answer):
    device: str
    gateway: str
    region: str
    service: str
    last_received: datetime | None
    age_s: float | None
    clock_lag_s: float | None
    stale: bool


class Nodes(Answer):
    at: datetime | None
    tick_age_s: float | None
    stale_after_s: float
    nodes: list[FleetNode]


class Readiness(Answer):
    ready: bool
    reason: str


def slos_of(snapshot: Snapshot, now: datetime) -> Slos:
    return Slos(
        at=snapshot.at,
        tick_age_s=tick_age_s(snapshot, now),
        problems=list(snapshot.problems),
        slos=[slice_of(s) for s in worst_first(snapshot.statuses)],
    )


def alerts_of(snapshot: Snapshot, now: datetime) -> Alerts:
    return Alerts(
        at=snapshot.at,
        tick_age_s=tick_age_s(snapshot, now),
        outbox=dict(snapshot.outbox),
        alerts=[_alert(e) for e in snapshot.episodes],
    )


def nodes_of(snapshot: Snapshot, now: datetime, stale_after: timedelta) -> Nodes:
    return Nodes(
        at=snapshot.at,
        tick_age_s=tick_age_s(snapshot, now),
        stale_after_s=stale_after.total_seconds(),
        nodes=[_node(n, stale_after) for n in snapshot.nodes],
    )


def tick_age_s(snapshot: Snapshot, now: datetime) -> float | None:
    return None if snapshot.at is None else max(0.0, (now - snapshot.at).total_seconds())


def slice_of(status: Status) -> SloSlice:
    slo = status.slo
    return SloSlice(
        slo=slo.name,
        display_name=slo.display_name,
        description=slo.description,
        service=slo.service,
        indicator=slo.indicator,
        slice=dict(status.group),
        folded=status.folded,
        target=slo.target,
        window_s=slo.window.total_seconds(),
        state=status.state,
        reason=status.reason,
        at=status.at,
        sli=status.sli,
        interval=status.interval,
        effective=status.effective,
        clustered=status.clustered,
        counts=tally_of(status.counts),
        coverage=status.coverage,
        budget_remaining=status.budget_remaining,
        burns=[_burn(b) for b in status.burns],
        since_last_data_s=None if status.since_last_data is None else status.since_last_data.total_seconds(),
        versions=[VersionTally(version=v, **tally_of(c).model_dump()) for v, c in status.versions],
        owner=slo.owner,
        runbook=slo.runbook,
        source=slo.source,
    )


def tally_of(counts: Counts) -> Tally:
    return Tally(
        good=_number(counts.good), bad=_number(counts.bad), unknown=_number(counts.unknown), sampled=counts.sampled
    )


def _number(value: float) -> int | float:
    """A whole number without its ``.0``: readers that expect counts keep getting them."""
    return int(value) if float(value).is_integer() else value


def _burn(burn: BurnReading) -> Burn:
    return Burn(
        severity=burn.window.severity,
        long_s=burn.window.long.total_seconds(),
        short_s=burn.window.short.total_seconds(),
        factor=burn.factor,
        long_burn=burn.long_burn,
        short_burn=burn.short_burn,
        over=burn.over,
        exceeded=burn.exceeded,
    )


def _alert(episode: EpisodeNow) -> Alert:
    return Alert(
        dedup_key=episode.dedup_key,
        severity=episode.severity,
        state=episode.state,
        firing=is_firing(episode),
        labels=dict(episode.labels),
        started_at=episode.started_at,
        resolved_at=episode.resolved_at,
    )


def _node(node: NodeNow, stale_after: timedelta) -> FleetNode:
    return FleetNode(
        device=node.device,
        gateway=node.gateway,
        region=node.region,
        service=node.service,
        last_received=node.last_received,
        age_s=node.age_s,
        clock_lag_s=node.clock_lag_s,
        stale=is_stale(node, stale_after),
    )
