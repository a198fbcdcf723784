"""What an inference loop turns into."""

from __future__ import annotations

import asyncio
import json
import math
import time

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from sloengine.edge import contract

REQUESTS, ATTEMPTS = "edge.inference.requests", "edge.inference.attempts"


def test_a_request_counts_once_and_so_does_its_attempt(device, model):
    for _ in range(3):
        with model.inference():
            pass
    assert device.outcomes(REQUESTS) == {"success": 3}
    assert device.outcomes(ATTEMPTS) == {"success": 3}
    assert [point.count for point in device.points("edge.inference.duration")] == [3]


def test_counters_start_at_zero_before_the_first_request(device, model):
    (point,) = device.points(REQUESTS)
    assert point.value == 0
    with model.inference():
        pass
    (later,) = device.points(REQUESTS)
    assert (later.value, later.start_time_unix_nano) == (1, point.start_time_unix_nano)


def test_a_retry_that_succeeds_is_one_request_and_two_attempts(device, model):
    with model.inference() as call:
        call.attempt()
    assert device.outcomes(REQUESTS) == {"success": 1}
    assert device.outcomes(ATTEMPTS) == {"success": 1, "failure": 1}
    (span,) = device.spans()
    assert span.attributes["edge.inference.attempts"] == 2
    assert span.status.status_code is StatusCode.UNSET


def test_an_attempt_after_a_failure_forgets_the_failure(device, model):
    with model.inference() as call:
        call.fail("Timeout")
        call.attempt()
    assert device.outcomes(REQUESTS) == {"success": 1}


def test_retries_that_all_fail_are_one_failed_request(device, model):
    with model.inference() as call:
        call.attempt()
        call.attempt()
        call.fail("Timeout")
    assert device.counts(REQUESTS, "edge.inference.outcome", "error.type") == {("failure", "Timeout"): 1}
    assert device.outcomes(ATTEMPTS) == {"failure": 3}


def test_an_exception_is_a_failure_and_leaves_the_block_untouched(device, model):
    error = ZeroDivisionError("once")
    with pytest.raises(ZeroDivisionError) as caught, model.inference():
        raise error
    assert caught.value is error
    assert error.__context__ is None
    assert device.counts(REQUESTS, "edge.inference.outcome", "error.type") == {("failure", "ZeroDivisionError"): 1}
    (span,) = device.spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "ZeroDivisionError"
    assert not span.events, "an exception's message may hold what must not leave the device"


def test_a_keyboard_interrupt_is_counted_and_passes_through(device, model):
    with pytest.raises(KeyboardInterrupt), model.inference():
        raise KeyboardInterrupt
    assert device.counts(REQUESTS, "error.type") == {"KeyboardInterrupt": 1}


def test_scores_fall_into_upper_inclusive_twentieths_by_label(device, model):
    with model.inference() as call:
        call.score(0.0, label=7)
        call.score(0.05, label="7")
        call.score(0.93, label="7")
        call.score(1.0)
    by_label = {point.attributes.get("edge.inference.label"): point for point in device.points("edge.inference.score")}
    assert by_label["7"].explicit_bounds == tuple(i / 20 for i in range(1, 20))
    assert [i for i, n in enumerate(by_label["7"].bucket_counts) for _ in range(n)] == [0, 0, 18]
    assert by_label[None].bucket_counts[19] == 1


def test_scores_fall_into_histograms_of_their_segments_where_they_have_some(device, model):
    with model.inference() as call:
        call.score(0.5, "7", segments={"stroke": "thin", "line": 3})
        call.score(0.5, "7", segments={"line": 3, "stroke": "thin"})
        call.score(0.5, "7", segments={"Stroke": "thin"})
        call.score(0.5, "7")
    names = ("edge.segment.stroke", "edge.segment.line", "edge.inference.label")
    found = {
        tuple(point.attributes.get(key) for key in names): point.count
        for point in device.points("edge.inference.score")
    }
    assert found == {("thin", "3", "7"): 2, (None, None, "7"): 2}
    assert device.dropped() == {"out_of_range": 1}


