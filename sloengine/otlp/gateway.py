"""What the gateway does to every item before it is stored: the rules of collector/gateway.yaml, in Python.

Times are nanoseconds since 1970 as signed 64-bit integers, as the collector computes: what is beyond 2262 is
negative here, and so out of bounds.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from sloengine.otlp import values

HOUR_NS = 3_600_000_000_000
CLAMP_FUTURE_NS = HOUR_NS
CLAMP_PAST_NS = 960 * HOUR_NS

ID_KEY = "edge.gateway.id"
RECEIVED_KEY = "edge.gateway.received_unix_nano"
CLOCK_KEY = "edge.clock.sent_unix_nano"
CLOCK_HEADER = "x-edge-clock-unix-nano"
ORIGINAL_TIME_KEY = "edge.original_time_unix_nano"
ORIGINAL_END_KEY = "edge.original_end_time_unix_nano"

_CLOCK = re.compile(r"[0-9]{1,19}")
_THRESHOLD = re.compile(r"(?:^|,)ot=(?:[^,]*;)?th:(?P<th>[0-9a-f]{1,14})(?:[;,]|\Z)")
_RANDOMNESS = re.compile(r"(?:^|,)ot=(?:[^,]*;)?rv:(?P<r>[0-9a-f]{14})(?:[;,]|\Z)")
_THRESHOLD_KEY = re.compile(r"((?:^|,)ot=(?:[^,]*;)?)th:")


def signed(value: int) -> int:
    """An unsigned 64-bit integer read as a signed one; sums are wrapped the same way."""
    value %= 1 << 64
    return value - (1 << 64) if value >= 1 << 63 else value


@dataclass(frozen=True)
class Gateway:
    """Who received a request, when, and how far its times may be off."""

    id: str
    received_ns: int
    future_ns: int = CLAMP_FUTURE_NS
    past_ns: int = CLAMP_PAST_NS
    sent: str = ""
    """The device's clock when it sent the request, as its header says; with ``received_ns`` it tells a clock that is off from
    data that is late. Anything but digits is no clock."""

    def in_bounds(self, time_ns: int) -> bool:
        """Whether a (signed) time is one that a device can mean."""
        return self.received_ns - self.past_ns <= time_ns <= self.received_ns + self.future_ns

    def stamped(self, resource: Iterable[KeyValue]) -> dict[str, str]:
        """Resource attributes with who received them and when; what the device claimed of that is gone."""
        claimed = values.attributes(resource)
        claimed[ID_KEY] = values.truncate(self.id, values.VALUE_BYTES_MAX)
        claimed[RECEIVED_KEY] = str(self.received_ns)
        claimed.pop(CLOCK_KEY, None)
        if _CLOCK.fullmatch(self.sent):
            claimed[CLOCK_KEY] = self.sent
        return dict(sorted(claimed.items()))

    def span_times(self, start_ns: int, end_ns: int) -> tuple[int, int, dict[str, str]]:
        """Start, end and the attributes that say what was moved.

        A start out of bounds becomes the time of receipt and the span keeps its length. An end before the start, or in
        the future, says nothing about length: the end becomes the start, and ORIGINAL_END_KEY marks that Duration 0 is
        not a measurement.
        """
        moved: dict[str, str] = {}
        claimed_end_ns = end_ns
        if not self.in_bounds(start_ns):
            moved[ORIGINAL_TIME_KEY] = str(start_ns)
            if end_ns >= start_ns:
                end_ns = signed(self.received_ns + end_ns - start_ns)
            start_ns = self.received_ns
        if end_ns < start_ns or end_ns > self.received_ns + self.future_ns:
            moved[ORIGINAL_END_KEY] = str(claimed_end_ns)
            end_ns = start_ns
        return start_ns, end_ns, moved

    def moment(self, time_ns: int, instead_ns: int) -> tuple[int, dict[str, str]]:
        """A time and nothing, or, out of bounds, the other time and what was claimed."""
        if self.in_bounds(time_ns):
            return time_ns, {}
        return instead_ns, {ORIGINAL_TIME_KEY: str(time_ns)}


def honest_tracestate(tracestate: str, trace_id_hex: str) -> str:
    """The tracestate, its threshold renamed to `xth` when the trace's randomness is below it.

    Such a span could not have been sampled at that threshold, so its weight is unknown
    (OpenTelemetry, "TraceState: probability sampling", sampled iff randomness >= threshold).
    """
    threshold = _THRESHOLD.search(tracestate)
    if threshold is None:
        return tracestate
    explicit = _RANDOMNESS.search(tracestate)
    # No trace id counts as randomness 0: nobody can have decided on it. Compared as text: thresholds leave trailing
    # zeros out, and "8" sorts before "80".
    randomness = explicit["r"] if explicit else trace_id_hex[18:] or "0" * 14
    if randomness >= threshold["th"]:
        return tracestate
    return _THRESHOLD_KEY.sub(r"\1xth:", tracestate)
