"""The state database alone: outbox order, claims, retries, leases, and two engines on one state."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import httpx
import pytest
from engine_rig import BASE, MINUTE, Clock, Rig, Series
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from sloengine import jobs
from sloengine.alert.episodes import Episode, EpisodeState
from sloengine.config.routing import Alerting
from sloengine.config.settings import EngineSection, Settings
from sloengine.model import Catalogue, Severity
from sloengine.notify.message import Message
from sloengine.state import episodes as episode_rows
from sloengine.state import outbox
from sloengine.state.database import open_database, take_lease, transaction
from sloengine.state.episodes import Change
from sloengine.store.client import Store

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PAYLOAD = Message("post", "", "{}", order_key="g", incident="i").to_json()
TTL = timedelta(seconds=15)
TARGET = "on-call/webhook/0"


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path}/state.db")
    yield engine
    engine.dispose()


def _episode(identity: str = "a", number: int = 1) -> Episode:
    return Episode(identity, number, Severity.PAGE, {"slo": identity}, EpisodeState.FIRING, NOW, NOW)


CHANGE = Change(NOW, "because", {"n": 1}, {"summary": "a"})


def _fire(state: Engine, *names: str, targets: tuple[str, ...] = (TARGET,)) -> None:
    for name in names:
        _queue(state, name, "firing", targets)


def _resolve(state: Engine, name: str, targets: tuple[str, ...] = (TARGET,)) -> None:
    _queue(state, name, "resolved", targets)


def _queue(state: Engine, name: str, what: str, targets: tuple[str, ...]) -> None:
    with transaction(state) as connection:
        for target in targets:
            outbox.queue(connection, outbox.Message(name, target, f"{name}-1:{what}:{target}", PAYLOAD), NOW)


def _claim(state: Engine, now: datetime = NOW, limit: int = 20) -> list[outbox.Due]:
    with transaction(state) as connection:
        return outbox.claim(connection, now, outbox.Claim("one", TTL), limit)


def _counts(state: Engine) -> dict[str, int]:
    with transaction(state) as connection:
        return outbox.counts(connection)


# --- order


def test_a_resolve_waits_until_its_trigger_was_sent(state: Engine) -> None:
    _fire(state, "a")
    _resolve(state, "a")
    [trigger] = _claim(state)
    assert trigger.idempotency_key == f"a-1:firing:{TARGET}"
    assert _claim(state) == []
    with transaction(state) as connection:
        outbox.mark_retry(connection, trigger, NOW + MINUTE, "503")
    assert _claim(state) == []
    [again] = _claim(state, NOW + MINUTE)
    assert again.id == trigger.id
    with transaction(state) as connection:
        outbox.mark_sent(connection, again, NOW)
    assert [d.idempotency_key for d in _claim(state, NOW + MINUTE)] == [f"a-1:resolved:{TARGET}"]


def test_a_slow_target_and_a_slow_episode_hold_up_no_other(state: Engine) -> None:
    _fire(state, "a", "b", targets=("one", "two"))
    _resolve(state, "a", targets=("one", "two"))
    heads = _claim(state)
    assert {d.idempotency_key for d in heads} == {f"{e}-1:firing:{t}" for e in "ab" for t in ("one", "two")}
    with transaction(state) as connection:
        outbox.mark_sent(connection, next(d for d in heads if d.idempotency_key == "a-1:firing:two"), NOW)
    assert [d.idempotency_key for d in _claim(state)] == ["a-1:resolved:two"]


# --- claims


def test_a_claim_that_ran_out_can_be_taken_again_and_not_before(state: Engine) -> None:
    _fire(state, "a")
    assert len(_claim(state)) == 1
    assert _claim(state, NOW + TTL - timedelta(milliseconds=1)) == []
    [again] = _claim(state, NOW + TTL)
    assert again.attempts == 1


def test_a_sender_whose_claim_ran_out_can_not_put_a_sent_trigger_back(state: Engine) -> None:
    """It would be sent once more, after its resolve."""
    _fire(state, "a")
    [slow] = _claim(state)
    [other] = _claim(state, NOW + TTL)
    with transaction(state) as connection:
        outbox.mark_sent(connection, other, NOW + TTL)
        outbox.mark_retry(connection, slow, NOW + TTL, "timed out")
    assert _counts(state) == {"sent": 1}
    with transaction(state) as connection:
        outbox.mark_dead(connection, slow, "400")
    assert _counts(state) == {"sent": 1}


def test_a_sender_whose_claim_ran_out_can_not_free_the_claim_of_another(state: Engine) -> None:
    _fire(state, "a")
    [slow] = _claim(state)
    assert len(_claim(state, NOW + TTL)) == 1
    with transaction(state) as connection:
        outbox.mark_retry(connection, slow, NOW, "timed out")
    assert _claim(state, NOW + TTL) == []


def test_a_sending_that_goes_on_keeps_its_claim_and_that_of_another_engine_is_not_kept(state: Engine) -> None:
    _fire(state, "a", "b")
    with transaction(state) as connection:
        [mine] = outbox.claim(connection, NOW, outbox.Claim("one", TTL), limit=1)
        [other] = outbox.claim(connection, NOW, outbox.Claim("two", TTL), limit=1)
        outbox.renew(connection, [TARGET], outbox.Claim("one", TTL), NOW + TTL / 2)
    assert [due.id for due in _claim(state, NOW + TTL)] == [other.id]
    assert [due.id for due in _claim(state, NOW + 1.5 * TTL)] == [mine.id]


def test_many_senders_at_once_claim_each_notification_once(state: Engine) -> None:
    _fire(state, *(f"e{i}" for i in range(40)))
    claimed: list[int] = []

    def work() -> None:
        while due := _claim(state, limit=1):
            claimed.extend(d.id for d in due)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 40


# --- episodes


def test_the_database_refuses_a_second_episode_of_the_same_number(state: Engine) -> None:
    with transaction(state) as connection:
        episode_rows.fire(connection, _episode("a"), CHANGE)
    with pytest.raises(IntegrityError), transaction(state) as connection:
        outbox.queue(connection, outbox.Message("a", TARGET, "a-1:firing", "{}"), NOW)
        episode_rows.fire(connection, _episode("a"), CHANGE)
    assert _counts(state) == {}, "what was queued with it is not there either"


def test_the_newest_episode_of_an_identity_is_the_one_that_counts(state: Engine) -> None:
    with transaction(state) as connection:
        episode_rows.fire(connection, _episode("a"), CHANGE)
        episode_rows.resolve(connection, _episode("a"), CHANGE)
        episode_rows.fire(connection, _episode("a", 2), CHANGE)
        found = episode_rows.latest(connection)
    assert {k: (e.number, e.state) for k, e in found.items()} == {"a": (2, EpisodeState.FIRING)}


# --- leases


def test_a_lease_has_one_holder_and_its_token_grows_with_each_change_of_hands(state: Engine) -> None:
    def take(holder: str, seconds: float) -> int | None:
        with transaction(state) as connection:
            return take_lease(connection, "engine", holder, NOW + timedelta(seconds=seconds), TTL)

    assert take("one", 0) == 1
    assert take("two", 14.9) is None
    assert take("one", 14.9) == 1
    assert take("two", 20) is None
    assert take("two", 29.9) == 2
    assert take("one", 30) is None
    assert take("one", 60) == 3


def test_two_engines_on_one_state_give_one_page(rig: Rig) -> None:
    rig.points.traffic(Series(), BASE, 60, 90, 10)
    rig.points.flush()
    engines = [rig.deps, rig.engine("engine-2")]
    for second in range(0, 60, 10):
        rig.clock.now = BASE + 61 * MINUTE + timedelta(seconds=second)
        threads = [threading.Thread(target=_run, args=(engine, rig.clock.now)) for engine in engines]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [r["status"] for r in rig.pager.received] == ["firing"]
    with transaction(rig.deps.state) as connection:
        assert connection.exec_driver_sql("SELECT token FROM leases").scalar() == 1


def _run(engine: jobs.Deps, now: datetime) -> None:
    jobs.tick(engine, now)
    jobs.deliver(engine)


# --- delivery


@dataclass
class Answer:
    code: int
    headers: dict[str, str]
    after_s: float = 0.0


class Target:
    """A webhook that answers as told, then 200."""

    def __init__(self, *answers: Answer) -> None:
        self.keys: list[str] = []
        left = list(answers)
        target = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                target.keys.append(self.headers["Idempotency-Key"])
                answer = left.pop(0) if left else Answer(200, {})
                time.sleep(answer.after_s)
                self.send_response(answer.code)
                for name, value in {"Content-Length": "0", **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Sender:
    """Deps that can only deliver."""

    def __init__(self, state: Engine, target: Target, more: Mapping[str, Target] | None = None) -> None:
        named = {"on-call": target, **(more or {})}
        receivers = [{"name": name, "webhook_configs": [{"url": one.url}]} for name, one in named.items()]
        settings = Settings(engine=EngineSection(delivery_timeout_s=2))
        self.clock = Clock(NOW)
        self.deps = jobs.Deps(
            settings=settings,
            catalogue=Catalogue((), ()),
            alerting=Alerting.model_validate({"route": {"receiver": "on-call"}, "receivers": receivers}),
            store=Store(settings.store),
            state=state,
            http=httpx.Client(timeout=2),
            clock=self.clock,
            holder="one",
        )

    def deliver_at(self, seconds: float) -> int:
        self.clock.now = NOW + timedelta(seconds=seconds)
        return jobs.deliver(self.deps)


@pytest.fixture
def sender(state: Engine, request: pytest.FixtureRequest) -> Iterator[tuple[Sender, Target]]:
    target = Target(*request.param)
    sender = Sender(state, target)
    yield sender, target
    sender.deps.http.close()
    target.close()


answering = pytest.mark.parametrize


@answering("sender", [[Answer(503, {})] * 3], indirect=True)
def test_a_target_in_trouble_is_tried_again_after_2_4_and_8_seconds(
    state: Engine, sender: tuple[Sender, Target]
) -> None:
    engine, target = sender
    _fire(state, "a")
    delivered = [engine.deliver_at(second) for second in (0, 1.9, 2, 5.9, 6, 13.9, 14, 60)]
    assert delivered == [0, 0, 0, 0, 0, 0, 1, 0]
    assert Counter(target.keys) == {f"a-1:firing:{TARGET}": 4}


@answering("sender", [[Answer(404, {})]], indirect=True)
def test_a_final_refusal_is_kept_as_dead_and_the_resolve_still_goes(
    state: Engine, sender: tuple[Sender, Target]
) -> None:
    engine, target = sender
    _fire(state, "a")
    _resolve(state, "a")
    engine.deliver_at(0)
    assert _counts(state) == {"dead": 1, "sent": 1}
    assert target.keys == [f"a-1:firing:{TARGET}", f"a-1:resolved:{TARGET}"]


@answering("sender", [[Answer(429, {"Retry-After": "30"})]], indirect=True)
def test_retry_after_is_honoured(state: Engine, sender: tuple[Sender, Target]) -> None:
    engine, _ = sender
    _fire(state, "a")
    assert [engine.deliver_at(second) for second in (0, 29, 30)] == [0, 0, 1]


@answering("sender", [[Answer(503, {"Retry-After": "9" * 20})]], indirect=True)
def test_an_absurd_retry_after_holds_a_page_back_for_an_hour_at_most(
    state: Engine, sender: tuple[Sender, Target]
) -> None:
    engine, _ = sender
    _fire(state, "a", "b")
    assert [engine.deliver_at(second) for second in (0, 1, 3599, 3600)] == [1, 0, 0, 1]


@answering("sender", [[]], indirect=True)
def test_a_target_that_left_the_configuration_is_given_up_and_blocks_nobody(
    state: Engine, sender: tuple[Sender, Target]
) -> None:
    engine, target = sender
    _fire(state, "a", targets=("gone/webhook/0",))
    _fire(state, "b")
    engine.deliver_at(0)
    assert _counts(state) == {"dead": 1, "sent": 1}
    assert target.keys == [f"b-1:firing:{TARGET}"]


def test_a_target_that_hangs_holds_up_no_other(tmp_path: Path, state: Engine) -> None:
    hanging, quick = Target(Answer(200, {}, after_s=3.0)), Target()
    sender = Sender(state, quick, {"hanging": hanging, "quick": quick})
    couriers = jobs.Couriers(sender.deps)
    _fire(state, *(f"h{n}" for n in range(3)), targets=("hanging/webhook/0",))
    _fire(state, *(f"q{n}" for n in range(20)), targets=("quick/webhook/0",))
    began = time.monotonic()
    couriers.turn()
    while len(quick.keys) < 20:
        assert time.monotonic() - began < 2.0, "before the first answer of the other"
        time.sleep(0.01)
    _fire(state, "later", targets=("quick/webhook/0",))
    couriers.turn()
    while len(quick.keys) < 21:
        assert time.monotonic() - began < 2.5, "also in a later turn"
        time.sleep(0.01)
    couriers.stop()
    sender.deps.http.close()
    hanging.close()
    quick.close()


@answering("sender", [[]], indirect=True)
def test_who_stood_still_past_its_claim_sends_nothing(
    state: Engine, sender: tuple[Sender, Target], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its trigger would reach the target after the resolve that another engine has sent meanwhile."""
    engine, target = sender
    _fire(state, "a")
    ticking = iter([0.0, 60.0])
    with monkeypatch.context() as patch:
        patch.setattr(import_module("sloengine.jobs.deliver").time, "monotonic", lambda: next(ticking, 60.0))
        assert engine.deliver_at(0) == 0
    assert target.keys == []
    assert [engine.deliver_at(second) for second in (1, 14, 16)] == [0, 0, 1]
