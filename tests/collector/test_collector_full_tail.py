"""Tail sampling in the full gateway: what is kept, and that every kept span's weight is right or unknown."""

import math
import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from collector_running import FullGateway, TailGateway, wait_for, within_three_tries
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

pytestmark = pytest.mark.collector
SETTINGS = {"SLOENGINE_TAIL_WAIT": "1s", "SLOENGINE_TAIL_PERCENT": "25", "SLOENGINE_TAIL_SLOW_MS": "800"}
SECOND_NS = 1_000_000_000
SEED = 7
KEPT = b"\xff" * 7  # a randomness that every sampler keeps
LOST = b"\x00" * 7  # and one that none keeps that drops anything


@pytest.fixture(scope="module")
def tail(store, full_database, full_binary, tmp_path_factory) -> Iterator[TailGateway]:
    gateway = TailGateway(tmp_path_factory.mktemp("tail"), store.url, full_database, **SETTINGS)
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end(signal.SIGKILL)


def add_span(request: ExportTraceServiceRequest, name: str, trace_id: bytes, **more) -> None:
    """A span of 1 ms; `slow` makes it 1 s, `error` makes it fail."""
    scopes = request.resource_spans or [request.resource_spans.add()]
    scope = (scopes[0].scope_spans or [scopes[0].scope_spans.add()])[0]
    start = time.time_ns() - 2 * SECOND_NS
    slow, error = more.pop("slow", False), more.pop("error", False)
    end = start + (SECOND_NS if slow else 1_000_000)
    times = {"start_time_unix_nano": start, "end_time_unix_nano": end}
    span = scope.spans.add(name=name, trace_id=trace_id, span_id=os.urandom(8), **{**times, **more})
    span.status.code = 2 if error else 0


def send(gateway: FullGateway, request: ExportTraceServiceRequest) -> None:
    assert gateway.send("traces", request).status_code == 200


def stored(store, database: str, like: str, spans: int) -> dict[str, tuple[float | None, str]]:
    """Weight and tracestate by span name, once so many spans of such names are there."""
    sql = f"SELECT SpanName AS name, AdjustedCount AS w, TraceState AS state FROM otel_traces WHERE SpanName LIKE '{like}'"
    assert wait_for(lambda: len(store.rows(sql, database)) >= spans), store.rows(sql, database)
    return {row["name"]: (row["w"], row["state"]) for row in store.rows(sql, database)}


STATES = ("", "vendor=x", "ot=th:0", "ot=th:8", "ot=th:f8", "vendor=x,ot=th:8;other:y", "ot=rv:fffffffffffffe;th:8")
# Kept for certain here: the device's own weight stands, and none where it gave none.
CERTAIN = {"ot=th:0": 1, "ot=th:8": 2, "ot=th:f8": 32, STATES[5]: 2, STATES[6]: 2}
# Kept with the share of 1/4: the larger threshold of the two.
SHARED = {"ot=th:0": 4, "ot=th:8": 4, "ot=th:f8": 32, STATES[5]: 4, STATES[6]: 4}


def test_each_policy_leaves_the_weight_of_one_over_the_chance_to_be_kept(store, full_database, tail) -> None:
    request = ExportTraceServiceRequest()
    for number, state in enumerate(STATES):
        for policy, what in {"error": {"error": True}, "slow": {"slow": True}, "share": {}}.items():
            add_span(request, f"policy {policy} {number}", os.urandom(9) + KEPT, trace_state=state, **what)
    send(tail, request)
    found = stored(store, full_database, "policy %", 3 * len(STATES))
    for policy, weights in {"error": CERTAIN, "slow": CERTAIN, "share": SHARED}.items():
        weighed = {state: found[f"policy {policy} {number}"][0] for number, state in enumerate(STATES)}
        assert weighed == {state: weights.get(state) for state in STATES}, policy
    # Everything else in the tracestate stays.
    members = {name: set(state.split(",")) for name, (_, state) in found.items()}
    assert members["policy share 5"] == {"vendor=x", "ot=th:c;other:y"}
    assert members["policy error 5"] == {"vendor=x", "ot=th:8;other:y"}
    assert {frozenset(member.removeprefix("ot=").split(";")) for member in members["policy share 6"]} == {
        frozenset(("rv:fffffffffffffe", "th:c"))
    }
    assert members["policy share 1"] == members["policy error 1"] == {"vendor=x"}


def test_a_whole_trace_is_kept_for_one_bad_span_and_what_cannot_be_weighed_is_unknown(
    store, full_database, tail
) -> None:
    request = ExportTraceServiceRequest()
    trace = os.urandom(9) + LOST
    for name, more in {"root": {}, "child": {"error": True}, "leaf": {}}.items():
        add_span(request, f"whole {name}", trace, trace_state="ot=th:0", **more)
    # Its own threshold says that it cannot have been sampled.
    add_span(request, "whole liar", os.urandom(9) + LOST, trace_state="ot=th:8", error=True)
    add_span(request, "whole broken", os.urandom(9) + KEPT, trace_state="ot=th:zz,=;", error=True)
    add_span(request, "whole without id", b"", trace_state="ot=th:8")
    add_span(request, "whole dropped", os.urandom(9) + LOST, trace_state="ot=th:0")
    send(tail, request)
    found = stored(store, full_database, "whole %", 6)
    assert {name: weight for name, (weight, _) in found.items()} == {
        "whole root": 1,
        "whole child": 1,
        "whole leaf": 1,
        "whole liar": None,
        "whole broken": None,
        "whole without id": None,
    }
    assert found["whole liar"][1] == "ot=xth:8"
    assert found["whole broken"][1] == "ot=th:zz,=;"


