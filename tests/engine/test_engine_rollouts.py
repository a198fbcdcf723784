"""Rollouts by device, against what plain Python says of each device's events."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, slo

from sloengine import jobs
from sloengine.config.catalogue import check_catalogue
from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.fold import Corrections, Run
from sloengine.jobs.rollouts import derive_rollouts
from sloengine.model import Counts, Matcher, Node, Selector, Sli, Source

COLUMNS = ["Timestamp", "ServiceName", "ResourceAttributes", "LogAttributes", "EventName", "IngestTime"]
TARGETS = ["RolloutId", "DeviceId", "At", "Withdrawn", "IngestTime"]
LIMIT = timedelta(hours=24)
DAY = timedelta(days=1)
SECOND, MS = timedelta(seconds=1), timedelta(milliseconds=1)
RANK = {"started": 1, "failed": 2, "succeeded": 3}


@dataclass(frozen=True)
class Update:
    device: str
    status: str
    at: datetime
    ingested: datetime
    rollout: str = "r1"
    error: str = ""
    wave: str = "1"
    gateway: str = "gw-1"

    def row(self) -> list[Any]:
        resource = {"device.id": self.device, "edge.region": "eu", "edge.gateway.id": self.gateway}
        attributes = {
            "edge.rollout.id": self.rollout,
            "edge.rollout.wave": self.wave,
            "edge.model.name": "m",
            "edge.model.version": "2",
            "edge.update.status": self.status,
            "error.type": self.error,
        }
        held = {k: v for k, v in attributes.items() if v}
        return [self.at, SERVICE, resource, held, "edge.update", self.ingested]


@dataclass(frozen=True)
class Target:
    device: str
    at: datetime
    ingested: datetime
    rollout: str = "r1"
    withdrawn: bool = False

    def row(self) -> list[Any]:
        return [self.rollout, self.device, self.at, self.withdrawn, self.ingested]


def _state(*values: str) -> tuple[Selector, ...]:
    return tuple(Selector(Source.DERIVED, "rollout.devices", (Matcher("state", "=", v),)) for v in values)


COMPLETED = Sli(
    good=_state("succeeded"), bad=_state("failed", "unfinished"), total=(Selector(Source.DERIVED, "rollout.devices"),)
)


@pytest.fixture
def rollout_rigs(rigs: Callable[..., Rig]) -> Callable[[], Rig]:
    slos = (
        slo("rollouts", sli=COMPLETED, target=0.9, by=("rollout",)),
        slo("errors", sli=COMPLETED, target=0.9, by=("error.type",)),
    )
    nodes = [Node("node-9", "gw-9", "us", SERVICE, BASE - 9 * DAY)]
    return lambda: rigs(slos=slos, nodes=nodes)


def _store(rig: Rig, found: Iterable[Update | Target]) -> None:
    listed = list(found)
    rig.store.insert("otel_logs", COLUMNS, [e.row() for e in listed if isinstance(e, Update)])
    rig.store.insert("rollout_targets", TARGETS, [e.row() for e in listed if isinstance(e, Target)])


def _run(rig: Rig, now: datetime, again: Sequence[tuple[datetime, datetime]] = ()) -> set[datetime]:
    run = Run(int(now.timestamp() * 1000), "arrival", rig.deps.corrections)
    return derive_rollouts(rig.deps, now, run, tuple(again))


def _found(rig: Rig, table: str = "count_minutes") -> Counter[tuple[Any, ...]]:
    at = "Minute" if table == "count_minutes" else "Hour"
    rows = rig.rows(
        f"SELECT RolloutId, Attributes, {at} AS At, GatewayId, Wave, Events FROM {table} FINAL"
        " WHERE Measure = 'rollout.devices' AND Items > 0"
    )
    out: Counter[tuple[Any, ...]] = Counter()
    for r in rows:
        told = json.loads(r["Attributes"])
        out[r["RolloutId"], told["state"], told.get("error.type", ""), r["At"], r["GatewayId"], r["Wave"]] += int(
            r["Events"]
        )
    return out


def _expected(found: Iterable[Update | Target], now: datetime) -> Counter[tuple[Any, ...]]:
    """Every device once: what became of it by its own events alone."""
    listed = [e for e in found if e.ingested <= now]
    events: dict[tuple[str, str], list[Update]] = defaultdict(list)
    for e in listed:
        if isinstance(e, Update):
            events[e.rollout, e.device].append(e)
    out: Counter[tuple[Any, ...]] = Counter()
    for (rollout, _), mine in events.items():
        tried = sorted((e for e in mine if e.status != "cancelled"), key=lambda e: (e.at, RANK[e.status]))
        if not tried:
            continue
        starts = [e.at for e in tried if e.status == "started"]
        begin = min(starts or [e.at for e in tried])
        last = tried[-1]
        state = last.status
        if state == "started":
            ended = any(e.status == "cancelled" and e.at >= last.at for e in mine)
            state = "unfinished" if ended or now - last.at >= LIMIT else "pending"
        error = [e.error for e in tried if e.status == "failed"][-1] if state == "failed" else ""
        out[rollout, state, error, begin.replace(second=0, microsecond=0), last.gateway, last.wave] += 1
    newest: dict[tuple[str, str], Target] = {}
    for t in sorted((t for t in listed if isinstance(t, Target)), key=lambda t: t.ingested):
        newest[t.rollout, t.device] = t
    for key, target in newest.items():
        if key not in events and not target.withdrawn:
            state = "unfinished" if now - target.at >= LIMIT else "pending"
            out[target.rollout, state, "", target.at.replace(second=0, microsecond=0), "", ""] += 1
    return out


def _history(dice: random.Random, count: int) -> list[Update | Target]:
    found: list[Update | Target] = []
    for number in range(count):
        device, rollout = f"d{number}", dice.choice(["r1", "r2"])
        at = BASE - 3 * DAY + timedelta(seconds=dice.randrange(2 * 86400))
        if dice.random() < 0.4:
            found.append(Target(device, at - HOUR, at - HOUR, rollout, dice.random() < 0.1))
            if dice.random() < 0.3:
                continue
        for _ in range(dice.choice([1, 2, 2, 3, 4])):
            status = dice.choice(["started", "started", "succeeded", "failed", "cancelled"])
            late = timedelta(minutes=dice.choice([0, 0, 1, 500, 2000]), seconds=dice.randrange(1, 60))
            error = dice.choice(["disk_full", "checksum"]) if status == "failed" else ""
            made = Update(
                device, status, at, at + late, rollout, error, dice.choice(["1", "2"]), dice.choice(["gw-1", "gw-2"])
            )
            found += [made, replace(made, ingested=made.ingested + HOUR)] if dice.random() < 0.2 else [made]
            at += timedelta(seconds=dice.randrange(1, 20000))
    return found


def test_devices_count_once_by_what_became_of_them(rollout_rigs: Callable[[], Rig]) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    events = _history(dice, 150)
    rig = rollout_rigs()
    ticks = [*sorted(BASE + timedelta(seconds=dice.randrange(-3 * 86400, 86400)) for _ in range(4)), BASE + 3 * DAY]
    before = BASE - 99 * DAY
    for now in ticks:
        _store(rig, [e for e in events if before < e.ingested <= now])
        before = now
        _run(rig, now)
        assert _found(rig) == _expected(events, now)
    hourly: Counter[tuple[Any, ...]] = Counter()
    for (rollout, state, error, at, *rest), n in _found(rig).items():
        hourly[rollout, state, error, at.replace(minute=0), *rest] += n
    assert _found(rig, "count_hours") == hourly
    settled = [rig.revisions(t) for t in ("count_minutes", "count_hours", "restatements")]
    _run(rig, ticks[-1])
    assert [rig.revisions(t) for t in ("count_minutes", "count_hours", "restatements")] == settled
    whole = rollout_rigs()
    _store(whole, events)
    _run(whole, ticks[-1])
    assert _found(whole) == _found(rig)


def _counts(rig: Rig, now: datetime) -> dict[str, Counts]:
    return {s.group[0][1]: s.counts for s in evaluate(rig.deps, now) if s.slo.name == "rollouts" and s.group}


def test_a_partial_rollout_is_not_done(rollout_rigs: Callable[[], Rig]) -> None:
    """M6's trap: all jobs that were seen succeeded, and of ten declared devices four were never tried. A retry is no device."""
    rig = rollout_rigs()
    begin = BASE - 2 * DAY
    told: list[Update | Target] = [Target(f"node-{n}", begin, begin) for n in range(10)]
    for n in range(6):
        at = begin + n * MINUTE
        steps = ["started", "failed", "started", "succeeded"] if n == 0 else ["started", "succeeded"]
        told += [
            Update(f"node-{n}", s, at + i * SECOND, at + MINUTE, error="x" if s == "failed" else "")
            for i, s in enumerate(steps)
        ]
    _store(rig, told)
    _run(rig, begin + HOUR)
    found = _counts(rig, begin + HOUR)["r1"]
    assert (found.good, found.bad, found.unknown) == (6, 0, 4)
    _run(rig, begin + LIMIT - MINUTE)
    assert _counts(rig, begin + LIMIT - MINUTE)["r1"].bad == 0
    _run(rig, begin + LIMIT + MINUTE)
    found = _counts(rig, begin + LIMIT + MINUTE)["r1"]
    assert (found.good, found.bad, found.unknown) == (6, 4, 0)
    # What is not declared comes from the rollout's own events and from the inventory.
    rows = rig.rows(
        "SELECT Region, GatewayId, ModelVersion, sum(Events) AS n FROM count_minutes FINAL WHERE Measure = 'rollout.devices'"
        " AND Attributes LIKE '%unfinished%' GROUP BY ALL ORDER BY Region"
    )
    assert [tuple(r.values()) for r in rows] == [("", "", "2", 3), ("us", "gw-9", "2", 1)]
    # Late is not lost: it had been updated in time, and nobody could say so.
    at = begin + 2 * HOUR
    late = begin + LIMIT + 2 * MINUTE
    _store(rig, [Update("node-7", "succeeded", at, late), Target("node-8", begin, late, withdrawn=True)])
    _run(rig, late + MINUTE)
    found = _counts(rig, late + MINUTE)["r1"]
    assert (found.good, found.bad) == (7, 2)


