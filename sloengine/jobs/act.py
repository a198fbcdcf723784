"""Hooks that the outbox holds: what they hand on is made when they are called, so that a store that is away loses no call."""

from __future__ import annotations

import logging
from pathlib import Path

from sloengine.actions import retrain
from sloengine.actions.hooks import PREFIX, Signed, call
from sloengine.errors import DeliveryError, SloengineError
from sloengine.jobs.deps import Deps
from sloengine.jobs.drift_export import Export, export
from sloengine.jobs.drift_read import Only
from sloengine.monitor import Cause
from sloengine.state.outbox import Due

log = logging.getLogger("sloengine.jobs")


def act(engine: Deps, item: Due) -> None:
    """Call one hook.

    Raises:
        DeliveryError: it did not take the call, or what goes with it could not be made.
    """
    name = item.target.removeprefix(PREFIX)
    hook = engine.alerting.hook(name)
    if hook is None:
        raise DeliveryError(f"hook '{name}' is no longer configured", retryable=False)
    found, asked = retrain.read(item.payload)
    folder = engine.settings.exports / found["dedup_key"]
    manifest = _exported(engine, asked, folder)
    body = retrain.with_export(found, str(folder.resolve()), manifest)
    call(engine.http, str(hook.url), body, Signed(item.idempotency_key, engine.clock(), hook.secret_file))
    log.info("hook %s called: %s of %s", name, found["action"], found["model"])


def _exported(engine: Deps, asked: retrain.Asked, folder: Path) -> dict[str, object]:
    monitor = next((m for m in engine.catalogue.monitors if m.name == asked.monitor), None)
    if monitor is None:
        raise DeliveryError(f"drift monitor '{asked.monitor}' is no longer in the catalogue", retryable=False)
    try:
        return export(engine.store, Export(monitor, only_of(asked.cause), asked.span, folder), engine.clock())
    except SloengineError as error:
        raise DeliveryError(f"what goes with it could not be exported: {error}", retryable=True) from error


def only_of(cause: Cause) -> Only:
    """The part of a fleet that a cause names. Of several segments all of the place: what holds one need not hold the other."""
    attribute, value = cause.segments[0] if len(cause.segments) == 1 else ("", "")
    regions, devices = ((name,) if name else () for name in (cause.region, cause.device))
    return Only((cause.model,), cause.versions, regions, devices, attribute, value)
