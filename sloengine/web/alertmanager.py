"""Alertmanager's API v2 at ``/api/v2``: Prometheus raises alerts here, and ``amtool`` and Grafana read and silence them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from starlette.concurrency import run_in_threadpool

from sloengine.alert.given import Given
from sloengine.alert.muting import AlertNow
from sloengine.alert.silences import Silence
from sloengine.config.label_matchers import read_label_matchers
from sloengine.web.alertmanager_bodies import (
    BadBodyError,
    alert_written,
    chosen,
    read_alerts,
    read_silence,
    silence_written,
)
from sloengine.web.bearer import NEEDED, admits

BODY_BYTES_MAX = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Doors:
    """What the routes do; each blocks and is called from a worker thread."""

    accept: Callable[[Sequence[Given], datetime], None]
    alerts: Callable[[datetime], list[AlertNow]]
    silence: Callable[[Silence, str, datetime], None]
    unsilence: Callable[[str, str, datetime], bool]
    silences: Callable[[], list[tuple[Silence, str]]]
    receivers: Callable[[], list[str]]


def router(doors: Doors, token: str | None, clock: Callable[[], datetime]) -> APIRouter:
    """The routes; with a token every request must carry it."""

    def check(request: Request) -> None:
        if not admits(request.headers.get("authorization", ""), token):
            raise HTTPException(401, NEEDED, {"WWW-Authenticate": "Bearer"})

    routes = APIRouter(prefix="/api/v2", tags=["alertmanager"], dependencies=[Depends(check)])
    _alerts(routes, doors, clock)
    _silences(routes, doors, clock)

    @routes.get("/receivers")
    def receivers() -> list[dict[str, str]]:
        """Who may be told."""
        return [{"name": name} for name in doors.receivers()]

    @routes.get("/status")
    def status() -> dict[str, Any]:
        """What `amtool` asks for first."""
        return {"versionInfo": {"version": "sloengine"}, "cluster": {"status": "disabled", "peers": []}}

    return routes


def _alerts(routes: APIRouter, doors: Doors, clock: Callable[[], datetime]) -> None:
    @routes.post("/alerts", responses={400: {"description": "what can't be taken; the others were"}})
    async def raise_alerts(request: Request) -> dict[str, int]:
        """Raise alerts, or end those whose `endsAt` has passed. When this is answered they are durable."""
        now = clock()
        found, wrong = _of(read_alerts, await _body(request), now)
        await run_in_threadpool(doors.accept, found, now)
        if wrong:
            raise HTTPException(400, "; ".join(wrong[:20]))
        return {"accepted": len(found)}

    @routes.get("/alerts")
    def alerts(
        filter: Annotated[list[str] | None, Query()] = None,
        silenced: bool = True,
        inhibited: bool = True,
        active: bool = True,
    ) -> list[dict[str, object]]:
        """What fires, for whom, and what mutes it. `filter` is a matcher such as `region="eu"`."""
        now = clock()
        matchers = [m for text in filter or () for m in _of(read_label_matchers, text)]
        written = [alert_written(one, now) for one in chosen(doors.alerts(now), matchers)]
        return [one for one in written if _wanted(one["status"], silenced, inhibited, active)]


def _wanted(status: Any, silenced: bool, inhibited: bool, active: bool) -> bool:
    if status["state"] == "active":
        return active
    return (silenced or not status["silencedBy"]) and (inhibited or not status["inhibitedBy"])


def _silences(routes: APIRouter, doors: Doors, clock: Callable[[], datetime]) -> None:
    @routes.post("/silences", responses={400: {"description": "it can't be a silence"}})
    async def set_silence(request: Request) -> dict[str, str]:
        """Set a silence, or one in place of `id`. Safety routes are muted only by one that has the matcher `route="safety"`."""
        now = clock()
        wanted, instead_of = _of(read_silence, await _body(request), str(uuid.uuid4()), now)
        await run_in_threadpool(doors.silence, wanted, instead_of, now)
        return {"silenceID": wanted.id}

    @routes.get("/silences")
    def silences() -> list[dict[str, object]]:
        """Every silence, those that have ended too: who muted what, when and why."""
        now = clock()
        return [silence_written(one, by, now) for one, by in doors.silences()]

    @routes.get("/silence/{silence_id}", responses={404: {"description": "no such silence"}})
    def silence(silence_id: str) -> dict[str, object]:
        """One silence."""
        for one, by in doors.silences():
            if one.id == silence_id:
                return silence_written(one, by, clock())
        raise HTTPException(404, "no such silence")

    @routes.delete("/silence/{silence_id}", responses={404: {"description": "none that has not ended"}})
    def end_silence(silence_id: str, by: str = "") -> dict[str, str]:
        """End a silence before its time; `by` says who did."""
        if not doors.unsilence(silence_id, by or "over the API", clock()):
            raise HTTPException(404, "no silence of this id that has not ended")
        return {"silenceID": silence_id}


async def _body(request: Request) -> Any:
    """JSON of a bounded size, sent as JSON: other types a page may send from a browser without asking."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send Content-Type application/json")
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise HTTPException(413, f"more than {BODY_BYTES_MAX} bytes; send fewer alerts at once")
        chunks.append(chunk)
    try:
        return json.loads(b"".join(chunks))
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is not JSON") from None


def _of(read: Callable[..., Any], *given: Any) -> Any:
    try:
        return read(*given)
    except (BadBodyError, ValueError) as error:
        raise HTTPException(400, str(error)) from None
