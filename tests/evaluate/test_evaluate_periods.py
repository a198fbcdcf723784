"""Windows, dated targets and bands, against clocks that are walked minute by minute."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from calendar_watch import (
    APIA,
    BERLIN,
    CAIRO,
    DAY,
    HOUR,
    KOLKATA,
    LORD_HOWE,
    MINUTE,
    NEW_YORK,
    at,
    calendars,
    exclusion,
    first_shown,
    instants,
    local,
    spell,
    walked_bounds,
    walls,
    zones,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sloengine.evaluate.exclusions import CUTS_MAX, TooManyCuts, cuts, mask, merged, occurrences
from sloengine.evaluate.periods import RollingWindow, Window, bounds, floor_minute, instant_of, targets_between
from sloengine.model import Calendar, DatedTarget, Exclusion


@settings(max_examples=60, deadline=None)
@given(calendars, instants)
@example(Calendar(1, "day", local(2011, 12, 1), APIA), at("2011-12-30T09:59"))
@example(Calendar(1, "day", local(2011, 12, 1), APIA), at("2011-12-30T10:00"))
@example(Calendar(1, "day", local(2026, 1, 1, 2, 30), BERLIN), at("2026-03-29T01:29"))
@example(Calendar(1, "day", local(2026, 1, 1, 2, 30), BERLIN), at("2026-10-25T00:30"))
@example(Calendar(1, "day", local(2026, 1, 1, 2, 30), BERLIN), at("2026-10-25T01:15"))
@example(Calendar(1, "day", local(2026, 1, 1, 0, 30), CAIRO), at("2026-04-23T22:30"))
@example(Calendar(1, "month", local(2026, 1, 31), BERLIN), at("2024-02-28T23:00"))
def test_periods_are_those_of_a_clock_and_a_calendar_that_somebody_watches(window: Calendar, moment: datetime) -> None:
    assert bounds(window, moment) == walked_bounds(window, moment)


@given(calendars, instants)
def test_periods_tile_the_time_line(window: Calendar, moment: datetime) -> None:
    start, end = bounds(window, moment)
    assert start <= moment < end
    assert bounds(window, start) == bounds(window, end - MINUTE) == (start, end)
    assert bounds(window, end)[0] == end
    assert bounds(window, start - MINUTE)[1] == start
    assert {start.second, end.second} == {0}
    assert start.tzinfo is end.tzinfo is UTC


@given(walls, zones)
def test_a_wall_becomes_the_first_instant_that_shows_it(wall: datetime, zone: str) -> None:
    assert instant_of(wall, ZoneInfo(zone)) == first_shown(wall, zone)


@pytest.mark.parametrize(
    ("case", "window", "moment", "expected", "length"),
    [
        (
            "a day that loses an hour",
            (1, "day", "2026-01-01", BERLIN),
            "2026-03-29T12:00",
            ("2026-03-28T23:00", "2026-03-29T22:00"),
            23 * HOUR,
        ),
        (
            "a day that gains an hour",
            (1, "day", "2026-01-01", BERLIN),
            "2026-10-25T12:00",
            ("2026-10-24T22:00", "2026-10-25T23:00"),
            25 * HOUR,
        ),
        (
            "a day that loses an hour",
            (1, "day", "2026-01-01", NEW_YORK),
            "2026-03-08T12:00",
            ("2026-03-08T05:00", "2026-03-09T04:00"),
            23 * HOUR,
        ),
        (
            "a day that gains an hour",
            (1, "day", "2026-01-01", NEW_YORK),
            "2026-11-01T12:00",
            ("2026-11-01T04:00", "2026-11-02T05:00"),
            25 * HOUR,
        ),
        (
            "half hours",
            (1, "day", "2026-01-01", KOLKATA),
            "2026-05-05T18:29",
            ("2026-05-04T18:30", "2026-05-05T18:30"),
            DAY,
        ),
        (
            "gains half an hour",
            (1, "day", "2026-01-01", LORD_HOWE),
            "2026-04-05T00:00",
            ("2026-04-04T13:00", "2026-04-05T13:30"),
            24.5 * HOUR,
        ),
        (
            "loses half an hour",
            (1, "day", "2026-01-01", LORD_HOWE),
            "2026-10-04T00:00",
            ("2026-10-03T13:30", "2026-10-04T13:00"),
            23.5 * HOUR,
        ),
        (
            "midnight itself is skipped",
            (1, "day", "2026-01-01", CAIRO),
            "2026-04-24T12:00",
            ("2026-04-23T22:00", "2026-04-24T21:00"),
            23 * HOUR,
        ),
        (
            "a day that never was",
            (1, "day", "2011-12-01", APIA),
            "2011-12-30T09:59",
            ("2011-12-29T10:00", "2011-12-30T10:00"),
            DAY,
        ),
        (
            "a skipped start is an hour later",
            (1, "day", "2026-01-01T02:30", BERLIN),
            "2026-03-29T12:00",
            ("2026-03-29T01:30", "2026-03-30T00:30"),
            23 * HOUR,
        ),
        (
            "a start that comes twice is the first",
            (1, "day", "2026-01-01T02:30", BERLIN),
            "2026-10-25T12:00",
            ("2026-10-25T00:30", "2026-10-26T01:30"),
            25 * HOUR,
        ),
        (
            "a leap year's February",
            (1, "month", "2020-01-01", "UTC"),
            "2024-02-29T23:59",
            ("2024-02-01T00:00", "2024-03-01T00:00"),
            29 * DAY,
        ),
        (
            "an ordinary February",
            (1, "month", "2020-01-01", "UTC"),
            "2026-02-28T23:59",
            ("2026-02-01T00:00", "2026-03-01T00:00"),
            28 * DAY,
        ),
        (
            "a quarter with a change of clocks",
            (1, "quarter", "2024-01-01", BERLIN),
            "2026-02-14T00:00",
            ("2025-12-31T23:00", "2026-03-31T22:00"),
            90 * DAY - HOUR,
        ),
        (
            "a fiscal quarter",
            (1, "quarter", "2024-02-01", "UTC"),
            "2026-01-31T00:00",
            ("2025-11-01T00:00", "2026-02-01T00:00"),
            92 * DAY,
        ),
        (
            "four weeks from a Monday",
            (4, "week", "2026-01-05", BERLIN),
            "2026-03-31T00:00",
            ("2026-03-29T22:00", "2026-04-26T22:00"),
            28 * DAY,
        ),
        (
            "four weeks before the first",
            (4, "week", "2026-01-05", "UTC"),
            "2026-01-04T00:00",
            ("2025-12-08T00:00", "2026-01-05T00:00"),
            28 * DAY,
        ),
        (
            "the 31st in February",
            (1, "month", "2026-01-31", "UTC"),
            "2026-02-28T00:00",
            ("2026-02-28T00:00", "2026-03-31T00:00"),
            31 * DAY,
        ),
        (
            "the 31st is not forgotten",
            (1, "month", "2026-01-31", "UTC"),
            "2026-04-15T00:00",
            ("2026-03-31T00:00", "2026-04-30T00:00"),
            30 * DAY,
        ),
        (
            "29 February each year",
            (1, "year", "2024-02-29", "UTC"),
            "2026-01-01T00:00",
            ("2025-02-28T00:00", "2026-02-28T00:00"),
            365 * DAY,
        ),
        (
            "OpenSLO's example",
            (1, "week", "2020-01-21T12:30", NEW_YORK),
            "2026-03-10T16:29",
            ("2026-03-03T17:30", "2026-03-10T16:30"),
            7 * DAY - HOUR,
        ),
    ],
)
def test_exact_periods(
    case: str, window: tuple[Any, ...], moment: str, expected: tuple[str, str], length: timedelta
) -> None:
    count, unit, start, zone = window
    made = Calendar(count, unit, datetime.fromisoformat(start), zone)
    assert spell(bounds(made, at(moment))) == expected, case
    start_at, end_at = bounds(made, at(moment))
    assert end_at - start_at == length, case


def test_a_rolling_window_ends_now() -> None:
    now = at("2026-03-31T12:00")
    assert bounds(RollingWindow(30 * DAY), now) == (now - 30 * DAY, now)


def test_an_instant_in_another_zone_is_the_same_instant() -> None:
    window = Calendar(1, "day", local(2026, 1, 1), BERLIN)
    there = datetime(2026, 3, 29, 21, 0, tzinfo=ZoneInfo(NEW_YORK))
    assert bounds(window, there) == bounds(window, there.astimezone(UTC))


@pytest.mark.parametrize("window", [RollingWindow(DAY), Calendar(1, "day", local(2026, 1, 1), "UTC")])
def test_an_instant_without_a_zone_is_refused(window: Window) -> None:
    with pytest.raises(ValueError, match="no time zone"):
        bounds(window, local(2026, 1, 1))


# Dated targets.


def test_a_new_target_counts_from_its_day_and_the_first_reaches_back() -> None:
    targets = [DatedTarget(at("2026-03-01T00:00:59"), 0.995), DatedTarget(at("2026-01-01"), 0.99)]
    lo, hi = at("2025-01-01"), at("2026-04-01")
    changed = at("2026-03-01")
    assert targets_between(targets, lo, hi) == [(lo, changed, 0.99), (changed, hi, 0.995)]
    assert targets_between(targets, changed, hi) == [(changed, hi, 0.995)]
    assert targets_between(targets, lo, changed) == [(lo, changed, 0.99)]
    assert targets_between(targets, hi, hi) == []
    with pytest.raises(ValueError, match="at least one target"):
        targets_between([], lo, hi)
    with pytest.raises(ValueError, match="two targets begin at 2026-03-01 00:00 UTC"):
        targets_between([DatedTarget(changed, 0.9), DatedTarget(changed + timedelta(seconds=5), 0.8)], lo, hi)


@given(st.lists(instants, min_size=1, max_size=6, unique=True), instants, instants)
def test_dated_parts_tile_the_window(since: list[datetime], one: datetime, other: datetime) -> None:
    lo, hi = min(one, other), max(one, other)
    targets = [DatedTarget(moment, n / 10) for n, moment in enumerate(since)]
    parts = targets_between(targets, lo, hi)
    assert [p[0] for p in parts] + [hi] == [lo] * (lo < hi) + [p[1] for p in parts][:-1] + [hi]
    for start, end, target in parts:
        begun = [t for t in targets if t.since <= start] or [min(targets, key=lambda t: t.since)]
        assert target == max(begun, key=lambda t: t.since).target
        assert start < end


# Bands.

spans = st.integers(1, 60 * 24 * 60).map(lambda n: n * MINUTE)
windows = st.one_of(spans.map(RollingWindow), calendars)
shut = st.builds(
    lambda start, length, rule: exclusion(rule, start=start, duration=length),
    instants,
    st.integers(1, 3 * 1440).map(lambda n: n * MINUTE),
    st.sampled_from([None, "FREQ=WEEKLY;BYDAY=SU", "FREQ=MONTHLY;BYMONTHDAY=-1"]),
)
dated = st.lists(st.builds(DatedTarget, instants, st.just(0.9)), max_size=3)


@settings(max_examples=60, deadline=None)
@given(st.lists(windows, min_size=1, max_size=4), st.lists(shut, max_size=3), dated, instants, st.integers(0, 59))
def test_windows_exclusions_and_parts_are_unions_of_bands(
    some_windows: list[Any], exclusions: list[Exclusion], targets: list[DatedTarget], moment: datetime, second: int
) -> None:
    now = moment.replace(second=second)
    edges = cuts(some_windows, exclusions, targets, now)
    assert edges == sorted(set(edges))
    assert all(edge.second == 0 for edge in edges)
    for window in some_windows:
        lo = bounds(window, floor_minute(now))[0]
        without = merged(span for made in exclusions for span in occurrences(made, lo, now))
        inside, kept = mask(edges, lo, now, []), mask(edges, lo, now, without)
        bands = list(pairwise(edges))
        for (start, end), is_inside, is_kept in zip(bands, inside, kept, strict=True):
            # A band is wholly in or out: its first and its last minute agree.
            for minute in (start, end - MINUTE):
                assert is_inside is (lo <= minute < floor_minute(now))
                assert is_kept is (is_inside and not any(a <= minute < b for a, b in without))
        total = sum((e - s for (s, e), k in zip(bands, kept, strict=True) if k), timedelta())
        gone = sum((floor_minute(b) - a for a, b in without), timedelta())
        assert total + gone == floor_minute(now) - lo, "what is kept and what is excluded make the whole"
        assert {floor_minute(t.since) for t in targets if edges and edges[0] < t.since < edges[-1]} <= set(edges)


def test_bands_of_one_window_and_one_exclusion() -> None:
    shut_down = exclusion(start=at("2026-01-02T01:00"))
    now = at("2026-01-03T00:00:42")
    edges = cuts([RollingWindow(2 * DAY), RollingWindow(DAY)], [shut_down], [DatedTarget(at("2025-01-01"), 0.9)], now)
    assert [f"{e:%d %H:%M}" for e in edges] == ["01 00:00", "02 00:00", "02 01:00", "02 03:00", "03 00:00"]
    without = occurrences(shut_down, edges[0], now)
    assert mask(edges, at("2026-01-02"), now, without) == [False, True, False, True]
    assert mask(edges, at("2026-01-01"), now, []) == [True] * 4
    assert mask(edges, at("2026-01-02"), at("2026-02-01"), []) == [False, True, True, True]


def test_what_begins_together_is_one_cut() -> None:
    now, day = at("2026-01-03"), at("2026-01-02")
    both = [RollingWindow(2 * DAY), RollingWindow(DAY)]
    shut_down = exclusion(start=day, duration=DAY)
    for exclusions in ([], [shut_down]):
        assert cuts(both, exclusions, [DatedTarget(day, 0.9)], now) == [at("2026-01-01"), day, now]


def test_a_calendar_period_that_begins_now_has_no_band_yet() -> None:
    assert cuts([Calendar(1, "day", local(2026, 1, 1), "UTC")], [], [], at("2026-01-05")) == []
    assert cuts([], [], [], at("2026-01-05")) == []
    assert mask([], at("2026-01-05"), at("2026-01-06"), []) == []


def test_a_mask_is_never_a_guess() -> None:
    edges = [at("2026-01-01"), at("2026-01-02"), at("2026-01-03")]
    noon = at("2026-01-01T12:00")
    with pytest.raises(ValueError, match=r"2026-01-01T12:00:00\+00:00 is not a cut"):
        mask(edges, noon, edges[2], [])
    with pytest.raises(ValueError, match="is not a cut"):
        mask(edges, edges[0], noon, [])
    with pytest.raises(ValueError, match="is not a cut"):
        mask(edges, edges[0], edges[2], [(noon, edges[2])])
    with pytest.raises(ValueError, match="before the first cut"):
        mask(edges, edges[0] - DAY, edges[2], [])
    assert mask(edges, edges[0], edges[2], [(edges[0] - DAY, edges[1])]) == [False, True]
    assert mask(edges, edges[0], edges[2], [(edges[2], edges[2] + DAY)]) == [True, True]
    assert mask(edges, edges[2], edges[0], []) == [False, False]


def test_too_many_cuts_name_the_exclusion_to_blame() -> None:
    busy = exclusion("FREQ=DAILY;BYHOUR=" + ",".join(map(str, range(24))), name="every hour", duration=10 * MINUTE)
    quiet = exclusion("FREQ=WEEKLY;BYDAY=SU", name="sundays")
    assert len(cuts([RollingWindow(30 * DAY)], [quiet, busy], [], at("2026-06-01"))) <= CUTS_MAX
    with pytest.raises(TooManyCuts, match="exclusion 'every hour' makes 4320 cuts") as caught:
        cuts([RollingWindow(90 * DAY)], [quiet, busy], [], at("2026-06-01"))
    assert caught.value.exclusion == "every hour"
    many = [DatedTarget(at("2026-01-01") + n * MINUTE, 0.9) for n in range(CUTS_MAX)]
    with pytest.raises(TooManyCuts, match="windows and dated targets") as caught:
        cuts([RollingWindow(365 * DAY)], [], many, at("2026-06-01"))
    assert caught.value.exclusion is None


def test_a_zone_that_counts_half_seconds_of_history_still_gives_whole_minutes() -> None:
    assert instant_of(local(1971, 6, 1), ZoneInfo("Africa/Monrovia")) == at("1971-06-01T00:44")
