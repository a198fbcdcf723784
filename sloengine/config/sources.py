"""Metric sources of ours: ``spans``, ``metrics``, ``logs``, ``sql``, ``derived`` and ``slices``, from OpenSLO to selectors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from sloengine.config.findings import Findings, near
from sloengine.config.matchers import VALUE, is_name, read_matchers, shown
from sloengine.config.windows import span
from sloengine.model import DIMENSIONS, Matcher, Selector, Source, SqlMeasure

TYPES = ("metrics", "spans", "logs", "sql", "derived", "slices")
ROLES = ("good", "bad", "total")
KINDS = {"sum": Source.SUM, "histogram": Source.HISTOGRAM, "gauge": Source.GAUGE}
DERIVED = {
    "predictions": ("verdict",),
    "nodes.heard": ("heard",),
    "drift.psi": (VALUE,),
    "rollout.devices": ("state",),
    "slo.burning": ("state", "slo"),
    "label.lag": (VALUE,),
    "retrain.step": ("verdict",),
    "calibration.ece": (VALUE,),
}
"""Measures that jobs of ours write, and what tells their rows apart beside the dimensions."""
ANY_MAX = 20
NAME_MAX = 255
LOOKBACK = timedelta(days=2)
LOOKBACK_MAX = timedelta(days=35)
"""A query over raw telemetry can't look back further than that is kept (40 days), and is run each tick."""
QUERY_MAX = 20_000
_STRINGS = re.compile(r"'(?:[^'\\]|\\.|'')*'|`[^`]*`|\"[^\"]*\"|--[^\n]*|#[^\n]*|/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Sliced:
    """A ``slices`` source: everything of a rule but the op and the threshold, which the objective says."""

    length: timedelta
    per: tuple[str, ...]
    numerator: tuple[Selector, ...]
    denominator: tuple[Selector, ...]
    mode: str


@dataclass(frozen=True, slots=True)
class Read:
    """What a metric source came to: selectors, or slices, or another vendor's words."""

    selectors: tuple[Selector, ...] = ()
    slices: Sliced | None = None
    queries: tuple[SqlMeasure, ...] = ()
    foreign: str = ""


Keys = Callable[[Mapping[str, Any], Findings], Selector | None]


def read_source(type_: str, spec: object, role: str, sli: str, findings: Findings) -> Read:
    """One metric source. ``role`` is good, bad or total; errors go to ``findings``, whose root is the metric source."""
    if type_ not in TYPES:
        close = get_close_matches(type_.lower(), TYPES, n=1, cutoff=0.75)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return Read(foreign=f"metric source type '{shown(type_)}'{hint} is not acted on; ours are {', '.join(TYPES)}")
    findings = findings.below("spec")
    if not isinstance(spec, dict):
        findings.error(f"the spec of a '{type_}' source is a mapping")
        return Read()
    if type_ == "sql":
        return _sql(spec, role, sli, findings)
    if type_ == "slices":
        return _slices(spec, sli, findings)
    one = {"metrics": _metric, "spans": _span, "logs": _log, "derived": _derived}[type_]
    return Read(_any(spec, one, findings))


def _any(spec: Mapping[str, Any], one: Keys, findings: Findings) -> tuple[Selector, ...]:
    """One selector, or those of a list ``any``: what one of them takes counts."""
    if "any" not in spec:
        found = one(spec, findings)
        return (found,) if found else ()
    _known_keys(spec, ("any",), findings)
    rows = spec["any"]
    if not isinstance(rows, list) or not rows or len(rows) > ANY_MAX or not all(isinstance(r, dict) for r in rows):
        findings.error(f"'any' is a list of 1 to {ANY_MAX} mappings", "any")
        return ()
    selectors = [one(row, findings.below("any", i)) for i, row in enumerate(rows)]
    return tuple(s for s in selectors if s)


def _known_keys(spec: Mapping[str, Any], known: tuple[str, ...], findings: Findings) -> None:
    for key in spec:
        if key not in known:
            findings.error(f"unknown key '{shown(key)}'{near(str(key), known)}", key)


def _name(spec: Mapping[str, Any], key: str, findings: Findings) -> str | None:
    name = spec.get(key)
    if not isinstance(name, str) or not name.strip():
        findings.error(f"'{key}' is missing: the name of what is counted", key)
        return None
    if len(name) > NAME_MAX or not name.isprintable():
        findings.error(f"{key} '{shown(name)}' is not a name: up to {NAME_MAX} printable characters", key)
        return None
    return name


def _where(spec: Mapping[str, Any], findings: Findings, value: bool) -> tuple[Matcher, ...] | None:
    try:
        found = read_matchers(spec.get("where"))
    except ValueError as error:
        findings.refuse(error, "where")
        return None
    if not value and any(m.name == VALUE for m in found):
        findings.error("'value' can be compared for histograms, gauges and spans only; these are counts", "where")
        return None
    if sum(m.name == VALUE for m in found) > 1:
        findings.error("'value' is compared twice: one cut per selector", "where")
        return None
    return found


def _metric(spec: Mapping[str, Any], findings: Findings) -> Selector | None:
    _known_keys(spec, ("metric", "kind", "where"), findings)
    kind = spec.get("kind", "sum")
    if not isinstance(kind, str) or kind not in KINDS:
        findings.error(f"kind '{shown(kind)}' of a metric; known: {', '.join(KINDS)}", "kind")
        kind = None
    name, where = _name(spec, "metric", findings), _where(spec, findings, kind != "sum")
    if name in DERIVED:
        findings.error(f"'{name}' is a measure of sloengine's own: use type: derived", "metric")
    return None if name is None or where is None or kind is None else Selector(KINDS[kind], name, where)


def _span(spec: Mapping[str, Any], findings: Findings) -> Selector | None:
    _known_keys(spec, ("span", "where", "request"), findings)
    name, where, request = _name(spec, "span", findings), _where(spec, findings, True), spec.get("request", "")
    if not isinstance(request, str) or (request and not is_name(request)):
        findings.error(f"request '{shown(request)}' is not an attribute name", "request")
        return None
    return None if name is None or where is None else Selector(Source.SPAN, name, where, request)


def _log(spec: Mapping[str, Any], findings: Findings) -> Selector | None:
    _known_keys(spec, ("event", "where"), findings)
    name, where = _name(spec, "event", findings), _where(spec, findings, False)
    return None if name is None or where is None else Selector(Source.LOG, name, where)


def _derived(spec: Mapping[str, Any], findings: Findings) -> Selector | None:
    _known_keys(spec, ("measure", "where"), findings)
    name = _name(spec, "measure", findings)
    if name is not None and name not in DERIVED:
        findings.error(f"unknown derived measure '{shown(name)}'{near(name, DERIVED)}", "measure")
    where = _where(spec, findings, name is None or VALUE in DERIVED.get(name, (VALUE,)))
    return None if name is None or where is None else Selector(Source.DERIVED, name, where)


# --- SQL


def _sql(spec: Mapping[str, Any], role: str, sli: str, findings: Findings) -> Read:
    before = findings.errors
    _known_keys(spec, ("query", "lookback", "where"), findings)
    query, where = spec.get("query"), _where(spec, findings, False)
    if not isinstance(query, str):
        findings.error("'query' is missing: one SELECT with the columns minute and events", "query")
    for said in doubts(query) if isinstance(query, str) else ():
        findings.error(said, "query")
    lookback = _length(spec.get("lookback", "2d"), "lookback", LOOKBACK_MAX, findings)
    if where is None or lookback is None or not isinstance(query, str) or findings.errors > before:
        return Read()
    measure = SqlMeasure(f"sql:{sli}:{role}", query.strip(), lookback, findings.place)
    return Read((Selector(Source.DERIVED, measure.name, where),), queries=(measure,))


def doubts(query: str) -> list[str]:
    """What makes a text unlikely to be one SELECT with the columns that are needed; the store's reader role is the real guard."""
    bare = _STRINGS.sub(" ", query)
    words = re.findall(r"[A-Za-z_]\w*", bare)
    found = []
    if len(query) > QUERY_MAX or "\0" in query:
        return [f"a query has at most {QUERY_MAX} characters, none of them null"]
    if not words or words[0].upper() not in ("SELECT", "WITH") or "SELECT" not in [w.upper() for w in words]:
        found.append("a query is one SELECT, perhaps after WITH")
    if ";" in bare.strip().removesuffix(";"):
        found.append("a query is one statement, without ';'")
    if re.search(r"\bINTO\s+OUTFILE\b|\bFORMAT\s+\w+\s*;?\s*$", bare, re.IGNORECASE):
        found.append("a query says neither INTO OUTFILE nor FORMAT")
    named = {w.lower() for w in re.findall(r"[A-Za-z_]\w*", query)}
    missing = [column for column in ("minute", "events") if column not in named]
    if missing:
        found.append(f"a query needs the columns minute and events; missing: {' and '.join(missing)}")
    return found


def _length(text: object, key: str, most: timedelta, findings: Findings) -> timedelta | None:
    try:
        length = span(str(text))
    except ValueError as error:
        findings.error(str(error), key)
        return None
    if length.total_seconds() % 60 or length > most:
        findings.error(f"{key} '{shown(text)}' must be whole minutes, at most {most.days}d", key)
        return None
    return length


# --- slices of time


def _slices(spec: Mapping[str, Any], sli: str, findings: Findings) -> Read:
    before = findings.errors
    _known_keys(spec, ("length", "per", "of", "over", "mode"), findings)
    length = _length(spec.get("length", "1h"), "length", timedelta(days=7), findings)
    per, mode = spec.get("per", []), spec.get("mode", "verdict")
    if not isinstance(per, list) or not all(isinstance(p, str) and is_name(p) for p in per) or len(set(per)) < len(per):
        findings.error(f"'per' is a list of different dimensions ({', '.join(DIMENSIONS)}) or attributes", "per")
    if mode not in ("verdict", "ratio") or (mode == "ratio" and "over" not in spec):
        findings.error("'mode' is verdict or ratio; a ratio needs 'over'", "mode")
    if "of" not in spec:
        findings.error("'of' is missing: the metric source that is summed", "of")
    top = _parts(spec["of"], "good", sli, findings.below("of")) if "of" in spec else Read()
    bottom = _parts(spec["over"], "total", sli, findings.below("over")) if "over" in spec else Read()
    if findings.errors > before or length is None:
        return Read(foreign=top.foreign or bottom.foreign)
    sliced = Sliced(length, tuple(per), top.selectors, bottom.selectors, str(mode))
    return Read((), sliced, top.queries + bottom.queries, top.foreign or bottom.foreign)


def _parts(sources: object, role: str, sli: str, findings: Findings) -> Read:
    """One metric source, or a list of them, whose sums are added."""
    if not isinstance(sources, list):
        return _part(sources, role, sli, findings)
    if not 1 <= len(sources) <= ANY_MAX:
        findings.error(f"a list of 1 to {ANY_MAX} metric sources")
    found = [_part(source, role, sli, findings.below(i)) for i, source in enumerate(sources[:ANY_MAX])]
    return Read(
        tuple(s for part in found for s in part.selectors),
        queries=tuple(q for part in found for q in part.queries),
        foreign=next((part.foreign for part in found if part.foreign), ""),
    )


def _part(source: object, role: str, sli: str, findings: Findings) -> Read:
    if not isinstance(source, dict) or not isinstance(source.get("type"), str) or source["type"] == "slices":
        findings.error("a metric source with type (not slices) and spec")
        return Read()
    _known_keys(source, ("type", "spec", "role"), findings)
    role = source.get("role", role)
    if role not in ROLES:
        findings.error(f"'role' is one of {', '.join(ROLES)}: it is part of an SQL measure's name", "role")
        role = ROLES[0]
    return read_source(source["type"], source.get("spec", {}), role, sli, findings)
