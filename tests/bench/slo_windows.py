"""Eight windows of every SLO over thirty days: our query and our whole evaluation against bare SQL that returns the same figures.

Bare SQL is the best layout found (minutes by day, hours by day, one row per SLO with good and total, replaced by revision),
built for this question and nothing else: no dimensions, no weights, no look at when data came last. Both sides hold the same
events, and the check that they agree is part of the run. Days that are over are merged, as they are an hour later;
the present hour has been rewritten some times, as it is by ticks. Minutes are made for the days that an edge of a window
divides: neither side reads others (``SLOENGINE_BENCH_ALL_MINUTES=1`` makes all 43.2 million, twice that many rows on our side).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_store import MEMORY_GOAL_MB, EngineProcess, Job, a_store, database, engine_on, entry, size

from sloengine.evaluate.cube import COVERED
from sloengine.evaluate.measure import Frame, frame_of
from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.fold import fold_days
from sloengine.model import BurnPolicy, BurnWindow, Catalogue, Matcher, Selector, Severity, Sli, Slo, Source
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Store, statement

SLOS = size("SLOS", 1_000)
MANY = size("MANY_SLOS", 10_000)
DAYS = size("DAYS", 30)
ROUNDS = size("ROUNDS", 11)
MANY_ROUNDS = size("MANY_ROUNDS", 5)
ALL_MINUTES = size("ALL_MINUTES", 0) == 1
SAMPLED = 50
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# Not on the hour: every window has a ragged edge. Recent, because buckets expire.
AT = (datetime.now(UTC) - DAY).replace(hour=14, minute=37, second=0, microsecond=0)
POLICY = BurnPolicy(
    "sre-workbook",
    (
        BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02),
        BurnWindow(Severity.PAGE, 6 * HOUR, 30 * MINUTE, 0.05),
        BurnWindow(Severity.TICKET, DAY, 2 * HOUR, 0.10),
        BurnWindow(Severity.TICKET, min(3, DAYS - 1) * DAY, 6 * HOUR, 0.10),
    ),
)
REQUESTS, OUTCOME = "edge.inference.requests", "edge.inference.outcome"
REWRITTEN = 5
"""How often the newest minutes were rewritten and not merged yet."""


def run() -> list[dict[str, Any]]:
    with a_store() as url:
        few = _few(url)
        return [*few, *_many(url)]


# --- a thousand SLOs against bare SQL


def _few(url: str) -> list[dict[str, Any]]:
    store = database(url, "few")
    _bare(store, SLOS)
    for lo, hi in _days_made():
        _minutes(store, SLOS, lo, hi)
    frame = frame_of(_slos(SLOS), (), AT)
    _hours(store, frame)
    _settle(store)
    with EngineProcess(url, "few", Job(_evaluator, (SLOS,))) as engine:
        works: dict[str, Callable[[], Any]] = {
            "bare": lambda: _native(store, _bare_sql(frame), {}),
            "query": lambda: _native(store, statement("window_bands"), _asked(frame)),
            "evaluate": lambda: engine.do("counts"),
        }
        _agree(store, frame, engine.do("counts")[1])
        took = _alternate(works, ROUNDS)
        memory = engine.peak_mb
    one = statistics.median(_one_each(store, frame)) * SLOS * len(frame.edges[:-1])
    bare, query = took["bare"], took["query"]
    shape = f"{SLOS} SLOs x {len(frame.edges) - 1} windows x {DAYS} d"
    single = f"{SAMPLED} SLOs measured, scaled to {SLOS}: {one:.1f} s"
    return [
        entry(f"{shape}, one query vs bare SQL", _ratio(query, bare), 2.0, detail=_ms(query, bare)),
        entry(
            f"{shape}, evaluation in all vs bare SQL",
            _ratio(took["evaluate"], bare),
            2.0,
            detail=_ms(took["evaluate"], bare),
        ),
        entry(f"{shape}, one query vs one per SLO and window", statistics.median(query) / one, 0.1, detail=single),
        entry(f"{shape}, memory of the engine", memory, MEMORY_GOAL_MB, unit="MB"),
    ]


def _alternate(works: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            began = time.perf_counter()
            work()
            if number:
                took[name].append(time.perf_counter() - began)
    return took


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Of each pair, then the median: another process that takes a core for some rounds slows both sides of a pair."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def _ms(ours: Sequence[float], theirs: Sequence[float]) -> str:
    return f"{statistics.median(ours) * 1e3:.0f} ms vs {statistics.median(theirs) * 1e3:.0f} ms"


def _native(store: Store, sql: str, parameters: dict[str, Any]) -> bytes:
    """The answer's bytes: what each side does with them is not part of the comparison of queries."""
    found: bytes = store._call(lambda client: client.raw_query(sql, parameters=parameters, fmt="Native"))
    return found


