"""Rules about requests as a whole, devices and the session: what only the edge, or only the end, can know."""

from __future__ import annotations

from collections.abc import Iterable

from sloengine.edge import contract as c

from . import expected
from .findings import Hit, Level, declare, rule
from .items import DeviceItem, Sender, SessionItem

_S_NS = 1_000_000_000
CLOCK_OFF_NS_MAX = 10 * _S_NS
LAG_NS_MAX = 60 * _S_NS
AHEAD_NS_MAX = 2 * _S_NS
EXPORT_GAP_NS_MAX = 60 * _S_NS

declare(
    "request-unreadable",
    Level.ERROR,
    "the-telemetry-contract",
    "a request is not OTLP",
    "Send OTLP/HTTP: an Export…ServiceRequest as protobuf (application/x-protobuf) or OTLP JSON (application/json).",
)
declare(
    "request-wrong-path",
    Level.ERROR,
    "the-telemetry-contract",
    "a request to a path that OTLP/HTTP does not have",
    "POST to /v1/metrics, /v1/traces and /v1/logs; most SDKs want the base address without a path.",
)
declare(
    "request-wrong-type",
    Level.ERROR,
    "the-telemetry-contract",
    "a content type or encoding that OTLP/HTTP does not have",
    "Send content-type application/x-protobuf or application/json, and gzip or no content-encoding.",
)
declare(
    "request-too-big",
    Level.ERROR,
    "limits",
    "a request larger than the gateway takes (20 MiB, before and after decompression)",
    "Export more often, or fewer spans and log records at a time (512 is a good batch).",
)
declare(
    "request-not-http",
    Level.ERROR,
    "the-telemetry-contract",
    "something that is not HTTP/1.1 knocked: gRPC or TLS, most likely",
    "Set the exporter to http/protobuf (OTEL_EXPORTER_OTLP_PROTOCOL) and the address to http://, not https://.",
)
declare(
    "request-empty",
    Level.WARNING,
    "the-telemetry-contract",
    "a request without any metric, span or log record",
    "Nothing is gained by an empty export; if there should be something, check the names of the JSON fields.",
)


@rule(
    "clock-header-malformed",
    Sender,
    Level.WARNING,
    "the-clock-header",
    f"{c.CLOCK_HEADER} is not a time in nanoseconds",
    "Send the device's clock at the moment of sending, nanoseconds since 1970 in decimal digits.",
)
def clock_header(sender: Sender) -> Iterable[Hit]:
    sent = sender.sending.sent_ns
    if sent is not None and sent < 10**17:
        yield Hit(c.CLOCK_HEADER, str(sent) if sent >= 0 else "not a number")


@rule(
    "clock-offset",
    Sender,
    Level.WARNING,
    "the-clock-header",
    "the device's clock is off",
    "Set the clock by NTP. The engine moves the data by the offset that it estimates, and marks it.",
)
def clock_offset(sender: Sender) -> Iterable[Hit]:
    sent, received = sender.sending.sent_ns, sender.sending.received_ns
    if sent is None or received is None or sent < 10**17:
        return
    if abs(sent - received) > CLOCK_OFF_NS_MAX:
        yield Hit(c.CLOCK_HEADER, _offset(sent - received))


def _offset(by_ns: int) -> str:
    return f"{abs(by_ns) / _S_NS:.1f} s {'ahead' if by_ns > 0 else 'behind'}"


@rule(
    "clock-ahead",
    DeviceItem,
    Level.WARNING,
    "the-clock-header",
    "items from the future: the device's clock is ahead",
    f"Set the clock by NTP, and send {c.CLOCK_HEADER} with each request.",
)
def clock_ahead(item: DeviceItem) -> Iterable[Hit]:
    lag = item.memory.lag_ns_min
    if lag is not None and lag < -AHEAD_NS_MAX and not item.memory.said_its_clock:
        yield Hit("time", _offset(-lag))


@rule(
    "clock-behind-or-late",
    DeviceItem,
    Level.WARNING,
    "the-clock-header",
    "everything arrived long after its time: the clock is behind, or the data was buffered",
    f"Set the clock by NTP; send {c.CLOCK_HEADER} with each request, which tells the two apart.",
)
def clock_behind(item: DeviceItem) -> Iterable[Hit]:
    lag = item.memory.lag_ns_min
    if lag is not None and lag > LAG_NS_MAX and not item.memory.said_its_clock:
        yield Hit("time", f"never less than {lag / _S_NS:.0f} s old")


@rule(
    "metrics-missing",
    DeviceItem,
    Level.ERROR,
    "metrics",
    "a device that sent no metrics",
    "Spans and events alone are sampled or limited; exact figures come from the metrics. Export them to /v1/metrics.",
)
def metrics_missing(item: DeviceItem) -> Iterable[Hit]:
    if "metrics" not in item.memory.signals:
        yield Hit(detail=f"only {' and '.join(sorted(item.memory.signals))}")


