"""Account: what stands behind an SLO's statuses, worked out when somebody asks, and not again for each who asks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sloengine.evaluate.account import Accounts, accounts
from sloengine.jobs.attribute import spent
from sloengine.jobs.deps import Deps
from sloengine.model import Slo, Status
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Row
from sloengine.times import utc


def account(engine: Deps, slo: Slo, statuses: Sequence[Status], at: datetime) -> Accounts:
    """Causes, exclusions and restatements of every slice of an SLO: two queries, whatever the number of slices.

    Raises:
        StoreUnavailable: no answer.
        StoreError: ClickHouse's own error.
    """
    if slo.components or not statuses:
        return Accounts(slo, at)
    found = accounts(
        statuses, spent(engine, slo, at), _restated(engine, slo, statuses, at), engine.catalogue.exclusions
    )
    return Accounts(slo, at, found)


def _restated(engine: Deps, slo: Slo, statuses: Sequence[Status], at: datetime) -> list[Row]:
    starts = [status.window_start for status in statuses if status.window_start]
    if not starts:
        return []
    own = slo.sli.good + slo.sli.bad + slo.sli.total
    rows = engine.store.rows(
        "restated_slices",
        measures=sorted({s.measure for s in own}),
        of=slo.service,
        lo=floor_hour(min(starts)),
        end=at,
    )
    # The client hands times over without a zone.
    return [{**row, **{name: utc(row[name]) for name in ("Hour", "First", "Newest")}} for row in rows]
