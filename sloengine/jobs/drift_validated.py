"""Baselines of a validation set: one histogram for a model or a version of it, which everything below is held against."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock

import numpy as np

from sloengine.evaluate.drift import layout
from sloengine.evaluate.drift.baseline import EVENTS_MIN, Baseline
from sloengine.evaluate.drift.histogram import Binned, Exponential, Floats, Histogram, Unusable, opened
from sloengine.evaluate.drift.levels import Ids
from sloengine.jobs.drift_baselines import REFUSED, Made, Version, keep, note, number_of, read_version, version_for
from sloengine.jobs.drift_read import Bins
from sloengine.monitor import VALIDATION, DriftMonitor, Values
from sloengine.store.client import Store

GOOD = "good"
_ONE = Lock()


@dataclass(frozen=True, slots=True)
class Validated:
    """What a person, a pipeline or a registry says of a model's validation set."""

    name: str
    model: str
    version: str
    """Empty: all versions of the model."""
    histogram: Histogram
    author: str
    reason: str


@dataclass(frozen=True, slots=True)
class _Part:
    """Counts of one series over bins."""

    bins: Bins
    counts: Floats


def pin(store: Store, monitor: DriftMonitor, said: Validated, now: datetime) -> Version:
    """Keep it beside what the same name says of other models and versions; a refused one is noted and not kept.

    Raises:
        Unusable: classes against numbers, or bins that don't go into those of the other versions.
    """
    part = _part(monitor, said.histogram)
    # One after the other: each takes over what the one before it says of other versions.
    with _ONE:
        return _pin(store, monitor, said, part, now)


def _pin(store: Store, monitor: DriftMonitor, said: Validated, part: _Part, now: datetime) -> Version:
    made = Made(VALIDATION, (now, now), said.name, said.author, said.reason)
    events = float(part.counts.sum())
    # A registry may tell of two versions in one second.
    number = max(number_of(now), store.rows("drift_baseline_last", monitor=monitor.name)[0]["Last"] + 1)
    version = Version(number, part.bins, GOOD, "", 1, events, kind=VALIDATION)
    if events < EVENTS_MIN:
        doubts = f"it holds {events:.0f} events, and {EVENTS_MIN} are needed"
        return note(store, monitor, made, replace(version, quality=REFUSED, doubts=doubts, series=0), now)
    identity = store.rows("drift_named_ids", monitor=monitor.name, model=said.model, version=said.version)[0]["Id"]
    last = version_for(store, replace(monitor, baseline=said.name), (VALIDATION,), now)
    known = read_version(store, monitor, last) if last is not None else None
    others = _others(int(identity), last, known)
    bins, counts = _together([part, *(p for _, p in others)], said)
    ids = np.array([int(identity), *(other for other, _ in others)], dtype=np.uint64)
    order = np.argsort(ids)
    ids, counts = ids[order], counts[order]
    baseline = _baseline(ids, counts)
    if last is not None and _same(last, known, bins, baseline):
        # Told again, by a registry that did not hear the answer.
        return last
    checksum = hashlib.sha256(bins.told)
    version = replace(version, bins=bins, series=len(ids), events=float(counts.sum()))
    checksum.update(keep(store, monitor.name, version.number, baseline))
    return note(store, monitor, made, replace(version, checksum=checksum.hexdigest()), now)


def _part(monitor: DriftMonitor, histogram: Histogram) -> _Part:
    classes = monitor.values is Values.CLASSES
    if isinstance(histogram, Binned | Exponential):
        if classes:
            raise Unusable(f"{monitor.name} compares classes, and this histogram holds numbers")
        found = opened(histogram)
        return _Part(Bins(found.edges), found.counts)
    if not classes:
        raise Unusable(f"{monitor.name} compares numbers, and this histogram holds categories")
    labels = tuple(sorted(histogram))
    return _Part(Bins(labels=labels), np.array([0.0, *(histogram[label] for label in labels)]))


def _others(identity: int, last: Version | None, known: Baseline | None) -> list[tuple[int, _Part]]:
    """What the name says of other models and versions."""
    if last is None or known is None:
        return []
    pairs = zip(known.ids.tolist(), known.counts, strict=True)
    return [(other, _Part(last.bins, counts)) for other, counts in pairs if other != identity]


def _same(last: Version, known: Baseline | None, bins: Bins, found: Baseline) -> bool:
    if known is None or last.bins.told != bins.told:
        return False
    return np.array_equal(known.ids, found.ids) and np.array_equal(known.counts, found.counts)


def _together(parts: list[_Part], said: Validated) -> tuple[Bins, Floats]:
    if parts[0].bins.edges is None:
        labels = tuple(sorted({label for part in parts for label in part.bins.labels}))
        rows = [dict(zip(part.bins.labels, part.counts[1:], strict=True)) for part in parts]
        return Bins(labels=labels), np.array([[0.0, *(row.get(label, 0.0) for label in labels)] for row in rows])
    for bins in {part.bins.told: part.bins for part in parts}.values():
        placed = [_placed(part, bins) for part in parts]
        if not any(lost for _, lost in placed):
            return bins, np.array([counts for counts, _ in placed])
    raise Unusable(
        f"its bins don't go into those that '{said.name}' has of other versions, nor these into its: count both"
        " between the same bounds, or give it another name"
    )


def _placed(part: _Part, onto: Bins) -> tuple[Floats, float]:
    edges, wanted = part.bins.edges, onto.edges
    if edges is None or wanted is None:
        raise Unusable("classes and numbers don't go together")
    counts, lost = layout.placed(part.counts[None, :], layout.places(edges, wanted), len(wanted) - 1)
    return counts[0], float(lost[0])


def _baseline(ids: Ids, counts: Floats) -> Baseline:
    """Of how much hours vary a validation set tells nothing."""
    size = len(ids)
    unknown, one = np.full(size, np.nan), np.ones(size)
    return Baseline(ids, one, counts.sum(axis=1), counts, one, one, np.zeros(size), unknown, unknown, unknown)
