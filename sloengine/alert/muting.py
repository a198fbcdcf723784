"""Why an alert is not told now. A mute is a value with its name, so that it can be shown wherever the alert is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from sloengine.alert.inhibition import Inhibitors, Rule, inhibiting, inhibitors
from sloengine.alert.intervals import Intervals, within
from sloengine.alert.notification import Told
from sloengine.alert.routes import Route
from sloengine.alert.silences import Silence, active, silencing


class MuteKind(StrEnum):
    INHIBITION = "inhibition"
    INACTIVE = "outside active_time_intervals"
    MUTE_TIME = "mute_time_intervals"
    SILENCE = "silence"
    REROUTED = "routed elsewhere"
    """For callers: the configuration no longer sends it here. What was told here is still resolved here."""


@dataclass(frozen=True, slots=True)
class Mute:
    kind: MuteKind
    name: str
    """The silence's id, the inhibiting alert's dedup key, or the interval's name."""
    why: str


@dataclass(frozen=True, slots=True)
class Quiet:
    """Everything that may mute at one moment."""

    now: datetime
    silences: tuple[Silence, ...] = ()
    """Active ones."""
    by_alerts: Inhibitors = field(default_factory=lambda: Inhibitors(()))
    intervals: Intervals = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertNow:
    """An alert that fires."""

    told: Told
    mutes: Mapping[str, tuple[Mute, ...]]
    """By receiver what mutes it there; nothing if it is told."""


def quiet_at(
    now: datetime, silences: Iterable[Silence], rules: Iterable[Rule], alerts: Iterable[Told], intervals: Intervals
) -> Quiet:
    """Made once for all alerts of a moment."""
    return Quiet(now, active(silences, now), inhibitors(rules, alerts), intervals)


def mutes_of(labels: Mapping[str, str], route: Route, quiet: Quiet) -> tuple[Mute, ...]:
    """What mutes an alert on a route, all of it. On a safety route nothing does but a silence that names safety routes."""
    silenced = [_silence(s) for s in silencing(labels, quiet.silences, safety=route.safety)]
    if route.safety:
        return tuple(silenced)
    inhibited = [_inhibition(*found) for found in inhibiting(labels, quiet.by_alerts)]
    return (*inhibited, *_times(route, quiet), *silenced)


def _silence(silence: Silence) -> Mute:
    return Mute(
        MuteKind.SILENCE, silence.id, f"{silence.author}: {silence.reason} (until {silence.ends_at.isoformat()})"
    )


def _inhibition(rule: Rule, source: Told) -> Mute:
    cause = source.labels.get("alertname", source.dedup_key)
    return Mute(MuteKind.INHIBITION, source.dedup_key, f"{cause} fires" + (f" (rule {rule.name})" if rule.name else ""))


def _times(route: Route, quiet: Quiet) -> Iterable[Mute]:
    if route.active_in and within(route.active_in, quiet.intervals, quiet.now) is None:
        names = ", ".join(route.active_in)
        yield Mute(MuteKind.INACTIVE, names, f"the route is active in {names} only")
    inside = within(route.mute_in, quiet.intervals, quiet.now)
    if inside is not None:
        yield Mute(MuteKind.MUTE_TIME, inside, f"the route is mute in {inside}")
