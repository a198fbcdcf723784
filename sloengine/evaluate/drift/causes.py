"""One cause, one finding: which series has what the others have of it. Pure.

Series of all levels see the same events, so that one cause makes many of them exceed. From the leaves up each is asked whether it
drifts as a whole; from the top down the first that does names the finding and covers all that exceed below it.

- One that exceeds drifts as a whole if at least two and at least half of those right below it that can be told do, or if they
  don't hold what it shows: too weak in each, lying where nothing can be told, or a shift of the mix. Else the cause is in them.
- One that is calm is diluted, and the cause lies further down; unless it is as far away as those below it and so has missed the
  minimum by chance alone: of a region that drifts by just the minimum half of the devices exceed, and none of them is a cause.
- One that was never told counts as those below it do. A model drifts as a whole if all of its versions do, calm or not.

How much of a drift lies in a part is measured by events times squared effect. Of all indices here the square is convex in both
distributions together, so that a whole's is at most the mean of its parts', weighted by events, as long as their mix stays
(f-divergences: Csiszár & Shields 2004, lemma 4.1; KS and Wasserstein are norms).

A place or segment that was found in several versions is one finding: it has changed, not each version.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from math import fsum
from typing import NamedTuple, TypeAlias

LEVELS = ("model", "version", "region", "device")
SEGMENT = "segment"

HALF = 0.5
"""Of the told parts that drift as a whole, from which on all of it does."""
LOCAL = 0.8
"""Part of a drift that few must hold to be its cause. If it is everywhere and just at the minimum, the four parts in ten that
exceed by chance hold 0.7; if it is nowhere else, what chance leaves to the others is below 0.1."""
NEAR = 0.6
"""Part of the effect below from which on a calm series has the same drift: of half of the events it would show half of it."""

CHANCE = 0.3
"""Part of a place's effect that its version must show, from which on a segment's drift, seen everywhere, explains the place. Of
devices that just have enough events to be told, chance shows three times the effect of all in one of a few hundred."""


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

    @property
    def weight(self) -> float:
        return self.n * self.effect * self.effect


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
    """Events times squared effect: findings are in its order."""


class _Held(NamedTuple):
    """What findings here and below hold, if nothing above is one."""

    findings: int
    n: float
    moved: float
    """Events times effect."""
    weight: float

    @classmethod
    def by(cls, part: _Part) -> _Held:
        return cls(1, part.n, part.n * part.effect, part.weight)

    @property
    def effect(self) -> float:
        return self.moved / self.n if self.n else 0.0


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
    named = False
    """The cause, if nothing above it is."""
    held: _Held

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path
        self.seen: Seen | None = None
        self.children: list[_Node] = []
        self.devices: list[Seen] = []
        self.segments: list[Seen] = []

    @property
    def exceeds(self) -> bool:
        return self.seen is not None and self.seen.exceeds

    @property
    def weight(self) -> float:
        return self.n * self.effect * self.effect


_Part: TypeAlias = _Node | Seen


@dataclass(slots=True, eq=False)
class _Draft:
    """A finding of one version, or of the model."""

    path: tuple[str, ...]
    effect: float
    weight: float
    head: Seen | None
    members: list[Seen]
    told: int = 0
    exceeding: int = 0
    segments: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, node: _Node) -> _Draft:
        head, names = node.seen if node.exceeds else None, _names(_segments(node))
        return cls(node.path, node.effect, node.weight, head, _exceeding(node), node.told, node.exceeding, names)

    @classmethod
    def alone(cls, s: Seen) -> _Draft:
        """Of a device or segment."""
        return cls(s.path, s.effect, s.weight, s, [s], segments=(s.segment,) if s.segment else ())

    @property
    def level(self) -> str:
        return self.head.level if self.head else LEVELS[len(self.path) - 1]


def causes(series: Iterable[Seen]) -> list[Finding]:
    """Findings, the weightiest first, that hold every series that exceeds exactly once; in whatever order they come.

    Raises:
        ValueError: a series came twice.
    """
    drafts: list[_Draft] = []
    for model in _models(s for s in series if s.told or s.exceeds):
        _judge(model)
        drafts += _found(model)
    return _joined(drafts)


def _models(series: Iterable[Seen]) -> list[_Node]:
    nodes: dict[tuple[str, ...], _Node] = {}

    def at(path: tuple[str, ...]) -> _Node:
        if path not in nodes:
            nodes[path] = _Node(path)
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
    devices = [d for d in node.devices if d.exceeds]
    told: list[_Part] = [*(c for c in node.children if c.seen or c.told), *node.devices]
    node.told = len(told)
    node.exceeding = len(devices) + sum(c.exceeds or c.whole for c in node.children)
    node.drifting = len(devices) + sum(c.whole for c in node.children)
    leaves = devices or any(s.exceeds for s in node.segments)
    node.touched = node.exceeds or bool(leaves) or any(c.touched for c in node.children)
    node.n, node.effect = (node.seen.n, node.seen.effect) if node.seen else _mean(told)
    held = _together([*(c.held for c in node.children), *map(_Held.by, devices)])
    local = held.findings > 0 and held.weight >= LOCAL * _drift_in(node, told)
    node.whole = _drifts(node, held, local)
    # Of one part alone that is all of it the part is the better name.
    node.named = node.whole and not (node.told == node.drifting == 1 and (local or not node.exceeds))
    node.held = _Held.by(node) if node.named else held


def _drifts(node: _Node, held: _Held, local: bool) -> bool:
    every = 0 < node.drifting == node.told
    most = every or (node.drifting > 1 and node.drifting >= HALF * node.told)
    if node.exceeds:
        return most or not local
    if node.seen is None or (len(node.path) == 1 and every and node.told > 1):
        return most
    several = held.findings > 1
    if _near(node.effect, held.effect):
        return several or every
    return several and not local and node.effect >= CHANCE * held.effect


def _near(effect: float, below: float) -> bool:
    return effect >= NEAR * below


def _together(parts: list[_Held]) -> _Held:
    """In whatever order, to the last digit."""
    findings, *sums = zip(*parts, strict=True) if parts else ((), (), (), ())
    return _Held(sum(findings), *map(fsum, sums))


def _mean(parts: list[_Part]) -> tuple[float, float]:
    """Events and mean effect."""
    n = fsum(c.n for c in parts)
    return n, fsum(c.n * c.effect for c in parts) / n if n else 0.0


def _drift_in(node: _Node, told: list[_Part]) -> float:
    """Weight of all that lies in a node; what was never told counts as the whole does."""
    untold = max(0.0, node.n - fsum(c.n for c in told)) * node.effect * node.effect
    return fsum(c.weight for c in told) + untold


# --- from the top down: what names a finding


def _found(node: _Node) -> list[_Draft]:
    """What lies here or below."""
    if not node.touched:
        return []
    if node.named:
        return [_Draft.of(node)]
    found = [draft for child in node.children for draft in _found(child)]
    found += [_Draft.alone(d) for d in node.devices if d.exceeds]
    found = _beside(node, found, [s for s in node.segments if s.exceeds])
    if node.seen and node.exceeds:
        _weightiest(found).members.append(node.seen)
    return found


def _weightiest(drafts: list[_Draft]) -> _Draft:
    return max(drafts, key=lambda d: (d.weight, d.path, d.segments))


def _beside(version: _Node, below: list[_Draft], segments: list[Seen]) -> list[_Draft]:
    """Findings below a version and its segments that exceed: one shows through the other, or each is its own."""
    own = [_Draft.alone(s) for s in segments]
    if not (below and own and version.seen):
        return below + own
    place = _weightiest(below)
    if place.weight >= LOCAL * version.weight:
        # It shows in the whole version, and in these segments no more than elsewhere.
        shown = [draft for draft in own if _near(version.effect, draft.effect)]
        own = _covered(shown, own, place)
    if not own:
        return below
    return own + _covered([d for d in below if version.effect >= CHANCE * d.effect], below, _weightiest(own))


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


def _names(segments: list[Seen]) -> tuple[tuple[str, str], ...]:
    """Those that hold the drift, attribute by attribute; none where it is in all of them."""
    values: dict[str, dict[tuple[str, str], list[Seen]]] = defaultdict(lambda: defaultdict(list))
    for s in segments:
        if s.segment:
            values[s.segment[0]][s.segment].append(s)
    found = []
    for told in values.values():
        # In most of the versions.
        moved = [v for v, seen in told.items() if sum(s.exceeds for s in seen) >= HALF * len(seen)]
        held, every = (fsum(s.weight for v in some for s in told[v]) for some in (moved, told))
        if 0 < len(moved) < len(told) and held >= LOCAL * every:
            found += moved
    return tuple(sorted(found))


# --- over versions


def _joined(drafts: list[_Draft]) -> list[Finding]:
    alike: dict[tuple[object, ...], list[_Draft]] = defaultdict(list)
    for draft in drafts:
        placed = len(draft.path) > 1 and (draft.path[2:] or draft.segments)
        alike[(draft.path[0], draft.path[2:], draft.segments) if placed else draft.path].append(draft)
    return sorted(
        (_finding(group) for group in alike.values()), key=lambda f: (-f.weight, f.model, _order(f.members[0]))
    )


def _finding(group: list[_Draft]) -> Finding:
    first, path = group[0], group[0].path
    members = sorted((s for draft in group for s in draft.members), key=_order)
    levels = {draft.level for draft in group}
    return Finding(
        level=SEGMENT if SEGMENT in levels else first.level,
        model=path[0],
        versions=tuple(sorted(draft.path[1] for draft in group if len(path) > 1)),
        region=path[2] if len(path) > 2 else None,
        device=path[3] if len(path) > 3 else None,
        segments=first.segments,
        head=first.head if len(group) == 1 else None,
        members=tuple(members),
        told=sum(draft.told for draft in group),
        exceeding=sum(draft.exceeding for draft in group),
        weight=fsum(draft.weight for draft in group),
    )


def _order(s: Seen) -> tuple[float, tuple[str, ...], tuple[str, ...]]:
    return -s.effect, s.path, s.segment or ()
