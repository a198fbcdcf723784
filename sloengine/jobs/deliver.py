"""Deliver: queue what groups are to be told by now, and send what the outbox holds, each target for itself."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sloengine.actions.hooks import PREFIX as HOOK
from sloengine.errors import DeliveryError
from sloengine.jobs.accept import expire
from sloengine.jobs.act import act
from sloengine.jobs.deps import Deps
from sloengine.jobs.refused import end_refused, raise_refused
from sloengine.jobs.resend import resend
from sloengine.jobs.tell import tell
from sloengine.notify.message import Message
from sloengine.notify.pace import Pace
from sloengine.notify.webhook import POLICY as HOOKS
from sloengine.state import outbox
from sloengine.state.database import transaction

CLAIM_S, STILL_S = 15.0, 10.0
"""Claims last so long unless they are renewed, as they are while a sending goes on; who stood still for longer after it claimed
sends nothing."""
COURIERS = 64
"""Targets that are sent to at once."""
log = logging.getLogger("sloengine.jobs")


def deliver(engine: Deps) -> int:
    """Tell and send what is due, one target after the other; number delivered."""
    return sum(_drain(engine, target) for targets in list(_turns(engine)) for target in targets)


def _turns(engine: Deps) -> Iterator[list[str]]:
    """Queue what is to be told by now, some groups at a time; after each, targets that something is due to, urgent ones first."""
    now = engine.clock()
    expire(engine, now)
    resend(engine, now)
    while True:
        looked = tell(engine, now)
        with transaction(engine.state) as connection:
            yield outbox.due_targets(connection, now)
        if not looked:
            return


class Couriers:
    """Sends to each target by a thread of its own: one that hangs holds up no other."""

    def __init__(self, engine: Deps) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(COURIERS, thread_name_prefix="courier")
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def turn(self) -> None:
        """Send out whoever has something to bring and is not on the way."""
        self._renew()
        for target in (one for targets in _turns(self._engine) for one in targets):
            with self._lock:
                if target in self._busy:
                    continue
                self._busy.add(target)
            self._threads.submit(self._run, target)

    def _renew(self) -> None:
        with self._lock:
            busy = list(self._busy)
        if busy:
            with transaction(self._engine.state) as connection:
                outbox.renew(connection, busy, _claim(self._engine), self._engine.clock())

    def _run(self, target: str) -> None:
        try:
            _drain(self._engine, target)
        except Exception:
            # Whatever it was, the claim runs out and the next turn tries again.
            log.exception("sending to %s failed", target)
        finally:
            with self._lock:
                self._busy.discard(target)

    def stop(self) -> None:
        """Wait for requests that are under way; begin no others."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def _drain(engine: Deps, target: str) -> int:
    """Send what is due to one target; number delivered. A crash between sending and marking repeats a request by its key."""
    sent, pace = 0, engine.paces.setdefault(target, Pace())
    way = engine.alerting.targets.get(target)
    while way is None or pace.allows(way.target.policy, engine.clock()):
        item = _claimed(engine, target)
        if item is None:
            break
        pace.spend()
        sent += _deliver_one(engine, item, time.monotonic() + STILL_S)
    return sent


def _claim(engine: Deps) -> outbox.Claim:
    return outbox.Claim(engine.holder, timedelta(seconds=CLAIM_S))


def _claimed(engine: Deps, target: str) -> outbox.Due | None:
    with transaction(engine.state) as connection:
        return next(iter(outbox.claim(connection, engine.clock(), _claim(engine), limit=1, target=target)), None)


def _deliver_one(engine: Deps, item: outbox.Due, begin_by: float) -> int:
    # Whoever was stopped since it claimed may have been overtaken: the trigger that it holds must not follow its resolve.
    if time.monotonic() > begin_by:
        log.warning("notification %s is left to whoever claims it next: this engine stood still", item.idempotency_key)
        return 0
    try:
        if item.target.startswith(HOOK):
            act(engine, item)
        else:
            _send(engine, item)
    except DeliveryError as error:
        _not_delivered(engine, item, error)
        return 0
    with transaction(engine.state) as connection:
        outbox.mark_sent(connection, item, engine.clock())
    end_refused(engine, item.target, engine.clock())
    return 1


def _send(engine: Deps, item: outbox.Due) -> None:
    way = engine.alerting.targets.get(item.target)
    if way is None:
        raise DeliveryError(f"target '{item.target}' is no longer configured", retryable=False)
    message = Message.from_json(item.payload)
    way.target.send(engine.http, way.config, message, item.idempotency_key, engine.clock())


def _not_delivered(engine: Deps, item: outbox.Due, error: DeliveryError) -> None:
    if not error.retryable:
        log.error("notification %s is refused for good: %s", item.idempotency_key, error)
        # Raised first: killed in between, the item is sent and refused once more.
        raise_refused(engine, item.target, str(error), engine.clock())
        with transaction(engine.state) as connection:
            outbox.mark_dead(connection, item, str(error))
        return
    with transaction(engine.state) as connection:
        way = engine.alerting.targets.get(item.target)
        policy = way.target.policy if way else HOOKS
        wait = error.retry_after_s or policy.backoff_s(item.attempts + 1)
        log.warning("notification %s will be tried again in %.0f s: %s", item.idempotency_key, wait, error)
        outbox.mark_retry(connection, item, engine.clock() + timedelta(seconds=wait), str(error))
