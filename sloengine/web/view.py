"""What the overview page says, worked out from a snapshot. Pure: the template only places it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from sloengine.model import BurnReading, EpisodeNow, Group, Latency, NodeNow, Severity, Snapshot, State, Status
from sloengine.times import format_duration
from sloengine.web import figures
from sloengine.web.places import slo_page

SLICES_MAX = 300
NODES_MAX = 50
ALERTS_MAX = 100
LATENCIES_MAX = 100
PROBLEMS_MAX = 20


@dataclass(frozen=True, slots=True)
class Limits:
    """From which age on a figure is of the past."""

    tick: timedelta = timedelta(minutes=1)
    node: timedelta = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Cell:
    """A name in full (bounded) and as shown."""

    shown: str
    full: str


@dataclass(frozen=True, slots=True)
class Pair:
    severity: str
    windows: str
    long: str
    short: str
    factor: str
    exceeded: bool
    meaning: str


@dataclass(frozen=True, slots=True)
class Slice:
    state: str
    tone: str
    name: Cell
    description: str
    group: tuple[tuple[str, Cell], ...]
    folded: str
    """How many slices beyond the cardinality budget it holds; empty for one of its own."""
    target: str
    window: str
    sli: str
    sampled: str
    """How well samples pin the figure down; empty where every event was counted."""
    below_target: bool
    coverage: str
    thin_coverage: bool
    budget: str
    budget_bar: float
    overspent: bool
    pairs: tuple[Pair, ...]
    reason: Cell
    good: str
    bad: str
    unknown: str
    failures: bool
    owner: Cell | None
    runbook: str | None
    runbook_text: Cell | None
    data_age: str
    versions: tuple[tuple[Cell, str, str], ...]
    link: str | None
    """Of its own page."""


@dataclass(frozen=True, slots=True)
class Alert:
    dedup_key: Cell
    severity: str
    state: str
    firing: bool
    labels: tuple[tuple[Cell, Cell], ...]
    since: datetime
    since_text: str
    lasted: str
    resolved: datetime | None
    resolved_text: str


@dataclass(frozen=True, slots=True)
class NodeRow:
    device: Cell
    gateway: Cell
    region: Cell
    service: Cell
    age: str
    lag: str
    state: str
    tone: str


@dataclass(frozen=True, slots=True)
class LatencyRow:
    group: tuple[Cell, ...]
    p50: str
    p95: str
    p99: str
    error: str
    count: str


@dataclass(frozen=True, slots=True)
class Overview:
    tone: str
    verdict: str
    detail: str
    worst: Slice | None
    ticked: bool
    at: datetime | None
    at_text: str
    tick_age: str
    tick_late: bool
    tick_took: str
    problems: tuple[Cell, ...]
    problems_hidden: int
    notes: tuple[Cell, ...]
    states: tuple[tuple[str, str, int], ...]
    slices: tuple[Slice, ...]
    slices_hidden: int
    alerts: tuple[Alert, ...]
    alerts_hidden: int
    firing: int
    pages: int
    nodes: tuple[NodeRow, ...]
    nodes_hidden: int
    nodes_fresh: int
    nodes_stale: int
    latencies: tuple[LatencyRow, ...]
    latencies_hidden: int
    sent: int
    undelivered: int
    lost: int


_ORDER = (State.BURNING, State.BROKEN, State.EXHAUSTED, State.STALE, State.NO_TRAFFIC, State.OK)
TONES = {
    State.OK: "good",
    State.BURNING: "bad",
    State.EXHAUSTED: "bad",
    State.BROKEN: "bad",
    State.STALE: "warn",
    State.NO_TRAFFIC: "none",
}


def overview(snapshot: Snapshot, now: datetime, limits: Limits, *, everything: bool = False) -> Overview:
    """The whole page. Lists are bounded, worst first, unless ``everything`` is asked for."""
    statuses = worst_first(snapshot.statuses)
    episodes = sorted(snapshot.episodes, key=_episode_rank)
    nodes = sorted(snapshot.nodes, key=_node_rank)
    stale = stale_nodes(nodes, limits.node)
    firing = [e for e in episodes if is_firing(e)]
    tick_age = None if snapshot.at is None else now - snapshot.at
    tick_late = tick_age is not None and tick_age > limits.tick
    tone, verdict, detail = _verdict(snapshot, tick_age, tick_late, stale)
    room = len(statuses) + len(episodes) + len(nodes) + len(snapshot.latencies) if everything else 0
    slices = statuses[: max(SLICES_MAX, room)]
    return Overview(
        tone=tone,
        verdict=verdict,
        detail=detail,
        worst=slice_of(slices[0]) if slices and slices[0].state is not State.OK else None,
        ticked=snapshot.at is not None,
        at=snapshot.at,
        at_text=NEVER if snapshot.at is None else figures.moment(snapshot.at),
        tick_age=figures.age(tick_age),
        tick_late=tick_late,
        tick_took=figures.NONE if snapshot.tick_s is None else figures.seconds(snapshot.tick_s),
        problems=tuple(cell(p, 200) for p in snapshot.problems[:PROBLEMS_MAX]),
        problems_hidden=max(0, len(snapshot.problems) - PROBLEMS_MAX),
        notes=tuple(cell(n, 200) for n in snapshot.notes),
        states=_states(statuses),
        slices=tuple(slice_of(s) for s in slices),
        slices_hidden=len(statuses) - len(slices),
        alerts=tuple(_alert(e, now) for e in episodes[: max(ALERTS_MAX, room)]),
        alerts_hidden=max(0, len(episodes) - max(ALERTS_MAX, room)),
        firing=len(firing),
        pages=sum(e.severity is Severity.PAGE for e in firing),
        nodes=tuple(_node(n, limits.node) for n in nodes[: max(NODES_MAX, room)]),
        nodes_hidden=max(0, len(nodes) - max(NODES_MAX, room)),
        nodes_fresh=len(nodes) - stale,
        nodes_stale=stale,
        latencies=tuple(_latency(g, v) for g, v in snapshot.latencies[: max(LATENCIES_MAX, room)]),
        latencies_hidden=max(0, len(snapshot.latencies) - max(LATENCIES_MAX, room)),
        sent=snapshot.outbox.get("sent", 0),
        undelivered=snapshot.outbox.get("pending", 0) + snapshot.outbox.get("claimed", 0),
        lost=snapshot.outbox.get("dead", 0),
    )


NEVER = "never"


def worst_first(statuses: Iterable[Status]) -> list[Status]:
    """Burning at page level, then what can't be judged, then by budget left; then by name, for a stable order."""
    return sorted(statuses, key=_slice_rank)


