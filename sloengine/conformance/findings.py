"""Rules as a table, what a rule says about one item (a hit), and hits of one kind counted together (a finding)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

CONTRACT = "docs/telemetry.md"
DEVICES_COUNTED_MAX = 1000
EXAMPLE_LENGTH_MAX = 120


class Level(StrEnum):
    """How bad: numbers will be wrong or unusable; something is lost or less precise; worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


WORST_FIRST = (Level.ERROR, Level.WARNING, Level.NOTE)


@dataclass(frozen=True, slots=True)
class Hit:
    """What a rule found in one item. Empty `name` is the item's own name."""

    attribute: str = ""
    example: str = ""
    detail: str = ""
    name: str = ""


Check = Callable[[Any], Iterable[Hit]]
C = TypeVar("C", bound=Check)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong: what it is, what to do, and the section of docs/telemetry.md that says so."""

    id: str
    level: Level
    section: str
    what: str
    do: str
    on: tuple[type, ...]
    check: Check | None

    @property
    def link(self) -> str:
        return f"{CONTRACT}#{self.section}"


RULES: dict[str, Rule] = {}


def rule(  # noqa: PLR0917  a table row, read in this order
    id: str, on: type | tuple[type, ...], level: Level, section: str, what: str, do: str
) -> Callable[[C], C]:
    """Puts a check into the table. `on` is the class (or classes) of the items that it is shown."""

    def enter(check: C) -> C:
        _enter(Rule(id, level, section, what, do, on if isinstance(on, tuple) else (on,), check))
        return check

    return enter


def declare(id: str, level: Level, section: str, what: str, do: str) -> None:
    """A rule without a check of its own: the edge that meets it says so by its id."""
    _enter(Rule(id, level, section, what, do, (), None))


def _enter(entry: Rule) -> None:
    if entry.id in RULES:
        raise ValueError(f"two rules are called {entry.id}")
    RULES[entry.id] = entry


@dataclass(frozen=True, slots=True)
class Place:
    """Where: the signal, the metric's, span's or event's name, and the attribute (or field)."""

    signal: str
    name: str = ""
    attribute: str = ""

    def __str__(self) -> str:
        return " · ".join(part for part in (self.signal, self.name, self.attribute) if part)


@dataclass(slots=True)
class Finding:
    """Hits of one rule in one place. `example` and `detail` are the first hit's."""

    rule: Rule
    place: Place
    example: str
    detail: str
    count: int = 0
    devices: set[str] = field(default_factory=set)

    def add(self, device: str) -> None:
        self.count += 1
        if device and len(self.devices) < DEVICES_COUNTED_MAX:
            self.devices.add(device)

    def as_dict(self) -> dict[str, object]:
        """The finding as it is printed by --json."""
        return {
            "rule": self.rule.id,
            "level": self.rule.level.value,
            "what": self.rule.what,
            "signal": self.place.signal,
            "name": self.place.name,
            "attribute": self.place.attribute,
            "example": self.example,
            "detail": self.detail,
            "count": self.count,
            "devices": sorted(self.devices)[:10],
            "devices_count": len(self.devices),
            "do": self.rule.do,
            "see": self.rule.link,
        }


def printable(text: str, length_max: int = EXAMPLE_LENGTH_MAX) -> str:
    """One line without control characters: what a device sends must not drive the terminal that shows it."""
    cut = text[: length_max + 1]
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in cut)
    return clean if len(text) <= length_max else clean[: length_max - 1] + "…"
