"""What the raw tables are folded by: for each measure the attributes, cuts and details that any SLO or monitor asks for. Pure.

A raw table is read once for all SLIs over it; the SLIs are then applied to the few groups that are left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

from sloengine.marked import Mark, marks_of
from sloengine.model import DETAIL, DIMENSIONS, Exclusion, Selector, Slo, Source, Weighting
from sloengine.monitor import DriftMonitor, Values

VALUE = "value"
"""Name of the matcher on a measure's number; everything else is a dimension or an attribute."""


FRESHNESS = "nodes.heard"
ESTIMATED = "traces.span.metrics."
"""Beginning of what gateways count from spans, which may be sampled."""
WEIGHED_BY = ("edge.sampling.threshold", "sampling.method")
"""What such a count says of the weights behind it."""


@dataclass(frozen=True, slots=True)
class Fold:
    """How one measure is folded from raw rows."""

    source: Source
    measure: str
    name: str
    """Metric, span or event name in the raw table."""
    asked: tuple[str, ...] = ()
    """Attributes, sorted, that become part of the key."""
    detail: tuple[str, ...] = ()
    """Those of the detailed dimensions that are kept."""
    cuts: tuple[float, ...] = ()
    """Where values are cut into bands, ascending; empty: they aren't."""
    request: str = ""
    marks: tuple[Mark, ...] = field(default=(), repr=False)
    """Of exclusions; no part of what makes the past be folded again, because they only ask for excluded time."""

    def __or__(self, other: Fold) -> Fold:
        return Fold(
            self.source,
            self.measure,
            self.name,
            tuple(sorted({*self.asked, *other.asked})),
            tuple(name for name in DETAIL if name in self.detail or name in other.detail),
            tuple(sorted({*self.cuts, *other.cuts})),
            self.request,
            self.marks,
        )


BASE = (
    Fold(Source.SUM, "edge.inference.requests", "edge.inference.requests", ("edge.inference.outcome",)),
    Fold(Source.HISTOGRAM, "edge.inference.duration", "edge.inference.duration"),
    Fold(Source.HISTOGRAM, "edge.inference.score", "edge.inference.score"),
)
"""Folded whether or not an SLO asks: dashboards, coverage and drift read them."""


def folds_of(
    slos: Iterable[Slo], exclusions: Iterable[Exclusion] = (), monitors: Iterable[DriftMonitor] = ()
) -> tuple[Fold, ...]:
    """One fold per measure: the union of what SLOs and monitors ask of it, in a stable order; with the marks of exclusions."""
    found = {(fold.source, fold.measure): fold for fold in BASE}
    asked = (_fold(slo, selector) for slo in slos for selector in slo.sli.selectors)
    for fold in chain(asked, map(_watching, monitors)):
        key = (fold.source, fold.measure)
        found[key] = found[key] | fold if key in found else fold
    marks = marks_of(exclusions)
    return tuple(replace(fold, marks=_marks(fold, marks)) for _, fold in sorted(found.items()))


def _marks(fold: Fold, marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    """What a measure of a job of ours is made of is no raw row; of nodes heard, what can be told of a node."""
    if fold.measure == FRESHNESS:
        return tuple(mark for mark in marks if mark.of_nodes)
    return () if fold.source is Source.DERIVED else marks


def _fold(slo: Slo, selector: Selector) -> Fold:
    matchers = (*selector.where, *slo.where)
    rule = slo.sli.slices
    names = {m.name for m in matchers} | set(slo.by) | (set(rule.per) if rule else set())
    if slo.weighting is Weighting.NODES or slo.quantifier:
        names.add("device")
    return Fold(
        selector.source,
        selector.measure,
        selector.name,
        _asked(names - {VALUE}, selector.name),
        tuple(name for name in DETAIL if name in names),
        tuple(sorted({float(m.value) for m in matchers if m.name == VALUE})),
        selector.request,
    )


def _watching(monitor: DriftMonitor) -> Fold:
    """Segments, and the class if that is what is counted, beside the dimensions; devices where each is looked at."""
    classes = monitor.values is Values.CLASSES
    names = {*monitor.segments, monitor.class_attribute} if classes else set(monitor.segments)
    return Fold(
        Source.SUM if classes else Source.HISTOGRAM,
        monitor.metric,
        monitor.metric,
        _asked(names, monitor.metric),
        ("device",) if "device" in monitor.levels else (),
    )


def _asked(names: set[str], metric: str) -> tuple[str, ...]:
    """Attributes among what something is told apart by, and what an estimate says of its weights."""
    weights = WEIGHED_BY if metric.startswith(ESTIMATED) else ()
    return tuple(sorted((names | set(weights)) - set(DIMENSIONS)))


def watched(monitors: Iterable[DriftMonitor]) -> tuple[str, ...]:
    """Measures of whose histograms hours are kept."""
    return tuple(sorted({monitor.metric for monitor in monitors if monitor.values is Values.HISTOGRAM}))


def fingerprint(folds: Sequence[Fold]) -> str:
    """Changes when anything is folded differently: what was folded before then has to be folded again."""
    return hashlib.sha256(repr(folds).encode()).hexdigest()[:12]
