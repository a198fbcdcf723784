"""``POST /api/v1/labels``: what predictions should have been, from people and labelling tools."""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from sloengine.labels.bodies import LABELS_MAX, BadBodyError, TooManyError, read_array, read_lines
from sloengine.labels.items import BadLabel, Label
from sloengine.labels.rows import COLUMNS, TABLE, rows
from sloengine.web.bearer import NEEDED, admits

log = logging.getLogger("sloengine.web")

Insert = Callable[[str, list[str], list[list[object]]], None]
BODY_BYTES_MAX = 8 * 1024 * 1024
RETRY_AFTER_S = 5
JSON, LINES = "application/json", ("application/x-ndjson", "application/jsonl")


class Accepted(BaseModel):
    accepted: int
    """Labels that were stored."""


class Wrong(BaseModel):
    index: int | None = None
    """Place in the array, from 0."""
    line: int | None = None
    """Line of newline-delimited JSON, from 1."""
    message: str


class Refused(BaseModel):
    error: str
    problems: list[Wrong] = []


class _RefusedError(Exception):
    def __init__(self, status: int, error: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(error)
        self.status, self.headers, self.problems = status, dict(headers or {}), list[Wrong]()


_ITEM = {
    "type": "object",
    "required": ["prediction_id", "truth"],
    "additionalProperties": False,
    "properties": {
        "prediction_id": {"type": "string", "minLength": 1, "maxLength": 256},
        "truth": {"type": "string", "minLength": 1, "maxLength": 256},
        "at": {"type": "string", "format": "date-time", "description": "when the label was given; now if left out"},
        "source": {"type": "string", "maxLength": 256, "description": "who knows"},
        "service": {"type": "string", "maxLength": 256, "description": "whose prediction; any service's if left out"},
    },
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {"schema": {"type": "array", "maxItems": LABELS_MAX, "items": _ITEM}},
            LINES[0]: {"schema": {"type": "string", "description": "one such object a line"}},
        },
    }
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Refused, "description": "no labels in it"},
    401: {"model": Refused, "description": "no or a wrong token"},
    413: {"model": Refused, "description": "too many, or too long"},
    415: {"model": Refused, "description": "another content type"},
    422: {"model": Refused, "description": "bad labels among them; nothing was stored"},
    503: {"model": Refused, "description": "not stored; send it again"},
}


def router(
    insert: Insert, token: str | None, now: Callable[[], datetime], *, max_body_bytes: int = BODY_BYTES_MAX
) -> APIRouter:
    """The route. ``insert(table, columns, rows)`` stores or raises, and is called from a worker thread; with a token, requests
    must carry it as a bearer token, as at the OTLP door."""
    routes = APIRouter(prefix="/api/v1", tags=["labels"])

    @routes.post("/labels", response_model=Accepted, responses=_ANSWERS, openapi_extra=_BODY)
    async def labels(request: Request) -> Response:
        """Store labels, all or none. Sending the same ones again does no harm; a later label corrects an earlier one."""
        try:
            _check(request.headers, token)
            lines = _is_lines(request.headers)
            body = await _read(request, max_body_bytes)
            count = await run_in_threadpool(_store, insert, body, lines, now())
        except _RefusedError as refused:
            answer = Refused(error=str(refused), problems=refused.problems).model_dump(exclude_none=True)
            return JSONResponse(answer, refused.status, refused.headers)
        return JSONResponse({"accepted": count})

    return routes


def _check(headers: Mapping[str, str], token: str | None) -> None:
    if not admits(headers.get("authorization", ""), token):
        raise _RefusedError(401, NEEDED, {"WWW-Authenticate": "Bearer"})


def _is_lines(headers: Mapping[str, str]) -> bool:
    """Whether it is newline-delimited. Other types are refused: those that a page may send from a browser without asking, too."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != JSON and media not in LINES:
        raise _RefusedError(415, f"send Content-Type {JSON} (an array) or {LINES[0]} (one object a line)")
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        raise _RefusedError(415, "send the body uncompressed")
    return media in LINES


async def _read(request: Request, max_body_bytes: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_body_bytes:
            raise _RefusedError(413, f"more than {max_body_bytes} bytes; send fewer labels at once")
        chunks.append(chunk)
    return b"".join(chunks)


def _store(insert: Insert, body: bytes, lines: bool, now: datetime) -> int:
    found = _labels(body, lines, now)
    try:
        if found:
            insert(TABLE, COLUMNS, rows(found, now))
    except Exception as error:
        # Whatever the store's client raises, the answer is the same: a label that is sent twice does no harm.
        log.error("labels were not stored: %s", error)
        message = f"the store did not take them ({type(error).__name__}); send them again"
        raise _RefusedError(503, message, {"Retry-After": str(RETRY_AFTER_S)}) from error
    return len(found)


def _labels(body: bytes, lines: bool, now: datetime) -> list[Label]:
    try:
        found, wrong = read_lines(body, now) if lines else read_array(body, now)
    except TooManyError as error:
        raise _RefusedError(413, str(error)) from None
    except BadBodyError as error:
        raise _RefusedError(400, str(error)) from None
    if wrong:
        refused = _RefusedError(
            422, f"{len(wrong)} bad labels; nothing was stored: mend or leave out those listed, send all again"
        )
        refused.problems = [_wrong(bad, lines) for bad in wrong]
        raise refused
    return found


def _wrong(bad: BadLabel, lines: bool) -> Wrong:
    return Wrong(line=bad.place, message=bad.message) if lines else Wrong(index=bad.place, message=bad.message)
