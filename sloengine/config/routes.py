"""The routing tree and inhibition rules as they are written, in Alertmanager's words, and the values that are made of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from sloengine.alert.inhibition import Rule
from sloengine.alert.routes import Branch
from sloengine.config.documents import Strict
from sloengine.config.label_matchers import check_expression, read_label_matchers
from sloengine.config.matchers import shown
from sloengine.model import Matcher
from sloengine.times import LONGEST

_UNITS = {"y": 31_536_000, "w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
_DURATION = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))


def _duration(value: object) -> object:
    """Alertmanager's: units from the longest to the shortest, and ``0``."""
    if isinstance(value, timedelta) or value is None:
        return value
    found = _DURATION.fullmatch(str(value))
    if str(value) != "0" and (not found or not value):
        raise ValueError(f"'{shown(value)}' is not a duration such as 30s, 5m or 1h30m")
    parts = found.groups() if found else ()
    seconds = sum(int(count or 0) * size for count, size in zip(parts, _UNITS.values(), strict=False))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"'{shown(value)}' is too long a time")
    return timedelta(seconds=seconds)


def _not_zero(value: timedelta | None) -> timedelta | None:
    if value == timedelta():
        raise ValueError("can't be zero")
    return value


def _text(value: object) -> object:
    """A label's value that YAML took for something else; of a fraction nobody knows any more how it was written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | date) else value


def _expression(value: str) -> str:
    check_expression(value)
    return value


def _given(kind: Callable[[], object]) -> BeforeValidator:
    return BeforeValidator(lambda value: kind() if value is None else value)


def _read(value: object) -> object:
    return value if isinstance(value, tuple) else read_label_matchers(value)


Duration = Annotated[timedelta | None, BeforeValidator(_duration)]
Value = Annotated[str, BeforeValidator(_text)]
Pairs = Annotated[dict[str, Value], _given(dict)]
Expressions = Annotated[dict[str, Annotated[Value, AfterValidator(_expression)]], _given(dict)]
Matchers = Annotated[list[Annotated[tuple[Matcher, ...], BeforeValidator(_read)]], _given(list)]
Names = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], _given(list)]


class RouteConfig(Strict):
    receiver: Annotated[str, _given(str)] = ""
    group_by: Names = Field(default=[])
    group_wait: Duration = None
    group_interval: Annotated[Duration, AfterValidator(_not_zero)] = None
    repeat_interval: Annotated[Duration, AfterValidator(_not_zero)] = None
    match: Pairs = Field(default={})
    match_re: Expressions = Field(default={})
    matchers: Matchers = Field(default=[])
    mute_time_intervals: Names = Field(default=[])
    active_time_intervals: Names = Field(default=[])
    goes_on: bool = Field(default=False, alias="continue")
    safety: bool = False
    """No key of Alertmanager's: nothing mutes what goes this way but a silence that names it; so it is for routes below."""
    routes: Annotated[list[RouteConfig], _given(list)] = Field(default=[])

    def branch(self) -> Branch:
        return Branch(
            matchers=_all(self.match, self.match_re, self.matchers),
            receiver=self.receiver,
            group_by=tuple(self.group_by),
            wait=self.group_wait,
            interval=self.group_interval,
            repeat=self.repeat_interval,
            goes_on=self.goes_on,
            mute_in=tuple(self.mute_time_intervals),
            active_in=tuple(self.active_time_intervals),
            safety=self.safety,
            routes=tuple(below.branch() for below in self.routes),
        )


class InhibitConfig(Strict):
    name: Annotated[str, _given(str)] = ""
    source_match: Pairs = Field(default={})
    source_match_re: Expressions = Field(default={})
    source_matchers: Matchers = Field(default=[])
    target_match: Pairs = Field(default={})
    target_match_re: Expressions = Field(default={})
    target_matchers: Matchers = Field(default=[])
    equal: Names = Field(default=[])

    def rule(self) -> Rule:
        return Rule(
            source=_all(self.source_match, self.source_match_re, self.source_matchers),
            target=_all(self.target_match, self.target_match_re, self.target_matchers),
            equal=tuple(self.equal),
            name=self.name,
        )


def _all(
    equal: Mapping[str, str], expressions: Mapping[str, str], matchers: Sequence[tuple[Matcher, ...]]
) -> tuple[Matcher, ...]:
    """The three ways to write matchers as one list. ``match_re`` stands in group keys with its anchors, as in Alertmanager."""
    return (
        *(Matcher(name, "=", value) for name, value in equal.items()),
        *(Matcher(name, "=~", f"^(?:{pattern})$") for name, pattern in expressions.items()),
        *(matcher for several in matchers for matcher in several),
    )
