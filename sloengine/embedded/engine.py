"""chDB behind one door: the only module that imports it. Blocking; callers run it in threads.

Every request gets its own connection (about 1.3 ms): settings stay on a connection and readonly=1 can't be taken back.
One connection stays open for the process's life: closing the last one would shut the engine down.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from sloengine.embedded import access, errors, request_settings, statements
from sloengine.embedded.errors import StoreError, StoreUnavailableError, from_engine
from sloengine.embedded.request_settings import RequestSettings
from sloengine.embedded.settings import Role, StoreSettings
from sloengine.embedded.spool import Spool

# Formats whose streamed pieces, put end to end, are what the engine writes in one go (tests compare them).
STREAMED_FORMATS = frozenset(
    {
        "Native",
        "TabSeparated",
        "TSV",
        "TabSeparatedRaw",
        "TSVRaw",
        "CSV",
        "JSONEachRow",
        "RowBinary",
        "JSONCompactEachRow",
    }
)
_CACHED_TEXT_CHARS = 1 << 14


@dataclass(frozen=True, slots=True)
class Identity:
    """What the engine says of itself once at start."""

    version: str
    timezone: str
    known_settings: frozenset[str]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to the engine, already authenticated."""

    role: Role
    database: str
    settings: RequestSettings
    default_format: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """What X-ClickHouse-Summary reports."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a result. `data` may be a view of the engine's memory: send it before asking for the next piece."""

    data: memoryview
    counts: Counts


class Engine:
    """An open store."""

    def __init__(self, settings: StoreSettings) -> None:
        self._settings = settings
        self._lock_fd = _lock_path(settings.path)
        self._chdb = _import_chdb()
        self._anchor = self._connect()
        self._run(self._anchor, f"CREATE DATABASE IF NOT EXISTS {quote_name(settings.database)} ENGINE = Atomic")
        self.identity = self._identify()
        self._scope = self._read_scope()
        self._judge_cached = lru_cache(maxsize=1024)(self._judge)
        self._judge_insert_cached = lru_cache(maxsize=256)(self._judge_insert)

    def cancel_queries(self) -> None:
        """Ask running SELECTs to stop: a shutdown does not wait for the slowest, but lets inserts finish."""
        self._run(self._anchor, "KILL QUERY WHERE query_kind = 'Select' ASYNC")

    def close(self) -> None:
        """Shut the engine down and free the path."""
        self._anchor.close()
        os.close(self._lock_fd)

    # -- running ---------------------------------------------------------------------------------------------------

    def run(self, sql: str, ask: Ask) -> Iterator[Piece]:
        """Run one statement that brings no rows along. Raises StoreError, also between pieces."""
        self._check(sql, ask)
        fmt = statements.output_format(sql) or ask.default_format
        with self._session(ask) as connection:
            parameters = dict(ask.settings.parameters)
            if fmt in STREAMED_FORMATS and statements.is_select(sql):
                yield from self._stream(connection, sql, fmt, parameters)
            else:
                result = self._run(connection, sql, fmt, parameters)
                yield Piece(
                    result.get_memview().view() if len(result.get_memview()) else memoryview(b""), _counts(result)
                )

    def insert(self, head: statements.InsertHead, body: Spool, ask: Ask) -> Counts:
        """Apply a whole body or none of it."""
        fmt = head.format or ask.default_format
        judge = self._judge_insert if _is_long(head.target, ask) else self._judge_insert_cached
        reason = judge(head.target, fmt, ask.role, ask.database, ask.settings.parameters)
        if reason:
            raise StoreError(errors.ACCESS_DENIED, f"{ask.role.value}: Not enough privileges: {reason}.")
        sql = f"{head.target} FROM INFILE {quote_text(body.name)} COMPRESSION 'none' FORMAT {quote_name(fmt)}"
        with self._session(ask, request_settings.INSERT_SETTINGS) as connection:
            try:
                return _counts(self._run(connection, sql, "Null", dict(ask.settings.parameters)))
            except StoreError as error:
                raise StoreError(
                    error.code, error.message.replace(body.name, "the request's body"), error.name
                ) from error

    def _stream(self, connection: Any, sql: str, fmt: str, parameters: dict[str, str]) -> Iterator[Piece]:
        try:
            stream = connection.send_query(sql, fmt, params=parameters)
        except RuntimeError as error:
            raise from_engine(str(error)) from None
        done = False
        try:
            while True:
                result = connection.streaming_fetch_result(stream)
                if result is None or result.rows_read() == 0:
                    done = True
                    return
                yield Piece(result.get_memview().view(), _counts(result))
        except RuntimeError as error:
            done = True
            raise from_engine(str(error)) from None
        finally:
            if not done:
                connection.streaming_cancel_query(stream)

    # -- deciding --------------------------------------------------------------------------------------------------

    def _check(self, sql: str, ask: Ask) -> None:
        judge = self._judge if _is_long(sql, ask) else self._judge_cached
        reason = judge(sql, ask.role, ask.read_only, ask.database, ask.settings.parameters)
        if reason:
            raise StoreError(*reason)

    def _judge(
        self, sql: str, role: Role, read_only: bool, database: str, parameters: tuple[tuple[str, str], ...]
    ) -> tuple[int, str] | None:
        with self._plain_session(database) as connection:
            found = connection.classify_query(sql, self._settings.database)
            kind, count = found["query_class"].name, found["statement_count"]
            if count > 1:
                return errors.SYNTAX_ERROR, "Multi-statements are not allowed: send one statement per request"
            if read_only and kind not in ("READ_ONLY", "UNKNOWN"):
                return errors.READONLY, "Cannot execute query in readonly mode: use POST to change anything"
            if role is Role.ADMIN and not statements.makes_function(sql):
                return None
            # Raises the engine's own error if the text doesn't parse.
            text = self._normalise(connection, sql)
            statement = access.Statement(kind, count, self._ast(connection, text, parameters), text)
        reason = access.refusal(role, statement, self._scope)
        return (errors.ACCESS_DENIED, f"{role.value}: Not enough privileges: {reason}.") if reason else None

    def _judge_insert(
        self, target: str, fmt: str, role: Role, database: str, parameters: tuple[tuple[str, str], ...]
    ) -> str | None:
        if role is Role.ADMIN:
            return None
        sql = f"{target} FORMAT Native"
        with self._plain_session(database) as connection:
            ast = self._ast(connection, sql, parameters)
        return access.insert_refusal(role, ast, fmt, database, self._scope)

    def _ast(self, connection: Any, sql: str, parameters: tuple[tuple[str, str], ...]) -> tuple[access.Node, ...]:
        """Of one normalised statement: EXPLAIN AST would *run* a second one, and take `graph = 1 …` for its own."""
        if connection.classify_query(sql, "")["statement_count"] != 1:
            raise StoreError(errors.SYNTAX_ERROR, "Cannot parse the statement")
        dump = self._run(connection, f"EXPLAIN AST {sql}", "TSVRaw", dict(parameters))
        return access.parse_ast(bytes(dump.bytes()).decode("utf-8", "replace"))

    def _normalise(self, connection: Any, sql: str) -> str:
        text = f"SELECT formatQuerySingleLine({quote_text(sql)})"
        return bytes(self._run(connection, text, "TSVRaw").bytes()).decode("utf-8", "replace")

    # -- connections -----------------------------------------------------------------------------------------------

    def _connect(self) -> Any:
        try:
            return self._chdb.connect(str(self._settings.path))
        except RuntimeError as error:
            raise StoreUnavailableError(f"cannot open the store at {self._settings.path}: {error}") from None

    @contextmanager
    def _session(self, ask: Ask, more: dict[str, str] | None = None) -> Iterator[Any]:
        start = request_settings.session_settings(ask.role, self._settings)
        wanted = start | dict(ask.settings.asked) | (more or {})
        with self._plain_session(ask.database) as connection:
            self._run(connection, "SET " + ", ".join(f"{quote_name(k)} = {quote_text(v)}" for k, v in wanted.items()))
            if ask.read_only or ask.role is Role.READER:
                self._run(connection, "SET readonly = 1")
            yield connection

    @contextmanager
    def _plain_session(self, database: str) -> Iterator[Any]:
        connection = self._connect()
        try:
            self._run(connection, f"USE {quote_name(database)}")
            yield connection
        finally:
            connection.close()

    def _run(self, connection: Any, sql: str, fmt: str = "Null", parameters: dict[str, str] | None = None) -> Any:
        try:
            result = connection.query(sql, fmt, params=parameters or {})
        except RuntimeError as error:
            raise from_engine(str(error)) from None
        if result.has_error():
            raise from_engine(result.error_message())
        return result

    def _column(self, sql: str) -> list[str]:
        return bytes(self._run(self._anchor, sql, "TSVRaw").bytes()).decode().splitlines()

    def _identify(self) -> Identity:
        version, timezone = self._column("SELECT arrayJoin([version(), timezone()])")
        known = frozenset(self._column("SELECT name FROM system.settings"))
        return Identity(version, timezone, known)

    def _read_scope(self) -> access.Scope:
        network = "SELECT lower(name) FROM system.functions WHERE match(name, '^(ai[A-Z]|AI[A-Z][a-z])')"
        return access.Scope(
            served=self._settings.database,
            table_functions=frozenset(self._column("SELECT lower(name) FROM system.table_functions")),
            network_functions=frozenset(self._column(network)),
            system_tables=frozenset(self._column("SELECT name FROM system.tables WHERE database = 'system'")),
        )


