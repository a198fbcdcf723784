"""How far values are from their limit: what is asked of an SLO, and what rows of named queries say."""

from __future__ import annotations

from dataclasses import replace

from sloengine.evaluate.quantiles import Asked, Quantile, asked_of, quantiles_of
from sloengine.model import Matcher, Selector, Sli, Source, Weighting
from tests.evaluate.test_evaluate_nodes import promise

QUICK = Asked("span_quantiles", "infer", "0.05")
BUSY = Asked("saturation_quantiles", "system.cpu.utilization", "0.8")
SPAN = {
    "service": "digits", "model": "m", "version": "2", "seconds": 0.02, "low": 0.019, "high": None, "effective": 12.5,
    "heaviest": 16.0, "of_unknown_weight": 3,
}  # fmt: skip
NODE = {
    "service": "digits", "region": "eu", "gateway": "g", "device": "d1", "p50": 0.3, "p95": 0.8, "p99": 0.95, "share_above": 0.04,
}  # fmt: skip


def test_each_span_and_gauge_that_is_held_to_a_limit_is_asked_once() -> None:
    limits = (Matcher("value", "<=", "0.05"), Matcher("outcome", "=", "ok"))
    kinds = ((Source.SPAN, "infer"), (Source.GAUGE, "heat"), (Source.HISTOGRAM, "latency"))
    selectors = tuple(Selector(source, name, limits) for source, name in kinds)
    slower = (Selector(Source.SPAN, "infer", (Matcher("value", "<=", "0.5"),)),)
    sli = Sli(good=selectors, bad=slower, total=tuple(replace(s, where=()) for s in selectors))
    assert asked_of(replace(promise(Weighting.EVENTS), sli=sli)) == (
        QUICK,
        Asked("saturation_quantiles", "heat", "0.05"),
    )
    assert asked_of(promise(Weighting.EVENTS)) == ()


def test_rows_become_one_for_each_version_and_for_each_node() -> None:
    rows = [{**SPAN, "version": version, "quantile": q} for version in ("1", "2") for q in (0.5, 0.95, 0.99)]
    first, second = quantiles_of(QUICK, rows)
    assert first.who == (("service", "digits"), ("model", "m"), ("version", "1"))
    assert second.points == tuple(Quantile(q, 0.02, 0.019, None) for q in (0.5, 0.95, 0.99))
    assert (second.sampled, second.effective, second.unweighted) == (True, 12.5, 3)
    (node,) = quantiles_of(BUSY, [NODE])
    assert [p.value for p in node.points] == [0.3, 0.8, 0.95]
    assert (node.above, node.sampled, node.effective) == (0.04, False, None)
    assert quantiles_of(QUICK, []) == []


def test_a_slice_has_what_agrees_with_it_as_far_as_rows_are_told_apart() -> None:
    (found,) = quantiles_of(QUICK, [{**SPAN, "quantile": 0.5}])
    assert found.within("digits", (("model", "m"), ("region", "eu")))
    assert not found.within("digits", (("model", "other"),))
    assert not found.within("letters", ())
