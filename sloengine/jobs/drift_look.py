"""One look of a drift monitor: a window of all its series against their baseline, judged and stored."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.baseline import Baseline, enough, inherited
from sloengine.evaluate.drift.discovery import level_of_look
from sloengine.evaluate.drift.judge import Before, Given, Judged, Rule, Verdict, judge
from sloengine.evaluate.drift.levels import (
    DEVICE,
    Above,
    Floats,
    Ids,
    Sums,
    above_devices,
    above_of,
    of_devices,
    others,
    parents_in,
    places_in,
    together,
)
from sloengine.evaluate.drift.sequential import Sums as Cusum
from sloengine.jobs.drift_baselines import PINNED, Version, read_version, version_for
from sloengine.jobs.drift_read import Block, Reading, read_blocks, read_rows, register
from sloengine.jobs.drift_silent import Counted, devices_of, mostly_silent, silent
from sloengine.monitor import VALIDATION, Against, DriftMonitor
from sloengine.store.client import Store, length_of

FORGED = 100.0
"""Times the events that a device's windows held in the baseline, and times those of its peers now: nothing honest does that."""
WEEK = timedelta(days=7)
STORED = (Against.PINNED, Against.PREVIOUS, Against.TRAILING)
WRITTEN = 200_000
"""Rows that are written at once: a million, packed and sent, are eight hundred megabytes."""
Codes = NDArray[np.uint8]
BELIEVED = 0


@dataclass(frozen=True, slots=True)
class Compared:
    """Figures of S series; the counts they were made of are let go of, a block at a time."""

    ids: Ids
    readings: fleet.Readings
    unplaced: Floats
    """Share of the events that no pinned bin holds."""
    certain: Codes
    """Verdicts that need no judging; BELIEVED where it does."""
    lasting: Floats
    """How many looks what varies in the baseline lasts."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was said of every series, ascending by id."""

    monitor: DriftMonitor
    end: datetime
    version: Version
    compared: Compared
    judged: Judged

    def count(self, verdict: Verdict) -> int:
        return int(np.count_nonzero(self.judged.verdicts == verdict))


def look(store: Store, monitor: DriftMonitor, end: datetime) -> Look | None:
    """Judge the window that ends at ``end``; None if there is no baseline to hold it against."""
    version = version_for(store, monitor, kinds_of(monitor), end - monitor.window)
    # A validation set doesn't tell how much the hours of a fleet vary; what they were like does.
    habits = version if version is None or version.kind != VALIDATION else _trailing(store, monitor, end)
    if version is None or habits is None:
        return None
    compared = _ordered(_Comparison(store, monitor, end, version, habits).parts())
    rule = Rule(
        level_of_look(monitor.false_alarms, monitor.window), monitor.index, monitor.minimum, monitor.persistence
    )
    before = _before(store, monitor, end, compared.ids)
    given = Given(compared.unplaced, compared.certain == BELIEVED, compared.lasting)
    judged = judge(compared.readings, given, before, rule)
    verdicts = np.where(compared.certain == BELIEVED, judged.verdicts, compared.certain)
    return Look(monitor, end, version, compared, replace(judged, verdicts=verdicts))


def kinds_of(monitor: DriftMonitor) -> tuple[str, ...]:
    """Of the baselines that a monitor's looks are held against."""
    if monitor.against is Against.PINNED:
        return PINNED
    return (monitor.against.value if monitor.against in STORED else Against.TRAILING.value,)


def _trailing(store: Store, monitor: DriftMonitor, end: datetime) -> Version | None:
    return version_for(store, monitor, (Against.TRAILING.value,), end - monitor.window)


