"""Touched minutes become few, bounded pieces that cover each of them once."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.rollup.plan import (
    HOUR,
    MAX_BATCH,
    MAX_HOLE,
    MAX_PIECE,
    MINUTE,
    Batch,
    Piece,
    batches,
    days,
    floor_hour,
    floor_minute,
    hours_of,
    joined,
    pieces,
    room_of,
    runs,
    stretches,
)

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


def test_adjacent_pieces_of_a_gateway_join_and_others_stay() -> None:
    day = datetime(2026, 11, 1, tzinfo=UTC)
    first = Piece("a", day, day + timedelta(days=1))
    second = Piece("a", day + timedelta(days=1), day + timedelta(days=2))
    apart = Piece("a", day + timedelta(days=3), day + timedelta(days=4))
    other = Piece("b", day + timedelta(days=4), day + timedelta(days=5))
    assert runs([first, second, apart, other]) == [Piece("a", first.lo, second.hi), apart, other]


# --- batches

live = st.lists(
    st.tuples(st.integers(0, 200).map(lambda n: f"gw-{n}"), st.integers(-15, 25).map(lambda n: MIDNIGHT + n * MINUTE)),
    max_size=80,
)
"""Many gateways within few minutes, which is what a tick sees; around midnight."""


def gateway_time(batch: Batch) -> timedelta:
    return (batch.hi - batch.lo) * len(batch.gateways)


@given(st.one_of(touched, live))
def test_each_piece_lies_whole_in_a_batch_that_names_its_gateway(some: list[tuple[str, datetime]]) -> None:
    plan = pieces(some)
    found = batches(plan)
    for piece in plan:
        assert any(piece.gateway in b.gateways and b.lo <= piece.lo and piece.hi <= b.hi for b in found)
    assert sum(len(b.gateways) for b in found) <= len(plan)
    assert {g for b in found for g in b.gateways} == {p.gateway for p in plan}


@given(st.one_of(touched, live))
def test_a_batch_stays_within_its_day_and_reaches_little_beyond_its_pieces(some: list[tuple[str, datetime]]) -> None:
    plan = pieces(some)
    for batch in batches(plan):
        assert batch.lo.date() == (batch.hi - timedelta(microseconds=1)).date()
        assert list(batch.gateways) == sorted(set(batch.gateways))
        for gateway in batch.gateways:
            # Ends lie within a hole of the first piece's end, on either side of it.
            mine = [p for p in plan if p.gateway == gateway and batch.lo <= p.lo and p.hi <= batch.hi]
            assert min(p.lo for p in mine) - batch.lo <= MAX_HOLE
            assert batch.hi - max(p.hi for p in mine) <= 2 * MAX_HOLE


@given(st.one_of(touched, live), st.randoms())
def test_the_order_of_pieces_does_not_matter(some: list[tuple[str, datetime]], random: object) -> None:
    plan = pieces(some)
    shuffled = list(plan)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert batches(shuffled) == batches(plan)


long_pieces = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 12), st.integers(1300, 1427)).map(
        lambda g: Piece(f"gw-{g[0]}", MIDNIGHT + g[1] * MINUTE, MIDNIGHT + (g[1] + g[2]) * MINUTE)
    ),
    max_size=20,
    unique_by=lambda p: p.gateway,
)


@given(st.one_of(long_pieces, live.map(pieces)))
def test_a_statement_recomputes_a_bounded_amount(plan: list[Piece]) -> None:
    for batch in batches(plan):
        assert gateway_time(batch) <= MAX_BATCH + 2 * MAX_HOLE, batch


def test_the_live_traffic_of_a_hundred_gateways_is_one_statement() -> None:
    now = MIDNIGHT + HOUR
    plan = [Piece(f"gw-{n:03d}", now, now + (1 + n % 3) * MINUTE) for n in range(100)]
    assert batches(plan) == [Batch(tuple(f"gw-{n:03d}" for n in range(100)), now, now + 3 * MINUTE)]


def test_two_gateways_that_return_from_a_day_away_are_one_statement_and_a_third_is_another() -> None:
    plan = [Piece(name, MIDNIGHT, MIDNIGHT + DAY) for name in "abc"]
    assert batches(plan) == [Batch(("a", "b"), MIDNIGHT, MIDNIGHT + DAY), Batch(("c",), MIDNIGHT, MIDNIGHT + DAY)]


def test_a_returning_gateway_does_not_make_the_live_ones_be_reread() -> None:
    now = MIDNIGHT + 20 * HOUR
    plan = [Piece("back", MIDNIGHT, now), Piece("live", now - MINUTE, now)]
    assert batches(plan) == [Batch(("back",), MIDNIGHT, now), Batch(("live",), now - MINUTE, now)]


@pytest.mark.parametrize(
    ("case", "one", "other", "together"),
    [
        ("ten minutes apart at the start", ("10:00", "11:00"), ("10:10", "11:00"), True),
        ("eleven", ("10:00", "11:00"), ("10:11", "11:00"), False),
        ("ten minutes apart at the end", ("10:00", "11:00"), ("10:00", "11:10"), True),
        ("eleven at the end", ("10:00", "11:00"), ("10:00", "11:11"), False),
    ],
)
def test_pieces_that_nearly_coincide_join(
    case: str, one: tuple[str, str], other: tuple[str, str], together: bool
) -> None:
    plan = [
        Piece(name, at(f"2026-03-01 {lo}"), at(f"2026-03-01 {hi}")) for name, (lo, hi) in (("a", one), ("b", other))
    ]
    assert (len(batches(plan)) == 1) is together, case


def test_pieces_on_two_sides_of_midnight_stay_two_statements() -> None:
    plan = [Piece("a", MIDNIGHT - MINUTE, MIDNIGHT), Piece("b", MIDNIGHT, MIDNIGHT + MINUTE)]
    assert [b.gateways for b in batches(plan)] == [("a",), ("b",)]


def test_nothing_needs_no_statement() -> None:
    assert batches([]) == []
    assert hours_of([]) == set()


# --- hours


@given(touched)
def test_the_hours_of_a_plan_are_those_in_which_it_has_a_minute(some: list[tuple[str, datetime]]) -> None:
    plan = pieces(some)
    # Minute by minute, which shares nothing with counting in hours.
    brute = {(p.lo + n * MINUTE).replace(minute=0) for p in plan for n in range(int((p.hi - p.lo) / MINUTE))}
    assert hours_of(plan) == brute
    assert hours_of(batches(plan)) >= brute
    assert {floor_hour(m) for _, m in some} <= brute


@pytest.mark.parametrize(
    ("lo", "hi", "hours"),
    [
        ("2026-02-28 10:00", "2026-02-28 11:00", ["2026-02-28 10:00"]),
        ("2026-02-28 10:59", "2026-02-28 11:01", ["2026-02-28 10:00", "2026-02-28 11:00"]),
        ("2026-02-28 23:59", "2026-03-01 00:00", ["2026-02-28 23:00"]),
    ],
)
def test_hours_by_example(lo: str, hi: str, hours: list[str]) -> None:
    assert hours_of([Piece("gw", at(lo), at(hi))]) == {at(h) for h in hours}
    assert hours_of([Batch(("gw", "other"), at(lo), at(hi))]) == {at(h) for h in hours}


@given(moments)
def test_an_hour_is_floored(moment: datetime) -> None:
    floor = floor_hour(moment)
    assert timedelta() <= moment - floor < HOUR
    assert (floor.minute, floor.second, floor.microsecond) == (0, 0, 0)


def test_a_small_fleets_day_is_one_batch_and_a_large_ones_is_not():
    day = datetime(2026, 11, 1, tzinfo=UTC)
    fleet = [Piece(f"gw-{n}", day, day + DAY) for n in range(6)]
    minutes = 6 * 1440
    assert len(batches(fleet, room_of(100 * minutes, minutes))) == 1
    assert len(batches(fleet, room_of(10_000 * minutes, minutes))) == 3
    assert room_of(0, 0) == MAX_BATCH


def test_a_small_fleets_month_is_a_few_statements_and_a_large_ones_stays_days() -> None:
    month = [Piece("a", MIDNIGHT + n * DAY, MIDNIGHT + (n + 1) * DAY) for n in range(30)]
    found = joined(batches(month), 40 * DAY)
    assert [(b.lo, b.hi) for b in found] == [
        (MIDNIGHT + n * DAY, MIDNIGHT + min(n + 7, 30) * DAY) for n in range(0, 30, 7)
    ]
    assert joined(batches(month), 2 * DAY) == batches(month)
    assert len(joined(batches(month), 3 * DAY)) == 10


def test_days_of_other_gateways_and_days_apart_are_not_joined() -> None:
    plan = [
        Piece("a", MIDNIGHT, MIDNIGHT + DAY),
        Piece("a", MIDNIGHT + DAY + HOUR, MIDNIGHT + 2 * DAY),
        Piece("b", MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY),
    ]
    assert joined(batches(plan), 40 * DAY) == batches(plan)


def test_stretches_are_as_many_days_as_stay_below_half_a_million_rows() -> None:
    month = MIDNIGHT, MIDNIGHT + 30 * DAY
    assert [(b - a) // DAY for a, b in stretches(*month, 30)] == [7, 7, 7, 7, 2]
    assert [(b - a) // DAY for a, b in stretches(*month, 100)] == [3] * 10
    assert [(b - a) // DAY for a, b in stretches(*month, 10_000)] == [1] * 30
    cut = stretches(MIDNIGHT + HOUR, MIDNIGHT + 2 * DAY + HOUR, 1)
    assert cut == [(MIDNIGHT + HOUR, MIDNIGHT + 2 * DAY + HOUR)]
