"""Means of nodes' ratios: how sure a page about these nodes is, in simulation.

``python -m tests.evaluate.test_evaluate_nodes`` prints the tables of docs/statistics.md (about a minute of one processor).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from sloengine.config.catalogue import load_policies
from sloengine.evaluate.cube import FIGURES, Cube, Key, build
from sloengine.evaluate.fleet import Within, clustered_bounds, spread_of_nodes, within_nodes
from sloengine.evaluate.interval import bad_ratio_bounds, lower_bounds
from sloengine.evaluate.judge import judge
from sloengine.evaluate.measure import frame_of, measure
from sloengine.evaluate.plan import Matches
from sloengine.model import DIMENSIONS, Counts, Matcher, Selector, Severity, Sli, Slo, Source, Status, Weighting
from sloengine.times import utc

Floats = NDArray[np.float64]
SEED = 20264
TARGET = 0.999
PAIRS = ((14.4, 60, 5), (6.0, 360, 30))
"""The page pairs of the burn policy: factor, long and short window in minutes."""


@dataclass(frozen=True)
class Nodes:
    """Requests a minute of each node: alike, or from 0.02 to 20, spread evenly over the logarithm."""

    count: int
    per_minute: float | None

    @property
    def rates(self) -> Floats:
        if self.per_minute is not None:
            return np.full(self.count, self.per_minute)
        return np.logspace(np.log10(0.02), np.log10(20), self.count)

    @property
    def words(self) -> str:
        return "0.02 to 20" if self.per_minute is None else f"{self.per_minute:g}"


def known(good: Floats, bad: Floats, weight: float = 1.0) -> Within:
    """Of counts (nodes, windows) whose events all weigh the same."""
    sums = good * weight, bad * weight, good * weight**2, bad * weight**2
    return within_nodes(sums, np.full((len(good), 1), weight))


def as_nodes(good: Floats, bad: Floats) -> tuple[Floats, Floats]:
    """Good and bad of the mean, each node one event: what the guard took before."""
    valid = good + bad
    ratio = np.divide(bad, valid, out=np.zeros_like(valid), where=valid > 0).sum(axis=0)
    return (valid > 0).sum(axis=0) - ratio, ratio


# --- coverage


@dataclass(frozen=True)
class Coverage:
    two_sided: float
    """Of 95 % intervals of the mean of these nodes' own ratios."""
    guard: float
    """How often the 99 % bound of pages lies above it."""
    between: float
    """How often the displayed 95 % interval holds the mean of all nodes such as these."""


def coverage(nodes: Nodes, hours: float, p: float, rho: float, runs: int) -> Coverage:
    """Nodes' own ratios are drawn once for the first two, beta with correlation ``rho``, and anew for each run of the third."""
    rng = np.random.default_rng(SEED)
    sizes = 1 + rng.poisson(nodes.rates[:, np.newaxis] * 60 * hours, (nodes.count, runs))
    own = _drawn(rng, p, rho, (nodes.count, 1))
    bad = rng.binomial(sizes, own).astype(float)
    found = known(sizes - bad, bad)
    sums = found.good, found.bad, found.good_squares, found.bad_squares
    low, high = bad_ratio_bounds(*sums, good_weight=found.heaviest, bad_weight=found.heaviest)
    truth = float(own.mean())
    anew = rng.binomial(sizes, _drawn(rng, p, rho, sizes.shape))
    return Coverage(
        float(np.mean((low <= truth) & (truth <= high))),
        float(np.mean(found.surely_above() > truth)),
        _displayed(sizes[:, :1000], anew[:, :1000], p),
    )


def _drawn(rng: np.random.Generator, p: float, rho: float, shape: tuple[int, ...]) -> Floats:
    strength = (1 - rho) / rho if rho else 0.0
    return rng.beta(p * strength, (1 - p) * strength, shape) if rho else np.full(shape, p)


