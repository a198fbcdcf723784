"""Cutting: properties that hold for any text, and where the knife goes in the ones that people write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.notify.cutting import ELLIPSIS, Measure, clean, cut, fit, fit_key, fit_map, line, octets, units
from sloengine.notify.slack import escape

ANY = st.text(alphabet=st.characters(exclude_categories=()), max_size=400)
WHOLE = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=400)
MEASURES = {"units": units, "octets": octets, "escaped": lambda text: units(escape(text))}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@given(text=WHOLE, limit=st.integers(0, 300))
def test_a_cut_text_is_never_over_its_limit_and_is_a_beginning(measure: Measure, text: str, limit: int) -> None:
    short = cut(text, limit, measure)
    assert measure(short) <= limit
    short.encode("utf-8")
    if short != text:
        assert measure(text) > limit
        assert text.startswith(short.removesuffix(ELLIPSIS))


@given(text=WHOLE, limit=st.integers(30, 300))
def test_a_cut_text_keeps_as_much_as_it_may_but_for_a_word(text: str, limit: int) -> None:
    plain = "".join(c for c in text if c.isalnum())
    short = cut(plain, limit)
    assert short == plain or units(short) >= limit - 1


@pytest.mark.parametrize(
    ("text", "limit", "short"),
    [
        ("burning thirty times over", 20, "burning thirty…"),
        ("burning", 7, "burning"),
        ("burning", 6, "burni…"),
        ("😀😀😀😀", 8, "😀😀😀😀"),
        ("😀😀😀😀", 7, "😀😀😀…"),
        ("😀😀😀😀", 6, "😀😀…"),
        ("e\u0301e\u0301e\u0301", 4, "e\u0301…"),
        ("👩\u200d🚀👩\u200d🚀", 9, "👩\u200d🚀…"),
        ("burning", 1, "…"),
        ("burning", 0, ""),
    ],
)
def test_the_knife_goes_between_words_and_signs(text: str, limit: int, short: str) -> None:
    assert cut(text, limit) == short


def test_bytes_are_cut_between_characters() -> None:
    assert cut("Ωmega Ω", 6, octets) == "Ωm…"


@given(text=ANY)
def test_what_is_clean_can_be_sent_and_holds_no_controls(text: str) -> None:
    once = clean(text)
    once.encode("utf-8")
    assert not set(once) & {chr(n) for n in (*range(9), *range(11, 32), 127)}
    assert clean(once) == once
    assert "\n" not in line(text)
    assert "\r" not in line(text)


def test_a_pair_that_comes_in_halves_is_one_character() -> None:
    assert clean("\ud83d\ude00 \ud83d") == "😀 \ufffd"


@given(key=ANY, other=ANY, limit=st.integers(64, 255))
def test_keys_fit_and_two_never_become_one(key: str, other: str, limit: int) -> None:
    fitted = fit_key(key, limit)
    assert units(fitted) <= limit
    fitted.encode("utf-8")
    assert (fit_key(other, limit) == fitted) == (other == key)


def test_long_keys_that_begin_alike_are_hashed_and_not_cut() -> None:
    one, two = ("k" * 300 + end for end in "ab")
    assert fit_key(one, 255) != fit_key(two, 255)
    assert fit_key("k" * 255, 255) == "k" * 255


ENTRIES = st.lists(st.text(alphabet="abΩ😀<& ", min_size=1, max_size=60), max_size=30)


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES)
@given(entries=ENTRIES, limit=st.integers(0, 400), always=st.booleans())
def test_entries_are_whole_and_those_left_out_are_counted(
    measure: Measure, entries: list[str], limit: int, always: bool
) -> None:
    text = fit(entries, limit, lambda n: f"({n} more)", measure, always=always)
    assert measure(text) <= limit
    lines = text.split("\n")
    if text == "\n".join(entries):
        assert not always or not entries
    elif entries and lines[0] == entries[0] and lines[-1].endswith(" more)"):
        kept = lines[:-1]
        assert kept == entries[: len(kept)]
        assert lines[-1] == f"({len(entries) - len(kept)} more)"


def test_as_many_entries_as_fit_are_kept() -> None:
    entries = [f"alert {n}" for n in range(10)]
    assert fit(entries, 30, lambda n: f"{n} more") == "alert 0\nalert 1\nalert 2\n7 more"
    assert fit(entries, 29, lambda n: f"{n} more") == "alert 0\nalert 1\n8 more"
    assert fit(entries, 79, lambda n: f"{n} more") == "\n".join(entries)
    assert fit(entries, 78, lambda n: f"{n} more") == "\n".join([*entries[:9], "1 more"])
    assert fit(["a long entry", "b"], 11, lambda n: f"{n} more") == "a…\n1 more"
    assert fit(["a long entry", "b"], 6, lambda n: f"{n} more") == "2 more"


@given(entries=st.dictionaries(ANY, ANY, max_size=20), limit=st.integers(0, 500), key_max=st.integers(1, 50))
def test_a_map_that_is_fitted_has_whole_keys(entries: dict[str, str], limit: int, key_max: int) -> None:
    kept = fit_map(entries, limit, key_max, 30)
    assert sum(units(k) + units(v) for k, v in kept.items()) <= limit
    assert set(kept) <= {line(key) for key in entries}
    assert all(units(k) <= key_max and units(v) <= 30 for k, v in kept.items())
