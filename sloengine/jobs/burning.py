"""Burning (M9): for each minute what was said of each slice of each SLO, as known then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.jobs.derive import Derived, settle
from sloengine.jobs.fold import Run
from sloengine.jobs.indicators import readers
from sloengine.jobs.marks import mark_name, move_marks, read_marks
from sloengine.jobs.parameters import few
from sloengine.model import DIMENSIONS, Slo, State
from sloengine.rollup.plan import MINUTE, floor_minute
from sloengine.times import utc

BURNING = "slo.burning"
HOLDS = timedelta(minutes=5)
"""What was said holds until something else is, but no longer than this."""
SILENCE_MAX = timedelta(days=1)
"""While the engine said nothing of anything, what it knew last is unknown; for so long."""
CHUNK = timedelta(hours=6)
WORDS = {State.BURNING: "burning", State.OK: "ok", State.EXHAUSTED: "ok"}
"""An exhausted budget that isn't being spent any more is not burning; where there was no answer it is unknown."""
Slice = tuple[str, str, tuple[tuple[str, str], ...]]
"""SLO, service and the slice's dimensions."""
Words = dict[Slice, dict[datetime, str]]


def derive_burning(engine: Deps, hours: set[datetime], now: datetime, run: Run) -> set[datetime]:
    """One event per slice and minute: ok, burning or unknown; the hours that changed.

    ``hours`` don't matter: what was said is never rewritten. SLOs that count these events are left out.
    """
    del hours
    asking = readers(engine.catalogue.slos, BURNING)
    if not asking:
        return set()
    services = sorted({slo.service for slo in asking})
    mark, end = mark_name("burning", services), floor_minute(now)
    lo = read_marks(engine, "burning").get(mark) or _begin(engine, asking, end)
    counted = {(slo.name, slo.service) for slo in _counted(engine.catalogue.slos) if slo.service in services}
    changed: set[datetime] = set()
    while lo < end:
        hi = min(lo + CHUNK, end)
        changed |= settle(engine.store, BURNING, (lo, hi), _rows(engine, (lo, hi), counted), run)
        lo = hi
        move_marks(engine, {mark: hi})
    return changed


def _counted(slos: Sequence[Slo]) -> list[Slo]:
    """SLOs that say something of their own: not those that count burning minutes, nor composites of such."""
    out = {slo.name for slo in readers(slos, BURNING)}
    for _ in slos:
        more = {slo.name for slo in slos if any(part.slo in out for part in slo.components)}
        if more <= out:
            break
        out |= more
    return [slo for slo in slos if slo.name not in out]


def _begin(engine: Deps, asking: Iterable[Slo], end: datetime) -> datetime:
    """Since anything was said, as far back as a window of an SLO that asks reaches."""
    oldest = end - max(slo.window for slo in asking)
    first = _said(engine, (oldest, end))
    return max(oldest, first[0]) if first else end


def _said(engine: Deps, span: tuple[datetime, datetime]) -> list[datetime]:
    return [utc(r["Minute"]) for r in engine.store.rows("burning_minutes", lo=span[0], hi=span[1])]


def _rows(engine: Deps, span: tuple[datetime, datetime], counted: set[tuple[str, str]]) -> list[Derived]:
    lo, hi = span
    said = _said(engine, (lo - HOLDS, hi))
    if not said or said[0] > lo:
        # A silence: how long, and what was known before it.
        said = _said(engine, (lo - SILENCE_MAX, lo - HOLDS))[-1:] + said
    begin = min([lo, *said[:1]]) - HOLDS
    words: Words = {}
    names = {"slos": few(name for name, _ in counted), "services": few(service for _, service in counted)}
    for r in engine.store.rows("burning_statuses", lo=begin, hi=hi, **names):
        if (r["Slo"], r["ServiceName"]) not in counted:
            continue
        slice_ = (r["Slo"], r["ServiceName"], tuple(sorted(r["Slice"].items())))
        words.setdefault(slice_, {})[utc(r["Minute"])] = WORDS.get(State(r["State"]), "unknown")
    minutes = [lo + i * MINUTE for i in range((hi - lo) // MINUTE)]
    return [
        Derived(minute, 1.0, _dimensions(slice_), {"slo": slice_[0], "state": state})
        for slice_, own in sorted(words.items())
        for minute, state in states_of(own, said, minutes)
    ]


def _dimensions(slice_: Slice) -> dict[str, str]:
    return {**{k: v for k, v in slice_[2] if k in DIMENSIONS}, "service": slice_[1]}


def states_of(
    own: Mapping[datetime, str], said: Sequence[datetime], minutes: Iterable[datetime]
) -> list[tuple[datetime, str]]:
    """The state of one slice in each of ``minutes``, all ascending; ``said`` are minutes in which anything was said of any SLO.

    A slice that is no longer spoken of while others are is gone, and has no state.
    """
    found: list[tuple[datetime, str]] = []
    spoken, all_ = sorted(own), list(said)
    mine: datetime | None = None
    last: datetime | None = None
    for minute in minutes:
        while spoken and spoken[0] <= minute:
            mine = spoken.pop(0)
        while all_ and all_[0] <= minute:
            last = all_.pop(0)
        if mine is None or last is None:
            continue
        if minute - mine < HOLDS:
            found.append((minute, own[mine]))
        elif minute - last >= HOLDS and last - mine < HOLDS and minute - last < SILENCE_MAX:
            found.append((minute, "unknown"))
    return found
