"""Correct: clocks that are off and gateways that are not trusted, as roll-ups must know them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

from sloengine.evaluate.clocks import LEAST_S, Heard, Offset, follow
from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import Corrections
from sloengine.jobs.places import hear_places, roaming_of
from sloengine.jobs.recount import Only
from sloengine.rollup.plan import floor_minute
from sloengine.state.database import set_watermark, transaction, watermark
from sloengine.times import unix_ms, utc

log = logging.getLogger("sloengine.jobs")

Row = tuple[str, datetime, datetime, int, str, int]
"""Device, since, until, milliseconds, evidence, revision."""
EVER = datetime(2100, 1, 1, tzinfo=UTC)
"""Until when something lasts whose end is not known."""
WATCHED = timedelta(hours=2)
"""How far back clocks are looked at again each tick."""


@dataclass(frozen=True, slots=True)
class Change:
    """What came in since then from some devices, or through some gateways, was corrected otherwise: it has to be counted anew.

    Up to now: a gateway may have held it back, and before an end was known, or when it was later, the correction held for more.
    All of one cause are one: when a time server fails, the clocks of a whole fleet are found to be off in one tick.
    """

    cause: str
    since: datetime
    only: Only
    marks: tuple[str, ...]
    """Remember that it was counted anew."""


def correct(engine: Deps, now: datetime) -> list[Change]:
    """Learn of clocks, quarantines and devices that move, keep them for this tick, and tell what has to be counted anew."""
    hear_places(engine, now)
    _watch_clocks(engine, now)
    oldest = now - timedelta(days=400)
    offsets = engine.store.rows("clock_offsets", oldest=oldest)
    held = [r for r in engine.store.rows("quarantines") if utc(r["Until"]) >= oldest]
    engine.corrections = Corrections(
        skew=tuple((r["DeviceId"], utc(r["Since"]), utc(r["Until"]), int(r["OffsetMs"])) for r in offsets),
        quarantine=tuple((r["GatewayId"], utc(r["Since"]), utc(r["Until"])) for r in held if not r["Lifted"]),
        roaming=roaming_of(engine.store, now),
    )
    found = []
    if clocks := _new(engine, offsets):
        only = Only(devices=tuple(sorted({r["DeviceId"] for _, r in clocks})))
        found.append(_change("clock offset", clocks, only))
    if gateways := _new(engine, held):
        only = Only(gateways=tuple(sorted({r["GatewayId"] for _, r in gateways})))
        found.append(_change("quarantine", gateways, only))
    return found


def _change(cause: str, rows: Sequence[tuple[str, dict[str, Any]]], only: Only) -> Change:
    return Change(cause, min(utc(r["Since"]) for _, r in rows), only, tuple(mark for mark, _ in rows))


def corrected(engine: Deps, changes: Iterable[Change], now: datetime) -> None:
    """They were counted anew. Not sooner: a tick that fails half-way would leave the rest as it was for good."""
    with transaction(engine.state) as connection:
        for mark in (mark for change in changes for mark in change.marks):
            set_watermark(connection, mark, now)


def _new(engine: Deps, rows: Iterable[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The rows that roll-ups have not counted anew for yet, or not like this."""
    marked = [
        (f"correction:{hashlib.sha256(repr(sorted(row.items(), key=str)).encode()).hexdigest()[:24]}", row)
        for row in rows
    ]
    with transaction(engine.state) as connection:
        return [(mark, row) for mark, row in marked if watermark(connection, mark) is None]


def _watch_clocks(engine: Deps, now: datetime) -> None:
    since = floor_minute(now - WATCHED)
    minutes = engine.store.rows("clock_minutes", since=since, least=LEAST_S)
    revision = unix_ms(now)
    lasting, begun = dict[str, Offset](), dict[str, list[Offset]]()
    for r in engine.store.rows("clock_offsets", oldest=now):
        if utc(r["Until"]) == EVER:
            known = Offset(utc(r["Since"]), None, r["OffsetMs"] / 1000, r["Evidence"])
            if known.since < since:
                lasting[r["DeviceId"]] = known
            else:
                begun.setdefault(r["DeviceId"], []).append(known)
    rows: list[Row] = []
    for device, listed in groupby(minutes, key=itemgetter("DeviceId")):
        # The newest minute is not over: its smallest lag may still come.
        heard = [Heard(utc(r["Minute"]), r["Lag"], r["Clock"]) for r in listed if utc(r["Minute"]) < floor_minute(now)]
        found = follow(heard, lasting.get(device))
        rows += _rows(device, [*found, *_void(begun.get(device, ()), found)], revision)
    _write(engine, rows)


def _rows(device: str, episodes: Sequence[Offset], revision: int) -> list[Row]:
    return [(device, e.since, e.until or EVER, round(e.seconds * 1000), e.evidence, revision) for e in episodes]


def _void(begun: Iterable[Offset], found: Iterable[Offset]) -> list[Offset]:
    """Episodes that begin elsewhere, or not at all, now that more of their first minutes has come in: left open, they would go on
    to move what a right clock tells."""
    still = {episode.since for episode in found}
    return [replace(episode, until=episode.since) for episode in begun if episode.since not in still]


def _write(engine: Deps, rows: Sequence[Row]) -> None:
    """Write the episodes that are new or have ended."""
    if not rows:
        return
    known = {
        (r["DeviceId"], utc(r["Since"])): (utc(r["Until"]), int(r["OffsetMs"]))
        for r in engine.store.rows("clock_offsets", oldest=datetime(1970, 1, 2, tzinfo=UTC))
    }
    fresh = [row for row in rows if known.get(row[:2]) != row[2:4]]
    for device, since, until, ms, evidence, _ in fresh:
        end = "on" if until == EVER else f"until {until:%Y-%m-%d %H:%M}"
        log.warning(
            "clock of %s is off by %.1f s from %s %s (%s)", device, -ms / 1000, since.isoformat(), end, evidence
        )
    columns = ["DeviceId", "Since", "Until", "OffsetMs", "Evidence", "Revision"]
    engine.store.insert("clock_offsets", columns, [list(row) for row in fresh])
