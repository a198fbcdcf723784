"""One cause, one finding: which series has what the others have of it. Pure.

Series of all levels see the same events, so that one cause makes many of them exceed. From the leaves up each is asked whether it
drifts as a whole; from the top down the first that does names the finding and covers all that exceed below it.

- One that exceeds drifts as a whole if at least two and at least half of those right below it that can be told do, or if they
  don't hold what it shows: too weak in each, lying where nothing can be told, or a shift of the mix. Else the cause is in them.
- One that is calm is diluted, and the cause lies further down; unless what exceeds there is what chance makes of its own effect
  below the minimum: where all drift by nearly that, some exceed, and none is a cause. What chance can't make stays one.
- One that was never told counts as those below it do. A model drifts as a whole if all of its versions do, calm or not.
- Segments go with the version or model that covers them, which names those that hold the drift. Else they are causes of their
  own, unless a place below shows through the whole version; and places that show no more than a segment makes of all go with it.

How much of a drift lies in a part is measured by events times PSI, or times the square of a distance. That is convex in both
distributions together, so that a whole's is at most the sum of its parts', as long as their mix stays (f-divergences: Csiszár &
Shields 2004, lemma 4.1; KS and Wasserstein are norms); and it is as far as a test is lifted, so that what chance adds is alike.

A place or segment that was found in several versions is one finding: it has changed, not each version.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from typing import TypeAlias

LEVELS = ("model", "version", "region", "device")
SEGMENT = "segment"

HALF = 0.5
"""Of the told parts that drift as a whole, from which on all of it does."""
LOCAL = 0.8
"""Part of a drift that few must hold to be its cause. If it is everywhere and just at the minimum, the four parts in ten that
exceed by chance hold 0.6; if it is nowhere else, what chance leaves to the others is 0.1."""
NEAR = 0.6
"""Part of the effect below from which on a calm series has the same drift: of half of the events it would show half of it."""
DEVIATES = 4.0
"""Standard deviations by which chance may lift a part above what the whole shows: thousands of devices are looked at."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A series that exceeds, or that had enough data to be told calm."""

    path: tuple[str, ...]
    """Model, version, region, device, as far as its level goes; of a segment model and version."""
    exceeds: bool
    told: bool
    """Would have been found if it drifted; one that exceeds always counts as told."""
    effect: float
    p: float
    n: float
    """Events now."""
    segment: tuple[str, str] | None = None
    """Attribute and value."""

    @property
    def level(self) -> str:
        return SEGMENT if self.segment else LEVELS[len(self.path) - 1]


@dataclass(frozen=True, slots=True)
class Finding:
    """What drifts, named as high as it reaches and as low as it lies."""

    level: str
    """Of the cause; a version or model that names segments is still one."""
    model: str
    versions: tuple[str, ...]
    """In which it was found; none named: the whole model."""
    region: str | None
    device: str | None
    segments: tuple[tuple[str, str], ...]
    """Attributes and values: the cause itself, or where in a version or model most of it lies."""
    head: Seen | None
    """The series of exactly that which is named; None if that is calm, was never told, or is several."""
    members: tuple[Seen, ...]
    """Series that exceed because of it, the head and those above that it drags along among them; the largest effect first."""
    told: int
    """Series right below that could be told: of a version its regions."""
    exceeding: int
    """Those of them that drift."""
    weight: float
    """Events times PSI or squared distance: findings are in its order."""


class _Node:
    """A model, version or region, with a series or without. Devices are no nodes: they are too many."""

    n = 0.0
    effect = 0.0
    told = 0
    """Parts right below that can be told; the next two are of them."""
    exceeding = 0
    drifting = 0
    touched = False
    """Something exceeds here or below."""
    whole = False
    """Drifts as a whole."""
    scattered = False
    """It does, calm, and what exceeds below exceeds by chance."""
    named = False
    """The cause, if nothing above it is."""

    def __init__(self, path: tuple[str, ...], power: float) -> None:
        self.path = path
        self.power = power
        """Of an effect, that makes a distance of it."""
        self.seen: Seen | None = None
        self.children: list[_Node] = []
        self.devices: list[Seen] = []
        self.segments: list[Seen] = []
        self.held: list[_Part] = []
        """What would be findings here and below, if nothing above were one."""

    @property
    def exceeds(self) -> bool:
        return self.seen is not None and self.seen.exceeds

    @property
    def p(self) -> float:
        return self.seen.p if self.seen else 0.0


_Part: TypeAlias = _Node | Seen