def _asked(frame: Frame) -> dict[str, Any]:
    return {
        "cuts": list(frame.edges),
        "end": frame.at,
        "ragged_hours": sorted({floor_hour(edge) for edge in frame.edges}),
        "ragged_days": sorted({floor_hour(edge).replace(hour=0) for edge in frame.edges}),
        "measures": [COVERED, REQUESTS],
        "rows_max": 2_000_001,
    }


def _agree(store: Store, frame: Frame, counts: dict[str, tuple[float, float]]) -> None:
    """What the engine says of the longest window is what bare SQL says."""
    rows = store.sql_rows(_bare_sql(frame))
    bare = {f"service-{r['slo']}": (r["good_0"], r["total_0"] - r["good_0"]) for r in rows}
    if bare != counts:
        raise RuntimeError(f"the sides disagree: {sorted(set(bare.items()) ^ set(counts.items()))[:4]}")


# --- ten thousand SLOs


def _many(url: str) -> list[dict[str, Any]]:
    """Minutes are made for the hours that windows' edges divide only: neither side reads others."""
    store = database(url, "many")
    frame = frame_of(_slos(MANY), (), AT)
    ragged = [(hour, min(hour + HOUR, AT + MINUTE)) for hour in _asked(frame)["ragged_hours"]]
    _bare_ragged(store, MANY, ragged)
    for lo, hi in ragged:
        _minutes(store, MANY, lo, hi)
    _hours(store, frame)
    _settle(store)
    with EngineProcess(url, "many", Job(_evaluator, (MANY,))) as engine:
        first_s, counts = engine.do("counts")
        _agree(store, frame, counts)
        works: dict[str, Callable[[], Any]] = {
            "bare": lambda: _native(store, _bare_sql(frame), {}),
            "query": lambda: _native(store, statement("window_bands"), _asked(frame)),
            "evaluate": lambda: engine.do("nothing"),
        }
        took = _alternate(works, MANY_ROUNDS)
        memory = engine.peak_mb
    name = f"{MANY} SLOs x {len(frame.edges) - 1} windows x {DAYS} d"
    bare, query, whole = took["bare"], took["query"], took["evaluate"]
    first = f"first evaluation after a start: {first_s:.1f} s"
    return [
        entry(f"{name}, one query vs bare SQL", _ratio(query, bare), 2.0, detail=_ms(query, bare)),
        entry(f"{name}, evaluation in all vs bare SQL", _ratio(whole, bare), 2.0, detail=_ms(whole, bare)),
        entry(f"{name}, one query", statistics.median(query), 1.0, unit="s"),
        entry(f"{name}, evaluation in all", statistics.median(whole), 1.0, unit="s", detail=first),
        entry(f"{name}, memory of the engine", memory, MEMORY_GOAL_MB, unit="MB"),
    ]


# --- the engine's side


def slos_over(*services: str) -> tuple[Slo, ...]:
    """Success rate of each service."""
    sli = Sli(
        good=(Selector(Source.SUM, REQUESTS, (Matcher(OUTCOME, "=", "success"),)),),
        bad=(Selector(Source.SUM, REQUESTS, (Matcher(OUTCOME, "=", "failure"),)),),
        total=(Selector(Source.SUM, REQUESTS),),
    )
    return tuple(
        Slo(
            name=service,
            display_name="",
            description="",
            service=service,
            indicator="M1",
            sli=sli,
            target=0.999,
            window=DAYS * DAY,
            by=("model", "region"),
            policy=POLICY,
            owner=None,
            runbook=None,
            source="bench:1",
        )
        for service in services
    )


def _slos(count: int) -> tuple[Slo, ...]:
    return slos_over(*(f"service-{n}" for n in range(count)))


def _evaluator(url: str, name: str, folder: Path, slos: int) -> Callable[[str], Any]:
    engine = engine_on(url, name, Catalogue(_slos(slos), ()), folder)

    def work(order: str) -> Any:
        statuses = evaluate(engine, AT + timedelta(seconds=30))
        return {s.slo.name: (s.counts.good, s.counts.bad) for s in statuses} if order == "counts" else len(statuses)

    return work


# --- the same events on both sides

KEYS = "Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, Attributes"
NAMES = f"""'{REQUESTS}', concat('service-', toString(slo)), concat('model-', toString(slo % 50)), '1', 'eu',
    concat('gw-', toString(slo % 20)), if(ok, '{{"{OUTCOME}":"success"}}', '{{"{OUTCOME}":"failure"}}')"""
