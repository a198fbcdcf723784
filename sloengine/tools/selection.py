"""Which bucket rows an SLO counts, as SQL and in words. Written apart from ``evaluate/cube.py`` so that each checks the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sloengine.evaluate.cube import VALUE
from sloengine.evaluate.periods import Interval
from sloengine.jobs.derive import COLUMNS
from sloengine.marked import OF_NODES, UNSETTLED, mark_of
from sloengine.model import DIMENSIONS, Exclusion, Group, Matcher, Selector, Slo
from sloengine.tools.paste import literal, quoted

_COLUMN = dict(zip(DIMENSIONS, COLUMNS, strict=True))
MOMENT = "DateTime('UTC')"


def value_of(name: str) -> str:
    """A dimension's column, or an attribute of the JSON."""
    return _COLUMN[name] if name in _COLUMN else f"JSONExtractString(Attributes, {quoted(name)})"


def condition(matcher: Matcher) -> str:
    """NULL where a band of values lies on both sides of the cut."""
    if matcher.name == VALUE:
        return _about_value(matcher)
    value, text = value_of(matcher.name), matcher.value
    if matcher.op in ("=", "!="):
        return f"{value} {matcher.op} {quoted(text)}"
    whole = f"match({value}, {quoted(f'^(?s:{text})$')})"
    return whole if matcher.op == "=~" else f"NOT {whole}"


def _about_value(matcher: Matcher) -> str:
    cut = repr(float(matcher.value))
    le, gt = "JSONExtractString(Attributes, 'le')", "JSONExtractString(Attributes, 'gt')"
    upto = f"if({le} = '', inf, toFloat64({le})) <= {cut}"
    over = f"if({gt} = '', -inf, toFloat64({gt})) >= {cut}"
    yes, no = ("true", "false") if matcher.op == "<=" else ("false", "true")
    early = f"JSONExtractString(Attributes, '{UNSETTLED}')"
    early = f"if({early} = '', inf, toFloat64({early})) <= {cut}"
    return f"multiIf({early}, NULL, {upto}, {yes}, {over}, {no}, NULL)"


def taken(selectors: Sequence[Selector]) -> str:
    """Whether any selector takes a row: 1, 0, or NULL where none surely does but one may."""
    parts = [" AND ".join([f"Measure = {quoted(s.measure)}", *map(condition, s.where)]) for s in selectors]
    return f"toUInt8({' OR '.join(f'({part})' for part in parts)})" if parts else "toUInt8(0)"


def shares(slo: Slo) -> dict[str, str]:
    """Expressions for ``explain_counted.sql``: what a row counts as."""
    sli = slo.sli
    good, bad, rest = "G", "B", "T AND NOT G AND NOT B"
    if not (sli.good and sli.bad):
        good, bad = ("G", "T - G") if sli.good else ("T - B", "B")
        rest = "0"
    return {
        "good": taken(sli.good),
        "bad": taken(sli.bad),
        "total": taken(sli.total),
        "as_good": good,
        "as_bad": bad,
        "as_unknown": rest,
    }


def rows_of(slo: Slo, group: Group, excluded: Sequence[tuple[Exclusion, Sequence[Interval]]]) -> str:
    """A condition on bucket rows: those of the slice that the SLO's ``where`` lets in and no exclusion takes out."""
    parts = [f"{value_of(name)} = {quoted(value)}" for name, value in group]
    parts += [f"ifNull({condition(m)}, true)" for m in slo.where]
    parts += [_kept(exclusion, spans) for exclusion, spans in excluded if spans]
    return " AND ".join(parts) or "true"


def nodes_kept(excluded: Sequence[tuple[Exclusion, Sequence[Interval]]]) -> str:
    """A condition on coverage's rows: nodes that are not excluded whatever they run."""
    of_nodes = [(e, spans) for e, spans in excluded if spans and {m.name for m in e.where} <= OF_NODES]
    return " AND ".join(_kept(exclusion, spans) for exclusion, spans in of_nodes) or "true"


def _kept(exclusion: Exclusion, spans: Sequence[Interval]) -> str:
    listed = literal([tuple(span) for span in spans], f"Array(Tuple({MOMENT}, {MOMENT}))")
    mark = mark_of(exclusion)
    own = mark.where if mark else ()
    parts = [f"ifNull({condition(m)}, false)" for m in exclusion.where if m not in own]
    if mark:
        held = " AND ".join(f"{value_of(m.name)} != '' AND {condition(m)}" for m in own)
        parts.append(f"({value_of(mark.name)} = '1' OR {held})")
    what = " AND ".join(parts or ["true"])
    return f"NOT ({what} AND arrayExists(s -> Minute >= s.1 AND Minute < s.2, {listed}))"


def in_words(selectors: Iterable[Selector]) -> list[str]:
    return [_words(s) for s in selectors]


def _words(selector: Selector) -> str:
    once = f", attempts of one {selector.request} counted once" if selector.request else ""
    where = " and ".join(f"{m.name} {m.op} {m.value}" for m in selector.where)
    return f"{selector.source} {selector.name}{f' where {where}' if where else ''}{once}"
