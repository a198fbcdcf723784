"""Promises over nodes: how sure a page is that one is broken, in simulation.

``python -m tests.evaluate.test_evaluate_promises`` prints the tables of docs/statistics.md (ninety seconds of one processor).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sloengine.evaluate.interval import doubts, lower_bounds
from sloengine.evaluate.promises import OfPromise, surely_false
from sloengine.model import Quantifier, Severity, Weighting
from tests.evaluate.test_evaluate_nodes import PAIRS, SEED, Floats, Nodes, inside, judged, promise

MEET = Quantifier(0.95, 0.99)
"""95 % of nodes each meet 99 %."""
WORST = Quantifier(0.01, 0.999, worst=True)
"""The worst 1 % of nodes together meet 99.9 %."""


def target_of(quantifier: Quantifier) -> float:
    return quantifier.target if quantifier.worst else quantifier.share


def evidence(quantifier: Quantifier, good: Floats, bad: Floats, weight: float = 1.0) -> OfPromise:
    """Of counts (nodes, …) whose events all weigh the same."""
    sums = good * weight, bad * weight, good * weight**2, bad * weight**2
    return OfPromise(quantifier, *sums, np.full(good.shape, weight))


def as_counted(quantifier: Quantifier, good: Floats, bad: Floats) -> tuple[Floats, Floats]:
    """Good and bad of the promise, shape (minutes,): nodes, or the events of the worst of them."""
    valid = good + bad
    ratio = np.divide(bad, valid, out=np.full(bad.shape, -1.0), where=valid > 0)
    if not quantifier.worst:
        missing = (ratio > 1 - quantifier.target).sum(axis=0)
        return (valid > 0).sum(axis=0) - missing, missing
    most = max(1, round(quantifier.share * len(good)))
    chosen = np.argpartition(ratio, len(ratio) - most, axis=0)[-most:]
    return np.take_along_axis(good, chosen, 0).sum(axis=0), np.take_along_axis(bad, chosen, 0).sum(axis=0)


def firing(quantifier: Quantifier, good: NDArray[np.int64], bad: NDArray[np.int64]) -> tuple[NDArray[np.bool_], ...]:
    """Minutes in which a page would fire: without a guard; by what was counted, as if events; by the nodes' own events."""
    out = tuple(np.zeros(good.shape[1], dtype=np.bool_) for _ in range(3))
    for factor, long, short in PAIRS:
        line = factor * (1 - target_of(quantifier))
        sums = inside(good, long), inside(bad, long)
        g, b = as_counted(quantifier, *sums)
        near_g, near_b = as_counted(quantifier, inside(good, short), inside(bad, short))
        over = (b > line * (g + b)) & (near_b > line * (near_g + near_b))
        out[0][over] = True
        if over.any():
            out[1][over] |= lower_bounds(g[over], b[over], g[over], b[over]) > line
            out[2][over] |= evidence(quantifier, *sums).at(over).surely_above() > line
    return out


def pages_per_month(quantifier: Quantifier, nodes: Nodes, days: int) -> tuple[float, ...]:
    """False pages where as many nodes as the promise allows fail altogether, and all others are exactly at their bar."""
    rng, minutes = np.random.default_rng(SEED), days * 1440
    ratio = np.full((nodes.count, 1), 1 - quantifier.target)
    if not quantifier.worst:
        ratio[: int((1 - quantifier.share) * nodes.count + 1e-9)] = 1
    sizes = rng.poisson(nodes.rates[:, np.newaxis], (nodes.count, minutes))
    bad = rng.binomial(sizes, ratio)
    found = np.array([int(np.sum(one[1:] & ~one[:-1])) for one in firing(quantifier, sizes - bad, bad)])
    return tuple((found * 30 / days).tolist())


