"""Whatever the application does, it goes on; what was refused is counted by reason."""

from __future__ import annotations

import pytest

from sloengine import edge
from sloengine.edge import contract


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "not_finite"),
        (float("inf"), "not_finite"),
        (-float("inf"), "not_finite"),
        (10**400, "not_finite"),
        (1.0000001, "out_of_range"),
        (-0.1, "out_of_range"),
        ("0.9", "wrong_type"),
        (None, "wrong_type"),
        ([0.5], "wrong_type"),
        (1j, "wrong_type"),
    ],
)
def test_a_score_that_is_none_is_refused(device, model, value, reason):
    with model.inference() as call:
        call.score(value, label="7")
    assert device.dropped() == {reason: 1}
    assert device.points("edge.inference.score") == []
    assert device.outcomes("edge.inference.requests") == {"success": 1}


def test_a_number_of_another_library_is_a_score(device, model):
    class Scalar:
        def __float__(self) -> float:
            return 0.5

    with model.inference() as call:
        call.score(Scalar())
    (point,) = device.points("edge.inference.score")
    assert point.sum == 0.5


def test_a_number_that_raises_is_misuse(device, model):
    class Broken:
        def __float__(self) -> float:
            raise RuntimeError

    with model.inference() as call:
        call.score(Broken())
        call.score()
        call.score(0.5, confidence=1)
    assert device.dropped() == {"misuse": 3}


def test_a_megabyte_is_cut_and_an_empty_label_left_out(device, model):
    with model.inference() as call:
        call.score(0.5, label="x" * 1_000_000)
        call.score(0.5, label="")
        call.score(0.5, label=object())
        call.fail("y" * 1_000_000)
    assert device.dropped() == {"attribute_too_long": 2, "attribute_empty": 1, "wrong_type": 1}
    assert list(device.counts("edge.inference.requests", "error.type")) == ["y" * 256]


def test_a_value_set_on_the_span_by_hand_is_cut_too(device, model):
    from opentelemetry import trace

    with model.inference():
        trace.get_current_span().set_attribute("mine", "x" * 1_000_000)
    (span,) = device.spans()
    assert len(span.attributes["mine"]) == 256


def test_text_that_utf8_cannot_carry_is_replaced(device, model):
    with model.inference() as call:
        call.fail("bad\ud800")
    assert device.dropped() == {"attribute_not_utf8": 1}
    assert list(device.counts("edge.inference.requests", "error.type")) == ["bad?"]


@pytest.mark.parametrize(
    ("seconds", "reason"), [(-1, "out_of_range"), (float("nan"), "not_finite"), ("1", "wrong_type")]
)
def test_a_load_counts_even_if_its_duration_makes_no_sense(device, model, seconds, reason):
    model.loaded(seconds)
    assert device.dropped() == {reason: 1}
    assert device.outcomes("edge.model.loads") == {"success": 1}


def test_sizes_that_make_no_sense_are_refused(device, model):
    model.data(raw=-1, sent=2**70)
    model.data(raw="1")
    assert device.dropped() == {"out_of_range": 2, "wrong_type": 1}


def test_a_call_is_used_only_inside_its_block(device, model):
    call = model.inference()
    call.score(0.5)
    call.__exit__(None, None, None)
    with call:
        pass
    call.fail("late")
    call.attempt()
    call.cold_start()
    assert device.dropped() == {"outside_call": 4}
    assert device.outcomes("edge.inference.requests") == {"success": 1}


def test_error_types_labels_and_models_are_bounded(device, model):
    for i in range(contract.ERROR_TYPES_MAX + 7):
        with model.inference() as call:
            call.fail(f"E{i}")
    for i in range(contract.LABELS_MAX + 5):
        with model.inference() as call:
            call.score(0.5, label=i)
    for i in range(contract.MODELS_MAX + 2):
        device.node.model("m", version=i)
    errors = device.counts("edge.inference.requests", "error.type")
    assert len(errors) == contract.ERROR_TYPES_MAX + 2  # the successes have none
    assert errors["_OTHER"] == 7
    labels = {point.attributes["edge.inference.label"]: point.count for point in device.points("edge.inference.score")}
    assert len(labels) == contract.LABELS_MAX + 1
    assert labels["_OTHER"] == 5
    assert device.dropped()["too_many_values"] == 7 + 5 + 3


@pytest.mark.parametrize("timeout", [-1, float("nan"), "soon", None])
def test_a_senseless_timeout_does_not_wait(device, timeout):
    assert device.node.flush(timeout) in (True, False)
    assert sum(device.dropped().values()) == 1


def test_a_node_with_senseless_settings_works(make_device):
    device = make_device(
        service="",
        device=None,
        region=object(),
        span_ratio=7,
        export_interval_s=float("nan"),
        export_timeout_s="soon",
        headers="a=b",
        resource_attributes={"": 1, "load": float("inf"), "rack": 4, "list": []},
    )
    device.node.model(None).load_failed(None)
    device.node.power("turbo")
    device.node.power([])
    assert device.dropped() == {
        "attribute_empty": 5,
        "wrong_type": 4,
        "out_of_range": 3,
        "not_finite": 2,
    }
    resource = device.metrics_out.last.resource_metrics[0].resource.attributes
    assert (resource["service.name"], resource["device.id"], resource["edge.region"]) == ("unknown",) * 3
    assert resource["rack"] == 4


def test_gauges_that_raise_lie_or_dawdle_do_not_stop_the_others(device, monkeypatch):
    def broken() -> float:
        raise RuntimeError

    node = device.node
    node.gauge("hw.gpu.utilization", broken)
    node.gauge("hw.npu.utilization", lambda: 73.0)
    node.gauge("hw.temperature", lambda: 73.0, unit="Cel")
    node.gauge("not a name", lambda: 1.0)
    device.node.flush(10)
    metrics = device.metrics()
    assert metrics["hw.temperature"].data.data_points[0].value == 73.0
    assert "hw.gpu.utilization" not in metrics
    assert {"gauge_failed", "out_of_range", "misuse"} == set(device.dropped())

    monkeypatch.setattr("sloengine.edge.node._GAUGE_MAX_S", -1.0)
    asked = []
    node.gauge("hw.temperature", lambda: asked.append(1) or 1.0)
    node.flush(10)
    node.flush(10)
    assert asked == [1]


def test_a_library_that_breaks_inside_does_not_break_the_block(device, model, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(edge.Model, "_open", broken)
    monkeypatch.setattr(edge.Model, "_record", broken)
    with pytest.raises(KeyError), model.inference():
        raise KeyError
    assert device.dropped() == {"misuse": 2}


def test_a_full_queue_loses_the_oldest_span_and_counts_it(device, model):
    for i in range(contract.SPANS_QUEUED_MAX + 3):
        with model.inference() as call:
            call.score(0.5, label=i % 100)
    assert len(device.spans()) == contract.SPANS_QUEUED_MAX
    assert device.dropped() == {"queue_full": 3}
    assert device.outcomes("edge.inference.requests") == {"success": contract.SPANS_QUEUED_MAX + 3}
