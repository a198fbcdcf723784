"""Each rule, by breaking exactly one thing in a conformant payload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from conformant import AT_THE_DOOR, T0, Payload, S, check, pairs, put, rename

from sloengine.conformance import RULES, Level
from sloengine.conformance.checker import Checker
from sloengine.conformance.items import Sending

Break = Callable[[Payload], Any]
REQUESTS, DURATION, SCORE = "edge.inference.requests", "edge.inference.duration", "edge.inference.score"


def each(items: Any, change: Callable[[Any], Any]) -> None:
    for item in items:
        change(item)


def resource(key: str, value: Any) -> Break:
    return lambda p: each(p.resources(), lambda r: put(r, key, value))


def resource_renamed(key: str, other: str) -> Break:
    return lambda p: each(p.resources(), lambda r: rename(r, key, other))


def point(name: str, key: str, value: Any) -> Break:
    return lambda p: each(p.points(name), lambda x: put(x, key, value))


def field(name: str, key: str, value: Any) -> Break:
    """A field of a metric's points."""
    return lambda p: each(p.points(name), lambda x: setattr(x, key, value))


def metric(name: str, change: Callable[[Any], Any]) -> Break:
    return lambda p: each(p.metrics(name), change)


def event(name: str, key: str, value: Any) -> Break:
    return lambda p: put(p.event(name), key, value)


def span(key: str, value: Any) -> Break:
    return lambda p: put(p.spans[0], key, value)


def span_field(key: str, value: Any) -> Break:
    return lambda p: setattr(p.spans[0], key, value)


def to_gauge(m: Any) -> None:
    points = list(m.sum.data_points)
    m.gauge.data_points.extend(points)


def to_explicit(m: Any) -> None:
    old = m.exponential_histogram.data_points[0]
    m.histogram.aggregation_temporality = 2
    new = m.histogram.data_points.add(
        start_time_unix_nano=old.start_time_unix_nano, time_unix_nano=old.time_unix_nano, count=old.count
    )
    new.attributes.extend(list(old.attributes))
    new.explicit_bounds.extend([0.05, 0.1])
    new.bucket_counts.extend([old.count, 0, 0])


def score_to_exponential(m: Any) -> None:
    old = m.histogram.data_points[0]
    m.exponential_histogram.aggregation_temporality = 2
    new = m.exponential_histogram.data_points.add(
        start_time_unix_nano=old.start_time_unix_nano, time_unix_nano=old.time_unix_nano, count=old.count, scale=6
    )
    new.attributes.extend(list(old.attributes))
    new.positive.bucket_counts.extend([old.count])


def bounds(values: list[float]) -> Break:
    def change(p: Payload) -> None:
        for x in p.points(SCORE):
            del x.explicit_bounds[:], x.bucket_counts[:]
            x.explicit_bounds.extend(values)
            x.bucket_counts.extend([0] * (len(values) - 1) + [x.count, 0])

    return change


def delta(m: Any) -> None:
    m.sum.aggregation_temporality = 1


def third_export(p: Payload, value: Callable[[int], int] = lambda v: v, start: int = 0, after_s: int = 10) -> None:
    """One more export of requests, after the others."""
    again = type(p.sent[1][1])()
    again.CopyFrom(p.sent[1][1])
    sending = Sending(received_ns=(p.sent[1][2].received_ns or 0) + after_s * S)
    p.sent.insert(2, ("metrics", again, sending))
    for m in again.resource_metrics[0].scope_metrics[0].metrics:
        for x in getattr(m, m.WhichOneof("data")).data_points:
            x.time_unix_nano += after_s * S
    for m in again.resource_metrics[0].scope_metrics[0].metrics:
        if m.name == REQUESTS:
            m.sum.data_points[0].as_int = value(m.sum.data_points[0].as_int)
            m.sum.data_points[0].start_time_unix_nano += start


def two_minutes_apart(p: Payload) -> None:
    third_export(p, after_s=120)
    p.sent.pop(0)