@dataclass(slots=True, eq=False)
class _Draft:
    """A finding of one version, or of the model."""

    part: _Part
    members: list[Seen]
    segments: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, node: _Node, members: list[Seen]) -> _Draft:
        return cls(node, members, _names(_segments(node), node.power))

    @classmethod
    def alone(cls, s: Seen) -> _Draft:
        """Of a device or segment."""
        return cls(s, [s], (s.segment,) if s.segment else ())

    @property
    def level(self) -> str:
        return self.part.level if isinstance(self.part, Seen) else LEVELS[len(self.part.path) - 1]

    @property
    def head(self) -> Seen | None:
        head = self.part if isinstance(self.part, Seen) else self.part.seen
        return head if head and head.exceeds else None

    @property
    def children(self) -> tuple[int, int]:
        """How many of them can be told, and exceed."""
        return (0, 0) if isinstance(self.part, Seen) else (self.part.told, self.part.exceeding)


def causes(series: Iterable[Seen], index: str) -> list[Finding]:
    """Findings, the weightiest first, that hold every series that exceeds exactly once; in whatever order they come.

    ``index`` is that of the effects.

    Raises:
        ValueError: a series came twice.
    """
    # PSI grows as the square of a distance does; all other indices are distances.
    power = 0.5 if index == "psi" else 1.0
    drafts: list[_Draft] = []
    for model in _models((s for s in series if s.told or s.exceeds), power):
        _judge(model)
        drafts += _found(model)
    return _joined(drafts, power)


def _models(series: Iterable[Seen], power: float) -> list[_Node]:
    nodes: dict[tuple[str, ...], _Node] = {}

    def at(path: tuple[str, ...]) -> _Node:
        if path not in nodes:
            nodes[path] = _Node(path, power)
            if len(path) > 1:
                at(path[:-1]).children.append(nodes[path])
        return nodes[path]

    for s in series:
        if s.segment:
            at(s.path).segments.append(s)
        elif len(s.path) == len(LEVELS):
            at(s.path[:-1]).devices.append(s)
        else:
            node = at(s.path)
            if node.seen:
                raise ValueError(f"a series came twice: {s}")
            node.seen = s
    for node in nodes.values():
        leaves = node.devices + node.segments
        if len(leaves) > len({(s.path, s.segment) for s in leaves}):
            raise ValueError(f"a device or segment of {', '.join(node.path)} came twice")
    return [node for path, node in nodes.items() if len(path) == 1]


# --- from the leaves up: what drifts as a whole


def _judge(node: _Node) -> None:
    for child in node.children:
        _judge(child)
    devices: list[_Part] = [d for d in node.devices if d.exceeds]
    told: list[_Part] = [*(c for c in node.children if c.seen or c.told), *node.devices]
    node.told = len(told)
    node.exceeding = len(devices) + sum(c.exceeds or c.whole for c in node.children)
    node.drifting = len(devices) + sum(c.whole for c in node.children)
    leaves = devices or any(s.exceeds for s in node.segments)
    node.touched = node.exceeds or bool(leaves) or any(c.touched for c in node.children)
    node.n, node.effect = (node.seen.n, node.seen.effect) if node.seen else _mean(told)
    held = [part for child in node.children for part in child.held] + devices
    local = bool(held) and _weight(held, node.power) >= LOCAL * _drift_in(node, told)
    node.scattered = _scattered(node, held)
    node.whole = node.scattered or _drifts(node, local)
    # Of one part alone that is all of it the part is the better name.
    node.named = node.whole and not (node.told == node.drifting == 1 and (local or not node.exceeds))
    if node.named:
        held = [node, *(part for part in held if node.scattered and not _chance(node, part))]
    node.held = held


def _drifts(node: _Node, local: bool) -> bool:
    every = 0 < node.drifting == node.told
    most = every or (node.drifting > 1 and node.drifting >= HALF * node.told)
    if node.exceeds:
        return most or not local
    if node.seen:
        return every and node.told > 1 and len(node.path) == 1
    return most


def _scattered(node: _Node, held: list[_Part]) -> bool:
    if node.exceeds or not node.seen:
        return False
    alike = [part for part in held if _chance(node, part)]
    same = _near(node.effect, _mean(alike)[1]) or _weight(alike, node.power) < LOCAL * _weight([node], node.power)
    return len(alike) > 1 and same


def _chance(node: _Node, part: _Part) -> bool:
    """Whether a part may have no more of the drift than the whole node shows.

    The deviate of a p is the square root of -2·ln p, far out; of what it would be at the node's effect chance makes that
    more or less one.
    """
    if _near(node.effect, part.effect):
        return True
    if part.p <= 0:
        return False
    above = 1 - (node.effect / part.effect) ** node.power
    return bool(math.sqrt(-2 * math.log(part.p)) * above <= DEVIATES)


def _near(effect: float, below: float) -> bool:
    return effect >= NEAR * below


def _weight(parts: Iterable[_Part], power: float) -> float:
    """How much of a drift lies in them; in whatever order, to the last digit."""
    return fsum(part.n * part.effect ** (2 * power) for part in parts)


