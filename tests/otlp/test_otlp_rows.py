"""OTLP to rows: the gateway's rules and the exporter's text forms, without a gateway."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from sloengine.otlp import rows, values
from sloengine.otlp.gateway import Gateway, honest_tracestate, signed

NOW_NS = 1_777_863_721_123_456_000
HOUR_NS = 3_600_000_000_000
GATEWAY = Gateway("gw", NOW_NS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (AnyValue(), ""),
        (AnyValue(string_value="a"), "a"),
        (AnyValue(bool_value=True), "true"),
        (AnyValue(int_value=-(2**63)), "-9223372036854775808"),
        (AnyValue(double_value=1.0), "1"),
        (AnyValue(double_value=-0.0), "-0"),
        (AnyValue(double_value=1e20), "100000000000000000000"),
        (AnyValue(double_value=1e21), "1e+21"),
        (AnyValue(double_value=0.000001), "0.000001"),
        (AnyValue(double_value=1.25e-7), "1.25e-7"),
        (AnyValue(double_value=math.inf), "Infinity"),
        (AnyValue(bytes_value=b"\x00\xff"), "AP8="),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])), "[1,null]"),
        (
            AnyValue(
                kvlist_value=KeyValueList(
                    values=[
                        KeyValue(key="b", value=AnyValue(double_value=2.0)),
                        KeyValue(key="a", value=AnyValue(string_value='"<é\u2028')),
                    ]
                )
            ),
            '{"a":"\\"<é\\u2028","b":2}',
        ),
        (AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=math.nan)])), ""),
    ],
)
def test_values_have_the_exporters_text_form(value: AnyValue, text: str) -> None:
    assert values.as_string(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_text_of_a_number_reads_back_as_that_number(number: float) -> None:
    assert float(values.number(number)) == number


@given(st.text(), st.integers(0, 50))
def test_cutting_keeps_a_prefix_within_the_bytes(text: str, bytes_max: int) -> None:
    cut = values.truncate(text, bytes_max)
    assert text.startswith(cut)
    assert len(cut.encode()) <= bytes_max
    assert cut == text or len((cut + text[len(cut)]).encode()) > bytes_max


@pytest.mark.parametrize(
    ("state", "trace_id", "honest"),
    [
        ("ot=th:8", "f" * 32, "ot=th:8"),
        ("ot=th:8", "0" * 18 + "80000000000000", "ot=th:8"),
        ("ot=th:8", "0" * 18 + "7fffffffffffff", "ot=xth:8"),
        ("v=1,ot=rv:00000000000001;th:8", "f" * 32, "v=1,ot=rv:00000000000001;xth:8"),
        ("ot=rv:ffffffffffffff;th:8", "0" * 31 + "1", "ot=rv:ffffffffffffff;th:8"),
        ("ot=th:8", "", "ot=xth:8"),
        ("ot=th:0", "", "ot=th:0"),
        ("other=th:8", "0" * 31 + "1", "other=th:8"),
        ("", "0" * 31 + "1", ""),
    ],
)
def test_a_threshold_above_the_traces_randomness_is_no_weight(state: str, trace_id: str, honest: str) -> None:
    assert honest_tracestate(state, trace_id) == honest


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (NOW_NS, NOW_NS + 7, (NOW_NS, NOW_NS + 7, {})),
        (NOW_NS + HOUR_NS, NOW_NS + HOUR_NS, (NOW_NS + HOUR_NS, NOW_NS + HOUR_NS, {})),
        (0, 7, (NOW_NS, NOW_NS + 7, {"edge.original_time_unix_nano": "0"})),
        (NOW_NS, NOW_NS - 1, (NOW_NS, NOW_NS, {"edge.original_end_time_unix_nano": str(NOW_NS - 1)})),
        (NOW_NS, 0, (NOW_NS, NOW_NS, {"edge.original_end_time_unix_nano": "0"})),
    ],
)
def test_span_times_are_moved_into_bounds(start: int, end: int, expected: tuple[int, int, dict[str, str]]) -> None:
    assert GATEWAY.span_times(start, end) == expected


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_no_pair_of_span_times_leaves_the_bounds_or_runs_backwards(start: int, end: int) -> None:
    new_start, new_end, moved = GATEWAY.span_times(signed(start), signed(end))
    assert GATEWAY.in_bounds(new_start)
    assert new_start <= new_end <= NOW_NS + HOUR_NS
    assert moved or (new_start, new_end) == (start, end)


def test_points_out_of_bounds_and_not_numbers_are_dropped_by_reason_and_the_rest_is_kept() -> None:
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    data = scope.metrics.add(name="n").sum.data_points
    data.add(time_unix_nano=NOW_NS, as_int=3, start_time_unix_nano=NOW_NS + 1)
    data.add(time_unix_nano=NOW_NS, as_double=math.inf)
    data.add(time_unix_nano=NOW_NS + HOUR_NS + 1, as_int=3)
    data.add(time_unix_nano=2**64 - 1, as_int=3)
    scope.metrics.add(name="no type")
    batch = rows.metrics(request, GATEWAY)
    assert batch.dropped == {"time_out_of_range": 2, "not_a_number": 1, "no_data": 1}
    (row,) = (dict(zip(rows.COLUMNS["otel_metrics_sum"], row, strict=True)) for row in batch.rows["otel_metrics_sum"])
    assert (row["Value"], row["StartTimeUnix"], row["TimeUnix"]) == (3.0, 0, NOW_NS)


def test_a_body_is_redacted_in_depth() -> None:
    body = KeyValueList(
        values=[
            KeyValue(key="password", value=AnyValue(string_value="hunter2")),
            KeyValue(key="device.id", value=AnyValue(string_value="4111111111111111")),
            KeyValue(key="to", value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value="a@b.example")]))),
        ]
    )
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    records.add(time_unix_nano=NOW_NS, body=AnyValue(kvlist_value=body))
    ((_, *row),) = rows.logs(request, GATEWAY).rows["otel_logs"]
    assert row[6] == '{"device.id":"4111111111111111","password":"****","to":["****"]}'


def test_columns_exist_once_in_every_table() -> None:
    for table, columns in rows.COLUMNS.items():
        assert len(set(columns)) == len(columns), table
