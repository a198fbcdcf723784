"""The one door to ClickHouse, embedded or cluster: statements from ``.sql`` files, parameters bound by the server."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import numpy as np
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
from numpy.typing import NDArray
from urllib3.exceptions import HTTPError

from sloengine.config.settings import StoreSection
from sloengine.errors import StoreError, StoreUnavailable

Row = dict[str, Any]
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)

# The driver logs each network error on its own before raising it; without a handler that lands on a user's terminal.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())


@cache
def statement(name: str) -> str:
    """SQL of ``store/queries/<name>.sql``; a line ``-- include other`` stands for the text of ``other.sql``."""
    text = resources.files("sloengine.store").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: statement(found[1]).rstrip("\n"), text)


def packed_array(name: str, kind: str, size: int) -> list[tuple[str, Any, tuple[int, ...]]]:
    """Fields of a structured array for a column of arrays of ``size`` elements each: their length, then they."""
    return [(f"{name}_size", "u1", (len(length_of(size)),)), (name, kind, (size,))]


def length_of(size: int) -> bytes:
    """A length as ClickHouse's RowBinary has it (LEB128)."""
    found = bytearray()
    while size >= 0x80:
        found.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*found, size])


class Store:
    """A connection that can be shared by threads; it is opened at the first use and again after a failure."""

    def __init__(self, section: StoreSection) -> None:
        self.section = section
        self._client: Client | None = None

    def rows(self, name: str, **parameters: object) -> list[Row]:
        """Run ``queries/<name>.sql``; rows as dictionaries.

        Raises:
            StoreUnavailable: no answer.
            StoreError: ClickHouse's own error.
        """
        return self.sql_rows(statement(name), parameters)

    def table(self, name: str, **parameters: object) -> NDArray[Any]:
        """Run ``queries/<name>.sql``, whose columns are numbers; a structured array by their names, or nothing by no name.

        A hundred thousand rows cost tens of milliseconds less than as dictionaries. Raises as ``rows`` does.
        """
        found: NDArray[Any] = self._call(lambda client: client.query_np(statement(name), parameters=parameters))
        return found

    def packed(self, name: str, kind: np.dtype[Any], **parameters: object) -> NDArray[Any]:
        """Run ``queries/<name>.sql``, whose rows all have the width of ``kind``, in the order of its columns; without a copy.

        Arrays are held as :func:`packed_array` says. Raises as ``rows`` does; StoreError also if rows are not of that width.
        """
        answer = self._call(lambda client: client.raw_query(statement(name), parameters=parameters, fmt="RowBinary"))
        if len(answer) % kind.itemsize:
            raise StoreError(f"{name}: {len(answer)} bytes are not rows of {kind.itemsize}")
        return np.frombuffer(answer, dtype=kind)

    def stream(self, name: str, fmt: str, size: int, **parameters: object) -> Iterator[bytes]:
        """Run ``queries/<name>.sql``; its answer in a format of ClickHouse's as it comes, ``size`` bytes at a time.

        Raises as ``rows`` does.
        """
        answer = self._call(lambda client: client.raw_stream(statement(name), parameters=parameters, fmt=fmt))
        with closing(answer):
            try:
                while chunk := answer.read(size):
                    yield chunk
            except HTTPError as error:
                # An answer that has begun can only break off.
                raise StoreUnavailable(f"ClickHouse at {self.section.url} broke off: {_why(error)}") from error

    def pack(self, table: str, columns: Sequence[str], rows: NDArray[Any]) -> None:
        """Insert a structured array whose fields are the columns, packed as :meth:`packed` reads them."""
        if len(rows):
            body = rows.tobytes()
            self._call(lambda client: client.raw_insert(table, columns, body, fmt="RowBinary"))

    def run(self, name: str, **parameters: object) -> int:
        """Run a writing statement; number of rows written."""
        summary = self._call(lambda client: client.command(statement(name), parameters=parameters))
        written = getattr(summary, "summary", {}) or {}
        return int(written.get("written_rows", 0))

    def write(self, sql: str, parameters: Mapping[str, object]) -> None:
        """Run a writing statement of the caller's own."""
        self._call(lambda client: client.command(sql, parameters=dict(parameters)))

    def sql_rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        result = self._call(lambda client: client.query(sql, parameters=dict(parameters or {})))
        return list(result.named_results())

    def command(self, sql: str) -> None:
        self._call(lambda client: client.command(sql))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Insert rows; acknowledged means written."""
        if rows:
            self._call(lambda client: client.insert(table, rows, column_names=columns))

    def ping(self) -> bool:
        try:
            return bool(self.sql_rows("SELECT 1 AS one"))
        except StoreError:
            return False

    def close(self) -> None:
        # Another thread may close it too.
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _call(self, action: Any) -> Any:
        try:
            client = self._client
            if client is None:
                client = self._client = self._connect()
            return action(client)
        except OperationalError as error:
            self.close()
            raise StoreUnavailable(f"ClickHouse at {self.section.url} did not answer: {_why(error)}") from error
        except ClickHouseError as error:
            raise StoreError(_first_sentence(str(error))) from error

    def _connect(self) -> Client:
        url = urlsplit(self.section.url)
        host = url.hostname or "127.0.0.1"
        return clickhouse_connect.get_client(
            interface=url.scheme,
            host=host,
            port=url.port or (8443 if url.scheme == "https" else 8123),
            username=self.section.user,
            password=self.section.password.get_secret_value(),
            database=self.section.database,
            # Without a session, threads can share the client; a session allows one query at a time.
            autogenerate_session_id=False,
            # In the body: what has to be said of a large fleet's clocks and gateways doesn't fit into an address.
            form_encode_query_params=True,
            connect_timeout=5,
            send_receive_timeout=120,
            # On the same machine, packing an answer takes longer than handing it over.
            compress=host not in LOOPBACK,
        )


def _first_sentence(text: str) -> str:
    """ClickHouse repeats the whole statement after ``In scope``; a person needs what comes before it."""
    return text.split(": In scope", 1)[0][:500]


def _why(error: BaseException) -> str:
    """The cause at the bottom of a chain of wrapped network errors, which is the one that says something."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return str(error)[:200]
