"""OTLP into the real gateway binary, rows out of the real store."""

import os
import time
from collections.abc import Sequence

import httpx
import pytest
from collector_running import wait_for
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

pytestmark = pytest.mark.collector
YEAR_2100_NS = 4_102_444_800_000_000_000
HOUR_NS = 3_600_000_000_000


def text(key: str, value: str) -> KeyValue:
    return KeyValue(key=key, value=AnyValue(string_value=value))


def traces(*spans: dict, resource: Sequence[KeyValue] = ()) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(resource or [text("service.name", "digits")])
    of_scope = of_resource.scope_spans.add()
    now = time.time_ns()
    for number, span in enumerate(spans):
        defaults = {
            "trace_id": os.urandom(9) + b"\xff" * 7,
            "span_id": os.urandom(8),
            "name": f"span{number}",
            "start_time_unix_nano": now,
            "end_time_unix_nano": now + 5_000_000,
        }
        of_scope.spans.add(**{**defaults, **span})
    return request


@pytest.fixture
def gateway(store, database, gateways):
    gateway = gateways(store.url, database)
    gateway.start()
    return gateway


def rows_when(store, database: str, table: str, count: int, columns: str, order: str) -> list[dict]:
    wait_for(lambda: store.value(f"SELECT count() AS n FROM {table}", database) >= count)
    return store.rows(f"SELECT {columns} FROM {table} ORDER BY {order}", database)


def test_what_the_gateway_stamps_beats_what_the_device_claims(store, database, gateway) -> None:
    claims = [
        text("service.name", "digits"),
        text("device.id", "eu-007"),
        text("edge.gateway.id", "liar"),
        text("edge.gateway.received_unix_nano", "1"),
        text("edge.gateway.id", "liar again"),
        text("edge.clock.sent_unix_nano", "2"),
    ]
    before = time.time_ns()
    clock = {"x-edge-clock-unix-nano": "1760000000000000000"}
    assert gateway.send("traces", traces({}, resource=claims), **clock).status_code == 200
    columns = "GatewayId, DeviceId, ServiceName, ResourceAttributes, toUnixTimestamp64Milli(GatewayTime) AS at"
    (row,) = rows_when(store, database, "otel_traces", 1, columns, "SpanName")
    assert (row["GatewayId"], row["DeviceId"], row["ServiceName"]) == ("gw-test", "eu-007", "digits")
    assert row["ResourceAttributes"]["edge.gateway.id"] == "gw-test"
    assert row["ResourceAttributes"]["edge.clock.sent_unix_nano"] == "1760000000000000000"
    received = int(row["ResourceAttributes"]["edge.gateway.received_unix_nano"])
    assert before <= received <= time.time_ns()
    assert row["at"] == received // 1_000_000


def test_every_kind_of_metric_reaches_its_table(store, database, gateway) -> None:
    now = time.time_ns()
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    at = {"start_time_unix_nano": now - HOUR_NS, "time_unix_nano": now, "attributes": [text("edge.model.name", "m")]}
    scope.metrics.add(name="g").gauge.data_points.add(as_double=0.25, **at)
    requests = scope.metrics.add(name="edge.inference.requests", unit="{request}").sum
    requests.aggregation_temporality, requests.is_monotonic = 2, True
    requests.data_points.add(as_int=41, **at)
    scope.metrics.add(name="h").histogram.data_points.add(
        count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5], **at
    )
    exponential = scope.metrics.add(name="e").exponential_histogram.data_points.add(count=4, sum=2.5, scale=6, **at)
    exponential.positive.offset = -7
    exponential.positive.bucket_counts.extend([1, 3])
    scope.metrics.add(name="s").summary.data_points.add(count=1, sum=9.0, **at).quantile_values.add(
        quantile=0.5, value=9
    )
    assert gateway.send("metrics", request).status_code == 200

    (total,) = rows_when(
        store, database, "otel_metrics_sum", 1, "Value, ModelName, AggregationTemporality, IsMonotonic", "1"
    )
    assert total == {"Value": 41.0, "ModelName": "m", "AggregationTemporality": 2, "IsMonotonic": True}
    assert rows_when(store, database, "otel_metrics_gauge", 1, "Value", "1") == [{"Value": 0.25}]
    (plain,) = rows_when(store, database, "otel_metrics_histogram", 1, "BucketCounts, ExplicitBounds, Sum", "3")
    assert plain == {"BucketCounts": [1, 2], "ExplicitBounds": [0.5], "Sum": 1.5}
    columns = "Scale, PositiveOffset, PositiveBucketCounts"
    (row,) = rows_when(store, database, "otel_metrics_exponential_histogram", 1, columns, "1")
    assert row == {"Scale": 6, "PositiveOffset": -7, "PositiveBucketCounts": [1, 3]}
    assert rows_when(store, database, "otel_metrics_summary", 1, "Count", "1") == [{"Count": 1}]


