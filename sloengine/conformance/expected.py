"""The contract as data for the checks: kinds, units and attributes, on top of the names that the device library uses."""

from __future__ import annotations

from sloengine.edge import contract as c

SERVICE, DEVICE, REGION, INSTANCE = "service.name", "device.id", "edge.region", "service.instance.id"
GATEWAY_KEYS = ("edge.gateway.id", "edge.gateway.received_unix_nano")
RESOURCE_REQUIRED = (SERVICE, DEVICE, REGION)
RESOURCE_OPTIONAL = (
    *("service.version", INSTANCE, "edge.driver.version", "edge.hardware"),
    "deployment.environment.name",
)
MODEL_REQUIRED = (c.MODEL_NAME, c.MODEL_VERSION)
MODEL_OPTIONAL = (c.ROLLOUT_ID, c.ROLLOUT_WAVE)

GPU = "hw.gpu.utilization"
UTILIZATIONS = (c.CPU, c.MEMORY, GPU)
KINDS: dict[str, str] = {
    **dict.fromkeys(c.COUNTERS, "sum"),
    c.DURATION: "exponential_histogram",
    c.SCORE: "histogram",
    **dict.fromkeys((*UTILIZATIONS, c.POWER_STATE), "gauge"),
}
"""OTLP's name of the kind of each metric of the contract."""

UNITS: dict[str, str] = {
    **{name: unit for name, (unit, _) in c.COUNTERS.items()},
    c.DURATION: "s",
    c.SCORE: "1",
    **dict.fromkeys((*UTILIZATIONS, c.POWER_STATE), "1"),
}

_BY_OUTCOME = (c.REQUESTS, c.ATTEMPTS, c.DURATION, c.LOADS)
WITH_MODEL = frozenset(set(KINDS) - {c.DROPPED, *UTILIZATIONS, c.POWER_STATE})
METRIC_REQUIRED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_BY_OUTCOME, (c.OUTCOME,)),
    c.INTEGRITY_CHECKS: (c.INTEGRITY_RESULT,),
    c.POWER_STATE: (c.POWER_STATE,),
    c.DROPPED: (c.DROP_REASON,),
}
METRIC_OPTIONAL: dict[str, tuple[str, ...]] = {
    c.REQUESTS: (c.ERROR_TYPE,),
    c.LOADS: (c.ERROR_TYPE,),
    c.SCORE: (c.LABEL,),
}
SPAN_REQUIRED = (c.OUTCOME,)
SPAN_OPTIONAL = (c.ERROR_TYPE, c.ATTEMPTS_OF_SPAN, c.COLD_START, c.SCORE_OF_SPAN, c.LABEL)

EVENTS: dict[str, tuple[str, ...]] = {
    c.LOADED: (),
    c.LOAD_FAILED: (),
    c.INTEGRITY_FAILED: (),
    c.INFERENCE_FAILED: (),
    c.PREDICTION: (c.PREDICTION_ID, c.SAMPLING_THRESHOLD),
    c.LABELLED: (c.PREDICTION_ID, c.LABEL_TRUTH),
    c.UPDATE: (c.ROLLOUT_ID, c.UPDATE_STATUS),
}
"""Events of the contract and the attributes each needs beside the model's."""
EVENTS_OPTIONAL: dict[str, tuple[str, ...]] = {
    c.LOADED: ("edge.model.load_duration_s",),
    c.LOAD_FAILED: (c.ERROR_TYPE,),
    c.INFERENCE_FAILED: (c.ERROR_TYPE, c.ATTEMPTS_OF_SPAN),
    c.PREDICTION: (c.SCORE_OF_SPAN, c.LABEL, c.PREDICTION_TRUTH),
    c.LABELLED: (c.LABEL_SOURCE,),
    c.UPDATE: (*MODEL_REQUIRED, c.ROLLOUT_WAVE, c.ERROR_TYPE),
}
EVENTS_WITH_MODEL = frozenset(EVENTS) - {c.UPDATE}
EVENTS_LIMITED = frozenset(EVENTS) - set(c.SAMPLED_BY_ID)
EVENTS_WITH_BODY = EVENTS_LIMITED
SEVERITIES = {
    **dict.fromkeys((c.LOADED, c.PREDICTION, c.LABELLED), "INFO"),
    **dict.fromkeys((c.LOAD_FAILED, c.INTEGRITY_FAILED), "ERROR"),
    c.INFERENCE_FAILED: "WARN",
}

SDK_BOUNDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""Explicit bounds that OpenTelemetry SDKs use unless told otherwise (specification, "Explicit Bucket Histogram")."""
