"""kill -9 wherever it hurts: each identity gets one episode, each page arrives, none arrives under a second key."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Points, Rig, Series

from sloengine import jobs
from sloengine.config.settings import StoreSection
from sloengine.gameday.pager import Pager
from sloengine.state import episodes as episode_rows
from sloengine.state import outbox
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

RANDOM_KILLS, RECEIPT_KILLS, SLOW_KILLS = 12, 4, 4
LIFE_S_MAX = 60.0


class HookedPager(Pager):
    """Runs a hook after it has noted a request and before it answers."""

    def __init__(self) -> None:
        self.hook: Callable[[], None] = lambda: None
        super().__init__()

    def take(self, key: str, payload: dict[str, Any]) -> None:
        super().take(key, payload)
        self.hook()


class Victim:
    """A real ``sloengine run`` that can be killed and started again."""

    def __init__(self, folder: Path, store_url: str, database: str, pager: Pager) -> None:
        self.folder = folder
        self.store = Store(StoreSection(url=store_url, database=database))
        migrate(self.store.section)
        catalogue = folder / "catalogue"
        catalogue.mkdir()
        (catalogue / "slo.yaml").write_text(json.dumps(_document()))
        receivers = [{"name": "on-call", "webhook_configs": [{"url": pager.url}]}]
        route = {"receiver": "on-call", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}
        (folder / "alerting.yaml").write_text(json.dumps({"route": route, "receivers": receivers}))
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_")},
            "SLOENGINE_STORE__URL": store_url,
            "SLOENGINE_STORE__DATABASE": database,
            "SLOENGINE_ENGINE__TICK_S": "0.3",
            "SLOENGINE_ENGINE__LEASE_S": "1",
            "SLOENGINE_ENGINE__RESOLVE_AFTER_S": "1",
            "SLOENGINE_ENGINE__DELIVERY_TIMEOUT_S": "1",
            "SLOENGINE_WEB__PORT": "0",
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "engine.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sloengine", "run"], cwd=self.folder, env=self.env, stdout=log, stderr=log
            )

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)

    def buried(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def fail_model(self, model: str) -> None:
        """Half an hour of failures of one more model: one more page that must come."""
        points, now = Points(self.store), datetime.now(UTC)
        start = now - HOUR
        for minutes, value in ((30, 0), (2, 500), (0, 900)):
            at = now - minutes * MINUTE
            points.count(Series(model=model, outcome="failure", start=start), at, value, ingested=now)
            points.count(Series(model=model, start=start), at, value, ingested=now)
        points.flush()

    def heal_model(self, model: str) -> None:
        """So much good traffic that no window burns any more."""
        points, now = Points(self.store), datetime.now(UTC)
        points.count(Series(model=model, start=now - HOUR), now, 50_000_000, ingested=now)
        points.flush()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.folder / ".sloengine" / "state.db", timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def log(self) -> str:
        return (self.folder / "engine.log").read_text()[-3000:]


def _document() -> dict[str, Any]:
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "success", "annotations": {"sloengine.dev/by": "model"}},
        "spec": {
            "service": SERVICE,
            "indicatorRef": "M1",
            "timeWindow": [{"duration": "30d", "isRolling": True}],
            "budgetingMethod": "Occurrences",
            "objectives": [{"target": 0.999}],
        },
    }


@pytest.fixture
def hooked_pager() -> Iterator[HookedPager]:
    pager = HookedPager()
    yield pager
    pager.close()


@pytest.fixture
def victim(tmp_path: Path, store_url: str, database: str, hooked_pager: HookedPager) -> Iterator[Victim]:
    victim = Victim(tmp_path, store_url, f"kill_{database}", hooked_pager)
    yield victim
    victim.buried()
    victim.store.close()


def wait_for(condition: Callable[[], bool], seconds: float, words: str, log: Callable[[], str] = str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{words} within {seconds} s\n{log()}"
        time.sleep(0.1)


def _shot(victim: Victim, pager: HookedPager, answer_after_s: float) -> Callable[[], bool]:
    """The next request kills the engine ``answer_after_s`` after it was noted, before it is answered."""
    fired = threading.Event()

    def hook() -> None:
        if not fired.is_set():
            time.sleep(answer_after_s)
            victim.kill()
            fired.set()

    pager.hook = hook
    return fired.is_set


def test_every_failing_slice_gets_exactly_one_page_although_the_engine_is_killed_twenty_times(
    victim: Victim, hooked_pager: HookedPager
) -> None:
    seed = int(os.environ.get("SLOENGINE_TEST_SEED", str(random.randrange(10**6))))
    print(f"seed {seed}")
    dice = random.Random(seed)
    kinds = ["random"] * RANDOM_KILLS + ["receipt"] * RECEIPT_KILLS + ["slow"] * SLOW_KILLS
    dice.shuffle(kinds)
    models = [f"model-{i}-{kind}" for i, kind in enumerate(kinds)]
    for kind, model in zip(kinds, models, strict=True):
        victim.fail_model(model)
        hooked_pager.hook = lambda: None
        shot = None if kind == "random" else _shot(victim, hooked_pager, 0.3 if kind == "slow" else 0.0)
        victim.start()
        if shot:
            wait_for(shot, LIFE_S_MAX, "a request to kill on", victim.log)
        else:
            time.sleep(dice.uniform(0.5, 4.0))
        victim.kill()
        victim.buried()
    hooked_pager.hook = lambda: None
    victim.start()
    wait_for(lambda: len(hooked_pager.pages()) >= len(models), 60, "every page", victim.log)
    for model in models:
        victim.heal_model(model)
    sent = "SELECT count(*) FROM outbox WHERE status = 'sent'"
    wait_for(lambda: victim.query(sent)[0][0] >= 2 * len(models), 60, "every resolve", victim.log)
    _kept_its_promises(victim, hooked_pager, models)


def _kept_its_promises(victim: Victim, pager: HookedPager, models: list[str]) -> None:
    pages = pager.pages()
    assert sorted(p["labels"]["model"] for p in pages) == sorted(models)
    episodes = victim.query("SELECT identity, number, state, severity FROM episodes")
    assert Counter((number, state, severity) for _, number, state, severity in episodes) == {
        (1, "resolved", "page"): len(models)
    }
    assert victim.query("SELECT count(*) FROM outbox WHERE status <> 'sent'") == [(0,)]
    for page in pages:
        mine = [r for r in pager.received if r["dedup_key"] == page["dedup_key"]]
        by_key = Counter(r["idempotency_key"] for r in mine)
        assert len(by_key) == 2, by_key
        statuses = [r["status"] for r in mine]
        assert statuses[-1] == "resolved"
        # Nobody was killed while resolves went out: once. No repeated trigger follows its resolve.
        assert statuses.count("resolved") == 1
    assert "Traceback" not in (victim.folder / "engine.log").read_text()


# --- named crash points, in the process: what was not committed is gone, as after kill -9


class Killed(BaseException):
    """Passes every ``except Exception``, as a kill does."""


def _die(*_: object, **__: object) -> Any:
    raise Killed


def _failing(rig: Rig) -> datetime:
    rig.points.traffic(Series(), BASE, 60, 95, 5)
    rig.points.flush()
    return BASE + 61 * MINUTE


def _restart(rig: Rig, at: datetime) -> datetime:
    """Another process takes over when the dead one's lease has run out."""
    rig.deps = rig.engine("engine-2")
    return at + timedelta(seconds=20)


