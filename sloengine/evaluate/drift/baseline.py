"""A baseline from the windows that it is made of: sums, how much windows differ, and whether it is fit to be one. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.levels import Ids, Sums

Floats = NDArray[np.float64]

HOUR = timedelta(hours=1)
HOURS_MIN = 24
"""Scores of a morning are no baseline for a night."""
EVENTS_MIN = 1000
"""Of the whole model, below which a baseline is refused."""
DAYS_MIN = 3
"""Whole days from which it can be told how long what varies lasts."""
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
    freedom: Floats
    """Degrees of freedom behind it; 0 of a single window: nothing is known of it."""
    unrest: Floats
    """PSI between its halves without what chance adds; NaN where a half holds too little."""
    unrest_p: Floats
    lasting: Floats
    """How many windows what varies lasts: inflation of days over that of windows, 1 to the windows of a day; NaN of too few."""


@dataclass
class Gathering:
    """Adds windows up, one after the other; about 40 · S · B bytes."""

    bins: int
    a_day: int
    """Windows of a day."""
    ids: Ids = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    counts: Floats = field(init=False)
    first: Floats = field(init=False)
    """Of the first half of windows."""
    squares: Floats = field(init=False)
    """Sum over windows of count² / events of the window: what their χ² is made of."""
    windows: Floats = field(init=False)
    today: Floats = field(init=False)
    """Of the windows since the last whole day."""
    day_squares: Floats = field(init=False)
    days: Floats = field(init=False)
    added: int = 0

    def __post_init__(self) -> None:
        for name in _BINNED:
            setattr(self, name, np.zeros((0, self.bins)))
        self.windows, self.days = np.zeros(0), np.zeros(0)

    def add(self, window: Sums, *, first_half: bool) -> None:
        """One window of all series of all levels."""
        self._know(window.ids)
        at = np.searchsorted(self.ids, window.ids)
        events = window.counts.sum(axis=1)
        held = events > 0
        at, counts = at[held], window.counts[held]
        self.counts[at] += counts
        self.squares[at] += counts**2 / events[held, None]
        self.windows[at] += 1
        self.today[at] += counts
        if first_half:
            self.first[at] += counts
        self.added += 1
        if self.added % self.a_day == 0:
            self._end_day()

    def _end_day(self) -> None:
        events = self.today.sum(axis=1)
        held = events > 0
        self.day_squares[held] += self.today[held] ** 2 / events[held, None]
        self.days[held] += 1
        self.today[:] = 0.0

    def _know(self, ids: Ids) -> None:
        known = np.union1d(self.ids, ids)
        if len(known) == len(self.ids):
            return
        at = np.searchsorted(known, self.ids)
        for name in (*_BINNED, "windows", "days"):
            old = getattr(self, name)
            grown = np.zeros((len(known), *old.shape[1:]))
            grown[at] = old
            setattr(self, name, grown)
        self.ids = known

    def baseline(self) -> Baseline:
        """What was gathered, as a baseline."""
        events = self.counts.sum(axis=1)
        inflation, freedom = inflations(self.counts, self.squares, self.windows)
        size = len(self.ids)
        halves = fleet.read(fleet.Block(self.first, self.counts - self.first, None, inflation, enough(freedom)))
        return Baseline(
            self.ids,
            self.windows,
            events,
            self.counts,
            inflation,
            freedom,
            halves.effect("psi") if size else np.zeros(0),
            halves.p,
            self._lasting(inflation),
        )

    def _lasting(self, inflation: Floats) -> Floats:
        whole = self.counts - self.today
        by_day, freedom = inflations(whole, self.day_squares, self.days)
        known = (self.days >= DAYS_MIN) & (freedom > 0)
        return np.where(known, np.clip(by_day / inflation, 1.0, self.a_day), np.nan)


_BINNED = ("counts", "first", "squares", "today", "day_squares")


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
