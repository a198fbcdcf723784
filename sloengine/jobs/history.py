"""History: when the catalogue asks for something new, what was folded before is folded again, newest first, a little each tick.

Verdicts don't wait for it: what was asked for before stands in the old buckets, and what is new has a past that grows. Only
sources whose folds have changed are read again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sloengine.errors import StoreError, StoreUnavailable
from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import SOURCE_OF, Run, Sources, Work
from sloengine.jobs.marks import drop_marks, move_marks, read_marks
from sloengine.jobs.recount import CLOCK_AHEAD, plan_work, recompute
from sloengine.model import Source
from sloengine.rollup.folds import fingerprint
from sloengine.rollup.plan import MAX_HOLE, MINUTE, hours_of

log = logging.getLogger("sloengine.jobs")

EPOCH = datetime(1970, 1, 2, tzinfo=UTC)
FOLDED = tuple(dict.fromkeys(SOURCE_OF.values()))
INGEST, OWED, LEFT = "ingest", "owed", "left"
"""Marks of a source under its folds: what came in up to here is folded; what came in since then is owed; of that, the minutes
before this are left. A debt that is paid has nothing left."""


@dataclass(slots=True)
class Debt:
    """What is left of one source's history; the newest is last and is taken first."""

    plan: list[Work]
    whole: int
    """How many batches it was."""
    taken: int = 0
    """Folded in this tick. Nothing is paid before the hours and days over it are folded too: a tick may fail in between."""
    problem: str = ""
    """Why the next one could not be folded."""


def marks_of_sources(sources: Sources) -> dict[Source, str]:
    """The name of each source's mark; it changes when anything of that source is folded differently."""
    return {source: f"{source}:{fingerprint(sources.of(source))}" for source in FOLDED}


def ingested(engine: Deps, sources: Sources) -> datetime:
    """Since when what came in is to be folded; ``EPOCH`` for an engine that has folded nothing yet.

    A source whose folds have changed goes on from where the old ones were, and owes the time before that.
    """
    marks, found = read_marks(engine, INGEST), [EPOCH]
    for source, name in marks_of_sources(sources).items():
        newest = max((at for mark, at in marks.items() if mark.startswith(f"{INGEST}:{source}:")), default=EPOCH)
        own = marks.get(f"{INGEST}:{name}", EPOCH)
        if own < newest:
            _owe(engine, name, own, newest)
        found.append(newest)
    return min(found[1:])


def _owe(engine: Deps, name: str, since: datetime, until: datetime) -> None:
    left = read_marks(engine, LEFT).get(f"{LEFT}:{name}", EPOCH)
    earlier = read_marks(engine, OWED).get(f"{OWED}:{name}", since) if left > EPOCH else since
    log.warning("what is folded of %s has changed: its history is counted anew, newest first", name.partition(":")[0])
    moved = {OWED: min(since, earlier), LEFT: until + CLOCK_AHEAD, INGEST: until}
    move_marks(engine, {f"{mark}:{name}": at for mark, at in moved.items()})
    # What was folded under other names is folded over: a catalogue that comes back owes all of it.
    source = name.partition(":")[0]
    others = [
        mark
        for job in (INGEST, OWED, LEFT)
        for mark in read_marks(engine, job)
        if mark.startswith(f"{job}:{source}:") and mark != f"{job}:{name}"
    ]
    drop_marks(engine, others)
    engine.history.pop(name, None)


def ingest_marks(sources: Sources) -> list[str]:
    """The marks that say until when what came in is folded."""
    return [f"{INGEST}:{name}" for name in marks_of_sources(sources).values()]


def work_off(engine: Deps, sources: Sources, now: datetime, run: Run) -> set[datetime]:
    """Fold some of what is owed, for about ``history_s``, at least one batch of each source; the hours that it touched.

    All of what alerts look at is folded before they look again: half of it would burn for what is only not counted yet.
    """
    left = {mark.partition(":")[2]: at for mark, at in read_marks(engine, LEFT).items() if at > EPOCH}
    engine.history = {name: debt for name, debt in engine.history.items() if name in left}
    urgent = now - max((pair.long for slo in engine.catalogue.slos for pair in slo.policy.windows), default=timedelta())
    hours: set[datetime] = set()
    for source, name in marks_of_sources(sources).items():
        if name in left:
            mine = Sources(sources.of(source))
            if name not in engine.history:
                engine.history[name] = _debt(engine, mine, name, left[name], now)
            hours |= _pay(engine, mine, engine.history[name], urgent, run)
    return hours


def _debt(engine: Deps, sources: Sources, name: str, before: datetime, now: datetime) -> Debt:
    since = read_marks(engine, OWED)[f"{OWED}:{name}"]
    plan = [work for work in plan_work(engine, sources, since, now) if work[1].lo < before]
    plan.sort(key=lambda work: work[1].lo)
    return Debt(plan, len(plan))


def _pay(engine: Deps, sources: Sources, debt: Debt, urgent: datetime, run: Run) -> set[datetime]:
    began, debt.taken, debt.problem = engine.clock(), 0, ""
    limit = timedelta(seconds=engine.settings.engine.history_s)
    while debt.taken < len(debt.plan):
        work = debt.plan[-1 - debt.taken]
        if debt.taken and work[1].hi <= urgent and engine.clock() - began >= limit:
            break
        try:
            recompute(engine, sources, work, run)
        except StoreUnavailable:
            raise
        except StoreError as error:
            # The past must not stop the present.
            log.error("history of %s could not be counted anew: %s", work[0], error)
            debt.problem = str(error)
            break
        debt.taken += 1
    return hours_of(batch for _, batch in debt.plan[len(debt.plan) - debt.taken :])


def note_paid(engine: Deps) -> None:
    """What was folded in this tick is owed no longer."""
    moved: dict[str, datetime] = {}
    for name, debt in list(engine.history.items()):
        taken, debt.taken = debt.taken, 0
        if taken:
            del debt.plan[-taken:]
            # Everything that begins later than the next batch, whose pieces begin within a hole of each other, is paid.
            moved[f"{LEFT}:{name}"] = debt.plan[-1][1].lo + MAX_HOLE + MINUTE if debt.plan else EPOCH
        if not debt.plan:
            moved[f"{LEFT}:{name}"] = EPOCH
            del engine.history[name]
    move_marks(engine, moved)


def owed_before(engine: Deps, sources: Collection[Source]) -> dict[Source, datetime]:
    """Of these sources, before when minutes are still to be counted anew for the catalogue as it is.

    From the marks, so that a command that is no engine can tell; also of a catalogue that no engine has ticked with yet.
    """
    names = marks_of_sources(Sources(engine.folds()))
    folded, left = read_marks(engine, INGEST), read_marks(engine, LEFT)
    found = {}
    for source, name in names.items():
        newest = max((at for mark, at in folded.items() if mark.startswith(f"{INGEST}:{source}:")), default=EPOCH)
        known = left.get(f"{LEFT}:{name}", EPOCH)
        before = known if f"{INGEST}:{name}" in folded else newest
        if source in sources and before > EPOCH:
            found[source] = before
    return found


def in_words(history: Mapping[str, Debt]) -> list[str]:
    """What people should know of it."""
    return [
        f"history of {name.partition(':')[0]} is counted anew for a changed catalogue:"
        f" {debt.whole - len(debt.plan)} of {debt.whole} pieces done, newest first"
        + (f"; the next one fails: {debt.problem}" if debt.problem else "")
        for name, debt in sorted(history.items())
    ]
