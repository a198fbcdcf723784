"""Slices of time: alignment, what is due, and verdicts of intervals."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.evaluate.slices import (
    Amount,
    Reason,
    Sums,
    Verdict,
    cell_of,
    due_slices,
    events_of,
    gaps,
    judge_slice,
    slice_start,
    spans,
)
from sloengine.model import Selector, SliceRule, Source

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AT = datetime(2026, 3, 4, 10, 37, tzinfo=UTC)
ONE = (Selector(Source.SUM, "a"),)
OPS = {"lte": lambda v, t: v <= t, "lt": lambda v, t: v < t, "gte": lambda v, t: v >= t, "gt": lambda v, t: v > t}


def rule(op: str = "lte", threshold: float = 10, ratio: bool = False, mode: str = "verdict") -> SliceRule:
    return SliceRule(HOUR, (), ONE, ONE if ratio else (), op, threshold, mode)


@pytest.mark.parametrize(
    ("length", "start"),
    [
        (5 * MINUTE, AT.replace(minute=35)),
        (7 * MINUTE, None),
        (HOUR, AT.replace(minute=0)),
        (DAY, AT.replace(hour=0, minute=0)),
        (7 * DAY, datetime(2026, 3, 2, tzinfo=UTC)),
    ],
)
def test_slices_are_aligned_and_weeks_begin_on_mondays(length: timedelta, start: datetime | None) -> None:
    found = slice_start(AT, length)
    assert found <= AT < found + length
    assert slice_start(found, length) == found
    assert start is None or found == start


@given(st.integers(1, 7 * 24 * 60))
def test_cells_are_five_to_fifteen_minutes_and_never_longer_than_the_slice(minutes: int) -> None:
    cell = cell_of(minutes * MINUTE)
    assert min(minutes * MINUTE, 5 * MINUTE) <= cell <= 15 * MINUTE


def test_due_are_new_slices_and_touched_ones_that_have_ended() -> None:
    hour = AT.replace(minute=0)
    span, oldest = (hour - HOUR, hour), hour - 10 * HOUR
    touched = [hour - 3 * HOUR, hour, hour - 40 * HOUR]
    assert due_slices(touched, span, oldest, HOUR) == [hour - 3 * HOUR, hour - HOUR]
    assert len(due_slices(touched, span, oldest, 5 * MINUTE)) == 24
    day = hour.replace(hour=0)
    assert due_slices([day - 3 * HOUR], (day, day), day - 9 * DAY, DAY) == [day - DAY]
    # A slice that doesn't divide the hour: every one that the hour is part of.
    odd = due_slices([hour - 3 * HOUR], (hour, hour), oldest, 7 * MINUTE)
    assert odd[0] <= hour - 3 * HOUR < odd[0] + 7 * MINUTE
    assert odd[-1] < hour - 2 * HOUR <= odd[-1] + 7 * MINUTE


def test_neighbouring_slices_are_read_together_up_to_a_length() -> None:
    hour = AT.replace(minute=0)
    starts = [hour + i * HOUR for i in (0, 1, 2, 5)]
    assert spans(starts, HOUR, 2 * HOUR) == [
        (hour, hour + 2 * HOUR),
        (hour + 2 * HOUR, hour + 3 * HOUR),
        (hour + 5 * HOUR, hour + 6 * HOUR),
    ]
    assert spans(starts[:1], DAY, 2 * HOUR) == [(hour, hour + DAY)]


@given(
    st.sampled_from(sorted(OPS)),
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted),
    st.tuples(st.integers(0, 20), st.integers(0, 20)).map(sorted),
    st.floats(0, 4),
)
def test_a_verdict_is_given_only_if_every_ratio_that_may_be_agrees(
    op: str, top: list[int], bottom: list[int], threshold: float
) -> None:
    sums = Sums(Amount(*top), Amount(*bottom), told=True)
    found = judge_slice(rule(op, threshold, ratio=True), sums).verdict
    possible = set()
    for n in range(top[0], top[1] + 1):
        for d in range(bottom[0], bottom[1] + 1):
            possible.add("none" if n == d == 0 else str(OPS[op](n / d if d else math.inf, threshold)))
    if found is not Verdict.UNKNOWN:
        assert possible == {str(found is Verdict.GOOD)}
    elif "none" not in possible:
        assert len(possible) == 2


@pytest.mark.parametrize(
    ("op", "sums", "verdict", "reason"),
    [
        ("lte", Sums(Amount(10, 10), cells=6), Verdict.GOOD, None),
        ("lt", Sums(Amount(10, 10), cells=6), Verdict.BAD, None),
        ("lte", Sums(Amount(11, 11), cells=1), Verdict.BAD, None),
        ("lte", Sums(Amount(1, 1), cells=4), Verdict.UNKNOWN, Reason.UNCOVERED),
        ("lte", Sums(Amount(1, 1), cells=5), Verdict.GOOD, None),
        ("gte", Sums(Amount(10, 10), cells=1), Verdict.GOOD, None),
        ("gte", Sums(Amount(9, 9), cells=1), Verdict.UNKNOWN, Reason.UNCOVERED),
        ("gte", Sums(Amount(9, 9), cells=6), Verdict.BAD, None),
        ("lte", Sums(Amount(9, 11), cells=6), Verdict.UNKNOWN, Reason.UNSURE),
        ("lte", Sums(Amount(9, math.inf), cells=1), Verdict.UNKNOWN, Reason.UNSURE),
    ],
)
def test_a_sum(op: str, sums: Sums, verdict: Verdict, reason: Reason | None) -> None:
    judged = judge_slice(rule(op), sums)
    assert (judged.verdict, judged.reason) == (verdict, reason)


@pytest.mark.parametrize("source", [Source.SPAN, Source.LOG, Source.DERIVED])
def test_what_comes_only_when_there_is_something_is_not_silent(source: Source) -> None:
    seldom = SliceRule(HOUR, (), (Selector(source, "a"),), (), "lte", 10)
    assert judge_slice(seldom, Sums(Amount(1, 1), cells=1)).verdict is Verdict.GOOD


def test_a_threshold_is_not_missed_by_rounding() -> None:
    for target in (0.9, 0.99, 0.999, 0.9995):
        sums = Sums(Amount(target * 10**6, target * 10**6), Amount(10**6, 10**6), told=True)
        assert judge_slice(rule("gte", target, ratio=True), sums).verdict is Verdict.GOOD


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 5), st.sampled_from(["gte", "lte"]))
def test_shares_of_a_slice_make_one(top: int, bottom: int, unsure: int, op: str) -> None:
    judged = judge_slice(
        rule(op, 0.5, True, "ratio"), Sums(Amount(top, top + unsure), Amount(bottom, bottom), told=True)
    )
    events = events_of(rule(op, 0.5, True, "ratio"), judged)
    assert sum(share for _, _, share in events) == pytest.approx(1, abs=1e-8)
    assert all(share > 0 for _, _, share in events)


def test_gaps_lie_between_data_only() -> None:
    at = [AT + i * HOUR for i in range(10)]
    assert gaps([at[2], at[4]], None, None, HOUR) == [at[3]]
    assert gaps([at[4]], at[1], at[6], HOUR) == [at[2], at[3], at[5]]
    assert gaps([], at[1], at[3], HOUR) == [at[2]]
    assert gaps([], at[1], None, HOUR) == gaps([], None, None, HOUR) == gaps([at[5]], None, None, HOUR) == []
