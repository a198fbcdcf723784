"""The values that stages hand to each other. Frozen, no behaviour beyond their own fields; times are aware UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sloengine.monitor import DriftMonitor

DIMENSIONS = ("service", "model", "version", "region", "gateway", "rollout", "wave", "hardware", "device")
"""What a bucket row may be told apart by, in the order of the bucket tables' columns. Beside these, any OpenTelemetry attribute
can be asked for by its own name."""

DETAIL = ("wave", "hardware", "device")
"""Dimensions that buckets hold only where an SLO or a monitor asks for them: per-node detail is a budget (MISSION, truth 5)."""

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
class Matcher:
    """A condition on a dimension or attribute, in Alertmanager's operators, or on the value that buckets are cut by."""

    name: str
    """A dimension, an attribute, or ``value``: a span's or histogram's number, in the metric's own unit (spans: seconds)."""
    op: str
    """``=``, ``!=``, ``=~``, ``!~``; for ``value`` ``<=`` or ``>``."""
    value: str


class Source(StrEnum):
    """Where a measure's buckets come from."""

    SUM = "sum"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"
    SPAN = "span"
    LOG = "log"
    DERIVED = "derived"
    """Written by a job of ours (freshness, labels, rollouts, slices, SQL), not folded from raw telemetry by name."""


@dataclass(frozen=True, slots=True)
class Selector:
    """Which bucket rows count: those of a measure that meet every matcher."""

    source: Source
    name: str
    """Metric, span or event name; for derived measures the measure's own name."""
    where: tuple[Matcher, ...] = ()
    request: str = ""
    """Spans only: the attribute that names a request. Attempts of one request count once, by the last one's outcome, at the
    time of the first (M1's trap). Empty: each span is a request of its own."""

    @property
    def measure(self) -> str:
        """Name of the measure in the bucket tables. Metric names stay as they are; spans and logs have a prefix."""
        if self.source is Source.SPAN:
            return f"span:{self.name}" + (f"/{self.request}" if self.request else "")
        return f"log:{self.name}" if self.source is Source.LOG else self.name


@dataclass(frozen=True, slots=True)
class SqlMeasure:
    """A measure whose buckets a query of the user's own gives; it is run as a reader, over the last ``lookback``, each tick."""

    name: str
    """Name of the measure that selectors refer to, ``sql:…``."""
    query: str
    """Columns: ``minute`` and ``events``, any of the dimensions, any attribute under its own name; parameters
    ``{from:DateTime}`` and ``{to:DateTime}``."""
    lookback: timedelta
    source: str
    """``file:line``."""


@dataclass(frozen=True, slots=True)
class SliceRule:
    """A verdict per entity and slice of time: a value, which is a ratio of two sums or one sum, held to a threshold."""

    length: timedelta
    per: tuple[str, ...]
    """Dimensions whose combinations are judged on their own, such as ``("device",)``."""
    numerator: tuple[Selector, ...]
    denominator: tuple[Selector, ...]
    """Empty: the value is the numerator's sum."""
    op: str
    """``lte``, ``lt``, ``gte``, ``gt``: good if value op threshold."""
    threshold: float
    mode: str = "verdict"
    """``verdict``: a slice is one event, good or bad. ``ratio``: it counts as good by its ratio and as bad by the rest, whatever
    its traffic (OpenSLO's RatioTimeslices); with ``lte`` or ``lt`` the ratio is the bad part."""


@dataclass(frozen=True, slots=True)
class Sli:
    """Good and bad events as sums over bucket rows. One of good and bad may be missing if there is a total.

    What is in the total but neither good nor bad is unknown; without a total nothing but unweighted spans is.
    """

    good: tuple[Selector, ...] = ()
    bad: tuple[Selector, ...] = ()
    total: tuple[Selector, ...] = ()
    slices: SliceRule | None = None
    """Where verdicts of slices are the events, the rule that makes them; good and bad then select those verdicts."""

    @property
    def selectors(self) -> tuple[Selector, ...]:
        rule = self.slices
        return self.good + self.bad + self.total + ((rule.numerator + rule.denominator) if rule else ())


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods of the calendar: so many of a unit, counted from ``start`` in local time of ``zone``."""

    count: int
    unit: str
    """``day``, ``week``, ``month``, ``quarter``, ``year``."""
    start: datetime
    """Naive: local time of the zone."""
    zone: str


@dataclass(frozen=True, slots=True)
class DatedTarget:
    """An objective's target since a moment; a change is not retroactive."""

    since: datetime
    target: float


