"""Names, units and limits of docs/telemetry.md; a test parses that document and compares."""

from __future__ import annotations

from enum import StrEnum

SCOPE = "sloengine.edge"

MODEL_NAME = "edge.model.name"
MODEL_VERSION = "edge.model.version"
ROLLOUT_ID = "edge.rollout.id"
ROLLOUT_WAVE = "edge.rollout.wave"
OUTCOME = "edge.inference.outcome"
ERROR_TYPE = "error.type"
LABEL = "edge.inference.label"
INTEGRITY_RESULT = "edge.integrity.result"
POWER_STATE = "edge.power.state"
DROP_REASON = "edge.drop.reason"

SUCCESS = "success"
FAILURE = "failure"

REQUESTS = "edge.inference.requests"
ATTEMPTS = "edge.inference.attempts"
DURATION = "edge.inference.duration"
COLD_STARTS = "edge.inference.cold_starts"
SCORE = "edge.inference.score"
LOADS = "edge.model.loads"
INTEGRITY_CHECKS = "edge.model.integrity_checks"
DATA_RAW = "edge.data.raw"
DATA_SENT = "edge.data.sent"
DROPPED = "edge.telemetry.dropped"
CPU = "system.cpu.utilization"
MEMORY = "system.memory.utilization"

SPAN = "edge.inference"
ATTEMPTS_OF_SPAN = "edge.inference.attempts"
COLD_START = "edge.inference.cold_start"
SCORE_OF_SPAN = "edge.inference.score"

LOAD_FAILED = "edge.model.load_failed"
LOADED = "edge.model.loaded"
INTEGRITY_FAILED = "edge.model.integrity_failed"
INFERENCE_FAILED = "edge.inference.failed"
UPDATE = "edge.update"
UPDATE_STATUS = "edge.update.status"
UPDATE_STATUSES = ("started", "succeeded", "failed", "cancelled")

PREDICTION = "edge.prediction"
LABELLED = "edge.label"
SAMPLED_BY_ID = (PREDICTION, LABELLED)
"""Log records that wait in a queue of their own and know no limit of rate."""
PREDICTION_ID = "edge.prediction.id"
PREDICTION_TRUTH = "edge.prediction.truth"
LABEL_TRUTH = "edge.label.truth"
LABEL_SOURCE = "edge.label.source"
SAMPLING_THRESHOLD = "edge.sampling.threshold"
SEGMENT = "edge.segment."

CLOCK_HEADER = "x-edge-clock-unix-nano"

COUNTERS: dict[str, tuple[str, str]] = {
    REQUESTS: ("{request}", "requests by final outcome"),
    ATTEMPTS: ("{attempt}", "attempts, retries included"),
    COLD_STARTS: ("{request}", "requests that waited for a model load"),
    LOADS: ("{load}", "model loads"),
    INTEGRITY_CHECKS: ("{check}", "signature or checksum checks of model files"),
    DATA_RAW: ("By", "bytes taken in"),
    DATA_SENT: ("By", "bytes uploaded"),
    DROPPED: ("{item}", "what the instrumentation refused"),
}
"""name: (unit, description)"""

SCORE_BOUNDS = tuple(i / 20 for i in range(1, 20))
DURATION_SCALE_MAX = 6
DURATION_BUCKETS_MAX = 640

POWER_STATES = ("normal", "saver", "critical")

ATTRIBUTE_LENGTH_MAX = 256
LABELS_MAX = 200
ERROR_TYPES_MAX = 50
MODELS_MAX = 200
OTHER = "_OTHER"
"""OpenTelemetry's own value for an `error.type` that would be one too many."""
EVENTS_BURST = 10
EVENTS_PER_S = 1.0
SPANS_QUEUED_MAX = 2048
LOGS_QUEUED_MAX = 512
PREDICTIONS_QUEUED_MAX = 4096
REFUSALS_MAX = 3
SEGMENTS_MAX = 8
SEGMENT_VALUES_MAX = 200
SEGMENT_COMBINATIONS_MAX = 50
SEGMENT_NAME_MAX = 64
BUFFER_BYTES_MIN = 2**20
BUFFER_BYTES_DEFAULT = 64 * 2**20
BUFFER_BYTES_MAX = 2**40
RESENT_BYTES_PER_S = 128 * 1024
METRICS_KEPT_EVERY_S = 10.0
BYTES_PER_CALL_MAX = 2**48


class DropReason(StrEnum):
    """Values of `edge.drop.reason`: why the library refused something, or sent less of it than it was given."""

    NOT_FINITE = "not_finite"
    OUT_OF_RANGE = "out_of_range"
    WRONG_TYPE = "wrong_type"
    ATTRIBUTE_EMPTY = "attribute_empty"
    ATTRIBUTE_TOO_LONG = "attribute_too_long"
    ATTRIBUTE_NOT_UTF8 = "attribute_not_utf8"
    TOO_MANY_VALUES = "too_many_values"
    RATE_LIMITED = "rate_limited"
    QUEUE_FULL = "queue_full"
    EXPORT_REFUSED = "export_refused"
    BUFFER_FULL = "buffer_full"
    BUFFER_CORRUPT = "buffer_corrupt"
    BUFFER_FAILED = "buffer_failed"
    OUTSIDE_CALL = "outside_call"
    GAUGE_FAILED = "gauge_failed"
    MISUSE = "misuse"
