"""SQL measures: buckets that a query of the user's own gives, run as a reader, each for itself."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sloengine.config.settings import StoreSection
from sloengine.embedded import access
from sloengine.embedded.settings import Role
from sloengine.errors import SloengineError, StoreError, StoreUnavailable
from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import Derived, settle
from sloengine.jobs.fold import Run
from sloengine.jobs.indicators import readers
from sloengine.jobs.marks import mark_name, move_marks, read_marks
from sloengine.model import DIMENSIONS, SqlMeasure
from sloengine.rollup.plan import floor_minute
from sloengine.store.client import Row, Store
from sloengine.times import format_duration, utc

log = logging.getLogger("sloengine.jobs")

ROWS_MAX = 100_000
TEXT_MAX = 1000
LIMIT_S = 30
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Span = tuple[datetime, datetime]


class BrokenQueryError(SloengineError):
    """A query of a measure failed, or answered with what can't be counted."""


def derive_sql(engine: Deps, hours: set[datetime], now: datetime, run: Run) -> set[datetime]:
    """Run every SQL measure that an SLO counts, once a minute, over its lookback; the hours that changed.

    A query that fails keeps its measure as it was, is told in :func:`broken_queries`, and stops no other. ``hours`` don't matter:
    nobody knows what a query reads.

    Raises:
        StoreUnavailable: no answer; that is not the queries' fault.
    """
    del hours
    broken, end = _broken(engine), floor_minute(now)
    wanted = {q.name: q for q in engine.catalogue.queries if readers(engine.catalogue.slos, q.name)}
    for gone in broken.keys() - wanted.keys():
        del broken[gone]
    marks = read_marks(engine, "sql")
    due = [query for query in wanted.values() if marks.get(_mark(query), EPOCH) < end]
    if not due:
        return set()
    reader, changed = open_reader(engine.settings.store), set[datetime]()
    try:
        for query in due:
            changed |= _try(engine, reader, query, end, run)
            move_marks(engine, {_mark(query): end})
    finally:
        reader.close()
    return changed


def broken_queries(engine: Deps) -> tuple[str, ...]:
    """What is wrong with SQL measures, for people; empty when all is well."""
    return tuple(text for _, text in sorted(_broken(engine).items()))


def _broken(engine: Deps) -> dict[str, str]:
    """Kept with the engine, because a query is run once a minute and what is wrong with it stays wrong until then."""
    return engine.broken_queries


def _mark(query: SqlMeasure) -> str:
    return mark_name("sql", query.name, query.query, query.lookback)


def _try(engine: Deps, reader: Store, query: SqlMeasure, end: datetime, run: Run) -> set[datetime]:
    span = (end - query.lookback, end)
    try:
        services = sorted({slo.service for slo in readers(engine.catalogue.slos, query.name)})
        rows = rows_of(_ask(reader, query, span), span, services)
    except StoreUnavailable:
        raise
    except SloengineError as error:
        text = f"{query.source}: SQL measure {query.name} failed: {error}"
        _broken(engine)[query.name] = text
        log.error("%s", text)
        return set()
    _broken(engine).pop(query.name, None)
    return settle(engine.store, query.name, span, rows, run)


# --- asking as a reader


class _ReadOnly(Store):
    """For a store without a reader of its own: ClickHouse's readonly, and the reader's rules asked for here."""

    def __init__(self, section: StoreSection) -> None:
        super().__init__(section)
        self._known: access.Scope | None = None

    def _connect(self) -> Any:
        client = super()._connect()
        client.set_client_setting("max_execution_time", LIMIT_S)
        client.set_client_setting("readonly", 1)
        return client

    def refusal(self, sql: str, parameters: dict[str, object]) -> str | None:
        """Why a reader may not run it: readonly alone lets the function file() read the host's files."""
        quoted = "'" + sql.replace("\\", "\\\\").replace("'", "\\'") + "'"
        text = str(self.sql_rows(f"SELECT formatQuerySingleLine({quoted}) AS text")[0]["text"])
        dump = self.sql_rows(f"EXPLAIN AST {text}", parameters)
        ast = access.parse_ast("\n".join(str(r["explain"]) for r in dump))
        self._known = self._known or self._scope()
        return access.refusal(Role.READER, access.Statement("READ_ONLY", 1, ast, text), self._known)

    def _scope(self) -> access.Scope:
        held: dict[str, set[str]] = {}
        for row in self.rows("sql_scope"):
            held.setdefault(row["Kind"], set()).add(row["Name"])
        functions, network, tables = (
            frozenset(held.get(kind, ())) for kind in ("table function", "network function", "system table")
        )
        return access.Scope(self.section.database, functions, network, tables)