class Unknown(StrEnum):
    """What unknown events count as: the SLO's own policy."""

    IGNORE = "ignore"
    GOOD = "good"
    BAD = "bad"


class Weighting(StrEnum):
    """Whose ratio counts the same: each event's, each node's, or each site's (what one gateway serves)."""

    EVENTS = "events"
    NODES = "nodes"
    SITES = "sites"


@dataclass(frozen=True, slots=True)
class Quantifier:
    """A promise over nodes: at least ``share`` of them each reach ``target``; or, if ``worst``, the worst ``share`` of them
    together reach it."""

    share: float
    target: float
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Component:
    """One objective of a composite SLO and its weight."""

    slo: str
    weight: float


@dataclass(frozen=True, slots=True)
class Slo:
    """One service level objective, possibly told apart by dimensions (``by``); each combination has its own budget."""

    name: str
    display_name: str
    description: str
    service: str
    indicator: str
    """``M1`` … ``M15`` for a template, else the name of the SLI."""
    sli: Sli
    target: float
    """Ratio in (0, 1), as it is now; 1 only with ``zero_tolerance``."""
    window: timedelta
    """Length of the rolling window; of a calendar period its nominal length."""
    by: tuple[str, ...]
    policy: BurnPolicy
    owner: str | None
    runbook: str | None
    source: str
    """``file:line`` of its definition."""
    calendar: Calendar | None = None
    targets: tuple[DatedTarget, ...] = ()
    """Earlier targets and when each began, oldest first, the present one last; empty if it never changed."""
    where: tuple[Matcher, ...] = ()
    """Narrows every selector of the SLI."""
    unknown: Unknown = Unknown.IGNORE
    weighting: Weighting = Weighting.EVENTS
    quantifier: Quantifier | None = None
    zero_tolerance: bool = False
    """One bad event is one too many (M10): no budget, no burn, any bad event in the shortest window pages."""
    reserve: float = 0.0
    """Share of the budget set aside for rollouts."""
    slices_max: int = 1000
    """Cardinality budget: more combinations of ``by`` than this fold into one slice called ``other``."""
    components: tuple[Component, ...] = ()
    """Composite: burn and budget are the weighted means of these SLOs' own; ``sli`` is then empty."""
    was: str = ""
    """Name it had before; its history is that one's too."""


@dataclass(frozen=True, slots=True)
class Node:
    """A device that is expected to send; what is expected decides what is missing."""

    device: str
    gateway: str
    region: str
    service: str
    since: datetime


