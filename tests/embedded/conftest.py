"""One real store process for the whole of tests/embedded, and a thin client for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

PASSWORDS = {"default": "adm", "ingest": "ing", "reader": "rdr"}


@dataclass
class Store:
    """A store process and how to talk to it."""

    process: subprocess.Popen[str]
    url: str
    path: Path
    passwords: dict[str, str]

    def post(self, sql: str = "", user: str = "default", body: bytes | None = None, **params: str) -> httpx.Response:
        """`sql` in the body, or in the URL when `body` brings rows along."""
        if body is not None and sql:
            params["query"] = sql
        content = sql.encode() if body is None else body
        auth = (user, self.passwords.get(user, ""))
        return httpx.post(self.url, params=params, content=content, auth=auth, timeout=60)

    def ok(self, sql: str, user: str = "default", **params: str) -> str:
        answer = self.post(sql, user, **params)
        assert answer.status_code == 200, answer.text
        return answer.text.strip()

    def code(self, sql: str, user: str = "default", **params: str) -> int:
        """The ClickHouse error code of the answer; 0 if it was allowed."""
        return int(self.post(sql, user, **params).headers.get("x-clickhouse-exception-code", "0"))

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


def start_store(path: Path, *arguments: str, passwords: dict[str, str] | None = None) -> Store:
    passwords = PASSWORDS if passwords is None else passwords
    names = {"default": "ADMIN", "ingest": "INGEST", "reader": "READER"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_STORE_")}
    environment |= {f"SLOENGINE_STORE_{names[user]}_PASSWORD": text for user, text in passwords.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "sloengine.embedded", "--path", str(path), "--port", "0", *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return Store(process, line.split()[-1] + "/", path, passwords)


def end(store: Store) -> None:
    if store.process.poll() is None:
        store.process.kill()
        store.process.wait(30)
    assert store.process.stdout is not None
    store.process.stdout.close()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    started = start_store(tmp_path_factory.mktemp("store") / "data", "--max-body-bytes", str(64 << 20))
    yield started
    end(started)


@pytest.fixture
def starter() -> Iterator[object]:
    """`start_store` whose processes end with the test."""
    started: list[Store] = []

    def start(path: Path, *arguments: str, passwords: dict[str, str] | None = None) -> Store:
        started.append(start_store(path, *arguments, passwords=passwords))
        return started[-1]

    yield start
    for one in started:
        end(one)
