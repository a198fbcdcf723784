"""Rules about events: prediction records, labels, updates, and what happens to a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from hashlib import sha256

from opentelemetry.proto.logs.v1.logs_pb2 import SeverityNumber

from sloengine.edge import contract as c

from . import expected
from .about_names import meant
from .findings import Hit, Level, rule
from .items import EventItem

_DIGITS = re.compile(r"[0-9a-f]{1,14}")
_WHOLE = 14
_SEGMENT = re.compile(rf"[a-z][a-z0-9_]{{0,{c.SEGMENT_NAME_MAX - 1}}}")


@rule(
    "prediction-id-missing",
    EventItem,
    Level.ERROR,
    "prediction-records",
    "a prediction record without edge.prediction.id",
    "Give each prediction an id that its label will carry too; without it no label finds it.",
)
def prediction_id(item: EventItem) -> Iterable[Hit]:
    if item.name == c.PREDICTION:
        yield from _absent(item, c.PREDICTION_ID)


@rule(
    "prediction-empty",
    EventItem,
    Level.WARNING,
    "prediction-records",
    "a prediction record with neither a score, nor a label, nor the truth",
    "Say what was predicted (edge.inference.label), and how sure the model was (edge.inference.score).",
)
def prediction_empty(item: EventItem) -> Iterable[Hit]:
    said = (c.SCORE_OF_SPAN, c.LABEL, c.PREDICTION_TRUTH)
    if item.name == c.PREDICTION and not any(item.attributes.get(key) or meant(item.attributes, key) for key in said):
        yield Hit()


@rule(
    "prediction-threshold-wrong",
    EventItem,
    Level.ERROR,
    "prediction-records",
    "a prediction record without a sampling threshold, or with something else in its place: its weight is unknown",
    "Write T as th does in tracestate: one to 14 lower-case hexadecimal digits; 0 if every prediction is recorded.",
)
def prediction_threshold(item: EventItem) -> Iterable[Hit]:
    found = item.attributes.get(c.SAMPLING_THRESHOLD)
    if item.name != c.PREDICTION or meant(item.attributes, c.SAMPLING_THRESHOLD):
        return
    if found is None or not _DIGITS.fullmatch(found):
        yield Hit(c.SAMPLING_THRESHOLD, found or "absent")


@rule(
    "segment-wrong",
    EventItem,
    Level.WARNING,
    "prediction-records",
    f"a segment whose name is none, or more than {c.SEGMENTS_MAX} segments on a record",
    f"A name after edge.segment. begins with a lower-case letter, then letters, digits and _, {c.SEGMENT_NAME_MAX} at most.",
)
def segment(item: EventItem) -> Iterable[Hit]:
    names = [k.removeprefix(c.SEGMENT) for k in item.attributes if k.startswith(c.SEGMENT)]
    if item.name != c.PREDICTION:
        return
    yield from (
        Hit(c.SEGMENT + name, item.attributes[c.SEGMENT + name]) for name in names if not _SEGMENT.fullmatch(name)
    )
    if len(names) > c.SEGMENTS_MAX:
        yield Hit(c.SEGMENT + "*", f"{len(names)} segments")


@rule(
    "prediction-not-sampled",
    EventItem,
    Level.ERROR,
    "prediction-records",
    "a prediction record that its own hash would not have kept: its weight is made up",
    "Keep a prediction when the first 7 bytes of SHA-256(id), big-endian, are at least T: then its label is kept too.",
)
def prediction_sampled(item: EventItem) -> Iterable[Hit]:
    id, threshold = (item.attributes.get(key, "") for key in (c.PREDICTION_ID, c.SAMPLING_THRESHOLD))
    if item.name != c.PREDICTION or not id or not _DIGITS.fullmatch(threshold):
        return
    # As text: thresholds leave trailing zeros out, and "8" sorts before "80".
    randomness = sha256(id.encode()).hexdigest()[:_WHOLE]
    if randomness < threshold.rstrip("0"):
        yield Hit(c.SAMPLING_THRESHOLD, threshold, f"the id hashes to {randomness}")


@rule(
    "label-id-missing",
    EventItem,
    Level.ERROR,
    "labels",
    "a label without edge.prediction.id",
    "Send the id of the prediction that it is the truth of; without it the label belongs to nothing.",
)
def label_id(item: EventItem) -> Iterable[Hit]:
    if item.name == c.LABELLED:
        yield from _absent(item, c.PREDICTION_ID)


@rule(
    "event-attribute-missing",
    EventItem,
    Level.ERROR,
    "logs",
    "an event without an attribute that it is about",
    "A label needs its truth, an update its rollout.",
)
def event_attribute(item: EventItem) -> Iterable[Hit]:
    for key in expected.EVENTS.get(item.name, ()):
        if key not in (c.PREDICTION_ID, c.SAMPLING_THRESHOLD, c.UPDATE_STATUS):
            yield from _absent(item, key)


def _absent(item: EventItem, key: str) -> Iterable[Hit]:
    on_resource = key in item.sender.attributes and key in item.wanted
    if not item.attributes.get(key) and not meant(item.attributes, key) and not on_resource:
        yield Hit(key, "absent")


@rule(
    "update-status-wrong",
    EventItem,
    Level.ERROR,
    "logs",
    "an update whose status is none of started, succeeded, failed, cancelled",
    "Send one event when the update starts and one when it ends; other words are counted as neither.",
)
def update_status(item: EventItem) -> Iterable[Hit]:
    found = item.attributes.get(c.UPDATE_STATUS)
    if item.name != c.UPDATE or found in c.UPDATE_STATUSES:
        return
    if not meant(item.attributes, c.UPDATE_STATUS):
        yield Hit(c.UPDATE_STATUS, found or "absent")


@rule(
    "event-severity",
    EventItem,
    Level.NOTE,
    "logs",
    "an event of another severity than the contract's",
    "INFO; ERROR for load_failed, integrity_failed and a failed update; WARN for inference.failed: searches go by it.",
)
def severity(item: EventItem) -> Iterable[Hit]:
    wanted = expected.SEVERITIES.get(item.name)
    if item.name == c.UPDATE:
        wanted = "ERROR" if item.attributes.get(c.UPDATE_STATUS) == "failed" else "INFO"
    number = item.record.severity_number
    if wanted and number != SeverityNumber.Value(f"SEVERITY_NUMBER_{wanted}"):
        yield Hit("severity_number", str(number), f"should be: {wanted}")


@rule(
    "event-body",
    EventItem,
    Level.NOTE,
    "logs",
    "an event whose body is not a JSON object",
    "Send the same facts as a JSON body, for those who read the log as text.",
)
def body(item: EventItem) -> Iterable[Hit]:
    if item.name not in expected.EVENTS_WITH_BODY or item.record.body.HasField("kvlist_value"):
        return
    text = item.record.body.string_value
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        yield Hit("body", text or "empty")


@rule(
    "event-flood",
    EventItem,
    Level.WARNING,
    "limits",
    f"more events of a name than {c.EVENTS_BURST} at once and {c.EVENTS_PER_S:.0f} a second",
    "Hold back what is more and count it in edge.telemetry.dropped: a device that fails at everything must not flood its link.",
)
def flood(item: EventItem) -> Iterable[Hit]:
    found = item.sender.memory.floods.get((item.name, item.attributes.get(c.MODEL_NAME, "")))
    if found is None or item.name not in expected.EVENTS_LIMITED:
        return
    allowed = c.EVENTS_BURST + 1 + max(0, item.time_ns - found.first_ns) / 1e9 * c.EVENTS_PER_S
    if found.count > allowed:
        yield Hit(example=f"{found.count} in {max(0, item.time_ns - found.first_ns) / 1e9:.1f} s")
