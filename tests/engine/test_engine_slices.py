"""Verdicts of slices on the real store, against brute force over what was counted."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.jobs.fold import Corrections, Run
from sloengine.jobs.slices import derive_slices
from sloengine.marked import mark_of
from sloengine.model import Catalogue, Exclusion, Matcher, Node, Selector, Sli, SliceRule, Slo, Source

COLUMNS = [
    "Measure",
    "ServiceName",
    "ModelName",
    "Region",
    "GatewayId",
    "DeviceId",
    "Attributes",
    "Minute",
    "Events",
    "Squares",
]
COLUMNS += ["Items", "Unweighted", "Bridged", "Shifted", "Cause", "Before", "Revision"]
SENT, RAW, REQUESTS = "edge.data.sent", "edge.data.raw", "edge.inference.requests"
OUTCOME = "edge.inference.outcome"
# A midnight lies in it, and everything has ended by BASE.
BEGIN = BASE.replace(hour=22) - timedelta(days=2)


@dataclass(frozen=True)
class Counted:
    """A row of the buckets."""

    measure: str
    minute: datetime
    events: float
    device: str = ""
    model: str = ""
    region: str = "eu"
    gateway: str = "gw-1"
    attributes: tuple[tuple[str, str], ...] = ()
    items: int = 1
    unweighted: int = 0
    bridged: float = 0.0
    service: str = SERVICE


def count(rig: Rig, rows: Iterable[Counted], revision: int = 1) -> set[datetime]:
    """Write rows as a roll-up would have; the hours that it would name."""
    listed = list(rows)
    table: list[list[Any]] = []
    for r in listed:
        text = json.dumps(dict(sorted(r.attributes)), separators=(",", ":")) if r.attributes else ""
        key = [r.measure, r.service, r.model, r.region, r.gateway, r.device, text, r.minute]
        table.append([*key, r.events, r.events, r.items, r.unweighted, r.bridged, 0.0, "test", 0.0, revision])
    rig.store.insert("count_minutes", COLUMNS, table)
    return {r.minute.replace(minute=0) for r in listed}


def each_minute(measure: str, start: datetime, minutes: int, events: float, **more: Any) -> list[Counted]:
    return [Counted(measure, start + i * MINUTE, events, **more) for i in range(minutes)]


def node(device: str, gateway: str = "gw-1", region: str = "eu", since: datetime = BEGIN) -> Node:
    return Node(device, gateway, region, SERVICE, since)


def sums(*names: str, where: tuple[Matcher, ...] = ()) -> tuple[Selector, ...]:
    return tuple(Selector(Source.SUM, name, where) for name in names)


def sliced(name: str, rule: SliceRule, by: tuple[str, ...] = ("region",), **more: Any) -> Slo:
    def of(verdict: str) -> tuple[Selector, ...]:
        return (Selector(Source.DERIVED, f"slice:{name}", (Matcher("verdict", "=", verdict),)),)

    total = (Selector(Source.DERIVED, f"slice:{name}"),)
    return replace(slo(name, by=by, sli=Sli(of("good"), of("bad"), total, rule)), **more)


def bandwidth(limit: float = 600, **more: Any) -> Slo:
    return sliced("bandwidth", SliceRule(HOUR, ("device",), sums(SENT), (), "lte", limit), **more)


def reduction(**more: Any) -> Slo:
    return sliced("reduction", SliceRule(HOUR, ("device",), sums(RAW), sums(SENT), "gte", 10), **more)


def availability(op: str = "gte", mode: str = "verdict", length: timedelta = 5 * MINUTE) -> Slo:
    good = sums(REQUESTS, where=(Matcher(OUTCOME, "=", "success"),))
    return sliced("slices", SliceRule(length, (), good, sums(REQUESTS), op, 0.9, mode), by=("model",))


@pytest.fixture
def rigs(module_rig: Rig) -> Callable[..., Rig]:
    """rigs(slos=…, nodes=…) makes the module's one engine a new one: nothing counted, another catalogue."""

    def make(slos: Sequence[Slo], nodes: Sequence[Node] = ()) -> Rig:
        module_rig.store.command("TRUNCATE TABLE count_minutes")
        with module_rig.deps.state.begin() as connection:
            connection.exec_driver_sql("DELETE FROM watermarks")
        module_rig.deps.catalogue = Catalogue(tuple(slos), tuple(nodes))
        module_rig.deps.slices_seen.clear()
        return module_rig

    return make


