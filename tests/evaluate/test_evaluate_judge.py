"""What a slice's state is, and that the reasons for having no answer are told apart."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta  # type: ignore[import-untyped]

from sloengine.config.catalogue import load_policies
from sloengine.evaluate.cube import FIGURES, Cube, build
from sloengine.evaluate.interval import bad_ratio_interval
from sloengine.evaluate.judge import STALE_AFTER, judge, stale_after
from sloengine.evaluate.measure import Measured, frame_of, measure
from sloengine.evaluate.plan import Matches
from sloengine.model import (
    DIMENSIONS,
    Counts,
    Matcher,
    Node,
    Selector,
    Sli,
    SliceRule,
    Slo,
    Source,
    State,
    Status,
    Unknown,
    Weighting,
)
from sloengine.times import utc

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = (5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY, 30 * DAY)
GOOD, BAD, NONE = Counts(good=1000), Counts(bad=1000), Counts()


REQUESTS = Selector(Source.SUM, "requests")
SUCCESS = Selector(Source.SUM, "requests", (Matcher("outcome", "=", "success"),))
FAILURE = Selector(Source.SUM, "requests", (Matcher("outcome", "=", "failure"),))


def slo(by: tuple[str, ...] = ("region",), target: float = 0.99, *, zero_tolerance: bool = False) -> Slo:
    return Slo(
        name="digits-success",
        display_name="Digits answered",
        description="",
        service="digits",
        indicator="M1",
        target=target,
        window=30 * DAY,
        by=by,
        sli=Sli((SUCCESS,), (FAILURE,), (REQUESTS,)),
        policy=load_policies()["sre-workbook"],
        owner=None,
        runbook=None,
        source="slos.yaml:1",
        zero_tolerance=zero_tolerance,
    )


def seen(
    by_window: Counts | Mapping[timedelta, Counts],
    last: timedelta | None = MINUTE,
    region: str = "eu-north",
    versions: Mapping[str, Counts] | None = None,
) -> Measured:
    """What one region measured."""
    held = by_window if isinstance(by_window, Mapping) else dict.fromkeys(WINDOWS, by_window)
    newest = None if last is None else NOW - last
    return Measured((("region", region),), held[30 * DAY], held, newest, versions or {})


def windows(recent: Counts, past: Counts, until: timedelta) -> dict[timedelta, Counts]:
    """``recent`` in every window up to ``until`` long, ``past`` in the longer ones."""
    return {w: recent if w <= until else past for w in WINDOWS}


def node(device: str = "d1", region: str = "eu-north", since: timedelta = 60 * DAY, service: str = "digits") -> Node:
    return Node(device, f"gw-{region}", region, service, NOW - since)


@pytest.mark.parametrize(
    ("case", "items", "state", "words"),
    [
        ("nothing ever arrived", [], State.STALE, "nothing was ever received"),
        ("newest data is too old", [seen(GOOD, last=2 * HOUR)], State.STALE, "newest data is 2h old"),
        ("exactly at the limit is not stale", [seen(GOOD, last=STALE_AFTER)], State.OK, "100% of the budget left"),
        ("a second past the limit is", [seen(GOOD, last=STALE_AFTER + timedelta(seconds=1))], State.STALE, "5m1s old"),
        ("data comes, but no request", [seen(NONE)], State.NO_TRAFFIC, "no valid events in 30d"),
        ("only events that can't be told", [seen(Counts(unknown=9))], State.NO_TRAFFIC, "no valid events"),
        ("all good", [seen(GOOD)], State.OK, "100% of the budget left"),
        ("half the budget", [seen(Counts(good=1990, bad=10))], State.OK, "50% of the budget left"),
        (
            "spent long ago, fine now",
            [seen(windows(GOOD, Counts(good=97, bad=3), 3 * DAY))],
            State.EXHAUSTED,
            "200% over the budget of 30d",
        ),
        ("bad on all windows", [seen(BAD)], State.BURNING, "burning 100.0x over 1h and 100.0x over 5m, limit 14.4x"),
        (
            "bad an hour ago, quiet now: spent but not burning fast",
            [seen({**windows(GOOD, BAD, 6 * HOUR), 30 * DAY: Counts(good=10**7, bad=1)})],
            State.OK,
            "budget left",
        ),
        (
            "only the slow pair is over",
            [seen({**windows(Counts(good=980, bad=20), GOOD, 3 * DAY)})],
            State.BURNING,
            "over 3d and 2.0x over 6h, limit 1.0x",
        ),
        ("data that was never dated was never received", [seen(GOOD, last=None)], State.STALE, "was ever received"),
        (
            "one bad of ten proves nothing",
            [seen(Counts(good=9, bad=1))],
            State.EXHAUSTED,
            "900% over the budget of 30d",
        ),
    ],
)
def test_states_are_told_apart(case: str, items: list[Measured], state: State, words: str) -> None:
    (found,) = judge(slo(), items, [node()], NOW)
    assert found.state is state, (case, found.reason)
    assert words in found.reason, case


def test_no_answer_has_no_number() -> None:
    (never,) = judge(slo(), [], [node()], NOW)
    (silent,) = judge(slo(), [seen(NONE)], [node()], NOW)
    assert (never.sli, never.budget_remaining, never.since_last_data) == (None, None, None)
    assert (silent.sli, silent.budget_remaining, silent.since_last_data) == (None, None, MINUTE)


def test_a_budget_spent_to_the_last_event_does_not_read_as_minus_zero() -> None:
    spent = seen(windows(GOOD, Counts(good=3, bad=1), 3 * DAY))
    (found,) = judge(slo(target=0.75), [spent], [], NOW)
    assert (found.state, found.budget_remaining) == (State.EXHAUSTED, 0.0)
    assert "-0" not in found.reason


def test_every_slice_has_its_own_budget_and_the_order_is_stable() -> None:
    found = judge(slo(), [seen(BAD, region="us-west"), seen(GOOD, region="eu-north")], [], NOW)
    assert [(s.group, s.state) for s in found] == [
        ((("region", "eu-north"),), State.OK),
        ((("region", "us-west"),), State.BURNING),
    ]


def test_a_node_of_another_service_makes_no_slice() -> None:
    assert judge(slo(), [], [node(service="letters")], NOW) == []


def test_a_region_that_never_sent_is_stale_beside_one_that_does() -> None:
    found = judge(slo(), [seen(GOOD)], [node(), node("d2", "ap-south")], NOW)
    assert [(dict(s.group)["region"], s.state) for s in found] == [("ap-south", State.STALE), ("eu-north", State.OK)]


def test_the_inventory_can_not_name_slices_by_model() -> None:
    assert judge(slo(by=("model", "region")), [], [node()], NOW) == []


def test_versions_are_listed_with_the_worst_first() -> None:
    (found,) = judge(slo(), [seen(GOOD, versions={"1": GOOD, "2": Counts(5, 5), "0": GOOD})], [], NOW)
    assert found.versions == (("2", Counts(5, 5)), ("0", GOOD), ("1", GOOD))


@pytest.mark.parametrize(
    ("case", "held", "state", "words"),
    [
        ("none bad", GOOD, State.OK, "none bad in 30d"),
        ("bad now", Counts(good=10**6, bad=2), State.BURNING, "2 bad over 1h, where none is tolerated"),
        (
            "bad once",
            windows(GOOD, Counts(good=10**6, bad=2), 3 * DAY),
            State.EXHAUSTED,
            "2 bad in 30d, where none is tolerated",
        ),
        ("nothing at all", NONE, State.NO_TRAFFIC, "no valid events in 30d"),
    ],
)
def test_where_nothing_bad_is_tolerated_one_bad_event_decides(
    case: str, held: Counts | Mapping[timedelta, Counts], state: State, words: str
) -> None:
    (found,) = judge(slo(target=1.0, zero_tolerance=True), [seen(held)], [], NOW)
    assert (found.state, found.reason) == (state, words), case


def test_a_status_says_how_sure_its_ratio_is() -> None:
    """Clopper and Pearson's interval of 10 bad in 1,000, from the beta quantiles of scipy."""
    low, high = beta.ppf(0.025, 10, 991), beta.ppf(0.975, 11, 990)
    (found,) = judge(slo(), [seen(Counts(good=990, bad=10))], [], NOW)
    assert found.interval == pytest.approx((1 - high, 1 - low))
    assert found.effective == 1000
    weighted = Counts(good=990, bad=10, good_squares=990 * 5.0, bad_squares=10 * 5.0)
    (found,) = judge(slo(), [seen(weighted)], [], NOW)
    assert found.effective == pytest.approx(200)
    assert found.interval is not None and found.interval[0] < 1 - high < 1 - low < found.interval[1]
    (found,) = judge(slo(), [seen(NONE)], [], NOW)
    assert (found.interval, found.effective) == (None, 0)


