"""A baseline from the windows that it is made of: sums, how much windows differ, and whether it is fit to be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.levels import Ids, Sums, places_in

Floats = NDArray[np.float64]

HOUR = timedelta(hours=1)
HOURS_MIN = 24
"""Scores of a morning are no baseline for a night."""
EVENTS_MIN = 1000
"""Of the whole model, below which a baseline is refused."""
WINDOWS_MIN = 7
"""From which it can be told how long what varies lasts."""
FADING = 0.8
"""By how much what a window told of the next has faded one window later."""
R_MAX = 0.92
"""Correlation of a window with the next, above which a baseline of days tells nothing better: what varies lasts a day."""
UNREST = 0.1
"""PSI between its own halves from which a baseline is dubious, where it is no chance."""
UNREST_ALPHA = 0.001


@dataclass(frozen=True, slots=True)
class Baseline:
    """S series, ascending by id, over the same B pinned bins."""

    ids: Ids
    windows: Floats
    """Those that hold anything."""
    events: Floats
    counts: Floats
    """Shape (S, B)."""
    inflation: Floats
    """Shape (S,): variance of the windows' counts over what chance would make it, at least 1."""
    joined: Floats
    """As inflation, over bins that are joined until a window fills them, as looks join them; where none does as inflation."""
    freedom: Floats
    """Degrees of freedom behind it; 0 of a single window: nothing is known of it."""
    unrest: Floats
    """PSI between its halves without what chance adds; NaN where a half holds too little."""
    unrest_p: Floats
    lasting: Floats
    """How many windows what varies lasts, 1 to 24: variance of a long sum of windows over what independent ones' would be; NaN of
    too few windows."""