_revisions = iter(range(2, 10**6))


def derive(rig: Rig, hours: Iterable[datetime] = (), now: datetime = BASE) -> set[datetime]:
    return derive_slices(rig.deps, set(hours), now, Run(next(_revisions), "arrival", Corrections()))


def verdicts(rig: Rig, name: str, *by: str) -> dict[tuple[Any, ...], Any]:
    """(…by, minute) → "good", "bad" or "unknown reason"; with its share if that isn't 1."""
    column = {"device": "DeviceId", "gateway": "GatewayId", "region": "Region", "model": "ModelName"}
    fields = "".join(f"{column[b]}, " for b in by)
    rows = rig.rows(
        f"SELECT {fields}Minute, Attributes, Events FROM count_minutes FINAL WHERE Measure = 'slice:{name}' AND Items > 0"
    )
    found: dict[tuple[Any, ...], Any] = {}
    for row in rows:
        said = json.loads(row["Attributes"])
        text = " ".join(filter(None, (said["verdict"], said.get("reason"))))
        key = (*list(row.values())[: len(by)], row["Minute"])
        assert row["Events"] != 1 or key not in found, f"two verdicts of {key}"
        found[key if row["Events"] == 1 else (*key, said["verdict"])] = text if row["Events"] == 1 else row["Events"]
    return found


def written(rig: Rig, name: str) -> int:
    rows = rig.store.sql_rows(f"SELECT count() AS n FROM count_minutes WHERE Measure = 'slice:{name}'")
    return int(rows[0]["n"])


# --- M13