def open_reader(section: StoreSection) -> Store:
    """A connection that can't change anything: the configured reader's, else our own with ``readonly`` and a reader's rules."""
    user = section.reader_user
    if not user:
        return _ReadOnly(section)
    password = section.reader_password
    return Store(section.model_copy(update={"user": user, "password": password}))


def _ask(reader: Store, query: SqlMeasure, span: Span) -> list[Row]:
    """The query's rows. It stands in brackets: whatever it says, it is a part of one SELECT."""
    # The parameter makes the client leave all binding to the server: a % in the query is no placeholder.
    inner = query.query.strip().removesuffix(";")
    sql = "\n".join(("SELECT * FROM (", inner, f") WHERE {{always:Bool}} LIMIT {ROWS_MAX + 1}"))
    parameters: dict[str, object] = {"from": span[0], "to": span[1], "always": True}
    if isinstance(reader, _ReadOnly) and (reason := reader.refusal(sql, parameters)):
        raise StoreError(f"not allowed: {reason}")
    return reader.sql_rows(sql, parameters)


# --- what it answered


def rows_of(found: Sequence[Row], span: Span, services: Sequence[str]) -> list[Derived]:
    """Rows of a query as rows of a measure; ``services`` are those of the SLOs that count it.

    Raises:
        BrokenQueryError: too many rows, a column is missing, or holds what can't be counted.
    """
    if len(found) > ROWS_MAX:
        raise BrokenQueryError(f"more than {ROWS_MAX:,} rows; group by fewer columns or shorten the lookback")
    if found:
        _check_columns(found[0], services)
    return [_row(number, row, span, services) for number, row in enumerate(found, 1)]


def _check_columns(row: Row, services: Sequence[str]) -> None:
    missing = [name for name in ("minute", "events") if name not in row]
    if missing:
        raise BrokenQueryError(f"no column {' and no column '.join(missing)}; it has {', '.join(row)}")
    if "service" not in row and len(services) > 1:
        raise BrokenQueryError(f"no column service, but SLOs of {', '.join(services)} count it")


def _row(number: int, row: Row, span: Span, services: Sequence[str]) -> Derived:
    try:
        minute, events = _minute(row["minute"], span), _events(row["events"])
        words = {name: _text(name, value) for name, value in row.items() if name not in ("minute", "events")}
    except ValueError as error:
        raise BrokenQueryError(f"row {number}: {error}") from None
    words.setdefault("service", services[0] if services else "")
    dimensions = {name: value for name, value in words.items() if name in DIMENSIONS}
    return Derived(minute, events, dimensions, {k: v for k, v in words.items() if k not in DIMENSIONS})


def _minute(value: object, span: Span) -> datetime:
    if not isinstance(value, datetime):
        raise ValueError(f"minute is {_shown(value)}, not a DateTime")
    minute = floor_minute(utc(value))
    if not span[0] <= minute < span[1]:
        length = format_duration(span[1] - span[0])
        raise ValueError(f"minute {minute:%Y-%m-%d %H:%M} is not in the lookback of {length}: keep to from and to")
    return minute


def _events(value: object) -> float:
    try:
        events = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"events is {_shown(value)}, not a number") from None
    if isinstance(value, str | bool) or not math.isfinite(events) or events < 0:
        raise ValueError(f"events is {_shown(value)}; it must be a number that is finite and not negative")
    return events


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int) and len(str(value)) <= TEXT_MAX:
        return str(value)
    raise ValueError(f"{name} is {_shown(value)}; it must be text of at most {TEXT_MAX} characters, use toString")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
