"""``/api/v1/drift/…``: baselines listed and pinned, for a registry or a pipeline that has just accepted a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Header, HTTPException, Path
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from sloengine.errors import StoreError
from sloengine.tools.drift_baseline import Handed, Pin
from sloengine.tools.outcome import FOUND, WRONG_USE, Outcome
from sloengine.web.bearer import NEEDED, admits

Monitor = Annotated[str, Path(max_length=256)]
Text = Annotated[str, Field(min_length=1, max_length=256)]
RETRY_AFTER_S = 5


class Pinned(BaseModel):
    """A span of telemetry that is normal from now on."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    begin: Annotated[str, Field(alias="from", max_length=64, description="where it begins (UTC), such as 2026-11-20")]
    end: Annotated[str, Field(alias="to", max_length=64)]
    author: Text
    reason: Text


class Validation(BaseModel):
    """A validation set's histogram, which is normal for a model or one of its versions from now on."""

    model_config = ConfigDict(extra="forbid")

    name: Text
    model: Text
    version: Annotated[str, Field(max_length=256, description="empty: all versions of the model")] = ""
    histogram: dict[str, Any]
    """In one of the forms that ``sloengine drift compare`` reads."""
    author: Text
    reason: Text


List = Callable[[str], Outcome]
Make = Callable[[str, Pin | Handed], Outcome]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    401: {"description": "no or a wrong token"},
    409: {"description": "too few hours or events to be a baseline; it is noted as refused"},
    422: {"description": "no such monitor, or no such span"},
    503: {"description": "the store did not answer; ask again"},
}


def router(listed: List, make: Make, token: str | None) -> APIRouter:
    """The routes; both callables block and may raise StoreError. With a token, whoever pins must carry it as a bearer token."""
    routes = APIRouter(prefix="/api/v1/drift", tags=["drift"])

    @routes.get("/{monitor}/baselines", responses={k: v for k, v in _ANSWERS.items() if k in (422, 503)})
    def baselines(monitor: Monitor) -> JSONResponse:
        """Every version of a monitor's baselines, the newest first."""
        return _answer(lambda: listed(monitor))

    @routes.post("/{monitor}/baselines", status_code=201, responses=_ANSWERS)
    def pin(monitor: Monitor, body: Pinned | Validation, authorization: Annotated[str, Header()] = "") -> JSONResponse:
        """Pin a baseline. It is never rewritten: the same name again makes a newer version."""
        _check(authorization, token)
        return _answer(lambda: make(monitor, _said(body)), made=201)

    return routes


def _said(body: Pinned | Validation) -> Pin | Handed:
    if isinstance(body, Pinned):
        return Pin(body.name, body.begin, body.end, body.author, body.reason)
    return Handed(body.name, body.model, body.version, body.histogram, body.author, body.reason)


def _answer(act: Callable[[], Outcome], made: int = 200) -> JSONResponse:
    try:
        outcome = act()
    except StoreError as error:
        retry = {"Retry-After": str(RETRY_AFTER_S)}
        raise HTTPException(503, f"the store did not answer: {error}", headers=retry) from error
    status = {WRONG_USE: 422, FOUND: 409}.get(outcome.code, made)
    return JSONResponse(_plain(outcome.found), status)


def _plain(value: Any) -> Any:
    """Moments as ISO text."""
    if isinstance(value, dict):
        return {name: _plain(held) for name, held in value.items()}
    if isinstance(value, list):
        return [_plain(held) for held in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _check(authorization: str, token: str | None) -> None:
    if not admits(authorization, token):
        raise HTTPException(401, NEEDED, headers={"WWW-Authenticate": "Bearer"})
