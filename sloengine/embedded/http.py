"""ClickHouse's HTTP interface as an ASGI app: parameters, credentials, bodies, answers. SQL is the engine's business.

Sessions (`session_id`) are accepted and ignored: every request has its own connection, so SET and temporary tables
don't outlive it. clickhouse-connect sends one by default, so refusing would refuse that client.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import time
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from sloengine.embedded import errors, native, request_settings, statements
from sloengine.embedded.answer import SERVER_NAME, Answer, Call, ClientGoneError
from sloengine.embedded.bodies import BodyDecoder
from sloengine.embedded.engine import Ask, Counts, Engine
from sloengine.embedded.errors import StoreError
from sloengine.embedded.forms import FORM_ROOM, with_form
from sloengine.embedded.settings import Role, StoreSettings, User, is_loopback
from sloengine.embedded.spool import Budget, Spool

T = TypeVar("T")
_HEAD_BYTES = 1 << 16  # an INSERT's SQL, when its rows follow in the same body
_DRAIN_S = 5.0


class StoreApp:
    """The ASGI app. `engine` is open before and closed after it serves."""

    def __init__(self, engine: Engine, settings: StoreSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._settings = settings
        self._clock = clock
        self._budget = Budget(settings.max_spooled_bytes)
        workers = settings.max_concurrent_queries
        # Two pools: readers' long queries can't keep inserts waiting.
        self._readers = ThreadPoolExecutor(workers, thread_name_prefix="store-read")
        self._writers = ThreadPoolExecutor(workers, thread_name_prefix="store-write")
        self._waiting = 0

    @property
    def max_url_bytes(self) -> int:
        """Room for SQL in the URL, percent-encoded, but not for a body's worth of it."""
        return min(self._settings.max_query_bytes, 1 << 18) + (1 << 16)

    def close(self) -> None:
        """Let inserts that are under way finish, stop everything else."""
        self._writers.shutdown(wait=True, cancel_futures=True)
        self._readers.shutdown(wait=False, cancel_futures=True)
        self._engine.cancel_queries()
        self._readers.shutdown(wait=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(_call(scope, self._clock()), receive, send)

    async def _serve(self, call: Call, receive: Receive, send: Send) -> None:
        incoming = _Incoming(receive)
        answer = Answer(call, send, self._engine.identity.version, self._engine.identity.timezone, self._clock)
        try:
            await self._route(call, incoming, answer)
        except ClientGoneError:
            return
        except StoreError as error:
            await incoming.drain()
            await answer.fail(error)

    async def _route(self, call: Call, incoming: _Incoming, answer: Answer) -> None:
        if call.path in ("/ping", "/replicas_status") or (
            call.path == "/" and call.method in ("GET", "HEAD") and not call.values.get("query")
        ):
            await answer.text(200, b"Ok.\n")
        elif call.path != "/":
            await answer.text(404, b"There is no handle " + call.path.encode() + b"\n\nUse / or /ping.\n")
        elif call.method not in ("GET", "POST", "HEAD"):
            await answer.text(501, b"Use GET or POST.\n")
        else:
            await self._query(call, self._authenticate(call), incoming, answer)

    # -- credentials -----------------------------------------------------------------------------------------------

    def _authenticate(self, call: Call) -> User:
        name, password = _credentials(call)
        user = next(
            (user for user in self._settings.users if hmac.compare_digest(user.name.encode(), name.encode())), None
        )
        expected = user.password.get_secret_value() if user and user.password else ""
        matches = hmac.compare_digest(expected.encode(), password.encode())
        if user is None or (user.password is not None and not matches):
            raise StoreError(
                errors.AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name.",
            )
        if user.password is None and _from_a_web_page(call):
            raise StoreError(
                errors.ACCESS_DENIED, "Web pages may not use accounts without a password. Give the account one."
            )
        return user

    # -- queries ---------------------------------------------------------------------------------------------------

    async def _query(self, call: Call, user: User, incoming: _Incoming, answer: Answer) -> None:
        body = _Body(call, incoming, self._settings)
        if call.headers.get("content-type", "").startswith("multipart/form-data"):
            call = with_form(call, await body.read_bytes(self._settings.max_query_bytes * FORM_ROOM))
            body = _Body(call, incoming, self._settings)
        sql = call.values.get("query", "")
        if statements.is_insert(sql):
            head = statements.insert_head(sql)
            if head is not None:
                await self._insert(call, user, head, body.put_back(sql[head.data_at :].encode()), answer)
                return
        elif not sql:
            start = await body.read_at_least(_HEAD_BYTES)
            head = statements.insert_head(start.decode("latin-1"))
            if head is not None:
                await self._insert(call, user, _as_utf8(head), body.put_back(start[head.data_at :]), answer)
                return
            body.put_back(start)
        text = await body.read_text(self._settings.max_query_bytes, sql)
        await self._select(call, user, text, incoming, answer)

    async def _insert(self, call: Call, user: User, head: statements.InsertHead, body: _Body, answer: Answer) -> None:
        ask = self._ask(call, user, head.settings, default_format="Values")
        if call.method != "POST":
            raise StoreError(errors.READONLY, "Cannot execute query in readonly mode: INSERT needs POST.")
        spool = Spool(self._budget, self._settings.path)
        try:
            async for chunk in body:
                spool.write(chunk)
            spool.seal()
            counts = await self._in(self._writers, lambda: self._engine.insert(head, spool, ask))
            await answer.whole([], "Null", counts)
        finally:
            spool.close()

    async def _select(self, call: Call, user: User, sql: str, incoming: _Incoming, answer: Answer) -> None:
        ask = self._ask(call, user, (), default_format="TabSeparated")
        revision = int(call.values.get("client_protocol_version", "0") or 0)
        if revision and native.is_handshake(sql):
            identity = self._engine.identity
            block = native.handshake_block(revision, SERVER_NAME, identity.version, identity.timezone)
            await answer.whole([block], "Native", Counts(read_rows=1, result_rows=1, result_bytes=len(block)))
            return
        fmt = statements.output_format(sql) or ask.default_format
        loop = asyncio.get_running_loop()
        watch = asyncio.create_task(incoming.notice_leaving(answer))
        try:
            await self._in(self._readers, lambda: answer.pump(self._engine.run(sql, ask), fmt, loop))
        finally:
            watch.cancel()
        await answer.end()

    def _ask(self, call: Call, user: User, more: Iterable[tuple[str, str]], default_format: str) -> Ask:
        settings = request_settings.sort_out(
            (*call.pairs, *more), user.role, self._settings, self._engine.identity.known_settings
        )
        fmt = call.headers.get("x-clickhouse-format") or call.values.get("default_format") or default_format
        return Ask(user.role, self._database(call, user), settings, fmt, read_only=call.method != "POST")

    def _database(self, call: Call, user: User) -> str:
        """`default` means the store's own database, as it does for a server's user whose default database that is."""
        asked = call.values.get("database") or call.headers.get("x-clickhouse-database") or "default"
        database = self._settings.database if asked == "default" else asked
        if user.role is not Role.ADMIN and database == "system":
            raise StoreError(errors.ACCESS_DENIED, f"{user.role.value}: use system.… names, not database=system.")
        return database

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._waiting >= self._settings.max_concurrent_queries * 8:
            raise StoreError(errors.TOO_MANY_SIMULTANEOUS_QUERIES, "Too many simultaneous queries.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        finally:
            self._waiting -= 1


class _Incoming:
    """A request's body as it comes from the socket."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.done = False

    async def next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        self.done = not message.get("more_body", False)
        body: bytes = message.get("body", b"")
        return body

    async def notice_leaving(self, answer: Answer) -> None:
        """Mark the answer when its client closes the connection: nobody waits for the rest of it."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        answer.unwanted = True

    async def drain(self) -> None:
        """Read what the client still sends for a few seconds, so that it gets to see the answer instead of a reset."""
        try:
            async with asyncio.timeout(_DRAIN_S):
                while not self.done:
                    await self.next()
        except (TimeoutError, ClientGoneError):
            return


class _Body:
    """A request's decoded body, read once, in pieces."""

    def __init__(self, call: Call, incoming: _Incoming, settings: StoreSettings) -> None:
        self._incoming = incoming
        self._decoder = BodyDecoder(
            call.headers.get("content-encoding", ""), call.flag("decompress"), settings.max_body_bytes
        )
        declared = call.headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > settings.max_body_bytes + (1 << 20):
            raise StoreError(errors.TOO_LARGE_BODY, f"Request body is larger than {settings.max_body_bytes} bytes.")
        self._back = b""

    def put_back(self, data: bytes) -> _Body:
        self._back = data
        return self

    async def __aiter__(self) -> Any:
        if self._back:
            data, self._back = self._back, b""
            yield data
        while (chunk := await self._next()) is not None:
            if chunk:
                yield chunk

    async def _next(self) -> bytes | None:
        if self._incoming.done:
            return None
        out = self._decoder.feed(await self._incoming.next())
        if self._incoming.done:
            self._decoder.finish()
        return out

    async def read_at_least(self, size: int) -> bytes:
        parts, total = [], 0
        while total < size and (chunk := await self._next()) is not None:
            parts.append(chunk)
            total += len(chunk)
        return b"".join(parts)

    async def read_bytes(self, limit: int) -> bytes:
        """All of it, refused as soon as it is too long."""
        parts, total = [], 0
        async for chunk in self:
            parts.append(chunk)
            total += len(chunk)
            _check_query_size(total, limit)
        return b"".join(parts)

    async def read_text(self, limit: int, before: str) -> str:
        """SQL from the URL and the body together, refused as soon as it is too long."""
        parts, total = [before.encode()], len(before)
        async for chunk in self:
            if not parts[-1].endswith(b"\n") and len(parts) == 1 and before:
                parts.append(b"\n")
            parts.append(chunk)
            total += len(chunk)
            _check_query_size(total, limit)
        _check_query_size(total, limit)
        return b"".join(parts).decode("utf-8", "replace")


def _call(scope: Scope, now_s: float) -> Call:
    pairs = tuple(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True, max_num_fields=2000))
    values = dict(pairs)
    query_id = values.get("query_id", "")
    if not query_id or not query_id.isprintable() or not query_id.isascii() or len(query_id) > 256:
        query_id = str(uuid.uuid4())
    return Call(scope["method"], scope["path"], Headers(scope=scope), pairs, query_id, now_s, values)


def _credentials(call: Call) -> tuple[str, str]:
    """Headers first, then Basic, then the URL; `default` without a password if there are none."""
    if "x-clickhouse-user" in call.headers or "x-clickhouse-key" in call.headers:
        return call.headers.get("x-clickhouse-user", "default"), call.headers.get("x-clickhouse-key", "")
    scheme, _, rest = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            name, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise StoreError(errors.AUTHENTICATION_FAILED, "Authorization header is not valid Basic.") from None
        return name or "default", password
    return call.values.get("user", "default"), call.values.get("password", "")


def _from_a_web_page(call: Call) -> bool:
    """A browser's cross-site request, or one sent to a name that was re-bound to this machine."""
    host = call.headers.get("host", "localhost").rsplit(":", 1)[0]
    return "origin" in call.headers or not is_loopback(host)


def _check_query_size(size: int, limit: int) -> None:
    if size > limit:
        raise StoreError(errors.QUERY_IS_TOO_LARGE, f"Query is too large: the limit is {limit} bytes.")


def _as_utf8(head: statements.InsertHead) -> statements.InsertHead:
    """The head was cut out of bytes read as latin-1, so that offsets are byte offsets."""
    target = head.target.encode("latin-1").decode("utf-8", "replace")
    return statements.InsertHead(target, head.settings, head.format, head.data_at)


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
