"""Which slices SLOs have, and the keys of each: the same from tick to tick while the keys are. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sloengine.errors import SloengineError
from sloengine.evaluate.cube import COVERED, Cube, Keys, Layout, Slice, shares_of
from sloengine.evaluate.tally import Stack, stacked
from sloengine.model import Group, Slo, Weighting

OTHER = "other"
"""Name of the slice that holds what the cardinality budget folds away."""


@dataclass(frozen=True, slots=True)
class Cover:
    """The keys that say how long telemetry was there, by what is known of it, and which of these each slice belongs to."""

    places: NDArray[np.int32]
    owners: NDArray[np.intp]
    """Of each key."""
    of: NDArray[np.intp]
    """Shape (slices,): number of the owner; one past the last where nothing is known."""


@dataclass(frozen=True, slots=True)
class Plan:
    """SLOs of one window and burn policy, and their slices: one SLO's after the other, each one's by group."""

    listed: tuple[Slo, ...]
    """All of them; some may have no slice."""
    slos: tuple[Slo, ...]
    """Of each slice."""
    groups: tuple[Group, ...]
    folded: tuple[int, ...]
    """How many slices beyond the cardinality budget each holds: only ``other`` does."""
    stack: Stack
    units: Mapping[int, tuple[tuple[str, ...], Stack]]
    """Slices of SLOs that weigh or quantify over nodes or sites, by number: names of these, and their parts of the slice."""
    versions: Stack
    """Slices taken apart by model version."""
    version_of: tuple[tuple[int, str], ...]
    """Of each of these: which slice it is of, and the version."""
    cover: Cover
    nodes: Mapping[int, NDArray[np.intp]]
    """Slices that weigh events and whose keys tell nodes apart, by number: of each of its cells, which node."""


@dataclass(frozen=True, slots=True)
class Plans:
    """All SLOs, in a plan for each window and policy; and those that can't be matched with keys, with the reason."""

    plans: tuple[Plan, ...]
    failed: tuple[tuple[Slo, str], ...]


class Matches:
    """Remembers what each key contributes to each SLO."""

    def __init__(self) -> None:
        self.keys = Keys()
        self._held: tuple[Layout, tuple[Slo, ...], Plans] | None = None
        self._admitted: dict[str, set[Group]] = {}
        self._recalled: Mapping[str, Sequence[Group]] | None = None

    def plans(self, slos: Sequence[Slo], cube: Cube) -> Plans:
        """What measuring these SLOs takes; made anew where they or the keys are others than before."""
        held = self._held
        if held is None or held[0] is not cube.layout or not _same(held[1], slos):
            held = self._held = cube.layout, tuple(slos), self._planned(slos, cube)
        return held[2]

    @property
    def recalled(self) -> bool:
        """Whether it was told who was within the budgets before it was made."""
        return self._recalled is not None

    def recall(self, members: Mapping[str, Sequence[Group]]) -> None:
        """Who was within each SLO's cardinality budget, by its name; the first ones stay if the budget has become smaller."""
        self._recalled = members

    def _planned(self, slos: Sequence[Slo], cube: Cube) -> Plans:
        alike: dict[tuple[object, ...], list[tuple[Slo, _Sliced]]] = {}
        failed: list[tuple[Slo, str]] = []
        for slo in slos:
            try:
                sliced = self._sliced(slo, cube)
            except (SloengineError, ValueError, re.error) as error:
                failed.append((slo, str(error)))
            else:
                alike.setdefault((slo.window, slo.calendar, slo.policy, slo.targets), []).append((slo, sliced))
        return Plans(tuple(_plan(listed, cube) for listed in alike.values()), tuple(failed))

    def _sliced(self, slo: Slo, cube: Cube) -> _Sliced:
        """Beyond ``slices_max`` the rest are one slice called ``other``. Who came first stays."""
        kept, rest = self.admit(slo, slices_of(slo, cube, slo.by))
        other = tuple((name, OTHER) for name in slo.by)
        if rest:
            # A slice that bears that name by itself is one of them: two slices of one group would be one alert.
            rest += [slice_ for slice_ in kept if slice_.group == other]
            kept = [slice_ for slice_ in kept if slice_.group != other]
        found = [(slice_, 0) for slice_ in kept]
        if rest:
            places = np.concatenate([s.places for s in rest])
            found.append((Slice(other, places, np.concatenate([s.shares for s in rest], axis=1)), len(rest)))
        found.sort(key=lambda item: item[0].group)
        return found, slices_of(slo, cube, (*slo.by, "version"))

    def admit(self, slo: Slo, slices: Sequence[Slice]) -> tuple[list[Slice], list[Slice]]:
        """Slices within the SLO's cardinality budget, and the rest. Who was in stays in: an alert must not lose its identity
        because another slice grew."""
        there = {slice_.group for slice_ in slices}
        if slo.name not in self._admitted:
            known = dict.fromkeys(group for group in (self._recalled or {}).get(slo.name, ()) if group in there)
            self._admitted[slo.name] = set(list(known)[: slo.slices_max])
        held = self._admitted[slo.name]
        held &= there
        for slice_ in sorted(slices, key=lambda s: s.group):
            if len(held) < slo.slices_max:
                held.add(slice_.group)
        return [s for s in slices if s.group in held], [s for s in slices if s.group not in held]


_Sliced = tuple[list[tuple[Slice, int]], list[Slice]]
"""An SLO's slices, each with how many it stands for, by group; and its slices by version."""