GOOD = "1000 + intHash32(slo * 1000000 + intDiv(at, 60)) % 1000"
BAD = "intHash32(slo * 1000000 + intDiv(at, 60) + 7) % 4"
REVISED = "CODEC(DoubleDelta, ZSTD(1))) ENGINE = ReplacingMergeTree(revision) PARTITION BY toDate(bucket) ORDER BY"


def _bare(store: Store, slos: int) -> None:
    """Hours are the sums of their minutes, of which only those that are read are kept."""
    _bare_tables(store)
    _bare_minutes(store, slos, _days_made())
    for lo, hi in _by_day(floor_hour(AT - DAYS * DAY), AT + MINUTE):
        store.command(
            f"""INSERT INTO bare_hours SELECT slo, toStartOfHour(bucket) AS hour, sum(good), sum(total), 1 FROM (
            SELECT number % {slos} AS slo, toDateTime({lo.timestamp():.0f} + intDiv(number, {slos}) * 60, 'UTC') AS bucket,
            toUnixTimestamp(bucket) AS at, {GOOD} AS good, good + {BAD} AS total FROM numbers({slos * _minutes_of(lo, hi)})
            ) GROUP BY slo, hour"""
        )


def _bare_ragged(store: Store, slos: int, minutes: Sequence[tuple[datetime, datetime]]) -> None:
    """Hours of figures of their own, and the minutes named."""
    _bare_tables(store)
    _bare_minutes(store, slos, minutes)
    lo, hours = floor_hour(AT - DAYS * DAY), DAYS * 24 + 1
    store.command(
        f"""INSERT INTO bare_hours SELECT number % {slos} AS slo, {lo.timestamp():.0f} + intDiv(number, {slos}) * 3600 AS at,
        60 * ({GOOD}) AS good, good + {BAD}, 1 FROM numbers({slos * hours}) SETTINGS max_partitions_per_insert_block = 400"""
    )


def _bare_tables(store: Store) -> None:
    columns = """slo UInt32, bucket DateTime('UTC') CODEC(DoubleDelta, ZSTD(1)), good UInt64 CODEC(T64, ZSTD(1)),
        total UInt64 CODEC(T64, ZSTD(1)), revision UInt64"""
    for table in ("bare_minutes", "bare_hours"):
        store.command(f"CREATE TABLE {table} ({columns} {REVISED} (slo, bucket)")


def _bare_minutes(store: Store, slos: int, spans: Sequence[tuple[datetime, datetime]]) -> None:
    for lo, hi in spans:
        store.command(
            f"""INSERT INTO bare_minutes SELECT number % {slos} AS slo, {lo.timestamp():.0f} + intDiv(number, {slos}) * 60 AS at,
            {GOOD} AS good, good + {BAD}, 1 FROM numbers({slos * _minutes_of(lo, hi)})"""
        )


def _minutes(store: Store, slos: int, begin: datetime, end: datetime) -> None:
    for lo, hi in _by_day(begin, end):
        store.command(
            f"""INSERT INTO count_minutes ({KEYS}, Minute, Events, Squares, Items, Cause, Revision)
            WITH number % {slos} AS slo, intDiv(number, {slos}) % 2 AS ok,
                {lo.timestamp():.0f} + intDiv(number, {2 * slos}) * 60 AS at,
                if(ok, {GOOD}, {BAD}) AS events
            SELECT {NAMES}, at, events, events, 10, 'arrival', 1 FROM numbers({2 * slos * _minutes_of(lo, hi)})"""
        )


def _hours(store: Store, frame: Frame) -> None:
    """From the other side's hours; days from them, and minutes of those that an edge divides, by the engine's own statements."""
    lo = floor_hour(AT - DAYS * DAY)
    for day, end in _by_day(lo, AT + MINUTE):
        store.command(
            f"""INSERT INTO count_hours ({KEYS}, Hour, Events, Squares, Items, Last, Revision)
            WITH arrayJoin([0, 1]) AS ok, if(ok, good, total - good) AS events
            SELECT {NAMES}, bucket, events, events, 600, least(bucket + 3540, toDateTime({AT.timestamp():.0f}, 'UTC')), 1
            FROM bare_hours WHERE bucket >= {_moment(day)} AND bucket < {_moment(end)}"""
        )
    fold_days(store, [lo + n * DAY for n in range(DAYS + 1)], 1)
    for hour in _asked(frame)["ragged_hours"]:
        store.run("fold_hour_minutes", hours=[hour], lo=hour, hi=hour + HOUR, measures=[], revision=1)


