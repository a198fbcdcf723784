"""Excluded: since when buckets carry the marks of exclusions, and what has to be folded again because they don't."""

from __future__ import annotations

from datetime import datetime, timedelta

from sloengine.jobs.deps import Deps
from sloengine.jobs.marks import drop_marks, move_marks, read_marks
from sloengine.marked import PREFIX, mark_of

JOB = PREFIX.removesuffix(":")
CLOCKS = timedelta(hours=1)
"""Devices whose clocks are ahead send events before they happen."""


def starts_of(engine: Deps) -> dict[str, datetime]:
    """Of each mark, from when on an exclusion needs it."""
    found: dict[str, datetime] = {}
    for exclusion in engine.catalogue.exclusions:
        mark = mark_of(exclusion)
        if mark:
            found[mark.name] = min(exclusion.start, found.get(mark.name, exclusion.start))
    return found


def unmarked_since(engine: Deps, now: datetime) -> datetime | None:
    """From when on buckets lack a mark that excluded time asks for; None: none do.

    Only excluded time is folded again: announcing maintenance of one node must not cost a recount of the whole past.
    """
    carried = read_marks(engine, JOB)
    lacking = [start for name, start in starts_of(engine).items() if start < carried.get(name, now)]
    return min(lacking) - CLOCKS if lacking else None


def note_marked(engine: Deps, now: datetime) -> None:
    """What was folded by now carries every mark, from its exclusion's start on."""
    carried, wanted = read_marks(engine, JOB), starts_of(engine)
    gone = sorted(carried.keys() - wanted.keys())
    if gone:
        # An exclusion that comes back finds a gap: it has to ask again.
        drop_marks(engine, gone)
    since = {name: min(start, carried.get(name, now)) for name, start in wanted.items()}
    move_marks(engine, {name: at for name, at in since.items() if carried.get(name) != at})
