"""When alerts begin and end, and under which name."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.alert.episodes import (
    Episode,
    EpisodeState,
    Reason,
    decide,
    evidence_of,
    identity_of,
    labels_of,
)
from sloengine.model import BurnPolicy, BurnReading, BurnWindow, Counts, Severity, Sli, Slo, State, Status

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
RESOLVE_AFTER = 5 * MINUTE
PAGE = BurnWindow(Severity.PAGE, HOUR, 5 * MINUTE, 0.02)
SLOW_PAGE = BurnWindow(Severity.PAGE, 6 * HOUR, 30 * MINUTE, 0.05)
TICKET = BurnWindow(Severity.TICKET, DAY, 2 * HOUR, 0.1)
SLO = Slo(
    name="digits-success",
    display_name="Digits answered",
    description="",
    service="digits",
    indicator="M1",
    target=0.999,
    window=30 * DAY,
    by=("model", "region"),
    sli=Sli(),
    policy=BurnPolicy("p", (PAGE, SLOW_PAGE, TICKET)),
    owner=None,
    runbook=None,
    source="slos.yaml:1",
)
HIGH, LOW, BLIND = 20.0, 0.1, None
FIRING, RESOLVED = EpisodeState.FIRING, EpisodeState.RESOLVED


def reading(window: BurnWindow, long: float | None, short: float | None) -> BurnReading:
    return BurnReading(window, window.factor(SLO.window), long, short)


def status(
    page: tuple[float | None, float | None] = (LOW, LOW),
    ticket: tuple[float | None, float | None] = (LOW, LOW),
    state: State = State.OK,
    since: timedelta = MINUTE,
) -> Status:
    return Status(
        slo=SLO,
        group=(("model", "digits"), ("region", "eu-north")),
        at=NOW,
        state=state,
        sli=0.99,
        counts=Counts(good=99, bad=1, unknown=2, covered_s=60.0),
        coverage=0.5,
        budget_remaining=-9.0,
        burns=(reading(PAGE, *page), reading(SLOW_PAGE, LOW, LOW), reading(TICKET, *ticket)),
        reason="because",
        since_last_data=since,
    )


def episode(
    state: EpisodeState = FIRING, severity: Severity = Severity.PAGE, bad: timedelta = HOUR, number: int = 1
) -> Episode:
    labels = labels_of(status(), severity, "edge")
    return Episode(identity_of(labels), number, severity, labels, state, NOW - 2 * HOUR, NOW - bad)


BURNING = status(page=(HIGH, HIGH), state=State.BURNING)
QUIET = status()
OVER = status(page=(HIGH, LOW))
UNSURE = replace(BURNING, state=State.OK, burns=tuple(replace(b, sure=False) for b in BURNING.burns))


@pytest.mark.parametrize(
    ("case", "now", "current", "change", "reason", "burning"),
    [
        ("within budget, nothing fired before", QUIET, None, None, Reason.NOTHING, False),
        ("within budget after an alert that has ended", QUIET, episode(RESOLVED), None, Reason.NOTHING, False),
        ("both windows over", BURNING, None, FIRING, Reason.BURN_EXCEEDED, True),
        ("over again after an alert that has ended", BURNING, episode(RESOLVED), FIRING, Reason.BURN_EXCEEDED, True),
        ("goes on burning", BURNING, episode(), None, Reason.STILL_BURNING, True),
        ("over by too few events to be sure: does not begin", UNSURE, None, None, Reason.NOTHING, False),
        ("over, though no longer surely: does not end", UNSURE, episode(), None, Reason.STILL_BURNING, True),
        ("only the long window is over: does not begin", OVER, None, None, Reason.NOTHING, False),
        ("only the long window is over: ends", OVER, episode(), RESOLVED, Reason.QUIET_LONG_ENOUGH, False),
        ("quiet for a moment", QUIET, episode(bad=MINUTE), None, Reason.QUIET, False),
        (
            "a microsecond too short",
            QUIET,
            episode(bad=RESOLVE_AFTER - timedelta(microseconds=1)),
            None,
            Reason.QUIET,
            False,
        ),
        ("quiet just long enough", QUIET, episode(bad=RESOLVE_AFTER), RESOLVED, Reason.QUIET_LONG_ENOUGH, False),
        ("a clock that went back does not end it", QUIET, episode(bad=-HOUR), None, Reason.QUIET, False),
        ("stale data holds it", status(state=State.STALE), episode(), None, Reason.NO_DATA_HOLDS, False),
        ("a broken SLO holds it", status(state=State.BROKEN), episode(), None, Reason.NO_DATA_HOLDS, False),
        ("stale data begins nothing", status(state=State.STALE), None, None, Reason.NOTHING, False),
        ("stale data reopens nothing", status(state=State.STALE), episode(RESOLVED), None, Reason.NOTHING, False),
        (
            "late data that burns counts as burning",
            status(page=(HIGH, HIGH), state=State.BURNING, since=HOUR),
            None,
            FIRING,
            Reason.BURN_EXCEEDED,
            True,
        ),
        (
            "a ticket that burns on old data does not end the page that has gone blind",
            status(page=(HIGH, BLIND), ticket=(HIGH, HIGH), state=State.BURNING, since=10 * MINUTE),
            episode(),
            None,
            Reason.NO_DATA_HOLDS,
            False,
        ),
        (
            "a ticket's burn is not a page's",
            status(ticket=(HIGH, HIGH), state=State.BURNING),
            None,
            None,
            Reason.NOTHING,
            False,
        ),
    ],
)
def test_a_page_begins_holds_and_ends(
    case: str, now: Status, current: Episode | None, change: EpisodeState | None, reason: Reason, burning: bool
) -> None:
    found = decide(Severity.PAGE, current, now, resolve_after=RESOLVE_AFTER, page_firing=False)
    assert (found.state, found.reason, found.burning) == (change, reason, burning), case


TICKET_BURNS = status(ticket=(HIGH, HIGH), state=State.BURNING)
OPEN, CLOSED = episode(severity=Severity.TICKET), episode(RESOLVED, Severity.TICKET)


@pytest.mark.parametrize(
    ("case", "now", "current", "page_firing", "change", "reason"),
    [
        ("nobody is paged: open a ticket", TICKET_BURNS, None, False, FIRING, Reason.BURN_EXCEEDED),
        ("a page covers it", TICKET_BURNS, None, True, None, Reason.COVERED_BY_PAGE),
        ("a page covers it also after an earlier ticket", TICKET_BURNS, CLOSED, True, None, Reason.COVERED_BY_PAGE),
        ("a ticket that is open stays open beside a page", TICKET_BURNS, OPEN, True, None, Reason.STILL_BURNING),
        ("a ticket that is open may end beside a page", BURNING, OPEN, True, RESOLVED, Reason.QUIET_LONG_ENOUGH),
        (
            "the page has ended, the ticket's windows are over",
            TICKET_BURNS,
            CLOSED,
            False,
            FIRING,
            Reason.BURN_EXCEEDED,
        ),
    ],
)
def test_a_ticket_is_covered_by_a_page_of_the_same_slice(
    case: str,
    now: Status,
    current: Episode | None,
    page_firing: bool,
    change: EpisodeState | None,
    reason: Reason,
) -> None:
    found = decide(Severity.TICKET, current, now, resolve_after=RESOLVE_AFTER, page_firing=page_firing)
    assert (found.state, found.reason) == (change, reason), case


def test_a_page_is_never_covered() -> None:
    found = decide(Severity.PAGE, None, BURNING, resolve_after=RESOLVE_AFTER, page_firing=True)
    assert found.state is FIRING


any_burn = st.one_of(st.none(), st.floats(0, 1000))
any_status = st.builds(
    status,
    st.tuples(any_burn, any_burn),
    st.tuples(any_burn, any_burn),
    st.sampled_from(State),
    st.integers(0, 10**5).map(lambda s: timedelta(seconds=s)),
)


@given(any_status, st.sampled_from(Severity), st.sampled_from([None, FIRING, RESOLVED]), st.booleans())
def test_decisions_always_make_sense(
    now: Status, severity: Severity, before: EpisodeState | None, page_firing: bool
) -> None:
    current = episode(before, severity) if before else None
    found = decide(severity, current, now, resolve_after=RESOLVE_AFTER, page_firing=page_firing)
    assert found.burning is any(b.exceeded for b in now.burns if b.window.severity is severity)
    if found.state is FIRING:
        assert found.burning
        assert before is not FIRING
    if found.state is RESOLVED:
        assert before is FIRING
        assert not found.burning
        assert now.state not in (State.STALE, State.BROKEN)
        assert all(b.short_burn is not None for b in now.burns if b.window.severity is severity)


def test_identity_labels_are_declared_names_and_no_measured_value() -> None:
    assert labels_of(status(), Severity.PAGE, "edge") == {
        "alertname": "ErrorBudgetBurn",
        "severity": "page",
        "cluster": "edge",
        "slo": "digits-success",
        "service": "digits",
        "model": "digits",
        "region": "eu-north",
    }


@given(any_status, any_status)
def test_whatever_is_measured_the_identity_stays(one: Status, other: Status) -> None:
    other = replace(other, sli=0.5, counts=Counts(bad=9), at=NOW + DAY, reason="other", coverage=None)
    assert labels_of(one, Severity.PAGE, "edge") == labels_of(other, Severity.PAGE, "edge")


@given(st.dictionaries(st.text(), st.text(), max_size=6), st.randoms())
def test_the_order_of_labels_does_not_change_the_identity(labels: dict[str, str], random: object) -> None:
    items = list(labels.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert identity_of(dict(items)) == identity_of(labels)


def test_the_identity_is_the_one_that_was_delivered_yesterday() -> None:
    """Changing it would orphan every open page at its receiver."""
    assert identity_of({"slo": "digits-success", "region": "eu-north"}) == "sloengine-693a6e7c13ce91ddd376"


@pytest.mark.parametrize(
    "other",
    [
        {"a": "1", "b": "3"},
        {"a": "1"},
        {"a": "1", "b": "2", "c": ""},
        {"a": "2", "b": "1"},
        {"a": "1b2"},
        {"ab": "12"},
    ],
)
def test_other_labels_are_another_identity(other: dict[str, str]) -> None:
    assert identity_of(other) != identity_of({"a": "1", "b": "2"})


def test_the_severities_and_the_clusters_of_one_slice_are_different_alerts() -> None:
    names = {
        identity_of(labels_of(status(), severity, cluster)) for severity in Severity for cluster in ("edge", "lab")
    }
    assert len(names) == 4


def test_the_dedup_key_grows_with_the_episode_so_that_a_new_one_opens_a_new_incident() -> None:
    first, second = episode(number=1), episode(number=2)
    assert first.identity == second.identity
    assert (first.dedup_key, second.dedup_key) == (f"{first.identity}-1", f"{first.identity}-2")
    assert len(episode(number=10**12).dedup_key) <= 250, "Opsgenie takes 250 characters, PagerDuty 255"


def test_the_evidence_is_json_and_holds_what_decided() -> None:
    found = json.loads(json.dumps(evidence_of(BURNING)))
    assert {k: found[k] for k in ("target", "window", "good", "bad", "unknown", "coverage", "state", "reason")} == {
        "target": 0.999,
        "window": "30d",
        "good": 99,
        "bad": 1,
        "unknown": 2,
        "coverage": 0.5,
        "state": "burning",
        "reason": "because",
    }
    assert [(b["severity"], b["long"], b["short"], b["exceeded"]) for b in found["burn"]] == [
        ("page", "1h", "5m", True),
        ("page", "6h", "30m", False),
        ("ticket", "1d", "2h", False),
    ]
