"""A drift monitor over days: when it looks, what it looks at again, and what it tells people."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from drift_rig import CALM, METRIC, MOVED, SERVICE, Device, Hours, watched_by
from engine_rig import Rig

from sloengine import jobs
from sloengine.jobs.drift import SETTLE, watch
from sloengine.jobs.drift_look import Look
from sloengine.monitor import Against, DriftMonitor

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - 5 * DAY
MONITOR = DriftMonitor("scores", SERVICE, METRIC, levels=("model", "version", "region"), owner="ml", runbook="drift.md")
PLACES = [Device(f"{region}-{n}", region=region) for region in ("eu", "us", "ap") for n in range(2)]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine, a turn makes all the looks that are owed."""
    monkeypatch.setattr("sloengine.jobs.drift.PATIENCE_S", 3600.0)


class Fleet:
    """Hours of all devices, drawn from one distribution or, in some places, from another."""

    def __init__(self, rig: Rig, seed: int, monitor: DriftMonitor = MONITOR) -> None:
        self.rig, self.dice, self.hours = rig, np.random.default_rng(seed), Hours(rig.store)
        watched_by(rig, monitor)

    def hour(self, at: datetime, moved: tuple[str, ...] = (), silent: tuple[str, ...] = (), n: int = 300) -> None:
        for device in PLACES:
            if device.region not in silent:
                self.hours.explicit(device, at, self.dice.multinomial(n, MOVED if device.region in moved else CALM))
        self.hours.revision = int((at + HOUR).timestamp() * 1000)
        self.hours.flush()

    def days(self, begin: datetime, days: int) -> None:
        for h in range(24 * days):
            self.hour(begin + h * HOUR)

    def look(self, at: datetime) -> list[datetime]:
        """Ends of the windows that are looked at when the hour that begins at ``at`` has ended."""
        made = self.watch(at + HOUR + SETTLE + timedelta(minutes=1))
        assert self.rig.deps.drift_problems == []
        return [found.end for found in made]

    def watch(self, now: datetime) -> list[Look]:
        """All that came is rolled up."""
        self.rig.deps.counted_until = self.rig.clock.now = now
        made = watch(self.rig.deps, now)
        jobs.deliver(self.rig.deps)
        return made

    def alerts(self) -> list[tuple[str, str, dict[str, str]]]:
        return [(said["status"], said["dedup_key"], said["labels"]) for said in self.rig.pager.received]


def ends(rig: Rig) -> list[datetime]:
    """Of the baselines that were made."""
    return [row["End"] for row in rig.rows("SELECT End FROM drift_baseline_versions FINAL ORDER BY End")]


def test_a_young_fleet_waits_for_its_first_day_and_then_each_hour_is_looked_at_once(rig: Rig) -> None:
    fleet, first = Fleet(rig, 1), MIDNIGHT + 7 * HOUR
    for h in range(24):
        fleet.hour(first + h * HOUR)
        assert fleet.look(first + h * HOUR) == []
    begin = first + DAY
    for h in range(3):
        fleet.hour(begin + h * HOUR)
        assert fleet.look(begin + h * HOUR) == [begin + (h + 1) * HOUR]
        assert fleet.look(begin + h * HOUR) == []
    [made] = rig.rows("SELECT Begin, End, Quality, Author FROM drift_baseline_versions FINAL")
    assert (made["Begin"], made["End"], made["Quality"]) == (first, begin, "good")
    assert fleet.alerts() == []


def test_at_midnight_the_baseline_is_made_anew_but_not_while_something_drifts(rig: Rig) -> None:
    fleet = Fleet(rig, 2)
    fleet.days(MIDNIGHT, 2)
    begin = MIDNIGHT + 2 * DAY
    fleet.hour(begin)
    fleet.look(begin)
    for h in range(1, 24):
        fleet.hour(begin + h * HOUR)
    fleet.look(begin + 23 * HOUR)
    assert ends(rig) == [begin]
    # After the looks: what the last of them finds must not become what is normal.
    fleet.watch(begin + DAY + 2 * SETTLE)
    assert ends(rig) == [begin, begin + DAY]
    for h in range(24, 49):
        fleet.hour(begin + h * HOUR, moved=("us",))
        fleet.look(begin + h * HOUR)
    assert ends(rig) == [begin, begin + DAY]


def test_what_drifts_already_when_a_monitor_comes_is_not_what_it_calls_normal(rig: Rig) -> None:
    fleet = Fleet(rig, 10)
    fleet.days(MIDNIGHT, 3)
    began = MIDNIGHT + 3 * DAY - 4 * HOUR
    for h in range(5):
        fleet.hour(began + h * HOUR, moved=("us",))
    assert fleet.look(began + 4 * HOUR) == [MIDNIGHT + 2 * DAY + n * HOUR for n in range(1, 26)]
    assert ends(rig) == [MIDNIGHT + 2 * DAY]
    [(_, _, labels)] = fleet.alerts()
    assert labels["region"] == "us"
    # It is the newest look alone that tells people, and that writes what it found.
    assert len(rig.rows("SELECT At FROM drift_findings FINAL")) == 1


