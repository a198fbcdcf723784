"""Hours of histograms say what their minutes say, of what drift monitors watch and of nothing else, whatever came when."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from engine_rig import BASE, DELTA, HOUR, MINUTE, SHARED_COLUMNS, Rig, Series

from sloengine import jobs
from sloengine.errors import StoreError
from sloengine.jobs.fold import fold_histogram_hours
from sloengine.jobs.watched import owed_before
from sloengine.monitor import DriftMonitor
from sloengine.rollup.plan import floor_hour
from sloengine.tools.backfill import run_backfill

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
SCORE, LATENCY = "edge.inference.score", "edge.inference.duration"
BOUNDS = ((0.25, 0.5, 0.75), (0.1, 0.5, 0.9, 0.99))
Key = tuple[str, str, str]
Grid = tuple[int, tuple[float, ...]]
NAMES = ["Measure", "GatewayId", "DeviceId"]
COLUMNS = [*NAMES, "Minute", "Scale", "Bounds", "Zero", "Buckets", "Negative", "Items", "Revision"]
Hours = dict[tuple[Key, Grid, datetime], tuple[float, dict[int, float], dict[int, float], int]]
"""Zeros, positive and negative buckets that are not empty, items."""


@dataclass
class Told:
    """What the minutes say, newest revisions."""

    rig: Rig
    dice: random.Random
    revision: int = 0
    minutes: dict[tuple[Key, Grid, datetime], tuple[float, dict[int, float], dict[int, float], int]] = field(
        default_factory=dict
    )

    def write(self, keys: Iterable[Key], begin: datetime, end: datetime, share: float) -> set[datetime]:
        """Some of these minutes anew, some of them emptied; the hours to be folded."""
        self.revision += 1
        found = {
            (key, grid, begin + n * MINUTE): self._figures(grid)
            for key in keys
            for n in range((end - begin) // MINUTE)
            for grid in self._grids(key)
            if self.dice.random() < share
        }
        rows = [
            [*key, at, scale, list(bounds), *figures, self.revision]
            for (key, (scale, bounds), at), figures in found.items()
        ]
        self.rig.store.insert("histogram_minutes", COLUMNS, rows)
        self.minutes |= found
        return {floor_hour(at) for _, _, at in found}

    def _grids(self, key: Key) -> list[Grid]:
        """A device's grids change within the hour."""
        if key[0] == SCORE:
            return [(0, bounds) for bounds in BOUNDS]
        return [(scale, ()) for scale in (-2, 0, 3, 6)]

    def _figures(self, grid: Grid) -> tuple[float, dict[int, float], dict[int, float], int]:
        scale, bounds = grid
        if self.dice.random() < 0.1:
            return 0.0, {}, {}, 0
        # Eighths: their sums are exact in any order.
        numbers = iter(lambda: self.dice.randrange(1, 99) / 8, None)
        if bounds:
            held = self.dice.sample(range(len(bounds) + 1), self.dice.randrange(1, len(bounds) + 2))
            return 0.0, dict(zip(held, numbers, strict=False)), {}, 1
        middle = self.dice.randrange(-5, 5) * max(1, int(2.0**scale))
        above = dict(zip({middle + self.dice.randrange(30) for _ in range(6)}, numbers, strict=False))
        below = {-middle: next(numbers), 7 - middle: next(numbers)} if self.dice.random() < 0.5 else {}
        return self.dice.choice((0.0, 2.0)), above if self.dice.random() < 0.9 else {}, below, 2

    def hours(self) -> Hours:
        """Plain sums."""
        zeros: dict[Any, float] = defaultdict(float)
        items: dict[Any, int] = defaultdict(int)
        sides: dict[Any, tuple[dict[int, float], dict[int, float]]] = defaultdict(
            lambda: (defaultdict(float), defaultdict(float))
        )
        for (key, grid, at), (zero, *maps, count) in self.minutes.items():
            cell = key, grid, floor_hour(at)
            if key[0] != "unwatched" and count:
                zeros[cell] += zero
                items[cell] += count
                for sums, held in zip(sides[cell], maps, strict=True):
                    for index, number in held.items():
                        sums[index] += number
        return {cell: (zeros[cell], dict(sides[cell][0]), dict(sides[cell][1]), n) for cell, n in items.items()}


