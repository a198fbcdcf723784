"""A catalogue that is too much for a tick costs those their verdicts who make it so, and nobody else. On the real engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from engine_rig import BASE, HOUR, INDICATORS, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.config.settings import EngineSection
from sloengine.evaluate.capacity import fit
from sloengine.evaluate.exclusions import CUTS_MAX
from sloengine.model import Exclusion, Matcher, Node, Slo, State, Status

EVERY_HOUR = "FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24)))
HOURLY = Exclusion(
    "every-hour", "noise", (Matcher("region", "=", "eu"),), BASE - timedelta(days=20), MINUTE, rrule=EVERY_HOUR
)
ONCE = Exclusion("works", "maintenance", (Matcher("region", "=", "us"),), BASE + 5 * MINUTE, MINUTE)
NOW = BASE + 20 * MINUTE


def _short(name: str, by: tuple[str, ...] = (), region: str = "") -> Slo:
    where = (Matcher("region", "=", region),) if region else ()
    return replace(slo(name, by=by), where=where)


def _rig(
    rigs: Callable[..., Rig],
    sums_max: int,
    *slos: Slo,
    exclusions: tuple[Exclusion, ...] = (),
    nodes: Sequence[Node] = (),
) -> Rig:
    rig = rigs(
        slos=slos, nodes=nodes, engine=EngineSection(resolve_after_s=60, delivery_timeout_s=2, sums_max=sums_max)
    )
    for n in range(20):
        rig.points.traffic(Series(device=f"n{n}", gateway=f"gw-{n}", region="eu" if n % 2 else "us"), BASE, 15, 10, 1)
    rig.points.flush()
    rig.deps.catalogue = replace(rig.catalogue, exclusions=exclusions)
    jobs.roll_up(rig.deps, NOW)
    return rig


def _judged(rig: Rig, at: datetime = NOW) -> dict[str, Status]:
    return {status.slo.name: status for status in jobs.evaluate(rig.deps, at)}


def test_the_exclusion_with_the_most_cuts_is_left_out_and_only_whom_it_concerns_is_broken(
    rigs: Callable[..., Rig],
) -> None:
    slos = _short("europe", region="eu"), _short("states", region="us"), _short("all")
    rig = _rig(rigs, 3000, *slos, exclusions=(ONCE, HOURLY))
    found = _judged(rig)
    assert {name for name, status in found.items() if status.state is State.BROKEN} == {"europe", "all"}
    for name in ("europe", "all"):
        assert "exclusion 'every-hour' is left out" in found[name].reason
        assert "less often or last longer" in found[name].reason
    states = found["states"]
    assert (states.counts.good, states.excluded.good) == (1400, 100), "the other exclusion still holds"
    rig.deps.clock = lambda: NOW
    snapshot = jobs.tick(rig.deps, NOW + MINUTE)
    assert [p.split(":")[0] for p in snapshot.problems] == ["europe", "all"]


def test_with_room_enough_nothing_is_left_out(rigs: Callable[..., Rig]) -> None:
    rig = _rig(rigs, 2_000_000, _short("europe", region="eu"), exclusions=(ONCE, HOURLY))
    assert _judged(rig)["europe"].state is not State.BROKEN
    assert rig.deps.fitted is None


def test_the_slo_with_the_dearest_measure_is_left_out_and_the_others_are_judged(rigs: Callable[..., Rig]) -> None:
    """Freshness by device has a key for each of three hundred nodes, requests by region two."""
    nodes = [Node(f"x{n}", "gw-x", "eu", SERVICE, BASE) for n in range(300)]
    heard = replace(slo("heard", "M4", by=("device",)), sli=INDICATORS["M4"])
    rig = _rig(rigs, 2500, heard, _short("all"), nodes=nodes)
    found = _judged(rig)
    assert found["heard"].state is State.BROKEN
    assert "count by fewer dimensions" in found["heard"].reason
    assert (found["all"].state, found["all"].counts.valid) == (State.BURNING, 20 * 15 * 11)


def test_what_was_left_out_is_tried_again_an_hour_later_and_at_once_with_another_catalogue(
    rigs: Callable[..., Rig],
) -> None:
    rig = _rig(rigs, 3000, _short("europe", region="eu"), exclusions=(HOURLY,))
    assert _judged(rig)["europe"].state is State.BROKEN
    first = rig.deps.fitted
    assert first is not None
    _judged(rig, NOW + MINUTE)
    assert rig.deps.fitted is first, "a tick that is known to be too much is not tried anew each time"
    _judged(rig, NOW + HOUR)
    assert rig.deps.fitted is not first
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=())
    assert _judged(rig)["europe"].state is not State.BROKEN


# --- the choice itself

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


def _own(name: str, days: int, measure: str = "edge.inference.requests") -> Slo:
    sli = INDICATORS["M1"]
    good, bad, total = (
        tuple(replace(s, name=measure, source=s.source) for s in part) for part in (sli.good, sli.bad, sli.total)
    )
    return replace(slo(name, by=()), window=timedelta(days=days), sli=replace(sli, good=good, bad=bad, total=total))


def test_slos_are_lost_by_what_they_cost_for_each_that_is_lost() -> None:
    many = [_own(f"many{n}", 30) for n in range(50)]
    dear = _own("dear", 30, "dear.requests")
    keys = {dear.sli.total[0].measure: 10_000, many[0].sli.total[0].measure: 100}
    assert keys.keys() == {"dear.requests", "edge.inference.requests"}
    found = fit([*many, dear], (), AT, keys, 20_000)
    assert [s.name for s, _ in found.left_out] == ["dear"]
    assert "engine.sums_max" in found.left_out[0][1]
    assert len(found.slos) == 50
    assert fit([*many, dear], (), AT, keys, 2_000_000).left_out == ()


def test_windows_of_their_own_are_lost_before_those_that_all_share() -> None:
    shared = [_own(f"shared{n}", 30) for n in range(20)]
    apart = [_own(f"apart{n}", 31 + n) for n in range(40)]
    found = fit([*shared, *apart], (), AT, {"edge.inference.requests": 1000}, 30_000)
    lost = {s.name for s, _ in found.left_out}
    assert lost and all(name.startswith("apart") for name in lost)
    assert len(lost) < 40


def test_too_many_cuts_by_themselves_cost_the_exclusion_that_makes_them() -> None:
    assert fit([_own("a", 30)], (ONCE, HOURLY), NOW, {}, 10**9).dropped == ()
    long = replace(HOURLY, start=AT - timedelta(days=80))
    found = fit([_own("a", 90)], (long,), AT, {}, 10**9)
    assert [e.name for e, _ in found.dropped] == ["every-hour"]
    assert str(CUTS_MAX) in found.dropped[0][1]


def test_an_exclusion_is_not_dropped_for_what_slos_cost() -> None:
    """With nothing left to judge there is nothing to drop it for."""
    found = fit([_own("a", 30)], (replace(HOURLY, start=AT - HOUR),), AT, {"edge.inference.requests": 10**9}, 1000)
    assert [s.name for s, _ in found.left_out] == ["a"]
    assert found.dropped == ()


@pytest.mark.parametrize("count", [3000])
def test_thousands_of_slos_with_measures_of_their_own_are_fitted_in_seconds(count: int) -> None:
    listed = [_own(f"s{n}", 30, f"m{n}") for n in range(count)]
    keys = {f"m{n}": 100 for n in range(count)}
    found = fit(listed, (), AT, keys, 1_000_000)
    assert 0 < len(found.slos) < count
