"""What many nodes' counts say about the fleet: means over nodes, quantifiers, gaps between segments. Pure.

Input is counts per node (or site, or segment) by name. Ratios are bad over valid events, as in ``sloengine.evaluate.interval``. A
node without valid events is unknown: it is counted, and never taken for good or bad. Which figure answers which question, with
formulas, sources and measured coverage: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]

from sloengine.evaluate.interval import Floats, Interval, bad_ratio_bounds, effective_sizes, lower_bounds
from sloengine.model import Counts

ByName = Mapping[str, Counts]

SEGMENTS_MAX = 1000
"""Segments that are compared in pairs at most: half a million pairs."""


@dataclass(frozen=True, slots=True)
class NodeMean:
    """Mean of nodes' bad ratios, each node weighing the same."""

    ratio: float | None
    """None if no node has valid events."""
    standard_error: float | None
    """Of the mean, from the spread between nodes; None with fewer than two nodes, whose spread can't be seen."""
    judged: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Meeting:
    """How many nodes meet an objective, by their point estimates; each node with data is either meeting or missing."""

    meeting: int
    missing: int
    undecided: int
    """Those among the meeting and the missing whose interval includes the objective: too little data to be sure."""
    unknown: int

    @property
    def share(self) -> float | None:
        """Share of nodes with data that meet the objective; None without any."""
        judged = self.meeting + self.missing
        return self.meeting / judged if judged else None


@dataclass(frozen=True, slots=True)
class Worst:
    """The worst share of the nodes, pooled."""

    nodes: tuple[str, ...]
    """Worst first."""
    ratio: float
    """Bad ratio to hold against a target: each node's shrunk towards the fleet's by as much as noise explains it."""
    observed: float
    """Bad over valid events as counted. Overstates: the nodes were chosen for looking bad."""
    overdispersion: float
    """Correlation of events within a node, in [0, 1): 0 if chance alone explains how nodes differ."""
    unknown: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Difference of bad ratios between the worst and the best segment."""

    best: str
    worst: str
    gap: float
    interval: Interval
    """Of the largest true difference between any two segments compared; a low of 0 means that there may be none."""
    by_chance: float
    """Mean gap that segments of these sizes would show if they were all alike: best and worst are chosen for looking it."""
    left_out: tuple[str, ...]
    """Segments with too little data to be compared."""


@dataclass(frozen=True, slots=True)
class NotEnoughData:
    """Fewer than two segments could be compared."""

    left_out: tuple[str, ...]
    """Segments with too little data."""


@dataclass(frozen=True, slots=True)
class _Table:
    """Names with data, in order of name, and their sums, shape (names,)."""

    names: tuple[str, ...]
    good: Floats
    bad: Floats
    good_squares: Floats
    bad_squares: Floats
    unknown: int

    @property
    def valid(self) -> Floats:
        return self.good + self.bad

    @property
    def ratios(self) -> Floats:
        return self.bad / self.valid

    @property
    def sums(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.good, self.bad, self.good_squares, self.bad_squares


def pooled_by(counts: ByName, group_of: Mapping[str, str]) -> dict[str, Counts]:
    """Nodes' counts summed per group, such as per site. Raises ValueError for a node without a group."""
    homeless = sorted(set(counts) - set(group_of))
    if homeless:
        raise ValueError(f"no group is known for {len(homeless)} nodes, the first of them {homeless[0]}")
    pooled: dict[str, Counts] = defaultdict(Counts)
    for name, own in counts.items():
        pooled[group_of[name]] += own
    return dict(pooled)


def by_node(counts: ByName) -> NodeMean:
    """Mean of the nodes' ratios and its standard error s/√k; each node with valid events weighs the same.

    The error is about nodes such as these, not about these nodes only: it includes both how nodes differ and the noise in each.
    """
    table = _table(counts)
    known = len(table.names)
    if known == 0:
        return NodeMean(None, None, 0, table.unknown)
    error = float(np.std(table.ratios, ddof=1)) / math.sqrt(known) if known > 1 else None
    return NodeMean(float(np.mean(table.ratios)), error, known, table.unknown)


def by_site(counts: ByName, site_of: Mapping[str, str]) -> NodeMean:
    """As :func:`by_node` for sites: a site's ratio is that of all its events, and each site weighs the same."""
    return by_node(pooled_by(counts, site_of))


