"""Several engines on one PostgreSQL: each alert is told once, whoever of them stands still."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from alert_rig import HOUR, MINUTE, SECOND, AlertRig
from postgres import running

from sloengine import jobs
from sloengine.alert.given import Given
from sloengine.errors import StateError
from sloengine.gameday.pager import Pager
from sloengine.state import database
from sloengine.state.database import open_database, transaction

AT_ONCE = {"receiver": "on-call", "group_by": ["..."], "group_wait": "0s", "group_interval": "1s"}


@pytest.fixture
def rig(tmp_path: Path, pager: Pager, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertRig]:
    monkeypatch.setattr(database, "STILL_MAX_MS", 1000)
    with running(tmp_path) as url:
        rig = AlertRig(tmp_path, pager, {"route": AT_ONCE}, url)
        yield rig
        rig.close()


def test_engines_that_start_together_migrate_the_state_once(tmp_path: Path) -> None:
    with running(tmp_path) as url:
        with ThreadPoolExecutor(4) as threads:
            engines = list(threads.map(open_database, [url] * 4))
        with transaction(engines[0]) as connection:
            assert connection.exec_driver_sql("SELECT name, token FROM leases").fetchall() == [("engine", 0)]
        for engine in engines:
            engine.dispose()


def test_engines_that_are_all_awake_tell_each_alert_once(rig: AlertRig, pager: Pager) -> None:
    engines = [rig.deps, *(rig.engine(f"replica-{n}") for n in range(3))]

    def raise_and_deliver(engine: jobs.Deps) -> None:
        for n in range(40):
            jobs.accept(engine, [Given({"alertname": "A", "n": str(n)}, {}, rig.now, rig.now + HOUR)], rig.now)
            jobs.deliver(engine)

    threads = [threading.Thread(target=raise_and_deliver, args=(engine,)) for engine in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rig.now += MINUTE
    jobs.deliver(rig.deps)
    told = Counter(r["dedup_key"] for r in pager.received)
    assert len(told) == 40
    assert set(told.values()) == {1}
    assert all(key.endswith("-1") for key in told), "one episode each"
    for engine in engines[1:]:
        engine.http.close()
        engine.state.dispose()


@pytest.mark.parametrize("where", ["sloengine.state.groups.save", "sloengine.state.outbox.queue"])
def test_an_engine_that_stands_still_past_its_lease_tells_nothing_when_it_goes_on(
    rig: AlertRig, pager: Pager, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    other = rig.engine("two")
    rig.fire("A")
    frozen, go_on = threading.Event(), threading.Event()
    errors: list[BaseException] = []
    module, _, name = where.rpartition(".")
    real = getattr(__import__(module, fromlist=[name]), name)

    def stand_still(*given: Any, **named: Any) -> Any:
        if threading.current_thread().name == "frozen":
            frozen.set()
            go_on.wait(30)
        return real(*given, **named)

    monkeypatch.setattr(where, stand_still)

    def run() -> None:
        try:
            jobs.deliver(rig.deps)
        except StateError as error:
            errors.append(error)

    thread = threading.Thread(target=run, name="frozen")
    thread.start()
    assert frozen.wait(10)
    rig.now += MINUTE
    deadline = time.monotonic() + 20
    while not pager.bodies:
        assert time.monotonic() < deadline, "the database ends the session of one that stands still"
        jobs.deliver(other)
        time.sleep(0.1)
    go_on.set()
    thread.join()
    assert len(errors) == 1, "its transaction is over, and it is told so"
    for _ in range(5):
        rig.now += SECOND
        jobs.deliver(rig.deps)
        jobs.deliver(other)
    assert [r["status"] for r in pager.received] == ["firing"]
    other.http.close()
    other.state.dispose()