def _is_long(sql: str, ask: Ask) -> bool:
    """Decisions on long texts are not kept: a thousand megabytes of them would be."""
    return len(sql) + sum(len(value) for _, value in ask.settings.parameters) > _CACHED_TEXT_CHARS


def _counts(result: Any) -> Counts:
    return Counts(
        read_rows=result.storage_rows_read(),
        read_bytes=result.storage_bytes_read(),
        written_rows=result.rows_written(),
        written_bytes=result.bytes_written(),
        result_rows=result.rows_read(),
        result_bytes=result.size(),
    )


def add(left: Counts, right: Counts) -> Counts:
    return replace(
        left,
        read_rows=max(left.read_rows, right.read_rows),
        read_bytes=max(left.read_bytes, right.read_bytes),
        result_rows=left.result_rows + right.result_rows,
        result_bytes=left.result_bytes + right.result_bytes,
    )


def quote_name(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def quote_text(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _lock_path(path: Path) -> int:
    """Hold the path for this process. The engine itself lets two processes open one path and corrupts it."""
    path.mkdir(parents=True, exist_ok=True)
    fd = os.open(path / ".sloengine-store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        os.close(fd)
        raise StoreUnavailableError(f"another process (pid {holder}) has the store at {path} open") from None
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _import_chdb() -> Any:
    """Importing chDB takes about half a second and would install signal handlers: uvicorn's must stay."""
    import chdb

    _chdb: Any = chdb._chdb
    _chdb.set_signal_handlers_enabled(0)
    return _chdb