def new_starts(p: Payload) -> None:
    third_export(p)
    for number, x in enumerate(p.points("edge.model.loads")):
        x.start_time_unix_nano += number


def repeat_with_other_value(p: Payload) -> None:
    extra = p.metrics("edge.data.raw")[1].sum.data_points
    extra.add().CopyFrom(extra[0])
    extra[1].as_int += 1


def late_series(p: Payload) -> None:
    """Loads are first heard of in the second export, already at 1, and counted for 1000 s."""
    for x in p.points("edge.model.loads"):
        x.start_time_unix_nano = T0 - 1000 * S
    held = p.requests("metrics")[0].resource_metrics[0].scope_metrics[0].metrics
    rest = [m for m in held if m.name != "edge.model.loads"]
    del held[:]
    held.extend(rest)


def only(p: Payload, *names: str, keep: bool = False) -> None:
    """Take metrics away by name."""
    for request in p.requests("metrics"):
        held = request.resource_metrics[0].scope_metrics[0].metrics
        rest = [m for m in held if (m.name in names) == keep]
        del held[:]
        held.extend(rest)


def many(key: str, values: list[str]) -> Break:
    def change(p: Payload) -> None:
        held = p.metrics("edge.data.raw")[1].sum.data_points
        first = type(held[0])()
        first.CopyFrom(held[0])
        for value in values:
            one = held.add()
            one.CopyFrom(first)
            put(one, key, value)

    return change


def flooded(p: Payload) -> None:
    first = p.event("edge.inference.failed")
    for _ in range(15):
        p.records.add().CopyFrom(first)


def shift_times(by: int) -> Break:
    """Every time, as a device with that clock would have sent it; without the header."""

    def change(p: Payload) -> None:
        for m in {m.name for r in p.requests("metrics") for m in r.resource_metrics[0].scope_metrics[0].metrics}:
            for x in p.points(m):
                x.time_unix_nano += by
                x.start_time_unix_nano += by if x.start_time_unix_nano else 0
        for x in p.spans:
            x.start_time_unix_nano += by
            x.end_time_unix_nano += by
        for x in p.records:
            x.time_unix_nano += by
        p.resend(sent_ns=None)

    return change


def misplaced(p: Payload) -> None:
    each(p.points("edge.data.raw"), lambda x: put(x, "edge.model.version", None))
    for request in p.requests("metrics"):
        put(request.resource_metrics[0].resource, "edge.model.version", "7")


def twice(p: Payload) -> None:
    p.spans[0].attributes.extend(pairs({"edge.model.name": "digits"}))


def no_retries(p: Payload) -> None:
    """22 requests, 22 attempts, and a span that says two."""
    p.points("edge.inference.attempts")[3].as_int = 2


def few_attempts(p: Payload) -> None:
    p.points("edge.inference.attempts")[2].as_int = 1


def region_of_traces(p: Payload) -> None:
    put(p.requests("traces")[0].resource_spans[0].resource, "edge.region", "eu-south")


def exemplar(p: Payload) -> None:
    p.points("edge.data.raw")[1].exemplars.add(as_int=1)


def status_set(p: Payload) -> None:
    p.spans[0].status.code = 2


def body_of(p: Payload) -> None:
    p.event("edge.model.loaded").body.string_value = "loaded"


def negative_buckets(p: Payload) -> None:
    x = p.points(DURATION)[1]
    x.count += 1
    x.negative.bucket_counts.extend([1])


def zero_count(p: Payload) -> None:
    x = p.points(DURATION)[1]
    x.count += 1
    x.zero_count = 1


def in_ms(p: Payload) -> None:
    for x in p.points(DURATION):
        x.positive.offset = 403  # 2^(403/64) is 78.6


def many_at_once(p: Payload) -> None:
    """20 requests in 11 s that together took 2000 s."""
    p.points(DURATION)[1].sum = 2000


def percent(p: Payload) -> None:
    for x in p.points(SCORE):
        x.min, x.max, x.sum = 93, 93, 93 * x.count


