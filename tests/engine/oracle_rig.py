"""Many histories through one engine: each is a region of its own, so that all of them share every statement of a tick."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import import_module
from itertools import pairwise
from typing import Any

import oracle
from engine_rig import WORKBOOK, Rig
from oracle_histories import BEGIN, CLEARED, DAY, DISTRUSTED, END, HOUR, MINUTE, MODEL, Delivery, History, World

from sloengine import jobs
from sloengine.evaluate.judge import judge
from sloengine.evaluate.measure import Measured, exclude, frame_of, measure
from sloengine.model import (
    Catalogue,
    Counts,
    DatedTarget,
    Exclusion,
    Latency,
    Matcher,
    Selector,
    Sli,
    Slo,
    Source,
    Unknown,
    Weighting,
)

evaluating = import_module("sloengine.jobs.evaluate")

SHARED = (DISTRUSTED, CLEARED)
SERVICE = "oracle"
WINDOW = 30 * DAY
RAW = ("sum", "exponential", "explicit", "gauge", "span", "log")
TABLES = {
    "sum": "otel_metrics_sum",
    "exponential": "otel_metrics_exponential_histogram",
    "explicit": "otel_metrics_histogram",
    "gauge": "otel_metrics_gauge",
    "span": "otel_traces",
    "log": "otel_logs",
    "prediction": "otel_logs",
    "label": "otel_logs",
}
STAMPS = ["ResourceAttributes", "ServiceName", "IngestTime", "GatewayTime"]
POINT = [*STAMPS, "MetricName", "Attributes", "StartTimeUnix", "TimeUnix"]
COLUMNS = {
    "sum": [*POINT, "AggregationTemporality", "IsMonotonic", "Value"],
    "exponential": [*POINT, "AggregationTemporality", "Count", "Scale", "PositiveOffset", "PositiveBucketCounts"],
    "explicit": [*POINT, "AggregationTemporality", "Count", "ExplicitBounds", "BucketCounts"],
    "gauge": [*POINT, "Value"],
    "span": [*STAMPS, "SpanName", "SpanAttributes", "Timestamp", "TraceId", "SpanId", "TraceState", "Duration"],
    "log": [*STAMPS, "EventName", "LogAttributes", "Timestamp"],
}
COLUMNS["prediction"] = COLUMNS["label"] = COLUMNS["log"]


# --- what the engine is asked


def _ratio(source: Source, name: str, attribute: str, good: str, bad: str, total: bool, request: str = "") -> Sli:
    def of(*where: Matcher) -> tuple[Selector, ...]:
        return (Selector(source, name, where, request),)

    return Sli(of(Matcher(attribute, "=", good)), of(Matcher(attribute, "=", bad)), of() if total else ())


def _at_most(source: Source, name: str, cut: float, request: str = "", op: str = "<=") -> Sli:
    good = Selector(source, name, (Matcher("value", op, repr(cut)),), request)
    return Sli(good=(good,), total=(Selector(source, name, (), request),))


SLIS = {
    "requests": _ratio(
        Source.SUM, "edge.inference.requests", "edge.inference.outcome", "success", "failure", total=True
    ),
    "latency": _at_most(Source.HISTOGRAM, "edge.inference.duration", oracle.LATENCY_CUT),
    "score": _at_most(Source.HISTOGRAM, "edge.inference.score", oracle.SCORE_CUT, op=">"),
    "cpu": _at_most(Source.GAUGE, "system.cpu.utilization", oracle.CPU_CUT),
    "spans": _ratio(Source.SPAN, "infer", "outcome", "ok", "error", total=False),
    "tries": _ratio(Source.SPAN, "infer", "outcome", "ok", "error", total=True, request="request.id"),
    "speed": _at_most(Source.SPAN, "infer", oracle.SPEED_CUT, request="request.id"),
    "loads": Sli(
        good=(Selector(Source.LOG, "edge.model.loaded"),), bad=(Selector(Source.LOG, "edge.model.load_failed"),)
    ),
    "accuracy": _ratio(Source.DERIVED, "predictions", "verdict", "correct", "wrong", total=True),
    "lag": _at_most(Source.DERIVED, "label.lag", oracle.LAG_CUT_S),
}
MARKED = {"requests", "cpu", "spans", "tries", "speed", "loads", "accuracy", "lag"}
"""Whose counts say what was moved; buckets of histograms are cut into bands without that."""


def slos_of(world: World) -> tuple[Slo, ...]:
    targets = tuple(DatedTarget(since, target) for since, target in world.targets)
    plain = Slo(
        name="",
        display_name="",
        description="",
        service=SERVICE,
        indicator="",
        sli=Sli(),
        target=world.targets[-1][1],
        window=WINDOW,
        by=("region",),
        policy=WORKBOOK,
        owner="ml",
        runbook="runbook.md",
        source="test:1",
        targets=targets,
        slices_max=10**6,
    )
    found = [replace(plain, name=name, sli=sli) for name, sli in SLIS.items()]
    versions = replace(plain, name="versions", sli=SLIS["requests"], by=("region", "version"), unknown=Unknown.BAD)
    nodes = replace(plain, name="nodes", sli=SLIS["requests"], weighting=Weighting.NODES)
    return (*found, versions, nodes)


def catalogue_of(world: World) -> Catalogue:
    exclusions = tuple(
        Exclusion(
            f"x{n}",
            "a test",
            (Matcher("version", "=", rule.version),),
            rule.start,
            rule.length,
            "FREQ=DAILY" if rule.daily else None,
        )
        for n, rule in enumerate(world.excluded)
    )
    return Catalogue(slos_of(world), (), exclusions)


# --- deliveries as rows


def row_of(d: Delivery, region: str) -> list[Any]:
    resource = {
        "service.name": SERVICE,
        # A history's devices and own gateways are no other's.
        "device.id": region + d.device if d.device else "",
        "edge.region": region,
        "edge.gateway.id": d.gateway if d.gateway in SHARED else region + d.gateway,
        # What it says of its clock is that it is right: what is known of clocks is told, not guessed, here.
        "edge.clock.sent_unix_nano": str(int(d.received.timestamp() * 1000) * 1_000_000),
    }
    common: list[Any] = [resource, SERVICE, d.ingested, d.received]
    attributes = {"edge.model.name": MODEL, "edge.model.version": d.version} if d.version else {}
    if d.kind in ("sum", "exponential", "explicit", "gauge"):
        return [*common, d.name, {**attributes, **dict(d.attributes)}, d.start, d.at, *_POINTS[d.kind](d)]
    if d.kind == "span":
        attributes |= {**dict(d.attributes), "request.id": d.request}
        state = f"ot=th:{d.threshold}" if d.threshold else ""
        ident = [(region + d.ident).rjust(32, "0"), d.ident.rjust(16, "0")]
        return [*common, d.name, attributes, d.at, *ident, state, round(d.lasted_s * 1e9)]
    return [*common, d.name, {**attributes, **_record(d)}, d.at]


def _record(d: Delivery) -> dict[str, str]:
    if d.kind == "log":
        return {}
    if d.kind == "label":
        return {"edge.prediction.id": d.ident, "edge.label.truth": d.get("truth")}
    said = {
        "edge.prediction.id": d.ident,
        "edge.sampling.threshold": d.threshold,
        "edge.inference.label": d.get("label"),
        "edge.prediction.truth": d.get("truth"),
    }
    return {k: v for k, v in said.items() if v}


def _exponential(d: Delivery) -> list[Any]:
    cells: dict[int, int] = defaultdict(int)
    for value in d.values:
        cells[math.ceil(math.log2(value) * 2**d.scale) - 1] += 1
    low, high = (min(cells), max(cells)) if cells else (0, -1)
    return [_temporality(d), len(d.values), d.scale, low, [cells[i] for i in range(low, high + 1)]]


def _explicit(d: Delivery) -> list[Any]:
    bounds = [-math.inf, *oracle.SCORE_BOUNDS, math.inf]
    counts = [sum(low < v <= high for v in d.values) for low, high in pairwise(bounds)]
    return [_temporality(d), len(d.values), list(oracle.SCORE_BOUNDS), counts]


def _temporality(d: Delivery) -> int:
    return 1 if d.delta else 2


_POINTS: dict[str, Callable[[Delivery], list[Any]]] = {
    "sum": lambda d: [_temporality(d), True, d.value],
    "exponential": _exponential,
    "explicit": _explicit,
    "gauge": lambda d: [d.value],
}


# --- running


@dataclass
class Run:
    """Histories in a store with an engine of their own."""

    rig: Rig
    world: World
    histories: Sequence[History]
    done: int = 0
    stored: datetime = BEGIN - DAY
    """What came in until then is in the store."""
    _rows: dict[str, list[tuple[datetime, list[Any]]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.rig.deps.catalogue = catalogue_of(self.world)
        for number, history in enumerate(self.histories):
            for delivery in history.deliveries:
                self._rows[delivery.kind].append((delivery.ingested, row_of(delivery, region_of(number))))

    def ticks(self, moments: Sequence[datetime]) -> None:
        """What came in before each moment is stored, and what became known by then; then the engine looks."""
        for now in moments:
            for kind, rows in self._rows.items():
                fresh = [row for at, row in rows if self.stored < at <= now]
                self.rig.store.insert(TABLES[kind], COLUMNS[kind], fresh)
            self.stored = now
            self._correct(sum(tick <= now for tick in self.world.ticks) - 1)
            self.look(now)

    def _correct(self, tick: int) -> None:
        """Tell what became known at a tick since the last one."""
        known = range(self.done, tick + 1)
        offsets = [o for at, o in self.world.offsets if at in known]
        held = [(at, q) for at, q in self.world.quarantines if at in known]
        columns = ["DeviceId", "Since", "Until", "OffsetMs", "Evidence", "Revision"]
        rows: list[list[object]] = [
            [region_of(number) + o.device, o.since, o.until, o.ms, "told", tick]
            for o in offsets
            for number, history in enumerate(self.histories)
            if any(d.device == o.device for d in history.deliveries)
        ]
        self.rig.store.insert("clock_offsets", columns, rows)
        columns = ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"]
        rows = [[q.gateway, q.since, q.until, "a test", "test", q.lifted, at + 1] for at, q in held]
        self.rig.store.insert("quarantines", columns, rows)
        self.done = tick + 1

    def look(self, now: datetime) -> int:
        self.rig.clock.now = now
        done = jobs.roll_up(self.rig.deps, now)
        assert self.rig.deps.derive_problems == []
        return done

    def written(self, since: datetime) -> dict[str, int]:
        """Rows that were written to each bucket table by looks from then on."""
        revision = int(since.timestamp() * 1000)
        sql = "SELECT count() AS n FROM {} WHERE Revision >= {}"
        return {table: self.rig.store.sql_rows(sql.format(table, revision))[0]["n"] for table in _CHECKSUMS}

    def forget(self) -> None:
        """Make the engine think that it has never looked."""
        with self.rig.deps.state.begin() as connection:
            connection.exec_driver_sql("DELETE FROM watermarks WHERE name NOT LIKE 'correction:%'")

    def buckets(self) -> dict[str, int]:
        """A checksum of what each bucket table says, whatever the revision."""
        return {table: self.rig.store.sql_rows(sql)[0]["n"] for table, sql in _CHECKSUMS.items()}


_COUNTS = "Events, Squares, Items, Unweighted, Bridged, Shifted"
_KEYS = "Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, DeviceId, Attributes"
_CHECKSUM = "SELECT sum(sipHash64({keys}, {rest})) AS n FROM {table} FINAL WHERE Items > 0"
_CHECKSUMS = {
    table: _CHECKSUM.format(keys=_KEYS, rest=rest, table=table)
    for table, rest in {
        "count_minutes": f"Minute, {_COUNTS}",
        "count_hours": f"Hour, {_COUNTS}",
        "count_days": f"Day, {_COUNTS}",
        "histogram_minutes": "Minute, Scale, Bounds, Zero, mapSort(Buckets), Items, Bridged, Shifted",
    }.items()
}


def region_of(number: int) -> str:
    return f"h{number}"


# --- comparing


@dataclass(frozen=True)
class Difference:
    history: int
    what: str
    found: object
    wanted: object

    def __str__(self) -> str:
        return f"{self.what}: the engine says {self.found}, the oracle {self.wanted}"


Told = dict[str, list[tuple[int, datetime, bool, oracle.Event]]]
"""By SLO: whose history, which minute, whether it was in excluded time, what."""


def differences(run: Run) -> list[Difference]:
    """Every figure of every slice of every SLO in every window, at each look, that is not what the oracle says."""
    told: Told = defaultdict(list)
    for number, history in enumerate(run.histories):
        for event in oracle.events_of(history.deliveries, run.world, END):
            told[event.slo].append((number, oracle.minute(event.at), oracle.left_out(event, run.world), event))
    out: list[Difference] = []
    for at in run.world.looks:
        out += _windows(run, told, at)
    return out + _statuses(run, told, run.world.looks[1]) + _latencies(run, run.world.looks[0])


def _measured(run: Run, at: datetime) -> list[tuple[Slo, list[Measured]]]:
    deps = run.rig.deps
    slos, exclusions = deps.catalogue.slos, deps.catalogue.exclusions
    frame = frame_of(slos, exclusions, at)
    whole = evaluating.read_cube(deps, frame)
    cube = exclude(whole, exclusions, frame)
    return [(slo, measure(slo, cube, whole, frame, deps.matches)) for slo in slos]


def _windows(run: Run, told: Told, at: datetime) -> list[Difference]:
    out = []
    for slo, measured in _measured(run, at):
        found = {m.group: m for m in measured}
        lengths = sorted({span for m in measured for span in m.spans} | {WINDOW})
        for length in lengths:
            wanted = _wanted(slo, told, at, length)
            for group in wanted.keys() | found.keys():
                counts = found[group].spans[length] if group in found else Counts()
                want = wanted.get(group, oracle.Sums())
                if not _same(slo, counts, want):
                    what = f"{slo.name} {dict(group)} over {length} at {at}"
                    out.append(Difference(_number(group), what, counts, want))
        out += _excluded(slo, told, at, found)
    return out


def _number(group: tuple[tuple[str, str], ...]) -> int:
    return int(dict(group)["region"][1:])


def _wanted(slo: Slo, told: Told, at: datetime, length: timedelta, *, excluded: bool = False) -> dict[Any, oracle.Sums]:
    """By slice. ``excluded``: what happened in time that does not count, in place of all else."""
    out: dict[Any, oracle.Sums] = defaultdict(oracle.Sums)
    nodes: dict[Any, dict[str, oracle.Sums]] = defaultdict(lambda: defaultdict(oracle.Sums))
    first, last = oracle.bounds(at, length)
    by_version, by_node = "version" in slo.by, slo.weighting is Weighting.NODES
    for number, minute, out_of, event in told["requests" if slo.name in ("versions", "nodes") else slo.name]:
        if out_of is not excluded or not first <= minute <= last:
            continue
        group = (("region", region_of(number)), *((("version", event.version),) if by_version else ()))
        (nodes[group][event.device] if by_node else out[group]).add(event)
    if slo.weighting is Weighting.NODES:
        return {group: _over_nodes(by_node.values()) for group, by_node in nodes.items()}
    if slo.unknown is Unknown.BAD:
        for held in out.values():
            held.bad += held.unknown
    return out


def _over_nodes(nodes: Iterable[oracle.Sums]) -> oracle.Sums:
    """Each node counts once, by its own ratio; one without valid events is unknown."""
    out = oracle.Sums()
    for node in nodes:
        valid = node.good + node.bad
        out.good += node.good / valid if valid else 0
        out.bad += node.bad / valid if valid else 0
        out.unknown += not valid
    return out


def _same(slo: Slo, counts: Counts, want: oracle.Sums) -> bool:
    pairs = [(counts.good, want.good), (counts.bad, want.bad)]
    if slo.weighting is Weighting.EVENTS:
        # A node that says nothing in a window is unknown there as long as anything is kept of it.
        pairs.append((counts.unknown, want.unknown))
    if slo.name in MARKED:
        pairs += [(counts.shifted, want.shifted), (counts.bridged, want.bridged)]
        if counts.sampled:
            pairs += [(counts.squares[0], want.good_squares), (counts.squares[1], want.bad_squares)]
    return all(_near(found, wanted) for found, wanted in pairs)


def _near(found: float, wanted: float) -> bool:
    """Exactly, but for what adding fractions in another order does."""
    return found == wanted if wanted == int(wanted) else abs(found - wanted) < 2e-6


def _excluded(slo: Slo, told: Told, at: datetime, found: dict[Any, Measured]) -> list[Difference]:
    if slo.weighting is Weighting.NODES or slo.unknown is Unknown.BAD:
        return []
    out = []
    wanted = _wanted(slo, told, at, WINDOW, excluded=True)
    for group, measured in found.items():
        want, counts = wanted.get(group, oracle.Sums()), measured.excluded
        pairs = zip((counts.good, counts.bad, counts.unknown), (want.good, want.bad, want.unknown), strict=True)
        if not all(_near(a, b) for a, b in pairs):
            out.append(Difference(_number(group), f"{slo.name} {dict(group)} left out at {at}", counts, want))
    return out


def _statuses(run: Run, told: Told, at: datetime) -> list[Difference]:
    """Budgets by the target of each event's own time, and coverage, of one SLO."""
    slo, measured = _measured(run, at)[0]
    out = []
    since, target = run.world.targets[-1]
    first, last = oracle.bounds(at, WINDOW)
    valid: dict[int, list[tuple[datetime, oracle.Event]]] = defaultdict(list)
    for number, minute, out_of, event in told[slo.name]:
        if event.outcome in ("good", "bad") and not out_of and first <= minute <= last:
            valid[number].append((minute, event))
    for status in judge(slo, measured, (), at):
        number = _number(status.group)
        allowed = sum(
            event.amount * (1 - (target if minute >= since else run.world.targets[0][1]))
            for minute, event in valid[number]
        )
        found = status.budget.allowed if status.budget else 0.0
        if abs(found - allowed) > 1e-6:
            out.append(Difference(number, f"budget of {slo.name} at {at}", found, allowed))
        heard = [
            (when, seconds)
            for when, seconds in oracle.covered(run.histories[number].deliveries, run.world)
            if at - WINDOW <= when and oracle.minute(when) <= at
        ]
        wanted = sum(seconds for _, seconds in heard)
        if abs(status.counts.covered_s - wanted) > 0.002 * len(heard) + 0.001:
            out.append(Difference(number, f"coverage at {at}", status.counts.covered_s, wanted))
    return out


