"""Head sampling whose probability can be read back from each span.

https://opentelemetry.io/docs/specs/otel/trace/tracestate-probability-sampling/: a span is kept when its 56-bit
randomness R is at least the threshold T, and says so with `ot=th:<T>` in its tracestate; each kept span then stands for
2^56 / (2^56 − T). The SDK's own samplers either write no threshold or (1.45, experimental) are never shown the parent's
tracestate, so its randomness value is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

SPACE = 1 << 56
_RANDOM_MASK = SPACE - 1
_RV_DIGITS = 14


def threshold(ratio: float) -> int:
    """T in [0, 2^56] for a sampling ratio in [0, 1]; 2^56 keeps nothing. Ratios below 2^-57 keep nothing."""
    return SPACE - round(ratio * SPACE)


def th_value(threshold: int) -> str:
    """The exact hexadecimal form of T < 2^56: trailing zeros carry nothing and are left out, T = 0 is "0"."""
    return f"{threshold:014x}".rstrip("0") or "0"


def randomness(trace_id: int, state: TraceState | None) -> int:
    """R: the parent's explicit `rv` where there is one, else the low 56 bits of the trace id."""
    for member in _ot_members(state):
        if member.startswith("rv:") and len(member) == 3 + _RV_DIGITS:
            try:
                return int(member[3:], 16)
            except ValueError:
                break
    return trace_id & _RANDOM_MASK


def with_threshold(state: TraceState | None, th: str | None) -> TraceState:
    """`state` with this decision's `th` (None: not kept) in place of the parent's; everything else stays."""
    kept = [member for member in _ot_members(state) if not member.startswith("th:")]
    members = [f"th:{th}", *kept] if th is not None else kept
    others = [(key, value) for key, value in (state or TraceState()).items() if key != "ot"]
    return TraceState([("ot", ";".join(members)), *others] if members else others)


def _ot_members(state: TraceState | None) -> list[str]:
    value = state.get("ot") if state else None
    return value.split(";") if value else []


class ConsistentSampler(Sampler):
    """Keeps a span when its randomness reaches T, whatever was decided for its parent: the weight is always its own."""

    def __init__(self, ratio: float) -> None:
        self.threshold = threshold(ratio)
        self._th = th_value(self.threshold) if self.threshold < SPACE else None
        self._root_state = with_threshold(None, self._th)

    def keeps_root(self, trace_id: int) -> bool:
        return trace_id & _RANDOM_MASK >= self.threshold

    def should_sample(  # noqa: PLR0917  the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        parent = trace.get_current_span(parent_context).get_span_context()
        if not parent.is_valid:
            if self.keeps_root(trace_id):
                return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, self._root_state)
            return SamplingResult(Decision.DROP)
        if randomness(trace_id, parent.trace_state) >= self.threshold:
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, with_threshold(parent.trace_state, self._th))
        return SamplingResult(Decision.DROP, None, with_threshold(parent.trace_state, None))

    def get_description(self) -> str:
        return f"ConsistentSampler{{th:{self._th}}}"


class Ids(IdGenerator):
    """Random ids that the caller may see before the tracer does, to skip the tracer for traces that won't be kept.

    A generator of our own, seeded by the system: an application that calls `random.seed(0)` at start, as training code
    does, would otherwise give every device the same trace ids and the same sampling decisions.
    """

    def __init__(self) -> None:
        self._random = Random()  # noqa: S311  identifiers, not secrets
        self._announced = threading.local()

    def announce(self, trace_id: int) -> None:
        """The next trace started on this thread has this id."""
        self._announced.trace_id = trace_id

    def generate_trace_id(self) -> int:
        announced: int = getattr(self._announced, "trace_id", 0)
        self._announced.trace_id = 0
        return announced or self.new_trace_id()

    def new_trace_id(self) -> int:
        return self._random.getrandbits(128) or self.new_trace_id()

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) or self.generate_span_id()

    def new_prediction_id(self) -> str:
        """A version 4 UUID as 32 hexadecimal digits."""
        bits = self._random.getrandbits(128)
        return f"{bits & ~(0xF << 76 | 3 << 62) | 4 << 76 | 2 << 62:032x}"

    def is_trace_id_random(self) -> bool:
        return True