def test_a_series_is_one_through_two_gateways(store, database, gateways) -> None:
    """Whatever gateways stamp, a device that moves between them goes on with the series it began."""
    now = time.time_ns()
    for number, name in enumerate(("gw-a", "gw-b")):
        gateway = gateways(store.url, database, SLOENGINE_GATEWAY_ID=name)
        gateway.start()
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add()
        of_resource.resource.attributes.extend([text("service.name", "digits"), text("device.id", "eu-007")])
        scope = of_resource.scope_metrics.add()
        at = {"start_time_unix_nano": now - HOUR_NS, "time_unix_nano": now + number * 1_000_000}
        scope.metrics.add(name="g").gauge.data_points.add(as_double=0.25, **at)
        requests = scope.metrics.add(name="edge.inference.requests").sum
        requests.aggregation_temporality, requests.is_monotonic = 2, True
        requests.data_points.add(as_int=41, **at)
        scope.metrics.add(name="h").histogram.data_points.add(
            count=3, sum=1.5, bucket_counts=[1, 2], explicit_bounds=[0.5], **at
        )
        scope.metrics.add(name="e").exponential_histogram.data_points.add(count=4, sum=2.5, scale=6, **at)
        assert gateway.send("metrics", request, **{"x-edge-clock-unix-nano": str(now + number)}).status_code == 200
    for table in ("sum", "gauge", "histogram", "exponential_histogram"):
        columns = "StreamId, SeriesId, GatewayId"
        first, second = rows_when(store, database, f"otel_metrics_{table}", 2, columns, "GatewayId")
        assert (first["GatewayId"], second["GatewayId"]) == ("gw-a", "gw-b")
        assert first["StreamId"] == second["StreamId"]
        assert first["SeriesId"] != second["SeriesId"]


WEIGHTS = {
    "ot=th:8": 2.0,
    "ot=th:0": 1.0,
    "vendor=x,ot=rv:ffffffffffffff;th:c": 4.0,
    "ot=th:fd70a3d70a3d71": 100.0,
    "": None,
    "vendor=x": None,
    "ot=rv:00000000000001": None,
    # The randomness is below the threshold: the span cannot have been sampled at that.
    "ot=rv:00000000000001;th:8": None,
}


def weights(store, database: str, gateway) -> dict[str, float | None]:
    spans = [{"trace_state": state, "name": str(number)} for number, state in enumerate(WEIGHTS)]
    assert gateway.send("traces", traces(*spans)).status_code == 200
    rows = rows_when(store, database, "otel_traces", len(spans), "SpanName, AdjustedCount", "SpanName")
    states = list(WEIGHTS)
    return {states[int(row["SpanName"])]: row["AdjustedCount"] for row in rows}


def test_without_gateway_sampling_weights_are_the_devices_own_and_absent_stays_unknown(
    store, database, gateway
) -> None:
    found = weights(store, database, gateway)
    assert found == {state: pytest.approx(weight) if weight else None for state, weight in WEIGHTS.items()}


def test_spans_without_ids_or_with_a_broken_tracestate_pass(store, database, gateway) -> None:
    broken = [{"trace_id": b""}, {"trace_state": "ot=th:zz"}, {"trace_state": "=,=;;"}, {"trace_state": "x" * 600}]
    assert gateway.send("traces", traces(*broken)).status_code == 200
    rows = rows_when(store, database, "otel_traces", len(broken), "AdjustedCount", "SpanName")
    assert rows == [{"AdjustedCount": None}] * len(broken)


