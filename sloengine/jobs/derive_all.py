"""Derive all: every measure that a job of ours works out, in the order in which one reads another."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from sloengine.errors import SloengineError, StoreUnavailable
from sloengine.jobs.burning import derive_burning
from sloengine.jobs.deps import Deps
from sloengine.jobs.fold import Run
from sloengine.jobs.indicators import derive_drift, derive_retrain
from sloengine.jobs.predictions import derive_predictions
from sloengine.jobs.rollouts import derive_rollouts
from sloengine.jobs.slices import derive_slices
from sloengine.jobs.sql_measures import derive_sql

log = logging.getLogger("sloengine.jobs")

Span = tuple[datetime, datetime]


def derive_all(engine: Deps, hours: set[datetime], now: datetime, run: Run, again: Sequence[Span]) -> set[datetime]:
    """Work out what SLOs ask for; the hours that changed, to be folded.

    ``again``: spans of ingest time whose arrivals are corrected otherwise now. One job that fails stops no other: it is shown
    as a problem, and tries again at the next tick from where it was.
    """
    spans = tuple(again)
    jobs: list[tuple[str, Callable[[set[datetime]], set[datetime]]]] = [
        ("predictions", lambda _: derive_predictions(engine, now, run, spans)),
        ("rollout.devices", lambda _: derive_rollouts(engine, now, run, spans)),
        ("sql:", lambda touched: derive_sql(engine, touched, now, run)),
        ("drift.psi", lambda touched: derive_drift(engine, touched, now, run)),
        ("retrain.step", lambda touched: derive_retrain(engine, touched, now, run)),
        ("slo.burning", lambda touched: derive_burning(engine, touched, now, run)),
        # Last: a slice may be judged by any of the others.
        ("slice:", lambda touched: derive_slices(engine, touched, now, run)),
    ]
    changed: set[datetime] = set()
    engine.derive_problems = []
    for name, derive in jobs:
        if not any(measure.startswith(name) for measure in _measures(engine)):
            continue
        try:
            changed |= derive(hours | changed)
        except StoreUnavailable:
            raise
        except SloengineError as error:
            log.error("measure %s could not be derived: %s", name, error)
            engine.derive_problems.append(f"{name.rstrip(':')}: {error}")
    return changed


NEEDS = {"label.lag": "predictions", "calibration.ece": "predictions", "retrain.step": "drift.psi"}
"""Measures that another's job makes, or reads."""


def _measures(engine: Deps) -> set[str]:
    asked = {selector.measure for slo in engine.catalogue.slos for selector in slo.sli.selectors}
    return asked | {NEEDS[measure] for measure in asked if measure in NEEDS}