@dataclass(frozen=True, slots=True)
class _Comparison:
    """Blocks of devices first, then what lies above them."""

    store: Store
    monitor: DriftMonitor
    end: datetime
    version: Version
    habits: Version
    """Whose hours tell how much hours vary, and which devices there are; of anything but a validation set the same."""

    @property
    def reading(self) -> Reading:
        return Reading(self.monitor, (self.end - self.monitor.window, self.end))

    @property
    def watches_devices(self) -> bool:
        """A device has one version at a time: there are no others of its own to hold it against."""
        return DEVICE in self.monitor.levels and self.monitor.against is not Against.CONTROL

    def parts(self) -> list[Compared]:
        found: list[Compared] = []
        upper: list[Sums] = []
        above: list[Above] = []
        heard: list[Counted] = []
        levels = [level for level in self.monitor.levels if level != DEVICE]
        for block, read in read_blocks(self.store, self.reading, self.version.bins):
            rows = read
            if self.watches_devices:
                devices = of_devices(rows)
                base = self._base(devices, [above_of(rows, (DEVICE,))], block=block)
                wild = _wild(devices, base)
                certain = wild * np.uint8(Verdict.IMPLAUSIBLE.value)
                found.append(self._held(devices, base, partial(self._devices_then, block), certain))
                heard.append(devices_of(rows))
                rows = rows.only(~np.isin(rows.ids[DEVICE], devices.ids[wild]))
            upper += above_devices(rows, self.monitor.levels).values()
            above.append(above_of(rows, levels))
        sums = together(upper)
        base = self._base(sums, above, ids=sums.ids.tolist())
        stale = self._silent(sums.ids, above, heard, found) * np.uint8(Verdict.STALE.value)
        found.append(self._held(sums, base, self._above_then, stale))
        return [*found, self._stale(np.concatenate([part.ids for part in found]))]

    def _stale(self, seen: Ids) -> Compared:
        """What the baseline knows and nothing came of."""
        kind = np.dtype([("SeriesId", "<u8"), ("Events", "<f8")])
        known = self.store.packed("drift_baseline_ids", kind, monitor=self.monitor.name, version=self.habits.number)
        if self.monitor.against is Against.CONTROL:
            known = known[:0]
        known = known[~np.isin(known["SeriesId"], seen)]
        size, bins = len(known), self.version.bins.size
        readings = fleet.read(
            fleet.Block.plain(np.zeros((size, bins)), np.zeros((size, bins)), self.version.bins.edges)
        )
        certain = np.full(size, Verdict.STALE.value, dtype=np.uint8)
        return Compared(
            known["SeriesId"].copy(),
            replace(readings, m=known["Events"].copy()),
            np.zeros(size),
            certain,
            np.full(size, np.nan),
        )

    def _silent(self, ids: Ids, above: list[Above], heard: list[Counted], devices: list[Compared]) -> NDArray[np.bool_]:
        """Which series have lost most of their devices; without devices of their own nobody can tell."""
        if not heard:
            return np.zeros(len(ids), dtype=bool)
        now = np.concatenate([part.ids for part in devices])
        return mostly_silent(ids, above, heard, silent(self.store, self.reading, now))

    def _base(self, now: Sums, above: Sequence[Above], **which: Any) -> Baseline:
        """What ``now`` is held against."""
        own = read_version(self.store, self.monitor, self.habits, **which)
        if self.version.kind != VALIDATION:
            return own
        models, versions = parents_in(above, now.ids)
        ids = np.union1d(models, versions).tolist()
        validated, higher = (read_version(self.store, self.monitor, v, ids=ids) for v in (self.version, self.habits))
        return inherited(now.ids, (models, versions), validated, (higher, own))

    def _devices_then(self, block: Block) -> Sums:
        return of_devices(read_rows(self.store, self._week_before, self.version.bins, block))

    def _above_then(self) -> Sums:
        read = read_blocks(self.store, self._week_before, self.version.bins)
        return together([sums for _, rows in read for sums in above_devices(rows, self.monitor.levels).values()])

    @property
    def _week_before(self) -> Reading:
        return replace(self.reading, span=(self.reading.span[0] - WEEK, self.end - WEEK))

    def _held(self, now: Sums, base: Baseline, then: Callable[[], Sums], certain: Codes) -> Compared:
        """``certain``: verdicts that need no figures; BELIEVED where they do."""
        place, known = places_in(base.ids, now.ids)
        counts = self._normal(now, base, then)
        block = fleet.Block(
            counts,
            now.counts,
            self.version.bins.edges,
            _taken(base.inflation, place, known, 1.0),
            _taken(enough(base.freedom), place, known, np.inf),
            _taken(base.joined, place, known, 1.0),
        )
        events = now.counts.sum(axis=1) + now.lost
        nothing = (counts.sum(axis=1) <= 0) * Verdict.NO_BASELINE.value
        certain = np.where(certain == BELIEVED, nothing, certain).astype(np.uint8)
        unplaced = np.divide(now.lost, events, out=np.zeros(len(events)), where=events > 0)
        return Compared(now.ids, fleet.read(block), unplaced, certain, _taken(base.lasting, place, known, np.nan))

    def _normal(self, now: Sums, base: Baseline, then: Callable[[], Sums]) -> Floats:
        match self.monitor.against:
            case Against.CONTROL:
                return others(now)
            case Against.LAST_WEEK:
                before = then()
                return _taken(before.counts, *places_in(before.ids, now.ids), 0.0)
            case _:
                return _taken(base.counts, *places_in(base.ids, now.ids), 0.0)


def _taken(values: Floats, place: NDArray[np.int64], known: NDArray[np.bool_], otherwise: float) -> Floats:
    """``values`` of what is known, shape (S, …)."""
    found = np.full((len(place), *values.shape[1:]), otherwise)
    found[known] = values[place[known]]
    return found


def _wild(now: Sums, base: Baseline) -> NDArray[np.bool_]:
    """Devices with impossibly many events, for themselves and among their peers: one would outweigh its whole region."""
    events = now.counts.sum(axis=1)
    if not len(events):
        return np.zeros(0, dtype=bool)
    usual = _taken(base.events / np.maximum(base.windows, 1), *places_in(base.ids, now.ids), 0.0)
    return np.asarray(events > FORGED * np.maximum(usual, np.median(events)))


