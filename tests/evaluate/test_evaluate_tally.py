"""Sums over arrays are those of each slice by itself, one key and one window after the other."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.evaluate.cube import FIGURES, Cube, Key, Layout, Slice
from sloengine.evaluate.tally import stacked, tally, tally_of
from sloengine.model import Counts

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEYS, BANDS = 4, 3
MASKS = np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
tables = st.lists(st.integers(0, 40), min_size=KEYS * BANDS, max_size=KEYS * BANDS).map(
    lambda cells: np.array(cells, dtype=np.float64).reshape(KEYS, BANDS) / 4
)
shares = st.sampled_from([(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 1, 0), (0, 0, 0)])
slices = st.lists(st.tuples(st.integers(0, KEYS - 1), shares), min_size=1, max_size=KEYS, unique_by=lambda c: c[0])


def cube(events: np.ndarray, weights: np.ndarray, marks: np.ndarray) -> Cube:
    layout = Layout(tuple(Key("m", (str(n),) + ("",) * 8, "") for n in range(KEYS)))
    figures = (events, events * weights, marks, np.minimum(marks, events), np.zeros_like(events))
    return Cube((AT,) * BANDS, AT, layout.keys, dict(zip(FIGURES, figures, strict=True)), np.zeros(KEYS), layout)


def by_hand(held: Cube, cells: list[tuple[int, tuple[int, int, int]]], window: np.ndarray) -> tuple[float, ...]:
    """Good, bad, unknown, squares of good and of bad, bridged."""
    inside = np.flatnonzero(window)
    total = {name: {p: sum(float(held.figures[name][p, b]) for b in inside) for p, _ in cells} for name in FIGURES}
    good, bad, unknown = (max(0.0, sum(s[side] * total["Events"][p] for p, s in cells)) for side in range(3))
    squares = [sum(abs(s[side]) * total["Squares"][p] for p, s in cells) for side in range(2)]
    bridged = sum((abs(s[0]) + abs(s[1])) * total["Bridged"][p] for p, s in cells)
    return good, bad, unknown + sum(total["Unweighted"].values()), squares[0], squares[1], bridged


@settings(deadline=None)
@given(tables, st.sampled_from([1.0, 2.5]), st.booleans(), tables, st.lists(slices, min_size=1, max_size=5))
def test_many_slices_at_once_are_each_by_itself(
    events: np.ndarray,
    weight: float,
    marked: bool,
    marks: np.ndarray,
    listed: list[list[tuple[int, tuple[int, int, int]]]],
) -> None:
    weights = np.ones((KEYS, BANDS))
    weights[0] = weight
    held = cube(events, weights, marks if marked else np.zeros_like(events))
    stack = stacked(
        [Slice((), np.array([p for p, _ in c], np.int32), np.array([s for _, s in c], np.int8).T) for c in listed]
    )
    for cells, row in zip(listed, tally(held, stack, MASKS).counts(), strict=True):
        for counts, window in zip(row, MASKS, strict=True):
            good, bad, unknown, good_squares, bad_squares, bridged = by_hand(held, cells, window)
            assert (counts.good, counts.bad, counts.unknown, counts.bridged) == (good, bad, unknown, bridged)
            if counts.sampled:
                assert counts.squares == (good_squares if good else 0, bad_squares if bad else 0)


def test_pieces_hold_every_slice_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sloengine.evaluate.tally.CELLS", 3)
    one = [Slice((), np.zeros(n, np.int32), np.zeros((3, n), np.int8)) for n in (2, 1, 5, 1, 1)]
    pieces = stacked(one).pieces()
    assert [(s.start, s.stop, c.start, c.stop) for s, c in pieces] == [(0, 2, 0, 3), (2, 3, 3, 8), (3, 5, 8, 10)]


def test_counts_and_columns_are_the_same_thing() -> None:
    rows = [
        [Counts(1, 2, 3), Counts(0.5, 2, 0, 0.0, 1.5, 4.0, 1, 0)],
        [Counts(), Counts(7, 0, 0, 0.0, None, None, 0, 2)],
    ]
    assert tally_of(rows).counts() == rows
