"""The values that stages hand to each other. Frozen, no behaviour beyond their own fields; times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

DIMENSIONS = ("service", "model", "version", "region", "gateway", "rollout")
"""What a bucket row may be told apart by, in the order of the bucket tables' columns."""

Group = tuple[tuple[str, str], ...]
"""Which slice of an SLO: ``(("model", "digits"), ("region", "eu-north"))``, in the order the SLO groups by."""


class Severity(StrEnum):
    PAGE = "page"
    TICKET = "ticket"


class State(StrEnum):
    """What an SLO's slice looks like now. The first three are answers; the rest say why there is none."""

    OK = "ok"
    BURNING = "burning"
    EXHAUSTED = "exhausted"
    NO_TRAFFIC = "no traffic"
    STALE = "stale"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class BurnWindow:
    """One pair of windows of a multi-window burn-rate alert (Google SRE workbook, chapter 5).

    ``budget_share`` p of the SLO window W may be spent within ``long`` L before it alerts; the factor p·W/L is derived.
    """

    severity: Severity
    long: timedelta
    short: timedelta
    budget_share: float

    def factor(self, window: timedelta) -> float:
        """Burn rate that spends ``budget_share`` of ``window``'s budget within ``long``; at 1 it lasts exactly."""
        return self.budget_share * (window / self.long)


@dataclass(frozen=True, slots=True)
class BurnPolicy:
    name: str
    windows: tuple[BurnWindow, ...]


@dataclass(frozen=True, slots=True)
class Slo:
    """One service level objective, possibly told apart by dimensions (``by``); each combination has its own budget."""

    name: str
    display_name: str
    description: str
    service: str
    indicator: str
    """``M1``, ``M2``, ``M4``."""
    target: float
    """Ratio in (0, 1)."""
    window: timedelta
    by: tuple[str, ...]
    where: Mapping[str, str]
    policy: BurnPolicy
    threshold_s: float | None
    """Latency that still counts as good (M2)."""
    owner: str | None
    runbook: str | None
    source: str
    """``file:line`` of its definition."""


@dataclass(frozen=True, slots=True)
class Node:
    """A device that is expected to send; what is expected decides what is missing."""

    device: str
    gateway: str
    region: str
    service: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Catalogue:
    slos: tuple[Slo, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over a window: events that were good, bad, or can't be told; seconds of telemetry behind them."""

    good: int = 0
    bad: int = 0
    unknown: int = 0
    covered_s: float = 0.0

    @property
    def valid(self) -> int:
        return self.good + self.bad

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.good + other.good,
            self.bad + other.bad,
            self.unknown + other.unknown,
            self.covered_s + other.covered_s,
        )


@dataclass(frozen=True, slots=True)
class BurnReading:
    """One window pair measured: burn is bad ratio over allowed ratio; None where the window holds no valid event."""

    window: BurnWindow
    factor: float
    long_burn: float | None
    short_burn: float | None

    @property
    def exceeded(self) -> bool:
        """Both windows over the factor: the long one says it matters, the short one that it still goes on."""
        return (
            self.long_burn is not None
            and self.short_burn is not None
            and self.long_burn > self.factor
            and self.short_burn > self.factor
        )


@dataclass(frozen=True, slots=True)
class Status:
    """One slice of one SLO at one moment, with everything that decided it."""

    slo: Slo
    group: Group
    at: datetime
    state: State
    sli: float | None
    counts: Counts
    coverage: float | None
    """Share of expected node-seconds in the window that telemetry accounts for; None if nothing is expected."""
    budget_remaining: float | None
    """1 untouched, 0 spent, negative overspent."""
    burns: tuple[BurnReading, ...]
    reason: str
    since_last_data: timedelta | None = None
    versions: tuple[tuple[str, Counts], ...] = ()
    """Counts of the shortest alert window by model version, worst first: what an on-call engineer asks next."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Quantiles from merged exponential buckets, seconds; ``error`` is the largest relative error of each."""

    p50: float
    p95: float
    p99: float
    error: float
    count: int


@dataclass(frozen=True, slots=True)
class NodeNow:
    """An expected node: when its gateway last heard it, and how far its clock is from the gateway's."""

    device: str
    gateway: str
    region: str
    service: str
    last_received: datetime | None
    age_s: float | None
    clock_lag_s: float | None


@dataclass(frozen=True, slots=True)
class EpisodeNow:
    """An alert episode for people."""

    dedup_key: str
    severity: Severity
    state: str
    labels: Mapping[str, str]
    started_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the engine knew after its last tick: everything that the console and the API show."""

    at: datetime | None
    """None before the first tick."""
    statuses: tuple[Status, ...] = ()
    latencies: tuple[tuple[Group, Latency], ...] = ()
    """Merged latency of the last hour by (service, model, version, region)."""
    nodes: tuple[NodeNow, ...] = ()
    episodes: tuple[EpisodeNow, ...] = ()
    outbox: Mapping[str, int] = field(default_factory=dict)
    """Notifications by status: pending, claimed, sent, dead."""
    problems: tuple[str, ...] = ()
    """What failed in the last tick, in words; empty when all is well."""
    tick_s: float | None = None
    """How long the last tick took."""
