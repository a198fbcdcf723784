"""Fleet statements: every node weighs the same where it should, luck is not taken for quality, selection is paid for."""

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest  # type: ignore[import-untyped]

from sloengine.evaluate.fleet import (
    Gap,
    Meeting,
    NodeMean,
    NotEnoughData,
    by_node,
    by_site,
    clustered_interval,
    pooled_by,
    segment_gap,
    share_meeting,
    worst_share,
)
from sloengine.evaluate.interval import bad_ratio_interval
from sloengine.evaluate.segments import segments
from sloengine.model import Counts

SEED = 20260
nodes = st.dictionaries(
    st.text("abcdef", min_size=1, max_size=3),
    st.builds(Counts, good=st.integers(0, 1000), bad=st.integers(0, 1000), unknown=st.integers(0, 5)),
    max_size=12,
)
some_nodes = nodes.filter(lambda found: any(c.valid for c in found.values()))


def fleet(bad: np.ndarray, n: np.ndarray) -> dict[str, Counts]:
    return {f"n{i:04}": Counts(float(m - b), float(b)) for i, (b, m) in enumerate(zip(bad, n, strict=True))}


def alike(rng: np.random.Generator, size: int, p: float, events: int) -> dict[str, Counts]:
    n = np.full(size, events)
    return fleet(rng.binomial(n, p), n)


def differing(rng: np.random.Generator, size: int, p: float, events: int, rho: float) -> dict[str, Counts]:
    strength = (1 - rho) / rho
    n = 1 + rng.poisson(events - 1, size)
    return fleet(rng.binomial(n, rng.beta(p * strength, (1 - p) * strength, size)), n)


def test_each_node_weighs_the_same_however_much_it_sends() -> None:
    counts = {"big": Counts(1_000_000, 0), "small": Counts(1, 1), "silent": Counts(0, 0, unknown=7)}
    assert by_node(counts) == NodeMean(0.25, 0.25, 2, 1)


@given(nodes)
def test_the_mean_over_nodes_agrees_with_plain_statistics(counts: dict[str, Counts]) -> None:
    ratios = [c.bad / c.valid for c in counts.values() if c.valid]
    found = by_node(counts)
    assert (found.judged, found.unknown) == (len(ratios), len(counts) - len(ratios))
    assert found.ratio == (pytest.approx(statistics.mean(ratios)) if ratios else None)
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else None
    assert found.standard_error == (pytest.approx(error, abs=1e-12) if error is not None else None)


def test_a_site_is_all_its_events_and_each_site_weighs_the_same() -> None:
    counts = {"a": Counts(99, 1), "b": Counts(0, 100), "c": Counts(100, 0), "d": Counts()}
    sites = {"a": "north", "b": "north", "c": "south", "d": "east"}
    found = by_site(counts, sites)
    assert (found.ratio, found.standard_error) == pytest.approx((101 / 400, 101 / 400))
    assert (found.judged, found.unknown) == (2, 1)
    assert pooled_by(counts, sites)["north"] == Counts(99, 101)


def test_a_node_without_a_site_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match="1 nodes, the first of them b"):
        by_site({"a": Counts(1), "b": Counts(1)}, {"a": "x"})


def test_nodes_meet_an_objective_by_their_point_and_say_how_many_are_too_close() -> None:
    counts = {
        "exactly": Counts(99, 1),
        "surely": Counts(100_000, 10),
        "surely not": Counts(50, 50),
        "hardly": Counts(1, 1),
        "new": Counts(3, 0),
        "unknown": Counts(0, 0, unknown=3),
    }
    found = share_meeting(counts, 0.99)
    assert found == Meeting(meeting=3, missing=2, undecided=2, unknown=1)
    assert found.share == 0.6
    assert share_meeting({}, 0.99).share is None


@pytest.mark.parametrize("nines", [0.9, 0.99, 0.999, 0.9999, 0.7, 0.95, 0.995, 0.5006])
def test_a_node_exactly_on_the_objective_meets_it(nines: float) -> None:
    whole = 10_000
    bad = round(whole * (1 - nines))
    assert share_meeting({"n": Counts(whole - bad, bad)}, nines).meeting == 1
    assert share_meeting({"n": Counts(whole - bad - 1, bad + 1)}, nines).meeting == 0


