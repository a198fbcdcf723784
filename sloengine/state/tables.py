"""The state that must not be lost: alert episodes, their transitions, groups, silences, the outbox, leases, watermarks."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

episodes = Table(
    "episodes",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("identity", String(64), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("labels", Text, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("last_bad_at", DateTime(timezone=True), nullable=False),
    Column("resolved_at", DateTime(timezone=True)),
    # Of an alert that others raise: it ends then, if they don't say again that it fires.
    Column("ends_at", DateTime(timezone=True), index=True),
    # What people are told of it, as known when it last changed.
    Column("annotations", Text, nullable=False, default="{}"),
    # The database, not the code, refuses a second incident for the same episode.
    UniqueConstraint("identity", "number"),
)

transitions = Table(
    "transitions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("episode_id", Integer, ForeignKey("episodes.id"), nullable=False, index=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("from_state", String(16), nullable=False),
    Column("to_state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("exported", Integer, nullable=False, default=0),
)

groups = Table(
    "groups",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("receiver", String(100), nullable=False),
    Column("group_key", Text, nullable=False),
    Column("key_hash", String(64), nullable=False),
    Column("labels", Text, nullable=False),
    # GroupState as JSON: what was told, and when.
    Column("state", Text, nullable=False),
    # Of a safety route: looked at before all others.
    Column("urgent", Boolean, nullable=False, default=False),
    # Notifications so far.
    Column("told", Integer, nullable=False),
    # None: nothing is in it.
    Column("look_at", DateTime(timezone=True), index=True),
    UniqueConstraint("receiver", "key_hash"),
)

members = Table(
    "members",
    metadata,
    Column("group_id", Integer, ForeignKey("groups.id"), primary_key=True),
    Column("episode_id", Integer, ForeignKey("episodes.id"), primary_key=True, index=True),
    # False: the routing no longer sends it here; its resolve may still be owed.
    Column("routed", Boolean, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("matchers", Text, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("expired_by", Text),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    # A call that a transition asks for names both; a notification of a group neither.
    Column("episode_id", Integer, ForeignKey("episodes.id")),
    Column("transition_id", Integer, ForeignKey("transitions.id")),
    # The group or episode that it is about: what is about the same goes to a target in order.
    Column("subject", String(100), nullable=False),
    # Of a safety route: sent before all others.
    Column("urgent", Boolean, nullable=False, default=False),
    Column("target", String(200), nullable=False),
    Column("idempotency_key", String(200), nullable=False, unique=True),
    Column("payload", Text, nullable=False),
    # pending → claimed → sent, or dead after a final refusal.
    Column("status", String(16), nullable=False, index=True),
    Column("attempts", Integer, nullable=False, default=0),
    Column("queued_at", DateTime(timezone=True)),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("claimed_until", DateTime(timezone=True)),
    Column("claimed_by", String(64)),
    Column("last_error", Text),
    Column("sent_at", DateTime(timezone=True)),
)

leases = Table(
    "leases",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    # Grows with each change of holder; a write that carries an older token is refused.
    Column("token", Integer, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
)

watermarks = Table(
    "watermarks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("value", Float),
)
