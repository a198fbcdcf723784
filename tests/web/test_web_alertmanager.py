"""Alertmanager's API v2, over real HTTP, by hand and by Alertmanager's own client."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import create_engine

from sloengine import jobs
from sloengine.app import _alert_doors, clock
from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings
from sloengine.jobs.accept import expire
from sloengine.model import Catalogue
from sloengine.state.database import open_database
from sloengine.store.client import Store
from sloengine.web.alertmanager import BODY_BYTES_MAX, router
from sloengine.web.alertmanager_bodies import ALERTS_MAX

ROUTING = {
    "route": {
        "receiver": "on-call",
        "group_by": ["..."],
        "routes": [{"receiver": "safety", "matchers": ['kind="safety"'], "safety": True}],
    },
    "receivers": [{"name": "on-call"}, {"name": "safety"}],
    "inhibit_rules": [{"source_matchers": ["alertname=Cause"], "target_matchers": ["alertname=Symptom"]}],
}


class Api:
    """The routes on a state of their own."""

    def __init__(self, folder: Path, token: str | None = None) -> None:
        settings = Settings(state_url=f"sqlite:///{folder}/state.db")
        self.deps = jobs.Deps(
            settings=settings,
            catalogue=Catalogue((), ()),
            alerting=Alerting.model_validate(ROUTING),
            store=Store(settings.store),
            state=open_database(settings.state_url),
            http=httpx.Client(),
            clock=clock,
            holder="one",
        )
        app = FastAPI()
        app.include_router(router(_alert_doors(self.deps), token, clock))
        self._server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
        self._thread = threading.Thread(target=self._server.run)

    @contextmanager
    def running(self) -> Iterator[httpx.Client]:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=f"{self.url}/api/v2", timeout=30) as client:
            yield client
        self._server.should_exit = True
        self._thread.join()
        self.deps.http.close()
        self.deps.state.dispose()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    api = Api(tmp_path)
    with api.running() as client:
        api.client = client  # type: ignore[attr-defined]
        yield api


@pytest.fixture
def client(api: Api) -> httpx.Client:
    return api.client  # type: ignore[attr-defined, no-any-return]


def names(client: httpx.Client, **query: Any) -> list[str]:
    return sorted(one["labels"]["alertname"] for one in client.get("/alerts", params=query).json())


def at(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def raised(name: str, **more: Any) -> dict[str, Any]:
    return {"labels": {"alertname": name, **more.pop("labels", {})}, **more}


def test_an_alert_that_is_raised_fires_until_it_ends_and_then_has_another_number(client: httpx.Client) -> None:
    keys = []
    for _ in range(2):
        for _ in range(3):
            assert client.post("/alerts", json=[raised("A", annotations={"summary": "s"})]).json() == {"accepted": 1}
        [one] = client.get("/alerts").json()
        assert (one["status"]["state"], one["annotations"], one["receivers"]) == (
            "active",
            {"summary": "s"},
            [{"name": "on-call"}],
        )
        keys.append(one["fingerprint"])
        assert client.post("/alerts", json=[raised("A", endsAt=at(0))]).status_code == 200
        assert client.get("/alerts").json() == []
    assert [key.rpartition("-")[2] for key in keys] == ["1", "2"]


def test_what_nobody_raises_any_more_ends(api: Api, client: httpx.Client) -> None:
    client.post("/alerts", json=[raised("A"), raised("B", endsAt=at(2))])
    assert expire(api.deps, datetime.now(UTC) + timedelta(minutes=4)) == 0
    assert expire(api.deps, datetime.now(UTC) + timedelta(minutes=6)) == 1
    assert names(client) == ["B"]


def test_one_bad_alert_costs_no_other_and_is_named_by_its_place(client: httpx.Client) -> None:
    bad = [
        {"labels": {}}, {"labels": {"a b": "c"}}, {"labels": {"a": 1}}, {"labels": {"a": "x" * 2000}}, "text",
        raised("C", startsAt="yesterday"), raised("C", startsAt=at(1), endsAt=at(0)), raised("C", startsAt="2026-01-01T00:00:00"),
        {"labels": {f"l{n}": "x" for n in range(100)}}, {"labels": {"a": "line\nbreak"}},
    ]  # fmt: skip
    answer = client.post("/alerts", json=[raised("A"), *bad, raised("B")])
    assert answer.status_code == 400
    for place in range(1, len(bad) + 1):
        assert f"alert {place}:" in answer.json()["detail"]
    assert names(client) == ["A", "B"]


@pytest.mark.parametrize(
    ("body", "status"), [(b"{", 400), (b"{}", 400), (b"[" * 100_000, 400), (b" " * (BODY_BYTES_MAX + 1), 413)]
)
def test_what_is_no_body_is_refused(client: httpx.Client, body: bytes, status: int) -> None:
    assert client.post("/alerts", content=body, headers={"Content-Type": "application/json"}).status_code == status


def test_a_flood_and_a_form_of_a_browser_are_refused(client: httpx.Client) -> None:
    assert client.post("/alerts", json=[raised("A")] * (ALERTS_MAX + 1)).status_code == 400
    assert client.post("/alerts", content=b"[]", headers={"Content-Type": "text/plain"}).status_code == 415


def test_what_mutes_an_alert_is_shown_with_it(client: httpx.Client) -> None:
    client.post("/alerts", json=[raised("Cause"), raised("Symptom"), raised("S", labels={"kind": "safety"})])
    everything = {"matchers": [{"name": "alertname", "value": ".+", "isRegex": True}], "endsAt": at(1)}
    said = client.post("/silences", json={**everything, "createdBy": "ann", "comment": "moving house"}).json()
    found = {one["labels"]["alertname"]: one for one in client.get("/alerts").json()}
    assert found["Cause"]["status"] == {
        "state": "suppressed",
        "silencedBy": [said["silenceID"]],
        "inhibitedBy": [],
        "mutedBy": [],
    }
    assert found["Symptom"]["status"]["inhibitedBy"] == [found["Cause"]["fingerprint"]]
    assert "ann: moving house" in found["Cause"]["mutes"][0]["why"]
    assert found["S"]["status"]["state"] == "active", "a wide silence does not reach safety routes"
    assert names(client, silenced="false") == ["S"]
    assert names(client, filter=['alertname=~"C.*"']) == ["Cause"]
    assert client.delete(f"/silence/{said['silenceID']}", params={"by": "bob"}).status_code == 200
    assert client.delete(f"/silence/{said['silenceID']}").status_code == 404
    [one] = client.get("/silences").json()
    assert (one["status"]["state"], one["createdBy"], one["endedBy"]) == ("expired", "ann", "bob")


@pytest.mark.parametrize(
    "wrong",
    [
        {"comment": ""}, {"createdBy": " "}, {"matchers": []}, {"matchers": [{"name": "a", "value": ".*", "isRegex": True}]},
        {"endsAt": None}, {"endsAt": "2020-01-01T00:00:00Z"}, {"matchers": [{"name": "a", "value": "(", "isRegex": True}]},
        {"matchers": [{"name": "a"}]},
    ],
)  # fmt: skip
def test_a_silence_that_mutes_everything_or_says_not_who_or_why_is_refused(
    client: httpx.Client, wrong: dict[str, Any]
) -> None:
    good = {"matchers": [{"name": "a", "value": "b"}], "endsAt": at(1), "createdBy": "ann", "comment": "why"}
    assert client.post("/silences", json={**good, **wrong}).status_code == 400
    assert client.post("/silences", json=good).status_code == 200


def test_with_a_token_every_way_in_asks_for_it(tmp_path: Path) -> None:
    with Api(tmp_path, "secret").running() as client:
        for method, path in (
            ("GET", "/alerts"),
            ("POST", "/alerts"),
            ("GET", "/silences"),
            ("POST", "/silences"),
            ("GET", "/status"),
        ):
            assert client.request(method, path, json=[]).status_code == 401
        assert client.post("/alerts", json=[], headers={"Authorization": "Bearer secret"}).status_code == 200


def test_ten_thousand_alerts_are_durable_when_they_are_answered(api: Api, client: httpx.Client, tmp_path: Path) -> None:
    storm = [raised("A", labels={"device": f"d{n}"}) for n in range(10_000)]
    assert client.post("/alerts", json=storm).json() == {"accepted": 10_000}
    other = create_engine(f"sqlite:///{tmp_path}/state.db")
    with other.connect() as connection:
        for table in ("episodes", "members", "transitions"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 10_000
    other.dispose()


def test_alertmanagers_own_client_raises_silences_and_reads(api: Api, client: httpx.Client) -> None:
    amtool = shutil.which("amtool")
    if amtool is None:
        assert os.environ.get("CI") != "true", "amtool of Debian's prometheus-alertmanager is needed: make setup-system"
        pytest.skip("amtool is not installed")

    def run(*words: str) -> str:
        done = subprocess.run(
            [amtool, f"--alertmanager.url={api.url}", *words], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("alert", "add", "alertname=A", "region=eu", '--annotation=summary="s"')
    run("alert", "add", "alertname=B", "region=us")
    silence = run("silence", "add", "region=eu", "--comment=known", "--author=ann", "--duration=1h").strip()
    assert [one["id"] for one in json.loads(run("silence", "query", "-o", "json"))] == [silence]
    assert [one["labels"]["alertname"] for one in json.loads(run("alert", "query", "-o", "json"))] == ["B"]
    silenced = json.loads(run("alert", "query", "--silenced", "-o", "json"))
    assert [one["status"]["silencedBy"] for one in silenced] == [[silence]]
    run("silence", "expire", silence)
    assert names(client, silenced="false") == ["A", "B"]
