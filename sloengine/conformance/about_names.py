"""Rules about names: what is missing, misspelt or in the wrong place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sloengine.edge import contract as c

from . import expected
from .findings import Check, Hit, Level, rule
from .items import ITEMS, EventItem, Item, MetricItem, Sender, SpanItem
from .names import lookalike

_RESOURCE_NAMES = (*expected.RESOURCE_REQUIRED, *expected.RESOURCE_OPTIONAL)
_ITEM_NAMES = frozenset(
    (
        *expected.MODEL_REQUIRED,
        *expected.MODEL_OPTIONAL,
        *expected.SPAN_REQUIRED,
        *expected.SPAN_OPTIONAL,
        *(name for names in expected.METRIC_REQUIRED.values() for name in names),
        *(name for names in expected.EVENTS.values() for name in names),
        *(name for names in expected.EVENTS_OPTIONAL.values() for name in names),
    )
)
_PLACEHOLDERS = ("", "unknown", "unknown_service", "null", "none", "undefined", "n/a")


def lacks(attributes: Mapping[str, str], wanted: str) -> bool:
    value = attributes.get(wanted, "").strip().lower()
    return value in _PLACEHOLDERS or value.startswith("unknown_service:")


def meant(attributes: Mapping[str, str], wanted: str, known: Collection[str] = _ITEM_NAMES) -> str | None:
    """The attribute that was meant to be `wanted`, which is absent."""
    return None if wanted in attributes else lookalike(wanted, attributes, known, short=True)


def _ours(item: Item) -> bool:
    if isinstance(item, SpanItem):
        return item.ours
    return item.name in (expected.EVENTS if isinstance(item, EventItem) else expected.KINDS)


def _resource_missing(key: str) -> Check:
    def check(sender: Sender) -> Iterable[Hit]:
        if lacks(sender.attributes, key) and not meant(sender.attributes, key, _RESOURCE_NAMES):
            yield Hit(key, sender.attributes.get(key) or "absent")

    return check


def _model_missing(key: str) -> Check:
    def check(item: Item) -> Iterable[Hit]:
        if not _ours(item) or key not in item.wanted or meant(item.attributes, key):
            return
        if lacks(item.attributes, key) and key not in item.sender.attributes:
            yield Hit(key, item.attributes.get(key) or "absent")

    return check


for _id, _key, _do in (
    (
        "service-name-missing",
        expected.SERVICE,
        "Set the application's name (OTEL_SERVICE_NAME): promises are made per service.",
    ),
    (
        "device-id-missing",
        expected.DEVICE,
        "Set the node's name, stable over restarts: freshness and totals are counted by it.",
    ),
    ("region-missing", expected.REGION, "Set where the device stands; alerts and dashboards are cut by region."),
):
    rule(
        _id,
        Sender,
        Level.ERROR,
        "resource-who-speaks",
        f"the resource has no {_key}, an empty one or a placeholder",
        _do,
    )(_resource_missing(_key))

for _id, _key in (("model-name-missing", c.MODEL_NAME), ("model-version-missing", c.MODEL_VERSION)):
    rule(
        _id,
        ITEMS,
        Level.ERROR,
        "on-every-item-which-model",
        f"something about a model without {_key}, or with a placeholder",
        f"Put {_key} on every metric point, span and event about a model.",
    )(_model_missing(_key))


@rule(
    "instance-id-missing",
    Sender,
    Level.NOTE,
    "resource-who-speaks",
    "the resource has no service.instance.id",
    "Set a random id per process; without it two processes of a service on one device are one series that jumps.",
)
def instance_missing(sender: Sender) -> Iterable[Hit]:
    if not sender.attributes.get(expected.INSTANCE) and not meant(
        sender.attributes, expected.INSTANCE, _RESOURCE_NAMES
    ):
        yield Hit(expected.INSTANCE, "absent")


@rule(
    "gateway-claimed",
    Sender,
    Level.WARNING,
    "resource-who-speaks",
    "the device says what only the gateway may say",
    "Leave it out: the gateway overwrites it.",
)
def gateway_claimed(sender: Sender) -> Iterable[Hit]:
    yield from (Hit(key, sender.attributes[key]) for key in expected.GATEWAY_KEYS if key in sender.attributes)


def _misspelt(attributes: Mapping[str, str], wanted: Iterable[str], known: Collection[str]) -> Iterable[Hit]:
    for key in wanted:
        written = meant(attributes, key, known)
        if written:
            yield Hit(written, attributes[written], f"did you mean {key}?")


@rule(
    "resource-name-almost",
    Sender,
    Level.ERROR,
    "resource-who-speaks",
    "a required resource attribute is misspelt",
    "Names are compared letter by letter: dots, no underscores, lower case.",
)
def resource_almost(sender: Sender) -> Iterable[Hit]:
    return _misspelt(sender.attributes, expected.RESOURCE_REQUIRED, _RESOURCE_NAMES)


@rule(
    "resource-option-almost",
    Sender,
    Level.WARNING,
    "resource-who-speaks",
    "an optional resource attribute is misspelt, so it is not seen",
    "Names are compared letter by letter: dots, no underscores, lower case.",
)
def resource_option_almost(sender: Sender) -> Iterable[Hit]:
    return _misspelt(sender.attributes, expected.RESOURCE_OPTIONAL, _RESOURCE_NAMES)


@rule(
    "attribute-almost",
    ITEMS,
    Level.ERROR,
    "on-every-item-which-model",
    "a required attribute is misspelt",
    "Names are compared letter by letter: dots, no underscores, lower case.",
)
def attribute_almost(item: Item) -> Iterable[Hit]:
    return _misspelt(item.attributes, item.wanted, _ITEM_NAMES) if _ours(item) else ()


@rule(
    "option-almost",
    ITEMS,
    Level.WARNING,
    "on-every-item-which-model",
    "an optional attribute is misspelt, so it is not seen",
    "Names are compared letter by letter: dots, no underscores, lower case.",
)
def option_almost(item: Item) -> Iterable[Hit]:
    return _misspelt(item.attributes, item.welcome, _ITEM_NAMES) if _ours(item) else ()


@rule(
    "attribute-misplaced",
    ITEMS,
    Level.ERROR,
    "on-every-item-which-model",
    "an attribute that each item needs is on the resource",
    "One process can run several models: put what describes the model or the request on each item.",
)
def misplaced(item: Item) -> Iterable[Hit]:
    resource = item.sender.attributes
    for key in item.wanted if _ours(item) else ():
        if key in resource and lacks(item.attributes, key) and not meant(item.attributes, key):
            yield Hit(key, resource[key])


@rule(
    "metric-name-almost",
    MetricItem,
    Level.ERROR,
    "metrics",
    "a metric's name is almost one of the contract's",
    "Nothing reads it under this name. Names have dots and no endings such as _total or _seconds.",
)
def metric_almost(item: MetricItem) -> Iterable[Hit]:
    if item.name in expected.KINDS:
        return
    for known in expected.KINDS.keys() - set(item.sender.names):
        if lookalike(known, [item.name]):
            item.sender.memory.meant.add(known)
            yield Hit(detail=f"did you mean {known}?")
            return


@rule(
    "span-name-almost",
    SpanItem,
    Level.ERROR,
    "spans",
    "a span's name is almost edge.inference",
    "Nothing reads it under this name: one span per request, called edge.inference.",
)
def span_almost(item: SpanItem) -> Iterable[Hit]:
    marked = any(key.startswith("edge.inference.") for key in item.attributes)
    if not item.ours and (lookalike(c.SPAN, [item.name]) if item.name.startswith("edge") or marked else None):
        yield Hit(detail=f"did you mean {c.SPAN}?")


@rule(
    "event-name-almost",
    EventItem,
    Level.ERROR,
    "logs",
    "an event's name is almost one of the contract's",
    "Nothing reads it under this name.",
)
def event_almost(item: EventItem) -> Iterable[Hit]:
    if not item.name.startswith("edge") and not any(key.startswith("edge.") for key in item.attributes):
        return
    known = next((n for n in expected.EVENTS if lookalike(n, [item.name], expected.EVENTS)), None)
    if known:
        yield Hit(detail=f"did you mean {known}?")


@rule(
    "event-name-missing",
    EventItem,
    Level.ERROR,
    "logs",
    "a log record with edge.* attributes and no event name",
    "Set the record's event_name, or the attribute event.name, to the event's name.",
)
def event_nameless(item: EventItem) -> Iterable[Hit]:
    ours = next((key for key in item.attributes if key.startswith("edge.")), None)
    if not item.name and ours:
        yield Hit("event.name", ours, "has an attribute of the contract")
