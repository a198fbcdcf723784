"""/api/v1/drift/…/baselines, as a registry sees it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sloengine.errors import StoreUnavailable
from sloengine.tools.drift_baseline import Handed, Pin
from sloengine.tools.outcome import FOUND, WRONG_USE, Outcome
from sloengine.web import baselines

GOOD = {"name": "v2", "from": "2026-11-01", "to": "2026-11-08", "author": "registry", "reason": "accepted"}
AT = datetime(2026, 11, 8, tzinfo=UTC)


class Engine:
    def __init__(self, code: int = 0) -> None:
        self.code, self.pins = code, list[tuple[str, Pin | Handed]]()

    def listed(self, monitor: str) -> Outcome:
        return Outcome("", {"monitor": monitor, "baselines": [{"version": 1, "end": AT}]}, self.code)

    def make(self, monitor: str, pin: Pin | Handed) -> Outcome:
        if self.code == 4:
            raise StoreUnavailable("gone")
        self.pins.append((monitor, pin))
        return Outcome("", {"version": 7, "begin": AT}, self.code)


def ask(method: str, engine: Engine, body: Any = None, token: str | None = None, **headers: str) -> httpx.Response:
    app = FastAPI()
    app.include_router(baselines.router(engine.listed, engine.make, token))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
            return await client.request(method, "/api/v1/drift/scores/baselines", json=body, headers=headers)

    return asyncio.run(send())


def test_a_baseline_is_pinned_and_listed() -> None:
    engine = Engine()
    answer = ask("POST", engine, GOOD)
    assert (answer.status_code, answer.json()) == (201, {"version": 7, "begin": "2026-11-08T00:00:00+00:00"})
    assert engine.pins == [("scores", Pin("v2", "2026-11-01", "2026-11-08", "registry", "accepted"))]
    assert ask("GET", engine).json()["baselines"] == [{"version": 1, "end": "2026-11-08T00:00:00+00:00"}]


def test_a_validation_set_is_handed_in() -> None:
    engine = Engine()
    histogram = {"bounds": [0.5], "counts": [400, 800]}
    body = {"name": "v2", "model": "m", "version": "2", "histogram": histogram, "author": "ci", "reason": "accepted"}
    assert ask("POST", engine, body).status_code == 201
    assert engine.pins == [("scores", Handed("v2", "m", "2", histogram, "ci", "accepted"))]
    assert ask("POST", engine, {**body, "from": "2026-11-01"}).status_code == 422


@pytest.mark.parametrize(("code", "status"), [(WRONG_USE, 422), (FOUND, 409), (4, 503)])
def test_what_can_not_be_one_is_told_by_its_status(code: int, status: int) -> None:
    assert ask("POST", Engine(code), GOOD).status_code == status


@pytest.mark.parametrize(
    "change", [{"name": ""}, {"author": None}, {"reason": "x" * 300}, {"more": 1}, {"from": 3}], ids=lambda c: str(*c)
)
def test_a_body_that_is_none_is_refused(change: dict[str, Any]) -> None:
    engine = Engine()
    assert ask("POST", engine, {**GOOD, **change}).status_code == 422
    assert engine.pins == []


def test_with_a_token_only_its_bearer_pins() -> None:
    engine = Engine()
    assert ask("POST", engine, GOOD, "secret").status_code == 401
    assert ask("POST", engine, GOOD, "secret", authorization="Bearer wrong").status_code == 401
    assert engine.pins == []
    assert ask("POST", engine, GOOD, "secret", authorization="Bearer secret").status_code == 201