@dataclass
class Gathering:
    """Adds windows up, in the order of time; about 40 · S · B bytes."""

    bins: int
    ids: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    counts: Floats = field(init=False)
    first: Floats = field(init=False)
    """Of the first half of windows."""
    squares: Floats = field(init=False)
    """Sum over windows of count² / events of the window: what their χ² is made of."""
    windows: Floats = field(init=False)
    surprise: Floats = field(init=False)
    """Sum over windows of G against all those before, as looks are held against a baseline."""
    degrees: Floats = field(init=False)
    """Of freedom of these."""
    recent: Floats = field(init=False)
    """Windows' counts over the root of their events, faded by how long ago they were."""
    crossed: Floats = field(init=False)
    """Sum over windows of the same times what was recent then: what their autocorrelations are made of."""
    recent_roots: Floats = field(init=False)
    """As ``recent`` and ``crossed``, of the roots of events."""
    crossed_roots: Floats = field(init=False)

    def __post_init__(self) -> None:
        for name in _BINNED:
            setattr(self, name, np.zeros((0, self.bins)))
        for name in _SINGLE:
            setattr(self, name, np.zeros(0))

    def add(self, window: Sums, *, first_half: bool) -> None:
        """One window of all series of all levels."""
        self._know(window.ids)
        at = np.searchsorted(self.ids, window.ids)
        events = window.counts.sum(axis=1)
        held = events > 0
        at, counts = at[held], window.counts[held]
        size, bins = fleet.likelihood(self.counts[at], counts)
        self.surprise[at] += np.where(bins > 1, size, 0.0)
        self.degrees[at] += np.maximum(bins - 1, 0)
        self.counts[at] += counts
        self.squares[at] += counts**2 / events[held, None]
        self.windows[at] += 1
        if first_half:
            self.first[at] += counts
        roots = np.sqrt(events[held])
        scaled = counts / roots[:, None]
        self.crossed[at] += scaled * self.recent[at]
        self.crossed_roots[at] += roots * self.recent_roots[at]
        self.recent[at] = FADING * self.recent[at] + scaled
        self.recent_roots[at] = FADING * self.recent_roots[at] + roots

    def _know(self, ids: Ids) -> None:
        known = np.union1d(self.ids, ids)
        if len(known) == len(self.ids):
            return
        at = np.searchsorted(known, self.ids)
        for name in (*_BINNED, *_SINGLE):
            old = getattr(self, name)
            grown = np.zeros((len(known), *old.shape[1:]))
            grown[at] = old
            setattr(self, name, grown)
        self.ids = known

    def baseline(self) -> Baseline:
        """What was gathered, as a baseline."""
        events = self.counts.sum(axis=1)
        inflation, freedom = inflations(self.counts, self.squares, self.windows)
        lasting = self._lasting()
        known = np.nan_to_num(lasting, nan=1.0)
        told = self.degrees > 0
        joined = np.where(told, self._joined(known), inflation)
        # Windows of which each tells of the next are fewer than they look.
        freedom = np.where(told, self.degrees, freedom) / known
        size = len(self.ids)
        halves = fleet.read(fleet.Block(self.first, self.counts - self.first, None, inflation, enough(freedom), joined))
        return Baseline(
            self.ids,
            self.windows,
            events,
            self.counts,
            inflation,
            joined,
            freedom,
            halves.effect("psi") if size else np.zeros(0),
            halves.p,
            lasting,
        )

    def _joined(self, lasting: Floats) -> Floats:
        """Inflation of a look's G, at least 1.

        Of windows that are held each against those before (Dawid 1984) G has it as its mean for each degree of freedom, however
        long what varies lasts: what a window has in common with the last ones is as much as their own common part makes the mean
        before vary more. Only the first windows, as many as it lasts, show chance and nothing else. A look has nothing in common
        with the baseline, and the mean of W windows varies as that of W / lasting.
        """
        raw = np.divide(self.surprise, self.degrees, out=np.ones(len(self.ids)), where=self.degrees > 0)
        held = np.maximum(self.windows - 1, 1)
        shown = np.maximum(self.windows - lasting, held / 2)
        alone = 1 + np.maximum(0.0, raw - 1) * held / shown
        return np.asarray(alone * (self.windows + lasting) / (self.windows + 1))

    def _lasting(self) -> Floats:
        """(1 + r) / (1 - r), r the correlation of a window's deviations with the next one's, fading evenly (Bartlett 1946).

        Gathered is Σ FADING^(k-1) · (autocorrelation at k): of even fading r / (1 - FADING · r). What comes again every day lasts
        too, which sums over days would hide.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            share = self.counts / self.counts.sum(axis=1, keepdims=True)
            spread, crossed = (
                np.sum(np.where(self.counts > 0, sums / share, 0.0), axis=1) for sums in (self.squares, self.crossed)
            )
        spread, crossed = spread - self.counts.sum(axis=1), crossed - self.crossed_roots
        told = np.maximum(0.0, np.divide(crossed, spread, out=np.zeros_like(spread), where=spread > 0))
        r = np.minimum(told / (1 + FADING * told), R_MAX)
        return np.where(self.windows >= WINDOWS_MIN, (1 + r) / (1 - r), np.nan)


def inherited(ids: Ids, parents: tuple[Ids, Ids], validated: Baseline, habits: tuple[Baseline, Baseline]) -> Baseline:
    """Series with the counts of their version or, where it has none, of their model, and with their own habits.

    ``ids`` ascending, shape (S,); ``parents`` their models and versions; ``habits``, how much hours vary, of these and
    of the series themselves. What is new has the habits of its version or of its model, whose hours vary no less.
    """
    models, versions = parents
    higher, own = habits
    counts = np.zeros((len(ids), validated.counts.shape[1]))
    for above in (models, versions):
        _put(counts, validated, "counts", above)
    size = len(ids)
    found = {name: np.ones(size) for name in ("inflation", "joined")}
    found |= {"freedom": np.zeros(size), "lasting": np.full(size, np.nan)}
    for name, values in found.items():
        for known, whose in ((higher, models), (higher, versions), (own, ids)):
            _put(values, known, name, whose)
    usual = {"events": np.zeros(size), "windows": np.zeros(size)}
    for name, values in usual.items():
        _put(values, own, name, ids)
    unknown = np.full(size, np.nan)
    return Baseline(ids, counts=counts, unrest=unknown, unrest_p=unknown, **found, **usual)


def _put(values: Floats, known: Baseline, name: str, ids: Ids) -> None:
    place, there = places_in(known.ids, ids)
    values[there] = getattr(known, name)[place[there]]


_BINNED = ("counts", "first", "squares", "recent", "crossed")
_SINGLE = ("windows", "surprise", "degrees", "recent_roots", "crossed_roots")


def inflations(counts: Floats, squares: Floats, windows: Floats) -> tuple[Floats, Floats]:
    """Pearson's dispersion χ² / degrees of freedom of windows × bins, at least 1, and the degrees of freedom; shapes (S,).

    χ² of W windows against their sum is Σ over bins of squares / share, less all events; without inflation its mean is
    (W - 1)·(B - 1), however few events a window holds (Haldane 1940, but for a factor N / (N - 1)).
    """
    events = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        chi2 = np.sum(np.where(counts > 0, squares * events[:, None] / counts, 0.0), axis=1) - events
    freedom = np.maximum(windows - 1, 0) * np.maximum(np.count_nonzero(counts, axis=1) - 1, 0)
    raw = np.divide(chi2, freedom, out=np.ones(len(counts)), where=freedom > 0)
    return np.maximum(1.0, raw), freedom


def doubts(whole: Baseline, models: Ids, window: timedelta) -> tuple[str, list[str]]:
    """``good``, ``dubious`` or ``refused``, and why, judged by its models: (quality, reasons)."""
    at = np.flatnonzero(np.isin(whole.ids, models))
    if not at.size:
        return "refused", ["it holds nothing"]
    refused = []
    hours, events = float(whole.windows[at].max()) * (window / HOUR), float(whole.events[at].sum())
    if hours < HOURS_MIN:
        refused.append(
            f"{hours:.0f} hours hold anything, and {HOURS_MIN} are needed: scores of a morning are no baseline for a night"
        )
    if events < EVENTS_MIN:
        refused.append(f"it holds {events:.0f} events, and {EVENTS_MIN} are needed")
    if refused:
        return "refused", refused
    restless = at[(whole.unrest[at] >= UNREST) & (whole.unrest_p[at] <= UNREST_ALPHA)]
    if restless.size:
        worst = float(whole.unrest[restless].max())
        return "dubious", [
            f"its own halves differ by a PSI of {worst:.2f}: what it calls normal changed while it was taken"
        ]
    return "good", []


def enough(freedom: Floats) -> Floats:
    """Degrees of freedom for a test: of a series with a single hour its inflation is not known and taken as 1."""
    return np.where(freedom > 0, freedom, np.inf)
