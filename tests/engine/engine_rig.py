"""An engine in the test's hands: its clock, its store, its pager, and points as a gateway would have delivered them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from sloengine import jobs
from sloengine.config.routing import Alerting
from sloengine.config.settings import EngineSection, Settings, StoreSection
from sloengine.gameday.pager import Pager
from sloengine.model import (
    BurnPolicy,
    BurnWindow,
    Catalogue,
    Matcher,
    Node,
    Selector,
    Severity,
    Sli,
    Slo,
    Source,
    Status,
)
from sloengine.state.database import open_database
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SERVICE = "digits"
CUMULATIVE, DELTA = 2, 1
# Raw rows expire after 40 days of real time, so tests live in the recent past.
BASE = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=8)

SHARED_COLUMNS = [
    "ResourceAttributes",
    "ScopeName",
    "ServiceName",
    "MetricName",
    "MetricUnit",
    "Attributes",
    "StartTimeUnix",
    "TimeUnix",
    "AggregationTemporality",
    "IngestTime",
    "GatewayTime",
]
SUM_COLUMNS = [*SHARED_COLUMNS, "Value", "IsMonotonic"]
HISTOGRAM_COLUMNS = [*SHARED_COLUMNS, "Count", "Scale", "ZeroCount", "PositiveOffset", "PositiveBucketCounts"]


WORKBOOK = BurnPolicy(
    "sre-workbook",
    (
        BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02),
        BurnWindow(Severity.PAGE, 6 * HOUR, 30 * MINUTE, 0.05),
        BurnWindow(Severity.TICKET, timedelta(days=1), 2 * HOUR, 0.10),
        BurnWindow(Severity.TICKET, timedelta(days=3), 6 * HOUR, 0.10),
    ),
)
"""Google, The Site Reliability Workbook, chapter 5, table 5-8."""


@dataclass
class Clock:
    now: datetime = BASE

    def __call__(self) -> datetime:
        return self.now


@dataclass(frozen=True, slots=True)
class Series:
    """Who speaks: everything but the time and the value."""

    device: str = "node-1"
    gateway: str = "gw-1"
    region: str = "eu"
    model: str = "m"
    version: str = "1"
    rollout: str = ""
    service: str = SERVICE
    outcome: str = "success"
    start: datetime = BASE - HOUR
    temporality: int = CUMULATIVE
    extra: tuple[tuple[str, str], ...] = ()

    def row(
        self, metric: str, unit: str, at: datetime, ingested: datetime | None, gateway_time: datetime | None
    ) -> list[Any]:
        resource = {
            "service.name": self.service,
            "device.id": self.device,
            "edge.region": self.region,
            "edge.gateway.id": self.gateway,
        }
        attributes = {
            "edge.model.name": self.model,
            "edge.model.version": self.version,
            "edge.rollout.id": self.rollout,
            "edge.inference.outcome": self.outcome,
            **dict(self.extra),
        }
        received = ingested or at + timedelta(seconds=2)
        heard = gateway_time or received
        common = [resource, "sloengine.edge", self.service, metric, unit, attributes, self.start, at, self.temporality]
        return [*common, received, heard]


@dataclass
class Points:
    """Rows on their way to the store."""

    store: Store
    sums: list[list[Any]] = field(default_factory=list)
    histograms: list[list[Any]] = field(default_factory=list)

    def count(
        self,
        series: Series,
        at: datetime,
        value: float,
        ingested: datetime | None = None,
        gateway_time: datetime | None = None,
    ) -> None:
        row = series.row("edge.inference.requests", "{request}", at, ingested, gateway_time)
        self.sums.append([*row, float(value), True])

    def duration(
        self,
        series: Series,
        at: datetime,
        histogram: tuple[int, int, int, Sequence[int]],
        ingested: datetime | None = None,
    ) -> None:
        """``histogram``: scale, zero count, offset, counts."""
        scale, zero, offset, counts = histogram
        row = series.row("edge.inference.duration", "s", at, ingested, None)
        self.histograms.append([*row, sum(counts) + zero, scale, zero, offset, list(counts)])

    def flush(self) -> None:
        self.store.insert("otel_metrics_sum", SUM_COLUMNS, self.sums)
        self.store.insert("otel_metrics_exponential_histogram", HISTOGRAM_COLUMNS, self.histograms)
        self.sums, self.histograms = [], []

    def traffic(
        self, series: Series, begin: datetime, minutes: int, good: int, bad: int, *, every: timedelta = MINUTE
    ) -> None:
        """A device that counts so many good and bad requests a minute, from nothing, one point a step, delivered at once."""
        failure = Series(**{**_plain(series), "outcome": "failure"})
        steps = int(minutes * MINUTE / every)
        for step in range(steps + 1):
            at = begin + step * every
            self.count(series, at, good * step * (every / MINUTE))
            self.count(failure, at, bad * step * (every / MINUTE))


def _plain(series: Series) -> dict[str, Any]:
    return {name: getattr(series, name) for name in Series.__slots__}


def slo(
    name: str = "success",
    indicator: str = "M1",
    by: tuple[str, ...] = ("model", "region"),
    target: float = 0.999,
    service: str = SERVICE,
    sli: Sli | None = None,
) -> Slo:
    return Slo(
        name=name,
        display_name=name,
        description="",
        service=service,
        indicator=indicator,
        sli=sli or INDICATORS[indicator],
        target=target,
        window=timedelta(days=30),
        by=by,
        policy=WORKBOOK,
        owner="ml",
        runbook="runbook.md",
        source="test:1",
    )


def within(threshold_s: float) -> Sli:
    """Requests answered within so many seconds (M2)."""
    return Sli(
        good=(Selector(Source.HISTOGRAM, "edge.inference.duration", (Matcher("value", "<=", repr(threshold_s)),)),),
        total=(Selector(Source.HISTOGRAM, "edge.inference.duration"),),
    )


def _ratio(source: Source, name: str, attribute: str, good: str, bad: str) -> Sli:
    return Sli(
        good=(Selector(source, name, (Matcher(attribute, "=", good),)),),
        bad=(Selector(source, name, (Matcher(attribute, "=", bad),)),),
        total=(Selector(source, name),),
    )


INDICATORS = {
    "M1": _ratio(Source.SUM, "edge.inference.requests", "edge.inference.outcome", "success", "failure"),
    "M2": within(0.1),
    "M4": _ratio(Source.DERIVED, "nodes.heard", "heard", "true", "false"),
}


class Rig:
    """One engine, never started: the test calls its jobs."""

    def __init__(
        self,
        url: str,
        database: str,
        folder: Path,
        pager: Pager,
        *,
        slos: Iterable[Slo] = (),
        nodes: Iterable[Node] = (),
        engine: EngineSection | None = None,
    ) -> None:
        self.pager = pager
        self.clock = Clock()
        self.settings = Settings(
            state_url=f"sqlite:///{folder}/state.db",
            store=StoreSection(url=url, database=database),
            engine=engine or EngineSection(resolve_after_s=60, delivery_timeout_s=2),
        )
        migrate(self.settings.store)
        self.catalogue = Catalogue(tuple(slos) or (slo(),), tuple(nodes))
        self._opened: list[jobs.Deps] = []
        self.deps = self.engine()
        self.store = self.deps.store
        self.points = Points(self.store)
        jobs.publish_inventory(self.deps, BASE)

    def engine(self, holder: str = "engine-1") -> jobs.Deps:
        """Another engine on the same state, store and clock: what a restart or a second replica is."""
        target = {"name": "on-call", "webhook_configs": [{"url": self.pager.url}]}
        # Each alert is told at once and by itself.
        route = {"receiver": "on-call", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        deps = jobs.Deps(
            settings=self.settings,
            catalogue=self.catalogue,
            alerting=Alerting.model_validate({"route": route, "receivers": [target]}),
            store=Store(self.settings.store),
            state=open_database(self.settings.state_url),
            http=httpx.Client(timeout=self.settings.engine.delivery_timeout_s),
            clock=self.clock,
            holder=holder,
        )
        self._opened.append(deps)
        return deps

    def tick(self, now: datetime | None = None) -> list[Status]:
        """A tick and a delivery at ``now``; the tick must succeed."""
        self.clock.now = now or self.clock.now
        snapshot = jobs.tick(self.deps, self.clock.now)
        assert snapshot.problems == (), snapshot.problems
        jobs.deliver(self.deps)
        return list(snapshot.statuses)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows with aware times: the client leaves the zone out."""
        return [
            {k: v.replace(tzinfo=UTC) if isinstance(v, datetime) else v for k, v in row.items()}
            for row in self.store.sql_rows(sql)
        ]

    def counts(self, measure: str = "edge.inference.requests") -> dict[tuple[Any, ...], tuple[float, float, float]]:
        """Newest revision: (service, model, version, region, gateway, rollout, minute) → good, bad, unknown."""
        rows = self.rows(
            "SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute,"
            ' sumIf(Events, Attributes IN (\'{"edge.inference.outcome":"success"}\', \'{"heard":"true"}\')) AS Good,'
            ' sumIf(Events, Attributes IN (\'{"edge.inference.outcome":"failure"}\', \'{"heard":"false"}\')) AS Bad,'
            " sum(Events) - Good - Bad AS Unknown FROM count_minutes FINAL"
            f" WHERE Measure = '{measure}' AND Items > 0 GROUP BY ALL"
        )
        return {tuple(r.values())[:7]: tuple(r.values())[7:] for r in rows}

    def revisions(self, table: str) -> int:
        """Rows ever written, replaced ones included: merges would hide them, so tests stop merges first."""
        return int(self.store.sql_rows(f"SELECT count() AS n FROM {table}")[0]["n"])

    def drop(self) -> None:
        """Give the space back: for tests that make many databases."""
        self.store.command(f"DROP DATABASE {self.settings.store.database} SYNC")

    def close(self) -> None:
        for deps in self._opened:
            deps.store.close()
            deps.http.close()
            deps.state.dispose()