def _ordered(parts: list[Compared]) -> Compared:
    ids = np.concatenate([part.ids for part in parts])
    order = np.argsort(ids, kind="stable")
    readings = fleet.joined([part.readings for part in parts]).at(order)
    rest = (
        np.concatenate([getattr(part, name) for part in parts])[order] for name in ("unplaced", "certain", "lasting")
    )
    return Compared(ids[order], readings, *rest)


# --- from one look to the next


_LAST = np.dtype([("SeriesId", "<u8"), ("Exceeded", "u1"), ("Cusum", "<f8"), ("CusumLooks", "<u4")])


def _before(store: Store, monitor: DriftMonitor, end: datetime, ids: Ids) -> Before:
    rows = store.packed("drift_last", _LAST, monitor=monitor.name, hours=_hours(monitor), end=end)
    place, known = places_in(rows["SeriesId"], ids)
    sums = Cusum(_taken(rows["Cusum"], place, known, 0.0), _taken(rows["CusumLooks"], place, known, 0.0))
    return Before(_taken(rows["Exceeded"], place, known, 0).astype(np.uint8), sums)


def _hours(monitor: DriftMonitor) -> int:
    return int(monitor.window / timedelta(hours=1))


_FIGURES = [
    ("SeriesId", "<u8"),
    ("Verdict", "u1"),
    ("N", "<f8"),
    ("M", "<f8"),
    ("Unplaced", "<f4"),
    ("Bins", "<u2"),
    *((name, "<f8") for name in ("Psi", "Ks", "Js", "Wasserstein", "Hellinger", "Chi2", "KsError", "Effect", "P", "Q")),
    ("Inflation", "<f8"),
    ("SmallestPsi", "<f8"),
    ("Below", "<f4"),
    ("Above", "<f4"),
    ("Exceeded", "u1"),
    ("Cusum", "<f8"),
    ("CusumLooks", "<u4"),
    ("BaselineVersion", "<u4"),
]


def write(store: Store, found: Look, revision: int) -> int:
    """Store what differs from what is stored of this look, and the names of new series; how many rows."""
    register(store, Reading(found.monitor, (found.end - found.monitor.window, found.end)))
    rows = _rows(found)
    asked = {"monitor": found.monitor.name, "end": found.end, "hours": _hours(found.monitor)}
    stored = store.packed("drift_stored", np.dtype(_FIGURES), **asked)
    place, known = places_in(stored["SeriesId"], rows["SeriesId"])
    same = known.copy()
    # As bytes, for NaN is not equal to itself.
    same[known] = rows[known].view(_bytes_of(rows)).ravel() == stored[place[known]].view(_bytes_of(rows)).ravel()
    fresh = np.flatnonzero(~same)
    for at in range(0, len(fresh), WRITTEN):
        packed = _packed(found, rows[fresh[at : at + WRITTEN]], revision)
        store.pack("drift_verdicts", [n for n in packed.dtype.names or () if not n.endswith("_size")], packed)
    return len(fresh)


def _packed(found: Look, fresh: NDArray[Any], revision: int) -> NDArray[Any]:
    packed = np.zeros(len(fresh), np.dtype([*_head(found.monitor.name), *_FIGURES, ("Revision", "<u8")]))
    packed["Monitor_size"] = np.frombuffer(length_of(len(found.monitor.name.encode())), np.uint8)
    packed["Monitor"] = found.monitor.name.encode()
    packed["WindowEnd"], packed["WindowHours"] = int(found.end.timestamp()), _hours(found.monitor)
    for name, _ in _FIGURES:
        packed[name] = fresh[name]
    packed["Revision"] = revision
    return packed


def _bytes_of(rows: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype((np.void, rows.dtype.itemsize))


def _head(monitor: str) -> list[tuple[Any, ...]]:
    size = len(monitor.encode())
    return [
        ("Monitor_size", "u1", (len(length_of(size)),)),
        ("Monitor", f"S{size}"),
        ("WindowEnd", "<u4"),
        ("WindowHours", "<u2"),
    ]


def _rows(found: Look) -> NDArray[Any]:
    read, judged = found.compared.readings, found.judged
    rows = np.zeros(len(found.compared.ids), np.dtype(_FIGURES))
    rows["SeriesId"], rows["Verdict"] = found.compared.ids, judged.verdicts
    rows["N"], rows["M"], rows["Unplaced"], rows["Bins"] = read.n, read.m, found.compared.unplaced, read.bins
    for name, values in read.values.items():
        rows[name.capitalize()] = values
    rows["KsError"], rows["P"], rows["Inflation"] = read.ks_error, read.p, read.inflation
    rows["Q"], rows["Effect"], rows["SmallestPsi"] = judged.q, judged.effect, judged.smallest
    rows["Below"], rows["Above"] = read.below, read.above
    rows["Exceeded"] = judged.after.exceeded
    rows["Cusum"], rows["CusumLooks"] = judged.after.sums.sums, judged.after.sums.looks
    rows["BaselineVersion"] = found.version.number
    return rows