def share_meeting(counts: ByName, objective: float, confidence: float = 0.95) -> Meeting:
    """How many nodes meet an objective for the good ratio, in (0, 1], and how many of them are too close to call."""
    if not 0 < objective <= 1:
        raise ValueError(f"objective must be above 0 and at most 1, not {objective}")
    table = _table(counts)
    # The good ratio is divided out itself: 1 - bad/valid would miss a target of 0.999 by a rounding.
    meeting = int(np.sum(table.good / table.valid >= objective))
    low, high = bad_ratio_bounds(*table.sums, confidence)
    undecided = int(np.sum((low <= 1 - objective) & (1 - objective <= high)))
    return Meeting(meeting, len(table.names) - meeting, undecided, table.unknown)


def worst_share(counts: ByName, share: float = 0.01) -> Worst | None:
    """The worst ``share`` of nodes with data (at least one node), pooled; None if no node has data.

    Sorting by the observed ratio picks small nodes for their bad luck, and what is picked for being bad looks better next time
    (regression to the mean). So nodes are ranked, and their ratio is told, by the mean of a beta-binomial posterior whose prior
    is the fleet itself (empirical Bayes; moments after Kleinman 1973; that selection does no harm to posterior means: Dawid
    1994). Where chance alone explains how nodes differ every node is told as the fleet. Ties go by observed ratio, then by name.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must be above 0 and at most 1, not {share}")
    table = _table(counts)
    if not table.names:
        return None
    sizes = _sizes(table)
    overdispersion = _overdispersion(table.ratios, sizes)
    shrunk = _shrunk(table.ratios, sizes, overdispersion)
    # The product is nudged down first: 0.07 × 100 is a little more than 7, and would be rounded up to 8 nodes.
    wanted = max(1, math.ceil(share * len(table.names) * (1 - 1e-12)))
    # Names are in order already and the last key of lexsort counts first, so that equal nodes stay in order of name.
    chosen = np.lexsort((-table.ratios, -shrunk))[:wanted]
    valid = table.valid[chosen]
    return Worst(
        tuple(table.names[i] for i in chosen),
        float(np.average(shrunk[chosen], weights=valid)),
        float(np.sum(table.bad[chosen]) / np.sum(valid)),
        overdispersion,
        table.unknown,
    )


def segment_gap(counts: ByName, confidence: float = 0.95, size_min: float = 30) -> Gap | NotEnoughData:
    """How much worse the worst segment is than the best, and the interval of the largest true difference.

    Best and worst are chosen by the data, so one pair's own interval would find a gap too often, and the gap as seen is too large
    on average: ``by_chance`` is what it would be with no difference at all (the mean range of independent normal variables; David
    & Nagaraja 2003, §2.3). All pairs get intervals that
    hold together (Šidák 1967), each from the two ratios' own intervals (Newcombe 1998, method 10; any limits: Zou & Donner 2008).
    Segments with an effective size below ``size_min`` are left out and named: one with 3 labels could be anything.
    """
    whole = _table(counts)
    enough = _sizes(whole) >= size_min
    table = _table({name: counts[name] for name, kept in zip(whole.names, enough, strict=True) if kept})
    left_out = tuple(sorted(set(counts) - set(table.names)))
    segments = len(table.names)
    if segments > SEGMENTS_MAX:
        raise ValueError(f"{segments} segments are too many to compare in pairs, at most {SEGMENTS_MAX}: choose fewer")
    if segments < 2:
        return NotEnoughData(left_out)
    each = confidence ** (2 / (segments * (segments - 1)))
    low, high = _largest_difference(table.ratios, *bad_ratio_bounds(*table.sums, each))
    best, worst = int(np.argmin(table.ratios)), int(np.argmax(table.ratios))
    gap = float(table.ratios[worst] - table.ratios[best])
    return Gap(
        table.names[best], table.names[worst], gap, Interval(low, high, confidence), _range_of_equals(table), left_out
    )


@dataclass(frozen=True, slots=True)
class Spread:
    """How much the nodes behind one ratio differ."""

    nodes: int
    """Those with valid events, at least two."""
    between: float
    """Variance of the ratio as nodes drawn anew would give it: what differs between them, and the noise in each."""
    sums: tuple[float, float, float, float]
    """Good, bad and their squares, as the ratio weighs events."""


def spread_of_events(good: Floats, bad: Floats, whole: Counts) -> Spread | None:
    """Nodes' sums (shape (nodes,)) behind a ratio in which events weigh the same; None with fewer than two nodes with data.

    Variance of a ratio between clusters, k/(k-1) · Σ(Bᵢ - p Tᵢ)² / T² (Cochran 1977, ch. 9A). ``whole``: all of them together.
    """
    valid = good + bad
    known = valid > 0
    nodes, total = int(known.sum()), float(valid.sum())
    if nodes < 2 or not whole.valid:
        return None
    p = float(bad.sum()) / total
    between = float(np.sum((bad - p * valid)[known] ** 2)) * nodes / (nodes - 1) / total**2
    return Spread(nodes, between, (whole.good, whole.bad, *whole.squares))


def spread_of_nodes(counts: ByName) -> Spread | None:
    """The same for the mean of the nodes' ratios: its standard error is s/√k, and each event weighs one by its node's.

    One node by itself shows no spread, but what its own events know is known; None without any.
    """
    table = _table(counts)
    nodes = len(table.names)
    if not nodes:
        return None
    share, square = 1 / table.valid, 1 / table.valid**2
    sums = [(table.good * share), (table.bad * share), (table.good_squares * square), (table.bad_squares * square)]
    good, bad, good_squares, bad_squares = (float(np.sum(s)) for s in sums)
    between = float(np.var(table.ratios, ddof=1)) / nodes if nodes > 1 else 0.0
    return Spread(nodes, between, (good, bad, good_squares, bad_squares))


@dataclass(frozen=True, slots=True)
class Within:
    """The mean of nodes' ratios as a sum over their events, each weighing one by its node's; arrays of any one shape."""

    good: Floats
    bad: Floats
    good_squares: Floats
    bad_squares: Floats
    heaviest: Floats
    """What one more event could weigh: that of the node with the fewest."""

    def at(self, place: int | NDArray[np.bool_]) -> Within:
        """Some of them."""
        sums = self.good[place], self.bad[place], self.good_squares[place], self.bad_squares[place]
        return Within(*sums, self.heaviest[place])

    def surely_above(self) -> Floats:
        """The bound that pages need over their line: :func:`~sloengine.evaluate.interval.lower_bounds` of these nodes' mean."""
        known = np.where(self.heaviest > 0, self.heaviest, 1.0)
        return lower_bounds(self.good, self.bad, self.good_squares, self.bad_squares, good_weight=known)


