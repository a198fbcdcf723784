"""Random scripts, the pure engine beside a real Alertmanager: the same is told of each, or docs/alertmanager.md says why not."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import pytest
from alert_differential import Recording, Verdict, compare, record, setting
from alert_scripts import replay
from alertmanager_rig import PROGRAM, program

from sloengine.alert import grouping, muting, routes
from sloengine.alert.grouping import GroupState, Keys, Reason, Step, Telling
from sloengine.alert.notification import Told

DROPPED_MAX = 0.1
SCRIPTS = 1000
UNIT_S = 1.2
SLOWER = 2.5
"""Where more than a tenth slipped it is tried once more at leisure."""
MUTATED = 300
"""Scripts that are enough to see that an engine is broken."""
NOTICED_MIN = 0.02


@pytest.fixture(scope="module", params=range(int(setting("SLOENGINE_ALERT_ROUNDS", 1))))
def recording(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if program() is None:
        reason = f"{PROGRAM} is not installed: make setup-system"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    seed = int(setting("SLOENGINE_TEST_SEED", 1)) + request.param
    unit, count = setting("SLOENGINE_ALERT_UNIT_S", UNIT_S), int(setting("SLOENGINE_ALERT_SCRIPTS", SCRIPTS))
    found = record(tmp_path_factory.mktemp("alertmanager"), seed, count, unit)
    if too_slow(found):
        found = record(tmp_path_factory.mktemp("alertmanager"), seed, count, SLOWER * unit)
    return found


def too_slow(recording: Recording) -> bool:
    return len(compare(recording, recording.expected).dropped) > DROPPED_MAX * len(recording.scripts)


def said(verdict: Verdict) -> str:
    return (
        f"{len(verdict.same)} alike, {len(verdict.different)} different, {len(verdict.dropped)} dropped; "
        f"{verdict.notifications} notifications; {verdict.by_intention} groups cut where both differ by intention"
    )


def test_what_is_told_is_what_alertmanager_tells(recording: Recording) -> None:
    verdict = compare(recording, recording.expected)
    print(said(verdict))
    assert verdict.different[:3] == [], said(verdict)
    assert not too_slow(recording), f"too slow a machine to tell: {said(verdict)}"
    assert verdict.by_intention, "no mute met a resolve: the scripts are too tame"


def no_continue(monkeypatch: pytest.MonkeyPatch) -> None:
    right = routes.matching

    def wrong(route: routes.Route, labels: Mapping[str, str]) -> list[routes.Route]:
        return right(replace(route, routes=tuple(replace(below, goes_on=False) for below in route.routes)), labels)

    monkeypatch.setattr(routes, "matching", wrong)


def wrong_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    right = grouping.step

    def wrong(telling: Telling, state: GroupState | None, members: list[Told], muted: set[str], now: datetime) -> Step:
        timers = telling.group.route.timers
        route = replace(telling.group.route, timers=replace(timers, interval=timers.interval * 2))
        return right(replace(telling, group=replace(telling.group, route=route)), state, members, muted, now)

    monkeypatch.setattr(grouping, "step", wrong)


def never(monkeypatch: pytest.MonkeyPatch, *reasons: Reason) -> None:
    right = grouping._reason

    def wrong(telling: Telling, state: GroupState, firing: Keys, resolved: Keys, now: datetime) -> Reason:
        found = right(telling, state, firing, resolved, now)
        return Reason.UNCHANGED if found in reasons else found

    monkeypatch.setattr(grouping, "_reason", wrong)


def no_resolve(monkeypatch: pytest.MonkeyPatch) -> None:
    never(monkeypatch, Reason.ALL_RESOLVED, Reason.SOME_RESOLVED)


def no_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    never(monkeypatch, Reason.REPEAT)


def no_inhibition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(muting, "inhibiting", lambda labels, by: [])


@pytest.mark.parametrize("broken", [no_continue, wrong_interval, no_resolve, no_repeat, no_inhibition])
def test_a_broken_engine_is_noticed(
    recording: Recording, broken: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the test above could not fail."""
    some = list(recording.scripts.values())[:MUTATED]
    right = compare(recording, {script.name: recording.expected[script.name] for script in some})
    broken(monkeypatch)
    wrong = compare(recording, {script.name: replay(script, recording.alerting, recording.unit) for script in some})
    # What is told too early looks as if the machine were slow: it counts too, where the right engine was in time.
    noticed = right.same - wrong.same
    print(f"{broken.__name__}: {len(noticed)} of {len(right.same)} scripts differ")
    assert len(noticed) > NOTICED_MIN * MUTATED