@given(nodes, st.floats(0.01, 1))
def test_every_node_is_counted_once(counts: dict[str, Counts], objective: float) -> None:
    found = share_meeting(counts, objective)
    assert found.meeting + found.missing + found.unknown == len(counts)
    assert found.undecided <= found.meeting + found.missing


@given(some_nodes, st.floats(0.001, 1))
def test_the_worst_share_has_a_node_at_least_and_a_ratio_that_luck_does_not_raise(
    counts: dict[str, Counts], share: float
) -> None:
    found = worst_share(counts, share)
    known = [c for c in counts.values() if c.valid]
    assert found is not None and 1 <= len(found.nodes) <= len(known)
    assert 0 <= found.ratio <= 1 and 0 <= found.overdispersion < 1
    assert found.unknown == len(counts) - len(known)


@pytest.mark.parametrize(("size", "share", "wanted"), [(100, 0.01, 1), (100, 0.07, 7), (101, 0.01, 2), (3, 0.01, 1)])
def test_one_percent_of_the_nodes_is_rounded_up(size: int, share: float, wanted: int) -> None:
    found = worst_share({f"n{i:03}": Counts(9, 1) for i in reversed(range(size))}, share)
    assert found is not None and found.nodes == tuple(f"n{i:03}" for i in range(wanted))


def test_without_data_there_is_no_worst() -> None:
    assert worst_share({}) is None
    assert worst_share({"a": Counts(0, 0, unknown=1)}) is None
    with pytest.raises(ValueError, match="share"):
        worst_share({"a": Counts(1)}, 0)


def test_bad_luck_of_small_nodes_is_not_quality() -> None:
    """2,000 equal nodes at 1 % with 50 events: as counted the worst 1 % are eight times worse than they are."""
    found = worst_share(alike(np.random.default_rng(SEED), 2000, 0.01, 50))
    assert found is not None
    assert found.observed > 0.05
    assert found.ratio == pytest.approx(0.01, abs=0.002)


def test_a_small_node_with_one_failure_does_not_hide_a_large_one_that_is_truly_bad() -> None:
    counts = alike(np.random.default_rng(SEED), 98, 0.01, 1000) | {"tiny": Counts(0, 1), "true": Counts(800, 200)}
    found = worst_share(counts)
    assert found is not None and found.nodes == ("true",)
    assert found.ratio == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("rho", [0.01, 0.1])
def test_what_is_said_of_the_worst_is_true_of_their_next_month(rho: float) -> None:
    """Nodes do differ: the shrunk ratio foretells fresh events of the chosen nodes, the observed one overstates."""
    rng, promised, observed, truth = np.random.default_rng(SEED), [], [], []
    strength = (1 - rho) / rho
    for _ in range(100):
        p = rng.beta(0.05 * strength, 0.95 * strength, 400)
        n = 1 + rng.poisson(60, 400)
        found = worst_share(fleet(rng.binomial(n, p), n), 0.05)
        assert found is not None
        index = [int(name[1:]) for name in found.nodes]
        truth.append(float(np.average(p[index], weights=n[index])))
        promised.append(found.ratio)
        observed.append(found.observed)
    error = statistics.stdev(a - b for a, b in zip(promised, truth, strict=True)) / 10
    print(
        f"seed {SEED}, rho {rho}: said {np.mean(promised):.4f} seen {np.mean(observed):.4f} true {np.mean(truth):.4f}"
    )
    assert abs(np.mean(promised) - np.mean(truth)) < 4 * error + 0.05 * np.mean(truth)
    assert np.mean(observed) > np.mean(truth) + 4 * error


@pytest.mark.parametrize("rho", [0.0, 0.02, 0.2])
def test_overdispersion_is_estimated_without_much_bias(rho: float) -> None:
    rng, found = np.random.default_rng(SEED), []
    for _ in range(200):
        counts = differing(rng, 200, 0.1, 40, rho) if rho else alike(rng, 200, 0.1, 40)
        worst = worst_share(counts)
        assert worst is not None
        found.append(worst.overdispersion)
    assert np.mean(found) == pytest.approx(rho, abs=0.003 + 0.05 * rho)


