"""The engine's own OTLP door and the real gateway write the same rows for the same requests."""

import asyncio
import json
import math
import os
import random
import time
from datetime import UTC, datetime

import clickhouse_connect
import httpx
import pytest
from collector_running import PROTOBUF, wait_for
from fastapi import FastAPI
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from sloengine.otlp import door, rows

pytestmark = pytest.mark.collector
SEED = 20260
DAY_NS = 86_400_000_000_000

TEXTS = [
    "",
    "plain",
    'æøå\n\ttab "quotes" \\ <&> \u2028 \x01\x7f\b\f',
    "mail jane.doe@example.org, and joe@a.b.example.co.uk.",
    "4111 1111 1111 1111 or 5500000000000004",
    '{"a":0.4242424242424242,"b":4111111111111111,"c":"5500 0000 0000 0004"}',
    "bearer abcdefgh12345678",
    "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl",
    "ghp_" + "a1" * 20,
    "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
    "é" * 3000,
    "x" * 4095 + "é",
    "line\nline\n",
    "🙂" * 1025,
]
KEYS = [
    "k",
    "edge.model.name",
    "edge.model.version",
    "device.id",
    "edge.region",
    "api_key",
    "db.password",
    "token_count",
]
KEYS += ["edge.original_time_unix_nano", "edge.original_end_time_unix_nano", "edge.tmp.tracestate", "event.name", "é"]
RESOURCE_KEYS = [*KEYS, "service.name", "service.version", "edge.gateway.id", "edge.gateway.received_unix_nano"]
NUMBERS = [
    0.0,
    -0.0,
    1.0,
    0.1,
    1e16,
    1e20,
    1e21,
    1.5e300,
    1e-6,
    9.9e-7,
    1e-7,
    1.25e-10,
    5e-324,
    -2.5,
    0.4242424242424242,
]
STATES = [
    "",
    "v=1",
    "ot=th:8",
    "ot=th:0",
    "a=b,ot=rv:abcdefabcdefab;th:c",
    "ot=th:ffffffffffffff",
    "ot=th:4;xx:1",
    "ot=th:8,a=th:1",
]