def test_combinations_of_segments_beyond_the_limit_are_one_series(device, model):
    for i in range(contract.SEGMENT_COMBINATIONS_MAX + 2):
        with model.inference() as call:
            call.score(0.5, segments={"line": i % 8, "shift": i // 8})
    counts = {
        (point.attributes["edge.segment.line"], point.attributes["edge.segment.shift"]): point.count
        for point in device.points("edge.inference.score")
    }
    assert len(counts) == contract.SEGMENT_COMBINATIONS_MAX + 1
    assert counts["_OTHER", "_OTHER"] == 2
    assert counts["0", "0"] == 1
    assert device.dropped() == {"too_many_values": 2}


def test_the_first_request_after_a_load_is_a_cold_start(device, model):
    model.loaded(1.5)
    with model.inference() as call:
        call.cold_start()
    with model.inference():
        pass
    assert device.counts("edge.inference.cold_starts", "edge.model.name") == {"digits": 1}
    assert device.outcomes("edge.model.loads") == {"success": 1}
    assert [span.attributes["edge.inference.cold_start"] for span in device.spans()] == [True, False]


def test_rollouts_are_told_apart(device):
    for wave in (1, 2):
        with device.node.model("digits", version=2, rollout="r-1", wave=wave).inference():
            pass
    assert device.counts(REQUESTS, "edge.model.version", "edge.rollout.id", "edge.rollout.wave") == {
        ("2", "r-1", "1"): 1,
        ("2", "r-1", "2"): 1,
    }


def test_asking_for_a_model_twice_gives_the_same(device):
    assert device.node.model("digits", version="1") is device.node.model("digits", version=1)


def test_a_failed_load_counts_and_says_so(device, model):
    model.load_failed(OSError("disk"))
    assert device.counts("edge.model.loads", "edge.inference.outcome", "error.type") == {("failure", "OSError"): 1}
    (event,) = device.events()
    assert event.event_name == "edge.model.load_failed"
    assert json.loads(event.body)["error.type"] == "OSError"


def test_a_failed_integrity_check_says_what_is_known(device, model, tmp_path):
    model.integrity(True, hash="aa")
    model.integrity(False, hash="bb", expected="aa", path=tmp_path / "m.onnx")
    assert device.counts("edge.model.integrity_checks", "edge.integrity.result") == {"ok": 1, "failed": 1}
    (event,) = device.events()
    assert event.attributes["artifact.hash"] == "bb"
    assert event.attributes["artifact.path"] == str(tmp_path / "m.onnx")
    assert event.attributes["edge.integrity.expected_hash"] == "aa"
    assert "edge.integrity.signer" not in event.attributes
    assert event.attributes["edge.model.name"] == "digits"


def test_bytes_are_added_up(device, model):
    model.data(raw=1000, sent=10)
    model.data(raw=1)
    assert device.counts("edge.data.raw", "edge.model.name") == {"digits": 1001}
    assert device.counts("edge.data.sent", "edge.model.name") == {"digits": 10}


def test_a_failed_request_is_an_event_with_its_trace(device, model):
    with pytest.raises(ValueError), model.inference():
        raise ValueError
    (event,), (span,) = device.events(), device.spans()
    assert event.event_name == "edge.inference.failed"
    assert (event.trace_id, event.span_id) == (span.context.trace_id, span.context.span_id)


def test_a_storm_of_failures_is_counted_whole_but_told_in_part(device, model):
    for _ in range(100):
        with model.inference() as call:
            call.fail("Boom")
    told = len(device.events())
    assert 10 <= told < 20
    assert device.dropped() == {"rate_limited": 100 - told}
    assert device.outcomes(REQUESTS) == {"failure": 100}


def test_a_decorated_function_is_a_request_per_call(device, model):
    @model.instrument
    def double(x: int) -> int:
        """Twice."""
        return 2 * x

    assert double(4) == 8
    assert double.__doc__ == "Twice."
    assert device.outcomes(REQUESTS) == {"success": 1}


def test_a_decorated_coroutine_is_timed_while_it_runs(device, model):
    @model.instrument
    async def slow() -> str:
        await asyncio.sleep(0.02)
        return "done"

    assert asyncio.run(slow()) == "done"
    (point,) = device.points("edge.inference.duration")
    assert point.sum >= 0.019


def test_requests_in_concurrent_tasks_do_not_mix(device, model):
    async def one(i: int) -> None:
        with model.inference() as call:
            await asyncio.sleep(0)
            call.score(0.5, label=i)

    async def many() -> None:
        await asyncio.gather(*(one(i) for i in range(10)))

    asyncio.run(many())
    spans = device.spans()
    assert {span.attributes["edge.inference.label"] for span in spans} == {str(i) for i in range(10)}
    assert all(span.parent is None for span in spans)


def test_the_span_is_current_inside_the_block_and_only_there(make_device):
    for ratio in (0.0, 1.0):
        model = make_device(span_ratio=ratio).node.model("digits", version="1")
        with model.inference():
            inside = trace.get_current_span().get_span_context()
        assert inside.is_valid
        assert inside.trace_flags.sampled == (ratio == 1.0)
        assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_clock_that_is_set_back_leaves_the_span_its_duration(device, model, monkeypatch):
    monkeypatch.setattr("sloengine.edge.inference.time_ns", lambda: 10**18)
    with model.inference():
        monkeypatch.setattr(time, "time_ns", lambda: 1)
    monkeypatch.undo()
    (span,), (point,) = device.spans(), device.points("edge.inference.duration")
    assert span.start_time == 10**18
    assert span.end_time - span.start_time == round(point.sum * 1e9)


def test_a_duration_of_zero_does_not_coarsen_the_histogram(device, model, monkeypatch):
    monkeypatch.setattr("sloengine.edge.inference.perf_counter", lambda: 5.0)
    with model.inference():
        pass
    monkeypatch.undo()
    (point,) = device.points("edge.inference.duration")
    assert point.scale == 6
    assert point.zero_count == 0


def test_durations_keep_scale_six_over_a_thousandfold_spread(device, model, monkeypatch):
    ticks = iter([x for seconds in (0.001, 0.01, 0.1, 0.9) for x in (0.0, seconds)])
    monkeypatch.setattr("sloengine.edge.inference.perf_counter", lambda: next(ticks))
    expected = {}
    for seconds in (0.001, 0.01, 0.1, 0.9):
        with model.inference():
            pass
        (point,) = device.points("edge.inference.duration")
        expected[math.ceil(math.log2(seconds) * 64) - 1] = 1
        counts = {point.positive.offset + i: n for i, n in enumerate(point.positive.bucket_counts) if n}
        assert (point.scale, counts) == (6, expected)