def test_where_the_newest_day_is_calm_it_is_normal_too(rig: Rig) -> None:
    fleet = Fleet(rig, 11)
    fleet.days(MIDNIGHT, 3)
    fleet.hour(MIDNIGHT + 3 * DAY)
    assert len(fleet.look(MIDNIGHT + 3 * DAY)) == 25
    assert fleet.watch(MIDNIGHT + 3 * DAY + HOUR + 2 * SETTLE) == []
    assert ends(rig) == [MIDNIGHT + 2 * DAY, MIDNIGHT + 3 * DAY]


def test_drift_that_began_while_the_engine_was_away_does_not_become_what_is_normal(rig: Rig) -> None:
    fleet = Fleet(rig, 12)
    fleet.days(MIDNIGHT, 2)
    begin = MIDNIGHT + 2 * DAY
    fleet.hour(begin)
    fleet.look(begin)
    assert ends(rig) == [begin]
    for h in range(1, 30):
        fleet.hour(begin + h * HOUR, moved=("us",) if h > 6 else ())
    for _ in range(2):
        fleet.look(begin + 29 * HOUR)
    assert ends(rig) == [begin]
    assert [labels["region"] for _, _, labels in fleet.alerts()] == ["us"]


def test_one_cause_is_one_ticket_with_its_worst_members_and_ends_when_it_is_calm(rig: Rig) -> None:
    fleet = Fleet(rig, 3)
    fleet.days(MIDNIGHT, 2)
    at = MIDNIGHT + 2 * DAY
    for moved in ((), ("us",)):
        fleet.hour(at, moved)
        fleet.look(at)
        at += HOUR
    assert fleet.alerts() == []
    for moved in (("us",), ("us",)):
        fleet.hour(at, moved)
        fleet.look(at)
        at += HOUR
    [(status, key, labels)] = fleet.alerts()
    assert status == "firing"
    assert labels == {
        "alertname": "PredictionDrift",
        "severity": "ticket",
        "cluster": rig.settings.cluster,
        "monitor": "scores",
        "service": SERVICE,
        "model": "m",
        "version": "1",
        "region": "us",
    }
    annotations = rig.pager.received[0]["annotations"]
    assert annotations["owner"] == "ml"
    assert annotations["runbook"] == "drift.md"
    assert "PSI" in annotations["description"]
    assert annotations["why"].startswith("moved most: 0.8 to 0.9 from 20.")
    # No word from there: it holds.
    fleet.hour(at, silent=("us",))
    fleet.look(at)
    assert len(fleet.alerts()) == 1
    for _ in range(3):
        at += HOUR
        fleet.hour(at)
        fleet.look(at)
    assert [(status, own) for status, own, _ in fleet.alerts()] == [("firing", key), ("resolved", key)]
    findings = rig.rows("SELECT DISTINCT Finding, Kind, Region, toString(ModelVersions) AS V FROM drift_findings FINAL")
    assert findings == [{"Finding": key, "Kind": "region", "Region": "us", "V": "['1']"}]


def test_a_segment_that_drifts_is_one_ticket_although_looks_see_its_version_too(rig: Rig) -> None:
    """What it makes of its version, regions and devices is below what matters, and their sums are over the limit all the same."""
    monitor = replace(MONITOR, levels=("model", "version", "region", "device"), segments=("segment",))
    fleet, moved = Fleet(rig, 13, monitor), 0.24 * CALM + 0.76 * MOVED

    def hour(at: datetime, share: float) -> None:
        for device in PLACES:
            for version, segment in (("1", "thin"), ("1", "bold"), ("2", "thin"), ("2", "bold")):
                own = share if (version, segment) == ("1", "thin") else 0.0
                place = replace(device, name=f"{device.name}-{version}", version=version, segment=segment)
                fleet.hours.explicit(place, at, fleet.dice.multinomial(3600, own * moved + (1 - own) * CALM))

    for h in range(96):
        hour(MIDNIGHT + h * HOUR, 0.0)
    at = MIDNIGHT + 4 * DAY
    for share in (0.0, 0.3, 1.0, 1.0, 1.0, 1.0):
        hour(at, share)
        fleet.hours.revision = int((at + HOUR).timestamp() * 1000)
        fleet.hours.flush()
        fleet.look(at)
        at += HOUR
    [(status, _, labels)] = fleet.alerts()
    assert (status, labels["version"], labels["segment"]) == ("firing", "1", "segment=thin")
    drifting = rig.rows("SELECT DISTINCT Level FROM drift_by_series WHERE Verdict = 'slow_drift' ORDER BY Level")
    assert [row["Level"] for row in drifting] == ["device", "region", "version"]
    # Its own effect is told, and not what is left of it in the whole version.
    for found in rig.rows("SELECT Effect, Reason FROM drift_findings FINAL"):
        assert found["Effect"] > 0.2
        assert "segment thin" in found["Reason"]