def _displayed(sizes: NDArray[np.int64], bad: NDArray[np.int64], p: float) -> float:
    spreads = []
    for n, b in zip(sizes.T.tolist(), bad.T.tolist(), strict=True):
        spread = spread_of_nodes({str(i): Counts(m - k, k) for i, (m, k) in enumerate(zip(n, b, strict=True))})
        assert spread is not None
        spreads.append(spread)
    low, high, _ = clustered_bounds(spreads)
    return float(np.mean((low <= p) & (p <= high)))


CELLS = [
    (Nodes(count, rate), 1.0, p, rho)
    for count in (3, 10, 100)
    for rate in (1.0, 10.0, None)
    for p, rho in ((0.001, 0.0), (0.02, 0.0), (0.02, 0.1))
]


@pytest.mark.parametrize(("nodes", "hours", "p", "rho"), CELLS)
def test_the_interval_of_these_nodes_holds_at_its_nominal_rate(
    nodes: Nodes, hours: float, p: float, rho: float
) -> None:
    runs = 4000
    found = coverage(nodes, hours, p, rho, runs)
    print(f"seed {SEED}: {nodes}, {p}, {rho}: {found}")
    assert found.two_sided >= 0.95 - 4 * (0.95 * 0.05 / runs) ** 0.5
    assert found.guard <= 0.01 + 4 * (0.01 * 0.99 / runs) ** 0.5


def test_sampled_events_weigh_what_they_stand_for() -> None:
    """Three nodes that keep one request of ten: as sure as a tenth of the events, not as all of them."""
    kept = np.array([[300.0], [300.0], [30.0]]), np.array([[6.0], [6.0], [1.0]])
    assert known(*kept, weight=10.0).surely_above() == pytest.approx(known(*kept).surely_above())
    tenfold = known(kept[0] * 10, kept[1] * 10)
    assert tenfold.surely_above() > known(*kept, weight=10.0).surely_above()


def test_behind_a_tail_sampler_the_weight_of_a_kept_success_comes_from_the_longer_window() -> None:
    """In an hour of a node none may be kept: its errors would look like all there was."""
    rng, runs, p, keep = np.random.default_rng(SEED), 4000, 0.02, 0.01
    sizes = rng.poisson(200, (3, runs))
    bad = rng.binomial(sizes, p).astype(float)
    good = rng.binomial(sizes - bad.astype(int), keep).astype(float)
    sums = good / keep, bad, good / keep**2, bad
    told, untold = (within_nodes(sums, np.full((3, 1), w)).surely_above() for w in (1 / keep, 0.0))
    assert float(np.mean(told > p)) <= 0.01
    assert float(np.mean(untold > p)) > 0.05


# --- pages


def inside(counts: NDArray[np.int64], minutes: int) -> Floats:
    """Sums over the last ``minutes`` at the end of each minute; shape (nodes, minutes)."""
    summed = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    before = np.maximum(np.arange(summed.shape[1]) - minutes, 0)
    return np.asarray(summed - summed[:, before], dtype=np.float64)[:, 1:]


def firing(good: NDArray[np.int64], bad: NDArray[np.int64]) -> tuple[NDArray[np.bool_], ...]:
    """Minutes in which a page would fire: without a guard, guarded as so many events as nodes, guarded within nodes."""
    out = tuple(np.zeros(good.shape[1], dtype=np.bool_) for _ in range(3))
    for factor, long, short in PAIRS:
        line = factor * (1 - TARGET)
        sums = inside(good, long), inside(bad, long)
        g, b = as_nodes(*sums)
        near_g, near_b = as_nodes(inside(good, short), inside(bad, short))
        over = (b > line * (g + b)) & (near_b > line * (near_g + near_b))
        out[0][over] = True
        if over.any():
            out[1][over] |= lower_bounds(g[over], b[over], g[over], b[over]) > line
            out[2][over] |= known(sums[0][:, over], sums[1][:, over]).surely_above() > line
    return out


