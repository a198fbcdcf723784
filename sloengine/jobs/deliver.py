"""Deliver: queue what groups are to be told by now, and send what the outbox holds."""

from __future__ import annotations

import logging
from datetime import timedelta

from sloengine.actions.hooks import PREFIX as HOOK
from sloengine.errors import DeliveryError
from sloengine.jobs.accept import expire
from sloengine.jobs.act import act
from sloengine.jobs.deps import Deps
from sloengine.jobs.tell import tell
from sloengine.notify import webhook
from sloengine.state import outbox
from sloengine.state.database import transaction

log = logging.getLogger("sloengine.jobs")


def deliver(engine: Deps) -> int:
    """Tell and send what is due; number delivered. A crash between sending and marking repeats the request with the same key."""
    now = engine.clock()
    expire(engine, now)
    tell(engine, now)
    timeout = engine.settings.engine.delivery_timeout_s
    with transaction(engine.state) as connection:
        due = outbox.claim(connection, engine.clock(), timedelta(seconds=1.5 * timeout), limit=1)
    sent = 0
    while due:
        for item in due:
            sent += _deliver_one(engine, item)
        with transaction(engine.state) as connection:
            due = outbox.claim(connection, engine.clock(), timedelta(seconds=1.5 * timeout), limit=1)
    return sent


def _deliver_one(engine: Deps, item: outbox.Due) -> int:
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
    return 1


def _send(engine: Deps, item: outbox.Due) -> None:
    config = engine.alerting.targets.get(item.target)
    if config is None:
        raise DeliveryError(f"target '{item.target}' is no longer configured", retryable=False)
    webhook.send_payload(engine.http, str(config.url), item.payload, item.idempotency_key)


def _not_delivered(engine: Deps, item: outbox.Due, error: DeliveryError) -> None:
    with transaction(engine.state) as connection:
        if not error.retryable:
            log.error("notification %s is refused for good: %s", item.idempotency_key, error)
            outbox.mark_dead(connection, item, str(error))
            return
        wait = error.retry_after_s or min(60.0, 2.0 ** min(item.attempts, 6))
        log.warning("notification %s will be tried again in %.0f s: %s", item.idempotency_key, wait, error)
        outbox.mark_retry(connection, item, engine.clock() + timedelta(seconds=wait), str(error))
