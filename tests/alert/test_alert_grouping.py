"""When a group is told: timers, what is news, what a mute may not swallow, and that nothing is told twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sloengine.alert.grouping import GroupState, Reason, Step, Telling, incident_key, step
from sloengine.alert.notification import Told
from sloengine.alert.routes import Branch, Timers, groups_of, grow

START = datetime(2026, 12, 1, tzinfo=UTC)
TIMERS = Timers(timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=4))
LABELS = {"alertname": "Stale", "cluster": "edge"}
GROUP = groups_of(grow(Branch(receiver="on-call", group_by=("cluster",))), LABELS)[0]
TELLING = Telling(GROUP, external_url="http://here")
WAIT, INTERVAL, REPEAT = (span.total_seconds() for span in (TIMERS.wait, TIMERS.interval, TIMERS.repeat))


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def alert(name: str, began: float = 0, ended: float | None = None) -> Told:
    return Told(name, {**LABELS, "device": name}, {}, at(began), None if ended is None else at(ended))


def told(made: Step) -> tuple[str, dict[str, str]] | None:
    if made.notification is None:
        return None
    return made.reason.name, {a.dedup_key: a.status for a in made.notification.alerts}


def run(
    looks: list[tuple[float, list[Told], set[str]]], telling: Telling = TELLING, state: GroupState | None = None
) -> list[Step]:
    steps = []
    for seconds, members, muted in looks:
        steps.append(step(telling, state, members, muted, at(seconds)))
        state = steps[-1].state
    return steps


A, B = alert("a-1"), alert("b-1")
GONE = alert("a-1", 0, 60)


def test_a_new_group_waits_for_more_alerts_and_is_told_once() -> None:
    first, second = run([(0, [A], set()), (30, [A, alert("b-1", 20)], set())])
    assert (told(first), first.look_at, first.reason) == (None, at(WAIT), Reason.WAITING)
    assert told(second) == ("FIRST", {"a-1": "firing", "b-1": "firing"})
    assert second.look_at == at(30 + INTERVAL)
    assert second.notification is not None
    assert (second.notification.group_key, second.notification.external_url) == ('{}:{cluster="edge"}', "http://here")


def test_an_alert_that_fires_for_longer_than_the_group_waits_is_told_at_once() -> None:
    assert told(run([(40, [alert("a-1", 0)], set())])[0]) == ("FIRST", {"a-1": "firing"})
    waiting, late = run([(0, [A], set()), (10, [A, alert("b-1", -100)], set())])
    assert (told(waiting), told(late)) == (None, ("FIRST", {"a-1": "firing", "b-1": "firing"}))


def test_what_joins_is_told_when_the_group_is_looked_at_next() -> None:
    looks = run([(0, [A], set()), (30, [A], set()), (100, [A, B], set()), (330, [A, B], set()), (630, [A, B], set())])
    assert [told(made) for made in looks[2:]] == [None, ("NEW", {"a-1": "firing", "b-1": "firing"}), None]
    assert [made.reason for made in looks[2:]] == [Reason.WAITING, Reason.NEW, Reason.UNCHANGED]


def test_a_resolve_is_told_once_and_then_forgotten() -> None:
    both = [GONE, B]
    looks = run([(0, [A, B], set()), (30, [A, B], set()), (330, both, set()), (630, both, set()), (930, [B], set())])
    assert told(looks[2]) == ("SOME_RESOLVED", {"a-1": "resolved", "b-1": "firing"})
    assert [told(made) for made in looks[3:]] == [None, None]
    assert looks[-1].state is not None
    assert looks[-1].state.settled == frozenset()


def test_an_emptied_group_is_forgotten_but_for_the_number_of_its_incident() -> None:
    looks = run([(0, [A], set()), (30, [A], set()), (330, [GONE], set()), (340, [GONE], set())])
    assert told(looks[2]) == ("ALL_RESOLVED", {"a-1": "resolved"})
    assert [(made.look_at, made.state) for made in looks[2:]] == [
        (None, GroupState(incident=1, settled=frozenset({"a-1"})))
    ] * 2
    again = run(
        [(400, [GONE, alert("a-2", 400)], set()), (430, [GONE, alert("a-2", 400)], set())], state=looks[-1].state
    )
    assert told(again[1]) == ("FIRST", {"a-2": "firing"})
    keys = [made.notification.dedup_key for made in (looks[1], looks[2], again[1]) if made.notification]
    assert keys == [incident_key(GROUP.key, 1), incident_key(GROUP.key, 1), incident_key(GROUP.key, 2)]


def test_what_was_never_told_as_firing_alone_is_not_told_as_resolved() -> None:
    looks = run([(0, [A], set()), (30, [alert("a-1", 0, 20)], set())])
    assert (told(looks[1]), looks[1].look_at) == (None, None)
    assert run([(0, [GONE], set())])[0] == Step(None, None, None, Reason.EMPTY)


@pytest.mark.parametrize(("after", "reason"), [(REPEAT - 1, Reason.UNCHANGED), (REPEAT, Reason.REPEAT)])
def test_it_is_told_again_when_repeat_interval_has_passed(after: float, reason: Reason) -> None:
    assert run([(0, [A], set()), (30, [A], set()), (30 + after, [A], set())])[-1].reason is reason


def test_without_send_resolved_resolves_are_counted_and_not_sent() -> None:
    quiet = replace(TELLING, send_resolved=False)
    looks = run(
        [(0, [A, B], set()), (30, [A, B], set()), (330, [GONE, B], set()), (630, [alert("b-1", 0, 600)], set())], quiet
    )
    assert [told(made) for made in looks[1:]] == [("FIRST", {"a-1": "firing", "b-1": "firing"}), None, None]
    assert (looks[-1].reason, looks[-1].look_at) == (Reason.ALL_RESOLVED, None)
    assert looks[-1].state == GroupState(1, settled=frozenset({"b-1"}))


# --- where it differs from Alertmanager, by intention


def test_a_mute_does_not_swallow_the_resolve_of_what_was_told() -> None:
    looks = run([(0, [A], set()), (30, [A], set()), (330, [A], {"a-1"}), (630, [GONE], {"a-1"})])
    assert [told(made) for made in looks[2:]] == [None, ("ALL_RESOLVED", {"a-1": "resolved"})]


def test_a_mute_swallows_the_resolve_of_what_was_not_told() -> None:
    looks = run([(0, [A], {"a-1"}), (30, [A], {"a-1"}), (330, [GONE], {"a-1"}), (340, [GONE], set())])
    assert [told(made) for made in looks] == [None] * 4
    assert looks[-1].look_at is None


def test_the_resolve_is_told_though_the_group_was_told_as_resolved_while_a_mute_hid_it() -> None:
    other = alert("b-1", 0, 300)
    looks = run(
        [
            (0, [A, B], set()),
            (30, [A, B], set()),
            (330, [A, other], {"a-1"}),
            (630, [alert("a-1", 0, 600), other], set()),
        ]
    )
    assert told(looks[2]) == ("ALL_RESOLVED", {"b-1": "resolved"})
    assert told(looks[3]) == ("ALL_RESOLVED", {"a-1": "resolved"})
    assert looks[2].notification is not None
    assert looks[3].notification is not None
    assert looks[2].notification.dedup_key == looks[3].notification.dedup_key


def test_an_alert_that_came_back_between_two_looks_is_another_episode() -> None:
    looks = run([(0, [A], set()), (30, [A], set()), (330, [GONE, alert("a-2", 90)], set())])
    assert told(looks[2]) == ("NEW", {"a-1": "resolved", "a-2": "firing"})
    assert looks[2].state is not None
    assert looks[2].state.incident == 1


def test_what_is_routed_elsewhere_by_now_is_still_resolved_where_it_was_told() -> None:
    looks = run([(0, [A], set()), (30, [A], set()), (330, [], set()), (400, [A], {"a-1"}), (500, [GONE], {"a-1"})])
    assert looks[2].state is not None
    assert looks[2].state.open == {"a-1"}
    last = run([(900, [GONE], {"a-1"})], state=looks[-1].state)[0]
    assert [told(made) for made in (*looks[2:], last)] == [None, None, None, ("ALL_RESOLVED", {"a-1": "resolved"})]


# --- restarts


members = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 40), st.booleans()), min_size=1, max_size=4)


@given(members=members, extra=st.lists(st.integers(0, 100), max_size=20))
@settings(max_examples=200, deadline=None)
def test_looking_more_often_as_after_a_restart_tells_nothing_more(
    members: list[tuple[int, int, bool]], extra: list[int]
) -> None:
    """Times are minutes; looks at any other time than those asked for find a timer that runs."""

    def play(looks: set[int]) -> list[tuple[int, object]]:
        state: GroupState | None = None
        said: list[tuple[int, object]] = []
        while looks and (now := min(looks)) <= 100 * 60:
            looks.discard(now)
            alerts = [alert(f"x-{i}", b * 60, (b + n) * 60 if (b + n) * 60 <= now else None)
                      for i, (b, n, _) in enumerate(members) if b * 60 <= now]  # fmt: skip
            muted = {f"x-{i}" for i, (b, _, m) in enumerate(members) if m and now > (b + 10) * 60}
            made = step(TELLING, state, alerts, muted, at(now))
            state = made.state
            if made.notification:
                said.append((now, told(made)))
            if made.look_at:
                looks.add(round((made.look_at - START).total_seconds()))
        return said

    changes = {third * 60 for b, n, _ in members for third in (b, b + n)}
    assert play(set(changes)) == play(changes | {minute * 60 + 1 for minute in extra if minute * 60 + 1 > min(changes)})


@pytest.mark.parametrize("after", [31, 400, 4 * 3600 - 60])
def test_a_restart_or_a_reload_tells_nothing_again(after: float) -> None:
    """The state comes back from the database; the timers may be others."""
    state = run([(0, [A], set()), (30, [A], set())])[-1].state
    faster = replace(
        GROUP, route=replace(GROUP.route, timers=replace(TIMERS, wait=timedelta(), interval=timedelta(minutes=1)))
    )
    assert told(run([(after, [A], set())], replace(TELLING, group=faster), state)[0]) is None