def minutes_to_page(
    quantifier: Quantifier, nodes: Nodes, failing: float, runs: int, broken: int | None = None
) -> tuple[float, ...]:
    """Median minutes from a fault in so many nodes (all) to a page; inf if not within six hours, the longest window of a page."""
    rng, before = np.random.default_rng(SEED), 360
    at = np.full((3, runs), np.inf)
    for run in range(runs):
        sizes = rng.poisson(nodes.rates[:, np.newaxis], (nodes.count, 2 * before))
        ratio = np.full(sizes.shape, 0.1 * (1 - quantifier.target))
        ratio[: nodes.count if broken is None else broken, before:] = failing
        bad = rng.binomial(sizes, ratio)
        for place, one in enumerate(firing(quantifier, sizes - bad, bad)):
            if (later := one[before:]).any():
                at[place, run] = float(np.argmax(later)) + 1
    return tuple(np.median(at, axis=1).tolist())


# --- how many claims are surely false, and doubts of one


def test_so_many_as_every_partial_claim_shows() -> None:
    """By definition: the most u for which Simes' test of the n-u+1 likeliest claims shows that not all of them are true."""
    rng = np.random.default_rng(SEED)
    for _ in range(300):
        each = rng.random(int(rng.integers(1, 30))) ** rng.choice([1, 3, 12])
        ordered = sorted(each.tolist())
        shown = [
            number
            for number in range(1, len(ordered) + 1)
            if min(p * (len(ordered) - number + 1) / rank for rank, p in enumerate(ordered[number - 1 :], 1)) <= 0.01
        ]
        assert surely_false(each, 0.01) == max(shown, default=0)


@pytest.mark.parametrize(("claims", "false"), [(3, 0), (3, 2), (10, 3), (100, 0), (100, 30)])
def test_more_than_there_are_is_said_no_more_often_than_allowed(claims: int, false: int) -> None:
    rng, runs, doubt_max = np.random.default_rng(SEED), 3000, 0.05
    each = rng.random((runs, claims))
    each[:, :false] *= 1e-9
    over = [surely_false(one, doubt_max) > false for one in each]
    assert np.mean(over) <= doubt_max + 4 * (doubt_max * (1 - doubt_max) / runs) ** 0.5
    assert np.mean([surely_false(one, doubt_max) >= false for one in each]) == 1


@given(
    good=st.integers(0, 3000),
    bad=st.integers(1, 300),
    weights=st.tuples(st.sampled_from([1.0, 2.0, 100.0]), st.sampled_from([1.0, 10.0])),
    allowed=st.sampled_from([0.0001, 0.01, 0.3]),
)
def test_a_doubt_is_where_the_bound_meets_what_is_allowed(
    good: int, bad: int, weights: tuple[float, float], allowed: float
) -> None:
    heavy, light = weights
    sums = good * heavy, bad * light, good * heavy**2, bad * light**2
    doubt = float(doubts(*sums, allowed, good_weight=heavy))
    assume(1e-9 < doubt < 1 - 1e-6)
    assert float(lower_bounds(*sums, 1 - doubt, good_weight=heavy)) == pytest.approx(allowed, rel=1e-4)


def test_without_bad_events_there_is_nothing_but_doubt() -> None:
    assert doubts([0, 5], [0, 0], [0, 5], [0, 0], 0.01).tolist() == [1.0, 1.0]


# --- what nodes' own events know


def test_the_worst_of_many_equal_nodes_are_not_surely_worse() -> None:
    """300 nodes alike at 1 %: the worst three are chosen for looking bad, and their own bound would believe it."""
    rng, p, runs = np.random.default_rng(SEED), 0.01, 500
    bad = rng.binomial(60, p, (300, runs)).astype(float)
    bound = evidence(WORST, 60 - bad, bad).surely_above()
    assert np.mean(bound > p) <= 0.01
    pooled = as_counted(WORST, 60 - bad, bad)
    assert np.mean(lower_bounds(*pooled, *pooled) > p) > 0.5


def test_nodes_without_events_are_no_part_of_it() -> None:
    good, bad = np.array([[0.0], [0.0], [60.0], [0.0]]), np.array([[60.0], [60.0], [0.0], [0.0]])
    assert evidence(MEET, good, bad).surely_above() == pytest.approx([2 / 3])
    nothing = evidence(MEET, good * 0, bad * 0), evidence(WORST, good * 0, bad * 0)
    assert [one.surely_above().tolist() for one in nothing] == [[0.0], [0.0]]


