"""Explain: the chain from rows to verdict for one slice of an SLO, each figure with the statement that gives it."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.evaluate.account import concerning
from sloengine.evaluate.burn import error_ratio
from sloengine.evaluate.exclusions import MINUTE, absences
from sloengine.evaluate.interval import PAGE_CONFIDENCE, lower_bound
from sloengine.evaluate.measure import Measured, window_of
from sloengine.evaluate.periods import bounds, floor_minute, targets_between
from sloengine.evaluate.plan import OTHER
from sloengine.evaluate.quantiles import asked_of
from sloengine.jobs.account import account
from sloengine.jobs.deps import Deps
from sloengine.model import (
    BurnReading,
    Counts,
    Exclusion,
    Group,
    Selector,
    Slo,
    State,
    Status,
    Unknown,
    Weighting,
)
from sloengine.store.client import Row, statement
from sloengine.times import format_duration, utc
from sloengine.tools.budget import told
from sloengine.tools.explain_raw import explain_raw
from sloengine.tools.explain_text import render
from sloengine.tools.moment import as_of, excluded_spans, judged, view_at
from sloengine.tools.outcome import Outcome, Refused, find_slo, group_of, moment_of, refusal, shown
from sloengine.tools.paste import literal, paste
from sloengine.tools.selection import MOMENT, in_words, nodes_kept, rows_of, shares, value_of

EMPTY_YEAR = 1970
"""Of the time that ClickHouse gives where there is none."""
PATIENCE_S = 20.0
"""How long a roll-up that is under way is waited for: what its minutes say is not in the hours yet that windows sum."""
TOP = 10
"""Bucket keys that are listed; all of them are in the sums."""
COMPARED = {"State": "state", "Sli": "sli", "Good": "good", "Bad": "bad", "Unknown": "unknown", "Target": "target"}
_PLACES = {"service", "model", "version", "region", "gateway", "rollout"}


@dataclass(frozen=True, slots=True)
class Reach:
    """The time that an SLO looks at, at one moment."""

    slo: Slo
    at: datetime

    @property
    def start(self) -> datetime:
        return floor_minute(bounds(window_of(self.slo), self.at)[0])

    @property
    def until(self) -> datetime:
        """The minute of ``at`` is the last that counts."""
        return floor_minute(self.at) + MINUTE

    @property
    def length(self) -> timedelta:
        lo, hi = bounds(window_of(self.slo), self.at)
        return hi - lo

    @property
    def values(self) -> dict[str, object]:
        measures = sorted({s.measure for s in counted(self.slo)})
        return {"measures": measures, "service": self.slo.service, "from": self.reach, "until": self.until}

    @property
    def reach(self) -> datetime:
        """The earliest minute of any window: an alert window may be longer than a calendar period that has just begun."""
        return min([self.start, *(start for _, start in self.alert_windows)])

    @property
    def alert_windows(self) -> list[tuple[timedelta, datetime]]:
        spans = {span for pair in self.slo.policy.windows for span in (pair.long, pair.short)}
        return [(span, floor_minute(self.at) - span) for span in sorted(spans, reverse=True)]


@dataclass(frozen=True, slots=True)
class Subject(Reach):
    """One slice of one SLO at one moment."""

    engine: Deps
    status: Status
    measured: Measured

    @property
    def excluded(self) -> list[tuple[Exclusion, Sequence[tuple[datetime, datetime]]]]:
        """What is taken out of the window, by those exclusions that may concern this slice."""
        mine = concerning(self.engine.catalogue.exclusions, self.slo, self.status.group)
        return excluded_spans(mine, self.reach, self.until)

    @property
    def expressions(self) -> dict[str, str]:
        return {**shares(self.slo), "rows": rows_of(self.slo, self.status.group, self.excluded)}


def counted(slo: Slo) -> tuple[Selector, ...]:
    return slo.sli.good + slo.sli.bad + slo.sli.total


def run_explain(
    engine: Deps, name: str, now: datetime, *, at: str | None = None, slice_: str | None = None, sql: bool = True
) -> Outcome:
    """The chain from rows to verdict of one slice, the worst unless ``slice_`` names one, at ``at`` or now.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        moment = (moment_of(at, now) if at else now).replace(microsecond=0)
        slo = as_of(find_slo(engine.catalogue.slos, name), moment)
        if slo.components:
            parts = ", ".join(c.slo for c in slo.components)
            raise Refused(f"{name} is composed of other SLOs and counts nothing itself; explain one of {parts}")
        found = _settled(engine, slo, moment, group_of(slice_) if slice_ else None, now)
    except Refused as error:
        return refusal(error)
    return Outcome(render(found, sql=sql), found)


