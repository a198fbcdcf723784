"""Composite objectives: weighted means of what their components measured, and nothing where one of them measured nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.evaluate.composite import compose
from sloengine.evaluate.judge import judge
from sloengine.evaluate.measure import Measured
from sloengine.model import (
    BurnPolicy,
    BurnWindow,
    Component,
    Counts,
    Group,
    Severity,
    Sli,
    Slo,
    State,
    Status,
)

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PAIR = BurnWindow(Severity.PAGE, HOUR, HOUR / 12, 0.02)
SLOW = BurnWindow(Severity.TICKET, DAY, 2 * HOUR, 0.1)
FACTOR = 14.4
EU: Group = (("region", "eu"),)
US: Group = (("region", "us"),)


def about(value: float) -> Any:
    return pytest.approx(value, rel=1e-9, abs=1e-9)


def slo(
    name: str, target: float = 0.99, by: tuple[str, ...] = ("region",), weights: Sequence[tuple[str, float]] = ()
) -> Slo:
    components = tuple(Component(n, w) for n, w in weights)
    policy = BurnPolicy("p", (PAIR, SLOW))
    return Slo(
        name, name, "", "digits", "x", Sli(), target, 30 * DAY, by, policy, None, None, "t:1", components=components
    )


def measured(
    own: Slo,
    month: tuple[float, float],
    group: Group = EU,
    hour: tuple[float, float] = (1, 0),
    *,
    age: timedelta = HOUR / 60,
) -> Status:
    """A status as the engine would have judged it; ``month`` and ``hour`` are (good, bad)."""
    spans = {span: Counts(*hour) for span in (HOUR, HOUR / 12, DAY, 2 * HOUR)}
    item = Measured(group, Counts(*month), {**spans, own.window: Counts(*month)}, NOW - age)
    (status,) = judge(own, [item], (), NOW)
    return status


FAST, RIGHT = slo("fast", 0.9), slo("right", 0.999)
BOTH = slo("both", 0.95, weights=(("fast", 1), ("right", 3)))


def test_budget_and_burn_are_weighted_means_of_the_components() -> None:
    """1 × 0.5 and 3 × 2 of four: what is promised strictly weighs as it is said to, whatever its traffic."""
    parts = [measured(FAST, (95, 5), hour=(80, 20)), measured(RIGHT, (998_000, 2000), hour=(999, 1))]
    (status,) = compose(BOTH, parts)
    assert status.group == EU
    assert status.budget_remaining == about(1 - (0.5 + 3 * 2) / 4)
    assert status.sli == about(1 - 1.625 * 0.05)
    assert status.state is State.EXHAUSTED
    assert status.reason == "62% over the budget of 30d; most of it by right, which spent 200% of its own"
    assert status.components == (
        ("fast", 1, about(0.5)),
        ("right", 3, about(2.0)),
    )
    assert [(b.long_burn, b.short_burn) for b in status.burns] == [(about((2 + 3 * 1) / 4),) * 2] * 2
    assert [b.factor for b in status.burns] == [about(FACTOR), about(3)]
    assert (status.window_start, status.window_end) == (NOW - 30 * DAY, NOW)


def test_what_is_left_names_the_component_that_spent_most() -> None:
    (status,) = compose(BOTH, [measured(FAST, (92, 8)), measured(RIGHT, (999_800, 200))])
    assert status.state is State.OK
    assert status.reason == "65% of the budget left; most of it by fast, which spent 80% of its own"
    (untouched,) = compose(BOTH, [measured(FAST, (92, 0)), measured(RIGHT, (999_900, 0))])
    assert untouched.reason == "100% of the budget left"


def test_it_burns_when_the_mean_is_over_the_factor_and_names_who_burns() -> None:
    parts = [measured(FAST, (1000, 0), hour=(1000, 0)), measured(RIGHT, (1_000_000, 0), hour=(9700, 300))]
    (status,) = compose(BOTH, parts)
    assert status.state is State.BURNING
    assert status.burns[0].exceeded
    assert status.reason.startswith(
        "burning 22.5x over 1h and 22.5x over 5m, limit 14.4x; most of it by right, burning 30.0x"
    )
    calm = [parts[0], measured(RIGHT, (1_000_000, 0), hour=(9998, 2))]
    (status,) = compose(BOTH, calm)
    assert status.state is State.OK
    assert not any(b.over for b in status.burns)


def test_in_a_shorter_month_the_same_share_of_the_budget_is_a_lower_burn() -> None:
    parts = [
        replace(measured(own, (100, 0)), window_start=NOW - 20 * DAY, window_end=NOW + 8 * DAY) for own in (FAST, RIGHT)
    ]
    (status,) = compose(BOTH, parts)
    assert status.burns[0].factor == about(0.02 * 28 * 24)
    assert (status.window_start, status.window_end) == (NOW - 20 * DAY, NOW + 8 * DAY)


def test_few_events_of_a_component_are_no_sure_alert() -> None:
    """One bad of twenty is 50 times too many, and proves little."""
    parts = [measured(FAST, (1000, 0)), measured(RIGHT, (1_000_000, 0), hour=(19, 1))]
    (status,) = compose(BOTH, parts)
    assert status.burns[0].over
    assert not status.burns[0].sure
    assert status.burns[0].exceeded is False


@pytest.mark.parametrize(
    ("missing", "state", "said"),
    [
        (measured(RIGHT, (0, 0)), State.NO_TRAFFIC, "right is unknown: no valid events in 30d"),
        (
            replace(measured(RIGHT, (5, 5)), state=State.BROKEN, reason="no such metric"),
            State.BROKEN,
            "right is unknown: no such metric",
        ),
    ],
)
def test_a_component_without_figures_leaves_the_composite_without_and_is_named(
    missing: Status, state: State, said: str
) -> None:
    (status,) = compose(BOTH, [measured(FAST, (0, 100), hour=(0, 100)), missing])
    assert (status.state, status.reason) == (state, said)
    assert (status.budget_remaining, status.sli, status.burns) == (None, None, ())
    assert status.components == (("fast", 1, about(10)), ("right", 3, None))


def test_a_stale_component_makes_the_composite_stale_but_keeps_its_figures() -> None:
    (status,) = compose(BOTH, [measured(FAST, (95, 5)), measured(RIGHT, (1000, 1), age=HOUR)])
    assert (status.state, status.reason) == (State.STALE, "right: newest data is 1h old")
    assert status.budget_remaining is not None
    assert status.since_last_data == HOUR


def test_a_component_that_is_gone_makes_the_composite_broken_and_not_silent() -> None:
    (status,) = compose(BOTH, [measured(FAST, (95, 5)), measured(slo("other"), (1, 1))])
    assert (status.group, status.state, status.reason) == ((), State.BROKEN, "no figures of right")
    gone = replace(measured(RIGHT, (1, 1)), group=(), state=State.BROKEN, reason="file.yaml:3: wrong")
    (status,) = compose(BOTH, [replace(measured(FAST, (1, 1)), group=(), state=State.BROKEN, reason="wrong too"), gone])
    assert (status.group, status.state) == ((), State.BROKEN)
    assert "right is unknown: file.yaml:3: wrong" in status.reason
    assert compose(BOTH, []) == []


def test_groups_are_those_that_all_components_have() -> None:
    parts = [measured(FAST, (95, 5), EU), measured(FAST, (95, 5), US), measured(RIGHT, (1, 0), US)]
    assert [s.group for s in compose(BOTH, parts)] == [US]
    (nothing,) = compose(BOTH, [parts[0], parts[2]])
    assert (nothing.group, nothing.reason) == ((), "no slice is common to all components")


def test_a_component_with_fewer_dimensions_counts_everywhere() -> None:
    everywhere = measured(slo("right", 0.999, by=()), (999, 1), ())
    found = compose(BOTH, [measured(FAST, (95, 5), EU), measured(FAST, (90, 10), US), everywhere])
    assert [(s.group, s.budget_remaining) for s in found] == [
        (EU, about(1 - (0.5 + 3) / 4)),
        (US, about(1 - (1 + 3) / 4)),
    ]


def test_of_a_component_with_more_dimensions_the_worst_slice_counts() -> None:
    by_model = slo("right", 0.999, by=("region", "model"))
    slices = [measured(by_model, (1000 - bad, bad), (*EU, ("model", str(bad)))) for bad in (0, 2, 1)]
    (status,) = compose(BOTH, [measured(FAST, (100, 0)), *slices])
    assert status.components[1] == ("right", 3, about(2))


def test_dimensions_of_different_components_are_joined() -> None:
    promise = slo("both", 0.95, ("region", "model"), (("fast", 1), ("right", 1), ("third", 1)))
    model: Group = (("model", "m"),)
    parts = [
        measured(FAST, (1, 0), EU),
        measured(FAST, (1, 0), US),
        measured(slo("right", by=("model",)), (1, 0), model),
        measured(slo("third", by=("region", "model")), (1, 0), (*US, *model)),
    ]
    assert [s.group for s in compose(promise, parts)] == [(*US, *model)]


counts = st.tuples(st.integers(0, 10**6), st.integers(0, 10**4)).filter(any)
targets = st.sampled_from([0.5, 0.9, 0.99, 0.999])
components = st.lists(st.tuples(targets, counts, counts, st.integers(1, 100)), min_size=1, max_size=5)


@given(components)
def test_figures_are_those_of_exact_fractions_and_lie_between_the_components(
    drawn: list[tuple[float, tuple[int, int], tuple[int, int], int]],
) -> None:
    names = [f"part-{n}" for n in range(len(drawn))]
    promise = slo("all", 0.9, weights=[(n, w) for n, (*_, w) in zip(names, drawn, strict=True)])
    parts = [measured(slo(n, t), month, EU, hour) for n, (t, month, hour, _) in zip(names, drawn, strict=True)]
    (status,) = compose(promise, parts)
    weights = [Fraction(w) for *_, w in drawn]
    allowed = [1 - Fraction(str(target)) for target, *_ in drawn]

    def mean(counted: Sequence[tuple[int, int]]) -> float:
        burns = [Fraction(bad, good + bad) / a for (good, bad), a in zip(counted, allowed, strict=True)]
        return float(sum(w * b for w, b in zip(weights, burns, strict=True)) / sum(weights))

    assert status.budget_remaining == about(1 - mean([month for _, month, _, _ in drawn]))
    assert status.burns[0].long_burn == about(mean([hour for _, _, hour, _ in drawn]))
    assert status.budget_remaining is not None
    single = [part.budget_remaining for part in parts if part.budget_remaining is not None]
    assert min(single) - 1e-9 <= status.budget_remaining <= max(single) + 1e-9
    (scaled,) = compose(
        replace(promise, components=tuple(Component(c.slo, c.weight * 7) for c in promise.components)), parts
    )
    assert scaled.budget_remaining == about(status.budget_remaining)
    (turned,) = compose(replace(promise, components=promise.components[::-1]), parts[::-1])
    assert turned.budget_remaining == about(status.budget_remaining)


def test_a_thousand_groups_are_joined_without_comparing_each_with_each() -> None:
    groups: list[Group] = [(("region", f"r{n}"),) for n in range(1000)]
    one, other = measured(FAST, (95, 5)), measured(RIGHT, (999, 1))
    parts = [replace(status, group=group) for status in (one, other) for group in groups]
    found = compose(BOTH, parts)
    assert len(found) == 1000
    assert {s.budget_remaining for s in found} == {found[0].budget_remaining}