@rule(
    "requests-missing",
    DeviceItem,
    Level.ERROR,
    "metrics",
    f"a device that sends metrics, but not {c.REQUESTS}",
    "Count every request once by its final outcome, from 0 when the model is first known: the success rate is made of it.",
)
def requests_missing(item: DeviceItem) -> Iterable[Hit]:
    if _lacks(item, c.REQUESTS):
        yield Hit(name=c.REQUESTS)


@rule(
    "duration-missing",
    DeviceItem,
    Level.WARNING,
    "metrics",
    f"requests were counted, but there is no {c.DURATION}",
    "Record the end-to-end time of each request in seconds; without it there is no latency objective.",
)
def duration_missing(item: DeviceItem) -> Iterable[Hit]:
    counted = any(value > 0 for _, value in item.memory.totals.get(c.REQUESTS, {}).values())
    if counted and _lacks(item, c.DURATION):
        yield Hit(name=c.DURATION)


def _lacks(item: DeviceItem, metric: str) -> bool:
    memory = item.memory
    return "metrics" in memory.signals and metric not in memory.metrics | memory.meant


@rule(
    "retries-not-counted",
    DeviceItem,
    Level.ERROR,
    "metrics",
    f"spans show retries, yet {c.ATTEMPTS} equals {c.REQUESTS}",
    "Count a request once, by its final outcome, and each try of it as an attempt.",
)
def retries_not_counted(item: DeviceItem) -> Iterable[Hit]:
    requests, attempts = (_total(item, name) for name in (c.REQUESTS, c.ATTEMPTS))
    ended = item.memory.retry_ended_ns
    if requests is None or attempts is None or ended is None:
        return
    if requests[1] == attempts[1] and ended <= min(requests[0], attempts[0]):
        yield Hit(name=c.ATTEMPTS, example=f"{attempts[1]:.0f} attempts, {requests[1]:.0f} requests")


@rule(
    "attempts-below-requests",
    DeviceItem,
    Level.ERROR,
    "metrics",
    f"{c.ATTEMPTS} is less than {c.REQUESTS}",
    "Every request has at least one attempt: count its first one too, under the same model attributes.",
)
def attempts_below_requests(item: DeviceItem) -> Iterable[Hit]:
    requests, attempts = (_total(item, name) for name in (c.REQUESTS, c.ATTEMPTS))
    if requests is None or attempts is None or attempts[0] < requests[0]:
        return
    if attempts[1] < requests[1]:
        yield Hit(name=c.ATTEMPTS, example=f"{attempts[1]:.0f} attempts, {requests[1]:.0f} requests")


def _total(item: DeviceItem, metric: str) -> tuple[int, float] | None:
    """The oldest of the newest points of a metric's series, and the sum of their values."""
    points = item.memory.totals.get(metric)
    return (min(t for t, _ in points.values()), sum(v for _, v in points.values())) if points else None


@rule(
    "export-interval-long",
    DeviceItem,
    Level.WARNING,
    "metrics",
    "metrics come less often than once a minute",
    "Export every 10 s: detection can't be faster than the data (OTEL_METRIC_EXPORT_INTERVAL=10000).",
)
def export_interval(item: DeviceItem) -> Iterable[Hit]:
    gap = item.memory.gap_ns_min
    if gap is not None and gap > EXPORT_GAP_NS_MAX:
        yield Hit("interval", f"{gap / _S_NS:.0f} s")


@rule(
    "device-region-varies",
    DeviceItem,
    Level.WARNING,
    "resource-who-speaks",
    "one device.id in several regions: several devices share an id, or the region is not configuration",
    "Give each device its own device.id (its serial number, not the image's host name) and one region.",
)
def region_varies(item: DeviceItem) -> Iterable[Hit]:
    if len(item.memory.regions) > 1:
        yield Hit(expected.REGION, ", ".join(sorted(item.memory.regions)))


@rule(
    "nothing-received",
    SessionItem,
    Level.ERROR,
    "the-telemetry-contract",
    "nothing was received",
    "Check the device's exporter address (http://this-host:port, no path), the firewall, the protocol (http/protobuf, not "
    "gRPC), that the SDK is not disabled, and that it ran for at least one export interval.",
)
def nothing_received(item: SessionItem) -> Iterable[Hit]:
    if item.items == 0:
        yield Hit(example=f"{item.requests} requests, no items")


@rule(
    "limit-reached",
    SessionItem,
    Level.NOTE,
    "limits",
    "more was sent than this command remembers: some rules did not see all of it",
    "Check one device at a time.",
)
def limit_reached(item: SessionItem) -> Iterable[Hit]:
    if item.capped:
        yield Hit(example=", ".join(sorted(item.capped)))
