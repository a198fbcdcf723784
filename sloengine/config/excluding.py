"""What an exclusion can't take anything out of, in words: measures whose rows don't hold the names that it uses. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from sloengine.config.matchers import shown
from sloengine.evaluate.cube import matches
from sloengine.marked import mark_of
from sloengine.model import Exclusion, Selector, Slo, Source, Weighting

FRESHNESS = "nodes.heard"
SHOWN = 3
MARKS_MAX = 100
"""Each mark is asked of every raw row."""


def unacted(exclusion: Exclusion, slos: Iterable[Slo]) -> str:
    """Which SLOs it leaves as they are although they may be meant; empty: none.

    Measures that are folded from raw rows are told apart by whatever exclusions name (sloengine/marked.py); what jobs of ours
    derive only by what its SLO names.
    """
    mark = mark_of(exclusion)
    if mark is None:
        return ""
    named = {matcher.name for matcher in mark.where}
    services = [matcher for matcher in exclusion.where if matcher.name == "service"]
    found = [
        (slo.name, missing)
        for slo in slos
        if not slo.components and all(matches(matcher, slo.service) for matcher in services)
        for missing in [_missing(slo, named)]
        if missing
    ]
    if not found:
        return ""
    listed = ", ".join(f"'{shown(name)}' (by {', '.join(sorted(missing))})" for name, missing in found[:SHOWN])
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return (
        f"nothing is taken out of SLO {listed}{more}: what it counts is worked out by the engine and not told apart so"
    )


def _missing(slo: Slo, named: set[str]) -> set[str]:
    """Names that some rows that it counts don't hold."""
    rule = slo.sli.slices
    own = {m.name for m in slo.where} | set(slo.by) | set(rule.per if rule else ())
    if slo.weighting is Weighting.NODES or slo.quantifier:
        own.add("device")
    # A verdict of a slice is judged without what is taken out, if what is summed into it is told apart so.
    summed = rule.numerator + rule.denominator if rule else slo.sli.good + slo.sli.bad + slo.sli.total
    counted = (s for s in summed if s.source is Source.DERIVED)
    return {name for selector in counted for name in named - own - _told(selector)}


def _told(selector: Selector) -> set[str]:
    nodes = {"device"} if selector.measure == FRESHNESS else set()
    return nodes | {matcher.name for matcher in selector.where}