@within_three_tries
def test_late_spans_of_a_kept_trace_stay_with_unknown_weight_and_others_go(store, full_database, tail) -> None:
    first, late = ExportTraceServiceRequest(), ExportTraceServiceRequest()
    mark = f"late {os.urandom(4).hex()}"
    kept, lost = os.urandom(9) + KEPT, os.urandom(9) + LOST
    for trace, name in ((kept, "kept"), (lost, "lost")):
        add_span(first, f"{mark} {name} root", trace, trace_state="ot=th:0")
        add_span(late, f"{mark} {name} child", trace, trace_state="ot=th:0")
    send(tail, first)
    stored(store, full_database, f"{mark} %", 1)
    send(tail, late)
    found = stored(store, full_database, f"{mark} %", 2)
    assert found == {f"{mark} kept root": (4, "ot=th:c"), f"{mark} kept child": (None, "ot=xth:0")}


@dataclass(frozen=True)
class Trace:
    """One trace of a simulated device, whose head sampler keeps it if its randomness is at least the threshold."""

    kind: str
    threshold: str | None
    trace_id: bytes

    @property
    def head_kept(self) -> bool:
        return self.trace_id.hex()[18:] >= (self.threshold or "")

    @property
    def share_kept(self) -> bool:
        """By the gateway's share of 1/4, which decides by the same randomness."""
        return self.trace_id.hex()[18:] >= "c"


def simulated(dice: random.Random, traces: int) -> list[Trace]:
    """6 % failed, 4 % slow; devices that sample nothing, a half, one in eight, and ones that don't say."""

    def one() -> Trace:
        (kind,) = dice.choices(["error", "slow", "plain"], [6, 4, 90])
        (threshold,) = dice.choices(["0", "8", "e", None], [4, 3, 2, 1])
        return Trace(kind, threshold, dice.randbytes(16))

    return [one() for _ in range(traces)]


def requests_of(traces: list[Trace]) -> Iterator[ExportTraceServiceRequest]:
    """What passes the heads, two spans a trace; it is the child that fails."""
    for first in range(0, len(traces), 1000):
        request = ExportTraceServiceRequest()
        for trace in filter(lambda trace: trace.head_kept, traces[first : first + 1000]):
            known = trace.threshold is not None
            state, name = (
                (f"ot=th:{trace.threshold}" if known else ""),
                f"sim {trace.kind} {'' if known else 'un'}known",
            )
            add_span(request, name, trace.trace_id, trace_state=state, slow=trace.kind == "slow")
            add_span(request, "sim child", trace.trace_id, trace_state=state, error=trace.kind == "error")
        yield request


def test_totals_by_outcome_from_weights_agree_with_the_truth(store, full_database, tail) -> None:
    seed = int(os.environ.get("SLOENGINE_TEST_SEED", SEED))
    traces = simulated(random.Random(seed), 6000)
    for request in requests_of(traces):
        send(tail, request)
    per_name = (
        "SELECT SpanName AS name, count() AS n, sum(AdjustedCount) AS total, countIf(AdjustedCount IS NULL) AS unknown,"
        " sum(AdjustedCount * (AdjustedCount - 1)) AS variance FROM otel_traces WHERE SpanName LIKE 'sim %known' GROUP BY name"
    )
    counted = "SELECT count() AS n FROM otel_traces WHERE SpanName LIKE 'sim %known'"
    kept = sum(trace.head_kept and (trace.kind != "plain" or trace.share_kept) for trace in traces)
    assert wait_for(lambda: store.value(counted, full_database) == kept), (store.value(counted, full_database), kept)
    found = {row["name"]: row for row in store.rows(per_name, full_database)}
    for kind in ("error", "slow", "plain"):
        row = found[f"sim {kind} known"]
        truth = sum(trace.kind == kind and trace.threshold is not None for trace in traces)
        # Horvitz and Thompson: the variance of the sum of weights w is the expectation of the sum of w (w - 1) over what is kept.
        assert abs(row["total"] - truth) <= 4 * math.sqrt(row["variance"]), (kind, row, truth, seed)
        assert row["unknown"] == 0
        row = found[f"sim {kind} unknown"]
        assert row["unknown"] == row["n"] > 0


class Ungated(TailGateway):
    """Started without the feature gate."""

    command = tuple(word for word in TailGateway.command if "feature-gates" not in word)


def test_without_the_feature_gate_weights_are_unknown_instead_of_wrong(store, database, gateways, full_binary) -> None:
    gateway = gateways(store.url, database, kind=Ungated, **SETTINGS)
    gateway.start()
    request = ExportTraceServiceRequest()
    for number in range(40):
        add_span(request, f"ungated {number}", os.urandom(16), trace_state="ot=th:0", error=number % 2 == 0)
    send(gateway, request)
    found = stored(store, database, "ungated %", 20)
    assert set(found.values()) == {(None, "ot=xth:0")}
