"""The cube past the query: shares of many keys at once are those of each key alone, and key ids find their keys again."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.evaluate.cube import FIGURES, Key, Keys, Layout, Slice, assemble, holds, share_of, shares_of
from sloengine.evaluate.plan import Matches
from sloengine.evaluate.tally import sums
from sloengine.marked import UNSETTLED
from sloengine.model import DIMENSIONS, BurnPolicy, Counts, Matcher, Selector, Sli, Slo, Source

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
MEASURES = ("span:a", "span:b")


def slo(sli: Sli, where: tuple[Matcher, ...] = (), by: tuple[str, ...] = ("region",)) -> Slo:
    policy = BurnPolicy("none", ())
    day = timedelta(days=1)
    return Slo("one", "", "", "s", "M1", sli, 0.99, day, by, policy, None, None, "test:1", where=where)


def key(measure: str = "span:a", attributes: dict[str, str] | None = None, **dimensions: str) -> Key:
    names = {"service": "s", **dimensions}
    text = json.dumps(attributes, separators=(",", ":")) if attributes else ""
    return Key(measure, tuple(names.get(name, "") for name in DIMENSIONS), text)


words = st.sampled_from(["", "x", "y", "xy"])
BANDS = [{}, {"gt": "-inf", "le": "0.1"}, {"gt": "0.1", "le": "0.5"}, {"gt": "0.5", "le": "inf"}]
bands = st.sampled_from([*BANDS, *({**band, UNSETTLED: cut} for band in BANDS for cut in ("0.1", "0.3", "0.5"))])
keys = st.builds(
    lambda measure, region, outcome, band: key(
        measure, {**({"outcome": outcome} if outcome else {}), **band}, region=region
    ),
    st.sampled_from(MEASURES),
    words,
    words,
    bands,
)
matchers = st.one_of(
    st.builds(Matcher, st.sampled_from(["region", "outcome", "nowhere"]), st.sampled_from(["=", "!="]), words),
    st.builds(
        Matcher,
        st.sampled_from(["region", "outcome"]),
        st.sampled_from(["=~", "!~"]),
        st.sampled_from(["x.*", "", ".+"]),
    ),
    st.builds(Matcher, st.just("value"), st.sampled_from(["<=", ">"]), st.sampled_from(["0.1", "0.3", "0.5"])),
)
selectors = st.builds(
    lambda name, where: Selector(Source.SPAN, name, tuple(where)), st.sampled_from("ab"), st.lists(matchers, max_size=2)
)
parts = st.lists(selectors, max_size=2).map(tuple)
slis = st.builds(Sli, parts, parts, parts)


@given(slis, st.lists(matchers, max_size=2).map(tuple), st.lists(keys, unique=True, max_size=12))
def test_shares_of_many_keys_are_those_of_each(sli: Sli, where: tuple[Matcher, ...], listed: list[Key]) -> None:
    one = slo(sli, where)
    layout = Layout(tuple(listed))
    places, shares = shares_of(one, layout, np.arange(len(listed), dtype=np.int32))
    found = {place: tuple(column) for place, column in zip(places.tolist(), shares.T.tolist(), strict=True)}
    alone = {place: share_of(one, found) for place, found in enumerate(listed)}
    assert found == {n: (s.good, s.bad, s.unknown) for n, s in alone.items() if s is not None}


@pytest.mark.parametrize(("cut", "said"), [("0.1", True), ("0.2", True), ("0.3", None), ("0.5", None)])
def test_a_value_that_is_not_settled_says_nothing_from_there_on(cut: str, said: bool | None) -> None:
    young = key(attributes={"gt": "-inf", "le": "0.1", UNSETTLED: "0.3"})
    assert holds(Matcher("value", "<=", cut), young) is said
    assert holds(Matcher("value", ">", cut), young) is (None if said is None else not said)


def rows(*cells: tuple[int, int, float]) -> np.ndarray:
    """Key id, band, events; bands are minutes from AT, and the newest minute is the band's number."""
    kinds = [("KeyId", "<u8"), ("Cut", "<u4"), *((name, "<f8") for name in FIGURES), ("Last", "<u4")]
    begin = int(AT.timestamp())
    values = []
    for k, b, e in cells:
        figures = (e if name in ("Events", "Squares") else 0.0 for name in FIGURES)
        values.append((k, begin + 60 * (b - 1), *figures, b * 60 if e else 0))
    return np.array(values, dtype=kinds)


def test_key_ids_of_one_key_are_one_key_once_the_device_is_summed_away() -> None:
    held = Keys()
    named = [{"KeyId": n, **_columns(key(device=f"d{n}", region="eu"))} for n in (7, 9)]
    ids = np.array([7, 9], dtype=np.uint64)
    assert sorted(held.missing(ids)) == [7, 9]
    held.learn(named)
    assert held.missing(ids) == []
    layout, places = held.lay_out(ids, [])
    assert (len(layout.keys), places.tolist()) == (1, [0, 0])
    apart, places = held.lay_out(ids, ["span:a"])
    assert ([k.get("device") for k in apart.keys], places.tolist()) == (["d7", "d9"], [0, 1])


def test_keys_that_are_gone_are_forgotten_and_the_same_keys_keep_their_layout() -> None:
    held = Keys()
    held.learn({"KeyId": n, **_columns(key(region=str(n)))} for n in (1, 2, 3))
    both = np.array([1, 2], dtype=np.uint64)
    assert held.lay_out(both, [])[0] is held.lay_out(both.copy(), [])[0]
    assert held.missing(np.array([1, 2, 3], dtype=np.uint64)) == [3]
    with pytest.raises(KeyError):
        held.lay_out(np.array([3], dtype=np.uint64), [])


def test_rows_of_an_array_come_to_their_key_and_band() -> None:
    layout = Layout((key(region="a"), key(region="b")))
    table = rows((5, 1, 2.0), (5, 2, 3.0), (6, 2, 4.0), (5, 2, 0.5))
    cube = assemble(table, np.array([0, 0, 1, 0]), layout, ((AT, AT + timedelta(minutes=1)), AT))
    assert cube.figures["Events"].tolist() == [[2.0, 3.5], [0.0, 4.0]]
    assert cube.last_s.tolist() == [120.0, 120.0]
    everything = Slice((), np.array([0, 1], dtype=np.int32), np.array([[1, 0], [0, 1], [0, 0]], dtype=np.int8))
    assert sums(cube, everything, np.array([[1.0, 1.0], [0.0, 1.0]])) == [Counts(5.5, 4), Counts(3.5, 4)]


def test_slices_are_made_anew_when_the_keys_are_others() -> None:
    total = Sli(bad=(Selector(Source.SPAN, "a", (Matcher("outcome", "=", "x"),)),), total=(Selector(Source.SPAN, "a"),))
    matches = Matches()
    for regions in (("a", "b"), ("b", "c", "d")):
        layout = Layout(tuple(key(region=region) for region in regions))
        table = rows(*((n, 1, 1.0) for n in range(len(regions))))
        cube = assemble(table, np.arange(len(regions)), layout, ((AT,), AT))
        one = slo(total)
        found = matches.plans([one], cube)
        assert [plan.groups for plan in found.plans] == [tuple((("region", region),) for region in regions)]
        assert matches.plans([one], cube) is found


def _columns(one: Key) -> dict[str, str]:
    return {"Measure": one.measure, "Attributes": one.attributes, **dict(zip(DIMENSIONS, one.dimensions, strict=True))}
