"""How far values are from the limit that an SLO sets them: quantiles of raw rows, as two named queries find them. Pure.

Buckets are cut at the limit and know no more, so these are no part of a verdict.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sloengine.evaluate.cube import VALUE
from sloengine.model import Group, Slo, Source

SPANS, GAUGES = "span_quantiles", "saturation_quantiles"
SINCE = {SPANS: timedelta(minutes=15), GAUGES: timedelta(hours=1)}
"""How far back a page looks: raw rows are many, and a page must not cost what a tick does."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A named query, and what of an SLO it is about."""

    query: str
    name: str
    """Of the spans, or of the gauge."""
    limit: str
    """As the SLO says it, in seconds or in the gauge's own unit."""

    @property
    def parameters(self) -> tuple[tuple[str, str], ...]:
        """Those that the query must be given."""
        return (("span", self.name),) if self.query == SPANS else (("metric", self.name), ("limit", self.limit))


@dataclass(frozen=True, slots=True)
class Quantile:
    share: float
    value: float
    low: float | None
    """Ends of its 95 % interval; None: so few spans don't bound it on that side, or no interval is known."""
    high: float | None


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of the spans of one model version, or of one node's gauge."""

    asked: Asked
    who: Group
    points: tuple[Quantile, ...]
    sampled: bool = False
    """Some spans stand for others that were not kept."""
    effective: float | None = None
    """So many equally weighted spans would know the highest of them as well."""
    unweighted: int = 0
    """Spans of unknown weight, which are in none of it."""
    above: float | None = None
    """Share of the time above the limit."""

    def within(self, service: str, group: Group) -> bool:
        """Whether it is of a slice, as far as it is told apart."""
        own = dict(self.who)
        return own.get("service", service) == service and all(own.get(k, v) == v for k, v in group)


def asked_of(slo: Slo) -> tuple[Asked, ...]:
    """What can be asked of the values that an SLO holds to a limit, each question once."""
    query = {Source.SPAN: SPANS, Source.GAUGE: GAUGES}
    found: dict[object, Asked] = {}
    for selector in slo.sli.selectors:
        for matcher in selector.where if selector.source in query else ():
            if matcher.name == VALUE:
                asked = Asked(query[selector.source], selector.name, matcher.value)
                found.setdefault((asked.query, asked.parameters), asked)
    return tuple(found.values())


def quantiles_of(asked: Asked, rows: Iterable[Mapping[str, Any]]) -> list[Quantiles]:
    """From the rows of the named query."""
    listed = list(rows)
    if asked.query == GAUGES:
        return [_of_gauge(asked, row) for row in listed]
    by_who: dict[Group, list[Mapping[str, Any]]] = {}
    for row in listed:
        by_who.setdefault(_who(row, ("service", "model", "version")), []).append(row)
    return [_of_spans(asked, who, mine) for who, mine in by_who.items()]


def _who(row: Mapping[str, Any], names: Sequence[str]) -> Group:
    return tuple((name, str(row[name])) for name in names)


def _of_spans(asked: Asked, who: Group, rows: Sequence[Mapping[str, Any]]) -> Quantiles:
    points = tuple(Quantile(r["quantile"], r["seconds"], r["low"], r["high"]) for r in rows)
    last = rows[-1]
    return Quantiles(asked, who, points, last["heaviest"] > 1, last["effective"], unweighted=last["of_unknown_weight"])


def _of_gauge(asked: Asked, row: Mapping[str, Any]) -> Quantiles:
    points = tuple(
        Quantile(share, row[name], None, None) for share, name in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )
    return Quantiles(asked, _who(row, ("service", "region", "gateway", "device")), points, above=row["share_above"])
