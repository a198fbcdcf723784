"""What is folded is the union of what SLOs ask, whatever their order, and anything new that is asked changes the fingerprint."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.model import (
    DETAIL,
    DIMENSIONS,
    BurnPolicy,
    Matcher,
    Quantifier,
    Selector,
    Sli,
    SliceRule,
    Slo,
    Source,
    Weighting,
)
from sloengine.monitor import DriftMonitor, Values
from sloengine.rollup.folds import BASE, VALUE, WEIGHED_BY, Fold, fingerprint, folds_of, watched

LATENCY = "edge.inference.duration"


def slo(*selectors: Selector, by: tuple[str, ...] = (), where: tuple[Matcher, ...] = (), **changes: object) -> Slo:
    plain = Slo(
        name="any",
        display_name="",
        description="",
        service="digits",
        indicator="own",
        sli=Sli(good=selectors),
        target=0.99,
        window=timedelta(days=30),
        by=by,
        policy=BurnPolicy("none", ()),
        owner=None,
        runbook=None,
        source="slos.yaml:1",
        where=where,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def fold_of(measure: str, *slos: Slo, source: Source = Source.SUM) -> Fold:
    (found,) = (f for f in folds_of(slos) if (f.source, f.measure) == (source, measure))
    return found


def test_without_slos_what_dashboards_and_drift_read_is_folded() -> None:
    assert set(folds_of([])) == set(BASE)


def test_what_is_matched_or_grouped_by_becomes_part_of_the_key() -> None:
    counter = Selector(Source.SUM, "loads", (Matcher("cause", "=~", "disk|net"), Matcher("model", "!=", "tiny")))
    fold = fold_of(
        "loads", slo(counter, by=("region", "batch"), where=(Matcher("tier", "=", "gold"), Matcher("wave", "=", "1")))
    )
    assert fold == Fold(Source.SUM, "loads", "loads", ("batch", "cause", "tier"), ("wave",))


def test_values_are_cut_where_any_slo_cuts_them_in_ascending_order() -> None:
    def within(seconds: str) -> Slo:
        return slo(
            Selector(Source.HISTOGRAM, LATENCY, (Matcher(VALUE, "<=", seconds),)), Selector(Source.HISTOGRAM, LATENCY)
        )

    fold = fold_of(LATENCY, within("0.5"), within("0.05"), within("0.50"), source=Source.HISTOGRAM)
    assert fold == Fold(Source.HISTOGRAM, LATENCY, LATENCY, cuts=(0.05, 0.5))


def test_what_dashboards_read_stays_told_apart_when_an_slo_asks_for_something_else() -> None:
    asking = slo(Selector(Source.SUM, "edge.inference.requests", (Matcher("tenant", "=", "a"),)))
    assert fold_of("edge.inference.requests", asking).asked == ("edge.inference.outcome", "tenant")


REQUESTS = Selector(Source.SUM, "requests")


@pytest.mark.parametrize(
    ("case", "asking", "detail"),
    [
        ("nothing of nodes", slo(REQUESTS), ()),
        ("by site", slo(REQUESTS, weighting=Weighting.SITES), ()),
        ("a slice per node", slo(REQUESTS, by=("device",)), ("device",)),
        ("each node weighs the same", slo(REQUESTS, weighting=Weighting.NODES), ("device",)),
        ("so many of the nodes", slo(REQUESTS, quantifier=Quantifier(0.99, 0.999)), ("device",)),
        ("some nodes only", slo(REQUESTS, where=(Matcher("device", "=~", "cam-.*"),)), ("device",)),
    ],
)
def test_nodes_are_told_apart_only_where_an_slo_needs_it(case: str, asking: Slo, detail: tuple[str, ...]) -> None:
    assert fold_of("requests", asking).detail == detail, case


def test_a_rule_of_slices_asks_for_its_sums_and_for_what_it_judges_apart() -> None:
    used, size = (
        Selector(Source.GAUGE, "memory.used"),
        Selector(Source.GAUGE, "memory.size", (Matcher("kind", "=", "ram"),)),
    )
    rule = SliceRule(timedelta(minutes=5), ("device", "host"), (used,), (size,), "lte", 0.8)
    verdicts = Selector(Source.DERIVED, "slices", (Matcher("verdict", "=", "good"),))
    judged = slo(sli=Sli(good=(verdicts,), slices=rule))
    assert fold_of("memory.used", judged, source=Source.GAUGE).asked == ("host",)
    assert fold_of("memory.size", judged, source=Source.GAUGE) == Fold(
        Source.GAUGE, "memory.size", "memory.size", ("host", "kind"), ("device",)
    )
    assert fold_of("slices", judged, source=Source.DERIVED).asked == ("host", "verdict")


def test_requests_and_single_spans_of_one_name_are_two_measures() -> None:
    single = Selector(Source.SPAN, "edge.inference")
    whole = replace(single, request="request.id")
    found = {f.measure: f for f in folds_of([slo(single, whole)]) if f.source is Source.SPAN}
    assert {m: (f.name, f.request) for m, f in found.items()} == {
        "span:edge.inference": ("edge.inference", ""),
        "span:edge.inference/request.id": ("edge.inference", "request.id"),
    }


matchers = st.builds(
    Matcher,
    st.sampled_from(["outcome", "tier", "model", "wave", "device"]),
    st.sampled_from(["=", "!="]),
    st.sampled_from("ab"),
)
cuts = st.builds(Matcher, st.just(VALUE), st.just("<="), st.sampled_from(["0.1", "0.25", "1"]))
selectors = st.builds(
    Selector,
    st.sampled_from([Source.SUM, Source.HISTOGRAM, Source.SPAN]),
    st.sampled_from(["one", "two", LATENCY]),
    st.lists(st.one_of(matchers, cuts), max_size=3).map(tuple),
)
slos = st.builds(
    lambda picked, by, where, weighting: slo(*picked, by=by, where=where, weighting=weighting),
    st.lists(selectors, min_size=1, max_size=3),
    st.lists(st.sampled_from(["region", "hardware", "tenant"]), max_size=2, unique=True).map(tuple),
    st.lists(matchers, max_size=1).map(tuple),
    st.sampled_from(Weighting),
)


@given(st.lists(slos, max_size=4), st.randoms())
def test_neither_the_order_nor_the_number_of_equal_slos_changes_anything(some: list[Slo], random: object) -> None:
    again = some + some[:2]
    random.shuffle(again)  # type: ignore[attr-defined]
    assert folds_of(again) == folds_of(some)
    assert fingerprint(folds_of(again)) == fingerprint(folds_of(some))


@given(st.lists(slos, max_size=4))
def test_every_matcher_of_every_slo_can_be_answered_from_its_fold(some: list[Slo]) -> None:
    folds = {(f.source, f.measure): f for f in folds_of(some)}
    assert len(folds) == len(folds_of(some)), "one fold per measure"
    for one in some:
        for selector in one.sli.selectors:
            fold = folds[selector.source, selector.measure]
            told = {*fold.asked, *fold.detail, *(set(DIMENSIONS) - set(DETAIL))}
            asked = (*selector.where, *one.where)
            assert {m.name for m in asked if m.name != VALUE} | set(one.by) <= told
            assert {float(m.value) for m in asked if m.name == VALUE} <= set(fold.cuts)
    for fold in folds.values():
        assert list(fold.asked) == sorted(set(fold.asked))
        assert list(fold.cuts) == sorted(set(fold.cuts))
        assert not set(fold.asked) & {*DIMENSIONS, VALUE}


@given(st.lists(slos, max_size=3), slos)
def test_the_fingerprint_changes_exactly_if_something_is_folded_differently(some: list[Slo], more: Slo) -> None:
    before, after = folds_of(some), folds_of([*some, more])
    assert (fingerprint(before) == fingerprint(after)) is (before == after)


WITHOUT_DEVICES = ("model", "version", "region")


@pytest.mark.parametrize(
    ("case", "monitor", "fold"),
    [
        (
            "every level",
            DriftMonitor("m", "s", "feature"),
            Fold(Source.HISTOGRAM, "feature", "feature", (), ("device",)),
        ),
        (
            "no devices, but segments",
            DriftMonitor("m", "s", "feature", segments=("site", "age.band"), levels=WITHOUT_DEVICES),
            Fold(Source.HISTOGRAM, "feature", "feature", ("age.band", "site")),
        ),
        (
            "classes",
            DriftMonitor("m", "s", "hits", values=Values.CLASSES, class_attribute="label", segments=("site",)),
            Fold(Source.SUM, "hits", "hits", ("label", "site"), ("device",)),
        ),
        (
            "classes of sampled spans, with their weights",
            DriftMonitor(
                "m",
                "s",
                "traces.span.metrics.calls",
                values=Values.CLASSES,
                class_attribute="label",
                levels=WITHOUT_DEVICES,
            ),
            Fold(
                Source.SUM,
                "traces.span.metrics.calls",
                "traces.span.metrics.calls",
                tuple(sorted(("label", *WEIGHED_BY))),
            ),
        ),
    ],
)
def test_a_monitor_asks_for_its_metric_by_segments_classes_and_devices(
    case: str, monitor: DriftMonitor, fold: Fold
) -> None:
    assert set(folds_of([], monitors=[monitor])) == {*BASE, fold}, case
    assert watched([monitor]) == (("feature",) if fold.source is Source.HISTOGRAM else ())


def test_what_a_monitor_asks_for_joins_what_slos_ask_for() -> None:
    within = Selector(Source.HISTOGRAM, LATENCY, (Matcher(VALUE, "<=", "0.5"), Matcher("tier", "=", "gold")))
    monitor = DriftMonitor("m", "digits", LATENCY, segments=("site",))
    found = {f.measure: f for f in folds_of([slo(within)], monitors=[monitor])}
    assert found[LATENCY] == Fold(Source.HISTOGRAM, LATENCY, LATENCY, ("site", "tier"), ("device",), (0.5,))
