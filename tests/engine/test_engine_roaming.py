"""What a device counts is its own, whichever gateways it comes through: devices move, and two gateways may hear one."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig, Series

from sloengine import jobs

BEFORE = 100_000
"""What the device had counted since its start, ten hours before its first point here: that one's increase."""


def _told(
    rig: Rig, gateway: str, minutes: Iterable[int], *, at: datetime | None = None, device: str = "node-1"
) -> None:
    """Ten requests a minute, told once a minute through a gateway; stored at once, or all of it at ``at``."""
    series = Series(device=device, gateway=gateway, start=BASE - 10 * HOUR)
    for minute in minutes:
        moment = BASE + minute * MINUTE
        rig.points.count(series, moment, BEFORE + 10 * minute, ingested=at or moment + timedelta(seconds=2))
    rig.points.flush()


def _roll(rig: Rig, minute: float) -> None:
    rig.clock.now = BASE + minute * MINUTE
    jobs.roll_up(rig.deps, rig.clock.now)


def _good(rig: Rig) -> dict[str, dict[int, float]]:
    """Gateway → minute → requests."""
    out: dict[str, dict[int, float]] = defaultdict(dict)
    for key, cell in rig.counts().items():
        if cell[0]:
            out[key[4]][(key[-1] - BASE) // MINUTE] = cell[0]
    return dict(out)


def _covered(rig: Rig) -> float:
    rows = rig.rows("SELECT sum(Events) AS s FROM count_minutes FINAL WHERE Measure = 'covered'")
    return float(rows[0]["s"])


@pytest.mark.parametrize("live", [True, False], ids=["tick by tick", "at once"])
def test_a_device_that_moves_goes_on_counting(rig: Rig, live: bool) -> None:
    """Ten hours of counting would otherwise be the new gateway's first increase."""
    for minute in range(41):
        _told(rig, "gw-a" if minute < 20 else "gw-b", [minute])
        if live and minute % 3 == 0:
            _roll(rig, minute + 0.5)
    _roll(rig, 42)
    assert _good(rig) == {
        "gw-a": {0: BEFORE} | dict.fromkeys(range(1, 20), 10),
        "gw-b": dict.fromkeys(range(20, 41), 10),
    }
    assert _covered(rig) == 40 * 60


def test_a_device_that_comes_and_goes_for_hours_is_counted_once(rig: Rig) -> None:
    """The point before lies further back than an hour, behind the other gateway."""
    _told(rig, "gw-a", [0, 1])
    _told(rig, "gw-b", [100])
    _roll(rig, 101)
    _told(rig, "gw-a", [200, 201])
    _roll(rig, 202)
    assert _good(rig) == {"gw-a": {0: BEFORE, 1: 10, 200: 1000, 201: 10}, "gw-b": {100: 990}}


def test_what_the_first_gateway_delivers_late_changes_what_the_second_counted(rig: Rig) -> None:
    _told(rig, "gw-a", range(11))
    _told(rig, "gw-b", range(20, 31))
    _roll(rig, 31)
    assert _good(rig)["gw-b"][20] == 100
    _told(rig, "gw-a", range(11, 20), at=BASE + 40 * MINUTE)
    _roll(rig, 41)
    assert _good(rig) == {
        "gw-a": {0: BEFORE} | dict.fromkeys(range(1, 20), 10),
        "gw-b": dict.fromkeys(range(20, 31), 10),
    }


@pytest.mark.parametrize("first", ["gw-a", "gw-b"])
def test_what_two_gateways_deliver_counts_once_in_whatever_order(rig: Rig, first: str) -> None:
    second = {"gw-a": "gw-b", "gw-b": "gw-a"}[first]
    _told(rig, first, range(11))
    _roll(rig, 12)
    assert _good(rig) == {first: {0: BEFORE} | dict.fromkeys(range(1, 11), 10)}
    _told(rig, second, range(11), at=BASE + 20 * MINUTE)
    _roll(rig, 21)
    assert _good(rig) == {"gw-a": {0: BEFORE} | dict.fromkeys(range(1, 11), 10)}
    assert _covered(rig) == 600
    before = rig.revisions("count_minutes")
    _roll(rig, 21.5)
    assert rig.revisions("count_minutes") == before


def test_sources_without_a_name_are_known_by_their_gateway(rig: Rig) -> None:
    for gateway in ("gw-a", "gw-b"):
        _told(rig, gateway, range(11), device="")
    _roll(rig, 12)
    assert _good(rig) == {gateway: {0: BEFORE} | dict.fromkeys(range(1, 11), 10) for gateway in ("gw-a", "gw-b")}


def test_a_quarantined_gateway_leaves_what_the_other_delivered(rig: Rig) -> None:
    """Of a point that both delivered, the one that is trusted counts."""
    _told(rig, "gw-a", range(11))
    _told(rig, "gw-b", range(11))
    _roll(rig, 12)
    columns = ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"]
    rig.store.insert("quarantines", columns, [["gw-a", BASE - HOUR, BASE + HOUR, "broken", "ana", False, 1]])
    _roll(rig, 13)
    assert _good(rig) == {"gw-b": {0: BEFORE} | dict.fromkeys(range(1, 11), 10)}


@pytest.mark.parametrize("value", [math.nan, -1.0], ids=["no number", "negative"])
def test_a_point_that_says_nothing_hides_no_earlier_one(rig: Rig, value: float) -> None:
    """After more than an hour of silence the increase is looked for further back; nonsense is no point to count from."""
    series = Series(start=BASE - 10 * HOUR)
    _told(rig, "gw-1", [0, 1])
    rig.points.count(series, BASE + 70 * MINUTE, value, ingested=BASE + 70 * MINUTE)
    _told(rig, "gw-1", [100])
    _roll(rig, 101)
    assert _good(rig) == {"gw-1": {0: BEFORE, 1: 10, 100: 990}}


@pytest.mark.parametrize("value", [math.nan, -1.0], ids=["no number", "negative"])
def test_a_point_that_says_nothing_is_no_next_one(rig: Rig, value: float) -> None:
    """What comes late changes the next point that counts, not the nonsense between them."""
    series = Series(start=BASE - 10 * HOUR)
    _told(rig, "gw-1", [0, 200])
    rig.points.count(series, BASE + 120 * MINUTE, value, ingested=BASE + 120 * MINUTE)
    rig.points.flush()
    _roll(rig, 201)
    _told(rig, "gw-1", [100], at=BASE + 210 * MINUTE)
    _roll(rig, 211)
    assert _good(rig) == {"gw-1": {0: BEFORE, 100: 1000, 200: 1000}}


def _known_clock(rig: Rig, offset: timedelta) -> None:
    columns = ["DeviceId", "Since", "Until", "OffsetMs", "Evidence", "Revision"]
    row = ["node-1", BASE - 20 * HOUR, BASE + 20 * HOUR, offset // timedelta(milliseconds=1), "told", 1]
    rig.store.insert("clock_offsets", columns, [row])


def _told_wrongly(rig: Rig, offset: timedelta, minutes: Iterable[int], at: datetime | None = None) -> None:
    """By a clock that has to be put right by ``offset``."""
    series = Series(start=BASE - 10 * HOUR - offset)
    for minute in minutes:
        true = BASE + minute * MINUTE
        rig.points.count(series, true - offset, BEFORE + 10 * minute, ingested=at or true + timedelta(seconds=2))
    rig.points.flush()


@pytest.mark.parametrize("offset", [-90 * MINUTE, 90 * MINUTE], ids=["ahead", "behind"])
def test_a_clock_that_is_off_loses_no_increase_over_a_long_silence(rig: Rig, offset: timedelta) -> None:
    _known_clock(rig, offset)
    _told_wrongly(rig, offset, [0, 1])
    _roll(rig, 2)
    _told_wrongly(rig, offset, [100])
    _roll(rig, 101)
    _told_wrongly(rig, offset, [50], at=BASE + 110 * MINUTE)
    _roll(rig, 111)
    assert _good(rig) == {"gw-1": {0: BEFORE, 1: 10, 50: 490, 100: 500}}
