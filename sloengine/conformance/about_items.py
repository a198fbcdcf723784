"""Rules about what points, spans and events have in common: outcomes, times, attribute values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from sloengine.edge import contract as c
from sloengine.otlp import values
from sloengine.otlp.gateway import CLAMP_FUTURE_NS, CLAMP_PAST_NS

from . import expected
from .about_names import meant
from .findings import Hit, Level, rule
from .items import ITEMS, EventItem, Item, PointItem, Sender, SpanItem

NANO_MIN = 10**17
"""1973 in nanoseconds; today's seconds, milliseconds and microseconds are all below it."""
OUTCOMES = (c.SUCCESS, c.FAILURE)


@rule(
    "outcome-wrong",
    (PointItem, SpanItem),
    Level.ERROR,
    "metrics",
    f"{c.OUTCOME} is neither success nor failure",
    "Send success or failure in lower case; anything else is no outcome, and the request is in no ratio.",
)
def outcome(item: PointItem | SpanItem) -> Iterable[Hit]:
    if c.OUTCOME not in item.wanted or not _is_ours(item) or meant(item.attributes, c.OUTCOME):
        return
    found = item.attributes.get(c.OUTCOME)
    if found not in OUTCOMES and not (found is None and c.OUTCOME in item.sender.attributes):
        yield Hit(c.OUTCOME, found or "absent")


def _is_ours(item: Item) -> bool:
    return item.ours if isinstance(item, SpanItem) else True


def failed(item: Item) -> bool:
    """Whether it is about a failure and should say which."""
    if isinstance(item, EventItem):
        return item.name in (c.LOAD_FAILED, c.INFERENCE_FAILED)
    counted = isinstance(item, SpanItem) or item.name in (c.REQUESTS, c.LOADS)
    return counted and _is_ours(item) and item.attributes.get(c.OUTCOME) == c.FAILURE


@rule(
    "error-type-missing",
    ITEMS,
    Level.WARNING,
    "metrics",
    "a failure that does not say which",
    "Put error.type on it: a short class such as timeout or out_of_memory, at most 50 different ones, never a message.",
)
def error_type(item: Item) -> Iterable[Hit]:
    if failed(item) and not item.attributes.get(c.ERROR_TYPE) and not meant(item.attributes, c.ERROR_TYPE):
        yield Hit(c.ERROR_TYPE, "absent")


@rule(
    "error-type-on-success",
    (PointItem, SpanItem),
    Level.WARNING,
    "metrics",
    "a success with an error.type",
    "Leave it out on success: a retry that helped is no error of the request.",
)
def error_on_success(item: PointItem | SpanItem) -> Iterable[Hit]:
    if _is_ours(item) and item.attributes.get(c.OUTCOME) == c.SUCCESS and c.ERROR_TYPE in item.attributes:
        yield Hit(c.ERROR_TYPE, item.attributes[c.ERROR_TYPE])


def times(item: Item) -> Iterator[tuple[str, int]]:
    """Name and value of each time that has to be there."""
    if isinstance(item, PointItem):
        yield "time_unix_nano", item.point.time_unix_nano
        if item.point.start_time_unix_nano:
            yield "start_time_unix_nano", item.point.start_time_unix_nano
    elif isinstance(item, SpanItem):
        yield "start_time_unix_nano", item.span.start_time_unix_nano
        yield "end_time_unix_nano", item.span.end_time_unix_nano
    else:
        yield "time_unix_nano", item.time_ns


def happened_ns(item: Item) -> int:
    """The time of the item's last event, by the device's clock."""
    return item.span.end_time_unix_nano if isinstance(item, SpanItem) else next(times(item))[1]


@rule(
    "time-zero",
    ITEMS,
    Level.ERROR,
    "the-telemetry-contract",
    "no time at all",
    "Set it to nanoseconds since 1970. If the clock is not set yet at start, wait for it before the first export.",
)
def time_zero(item: Item) -> Iterable[Hit]:
    yield from (Hit(name, "0") for name, time in times(item) if not time)


@rule(
    "time-not-nanoseconds",
    ITEMS,
    Level.ERROR,
    "the-telemetry-contract",
    "a time that is not in nanoseconds",
    "OTLP's times are nanoseconds since 1970.",
)
def time_unit(item: Item) -> Iterable[Hit]:
    for name, time in times(item):
        if 0 < time < NANO_MIN:
            yield Hit(name, str(time), _unit_of(time))


def _unit_of(time: int) -> str:
    for unit, per_s in (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6)):
        if 10**9 <= time / per_s < 10**10:
            return f"looks like {unit}"
    return "a clock that was never set, most likely"


@rule(
    "time-future",
    ITEMS,
    Level.ERROR,
    "the-telemetry-contract",
    "a time more than an hour in the future",
    "Set the clock by NTP. The gateway drops such points and moves such spans and events to the time of receipt.",
)
def time_future(item: Item) -> Iterable[Hit]:
    now = item.sender.sending.received_ns or item.sender.sending.now_ns
    for name, time in times(item):
        if now is not None and time > now + CLAMP_FUTURE_NS:
            yield Hit(name, str(time), f"{(time - now) / 3.6e12:,.1f} h ahead")