def pages_per_month(nodes: Nodes, months: int) -> tuple[float, ...]:
    """False pages at a true burn of exactly 1 in every node."""
    rng, minutes = np.random.default_rng(SEED), 30 * 1440
    found = np.zeros(3)
    for _ in range(months):
        each = nodes.rates[:, np.newaxis]
        bad = rng.poisson(each * (1 - TARGET), (nodes.count, minutes))
        good = rng.poisson(each * TARGET, (nodes.count, minutes))
        found += [int(np.sum(one[1:] & ~one[:-1])) for one in firing(good, bad)]
    return tuple((found / months).tolist())


def minutes_to_page(nodes: Nodes, broken: int, failing: float, runs: int) -> tuple[float, ...]:
    """Median minutes from a fault in so many nodes to a page; inf if not within six hours, the longest window of a page."""
    rng, before = np.random.default_rng(SEED), 360
    at = np.full((3, runs), np.inf)
    for run in range(runs):
        sizes = rng.poisson(nodes.rates[:, np.newaxis], (nodes.count, 2 * before))
        ratio = np.full(sizes.shape, 0.1 * (1 - TARGET))
        ratio[:broken, before:] = failing
        bad = rng.binomial(sizes, ratio)
        for place, one in enumerate(firing(sizes - bad, bad)):
            if (later := one[before:]).any():
                at[place, run] = float(np.argmax(later)) + 1
    return tuple(np.median(at, axis=1).tolist())


@pytest.mark.parametrize("count", [3, 10, 100])
@pytest.mark.parametrize("rate", [1.0, 10.0, None])
def test_a_clear_outage_of_all_nodes_pages_within_the_policys_time(count: int, rate: float | None) -> None:
    """20 % failures at a target of 99.9 %: with no guard the hour's pair pages after some five minutes."""
    nodes = Nodes(count, rate)
    bare, _, within = minutes_to_page(nodes, count, 0.2, 15)
    print(f"seed {SEED}: {nodes}: {bare} {within}")
    assert within <= max(2.5 * bare, 25)


def test_as_so_many_events_as_nodes_a_small_fleet_would_never_page() -> None:
    """What the guard is not: if this fails, the simpler one may come back."""
    _, nodes, within = minutes_to_page(Nodes(10, 10.0), 10, 0.2, 10)
    assert nodes > 6 * within


@pytest.mark.parametrize("nodes", [Nodes(3, 1.0), Nodes(10, 0.2), Nodes(10, None)])
def test_at_burn_1_false_pages_are_rare_with_the_guard(nodes: Nodes) -> None:
    bare, _, within = pages_per_month(nodes, 4)
    print(f"seed {SEED}: {nodes}: {bare} {within}")
    assert bare > 1
    assert within <= 0.5


# --- through the engine's own path

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def _selector(*outcome: str) -> tuple[Selector, ...]:
    return (Selector(Source.SUM, "requests", tuple(Matcher("outcome", "=", o) for o in outcome)),)


def promise(weighting: Weighting) -> Slo:
    return Slo(
        name="nodes",
        display_name="",
        description="",
        service="digits",
        indicator="M1",
        target=TARGET,
        window=30 * DAY,
        by=(),
        sli=Sli(_selector("success"), _selector("failure"), _selector()),
        policy=load_policies()["sre-workbook"],
        owner=None,
        runbook=None,
        source="slos.yaml:1",
        weighting=weighting,
    )