def test_gateway_sampling_raises_weights_to_its_own_and_leaves_unknown_unknown(store, database, gateways) -> None:
    gateway = gateways(store.url, database, SLOENGINE_SPAN_PERCENT="25")
    gateway.start()
    sent = 400
    spans = [
        {"trace_id": os.urandom(16), "trace_state": "ot=th:0" if number % 2 else "", "name": str(number)}
        for number in range(sent)
    ]
    assert gateway.send("traces", traces(*spans)).status_code == 200
    harder = {"trace_state": "ot=rv:ffffffffffffff;th:f", "name": "16"}
    assert gateway.send("traces", traces(harder)).status_code == 200
    wait_for(lambda: store.value("SELECT countIf(SpanName = '16' AND AdjustedCount = 16) n FROM otel_traces", database))
    rows = store.rows(
        "SELECT AdjustedCount AS weight, count() AS n FROM otel_traces WHERE SpanName != '16' OR AdjustedCount IS NULL"
        " GROUP BY weight",
        database,
    )
    counts = {row["weight"]: row["n"] for row in rows}
    assert set(counts) == {4.0, None}
    # 200 spans each, a quarter kept: five standard deviations around 50.
    assert all(20 <= count <= 80 for count in counts.values())


def test_clocks_that_are_off_are_moved_to_receipt_and_the_claim_is_kept(store, database, gateway) -> None:
    now = time.time_ns()
    spans = [
        {"name": "a 1970", "start_time_unix_nano": 0, "end_time_unix_nano": 7},
        {"name": "b 2100", "start_time_unix_nano": YEAR_2100_NS, "end_time_unix_nano": YEAR_2100_NS + 7},
        {"name": "c 2262", "start_time_unix_nano": 2**63 + 1, "end_time_unix_nano": 2**63 + 8},
        {"name": "d negative", "start_time_unix_nano": now, "end_time_unix_nano": now - 7},
        {"name": "e ends in 2100", "start_time_unix_nano": now, "end_time_unix_nano": YEAR_2100_NS},
        {"name": "f fine", "start_time_unix_nano": now - 39 * 24 * HOUR_NS, "end_time_unix_nano": now},
    ]
    assert gateway.send("traces", traces(*spans)).status_code == 200
    columns = (
        "SpanName, Duration, toUnixTimestamp64Nano(Timestamp) AS at, SpanAttributes AS a,"
        " toInt64(ResourceAttributes['edge.gateway.received_unix_nano']) AS received"
    )
    rows = rows_when(store, database, "otel_traces", 6, columns, "SpanName")
    original, original_end = "edge.original_time_unix_nano", "edge.original_end_time_unix_nano"
    assert [row["a"] for row in rows] == [
        {original: "0"},
        {original: str(YEAR_2100_NS)},
        {original: str(1 - 2**63)},
        {original_end: str(now - 7)},
        {original_end: str(YEAR_2100_NS)},
        {},
    ]
    assert [row["Duration"] for row in rows] == [7, 7, 7, 0, 0, 39 * 24 * HOUR_NS]
    assert [row["at"] == row["received"] for row in rows] == [True, True, True, False, False, False]


def test_secrets_are_masked_and_long_values_are_cut(store, database, gateway) -> None:
    attributes = [
        text("user", "write to jane.doe@example.org now"),
        text("card", "paid with 4111111111111111"),
        text("number", "0.4242424242424242"),
        text("api_key", "abcdef"),
        text("jwt", "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl"),
        text("gen_ai.usage.input_tokens", "12"),
        text("long", "x" * 1_000_000),
        text("empty", ""),
        KeyValue(key="score", value=AnyValue(double_value=0.4242424242424242)),
        KeyValue(key="nothing"),
    ]
    assert gateway.send("traces", traces({"attributes": attributes})).status_code == 200
    (row,) = rows_when(store, database, "otel_traces", 1, "SpanAttributes AS a", "SpanName")
    assert row["a"] == {
        "user": "write to **** now",
        "card": "paid with ****",
        "number": "0.4242424242424242",
        "api_key": "****",
        "jwt": "****",
        "gen_ai.usage.input_tokens": "12",
        "long": "x" * 4096,
        "empty": "",
        "score": "0.4242424242424242",
        "nothing": "",
    }


KEPT = [
    '{"score":0.4242424242424242,"p":[0.1234567890123456,1.5111111111111118e-05],"t":1764368000.4111111111}',
    '{"ts":1764368000123456789,"us":1764368000123456,"n":4111111111111111111,"short":411111111111111}',
    '{"trace":"4bf92f3577b34da6a3ce929d0e0e4736","span":"4111111111111111a","id":"x4111111111111111"}',
    "id 12344567-4123-4567-8901-234567890123, lot 12-4123-4567-8901-2345, v1.4111111111111111",
    "-0.3711111111111114 9.34111111111111111",
]
MASKED = {
    "paid with 4111111111111111": "paid with ****",
    "4111 1111 1111 1111, 5500-0000-0000-0004 3782 822463 10005": "****, **** ****",
    '{"card":"4111-1111-1111-1111","other":"2221000000000009"}': '{"card":"****","other":"****"}',
    "card:378282246310005.": "card:****.",
    "paid.5105105105105100 no-4012888888881881": "paid.**** no-****",
}


