"""Cut: an SLO judged by other slices than its own, rolled up or drilled down. Windows are sums, so any cut is judged alike."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sloengine.jobs.deps import Deps
from sloengine.jobs.tick import status_row
from sloengine.model import Slo, State, Status
from sloengine.tools.moment import as_of, judged, view_at
from sloengine.tools.outcome import FOUND, OK, Outcome, Refused, find_slo, moment_of, refusal
from sloengine.tools.segments import told_apart
from sloengine.tools.status import status_table


def run_cut(engine: Deps, name: str, now: datetime, *, by: str, at: str | None = None) -> Outcome:
    """Status of each slice by the names in ``by`` (``region,model``; empty: all in one); exit 1 if one is burning or exhausted.

    Nothing is written and nobody is alerted: alerts go by the SLO's own slices.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        moment = (moment_of(at, now) if at else now).replace(microsecond=0)
        slo = as_of(find_slo(engine.catalogue.slos, name), moment)
        statuses = _cut(engine, slo, tuple(part.strip() for part in by.split(",") if part.strip()), moment)
    except Refused as error:
        return refusal(error)
    rows = [status_row(status) for status in statuses]
    own = ", ".join(slo.by) or "nothing: it is one slice"
    text = f"{status_table(rows)}\nas counted by now; alerts go by the SLO's own slices, by {own}"
    over = any(status.state in (State.BURNING, State.EXHAUSTED) for status in statuses)
    return Outcome(text, {"slos": rows, "own": list(slo.by)}, FOUND if over else OK)


def _cut(engine: Deps, slo: Slo, by: tuple[str, ...], moment: datetime) -> list[Status]:
    if slo.components:
        raise Refused(f"{slo.name} is composed of other SLOs and counts nothing itself: ask one of its parts")
    cut = replace(slo, by=by)
    view = view_at(engine, [cut], moment)
    for name in by:
        told_apart(slo, view.cube, name)
    statuses = judged(view, cut)[1]
    if not statuses:
        raise Refused(f"nothing that {slo.name} counts was received in its window")
    return statuses