def _latencies(run: Run, at: datetime) -> list[Difference]:
    """Quantiles of the last hour lie within the error that is stated beside them."""
    found: dict[tuple[str, str], Latency] = {
        (dict(group)["region"], dict(group)["version"]): latency
        for group, latency in evaluating.latencies(run.rig.deps, at)
    }
    out = []
    for number, history in enumerate(run.histories):
        for version, told in oracle.latencies(history.deliveries, run.world).items():
            end = oracle.minute(at)
            held = sorted((v, s) for when, v, s in told if end - HOUR <= when < end + MINUTE)
            latency = found.pop((region_of(number), version), None)
            if held or latency:
                out += _quantiles(number, f"latency of version {version} at {at}", held, latency)
    return out + [
        Difference(int(region[1:]), "latency of nothing", latency, None) for (region, _), latency in found.items()
    ]


def _quantiles(number: int, what: str, held: Sequence[tuple[float, int]], latency: Latency | None) -> list[Difference]:
    if latency is None or latency.count != len(held):
        return [Difference(number, what, latency, f"{len(held)} values")]
    stated = 2 ** (2 ** -(min(s for _, s in held) + 1)) - 1
    out = []
    for q, said in ((0.5, latency.p50), (0.95, latency.p95), (0.99, latency.p99)):
        true = held[math.ceil(q * len(held)) - 1][0]
        if abs(said - true) > latency.error * true * (1 + 1e-9) or latency.error > stated * (1 + 1e-9):
            out.append(Difference(number, f"{what}, quantile {q}", (said, latency.error), true))
    return out
