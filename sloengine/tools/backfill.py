"""Backfill: buckets counted again from the raw rows that are kept, under the present catalogue. Safe beside a running engine.

The same statements give the same rows, and only differences are written. All of them carry the revision of the moment before
anything was read: whatever the engine counts meanwhile is newer and stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import (
    CUMULATIVE,
    Corrections,
    Kind,
    Run,
    Sources,
    Work,
    fold_batch,
    fold_histogram_hours,
    fold_hours,
)
from sloengine.jobs.recount import RETENTION, look_back
from sloengine.model import Source
from sloengine.rollup.folds import watched
from sloengine.rollup.plan import MAX_HOLE, batches, floor_minute, hours_of, pieces
from sloengine.store.client import Row
from sloengine.times import format_duration, parse_duration, utc
from sloengine.tools.corrections import corrections_at
from sloengine.tools.outcome import Outcome, Refused, clock, moment_of, nearest, refusal, table

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is to be counted again."""

    since: datetime
    until: datetime
    gateway: str
    """Empty: all."""
    sources: Sources


def run_backfill(
    engine: Deps,
    now: datetime,
    *,
    since: str | None = None,
    until: str | None = None,
    gateway: str | None = None,
    measure: str | None = None,
    dry_run: bool = False,
    progress: Progress = lambda done, total: None,
) -> Outcome:
    """Count the buckets of a span again; ``since`` and ``until`` are durations back from now or ISO moments.

    Raises:
        StoreUnavailable: ClickHouse does not answer; what was written until then stays, and a second run goes on.
    """
    try:
        scope = _scope(engine, now, (since, until), gateway, measure)
    except Refused as error:
        return refusal(error)
    corrections = corrections_at(engine.store, now)
    touched = _touched(engine, scope, corrections)
    plan = _plan(touched)
    run = Run(int(now.timestamp() * 1000), "backfill", corrections)
    written = None if dry_run else _count_again(engine, scope, plan, run, progress)
    found = {
        "since": scope.since,
        "until": scope.until,
        "kinds": _by_kind(touched, plan),
        "batches": len(plan),
        "changed_rows": written,
        "dry_run": dry_run,
        "left": _left(engine),
    }
    return Outcome(_text(found), found)


# --- what


def _scope(
    engine: Deps, now: datetime, span: tuple[str | None, str | None], gateway: str | None, measure: str | None
) -> Scope:
    oldest = floor_minute(now - RETENTION) + timedelta(minutes=1)
    since = floor_minute(_moment(span[0], now)) if span[0] else oldest
    until = floor_minute(_moment(span[1], now)) if span[1] else floor_minute(now)
    if since < oldest:
        raise Refused(
            f"--since {span[0]}: raw rows are kept whole for {format_duration(RETENTION)}, so buckets before {clock(oldest)} UTC"
            " can't be counted again; what they hold stays as it is"
        )
    if since >= until:
        raise Refused(f"nothing lies between {clock(since)} and {clock(until)} UTC")
    return Scope(since, until, gateway or "", _sources(engine, measure))


def _moment(text: str, now: datetime) -> datetime:
    try:
        return now - parse_duration(text)
    except ValueError:
        return moment_of(text, now)


def _sources(engine: Deps, measure: str | None) -> Sources:
    folds = tuple(fold for fold in engine.folds() if fold.source is not Source.DERIVED)
    if measure is None:
        return Sources(folds)
    mine = tuple(fold for fold in folds if fold.measure == measure)
    if not mine:
        known = [fold.measure for fold in folds]
        raise Refused(f"no measure of raw rows is called '{measure}'{nearest(measure, known)}")
    return Sources(mine)


def _touched(engine: Deps, scope: Scope, corrections: Corrections) -> list[Row]:
    values = {"from": scope.since, "until": scope.until, "gateway": scope.gateway, **corrections.clocks}
    return engine.store.rows(
        "backfill_minutes",
        spans=scope.sources.names(Source.SPAN),
        events=scope.sources.names(Source.LOG),
        margin=corrections.margin_s,
        **scope.sources.touching,
        **values,
    )


def _plan(touched: Sequence[Row]) -> list[Work]:
    plan: list[Work] = []
    for kind in Kind:
        minutes = ((r["GatewayId"], utc(r["Minute"])) for r in touched if r["Kind"] == kind)
        plan += [(kind, batch) for batch in batches(pieces(minutes))]
    return plan


# --- do it


def _count_again(engine: Deps, scope: Scope, plan: Sequence[Work], run: Run, progress: Progress) -> int:
    """Rows that changed. Hours are refolded even if nothing did: a run that was cut short may have left them behind."""
    for done, (kind, batch) in enumerate(plan):
        progress(done, len(plan))
        start = (
            look_back(engine.store, scope.sources, (kind, batch), run.corrections) if kind in CUMULATIVE else batch.lo
        )
        fold_batch(engine.store, scope.sources, (kind, batch), start, run)
    # Newer than what the engine folded meanwhile of minutes that were not counted again yet.
    revision = max(run.revision, int(engine.clock().timestamp() * 1000))
    hours = hours_of(batch for _, batch in plan)
    fold_hours(engine.store, hours, revision)
    fold_histogram_hours(engine.store, hours, revision, watched(engine.catalogue.monitors))
    progress(len(plan), len(plan))
    span = {"from": scope.since - MAX_HOLE, "until": scope.until + MAX_HOLE}
    return int(engine.store.rows("backfill_changed", revision=run.revision, **span)[0]["Changed"])


def _by_kind(touched: Sequence[Row], plan: Sequence[Work]) -> list[dict[str, Any]]:
    out = []
    for kind in Kind:
        mine = [r for r in touched if r["Kind"] == kind]
        if mine:
            row = {"kind": kind.value, "gateways": len({r["GatewayId"] for r in mine}), "minutes": len(mine)}
            row |= {"raw_rows": sum(r["Items"] for r in mine), "batches": sum(k is kind for k, _ in plan)}
            out.append(row)
    return out


def _left(engine: Deps) -> list[str]:
    """SLOs that count what jobs of the engine work out, which is not done here."""
    return [s.name for s in engine.catalogue.slos if any(x.source is Source.DERIVED for x in s.sli.selectors)]


def _text(found: dict[str, Any]) -> str:
    lines = [f"{clock(found['since'])} to {clock(found['until'])} UTC"]
    rows = [tuple(kind.values()) for kind in found["kinds"]]
    head = ("kind", "gateways", "gateway-minutes", "raw rows", "batches")
    lines.append(table(head, rows) if rows else "  no raw rows lie in this span")
    if found["dry_run"]:
        lines.append("dry run: nothing was written")
    else:
        lines.append(
            f"{found['changed_rows']:,} bucket rows changed" if found["changed_rows"] else "no bucket row changed"
        )
    if found["left"]:
        names = ", ".join(found["left"][:5]) + (" …" if len(found["left"]) > 5 else "")
        lines.append(f"not touched: what jobs of the engine work out, which {names} count")
    return "\n".join(lines)
