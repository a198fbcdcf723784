"""The cardinality budget end to end: what is beyond it is one slice that says so, and who is within it outlives a restart."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
from engine_rig import BASE, HOUR, MINUTE, Rig, Series, slo

from sloengine.model import BurnPolicy, BurnWindow, Catalogue, Severity, Status
from sloengine.tools.status import status_table
from sloengine.web.app import create_app

BUDGET = 2
NEWEST = "SELECT * FROM slo_status ORDER BY At DESC, toString(Slice) LIMIT 1 BY Slo, Slice"
"""As the view slo_now, which looks at the last hour of real time."""
LATE = BASE + 30 * MINUTE
"""When the regions come that sort before those which were first."""


def _rig(rigs: Callable[..., Rig]) -> Rig:
    return rigs(slos=[replace(slo(by=("region",)), slices_max=BUDGET)])


def _first(rig: Rig) -> None:
    """Two regions, within the budget; m fails half of the time, and pages."""
    rig.points.traffic(Series(device="d-m", region="m"), BASE, 25, 5, 5)
    rig.points.traffic(Series(device="d-n", region="n"), BASE, 60, 10, 0)
    rig.points.flush()


def _more(rig: Rig) -> None:
    """m goes on as before, and three regions more come, of which one fails."""
    late = {"m": (5, 5), "a": (10, 0), "b": (7, 3), "z": (10, 0)}
    for region, (good, bad) in late.items():
        start = LATE - MINUTE
        rig.points.traffic(Series(device=f"d2-{region}", region=region, start=start), LATE, 25, good, bad)
    rig.points.flush()


def _regions(statuses: list[Status]) -> dict[str, int]:
    """Slices, and how many each holds that are none of their own."""
    return {dict(s.group)["region"]: s.folded for s in statuses}


def _restarted(rig: Rig, holder: str = "engine-1") -> None:
    rig.deps = rig.engine(holder)


def _page(snapshot: Any, path: str, now: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=create_app(lambda: snapshot, now=lambda: now, ready=lambda: True))
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            return await client.get(path)

    return asyncio.run(ask())


def _said(rig: Rig) -> list[tuple[str, str, str]]:
    """Transitions: of which region, from and to which state."""
    rows = rig.rows(
        "SELECT Labels, FromState, ToState, Severity FROM alert_transitions FINAL ORDER BY At, TransitionId"
    )
    return [(r["Labels"]["region"], r["ToState"], r["Severity"]) for r in rows]


def test_what_is_beyond_the_budget_is_one_slice_that_counts_all_of_it_and_says_how_many(
    rigs: Callable[..., Rig],
) -> None:
    rig = _rig(rigs)
    _first(rig)
    rig.tick(BASE + 26 * MINUTE)
    _more(rig)
    now = LATE + 26 * MINUTE
    statuses = rig.tick(now)
    assert _regions(statuses) == {"m": 0, "n": 0, "other": 3}
    (other,) = [s for s in statuses if s.folded]
    assert (other.counts.good, other.counts.bad) == (25 * (10 + 7 + 10), 25 * 3)
    rows = rig.rows(NEWEST)
    told = {r["Slice"]["region"]: (r["Good"], r["Bad"], r["Folded"]) for r in rows}
    assert told["other"] == (675, 75, 3)
    assert told["n"] == (560, 0, 0)
    table = status_table(rig.rows(NEWEST))
    assert "region=other (3 slices beyond the budget)" in table
    api = _page(rig.deps.snapshot, "/api/v1/slos", now).json()["slos"]
    assert {s["slice"]["region"]: s["folded"] for s in api} == {"m": 0, "n": 0, "other": 3}
    console = _page(rig.deps.snapshot, "/", now).text
    assert console.count("3 slices beyond the cardinality budget") == 1


def test_a_restart_changes_neither_who_is_within_the_budget_nor_the_identity_of_an_alert(
    rigs: Callable[..., Rig],
) -> None:
    rig = _rig(rigs)
    _first(rig)
    rig.tick(BASE + 26 * MINUTE)
    assert _said(rig) == [("m", "firing", "page")]
    _more(rig)
    # The engine was away while a, b and z came, which sort before and after those that it knew.
    _restarted(rig)
    statuses = rig.tick(LATE + 26 * MINUTE)
    assert _regions(statuses) == {"m": 0, "n": 0, "other": 3}
    _restarted(rig, "engine-2")
    statuses = rig.tick(LATE + 28 * MINUTE)
    assert _regions(statuses) == {"m": 0, "n": 0, "other": 3}
    assert [said for said in _said(rig) if said[0] != "other"] == [("m", "firing", "page")], "no end, no second page"


def test_who_alerts_is_known_even_if_nothing_was_written_before_the_crash(rigs: Callable[..., Rig]) -> None:
    rig = _rig(rigs)
    _first(rig)
    rig.tick(BASE + 26 * MINUTE)
    rig.store.command("TRUNCATE TABLE slo_status")
    _more(rig)
    _restarted(rig)
    assert _regions(rig.tick(LATE + 26 * MINUTE)) == {"a": 0, "m": 0, "other": 3}


def test_a_smaller_budget_keeps_who_alerts_and_a_renamed_slo_its_members(rigs: Callable[..., Rig]) -> None:
    rig = _rig(rigs)
    _first(rig)
    _more(rig)
    rig.deps.catalogue = rig.catalogue = Catalogue((replace(rig.catalogue.slos[0], slices_max=4),), ())
    assert _regions(rig.tick(LATE + 26 * MINUTE)) == {"a": 0, "b": 0, "m": 0, "n": 0, "other": 1}
    said = [s for s in _said(rig) if s[1] == "firing"]
    assert {region for region, _, _ in said} == {"b", "m"}
    rig.catalogue = Catalogue((replace(rig.catalogue.slos[0], slices_max=2),), ())
    _restarted(rig)
    assert _regions(rig.tick(LATE + 28 * MINUTE)) == {"b": 0, "m": 0, "other": 3}
    rig.catalogue = Catalogue((replace(rig.catalogue.slos[0], name="renamed", was="success"),), ())
    _restarted(rig)
    assert _regions(rig.tick(LATE + 30 * MINUTE)) == {"b": 0, "m": 0, "other": 3}


def test_a_slice_that_is_gone_from_all_windows_gives_its_place_away(rigs: Callable[..., Rig]) -> None:
    quick = BurnPolicy("quick", (BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02),))
    rig = _rig(rigs)
    _first(rig)
    rig.deps.catalogue = rig.catalogue = Catalogue((replace(rig.catalogue.slos[0], window=HOUR, policy=quick),), ())
    assert _regions(rig.tick(BASE + 26 * MINUTE)) == {"m": 0, "n": 0}
    rig.points.traffic(Series(device="d2", region="a", start=LATE + 59 * MINUTE), LATE + 60 * MINUTE, 30, 1, 0)
    rig.points.flush()
    _restarted(rig)
    assert "m" not in _regions(rig.tick(LATE + 90 * MINUTE)), "it sent nothing for an hour"