def test_what_never_ends_turns_bad_by_the_passing_of_time_alone(rollout_rigs: Callable[[], Rig]) -> None:
    rig = rollout_rigs()
    begin = BASE - 2 * DAY
    _store(
        rig, [Update("node-1", "started", begin, begin + MINUTE, "begun"), Target("node-9", begin, begin, "declared")]
    )
    for after, state in ((HOUR, "pending"), (LIMIT - MINUTE, "pending"), (LIMIT + MINUTE, "unfinished")):
        _run(rig, begin + after)
        assert {key[:2] for key in _found(rig)} == {("begun", state), ("declared", state)}
    found = _counts(rig, begin + LIMIT + MINUTE)
    assert (found["begun"].bad, found["declared"].bad) == (1, 1)


def test_cancelling_excuses_only_what_had_not_begun(rollout_rigs: Callable[[], Rig]) -> None:
    rig = rollout_rigs()
    at = BASE - 3 * HOUR
    stories = {
        "never": ["cancelled"],
        "begun": ["started", "cancelled"],
        "done": ["started", "succeeded", "cancelled"],
        "broken": ["started", "failed", "cancelled"],
        "again": ["started", "cancelled", "started"],
        "odd": ["paused"],
    }
    _store(
        rig,
        [
            Update(d, s, at + i * MINUTE, at + HOUR, error="e")
            for d, steps in stories.items()
            for i, s in enumerate(steps)
        ],
    )
    _store(rig, [Target("never", at, at)])
    _run(rig, BASE)
    states = Counter({key[1]: n for key, n in _found(rig).items()})
    assert states == {"unfinished": 1, "succeeded": 1, "failed": 1, "pending": 1}
    rig.deps.corrections = Corrections(quarantine=(("gw-1", at, BASE),))
    _run(rig, BASE + MINUTE, again=[(at, BASE)])
    assert [key[1] for key in _found(rig)] == ["pending"]


