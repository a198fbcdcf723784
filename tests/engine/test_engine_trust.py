"""What is known to be wrong with what came in: clocks that are off, and gateways that are not trusted."""

from __future__ import annotations

from datetime import datetime, timedelta
from importlib import import_module

import pytest
from engine_rig import BASE, HOUR, MINUTE, SUM_COLUMNS, Rig, Series

from sloengine import jobs
from sloengine.errors import StoreUnavailable


def _steady(rig: Rig, series: Series, begin: datetime, minutes: int, *, off: timedelta = timedelta()) -> None:
    """A device that answers ten requests a minute and reports each minute; its clock shows ``off`` more than the truth."""
    for minute in range(minutes + 1):
        at = begin + minute * MINUTE
        rig.points.count(series, at + off, 10 * minute, ingested=at + timedelta(seconds=2))


def _run(rig: Rig, begin: datetime, minutes: int) -> None:
    rig.points.flush()
    for minute in range(0, minutes, 5):
        jobs.roll_up(rig.deps, begin + minute * MINUTE)


def _good(rig: Rig) -> dict[datetime, float]:
    return {key[-1]: cell[0] for key, cell in rig.counts().items() if cell[0]}


def test_a_clock_an_hour_behind_is_counted_at_its_true_time(rig: Rig) -> None:
    """F8: an hour behind forever is a clock, not a delay."""
    _steady(rig, Series(start=BASE - 2 * HOUR), BASE, 30, off=-HOUR)
    _run(rig, BASE, 50)
    assert _good(rig) == {BASE + m * MINUTE: 10 for m in range(1, 31)}
    offsets = rig.rows("SELECT DeviceId, OffsetMs, Evidence FROM clock_offsets FINAL")
    assert [(r["DeviceId"], round(r["OffsetMs"], -3), r["Evidence"]) for r in offsets] == [("node-1", 3_602_000, "lag")]
    shifted = rig.rows("SELECT sum(Shifted) AS s FROM count_minutes FINAL WHERE Measure = 'edge.inference.requests'")
    assert shifted[0]["s"] == 300
    restated = rig.rows("SELECT sum(Before) AS b, sum(After) AS a FROM restatements WHERE Cause = 'clock offset'")
    assert restated[0]["b"] > 0


def test_a_clock_that_is_ahead_is_found_at_once_and_ends_when_it_is_set(rig: Rig) -> None:
    series = Series(start=BASE - HOUR)
    _steady(rig, series, BASE, 10, off=timedelta(minutes=10))
    for minute in range(11, 30):
        at = BASE + minute * MINUTE
        rig.points.count(series, at, 10 * minute, ingested=at + timedelta(seconds=2))
    _run(rig, BASE, 50)
    assert _good(rig) == {BASE + m * MINUTE: 10 for m in range(1, 30)}
    (offset,) = rig.rows("SELECT Since, Until FROM clock_offsets FINAL")
    assert (offset["Since"], offset["Until"]) == (BASE, BASE + 11 * MINUTE)


def test_a_backlog_is_late_and_not_a_clock(rig: Rig) -> None:
    """F3: three hours of telemetry that come at once, oldest first, keep their own times."""
    series = Series(start=BASE - HOUR)
    back = BASE + 3 * HOUR
    for minute in range(181):
        rig.points.count(series, BASE + minute * MINUTE, 10 * minute, ingested=back + timedelta(seconds=3 * minute))
    _run(rig, back, 30)
    assert _good(rig) == {BASE + m * MINUTE: 10 for m in range(1, 181)}
    assert rig.rows("SELECT count() AS n FROM clock_offsets")[0]["n"] == 0


def test_a_quarantined_gateway_is_counted_out_of_history_and_back_in(rig: Rig) -> None:
    """F7: what one bad gateway delivered is left out of all buckets, and comes back when it is cleared."""
    _steady(rig, Series(device="a", gateway="gw-good", start=BASE - HOUR), BASE, 20)
    _steady(rig, Series(device="b", gateway="gw-bad", start=BASE - HOUR), BASE, 20)
    _run(rig, BASE, 30)
    whole = rig.counts()
    assert {key[4] for key in whole} == {"gw-good", "gw-bad"}
    _quarantine(rig, lifted=False)
    jobs.roll_up(rig.deps, BASE + 40 * MINUTE)
    assert {key[4] for key in rig.counts()} == {"gw-good"}
    said = "SELECT sum(Before) AS b, sum(After) AS a FROM restatements WHERE Cause = 'quarantine' AND Measure LIKE 'edge.%'"
    assert rig.rows(said) == [{"b": 200, "a": 0}]
    _quarantine(rig, lifted=True)
    jobs.roll_up(rig.deps, BASE + 50 * MINUTE)
    assert rig.counts() == whole
    before = rig.revisions("count_minutes")
    jobs.roll_up(rig.deps, BASE + 51 * MINUTE)
    assert rig.revisions("count_minutes") == before


