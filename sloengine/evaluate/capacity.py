"""What of a catalogue fits into a tick, and what has to be left out so that the rest is still judged. Pure.

A tick asks for a sum per key and band. Windows, dated targets and exclusions cut the bands, measures have the keys: sums are at
most bands times keys. One hourly exclusion, or one SLO by an attribute with a value for each request, must not cost all others
their verdicts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sloengine.evaluate.cube import COVERED, Layout
from sloengine.evaluate.exclusions import CUTS_MAX, concerned, cuts, occurrences
from sloengine.evaluate.measure import windows
from sloengine.evaluate.periods import floor_minute
from sloengine.evaluate.plan import Plan
from sloengine.model import Exclusion, Slo

ADVICE = "share windows with other SLOs, count by fewer dimensions, or raise engine.sums_max"
SELDOM = "let it happen less often or last longer each time"


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a tick can look at."""

    slos: tuple[Slo, ...]
    exclusions: tuple[Exclusion, ...]
    left_out: tuple[tuple[Slo, str], ...] = ()
    """SLOs that are not judged, and why."""
    dropped: tuple[tuple[Exclusion, str], ...] = ()
    """Exclusions that are not applied, and why: what they concern must not be judged either."""

    @property
    def measures(self) -> frozenset[str]:
        """What the SLOs count."""
        return frozenset(m for slo in self.slos for m in _measures(slo)) | {COVERED}


def fit(
    slos: Sequence[Slo], exclusions: Sequence[Exclusion], at: datetime, keys: Mapping[str, int], most: int
) -> Fitted:
    """As much of a catalogue as makes at most ``most`` sums and ``CUTS_MAX`` cuts.

    SLOs are left out only if they are too much with no exclusion at all: first those whose windows, or one of whose measures,
    cost the most sums for each SLO that is lost. Then exclusions, the one that makes the most cuts first. ``keys``: of each
    measure.
    """
    load = _Load(slos, at, keys)
    kept, left_out = _fit_slos(load, slos, most)
    applied, dropped = _fit_exclusions(load, exclusions, floor_minute(at), most)
    return Fitted(tuple(kept), tuple(applied), tuple(left_out), tuple(dropped))


class _Load:
    """What some SLOs cost, and what it would be without some of them: ten thousand are asked about one by one."""

    def __init__(self, slos: Sequence[Slo], at: datetime, keys: Mapping[str, int]) -> None:
        self._keys = keys
        self._measures = Counter(m for slo in slos for m in _measures(slo))
        self._frames = Counter(_frame(slo) for slo in slos)
        one = {_frame(slo): slo for slo in slos}
        self._edges_of = {frame: set(cuts(windows([slo]), (), slo.targets, at)) for frame, slo in one.items()}
        self._edges = Counter(edge for edges in self._edges_of.values() for edge in edges)
        self.named = keys.get(COVERED, 0) + sum(keys.get(m, 0) for m in self._measures)

    @property
    def edges(self) -> set[datetime]:
        return set(self._edges)

    def without(self, lost: Sequence[Slo]) -> tuple[int, int]:
        """Bands and keys that are left."""
        measures, _, edges = self._gone(lost)
        return len(self._edges) - len(edges), self.named - sum(self._keys.get(m, 0) for m in measures)

    def lose(self, lost: Sequence[Slo]) -> None:
        measures, frames, _ = self._gone(lost)
        self.named -= sum(self._keys.get(m, 0) for m in measures)
        self._measures -= Counter(m for slo in lost for m in _measures(slo))
        self._frames -= Counter(_frame(slo) for slo in lost)
        self._edges -= Counter(edge for frame in frames for edge in self._edges_of[frame])

    def _gone(self, lost: Sequence[Slo]) -> tuple[list[str], list[tuple[object, ...]], list[datetime]]:
        """Measures, frames and edges that nothing else needs."""
        measures = Counter(m for slo in lost for m in _measures(slo))
        frames = [f for f, n in Counter(_frame(slo) for slo in lost).items() if n == self._frames[f]]
        edges = Counter(edge for frame in frames for edge in self._edges_of[frame])
        return (
            [m for m, n in measures.items() if n == self._measures[m]],
            frames,
            [edge for edge, n in edges.items() if n == self._edges[edge]],
        )