def _settled(engine: Deps, slo: Slo, at: datetime, wanted: Group | None, now: datetime) -> dict[str, Any]:
    """The chain as it is between two roll-ups; if they don't end in time, as it is, with how many hours lag behind."""
    until = time.monotonic() + PATIENCE_S
    reach = Reach(slo, at)
    while True:
        # Asked before anything is read and again when all is: a roll-up may end in between.
        before = _folded(engine, reach)
        patient = time.monotonic() < until
        if not before["Hours"] or not patient:
            subject, others = _subject(engine, slo, at, wanted)
            found = explanation(subject, others, now)
            after = _folded(engine, reach)
            if not patient or (not after["Hours"] and after == before):
                return {**found, "unfolded_hours": max(before["Hours"], after["Hours"])}
        time.sleep(0.5)


def _subject(engine: Deps, slo: Slo, at: datetime, wanted: Group | None) -> tuple[Subject, list[Status]]:
    view = view_at(engine, [slo], at)
    measured, statuses = judged(view, slo)
    if not statuses:
        raise Refused(f"{slo.name} has no slice: nothing that it counts was ever received ({_asked(slo)})")
    by_group = {item.group: item for item in measured}
    status = _chosen(statuses, wanted)
    item = by_group.get(status.group, Measured(status.group, Counts(), {}, None))
    if item.folded:
        raise Refused(f"this slice holds {item.folded} that the cardinality budget folded together; name another one")
    return Subject(slo, at, engine, status, item), statuses


def _asked(slo: Slo) -> str:
    return "; ".join(in_words(counted(slo)))


def _chosen(statuses: Sequence[Status], wanted: Group | None) -> Status:
    if wanted is None:
        return min((s for s in statuses if OTHER not in dict(s.group).values()), key=_health, default=statuses[0])
    found = [s for s in statuses if set(wanted) <= set(s.group)]
    if not found:
        known = "\n".join(f"  {shown(s.group)}" for s in statuses[:20])
        raise Refused(f"no slice is {shown(wanted)}; there are\n{known}")
    return min(found, key=_health)


def _health(status: Status) -> tuple[bool, float]:
    """The worst first: what burns, then what has the least budget left."""
    left = status.budget_remaining
    return status.state is not State.BURNING, 2.0 if left is None else left


# --- the steps


def explanation(subject: Subject, others: Sequence[Status], now: datetime) -> dict[str, Any]:
    """Every step of the chain as plain values; ``sql`` beside a step gives its figures."""
    status, buckets = subject.status, _buckets(subject)
    return {
        "slo": subject.slo.name,
        "slice": dict(status.group),
        "at": subject.at,
        "corrected_at": now,
        "slices": [_overview(s) for s in others],
        "definition": _definition(subject.slo),
        "window": _window(subject),
        "buckets": buckets,
        "windows": _windows(subject),
        "coverage": _coverage(subject),
        "certainty": _certainty(subject),
        "budget": _budget(subject),
        "burn": [_burn(subject, reading) for reading in status.burns],
        "spent": _spent(subject),
        "state": status.state.value,
        "reason": status.reason,
        "said": _said(subject),
        "raw": explain_raw(subject.engine, subject.slo, _busiest(buckets["rows"]), subject.until, now),
    }