def is_firing(episode: EpisodeNow) -> bool:
    return episode.resolved_at is None and episode.state != "resolved"


def is_stale(node: NodeNow, limit: timedelta) -> bool:
    """Silent for longer than ``limit`` by its gateway's clock, or never heard."""
    return node.age_s is None or node.age_s > limit.total_seconds()


def stale_nodes(nodes: Iterable[NodeNow], limit: timedelta) -> int:
    return sum(is_stale(n, limit) for n in nodes)


def _slice_rank(status: Status) -> tuple[int, bool, float, str, Group]:
    paging = any(b.exceeded and b.window.severity is Severity.PAGE for b in status.burns)
    remaining = status.budget_remaining
    rank = -1 if status.state is State.BURNING and paging else _ORDER.index(status.state)
    return rank, remaining is None, remaining or 0.0, status.slo.name, status.group


def _episode_rank(episode: EpisodeNow) -> tuple[bool, bool, float, str]:
    newest = -(episode.resolved_at or episode.started_at).timestamp()
    return not is_firing(episode), episode.severity is not Severity.PAGE, newest, episode.dedup_key


def _node_rank(node: NodeNow) -> tuple[bool, float, str]:
    return node.age_s is not None, -(node.age_s or 0.0), node.device


def _verdict(snapshot: Snapshot, tick_age: timedelta | None, tick_late: bool, stale: int) -> tuple[str, str, str]:
    """Tone, headline and the sentence under it: the first thing that is true, worst first."""
    if tick_age is None:
        return (
            "none",
            "Waiting for the first tick",
            "The engine has not judged anything yet; nothing below is a statement.",
        )
    by_state = Counter(s.state for s in snapshot.statuses)
    total, burning = len(snapshot.statuses), by_state[State.BURNING]
    if tick_late:
        then = f"{burning} of {_slices(total)} burnt too fast then. " if burning else ""
        return (
            "warn",
            f"Last judged {figures.age(tick_age)} ago",
            f"{then}The engine is behind: everything below is how it was.",
        )
    if burning:
        return (
            "bad",
            f"{burning} of {_slices(total)} burning too fast",
            "Error budgets are being spent faster than allowed.",
        )
    if snapshot.problems or by_state[State.BROKEN]:
        return "warn", "The last tick had problems", "Some figures may be missing or old; the list below says why."
    return _calm_verdict(by_state, total, stale)


