"""``POST /api/v1/events/mlflow``: MLflow's registry webhooks, signed with a secret that both know."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Header, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from sloengine.errors import StoreError
from sloengine.events.mlflow import BadEventError, BaselineGiven, Delivery, UntrustedError, baselines_of, check
from sloengine.tools.outcome import OK, Outcome

log = logging.getLogger("sloengine.web")

BODY_BYTES_MAX = 1024 * 1024
REMEMBERED = 10_000
"""Deliveries that are known again: more than come in the minutes in which their time is believed."""
RETRY_AFTER_S = 5
Take = Callable[[BaselineGiven], Outcome]


class Taken(BaseModel):
    """What became of an event."""

    pinned: list[str] = []
    """Monitors whose baselines it made."""
    repeated: bool = False
    """It had been taken before, and nothing was done."""


def mlflow_router(take: Take, secret: str, clock: Callable[[], datetime]) -> APIRouter:
    """The route; ``take`` blocks and may raise StoreError."""
    routes = APIRouter(prefix="/api/v1/events", tags=["registry"])
    known: OrderedDict[str, None] = OrderedDict()

    @routes.post(
        "/mlflow",
        response_model=Taken,
        responses={
            400: {"description": "no event of MLflow's"},
            401: {"description": "not signed with the secret, or not of now"},
            413: {"description": "larger than any event"},
            422: {"description": "a baseline that can't be one"},
            503: {"description": "the store did not answer; send it again"},
        },
    )
    async def event(
        request: Request,
        x_mlflow_delivery_id: Annotated[str, Header(max_length=256)] = "",
        x_mlflow_timestamp: Annotated[str, Header(max_length=32)] = "",
        x_mlflow_signature: Annotated[str, Header(max_length=1024)] = "",
    ) -> JSONResponse:
        """A registry event. A model version's tag `sloengine.baseline.MONITOR` pins a baseline; anything else changes nothing."""
        body = await _body(request)
        delivery = Delivery(x_mlflow_delivery_id, x_mlflow_timestamp, x_mlflow_signature, body)
        try:
            check(delivery, secret, clock())
            given = baselines_of(body)
        except UntrustedError as error:
            log.warning("an MLflow event was refused: %s", error)
            raise HTTPException(401, str(error)) from None
        except BadEventError as error:
            raise HTTPException(400, str(error)) from None
        if delivery.identity in known:
            return JSONResponse(Taken(repeated=True).model_dump())
        pinned = [await run_in_threadpool(_pinned, take, one) for one in given]
        # Only now: one that failed is sent again, and has to be taken then.
        known[delivery.identity] = None
        if len(known) > REMEMBERED:
            known.popitem(last=False)
        return JSONResponse(Taken(pinned=pinned).model_dump())

    return routes


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > BODY_BYTES_MAX:
            raise HTTPException(413, f"larger than {BODY_BYTES_MAX >> 20} MiB, which no event is")
    return bytes(found)


def _pinned(take: Take, given: BaselineGiven) -> str:
    try:
        outcome = take(given)
    except StoreError as error:
        retry = {"Retry-After": str(RETRY_AFTER_S)}
        raise HTTPException(503, f"the store did not answer: {error}", headers=retry) from error
    if outcome.code != OK:
        # MLflow does not show what it is answered; the log does.
        log.warning(
            "the baseline of %s %s for %s is refused: %s", given.model, given.version, given.monitor, outcome.text
        )
        raise HTTPException(422, outcome.text)
    return given.monitor
