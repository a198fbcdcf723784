"""Thousands of random scripts, the pure engine beside a real Alertmanager: the same is told of each, or the docs say why not."""

from __future__ import annotations

import os

import pytest
from alert_differential import Recording, compare, record, setting
from alertmanager_rig import PROGRAM, program

DROPPED_MAX = 0.1


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    if program() is None:
        reason = f"{PROGRAM} is not installed: make setup-system"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    seed = int(setting("SLOENGINE_TEST_SEED", 1))
    scripts = int(setting("SLOENGINE_ALERT_SCRIPTS", 1500))
    return record(tmp_path_factory.mktemp("alertmanager"), seed, scripts, setting("SLOENGINE_ALERT_UNIT_S", 1.2))


def test_what_is_told_is_what_alertmanager_tells(recording: Recording) -> None:
    verdict = compare(recording, recording.expected)
    print(f"{verdict.same} alike, {len(verdict.different)} different, {len(verdict.dropped)} dropped,")
    print(f"{verdict.notifications} notifications, {verdict.by_intention} groups cut where the two differ by intention")
    assert verdict.different[:3] == []
    assert len(verdict.dropped) <= DROPPED_MAX * len(recording.scripts), "too slow a machine to tell"