def _mean(parts: list[_Part]) -> tuple[float, float]:
    """Events and mean effect."""
    n = fsum(part.n for part in parts)
    return n, fsum(part.n * part.effect for part in parts) / n if n else 0.0


def _drift_in(node: _Node, told: list[_Part]) -> float:
    """Weight of all that lies in a node; what was never told counts as the whole does."""
    untold = max(0.0, node.n - fsum(part.n for part in told))
    return float(_weight(told, node.power) + untold * node.effect ** (2 * node.power))


# --- from the top down: what names a finding


def _found(node: _Node) -> list[_Draft]:
    """What lies here or below."""
    if not node.touched:
        return []
    if node.named and not node.scattered:
        return [_Draft.of(node, _exceeding(node))]
    found = [draft for child in node.children for draft in _found(child)]
    found += [_Draft.alone(d) for d in node.devices if d.exceeds]
    segments = [s for s in node.segments if s.exceeds]
    if node.named:
        whole = _Draft.of(node, segments)
        return [whole, *_covered([d for d in found if d.level == SEGMENT or _chance(node, d.part)], found, whole)]
    found = _beside(node, found, segments)
    if node.seen and node.exceeds:
        _weightiest(found, node.power).members.append(node.seen)
    return found


def _weightiest(drafts: list[_Draft], power: float) -> _Draft:
    return max(drafts, key=lambda d: (_weight([d.part], power), d.part.path, d.segments))


def _beside(version: _Node, below: list[_Draft], segments: list[Seen]) -> list[_Draft]:
    """Findings below a version and its segments that exceed: one shows through the other, or each is its own."""
    own = [_Draft.alone(s) for s in segments]
    if not (below and own and version.seen):
        return below + own
    place = _weightiest(below, version.power)
    if _weight([place.part], version.power) >= LOCAL * _weight([version], version.power):
        # It shows in the whole version, and in these segments no more than elsewhere.
        shown = [draft for draft in own if _near(version.effect, draft.part.effect)]
        own = _covered(shown, own, place)
    if not own:
        return below
    return own + _covered([d for d in below if _chance(version, d.part)], below, _weightiest(own, version.power))


def _covered(some: list[_Draft], every: list[_Draft], by: _Draft) -> list[_Draft]:
    """What is left of them when another has taken the members of some."""
    by.members += [s for draft in some for s in draft.members]
    gone = set(map(id, some))
    return [draft for draft in every if id(draft) not in gone]


def _exceeding(node: _Node) -> list[Seen]:
    """Every series here and below that exceeds."""
    series = [*([node.seen] if node.seen else []), *node.devices, *node.segments]
    return [s for s in series if s.exceeds] + [s for child in node.children for s in _exceeding(child)]


def _segments(node: _Node) -> list[Seen]:
    return node.segments + [s for child in node.children for s in _segments(child)]


def _names(segments: list[Seen], power: float) -> tuple[tuple[str, str], ...]:
    """Those that hold the drift, attribute by attribute; none where it is in all of them."""
    values: dict[str, dict[tuple[str, str], list[Seen]]] = defaultdict(lambda: defaultdict(list))
    for s in segments:
        if s.segment:
            values[s.segment[0]][s.segment].append(s)
    found = []
    for told in values.values():
        # In most of the versions.
        moved = [v for v, seen in told.items() if sum(s.exceeds for s in seen) >= HALF * len(seen)]
        held, every = (_weight([s for v in some for s in told[v]], power) for some in (moved, told))
        if 0 < len(moved) < len(told) and held >= LOCAL * every:
            found += moved
    return tuple(sorted(found))


# --- over versions


def _joined(drafts: list[_Draft], power: float) -> list[Finding]:
    alike: dict[tuple[object, ...], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        path = draft.part.path
        placed = len(path) > 1 and (path[2:] or draft.segments)
        alike[(path[0], path[2:], draft.segments) if placed else path].append(draft)
    found = [_finding(group, power) for group in alike.values()]
    return sorted(found, key=lambda f: (-f.weight, f.model, _order(f.members[0])))


def _finding(group: list[_Draft], power: float) -> Finding:
    first, path = group[0], group[0].part.path
    told, exceeding = zip(*(draft.children for draft in group), strict=True)
    members = [s for draft in group for s in draft.members]
    return Finding(
        level=SEGMENT if any(draft.level == SEGMENT for draft in group) else first.level,
        model=path[0],
        versions=tuple(sorted(draft.part.path[1] for draft in group if len(path) > 1)),
        region=path[2] if len(path) > 2 else None,
        device=path[3] if len(path) > 3 else None,
        segments=first.segments,
        head=first.head if len(group) == 1 else None,
        members=tuple(sorted(members, key=_order)),
        told=sum(told),
        exceeding=sum(exceeding),
        weight=_weight([draft.part for draft in group], power),
    )


def _order(s: Seen) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    return -s.effect, s.path, s.segment or ()
