"""Recurrence rules, against python-dateutil."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from calendar_watch import BERLIN, DAY, HOUR, at, exclusion, local, rules
from dateutil.rrule import rrulestr  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine import recurrence
from sloengine.evaluate.exclusions import occurrences
from sloengine.recurrence import parse_rule, starts


@settings(max_examples=150, deadline=None)
@given(rules(), st.integers(-100, 700), st.integers(0, 400))
def test_local_starts_are_those_of_dateutil(rule: tuple[str, datetime], offset_d: int, length_d: int) -> None:
    text, start = rule
    lo = start + offset_d * DAY
    hi = lo + length_d * DAY
    assert starts(parse_rule(text), start, lo, hi) == rrulestr(text, dtstart=start).between(lo, hi, inc=True)


def test_a_numbered_weekday_beside_a_plain_one_means_either() -> None:
    rule, start = parse_rule("FREQ=MONTHLY;BYDAY=SA,1MO"), local(2026, 6, 1, 9)
    found = starts(rule, start, start, local(2026, 6, 30))
    assert [moment.day for moment in found] == [1, 6, 13, 20, 27]


@pytest.mark.parametrize(
    "text",
    [
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYMONTHDAY=-31",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU",
        "RRULE:FREQ=DAILY;INTERVAL=10;COUNT=5",
        "freq=daily;byhour=0,6,12,18",
    ],
)
def test_rules_of_rfc_5545_are_read_as_dateutil_reads_them(text: str) -> None:
    start, hi = local(1997, 9, 2, 9, 0), local(2012, 1, 1)
    assert starts(parse_rule(text), start, start, hi) == rrulestr(text, dtstart=start).between(start, hi, inc=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not KEY=VALUE"),
        ("FREQ", "not KEY=VALUE"),
        ("BYDAY=SU", "needs FREQ"),
        ("FREQ=FORTNIGHTLY", "needs FREQ"),
        ("FREQ=SECONDLY", "recurs too often: use FREQ=DAILY with BYHOUR"),
        ("FREQ=MINUTELY;INTERVAL=5", "recurs too often"),
        ("FREQ=HOURLY", "recurs too often"),
        ("FREQ=DAILY;COUNT=1000000000", "COUNT=1000000000 in the recurrence rule must be a number from 1 to 10000"),
        ("FREQ=DAILY;COUNT=0", "must be a number from 1"),
        ("FREQ=DAILY;COUNT=1,2", "must be a number from 1"),
        ("FREQ=DAILY;COUNT=٣", "must be a number from 1"),
        ("FREQ=DAILY;INTERVAL=0", "must be a number from 1"),
        ("FREQ=DAILY;INTERVAL=99999", "must be a number from 1 to 1000"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20270101", "has COUNT and UNTIL: keep one"),
        ("FREQ=DAILY;UNTIL=someday", "no date such as"),
        ("FREQ=DAILY;UNTIL=20260230", "no date such as"),
        ("FREQ=DAILY;BYSECOND=1", "BYSECOND in the recurrence rule is not supported"),
        ("FREQ=YEARLY;BYWEEKNO=3", "BYWEEKNO in the recurrence rule is not supported"),
        ("FREQ=DAILY;FREQ=DAILY", "FREQ stands twice"),
        ("FREQ=DAILY;BYMONTH=13", "must be 1 to 12"),
        ("FREQ=DAILY;BYMONTH=-1", "must be 1 to 12"),
        ("FREQ=DAILY;BYMONTHDAY=0", "must be 1 to 31 or the same with a minus"),
        ("FREQ=DAILY;BYHOUR=24", "must be 0 to 23"),
        ("FREQ=DAILY;BYMINUTE=x", "must be 0 to 59"),
        ("FREQ=WEEKLY;WKST=XX", "must be one of"),
        ("FREQ=WEEKLY;BYDAY=SUN", "must be weekdays"),
        ("FREQ=MONTHLY;BYDAY=0SU", "must be weekdays"),
        ("FREQ=YEARLY;BYDAY=54SU", "must be weekdays"),
        ("FREQ=WEEKLY;BYDAY=1SU", "numbered weekday"),
        ("FREQ=WEEKLY;BYMONTHDAY=1", "does not go with FREQ=WEEKLY"),
        ("FREQ=DAILY;BYSETPOS=1", "add BYDAY or BYMONTHDAY"),
        ("FREQ=DAILY;BYMINUTE=" + ",".join(map(str, range(25))), "more than 24 times a day"),
        ("FREQ=DAILY;" * 40, "at most 400"),
    ],
)
def test_a_rule_that_is_wrong_or_hostile_is_refused_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_rule(text)


@pytest.mark.parametrize(
    "text",
    ["FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SU", "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "FREQ=MONTHLY;BYDAY=1SU;INTERVAL=7"],
)
def test_work_follows_the_time_asked_about_and_not_the_age_of_the_rule(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_at = []
    real = recurrence._meets

    def counted(rule: recurrence.Rule, day: date) -> bool:
        looked_at.append(day)
        return real(rule, day)

    monkeypatch.setattr(recurrence, "_meets", counted)
    made = exclusion(text, start=at("1970-01-01"), duration=HOUR, zone=BERLIN)
    occurrences(made, at("2026-03-05"), at("2026-03-25"))
    assert len(looked_at) <= 20 + 14, "the days asked about, and what completes their first and last week or month"


def test_a_count_that_is_never_reached_is_counted_for_a_hundred_years_and_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked_at = []
    monkeypatch.setattr(recurrence, "_meets", lambda rule, day: looked_at.append(day))
    never = parse_rule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30;COUNT=3")
    assert starts(never, local(2026, 1, 1), local(2026, 1, 1), local(2026, 12, 31)) == []
    assert 366 * 99 <= len(looked_at) <= 366 * 101 + 1