def test_a_burst_inside_the_hour_counts_against_the_budget_of_the_hour(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600)], nodes=[node("steady"), node("burst")])
    rows = each_minute(SENT, BEGIN, 60, 10, device="steady") + each_minute(SENT, BEGIN, 60, 10, device="burst")
    rows[-1] = replace(rows[-1], events=11)
    derive(rig, count(rig, rows), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {("steady", BEGIN): "good", ("burst", BEGIN): "bad"}


def test_a_half_silent_hour_can_be_bad_already_but_never_good(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600)], nodes=[node("low"), node("high"), node("nearly")])
    rows = each_minute(SENT, BEGIN, 30, 1, device="low") + each_minute(SENT, BEGIN, 30, 21, device="high")
    rows += each_minute(SENT, BEGIN, 50, 1, device="nearly")
    derive(rig, count(rig, rows), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {
        ("low", BEGIN): "unknown uncovered",
        ("high", BEGIN): "bad",
        ("nearly", BEGIN): "good",
    }


def test_a_node_that_sent_nothing_at_all_is_unknown_and_not_within_its_budget(rigs: Callable[..., Rig]) -> None:
    nodes = [node("here"), node("dead"), node("new", since=BEGIN + HOUR), replace(node("elsewhere"), service="other")]
    rig = rigs(slos=[bandwidth(600)], nodes=nodes)
    rows = each_minute(SENT, BEGIN, 120, 1, device="here")
    derive(rig, count(rig, rows), now=BEGIN + 2 * HOUR)
    assert verdicts(rig, "bandwidth", "device") == {
        ("here", BEGIN): "good",
        ("here", BEGIN + HOUR): "good",
        ("dead", BEGIN): "unknown missing",
        ("dead", BEGIN + HOUR): "unknown missing",
        ("new", BEGIN + HOUR): "unknown missing",
    }


def test_a_dead_node_becomes_unknown_by_time_alone(rigs: Callable[..., Rig]) -> None:
    """Nothing comes in, so no hour is touched: the clock alone must end the slice."""
    rig = rigs(slos=[bandwidth(600)], nodes=[node("dead", since=BASE)])
    assert derive(rig, now=BASE + HOUR - MINUTE) == set()
    assert derive(rig, now=BASE + HOUR) == {BASE}
    assert derive(rig, now=BASE + HOUR + MINUTE) == set()
    assert verdicts(rig, "bandwidth", "device") == {("dead", BASE): "unknown missing"}


def test_bytes_of_an_outage_are_not_the_first_hours_burst(rigs: Callable[..., Rig]) -> None:
    """The increase over three silent hours arrives in one minute: it is unknown whether the hour's budget held."""
    rig = rigs(slos=[bandwidth(600)], nodes=[node("a"), node("b")])
    rows = each_minute(SENT, BEGIN, 60, 1, device="a") + each_minute(SENT, BEGIN, 60, 11, device="b")
    rows[0] = replace(rows[0], events=1800, bridged=1800)
    rows[60] = replace(rows[60], events=1800, bridged=1800)
    derive(rig, count(rig, rows), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {("a", BEGIN): "unknown unsure", ("b", BEGIN): "bad"}


def test_a_silence_inside_the_hour_leaks_nothing(rigs: Callable[..., Rig]) -> None:
    """Bridged, but both points lie in the slice."""
    rig = rigs(slos=[bandwidth(600)], nodes=[node("a")])
    rows = [
        Counted(SENT, BEGIN + m * MINUTE, 700 if m == 20 else 1, device="a", bridged=700 * (m == 20)) for m in range(60)
    ]
    derive(rig, count(rig, [r for r in rows if not 13 < r.minute.minute < 20]), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {("a", BEGIN): "bad"}


def test_telemetry_without_a_device_is_no_device_and_does_not_vanish(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600)])
    derive(rig, count(rig, each_minute(SENT, BEGIN, 60, 1)), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {("", BEGIN): "unknown nameless"}


def test_a_device_behind_another_gateway_was_heard(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600, by=("gateway",))], nodes=[node("a", gateway="gw-1")])
    derive(rig, count(rig, each_minute(SENT, BEGIN, 60, 1, device="a", gateway="gw-2")), now=BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device", "gateway") == {("a", "gw-2", BEGIN): "good"}


def test_nodes_that_the_rule_does_not_ask_for_are_not_expected(rigs: Callable[..., Rig]) -> None:
    where = (Matcher("region", "=~", "eu.*"),)
    rule = SliceRule(HOUR, ("device",), sums(SENT, where=where), (), "lte", 600)
    rig = rigs(slos=[sliced("eu", rule)], nodes=[node("a", region="eu-1"), node("b", region="us-1")])
    rows = each_minute(SENT, BEGIN, 60, 1, device="b", region="us-1")
    derive(rig, count(rig, rows), now=BEGIN + HOUR)
    assert verdicts(rig, "eu", "device") == {("a", BEGIN): "unknown missing"}


# --- M8


@pytest.mark.parametrize(
    ("raw", "sent", "verdict"),
    [
        (100, 10, "good"),
        (99, 10, "bad"),
        (5, 0, "good"),
        (0, 0, "unknown idle"),
        (5, None, "unknown partial"),
        (None, 10, "bad"),
    ],
    ids=["at the limit", "below it", "sent nothing", "did neither", "does not say what it sent", "only sent"],
)
def test_the_reduction_of_an_hour(
    rigs: Callable[..., Rig], raw: float | None, sent: float | None, verdict: str
) -> None:
    rig = rigs(slos=[reduction()], nodes=[node("a")])
    rows = [Counted(name, BEGIN, value, device="a") for name, value in ((RAW, raw), (SENT, sent)) if value is not None]
    derive(rig, count(rig, rows), now=BEGIN + HOUR)
    assert verdicts(rig, "reduction", "device") == {("a", BEGIN): verdict}


def test_points_of_devices_become_slices_statuses_and_nothing_else(rigs: Callable[..., Rig]) -> None:
    """The whole way: raw points, roll-up, verdicts, status."""
    rig = rigs(slos=[reduction(by=())], nodes=[node("a", since=BASE), node("b", since=BASE)])
    for device, factor in (("a", 12), ("b", 8)):
        series = Series(device, start=BASE - MINUTE)
        for metric, each in ((RAW, 100.0 * factor), (SENT, 100.0)):
            for minute in range(121):
                row = series.row(metric, "By", BASE + minute * MINUTE, None, None)
                rig.points.sums.append([*row, each * (minute + 1), True])
    rig.points.flush()
    now = BASE + 2 * HOUR + 10 * MINUTE
    jobs.roll_up(rig.deps, now)
    derive(rig, [BASE, BASE + HOUR], now)
    assert verdicts(rig, "reduction", "device") == {
        (device, BASE + i * HOUR): verdict for device, verdict in (("a", "good"), ("b", "bad")) for i in (0, 1)
    }
    status = next(s for s in jobs.evaluate(rig.deps, now) if s.slo.name == "reduction")
    assert (status.counts.good, status.counts.bad, status.counts.unknown) == (2, 2, 0)


# --- what exclusions take out of verdicts that don't tell it apart

BROKEN = Exclusion("broken", "it floods", (Matcher("device", "=", "d1"),), BEGIN, None)


def uplink(by: str = "gateway") -> Slo:
    """600 an hour and gateway at most."""
    return sliced("uplink", SliceRule(HOUR, (), sums(SENT), (), "lte", 600), by=(by,))


def flooded(minutes: int = 60, **more: Any) -> list[Counted]:
    """20 a minute of the device that an exclusion names, as a fold marks them."""
    mark = mark_of(BROKEN)
    assert mark is not None
    return each_minute(SENT, BEGIN, minutes, 20, attributes=((mark.name, "1"),), **more)


def excluding(rig: Rig, *exclusions: Exclusion) -> dict[tuple[Any, ...], Any]:
    """Verdicts by gateway under these exclusions."""
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=exclusions)
    derive(rig, (), BEGIN + HOUR)
    return verdicts(rig, "uplink", "gateway")