def within_nodes(sums: tuple[Floats, Floats, Floats, Floats], weights: Floats) -> Within:
    """What the nodes' own events know of the mean of their ratios, in each window.

    A directly standardised rate: nodes are the strata and count the same (Fay & Feuer 1997). With m nodes that have events, event
    j of node i adds wᵢⱼ / (m Tᵢ) to the mean; m cancels out of ratios and bounds. How nodes differ is no part of it: nothing is
    said of others than these.

    Args:
        sums: good, bad and their squares, each of shape (nodes, windows).
        weights: what a good event of each node stands for where a longer window knows it, shape (nodes, windows) or (nodes, 1).
    """
    good, bad, good_squares, bad_squares = sums
    valid = good + bad
    each = np.divide(1.0, valid, out=np.zeros_like(valid), where=valid > 0)
    own = [np.divide(s, t, out=np.zeros_like(t), where=t > 0) for s, t in ((good_squares, good), (bad_squares, bad))]
    heaviest = (np.maximum(np.maximum(*own), weights) * each).max(axis=0, initial=0.0)
    square = each**2
    both = (good * each).sum(axis=0), (bad * each).sum(axis=0)
    return Within(*both, (good_squares * square).sum(axis=0), (bad_squares * square).sum(axis=0), heaviest)


def clustered_bounds(spreads: Sequence[Spread], confidence: float = 0.95) -> tuple[Floats, Floats, Floats]:
    """Bounds of ratios that allow for nodes that differ, and effective sizes; each of shape (spreads,).

    The variance between nodes gives an effective size with k-1 degrees of freedom, put into Clopper & Pearson's interval (Korn &
    Graubard 1998). Never narrower than the interval without clusters. With no bad event at all nothing shows how nodes differ:
    the answer is then that interval, and too narrow if they do.
    """
    sums = np.array([s.sums for s in spreads], dtype=np.float64).reshape(-1, 4).T
    nodes = np.array([s.nodes for s in spreads], dtype=np.float64)
    between = np.array([s.between for s in spreads], dtype=np.float64)
    good, bad, good_squares, bad_squares = sums
    low, high = bad_ratio_bounds(good, bad, good_squares, bad_squares, confidence)
    sizes = effective_sizes(good, bad, good_squares, bad_squares)
    p = bad / (good + bad)
    differ = (p > 0) & (p < 1) & (between > 0)
    own = np.divide(p * (1 - p), between, out=sizes.copy(), where=differ)
    tail = (1 + confidence) / 2
    fewer = own * (special.ndtri(tail) / special.stdtrit(np.maximum(nodes - 1, 1), tail)) ** 2
    g, b = np.where(differ, (1 - p) * fewer, good), np.where(differ, p * fewer, bad)
    g2, b2 = np.where(differ, g, good_squares), np.where(differ, b, bad_squares)
    wide_low, wide_high = bad_ratio_bounds(g, b, g2, b2, confidence)
    return np.minimum(low, wide_low), np.maximum(high, wide_high), np.minimum(sizes, own)