def test_a_gap_names_both_ends_and_its_interval() -> None:
    counts = {"day": Counts(9800, 200), "dusk": Counts(9500, 500), "night": Counts(8000, 2000), "fog": Counts(2, 1)}
    found = segment_gap(counts)
    assert isinstance(found, Gap)
    assert (found.best, found.worst, found.left_out) == ("day", "night", ("fog",))
    assert found.gap == pytest.approx(0.18)
    assert 0.16 < found.interval.low < 0.18 < found.interval.high < 0.20


@pytest.mark.parametrize(
    ("counts", "left_out"),
    [
        ({}, ()),
        ({"a": Counts(1000, 5)}, ()),
        ({"a": Counts(1000, 5), "b": Counts(10, 5)}, ("b",)),
        ({"a": Counts(0, 0, unknown=50), "b": Counts(10, 5)}, ("a", "b")),
        # 20 kept spans that stand for a million are still 20; 40 of them are enough.
        ({"a": Counts(1000, 5), "b": Counts(900_000, 100_000, 0, 0.0, 18 * 50_000.0**2, 2 * 50_000.0**2)}, ("b",)),
        ({"a": Counts(1000, 5), "b": Counts(900_000, 100_000, 0, 0.0, 36 * 25_000.0**2, 4 * 25_000.0**2)}, None),
    ],
)
def test_a_gap_needs_two_segments_with_enough_data(counts: dict[str, Counts], left_out: tuple[str, ...] | None) -> None:
    found = segment_gap(counts)
    assert isinstance(found, Gap) if left_out is None else found == NotEnoughData(left_out)


def test_two_segments_have_newcombes_interval_from_their_exact_ones() -> None:
    found = segment_gap({"a": Counts(480, 20), "b": Counts(30, 10)})
    one, other = (binomtest(x, n).proportion_ci(0.95, "exact") for x, n in ((20, 500), (10, 40)))
    assert isinstance(found, Gap) and found.gap == pytest.approx(0.21)
    assert found.interval.low == pytest.approx(0.21 - math.hypot(0.25 - other.low, one.high - 0.04))
    assert found.interval.high == pytest.approx(0.21 + math.hypot(other.high - 0.25, 0.04 - one.low))


def test_more_segments_than_can_be_compared_in_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="1001 segments are too many"):
        segment_gap({str(i): Counts(90, 10) for i in range(1001)})


@given(nodes)
def test_a_gaps_interval_is_ordered_and_holds_the_gap(counts: dict[str, Counts]) -> None:
    found = segment_gap(counts)
    if isinstance(found, Gap):
        assert 0 <= found.interval.low <= found.gap + 1e-12 <= found.interval.high + 2e-12 <= 1 + 3e-12


@pytest.mark.parametrize(("segments", "p", "events"), [(2, 0.1, 200), (5, 0.1, 100), (12, 0.02, 300)])
def test_where_no_segment_differs_a_gap_is_found_in_at_most_1_of_20(segments: int, p: float, events: int) -> None:
    rng = np.random.default_rng(SEED)
    found = [segment_gap(alike(rng, segments, p, events)) for _ in range(1500)]
    wrong = sum(isinstance(f, Gap) and f.interval.low > 0 for f in found) / len(found)
    naive = sum(isinstance(f, Gap) and one_pairs_gap(f, p, events) for f in found) / len(found)
    print(f"seed {SEED}, {segments} segments: wrong {wrong:.4f}, one pair's own interval {naive:.4f}")
    assert wrong <= 0.05
    if segments > 2:
        assert naive > 0.1


def one_pairs_gap(found: Gap, p: float, events: int) -> bool:
    """What a Wald interval of the chosen pair would say, as if it had not been chosen."""
    return found.gap > 1.96 * math.sqrt(2 * p * (1 - p) / events)


def test_the_largest_true_gap_is_inside_the_interval() -> None:
    rng, truth = np.random.default_rng(SEED), np.array([0.02, 0.05, 0.05, 0.11])
    n, held = np.array([300, 2000, 100, 500]), 0
    for _ in range(1000):
        found = segment_gap(fleet(rng.binomial(n, truth), n))
        assert isinstance(found, Gap)
        held += found.interval.low <= 0.09 <= found.interval.high
    print(f"seed {SEED}: held {held} of 1000")
    assert held >= 950


