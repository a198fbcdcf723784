"""/api/v1/events/mlflow, as MLflow's documentation says that it calls."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sloengine.errors import StoreUnavailable
from sloengine.events.mlflow import BaselineGiven
from sloengine.tools.outcome import WRONG_USE, Outcome
from sloengine.web.registry import mlflow_router

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SECRET = "whsec_not_base64, and taken as it is"
HISTOGRAM = '{"bounds": [0.5], "counts": [400, 800]}'


def event(entity: str, action: str, data: Any) -> bytes:
    return json.dumps({"entity": entity, "action": action, "timestamp": NOW.isoformat(), "data": data}).encode()


TAGGED = event(
    "model_version_tag",
    "set",
    {"name": "digits", "version": "3", "key": "sloengine.baseline.scores", "value": HISTOGRAM},
)


class Registry:
    """MLflow, and the engine that it calls."""

    def __init__(self, code: int = 0) -> None:
        self.code, self.given, self.away = code, list[BaselineGiven](), False
        self.app = FastAPI()
        self.app.include_router(mlflow_router(self.take, SECRET, lambda: NOW))

    def take(self, given: BaselineGiven) -> Outcome:
        if self.away:
            raise StoreUnavailable("gone")
        self.given.append(given)
        return Outcome("no such monitor", {}, self.code)

    def send(self, body: bytes, **change: str) -> httpx.Response:
        """Signed by hand, as the documentation shows it; ``change`` is made to it on the way."""
        identity, stamp = change.get("identity", "d-1"), change.get("stamp", str(int(NOW.timestamp())))
        digest = hmac.new(SECRET.encode(), f"{identity}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "X-MLflow-Delivery-Id": identity,
            "X-MLflow-Timestamp": stamp,
            "X-MLflow-Signature": change.get("signature", f"v1,{base64.b64encode(digest).decode()}"),
        }

        async def post() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://engine") as client:
                return await client.post("/api/v1/events/mlflow", content=body, headers=headers)

        return asyncio.run(post())


def test_a_tag_of_a_model_version_hands_in_a_baseline() -> None:
    registry = Registry()
    answer = registry.send(TAGGED)
    assert (answer.status_code, answer.json()) == (200, {"pinned": ["scores"], "repeated": False})
    assert registry.given == [BaselineGiven("scores", "digits", "3", HISTOGRAM)]


def test_tags_with_which_a_version_is_registered_count_too() -> None:
    registry = Registry()
    tags = {"sloengine.baseline.scores": HISTOGRAM, "team": "vision", "sloengine.baseline.": "nameless"}
    body = event("model_version", "created", {"name": "digits", "version": "4", "source": "runs:/1", "tags": tags})
    assert registry.send(body).json()["pinned"] == ["scores"]
    assert registry.given == [BaselineGiven("scores", "digits", "4", HISTOGRAM)]


@pytest.mark.parametrize(
    "body",
    [
        event("model_version_alias", "created", {"name": "digits", "alias": "champion", "version": "3"}),
        event("model_version_tag", "set", {"name": "digits", "version": "3", "key": "team", "value": "vision"}),
        event("model_version_tag", "deleted", {"name": "digits", "version": "3", "key": "sloengine.baseline.scores"}),
        event("registered_model", "created", {"name": "digits", "tags": {}, "description": None}),
        event("something", "new", {"of": "later"}),
    ],
)
def test_events_of_other_kinds_are_taken_and_change_nothing(body: bytes) -> None:
    registry = Registry()
    assert (registry.send(body).status_code, registry.given) == (200, [])


def test_a_delivery_that_is_repeated_is_taken_and_done_once() -> None:
    registry = Registry()
    registry.send(TAGGED)
    again = registry.send(TAGGED)
    assert (again.status_code, again.json()["repeated"], len(registry.given)) == (200, True, 1)


def test_one_that_failed_is_done_when_it_is_sent_again() -> None:
    registry = Registry()
    registry.away = True
    first = registry.send(TAGGED)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "5")
    registry.away = False
    assert registry.send(TAGGED).json() == {"pinned": ["scores"], "repeated": False}


@pytest.mark.parametrize(
    "change",
    [
        {"signature": "v1,AAAA"},
        {"signature": ""},
        {"identity": ""},
        {"stamp": str(int((NOW - timedelta(minutes=6)).timestamp()))},
        {"stamp": str(int((NOW + timedelta(minutes=6)).timestamp()))},
        {"stamp": "now"},
    ],
)
def test_what_can_not_be_told_to_be_of_now_and_of_mlflow_is_refused(change: dict[str, str]) -> None:
    registry = Registry()
    assert (registry.send(TAGGED, **change).status_code, registry.given) == (401, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[1]", 400),
        (b'{"entity": "model_version_tag"}', 400),
        (b"[" * 100_000, 400),
        (
            event(
                "model_version_tag", "set", {"name": 3, "version": "3", "key": "sloengine.baseline.a", "value": "{}"}
            ),
            400,
        ),
        (b" " * (1024 * 1024 + 1), 413),
    ],
)
def test_a_body_that_is_no_event_is_refused(body: bytes, status: int) -> None:
    assert Registry().send(body).status_code == status


def test_a_baseline_that_is_none_is_refused_with_what_is_wrong() -> None:
    answer = Registry(WRONG_USE).send(TAGGED)
    assert (answer.status_code, answer.json()["detail"]) == (422, "no such monitor")