def _calm_verdict(by_state: Counter[State], total: int, stale: int) -> tuple[str, str, str]:
    if spent := by_state[State.EXHAUSTED]:
        return (
            "bad",
            f"{spent} of {_slices(total)} out of budget",
            "Nothing burns right now, but these budgets are spent.",
        )
    if not total:
        return "none", "No objectives yet", "The catalogue holds no objective that has a slice to judge."
    judged = by_state[State.OK]
    if judged < total:
        return (
            "warn",
            f"{judged} of {_slices(total)} within budget",
            "The rest can't be judged: no traffic, or data too old.",
        )
    if stale:
        return (
            "good",
            "All objectives within budget",
            f"{figures.count(stale)} silent nodes lower the coverage, not the ratio.",
        )
    return "good", "All objectives within budget", "Every slice is judged on fresh data."


def _slices(total: int) -> str:
    return f"{figures.count(total)} slice{'' if total == 1 else 's'}"


def _states(statuses: Sequence[Status]) -> tuple[tuple[str, str, int], ...]:
    by_state = Counter(s.state for s in statuses)
    return tuple((state.value, TONES[state], by_state[state]) for state in _ORDER if by_state[state])


def cell(text: str, limit: int = 64) -> Cell:
    return Cell(figures.cut(text, limit), figures.cut(text, 400))


def slice_of(status: Status) -> Slice:
    flawless = status.counts.bad == 0
    remaining = status.budget_remaining
    return Slice(
        state=status.state.value,
        tone=TONES[status.state],
        name=cell(status.slo.display_name or status.slo.name),
        description=figures.cut(status.slo.description, 400),
        group=tuple((name, cell(value, 40)) for name, value in status.group),
        folded=f"{figures.count(status.folded)} slices beyond the cardinality budget" if status.folded else "",
        target=figures.exact_percent(status.slo.target),
        window=format_duration(status.slo.window),
        sli=figures.ratio(status.sli, flawless=flawless),
        sampled=sampled_note(status),
        below_target=status.sli is not None and status.sli < status.slo.target,
        coverage=figures.ratio(status.coverage, flawless=True),
        thin_coverage=status.coverage is not None and status.coverage < 0.9,
        budget=figures.NONE if status.slo.zero_tolerance else figures.budget(remaining, flawless=flawless),
        budget_bar=0.0 if remaining is None else round(100 * min(1.0, max(0.0, remaining)), 2),
        overspent=remaining is not None and remaining <= 0,
        pairs=tuple(_pair(b, zero_tolerance=status.slo.zero_tolerance) for b in status.burns),
        reason=cell(status.reason, 140),
        good=tally(status, status.counts.good),
        bad=tally(status, status.counts.bad),
        unknown=tally(status, status.counts.unknown),
        failures=status.counts.bad > 0,
        owner=cell(status.slo.owner, 40) if status.slo.owner else None,
        runbook=_link(status.slo.runbook),
        runbook_text=cell(PurePosixPath(status.slo.runbook).stem, 40) if status.slo.runbook else None,
        data_age=figures.age(status.since_last_data),
        versions=tuple(
            (
                cell(name or "no version", 40),
                figures.count(c.bad, sampled=c.sampled),
                figures.count(c.valid, sampled=c.sampled),
            )
            for name, c in status.versions[:5]
        ),
        link=slo_page(status.slo.name, status.group),
    )


