"""Opening the state database, and the small writes that everything shares."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import make_url

from sloengine.state.tables import leases, watermarks
from sloengine.times import utc


def open_database(url: str) -> Engine:
    """Connect and migrate. SQLite files get their folder, WAL and full durability."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": 30} if parsed.get_backend_name() == "sqlite" else {})
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    return engine


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
    """All or nothing, also on kill -9."""
    with engine.begin() as connection:
        yield connection


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
