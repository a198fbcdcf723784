"""A small synthetic fleet, written straight into the tables that dashboards read."""

from datetime import datetime, timedelta

from sloengine.store.client import Store

REGIONS = ("eu-north", "ap-south")
VERSIONS = ("1.0.0", "2.0.0")
MINUTES = 30
SLOW = {200: 1.5}
"""A few slow requests, in the bucket of this index at either scale."""


def fill(store: Store, end: datetime) -> None:
    """Half an hour up to ``end``; version 2.0.0 begins ten minutes before."""
    first = end.replace(second=0, microsecond=0) - timedelta(minutes=MINUTES)
    _outcomes(store, first)
    _latencies(store, first)
    _nodes(store, end)
    _statuses(store, end)
    _alerts(store, end)
    _spans(store, end)


def _minutes(first: datetime) -> list[tuple[datetime, str, str]]:
    return [
        (first + timedelta(minutes=m), region, version)
        for m in range(MINUTES)
        for region in REGIONS
        for version in VERSIONS
        if version == "1.0.0" or m >= MINUTES - 10
    ]


DIMENSIONS = ["ServiceName", "ModelName", "ModelVersion", "Region", "GatewayId", "RolloutId"]


def _outcomes(store: Store, first: datetime) -> None:
    columns = ["Measure", *DIMENSIONS, "Attributes", "Minute", "Events", "Squares", "Items", "Revision"]
    outcomes = [
        ('{"edge.inference.outcome":"success"}', 98.0, 80.0),
        ('{"edge.inference.outcome":"failure"}', 2.0, 20.0),
        # Neither good nor bad: an outcome of a device's own making, and none at all.
        ('{"edge.inference.outcome":"shrug"}', 0.75, 0.75),
        ("", 0.25, 0.25),
    ]
    rows: list[list[object]] = []
    for at, region, version in _minutes(first):
        key = ["digits", "digits", version, region, f"gw-{region}", ""]
        for attributes, old, new in outcomes:
            events = old if version == "1.0.0" else new
            # An older revision of each minute, and another measure of the same attributes, which must not count.
            for measure, number, revision in (
                ("edge.inference.requests", 7 * events, 1),
                ("edge.inference.requests", events, 2),
                ("edge.model.loads", 1000.0, 2),
            ):
                rows.append([measure, *key, attributes, at, number, number, 1, revision])
    store.insert("count_minutes", columns, rows)


def _latencies(store: Store, first: datetime) -> None:
    columns = ["Measure", *DIMENSIONS, "Minute", "Scale", "Bounds", "Zero", "Buckets", "Items", "Revision"]
    rows: list[list[object]] = []
    for at, region, version in _minutes(first):
        key = ["digits", "digits", version, region, f"gw-{region}", "", at]
        # Two scales at once: a device may have had to halve its resolution; below 1 s the indices are negative.
        # Weights are halves, as of samples.
        for scale, step in ((6, 1), (5, 2)):
            buckets = {-300 // step: 45.5, -257 // step: 3.5, **SLOW}
            rows.append(["edge.inference.duration", *key, scale, [], 0.5, buckets, 1, 1])
        # Explicit buckets of a foreign device, and the scores: other numbers altogether, which must not be merged with these.
        rows.append(["edge.inference.duration", *key, 0, [0.005, 0.1, 5.0], 0.0, {3: 900.0}, 1, 1])
        rows.append(["edge.inference.score", *key, -2, [], 0.0, {40: 900.0}, 1, 1])
    store.insert("histogram_minutes", columns, rows)


def _nodes(store: Store, end: datetime) -> None:
    nodes = [(f"{r}-{i:03d}", r) for r in REGIONS for i in range(4)]
    store.insert(
        "inventory",
        ["DeviceId", "GatewayId", "Region", "ServiceName", "Since", "Present", "Revision"],
        [[d, f"gw-{r}", r, "digits", end - timedelta(days=1), True, 1] for d, r in nodes],
    )
    heard = [(d, r, end - timedelta(seconds=5 if i % 4 else 900)) for i, (d, r) in enumerate(nodes) if i != 7]
    store.insert(
        "node_minutes",
        ["DeviceId", "GatewayId", "Region", "ServiceName", "Minute", "LastReceived", "LastEvent", "LagMin", "LagMax"],
        [[d, f"gw-{r}", r, "digits", at.replace(second=0, microsecond=0), at, at, 0.1, 0.4] for d, r, at in heard],
    )


def _statuses(store: Store, end: datetime) -> None:
    columns = [
        "At",
        "Slo",
        "Indicator",
        "ServiceName",
        "Slice",
        "Target",
        "WindowDays",
        "State",
        "Reason",
        "Sli",
        "Good",
        "Bad",
        "Unknown",
        "Coverage",
        "BudgetRemaining",
        "Burn",
    ]
    rows: list[list[object]] = []
    for m in range(1, 20):
        at = end - timedelta(minutes=m)
        head = [at, "digits-success", "M1", "digits"]
        good = [{"region": "eu-north"}, 0.999, 30.0, "ok", "fine", 0.9995, 1000, 1, 0, 1.0, 0.5, {"1h": 0.2, "5m": 0.1}]
        bad = [{"region": "ap-south"}, 0.999, 30.0, "burning", "bad", 0.98, 980, 20, 0, 0.9, -19.0, {"1h": 20.0}]
        silent = [{"region": ""}, 0.999, 30.0, "no traffic", "nothing", None, 0, 0, 0, None, None, {}]
        rows += [head + good, head + bad, head + silent]
    store.insert("slo_status", columns, rows)


def _alerts(store: Store, end: datetime) -> None:
    columns = [
        "At",
        "DedupKey",
        "Slo",
        "Severity",
        "FromState",
        "ToState",
        "Reason",
        "Labels",
        "Evidence",
        "TransitionId",
    ]
    changes = [
        ("a-1", "none", "firing", "ap-south", 9),
        ("b-1", "none", "firing", "eu-north", 8),
        ("b-1", "firing", "resolved", "eu-north", 2),
    ]
    rows = [
        [
            end - timedelta(minutes=m),
            key,
            "digits-success",
            "page",
            before,
            after,
            "burn",
            {"region": r, "severity": "page"},
            "{}",
            i,
        ]
        for i, (key, before, after, r, m) in enumerate(changes)
    ]
    # An export that was repeated.
    store.insert("alert_transitions", columns, rows + rows[:1])


def _spans(store: Store, end: datetime) -> None:
    columns = [
        "Timestamp",
        "TraceId",
        "SpanId",
        "TraceState",
        "SpanName",
        "ServiceName",
        "ResourceAttributes",
        "SpanAttributes",
        "Duration",
    ]
    rows = [
        [
            end - timedelta(minutes=2, seconds=i),
            f"{i:032x}",
            f"{i:016x}",
            # th:c keeps a quarter of all spans.
            "ot=th:c" if i % 2 else "",
            "edge.inference",
            "digits",
            {"edge.region": REGIONS[i // 2 % 2], "device.id": "d"},
            {"edge.model.name": "digits", "edge.model.version": "1.0.0"},
            1_000_000,
        ]
        for i in range(20)
    ]
    store.insert("otel_traces", columns, rows)
