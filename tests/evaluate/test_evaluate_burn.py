"""Budgets and burn rates: the workbook's figures, and properties that hold for any counts."""

import math
from collections import deque
from datetime import timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom  # type: ignore[import-untyped]

from sloengine.config.catalogue import load_policies
from sloengine.evaluate.burn import budget_of, budget_remaining, burn_rate, error_ratio, read_burns, windows_of
from sloengine.model import BurnReading, BurnWindow, Counts, Severity, Sli, Slo

POLICY = load_policies()["sre-workbook"]
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
EVENTS_PER_S = 30

counts = st.builds(
    Counts,
    good=st.integers(0, 10**9),
    bad=st.integers(0, 10**9),
    unknown=st.integers(0, 10**9),
    covered_s=st.just(60.0),
)
targets = st.floats(0.01, 0.99999)


def slo(target: float = 0.999, window: timedelta = 30 * DAY, *, zero_tolerance: bool = False) -> Slo:
    return Slo(
        name="digits-success",
        display_name="Digits answered",
        description="",
        service="digits",
        indicator="M1",
        target=target,
        window=window,
        by=(),
        sli=Sli(),
        policy=POLICY,
        owner=None,
        runbook=None,
        source="slos.yaml:1",
        zero_tolerance=zero_tolerance,
    )


@pytest.mark.parametrize(
    ("long", "short", "severity", "factor"),
    [
        (HOUR, 5 * MINUTE, Severity.PAGE, 14.4),
        (6 * HOUR, 30 * MINUTE, Severity.PAGE, 6),
        (DAY, 2 * HOUR, Severity.TICKET, 3),
        (3 * DAY, 6 * HOUR, Severity.TICKET, 1),
    ],
)
def test_the_workbooks_factors_come_out_of_its_budget_shares(
    long: timedelta, short: timedelta, severity: Severity, factor: float
) -> None:
    (pair,) = [w for w in POLICY.windows if w.long == long]
    assert pair.factor(30 * DAY) == pytest.approx(factor, rel=1e-12)
    assert (pair.short, pair.severity, pair.long / pair.short) == (short, severity, 12)


def test_a_burn_at_the_factor_spends_exactly_the_budget_share_within_the_long_window() -> None:
    for pair in POLICY.windows:
        spent = pair.factor(28 * DAY) * (pair.long / (28 * DAY))
        assert spent == pytest.approx(pair.budget_share)


@pytest.mark.parametrize(
    ("case", "given_counts", "target", "ratio", "burn", "left"),
    [
        ("nothing at all is not a perfect ratio", Counts(), 0.99, None, None, None),
        ("events that can't be told are not valid events", Counts(unknown=50), 0.99, None, None, None),
        ("all good leaves the budget untouched", Counts(good=10), 0.99, 0.0, 0.0, 1.0),
        ("half the allowed errors leave half the budget", Counts(good=199, bad=1), 0.99, 0.005, 0.5, 0.5),
        ("exactly the allowed errors leave nothing", Counts(good=3, bad=1), 0.75, 0.25, 1.0, 0.0),
        ("twice the allowed errors overspend it once", Counts(good=98, bad=2), 0.99, 0.02, 2.0, -1.0),
        ("all bad burns at the most there is", Counts(bad=7), 0.9, 1.0, 10.0, -9.0),
        ("unknown events dilute nothing", Counts(good=98, bad=2, unknown=900), 0.99, 0.02, 2.0, -1.0),
    ],
)
def test_budget_figures(
    case: str, given_counts: Counts, target: float, ratio: float | None, burn: float | None, left: float | None
) -> None:
    assert error_ratio(given_counts) == (None if ratio is None else pytest.approx(ratio)), case
    assert burn_rate(given_counts, target) == (None if burn is None else pytest.approx(burn)), case
    assert budget_remaining(given_counts, target) == (None if left is None else pytest.approx(left, abs=1e-12)), case


@given(counts, targets)
def test_a_burn_never_exceeds_one_over_the_budget(held: Counts, target: float) -> None:
    burn = burn_rate(held, target)
    if held.valid == 0:
        assert burn is None
    else:
        assert burn is not None
        assert 0 <= burn <= 1 / (1 - target)