def test_a_status_carries_its_window_and_its_budget() -> None:
    (found,) = judge(slo(), [seen(Counts(good=1990, bad=10))], [], NOW)
    assert (found.window_start, found.window_end) == (NOW - 30 * DAY, NOW)
    assert found.budget is not None
    assert (found.budget.allowed, found.budget.spent, found.budget.remaining) == pytest.approx((20, 10, 0.5))
    assert found.budget_remaining == found.budget.remaining


@pytest.mark.parametrize(
    ("case", "covered_s", "nodes", "coverage"),
    [
        ("nothing is expected", 60.0, [], None),
        ("all heard all the time", 30 * 86400.0, [node()], 1.0),
        ("heard half the time", 15 * 86400.0, [node()], 0.5),
        ("one of two nodes", 30 * 86400.0, [node(), node("d2")], 0.5),
        ("a node counts since it is listed", 86400.0, [node(since=DAY)], 1.0),
        ("a node of another region is not expected here", 30 * 86400.0, [node(), node("d2", "us")], 1.0),
        ("a node of another service is not either", 30 * 86400.0, [node(), node("d2", service="letters")], 1.0),
        ("a node that begins tomorrow expects nothing", 60.0, [node(since=-DAY)], None),
        ("more than expected is still all", 99 * 86400.0, [node()], 1.0),
    ],
)
def test_coverage_is_covered_over_expected_node_time(
    case: str, covered_s: float, nodes: list[Node], coverage: float | None
) -> None:
    found = judge(slo(), [seen(Counts(good=1, covered_s=covered_s))], nodes, NOW)
    (here,) = [s for s in found if dict(s.group)["region"] == "eu-north"]
    assert here.coverage == (None if coverage is None else pytest.approx(coverage)), case


