"""Rules about metrics and their points: kinds, units, values."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from sloengine.edge import contract as c

from . import expected
from .findings import Hit, Level, rule
from .items import MetricItem, PointItem
from .names import lookalike

MEDIAN_S_MAX = 60.0
AT_ONCE_MAX = 100.0
_AGE_S_MIN, _COUNT_MIN = 5.0, 10
SCALE_MIN = 5
_DELTA, _CUMULATIVE = 1, 2


@rule(
    "metric-kind",
    MetricItem,
    Level.ERROR,
    "metrics",
    "a metric of another kind than the contract's",
    "Counters are sums, edge.inference.duration is an exponential histogram, edge.inference.score one with explicit bounds.",
)
def metric_kind(item: MetricItem) -> Iterable[Hit]:
    wanted = expected.KINDS.get(item.name)
    if wanted and item.kind and item.kind != wanted:
        yield Hit("kind", item.kind, f"should be: {wanted}")


@rule(
    "metric-empty",
    MetricItem,
    Level.WARNING,
    "metrics",
    "a metric without points",
    "Leave a metric out until it has a point; the gateway drops it.",
)
def metric_empty(item: MetricItem) -> Iterable[Hit]:
    if not item.kind or not item.data.data_points:
        yield Hit()


@rule(
    "sum-not-monotonic",
    MetricItem,
    Level.ERROR,
    "metrics",
    "a counter that is not declared monotonic",
    "Use a Counter, not an UpDownCounter (is_monotonic = true): otherwise it is not counted at all.",
)
def not_monotonic(item: MetricItem) -> Iterable[Hit]:
    if item.name in c.COUNTERS and item.kind == "sum" and not item.data.is_monotonic:
        yield Hit("is_monotonic", "false")


@rule(
    "temporality-wrong",
    MetricItem,
    Level.ERROR,
    "metrics",
    "a sum or histogram that is not cumulative",
    "Set cumulative temporality (OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=cumulative): a lost delta is lost for good.",
)
def temporality(item: MetricItem) -> Iterable[Hit]:
    if item.temporality not in (None, _CUMULATIVE):
        yield Hit("aggregation_temporality", "delta" if item.temporality == _DELTA else "unspecified")


def _unit_matters(unit: str, wanted: str) -> bool:
    """Whether the other unit changes the number: `1`, nothing and {annotations} all mean a plain count (UCUM)."""
    plain = unit in {"", "1"} or (unit.startswith("{") and unit.endswith("}"))
    return not (plain and (wanted == "1" or wanted.startswith("{")))


@rule(
    "unit-wrong",
    MetricItem,
    Level.ERROR,
    "metrics",
    "a unit in which the numbers are other numbers",
    "Convert before recording: durations in s, sizes in By, utilization and scores as a share in 1.",
)
def unit_wrong(item: MetricItem) -> Iterable[Hit]:
    wanted = expected.UNITS.get(item.name)
    unit = item.metric.unit
    if wanted and unit != wanted and _unit_matters(unit, wanted):
        yield Hit("unit", unit or "none", f"should be: {wanted}")


@rule(
    "unit-unusual",
    MetricItem,
    Level.WARNING,
    "metrics",
    "a unit with another name for the same thing",
    "Use the contract's unit, so that every device's series reads the same.",
)
def unit_unusual(item: MetricItem) -> Iterable[Hit]:
    wanted = expected.UNITS.get(item.name)
    unit = item.metric.unit
    if wanted and unit != wanted and not _unit_matters(unit, wanted):
        yield Hit("unit", unit or "none", f"should be: {wanted}")


@rule(
    "value-not-finite",
    PointItem,
    Level.ERROR,
    "metrics",
    "NaN or an infinity as a value",
    "Leave the point out; the gateway drops it.",
)
def not_finite(item: PointItem) -> Iterable[Hit]:
    if not math.isfinite(item.value):
        yield Hit("value", str(item.value))


@rule(
    "value-negative",
    PointItem,
    Level.ERROR,
    "metrics",
    "a negative count or duration",
    "Counters never go below 0; take durations from a monotonic clock.",
)
def negative(item: PointItem) -> Iterable[Hit]:
    if item.value < 0 and item.counts:
        yield Hit("value", f"{item.value:g}")
    elif item.name == c.DURATION and item.of.as_agreed and any(item.point.negative.bucket_counts):
        yield Hit("value", f"min {item.point.min:g}" if item.point.HasField("min") else "negative buckets")


@rule(
    "utilization-out-of-range",
    PointItem,
    Level.ERROR,
    "metrics",
    "utilization outside [0, 1]",
    "Send a share: 0.85, not 85.",
)
def utilization(item: PointItem) -> Iterable[Hit]:
    if item.name in expected.UTILIZATIONS and math.isfinite(item.value) and not 0 <= item.value <= 1:
        yield Hit("value", f"{item.value:g}", "looks like percent" if 1 < item.value <= 100 else "")


@rule(
    "integrity-result-wrong",
    PointItem,
    Level.ERROR,
    "metrics",
    f"{c.INTEGRITY_RESULT} is neither ok nor failed",
    "Send ok or failed; any other word is no result.",
)
def integrity_result(item: PointItem) -> Iterable[Hit]:
    found = item.attributes.get(c.INTEGRITY_RESULT)
    if item.name == c.INTEGRITY_CHECKS and found not in ("ok", "failed") and not _written_otherwise(item):
        yield Hit(c.INTEGRITY_RESULT, found or "absent")


def _written_otherwise(item: PointItem) -> bool:
    required = expected.METRIC_REQUIRED[item.name][0]
    return required not in item.attributes and lookalike(required, item.attributes, short=True) is not None


@rule(
    "power-state-wrong",
    PointItem,
    Level.ERROR,
    "metrics",
    "a power state that the contract does not have, or a value other than 1",
    "One point of value 1 with edge.power.state = normal, saver or critical.",
)
def power_state(item: PointItem) -> Iterable[Hit]:
    if item.name != c.POWER_STATE or _written_otherwise(item):
        return
    state = item.attributes.get(c.POWER_STATE)
    if state not in c.POWER_STATES or item.value != 1:
        yield Hit(c.POWER_STATE, f"{state or 'absent'} = {item.value:g}")


@rule(
    "drop-reason-unknown",
    PointItem,
    Level.WARNING,
    "values-of-edgedropreason",
    "a reason for dropping that the contract does not list",
    "Use the listed reasons, misuse for anything else.",
)
def drop_reason(item: PointItem) -> Iterable[Hit]:
    reason = item.attributes.get(c.DROP_REASON)
    if item.name == c.DROPPED and reason not in {r.value for r in c.DropReason} and not _written_otherwise(item):
        yield Hit(c.DROP_REASON, reason or "absent")


@rule(
    "histogram-inconsistent",
    PointItem,
    Level.ERROR,
    "metrics",
    "a histogram whose buckets do not add up",
    "The count is the sum of all buckets, and n bounds have n + 1 buckets.",
)
def inconsistent(item: PointItem) -> Iterable[Hit]:
    point = item.point
    if item.of.kind == "histogram" and (point.bucket_counts or point.explicit_bounds):
        added = sum(point.bucket_counts)
        shape = len(point.bucket_counts) == len(point.explicit_bounds) + 1
    elif item.of.kind == "exponential_histogram":
        added = point.zero_count + sum(point.positive.bucket_counts) + sum(point.negative.bucket_counts)
        shape = True
    else:
        return
    if added != point.count or not shape:
        yield Hit("buckets", f"count {point.count}, buckets {added}")


@rule(
    "duration-scale-coarse",
    PointItem,
    Level.WARNING,
    "metrics",
    f"{c.DURATION} is coarser than scale {SCALE_MIN}",
    "Allow 640 buckets at scale 6 (max size, max scale), and send a duration of exactly 0 as 1 ns: zeros force scale 0.",
)
def coarse(item: PointItem) -> Iterable[Hit]:
    if item.name == c.DURATION and item.of.as_agreed and item.point.count and item.point.scale < SCALE_MIN:
        width = 2.0 ** (2.0 ** -max(item.point.scale, -9)) - 1
        yield Hit("scale", str(item.point.scale), f"buckets are {width:.2%} wide")


@rule(
    "duration-zero",
    PointItem,
    Level.WARNING,
    "metrics",
    "durations of exactly 0",
    "Time with a monotonic clock of at least microseconds, and send 0 as 1 ns: some SDKs drop to scale 0 at a zero.",
)
def zero_duration(item: PointItem) -> Iterable[Hit]:
    if item.name == c.DURATION and item.of.as_agreed and item.point.zero_count:
        yield Hit("zero_count", str(item.point.zero_count))


@rule(
    "duration-looks-like-ms",
    PointItem,
    Level.ERROR,
    "metrics",
    f"the unit says s, but half of all requests take more than {MEDIAN_S_MAX:.0f} of them, or more than "
    f"{AT_ONCE_MAX:.0f} run at once: milliseconds, most likely",
    "Divide by 1000 before recording. If it is true of your device, leave this rule out by its id.",
)
def looks_like_ms(item: PointItem) -> Iterable[Hit]:
    if item.name != c.DURATION or not item.of.as_agreed or item.of.metric.unit != "s":
        return
    median, at_once = exponential_median(item.point), requests_at_once(item.point)
    if median is not None and median > MEDIAN_S_MAX:
        yield Hit("value", f"median {median:.4g} s")
    elif at_once > AT_ONCE_MAX:
        yield Hit("sum", f"{item.point.sum:.4g} s", f"{at_once:,.0f} requests at any moment since the start time")


def requests_at_once(point: Any) -> float:
    """Mean number of requests in progress since the series began (Little's law: time spent / time passed); 0 if unknown."""
    age_s = (point.time_unix_nano - point.start_time_unix_nano) / 1e9
    known = point.start_time_unix_nano and age_s >= _AGE_S_MIN and point.count >= _COUNT_MIN
    return point.sum / age_s if known else 0.0


def exponential_median(point: Any) -> float | None:
    """The middle (geometric mean) of the bucket that holds the median; None without values or with negative ones.

    Bucket i of scale s holds (2^(i·2^-s), 2^((i+1)·2^-s)] (OpenTelemetry data model).
    """
    if not point.count or any(point.negative.bucket_counts):
        return None
    below, half = point.zero_count, point.count / 2
    for index, count in enumerate(point.positive.bucket_counts):
        below += count
        if count and below >= half:
            exponent = math.ldexp(point.positive.offset + index + 0.5, -max(-64, min(64, point.scale)))
            return 2.0**exponent if exponent < 1000 else math.inf
    return 0.0


@rule(
    "score-bounds-default",
    PointItem,
    Level.ERROR,
    "metrics",
    f"{c.SCORE} has the SDK's default bounds: every score lies in one bucket",
    "Give the histogram the bounds 0.05, 0.10 … 0.95 by a view or by the instrument's advice.",
)
def default_bounds(item: PointItem) -> Iterable[Hit]:
    if item.name == c.SCORE and item.of.as_agreed and _bounds(item)[-1:] > (1.0,):
        yield Hit("explicit_bounds", _shown(_bounds(item)))


@rule(
    "score-bounds-other",
    PointItem,
    Level.WARNING,
    "metrics",
    f"{c.SCORE} has bounds of its own",
    "Use 0.05, 0.10 … 0.95: histograms of other bounds can't be compared with the fleet's or a baseline's.",
)
def other_bounds(item: PointItem) -> Iterable[Hit]:
    bounds = _bounds(item)
    if item.name != c.SCORE or not item.of.as_agreed or bounds[-1:] > (1.0,):
        return
    if len(bounds) != len(c.SCORE_BOUNDS) or any(
        not math.isclose(a, b) for a, b in zip(bounds, c.SCORE_BOUNDS, strict=True)
    ):
        yield Hit("explicit_bounds", _shown(bounds))


def _bounds(item: PointItem) -> tuple[float, ...]:
    return tuple(getattr(item.point, "explicit_bounds", ()))


def _shown(bounds: tuple[float, ...]) -> str:
    return ", ".join(f"{b:g}" for b in bounds[:4]) + (" …" if len(bounds) > 4 else "") or "none"


@rule(
    "score-out-of-range",
    PointItem,
    Level.ERROR,
    "metrics",
    "scores outside [0, 1]",
    "Send a probability: 0.93, not 93 and not a logit.",
)
def score_range(item: PointItem) -> Iterable[Hit]:
    point = item.point
    if item.name != c.SCORE or item.of.kind not in ("histogram", "exponential_histogram") or not point.count:
        return
    seen = [getattr(point, end) for end in ("min", "max") if point.HasField(end)]
    if point.HasField("sum"):
        seen.append(point.sum / point.count)
    wrong = next((v for v in reversed(seen) if not -1e-9 <= v <= 1 + 1e-9), None)
    if wrong is not None:
        yield Hit("value", f"{wrong:g}", "looks like percent" if 1 < wrong <= 100 else "")


@rule(
    "exemplars-sent",
    PointItem,
    Level.NOTE,
    "metrics",
    "exemplars: nothing reads them",
    "Turn the exemplar filter off (OTEL_METRICS_EXEMPLAR_FILTER=always_off) and save the bytes.",
)
def exemplars(item: PointItem) -> Iterable[Hit]:
    if getattr(item.point, "exemplars", ()):
        yield Hit("exemplars", str(len(item.point.exemplars)))
