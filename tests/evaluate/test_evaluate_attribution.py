"""What spent a budget: synthetic histories whose causes are known because they were planted."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.evaluate.attribution import Attribution, Purse, attribute, purses, words
from sloengine.evaluate.cube import FIGURES, Cube, build
from sloengine.evaluate.evidence import HISTORY_H, Cause, Tally, normal, units_of
from sloengine.model import (
    DIMENSIONS,
    BurnPolicy,
    DatedTarget,
    Group,
    Matcher,
    Selector,
    Sli,
    Slo,
    Source,
    Unknown,
    Weighting,
)
from sloengine.times import utc

HOUR = timedelta(hours=1)
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HOURS = HISTORY_H + 72
SINCE = BEGIN + HISTORY_H * HOUR
REQUESTS = "edge.inference.requests"
OUTCOME = "edge.inference.outcome"
CPU = "system.cpu.utilization"
EU: Group = (("region", "eu"),)
NOTHING = np.zeros(HOURS)


def slo(**changes: Any) -> Slo:
    good, bad = (Selector(Source.SUM, REQUESTS, (Matcher(OUTCOME, "=", v),)) for v in ("success", "failure"))
    sli = Sli((good,), (bad,), (Selector(Source.SUM, REQUESTS),))
    policy = BurnPolicy("none", ())
    made = Slo("s", "s", "", "digits", "M1", sli, 0.99, timedelta(days=3), ("region",), policy, None, None, "test:1")
    return replace(made, **changes)


class Fleet:
    """Rows of hourly buckets."""

    def __init__(self, seed: int = 1) -> None:
        self.rows: list[dict[str, Any]] = []
        self.random = np.random.default_rng(seed)

    def add(self, measure: str, events: Any, place: dict[str, str], attributes: dict[str, str], **more: Any) -> None:
        own = {"service": "digits", "model": "m", "version": "1", "region": "eu", "gateway": "g1"} | place
        text = json.dumps(dict(sorted(attributes.items())), separators=(",", ":"))
        base = {"Measure": measure, "Attributes": text, "Last": BEGIN, **{n: own.get(n, "") for n in DIMENSIONS}}
        for hour, count in enumerate(events):
            if count:
                figures = dict.fromkeys(FIGURES, 0.0) | {"Events": float(count), "Squares": float(count)}
                self.rows.append(base | figures | {"Band": hour + 1} | {n: float(v[hour]) for n, v in more.items()})

    def served(self, per_hour: Any, ratio: Any = 0.001, *, driver: str = "", **place: str) -> np.ndarray[Any, Any]:
        """Requests of one place at a bad ratio (per hour, or all the same); how many were bad."""
        total = self.random.poisson(per_hour * np.ones(HOURS))
        bad = self.random.binomial(total, np.broadcast_to(ratio, HOURS))
        more = {"edge.driver.version": driver} if driver else {}
        self.add(REQUESTS, total - bad, place, {OUTCOME: "success"} | more)
        self.add(REQUESTS, bad, place, {OUTCOME: "failure"} | more)
        return np.asarray(bad)

    def heard(self, silent: Any, nodes: int = 20, **place: str) -> None:
        """Node minutes of a gateway, with a share of silence per hour."""
        of_nodes = {"model": "", "version": "", **place}
        lost = self.random.binomial(nodes * 60, np.broadcast_to(silent, HOURS))
        self.add("nodes.heard", lost, of_nodes, {"heard": "false"})
        self.add("nodes.heard", nodes * 60 - lost, of_nodes, {"heard": "true"})

    def loaded(self, above: Any, **place: str) -> None:
        """Seconds of CPU above and below 80 %."""
        of_nodes = {"model": "", "version": "", **place}
        share = np.broadcast_to(above, HOURS)
        self.add(CPU, 72_000 * share, of_nodes, {"gt": "0.8", "le": "inf"})
        self.add(CPU, 72_000 * (1 - share), of_nodes, {"gt": "-inf", "le": "0.8"})

    def cube(self) -> Cube:
        cuts = [BEGIN + n * HOUR for n in range(HOURS)]
        return build(self.rows, cuts, cuts[-1] + HOUR, utc)


def during(first: int, hours: int, value: float, otherwise: float = 0.0) -> np.ndarray[Any, Any]:
    """A value for some hours of the window, counted from its beginning."""
    out = np.full(HOURS, otherwise)
    out[HISTORY_H + first : HISTORY_H + first + hours] = value
    return out


def by_cause(found: Attribution) -> dict[str, float]:
    assert sum(part.bad for part in found.parts) == found.bad, "exactly"
    assert all(part.bad >= 0 for part in found.parts)
    assert [p.cause for p in found.parts] == [c for c in Cause if c in {p.cause for p in found.parts}]
    return {part.cause.value: part.bad for part in found.parts}


def in_window(bad: np.ndarray[Any, Any]) -> float:
    return float(bad[HISTORY_H:].sum())


def share_named(fleet: Fleet, cause: str, bad: Any, normally: float, first: int, hours: int) -> float:
    """What part of a planted excess is named by its cause; nothing else may be named."""
    spent = by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])
    assert set(spent) == {cause, "unexplained"}
    excess = float(bad[HISTORY_H + first : HISTORY_H + first + hours].sum()) - normally * hours
    return spent[cause] / excess


# Each cause, planted.


def test_a_bad_rollout_is_named_with_its_version_and_what_it_was_compared_with() -> None:
    fleet = Fleet()
    fleet.served(2000)
    bad = fleet.served(500 * during(10, 30, 1), 0.05, version="2", rollout="r-42")
    assert 0.9 <= share_named(fleet, "rollout", bad, 0.5, 10, 30) <= 1.05
    (part, _) = attribute(slo(), fleet.cube(), SINCE)[EU].parts
    assert part.evidence == "version 2 by rollout r-42 in eu: 4.95% bad against 0.13% without it"
    assert len(part.hours) == 30
    assert part.hours[0] == SINCE + 10 * HOUR
    assert part.share == pytest.approx(part.bad / (0.01 * in_window(total_of(fleet))), rel=1e-9)


def total_of(fleet: Fleet) -> np.ndarray[Any, Any]:
    return np.asarray(fleet.cube().figures["Events"].sum(axis=0))


def test_a_small_rollout_is_named_from_a_day_of_its_few_events() -> None:
    fleet = Fleet()
    fleet.served(2000)
    bad = fleet.served(20 * during(0, 72, 1), 0.08, version="2", rollout="r-42")
    assert 0.85 <= share_named(fleet, "rollout", bad, 0.02, 0, 72) <= 1.1


def test_a_rollout_that_reaches_everybody_at_once_is_compared_with_what_was_there_before() -> None:
    fleet = Fleet()
    fleet.served(during(-HISTORY_H, HISTORY_H + 20, 2000))
    bad = fleet.served(2000 * during(20, 52, 1), 0.03, version="2", rollout="r-42")
    assert 0.9 <= share_named(fleet, "rollout", bad, 2, 20, 52) <= 1.05


def test_a_rollout_that_began_well_is_not_blamed_for_what_happens_to_everybody_days_later() -> None:
    fleet = Fleet()
    fleet.served(during(-HISTORY_H, HISTORY_H - 90, 2000))
    fleet.served(2000 * during(-90, 162, 1), during(30, 12, 0.05, 0.001), version="2", rollout="r-42")
    assert set(by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])) == {"unexplained"}


def test_a_good_rollout_beside_an_old_one_is_not_blamed_and_neither_is_the_old_one() -> None:
    fleet = Fleet()
    fleet.served(2000, 0.01, rollout="r-41")
    fleet.served(1000 * during(10, 60, 1), 0.001, version="2", rollout="r-42")
    assert set(by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])) == {"unexplained"}


def test_slices_by_version_still_compare_with_the_other_version() -> None:
    fleet = Fleet()
    fleet.served(2000)
    fleet.served(500 * during(10, 30, 1), 0.05, version="2", rollout="r-42")
    found = attribute(slo(by=("version",)), fleet.cube(), SINCE)
    assert set(by_cause(found[(("version", "1"),)])) == {"unexplained"}
    second = by_cause(found[(("version", "2"),)])
    assert second["rollout"] > 0.9 * (sum(second.values()) - 15)


@pytest.mark.parametrize("trait", ["hardware", "driver"])
def test_hardware_that_is_worse_than_the_other_is_named(trait: str) -> None:
    fleet = Fleet()
    fleet.served(1000, **{trait: "orin"})
    bad = fleet.served(1000, during(5, 40, 0.04, 0.001), **{trait: "nano"})
    assert 0.9 <= share_named(fleet, "hardware", bad, 1, 5, 40) <= 1.05
    (part, _) = attribute(slo(), fleet.cube(), SINCE)[EU].parts
    assert part.evidence.startswith(f"{'hardware' if trait == 'hardware' else 'edge.driver.version'} nano in eu: ")


def test_a_rollout_that_went_to_bad_hardware_only_is_not_mistaken_for_it() -> None:
    """Half of the bad class has the rollout; it does no worse there than without it."""
    fleet = Fleet()
    fleet.served(1000, hardware="orin")
    without = fleet.served(500, during(5, 40, 0.04, 0.001), hardware="nano")
    having = fleet.served(
        500 * during(-20, 92, 1), during(5, 40, 0.04, 0.001), hardware="nano", version="2", rollout="r"
    )
    assert 0.9 <= share_named(fleet, "hardware", without + having, 1, 5, 40) <= 1.05


def test_a_class_that_is_a_little_worse_in_everybody_s_incident_is_not_blamed_for_it() -> None:
    fleet = Fleet()
    fleet.served(5000, during(5, 40, 0.06, 0.001), hardware="orin")
    fleet.served(5000, during(5, 40, 0.08, 0.001), hardware="nano")
    assert set(by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])) == {"unexplained"}


def test_hardware_has_no_part_in_what_a_rollout_to_it_spent() -> None:
    fleet = Fleet()
    fleet.served(1000, hardware="orin")
    fleet.served(500, hardware="nano")
    bad = fleet.served(500 * during(10, 30, 1), 0.05, hardware="nano", version="2", rollout="r")
    assert 0.9 <= share_named(fleet, "rollout", bad, 0.5, 10, 30) <= 1.05
    assert "also evidence of hardware in " in attribute(slo(), fleet.cube(), SINCE)[EU].parts[0].evidence


def test_each_slice_has_its_own_part_of_a_cause_that_reaches_over_several() -> None:
    fleet = Fleet()
    bad = {v: fleet.served(500, during(5, 40, 0.04, 0.001), hardware="nano", version=v) for v in ("1", "2")}
    fleet.served(1000, hardware="orin")
    found = attribute(slo(by=("version",)), fleet.cube(), SINCE)
    for version in ("1", "2"):
        excess = bad[version][HISTORY_H + 5 : HISTORY_H + 45].sum() - 0.5 * 40
        assert by_cause(found[(("version", version),)])["hardware"] == pytest.approx(excess, rel=0.07)


def test_connectivity_is_named_in_the_hours_and_at_the_gateway_of_the_silence() -> None:
    fleet = Fleet()
    fleet.served(1000)
    fleet.heard(0.001)
    fleet.heard(during(20, 6, 0.4, 0.001), gateway="g2")
    bad = fleet.served(1000, during(20, 6, 0.05, 0.001), gateway="g2")
    assert 0.9 <= share_named(fleet, "connectivity", bad, 1, 20, 6) <= 1.05
    (part, _) = attribute(slo(), fleet.cube(), SINCE)[EU].parts
    assert "eu g2: 39.4%" in part.evidence
    assert "of node time unheard, normal 0.1%" in part.evidence


def test_events_that_a_counter_bridged_over_an_outage_are_evidence_of_it() -> None:
    fleet = Fleet()
    fleet.served(1000, 0.001, gateway="g2")
    burst = during(30, 1, 400.0)
    fleet.add(REQUESTS, burst, {"gateway": "g2"}, {OUTCOME: "failure"}, Bridged=burst)
    fleet.add(REQUESTS, burst * 3, {"gateway": "g2"}, {OUTCOME: "success"}, Bridged=burst * 3)
    found = attribute(slo(), fleet.cube(), SINCE)[EU]
    assert by_cause(found)["connectivity"] == pytest.approx(400, abs=15)
    assert "counters' increases across outages" in found.parts[0].evidence


def test_resources_are_named_in_hours_of_unusual_load() -> None:
    fleet = Fleet()
    fleet.loaded(during(40, 8, 0.5, 0.01))
    bad = fleet.served(1000, during(40, 8, 0.05, 0.001))
    assert 0.9 <= share_named(fleet, "resources", bad, 1, 40, 8) <= 1.05
    (part, _) = attribute(slo(), fleet.cube(), SINCE)[EU].parts
    assert part.evidence == f"eu g1: 50.0% of the time {CPU} above its limit, normal 1.0%"


def test_drift_is_named_where_the_index_is_over_its_limit() -> None:
    fleet = Fleet()
    over = during(12, 24, 1.0)
    psi = {"gateway": ""}
    fleet.add("drift.psi", over, psi, {"gt": "0.25", "le": "inf"})
    fleet.add("drift.psi", 1 - over, psi, {"gt": "-inf", "le": "0.25"})
    fleet.served(1000, region="us")
    bad = fleet.served(1000, during(12, 24, 0.03, 0.001))
    assert 0.9 <= share_named(fleet, "drift", bad, 1, 12, 24) <= 1.05


# What must not be named.


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("per_hour", [20, 2000])
def test_a_healthy_fleet_s_background_stays_unexplained(seed: int, per_hour: int) -> None:
    """All kinds of evidence are looked at, rollouts and outages happen, and none of them does harm."""
    fleet = Fleet(seed)
    fleet.served(per_hour, 0.01, hardware="orin", driver="1")
    fleet.served(per_hour, 0.01, hardware="nano", driver="2")
    fleet.served(per_hour * during(10, 60, 1), 0.01, hardware="nano", driver="2", version="2", rollout="r")
    fleet.heard(during(20, 6, 0.4, 0.001))
    fleet.loaded(during(40, 8, 0.5, 0.01))
    found = attribute(slo(), fleet.cube(), SINCE)[EU]
    assert by_cause(found)["unexplained"] >= 0.98 * found.bad
    assert all(found.measured[c] for c in Cause if c not in (Cause.UNEXPLAINED, Cause.DRIFT))


def test_an_incident_without_evidence_stays_unexplained_and_what_was_not_measured_is_said() -> None:
    fleet = Fleet()
    fleet.served(1000, during(10, 10, 0.05, 0.001))
    found = attribute(slo(), fleet.cube(), SINCE)[EU]
    assert set(by_cause(found)) == {"unexplained"}
    assert {c.value for c, names in found.measured.items() if names} == {"connectivity"}
    assert found.measured[Cause.CONNECTIVITY] == ("counters' increases across outages",)
    lines = words(slo(), found)
    assert "connectivity: nothing found in counters' increases across outages" in lines
    assert {"rollout: not measured", "hardware: not measured", "drift: not measured"} <= set(lines)
    assert lines[0].startswith("unexplained: ")
    assert lines[0].endswith("not measured: rollout, hardware, resources, drift")


def test_an_outage_elsewhere_explains_nothing_here() -> None:
    fleet = Fleet()
    fleet.served(1000, during(20, 6, 0.05, 0.001))
    fleet.served(1000, region="us", gateway="g9")
    fleet.heard(0.001)
    fleet.heard(during(20, 6, 0.4, 0.001), region="us", gateway="g9")
    assert set(by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])) == {"unexplained"}


def test_what_an_objective_counts_itself_is_no_evidence_for_it() -> None:
    fleet = Fleet()
    fleet.heard(during(20, 6, 0.4, 0.001))
    good, bad = (Selector(Source.DERIVED, "nodes.heard", (Matcher("heard", "=", v),)) for v in ("true", "false"))
    found = attribute(slo(sli=Sli((good,), (bad,))), fleet.cube(), SINCE)[EU]
    assert set(by_cause(found)) == {"unexplained"}
    assert not any(found.measured.values())


def test_without_a_past_or_a_rest_of_the_fleet_nothing_is_normal_and_nothing_blamed() -> None:
    fleet = Fleet()
    fleet.served(1000 * during(0, 20, 1), during(10, 8, 0.05, 0.001))
    fleet.loaded(during(10, 8, 0.5, 0.01))
    assert set(by_cause(attribute(slo(), fleet.cube(), SINCE)[EU])) == {"unexplained"}


def test_a_new_region_is_held_to_the_rest_of_the_fleet() -> None:
    fleet = Fleet()
    fleet.served(3000, region="us")
    fleet.loaded(during(10, 8, 0.5, 0.01))
    bad = fleet.served(1000 * during(0, 20, 1), during(10, 8, 0.05, 0.001))
    assert 0.9 <= share_named(fleet, "resources", bad, 1, 10, 8) <= 1.05


# Several at once.


def test_two_causes_at_the_same_time_each_get_their_part() -> None:
    """Load makes everything 2 % bad; on top of it the new version fails another 5 %."""
    fleet = Fleet()
    fleet.loaded(during(30, 10, 0.5, 0.01))
    old = fleet.served(2000, during(30, 10, 0.021, 0.001))
    new = fleet.served(1000 * during(10, 40, 1), during(30, 10, 0.071, 0.051), version="2", rollout="r-42")
    found = attribute(slo(), fleet.cube(), SINCE)[EU]
    spent = by_cause(found)
    assert set(spent) == {"rollout", "resources", "unexplained"}
    assert spent["rollout"] == pytest.approx(1000 * 40 * 0.05, rel=0.1)
    assert spent["resources"] == pytest.approx(3000 * 10 * 0.02, rel=0.1)
    assert found.bad == in_window(old + new)
    assert "(also evidence of resources in 10 of its hours)" in found.parts[0].evidence


def test_connectivity_comes_before_resources_and_says_that_they_were_there() -> None:
    fleet = Fleet()
    fleet.loaded(during(20, 6, 0.5, 0.01))
    fleet.heard(during(20, 6, 0.4, 0.001))
    bad = fleet.served(1000, during(20, 6, 0.05, 0.001))
    assert share_named(fleet, "connectivity", bad, 1, 20, 6) >= 0.9
    part = attribute(slo(), fleet.cube(), SINCE)[EU].parts[0]
    assert part.evidence.endswith("(also evidence of resources in 6 of its hours)")


# Arithmetic.


def test_the_rollouts_reserve_is_held_against_what_rollouts_spent() -> None:
    fleet = Fleet()
    fleet.served(2000)
    fleet.served(500 * during(10, 30, 1), 0.05, version="2", rollout="r-42")
    promise = slo(reserve=0.2)
    found = attribute(promise, fleet.cube(), SINCE)[EU]
    pair = purses(promise, found)
    assert pair is not None
    spent = by_cause(found)
    assert found.allowed is not None
    assert pair[0] == Purse(0.2, spent["rollout"] / found.allowed)
    assert pair[1].share == 0.8
    assert pair[0].spent + pair[1].spent == pytest.approx(found.bad / found.allowed)
    assert words(promise, found)[-1] == (
        f"rollouts spent {pair[0].spent:.0%} of the budget, 20% is theirs; everything else spent {pair[1].spent:.0%} of its 80%"
    )
    assert not any("is theirs" in line for line in words(slo(), found))


@pytest.mark.parametrize(("purse", "left"), [(Purse(0.2, 0.05), 0.75), (Purse(0.2, 0.3), -0.5), (Purse(0, 0), 0)])
def test_a_purse_knows_what_is_left_of_it(purse: Purse, left: float) -> None:
    assert purse.left == pytest.approx(left)
    assert Purse(0, 0.1).left == float("-inf")


def test_a_budget_that_is_not_counted_in_events_has_no_shares() -> None:
    fleet = Fleet()
    fleet.served(1000)
    for promise in (slo(weighting=Weighting.NODES), slo(zero_tolerance=True, target=1.0)):
        found = attribute(promise, fleet.cube(), SINCE)[EU]
        assert found.allowed is None
        assert [p.share for p in found.parts] == [None]
        assert purses(promise, found) is None
        assert words(promise, found)[0].startswith(f"unexplained: {found.bad:,.0f} bad: ")


def test_each_hour_is_allowed_for_by_the_target_of_its_own_time() -> None:
    fleet = Fleet()
    fleet.add(REQUESTS, np.full(HOURS, 100), {}, {OUTCOME: "success"})
    targets = (DatedTarget(BEGIN, 0.9), DatedTarget(SINCE + 24 * HOUR, 0.99))
    found = attribute(slo(targets=targets), fleet.cube(), SINCE)[EU]
    assert found.allowed == pytest.approx(24 * 10 + 48 * 1)
    assert (found.since, found.until) == (SINCE, BEGIN + HOURS * HOUR)


@pytest.mark.parametrize(("policy", "bad"), [(Unknown.IGNORE, 0), (Unknown.GOOD, 0), (Unknown.BAD, 72 * 7)])
def test_unknown_events_count_as_the_policy_says(policy: Unknown, bad: float) -> None:
    fleet = Fleet()
    fleet.add(REQUESTS, np.full(HOURS, 7), {}, {OUTCOME: "odd"})
    fleet.add(REQUESTS, np.full(HOURS, 100), {}, {OUTCOME: "success"})
    assert attribute(slo(unknown=policy), fleet.cube(), SINCE)[EU].bad == bad


def test_metrics_that_do_not_fit_row_by_row_are_split_without_dimensions() -> None:
    """Good and total are told of by different gateways: no row has a bad count, their sum has."""
    fleet = Fleet()
    fleet.add("total", np.full(HOURS, 100), {"gateway": "g1"}, {})
    fleet.add("good", np.full(HOURS, 90), {"gateway": "g2"}, {})
    sli = Sli(good=(Selector(Source.SUM, "good"),), total=(Selector(Source.SUM, "total"),))
    found = attribute(slo(sli=sli), fleet.cube(), SINCE)[EU]
    assert found.bad == 720
    assert found.allowed == pytest.approx(72)


def test_no_events_no_slices() -> None:
    assert attribute(slo(), Fleet().cube(), SINCE) == {}
    assert len(units_of(slo(), Fleet().cube()).groups) == 0


@pytest.mark.parametrize(
    ("case", "bad", "expected"),
    [
        ("every hour the same", np.full(300, 2.0), 0.02),
        ("three bad days of seven are not normal", np.where(np.arange(300) >= 300 - 72, 50.0, 2.0), 0.02),
        ("one bad hour a day is not normal", np.where(np.arange(300) % 24 == 5, 50.0, 2.0), 0.02),
        ("few bad events: of six hours", np.where(np.arange(300) % 6 == 0, 3.0, 0.0), 0.005),
        ("fewer: of days", np.where(np.arange(300) % 24 == 0, 12.0, 0.0), 0.005),
    ],
)
def test_normal_is_a_median_of_what_came_before(case: str, bad: Any, expected: float) -> None:
    own = Tally(100 - bad, bad, 100 - bad, bad)
    assert normal(own)[-1] == pytest.approx(expected), case
    assert np.isnan(normal(own)[:24]).all(), "the first day has no past"
    assert not np.isnan(normal(own)[24:]).any()


place = st.fixed_dictionaries(
    {
        "version": st.sampled_from(["1", "2"]),
        "rollout": st.sampled_from(["", "r"]),
        "hardware": st.sampled_from(["", "a", "b"]),
        "gateway": st.sampled_from(["g1", "g2"]),
        "region": st.sampled_from(["eu", "us"]),
    }
)
rows = st.tuples(
    place, st.integers(-HISTORY_H, 60), st.integers(1, 200), st.integers(0, 300), st.sampled_from([0.0, 0.02, 0.5, 1.0])
)


@settings(max_examples=25, deadline=None)
@given(st.lists(rows, min_size=1, max_size=6), st.integers(0, 9), st.booleans(), st.sampled_from([1.0, 1 / 3, 33.3]))
def test_parts_sum_to_the_whole_exactly_and_are_never_negative(
    listed: list[Any], seed: int, silent: bool, weight: float
) -> None:
    fleet = Fleet(seed)
    for where, first, hours, per_hour, ratio in listed:
        fleet.served(per_hour * during(first, hours, 1), ratio, **where)
    if silent:
        fleet.heard(during(20, 6, 0.4, 0.001))
    for row in fleet.rows:
        row["Events"], row["Squares"] = row["Events"] * weight, row["Events"] * weight * weight
    for group, found in attribute(slo(), fleet.cube(), SINCE).items():
        spent = by_cause(found)
        assert sum(reversed(list(spent.values()))) == found.bad
        raw = sum(
            row["Events"]
            for row in fleet.rows
            if row["Measure"] == REQUESTS
            and row["region"] == group[0][1]
            and row["Attributes"].endswith('failure"}')
            and row["Band"] > HISTORY_H
        )
        assert found.bad == pytest.approx(raw, abs=0.001 * len(fleet.rows))
