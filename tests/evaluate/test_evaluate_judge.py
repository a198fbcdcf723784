"""What a slice's state is, and that the reasons for having no answer are told apart."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.config.catalogue import load_policies
from sloengine.evaluate.judge import STALE_AFTER, Sums, judge
from sloengine.model import DIMENSIONS, Counts, Node, Slo, State

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WINDOWS = (5 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 6 * HOUR, DAY, 3 * DAY, 30 * DAY)
GOOD, BAD, NONE = Counts(good=1000), Counts(bad=1000), Counts()


def slo(by: tuple[str, ...] = ("region",), target: float = 0.99) -> Slo:
    return Slo(
        name="digits-success",
        display_name="Digits answered",
        description="",
        service="digits",
        indicator="M1",
        target=target,
        window=30 * DAY,
        by=by,
        where={},
        policy=load_policies()["sre-workbook"],
        threshold_s=None,
        owner=None,
        runbook=None,
        source="slos.yaml:1",
    )


def sums(by_window: Counts | Mapping[timedelta, Counts], last: timedelta = MINUTE, **dimensions: str) -> Sums:
    names = {"service": "digits", "region": "eu-north", **dimensions}
    held = by_window if isinstance(by_window, Mapping) else dict.fromkeys(WINDOWS, by_window)
    return Sums({d: names.get(d, "") for d in DIMENSIONS}, held, NOW - last)


def windows(recent: Counts, past: Counts, until: timedelta) -> dict[timedelta, Counts]:
    """``recent`` in every window up to ``until`` long, ``past`` in the longer ones."""
    return {w: recent if w <= until else past for w in WINDOWS}


def node(device: str = "d1", region: str = "eu-north", since: timedelta = 60 * DAY, service: str = "digits") -> Node:
    return Node(device, f"gw-{region}", region, service, NOW - since)


@pytest.mark.parametrize(
    ("case", "items", "state", "words"),
    [
        ("nothing ever arrived", [], State.STALE, "nothing was ever received"),
        ("newest data is too old", [sums(GOOD, last=2 * HOUR)], State.STALE, "newest data is 2h old"),
        ("exactly at the limit is not stale", [sums(GOOD, last=STALE_AFTER)], State.OK, "100% of the budget left"),
        ("a second past the limit is", [sums(GOOD, last=STALE_AFTER + timedelta(seconds=1))], State.STALE, "5m1s old"),
        ("data comes, but no request", [sums(NONE)], State.NO_TRAFFIC, "no valid events in 30d"),
        ("only events that can't be told", [sums(Counts(unknown=9))], State.NO_TRAFFIC, "no valid events"),
        ("all good", [sums(GOOD)], State.OK, "100% of the budget left"),
        ("half the budget", [sums(Counts(good=1990, bad=10))], State.OK, "50% of the budget left"),
        (
            "spent long ago, fine now",
            [sums(windows(GOOD, Counts(good=97, bad=3), 3 * DAY))],
            State.EXHAUSTED,
            "200% over the budget of 30d",
        ),
        ("bad on all windows", [sums(BAD)], State.BURNING, "burning 100.0x over 1h and 100.0x over 5m, limit 14.4x"),
        (
            "bad an hour ago, quiet now: spent but not burning fast",
            [sums({**windows(GOOD, BAD, 6 * HOUR), 30 * DAY: Counts(good=10**7, bad=1)})],
            State.OK,
            "budget left",
        ),
        (
            "only the slow pair is over",
            [sums({**windows(Counts(good=980, bad=20), GOOD, 3 * DAY)})],
            State.BURNING,
            "over 3d and 2.0x over 6h, limit 1.0x",
        ),
        ("one fresh source keeps a slice fresh", [sums(GOOD, last=DAY), sums(GOOD)], State.OK, "left"),
    ],
)
def test_states_are_told_apart(case: str, items: list[Sums], state: State, words: str) -> None:
    (found,) = judge(slo(), items, [node()], NOW)
    assert found.state is state, (case, found.reason)
    assert words in found.reason, case


def test_no_answer_has_no_number() -> None:
    (never,) = judge(slo(), [], [node()], NOW)
    (silent,) = judge(slo(), [sums(NONE)], [node()], NOW)
    assert (never.sli, never.budget_remaining, never.since_last_data) == (None, None, None)
    assert (silent.sli, silent.budget_remaining, silent.since_last_data) == (None, None, MINUTE)


def test_a_budget_spent_to_the_last_event_does_not_read_as_minus_zero() -> None:
    spent = sums(windows(GOOD, Counts(good=3, bad=1), 3 * DAY))
    (found,) = judge(slo(target=0.75), [spent], [], NOW)
    assert (found.state, found.budget_remaining) == (State.EXHAUSTED, 0.0)
    assert "-0" not in found.reason


def test_every_slice_has_its_own_budget_and_the_order_is_stable() -> None:
    found = judge(slo(), [sums(BAD, region="us-west"), sums(GOOD, region="eu-north")], [], NOW)
    assert [(s.group, s.state) for s in found] == [
        ((("region", "eu-north"),), State.OK),
        ((("region", "us-west"),), State.BURNING),
    ]


def test_dimensions_that_are_not_asked_for_are_summed_over() -> None:
    found = judge(slo(by=()), [sums(GOOD, region="a", version="1"), sums(BAD, region="b", version="2")], [], NOW)
    assert [(s.group, s.counts) for s in found] == [((), GOOD + BAD)]


def test_other_services_are_none_of_its_business() -> None:
    assert judge(slo(), [sums(BAD, service="letters")], [node(service="letters")], NOW) == []


def test_a_region_that_never_sent_is_stale_beside_one_that_does() -> None:
    found = judge(slo(), [sums(GOOD)], [node(), node("d2", "ap-south")], NOW)
    assert [(dict(s.group)["region"], s.state) for s in found] == [("ap-south", State.STALE), ("eu-north", State.OK)]


def test_the_inventory_can_not_name_slices_by_model() -> None:
    assert judge(slo(by=("model", "region")), [], [node()], NOW) == []


def test_versions_are_listed_with_the_worst_first_over_the_shortest_window() -> None:
    recent = windows(Counts(good=5, bad=5), BAD, 5 * MINUTE)
    (found,) = judge(slo(), [sums(GOOD, version="1"), sums(recent, version="2"), sums(GOOD, version="0")], [], NOW)
    assert found.versions == (("2", Counts(5, 5)), ("0", GOOD), ("1", GOOD))


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
    found = judge(slo(), [sums(Counts(good=1, covered_s=covered_s))], nodes, NOW)
    (here,) = [s for s in found if dict(s.group)["region"] == "eu-north"]
    assert here.coverage == (None if coverage is None else pytest.approx(coverage)), case


cells = st.builds(
    sums,
    st.fixed_dictionaries(
        {
            w: st.builds(Counts, good=st.integers(0, 99), bad=st.integers(0, 99), unknown=st.integers(0, 9))
            for w in WINDOWS
        }
    ),
    last=st.integers(0, 10_000).map(lambda s: timedelta(seconds=s)),
    region=st.sampled_from(["a", "b"]),
    version=st.sampled_from(["1", "2", ""]),
    gateway=st.sampled_from(["g", "h"]),
)


@given(st.lists(cells, max_size=8), st.randoms())
def test_the_order_of_sums_does_not_matter_and_no_event_is_lost(items: list[Sums], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = judge(slo(), items, [], NOW)
    assert judge(slo(), shuffled, [], NOW) == found
    whole = sum((i.by_window[30 * DAY] for i in items), Counts())
    assert sum((s.counts for s in found), Counts()) == whole
    for status in found:
        assert (status.sli is None) is (status.counts.valid == 0)
        assert status.reason
        if any(b.exceeded for b in status.burns):
            assert status.state is State.BURNING
        elif status.since_last_data and status.since_last_data > STALE_AFTER:
            assert status.state is State.STALE
