"""Histories in which it is known what spent a budget."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from engine_rig import BASE, DELTA, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.model import Node

REQUESTS, OUTCOME = "edge.inference.requests", "edge.inference.outcome"
PAST_H, FRESH_H = 30, 6
BEGIN = BASE - (PAST_H + FRESH_H) * HOUR
PROMISE = replace(slo("success", by=("region",), target=0.99), window=timedelta(hours=12), reserve=0.25)
SLOS = (PROMISE, slo("freshness", "M4", ("gateway",), 0.99))
NODES = (Node("node-1", "gw-1", "eu", SERVICE, BASE - FRESH_H * HOUR),)
EU, US = (("region", "eu"),), (("region", "us"),)


def remembered(rig: Rig, series: Series, good: int, bad: int) -> None:
    """Hours that were folded long ago."""
    place = [series.service, series.model, series.version, series.region, series.gateway]
    columns = ["Measure", "ServiceName", "ModelName", "ModelVersion", "Region", "GatewayId", "Attributes", "Hour"]
    rows = [
        [REQUESTS, *place, json.dumps({OUTCOME: outcome}, separators=(",", ":")), BEGIN + n * HOUR, count, count, 1]
        for n in range(PAST_H)
        for outcome, count in (("success", good), ("failure", bad))
    ]
    rig.store.insert("count_hours", [*columns, "Events", "Squares", "Revision"], rows)


def served(rig: Rig, series: Series, first: int, good: int, bad: int) -> None:
    """So many requests in each hour from the ``first`` fresh one on, as they come in."""
    for hour in range(first, FRESH_H):
        start = BASE - (FRESH_H - hour) * HOUR
        at = start + 4 * MINUTE
        for outcome, count in (("success", good), ("failure", bad)):
            told = replace(series, outcome=outcome, start=start, temporality=DELTA)
            rig.points.count(told, at, count, ingested=at + timedelta(seconds=5))


def bad_rollout(rig: Rig) -> Rig:
    """A rollout to a part of eu is bad for the last five hours; us is well."""
    for series in (Series(), Series(device="node-us", gateway="gw-us", region="us")):
        remembered(rig, series, 990, 1)
        served(rig, series, 0, 990, 1)
    served(rig, Series(device="node-2", version="2", rollout="r-42"), 1, 180, 20)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 10 * MINUTE)
    return rig