class Random:
    """Requests with everything in them, from a seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.now = time.time_ns()
        self.made = 0

    def name(self) -> str:
        self.made += 1
        return f"n{self.made}"

    def value(self, depth: int = 0) -> AnyValue:
        pick = self.dice.randrange(8 if depth < 3 else 6)
        if pick == 0:
            return AnyValue()
        if pick in (1, 2):
            # Inside lists and maps, the gateway's disk queue turns empty texts into nothing: null instead of "".
            return AnyValue(string_value=self.dice.choice(TEXTS[1:] if depth else TEXTS))
        if pick == 3:
            return AnyValue(bool_value=self.dice.random() < 0.5)
        if pick == 4:
            return AnyValue(int_value=self.dice.choice([0, -1, 2**63 - 1, -(2**63), 4111111111111111]))
        if pick == 5:
            special = [math.nan, math.inf, -math.inf] if self.dice.random() < 0.1 else NUMBERS
            return AnyValue(double_value=self.dice.choice(special))
        if pick == 6:
            return AnyValue(
                array_value=ArrayValue(values=[self.value(depth + 1) for _ in range(self.dice.randrange(3))])
            )
        if self.dice.random() < 0.3:
            return AnyValue(bytes_value=self.dice.randbytes(self.dice.randrange(1, 5)))
        return AnyValue(kvlist_value=KeyValueList(values=self.attributes(KEYS, depth + 1)))

    def attributes(self, keys: list[str], depth: int = 0) -> list[KeyValue]:
        some = self.dice.sample(keys, self.dice.randrange(min(6, len(keys))))
        return [KeyValue(key=key, value=self.value(depth)) for key in some]

    def time(self) -> int:
        recent = self.now - self.dice.randrange(10**9)
        odd = [0, 5, self.now - 39 * DAY_NS, self.now - 41 * DAY_NS, self.now + DAY_NS, 2**63 - 1, 2**63, 2**64 - 1]
        return recent if self.dice.random() < 0.6 else self.dice.choice(odd)

    def identifier(self, size: int) -> bytes:
        return self.dice.choice([b"", bytes(size), self.dice.randbytes(size), self.dice.randbytes(size)])

    def traces(self) -> ExportTraceServiceRequest:
        request = ExportTraceServiceRequest()
        for _ in range(self.dice.randrange(1, 4)):
            of_resource = request.resource_spans.add(schema_url="https://r")
            of_resource.resource.attributes.extend(self.attributes(RESOURCE_KEYS))
            of_scope = of_resource.scope_spans.add()
            self.scope(of_scope.scope)
            for _ in range(self.dice.randrange(1, 12)):
                self.span(of_scope.spans.add())
        return request

    def span(self, span) -> None:
        span.trace_id, span.span_id, span.parent_span_id = self.identifier(16), self.identifier(8), self.identifier(8)
        span.start_time_unix_nano = self.time()
        length = self.dice.choice([0, 1, 10**6, 10**9, 7200 * 10**9, -1, -(10**12)])
        natural = max(0, min(2**64 - 1, span.start_time_unix_nano + length))
        span.end_time_unix_nano = natural if self.dice.random() < 0.7 else self.time()
        span.name, span.kind = self.name(), self.dice.randrange(6)
        span.trace_state = self.dice.choice(STATES)
        span.attributes.extend(self.attributes(KEYS))
        span.status.code, span.status.message = self.dice.randrange(3), self.dice.choice(TEXTS[:4])
        for _ in range(self.dice.randrange(3)):
            span.events.add(time_unix_nano=self.time(), name="e", attributes=self.attributes(KEYS))
        for _ in range(self.dice.randrange(3)):
            span.links.add(
                trace_id=self.identifier(16),
                span_id=self.identifier(8),
                trace_state=self.dice.choice(STATES),
                attributes=self.attributes(KEYS),
            )

    def scope(self, scope) -> None:
        scope.name, scope.version = self.dice.choice(["", "sloengine.edge"]), self.dice.choice(["", "1"])
        scope.dropped_attributes_count = self.dice.randrange(3)
        scope.attributes.extend(self.attributes(KEYS))

    def logs(self) -> ExportLogsServiceRequest:
        request = ExportLogsServiceRequest()
        of_resource = request.resource_logs.add(schema_url="https://r")
        of_resource.resource.attributes.extend(self.attributes(RESOURCE_KEYS))
        of_scope = of_resource.scope_logs.add(schema_url="https://s")
        self.scope(of_scope.scope)
        for _ in range(self.dice.randrange(1, 20)):
            of_scope.log_records.add(
                time_unix_nano=self.time(),
                observed_time_unix_nano=self.time(),
                severity_number=self.dice.randrange(25),
                severity_text=self.name(),
                flags=self.dice.choice([0, 1, 257]),
                trace_id=self.identifier(16),
                span_id=self.identifier(8),
                event_name=self.dice.choice(["", "", "edge.model.load_failed"]),
                body=AnyValue(string_value="é" * 40_000) if self.dice.random() < 0.1 else self.value(),
                attributes=self.attributes(KEYS),
            )
        return request

    def metrics(self) -> ExportMetricsServiceRequest:
        request = ExportMetricsServiceRequest()
        of_resource = request.resource_metrics.add(schema_url="https://r")
        of_resource.resource.attributes.extend(self.attributes(RESOURCE_KEYS))
        of_scope = of_resource.scope_metrics.add(schema_url="https://s")
        self.scope(of_scope.scope)
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary", None):
            metric = of_scope.metrics.add(name=f"m.{kind}", description=self.dice.choice(TEXTS[:4]), unit="s")
            if kind is not None:
                data = getattr(metric, kind)
                data.SetInParent()
                self.points(kind, data)
        return request

    def points(self, kind: str, data) -> None:
        if kind not in ("gauge", "summary"):
            data.aggregation_temporality = self.dice.randrange(3)
        if kind == "sum":
            data.is_monotonic = self.dice.random() < 0.5
        for _ in range(self.dice.randrange(8)):
            point = data.data_points.add(time_unix_nano=self.time(), flags=self.dice.randrange(2))
            point.start_time_unix_nano = self.dice.choice([0, self.time()])
            point.attributes.extend(
                [*self.attributes(KEYS), KeyValue(key="n", value=AnyValue(string_value=self.name()))]
            )
            getattr(self, f"_{kind}")(point)

    def _gauge(self, point) -> None:
        pick = self.dice.randrange(4)
        if pick == 0:
            point.as_int = self.dice.choice([0, -5, 2**53 + 1, 2**63 - 1])
        elif pick == 1:
            point.as_double = self.dice.choice([math.nan, math.inf, -math.inf])
        elif pick == 2:
            point.as_double = self.dice.choice(NUMBERS)
        self._exemplars(point)

    _sum = _gauge

    def _exemplars(self, point) -> None:
        for _ in range(self.dice.randrange(3)):
            exemplar = point.exemplars.add(
                time_unix_nano=self.time(), span_id=self.identifier(8), trace_id=self.identifier(16)
            )
            exemplar.filtered_attributes.extend(self.attributes(KEYS))
            if self.dice.random() < 0.7:
                exemplar.as_double = self.dice.choice(NUMBERS)

    def _measure(self, point) -> None:
        point.count = self.dice.randrange(2**64)
        if self.dice.random() < 0.7:
            point.sum, point.min, point.max = self.dice.choice([*NUMBERS, math.nan]), -1.5, 2.5
        self._exemplars(point)

    def _histogram(self, point) -> None:
        self._measure(point)
        point.bucket_counts.extend([1, 2, 2**64 - 1])
        point.explicit_bounds.extend([0.5, 1.5])

    def _exponential_histogram(self, point) -> None:
        self._measure(point)
        point.scale, point.zero_count = self.dice.randrange(-10, 20), self.dice.randrange(3)
        point.positive.offset = self.dice.randrange(-(2**31), 2**31)
        point.positive.bucket_counts.extend([0, 5])
        point.negative.bucket_counts.extend([7] * self.dice.randrange(3))

    def _summary(self, point) -> None:
        point.count, point.sum = 3, self.dice.choice(NUMBERS)
        for _ in range(self.dice.randrange(3)):
            point.quantile_values.add(quantile=self.dice.random(), value=self.dice.choice(NUMBERS))


def clock_of(number: int) -> dict[str, str]:
    """The clock that a request's header tells: none, one, or nonsense."""
    told = ("", "1760000000000000000", "yesterday", "17600000000000000000")[number % 4]
    return {"x-edge-clock-unix-nano": told} if told else {}


