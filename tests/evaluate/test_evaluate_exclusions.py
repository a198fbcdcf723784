"""Excluded time, against a walk through the days."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from calendar_watch import DAY, HOUR, MINUTE, at, exclusion, first_shown, instants, local, rules, spell, zones
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.evaluate.cube import COVERED, FIGURES, Cube, Key, Layout, build
from sloengine.evaluate.exclusions import concern, concerned, merged, occurrences
from sloengine.evaluate.measure import Frame, exclude
from sloengine.marked import mark_of
from sloengine.model import DIMENSIONS, Exclusion, Matcher
from sloengine.times import utc


def test_sundays_at_two_stay_at_two_when_the_clocks_change() -> None:
    sundays = exclusion("FREQ=WEEKLY;BYDAY=SU")
    found = occurrences(sundays, at("2026-03-20"), at("2026-04-10"))
    assert [spell(span) for span in found] == [
        ("2026-03-22T01:00", "2026-03-22T03:00"),
        ("2026-03-29T01:00", "2026-03-29T03:00"),  # 02:00 is skipped: from 03:00, for two hours
        ("2026-04-05T00:00", "2026-04-05T02:00"),
    ]
    found = occurrences(sundays, at("2026-10-18"), at("2026-11-02"))
    assert [spell(span) for span in found] == [
        ("2026-10-18T00:00", "2026-10-18T02:00"),
        ("2026-10-25T00:00", "2026-10-25T02:00"),  # 02:00 comes twice: the first
        ("2026-11-01T01:00", "2026-11-01T03:00"),
    ]


@settings(max_examples=40, deadline=None)
@given(
    rule=rules(),
    zone=zones,
    length=st.integers(1, 3000),
    offset_d=st.integers(0, 700),
    around=st.sampled_from([None, local(2026, 3, 29), local(2026, 10, 25), local(2026, 4, 24)]),
)
def test_excluded_minutes_are_those_of_a_walk_through_the_days(
    rule: tuple[str, datetime], zone: str, length: int, offset_d: int, around: datetime | None
) -> None:
    text, start = rule
    lo = ((around - 2 * DAY) if around else start + offset_d * DAY).replace(tzinfo=UTC)
    hi = lo + 5 * DAY
    began = first_shown(start, zone)
    made = exclusion(text, start=began, duration=length * MINUTE, zone=zone)
    near = rrulestr(text, dtstart=began.astimezone(ZoneInfo(zone)).replace(tzinfo=None)).between(
        lo.replace(tzinfo=None) - length * MINUTE - 2 * DAY, hi.replace(tzinfo=None) + 2 * DAY, inc=True
    )
    begun = [first_shown(wall, zone) for wall in near]
    found = occurrences(made, lo, hi)
    for n in range(0, 5 * 1440, 7):
        minute = lo + n * MINUTE
        walked = any(begin <= minute < begin + length * MINUTE for begin in begun)
        assert any(a <= minute < b for a, b in found) is walked, minute
    assert all(lo <= a < b <= hi for a, b in found)
    assert all(b < c for (_, b), (c, _) in pairwise(found))


@pytest.mark.parametrize(
    ("case", "made", "expected"),
    [
        ("once", exclusion(), [("2026-01-01T01:00", "2026-01-01T03:00")]),
        ("once, without end", exclusion(duration=None), [("2026-01-01T01:00", "2026-01-05T00:00")]),
        ("once, until", exclusion(duration=None, until=at("2026-01-02")), [("2026-01-01T01:00", "2026-01-02T00:00")]),
        (
            "until cuts what goes on",
            exclusion(until=at("2026-01-01T02:00")),
            [("2026-01-01T01:00", "2026-01-01T02:00")],
        ),
        (
            "COUNT",
            exclusion("FREQ=DAILY;COUNT=2"),
            [("2026-01-01T01:00", "2026-01-01T03:00"), ("2026-01-02T01:00", "2026-01-02T03:00")],
        ),
        (
            "UNTIL as a date holds that day",
            exclusion("FREQ=DAILY;UNTIL=20260102"),
            [("2026-01-01T01:00", "2026-01-01T03:00"), ("2026-01-02T01:00", "2026-01-02T03:00")],
        ),
        ("UNTIL in UTC", exclusion("FREQ=DAILY;UNTIL=20260102T005900Z"), [("2026-01-01T01:00", "2026-01-01T03:00")]),
        (
            "UNTIL in local time is inclusive",
            exclusion("FREQ=DAILY;INTERVAL=2;UNTIL=20260103T020000"),
            [("2026-01-01T01:00", "2026-01-01T03:00"), ("2026-01-03T01:00", "2026-01-03T03:00")],
        ),
        (
            "the series begins with its first match",
            exclusion("FREQ=WEEKLY;BYDAY=SU;COUNT=1"),
            [("2026-01-04T01:00", "2026-01-04T03:00")],
        ),
        (
            "overlaps are one",
            exclusion("FREQ=DAILY;COUNT=3", duration=25 * HOUR),
            [("2026-01-01T01:00", "2026-01-04T02:00")],
        ),
    ],
)
def test_exact_occurrences(case: str, made: Exclusion, expected: list[tuple[str, str]]) -> None:
    assert [spell(span) for span in occurrences(made, at("2025-12-30"), at("2026-01-05"))] == expected, case


def test_an_occurrence_that_began_before_is_clipped() -> None:
    found = occurrences(exclusion("FREQ=DAILY"), at("2026-06-01T01:30"), at("2026-06-02T01:00"))
    assert [spell(s) for s in found] == [
        ("2026-06-01T01:30", "2026-06-01T02:00"),
        ("2026-06-02T00:00", "2026-06-02T01:00"),
    ]
    assert occurrences(exclusion("FREQ=DAILY"), at("2026-06-02"), at("2026-06-02")) == []


@pytest.mark.parametrize(
    ("case", "made", "asked", "expected"),
    [
        (
            "it began long before",
            exclusion("FREQ=MONTHLY;BYMONTHDAY=1", duration=10 * DAY),
            ("2026-06-06T00:00", "2026-06-07T00:00"),
            [("2026-06-06T00:00", "2026-06-07T00:00")],
        ),
        (
            "its start was skipped, so clocks show it later than it was meant",
            exclusion("FREQ=DAILY", start=at("2026-01-01T01:30"), duration=20 * MINUTE),
            ("2026-03-29T01:45", "2026-03-29T02:00"),
            [("2026-03-29T01:45", "2026-03-29T01:50")],
        ),
        (
            "it is seen from the second showing of a time before it",
            exclusion("FREQ=DAILY", start=at("2026-01-01T01:30")),
            ("2026-10-25T00:00", "2026-10-25T01:20"),
            [("2026-10-25T00:30", "2026-10-25T01:20")],
        ),
    ],
)
def test_what_reaches_into_the_time_asked_about_is_found(
    case: str, made: Exclusion, asked: tuple[str, str], expected: list[tuple[str, str]]
) -> None:
    assert [spell(span) for span in occurrences(made, at(asked[0]), at(asked[1]))] == expected, case


def test_a_decommissioned_node_stays_out_until_it_comes_back() -> None:
    gone = exclusion(start=at("2026-02-01T10:00:30"), duration=None, zone="UTC")
    assert occurrences(gone, at("2026-01-01"), at("2030-01-01")) == [(at("2026-02-01T10:00"), at("2030-01-01"))]
    assert occurrences(gone, at("2025-01-01"), at("2026-02-01")) == []
    back = replace(gone, until=at("2026-03-01"))
    assert occurrences(back, at("2026-01-01"), at("2030-01-01")) == [(at("2026-02-01T10:00"), at("2026-03-01"))]
    assert occurrences(back, at("2026-02-10"), at("2026-02-11")) == [(at("2026-02-10"), at("2026-02-11"))]


# What is excluded of the counts.

DAYS = [at(f"2026-01-{n:02}") for n in (1, 2, 3, 4)]


def counted(*places: dict[str, str]) -> Cube:
    """One event in each band of each place."""
    rows: list[dict[str, Any]] = []
    for place in places:
        own = {k: v for k, v in place.items() if k not in DIMENSIONS}
        row: dict[str, Any] = {"Measure": "requests", "Attributes": json.dumps(own) if own else "", "Last": DAYS[-1]}
        row |= {name: place.get(name, "") for name in DIMENSIONS}
        row |= dict.fromkeys(FIGURES, 1.0)
        rows += [row | {"Band": band + 1} for band in range(len(DAYS))]
    return build(rows, DAYS, DAYS[-1], utc)


def kept(where: tuple[Matcher, ...], place: dict[str, str]) -> list[float]:
    """Events of each band that are left when the day from 2 January is excluded."""
    made = exclusion(where=where, start=at("2026-01-02"), duration=DAY, zone="UTC")
    left = exclude(counted(place, {"region": "elsewhere"}), [made], Frame(tuple(DAYS)))
    assert all(np.array_equal(left.figures[name], left.figures["Events"]) for name in FIGURES)
    return list(left.figures["Events"][0])


@pytest.mark.parametrize(
    ("where", "place", "excluded"),
    [
        ((Matcher("region", "=", "eu"),), {"region": "eu", "service": "a"}, True),
        ((Matcher("region", "=", "eu"),), {"region": "eu-north"}, False),
        ((Matcher("region", "=~", "eu-.*"),), {"region": "eu-north"}, True),
        ((Matcher("region", "!=", "us"),), {"region": "eu"}, True),
        ((Matcher("region", "=", "eu"), Matcher("service", "=", "b")), {"region": "eu", "service": "a"}, False),
        ((Matcher("device", "=", "x"),), {"region": "eu"}, False),
        ((Matcher("device", "=", "x"),), {"region": "eu", "device": "x"}, True),
        ((Matcher("site_type", "=", "shop"),), {"region": "eu", "site_type": "shop"}, True),
        ((Matcher("service", "=~", ".*"),), {"region": "eu"}, True),
        ((Matcher("service", "=~", ".*"), Matcher("region", "=", "us")), {"region": "eu"}, False),
    ],
)
def test_an_exclusion_takes_out_its_time_where_every_matcher_is_met(
    where: tuple[Matcher, ...], place: dict[str, str], excluded: bool
) -> None:
    assert kept(where, place) == ([1, 0, 1, 1] if excluded else [1, 1, 1, 1])


def test_time_that_two_exclusions_take_out_is_out_once() -> None:
    cube = counted({"region": "eu-north"})
    frame = Frame(tuple(DAYS))
    one = exclusion(start=at("2026-01-01"), duration=2 * DAY, zone="UTC")
    other = exclusion(start=at("2026-01-02"), duration=DAY, zone="UTC")
    recurring = exclusion("FREQ=DAILY;COUNT=2", start=at("2026-01-01"), duration=DAY, zone="UTC")
    for exclusions in ([one], [one, other], [other, one, one], [recurring, other]):
        assert list(exclude(cube, exclusions, frame).figures["Events"][0]) == [0, 0, 1, 1]
    assert exclude(cube, [], frame) is cube


def test_merging_joins_what_touches_overlaps_or_lies_inside() -> None:
    one, two, three, four = (at(f"2026-01-0{n}") for n in (1, 2, 3, 4))
    assert merged([(one, four), (two, three)]) == [(one, four)]
    assert merged([(two, three), (one, two)]) == [(one, three)]
    assert merged([(one, three), (two, four)]) == [(one, four)]
    assert merged([(three, four), (one, two), (two, two), (four, one)]) == [(one, two), (three, four)]


@given(st.lists(st.tuples(instants, instants), max_size=8), instants)
def test_merging_keeps_the_time_and_leaves_gaps_between(
    pairs: list[tuple[datetime, datetime]], moment: datetime
) -> None:
    out = merged(pairs)
    assert any(a <= moment < b for a, b in pairs) is any(a <= moment < b for a, b in out)
    assert all(b < c for (_, b), (c, _) in pairwise(out))
    assert all(a < b for a, b in out)
    assert merged(out) == out


_NAMES = ("service", "region", "device", "hardware", "edge.site")
_VALUES = ("", "a", "b")


@settings(max_examples=200, deadline=None)
@given(
    where=st.lists(
        st.builds(
            Matcher,
            st.sampled_from(_NAMES),
            st.sampled_from(["=", "!=", "=~", "!~"]),
            st.sampled_from(["a", "b", "a|b"]),
        ),
        max_size=3,
    ),
    told=st.lists(
        st.tuples(*(st.sampled_from(_VALUES) for _ in _NAMES), st.booleans(), st.booleans()), min_size=1, max_size=8
    ),
)
def test_keys_that_an_exclusion_concerns_are_the_same_all_at_once(
    where: list[Matcher], told: list[tuple[str, str, str, str, str, bool, bool]]
) -> None:
    made = Exclusion("e", "r", tuple(where), at("2026-03-01"), None)
    mark = mark_of(made)
    keys = []
    for service, region, device, hardware, site, marked, covered in told:
        held = {"service": service, "region": region, "device": device, "hardware": hardware}
        attributes = {"edge.site": site} | ({mark.name: "1"} if mark and marked else {})
        text = json.dumps({k: v for k, v in attributes.items() if v})
        keys.append(Key(COVERED if covered else "m", tuple(held.get(name, "") for name in DIMENSIONS), text))
    found = concerned(made, Layout(tuple(keys)))
    assert found.tolist() == [concern(made)(key) for key in keys]