def _same(held: Sequence[Slo], slos: Sequence[Slo]) -> bool:
    return len(held) == len(slos) and all(a is b for a, b in zip(held, slos, strict=True))


def slices_of(slo: Slo, cube: Cube, names: Sequence[str]) -> list[Slice]:
    """Keys of each combination of ``names`` that the SLO has any of."""
    counted = slo.sli.good + slo.sli.bad + slo.sli.total
    candidates = np.array(cube.places((s.measure for s in counted), slo.service), dtype=np.int32)
    if not candidates.size:
        return []
    places, shares = shares_of(slo, cube.layout, candidates)
    number = np.zeros(len(places), dtype=np.int64)
    for name in names:
        codes, values = cube.layout.column(name)
        # Codes of combinations stay as small as there are combinations: ten columns of a thousand values would overflow.
        number = np.unique(number * len(values) + codes[places], return_inverse=True)[1]
    order = np.argsort(number, kind="stable")
    ends = np.flatnonzero(np.diff(number[order])) + 1
    return [
        Slice(_group_of(cube, int(places[held[0]]), names), places[held], np.ascontiguousarray(shares[:, held]))
        for held in np.split(order, ends)
        if held.size
    ]


def _group_of(cube: Cube, place: int, names: Iterable[str]) -> Group:
    return tuple((name, cube.keys[place].get(name)) for name in names)


# --- from each SLO's slices to arrays


def _plan(listed: Sequence[tuple[Slo, _Sliced]], cube: Cube) -> Plan:
    mine = [(slo, slice_, folded) for slo, (own, _) in listed for slice_, folded in own]
    versions, version_of = _versions(listed)
    return Plan(
        listed=tuple(slo for slo, _ in listed),
        slos=tuple(slo for slo, _, _ in mine),
        groups=tuple(slice_.group for _, slice_, _ in mine),
        folded=tuple(folded for _, _, folded in mine),
        stack=stacked([slice_ for _, slice_, _ in mine]),
        units={
            number: _units(cube, slice_, "gateway" if slo.weighting is Weighting.SITES else "device")
            for number, (slo, slice_, _) in enumerate(mine)
            if slo.weighting is not Weighting.EVENTS or slo.quantifier is not None
        },
        versions=stacked(versions),
        version_of=version_of,
        cover=_cover([(slo, slice_.group) for slo, slice_, _ in mine], cube),
        nodes=_nodes([(slo, slice_) for slo, slice_, _ in mine], cube),
    )


def _nodes(slices: Sequence[tuple[Slo, Slice]], cube: Cube) -> dict[int, NDArray[np.intp]]:
    """A promise over nodes, and a mean of theirs, already takes each as one event."""
    codes, names = cube.layout.column("device")
    out: dict[int, NDArray[np.intp]] = {}
    for number, (slo, slice_) in enumerate(slices):
        if len(names) > 1 and slo.weighting is Weighting.EVENTS and slo.quantifier is None:
            known, own = np.unique(codes[slice_.places], return_inverse=True)
            if len(known) > 1:
                out[number] = own
    return out


def _versions(listed: Iterable[tuple[Slo, _Sliced]]) -> tuple[list[Slice], tuple[tuple[int, str], ...]]:
    """Versions of slices that are on their own, not of what is folded away."""
    found: list[Slice] = []
    of: list[tuple[int, str]] = []
    first = 0
    for _, (own, versions) in listed:
        numbers = {slice_.group: first + n for n, (slice_, _) in enumerate(own)}
        first += len(own)
        for version in versions:
            *group, (_, name) = version.group
            if (number := numbers.get(tuple(group))) is not None:
                found.append(version)
                of.append((number, name))
    return found, tuple(of)


def _units(cube: Cube, slice_: Slice, dimension: str) -> tuple[tuple[str, ...], Stack]:
    """A slice taken apart by node or site."""
    columns: dict[str, list[int]] = {}
    for column, place in enumerate(slice_.places):
        columns.setdefault(cube.keys[place].get(dimension), []).append(column)
    names = sorted(columns)
    parts = [Slice(slice_.group, slice_.places[columns[n]], slice_.shares[:, columns[n]]) for n in names]
    return tuple(names), stacked(parts)


def _cover(slices: Iterable[tuple[Slo, Group]], cube: Cube) -> Cover:
    by_names: dict[tuple[str, tuple[str, ...]], dict[Group, int]] = {}
    places: list[list[int]] = []
    of: list[int] = []
    for slo, group in slices:
        part = _known(group)
        owner = slo.service, tuple(name for name, _ in part)
        if owner not in by_names:
            found: dict[Group, list[int]] = {}
            for place in cube.places([COVERED], slo.service):
                found.setdefault(_group_of(cube, place, owner[1]), []).append(place)
            by_names[owner] = {known: len(places) + n for n, known in enumerate(found)}
            places += found.values()
        of.append(by_names[owner].get(part, -1))
    flat = np.array([place for held in places for place in held], dtype=np.int32)
    owners = np.array([owner for owner, held in enumerate(places) for _ in held], dtype=np.intp)
    numbers = np.array(of, dtype=np.intp)
    return Cover(flat, owners, np.where(numbers < 0, len(places), numbers))


def _known(group: Group) -> Group:
    """The part of a slice that coverage is known by: nodes have a service, a region and a gateway, whatever models they run."""
    return tuple(pair for pair in group if pair[0] in ("service", "region", "gateway"))
