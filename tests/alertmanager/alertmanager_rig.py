"""A real Alertmanager of a test's own, and a receiver that writes down what it is told and when."""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

PROGRAM = "prometheus-alertmanager"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def program() -> str | None:
    return shutil.which(PROGRAM)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Ear(threading.Thread):
    """Takes what is posted to it. Nothing is parsed before the end: that would make it slow when it must not be."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._loop = asyncio.new_event_loop()
        self._enough = asyncio.Event()
        self._open: set[asyncio.Transport] = set()
        self.bodies: list[tuple[float, bytes]] = []

    def run(self) -> None:
        self._loop.run_until_complete(self._listen())
        self._loop.close()

    async def _listen(self) -> None:
        server = await self._loop.create_server(lambda: _Speech(self.bodies, self._open), sock=self._socket)
        await self._enough.wait()
        for transport in list(self._open):
            transport.abort()
        server.close()
        await server.wait_closed()

    def heard(self) -> list[tuple[float, dict[str, Any]]]:
        return [(at, json.loads(body)) for at, body in self.bodies]

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._enough.set)
        self.join(10)


class _Speech(asyncio.Protocol):
    def __init__(self, bodies: list[tuple[float, bytes]], open_: set[asyncio.Transport]) -> None:
        self._bodies, self._open, self._seen = bodies, open_, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while (ends := self._seen.find(b"\r\n\r\n")) >= 0:
            head = self._seen[:ends].lower()
            length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
            if len(self._seen) < ends + 4 + length:
                return
            self._bodies.append((time.time(), self._seen[ends + 4 : ends + 4 + length]))
            self._seen = self._seen[ends + 4 + length :]
            self._transport.write(ANSWER)


class Alertmanager:
    """The process; ``began`` and ``ready`` are the moments between which it began to count its half minutes."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        self._file = folder / "alertmanager.yml"
        self._file.write_text(json.dumps(config), encoding="utf-8")
        self.url = f"http://127.0.0.1:{free_port()}"
        self._log = (folder / "alertmanager.log").open("wb")
        self.began = time.time()
        self._process = subprocess.Popen(
            [
                *(str(program()), f"--config.file={self._file}", f"--storage.path={folder / 'data'}"),
                *(f"--web.listen-address={self.url.removeprefix('http://')}", "--cluster.listen-address="),
            ],
            stdout=self._log,
            stderr=self._log,
        )
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._wait()
        self.ready = time.time()

    def _wait(self) -> None:
        for _ in range(300):
            assert self._process.poll() is None, "Alertmanager ended: " + self._file.with_suffix(".log").read_text()
            try:
                if self.client.get("/-/ready").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError("Alertmanager was not ready after 30 s")

    def post(self, path: str, content: object) -> bool:
        """Whether it was taken: a silence that has ended before it could be asked for is not."""
        return self.client.post(f"/api/v2/{path}", json=content).is_success

    def close(self) -> None:
        self.client.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()