def held(rig: Rig) -> Hours:
    """What the table holds, and that its arrays are as promised."""
    out: Hours = {}
    for r in rig.rows("SELECT * FROM histogram_hours FINAL"):
        if not r["Items"]:
            assert (r["Zero"], r["Counts"], r["Negatives"]) == (0, [], [])
            continue
        if r["Bounds"]:
            assert (r["Scale"], r["First"], len(r["Counts"])) == (0, 0, len(r["Bounds"]) + 1)
        for array in (r["Counts"] if not r["Bounds"] else [], r["Negatives"]):
            assert not array or (array[0] and array[-1]), "dense from the first that is not empty to the last"
        sides = [
            {first + i: c for i, c in enumerate(counts) if c}
            for first, counts in ((r["First"], r["Counts"]), (r["NegativeFirst"], r["Negatives"]))
        ]
        key = r["Measure"], r["GatewayId"], r["DeviceId"]
        out[key, (r["Scale"], tuple(r["Bounds"])), r["Hour"]] = (r["Zero"], sides[0], sides[1], r["Items"])
    return out


KEYS: list[Key] = [((SCORE, LATENCY)[n % 2], f"gw-{n % 3}", f"node-{n}") for n in range(4)]


@pytest.mark.parametrize("seed", range(2))
def test_hours_are_plain_sums_over_minutes_with_late_data_and_restatements(rig: Rig, seed: int) -> None:
    rig.store.command("SYSTEM STOP MERGES histogram_hours")
    told = Told(rig, random.Random(seed))
    hours = told.write([*KEYS, ("unwatched", "gw-0", "")], BEGIN, BEGIN + 30 * HOUR, 0.2)
    fold_histogram_hours(rig.store, hours, 1, [SCORE, LATENCY])
    assert held(rig) == told.hours()
    for _ in range(3):
        at = BEGIN + told.dice.randrange(24 * 60) * MINUTE
        again = told.write(told.dice.sample(KEYS, 2), at, at + told.dice.randrange(1, 300) * MINUTE, 0.5)
        fold_histogram_hours(rig.store, again, told.revision, [SCORE, LATENCY])
        assert held(rig) == told.hours()
    before = rig.revisions("histogram_hours")
    fold_histogram_hours(rig.store, hours, 99, [SCORE, LATENCY])
    assert rig.revisions("histogram_hours") == before


def test_arrays_are_dense_and_of_explicit_buckets_whole(rig: Rig) -> None:
    """Buckets that nothing fell into all hour long: a random hour has none."""
    explicit, exponential = [0, [0.1, 0.2, 0.3], 0.0], [3, [], 2.0]
    minutes = [
        ("inside", explicit, {1: 2.0}, {}),
        ("inside", explicit, {2: 1.0}, {}),
        ("ends", explicit, {3: 4.0}, {}),
        ("apart", exponential, {-7: 1.0}, {5: 1.0}),
        ("apart", exponential, {-4: 3.0}, {2: 6.0}),
        ("below", exponential, {}, {-1: 1.0}),
    ]
    rows = [
        [SCORE, "gw", device, BEGIN + n * MINUTE, *grid, above, below, 1, 1]
        for n, (device, grid, above, below) in enumerate(minutes)
    ]
    rig.store.insert("histogram_minutes", COLUMNS, rows)
    fold_histogram_hours(rig.store, [BEGIN], 1, [SCORE])
    found = rig.rows("SELECT DeviceId, First, Counts, NegativeFirst, Negatives FROM histogram_hours ORDER BY DeviceId")
    assert [tuple(row.values()) for row in found] == [
        ("apart", -7, [1, 0, 0, 3], 2, [6, 0, 0, 1]),
        ("below", 0, [], -1, [1]),
        ("ends", 0, [0, 0, 0, 4], 0, []),
        ("inside", 0, [0, 2, 1, 0], 0, []),
    ]


def test_a_revised_minute_rewrites_its_own_row_and_no_other_and_an_emptied_key_stays_settled(rig: Rig) -> None:
    rig.store.command("SYSTEM STOP MERGES histogram_hours")
    told = Told(rig, random.Random(7))
    hours = told.write(KEYS, BEGIN, BEGIN + 3 * HOUR, 0.5)
    fold_histogram_hours(rig.store, hours, 1, [SCORE, LATENCY])
    gone = [cell for cell in told.minutes if cell[0] == KEYS[0] and cell[1][1] == BOUNDS[0] and cell[2] < BEGIN + HOUR]
    rows = [[*key, at, scale, list(bounds), 0.0, {}, {}, 0, 5] for key, (scale, bounds), at in gone]
    rig.store.insert("histogram_minutes", COLUMNS, rows)
    told.minutes |= dict.fromkeys(gone, (0.0, {}, {}, 0))
    fold_histogram_hours(rig.store, hours, 5, [SCORE, LATENCY])
    assert held(rig) == told.hours()
    [row] = rig.rows("SELECT DeviceId, Bounds, Hour, Items FROM histogram_hours WHERE Revision = 5")
    assert tuple(row.values()) == ("node-0", list(BOUNDS[0]), BEGIN, 0)
    fold_histogram_hours(rig.store, hours, 6, [SCORE, LATENCY])
    assert rig.rows("SELECT count() AS n FROM histogram_hours WHERE Revision = 6") == [{"n": 0}]


