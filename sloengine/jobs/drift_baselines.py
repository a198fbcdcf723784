"""Baselines: made of telemetry that was, kept in pinned bins, never rewritten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift.baseline import Baseline, Gathering, doubts
from sloengine.evaluate.drift.levels import DEVICE, MODEL, above_devices, of_devices, together
from sloengine.jobs.drift_read import (
    WHOLE,
    Bins,
    Block,
    Grids,
    Reading,
    Span,
    bins_of,
    blocks_of,
    grids_of,
    read_rows,
    register,
)
from sloengine.monitor import VALIDATION, Against, DriftMonitor
from sloengine.store.client import Row, Store, length_of, packed_array
from sloengine.times import unix_ms

REFUSED = "refused"
PINNED = (Against.PINNED.value, VALIDATION)
"""Kinds that have names."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Made:
    """Who made a baseline, of what, and why."""

    kind: str
    span: Span
    name: str = ""
    author: str = ""
    reason: str = ""
    stands_for: Mapping[tuple[str, str], str] | None = None
    """(model, version) whose telemetry is the baseline of another version."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a baseline, without its counts."""

    number: int
    """Seconds since 1970; 0: nothing was written."""
    bins: Bins
    quality: str
    doubts: str = ""
    series: int = 0
    events: float = 0.0
    checksum: str = ""
    kind: str = ""


def windows_of(span: Span, window: timedelta) -> Iterator[Span]:
    lo, end = span
    while lo < end:
        yield lo, lo + window
        lo += window


def make(
    store: Store, monitor: DriftMonitor, made: Made, now: datetime, progress: Progress = lambda done, of: None
) -> Version:
    """Add up what the span holds and keep it as a new version; a refused one is noted and not kept."""
    reading = Reading(monitor, made.span, made.stands_for or {})
    bins = bins_of(store, reading)
    if bins is None:
        return note(store, monitor, made, Version(number_of(now), Bins(), REFUSED, "its hours hold nothing"), now)
    return note(store, monitor, made, _kept(store, reading, bins, number_of(now), progress), now)


def number_of(now: datetime) -> int:
    """Of a version that is made now."""
    return unix_ms(now) // 1000


def _kept(store: Store, reading: Reading, bins: Bins, number: int, progress: Progress) -> Version:
    """What lies above devices first, because it decides whether the baseline is fit to be one; then devices, block by block."""
    readings = [replace(reading, span=window) for window in windows_of(reading.span, reading.monitor.window)]
    windows = [(own, grids_of(store, own)) for own in readings]
    blocks = blocks_of(store, *windows[-1])
    steps, done = len(windows) * len(blocks) * (2 if len(blocks) > 1 else 1), count(1)
    upper, models, checksum = Gathering(bins.size), np.zeros(0, dtype=np.uint64), hashlib.sha256(bins.told)
    devices = Gathering(bins.size)
    for at, (own, grids) in enumerate(windows):
        parts = []
        for block in blocks:
            rows = read_rows(store, own, bins, block, grids)
            parts.append(above_devices(rows, reading.monitor.levels))
            if len(blocks) == 1 and DEVICE in reading.monitor.levels:
                devices.add(of_devices(rows), first_half=2 * at < len(windows))
            progress(next(done), steps)
        models = np.union1d(models, np.concatenate([part[MODEL].ids for part in parts]))
        upper.add(together([sums for part in parts for sums in part.values()]), first_half=2 * at < len(windows))
    found = upper.baseline()
    quality, reasons = doubts(found, models, reading.monitor.window)
    events = float(found.events[np.isin(found.ids, models)].sum())
    version = Version(number, bins, quality, "; ".join(reasons), 0, events)
    if quality == REFUSED:
        return version
    register(store, reading)
    # All of a large fleet's devices would not fit at once.
    rest = (
        [devices.baseline()]
        if len(blocks) == 1
        else _of_devices(store, windows, bins, blocks, lambda: progress(next(done), steps))
    )
    series = 0
    for baseline in chain([found], rest if DEVICE in reading.monitor.levels else []):
        checksum.update(keep(store, reading.monitor.name, number, baseline))
        series += len(baseline.ids)
    return replace(version, series=series, checksum=checksum.hexdigest())


def _of_devices(
    store: Store,
    windows: Sequence[tuple[Reading, Grids]],
    bins: Bins,
    blocks: Sequence[Block],
    step: Callable[[], None],
) -> Iterator[Baseline]:
    """One block at a time."""
    for block in blocks:
        gathering = Gathering(bins.size)
        for at, (own, grids) in enumerate(windows):
            rows = read_rows(store, own, bins, block, grids)
            gathering.add(of_devices(rows), first_half=2 * at < len(windows))
            step()
        yield gathering.baseline()


