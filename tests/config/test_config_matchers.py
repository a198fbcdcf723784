"""Matchers are read as Alertmanager reads them, come back as they were, and are never anything but values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.config.matchers import check_pattern, read_matchers, shown, written
from sloengine.model import Matcher

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_./-]{0,10}", fullmatch=True).filter(lambda n: n != "value")
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
equalities = st.builds(Matcher, names, st.sampled_from(["=", "!="]), texts)
patterns = st.builds(
    Matcher, names, st.sampled_from(["=~", "!~"]), st.sampled_from([".*", "eu-(north|south)", 'a"b', r"\d+\."])
)
cuts = st.builds(
    lambda op, n: Matcher("value", op, repr(n)),
    st.sampled_from(["<=", ">"]),
    st.floats(0.001, 1e6).filter(lambda n: n % 1 != 0),
)


@given(st.lists(st.one_of(equalities, patterns, cuts), min_size=1, max_size=5))
def test_what_is_written_reads_back_alone_and_together(matchers: list[Matcher]) -> None:
    assert read_matchers([written(m) for m in matchers]) == tuple(matchers)
    assert read_matchers(", ".join(written(m) for m in matchers)) == tuple(matchers)
    assert read_matchers("{" + ",".join(written(m) for m in matchers) + ",}") == tuple(matchers)


@pytest.mark.parametrize(
    ("case", "text", "matcher"),
    [
        ("quoted", 'region="eu north"', Matcher("region", "=", "eu north")),
        ("without quotes", "region=eu-north", Matcher("region", "=", "eu-north")),
        ("with room around", ' region  !~ "a|b" ', Matcher("region", "!~", "a|b")),
        ("an attribute of OpenTelemetry", "k8s.cluster.name=~prod-.*", Matcher("k8s.cluster.name", "=~", "prod-.*")),
        ("nothing", "error.type=", Matcher("error.type", "=", "")),
        ("an empty text", 'error.type!=""', Matcher("error.type", "!=", "")),
        ("escapes", r'a="x\"y\\z\n"', Matcher("a", "=", 'x"y\\z\n')),
        ("a comma inside quotes", 'a="b,c=d"', Matcher("a", "=", "b,c=d")),
        ("SQL is a text", 'a="\'; DROP TABLE slo_status; --"', Matcher("a", "=", "'; DROP TABLE slo_status; --")),
        ("a cut", "value<=0.10", Matcher("value", "<=", "0.1")),
        ("a whole number", "value > 1e3", Matcher("value", ">", "1000")),
    ],
)
def test_a_matcher_means(case: str, text: str, matcher: Matcher) -> None:
    assert read_matchers([text]) == (matcher,), case


@pytest.mark.parametrize(
    ("written_as", "matchers"),
    [
        (None, ()),
        ([], ()),
        (
            {"region": "eu", "n": 3, "on": True},
            (Matcher("region", "=", "eu"), Matcher("n", "=", "3"), Matcher("on", "=", "true")),
        ),
        ('{a="b",c!=d}', (Matcher("a", "=", "b"), Matcher("c", "!=", "d"))),
    ],
)
def test_where_can_be_written_in_several_ways(written_as: object, matchers: tuple[Matcher, ...]) -> None:
    assert read_matchers(written_as) == matchers


@pytest.mark.parametrize(
    ("written_as", "said"),
    [
        (["region"], "'region' is not a matcher such as"),
        (["=eu"], "'=eu' is not a matcher"),
        (['region="eu'], "a quote is not closed"),
        (['region="eu"x'], "'x' after a matcher"),
        ([r'a="\q"'], r"'\q' is no escape"),
        (["1a=b"], "is not a matcher"),
        (["a;drop=b"], "is not a matcher"),
        (["region=~("], "'(' is not a regular expression"),
        (["region=~(?=x)y"], "RE2 has no look-around"),
        ([r'region=~"(a)\\1"'], "RE2 has no look-around, back reference"),
        (["region=~a++"], "possessive"),
        (["region=~(?P=x)"], "not a regular expression"),
        ([r'region=~"a{2000}"'], "RE2 repeats at most 1000 times"),
        (["region<=3"], "only 'value' can be compared as a number"),
        (["value<3"], "write value <= or value >"),
        (["value=3"], "write value <= or value >"),
        (["value<=fast"], "'fast' is not a number"),
        (["value<=NaN"], "is not a finite number"),
        (["value<=1e999"], "is not a finite number"),
        ({"value": 3}, "'value' is compared with <= or >"),
        ({"a b": 3}, "'a b' is not an attribute name"),
        ({"a": ["x"]}, "needs one text or number"),
        ({"a\n": "x"}, r"'a\n' is not an attribute name"),
        ({"a": "x\0"}, "characters that no attribute can have"),
        ({"a": "\ud800"}, "characters that no attribute can have"),
        ({"a": "x" * 1001}, "longer than 1000 characters"),
        ([f"a{n}=1" for n in range(51)], "51 matchers; 50 is the most"),
        (3, "where is a list of matchers"),
        ([3], "where is a list of matchers"),
    ],
)
def test_what_can_not_be_read_is_said_in_words(written_as: object, said: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_matchers(written_as)
    assert said in str(caught.value)


@pytest.mark.parametrize("pattern", [r"\\1", r"[+?]+", r"a\++", "[]a+]+", "(?:a|b)*", "(?i)x", "(?P<n>x)", r"[\]+]+x"])
def test_what_re2_knows_is_not_refused(pattern: str) -> None:
    check_pattern(pattern)


@given(st.text(max_size=200))
def test_a_users_text_stays_on_one_line_of_a_message(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 80
    assert "\n" not in shown(text)


@given(
    st.one_of(texts, st.lists(texts, max_size=3), st.dictionaries(texts, st.one_of(texts, st.integers()), max_size=3))
)
def test_whatever_is_written_only_matchers_or_words_come_out(where: object) -> None:
    try:
        found = read_matchers(where)
    except ValueError as error:
        assert str(error)
    else:
        assert all(isinstance(m, Matcher) for m in found)