# --- through the engine

WHOLE = DriftMonitor("latency", "digits", LATENCY)
COARSE = replace(WHOLE, levels=("model", "version", "region"))
SCALES = (5, 3, 6)


def _past(rig: Rig, hours: int, gateway: str = "gw-1") -> None:
    """Devices with a scale each, a point of a few values every 10 minutes; the same as scores in explicit buckets."""
    explicit = []
    for number, scale in enumerate(SCALES):
        device = Series(device=f"{gateway}-{number}", gateway=gateway, temporality=DELTA)
        for step in range(hours * 6):
            at = BASE - hours * HOUR + step * 10 * MINUTE + MINUTE
            rig.points.duration(device, at, (scale, 1, -40 + step % 3, [1, 0, 2 + number]))
            row = device.row(SCORE, "1", at, None, None)
            explicit.append([*row, 4, [0.25, 0.5], [1, 0, 3]])
    rig.points.flush()
    rig.store.insert("otel_metrics_histogram", [*SHARED_COLUMNS, "Count", "ExplicitBounds", "BucketCounts"], explicit)


def _engine(rig: Rig, *monitors: DriftMonitor) -> jobs.Deps:
    rig.catalogue = replace(rig.catalogue, monitors=monitors)
    return rig.engine(f"engine-{len(rig._opened)}")


def _of_minutes(rig: Rig, measure: str = LATENCY) -> Hours:
    """Summed in plain Python from what the table of minutes holds."""
    told = Told(rig, random.Random())
    for r in rig.rows(f"SELECT * FROM histogram_minutes FINAL WHERE Measure = '{measure}'"):
        key = r["Measure"], r["GatewayId"], r["DeviceId"]
        cell = key, (r["Scale"], tuple(r["Bounds"])), r["Minute"]
        assert cell not in told.minutes
        told.minutes[cell] = (r["Zero"], r["Buckets"], r["Negative"], r["Items"])
    return told.hours()


def test_only_what_a_monitor_watches_has_hours_and_a_rerun_writes_nothing(rig: Rig) -> None:
    _past(rig, 5)
    rig.tick(BASE)
    assert held(rig) == {}
    deps = _engine(rig, WHOLE)
    assert jobs.tick(deps, BASE + MINUTE).problems == ()
    found = held(rig)
    assert {(key, at.hour) for key, _, at in found} == {
        ((LATENCY, "gw-1", f"gw-1-{n}"), (BASE - h * HOUR).hour) for n in range(3) for h in range(1, 6)
    }
    assert found == _of_minutes(rig)
    rig.store.command("TRUNCATE TABLE histogram_hours")
    run_backfill(deps, BASE + HOUR)
    assert held(rig) == found
    rig.store.command("SYSTEM STOP MERGES histogram_hours")
    before = rig.revisions("histogram_hours")
    jobs.roll_up(deps, BASE + 2 * MINUTE)
    run_backfill(deps, BASE + HOUR)
    assert rig.revisions("histogram_hours") == before


def test_late_data_and_a_quarantine_reach_the_hours(rig: Rig) -> None:
    deps = _engine(rig, WHOLE)
    _past(rig, 3)
    jobs.roll_up(deps, BASE)
    late = Series(device="gw-1-0", temporality=DELTA)
    rig.points.duration(late, BASE - 2 * HOUR, (4, 0, -30, [5]), ingested=BASE + MINUTE)
    rig.points.flush()
    jobs.roll_up(deps, BASE + 2 * MINUTE)
    found = held(rig)
    assert found == _of_minutes(rig)
    assert found[(LATENCY, "gw-1", "gw-1-0"), (4, ()), BASE - 2 * HOUR] == (0.0, {-30: 5.0}, {}, 1)
    columns = ["GatewayId", "Since", "Until", "Reason", "Author", "Lifted", "Revision"]
    quarantine = ["gw-1", BASE - 48 * HOUR, BASE + 48 * HOUR, "forged", "security"]
    rig.store.insert("quarantines", columns, [[*quarantine, False, 1]])
    jobs.roll_up(deps, BASE + 3 * MINUTE)
    assert held(rig) == {}
    assert rig.rows("SELECT count() > 0 AS n FROM histogram_hours FINAL WHERE Items = 0") == [{"n": 1}]
    rig.store.insert("quarantines", columns, [[*quarantine, True, 2]])
    jobs.roll_up(deps, BASE + 4 * MINUTE)
    assert held(rig) == found


