"""A kept span says exactly how many it stands for."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from sloengine.edge.sampling import SPACE, ConsistentSampler, Ids, randomness, th_value, threshold, with_threshold

RATIOS = st.floats(0, 1) | st.sampled_from([0.0, 1.0, 0.5, 0.01, 0.1, 1 / 3, 2**-56, 2**-57, 1 - 2**-53])
TRACE_IDS = st.integers(1, 2**128 - 1)


def read_th(state: TraceState) -> int:
    """T as FACTS §3 says to read it."""
    (member,) = [part for part in state["ot"].split(";") if part.startswith("th:")]
    digits = member.removeprefix("th:")
    assert 1 <= len(digits) <= 14
    return int(digits.ljust(14, "0"), 16)


def parent(trace_id: int, state: str) -> context.Context:
    entries = [tuple(entry.split("=", 1)) for entry in state.split(",")] if state else []
    span_context = SpanContext(trace_id, 1, True, TraceFlags(1), TraceState(entries))
    return trace.set_span_in_context(NonRecordingSpan(span_context), context.Context())


ROOT = context.Context()


@given(RATIOS, TRACE_IDS)
def test_the_threshold_written_is_the_threshold_compared(ratio, trace_id):
    sampler = ConsistentSampler(ratio)
    result = sampler.should_sample(ROOT, trace_id, "x")
    assert result.decision.is_sampled() == sampler.keeps_root(trace_id)
    if result.decision.is_sampled():
        assert trace_id % SPACE >= read_th(result.trace_state) == sampler.threshold
    else:
        assert trace_id % SPACE < sampler.threshold
        assert not result.trace_state


@given(RATIOS.filter(lambda ratio: threshold(ratio) < SPACE), st.integers(-2, 2))
def test_ids_beside_the_threshold_fall_on_their_side(ratio, beside):
    sampler = ConsistentSampler(ratio)
    low = min(SPACE - 1, max(0, sampler.threshold + beside))
    assert sampler.keeps_root(SPACE | low) == (low >= sampler.threshold)


@given(st.integers(0, SPACE - 1))
def test_a_threshold_survives_being_written(value):
    text = th_value(value)
    assert text == "0" or not text.endswith("0")
    assert int(text.ljust(14, "0"), 16) == value


@pytest.mark.parametrize(("ratio", "th"), [(1.0, "0"), (0.5, "8"), (0.25, "c"), (1 / 16, "f"), (0.1, "e6666666666666")])
def test_known_ratios_are_written_as_in_the_specification(ratio, th):
    assert th_value(threshold(ratio)) == th


def test_a_ratio_of_nothing_keeps_nothing():
    for ratio in (0.0, 2**-58):
        assert not ConsistentSampler(ratio).keeps_root(SPACE - 1)


@pytest.mark.parametrize("ratio", [1.0, 0.5, 0.1, 0.01])
def test_adjusted_counts_add_up_to_what_was_there(ratio):
    sampler, seeded, n = ConsistentSampler(ratio), random.Random(20261), 100_000
    weights = 0.0
    for _ in range(n):
        result = sampler.should_sample(ROOT, seeded.getrandbits(128) or 1, "x")
        if result.decision.is_sampled():
            weights += SPACE / (SPACE - read_th(result.trace_state))
    # The seed is fixed: four standard deviations of n·Bernoulli(ratio)/ratio.
    assert abs(weights - n) <= 4 * (n * (1 - ratio) / ratio) ** 0.5


@given(RATIOS, TRACE_IDS, st.sampled_from(["", "ot=th:8", "ot=th:8;rv:%s", "a=b,ot=rv:%s;x:1", "ot=rv:zz"]), TRACE_IDS)
def test_below_a_parent_its_randomness_decides_and_the_weight_is_our_own(ratio, trace_id, state, rv):
    explicit = f"{rv % SPACE:014x}"
    state = state.replace("%s", explicit)
    sampler = ConsistentSampler(ratio)
    result = sampler.should_sample(parent(trace_id, state), trace_id, "x")
    r = rv % SPACE if explicit in state else trace_id % SPACE
    assert result.decision.is_sampled() == (r >= sampler.threshold)
    if result.decision.is_sampled():
        assert read_th(result.trace_state) == sampler.threshold
    else:
        assert "th:" not in result.trace_state.get("ot", "")
    assert result.trace_state.get("a") == ("b" if "a=b" in state else None)
    assert randomness(trace_id, result.trace_state) == r


def test_a_smaller_ratio_keeps_a_subset():
    ids = [random.Random(i).getrandbits(128) for i in range(2000)]
    wide, narrow = ConsistentSampler(0.5), ConsistentSampler(0.1)
    assert {i for i in ids if narrow.keeps_root(i)} < {i for i in ids if wide.keeps_root(i)}


def test_without_a_decision_no_empty_entry_is_left():
    assert len(with_threshold(TraceState([("ot", "th:8")]), None)) == 0


def test_an_announced_id_is_used_once():
    ids = Ids()
    ids.announce(42)
    assert ids.generate_trace_id() == 42
    assert ids.generate_trace_id() != 42


def test_seeding_the_global_generator_does_not_repeat_ids():
    made = []
    for _ in range(2):
        random.seed(0)
        made.append(Ids().new_trace_id())
    assert made[0] != made[1]


def test_the_spans_of_a_node_weigh_what_its_metrics_count(make_device):
    device = make_device(span_ratio=0.25)
    model = device.node.model("digits", version="1")
    for _ in range(2000):
        with model.inference():
            pass
    spans = device.spans()
    for span in spans:
        assert read_th(span.context.trace_state) == threshold(0.25) <= span.context.trace_id % SPACE
    assert device.outcomes("edge.inference.requests") == {"success": 2000}
    assert 4 * len(spans) == pytest.approx(2000, abs=6 * (2000 * 0.75 / 0.25) ** 0.5)


def test_a_request_inside_the_applications_own_trace_is_its_child(make_device):
    device = make_device()
    token = context.attach(parent(0xABC << 56 | 7, "a=b"))
    with device.node.model("digits", version="1").inference():
        pass
    context.detach(token)
    (span,) = device.spans()
    assert span.context.trace_id == 0xABC << 56 | 7
    assert dict(span.context.trace_state) == {"ot": "th:0", "a": "b"}


def test_ratio_zero_sends_no_spans_and_all_metrics(make_device):
    device = make_device(span_ratio=0)
    with device.node.model("digits", version="1").inference():
        pass
    assert device.spans() == []
    assert device.outcomes("edge.inference.requests") == {"success": 1}