def test_a_gateways_verdict_is_that_of_the_devices_that_count_with_each_exclusion_that_comes_and_goes(
    rigs: Callable[..., Rig],
) -> None:
    rig = rigs(slos=[uplink()], nodes=[node("d1"), node("d2")])
    count(rig, [*flooded(), *each_minute(SENT, BEGIN, 60, 5)])
    for exclusions, said in (((), "bad"), ((BROKEN,), "good"), ((), "bad"), ((BROKEN,), "good")):
        assert excluding(rig, *exclusions) == {("gw-1", BEGIN): said}
    elsewhere = replace(BROKEN, where=(*BROKEN.where, Matcher("region", "=", "us")))
    assert excluding(rig, elsewhere) == {("gw-1", BEGIN): "bad"}


@pytest.mark.parametrize(
    ("begin", "lasts", "said"), [(0, 50, "good"), (30, 10, "bad"), (10, 45, "good"), (70, 10, "bad")]
)
def test_only_the_excluded_part_of_a_slice_is_taken_out(
    rigs: Callable[..., Rig], begin: int, lasts: int, said: str
) -> None:
    rig = rigs(slos=[uplink()], nodes=[node("d1"), node("d2")])
    count(rig, [*flooded(), *each_minute(SENT, BEGIN, 60, 5)])
    part = replace(BROKEN, start=BEGIN + begin * MINUTE, duration=lasts * MINUTE)
    assert excluding(rig, part) == {("gw-1", BEGIN): said}