def through_the_door(store, database: str, requests: list[tuple[str, Message]]) -> dict[str, int]:
    """Sends to a door that writes into the database; what was dropped, by reason."""
    client = clickhouse_connect.get_client(host="127.0.0.1", port=store.port, database=database)
    dropped: dict[str, int] = {}

    def insert(table: str, columns: list[str], table_rows: list[list[object]]) -> None:
        client.insert(table, table_rows, column_names=columns)

    def count(signal: str, reasons) -> None:
        for reason, items in reasons.items():
            dropped[reason] = dropped.get(reason, 0) + items

    app = FastAPI()
    app.include_router(door.router(insert, None, "gw-test", lambda: datetime.now(UTC), count_dropped=count))

    async def post() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://door") as http:
            for number, (kind, request) in enumerate(requests):
                headers = {**PROTOBUF, **clock_of(number)}
                answer = await http.post(f"/v1/{kind}", content=request.SerializeToString(), headers=headers)
                assert answer.status_code == 200, answer.content

    try:
        asyncio.run(post())
    finally:
        client.close()
    return dropped


def read(store, database: str, table: str) -> list[str]:
    """All columns of all rows but the times of receipt, as sorted lines; a time of receipt elsewhere reads RECEIVED."""
    received = "toInt64(ResourceAttributes['edge.gateway.received_unix_nano'])"
    sql = (
        "SELECT * EXCEPT (IngestTime, GatewayTime),"
        f" {received} AS _ns, toString(fromUnixTimestamp64Nano({received}, 'UTC')) AS _text FROM {table}"
    )
    lines = []
    for row in store.rows(sql, database):
        nanoseconds, moment = row.pop("_ns"), row.pop("_text")
        line = json.dumps(row, sort_keys=True, ensure_ascii=False)
        lines.append(line.replace(moment, "RECEIVED").replace(str(nanoseconds), "RECEIVED"))
    return sorted(lines)


def differences(ours: list[str], theirs: list[str]) -> list[str]:
    """Field by field, for rows that only one of the two has: readable when it fails."""
    mine, others = ({_name(row): row for row in map(json.loads, lines)} for lines in (ours, theirs))
    told = [f"{name}: door {name in mine}, gateway {name in others}" for name in mine.keys() ^ others.keys()]
    for name in mine.keys() & others.keys():
        one, other = mine[name], others[name]
        told += [f"{name}.{key}: door {one[key]!r}, gateway {other[key]!r}" for key in one if one[key] != other[key]]
    return [line[:1000] for line in told[:10]]


def _name(row: dict) -> str:
    """The unique name that its maker gave to the span, record or point."""
    return row.get("SpanName") or row.get("SeverityText") or row["Attributes"]["n"]


def test_the_same_requests_give_equal_rows(store, database, gateways) -> None:
    seed = int(os.environ.get("SLOENGINE_TEST_SEED", SEED))
    made = Random(seed)
    requests = [(kind, getattr(made, kind)()) for _ in range(12) for kind in ("traces", "metrics", "logs")]
    other = f"{database}_door"
    store.migrate(other)
    gateway = gateways(store.url, database)
    gateway.start()
    for number, (kind, request) in enumerate(requests):
        assert gateway.send(kind, request, **clock_of(number)).status_code == 200
    dropped = through_the_door(store, other, requests)
    for table in rows.COLUMNS:
        expected = store.value(f"SELECT count() AS n FROM {table}", other)
        assert expected > 0, table
        wait_for(
            lambda table=table, expected=expected: store.value(f"SELECT count() n FROM {table}", database) >= expected
        )
        ours, theirs = read(store, other, table), read(store, database, table)
        assert len(ours) == len(theirs), (seed, table)
        assert differences(ours, theirs) == [], (seed, table)
    counted = gateway.counters("otelcol_processor_filter_datapoints_filtered")
    for reason in (rows.TIME_OUT_OF_RANGE, rows.NOT_A_NUMBER):
        assert counted[f'filter="filter/{reason}"'] == dropped[reason] > 0
