"""What the embedded store is told at start: where the data is, where it listens, who may come in."""

from __future__ import annotations

import ipaddress
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class Role(StrEnum):
    """What a user may do. `access` turns a role and a statement into a decision."""

    ADMIN = "admin"
    INGEST = "ingest"
    READER = "reader"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class User(_Frozen):
    """A name that may log in. Without a password it is let in on loopback only."""

    name: str
    role: Role
    password: SecretStr | None = None


class ReaderLimits(_Frozen):
    """Ceilings for one reader's query. A reader may ask for less, never for more."""

    max_execution_time_s: int = Field(default=30, ge=1)
    max_result_rows: int = Field(default=1_000_000, ge=1)
    max_memory_bytes: int = Field(default=2_000_000_000, ge=1 << 26)


class StoreSettings(_Frozen):
    """Everything `serve` needs."""

    path: Path
    host: str = "127.0.0.1"
    port: int = Field(default=8123, ge=0, le=65535)
    database: str = "sloengine"
    users: tuple[User, ...] = (User(name="default", role=Role.ADMIN),)
    max_body_bytes: int = Field(default=256 << 20, ge=1 << 10)
    max_spooled_bytes: int = Field(default=1 << 30, ge=1 << 10)
    max_query_bytes: int = Field(default=1 << 20, ge=1 << 10)
    max_insert_memory_bytes: int = Field(default=4_000_000_000, ge=1 << 26)
    max_concurrent_queries: int = Field(default=16, ge=1)
    reader: ReaderLimits = ReaderLimits()

    @field_validator("path")
    @classmethod
    def _resolve(cls, value: Path) -> Path:
        if "?" in str(value):
            raise ValueError("the store's path may not contain '?': chDB reads what follows as options")
        return value.expanduser().resolve()

    @field_validator("database")
    @classmethod
    def _own_database(cls, value: str) -> str:
        if not value or value.lower() in {"default", "system", "information_schema"}:
            raise ValueError(f"{value!r} belongs to the engine: choose another database name")
        return value


def is_loopback(host: str) -> bool:
    """True for addresses that other machines cannot reach."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def users_from_passwords(passwords: dict[Role, str | None], host: str) -> tuple[User, ...]:
    """The three usual users; on loopback a role without a password is open, elsewhere `exposure_problem` refuses it.

    On loopback, once any password is set, roles left without one don't exist: a forgotten variable leaves no door open.
    """
    names = {Role.ADMIN: "default", Role.INGEST: "ingest", Role.READER: "reader"}
    given = {role: SecretStr(text) for role, text in passwords.items() if text}
    roles = [role for role in Role if role in given or not given or not is_loopback(host)]
    return tuple(User(name=names[role], role=role, password=given.get(role)) for role in roles)


def exposure_problem(settings: StoreSettings) -> str | None:
    """Why these settings may not listen where they ask to, or None."""
    if is_loopback(settings.host):
        return None
    roles = {user.role for user in settings.users}
    open_names = sorted(user.name for user in settings.users if user.password is None)
    missing = sorted(role.value for role in Role if role not in roles)
    if not open_names and not missing:
        return None
    what = ", ".join(open_names + missing)
    return f"refusing to listen on {settings.host}: every role needs a password there (without one: {what})"