def test_card_numbers_are_masked_in_bodies_and_numbers_and_ids_are_not(store, database, gateway) -> None:
    bodies = [*KEPT, *MASKED]
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.append(text("device.id", "4111111111111111"))
    records = of_resource.scope_logs.add().log_records
    at = time.time_ns() // 1000 * 1000
    for number, body in enumerate(bodies):
        body_ = AnyValue(string_value=body)
        records.add(time_unix_nano=at + number, body=body_, attributes=[text("copy", body)])
    inside = AnyValue()
    for key, value in (("score", 0.4242424242424242), ("half", 0.5)):
        inside.kvlist_value.values.add(key=key, value=AnyValue(double_value=value))
    inside.kvlist_value.values.append(text("note", "paid with 4111111111111111"))
    records.add(time_unix_nano=at + 999, body=inside)
    assert gateway.send("logs", request).status_code == 200
    columns = "Body, LogAttributes['copy'] AS c, DeviceId"
    rows = rows_when(store, database, "otel_logs", len(bodies) + 1, columns, "Timestamp")
    assert [row["Body"] for row in rows[:-1]] == [row["c"] for row in rows[:-1]] == [*KEPT, *MASKED.values()]
    assert {row["DeviceId"] for row in rows} == {"4111111111111111"}
    assert rows[-1]["Body"] == '{"half":0.5,"note":"paid with****","score":0.4242424242424242}'


def test_metric_points_that_mean_nothing_are_dropped_and_counted_by_reason(store, database, gateway) -> None:
    now = time.time_ns()
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    points = scope.metrics.add(name="g").gauge.data_points
    for value, at in ((1.5, now), (float("nan"), now), (float("-inf"), now), (2.5, 5), (3.5, YEAR_2100_NS)):
        points.add(as_double=value, time_unix_nano=at)
    scope.metrics.add(name="without a type")
    scope.metrics.add(name="without points").sum.is_monotonic = True
    assert gateway.send("metrics", request).status_code == 200
    assert rows_when(store, database, "otel_metrics_gauge", 1, "Value", "1") == [{"Value": 1.5}]
    dropped = gateway.counters("otelcol_processor_filter_datapoints_filtered")
    assert dropped == {
        'filter="filter/no_data"': 0,
        'filter="filter/time_out_of_range"': 2,
        'filter="filter/not_a_number"': 2,
    }


def test_an_event_has_its_name_in_the_column_and_in_the_attribute(store, database, gateway) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(event_name="edge.model.load_failed", body=AnyValue(string_value="mail jane@example.org"))
    records.add(observed_time_unix_nano=time.time_ns(), attributes=[text("event.name", "edge.inference.failed")])
    assert gateway.send("logs", request).status_code == 200
    columns = "EventName, LogAttributes['event.name'] AS attribute, Body"
    assert rows_when(store, database, "otel_logs", 2, columns, "EventName") == [
        {"EventName": "edge.inference.failed", "attribute": "edge.inference.failed", "Body": ""},
        {"EventName": "edge.model.load_failed", "attribute": "edge.model.load_failed", "Body": "mail ****"},
    ]


def test_garbage_is_answered_with_400_and_crashes_nothing(gateway) -> None:
    for body in (b"\xff\xff\xff", b"not protobuf", os.urandom(1000), b"\x0a\x05\x12\x03\x12\x01\x0a"):
        answer = httpx.post(
            f"{gateway.http}/v1/traces", content=body, headers={"content-type": "application/x-protobuf"}
        )
        assert answer.status_code == 400
    assert gateway.is_healthy()


def test_devices_need_the_token_when_the_overlay_is_on(store, database, gateways, collector_dir) -> None:
    gateway = gateways(store.url, database, SLOENGINE_GATEWAY_TOKEN="s3cret")
    gateway.overlays.append(collector_dir / "gateway-auth.yaml")
    gateway.start()
    assert gateway.send("traces", traces({})).status_code == 401
    assert gateway.send("traces", traces({}), authorization="Bearer wrong").status_code == 401
    assert gateway.send("traces", traces({}), authorization="Bearer s3cret").status_code == 200
    assert wait_for(lambda: store.value("SELECT count() n FROM otel_traces", database) == 1)