def _overview(status: Status) -> dict[str, Any]:
    left = status.budget_remaining
    return {"slice": dict(status.group), "state": status.state.value, "sli": status.sli, "budget_remaining": left}


def _definition(slo: Slo) -> dict[str, Any]:
    return {
        "source": slo.source,
        "indicator": slo.indicator,
        "description": slo.description,
        "target": slo.target,
        "targets": [{"since": t.since, "target": t.target} for t in slo.targets],
        "by": list(slo.by),
        "good": in_words(slo.sli.good),
        "bad": in_words(slo.sli.bad),
        "total": in_words(slo.sli.total),
        "where": [f"{m.name} {m.op} {m.value}" for m in slo.where],
        "unknown": slo.unknown.value,
        "weighting": _weighting(slo),
        "policy": slo.policy.name,
        "quantiles": _quantiles(slo),
        "owner": slo.owner,
        "runbook": slo.runbook,
    }


def _quantiles(slo: Slo) -> list[str]:
    """Commands that say how far from its limit a value is: buckets are cut there and know no more."""
    return [
        f"sloengine query {asked.query} {' '.join(f'--param {k}={shlex.quote(v)}' for k, v in asked.parameters)}"
        for asked in asked_of(slo)
    ]


def _weighting(slo: Slo) -> str:
    if slo.quantifier is None:
        return slo.weighting.value
    share = f"{slo.quantifier.share:.4%}"
    return (
        f"the worst {share} of nodes"
        if slo.quantifier.worst
        else f"{share} of nodes each at {slo.quantifier.target:.4%}"
    )


def _window(subject: Subject) -> dict[str, Any]:
    calendar = subject.slo.calendar
    kind = f"calendar: {calendar.count} {calendar.unit}, {calendar.zone}" if calendar else "rolling"
    out = [
        {"name": e.name, "reason": e.reason, "minutes": sum(int((b - a) / MINUTE) for a, b in spans)}
        for e, spans in subject.excluded
    ]
    gone = subject.status.excluded
    return {
        "start": subject.start,
        "until": subject.until,
        "length": format_duration(subject.length),
        "kind": kind,
        "excluded": out,
        "excluded_good": gone.good,
        "excluded_bad": gone.bad,
    }


def _buckets(subject: Subject) -> dict[str, Any]:
    values = {**subject.values, "from": subject.start}
    sql = paste(statement("explain_keys"), {**values, "most": TOP}, subject.expressions)
    rows = subject.engine.store.sql_rows(sql)
    # The client hands times over without a zone; a key whose buckets were all emptied has none.
    listed = [{**r, "last": utc(r["last"]) if r["last"].year > EMPTY_YEAR else None} for r in rows]
    return {"rows": listed, "top": TOP, "sql": sql}


def _folded(engine: Deps, reach: Reach) -> Row:
    """``Hours`` that windows don't sum as their minutes are, and the ``Newest`` revision among these minutes."""
    return engine.store.rows("explain_unfolded", **reach.values)[0]


def _sums(subject: Subject, windows: Sequence[tuple[str, datetime, datetime, float]]) -> str:
    slo = subject.slo
    values = {
        **subject.values,
        "windows": list(windows),
        "unknown_good": float(slo.unknown is Unknown.GOOD),
        "unknown_bad": float(slo.unknown is Unknown.BAD),
    }
    if slo.weighting is Weighting.EVENTS and slo.quantifier is None:
        return paste(statement("explain_windows"), values, subject.expressions)
    promise = slo.quantifier
    values |= {
        "promise": "share" if promise is None else "worst" if promise.worst else "keep",
        "reach": promise.target if promise else 1.0,
        "share": promise.share if promise else 1.0,
    }
    unit = value_of("gateway" if slo.weighting is Weighting.SITES else "device")
    return paste(statement("explain_units"), values, {**subject.expressions, "unit": unit})


