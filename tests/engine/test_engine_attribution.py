"""What spent a budget, read back from the buckets that the engine folded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from engine_rig import BASE, DELTA, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.evaluate.attribution import words
from sloengine.evaluate.evidence import Cause
from sloengine.jobs.attribute import spent
from sloengine.model import Component, Exclusion, Matcher, Node

REQUESTS, OUTCOME = "edge.inference.requests", "edge.inference.outcome"
PAST_H, FRESH_H = 30, 6
BEGIN = BASE - (PAST_H + FRESH_H) * HOUR
PROMISE = replace(slo("success", by=("region",), target=0.99), window=timedelta(hours=12), reserve=0.25)
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


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    """A rollout to a part of eu is bad for the last five hours; us is well."""
    node = Node("node-1", "gw-1", "eu", SERVICE, BASE - FRESH_H * HOUR)
    rig = rigs(slos=[PROMISE, slo("freshness", "M4", ("gateway",), 0.99)], nodes=[node])
    for series in (Series(), Series(device="node-us", gateway="gw-us", region="us")):
        remembered(rig, series, 990, 1)
        served(rig, series, 0, 990, 1)
    served(rig, Series(device="node-2", version="2", rollout="r-42"), 1, 180, 20)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 10 * MINUTE)
    return rig


def test_a_rollout_s_part_is_found_in_the_buckets(rig: Rig) -> None:
    found = spent(rig.deps, PROMISE, BASE)[EU]
    (rollout, rest) = found.parts
    assert rollout.cause is Cause.ROLLOUT
    assert found.bad == 12 + 5 * 20
    assert rollout.bad == pytest.approx(5 * (20 - 0.2), abs=1)
    assert rollout.bad + rest.bad == found.bad
    assert rollout.hours == tuple(BASE - n * HOUR for n in (5, 4, 3, 2, 1))
    assert "version 2 by rollout r-42 in eu: 10.00% bad against 0.10%" in rollout.evidence
    assert found.measured[Cause.RESOURCES] == ()
    assert "nodes.heard" in found.measured[Cause.CONNECTIVITY]
    shown = (Path(__file__).parents[2] / "docs" / "budgets.md").read_text(encoding="utf-8").split("```")[1]
    assert words(PROMISE, found) == shown.strip().splitlines()


def test_excluded_hours_are_nobody_s_fault(rig: Rig) -> None:
    shut = Exclusion("m", "r", (Matcher("region", "=", "eu"),), BASE - 3 * HOUR + MINUTE, HOUR)
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=(shut,))
    found = spent(rig.deps, PROMISE, BASE)
    assert found[EU].bad == 10 + 3 * 20, "two hours are touched"
    assert found[US].bad == 12


def test_composites_and_hostile_names_have_no_figures_and_do_no_harm(rig: Rig) -> None:
    assert spent(rig.deps, replace(PROMISE, components=(Component("success", 1),)), BASE) == {}
    hostile = replace(PROMISE, service="'); DROP TABLE count_hours; --\"`\\{x:String}")
    assert spent(rig.deps, hostile, BASE) == {}
    assert spent(rig.deps, PROMISE, BASE)
