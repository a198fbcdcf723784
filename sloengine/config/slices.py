"""SLIs from a shape and an objective: occurrences, or verdicts per slice of time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from sloengine.config.documents import Objective
from sloengine.config.findings import Findings
from sloengine.config.indicators import Shape
from sloengine.config.matchers import VALUE, number_text
from sloengine.config.sources import Sliced
from sloengine.config.windows import span
from sloengine.model import Matcher, Selector, Sli, SliceRule, Source
from sloengine.times import format_duration

VERDICTS = "slice:"
"""Derived measures of verdicts: ``slice:<slo name>``, with ``verdict`` good or bad."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What an objective and its document ask of a shape."""

    name: str
    method: str
    objective: Objective
    op: str | None
    value: float | None
    per: tuple[str, ...]
    """Dimensions that verdicts must carry: those of ``by``, and those that weighting or a quantifier needs."""
    where: tuple[Matcher, ...]
    window: timedelta | None


def build_sli(shape: Shape, ask: Ask, findings: Findings) -> Sli | None:
    """The SLI of one objective; errors go to ``findings``, which stands at the objective."""
    if shape.threshold and not _has_threshold(ask, findings):
        if ask.method != "Occurrences" and shape.slices is None:
            _slice_length(ask, findings)
            _slice_target(shape, ask, findings)
        return None
    if shape.slices is not None:
        return _of_slices_source(shape.slices, ask, findings)
    sli = _occurrences(shape, ask)
    if ask.method == "Occurrences":
        _unused(ask.objective, findings, shape.threshold)
        return sli
    return _timeslices(sli, shape, ask, findings)


def _has_threshold(ask: Ask, findings: Findings) -> bool:
    if ask.op is None or ask.value is None:
        findings.error("a thresholdMetric needs op and value: what is good")
        return False
    try:
        number_text(ask.value)
    except ValueError as error:
        findings.error(str(error), "value")
        return False
    return True


def _unused(objective: Objective, findings: Findings, threshold: bool) -> None:
    """Keys that say nothing here are named, not dropped."""
    for key, given in (
        ("timeSliceTarget", objective.slice_target is not None),
        ("timeSliceWindow", objective.slice_window is not None),
        ("op", objective.op is not None and not threshold),
        ("value", objective.value is not None and not threshold),
    ):
        if given:
            said = "it belongs to a thresholdMetric" if key in ("op", "value") else "it belongs to Timeslices"
            findings.warn(f"{key} is not acted on: {said}", key)


def _occurrences(shape: Shape, ask: Ask) -> Sli:
    if not shape.values:
        return Sli(shape.good, shape.bad, shape.total)
    # Bands hold their upper edge, so x < v and x <= v are one cut, as are x >= v and x > v; docs/slo.md says so.
    op = "<=" if ask.op in ("lte", "lt") else ">"
    cut = Matcher(VALUE, op, number_text(ask.value))
    good = tuple(replace(s, where=(*s.where, cut)) for s in shape.values)
    return Sli(good=good, total=shape.values)


def _verdicts(ask: Ask, rule: SliceRule) -> Sli:
    def one(*where: Matcher) -> tuple[Selector, ...]:
        return (Selector(Source.DERIVED, VERDICTS + ask.name, where),)

    return Sli(one(Matcher("verdict", "=", "good")), one(Matcher("verdict", "=", "bad")), one(), rule)


def _narrowed(selectors: Iterable[Selector], ask: Ask) -> tuple[Selector, ...]:
    """With the SLO's own where: verdicts no longer carry what it asks for, so it has to hold where they are made."""
    return tuple(
        replace(s, where=(*s.where, *(m for m in ask.where if m not in s.where))) for s in selectors
    )  # fmt: skip


def _per(first: Iterable[str], ask: Ask) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *ask.per)))


def _of_slices_source(found: Sliced, ask: Ask, findings: Findings) -> Sli | None:
    if ask.method != "Occurrences":
        findings.error(f"budgetingMethod {ask.method}: a 'slices' source makes time slices already, use Occurrences")
        return None
    _unused(ask.objective, findings, True)
    rule = SliceRule(
        found.length,
        _per(found.per, ask),
        _narrowed(found.numerator, ask),
        _narrowed(found.denominator, ask),
        ask.op or "",
        float(ask.value or 0),
        found.mode,
    )
    return _verdicts(ask, rule) if _fits(found.length, ask, findings, "op") else None


def _timeslices(sli: Sli, shape: Shape, ask: Ask, findings: Findings) -> Sli | None:
    length = _slice_length(ask, findings)
    share = _slice_target(shape, ask, findings)
    if length is None or share is None:
        return None
    strict = not shape.threshold and ask.objective.op == "gt" and ask.method == "Timeslices"
    mode = "verdict" if ask.method == "Timeslices" else "ratio"
    if sli.good:
        top, op, threshold = sli.good, "gt" if strict else "gte", share
        bottom = sli.total or sli.good + sli.bad
    else:
        top, op = sli.bad, "lt" if strict else "lte"
        threshold, bottom = float(1 - Decimal(repr(share))), sli.total
    rule = SliceRule(length, _per((), ask), _narrowed(top, ask), _narrowed(bottom, ask), op, threshold, mode)
    return _verdicts(ask, rule)


def _slice_length(ask: Ask, findings: Findings) -> timedelta | None:
    if ask.objective.slice_window is None:
        findings.error(f"budgetingMethod {ask.method} needs timeSliceWindow, such as 5m")
        return None
    try:
        length = span(ask.objective.slice_window)
    except ValueError as error:
        findings.error(str(error), "timeSliceWindow")
        return None
    return length if _fits(length, ask, findings, "timeSliceWindow") else None


def _fits(length: timedelta, ask: Ask, findings: Findings, key: str) -> bool:
    if length.total_seconds() % 60 or length > timedelta(days=7):
        findings.error(f"a slice of '{format_duration(length)}' must be whole minutes, at most 7d", key)
        return False
    if ask.window is not None and length * 2 > ask.window:
        findings.error("a slice must be at most half of the SLO's window", key)
        return False
    return True


def _slice_target(shape: Shape, ask: Ask, findings: Findings) -> float | None:
    share, op = ask.objective.slice_target, ask.objective.op
    if not shape.threshold and ask.objective.value is not None:
        findings.warn("value is not acted on: it belongs to a thresholdMetric", "value")
    if ask.method == "RatioTimeslices":
        if share is not None:
            findings.warn(
                "timeSliceTarget is not acted on: RatioTimeslices count each slice by its ratio", "timeSliceTarget"
            )
        if op is not None and not shape.threshold:
            findings.warn("op is not acted on: RatioTimeslices compare nothing", "op")
        return 0.0
    if share is None or not 0 < share <= 1:
        said = "needs timeSliceTarget: the ratio above 0, at most 1, at which a slice is good"
        findings.error(f"budgetingMethod Timeslices {said}", *(("timeSliceTarget",) if share is not None else ()))
        return None
    if not shape.threshold and op in ("lte", "lt"):
        findings.error(f"op {op}: a slice is good when its ratio is high enough; use gte, gt or nothing", "op")
        return None
    return share