def test_a_quarantine_is_counted_out_even_if_the_tick_that_saw_it_first_failed(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    _steady(rig, Series(device="b", gateway="gw-bad", start=BASE - HOUR), BASE, 20)
    _run(rig, BASE, 30)
    _quarantine(rig, lifted=False)
    with monkeypatch.context() as patch:
        patch.setattr(import_module("sloengine.jobs.recount"), "fold_batch", _away)
        with pytest.raises(StoreUnavailable):
            jobs.roll_up(rig.deps, BASE + 40 * MINUTE)
    assert _good(rig)
    jobs.roll_up(rig.deps, BASE + 41 * MINUTE)
    assert _good(rig) == {}


def _away(*_: object) -> int:
    raise StoreUnavailable("the store went away")


def _quarantine(rig: Rig, *, lifted: bool) -> None:
    columns = ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"]
    row = ["gw-bad", BASE - HOUR, BASE + 48 * HOUR, "forged points", "security", lifted, 1 + lifted]
    rig.store.insert("quarantines", columns, [row])


def test_a_device_that_tells_its_clock_is_put_right_within_two_minutes_even_while_it_catches_up(rig: Rig) -> None:
    """Its backlog is hours old by the gateway's clock, but the clock that it tells with each request is ten minutes behind."""
    back, off = BASE + 3 * HOUR, timedelta(minutes=-10)
    for minute in range(181):
        ingested = back + timedelta(seconds=2 * minute)
        clock = int((ingested - timedelta(seconds=1) + off).timestamp() * 1e9)
        _told(rig, BASE + minute * MINUTE + off, 10 * minute, ingested, clock)
    rig.store.insert("otel_metrics_sum", SUM_COLUMNS, rig.points.sums)
    rig.points.sums = []
    _run(rig, back, 30)
    assert _good(rig) == {BASE + m * MINUTE: 10 for m in range(1, 181)}
    (offset,) = rig.rows("SELECT round(OffsetMs, -3) AS ms, Evidence FROM clock_offsets FINAL")
    assert offset == {"ms": 601_000, "Evidence": "clock"}


def test_an_offset_whose_first_minutes_come_late_is_over_when_the_clock_is_set(rig: Rig) -> None:
    """A gateway tries again: the minutes that the offset began in come behind those that it was found by."""
    off, late = timedelta(minutes=-10), BASE + 8 * MINUTE + timedelta(seconds=40)

    def deliver(minutes: range, off: timedelta, ingested: datetime | None = None) -> None:
        for minute in minutes:
            at = BASE + minute * MINUTE
            received = at + timedelta(seconds=1)
            clock = int((received + off).timestamp() * 1e9)
            _told(rig, at + off, 10 * minute, ingested or received, clock, received)
        rig.points.flush()

    deliver(range(3, 8), off)
    for minute in (7, 8):
        jobs.roll_up(rig.deps, BASE + minute * MINUTE)
    deliver(range(3), off, late)
    deliver(range(9, 20), off)
    jobs.roll_up(rig.deps, BASE + 20 * MINUTE)
    deliver(range(20, 30), timedelta())
    for minute in (31, 32):
        jobs.roll_up(rig.deps, BASE + minute * MINUTE)
    assert _good(rig) == {BASE + m * MINUTE: 20 if m == 9 else 10 for m in range(1, 30) if m != 8}
    rows = rig.rows("SELECT Since, Until FROM clock_offsets FINAL WHERE Until > Since")
    assert [(r["Since"], r["Until"]) for r in rows] == [(BASE, BASE + 20 * MINUTE)]


def _told(
    rig: Rig, at: datetime, value: float, ingested: datetime, clock_ns: int, received: datetime | None = None
) -> None:
    rig.points.count(Series(start=BASE - HOUR), at, value, ingested=ingested, gateway_time=received)
    rig.points.sums[-1][0]["edge.clock.sent_unix_nano"] = str(clock_ns)


def test_a_point_before_a_quarantine_is_found_behind_the_points_that_do_not_count(rig: Rig) -> None:
    """Two days of points that are not trusted lie between: the nearest point before is none of them."""
    begin, since = BASE - timedelta(hours=52), BASE - timedelta(hours=40)
    series = Series("b", "gw-bad", start=begin - MINUTE)
    for at, value in ((begin, 10), (BASE - timedelta(hours=20), 70), (BASE, 100)):
        rig.points.count(series, at, value)
    rig.points.flush()
    columns = ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"]
    rig.store.insert("quarantines", columns, [["gw-bad", since, BASE - HOUR, "forged", "security", False, 1]])
    jobs.roll_up(rig.deps, BASE + HOUR)
    assert _good(rig) == {begin: 10, BASE: 90}
