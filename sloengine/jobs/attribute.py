"""Attribute: what spent an SLO's budget, worked out when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np

from sloengine.evaluate.attribution import Attribution, attribute
from sloengine.evaluate.cube import Cube, build, without
from sloengine.evaluate.evidence import EVIDENCE, HISTORY_H
from sloengine.evaluate.exclusions import concern, occurrences
from sloengine.evaluate.measure import window_of
from sloengine.evaluate.periods import bounds
from sloengine.jobs.deps import Deps
from sloengine.model import Exclusion, Group, Slo
from sloengine.rollup.plan import HOUR, floor_hour
from sloengine.times import utc


def spent(engine: Deps, slo: Slo, now: datetime) -> Mapping[Group, Attribution]:
    """Each slice's bad events of the SLO's window by cause, from one query; nothing for a composite, whose parts have their own.

    Whole hours: the one in which the window begins counts from its beginning, hours that an exclusion touches don't count.

    Raises:
        StoreUnavailable: no answer.
        StoreError: ClickHouse's own error.
    """
    if slo.components:
        return {}
    since = floor_hour(bounds(window_of(slo), now)[0])
    cube = _read(engine, slo, since - timedelta(hours=HISTORY_H), floor_hour(now))
    return attribute(slo, _counted(cube, engine.catalogue.exclusions), since)


def _read(engine: Deps, slo: Slo, lo: datetime, end: datetime) -> Cube:
    own = slo.sli.good + slo.sli.bad + slo.sli.total
    named = {m.name for s in own for m in (*s.where, *slo.where)} | set(slo.by)
    rows = engine.store.rows(
        "spent_hours",
        measures=sorted({s.measure for s in own} | set(EVIDENCE)),
        of=slo.service,
        by_device="device" in named,
        lo=lo,
        end=end,
    )
    hours = [lo + n * HOUR for n in range((end - lo) // HOUR + 1)]
    return build(rows, hours, end + HOUR, utc)


def _counted(cube: Cube, exclusions: Iterable[Exclusion]) -> Cube:
    """The cube without hours that an exclusion touches: what was announced is nobody's fault."""
    out: dict[int, np.ndarray[tuple[int, ...], np.dtype[np.float64]]] = {}
    for exclusion in exclusions:
        spans = occurrences(exclusion, cube.cuts[0], cube.end)
        touched = np.array([any(a < hour + HOUR and hour < b for a, b in spans) for hour in cube.cuts], dtype=float)
        concerned = concern(exclusion)
        for place, key in enumerate(cube.keys):
            if spans and concerned(key):
                out[place] = np.maximum(out.get(place, 0.0), touched)
    return without(cube, out)