@dataclass(frozen=True, slots=True)
class RolloutTarget:
    """A device that a rollout is meant to reach: without it, a rollout that stopped half-way would look done (M6)."""

    rollout: str
    """``edge.rollout.id``."""
    device: str
    service: str
    at: datetime
    """When it was declared: a device that is never tried counts from here. What follows comes from its events, if empty."""
    wave: str = ""
    model: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Time that does not count (maintenance, a decommissioned node), once or by an RRULE, for what its matchers select."""

    name: str
    reason: str
    where: tuple[Matcher, ...]
    start: datetime
    """The only start, or where the rule begins."""
    duration: timedelta | None
    """Elapsed time of each occurrence. None: to ``until``, or without end."""
    rrule: str | None = None
    """RFC 5545, on the clocks of ``zone``."""
    zone: str = "UTC"
    until: datetime | None = None
    """From when on nothing is excluded, even in the middle of an occurrence."""


@dataclass(frozen=True, slots=True)
class Broken:
    """An SLO, or another document, that can't be used because its definition is wrong: it stays visible, the others go on."""

    name: str
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    slos: tuple[Slo, ...]
    nodes: tuple[Node, ...]
    exclusions: tuple[Exclusion, ...] = ()
    broken: tuple[Broken, ...] = ()
    queries: tuple[SqlMeasure, ...] = ()
    targets: tuple[RolloutTarget, ...] = ()
    monitors: tuple[DriftMonitor, ...] = ()


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over a window: events that were good, bad, or can't be told; seconds of telemetry behind them.

    Sampled spans count with their weights, so sums need not be whole numbers; exact counters' are.
    """

    good: float = 0
    bad: float = 0
    unknown: float = 0
    covered_s: float = 0.0
    good_squares: float | None = None
    """Sum of squared weights; None means that every event counts once, so it equals the sum itself."""
    bad_squares: float | None = None
    bridged: float = 0
    """Events among them whose minute is not exactly known: a counter's increase across an outage."""
    shifted: float = 0
    """Events among them that were moved because the device's clock was off."""

    @property
    def valid(self) -> float:
        return self.good + self.bad

    @property
    def sampled(self) -> bool:
        """Whether the sums are estimates from weighted samples rather than counts."""
        return self.good_squares is not None or self.bad_squares is not None

    @property
    def squares(self) -> tuple[float, float]:
        """Sums of squared weights of good and of bad events."""
        good = self.good if self.good_squares is None else self.good_squares
        return good, self.bad if self.bad_squares is None else self.bad_squares

    def __add__(self, other: Counts) -> Counts:
        sampled = self.sampled or other.sampled
        mine, theirs = self.squares, other.squares
        return Counts(
            self.good + other.good,
            self.bad + other.bad,
            self.unknown + other.unknown,
            self.covered_s + other.covered_s,
            mine[0] + theirs[0] if sampled else None,
            mine[1] + theirs[1] if sampled else None,
            self.bridged + other.bridged,
            self.shifted + other.shifted,
        )


@dataclass(frozen=True, slots=True)
class BurnReading:
    """One window pair measured: burn is bad ratio over allowed ratio; None where the window holds no valid event."""

    window: BurnWindow
    factor: float
    long_burn: float | None
    short_burn: float | None
    sure: bool = True
    """Whether the lower bounds of both are over the factor too: few events, or few samples, prove little."""

    @property
    def over(self) -> bool:
        """Both points over the factor: the long window says it matters, the short one that it still goes on."""
        long, short = self.long_burn, self.short_burn
        return long is not None and short is not None and long > self.factor and short > self.factor

    @property
    def exceeded(self) -> bool:
        """Over the factor, and surely so: this is what alerts."""
        return self.over and self.sure


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget in the units people ask for."""

    allowed: float
    """Bad events that the window's valid events allow, each by the target of its own time."""
    spent: float
    """Bad events."""
    remaining: float
    """Share that is left: 1 untouched, 0 spent, negative overspent."""
    left_s: float
    """The same as time: how long everything may still fail within the window, at its average traffic."""
    exhausts_in: timedelta | None
    """At the burn of the policy's shortest long window; None if it lasts, or nothing says how fast it goes."""
    reserved: float = 0.0
    """Share of the whole set aside for rollouts."""


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
    interval: tuple[float, float] | None = None
    """The SLI's 95 % interval: how well so many events, or samples, pin it down."""
    effective: float | None = None
    """Effective sample size; the number of valid events where each was counted once and nodes are not told apart."""
    clustered: int = 0
    """How many nodes or sites that differ ``interval`` and ``effective`` allow for; 0: events are taken to be independent."""
    budget: Budget | None = None
    window_start: datetime | None = None
    window_end: datetime | None = None
    """End of the calendar period; now for a rolling window."""
    excluded: Counts = field(default_factory=Counts)
    """What was counted in excluded time of the window."""
    folded: int = 0
    """How many slices beyond the cardinality budget this one holds."""
    units: tuple[tuple[str, Counts], ...] = ()
    """Nodes or sites, worst first, where the SLO weighs or quantifies over them."""
    components: tuple[tuple[str, float, float | None], ...] = ()
    """Composite: each part's name, weight and burn over the window."""


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
    notes: tuple[str, ...] = ()
    """What people should know although nothing failed, in words."""