# --- from rows of the bucket tables to statuses, past the query

Row = dict[str, object]
FRAME = frame_of([slo()], [], NOW)


def row(outcome: str, events: float, band: int, last: timedelta = MINUTE, **dimensions: str) -> Row:
    """A row as ``window_bands.sql`` gives it; ``band`` counts from the newest, 0 being the minute that has just begun."""
    names = {"service": "digits", "region": "eu-north", **dimensions}
    figures = {**dict.fromkeys(FIGURES, 0.0), "Events": events, "Squares": events}
    attributes = f'{{"outcome":"{outcome}"}}' if outcome else ""
    key = {"Measure": "requests", "Attributes": attributes, "Band": len(FRAME.edges) - band}
    return {**key, **{d: names.get(d, "") for d in DIMENSIONS}, **figures, "Last": NOW - last}


def cube(rows: list[Row]) -> Cube:
    return build(rows, FRAME.edges, FRAME.at, utc)


def judged(rows: list[Row], by: tuple[str, ...] = ("region",)) -> list[Status]:
    one, held = slo(by), cube(rows)
    return judge(one, measure(one, held, held, FRAME, Matches()), [], NOW)


def test_dimensions_that_are_not_asked_for_are_summed_over() -> None:
    rows = [row("success", 7, 0, region="a", version="1"), row("failure", 5, 3, region="b", version="2"), row("", 2, 1)]
    assert [(s.group, s.counts) for s in judged(rows, ())] == [((), Counts(7, 5, 2))]


def test_other_services_are_none_of_its_business() -> None:
    assert judged([row("failure", 9, 0, service="letters")]) == []


def test_one_fresh_source_keeps_a_slice_fresh() -> None:
    (found,) = judged([row("success", 9, 0, last=DAY, gateway="g"), row("success", 9, 0, gateway="h")])
    assert found.since_last_data == MINUTE


def test_versions_are_counted_over_the_shortest_alert_window() -> None:
    (found,) = judged(
        [row("success", 9, 0, version="1"), row("failure", 4, 0, version="2"), row("failure", 9, 4, version="2")]
    )
    assert found.versions == (("2", Counts(0, 4)), ("1", Counts(9, 0)))


@pytest.mark.parametrize("span", WINDOWS)
def test_a_window_holds_its_bands_and_no_older_one(span: timedelta) -> None:
    """A thousand events in the oldest band of a window, one in the newest, against the windows' own definition."""
    first = FRAME.edges.index(NOW - span)
    rows = [row("failure", 1, 0), row("failure", 1000, len(FRAME.edges) - 1 - first)]
    one, held = slo(), cube(rows)
    (found,) = measure(one, held, held, FRAME, Matches())
    assert {w: found.spans[w].bad for w in WINDOWS} == {w: 1001 if w >= span else 1 for w in WINDOWS}


cells = st.builds(
    row,
    st.sampled_from(["success", "failure", "shrug", ""]),
    st.integers(0, 99).map(float),
    st.integers(0, len(FRAME.edges) - 1),
    last=st.integers(0, 10_000).map(lambda s: timedelta(seconds=s)),
    region=st.sampled_from(["a", "b"]),
    version=st.sampled_from(["1", "2", ""]),
    gateway=st.sampled_from(["g", "h"]),
)