# --- declared by the catalogue

DECLARED = """apiVersion: sloengine.dev/v1
kind: Indicators
metadata: {name: digits}
spec: {service: digits, owner: ml, by: rollout, indicators: [M6]}
---
apiVersion: sloengine.dev/v1
kind: Inventory
metadata: {name: fleet}
spec:
  service: digits
  since: SINCE
  nodes:
    - {device: d1, gateway: gw-1, region: eu}
    - {device: d2, gateway: gw-1, region: eu}
    - {device: d3, gateway: gw-2, region: us}
    - {device: d4, gateway: gw-2, region: us}
"""
ROLLOUT = """---
apiVersion: sloengine.dev/v1
kind: Rollout
metadata: {name: r1}
spec: {service: digits, declared: DECLARED, waves: [{wave: one, devices: [d1, d2]}, {wave: two, devices: [d3, d4]}]}
"""


def _start(rig: Rig, folder: Path, text: str, now: datetime) -> None:
    """The engine starts with this catalogue."""
    began = BASE - 2 * DAY
    text = text.replace("SINCE", (began - DAY).isoformat()).replace("DECLARED", began.isoformat())
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    rig.catalogue, problems = check_catalogue([folder / "a.yaml"])
    assert problems == []
    rig.clock.now = now
    rig.deps = rig.engine()
    jobs.begin(rig.deps, now)


