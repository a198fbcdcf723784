"""Explain, last step: one minute of one bucket, counted again from the raw rows that it came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import COLUMNS
from sloengine.jobs.fold import ATTEMPTS_WITHIN, CUMULATIVE, RAW, SOURCE_OF, Corrections, Sources, asked
from sloengine.jobs.recount import RETENTION, look_back
from sloengine.model import DIMENSIONS, Slo, Source
from sloengine.rollup.folds import Fold
from sloengine.rollup.plan import MINUTE, Batch
from sloengine.store.client import Row, statement
from sloengine.times import utc
from sloengine.tools.corrections import corrections_at
from sloengine.tools.paste import literal, paste, quoted

SHOWN = 12
_KIND = {source: kind for kind, source in SOURCE_OF.items()}
_STATEMENT = {
    Source.SUM: "fold_sums",
    Source.HISTOGRAM: "band_histograms",
    Source.GAUGE: "fold_gauges",
    Source.SPAN: "fold_spans",
    Source.LOG: "fold_logs",
}
_FIGURES = ("Events", "Squares", "Items", "Unweighted", "Bridged", "Shifted")
_RAW = {"wave": "Own['edge.rollout.wave']", "hardware": "ResourceAttributes['edge.hardware']", "device": "DeviceId"}


def explain_raw(engine: Deps, slo: Slo, key: Row | None, until: datetime, now: datetime) -> dict[str, Any]:
    """The newest minute of a bucket key (a row of ``explain_keys.sql``) before ``until``, and what its raw rows say."""
    if key is None:
        return {"words": "no bucket of this slice holds anything in the window"}
    fold = next((f for f in engine.folds() if f.measure == key["Measure"]), None)
    if fold is None or fold.source is Source.DERIVED:
        return {
            "words": f"{key['Measure']} is worked out by a job of the engine, not folded from raw rows of that name"
        }
    found = _minute(engine, slo, key, until, now)
    if found is None:
        return {"words": f"its newest minutes are older than the raw tables keep ({RETENTION.days} days)"}
    bucket, sql = found
    return {
        "key": {name: key[column] for name, column in _columns() if column in key} | {"attributes": key["Attributes"]},
        "measure": key["Measure"],
        "bucket": bucket,
        "bucket_sql": sql,
        **_recount(engine, slo, fold, key, (bucket["Minute"], now)),
    }


def _columns() -> list[tuple[str, str]]:
    return list(zip(DIMENSIONS, COLUMNS, strict=True))


def _minute(engine: Deps, slo: Slo, key: Row, until: datetime, now: datetime) -> tuple[Row, str] | None:
    where = " AND ".join(f"{c} = {quoted(key[c])}" for _, c in _columns() if c in key)
    values = {
        "measure": key["Measure"],
        "service": slo.service,
        "attributes": key["Attributes"],
        "from": now - RETENTION,
        "until": until,
    }
    sql = paste(statement("explain_minute"), values, {"key": where})
    rows = engine.store.sql_rows(sql)
    best = max(rows, key=lambda r: (r["Events"] > 0, r["Minute"]), default=None)
    return None if best is None else ({**best, "Minute": utc(best["Minute"])}, sql)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One bucket that is to be counted again."""

    slo: Slo
    fold: Fold
    key: Row
    batch: Batch
    start: datetime
    """From where previous points are read."""
    corrections: Corrections


def _recount(engine: Deps, slo: Slo, fold: Fold, key: Row, bounds: tuple[datetime, datetime]) -> dict[str, Any]:
    minute, now = bounds
    batch = Batch((key["GatewayId"],), minute, minute + MINUTE)
    cumulative = _KIND[fold.source] in CUMULATIVE
    corrections, work = corrections_at(engine.store, now), (_KIND[fold.source], batch)
    start = look_back(engine.store, Sources((fold,)), work, corrections) if cumulative else minute
    asked_ = _Asked(slo, fold, key, batch, start, corrections)
    sql = _fresh_sql(asked_)
    rows = engine.store.sql_rows(sql)
    return {
        "recount": {name: rows[0][name] for name in _FIGURES} if rows else None,
        "recount_sql": sql,
        "from_histograms": fold.source is Source.HISTOGRAM,
        **_listed(engine, asked_),
    }


