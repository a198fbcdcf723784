"""Quantiles: how far values are from the limit of an SLO, from raw rows, for those who look at its page."""

from __future__ import annotations

from sloengine.errors import SloengineError
from sloengine.evaluate.quantiles import GAUGES, SINCE, SPANS, Asked, Quantiles, asked_of, quantiles_of
from sloengine.jobs.deps import Deps
from sloengine.model import Slo
from sloengine.store.client import Row, statement

ASKED_MAX = 4
"""Spans and gauges of one SLO that are asked for: each reads raw rows."""
NODES_MAX = 1000
BOUND = "SETTINGS max_execution_time = 2"
"""A page must not keep the store from the tick, however much telemetry there is."""


def quantiles(engine: Deps, slo: Slo) -> tuple[tuple[Quantiles, ...], str]:
    """What is known, and why it may not be all; the second is empty when all is well."""
    found: list[Quantiles] = []
    try:
        for asked in asked_of(slo)[:ASKED_MAX]:
            found += quantiles_of(asked, _rows(engine, asked))
    except SloengineError as error:
        return tuple(found), str(error)
    return tuple(found), ""


def _rows(engine: Deps, asked: Asked) -> list[Row]:
    given: dict[str, object] = dict(asked.parameters)
    if asked.query == GAUGES:
        given |= {"limit": float(asked.limit), "since": int(SINCE[GAUGES].total_seconds()), "top": NODES_MAX}
    else:
        given |= {"model": "", "since": int(SINCE[SPANS].total_seconds())}
    return engine.store.sql_rows(f"{statement(f'named/{asked.query}')}\n{BOUND}", given)