def _windows(subject: Subject) -> dict[str, Any]:
    named = [("window", subject.start, subject.until, subject.slo.target)]
    named += [
        (format_duration(span), start, subject.until, subject.slo.target) for span, start in subject.alert_windows
    ]
    spans = {format_duration(span): counts for span, counts in subject.measured.spans.items()}
    by_name = {**spans, "window": subject.status.counts}
    rows = [_sum_row(name, start, by_name.get(name, Counts()), subject.slo.target) for name, start, _, _ in named]
    return {"rows": rows, "sql": _sums(subject, named)}


def _sum_row(name: str, start: datetime, counts: Counts, target: float) -> dict[str, Any]:
    ratio = error_ratio(counts)
    burn = counts.bad if target == 1 else None if ratio is None else ratio / (1 - target)
    return {
        "window": name,
        "from": start,
        "good": counts.good,
        "bad": counts.bad,
        "unknown": counts.unknown,
        "bad_ratio": ratio,
        "burn": burn,
        "good_squares": counts.squares[0],
        "bad_squares": counts.squares[1],
    }


def _coverage(subject: Subject) -> dict[str, Any]:
    group = subject.status.group
    known = [f"{value_of(n)} = {literal(v, 'String')}" for n, v in group if n in ("service", "region", "gateway")]
    nodes = [f"{value_of(n)} = {literal(v, 'String')}" for n, v in group if n in ("region", "gateway", "device")]
    begin, _ = bounds(window_of(subject.slo), subject.at)
    values = {
        "service": subject.slo.service,
        "from": subject.start,
        "until": subject.until,
        "at": subject.at,
        "length": (subject.at - begin).total_seconds(),
    }
    catalogue = subject.engine.catalogue
    own = [node for node in catalogue.nodes if node.service == subject.slo.service]
    away = absences(catalogue.exclusions, own, begin, subject.at)
    listed = [(node.device, *span) for node, spans in sorted(away.items(), key=lambda n: n[0].device) for span in spans]
    expressions = {
        "covered": " AND ".join([*known, nodes_kept(subject.excluded)]),
        "expected": " AND ".join(nodes) or "true",
        "absent": literal(listed, f"Array(Tuple(String, {MOMENT}, {MOMENT}))"),
    }
    sql = paste(statement("explain_coverage"), values, expressions)
    counts = subject.status.counts
    return {"covered_s": counts.covered_s, "coverage": subject.status.coverage, "sql": sql}


def _certainty(subject: Subject) -> dict[str, Any]:
    """How well the ratio is known: the interval is a beta quantile, which SQL does not have (docs/statistics.md)."""
    status, counts = subject.status, subject.status.counts
    weights = _weights(subject) if counts.sampled else (1.0, 1.0)
    return {
        "sli": status.sli,
        "interval": status.interval,
        "confidence": 0.95,
        "valid": counts.valid,
        "effective": status.effective,
        "clustered": status.clustered,
        "sampled": counts.sampled,
        "weights": list(weights),
        "bridged": counts.bridged,
        "shifted": counts.shifted,
    }


def _weights(subject: Subject) -> tuple[float, float]:
    """The lightest and heaviest mean weight of a bucket in the window: what a single span stands for."""
    sql = paste(statement("explain_weights"), {**subject.values, "from": subject.start}, subject.expressions)
    row = subject.engine.store.sql_rows(sql)[0]
    return float(row["lightest"]), float(row["heaviest"])


def _budget(subject: Subject) -> dict[str, Any] | None:
    budget = subject.status.budget
    if budget is None:
        return None
    parts = _parts(subject)
    values = {"length": subject.length.total_seconds()}
    sql = paste(statement("explain_budget"), values, {"sums": _sums(subject, parts)})
    return {
        "allowed": budget.allowed,
        "spent": budget.spent,
        "remaining": budget.remaining,
        "left_s": budget.left_s,
        "exhausts_in_s": None if budget.exhausts_in is None else budget.exhausts_in.total_seconds(),
        "reserved": budget.reserved,
        "parts": [{"from": a, "until": b, "target": t} for _, a, b, t in parts],
        "sql": sql,
    }


