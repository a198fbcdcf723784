"""Series of every level from the rows of single devices. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse  # type: ignore[import-untyped]

Floats = NDArray[np.float64]
Ids = NDArray[np.uint64]

MODEL, VERSION, REGION, DEVICE, SEGMENT = "model", "version", "region", "device", "segment"


@dataclass(frozen=True, slots=True)
class Rows:
    """R rows, each of a device and a combination of segments, over the same B pinned bins."""

    ids: dict[str, Ids]
    """By level, shape (R,)."""
    segments: Ids
    """Shape (R, K)."""
    peers: Ids
    """The same place whatever the version, shape (R,)."""
    segment_peers: Ids
    """Shape (R, K)."""
    counts: Floats
    """Shape (R, B)."""
    lost: Floats
    """Events that no pinned bin holds, shape (R,)."""

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        ids = {level: own[kept] for level, own in self.ids.items()}
        return Rows(
            ids, self.segments[kept], self.peers[kept], self.segment_peers[kept], self.counts[kept], self.lost[kept]
        )


@dataclass(frozen=True, slots=True)
class Sums:
    """S series, ascending by id."""

    ids: Ids
    peers: Ids
    """What holds the same of all versions: a model, a place, a segment of a model; 0: there is no such thing."""
    counts: Floats
    """Shape (S, B)."""
    lost: Floats

    @classmethod
    def none(cls, bins: int) -> Sums:
        nothing = np.zeros(0, dtype=np.uint64)
        return cls(nothing, nothing, np.zeros((0, bins)), np.zeros(0))


def places_in(known: Ids, ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Where each of ``ids`` is among the ascending ``known``, and whether it is there at all; shapes as ``ids``."""
    if not len(known):
        return np.zeros(len(ids), dtype=np.int64), np.zeros(len(ids), dtype=bool)
    place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
    return place, np.asarray(known[place] == ids)


def others(sums: Sums) -> Floats:
    """For each series the counts of all with the same peers but itself, shape (S, B): the rest that a canary is held against."""
    total = summed(sums.peers, sums.peers, sums.counts, sums.lost)
    place, _ = places_in(total.ids, sums.peers)
    return np.where((sums.peers != 0)[:, None], total.counts[place] - sums.counts, 0.0)


def summed(ids: Ids, peers: Ids, counts: Floats, lost: Floats) -> Sums:
    """Rows of one id added up."""
    known, first, inverse = np.unique(ids, return_index=True, return_inverse=True)
    if len(known) == len(ids):
        order = np.argsort(ids, kind="stable")
        return Sums(known, peers[order], counts[order], lost[order])
    adder = sparse.csr_matrix((np.ones(len(ids)), (inverse, np.arange(len(ids)))), shape=(len(known), len(ids)))
    return Sums(known, peers[first], adder @ counts, adder @ lost)


def of_devices(rows: Rows) -> Sums:
    return summed(rows.ids[DEVICE], rows.peers, rows.counts, rows.lost)


def above_devices(rows: Rows, levels: Iterable[str]) -> dict[str, Sums]:
    """Sums of the watched levels but the devices', and of segments."""
    found: dict[str, Sums] = {}
    for level in levels:
        if level != DEVICE:
            peers = {MODEL: np.zeros_like(rows.peers), VERSION: rows.ids[MODEL], REGION: rows.peers}[level]
            found[level] = summed(rows.ids[level], peers, rows.counts, rows.lost)
    segments = rows.segments.shape[1]
    if segments:
        parts = [summed(rows.segments[:, k], rows.segment_peers[:, k], rows.counts, rows.lost) for k in range(segments)]
        found[SEGMENT] = together(parts)
    return found


Above = tuple[Ids, Ids, Ids]
"""Series, and the ids of the model and of the version that each is part of; shapes (S,)."""


def above_of(rows: Rows, levels: Iterable[str]) -> Above:
    """Of the watched levels and of segments, ascending; a model is its own version here."""
    versions = {level: rows.ids[MODEL if level == MODEL else VERSION] for level in levels}
    pairs = [(rows.ids[level], own) for level, own in versions.items()]
    pairs += [(rows.segments[:, k], rows.ids[VERSION]) for k in range(rows.segments.shape[1])]
    ids, first = np.unique(np.concatenate([series for series, _ in pairs]), return_index=True)
    return ids, np.tile(rows.ids[MODEL], len(pairs))[first], np.concatenate([own for _, own in pairs])[first]


def parents_in(above: Iterable[Above], ids: Ids) -> tuple[Ids, Ids]:
    """Models and versions of ``ids``, which several blocks tell together."""
    known, models, versions = (np.concatenate(column) for column in zip(*above, strict=True))
    ascending, first = np.unique(known, return_index=True)
    place = first[places_in(ascending, ids)[0]]
    return models[place], versions[place]


def together(parts: Iterable[Sums]) -> Sums:
    """Sums of several blocks: what is in more than one is added up."""
    listed = list(parts)
    if len(listed) == 1:
        return listed[0]
    return summed(
        *(np.concatenate([getattr(part, name) for part in listed]) for name in ("ids", "peers", "counts", "lost"))
    )