class _Slow:
    """A clock by which each look takes longer than a tick may: one piece of the past a tick."""

    def __init__(self) -> None:
        self.now = BASE

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=3)
        return self.now


def test_a_new_monitor_has_a_past_newest_first_even_where_nothing_is_folded_differently(rig: Rig) -> None:
    """Scores are folded for dashboards anyway: no history is owed, and no hour of the past would ever be touched."""
    _past(rig, 60)
    rig.tick(BASE)
    monitor = replace(COARSE, metric=SCORE)
    deps = _engine(rig, monitor)
    deps.clock = _Slow()
    snapshot = jobs.tick(deps, BASE + MINUTE)
    assert [note for note in snapshot.notes if "counted anew" in note] == []
    assert "still to be folded for drift" in snapshot.notes[0]
    seen = [min((at for *_, at in held(rig)), default=BASE)]
    for number in range(2, 9):
        if not jobs.tick(deps, BASE + number * MINUTE).notes:
            break
        # A day that has only begun may hold nothing yet.
        seen.append(min((at for *_, at in held(rig)), default=BASE))
    assert len(seen) > 2, "one tick must not take it all"
    assert seen == sorted(seen, reverse=True)
    assert owed_before(deps) == {}
    assert held(rig) == _of_minutes(rig, SCORE)


def test_what_was_folded_while_nobody_watched_is_folded_when_it_is_watched_again(rig: Rig) -> None:
    monitor = replace(COARSE, metric=SCORE)
    _past(rig, 3)
    jobs.roll_up(_engine(rig, monitor), BASE)
    jobs.roll_up(_engine(rig), BASE + MINUTE)
    late = Series(device="late", temporality=DELTA).row(SCORE, "1", BASE - HOUR, BASE + 2 * MINUTE, None)
    columns = [*SHARED_COLUMNS, "Count", "ExplicitBounds", "BucketCounts"]
    rig.store.insert("otel_metrics_histogram", columns, [[*late, 4, [0.25, 0.5], [4, 0, 0]]])
    jobs.roll_up(rig.deps, BASE + 3 * MINUTE)
    assert held(rig) != _of_minutes(rig, SCORE)
    jobs.roll_up(_engine(rig, monitor), BASE + 4 * MINUTE)
    assert held(rig) == _of_minutes(rig, SCORE)


def test_segments_and_devices_of_a_monitor_are_told_apart_in_the_past_too(rig: Rig) -> None:
    for site in ("north", "south"):
        series = Series(device=site, temporality=DELTA, extra=(("edge.site", site),))
        rig.points.duration(series, BASE - HOUR, (3, 0, 0, [2]))
    rig.points.flush()
    rig.tick(BASE)
    told = (
        "SELECT DeviceId, Attributes, Counts FROM histogram_hours FINAL WHERE Items > 0 ORDER BY DeviceId, Attributes"
    )
    jobs.roll_up(_engine(rig, COARSE), BASE + MINUTE)
    assert [tuple(r.values()) for r in rig.rows(told)] == [("", "", [4.0])]
    jobs.roll_up(_engine(rig, replace(WHOLE, segments=("edge.site",))), BASE + 2 * MINUTE)
    assert [tuple(r.values()) for r in rig.rows(told)] == [
        (site, f'{{"edge.site":"{site}"}}', [2.0]) for site in ("north", "south")
    ]


def test_hours_that_can_not_be_folded_are_said_owed_and_stop_no_verdict(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    deps = _engine(rig, WHOLE)
    rig.points.traffic(Series(), BASE - HOUR, 50, 90, 10)
    _past(rig, 3)
    assert jobs.tick(deps, BASE).problems == ()
    assert owed_before(deps) == {}
    late = Series(device="gw-1-0", temporality=DELTA)
    rig.points.duration(late, BASE - 2 * HOUR, (4, 0, -30, [5]), ingested=BASE + MINUTE)
    rig.points.flush()

    def broken(*_: object) -> None:
        raise StoreError("memory limit exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(import_module("sloengine.jobs.watched"), "fold_histogram_hours", broken)
        snapshot = jobs.tick(deps, BASE + 2 * MINUTE)
    assert any("memory limit exceeded" in problem for problem in snapshot.problems)
    assert any(s.counts.valid for s in snapshot.statuses)
    assert owed_before(deps)[LATENCY] > BASE
    # Later than ticks overlap: nothing touches that hour again.
    assert jobs.tick(deps, BASE + HOUR).problems == ()
    assert held(rig) == _of_minutes(rig)