@settings(deadline=None)
@given(st.lists(cells, max_size=12), st.randoms())
def test_the_order_of_rows_does_not_matter_and_no_event_is_lost(items: list[Row], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = judged(items)
    assert judged(shuffled) == found
    whole = {
        o: sum(float(str(i["Events"])) for i in items if o in str(i["Attributes"])) for o in ("success", "failure")
    }
    unknown = sum(float(str(i["Events"])) for i in items) - sum(whole.values())
    counted = sum((s.counts for s in found), Counts())
    assert (counted.good, counted.bad, counted.unknown) == (whole["success"], whole["failure"], unknown)
    for status in found:
        assert (status.sli is None) is (status.counts.valid == 0)
        assert status.reason
        if any(b.exceeded for b in status.burns):
            assert status.state is State.BURNING
        elif status.since_last_data and status.since_last_data > STALE_AFTER:
            assert status.state is State.STALE


def test_what_is_judged_by_the_hour_is_not_stale_by_the_minute() -> None:
    hourly = SliceRule(timedelta(hours=1), ("device",), (), (), "lte", 1.0)
    derived = {name: Sli(total=(Selector(Source.DERIVED, name),)) for name in ("drift.psi", "rollout.devices")}
    limits = {name: stale_after(replace(slo(), sli=sli)) for name, sli in derived.items()}
    assert limits == {"drift.psi": timedelta(hours=3), "rollout.devices": None}
    assert stale_after(replace(slo(), sli=Sli(slices=hourly))) == timedelta(hours=2) + STALE_AFTER
    assert stale_after(slo()) == STALE_AFTER


def _ten_devices(bad_of_first: float, **more: str) -> list[Row]:
    rows = [row("success", 1000, 1, device=f"d{n}", region="eu", **more) for n in range(10)]
    return [*rows, row("failure", bad_of_first, 1, device="d0", region="eu", **more)]


def test_failures_of_one_device_pin_the_ratio_down_less_than_as_many_of_all() -> None:
    (apart,) = judged(_ten_devices(100))
    alike = [
        row(o, n, 1, device=f"d{k}", region="eu") for k in range(10) for o, n in (("success", 1000), ("failure", 10))
    ]
    (even,) = judged(alike)
    plain = bad_ratio_interval(10_000, 100, 10_000, 100)
    assert (apart.clustered, even.clustered) == (10, 10)
    assert even.interval == pytest.approx((1 - plain.high, 1 - plain.low))
    assert even.effective == 10_100
    assert apart.interval is not None and even.interval is not None
    assert apart.interval[0] < even.interval[0] < even.interval[1] < apart.interval[1]
    # All bad events of one node of ten: they know as much as about one node.
    assert apart.effective is not None and 80 < apart.effective < 120


def test_without_detail_of_nodes_events_are_taken_to_be_independent() -> None:
    (found,) = judged([row("success", 10_000, 1, region="eu"), row("failure", 100, 1, region="eu")])
    assert (found.clustered, found.effective) == (0, 10_100)
    slices = judged(_ten_devices(100), ("device",))
    assert {s.clustered for s in slices} == {0}, "a device's own slice has one node"


def test_what_unknown_counts_as_counts_for_the_nodes_too() -> None:
    rows = [*(row("success", 1000, 1, device=f"d{n}") for n in range(10)), row("cancelled", 100, 1, device="d0")]
    of = replace(slo(by=()), unknown=Unknown.BAD)
    (found,) = judge(of, measure(of, cube(rows), cube(rows), FRAME, Matches()), (), NOW)
    (same,) = judged(_ten_devices(100), ())
    assert found.interval == pytest.approx(same.interval)


def test_the_mean_of_nodes_is_as_sure_as_nodes_are_alike_whatever_they_send() -> None:
    """Equal nodes of many events: as ten events the mean would be anything from 0.7 to 1."""
    of = replace(slo(by=()), weighting=Weighting.NODES)
    rows = [
        row(o, n * 10**k, 1, device=f"d{k}{j}")
        for k in range(3)
        for j in range(4)
        for o, n in (("success", 990), ("failure", 10))
    ]
    (found,) = judge(of, measure(of, cube(rows), cube(rows), FRAME, Matches()), (), NOW)
    assert (found.clustered, found.sli) == (12, pytest.approx(0.99))
    assert found.interval is not None and 0.985 < found.interval[0] < 0.99 < found.interval[1] < 0.995
