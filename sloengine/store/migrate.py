"""Numbered, frozen migrations of the ClickHouse schema."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib import resources

from sloengine.config.settings import StoreSection
from sloengine.errors import StoreError
from sloengine.store.client import Store


@dataclass(frozen=True, slots=True)
class Migration:
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()[:16]


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
        return [m.name for m in migrations() if _apply(store, m, applied)]
    finally:
        store.close()


def _create_database(section: StoreSection) -> None:
    # "default" always exists; ours may not, and a client bound to a missing database can't even connect.
    bootstrap = Store(section.model_copy(update={"database": "default"}))
    try:
        bootstrap.command(f"CREATE DATABASE IF NOT EXISTS {section.database} ENGINE = Atomic")
    finally:
        bootstrap.close()


def _apply(store: Store, migration: Migration, applied: dict[str, str]) -> bool:
    known = applied.get(migration.name)
    if known == migration.checksum:
        return False
    if known is not None:
        raise StoreError(f"migration {migration.name} was edited after it was applied; add a new one instead")
    store.command(migration.sql)
    store.insert("schema_migrations", ["Name", "Checksum"], [[migration.name, migration.checksum]])
    return True