@given(counts, targets)
def test_the_budget_left_agrees_with_exact_arithmetic(held: Counts, target: float) -> None:
    left = budget_remaining(held, target)
    if held.valid:
        exact = 1 - Fraction(held.bad) / Fraction(held.valid) / (1 - Fraction(target))
        assert left == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


@given(st.lists(counts), st.randoms())
def test_sums_do_not_depend_on_the_order_of_buckets(parts: list[Counts], random: object) -> None:
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    whole = sum(parts, Counts())
    assert sum(shuffled, Counts()) == whole
    assert (whole.good, whole.bad, whole.unknown) == (
        sum(p.good for p in parts),
        sum(p.bad for p in parts),
        sum(p.unknown for p in parts),
    )


@given(st.lists(st.sampled_from(["good", "bad", "unknown"])), st.integers(0, 200))
def test_merged_buckets_equal_counting_the_events_again(events: list[str], cut: int) -> None:
    def counted(some: list[str]) -> Counts:
        return Counts(some.count("good"), some.count("bad"), some.count("unknown"))

    assert counted(events[:cut]) + counted(events[cut:]) == counted(events)


def test_a_mean_of_ratios_would_be_wrong_and_is_not_what_we_compute() -> None:
    quiet, busy = Counts(good=0, bad=1), Counts(good=999, bad=0)
    assert error_ratio(quiet + busy) == 0.001


@pytest.mark.parametrize(
    ("case", "long", "short", "exceeded"),
    [
        ("both over", 15.0, 15.0, True),
        ("long alone is over: it has stopped", 15.0, 1.0, False),
        ("short alone is over: it does not matter yet", 1.0, 15.0, False),
        ("exactly at the factor is not over it", 14.4, 14.4, False),
        ("no event in the short window", 15.0, None, False),
        ("no event in the long window", None, 15.0, False),
    ],
)
def test_a_window_pair_is_exceeded_only_if_both_are(
    case: str, long: float | None, short: float | None, exceeded: bool
) -> None:
    pair = BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02)
    assert BurnReading(pair, 14.4, long, short).exceeded is exceeded, case


def test_what_is_over_but_not_surely_so_does_not_alert() -> None:
    pair = BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02)
    reading = BurnReading(pair, 14.4, 15.0, 15.0, sure=False)
    assert (reading.over, reading.exceeded) == (True, False)


def page_of(long: Counts, window: Counts | None = None, target: float = 0.999) -> BurnReading:
    """The fast page with the same events in both of its windows."""
    held = {HOUR: long, 5 * MINUTE: long} | ({} if window is None else {30 * DAY: window})
    return read_burns(slo(target), held, 30 * DAY)[0]


@pytest.mark.parametrize(
    ("good", "bad"), [(0, 1), (60, 1), (600, 10), (10_620, 180), (106_200, 1_800), (100, 100), (9, 1)]
)
@pytest.mark.parametrize("target", [0.9, 0.99, 0.999])
def test_a_burn_is_sure_if_99_of_100_samples_of_a_burn_at_the_limit_would_hold_fewer_bad_events(
    good: int, bad: int, target: float
) -> None:
    page = page_of(Counts(good, bad), target=target)
    limit = 14.4 * (1 - target)
    over = bad / (good + bad) > limit
    assert page.over is over
    # Clopper and Pearson's bound is over a limit exactly if so many bad events, or more, are that unlikely at the limit.
    chance = float(binom.sf(bad - 1, good + bad, min(1.0, limit)))
    assert page.exceeded is (over and chance < 0.01), chance


def test_samples_prove_less_than_as_many_events() -> None:
    counted = Counts(good=980, bad=20)
    sampled = Counts(good=980, bad=20, good_squares=980 * 100.0, bad_squares=20 * 100.0)
    assert (counted.sampled, sampled.sampled) == (False, True)
    assert page_of(counted).exceeded is False, "20 bad of 1,000 may be 14.4 by luck"
    counted, sampled = counted + counted + counted, sampled + sampled + sampled
    assert page_of(counted).exceeded is True
    assert (page_of(sampled).over, page_of(sampled).exceeded) == (True, False), (
        "6 spans of weight 10 prove less than 60 events"
    )


