"""Why a part of a fleet drifts: the bins that moved, the mix of its segments, when it began. From the hours that looks read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from scipy import special  # type: ignore[import-untyped]

from sloengine.evaluate.drift import indices
from sloengine.evaluate.drift.levels import MODEL, VERSION, Floats, Rows, places_in
from sloengine.evaluate.drift.mix import Mix, Verdict, apart
from sloengine.evaluate.drift.onset import Bin, moved, onset
from sloengine.jobs.drift_baselines import Version, read_version, windows_of
from sloengine.jobs.drift_read import Bins, Only, Reading, Span, read_rows
from sloengine.monitor import VALIDATION, Against, DriftMonitor, Values
from sloengine.store.client import Store
from sloengine.times import utc

BACK = timedelta(days=2)
"""How far back the beginning of a drift is looked for; of windows longer than an hour so many of them."""
BINS_SHOWN = 8
SURE = 1e-5
"""Probability of a change by chance up to which the interval of its beginning holds as often as it says (onset.py)."""
WEEK, RETENTION = timedelta(days=7), timedelta(days=40)


@dataclass(frozen=True, slots=True)
class Began:
    """When the counts began to differ: the beginning of a window."""

    at: datetime
    between: tuple[datetime, datetime] | None
    """With a probability of 95 %; None of what hardly shows, which may seem to have begun anywhere."""
    before: bool
    """It may have begun before anything that was looked at."""


@dataclass(frozen=True, slots=True)
class Strata:
    """What the mix of one attribute's segments has to do with it; ``names`` are those of the mix's rows."""

    attribute: str
    names: tuple[str, ...]
    mix: Mix


@dataclass(frozen=True, slots=True)
class Explained:
    bins: tuple[Bin, ...]
    """Those that moved most first."""
    strata: tuple[Strata, ...]
    past: tuple[tuple[datetime, float, float], ...]
    """Of windows until the look: end, events, and PSI against the baseline."""
    began: Began | None


@dataclass(frozen=True, slots=True)
class Question:
    """A part of a fleet in one look."""

    monitor: DriftMonitor
    end: datetime
    version: Version
    only: Only
    inflation: float = 1.0
    """Of its counts, as its baseline has it."""

    def reading(self, lo: datetime, hi: datetime) -> Reading:
        return Reading(self.monitor, (lo, hi), only=self.only)


def explain(store: Store, asked: Question) -> Explained:
    """What is known of why; the baseline is read anew from its hours, because only these tell segments apart in any place."""
    bins, monitor = asked.version.bins, asked.monitor
    now = read_rows(store, asked.reading(asked.end - monitor.window, asked.end), bins)
    then = _then(store, asked, now)
    base, current = then.counts.sum(axis=0), now.counts.sum(axis=0)
    if not base.sum() or not current.sum():
        return Explained((), (), (), None)
    strata = tuple(_strata(store, asked, then, now)) if monitor.segments else ()
    past = list(_past(store, asked))
    told = tuple((end, float(c.sum()), float(indices.psi(base, c)) if c.any() else float("nan")) for end, c in past)
    return Explained(tuple(moved(base, current, bins.edges)), strata, told, _began(asked, base, past))


MIX_WORDS = {
    Verdict.DRIFT: "segments themselves have changed",
    Verdict.MIX: "segments are as they were; their shares have changed",
    Verdict.BOTH: "segments have changed, and their shares too",
    Verdict.NEITHER: "neither segments nor their shares have changed enough to matter",
}


def in_words(found: Explained, bins: Bins) -> str:
    """The bins that moved most, since when, and what the mix has to do with it."""
    shown = ", ".join(f"{name} from {b.then:.1%} to {b.now:.1%}" for name, b in named(found.bins, bins)[:3])
    said = [f"moved most: {shown}"] if shown else []
    if found.began:
        said.append(f"since {in_time(found.began)}")
    said += [f"{strata.attribute}: {MIX_WORDS[strata.mix.verdict]}" for strata in found.strata]
    return "; ".join(said)


def _then(store: Store, asked: Question, now: Rows) -> Rows:
    """The rows that the same part is held against."""
    monitor, bins = asked.monitor, asked.version.bins
    span = (asked.end - monitor.window, asked.end)
    if asked.version.kind == VALIDATION:
        return _as_validated(store, asked, now)
    match monitor.against:
        case Against.CONTROL:
            every = read_rows(store, Reading(monitor, span, only=replace(asked.only, versions=())), bins)
            return every.only(~np.isin(every.ids[VERSION], now.ids[VERSION]))
        case Against.LAST_WEEK:
            return read_rows(store, asked.reading(span[0] - WEEK, span[1] - WEEK), bins)
        case Against.PREVIOUS:
            before = replace(asked.only, versions=_before(store, asked))
            return read_rows(store, Reading(monitor, _made_of(store, asked), only=before), bins)
        case _:
            return read_rows(store, asked.reading(*_made_of(store, asked)), bins)


def _as_validated(store: Store, asked: Question, now: Rows) -> Rows:
    """The same rows, each as its version's validation set or its model's would have it, and as many events as these sets hold."""
    known = read_version(store, asked.monitor, asked.version, ids=np.union1d(now.ids[MODEL], now.ids[VERSION]).tolist())
    shares, held = np.zeros_like(now.counts), np.zeros(len(now.counts))
    for level in (MODEL, VERSION):
        place, there = places_in(known.ids, now.ids[level])
        own = known.counts[place[there]]
        held[there] = own.sum(axis=1)
        shares[there] = own / held[there, None]
    events = now.counts.sum(axis=1)
    told = events * (held > 0)
    factor = float((told * held).sum() / told.sum() ** 2) if told.any() else 0.0
    return replace(now, counts=shares * events[:, None] * factor, lost=np.zeros(len(events)))


def _made_of(store: Store, asked: Question) -> Span:
    row = store.rows("drift_baseline_of", monitor=asked.monitor.name, version=asked.version.number)[0]
    return utc(row["Begin"]), utc(row["End"])


def _before(store: Store, asked: Question) -> tuple[str, ...]:
    """The versions that these followed."""
    monitor = asked.monitor
    classes = monitor.values is Values.CLASSES
    known = {"measure": monitor.metric, "service": monitor.service, "classes": classes, "oldest": asked.end - RETENTION}
    rows = [r for r in store.rows("drift_versions", **known) if r["ModelName"] in asked.only.models]
    return tuple(a["ModelVersion"] for a, b in pairwise(rows) if b["ModelVersion"] in asked.only.versions)


def in_time(began: Began) -> str:
    """When it began."""
    if began.between is None:
        return f"about {began.at:%Y-%m-%d %H:%M}"
    lo, hi = began.between
    if began.before:
        return f"{hi:%Y-%m-%d %H:%M} at the latest"
    return f"{began.at:%Y-%m-%d %H:%M}" + (f" ({lo:%H:%M} to {hi:%H:%M})" if lo != hi else "")


def named(moves: Sequence[Bin], bins: Bins) -> list[tuple[str, Bin]]:
    """Bins with where they are, in words."""
    names = names_of(bins)
    return [(names[b.at], b) for b in moves[:BINS_SHOWN]]


def names_of(bins: Bins) -> list[str]:
    """Each bin in words."""
    if bins.edges is None:
        return ["(new classes)", *bins.labels]
    pairs = zip(bins.edges[:-1], bins.edges[1:], strict=True)
    return [
        f"up to {b:.4g}" if np.isneginf(a) else f"above {a:.4g}" if np.isposinf(b) else f"{a:.4g} to {b:.4g}"
        for a, b in pairs
    ]


def _strata(store: Store, asked: Question, then: Rows, now: Rows) -> Iterator[Strata]:
    rows = store.rows("drift_values", monitor=asked.monitor.name, models=list(asked.only.models))
    values = {row["SeriesId"]: row["Value"] for row in rows}
    for k, attribute in enumerate(asked.monitor.segments):
        sides = [_by_value(side, k, values) for side in (then, now)]
        names = sorted({*sides[0], *sides[1]})
        if len(names) < 2:
            continue
        nothing = np.zeros(asked.version.bins.size)
        base, current = (np.array([side.get(name, nothing) for name in names]) for side in sides)
        edges = asked.version.bins.edges
        yield Strata(
            attribute, tuple(names), apart(base, current, asked.monitor.index, asked.monitor.minimum, edges=edges)
        )


def _by_value(rows: Rows, k: int, values: dict[int, str]) -> dict[str, Floats]:
    found: dict[str, Any] = {}
    for series, counts in zip(rows.segments[:, k].tolist(), rows.counts, strict=True):
        name = values.get(series, "(unknown)")
        found[name] = found[name] + counts if name in found else counts.copy()
    return found


def _past(store: Store, asked: Question) -> Iterator[tuple[datetime, Floats]]:
    """Ends of the windows before, and what they hold."""
    window = asked.monitor.window
    begin = asked.end - max(BACK // window, 8) * window
    for lo, hi in windows_of((begin, asked.end), window):
        yield hi, read_rows(store, asked.reading(lo, hi), asked.version.bins).counts.sum(axis=0)


def _began(asked: Question, base: Floats, past: Sequence[tuple[datetime, Floats]]) -> Began | None:
    found = onset(np.array([counts for _, counts in past]), base, asked.inflation)
    if found is None:
        return None
    begins = [end - asked.monitor.window for end, _ in past]
    sure = float(special.chdtrc(len(base) - 1, found.deviance)) <= SURE
    return Began(begins[found.hour], (begins[found.first], begins[found.last]) if sure else None, found.first == 0)