def _spent(subject: Subject) -> dict[str, Any]:
    """What ``sloengine budget`` says of this slice: causes, reserve, hours that were counted anew."""
    status = subject.status
    return told(status, account(subject.engine, subject.slo, [status], subject.at).of(status.group))


def _parts(subject: Subject) -> list[tuple[str, datetime, datetime, float]]:
    if not subject.slo.targets:
        return [("window", subject.start, subject.until, subject.slo.target)]
    found = targets_between(subject.slo.targets, subject.start, floor_minute(subject.at))
    ends = [*(b for _, b, _ in found[:-1]), subject.until]
    return [(f"part {n + 1}", a, end, t) for n, ((a, _, t), end) in enumerate(zip(found, ends, strict=True))]


def _surely_above(subject: Subject, span: timedelta) -> float:
    """The bound of the bad ratio that a page needs over its line."""
    if (within := subject.measured.within.get(span)) is not None:
        return float(within.surely_above())
    long, own = subject.measured.spans.get(span, Counts()), subject.status.counts
    heaviest = own.squares[0] / own.good if own.sampled and own.good else None
    return lower_bound(long.good, long.bad, *long.squares, good_weight=heaviest)


def _burn(subject: Subject, reading: BurnReading) -> dict[str, Any]:
    window, slo = reading.window, subject.slo
    bound = _surely_above(subject, window.long)
    return {
        "severity": window.severity.value,
        "long": format_duration(window.long),
        "short": format_duration(window.short),
        "budget_share": window.budget_share,
        "factor": reading.factor,
        "long_burn": reading.long_burn,
        "short_burn": reading.short_burn,
        "surely_above": None if slo.target == 1 else bound / (1 - slo.target),
        "confidence": PAGE_CONFIDENCE,
        "over": reading.over,
        "alerts": reading.exceeded,
    }


def _busiest(rows: Sequence[Row]) -> Row | None:
    """The listed bucket key with the most bad events, else the most events."""
    return max(rows, key=lambda r: (r["bad"], r["events"]), default=None)


# --- as known then


def _said(subject: Subject) -> dict[str, Any] | None:
    """The nearest status at or before the moment, and what is different now."""
    group: Mapping[str, str] = dict(subject.status.group)
    sql = paste(statement("explain_said"), {"slo": subject.slo.name, "slice": group, "at": subject.at})
    rows = subject.engine.store.sql_rows(sql)
    if not rows:
        return None
    then = {**rows[0], "At": utc(rows[0]["At"])}
    return {**then, "sql": sql, "differs": _differs(then, subject.status), **_restated(subject, then["At"])}


def _differs(then: Row, now: Status) -> list[dict[str, Any]]:
    counts = now.counts
    present: dict[str, object] = {
        "state": now.state.value,
        "sli": now.sli,
        "good": counts.good,
        "bad": counts.bad,
        "unknown": counts.unknown,
        "target": now.slo.target,
    }
    pairs = [(name, then[column], present[name]) for column, name in COMPARED.items()]
    return [{"figure": name, "then": a, "now": b} for name, a, b in pairs if a != b]


def _restated(subject: Subject, since: datetime) -> dict[str, Any]:
    kept = [(n, v) for n, v in subject.status.group if n in _PLACES]
    values = {**subject.values, "since": since, "from": subject.start}
    where = " AND ".join(f"{value_of(n)} = {literal(v, 'String')}" for n, v in kept) or "true"
    sql = paste(statement("explain_restated"), values, {"rows": where})
    rows = subject.engine.store.sql_rows(sql)
    return {"restated": [{**r, "newest": utc(r["newest"])} for r in rows], "restated_sql": sql}