def tally(status: Status, number: float) -> str:
    # A query that failed counted nothing, which is not a count of zero.
    return figures.NONE if status.state is State.BROKEN else figures.count(number, sampled=status.counts.sampled)


def sampled_note(status: Status) -> str:
    """``sampled: 95 % sure of 99.1 % to 99.6 %``, or nothing where nothing was sampled."""
    if not status.counts.sampled:
        return ""
    if status.interval is None:
        return "sampled"
    return f"sampled: 95 % sure of {figures.span(*status.interval)}"


def _pair(burn: BurnReading, *, zero_tolerance: bool) -> Pair:
    long, short = format_duration(burn.window.long), format_duration(burn.window.short)
    # Where nothing bad is tolerated, the burn is a number of events and no multiple of anything.
    figure = _events if zero_tolerance else figures.multiple
    on_long, on_short, limit = (figure(value) for value in (burn.long_burn, burn.short_burn, burn.factor))
    return Pair(
        severity=burn.window.severity.value,
        windows=f"{long} / {short}",
        long=on_long,
        short=on_short,
        factor=limit,
        exceeded=burn.exceeded,
        meaning=f"{burn.window.severity.value}: {on_long} over {long}, {on_short} over {short}, limit {limit}:"
        f" {_verdict_on(burn)}",
    )


def _events(number: float | None) -> str:
    return figures.NONE if number is None else f"{figures.count(number)} bad"


def _verdict_on(burn: BurnReading) -> str:
    if burn.exceeded:
        return "over the limit"
    return "over the limit, but by too few events to be sure" if burn.over else "not over the limit on both"


def _link(url: str | None) -> str | None:
    """The address, if a click on it can only open a page: ``javascript:`` and the like stay text."""
    try:
        parts = urlsplit(url or "")
    except ValueError:
        return None
    return url if parts.scheme in ("http", "https") and parts.hostname and len(url or "") < 2000 else None


def _alert(episode: EpisodeNow, now: datetime) -> Alert:
    ended = episode.resolved_at
    return Alert(
        dedup_key=cell(episode.dedup_key, 48),
        severity=episode.severity.value,
        state=cell(episode.state, 24).shown,
        firing=is_firing(episode),
        labels=_labels(episode.labels),
        since=episode.started_at,
        since_text=figures.moment(episode.started_at),
        lasted=figures.age((ended or now) - episode.started_at),
        resolved=ended,
        resolved_text=figures.NONE if ended is None else figures.moment(ended),
    )


def _labels(labels: Mapping[str, str]) -> tuple[tuple[Cell, Cell], ...]:
    shown = sorted((k, v) for k, v in labels.items() if k != "severity")[:16]
    return tuple((cell(k, 32), cell(v, 48)) for k, v in shown)


def _node(node: NodeNow, limit: timedelta) -> NodeRow:
    heard = node.age_s is not None
    stale = is_stale(node, limit)
    return NodeRow(
        device=cell(node.device, 48),
        gateway=cell(node.gateway, 40),
        region=cell(node.region, 40),
        service=cell(node.service, 40),
        age=figures.age(node.age_s) if heard else NEVER,
        lag=figures.signed_seconds(node.clock_lag_s),
        state="fresh" if not stale else "stale" if heard else "never heard",
        tone="good" if not stale else "warn" if heard else "bad",
    )


def _latency(group: Group, latency: Latency) -> LatencyRow:
    values = dict(group)
    return LatencyRow(
        group=tuple(cell(values.get(k, figures.NONE), 40) for k in ("service", "model", "version", "region")),
        p50=figures.seconds(latency.p50),
        p95=figures.seconds(latency.p95),
        p99=figures.seconds(latency.p99),
        error=f"±{latency.error:.1%}".replace("%", " %"),
        count=figures.count(latency.count),
    )
