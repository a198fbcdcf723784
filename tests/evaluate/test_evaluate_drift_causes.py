"""One cause, one finding: by table, for any tree, and how often a planted cause is the one that is named."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from sloengine.evaluate.drift import causes as drift_causes
from sloengine.evaluate.drift import fleet
from sloengine.evaluate.drift.causes import Finding, Seen

Named = tuple[tuple[str, ...], str | None, str | None, tuple[tuple[str, str], ...]]
NIGHT, DAY, DUSK = ("light", "night"), ("light", "day"), ("light", "dusk")


def causes(series: list[Seen], index: str = "psi") -> list[Finding]:
    return drift_causes.causes(series, index)


def high(*path: str, effect: float = 0.4, n: float = 100.0, segment: tuple[str, str] | None = None) -> Seen:
    return Seen(path, True, True, effect, 1e-9, n, segment)


def calm(*path: str, effect: float = 0.0, n: float = 100.0, segment: tuple[str, str] | None = None) -> Seen:
    return Seen(path, False, True, effect, 0.5, n, segment)


def keys_of(found: list[Finding]) -> set[Named]:
    return {(f.versions, f.region, f.device, f.segments) for f in found}


# --- by table


def test_a_region_whose_devices_drift_is_the_cause_and_its_devices_are_its_members() -> None:
    devices = [high("m", "1", "eu", f"d{i}", effect=0.3 + i / 10) for i in range(3)]
    rest = [calm("m", "1", "eu", "d9"), calm("m", "1", "us", n=400), calm("m", "1", n=800, effect=0.09)]
    rest += [replace(calm("m", "1", "eu", f"e{i}"), told=False) for i in range(9)]
    (found,) = causes([*devices, *rest, region := high("m", "1", "eu", n=400)])
    assert (found.level, found.model, found.versions, found.region, found.device) == ("region", "m", ("1",), "eu", None)
    assert found.head == region
    assert found.members == (devices[2], region, devices[1], devices[0])
    assert (found.told, found.exceeding) == (4, 3)


def test_one_device_of_many_is_the_cause_even_where_it_drags_everything_above_it_along() -> None:
    device, others = high("m", "1", "eu", "d0", effect=3, n=300), [calm("m", "1", "eu", f"d{i}") for i in range(1, 8)]
    above = [high("m", "1", "eu", n=1000, effect=0.3), high("m", "1", n=1500, effect=0.15), calm("m", "1", "us", n=500)]
    (found,) = causes([device, *others, *above])
    assert (found.level, found.device, found.head) == ("device", "d0", device)
    assert found.members == (device, above[0], above[1])
    assert (found.told, found.exceeding) == (0, 0)


def test_what_is_too_weak_in_each_part_is_the_wholes() -> None:
    (found,) = causes([high("m", "1"), *(calm("m", "1", r, effect=0.3) for r in "abcd")])
    assert (found.level, found.versions, found.region) == ("version", ("1",), None)
    assert (found.told, found.exceeding) == (4, 0)


def test_a_part_that_exceeds_by_chance_is_no_cause_of_what_all_parts_have() -> None:
    parts = [high("m", "1", "a", effect=0.12), *(calm("m", "1", r, effect=0.09) for r in "bcd")]
    assert keys_of(causes([high("m", "1", n=400, effect=0.1), *parts])) == {(("1",), None, None, ())}
    parts = [high("m", "1", "a", effect=0.8), *(calm("m", "1", r, effect=0.005) for r in "bcd")]
    assert keys_of(causes([high("m", "1", n=400, effect=0.1), *parts])) == {(("1",), "a", None, ())}


def test_the_one_device_that_could_be_told_is_no_cause_of_what_the_others_may_have() -> None:
    region = high("m", "1", "eu", n=4000)
    assert keys_of(causes([region, high("m", "1", "eu", "d0")])) == {(("1",), "eu", None, ())}
    assert keys_of(causes([region, high("m", "1", "eu", "d0", n=3900)])) == {(("1",), "eu", "d0", ())}


def test_a_calm_whole_dilutes_what_lies_in_a_part() -> None:
    parts = [high("m", "1", "a"), high("m", "1", "b"), calm("m", "1", "c"), calm("m", "1", "d")]
    found = causes([calm("m", "1", n=400, effect=0.08), *parts])
    assert keys_of(found) == {(("1",), "a", None, ()), (("1",), "b", None, ())}


def test_a_whole_that_misses_the_minimum_by_chance_is_still_one_cause() -> None:
    devices = [high("m", "1", "a", f"d{i}", effect=0.12) for i in range(4)]
    rest = [calm("m", "1", "a", f"e{i}", effect=0.08) for i in range(6)]
    (found,) = causes([calm("m", "1", "a", n=1000, effect=0.098), *devices, *rest])
    assert (found.level, found.region, found.head, found.told, found.exceeding) == ("region", "a", None, 10, 4)
    # One device alone is no sign of it.
    assert keys_of(causes([calm("m", "1", "a", n=1000, effect=0.098), devices[0], *rest])) == {(("1",), "a", "d0", ())}


def test_beside_a_drift_of_all_below_the_minimum_what_chance_cannot_make_is_a_cause() -> None:
    whole = calm("m", "1", "a", n=10_000, effect=0.07)
    devices = [replace(high("m", "1", "a", f"d{i}", effect=0.12, n=500), p=1e-9) for i in range(3)]
    worse = replace(high("m", "1", "a", "d8", effect=0.8, n=500), p=1e-60)
    found = causes([whole, *devices, worse, *(calm("m", "1", "a", f"e{i}", effect=0.06, n=500) for i in range(16))])
    assert [(f.device, len(f.members)) for f in found] == [(None, 3), ("d8", 1)]
    # What chance may make grows as the root of a PSI, and as a distance itself.
    three_times = replace(worse, effect=0.07 / 0.3, p=2e-11)
    assert [len(causes([whole, *devices, three_times], index)) for index in ("psi", "js")] == [1, 2]


def test_levels_that_are_not_watched_are_named_where_most_below_them_drift() -> None:
    devices = [high("m", "1", "a", f"d{i}") for i in range(4)]
    (found,) = causes([*devices, calm("m", n=4000), *(calm("m", "1", "b", f"d{i}") for i in range(4))])
    assert (found.level, found.region, found.head, found.members) == ("region", "a", None, tuple(devices))


def test_a_region_that_drifts_in_several_versions_is_one_finding() -> None:
    series = [calm("m", v, r) for v in "12" for r in "bcd"] + [calm("m", v, n=400, effect=0.02) for v in "12"]
    (found,) = causes([*series, high("m", "1", "a"), high("m", "2", "a", effect=0.2)])
    assert (found.level, found.versions, found.region, found.head) == ("region", ("1", "2"), "a", None)
    assert [s.path[1] for s in found.members] == ["1", "2"]
    # So strongly that versions and model exceed with it.
    series = [calm("m", v, r) for v in "12" for r in "bcd"] + [high("m", v, n=400, effect=0.15) for v in "12"]
    (found,) = causes([*series, high("m", "1", "a", effect=2), high("m", "2", "a", effect=2), high("m", n=800)])
    assert (found.versions, found.region, len(found.members)) == (("1", "2"), "a", 5)


def test_a_device_that_drifts_in_several_versions_is_one_finding() -> None:
    series = [high("m", v, "a", "d0", effect=1) for v in "12"]
    (found,) = causes([*series, *(calm("m", v, "a", f"d{i}") for v in "12" for i in range(1, 9))])
    assert (found.level, found.versions, found.device, len(found.members)) == ("device", ("1", "2"), "d0", 2)


@pytest.mark.parametrize("model", [high("m", n=200), calm("m", n=200, effect=0.01)])
def test_a_model_all_of_whose_versions_drift_is_the_cause(model: Seen) -> None:
    (found,) = causes([model, high("m", "1"), high("m", "2")])
    assert (found.level, found.versions, found.told, found.exceeding) == ("model", (), 2, 2)
    assert found.head == (model if model.exceeds else None)
    assert keys_of(causes([model, high("m", "1"), calm("m", "2")])) == {(("1",), None, None, ())}


def test_a_version_with_one_region_of_one_device_is_named_by_the_device() -> None:
    path = ("m", "1", "a", "d")
    (found,) = causes([high(*path[:k], effect=0.4) for k in (1, 2, 3, 4)])
    assert (found.level, found.device, len(found.members)) == ("device", "d", 4)
    # But several such regions are the version's.
    regions = [high("m", "1", r, *d) for r in "abc" for d in ((), (f"{r}1",))]
    assert keys_of(causes([*regions, high("m", "1", n=300)])) == {(("1",), None, None, ())}


def segment(value: tuple[str, str], version: str = "1", effect: float = 0.0, n: float = 100.0) -> Seen:
    return (high if effect >= 0.1 else calm)("m", version, effect=effect, n=n, segment=value)


def test_a_version_names_the_segments_that_hold_its_drift() -> None:
    whole = [high("m", "1", n=300, effect=0.12), *(high("m", "1", r, effect=0.12) for r in "ab")]
    (found,) = causes([*whole, segment(NIGHT, effect=1), segment(DAY), segment(DUSK, effect=0.02)])
    assert (found.level, found.segments, len(found.members)) == ("version", (NIGHT,), 4)
    # Where all have it, none is named, and where one has missed the minimum by chance, neither.
    (found,) = causes([*whole, *(segment(s, effect=0.12) for s in (NIGHT, DAY, DUSK))])
    assert (found.segments, len(found.members)) == ((), 6)
    (found,) = causes([*whole, segment(NIGHT, effect=0.12), segment(DAY, effect=0.11), segment(DUSK, effect=0.09)])
    assert (found.segments, len(found.members)) == ((), 5)


def test_a_model_names_the_segments_that_hold_its_drift_in_most_of_its_versions() -> None:
    versions = [high("m", v, n=300, effect=0.12) for v in "123"]
    parts = [segment(s, v, effect=0.9 * (s is NIGHT and v != "3")) for s in (NIGHT, DAY) for v in "123"]
    (found,) = causes([*versions, *parts])
    assert (found.level, found.segments, len(found.members)) == ("model", (NIGHT,), 5)


def test_a_segment_that_exceeds_where_nothing_else_does_is_a_finding() -> None:
    calmness = [calm("m", v, n=300, effect=0.02) for v in "12"]
    (found,) = causes([*calmness, night := segment(NIGHT, effect=0.4), segment(NIGHT, "2"), segment(DAY)])
    assert (found.level, found.versions, found.segments) == ("segment", ("1",), (NIGHT,))
    assert (found.head, found.members) == (night, (night,))
    (found,) = causes([*calmness, segment(NIGHT, effect=0.4), segment(NIGHT, "2", effect=0.4), segment(DAY)])
    assert (found.level, found.versions, found.segments, found.head) == ("segment", ("1", "2"), (NIGHT,), None)
    # And of a version that drifts by nothing but that segment, and of another that it doesn't move enough.
    moved = [high("m", "1", n=300, effect=0.11), calm("m", "2", n=300, effect=0.09), segment(DAY), segment(DAY, "2")]
    (found,) = causes([*moved, segment(NIGHT, effect=1), segment(NIGHT, "2", effect=0.8)])
    assert (found.level, found.versions, found.segments, len(found.members)) == ("segment", ("1", "2"), (NIGHT,), 3)


def test_a_segment_beside_a_device_is_another_finding_and_one_in_which_a_region_shows_is_not() -> None:
    device, version = high("m", "1", "a", "d0", n=100), calm("m", "1", n=20_000, effect=0.02)
    others = [calm("m", "1", "a", f"d{i}") for i in range(1, 9)]
    found = causes([device, version, *others, segment(NIGHT, effect=0.4, n=6000)])
    assert keys_of(found) == {(("1",), "a", "d0", ()), (("1",), None, None, (NIGHT,))}
    regions = [high("m", "1", "a", effect=2), *(calm("m", "1", r) for r in "bcd")]
    parts = [segment(NIGHT, effect=0.14, n=200), segment(DAY, effect=0.12, n=200)]
    for whole in (high("m", "1", n=400, effect=0.13), calm("m", "1", n=400, effect=0.099)):
        (one,) = causes([*regions, whole, *parts])
        assert (one.region, len(one.members)) == ("a", 3 + whole.exceeds)


def test_models_have_findings_of_their_own_the_weightiest_first() -> None:
    found = causes([high("a", "1", "eu", n=10), high("b", "1", "eu"), calm("c", "1", "eu")])
    assert [(f.model, f.weight) for f in found] == [("b", pytest.approx(40)), ("a", pytest.approx(4))]


def test_of_nothing_and_of_calm_series_there_is_no_finding() -> None:
    assert causes([]) == []
    assert causes([calm("m"), calm("m", "1"), segment(NIGHT)]) == []


@pytest.mark.parametrize("one", [high("m", "1"), high("m", "1", "a", "d"), high("m", "1", segment=NIGHT)])
def test_a_series_that_comes_twice_is_refused(one: Seen) -> None:
    with pytest.raises(ValueError, match="twice"):
        causes([one, replace(one, effect=0.1)])


# --- of any tree

effects = st.one_of(st.sampled_from([0.0, 0.1, 0.12, 0.4]), st.floats(0, 20))


@st.composite
def trees(draw: st.DrawFn) -> list[Seen]:
    """Any series, with gaps on any level."""
    name = st.sampled_from("abcd")
    path = st.lists(name, min_size=1, max_size=4).map(tuple)
    whose = st.one_of(st.tuples(path, st.none()), st.tuples(st.tuples(name, name), st.tuples(name, name)))
    keys = draw(st.lists(whose, unique=True, max_size=60))
    n = st.one_of(st.just(0.0), st.floats(1, 1e6))
    return [Seen(p, draw(st.booleans()), draw(st.booleans()), draw(effects), 0.1, draw(n), s) for p, s in keys]


@settings(max_examples=300, deadline=None)
@given(trees(), st.randoms(use_true_random=False))
def test_every_series_that_exceeds_is_in_exactly_one_finding_in_whatever_order(
    series: list[Seen], dice: random.Random
) -> None:
    found = causes(series)
    held = [s for f in found for s in f.members]
    assert len(held) == len(set(held))
    assert set(held) == {s for s in series if s.exceeds}
    assert len(found) <= len(held)
    assert len({(f.model, f.versions, f.region, f.device, f.segments) for f in found}) == len(found)
    for f in found:
        assert f.members and list(f.members) == sorted(f.members, key=lambda s: -s.effect)
        assert f.head is None or f.head in f.members
        assert 0 <= f.exceeding <= f.told
        assert all(s.path[0] == f.model for s in f.members)
        assert f.versions or f.level == "model"
    dice.shuffle(series)
    assert causes(series) == found


# --- planted causes

BINS, ALPHA = 10, 1e-5
MINIMUM = {"psi": 0.1, "js": (0.1 / 8) ** 0.5, "ks": 0.135}
"""Of about the same drift."""
SHAPE = (2, 4, 50, 3)
"""Versions, regions, devices of each and segments."""
EACH = 200
"""Events of a device in a segment; the baseline has ten times as many."""
EDGES = np.arange(BINS + 1.0)
BASE = np.linspace(1, 2, BINS) / np.linspace(1, 2, BINS).sum()
SEGMENTS = (NIGHT, DAY, DUSK)
Where = tuple[slice | int, ...]
ALL = slice(None)
STRENGTHS = ((0.125, 1.0), (0.2, 0.8), (0.4, 0.8), (0.6, 0.8))
"""PSI of what is planted, and how many of the leaves that exceed are found. Of devices that drift
by the first four in five exceed."""
DRAWS = 20
OF_PLACES, OF_SEGMENTS = 0.99, 0.85
"""Share of draws in which exactly what was planted is named. Where a segment is missed, devices that it lifts are all there is to
see; and with it a small device that drifts is what chance could have made: such draws are up to 13 in 100."""
PLANTED: dict[str, tuple[list[Where], set[Named]]] = {
    "a device": ([(0, 1, 7)], {(("v0",), "r1", "d7", ())}),
    "a region of a version": ([(0, 1)], {(("v0",), "r1", None, ())}),
    "a region": ([(ALL, 1)], {(("v0", "v1"), "r1", None, ())}),
    "a version": ([(0,)], {(("v0",), None, None, ())}),
    "a model": ([(ALL,)], {((), None, None, ())}),
    "a segment of a version": ([(0, ALL, ALL, 0)], {(("v0",), None, None, (NIGHT,))}),
    "a segment": ([(ALL, ALL, ALL, 0)], {(("v0", "v1"), None, None, (NIGHT,))}),
    "a device and a region": ([(0, 1, 7), (1, 2)], {(("v0",), "r1", "d7", ()), (("v1",), "r2", None, ())}),
    "a device and a segment": (
        [(0, 1, 7), (0, ALL, ALL, 0)],
        {(("v0",), "r1", "d7", ()), (("v0",), None, None, (NIGHT,))},
    ),
    "two devices": ([(0, 1, 7), (1, 2, 9)], {(("v0",), "r1", "d7", ()), (("v1",), "r2", "d9", ())}),
}


@cache
def moved_by(psi: float) -> np.ndarray:
    """Shares so far from BASE."""

    def tilted(by: float) -> np.ndarray:
        shares = BASE * np.exp(by * np.linspace(-1, 1, BINS))
        return shares / shares.sum()

    def gap(by: float) -> float:
        return float(np.sum((tilted(by) - BASE) * np.log(tilted(by) / BASE))) - psi

    return tilted(optimize.brentq(gap, 0, 5))


def seen(
    where: list[Where], psi: float, dice: np.random.Generator, found: float, spread: float = 0.0, index: str = "psi"
) -> list[Seen]:
    """All series of a fleet in which something drifts by so much, as the engine would judge them.

    So many of the leaves, devices and segments, that exceed are ``found``; the others have not done so often enough. Devices'
    traffic is spread by so many e-folds.
    """
    shares = np.broadcast_to(BASE, (*SHAPE, BINS)).copy()
    for cells in where:
        shares[cells] = moved_by(psi)
    each = np.broadcast_to(np.rint(EACH * np.exp(dice.normal(0, spread, SHAPE[:3])))[..., None], SHAPE).astype(int)
    now, base = dice.multinomial(each, shares).astype(float), dice.multinomial(10 * each, BASE).astype(float)
    keys: list[tuple[tuple[str, ...], tuple[str, str] | None]] = [(("m",), None)]
    blocks = [(x.sum(axis=(0, 1, 2, 3))[None], y.sum(axis=(0, 1, 2, 3))[None]) for x, y in [(base, now)]]
    for depth in (1, 2, 3):
        axes = tuple(range(depth, 4))
        blocks.append((base.sum(axis=axes).reshape(-1, BINS), now.sum(axis=axes).reshape(-1, BINS)))
        keys += [
            (("m", *map("".join, zip("vrd", map(str, at), strict=False))), None) for at in np.ndindex(SHAPE[:depth])
        ]
    blocks.append((base.sum(axis=(1, 2)).reshape(-1, BINS), now.sum(axis=(1, 2)).reshape(-1, BINS)))
    keys += [(("m", f"v{v}"), s) for v in range(SHAPE[0]) for s in SEGMENTS]
    read = fleet.read(fleet.Block.plain(*map(np.concatenate, zip(*blocks, strict=True)), EDGES))
    effect, told = read.effect(index), read.smallest_psi(ALPHA) <= MINIMUM["psi"]
    exceeds = (effect >= MINIMUM[index]) & (read.p <= ALPHA)
    leaf = np.array([bool(s) or len(path) == 4 for path, s in keys])
    missed = leaf & (dice.random(len(keys)) >= found)
    figures = zip(keys, exceeds & ~missed, told, effect, read.p, read.n, strict=True)
    return [Seen(p, bool(x), bool(t), float(e), float(a), float(n), s) for (p, s), x, t, e, a, n in figures]


def right(found: list[Finding], want: set[Named], series: list[Seen]) -> bool:
    """Whether exactly what was planted is named: of a device or segment in the versions in which chance didn't miss it.

    Where it missed a segment, its version may be named for it, since what it does shows there; that of all is the model's.
    """
    exceeding = {(s.path[1], s.path[2:], (s.segment,) if s.segment else ()) for s in series if s.exceeds and s.path[1:]}
    named, hidden, models = set(), set(), set()
    for versions, region, device, segments in want:
        place = (region, device) if device else ()
        left = tuple(v for v in versions if not (device or segments) or (v, place, segments) in exceeding)
        if left or not versions:
            named.add((left, region, device, segments))
        if segments:
            hidden |= {((v,), None, None, ()) for v in set(versions) - set(left)}
            models |= {((), None, None, names) for names in ((), segments) if len(versions) == SHAPE[0]}
    return named <= keys_of(found) <= named | hidden or keys_of(found) in ({model} for model in models)


@pytest.mark.parametrize(("index", "spread"), [("psi", 0.0), ("psi", 1.0), ("js", 0.0), ("ks", 0.0)])
@pytest.mark.parametrize("cause", PLANTED)
def test_what_is_named_is_what_was_planted(cause: str, index: str, spread: float) -> None:
    where, want = PLANTED[cause]
    dice = np.random.default_rng(1)
    draws = [seen(where, psi, dice, leaves, spread, index) for psi, leaves in STRENGTHS for _ in range(DRAWS)]
    named = np.mean([right(causes(series, index), want, series) for series in draws])
    assert named >= (OF_SEGMENTS if any(key[3] for key in want) else OF_PLACES)


def test_of_a_fleet_in_which_nothing_is_planted_there_is_no_finding() -> None:
    dice = np.random.default_rng(2)
    assert not any(causes(seen([], 0.1, dice, 1.0)) for _ in range(DRAWS))


def test_a_drift_of_all_below_the_minimum_is_not_as_many_findings_as_devices_exceed_by_chance() -> None:
    dice = np.random.default_rng(3)
    draws = [seen([(0,)], 0.07, dice, 1.0) for _ in range(DRAWS)]
    assert np.mean([sum(s.exceeds for s in series) for series in draws]) > 5
    assert np.mean([keys_of(causes(series)) == {(("v0",), None, None, ())} for series in draws]) >= OF_PLACES


def test_a_hundred_thousand_series_are_judged_in_a_second() -> None:
    dice = np.random.default_rng(4)
    paths = [("m", f"v{v}", f"r{r}", f"d{d}") for v in range(4) for r in range(25) for d in range(1000)]
    above = sorted({path[:k] for path in paths for k in (1, 2, 3)})
    one = dice.random(len(paths) + len(above)) < 0.3
    series = [
        (high if x else calm)(*path, n=1000.0 ** (4 - len(path))) for x, path in zip(one, paths + above, strict=True)
    ]
    whole, tenth = (min(timed(some) for _ in range(3)) for some in (series, series[::10]))
    assert whole < 1.0
    assert whole < 30 * tenth


def timed(series: list[Seen]) -> float:
    begun = time.process_time()
    causes(series)
    return time.process_time() - begun
