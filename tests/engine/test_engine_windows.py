"""Windows read an hour's minutes from one row: the figures are those of the minutes, whatever was folded when."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from engine_rig import BASE, MINUTE, Rig

from sloengine import jobs
from sloengine.errors import StoreUnavailable
from sloengine.jobs.fold import fold_hours
from sloengine.rollup.plan import HOUR, floor_hour
from sloengine.times import unix_ms, utc

rollup = import_module("sloengine.jobs.roll_up")

BEGIN, DAY = datetime(2026, 3, 1, tzinfo=UTC), timedelta(days=1)
MEASURES, KEYS, DAYS = ("requests", "covered"), 6, 3
Key = tuple[str, str, str]
Figures = tuple[float, float, int, float, float]
NAMES = ["Measure", "GatewayId", "DeviceId"]
COLUMNS = [*NAMES, "Minute", "Events", "Squares", "Unweighted", "Bridged", "Shifted", "Items", "Revision"]
NOTHING: Figures = (0.0, 0.0, 0, 0.0, 0.0)


@dataclass
class Told:
    """What the minutes say, newest revisions."""

    rig: Rig
    dice: random.Random
    revision: int = 0
    minutes: dict[tuple[Key, datetime], tuple[Figures, int]] = field(default_factory=dict)

    def write(self, keys: Iterable[Key], begin: datetime, end: datetime, share: float) -> set[datetime]:
        """Some of these minutes anew, some of them emptied; the hours to be folded."""
        self.revision += 1
        found = {
            (key, begin + n * MINUTE): self._figures()
            for key in keys
            for n in range((end - begin) // MINUTE)
            if self.dice.random() < share
        }
        rows = [[*key, at, *figures, items, self.revision] for (key, at), (figures, items) in found.items()]
        self.rig.store.insert("count_minutes", COLUMNS, rows)
        self.minutes |= found
        return {floor_hour(at) for _, at in found}

    def _figures(self) -> tuple[Figures, int]:
        """Quarters: their sums are exact in any order."""
        kind, number = self.dice.random(), self.dice.randrange(1, 999) / 4
        if kind < 0.1:
            return NOTHING, 0
        if kind < 0.7:
            return (number, number, 0, 0.0, 0.0), 1
        if kind < 0.8:
            return (0.0, 0.0, self.dice.randrange(1, 9), 0.0, 0.0), 0
        parts = [self.dice.choice((0.0, number / 2)) for _ in range(2)]
        return (number, number * 2, self.dice.choice((0, 3)), parts[0], parts[1]), 2

    def windows(self, cuts: list[datetime], end: datetime) -> dict[tuple[Key, datetime], tuple[list[float], float]]:
        """Sums and the newest minute that holds anything, by key and cut."""
        sums: dict[tuple[Key, datetime], list[float]] = defaultdict(lambda: [0.0] * 5)
        last: dict[tuple[Key, datetime], float] = defaultdict(float)
        for (key, at), (figures, items) in self.minutes.items():
            if key[0] in MEASURES and cuts[0] <= at <= end and items + figures[2] > 0:
                cell = key, max(cut for cut in cuts if cut <= at)
                sums[cell] = [a + b for a, b in zip(sums[cell], figures, strict=True)]
                last[cell] = max(last[cell], at.timestamp())
        return {cell: (found, last[cell]) for cell, found in sums.items()}


def asked(told: Told, cuts: list[datetime], end: datetime) -> dict[tuple[Key, datetime], tuple[list[float], float]]:
    """The same, as the engine asks for it."""
    days = sorted({floor_hour(cut).replace(hour=0) for cut in cuts})
    given = {"cuts": cuts, "ragged_hours": sorted({floor_hour(cut) for cut in cuts}), "ragged_days": days}
    store = told.rig.store
    keys = store.rows("window_keys", **given, measures=list(MEASURES), all=True, ids=[0])
    names = {row["KeyId"]: (row["Measure"], row["gateway"], row["device"]) for row in keys}
    rows = store.rows("window_bands", **given, measures=list(MEASURES), end=end, rows_max=100_000)
    found = {
        (names[r["KeyId"]], datetime.fromtimestamp(r["Cut"], UTC)): (
            [r[name] for name in ("Events", "Squares", "Unweighted", "Bridged", "Shifted")],
            r["Last"],
        )
        for r in rows
    }
    return {cell: figures for cell, figures in found.items() if figures != ([0.0] * 5, 0)}


def some_cuts(dice: random.Random) -> list[datetime]:
    whole = [BEGIN + dice.randrange(DAYS * 24) * HOUR for _ in range(2)]
    inside = [BEGIN + dice.randrange(DAYS * 24 * 60) * MINUTE for _ in range(5)]
    # Two in one hour, and next to each other.
    near = [inside[0] + n * MINUTE for n in (1, 7)]
    return sorted({*whole, *inside, *near, inside[1].replace(minute=59)})


def the_same(told: Told, dice: random.Random) -> None:
    for _ in range(4):
        cuts = some_cuts(dice)
        # A tick ends at its last cut; what came with a clock that is ahead lies behind it.
        assert asked(told, cuts, cuts[-1]) == told.windows(cuts, cuts[-1]), cuts


KEYED = [(MEASURES[n % 2], f"gw-{n % 3}", f"node-{n}") for n in range(KEYS)]


@pytest.mark.parametrize("seed", range(2))
def test_windows_say_what_the_minutes_say_with_late_data_and_restatements(rig: Rig, seed: int) -> None:
    dice = random.Random(seed)
    told = Told(rig, dice)
    end = BEGIN + DAYS * DAY
    fold_hours(rig.store, told.write([*KEYED, ("unasked", "gw-0", "")], BEGIN, end, 0.4), 1)
    the_same(told, dice)
    for _ in range(3):
        at = BEGIN + dice.randrange(DAYS * 24 * 60 - 600) * MINUTE
        hours = told.write(dice.sample(KEYED, 2), at, at + dice.randrange(1, 600) * MINUTE, 0.6)
        fold_hours(rig.store, hours, told.revision)
        the_same(told, dice)


def test_hours_that_were_folded_before_they_kept_minutes_are_read_from_these(rig: Rig) -> None:
    """The upgrade: nothing is filled in, a late arrival or a job of its own measures folds some hours anew, others never."""
    dice = random.Random(11)
    told = Told(rig, dice)
    fold_hours(rig.store, told.write(KEYED, BEGIN, BEGIN + DAYS * DAY, 0.4), 1)
    rig.store.command("TRUNCATE TABLE count_hour_minutes")
    the_same(told, dice)
    later = BEGIN + DAY
    fold_hours(rig.store, told.write(KEYED[:1], later, later + 12 * HOUR, 0.5), told.revision)
    the_same(told, dice)
    own = [key for key in KEYED if key[0] == MEASURES[1]]
    fold_hours(rig.store, told.write(own, BEGIN, BEGIN + DAY, 0.5), told.revision, [MEASURES[1]])
    the_same(told, dice)


def test_folding_an_hour_again_writes_nothing(rig: Rig) -> None:
    for table in ("count_hour_minutes", "count_hours"):
        rig.store.command(f"SYSTEM STOP MERGES {table}")
    dice = random.Random(7)
    told = Told(rig, dice)
    hours = told.write(KEYED, BEGIN, BEGIN + 30 * HOUR, 0.5)
    fold_hours(rig.store, hours, 1)
    # Emptied whole: an emptied row must be as settled as a full one.
    rows = [[*key, at, *NOTHING, 0, 9] for key, at in told.minutes if key == KEYED[0]]
    rig.store.insert("count_minutes", COLUMNS, rows)
    told.minutes = {cell: found for cell, found in told.minutes.items() if cell[0] != KEYED[0]}
    fold_hours(rig.store, hours, 9)
    before = [rig.revisions(table) for table in ("count_hour_minutes", "count_hours")]
    fold_hours(rig.store, hours, 10)
    assert [rig.revisions(table) for table in ("count_hour_minutes", "count_hours")] == before
    the_same(told, dice)


def test_a_revised_minute_rewrites_its_own_row_and_no_other(rig: Rig) -> None:
    told = Told(rig, random.Random(3))
    fold_hours(rig.store, told.write(KEYED, BEGIN, BEGIN + 3 * HOUR, 0.9), 1)
    told.revision = 4
    rig.store.insert("count_minutes", COLUMNS, [[*KEYED[0], BEGIN + 70 * MINUTE, 5.0, 5.0, 0, 0.0, 0.0, 1, 5]])
    fold_hours(rig.store, [BEGIN + n * HOUR for n in range(3)], 5)
    [row] = rig.store.sql_rows(
        "SELECT Hour, DeviceId, has(Events, 5.) AS there FROM count_hour_minutes WHERE Revision = 5"
    )
    assert (utc(row["Hour"]), row["DeviceId"], row["there"]) == (BEGIN + HOUR, "node-0", 1)


@pytest.mark.parametrize("how", ["killed", "failed"])
def test_what_a_roll_up_that_did_not_end_left_behind_is_folded_by_the_next(
    rig: Rig, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Jobs move their marks when they have written minutes: nothing would touch these hours again."""
    dice = random.Random(5)
    told = Told(rig, dice, revision=unix_ms(BASE) - 1)
    fold_hours(rig.store, told.write(KEYED, BEGIN, BEGIN + DAYS * DAY, 0.4), told.revision)
    jobs.roll_up(rig.deps, BASE)
    the_same(told, dice)
    monkeypatch.setattr(rollup, "derive_all", lambda *_: told.write(KEYED, BEGIN, BEGIN + DAY, 0.3))
    monkeypatch.setattr(rollup, "fold_hours", _away)
    told.revision = unix_ms(BASE + MINUTE) - 1
    with pytest.raises(StoreUnavailable):
        jobs.roll_up(rig.deps, BASE + MINUTE)
    monkeypatch.undo()
    jobs.roll_up(rig.engine("another") if how == "killed" else rig.deps, BASE + 2 * MINUTE)
    the_same(told, dice)


def _away(*_: object) -> None:
    raise StoreUnavailable("away")
