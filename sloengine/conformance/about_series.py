"""Rules about series: what they do from point to point, and how many there are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from sloengine.edge import contract as c

from . import expected
from .findings import Hit, Level, rule
from .items import PointItem
from .memory import Series

JOINED_NS = 300 * 1_000_000_000
"""A counter's increase over more than five minutes is marked as bridged (store/queries/fold_sums.sql)."""
_MANY_IDS = 2
_ID = re.compile(r"(?=.*[0-9])(?:-?[0-9a-fA-F]){16,}")
_DELTA = 1


@rule(
    "counter-down",
    PointItem,
    Level.ERROR,
    "metrics",
    "a counter went down while its start time stayed",
    "Count up for the life of the process; after a restart send the new start time.",
)
def counter_down(item: PointItem) -> Iterable[Hit]:
    before = _earlier(item)
    if before and before.start_ns == item.point.start_time_unix_nano != 0 and item.value < before.value:
        yield Hit("value", f"{before.value:g} → {item.value:g}")


@rule(
    "start-time-zero",
    PointItem,
    Level.ERROR,
    "metrics",
    "a counter or histogram without a start time",
    "Set start_time_unix_nano to when counting began: without it a restart is not seen, and what came first is not counted.",
)
def start_zero(item: PointItem) -> Iterable[Hit]:
    if item.counts and not item.point.start_time_unix_nano:
        yield Hit("start_time_unix_nano", "0")


@rule(
    "start-time-moves",
    PointItem,
    Level.ERROR,
    "metrics",
    "a cumulative series gets a new start time at every point",
    "Keep the start time until the process restarts: each new one says that everything so far happened again.",
)
def start_moves(item: PointItem) -> Iterable[Hit]:
    before = _earlier(item)
    start = item.point.start_time_unix_nano
    if before and start and before.start_ns and start != before.start_ns and before.starts_moved:
        yield Hit("start_time_unix_nano", f"{before.start_ns} → {start}")


@rule(
    "start-after-time",
    PointItem,
    Level.ERROR,
    "metrics",
    "a point that is older than its series",
    "start_time_unix_nano is when counting began, time_unix_nano when it was read.",
)
def start_after(item: PointItem) -> Iterable[Hit]:
    start, time = item.point.start_time_unix_nano, item.point.time_unix_nano
    if item.counts and time >= 10**17 and start > time:
        yield Hit("start_time_unix_nano", f"{(start - time) / 1e9:.1f} s after time_unix_nano")


@rule(
    "point-repeats",
    PointItem,
    Level.ERROR,
    "metrics",
    "two points of a series at one time with different values",
    "One writer per series: give each process a service.instance.id, and each point the time it was read.",
)
def repeats(item: PointItem) -> Iterable[Hit]:
    before = item.before
    if not before or item.of.temporality == _DELTA or not item.point.time_unix_nano:
        return
    same = (before.time_ns, before.start_ns) == (item.point.time_unix_nano, item.point.start_time_unix_nano)
    if same and before.value != item.value:
        yield Hit("value", f"{before.value:g} and {item.value:g}")


@rule(
    "first-point-not-zero",
    PointItem,
    Level.WARNING,
    "metrics",
    "a counter's series begins late, and not at 0: what it counted before is not known by the minute, or lost",
    "Send a point of 0 for each outcome and error type as soon as it is known, one export before it counts.",
)
def first_not_zero(item: PointItem) -> Iterable[Hit]:
    start, time = item.point.start_time_unix_nano, item.point.time_unix_nano
    if item.before or item.of.kind != "sum" or not item.counts or item.value <= 0 or time - start <= JOINED_NS:
        return
    known = item.sender.memory.processes.get(item.sender.attributes.get(expected.INSTANCE, ""))
    if known and 0 < start < known < time - 500_000_000:
        yield Hit("value", f"{item.value:g}")


def _earlier(item: PointItem) -> Series | None:
    """The series' point before this one, where there is one and it is older."""
    before = item.before if item.counts else None
    return before if before and before.time_ns < item.point.time_unix_nano else None


_IDS = ("trace_id", "span_id", "trace.id", "span.id", "request.id", "request_id", c.PREDICTION_ID)
_MAY_BE_IDS = (c.MODEL_NAME, c.MODEL_VERSION, c.ROLLOUT_ID, c.ROLLOUT_WAVE)


def looks_like_id(text: str) -> bool:
    """A UUID, or 16 and more hexadecimal or decimal digits."""
    return _ID.fullmatch(text) is not None


@rule(
    "metric-attribute-id",
    PointItem,
    Level.ERROR,
    "limits",
    "an identifier as a metric attribute: each value is a series of its own that never increases",
    "Take it off metrics; identifiers belong on spans and events.",
)
def id_attribute(item: PointItem) -> Iterable[Hit]:
    yield from (Hit(key, item.attributes[key]) for key in _ids(item))


def _ids(item: PointItem) -> Iterator[str]:
    for key, value in item.attributes.items():
        if key in _IDS:
            yield key
        elif key not in _MAY_BE_IDS and looks_like_id(value):
            seen = item.sender.memory.values.get((item.name, key), ())
            if len(list(islice(filter(looks_like_id, seen), _MANY_IDS))) == _MANY_IDS:
                yield key


@rule(
    "metric-attribute-many-values",
    PointItem,
    Level.ERROR,
    "limits",
    "a metric attribute with more than 200 different values",
    "Use classes, not free text or measurements; send what is beyond the limit as _OTHER.",
)
def many_values(item: PointItem) -> Iterable[Hit]:
    ids = set(_ids(item))
    for key, value in item.attributes.items():
        seen = item.sender.memory.values.get((item.name, key), ())
        most = c.ERROR_TYPES_MAX + 1 if key == c.ERROR_TYPE else c.LABELS_MAX
        if len(seen) > most and key not in ids:
            yield Hit(key, value, f"more than {most} values")