def keep(store: Store, monitor: str, version: int, found: Baseline) -> bytes:
    """Write the counts of a version; the bytes that were written."""
    packed = _packed(monitor, version, found)
    store.pack("drift_baselines", _columns(packed), packed)
    return packed.tobytes()


def _kind(monitor: str, bins: int) -> np.dtype[np.void]:
    return np.dtype(
        [
            ("Monitor_size", "u1", (len(length_of(len(monitor.encode()))),)),
            ("Monitor", f"S{len(monitor.encode())}"),
            ("Version", "<u4"),
            ("SeriesId", "<u8"),
            ("Windows", "<u4"),
            ("Events", "<f8"),
            *packed_array("Counts", "<f8", bins),
            ("Inflation", "<f8"),
            ("Joined", "<f8"),
            ("Freedom", "<f8"),
            ("Unrest", "<f8"),
            ("UnrestP", "<f8"),
            ("Lasting", "<f8"),
        ]
    )


def _columns(rows: NDArray[Any]) -> list[str]:
    return [name for name in rows.dtype.names or () if not name.endswith("_size")]


def _packed(monitor: str, version: int, found: Baseline) -> NDArray[Any]:
    rows = np.zeros(len(found.ids), _kind(monitor, found.counts.shape[1]))
    rows["Monitor_size"], rows["Counts_size"] = (
        np.frombuffer(length_of(size), np.uint8) for size in (len(monitor.encode()), found.counts.shape[1])
    )
    rows["Monitor"], rows["Version"], rows["SeriesId"] = monitor.encode(), version, found.ids
    rows["Windows"], rows["Events"], rows["Counts"] = found.windows, found.events, found.counts
    rows["Inflation"], rows["Joined"], rows["Freedom"] = found.inflation, found.joined, found.freedom
    rows["Unrest"], rows["UnrestP"], rows["Lasting"] = found.unrest, found.unrest_p, found.lasting
    return rows


def note(store: Store, monitor: DriftMonitor, made: Made, version: Version, now: datetime) -> Version:
    """Note that a version was made or refused, and of what."""
    begin, end = made.span
    row: Row = {
        "Monitor": monitor.name,
        "Version": version.number,
        "Name": made.name,
        "Kind": made.kind,
        "Begin": begin,
        "End": end,
        "Edges": [] if version.bins.edges is None else version.bins.edges.tolist(),
        "Labels": list(version.bins.labels),
        "Series": version.series,
        "Events": version.events,
        "Checksum": version.checksum,
        "Author": made.author,
        "Reason": made.reason,
        "Quality": version.quality,
        "Doubts": version.doubts,
        "At": now,
    }
    store.insert("drift_baseline_versions", list(row), [list(row.values())])
    return version


# --- reading them back


def version_for(store: Store, monitor: DriftMonitor, kinds: Sequence[str], before: datetime) -> Version | None:
    """What a look at hours from ``before`` on is held against; None: there is none."""
    asked = {"kinds": list(kinds), "called": monitor.baseline if set(kinds) & set(PINNED) else ""}
    rows = store.rows("drift_baseline_now", monitor=monitor.name, **asked, before=before)
    return _version(rows[0]) if rows else None


def version_of(store: Store, monitor: DriftMonitor, number: int) -> Version | None:
    """A version by its number."""
    rows = store.rows("drift_baseline_of", monitor=monitor.name, version=number)
    return _version(rows[0]) if rows else None


def _version(row: Row) -> Version:
    bins = Bins(np.array(row["Edges"]) if row["Edges"] else None, tuple(row["Labels"]))
    told = (row["Quality"], row["Doubts"], row["Series"], row["Events"], row["Checksum"])
    return Version(row["Version"], bins, *told, kind=row["Kind"])


def read_version(
    store: Store, monitor: DriftMonitor, version: Version, *, block: Block = WHOLE, ids: Sequence[int] = ()
) -> Baseline:
    """The counts of a version: of a block of series, or of some of them."""
    kind = np.dtype(
        [
            ("SeriesId", "<u8"),
            ("Windows", "<u4"),
            ("Events", "<f8"),
            ("Inflation", "<f8"),
            ("Joined", "<f8"),
            ("Freedom", "<f8"),
            ("Lasting", "<f8"),
            *packed_array("Counts", "<f8", version.bins.size),
        ]
    )
    asked = {
        "monitor": monitor.name,
        "version": version.number,
        "blocks": block[0],
        "block": block[1],
        "ids": list(ids),
    }
    rows = store.packed("drift_baseline_rows", kind, **asked)
    unknown = np.full(len(rows), np.nan)
    return Baseline(
        rows["SeriesId"].copy(),
        rows["Windows"].astype(np.float64),
        rows["Events"].copy(),
        np.ascontiguousarray(rows["Counts"]),
        rows["Inflation"].copy(),
        rows["Joined"].copy(),
        rows["Freedom"].copy(),
        unknown,
        unknown,
        rows["Lasting"].copy(),
    )