def _fresh_sql(a: _Asked) -> str:
    """The fold's statement as the engine runs it, up to what it would compare with what is stored."""
    # Attempts of one request are joined by a statement of their own.
    whole = statement("fold_requests" if a.fold.request else _STATEMENT[a.fold.source])
    end = whole.index(statement("settle_counts").rstrip("\n"))
    body = whole[whole.index("\nWITH\n") : end].rstrip().rstrip(",")
    margin = a.corrections.margin_s + (int(ATTEMPTS_WITHIN.total_seconds()) if a.fold.request else 0)
    values = {
        "gateways": list(a.batch.gateways),
        "lo": a.batch.lo,
        "hi": a.batch.hi,
        "from": a.start,
        **a.corrections.around(a.batch.gateways, a.start, a.batch.hi),
        "margin": margin,
        "raw": RAW.get(_KIND[a.fold.source], ""),
        **asked([a.fold]),
        "attributes": a.key["Attributes"],
    }
    owner = tuple(a.slo.service if c == "ServiceName" else a.key[c] for _, c in _columns())
    return paste(statement("explain_fresh").replace("$fold", body), values, {"key": literal(owner, "Tuple")})


# --- the raw rows themselves


def _listed(engine: Deps, a: _Asked) -> dict[str, Any]:
    """Points of a counter or spans, one by one; only where nothing was moved or left out, which this would not see."""
    name = {Source.SUM: "explain_points", Source.SPAN: "explain_spans"}.get(a.fold.source)
    around = a.corrections.around(a.batch.gateways, a.start, a.batch.hi)
    if name is None or a.fold.request or a.fold.marks or around["skewed"] or around["quarantine"]:
        return {}
    values = {"name": a.fold.name, "from": a.start, "lo": a.batch.lo, "hi": a.batch.hi}
    values |= {"gateways": list(a.batch.gateways)} | {n: around[n] for n in ("elsewhere", "roaming")}
    sql = paste(statement(name), values, {"key": _raw_key(a)})
    rows = engine.store.sql_rows(sql)
    column = "increase" if a.fold.source is Source.SUM else "weight"
    total = round(sum(r[column] or 0 for r in rows), 6)
    return {"rows": [_aware(r) for r in rows[:SHOWN]], "rows_found": len(rows), "rows_total": total, "rows_sql": sql}


def _aware(row: Row) -> Row:
    return {k: utc(v) if isinstance(v, datetime) else v for k, v in row.items()}


def _raw_key(a: _Asked) -> str:
    """The bucket's key, but for its gateway, as a condition on raw rows."""
    own = "Attributes" if a.fold.source is Source.SUM else "SpanAttributes"
    column = dict(_columns())
    parts = [f"ServiceName = {quoted(a.slo.service)}"]
    parts += [f"{column[n]} = {quoted(a.key[column[n]])}" for n in ("model", "version", "region", "rollout")]
    parts += [f"{_RAW[n].replace('Own', own)} = {quoted(a.key[column[n]])}" for n in a.fold.detail]
    for name in a.fold.asked:
        word = quoted(name)
        value = f"JSONExtractString({quoted(a.key['Attributes'] or '{}')}, {word})"
        parts.append(f"if(mapContains({own}, {word}), {own}[{word}], ResourceAttributes[{word}]) = {value}")
    return " AND ".join([*parts, *([_within(a.key)] if a.fold.cuts else [])])


def _within(key: Row) -> str:
    band = quoted(key["Attributes"])
    return (
        f"Duration / 1e9 > toFloat64(JSONExtractString({band}, 'gt'))"
        f" AND Duration / 1e9 <= toFloat64(JSONExtractString({band}, 'le'))"
    )