@pytest.mark.parametrize("begin", [0, 5])
def test_what_a_reconnect_brings_after_excluded_time_may_belong_to_it(rigs: Callable[..., Rig], begin: int) -> None:
    """Nobody knows how much of the increase over a silence was before the exclusion ended."""
    rig = rigs(slos=[uplink()], nodes=[node("d1"), node("d2")])
    late = [replace(r, events=700, bridged=700) for r in flooded() if r.minute == BEGIN + 30 * MINUTE]
    count(rig, [*flooded(10), *late, *each_minute(SENT, BEGIN, 60, 5)])
    part = replace(BROKEN, start=BEGIN + begin * MINUTE, duration=20 * MINUTE)
    assert excluding(rig, part) == {("gw-1", BEGIN): "unknown unsure"}


def test_a_gateway_without_any_device_that_counts_has_no_verdict(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[uplink()], nodes=[node("d1"), node("d3", "gw-2")])
    count(rig, [*flooded(), *flooded(gateway="gw-2")])
    assert excluding(rig, BROKEN) == {("gw-2", BEGIN): "unknown missing"}, "another of its devices was expected"


def test_an_entity_that_the_inventory_does_not_know_is_not_silent_while_all_of_it_is_taken_out(
    rigs: Callable[..., Rig],
) -> None:
    rig = rigs(slos=[uplink("model")])
    hours = [BEGIN, BEGIN + HOUR, BEGIN + 2 * HOUR]
    count(rig, [r for hour in (hours[0], hours[2]) for r in each_minute(SENT, hour, 60, 5, model="m")])
    count(rig, [replace(r, minute=r.minute + HOUR) for r in flooded(model="m")])
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=(BROKEN,))
    derive(rig, (), BEGIN + 3 * HOUR)
    assert verdicts(rig, "uplink", "model") == {("m", hours[0]): "good", ("m", hours[2]): "good"}


def test_a_verdict_of_one_device_is_left_to_be_taken_out_as_a_whole(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth()], nodes=[node("d1")])
    count(rig, flooded(device="d1"))
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=(BROKEN,))
    derive(rig, (), BEGIN + HOUR)
    assert verdicts(rig, "bandwidth", "device") == {("d1", BEGIN): "bad"}


# --- slices of other entities: between their first and their last data


def requests(model: str, minute: datetime, good: float, bad: float) -> list[Counted]:
    outcomes = (("success", good), ("failure", bad))
    return [Counted(REQUESTS, minute, n, model=model, attributes=((OUTCOME, name),)) for name, n in outcomes]


def test_a_slice_without_valid_events_is_unknown(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[availability()])
    rows = (
        requests("m", BEGIN, 9, 1) + requests("m", BEGIN + 5 * MINUTE, 8, 2) + requests("m", BEGIN + 10 * MINUTE, 0, 0)
    )
    derive(rig, count(rig, rows))
    found = verdicts(rig, "slices", "model")
    assert [found["m", BEGIN + i * 5 * MINUTE] for i in range(3)] == ["good", "bad", "unknown idle"]


def test_slices_between_two_that_have_data_are_unknown_whichever_came_first(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[availability()])

    def at(slices: int) -> datetime:
        return BEGIN + slices * 5 * MINUTE

    derive(rig, count(rig, requests("m", at(0), 10, 0)))
    assert verdicts(rig, "slices", "model") == {("m", at(0)): "good"}
    derive(rig, count(rig, requests("m", at(40), 10, 0)))
    silent = {("m", at(i)): "unknown missing" for i in range(1, 40)}
    assert verdicts(rig, "slices", "model") == {("m", at(0)): "good", **silent, ("m", at(40)): "good"}
    # Late data inside the silence, and then what was first turns out to be nothing.
    derive(rig, count(rig, requests("m", at(30), 0, 5)))
    assert verdicts(rig, "slices", "model")["m", at(30)] == "bad"
    derive(rig, count(rig, [replace(r, items=0, events=0) for r in requests("m", at(0), 10, 0)], revision=9))
    left = {("m", at(i)): "unknown missing" for i in range(31, 40)}
    assert verdicts(rig, "slices", "model") == {("m", at(30)): "bad", **left, ("m", at(40)): "good"}


