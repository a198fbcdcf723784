"""Touched minutes become few, bounded pieces that cover each of them once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.rollup.plan import MAX_HOLE, MAX_PIECE, MINUTE, Piece, days, floor_minute, pieces, runs

MIDNIGHT = datetime(2026, 2, 28, tzinfo=UTC)
DAY = timedelta(days=1)
minutes = st.integers(-3 * 1440, 3 * 1440).map(lambda n: MIDNIGHT + n * MINUTE)
touched = st.lists(st.tuples(st.sampled_from(["gw-a", "gw-b", ""]), minutes), max_size=60)
moments = st.integers(0, 10 * 365 * 86_400_000_000).map(
    lambda us: datetime(2020, 1, 1, tzinfo=UTC) + timedelta(microseconds=us)
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


def inside(piece: Piece, gateway: str, minute: datetime) -> bool:
    return piece.gateway == gateway and piece.lo <= minute and minute + MINUTE <= piece.hi


@given(touched)
def test_every_touched_minute_lies_whole_in_exactly_one_piece(some: list[tuple[str, datetime]]) -> None:
    found = pieces(some)
    for gateway, minute in some:
        assert sum(inside(p, gateway, minute) for p in found) == 1


@given(touched)
def test_no_piece_crosses_midnight_or_is_longer_than_a_day(some: list[tuple[str, datetime]]) -> None:
    for piece in pieces(some):
        assert MINUTE <= piece.hi - piece.lo <= MAX_PIECE
        assert piece.lo.date() == (piece.hi - timedelta(microseconds=1)).date()


@given(touched)
def test_pieces_are_ordered_and_do_not_overlap(some: list[tuple[str, datetime]]) -> None:
    found = pieces(some)
    assert found == sorted(found, key=lambda p: (p.gateway, p.lo))
    for before, after in pairwise(found):
        assert before.gateway != after.gateway or before.hi <= after.lo


@given(touched, st.randoms())
def test_order_and_repetition_of_what_was_touched_do_not_matter(
    some: list[tuple[str, datetime]], random: object
) -> None:
    again = some + some[:5]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert pieces(again) == pieces(some)


@given(touched)
def test_pieces_begin_and_end_with_touched_minutes_and_hold_no_long_hole(some: list[tuple[str, datetime]]) -> None:
    for piece in pieces(some):
        held = sorted({m for g, m in some if inside(piece, g, m)})
        assert (held[0], held[-1] + MINUTE) == (piece.lo, piece.hi)
        assert all(b - a <= MAX_HOLE + MINUTE for a, b in pairwise(held))


@pytest.mark.parametrize(
    ("case", "times", "spans"),
    [
        ("nothing", [], []),
        ("one minute", ["2026-03-01 10:00"], [("2026-03-01 10:00", "2026-03-01 10:01")]),
        ("neighbours join", ["2026-03-01 10:00", "2026-03-01 10:01"], [("2026-03-01 10:00", "2026-03-01 10:02")]),
        (
            "a hole of ten minutes is read along",
            ["2026-03-01 10:00", "2026-03-01 10:11"],
            [("2026-03-01 10:00", "2026-03-01 10:12")],
        ),
        (
            "a hole of eleven is not",
            ["2026-03-01 10:00", "2026-03-01 10:12"],
            [("2026-03-01 10:00", "2026-03-01 10:01"), ("2026-03-01 10:12", "2026-03-01 10:13")],
        ),
        (
            "midnight parts neighbours",
            ["2026-02-28 23:59", "2026-03-01 00:00"],
            [("2026-02-28 23:59", "2026-03-01 00:00"), ("2026-03-01 00:00", "2026-03-01 00:01")],
        ),
    ],
)
def test_pieces_by_example(case: str, times: list[str], spans: list[tuple[str, str]]) -> None:
    assert pieces(("gw", at(t)) for t in times) == [Piece("gw", at(lo), at(hi)) for lo, hi in spans], case


def test_a_whole_day_is_one_piece() -> None:
    assert pieces(("gw", MIDNIGHT + n * MINUTE) for n in range(1440)) == [Piece("gw", MIDNIGHT, MIDNIGHT + DAY)]


@given(moments, st.integers(-10, 40 * 86400))
def test_days_cut_a_span_at_midnights_and_lose_nothing(lo: datetime, seconds: int) -> None:
    hi = lo + timedelta(seconds=seconds)
    found = days(lo, hi)
    if seconds <= 0:
        assert found == []
        return
    assert (found[0][0], found[-1][1]) == (lo, hi)
    for start, end in found:
        assert start < end
        assert start.date() == (end - timedelta(microseconds=1)).date()
    for (_, end), (start, _) in pairwise(found):
        assert end == start
        assert end == end.replace(hour=0, minute=0, second=0, microsecond=0)


@given(moments)
def test_a_minute_is_floored(moment: datetime) -> None:
    floor = floor_minute(moment)
    assert timedelta() <= moment - floor < MINUTE
    assert (floor.second, floor.microsecond) == (0, 0)


def test_adjacent_pieces_of_a_gateway_join_and_others_stay():
    day = datetime(2026, 11, 1, tzinfo=UTC)
    first = Piece("a", day, day + timedelta(days=1))
    second = Piece("a", day + timedelta(days=1), day + timedelta(days=2))
    apart = Piece("a", day + timedelta(days=3), day + timedelta(days=4))
    other = Piece("b", day + timedelta(days=4), day + timedelta(days=5))
    assert runs([first, second, apart, other]) == [Piece("a", first.lo, second.hi), apart, other]