def nan_gauge(p: Payload) -> None:
    p.points("system.cpu.utilization")[0].as_double = float("nan")


def empty_gauge(p: Payload) -> None:
    del p.metrics("system.cpu.utilization")[0].gauge.data_points[:]


def nameless(p: Payload) -> None:
    p.event("edge.label").event_name = ""
    put(p.records[5], "event.name", None)


def renamed_event(name: str, other: str) -> Break:
    def change(p: Payload) -> None:
        p.event(name).event_name = other

    return change


def zero_id(p: Payload) -> None:
    p.spans[0].trace_id = bytes(16)
    p.spans[0].trace_state = "ot=th:0"


BROKEN: list[tuple[str, str, Break]] = [
    ("service-name-missing", "no service.name", resource("service.name", None)),
    ("service-name-missing", "the SDK's placeholder", resource("service.name", "unknown_service:python")),
    ("device-id-missing", "an empty device.id", resource("device.id", "")),
    ("region-missing", "no region", resource("edge.region", None)),
    ("resource-name-almost", "an underscore", resource_renamed("edge.region", "edge_region")),
    ("resource-name-almost", "no prefix", resource_renamed("edge.region", "region")),
    ("resource-option-almost", "an old name", resource("deployment.environment", "prod")),
    ("instance-id-missing", "no instance", resource("service.instance.id", None)),
    ("gateway-claimed", "a gateway id", resource("edge.gateway.id", "gw-1")),
    ("model-name-missing", "a counter without", point(REQUESTS, "edge.model.name", None)),
    ("model-name-missing", "a span without", span("edge.model.name", None)),
    ("model-version-missing", "an event with an empty one", event("edge.prediction", "edge.model.version", "")),
    ("attribute-almost", "model_name", lambda p: each(p.spans, lambda s: rename(s, "edge.model.name", "model_name"))),
    (
        "attribute-almost",
        "edge_model_name",
        lambda p: each(p.points(DURATION), lambda s: rename(s, "edge.model.name", "edge_model_name")),
    ),
    ("attribute-almost", "outcome alone", lambda p: rename(p.spans[0], "edge.inference.outcome", "outcome")),
    ("option-almost", "error_type", lambda p: rename(p.spans[1], "error.type", "error_type")),
    ("attribute-misplaced", "the version on the resource", misplaced),
    ("metric-name-almost", "singular", metric(REQUESTS, lambda m: setattr(m, "name", "edge.inference.request"))),
    (
        "metric-name-almost",
        "Prometheus",
        metric(DURATION, lambda m: setattr(m, "name", "edge_inference_duration_seconds")),
    ),
    ("metric-name-almost", "no prefix", metric("edge.data.raw", lambda m: setattr(m, "name", "data.raw"))),
    ("span-name-almost", "capitals", lambda p: each(p.spans, lambda s: setattr(s, "name", "edge.Inference"))),
    ("event-name-almost", "a letter", renamed_event("edge.prediction", "edge.predictions")),
    ("event-name-missing", "a label without a name", nameless),
    ("metric-kind", "a gauge for a counter", metric("edge.data.raw", to_gauge)),
    ("metric-kind", "explicit durations", metric(DURATION, to_explicit)),
    ("metric-kind", "exponential scores", metric(SCORE, score_to_exponential)),
    ("metric-empty", "no points", empty_gauge),
    (
        "sum-not-monotonic",
        "an up-down counter",
        metric("edge.data.raw", lambda m: setattr(m.sum, "is_monotonic", False)),
    ),
    ("temporality-wrong", "delta", metric("edge.data.raw", delta)),
    ("unit-wrong", "ms", metric(DURATION, lambda m: setattr(m, "unit", "ms"))),
    ("unit-wrong", "percent", metric("system.cpu.utilization", lambda m: setattr(m, "unit", "%"))),
    ("unit-unusual", "1 for requests", metric(REQUESTS, lambda m: setattr(m, "unit", "1"))),
    ("value-not-finite", "NaN", nan_gauge),
    ("value-negative", "bytes below zero", lambda p: setattr(p.points("edge.data.raw")[0], "as_int", -1)),
    ("value-negative", "a negative duration", negative_buckets),
    ("utilization-out-of-range", "85", field("system.cpu.utilization", "as_double", 85.0)),
    ("integrity-result-wrong", "pass", point("edge.model.integrity_checks", "edge.integrity.result", "pass")),
    ("power-state-wrong", "eco", point("edge.power.state", "edge.power.state", "eco")),
    ("drop-reason-unknown", "tired", point("edge.telemetry.dropped", "edge.drop.reason", "tired")),
    ("histogram-inconsistent", "a count too many", lambda p: setattr(p.points(DURATION)[1], "count", 21)),
    ("duration-scale-coarse", "scale 3", lambda p: setattr(p.points(DURATION)[1], "scale", 3)),
    ("duration-zero", "a zero", zero_count),
    ("duration-looks-like-ms", "a median of 79", in_ms),
    ("duration-looks-like-ms", "182 at once", many_at_once),
    ("score-bounds-default", "the SDK's", bounds([0, 5, 10, 25, 50, 75, 100, 250, 500])),
    ("score-bounds-other", "tenths", bounds([i / 10 for i in range(1, 10)])),
    ("score-out-of-range", "percent", percent),
    ("exemplars-sent", "one", exemplar),
    ("counter-down", "19 after 20", lambda p: third_export(p, lambda v: v - 1)),
    ("start-time-zero", "none", field("edge.data.raw", "start_time_unix_nano", 0)),
    ("start-time-moves", "at every point", new_starts),
    (
        "start-after-time",
        "later",
        lambda p: setattr(p.points("edge.model.loads")[1], "start_time_unix_nano", T0 + 60 * S),
    ),
    ("point-repeats", "two values", repeat_with_other_value),
    ("first-point-not-zero", "begins at 1", late_series),
    ("metric-attribute-id", "a request id", many("who", [f"{n:032x}" for n in range(10**30, 10**30 + 3)])),
    ("metric-attribute-id", "the prediction's", point("edge.data.raw", "edge.prediction.id", "p-1")),
    ("metric-attribute-many-values", "201", many("name", [f"n{n}" for n in range(201)])),
    ("outcome-wrong", "OK", span("edge.inference.outcome", "OK")),
    ("outcome-wrong", "absent", point(DURATION, "edge.inference.outcome", None)),
    ("error-type-missing", "on a span", lambda p: put(p.spans[1], "error.type", None)),
    ("error-type-missing", "on an event", event("edge.model.load_failed", "error.type", None)),
    ("error-type-on-success", "on a span", span("error.type", "timeout")),
    ("time-zero", "a log", lambda p: setattr(p.records[0], "time_unix_nano", 0)),
    ("time-not-nanoseconds", "ms", field("system.cpu.utilization", "time_unix_nano", T0 // 10**6)),
    ("time-future", "two hours", lambda p: setattr(p.records[0], "time_unix_nano", T0 + 7200 * S)),
    ("time-past", "fifty days", lambda p: setattr(p.records[0], "time_unix_nano", T0 - 50 * 86400 * S)),
    ("clock-offset", "by the header", lambda p: p.resend(sent_ns=T0 - 30 * S)),
    ("clock-header-malformed", "seconds", lambda p: p.resend(sent_ns=T0 // S)),
    ("clock-ahead", "by a minute", shift_times(60 * S)),
    ("clock-behind-or-late", "by ten minutes", shift_times(-600 * S)),
    ("attribute-too-long", "a stack trace", event("edge.model.load_failed", "error.type", "x" * 300)),
    ("attribute-twice", "the model", twice),
    ("personal-data", "a user", span("user.id", "4711")),
    ("personal-data", "an address", span("peer", "192.168.1.20")),
    ("personal-data", "an email", event("edge.label", "by", "somebody@example.org")),
    ("secret-looking", "a token", span("api_key", "abc")),
    ("score-wrong", "percent", span("edge.inference.score", 93.0)),
    ("score-wrong", "text", event("edge.prediction", "edge.inference.score", "high")),
    ("span-threshold-missing", "no tracestate", span_field("trace_state", "")),
    ("span-threshold-missing", "capitals", span_field("trace_state", "ot=th:C")),
    ("span-threshold-impossible", "R below T", span_field("trace_id", b"\x01" * 16)),
    ("span-id-missing", "zeros", zero_id),
    ("id-length-wrong", "12 bytes", span_field("span_id", b"\x01" * 12)),
    ("span-ends-before-start", "a clock set back", span_field("start_time_unix_nano", T0 + 3 * S)),
    ("span-kind", "server", span_field("kind", 2)),
    ("span-status", "Error on success", status_set),
    ("prediction-id-missing", "no id", event("edge.prediction", "edge.prediction.id", None)),
    (
        "prediction-empty",
        "neither",
        lambda p: [event("edge.prediction", f"edge.inference.{k}", None)(p) for k in ("score", "label")],
    ),
    ("prediction-threshold-wrong", "a ratio", event("edge.prediction", "edge.sampling.threshold", "0.5")),
    ("prediction-threshold-wrong", "none", event("edge.prediction", "edge.sampling.threshold", None)),
    ("segment-wrong", "a capital", event("edge.prediction", "edge.segment.Site", "north")),
    (
        "attribute-almost",
        "a threshold",
        lambda p: rename(p.records[4], "edge.sampling.threshold", "edge.sampling.treshold"),
    ),
    ("prediction-not-sampled", "th:f", event("edge.prediction", "edge.sampling.threshold", "f")),
    ("label-id-missing", "no id", event("edge.label", "edge.prediction.id", None)),
    ("event-attribute-missing", "no truth", event("edge.label", "edge.label.truth", None)),
    ("event-attribute-missing", "no rollout", event("edge.update", "edge.rollout.id", None)),
    ("update-status-wrong", "done", event("edge.update", "edge.update.status", "done")),
    ("event-severity", "a failed update", event("edge.update", "edge.update.status", "failed")),
    ("event-severity", "DEBUG", lambda p: setattr(p.event("edge.model.loaded"), "severity_number", 5)),
    ("event-body", "text", body_of),
    ("event-flood", "sixteen at once", flooded),
    ("metrics-missing", "spans and logs only", lambda p: p.drop("metrics")),
    ("requests-missing", "no such metric", lambda p: only(p, REQUESTS)),
    ("duration-missing", "no such metric", lambda p: only(p, DURATION)),
    ("retries-not-counted", "as many attempts", no_retries),
    ("attempts-below-requests", "fewer", few_attempts),
    ("export-interval-long", "two minutes", two_minutes_apart),
    ("device-region-varies", "two", region_of_traces),
    ("request-empty", "nothing inside", lambda p: p.sent.append(("traces", type(p.sent[2][1])(), Sending()))),
    ("nothing-received", "no items", lambda p: p.sent.clear()),
]


@pytest.mark.parametrize(("rule", "change"), [(r, c) for r, _, c in BROKEN], ids=[f"{r}: {w}" for r, w, _ in BROKEN])
def test_one_broken_thing_is_one_finding(rule: str, change: Break) -> None:
    payload = Payload()
    change(payload)
    assert {f.rule.id for f in check(payload)} == {rule}


def test_a_conformant_payload_has_no_findings() -> None:
    assert check(Payload()) == []


def test_every_rule_is_broken_by_something() -> None:
    broken = {rule for rule, _, _ in BROKEN} | {"limit-reached"} | AT_THE_DOOR
    assert broken == RULES.keys()


def test_findings_come_worst_first_and_name_place_device_and_count() -> None:
    payload = Payload()
    put(payload.spans[0], "edge.inference.outcome", "OK")
    put(payload.spans[1], "edge.inference.outcome", "bad")
    payload.event("edge.model.loaded").severity_number = 5
    put(payload.event("edge.label"), "user.id", "4711")
    found = check(payload)
    assert [f.rule.level for f in found] == [Level.ERROR, Level.WARNING, Level.NOTE]
    worst = found[0].as_dict()
    assert (worst["signal"], worst["name"], worst["attribute"]) == (
        "traces",
        "edge.inference",
        "edge.inference.outcome",
    )
    assert (worst["example"], worst["count"], worst["devices"]) == ("OK", 2, ["eu-north-007"])
    assert worst["see"] == "docs/telemetry.md#metrics"


def test_an_ignored_rule_finds_nothing() -> None:
    payload = Payload()
    put(payload.spans[0], "user.id", "4711")
    assert check(payload, ignore={"personal-data"}) == []


def test_a_series_that_was_running_before_we_listened_may_begin_anywhere() -> None:
    payload = Payload()
    del payload.sent[0]
    assert check(payload) == []


def test_a_restart_with_a_new_start_time_is_no_error() -> None:
    payload = Payload()
    third_export(payload, value=lambda v: 1, start=15 * S)
    assert check(payload) == []


def test_the_same_point_sent_twice_is_no_error() -> None:
    payload = Payload()
    payload.sent.insert(2, payload.sent[1])
    assert check(payload) == []


def test_foreign_spans_and_metrics_are_left_alone() -> None:
    payload = Payload()
    payload.spans[0].name = "GET /"
    for one in payload.points("system.cpu.utilization"):
        put(one, "cpu", "0")
    payload.metrics("system.cpu.utilization")[0].name = "http.server.active_requests"
    assert check(payload) == []


def test_one_uuid_that_stays_is_an_attribute_like_any_other() -> None:
    payload = Payload()
    for one in payload.points("edge.data.raw"):
        put(one, "site", "0f8fad5b-d9cd-469f-a165-70867728950e")
    assert check(payload) == []


def test_memory_is_bounded_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, most in {"SERIES_MAX": 5, "DEVICES_MAX": 1, "VALUES_KEPT_MAX": 5, "FLOODS_MAX": 1}.items():
        monkeypatch.setattr(f"sloengine.conformance.memory.{name}", most)
    payload, other = Payload(), Payload()
    for one in other.resources():
        put(one, "device.id", "other")
    payload.sent += other.sent
    checker = Checker()
    for signal, request, sending in payload.sent:
        checker.feed(signal, request, sending)
    (note,) = checker.finish()
    assert note.rule.id == "limit-reached"
    assert note.example == "1 devices, 1 kinds of event, 5 series, 5 values of metric attributes"


def test_distinct_findings_are_bounded() -> None:
    payload = Payload()
    for number in range(600):
        put(payload.spans[0], f"user.{number}", "x")
    found = check(payload)
    assert len(found) == 501
    assert found[-1].rule.id == "limit-reached"


def test_what_a_device_sends_does_not_drive_the_terminal() -> None:
    payload = Payload()
    put(payload.spans[0], "edge.inference.outcome", "\x1b[31mred\n\u202eevil")
    assert all(c.isprintable() for f in check(payload) for c in f.example + str(f.place))


def test_a_device_that_has_counted_for_months_is_no_error() -> None:
    payload = Payload()
    for name in ("edge.inference.requests", "edge.inference.attempts", "edge.inference.duration"):
        for one in payload.points(name):
            one.start_time_unix_nano = T0 - 90 * 86400 * S
    assert check(payload) == []


def test_one_fresh_item_shows_that_the_rest_was_buffered() -> None:
    payload = Payload()
    payload.resend(sent_ns=None)
    late = [(kind, request, Sending(received_ns=T0 + 900 * S)) for kind, request, _ in payload.sent[2:]]
    payload.sent[2:] = late
    assert check(payload) == []
