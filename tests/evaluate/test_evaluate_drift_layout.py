"""Pinned bins: every bucket goes whole into one of them or nowhere, whatever it was counted in."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sloengine.evaluate.drift.layout import BINS_MAX, Shape, pinned, placed, places, spanning

BOUNDS = (0.1, 0.2, 0.5, 0.9)


def test_explicit_bounds_are_pinned_as_they_are_and_cost_nothing() -> None:
    shape = Shape(0, BOUNDS, events=10)
    edges = pinned([shape, Shape(0, (0.5,), events=3)])
    assert edges.tolist() == [-np.inf, *BOUNDS, np.inf]
    counts = np.arange(10.0).reshape(2, 5)
    found, lost = placed(counts, places(shape.edges, edges), 5)
    assert found is counts
    assert lost.tolist() == [0, 0]


def test_a_bucket_that_a_pinned_edge_divides_has_no_place() -> None:
    edges = Shape(0, BOUNDS).edges
    at = places(Shape(0, (0.2, 0.4, 0.9)).edges, edges)
    # (-inf, 0.2] holds the edge 0.1, (0.2, 0.4] lies in (0.2, 0.5], (0.4, 0.9] holds 0.5, (0.9, inf) is one of them.
    assert at.tolist() == [-1, 2, -1, 4]
    found, lost = placed(np.array([[5.0, 6, 7, 8]]), at, 5)
    assert found.tolist() == [[0, 0, 6, 0, 8]]
    assert lost.tolist() == [12]


spans = st.tuples(st.integers(-200, 200), st.integers(0, 300)).map(lambda s: (s[0], s[0] + s[1]))


@given(scale=st.integers(0, 8), positive=spans, negative=st.none() | spans, finer=st.integers(0, 4), data=st.data())
def test_exponential_buckets_of_any_finer_scale_find_their_places(
    scale: int, positive: tuple[int, int], negative: tuple[int, int] | None, finer: int, data: st.DataObject
) -> None:
    base = Shape(scale, (), positive, negative or (0, -1), events=100)
    edges = pinned([base])
    assert np.all(np.diff(edges) > 0)
    assert len(edges) - 1 <= BINS_MAX
    low = data.draw(st.integers(-300, 300))
    now = spanning(Shape(scale + finer, (), (low, low + data.draw(st.integers(0, 200)))), edges)
    assert len(now.edges) == now.buckets + 1
    at = places(now.edges, edges)
    assert (at >= 0).all()
    values = np.sqrt(now.edges[1:-1] * now.edges[2:]) if negative is None and now.negative == (0, -1) else None
    if values is not None:
        # By its middle a bucket lies in the bin that it was given to.
        inside = np.isfinite(values)
        assert (np.searchsorted(edges, values[inside]) - 1 == at[1:][inside]).all()
    counts = np.ones((2, now.buckets))
    found, lost = placed(counts, at, len(edges) - 1)
    assert found.sum() == counts.sum()
    assert lost.sum() == 0


def test_coarser_buckets_than_the_pinned_ones_are_counted_as_unplaced() -> None:
    edges = pinned([Shape(3, (), (0, 7), events=5)])
    now = spanning(Shape(1, (), (0, 1)), edges)
    at = places(now.edges, edges)
    assert (at[1:] == -1).all()
    _, lost = placed(np.array([[1.0, 20, 30]]), at, len(edges) - 1)
    assert lost.tolist() == [50]


def test_several_scales_are_pinned_by_the_coarsest_that_counts() -> None:
    fine, coarse, stray = (
        Shape(4, (), (0, 15), events=100),
        Shape(2, (), (0, 3), events=50),
        Shape(0, (), (0, 0), events=1),
    )
    edges = pinned([fine, coarse, stray])
    inner = edges[1:-1]
    assert len(inner) == 5
    assert np.allclose(inner, 2.0 ** (np.arange(5) / 4))