def _one_page(rig: Rig) -> None:
    with rig.deps.state.begin() as connection:
        episodes = connection.exec_driver_sql("SELECT number, state, severity FROM episodes").fetchall()
        waiting = connection.exec_driver_sql("SELECT count(*) FROM outbox WHERE status <> 'sent'").scalar()
    assert [tuple(e) for e in episodes] == [(1, "firing", "page")]
    assert waiting == 0
    assert len({r["dedup_key"] for r in rig.pager.received}) == 1
    assert len({r["idempotency_key"] for r in rig.pager.received}) == 1


def test_a_crash_between_transition_and_claim_still_sends_the_page_once(rig: Rig) -> None:
    rig.clock.now = _failing(rig)
    jobs.tick(rig.deps, rig.clock.now)
    assert rig.pager.received == []
    rig.tick(_restart(rig, rig.clock.now))
    _one_page(rig)
    assert len(rig.pager.received) == 1


def test_a_crash_inside_the_transition_leaves_no_trace_of_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.clock.now = _failing(rig)
    with monkeypatch.context() as patch:
        # The episode is written, its outbox row is not.
        patch.setattr("sloengine.state.episodes._transition", _die)
        with pytest.raises(Killed):
            jobs.tick(rig.deps, rig.clock.now)
    with rig.deps.state.begin() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM episodes").scalar() == 0
    rig.tick(_restart(rig, rig.clock.now))
    _one_page(rig)


def test_a_crash_between_send_and_mark_repeats_the_same_key(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig.clock.now = _failing(rig)
    jobs.tick(rig.deps, rig.clock.now)
    with monkeypatch.context() as patch:
        patch.setattr(outbox, "mark_sent", _die)
        with pytest.raises(Killed):
            jobs.deliver(rig.deps)
    assert len(rig.pager.received) == 1
    rig.tick(_restart(rig, rig.clock.now))
    assert len(rig.pager.received) == 2
    _one_page(rig)


DIES_AT = {"middle of roll-up": "fold_sums", "before the hours": "fold_hour_minutes", "between the hours": "fold_hours"}


@pytest.mark.parametrize("point", [*DIES_AT, "before the watermark", "before the statuses", "export"])
def test_a_crash_in_the_tick_changes_no_bucket_and_no_page(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    rig.clock.now = _failing(rig)
    place = {
        "before the watermark": (import_module("sloengine.jobs.roll_up"), "set_watermark"),
        "before the statuses": (import_module("sloengine.jobs.tick"), "write_statuses"),
        "export": (episode_rows, "mark_exported"),
    }.get(point)
    with monkeypatch.context() as patch:
        if place is None:
            whole = rig.deps.store.run
            patch.setattr(
                rig.deps.store, "run", lambda name, **p: _die() if name == DIES_AT[point] else whole(name, **p)
            )
        else:
            patch.setattr(*place, _die)
        with pytest.raises(Killed):
            jobs.tick(rig.deps, rig.clock.now)
    rig.tick(_restart(rig, rig.clock.now))
    _one_page(rig)
    minutes = rig.counts()
    assert len(minutes) == 61
    assert sum(good for good, _, _ in minutes.values()) == 95 * 60
    assert sum(bad for _, bad, _ in minutes.values()) == 5 * 60
    hours = rig.rows(
        "SELECT toUInt64(sum(Events)) AS n FROM count_hours FINAL WHERE Measure = 'edge.inference.requests'"
    )
    assert hours == [{"n": 100 * 60}]
    exported = "SELECT count() AS n, uniqExact(TransitionId) AS u FROM alert_transitions FINAL"
    assert list(rig.store.sql_rows(exported)[0].values()) == [1, 1]