def _fit_slos(load: _Load, slos: Sequence[Slo], most: int) -> tuple[list[Slo], list[tuple[Slo, str]]]:
    kept = dict(enumerate(slos))
    left_out: list[tuple[Slo, str]] = []
    for lost in _dearest(load, slos, most) if _over(load, most) else ():
        if not _over(load, most):
            break
        still = [n for n in lost if n in kept]
        reason = (
            f"not judged: the catalogue's windows and measures make {len(load.edges)} bands of {load.named} keys,"
            f" {_limit(most)}, and those of this SLO are the dearest: {ADVICE}"
        )
        load.lose([kept[n] for n in still])
        left_out += [(kept.pop(n), reason) for n in still]
    return list(kept.values()), left_out


def _over(load: _Load, most: int) -> bool:
    return len(load.edges) > CUTS_MAX or len(load.edges) * load.named > most


def _dearest(load: _Load, slos: Sequence[Slo], most: int) -> list[list[int]]:
    """Places of SLOs that it is only of use to lose together, those of the same windows and those that count the same measure.

    By how many of the sums that are too much this saves for each that is lost, most first; of equals the fewest are lost.
    """
    found: dict[object, list[int]] = {}
    for n, slo in enumerate(slos):
        for key in (_frame(slo), *sorted(_measures(slo))):
            found.setdefault(key, []).append(n)
    whole = len(load.edges)
    cost = whole * load.named
    excess = max(cost - most, cost * (1 - CUTS_MAX / whole))

    def saved(places: list[int]) -> tuple[float, int]:
        bands, named = load.without([slos[n] for n in places])
        return min(cost - bands * named, excess) / len(places), -len(places)

    return sorted(found.values(), key=saved, reverse=True)


def _fit_exclusions(
    load: _Load, exclusions: Sequence[Exclusion], hi: datetime, most: int
) -> tuple[list[Exclusion], list[tuple[Exclusion, str]]]:
    start = min(load.edges, default=hi)
    made = {e.name: {edge for span in occurrences(e, start, hi) for edge in span} for e in exclusions}
    applied, dropped = list(exclusions), []
    while worst := max(applied, key=lambda e: len(made[e.name]), default=None):
        bands = len(load.edges.union(*(made[e.name] for e in applied)))
        # What makes no cut is not to blame.
        if not made[worst.name] or (bands <= CUTS_MAX and bands * load.named <= most):
            break
        applied.remove(worst)
        reason = (
            f"not judged, because exclusion '{worst.name}' is left out: it makes {len(made[worst.name])} cuts since"
            f" {start:%Y-%m-%d}, all bands are {bands}, of {load.named} keys, {_limit(most)}: {SELDOM}"
        )
        dropped.append((worst, reason))
    return applied, dropped


def _frame(slo: Slo) -> tuple[object, ...]:
    return slo.window, slo.calendar, slo.policy, slo.targets


def _measures(slo: Slo) -> set[str]:
    return {s.measure for s in slo.sli.good + slo.sli.bad + slo.sli.total}


def _limit(most: int) -> str:
    return f"and a tick takes {most} sums (engine.sums_max) in {CUTS_MAX} bands at most"


def concerned_slos(plans: Iterable[Plan], layout: Layout, exclusion: Exclusion) -> set[str]:
    """Names of the SLOs that count anything which an exclusion would take out."""
    taken = concerned(exclusion, layout)
    found: set[str] = set()
    for plan in plans:
        ends = [*plan.stack.starts[1:].tolist(), len(plan.stack.places)]
        hit = taken[plan.stack.places]
        for slo, start, end in zip(plan.slos, plan.stack.starts.tolist(), ends, strict=True):
            if slo.name not in found and hit[start:end].any():
                found.add(slo.name)
    return found