def judged(slo: Slo, count: int, failing: float, weight: float = 1.0) -> Status:
    """Nodes with 10 requests a minute, the last half hour of them failing so much."""
    frame = frame_of([slo], (), NOW)
    rows = []
    for band, (start, end) in enumerate(zip(frame.edges, [*frame.edges[1:], NOW], strict=True), 1):
        minutes, late = (end - start) / MINUTE, start >= NOW - 30 * MINUTE
        for node in range(count):
            dimensions = {
                **dict.fromkeys(DIMENSIONS, ""),
                "service": "digits",
                "device": f"d{node}",
                "gateway": f"g{node}",
            }
            for outcome, share in (("success", 1 - failing * late), ("failure", failing * late)):
                figures = dict.fromkeys(FIGURES, 0.0)
                events = 10 * minutes * share
                figures |= {"Events": events, "Squares": events * weight}
                attributes = f'{{"outcome":"{outcome}"}}'
                key = Key("requests", tuple(dimensions.values()), attributes)
                rows.append(
                    {
                        "Measure": key.measure,
                        **dimensions,
                        "Attributes": attributes,
                        "Band": band,
                        "Last": end,
                        **figures,
                    }
                )
    cube: Cube = build(rows, frame.edges, NOW, utc)
    (found,) = judge(slo, measure(slo, cube, cube, frame, Matches()), (), NOW)
    return found


@pytest.mark.parametrize("weighting", [Weighting.NODES, Weighting.SITES])
@pytest.mark.parametrize("count", [1, 3, 100])
def test_half_an_hour_of_failures_pages_whatever_the_fleets_size(weighting: Weighting, count: int) -> None:
    found = judged(promise(weighting), count, 0.2)
    paging = [b for b in found.burns if b.window.severity is Severity.PAGE and b.exceeded]
    assert paging, found.reason
    assert judged(promise(weighting), count, 0.0).burns[0].exceeded is False


def test_one_node_by_itself_is_as_sure_as_its_events() -> None:
    node, events = (judged(promise(w), 1, 0.2) for w in (Weighting.NODES, Weighting.EVENTS))
    assert node.interval == pytest.approx(events.interval)
    assert node.effective == pytest.approx(events.effective)
    assert node.clustered == 0


def test_a_mean_of_estimates_is_marked_as_sampled() -> None:
    assert judged(promise(Weighting.NODES), 3, 0.2, weight=10.0).counts.sampled
    assert not judged(promise(Weighting.NODES), 3, 0.2).counts.sampled
    quantified = replace(promise(Weighting.EVENTS), weighting=Weighting.NODES)
    assert not judged(quantified, 3, 0.0).counts.sampled


# --- tables


def main() -> None:
    print("| nodes | requests a minute | ratio | correlation | these nodes, 95 % | guard above | displayed, 95 % |")
    print("|---|---|---|---|---|---|---|")
    for nodes, hours, p, rho in CELLS:
        c = coverage(nodes, hours, p, rho, 10_000)
        figures = f"{c.two_sided:.3f} | {c.guard:.4f} | {c.between:.3f}"
        print(f"| {nodes.count} | {nodes.words} | {p} | {rho:g} | {figures} |")
    print("\n| nodes | requests a minute of each | no guard | by nodes | within nodes |\n|---|---|---|---|---|")
    for nodes in (Nodes(n, r) for n in (3, 10, 100) for r in (0.1, 1.0, 10.0, None)):
        months = 24 if nodes.count < 100 else 6
        row = " | ".join(f"{pages:.2f}" for pages in pages_per_month(nodes, months))
        print(f"| {nodes.count} | {nodes.words} | {row} |")
    print(
        "\n| nodes | requests a minute of each | fail | no guard | by nodes | within nodes |\n|---|---|---|---|---|---|"
    )
    for count in (3, 10, 100):
        for rate in (0.1, 1.0, 10.0, None):
            for broken, failing in ((count, 0.2), (1, 1.0)):
                found = minutes_to_page(Nodes(count, rate), broken, failing, 60)
                row = " | ".join("–" if np.isinf(m) else f"{m:.0f}" for m in found)
                words = "all, 20 %" if broken == count else "one, altogether"
                print(f"| {count} | {Nodes(count, rate).words} | {words} | {row} |")


if __name__ == "__main__":
    main()
