"""Starting, watching and stopping the processes of a game day."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx

from sloengine.errors import SloengineError


class DemoError(SloengineError):
    """Something the demo needs did not come up; says what and where its log is."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Processes:
    """Children that live no longer than we do; each writes its own log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        log = self.folder / f"{name}.log"
        with log.open("ab") as out:
            self._children[name] = subprocess.Popen(
                command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})}
            )

    def wait_until(self, name: str, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait for a child to be ready.

        Raises:
            DemoError: it ended, or time ran out; with the end of its log.
        """
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self._children[name].poll() is not None:
                raise DemoError(f"{name} ended with code {self._children[name].returncode}:\n{self.tail(name)}")
            if time.monotonic() > deadline:
                raise DemoError(f"{name} was not ready after {timeout_s:.0f} s:\n{self.tail(name)}")
            time.sleep(0.2)

    def check(self) -> None:
        """Raises DemoError if any child has ended."""
        for name, child in self._children.items():
            if child.poll() is not None:
                raise DemoError(f"{name} ended with code {child.returncode}:\n{self.tail(name)}")

    def tail(self, name: str, lines: int = 15) -> str:
        log = self.folder / f"{name}.log"
        text = log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]
        return "\n".join([*text, f"(whole log: {log})"])

    def stop(self) -> None:
        """Ask in reverse order of starting, then insist."""
        for child in reversed(self._children.values()):
            with suppress(ProcessLookupError):
                child.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 8
        for child in reversed(self._children.values()):
            try:
                child.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def answers(url: str) -> bool:
    """Whether a GET is answered with success."""
    try:
        return httpx.get(url, timeout=2.0).is_success
    except httpx.HTTPError:
        return False