def test_errors_that_were_all_kept_prove_nothing_beside_successes_that_were_hardly_kept() -> None:
    """A tail sampler keeps every failure and 1 % of the rest: in a short window the rest may be missing altogether."""
    failures = Counts(bad=5, good_squares=0.0, bad_squares=5.0)
    window = Counts(good=100_000, bad=50, good_squares=100_000 * 100.0, bad_squares=50.0)
    assert page_of(failures, window + failures, 0.99).over is True
    assert page_of(failures, window + failures, 0.99).exceeded is False
    assert page_of(failures, Counts(good=100_000, bad=55), 0.99).exceeded is True, "all kept: five of five is proof"


def test_weights_are_squared_where_any_part_was_sampled() -> None:
    exact, sampled = Counts(good=3, bad=1), Counts(good=4, bad=2, good_squares=16.0, bad_squares=8.0)
    assert (exact + exact).squares == (6, 2)
    assert (exact + exact).sampled is False
    assert (exact + sampled).squares == (sampled + exact).squares == (19.0, 9.0)
    assert (exact + sampled).sampled is True


@pytest.mark.parametrize(
    ("case", "parts", "burn", "expected"),
    [
        ("untouched", [(0.99, Counts(good=1000))], 0.0, (10, 0, 1.0, 1.0, None)),
        ("half", [(0.99, Counts(good=1990, bad=10))], 1.0, (20, 10, 0.5, 0.5, None)),
        ("half, going twice too fast", [(0.99, Counts(good=1990, bad=10))], 2.0, (20, 10, 0.5, 0.5, 0.25)),
        ("overspent once", [(0.99, Counts(good=980, bad=20))], 9.0, (10, 20, -1.0, -1.0, 0.0)),
        # Half the events were promised 90 %, the other half 99 %: 100 + 10 may be bad of 2,000.
        (
            "a promise that was tightened",
            [(0.9, Counts(good=1000)), (0.99, Counts(945, 55))],
            None,
            (110, 55, 0.5, 0.5, None),
        ),
    ],
)
def test_budgets_in_events_and_in_time(
    case: str,
    parts: list[tuple[float, Counts]],
    burn: float | None,
    expected: tuple[float, float, float, float, float | None],
) -> None:
    """``expected``: allowed, spent, share remaining; the same as a multiple of the whole budget's time, exhaustion in windows."""
    allowed, spent, remaining, left, exhausted = expected
    found = budget_of(slo(0.99), parts, 30 * DAY, burn)
    assert found is not None, case
    assert (found.allowed, found.spent, found.remaining) == pytest.approx((allowed, spent, remaining)), case
    valid = sum(c.valid for _, c in parts)
    assert found.left_s == pytest.approx(left * allowed / valid * 30 * 86400), case
    assert found.exhausts_in == (None if exhausted is None else pytest.approx(30 * DAY * exhausted, abs=MINUTE)), case


def test_there_is_no_budget_without_events() -> None:
    assert budget_of(slo(), [(0.999, Counts(unknown=5))], 30 * DAY) is None
    assert budget_of(slo(), [], 30 * DAY) is None


@given(counts.filter(lambda c: c.valid > 0), targets)
def test_a_budget_in_one_part_is_the_plain_one(held: Counts, target: float) -> None:
    found = budget_of(slo(target), [(target, held)], 30 * DAY)
    assert found is not None
    assert found.remaining == pytest.approx(budget_remaining(held, target), rel=1e-9, abs=1e-9)


def test_where_nothing_bad_is_tolerated_one_bad_event_alerts_and_the_burn_is_their_number() -> None:
    never = slo(1.0, zero_tolerance=True)
    held = {HOUR: Counts(good=10**6, bad=3), 5 * MINUTE: Counts(good=10, bad=1)}
    page = read_burns(never, held, 30 * DAY)[0]
    assert (page.factor, page.long_burn, page.short_burn, page.exceeded) == (0.0, 3, 1, True)
    clean = read_burns(never, dict.fromkeys(held, Counts(good=10**6)), 30 * DAY)[0]
    assert clean.exceeded is False


@pytest.mark.parametrize(("bad", "left"), [(0, 1.0), (1, 0.0), (10, 0.0)])
def test_where_nothing_bad_is_tolerated_the_budget_is_whole_or_gone(bad: int, left: float) -> None:
    held = Counts(good=10**6, bad=bad)
    found = budget_of(slo(1.0, zero_tolerance=True), [(1.0, held)], 30 * DAY)
    assert found is not None
    assert (found.allowed, found.spent, found.remaining, found.left_s) == (0, bad, left, 0)
    assert budget_remaining(held, 1.0) == left


