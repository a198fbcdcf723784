"""Opening the state database, and the small writes that everything shares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, IntegrityError

from sloengine.errors import StateError
from sloengine.state.tables import leases, watermarks
from sloengine.times import utc

T = TypeVar("T")
ENGINE = "engine"
"""The lease of whoever begins and ends alerts."""
MIGRATING = 5_105_105
"""Number of the lock that migrations hold; ours alone."""
PARAMETERS_MAX = 500
STILL_MAX_MS = 10_000
"""How long an engine may do nothing within a transaction, where the database can tell."""


def open_database(url: str) -> Engine:
    """Connect and migrate. SQLite files get their folder, WAL and full durability."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args=_connecting(parsed.get_backend_name()))
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Replicas that start together would all create the same tables.
            connection.execute(select(func.pg_advisory_xact_lock(MIGRATING)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        _prepare_lease(connection)
    return engine


def _prepare_lease(connection: Connection) -> None:
    """A row that can be locked before anybody has had the lease."""
    if connection.execute(select(leases).where(leases.c.name == ENGINE)).first() is None:
        free = {"name": ENGINE, "holder": "", "token": 0, "expires_at": datetime.fromtimestamp(0, UTC)}
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(leases.insert().values(free))


def one_at_a_time(connection: Connection) -> None:
    """Wait for whoever changes alerts now, in whichever engine: episodes of one identity are numbered one after the other."""
    connection.execute(select(leases.c.token).where(leases.c.name == ENGINE).with_for_update())


def _connecting(backend: str) -> dict[str, object]:
    if backend == "sqlite":
        return {"timeout": 30}
    # An engine that stands still within a transaction keeps its locks until the server ends its session: the others would stand
    # still with it.
    limit = f"-c idle_in_transaction_session_timeout={STILL_MAX_MS} -c lock_timeout={2 * STILL_MAX_MS}"
    return {"options": limit} if backend == "postgresql" else {}


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def pragmas(connection: Any, _record: object) -> None:
        # The driver's own transactions begin too late to isolate a read that precedes a write: we begin them ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """All or nothing, also on kill -9.

    Raises:
        StateError: the database is away, or has ended a transaction that took too long; nothing of it is kept.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StateError(f"the state database: {error.orig}") from error


def in_parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many at once as one statement may have: SQLite holds no more than some thousand parameters."""
    return (values[at : at + PARAMETERS_MAX] for at in range(0, len(values), PARAMETERS_MAX))


def watermark(connection: Connection, name: str) -> datetime | None:
    found = connection.execute(select(watermarks.c.at).where(watermarks.c.name == name)).scalar()
    return utc(found) if found else None


def set_watermark(connection: Connection, name: str, at: datetime) -> None:
    changed = connection.execute(watermarks.update().where(watermarks.c.name == name).values(at=at)).rowcount
    if not changed:
        connection.execute(watermarks.insert().values(name=name, at=at))


def take_lease(connection: Connection, name: str, holder: str, now: datetime, ttl: timedelta) -> int | None:
    """The fencing token if ``holder`` has the lease until ``now + ttl``; None while another holds it."""
    # Locked, where the database locks rows: two engines that find it run out at once must not both take it.
    row = connection.execute(select(leases).where(leases.c.name == name).with_for_update()).mappings().first()
    if row is None:
        connection.execute(leases.insert().values(name=name, holder=holder, token=1, expires_at=now + ttl))
        return 1
    if row["holder"] == holder:
        connection.execute(leases.update().where(leases.c.name == name).values(expires_at=now + ttl))
        return int(row["token"])
    if utc(row["expires_at"]) > now:
        return None
    token = int(row["token"]) + 1
    connection.execute(
        leases.update().where(leases.c.name == name).values(holder=holder, token=token, expires_at=now + ttl)
    )
    return token