def test_a_ratio_counts_as_much_good_as_it_is_whatever_the_traffic(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[availability(mode="ratio")])
    derive(rig, count(rig, requests("m", BEGIN, 3, 1) + requests("m", BEGIN + 5 * MINUTE, 10**6, 0)))
    assert verdicts(rig, "slices", "model") == {
        ("m", BEGIN, "good"): 0.75,
        ("m", BEGIN, "bad"): 0.25,
        ("m", BEGIN + 5 * MINUTE): "good",
    }


def test_a_ratio_that_must_be_low_is_the_bad_part(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[availability("lte", "ratio")])
    derive(rig, count(rig, requests("m", BEGIN, 3, 1)))
    assert verdicts(rig, "slices", "model") == {("m", BEGIN, "good"): 0.25, ("m", BEGIN, "bad"): 0.75}


def test_events_of_unknown_weight_make_a_slice_unknown(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[availability()])
    rows = requests("m", BEGIN, 10, 0)
    derive(rig, count(rig, [rows[0], replace(rows[1], unweighted=3, items=0)]))
    assert verdicts(rig, "slices", "model") == {("m", BEGIN): "unknown unsure"}


def test_a_band_on_both_sides_of_the_cut_makes_a_slice_unknown_only_if_it_matters(rigs: Callable[..., Rig]) -> None:
    fast = sums("latency", where=(Matcher("value", "<=", "0.1"),))
    rule = SliceRule(HOUR, (), fast, sums("latency"), "gte", 0.9)
    rig = rigs(slos=[sliced("fast", rule, by=("model",))])
    rows = []
    for model, wide in (("sure", 5), ("unsure", 50)):
        rows.append(Counted("latency", BEGIN, 95, model=model, attributes=(("gt", "-inf"), ("le", "0.1"))))
        rows.append(Counted("latency", BEGIN, wide, model=model, attributes=(("gt", "-inf"), ("le", "inf"))))
    derive(rig, count(rig, rows))
    assert verdicts(rig, "fast", "model") == {("sure", BEGIN): "good", ("unsure", BEGIN): "unknown unsure"}


def test_entities_may_be_told_apart_by_an_attribute(rigs: Callable[..., Rig]) -> None:
    rule = SliceRule(HOUR, ("line",), sums("scrap"), (), "gte", 3)
    rig = rigs(slos=[sliced("scrap", rule, by=())])
    lines = {"a": 5, 'b "x"': 3}
    rows = [Counted("scrap", BEGIN + h * HOUR, n, attributes=(("line", k),)) for k, n in lines.items() for h in (0, 2)]
    derive(rig, count(rig, rows))
    found = rig.rows("SELECT Attributes, Minute FROM count_minutes FINAL WHERE Measure = 'slice:scrap' AND Items > 0")
    said = {(json.loads(r["Attributes"])["line"], r["Minute"]): json.loads(r["Attributes"])["verdict"] for r in found}
    assert said == {(k, BEGIN + h * HOUR): "unknown" if h == 1 else "good" for k in lines for h in range(3)}


# --- as a job


def test_a_slice_is_judged_when_it_has_ended(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600)])
    hours = count(rig, each_minute(SENT, BASE, 30, 100, device="a"))
    assert derive(rig, hours, BASE + 59 * MINUTE) == set()
    assert derive(rig, (), BASE + 60 * MINUTE) == {BASE}


def test_late_data_judges_exactly_the_touched_slices_again(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600), reduction()], nodes=[node("a"), node("b")])
    rows = [r for device in "ab" for r in each_minute(SENT, BEGIN, 600, 10, device=device)]
    derive(rig, count(rig, rows))
    before = written(rig, "bandwidth")
    late = BEGIN + 3 * HOUR + 10 * MINUTE
    assert derive(rig, count(rig, [Counted(SENT, late, 99, device="a")], revision=7)) == {BEGIN + 3 * HOUR}
    # The verdict that was, emptied, and the one that is.
    assert written(rig, "bandwidth") == before + 2
    found = verdicts(rig, "bandwidth", "device")
    assert [key for key, said in found.items() if said == "bad"] == [("a", BEGIN + 3 * HOUR)]