def test_a_catalogue_says_whom_a_rollout_is_meant_to_reach_and_who_never_reported_is_not_done(
    rigs: Callable[..., Rig], tmp_path: Path
) -> None:
    rig, began = rigs(), BASE - 2 * DAY
    _start(rig, tmp_path, DECLARED + ROLLOUT, began + MINUTE)
    done = [
        Update("d1", "started", began + HOUR, began + HOUR),
        Update("d1", "succeeded", began + 2 * HOUR, began + 2 * HOUR),
    ]
    _store(rig, done)

    def tally(now: datetime) -> tuple[float, float, float]:
        (found,) = [s for s in rig.tick(now) if s.group]
        assert found.group == (("rollout", "r1"),)
        return found.counts.good, found.counts.bad, found.counts.unknown

    assert tally(began + 3 * HOUR) == (1, 0, 3), "three are still awaited"
    assert tally(began + 25 * HOUR) == (1, 3, 0), "and then they count as not done"
    rows = rig.rows(
        "SELECT Region, GatewayId, Wave, sum(Events) AS n FROM count_minutes FINAL"
        " WHERE Measure = 'rollout.devices' AND Items > 0 AND Attributes LIKE '%unfinished%' GROUP BY ALL ORDER BY ALL"
    )
    assert [tuple(r.values()) for r in rows] == [("eu", "gw-1", "one", 1), ("us", "gw-2", "two", 2)]

    before = rig.revisions("rollout_targets")
    _start(rig, tmp_path, DECLARED + ROLLOUT, began + 25 * HOUR + MINUTE)
    assert rig.revisions("rollout_targets") == before, "a start declares nothing twice"
    _start(rig, tmp_path, DECLARED + ROLLOUT.replace("[d3, d4]", "[d3]"), began + 25 * HOUR + 2 * MINUTE)
    assert tally(began + 25 * HOUR + 3 * MINUTE) == (1, 2, 0), "d4 is withdrawn"
    _start(rig, tmp_path, DECLARED, began + 25 * HOUR + 4 * MINUTE)
    assert tally(began + 25 * HOUR + 5 * MINUTE) == (1, 2, 0), "tidying up files ends no rollout"
    _start(rig, tmp_path, DECLARED + ROLLOUT, began + 25 * HOUR + 6 * MINUTE)
    assert tally(began + 25 * HOUR + 7 * MINUTE) == (1, 3, 0), "d4 is declared again"


def test_a_device_whose_clock_is_days_off_counts_in_its_last_state_alone(rollout_rigs: Callable[[], Rig]) -> None:
    """Its minutes lie days from the times that its events tell; the started one must be found again when it has succeeded."""
    rig = rollout_rigs()
    rig.deps.corrections = Corrections(skew=(("a", BASE - 9 * DAY, BASE + DAY, 3 * DAY // MS),))
    _store(rig, [Update("a", "started", BASE - 3 * DAY, BASE + SECOND)])
    _run(rig, BASE + MINUTE)
    assert _found(rig) == {("r1", "pending", "", BASE, "gw-1", "1"): 1}
    _store(rig, [Update("a", "succeeded", BASE - 3 * DAY + 5 * MINUTE, BASE + 5 * MINUTE)])
    _run(rig, BASE + 6 * MINUTE)
    assert _found(rig) == {("r1", "succeeded", "", BASE, "gw-1", "1"): 1}
