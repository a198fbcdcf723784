"""Intervals where failures cluster by node: how often they hold, and why pages are not guarded by them.

``python -m tests.evaluate.test_evaluate_clustered`` prints the tables of docs/statistics.md (about a minute of one processor).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from sloengine.evaluate.fleet import Spread, clustered_bounds, spread_of_events
from sloengine.evaluate.interval import bad_ratio_bounds, lower_bounds
from sloengine.model import Counts

SEED = 20260
ICC = 0.02
"""Correlation of events within a node: a nod to Adams et al. 2004, whose median in practice is about as much."""
LINE = 14.4 * 0.001


class Fleet(NamedTuple):
    nodes: int
    events: int
    """Of each node, on average."""
    p: float
    rho: float


def draw(rng: np.random.Generator, fleet: Fleet) -> tuple[np.ndarray, np.ndarray]:
    """Good and bad events of each node: beta-binomial, Poisson sizes."""
    n = 1 + rng.poisson(fleet.events - 1, fleet.nodes)
    strength = (1 - fleet.rho) / fleet.rho if fleet.rho else 0.0
    own = rng.beta(fleet.p * strength, (1 - fleet.p) * strength, fleet.nodes) if fleet.rho else fleet.p
    bad = rng.binomial(n, own).astype(float)
    return n - bad, bad


def spreads(rng: np.random.Generator, fleet: Fleet, runs: int) -> list[Spread]:
    found = []
    for _ in range(runs):
        good, bad = draw(rng, fleet)
        spread = spread_of_events(good, bad, Counts(float(good.sum()), float(bad.sum())))
        assert spread is not None
        found.append(spread)
    return found


def coverage(fleet: Fleet, runs: int) -> tuple[float, float, float]:
    """How often 95 % intervals hold the fleet's ratio: clustered, plain; and how many times wider the first is (median)."""
    found = spreads(np.random.default_rng(SEED), fleet, runs)
    low, high, _ = clustered_bounds(found)
    good, bad, good2, bad2 = np.array([s.sums for s in found]).T
    plain_low, plain_high = bad_ratio_bounds(good, bad, good2, bad2)
    held = np.mean((low <= fleet.p) & (fleet.p <= high))
    plain = np.mean((plain_low <= fleet.p) & (fleet.p <= plain_high))
    return float(held), float(plain), float(np.median((high - low) / (plain_high - plain_low)))


def surely_over(found: list[Spread]) -> tuple[np.ndarray, np.ndarray]:
    """Whether the 99 % one-sided lower bound is over the page's line: plain, clustered."""
    good, bad, good2, bad2 = np.array([s.sums for s in found]).T
    # One side of a two-sided interval at 98 % is one-sided at 99 %.
    return lower_bounds(good, bad, good2, bad2) > LINE, clustered_bounds(found, 0.98)[0] > LINE


def false_pages(fleet: Fleet, months: int) -> tuple[float, float]:
    """Hours a month in which the guard of the 14.4 pair says yes at a true burn of 1: plain, clustered. Each hour's nodes are
    drawn anew: the worst case for the plain guard, as if every burst of a node ended with its hour."""
    plain, clustered = surely_over(spreads(np.random.default_rng(SEED), fleet, 720 * months))
    return float(plain.sum()) / months, float(clustered.sum()) / months


def minutes_to_page(broken: int, failing: float, runs: int, *, nodes: int = 30, rate: int = 10) -> Iterator[float]:
    """Median minutes from a fault, in which ``broken`` nodes fail so many of their requests, until the long window is surely
    over the line: plain, clustered; inf if not within its hour."""
    rng = np.random.default_rng(SEED)
    at = np.full((2, runs), np.inf)
    for run in range(runs):
        before = rng.binomial(rate, 0.001, (60, nodes))
        after = rng.binomial(rate, np.where(np.arange(nodes) < broken, failing, 0.001), (60, nodes))
        history = np.concatenate([before, after]).cumsum(axis=0)
        hours = [history[60 + m - 1] - history[m - 1] for m in range(1, 61)]
        found = []
        for bad in hours:
            good = 60.0 * rate - bad
            found.append(spread_of_events(good, bad.astype(float), Counts(float(good.sum()), float(bad.sum()))))
        for place, over in enumerate(surely_over([s for s in found if s])):
            if over.any():
                at[place, run] = float(np.argmax(over)) + 1
    yield from np.median(at, axis=1).tolist()


CELLS = [
    Fleet(10, 1000, 0.01, ICC),
    Fleet(30, 1000, 0.1, ICC),
    Fleet(30, 1000, 0.01, ICC),
    Fleet(30, 1000, 0.001, ICC),
    Fleet(200, 1000, 0.1, ICC),
    Fleet(200, 1000, 0.01, ICC),
    Fleet(200, 1000, 0.001, ICC),
    Fleet(2000, 100, 0.01, ICC),
    Fleet(200, 1000, 0.01, 0.0),
    Fleet(30, 1000, 0.01, 0.0),
]


@pytest.mark.parametrize("fleet", [Fleet(30, 1000, 0.1, ICC), Fleet(200, 1000, 0.01, ICC)])
def test_where_nodes_differ_the_clustered_interval_holds_and_the_plain_one_does_not(fleet: Fleet) -> None:
    held, plain, _ = coverage(fleet, 400)
    assert held > 0.9
    assert plain < 0.6


def test_where_nodes_are_alike_it_is_hardly_wider() -> None:
    held, plain, wider = coverage(Fleet(200, 1000, 0.01, 0.0), 400)
    assert held >= plain > 0.93
    assert wider < 1.1


def test_a_guard_by_clusters_would_miss_a_few_nodes_that_fail_altogether() -> None:
    plain, clustered = minutes_to_page(2, 1.0, 20)
    assert plain < 20
    assert clustered == float("inf")


def main() -> None:
    print(
        "| nodes | events of each | ratio | correlation | clustered | plain | times as wide |\n|---|---|---|---|---|---|---|"
    )
    for fleet in CELLS:
        held, plain, wider = coverage(fleet, 4000)
        print(f"| {fleet.nodes} | {fleet.events} | {fleet.p} | {fleet.rho} | {held:.3f} | {plain:.3f} | {wider:.1f} |")
    print(
        "\n| nodes | events an hour of each | correlation | no guard | plain | clustered |\n|---|---|---|---|---|---|"
    )
    for nodes, events, rho in ((10, 60, 0.0), (10, 60, 0.02), (10, 60, 0.1), (10, 600, 0.1), (30, 600, 0.1)):
        fleet = Fleet(nodes, events, 0.001, rho)
        points = spreads(np.random.default_rng(SEED), fleet, 720 * 6)
        bare = sum(s.sums[1] / (s.sums[0] + s.sums[1]) > LINE for s in points) / 6
        plain, clustered = false_pages(fleet, 6)
        print(f"| {nodes} | {events} | {rho} | {bare:.2f} | {plain:.2f} | {clustered:.2f} |")
    print("\n| nodes of 30 that fail | of their requests | plain guard | clustered guard |\n|---|---|---|---|")
    for broken, failing in ((1, 1.0), (2, 1.0), (5, 1.0), (10, 1.0), (10, 0.2), (30, 0.1)):
        plain, clustered = minutes_to_page(broken, failing, 100)
        print(f"| {broken} | {failing:.0%} | {plain:.0f} | {clustered:.0f} |")


if __name__ == "__main__":
    main()
