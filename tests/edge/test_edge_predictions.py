"""Prediction records and labels: kept or dropped together by a hash of the id, bounded, never in the application's way."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.edge import contract
from sloengine.edge.predictions import hash_value
from sloengine.edge.sampling import threshold

LABELLED_AT = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)


@pytest.fixture
def device(make_device):
    return make_device(predictions=1.0)


def records(device, name="edge.prediction"):
    return [record for record in device.events() if record.event_name == name]


def kept_one_in_ten(prediction_id: str) -> bool:
    """Written down a second time from the contract: 14 hexadecimal digits compared as text."""
    return hashlib.sha256(prediction_id.encode()).hexdigest()[:14] >= "e6666666666666"


@settings(deadline=None)
@given(st.text())
def test_the_hash_is_seven_bytes_of_sha256(text):
    assert f"{hash_value(text):014x}" == hashlib.sha256(text.encode()).hexdigest()[:14]


def test_a_prediction_and_its_late_label_are_both_kept_or_neither(make_device):
    node = (device := make_device(predictions=0.1)).node
    model = node.model("digits", version="1")
    ids = [f"p-{i}" for i in range(2000)]
    for one in ids:
        with model.inference() as call:
            call.score(0.5, label="7")
            call.record(id=one)
    for one in ids:
        model.label(one, "7", source="operator", at=LABELLED_AT)
    expected = [one for one in ids if kept_one_in_ten(one)]
    assert 150 < len(expected) < 250
    assert [record.attributes["edge.prediction.id"] for record in records(device)] == expected
    assert [record.attributes["edge.prediction.id"] for record in records(device, "edge.label")] == expected
    assert {record.attributes["edge.sampling.threshold"] for record in records(device)} == {"e6666666666666"}
    assert device.dropped() == {}  # no limit of rate, and a label that is not kept is no loss


def test_a_record_says_everything_at_the_predictions_time(device, model):
    with model.inference() as call:
        call.score(0.93, label=7)
        call.record(id=12, truth=1, segments={"site_type": "warehouse", "shift": 2})
    (record,), (span,) = records(device), device.spans()
    assert dict(record.attributes) == {
        "event.name": "edge.prediction",
        "edge.model.name": "digits",
        "edge.model.version": "1",
        "edge.prediction.id": "12",
        "edge.inference.score": 0.93,
        "edge.inference.label": "7",
        "edge.prediction.truth": "1",
        "edge.segment.site_type": "warehouse",
        "edge.segment.shift": "2",
        "edge.sampling.threshold": "0",
    }
    assert record.timestamp == span.start_time
    assert record.trace_id == span.context.trace_id
    assert (record.severity_text, record.body) == ("INFO", None)


def test_a_label_says_what_was_true_and_when_it_was_known(device, model):
    model.label("p-1", 7, source="operator", at=LABELLED_AT.astimezone(timezone(timedelta(hours=5))))
    model.label("p-2", "8")
    first, second = records(device, "edge.label")
    assert dict(first.attributes) == {
        "event.name": "edge.label",
        "edge.model.name": "digits",
        "edge.model.version": "1",
        "edge.prediction.id": "p-1",
        "edge.label.truth": "7",
        "edge.label.source": "operator",
    }
    assert first.timestamp == 1772366400_000250000
    assert "edge.label.source" not in second.attributes
    assert 0 <= second.observed_timestamp - second.timestamp < 60e9


def test_an_id_is_made_and_can_be_remembered(device, model):
    seen = []
    for _ in range(50):
        with model.inference() as call:
            call.score(0.5)
            seen.append(call.prediction_id)
        assert call.prediction_id == seen[-1]
    with model.inference() as call:
        call.score(0.5)
    assert all(re.fullmatch(r"[0-9a-f]{12}4[0-9a-f]{3}[89ab][0-9a-f]{15}", one) for one in seen)
    sent = [record.attributes["edge.prediction.id"] for record in records(device)]
    assert sent == [*seen, call.prediction_id]
    assert len(set(sent)) == 51


def test_the_last_score_and_the_last_word_of_record_count(device, model):
    with model.inference() as call:
        call.score(0.1, label="a")
        call.record(id="p-1", truth="x")
        call.score(0.2, label="b")
        call.record(segments={"site": "n"})
        call.record(truth="y")
    with model.inference() as call:
        call.record(label="c")
    first, second = records(device)
    found = {key: first.attributes[f"edge.{key}"] for key in ("prediction.id", "prediction.truth", "segment.site")}
    assert found == {"prediction.id": "p-1", "prediction.truth": "y", "segment.site": "n"}
    assert (first.attributes["edge.inference.score"], first.attributes["edge.inference.label"]) == (0.2, "b")
    assert second.attributes["edge.inference.label"] == "c"
    assert "edge.inference.score" not in second.attributes


def test_a_record_has_the_segments_of_its_score_and_those_that_it_names_itself_go_first(device, model):
    with model.inference() as call:
        call.score(0.1, segments={"site": "a"})
        call.score(0.2, segments={"site": "b"})
    with model.inference() as call:
        call.record(segments={"shift": 2})
        call.score(0.1, segments={"site": "a"})
    with model.inference() as call:
        call.score(0.1, segments={"site": "a"})
        call.score(0.2)
    said = [{k: v for k, v in one.attributes.items() if k.startswith("edge.segment.")} for one in records(device)]
    assert said == [{"edge.segment.site": "b"}, {"edge.segment.shift": "2"}, {}]


def test_a_combination_too_many_for_scores_is_whole_in_records(device, model):
    for i in range(contract.SEGMENT_COMBINATIONS_MAX + 1):
        with model.inference() as call:
            call.score(0.5, segments={"line": i})
    assert records(device)[-1].attributes["edge.segment.line"] == str(contract.SEGMENT_COMBINATIONS_MAX)


def test_no_record_without_a_prediction(device, model):
    with model.inference():
        pass
    with model.inference() as call:
        call.score(0.5)
        call.fail("Boom")
    with pytest.raises(KeyError), model.inference() as call:
        call.record(id="p-1")
        raise KeyError
    assert records(device) == []


def test_off_by_default(make_device):
    device = make_device()
    model = device.node.model("digits", version="1")
    with model.inference() as call:
        call.score(0.5)
        call.record(truth="1")
        assert len(call.prediction_id) == 32
    model.label(call.prediction_id, "1")
    assert device.events() == []
    assert device.dropped() == {}


def test_what_is_cut_on_one_side_is_cut_on_the_other(make_device):
    device = make_device(predictions=0.5)
    model = device.node.model("digits", version="1")
    ids = [f"{i}" + "x" * 300 for i in range(40)] + [f"\ud800{i}" for i in range(40)]
    for one in ids:
        with model.inference() as call:
            call.record(id=one)
        model.label(one, "1")
    sent = [record.attributes["edge.prediction.id"] for record in records(device)]
    assert sent == [record.attributes["edge.prediction.id"] for record in records(device, "edge.label")]
    assert 20 < len(sent) < 60
    assert all(hash_value(one) >= threshold(0.5) for one in sent)


@pytest.mark.parametrize(
    ("misuse", "reasons"),
    [
        (lambda model: model.label(None, "1"), {"attribute_empty": 1}),
        (lambda model: model.label("p", None), {"attribute_empty": 1}),
        (lambda model: model.label("p", ""), {"attribute_empty": 1}),
        (lambda model: model.label(object(), "1"), {"wrong_type": 1}),
        (lambda model: model.label("p"), {"misuse": 1}),
        (lambda model: model.inference().record(id="p"), {"outside_call": 1}),
    ],
)
def test_what_is_no_label_is_refused(device, model, misuse, reasons):
    misuse(model)
    assert device.dropped() == reasons
    assert device.events() == []


@pytest.mark.parametrize(
    ("at", "reason"),
    [
        (LABELLED_AT.replace(tzinfo=None), "wrong_type"),
        (1772366400, "wrong_type"),
        (datetime(1969, 12, 31, tzinfo=UTC), "out_of_range"),
        (datetime(9999, 1, 1, tzinfo=UTC), "out_of_range"),
    ],
)
def test_a_label_whose_time_makes_no_sense_is_of_now(device, model, at, reason):
    model.label("p-1", "1", at=at)
    (record,) = records(device, "edge.label")
    assert abs(record.observed_timestamp - record.timestamp) < 60e9
    assert device.dropped() == {reason: 1}


@pytest.mark.parametrize(
    ("said", "reasons"),
    [
        ({"segments": ["site"]}, {"wrong_type": 1}),
        ({"segments": {"Site Type": "x"}}, {"out_of_range": 1}),
        ({"segments": {"s" * 65: "x"}}, {"out_of_range": 1}),
        ({"segments": {1: "x"}}, {"out_of_range": 1}),
        ({"segments": {"site": object()}}, {"wrong_type": 1}),
        ({"segments": {"site": None}}, {}),
        ({"truth": object()}, {"wrong_type": 1}),
        ({"label": ""}, {"attribute_empty": 1}),
        ({"id": object()}, {"wrong_type": 1}),
    ],
)
def test_what_a_record_cannot_carry_is_left_out_and_the_rest_sent(device, model, said, reasons):
    with model.inference() as call:
        call.score(0.5)
        call.record(**said)
    (record,) = records(device)
    assert not [key for key in record.attributes if key.startswith("edge.segment")]
    assert "edge.prediction.truth" not in record.attributes
    assert len(record.attributes["edge.prediction.id"]) == 32
    assert device.dropped() == reasons


def test_segments_are_bounded_in_number_and_in_values(device, model):
    for i in range(contract.SEGMENT_VALUES_MAX + 2):
        with model.inference() as call:
            call.record(segments={"site": f"s{i}"})
    with model.inference() as call:
        call.record(segments={f"name_{i}": "x" for i in range(contract.SEGMENTS_MAX)})
    *many, last = records(device)
    sites = [record.attributes["edge.segment.site"] for record in many]
    assert sites == [f"s{i}" for i in range(contract.SEGMENT_VALUES_MAX)] + ["_OTHER"] * 2
    kept = [key for key in last.attributes if key.startswith("edge.segment.")]
    assert kept == [f"edge.segment.name_{i}" for i in range(contract.SEGMENTS_MAX - 1)]
    assert device.dropped() == {"too_many_values": 3}


def test_predicted_class_and_truth_are_never_folded(device, model):
    for i in range(contract.LABELS_MAX + 5):
        with model.inference() as call:
            call.score(0.5, label=f"l{i}")
            call.record(truth=f"t{i}")
    last = records(device)[-1]
    assert (last.attributes["edge.inference.label"], last.attributes["edge.prediction.truth"]) == ("l204", "t204")


def test_too_many_records_lose_the_oldest_and_never_an_event(device, model):
    model.load_failed("NoSpace")
    for i in range(contract.PREDICTIONS_QUEUED_MAX + 7):
        model.label(f"p-{i}", "1")
    labels = records(device, "edge.label")
    assert len(labels) == contract.PREDICTIONS_QUEUED_MAX
    assert labels[0].attributes["edge.prediction.id"] == "p-7"
    assert len(records(device, "edge.model.load_failed")) == 1
    assert device.dropped() == {"queue_full": 7}


def test_an_update_says_how_it_goes(device):
    node = device.node
    node.update(rollout="r-42", status="started", model="digits", version=8, wave=2)
    node.update(rollout="r-42", status="failed", error=OSError())
    node.update(rollout="r-42", status="almost")
    node.update(rollout=None, status="cancelled")
    node.update()
    started, failed, cancelled = records(device, "edge.update")
    assert dict(started.attributes) == {
        "event.name": "edge.update",
        "edge.rollout.id": "r-42",
        "edge.rollout.wave": "2",
        "edge.model.name": "digits",
        "edge.model.version": "8",
        "edge.update.status": "started",
    }
    assert [record.severity_text for record in (started, failed, cancelled)] == ["INFO", "ERROR", "INFO"]
    assert failed.attributes["error.type"] == "OSError"
    assert cancelled.attributes["edge.rollout.id"] == "unknown"
    assert device.dropped() == {"out_of_range": 1, "attribute_empty": 1, "misuse": 1}


def test_a_share_that_makes_no_sense_is_none(make_device):
    device = make_device(predictions=10)
    model = device.node.model("digits", version="1")
    with model.inference() as call:
        call.score(0.5)
    assert device.events() == []
    assert device.dropped() == {"out_of_range": 1}