def clustered_interval(counts: ByName, confidence: float = 0.95) -> Interval | None:
    """:func:`clustered_bounds` of the pooled ratio of some nodes; None with fewer than two nodes with data.

    Events of one node are alike, so they know less than as many events of many nodes.
    """
    table = _table(counts)
    spread = spread_of_events(table.good, table.bad, sum(counts.values(), Counts()))
    if spread is None:
        return None
    low, high, _ = clustered_bounds([spread], confidence)
    return Interval(float(low[0]), float(high[0]), confidence)


def _table(counts: ByName) -> _Table:
    known = sorted(name for name, own in counts.items() if own.valid > 0)
    rows = [(counts[n].good, counts[n].bad, *counts[n].squares) for n in known]
    good, bad, good_squares, bad_squares = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    return _Table(tuple(known), good, bad, good_squares, bad_squares, len(counts) - len(known))


def _sizes(table: _Table) -> Floats:
    """Effective sizes; a node that saw one outcome only takes the other's weight from the nodes that saw it."""
    good, bad, good_squares, bad_squares = (float(np.sum(s)) for s in table.sums)
    heavy_good = good_squares / good if good else None
    heavy_bad = bad_squares / bad if bad else None
    return effective_sizes(*table.sums, good_weight=heavy_good, bad_weight=heavy_bad)


def _overdispersion(ratios: Floats, sizes: Floats) -> float:
    """Intraclass correlation by moments: what of the spread between nodes binomial noise leaves over; in [0, 1)."""
    whole = float(np.sum(sizes))
    p = float(np.average(ratios, weights=sizes))
    free = len(sizes) - 1
    room = whole - float(np.sum(sizes**2)) / whole - free
    # One node, one event per node, or all events alike: nothing tells nodes' differences from noise.
    if p in (0, 1) or room <= 0:
        return 0.0
    spread = float(np.sum(sizes * (ratios - p) ** 2)) / (p * (1 - p))
    return min(max((spread - free) / room, 0.0), 1 - 1e-9)


def _shrunk(ratios: Floats, sizes: Floats, overdispersion: float) -> Floats:
    """Posterior means under a beta prior of the fleet's mean, worth (1-ρ)/ρ events."""
    mean = float(np.average(ratios, weights=sizes))
    trust = sizes * overdispersion / (sizes * overdispersion + (1 - overdispersion))
    return np.asarray(mean + trust * (ratios - mean), dtype=np.float64)


def _range_of_equals(table: _Table) -> float:
    """Mean of the largest less the smallest ratio if each were the pooled one and only noise told them apart.

    Twice the mean of the largest of normal variables around 0 with the standard errors given, ∫ (1 - ΠF) over what is above 0
    less ∫ ΠF over what is below.
    """
    pooled = float(np.sum(table.bad) / np.sum(table.valid))
    errors = np.sqrt(pooled * (1 - pooled) / _sizes(table))
    if not errors.any():
        return 0.0
    x = np.linspace(0.0, 6.0 * float(errors.max()), 400)[:, None]
    above = 1 - np.prod(special.ndtr(x / errors), axis=1)
    below = np.prod(special.ndtr(-x / errors), axis=1)
    return min(1.0, 2 * float(np.trapezoid(above - below, x[:, 0])))


def _largest_difference(p: Floats, low: Floats, high: Floats) -> tuple[float, float]:
    """Bounds of max(pᵢ - pⱼ) over all pairs, from each ratio's own bounds; low is 0 if no pair surely differs."""
    apart = p[:, None] - p[None, :]
    below = np.hypot((p - low)[:, None], (high - p)[None, :])
    above = np.hypot((high - p)[:, None], (p - low)[None, :])
    pairs: NDArray[np.bool_] = ~np.eye(len(p), dtype=bool)
    return max(0.0, float(np.max((apart - below)[pairs]))), min(1.0, float(np.max((apart + above)[pairs])))
