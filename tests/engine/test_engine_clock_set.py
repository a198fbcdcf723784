"""A clock that is set while its device counts: what it showed before and after overlaps, and nothing may count twice."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from engine_rig import BASE, HOUR, MINUTE, SHARED_COLUMNS, Points, Rig, Series

from sloengine import jobs

SECOND = timedelta(seconds=1)
BEFORE = 100_000
"""What the device had counted when it was first heard."""
SET = BASE + 20 * MINUTE + 30 * SECOND
"""When its clock is set."""
MOMENTS = [BASE + (3 + 10 * n) * SECOND for n in range(6 * 90)]


def _counted(at: datetime) -> int:
    """One request a second."""
    return BEFORE + (at - BASE) // SECOND


def _sums(points: Points, series: Series, at: datetime, shown: datetime, received: datetime) -> None:
    points.count(series, shown, _counted(at), ingested=received + SECOND, gateway_time=received)


def _exponential(points: Points, series: Series, at: datetime, shown: datetime, received: datetime) -> None:
    points.duration(series, shown, (3, 0, 0, [_counted(at)]), ingested=received + SECOND)
    points.histograms[-1][10] = received


def _explicit(points: Points, series: Series, at: datetime, shown: datetime, received: datetime) -> None:
    row = series.row("edge.inference.duration", "s", shown, received + SECOND, received)
    columns = [*SHARED_COLUMNS, "Count", "ExplicitBounds", "BucketCounts"]
    points.store.insert("otel_metrics_histogram", columns, [[*row, _counted(at), [0.1], [_counted(at), 0]]])


KINDS = {"sums": _sums, "exponential": _exponential, "explicit": _explicit}


def _known(rig: Rig, since: datetime, until: datetime, offset: timedelta) -> None:
    columns = ["DeviceId", "Since", "Until", "OffsetMs", "Evidence", "Revision"]
    rig.store.insert(
        "clock_offsets", columns, [["node-1", since, until, offset // timedelta(milliseconds=1), "clock", 1]]
    )


def _total(rig: Rig, kind: str) -> float:
    if kind == "sums":
        query = "SELECT sum(Events) AS n FROM count_minutes FINAL WHERE Measure = 'edge.inference.requests'"
    else:
        query = "SELECT sum(Zero + arraySum(mapValues(Buckets))) AS n FROM histogram_minutes FINAL"
    return float(rig.rows(query)[0]["n"])


@pytest.mark.parametrize("known_until", [SET - 30 * SECOND, SET + 30 * SECOND], ids=["too early", "too late"])
@pytest.mark.parametrize(
    ("kind", "off"),
    [("sums", HOUR), ("sums", -HOUR), ("sums", -90 * SECOND), ("exponential", 90 * SECOND), ("explicit", 90 * SECOND)],
)
def test_no_count_comes_twice_where_a_clock_was_set(rig: Rig, kind: str, off: timedelta, known_until: datetime) -> None:
    """Episodes end with minutes, clocks are set within one: what came in between is put an offset away, and the fall behind it is
    no reset."""
    _known(rig, BASE - HOUR, known_until, -off)
    for at in MOMENTS:
        shown = at + off if at < SET else at
        KINDS[kind](rig.points, Series(start=BASE - 3 * HOUR), at, shown, at + SECOND)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 100 * MINUTE)
    assert _total(rig, kind) == _counted(MOMENTS[-1])


def test_what_comes_again_after_a_clock_was_set_is_no_reset(rig: Rig) -> None:
    """The answer to its last delivery was lost; the device repeats it by a right clock, with the times of the wrong one."""
    _known(rig, BASE - HOUR, SET, HOUR)
    for at in MOMENTS:
        shown = at - HOUR if at < SET else at
        _sums(rig.points, Series(start=BASE - 3 * HOUR), at, shown, at + SECOND)
        if SET - MINUTE < at < SET:
            _sums(rig.points, Series(start=BASE - 3 * HOUR), at, shown, SET + MINUTE)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 100 * MINUTE)
    assert _total(rig, "sums") == _counted(MOMENTS[-1])


def test_no_count_comes_twice_behind_a_gateway_whose_own_clock_is_ahead(rig: Rig) -> None:
    """It makes a right clock look wrong, and what it stamped before the device went back overlaps with what the other stamped
    then."""
    ahead, there, back = 10 * MINUTE, BASE + 20 * MINUTE, BASE + 60 * MINUTE
    _known(rig, there, back, ahead)
    for at in MOMENTS:
        gateway, stamp = ("gw-b", at + ahead) if there <= at < back else ("gw-a", at)
        series = Series(gateway=gateway, start=BASE - 3 * HOUR)
        rig.points.count(series, at, _counted(at), ingested=at + SECOND, gateway_time=stamp)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 100 * MINUTE)
    assert _total(rig, "sums") == _counted(MOMENTS[-1])
