"""One tick over newly ingested spans: what a thousand SLIs over them cost against ten, how often the raw table is read, memory.

The SLIs differ in what they select: outcome, error type, hardware, model, version, and duration at four thresholds. Both
catalogues ask for the same attributes, as SLOs of one fleet do. Roll-up and evaluation are timed together, because it is the
evaluation that applies SLIs to what was folded. Each tick is made new: buckets and watermark are taken back before it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_store import MEMORY_GOAL_MB, EngineProcess, Job, a_store, database, engine_on, entry, size
from sqlalchemy import text

from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.roll_up import roll_up
from sloengine.model import BurnPolicy, BurnWindow, Catalogue, Matcher, Selector, Severity, Sli, Slo, Source
from sloengine.state.database import transaction
from sloengine.store.client import Store, statement

SPANS = size("SPANS", 1_000_000)
FEW, MANY = 10, size("SLIS", 1_000)
ROUNDS = size("SPAN_ROUNDS", 5)
GATEWAYS, MINUTES = 3, 10
NOW = (datetime.now(UTC) - timedelta(hours=1)).replace(second=0, microsecond=0)
POLICY = BurnPolicy("one", (BurnWindow(Severity.PAGE, timedelta(hours=1), timedelta(minutes=5), 0.02),))
BUCKETS = ("count_minutes", "count_hours", "count_days")


def run() -> list[dict[str, Any]]:
    with a_store() as url:
        stores = {name: database(url, name) for name in ("few", "many")}
        _spans(stores["few"])
        stores["many"].command("INSERT INTO otel_traces SELECT * FROM few.otel_traces")
        with (
            EngineProcess(url, "few", Job(_ticker, (FEW,))) as few,
            EngineProcess(url, "many", Job(_ticker, (MANY,))) as many,
        ):
            engines = {"few": few, "many": many}
            took: dict[str, list[float]] = {name: [] for name in engines}
            for number in range(ROUNDS + 1):
                for name, engine in engines.items():
                    _take_back(stores[name], engine)
                    seconds, (statuses, reads) = engine.do("tick")
                    if number:
                        took[name].append(seconds)
            kept = {
                name: statistics.median(engine.do("evaluate")[0] for _ in range(3)) for name, engine in engines.items()
            }
            memory = max(engine.peak_mb for engine in engines.values())
        groups = stores["many"].sql_rows("SELECT uniqExact(KeyId) AS n FROM count_minutes")[0]["n"]
    ratio = statistics.median(b / a for a, b in zip(took["few"], took["many"], strict=True))
    seconds_of = {name: statistics.median(found) for name, found in took.items()}
    detail = (
        f"{seconds_of['many']:.2f} s vs {seconds_of['few']:.2f} s, of which evaluation"
        f" {kept['many']:.2f} s vs {kept['few']:.2f} s;"
        f" {groups} groups; {statuses} statuses with data"
    )
    folds = [name for name in reads if name.startswith("fold_")]
    shape = f"tick over {SPANS} new spans"
    return [
        entry(f"{shape}, {MANY} SLIs vs {FEW}", ratio, 3.0, detail=detail),
        entry(f"{shape}, statements that fold the raw table", len(folds), 1.0, unit="", detail=", ".join(reads)),
        entry(f"{shape}, memory of the engine", memory, MEMORY_GOAL_MB, unit="MB"),
    ]


def _take_back(store: Store, engine: EngineProcess) -> None:
    for table in BUCKETS:
        store.command(f"TRUNCATE TABLE {table}")
    engine.do("forget")


def _ticker(url: str, name: str, folder: Path, slis: int) -> Callable[[str], tuple[int, list[str]]]:
    engine = engine_on(url, name, Catalogue(_slos(slis), ()), folder)
    reads = _watch(engine.store)

    def work(order: str) -> tuple[int, list[str]]:
        reads.clear()
        if order == "forget":
            with transaction(engine.state) as connection:
                connection.execute(text("DELETE FROM watermarks"))
            return 0, []
        if order == "tick":
            roll_up(engine, NOW)
        statuses = evaluate(engine, NOW)
        return sum(s.counts.valid > 0 for s in statuses), list(reads)

    return work


def _watch(store: Store) -> list[str]:
    """Names of the statements that read the raw table, as they are run."""
    names: list[str] = []

    def watched(ask: Callable[..., Any]) -> Callable[..., Any]:
        def asked(name: str, **parameters: object) -> Any:
            if "FROM otel_traces" in statement(name):
                names.append(name)
            return ask(name, **parameters)

        return asked

    for method in ("rows", "run"):
        setattr(store, method, watched(getattr(store, method)))
    return names


# --- SLIs that differ


def _slos(count: int) -> tuple[Slo, ...]:
    return tuple(_slo(n) for n in range(count))


def _slo(n: int) -> Slo:
    where = tuple(Matcher(name, "=", values[n // step % len(values)]) for name, values, step in NARROWED)
    # Of three conditions one, two or all, by turns; the values change from SLI to SLI.
    narrowed = where[: 1 + n % 3]
    spans = Selector(Source.SPAN, "infer", narrowed)
    match n % 3:
        case 0:
            sli = Sli(bad=(_with(spans, Matcher("edge.inference.outcome", "=", "failure")),), total=(spans,))
        case 1:
            sli = Sli(good=(_with(spans, Matcher("value", "<=", THRESHOLDS[n // 3 % 4])),), total=(spans,))
        case _:
            sli = Sli(bad=(_with(spans, Matcher("error.type", "=~", ERRORS[n // 3 % 3])),), total=(spans,))
    return Slo(
        name=f"sli-{n}",
        display_name="",
        description="",
        service="camera",
        indicator="M1",
        sli=sli,
        target=0.999,
        window=timedelta(days=1),
        by=("region",),
        policy=POLICY,
        owner=None,
        runbook=None,
        source="bench:1",
    )


def _with(selector: Selector, matcher: Matcher) -> Selector:
    return Selector(selector.source, selector.name, (*selector.where, matcher))


THRESHOLDS = ("0.02", "0.05", "0.1", "0.25")
ERRORS = ("timeout|oom", "corrupt", ".+")
NARROWED = (
    ("model", ("model-0", "model-1", "model-2", "model-3", "model-4"), 1),
    ("hardware", ("jetson", "coral", "cpu"), 5),
    ("version", ("1", "2"), 15),
)


# --- spans


def _spans(store: Store) -> None:
    """Spread over the minutes before now; one in eight is sampled with a weight of 8, one in a hundred fails."""
    begin = (NOW - timedelta(minutes=MINUTES)).timestamp()
    step_ns = MINUTES * 60 * 1_000_000_000 // SPANS
    columns = """Timestamp, TraceId, SpanId, TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes, SpanAttributes,
        Duration, StatusCode, IngestTime"""
    store.command(
        f"""INSERT INTO otel_traces ({columns})
        WITH intHash64(number) AS r, intHash64(number + 7000000000) AS q, q % 100 = 0 AS failed, number % {GATEWAYS} AS gateway
        SELECT fromUnixTimestamp64Nano(toInt64({begin:.0f}) * 1000000000 + number * {step_ns}, 'UTC') AS at,
            hex(sipHash128(number)), hex(r), if(r % 8 = 1, 'ot=th:e', 'ot=th:0'), 'infer', 'Internal', 'camera',
            map('service.name', 'camera', 'device.id', concat('node-', toString(r % 600)),
                'edge.region', ['eu', 'us', 'ap'][gateway + 1],
                'edge.gateway.id', concat('gw-', toString(gateway)),
                'edge.hardware', ['jetson', 'coral', 'cpu'][intDiv(r, 600) % 3 + 1]),
            map('edge.model.name', concat('model-', toString(intDiv(q, 300) % 5)),
                'edge.model.version', toString(intDiv(q, 1500) % 2 + 1),
                'edge.inference.outcome', if(failed, 'failure', 'success'),
                'error.type', if(failed, ['timeout', 'oom', 'corrupt'][intDiv(q, 100) % 3 + 1], ''),
                'edge.inference.id', hex(r + 1)),
            toUInt64(5000000 + intDiv(q, 3000) % 600 * (intDiv(q, 3000) % 600) * 1000), if(failed, 'Error', 'Unset'),
            at + toIntervalSecond(2)
        FROM numbers({SPANS})"""
    )