def test_windows_that_were_not_measured_read_as_none() -> None:
    readings = read_burns(slo(), {HOUR: Counts(good=1)}, 30 * DAY)
    assert [(r.long_burn, r.short_burn) for r in readings] == [(0.0, None), (None, None), (None, None), (None, None)]


def test_every_window_that_judging_needs_is_asked_for() -> None:
    spans = {span for pair in POLICY.windows for span in (pair.long, pair.short)}
    assert windows_of(slo(window=28 * DAY)) == spans | {28 * DAY}


class Brute:
    """An outage second by second: what the two windows hold, counted from single events, nothing shared with sloengine."""

    def __init__(self, outage_from_s: int, outage_s: int) -> None:
        self.outage = range(outage_from_s, outage_from_s + outage_s)

    def bad_share(self, end_s: int, window_s: int) -> Fraction:
        seconds = range(end_s - window_s, end_s)
        return Fraction(sum(1 for s in seconds if s in self.outage), window_s)

    def over(self, end_s: int, factor: Fraction = Fraction("14.4"), budget: Fraction = Fraction("0.001")) -> bool:
        return all(self.bad_share(end_s, w) / budget > factor for w in (3600, 300))


def test_a_total_outage_takes_the_workbooks_52_seconds_to_exceed_the_page() -> None:
    brute = Brute(outage_from_s=7200, outage_s=600)
    assert next(t for t in range(7200, 7800) if brute.over(t)) - 7200 == 52


@pytest.mark.parametrize("outage_minutes", [1, 2, 7, 59, 120])
def test_minute_buckets_detect_a_total_outage_and_reset_like_a_brute_force_count(outage_minutes: int) -> None:
    began_s, ended_s = 7200, 7200 + 60 * outage_minutes
    brute = Brute(began_s, ended_s - began_s)
    minutes: deque[Counts] = deque([Counts(good=60 * EVENTS_PER_S)] * 60, maxlen=60)
    fired = []
    for end_s in range(began_s - 600 + 60, ended_s + 5400, 60):
        bad = sum(EVENTS_PER_S for s in range(end_s - 60, end_s) if began_s <= s < ended_s)
        minutes.append(Counts(good=60 * EVENTS_PER_S - bad, bad=bad))
        held = {HOUR: sum(minutes, Counts()), 5 * MINUTE: sum(list(minutes)[-5:], Counts())}
        page = read_burns(slo(), held, 30 * DAY)[0]
        assert page.over is brute.over(end_s), f"{end_s - began_s} s after the outage began"
        # Thirty events a second leave no doubt, so what is over alerts.
        assert page.exceeded is page.over
        fired += [end_s] if page.exceeded else []
    assert fired[0] == began_s + 60, "the first minute bucket of the outage is enough"
    assert fired[-1] == ended_s + 240, "the last end of a five-minute window that still holds a bad minute"
    assert fired == list(range(fired[0], fired[-1] + 60, 60)), "one episode, no flapping"


@pytest.mark.parametrize("share", [1.0, 0.5, 0.1, 0.03])
@pytest.mark.parametrize("pair", range(4))
def test_the_workbooks_detection_times_come_out_of_minute_buckets(pair: int, share: float) -> None:
    """Chapter 5: (1 - SLO) / error ratio x alerting window x burn rate. In minutes: the first that ends after that."""
    promise = slo()
    window = promise.policy.windows[pair]
    factor, length = window.factor(promise.window), window.long // MINUTE
    detected_min = Fraction("0.001") / Fraction(str(share)) * length * Fraction(str(round(factor, 9)))
    minutes = [Counts(good=10**6)] * length
    bad = [Counts(good=round(10**6 * (1 - share)), bad=round(10**6 * share))]
    expected = math.floor(detected_min) + 1
    for passed in (expected - 1, expected):
        held = (minutes + bad * passed)[-length:]
        by_window = {
            span: Counts(sum(c.good for c in part), sum(c.bad for c in part))
            for b in promise.policy.windows
            for span in (b.long, b.short)
            for part in [held[-(span // MINUTE) :]]
        }
        assert read_burns(promise, by_window, promise.window)[pair].exceeded is (passed == expected)