def _settle(store: Store) -> None:
    """Merge what background merges have merged by the next hour; then rewrite the newest minutes and hour some times."""
    tables = [r["name"] for r in store.sql_rows("SELECT name FROM system.tables WHERE database = currentDatabase()")]
    read = {edge.date() for edge in frame_of(_slos(1), (), AT).edges}
    for table in ("bare_minutes", "count_minutes"):
        for day in sorted(read) if table in tables else ():
            store.command(f"OPTIMIZE TABLE {table} PARTITION '{day}' FINAL")
    for table in ("bare_hours", "count_hour_minutes", "count_hours", "count_days"):
        if table in tables:
            store.command(f"OPTIMIZE TABLE {table} FINAL")
    recent = {"count_minutes": ("Minute", 2 * MINUTE), "count_hours": ("Hour", HOUR), "count_days": ("Day", DAY)}
    for table, (time_column, span) in recent.items():
        names = f"{KEYS}, {time_column}, Events, Squares, Items, {'Cause' if time_column == 'Minute' else 'Last'}"
        _rewrite(store, table, names, time_column, span)
    _rewrite(store, "count_hour_minutes", f"{KEYS}, Hour, Held, Events, Squares, Items", "Hour", HOUR)
    if "bare_minutes" in tables:
        _rewrite(store, "bare_minutes", "slo, bucket, good, total", "bucket", 2 * MINUTE)
        _rewrite(store, "bare_hours", "slo, bucket, good, total", "bucket", HOUR)


def _rewrite(store: Store, table: str, columns: str, at: str, span: timedelta) -> None:
    revision = "revision" if at == "bucket" else "Revision"
    lo = (AT - span).timestamp()
    for number in range(REWRITTEN):
        store.command(
            f"INSERT INTO {table} ({columns}, {revision}) SELECT {columns}, {number + 2} FROM {table} FINAL"
            f" WHERE {at} > toDateTime({lo:.0f}, 'UTC')"
        )


def _days_made() -> list[tuple[datetime, datetime]]:
    read = {edge.date() for edge in frame_of(_slos(1), (), AT).edges}
    found = _by_day(floor_hour(AT - DAYS * DAY), AT + MINUTE)
    return [(lo, hi) for lo, hi in found if ALL_MINUTES or lo.date() in read]


def _by_day(lo: datetime, hi: datetime) -> list[tuple[datetime, datetime]]:
    found = []
    while lo < hi:
        end = min(hi, lo.replace(hour=0, minute=0) + DAY)
        found.append((lo, end))
        lo = end
    return found


def _minutes_of(lo: datetime, hi: datetime) -> int:
    return (hi - lo) // MINUTE


# --- bare SQL


def _bare_sql(frame: Frame) -> str:
    """Conditional sums were faster than bands here, and FINAL over merged days faster than argMax."""
    starts = [_moment(edge) for edge in frame.edges[:-1]]
    asked = _asked(frame)
    hours = ", ".join(_moment(hour) for hour in asked["ragged_hours"])
    days = ", ".join(f"'{day:%Y-%m-%d}'" for day in asked["ragged_days"])
    figures = ", ".join(
        f"sumIf(good, bucket >= {start}) AS good_{n}, sumIf(total, bucket >= {start}) AS total_{n}"
        for n, start in enumerate(starts)
    )
    return f"""SELECT slo, {figures} FROM (
        SELECT slo, bucket, good, total FROM bare_minutes FINAL
        WHERE toDate(bucket) IN ({days}) AND toStartOfHour(bucket) IN ({hours}) AND bucket >= {starts[0]}
            AND bucket <= {_moment(frame.at)}
        UNION ALL
        SELECT slo, bucket, good, total FROM bare_hours FINAL
        WHERE bucket >= {starts[0]} AND bucket <= {_moment(frame.at)} AND bucket NOT IN ({hours})
    ) GROUP BY slo SETTINGS do_not_merge_across_partitions_select_final = 1"""


def _moment(at: datetime) -> str:
    return f"toDateTime({at.timestamp():.0f}, 'UTC')"


def _one_each(store: Store, frame: Frame) -> list[float]:
    """The same question as most would ask it: good and total of one SLO in one window."""
    took = []
    for slo in range(0, SLOS, max(1, SLOS // SAMPLED)):
        for start in frame.edges[:-1]:
            sql = f"""SELECT sumIf(Events, Attributes LIKE '%success%'), sum(Events) FROM count_minutes FINAL
                WHERE Measure = '{REQUESTS}' AND GatewayId = 'gw-{slo % 20}' AND ServiceName = 'service-{slo}'
                AND Minute >= {_moment(start)} AND Minute <= {_moment(frame.at)}
                SETTINGS do_not_merge_across_partitions_select_final = 1"""
            if frame.at - start > 6 * HOUR:
                sql = sql.replace("count_minutes", "count_hours").replace("Minute", "Hour")
            began = time.perf_counter()
            _native(store, sql, {})
            took.append(time.perf_counter() - began)
    return took