@rule(
    "time-past",
    ITEMS,
    Level.ERROR,
    "the-telemetry-contract",
    "a time more than 40 days ago",
    "Set the clock by NTP. The gateway drops such points and moves such spans and events to the time of receipt.",
)
def time_past(item: Item) -> Iterable[Hit]:
    received = item.sender.sending.received_ns
    for name, time in times(item):
        # A counter may have begun long ago.
        counting = isinstance(item, PointItem) and name.startswith("start")
        if received is not None and NANO_MIN <= time < received - CLAMP_PAST_NS and not counting:
            yield Hit(name, str(time), f"{(received - time) / 8.64e13:,.0f} days ago")


@rule(
    "attribute-too-long",
    (Sender, *ITEMS),
    Level.WARNING,
    "limits",
    f"an attribute longer than {c.ATTRIBUTE_LENGTH_MAX} characters",
    "Send a short class; the whole text belongs in the device's own log.",
)
def too_long(item: Sender | Item) -> Iterable[Hit]:
    for key, value in item.attributes.items():
        if max(len(value), len(key)) > c.ATTRIBUTE_LENGTH_MAX:
            yield Hit(key, value, f"{len(value)} characters")


@rule(
    "attribute-twice",
    (Sender, *ITEMS),
    Level.WARNING,
    "limits",
    "an attribute that is there twice",
    "OTLP forbids it: the first one counts here, and elsewhere nobody knows.",
)
def twice(item: Sender | Item) -> Iterable[Hit]:
    if len(item.pairs) != len(item.attributes):
        seen: set[str] = set()
        for pair in item.pairs:
            if pair.key in seen:
                yield Hit(pair.key, values.as_string(pair.value))
            seen.add(pair.key)


_EMAIL = re.compile(values.BLOCKED_VALUES[0], re.ASCII)
_IP4 = re.compile(r"(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?::\d{1,5})?", re.ASCII)
_IP6 = re.compile(r"(?=.{6,45}\Z)(?:[0-9a-fA-F]{0,4}:){3,7}[0-9a-fA-F]{0,4}", re.ASCII)
_PERSON = re.compile(r"(?i)^(enduser|user)\.(?!agent)|(^|[._-])(e?mail|phone|first_?name|last_?name|full_?name|ssn)$")


def _texts(item: Sender | Item) -> Mapping[str, str]:
    """Attributes that are text: a score of 16 digits is no card number."""
    texts = (p.key for p in item.pairs if p.value.WhichOneof("value") == "string_value")
    return {key: item.attributes[key][: values.VALUE_BYTES_MAX] for key in texts}


def _personal(attributes: Mapping[str, str]) -> Iterator[str]:
    for key, value in attributes.items():
        address = not key.endswith("version") and (_IP4.fullmatch(value) or _IP6.fullmatch(value))
        if address or _PERSON.search(key) or _EMAIL.search(value):
            yield key


@rule(
    "personal-data",
    (Sender, *ITEMS),
    Level.WARNING,
    "limits",
    "an attribute that looks like personal data: an email address, an IP address, a user",
    "Leave it out, or send a group that it falls into. The gateway masks email addresses; the rest would be stored.",
)
def personal_data(item: Sender | Item) -> Iterable[Hit]:
    yield from (Hit(key, _masked(item.attributes[key])) for key in _personal(_texts(item)))
    if isinstance(item, EventItem):
        text = item.record.body.string_value
        found = _EMAIL.search(text[: values.BODY_BYTES_MAX])
        if found:
            yield Hit("body", _masked(found.group()))


def _masked(text: str) -> str:
    """The beginning only: a report is passed on."""
    return f"{text[:3]}…"


@rule(
    "secret-looking",
    (Sender, *ITEMS),
    Level.WARNING,
    "limits",
    "an attribute that looks like a credential or a card number: the gateway masks it",
    "Leave it out; on the way to the gateway it can be read.",
)
def secret(item: Sender | Item) -> Iterable[Hit]:
    for key, value in _texts(item).items():
        if key not in values.IGNORED_KEYS and _is_secret(key, value):
            yield Hit(key, _masked(value))


_SECRET_KEYS = tuple(re.compile(pattern, re.ASCII) for pattern in values.BLOCKED_KEY_PATTERNS)
_SECRETS = tuple(re.compile(pattern, re.ASCII) for pattern in values.BLOCKED_VALUES[1:])


@lru_cache(maxsize=2048)
def _is_secret(key: str, value: str) -> bool:
    return any(p.search(key) for p in _SECRET_KEYS) or any(p.search(value) for p in _SECRETS)


@rule(
    "score-wrong",
    (SpanItem, EventItem),
    Level.ERROR,
    "spans",
    f"{c.SCORE_OF_SPAN} is not a number in [0, 1]",
    "Send a probability: 0.93, not 93 and not a logit.",
)
def score(item: SpanItem | EventItem) -> Iterable[Hit]:
    text = item.attributes.get(c.SCORE_OF_SPAN)
    if text is None or not (_is_ours(item) if isinstance(item, SpanItem) else item.name in expected.EVENTS):
        return
    number = _number(text)
    if number is None or not 0 <= number <= 1:
        percent = number is not None and 1 < number <= 100
        yield Hit(c.SCORE_OF_SPAN, text, "looks like percent" if percent else "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