def test_an_event_that_stands_for_a_hundred_is_one_event() -> None:
    good, bad = np.array([[50.0], [55.0], [60.0]]), np.array([[10.0], [5.0], [0.0]])
    plain, hundredfold = evidence(MEET, good, bad), evidence(MEET, good, bad, weight=100)
    assert hundredfold.surely_above() == pytest.approx(plain.surely_above())
    assert evidence(WORST, good, bad, 100).surely_above() == pytest.approx(evidence(WORST, good, bad).surely_above())
    assert evidence(MEET, good * 100, bad * 100).surely_above() > plain.surely_above()


# --- pages


@pytest.mark.parametrize("nodes", [Nodes(3, 1.0), Nodes(10, 1.0), Nodes(100, 1.0)])
def test_nodes_that_keep_to_their_bars_exactly_hardly_ever_page(nodes: Nodes) -> None:
    bare, _, own = pages_per_month(MEET, nodes, 15)
    print(f"seed {SEED}: {nodes}: {bare} {own}")
    assert bare > 100
    assert own <= 2


def test_as_so_many_events_as_nodes_they_would() -> None:
    """What the guard is not: if this fails, the simpler one may come back."""
    _, nodes, own = pages_per_month(MEET, Nodes(100, 1.0), 5)
    assert nodes > 100
    assert own == 0


def test_with_the_doubt_of_other_pages_three_nodes_at_their_bars_would(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sloengine.evaluate.promises.MISS_DOUBT_MAX", 0.01)
    _, _, own = pages_per_month(MEET, Nodes(3, 10.0), 40)
    print(f"seed {SEED}: {own}")
    assert own > 10


@pytest.mark.parametrize("count", [3, 10, 100])
@pytest.mark.parametrize("failing", [0.2, 1.0])
def test_when_all_nodes_fail_a_fleet_of_any_size_pages(count: int, failing: float) -> None:
    bare, _, own = minutes_to_page(MEET, Nodes(count, 10.0), failing, 8)
    print(f"seed {SEED}: {count}: {bare} {own}")
    assert own <= bare + 10


@pytest.mark.parametrize(("quantifier", "target"), [(MEET, 0.95), (WORST, 0.999), (replace(WORST, share=1.0), 0.999)])
@pytest.mark.parametrize("count", [1, 3, 100])
def test_half_an_hour_of_failures_pages_whatever_the_fleets_size(
    quantifier: Quantifier, target: float, count: int
) -> None:
    """Through the engine's own path."""
    slo = replace(promise(Weighting.EVENTS), target=target, quantifier=quantifier)
    found = judged(slo, count, 1.0)
    assert [b for b in found.burns if b.window.severity is Severity.PAGE and b.exceeded], found.reason
    assert not judged(slo, count, 0.0).burns[0].exceeded


# --- tables

CASES = [(MEET, Nodes(count, rate)) for count in (3, 10, 100) for rate in (0.1, 1.0, 10.0)]
CASES += [(WORST, Nodes(count, rate)) for count in (3, 10, 100, 300) for rate in (0.1, 1.0)]


def main() -> None:
    print(
        "| promise | nodes | requests a minute of each | no guard | before | by nodes' own events |\n"
        + "|---" * 6
        + "|"
    )
    for quantifier, nodes in CASES:
        pages = pages_per_month(quantifier, nodes, 90 if nodes.count < 100 else 15)
        print(f"| {_words(quantifier)} | {nodes.count} | {nodes.words} | {' | '.join(f'{p:.1f}' for p in pages)} |")
    head = "| promise | nodes | requests a minute of each | fail | no guard | before | by nodes' own events |"
    print(f"\n{head}\n" + "|---" * 7 + "|")
    for quantifier, nodes in CASES:
        for failing in (0.2, 1.0):
            found = minutes_to_page(quantifier, nodes, failing, 30)
            row = " | ".join("–" if np.isinf(m) else f"{m:.0f}" for m in found)
            print(
                f"| {_words(quantifier)} | {nodes.count} | {nodes.words} | {failing * 100:.0f} % | {row} |", flush=True
            )


def _words(quantifier: Quantifier) -> str:
    return "worst" if quantifier.worst else "meet"


if __name__ == "__main__":
    main()
