"""Account: what stands behind an SLO's statuses, worked out when somebody asks, and not again for each who asks."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sloengine.errors import SloengineError
from sloengine.evaluate.account import Accounts, Standing, accounts
from sloengine.jobs.attribute import spent
from sloengine.jobs.deps import Deps
from sloengine.jobs.quantiles import quantiles
from sloengine.model import Slo, Status
from sloengine.rollup.plan import floor_hour
from sloengine.store.client import Row
from sloengine.times import utc

log = logging.getLogger("sloengine.jobs")

FRESH = timedelta(minutes=1)
"""Causes are counted by the hour: an account is not out of date before."""
KEPT_MAX = 64
"""SLOs whose accounts are kept."""
PATIENCE_S = 5.0
"""How long a page waits for its turn."""


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


class KeptAccounts:
    """Accounts for the console and the API: worked out once for everybody who looks, one SLO at a time.

    A page that many have open, or a client that asks in a loop, must not keep the store from the tick: an account serves until a
    newer tick comes and it is a minute old, trouble included. Whoever comes while another one is worked out gets the older
    account, and waits only where there is none.
    """

    def __init__(self, engine: Deps, patience_s: float = PATIENCE_S) -> None:
        self._engine = engine
        self._patience_s = patience_s
        self._turn = threading.Lock()
        self._kept: OrderedDict[str, tuple[datetime, Standing]] = OrderedDict()

    def of(self, name: str) -> Standing:
        """Safe from several threads; never raises: trouble is part of the answer."""
        tick = self._engine.snapshot.at
        if tick is None:
            return Standing(None, "nothing is judged yet")
        kept = self._kept.get(name)
        if not self._turn.acquire(timeout=0 if kept else self._patience_s):
            return (
                kept[1]
                if kept
                else Standing(None, "the engine is busy with another objective; this comes with a reload")
            )
        try:
            kept = self._kept.get(name)
            return kept[1] if kept and tick - kept[0] < FRESH else self._renewed(name, tick, kept)
        finally:
            self._turn.release()

    def _renewed(self, name: str, tick: datetime, kept: tuple[datetime, Standing] | None) -> Standing:
        statuses = [s for s in self._engine.snapshot.statuses if s.slo.name == name]
        if not statuses:
            return Standing(None, "no slice of it is judged")
        try:
            slo = statuses[0].slo
            values, unknown = quantiles(self._engine, slo)
            whole = account(self._engine, slo, statuses, tick)
            found = Standing(replace(whole, quantiles=values, unknown_quantiles=unknown))
        except Exception as error:
            # The rest of the page is of the tick and stands, whatever went wrong here.
            known = isinstance(error, SloengineError)
            log.error("what stands behind %s could not be worked out: %s", name, error, exc_info=not known)
            words = str(error) if known else f"{type(error).__name__}: {error}"
            found = Standing(kept[1].accounts if kept else None, words)
        self._kept[name] = tick, found
        self._kept.move_to_end(name)
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)
        return found
