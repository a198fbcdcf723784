"""Segments: whether an SLO is kept as well for one part of what it counts as for another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sloengine.evaluate.cube import Cube
from sloengine.evaluate.fleet import SEGMENTS_MAX, Gap, NotEnoughData
from sloengine.evaluate.measure import measure
from sloengine.evaluate.segments import CONFIDENCE, Segment, Segments, segments
from sloengine.jobs.deps import Deps
from sloengine.model import DIMENSIONS, Counts, Group, Slo, Unknown, Weighting
from sloengine.tools.moment import Moment, as_of, view_at
from sloengine.tools.outcome import FOUND, OK, Outcome, Refused, find_slo, group_of, moment_of, nearest, refusal
from sloengine.tools.segments_text import render

SEGMENT = "edge.segment."


@dataclass(frozen=True, slots=True)
class Asked:
    """An SLO told apart by a segment as well, at a moment."""

    slo: Slo
    by: str
    """Name of the segment, which is the last of the SLO's ``by``."""
    view: Moment
    wanted: Group


def run_segments(
    engine: Deps,
    name: str,
    now: datetime,
    *,
    by: str | None = None,
    at: str | None = None,
    slice_: str | None = None,
    margin: float = 0.0,
) -> Outcome:
    """Segments of each slice side by side; exit 1 if somewhere the worst is surely worse than the best by more than ``margin``.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        if not 0 <= margin < 1:
            raise Refused(f"--margin is a difference of shares, at least 0 and below 1, not {margin}")
        asked = _asked(engine, name, now, by=by, at=at, slice_=slice_)
        slices = [_slice(asked, group, found) for group, found in _compared(asked).items()]
    except Refused as error:
        return refusal(error)
    found = {
        "slo": name,
        "by": asked.by,
        "at": asked.view.at,
        "target": asked.slo.target,
        "window_s": asked.slo.window.total_seconds(),
        "confidence": CONFIDENCE,
        "margin": margin,
        "slices": slices,
    }
    over = any(s["gap"] and s["gap"]["interval"][0] > margin for s in slices)
    return Outcome(render(found), found, FOUND if over else OK)


def _asked(engine: Deps, name: str, now: datetime, *, by: str | None, at: str | None, slice_: str | None) -> Asked:
    moment = (moment_of(at, now) if at else now).replace(microsecond=0)
    slo = as_of(find_slo(engine.catalogue.slos, name), moment)
    if slo.components:
        raise Refused(f"{name} is composed of other SLOs and counts nothing itself: ask one of its parts")
    view = view_at(engine, [_by_events(slo, by or "")], moment)
    chosen = _chosen(slo, view.cube, by)
    return Asked(_by_events(slo, chosen), chosen, view, group_of(slice_) if slice_ else ())


def _by_events(slo: Slo, by: str) -> Slo:
    """Told apart by the segment too. Each event counts the same, and what can't be told stays unknown: coverage must show."""
    names = (*(name for name in slo.by if name != by), *([by] if by else ()))
    return replace(slo, by=names, weighting=Weighting.EVENTS, quantifier=None, unknown=Unknown.IGNORE)


def _chosen(slo: Slo, cube: Cube, by: str | None) -> str:
    """The segment asked for, or the only one that there is.

    Raises:
        Refused: the buckets don't tell it, or it is not clear which is meant.
    """
    told = _told(slo, cube)
    if by is None:
        declared = sorted(name for name in told if name.startswith(SEGMENT))
        if len(declared) == 1:
            return declared[0]
        listed = ", ".join(declared or sorted(told)) or "nothing"
        raise Refused(f"say --by: the buckets of {slo.name} can be told apart by {listed}")
    told_apart(slo, cube, by)
    return by


def told_apart(slo: Slo, cube: Cube, by: str) -> None:
    """
    Raises:
        Refused: the SLO's buckets don't tell this dimension or attribute.
    """
    told = _told(slo, cube)
    if by not in told:
        raise Refused(
            f"the buckets of {slo.name} don't tell {by} apart: they hold what an SLO names in `by` or `where`; name it"
            f" there, and run `sloengine backfill` for what has passed{nearest(by, told)}"
        )


def _told(slo: Slo, cube: Cube) -> set[str]:
    """Dimensions and attributes of which the SLO's buckets hold more than an empty value."""
    places = cube.places((s.measure for s in slo.sli.good + slo.sli.bad + slo.sli.total), slo.service)
    keys = [cube.keys[place] for place in places]
    names = {name for key in keys for name, value in zip(DIMENSIONS, key.dimensions, strict=True) if value}
    deciding = {m.name for s in slo.sli.selectors for m in s.where}
    return (names | {name for key in keys for name in key.names}) - deciding - {"service"}


def _compared(asked: Asked) -> dict[Group, Segments]:
    view, slo = asked.view, asked.slo
    found: dict[Group, dict[str, Counts]] = {}
    for item in measure(slo, view.cube, view.whole, view.frame, view.engine.matches):
        group, name = item.group[:-1], item.group[-1][1]
        # What the cardinality budget folded together is many segments, and none to be compared.
        if set(asked.wanted) <= set(group) and not item.folded:
            found.setdefault(group, {})[name] = item.window
    if not found:
        raise Refused("no such slice, or nothing that it counts was ever received")
    if any(len(held) > SEGMENTS_MAX for held in found.values()):
        raise Refused(f"more than {SEGMENTS_MAX} segments can't be compared in pairs: choose a coarser one")
    return {group: segments(held) for group, held in sorted(found.items())}


def _slice(asked: Asked, group: Group, found: Segments) -> dict[str, Any]:
    return {
        "slice": dict(group),
        "segments": [_row(row, asked.slo.target) for row in found.rows],
        "gap": gap(found.gap),
        "coverage_gap": gap(found.coverage_gap),
        "left_out": list(found.gap.left_out),
    }


def _row(row: Segment, target: float) -> dict[str, Any]:
    return {
        "segment": row.name,
        "good": row.counts.good,
        "bad": row.counts.bad,
        "unknown": row.counts.unknown,
        "sampled": row.counts.sampled,
        "share": row.share,
        "interval": row.interval,
        "effective": row.effective,
        "coverage": row.coverage,
        "bounds": row.bounds,
        "compared": row.compared,
        "below_target": None if row.interval is None else row.interval[1] < target,
    }


def gap(found: Gap | NotEnoughData) -> dict[str, Any] | None:
    """None: fewer than two segments have enough data."""
    if isinstance(found, NotEnoughData):
        return None
    return {
        "best": found.best,
        "worst": found.worst,
        "gap": found.gap,
        "interval": [found.interval.low, found.interval.high],
        "by_chance": found.by_chance,
        "sure": found.interval.low > 0,
    }
