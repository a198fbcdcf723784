"""POST /api/v1/labels, as a labelling tool sees it."""

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sloengine.web import labels

NOW = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
JSON = {"content-type": "application/json; charset=utf-8"}
LINES = {"content-type": "application/x-ndjson"}
GOOD = {"prediction_id": "p-1", "truth": "cat"}


class Inserted:
    def __init__(self, fails: bool = False) -> None:
        self.fails = fails
        self.rows: list[list[object]] = []

    def __call__(self, table: str, columns: list[str], rows: list[list[object]]) -> None:
        if self.fails:
            raise ConnectionError("no store")
        assert len(columns) == len(rows[0])
        self.rows += rows


def post(body: bytes | object, headers: Mapping[str, str] = JSON, insert: Any = None, **options: Any) -> httpx.Response:
    app = FastAPI()
    app.include_router(labels.router(insert or Inserted(), options.pop("token", None), lambda: NOW, **options))
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://engine") as client:
            return await client.post("/api/v1/labels", content=content, headers=dict(headers))

    return asyncio.run(send())


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        ([GOOD, {**GOOD, "at": "2026-05-04T03:00:00Z", "source": "operator"}], JSON),
        (b'{"prediction_id": "p-1", "truth": "cat"}\n{"prediction_id": "p-2", "truth": "dog"}\n', LINES),
    ],
)
def test_labels_are_stored_and_counted(body: Any, headers: Mapping[str, str]) -> None:
    inserted = Inserted()
    answer = post(body, headers, inserted)
    assert (answer.status_code, answer.json()) == (200, {"accepted": 2})
    assert len(inserted.rows) == 2


def test_nothing_is_something() -> None:
    assert post([]).json() == {"accepted": 0}


def test_one_bad_label_keeps_all_out_and_every_one_is_named() -> None:
    inserted = Inserted()
    answer = post([GOOD, {"prediction_id": "x"}, 3], insert=inserted)
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("2 bad labels; nothing was stored")
    assert [(p["index"], p["message"].split(" such")[0]) for p in answer.json()["problems"]] == [
        (1, "'truth' is missing"),
        (2, "expected an object"),
    ]
    assert inserted.rows == []
    answer = post(b"{}\n\nnope", LINES)
    assert [p["line"] for p in answer.json()["problems"]] == [1, 3]


@pytest.mark.parametrize(
    ("body", "headers", "status", "said"),
    [
        (b"nope", JSON, 400, "not JSON"),
        ({"prediction_id": "p"}, JSON, 400, "expected a JSON array"),
        ([GOOD], {"content-type": "text/plain"}, 415, "send Content-Type application/json"),
        ([GOOD], {}, 415, "send Content-Type"),
        ([GOOD], {**JSON, "content-encoding": "gzip"}, 415, "uncompressed"),
        ([GOOD] * 10_001, JSON, 413, "10001 labels in one request"),
    ],
)
def test_refusals_say_what_to_do(body: Any, headers: Mapping[str, str], status: int, said: str) -> None:
    answer = post(body, headers)
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_a_body_has_a_size() -> None:
    assert post([GOOD] * 100, max_body_bytes=1000).status_code == 413
    assert labels.BODY_BYTES_MAX == 8 * 1024 * 1024


@pytest.mark.parametrize("shown", [None, "Bearer no", "Basic secret", "Bearer", "secret"])
def test_a_token_is_asked_for_before_anything_is_read(shown: str | None) -> None:
    headers = {**JSON, **({"authorization": shown} if shown else {})}
    answer = post(b"nope", headers, token="secret")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert post([GOOD], {**JSON, "authorization": "bearer secret"}, token="secret").status_code == 200


def test_a_store_that_is_away_asks_to_come_back() -> None:
    answer = post([GOOD], insert=Inserted(fails=True))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "send them again" in answer.json()["error"]


def test_the_api_describes_itself() -> None:
    app = FastAPI()
    app.include_router(labels.router(Inserted(), None, lambda: NOW))
    described = app.openapi()["paths"]["/api/v1/labels"]["post"]
    assert set(described["requestBody"]["content"]) == {"application/json", "application/x-ndjson"}
    assert {"200", "400", "401", "413", "415", "422", "503"} <= set(described["responses"])