def test_a_drift_that_spreads_is_told_once_more_as_the_wider_one(rig: Rig) -> None:
    fleet = Fleet(rig, 4)
    fleet.days(MIDNIGHT, 2)
    at = MIDNIGHT + 2 * DAY
    for moved in ((), ("us",), ("us",), ("us",), ("us", "eu", "ap"), ("us", "eu", "ap"), ("us", "eu", "ap")):
        fleet.hour(at, moved)
        fleet.look(at)
        at += HOUR
    said = [(status, labels.get("region", "everywhere")) for status, _, labels in fleet.alerts()]
    assert said[0] == ("firing", "us")
    assert sorted(said[1:]) == [("firing", "everywhere"), ("resolved", "us")]


def test_a_safety_critical_model_pages(rig: Rig) -> None:
    fleet = Fleet(rig, 5, replace(MONITOR, critical=("m",)))
    fleet.days(MIDNIGHT, 2)
    for h in range(3):
        fleet.hour(MIDNIGHT + 2 * DAY + h * HOUR, ("us", "eu", "ap"))
        fleet.look(MIDNIGHT + 2 * DAY + h * HOUR)
    [(_, _, labels)] = fleet.alerts()
    assert labels["severity"] == "page"


def test_late_telemetry_has_its_window_and_those_after_it_looked_at_again(rig: Rig) -> None:
    fleet = Fleet(rig, 6)
    fleet.days(MIDNIGHT, 2)
    at = MIDNIGHT + 2 * DAY
    for h in range(6):
        fleet.hour(at + h * HOUR)
        fleet.look(at + h * HOUR)
    before = rig.rows(
        "SELECT WindowEnd, max(Revision) AS R, sum(N) AS N FROM drift_verdicts FINAL GROUP BY WindowEnd ORDER BY WindowEnd"
    )
    late = at + 2 * HOUR
    fleet.hours.revision = int((at + 6 * HOUR + timedelta(minutes=10)).timestamp() * 1000)
    fleet.hours.explicit(Device("late", region="us"), late, fleet.dice.multinomial(200, CALM))
    fleet.hours.flush()
    again = [found.end for found in fleet.watch(at + 6 * HOUR + timedelta(minutes=20))]
    assert again == [late + n * HOUR for n in range(1, 5)]
    after = rig.rows(
        "SELECT WindowEnd, max(Revision) AS R, sum(N) AS N FROM drift_verdicts FINAL GROUP BY WindowEnd ORDER BY WindowEnd"
    )
    changed = [b["WindowEnd"] for a, b in zip(before, after, strict=True) if a["N"] != b["N"]]
    assert changed == [late + HOUR]
    assert fleet.watch(at + 6 * HOUR + timedelta(minutes=21)) == []


def test_looks_that_are_owed_go_on_where_the_last_turn_ended(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = Fleet(rig, 7)
    fleet.days(MIDNIGHT, 2)
    fleet.look(MIDNIGHT + 2 * DAY - HOUR)
    for h in range(5):
        fleet.hour(MIDNIGHT + 2 * DAY + h * HOUR)
    monkeypatch.setattr("sloengine.jobs.drift.PATIENCE_S", 0.0)
    at = MIDNIGHT + 2 * DAY + 4 * HOUR
    ends = [fleet.look(at) for _ in range(6)]
    assert ends == [[MIDNIGHT + 2 * DAY + (h + 1) * HOUR] for h in range(5)] + [[]]


def test_a_new_version_is_held_against_the_one_before_it(rig: Rig) -> None:
    fleet = Fleet(rig, 8, replace(MONITOR, against=Against.PREVIOUS))
    fleet.days(MIDNIGHT, 2)
    at = MIDNIGHT + 2 * DAY
    assert fleet.look(at - HOUR) == []
    for h in range(3):
        for device in PLACES:
            fleet.hours.explicit(replace(device, version="2"), at + h * HOUR, fleet.dice.multinomial(300, MOVED))
        fleet.hours.revision = int((at + (h + 1) * HOUR).timestamp() * 1000)
        fleet.hours.flush()
        fleet.look(at + h * HOUR)
    [(_, _, labels)] = fleet.alerts()
    assert labels["version"] == "2"
    assert "region" not in labels


def test_a_monitor_that_fails_stops_no_other(rig: Rig) -> None:
    fleet = Fleet(rig, 9)
    fleet.days(MIDNIGHT, 1)
    broken = replace(MONITOR, name="broken", segments=("x" * 10,), window=timedelta(0))
    watched_by(rig, replace(broken, window=HOUR, metric="nothing"), MONITOR)
    fleet.hour(MIDNIGHT + DAY)
    assert fleet.look(MIDNIGHT + DAY) == [MIDNIGHT + DAY + HOUR]