def test_slices_that_hold_what_they_held_are_not_looked_at_again(
    rigs: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each tick touches the whole hour, but only for two minutes is it sure that nobody else judged."""
    rig = rigs(slos=[availability()])
    hours = count(rig, [r for i in range(60) for r in requests("m", BEGIN + i * MINUTE, 10, 0)])
    derive(rig, hours, BEGIN + HOUR)
    asked: list[datetime] = []
    real = rig.store.rows

    def rows(name: str, **more: Any) -> list[dict[str, Any]]:
        if name == "slice_verdicts":
            asked.append(more["lo"])
        return real(name, **more)

    monkeypatch.setattr(rig.store, "rows", rows)
    derive(rig, hours, BEGIN + HOUR + MINUTE)
    assert asked == []
    derive(rig, count(rig, requests("m", BEGIN + 30 * MINUTE, 0, 50), revision=5), BEGIN + HOUR + MINUTE)
    assert asked == [BEGIN + 25 * MINUTE]
    assert verdicts(rig, "slices", "model")["m", BEGIN + 30 * MINUTE] == "bad"
    derive(rig, hours, BEGIN + HOUR + 5 * MINUTE - timedelta(seconds=1))
    assert asked[1:] == [BEGIN - 5 * MINUTE]


def test_a_new_rule_has_a_past_and_a_changed_one_is_judged_anew(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=[bandwidth(600)])
    count(rig, each_minute(SENT, BEGIN, 240, 10, device="a"))
    assert len(derive(rig)) == 4
    assert derive(rig) == set()
    rig.deps.catalogue = Catalogue((bandwidth(599),), ())
    assert len(derive(rig)) == 4
    assert set(verdicts(rig, "bandwidth", "device").values()) == {"bad"}


@pytest.mark.parametrize(("rules", "tail"), [(5, ""), (60, "-" + "x" * 80)], ids=["few", "more than can be named"])
def test_rules_of_one_slice_length_are_one_query(
    rigs: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch, rules: int, tail: str
) -> None:
    """Long parameters are sent as a form, which the embedded store does not take."""
    rig = rigs(slos=[replace(bandwidth(100.0 * n), **_named(f"budget-{n}{tail}", 100.0 * n)) for n in range(rules)])
    count(rig, each_minute(SENT, BEGIN, 60, 10, device="a"))
    asked: list[str] = []
    real = rig.store.rows

    def rows(name: str, **more: object) -> list[dict[str, Any]]:
        asked.append(name)
        return real(name, **more)

    monkeypatch.setattr(rig.store, "rows", rows)
    derive(rig, now=BEGIN + HOUR)
    assert asked == ["slice_begin", "slice_sums", "slice_verdicts"]
    assert verdicts(rig, f"budget-3{tail}", "device") == {("a", BEGIN): "bad"}
    assert derive(rig, [BEGIN], BEGIN + HOUR) == set()


def _named(name: str, limit: float) -> dict[str, Any]:
    return {"name": name, "sli": sliced(name, SliceRule(HOUR, ("device",), sums(SENT), (), "lte", limit)).sli}


# --- against brute force


@dataclass
class World:
    """What was counted in the end, however often it was corrected on the way."""

    rows: dict[tuple[Any, ...], Counted]

    def put(self, row: Counted) -> None:
        self.rows[row.measure, row.minute, row.device, row.model, row.attributes] = row


SPAN = 8 * HOUR


def batches(dice: random.Random) -> list[list[Counted]]:
    """Rows in the order that they came in; some correct earlier ones, some take them back."""
    rows: list[Counted] = []
    for device in ("a", "b", "c"):
        for minute in range(0, int(SPAN / MINUTE), dice.choice([1, 7, 13])):
            if dice.random() < 0.6 and (minute // 60 + ord(device)) % 4:
                rows.append(Counted(SENT, BEGIN + minute * MINUTE, dice.choice([0, 5, 40]), device=device))
                rows.append(Counted(RAW, BEGIN + minute * MINUTE, dice.choice([0, 50, 600]), device=device))
    for model in ("m", "n", "o"):
        for minute in range(0, int(SPAN / MINUTE), 3):
            if dice.random() < 0.25 and (minute // 45) % 3:
                rows += requests(model, BEGIN + minute * MINUTE, dice.randint(0, 20), dice.choice([0, 0, 1, 5]))
    dice.shuffle(rows)
    third = len(rows) // 3
    parts = [rows[:third], rows[third : 2 * third], rows[2 * third :]]
    again = [
        replace(r, events=0, items=0) if dice.random() < 0.5 else replace(r, events=r.events + 3) for r in parts[0][::9]
    ]
    gone = dice.choice(["m", "n", "o"])
    return [
        *parts,
        again,
        [replace(r, events=0, items=0) for r in rows if r.model == gone and r.minute > BEGIN + 4 * HOUR],
    ]


def oracle(world: World, nodes: Sequence[str]) -> dict[str, dict[tuple[str, datetime], str]]:
    """By loops over rows; shares nothing with the engine."""
    alive = [r for r in world.rows.values() if r.items]
    out: dict[str, dict[tuple[str, datetime], str]] = {"bandwidth": {}, "reduction": {}, "slices": {}}
    for device in nodes:
        for i in range(int(SPAN / HOUR)):
            start = BEGIN + i * HOUR
            mine = [r for r in alive if r.device == device and start <= r.minute < start + HOUR]
            sent = [r for r in mine if r.measure == SENT]
            total, raw = sum(r.events for r in sent), sum(r.events for r in mine if r.measure == RAW)
            cells = len({r.minute.minute // 10 for r in sent})
            budget = "bad" if total > 300 else "good" if cells >= 5 else "unknown uncovered"
            out["bandwidth"][device, start] = budget if sent else "unknown missing"
            told = "unknown idle" if raw == total == 0 else "good" if raw >= 10 * total else "bad"
            out["reduction"][device, start] = (told if sent else "unknown partial") if mine else "unknown missing"
    seen: dict[str, dict[datetime, list[Counted]]] = defaultdict(lambda: defaultdict(list))
    for r in alive:
        if r.measure == REQUESTS:
            seen[r.model][r.minute.replace(minute=r.minute.minute // 5 * 5)].append(r)
    for model, slices in seen.items():
        at = min(slices)
        while at <= max(slices):
            held = slices.get(at, [])
            good = sum(r.events for r in held if ("success" in dict(r.attributes).values()))
            total = sum(r.events for r in held)
            judged = "unknown idle" if total == 0 else "good" if good / total >= 0.9 else "bad"
            out["slices"][model, at] = judged if held else "unknown missing"
            at += 5 * MINUTE
    return out


@pytest.mark.parametrize("seed", range(2))
def test_verdicts_are_what_brute_force_says_in_whatever_order_data_came(rigs: Callable[..., Rig], seed: int) -> None:
    dice = random.Random(seed)
    rules, nodes = [bandwidth(300), reduction(), availability()], ["a", "b", "c", "never"]
    rig = rigs(slos=rules, nodes=[node(n) for n in nodes])
    world, now = World({}), BEGIN + SPAN
    for number, batch in enumerate(batches(dice)):
        for row in batch:
            world.put(row)
        derive(rig, count(rig, batch, revision=number + 1), now)
    expected = oracle(world, nodes)
    for name, by in (("bandwidth", "device"), ("reduction", "device"), ("slices", "model")):
        found = verdicts(rig, name, by)
        wrong = {k: (found.get(k), expected[name].get(k)) for k in {*found, *expected[name]}}
        assert {k: v for k, v in wrong.items() if v[0] != v[1]} == {}, name
    before = {name: written(rig, name) for name in expected}
    with rig.deps.state.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")
    rig.deps.slices_seen.clear()
    assert derive(rig, now=now) == set()
    assert {name: written(rig, name) for name in expected} == before
