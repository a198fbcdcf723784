"""Numbered, frozen migrations of the ClickHouse schema."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

from sloengine.config.settings import StoreSection
from sloengine.errors import StoreError
from sloengine.store.client import Store

_FUNCTION = re.compile(r"^CREATE FUNCTION IF NOT EXISTS (\w+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()[:16]

    @property
    def function(self) -> str | None:
        """Name of the SQL function that it makes, if it makes one."""
        found = _FUNCTION.search(self.sql)
        return found[1] if found else None


def migrations() -> list[Migration]:
    """All of them, in order; each file holds one statement."""
    folder = resources.files("sloengine.store").joinpath("migrations")
    files = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(f.name.removesuffix(".sql"), f.read_text(encoding="utf-8")) for f in files]


def migrate(section: StoreSection) -> list[str]:
    """Bring a store to the schema this code expects; the names of what was applied now.

    Raises:
        StoreError: a migration that was applied before has since been edited.
    """
    _create_database(section)
    store = Store(section)
    try:
        store.command(
            "CREATE TABLE IF NOT EXISTS schema_migrations (Name String, Checksum String, At DateTime('UTC') DEFAULT now())"
            " ENGINE = MergeTree ORDER BY Name"
        )
        applied = {r["Name"]: r["Checksum"] for r in store.sql_rows("SELECT Name, Checksum FROM schema_migrations")}
        due = [m for m in migrations() if _is_due(m, applied)]
        _make_functions(store, [m for m in migrations() if m.function])
        for migration in due:
            if not migration.function:
                store.command(migration.sql)
                _note(store, [migration])
        _note(store, [m for m in due if m.function])
        return [m.name for m in due]
    finally:
        store.close()


def _make_functions(store: Store, makers: list[Migration]) -> None:
    """Functions belong to the server: what a database notes as applied says nothing, it may have been moved here."""
    there = {r["name"] for r in store.sql_rows("SELECT name FROM system.functions WHERE origin = 'SQLUserDefined'")}
    for migration in makers:
        if migration.function not in there:
            store.command(migration.sql)


def _create_database(section: StoreSection) -> None:
    # "default" always exists; ours may not, and a client bound to a missing database can't even connect.
    bootstrap = Store(section.model_copy(update={"database": "default"}))
    try:
        bootstrap.command(f"CREATE DATABASE IF NOT EXISTS {section.database} ENGINE = Atomic")
    finally:
        bootstrap.close()


def _is_due(migration: Migration, applied: dict[str, str]) -> bool:
    known = applied.get(migration.name)
    if known not in (None, migration.checksum):
        raise StoreError(f"migration {migration.name} was edited after it was applied; add a new one instead")
    return known is None


def _note(store: Store, done: list[Migration]) -> None:
    store.insert("schema_migrations", ["Name", "Checksum"], [[m.name, m.checksum] for m in done])
