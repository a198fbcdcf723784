"""What spent a budget, read back from the buckets that the engine folded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig
from spent_histories import EU, NODES, PROMISE, SLOS, US, bad_rollout

from sloengine.evaluate.attribution import words
from sloengine.evaluate.evidence import Cause
from sloengine.jobs.attribute import spent
from sloengine.model import Component, Exclusion, Matcher


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    return bad_rollout(rigs(slos=SLOS, nodes=NODES))


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
