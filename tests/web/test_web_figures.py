"""Figures never flatter, names never break out of their place."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.web import figures


@pytest.mark.parametrize(
    ("value", "flawless", "text"),
    [
        (None, True, "–"),
        (float("nan"), True, "–"),
        (1.0, True, "100 %"),
        (1.0, False, "< 100 %"),
        (0.99999999, False, "99.999999 %"),
        (0.9999999999999, False, "99.99999999 %"),
        (0.99954, False, "99.954 %"),
        (0.999999, False, "99.9999 %"),
        (0.95996, False, "95.99 %"),
        (0.5, False, "50 %"),
        (0.0, False, "0 %"),
        (0.0000012, False, "0.00012 %"),
        (1 - 0.0003, False, "99.97 %"),
    ],
)
def test_a_ratio_shows_its_distance_from_the_ends_and_is_cut_not_rounded(
    value: float | None, flawless: bool, text: str
) -> None:
    assert figures.ratio(value, flawless=flawless) == text


@given(st.integers(1, 10**12), st.integers(1, 10**9))
def test_a_ratio_with_failures_is_never_shown_as_perfect(good: int, bad: int) -> None:
    shown = figures.ratio(1 - bad / (good + bad), flawless=False)
    assert shown == "< 100 %" or float(shown.removesuffix(" %")) < 100


@given(st.floats(0, 1))
def test_a_shown_ratio_is_never_better_than_the_ratio(value: float) -> None:
    shown = figures.ratio(value, flawless=True)
    assert float(shown.removesuffix(" %")) / 100 <= value + 1e-13


@pytest.mark.parametrize(
    ("value", "flawless", "text"),
    [
        (None, True, "–"),
        (1.0, True, "100 %"),
        (1.0, False, "< 100 %"),
        (0.9999, False, "99.9 %"),
        (0.0004, False, "< 0.1 %"),
        (0.0, False, "0 %"),
        (-2.4021, False, "−240.3 %"),
        (-4.0, False, "−400 %"),
        (-120.0, False, "−12,000 %"),
    ],
)
def test_budget_left_is_cut_to_the_tenth_below(value: float | None, flawless: bool, text: str) -> None:
    assert figures.budget(value, flawless=flawless) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.999, "99.9 %"), (0.9995, "99.95 %"), (0.9, "90 %"), (0.99999, "99.999 %")]
)
def test_a_target_reads_as_it_was_declared(value: float, text: str) -> None:
    assert figures.exact_percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (0.0, "0.0×"), (0.003, "< 0.1×"), (14.42, "14.4×"), (1234.5, "1,234×")]
)
def test_burn_rates(value: float | None, text: str) -> None:
    assert figures.multiple(value) == text


@pytest.mark.parametrize(
    ("value", "sampled", "text"),
    [
        (1_204_881, False, "1,204,881"),
        (1_204_881.0, False, "1,204,881"),
        (1204.6, True, "≈1,205"),
        (1205.0, True, "≈1,205"),
        (0, True, "≈0"),
        (0, False, "0"),
        (2.5001, False, "≈3"),
        (0.2, True, "< 1"),
        (0.2, False, "< 1"),
        (float("nan"), True, "–"),
    ],
)
def test_exact_counts_are_whole_and_estimates_say_so(value: float, sampled: bool, text: str) -> None:
    assert figures.count(value, sampled=sampled) == text


@given(st.floats(0, 1e12, exclude_min=True), st.booleans())
def test_a_count_of_something_never_reads_as_none(value: float, sampled: bool) -> None:
    assert figures.count(value, sampled=sampled).lstrip("≈") != "0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0 ms"), (0.0000123, "12.3 µs"), (0.01234, "12.3 ms"), (0.5, "500 ms"), (1.234, "1.23 s"), (75.0, "75.0 s")],
)
def test_latencies_have_three_digits(value: float, text: str) -> None:
    assert figures.seconds(value) == text


@pytest.mark.parametrize(
    ("span", "text"),
    [
        (None, "–"),
        (0, "0s"),
        (-5, "0s"),
        (59.9, "59s"),
        (3725, "1h 2m"),
        (timedelta(days=2, hours=3, seconds=9), "2d 3h"),
    ],
)
def test_ages_show_two_units_and_are_never_negative(span: timedelta | float | None, text: str) -> None:
    assert figures.age(span) == text


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.21, "+0.2 s"), (-3.21, "−3.2 s"), (-4213.0, "−1h 10m")])
def test_clock_offsets_keep_their_sign(value: float | None, text: str) -> None:
    assert figures.signed_seconds(value) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("eu-north", "eu-north"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 63 + "…"),
        ("a\nb\x00c", "a\ufffdb\ufffdc"),
        ("\u202egpj.exe", "\ufffdgpj.exe"),
        ("é" * 3, "é" * 3),
        ("y" * 62 + "👩\u200d🚒" + "z" * 9, "y" * 62 + "👩…"),
    ],
)
def test_names_are_cut_and_cleaned(text: str, shown: str) -> None:
    assert figures.cut(text) == shown


@given(st.text(max_size=400), st.integers(2, 80))
def test_a_cut_name_fits_on_one_line(text: str, limit: int) -> None:
    shown = figures.cut(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    shown.encode()


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.975, 0.99125, "97.5 % to 99.13 %"),
        (0.8963416762, 0.9999998083, "89.63 % to 100 %"),
        (0.9990001, 0.9990049, "99.90001 % to 99.90049 %"),
        (0.0, 1.0, "0 % to 100 %"),
        (0.5, 0.5, "50 % to 50 %"),
    ],
)
def test_an_interval_has_the_digits_that_its_width_deserves_and_never_claims_more(
    low: float, high: float, text: str
) -> None:
    assert figures.span(low, high) == text