def test_nodes_that_differ_widen_the_interval() -> None:
    split = {"a": Counts(1000, 0), "b": Counts(900, 100), "c": Counts(1000, 0), "d": Counts(800, 200)}
    wide, plain = clustered_interval(split), bad_ratio_interval(3700, 300, 3700, 300)
    assert wide is not None and wide.low < plain.low / 3 and wide.high > plain.high * 2


def test_nodes_that_differ_less_than_chance_would_have_it_narrow_nothing() -> None:
    even = {f"n{i}": Counts(900 + i, 100) for i in range(20)}
    total = sum(even.values(), Counts())
    assert clustered_interval(even) == bad_ratio_interval(total.good, total.bad, *total.squares)


def test_one_node_says_nothing_about_how_nodes_differ() -> None:
    assert clustered_interval({"a": Counts(99, 1), "b": Counts()}) is None


def test_none_bad_anywhere_leaves_the_plain_interval() -> None:
    found = clustered_interval({"a": Counts(50, 0), "b": Counts(50, 0)})
    assert found == bad_ratio_interval(100, 0, 100, 0)


@given(some_nodes)
def test_a_clustered_interval_is_never_narrower(counts: dict[str, Counts]) -> None:
    found, total = clustered_interval(counts), sum(counts.values(), Counts())
    plain = bad_ratio_interval(total.good, total.bad, *total.squares)
    assert found is None or (0 <= found.low <= plain.low and plain.high <= found.high <= 1)


@pytest.mark.parametrize(("size", "p", "rho"), [(30, 0.1, 0.05), (200, 0.02, 0.05), (200, 0.1, 0.0)])
def test_a_clustered_interval_covers_the_fleets_ratio(size: int, p: float, rho: float) -> None:
    rng, held, plain_held = np.random.default_rng(SEED), 0, 0
    for _ in range(600):
        counts = differing(rng, size, p, 100, rho) if rho else alike(rng, size, p, 100)
        found, total = clustered_interval(counts), sum(counts.values(), Counts())
        plain = bad_ratio_interval(total.good, total.bad, *total.squares)
        assert found is not None
        held += found.low <= p <= found.high
        plain_held += plain.low <= p <= plain.high
    print(f"seed {SEED}, {size} nodes, p {p}, rho {rho}: clustered {held / 600:.3f}, plain {plain_held / 600:.3f}")
    assert held >= 0.93 * 600
    if rho:
        assert plain_held < 0.8 * 600


def test_the_gap_that_chance_alone_would_show_is_what_equal_segments_show_on_average() -> None:
    rng = np.random.default_rng(SEED)
    n = np.array([100, 400, 400, 2000])
    found = [segment_gap(fleet(rng.binomial(n, 0.1), n)) for _ in range(1500)]
    gaps = [f for f in found if isinstance(f, Gap)]
    assert np.mean([f.by_chance for f in gaps]) == pytest.approx(np.mean([f.gap for f in gaps]), rel=0.05)
    nothing = segment_gap({"a": Counts(100), "b": Counts(100)})
    assert isinstance(nothing, Gap) and nothing.by_chance == 0


@pytest.mark.parametrize("many", [2, 5, 12])
def test_all_segments_intervals_hold_together(many: int) -> None:
    rng = np.random.default_rng(SEED)
    p = np.linspace(0.02, 0.3, many)
    held = 0
    for _ in range(600):
        found = segments(fleet(rng.binomial(300, p), np.full(many, 300)))
        held += all(
            r.interval is not None and r.interval[0] <= 1 - p[int(r.name[1:])] <= r.interval[1] for r in found.rows
        )
    assert held / 600 >= 0.95 - 2 * math.sqrt(0.95 * 0.05 / 600)


def test_what_is_not_told_bounds_the_share_whatever_it_is() -> None:
    (row,) = segments({"a": Counts(60, 40, unknown=100)}).rows
    assert (row.share, row.coverage, row.bounds) == (0.6, 0.5, (0.3, 0.8))
    (empty,) = segments({"a": Counts(unknown=5)}).rows
    assert (empty.share, empty.interval, empty.coverage, empty.compared) == (None, None, 0.0, False)
    assert segments({}).rows == ()
