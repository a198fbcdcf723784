"""What mutes an alert, and that safety routes are not muted by accident."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from sloengine.alert.inhibition import Rule
from sloengine.alert.intervals import Interval, Span, contains
from sloengine.alert.muting import Mute, MuteKind, mutes_of, quiet_at
from sloengine.alert.notification import Told
from sloengine.alert.routes import Branch, grow
from sloengine.alert.silences import NAMES_SAFETY, Silence, SilenceState, faults_of, state_of
from sloengine.model import Matcher

NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ORDINARY, SAFETY = grow(Branch(receiver="a")), grow(Branch(receiver="a", safety=True))
LABELS = {"alertname": "Stale", "gateway": "g1"}


def silence(*matchers: Matcher, starts: timedelta = -HOUR, ends: timedelta = HOUR) -> Silence:
    return Silence("s1", matchers, NOW + starts, NOW + ends, "kim", "repair")


def alert(ended: datetime | None = None, **labels: str) -> Told:
    return Told(f"{labels['alertname']}-1", labels, {}, NOW - HOUR, ended)


STALE = Matcher("alertname", "=", "Stale")
DOWN = Rule(
    (Matcher("alertname", "=", "GatewayDown"),), (Matcher("alertname", "=~", "Stale|Slow"),), ("gateway",), "cover"
)


def names(labels: dict[str, str], *, safety: bool = False, silences=(), alerts=(), rules=(DOWN,)) -> list[str]:
    quiet = quiet_at(NOW, silences, rules, alerts, {})
    return [f"{m.kind} {m.name}" for m in mutes_of(labels, SAFETY if safety else ORDINARY, quiet)]


def test_a_mute_says_what_it_is_who_asked_and_why() -> None:
    quiet = quiet_at(NOW, [silence(STALE)], [DOWN], [alert(alertname="GatewayDown", gateway="g1")], {})
    assert mutes_of(LABELS, ORDINARY, quiet) == (
        Mute(MuteKind.INHIBITION, "GatewayDown-1", "GatewayDown fires (rule cover)"),
        Mute(MuteKind.SILENCE, "s1", "kim: repair (until 2026-12-01T13:00:00+00:00)"),
    )


@pytest.mark.parametrize(
    ("starts", "ends", "state"),
    [
        (-HOUR, HOUR, SilenceState.ACTIVE),
        (timedelta(), HOUR, SilenceState.ACTIVE),
        (HOUR, 2 * HOUR, SilenceState.PENDING),
        (-HOUR, timedelta(), SilenceState.EXPIRED),
    ],
)
def test_only_an_active_silence_mutes(starts: timedelta, ends: timedelta, state: SilenceState) -> None:
    one = silence(STALE, starts=starts, ends=ends)
    assert state_of(one, NOW) is state
    assert names(LABELS, silences=[one]) == (["silence s1"] if state is SilenceState.ACTIVE else [])


@pytest.mark.parametrize(
    ("case", "matchers", "faults"),
    [
        ("everything", (Matcher("x", "=~", ".*"),), ["a silence needs a matcher"]),
        ("nothing", (), ["a silence needs a matcher"]),
        ("what lacks a label", (Matcher("x", "=", ""),), ["a silence needs a matcher"]),
        ("one that is met by something", (Matcher("x", "=", ""), STALE), []),
    ],
)
def test_a_silence_of_everything_is_not_taken(case: str, matchers: tuple[Matcher, ...], faults: list[str]) -> None:
    found = faults_of(silence(*matchers))
    assert [f[: len(start)] for f, start in zip(found, faults, strict=True)] == faults, case


def test_a_silence_has_an_end_after_its_beginning_an_author_and_a_reason() -> None:
    assert len(faults_of(Silence("s", (STALE,), NOW, NOW, " ", "x"))) == 2


@pytest.mark.parametrize(
    ("matchers", "ordinary", "safety"),
    [
        ((STALE,), True, False),
        ((Matcher("alertname", "=~", ".+"), Matcher("route", "=~", ".*")), True, False),
        ((Matcher("alertname", "=", "Stale"), Matcher("route", "=~", "safety")), False, False),
        ((STALE, NAMES_SAFETY), False, True),
        ((Matcher("alertname", "=", "Other"), NAMES_SAFETY), False, False),
        ((NAMES_SAFETY,), False, True),
    ],
)
def test_a_safety_route_is_silenced_only_by_name(matchers: tuple[Matcher, ...], ordinary: bool, safety: bool) -> None:
    one = silence(*matchers)
    assert bool(names(LABELS, silences=[one])) is ordinary
    assert bool(names(LABELS, silences=[one], safety=True)) is safety


def test_neither_inhibition_nor_time_mutes_a_safety_route() -> None:
    cause = alert(alertname="GatewayDown", gateway="g1")
    assert names(LABELS, alerts=[cause]) == ["inhibition GatewayDown-1"]
    assert names(LABELS, alerts=[cause], safety=True) == []
    night = grow(Branch(receiver="a", mute_in=("always",), safety=True))
    assert mutes_of(LABELS, night, quiet_at(NOW, (), (), (), {"always": (Interval(),)})) == ()


@pytest.mark.parametrize(
    ("case", "labels", "source", "muted"),
    [
        ("they agree", LABELS, alert(alertname="GatewayDown", gateway="g1"), True),
        ("another gateway", LABELS, alert(alertname="GatewayDown", gateway="g2"), False),
        ("the cause is over", LABELS, alert(NOW, alertname="GatewayDown", gateway="g1"), False),
        ("neither has the label", {"alertname": "Slow"}, alert(alertname="GatewayDown"), True),
        ("one lacks the label", {"alertname": "Slow"}, alert(alertname="GatewayDown", gateway="g1"), False),
        ("no target", {"alertname": "Other", "gateway": "g1"}, alert(alertname="GatewayDown", gateway="g1"), False),
    ],
)
def test_inhibition(case: str, labels: dict[str, str], source: Told, muted: bool) -> None:
    assert bool(names(labels, alerts=[source])) is muted, case


def test_alerts_of_both_sides_do_not_mute_each_other() -> None:
    same = Rule((Matcher("severity", "=~", ".+"),), (Matcher("severity", "=", "page"),))
    one, two = alert(alertname="A", severity="page"), alert(alertname="B", severity="page")
    cause = alert(alertname="C", severity="ticket")
    assert names(dict(one.labels), alerts=[one, two], rules=[same]) == []
    assert names(dict(one.labels), alerts=[one, two, cause], rules=[same]) == ["inhibition C-1"]


def test_times_mute_a_route() -> None:
    noon, night = (Interval(times=(Span(720, 780),)),), (Interval(times=(Span(0, 360),)),)
    quiet = quiet_at(NOW, (), (), (), {"noon": noon, "night": night})

    def kinds(**branch: tuple[str, ...]) -> list[str]:
        route = grow(Branch(receiver="a", mute_in=branch.get("mute", ()), active_in=branch.get("active", ())))
        return [f"{m.kind}: {m.name}" for m in mutes_of(LABELS, route, quiet)]

    assert kinds(mute=("night", "noon")) == ["mute_time_intervals: noon"]
    assert kinds(mute=("night",)) == []
    assert kinds(active=("night", "noon")) == []
    assert kinds(active=("night",)) == ["outside active_time_intervals: night"]


@pytest.mark.parametrize(
    ("case", "interval", "moment", "inside"),
    [
        ("any", Interval(), "2026-12-01T12:00", True),
        ("its first minute", Interval(times=(Span(720, 721),)), "2026-12-01T12:00", True),
        ("its end is outside", Interval(times=(Span(660, 720),)), "2026-12-01T12:00", False),
        ("to the end of the day", Interval(times=(Span(1380, 1440),)), "2026-12-01T23:59", True),
        ("a Sunday", Interval(weekdays=(Span(0, 0),)), "2026-12-06T00:00", True),
        ("no Sunday", Interval(weekdays=(Span(1, 6),)), "2026-12-06T00:00", False),
        ("the last day of a short month", Interval(days_of_month=(Span(-1, -1),)), "2026-02-28T00:00", True),
        ("the last three", Interval(days_of_month=(Span(-3, -1),)), "2026-02-25T00:00", False),
        ("the 31st of a month of 30", Interval(days_of_month=(Span(31, 31),)), "2026-11-30T00:00", False),
        ("from the 29th in February", Interval(days_of_month=(Span(28, 31),)), "2026-02-28T00:00", True),
        ("from the 5th to the last but one", Interval(days_of_month=(Span(5, -2),)), "2026-11-30T00:00", False),
        ("a month", Interval(months=(Span(5, 8),)), "2026-08-31T23:59", True),
        ("another month", Interval(months=(Span(5, 8),)), "2026-09-01T00:00", False),
        ("a year", Interval(years=(Span(2026, 2026),)), "2026-12-31T23:59", True),
        ("elsewhere it is another day", Interval(weekdays=(Span(3, 3),), zone=ZoneInfo("Asia/Tokyo")), "2026-12-01T16:00", True),
        ("one kind of two", Interval(weekdays=(Span(0, 0),), months=(Span(12, 12),)), "2026-12-01T12:00", False),
    ],
)  # fmt: skip
def test_intervals(case: str, interval: Interval, moment: str, inside: bool) -> None:
    assert contains(interval, datetime.fromisoformat(moment).replace(tzinfo=UTC)) is inside, case
