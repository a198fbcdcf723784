"""Starting, watching and stopping the processes of a game day."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

import httpx

from sloengine.errors import SloengineError

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class DemoError(SloengineError):
    """Something the demo needs did not come up; says what and where its log is."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGTERM and SIGHUP end the block as Ctrl-C does: by default they end us at once, and children live on as orphans."""
    before = {number: signal.signal(number, _interrupt) for number in _listened()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listened() -> list[signal.Signals]:
    """What ``nohup`` or a shell's background made us ignore stays ignored."""
    return [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def held() -> Iterator[None]:
    """Signals that would end us wait for the block: a child not yet in our list, or not yet made to end, would be an orphan."""
    came: list[int] = []
    before = {n: signal.signal(n, lambda number, _: came.append(number)) for n in _listened()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def exports(variables: Mapping[str, str], programs: Path) -> str:
    """A shell file that points commands at what runs here, and finds them in the folder ``programs``."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, f'export PATH={shlex.quote(str(programs))}:"$PATH"', ""])


class Processes:
    """Children that live no longer than we do; each writes its own log."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        log = self.folder / f"{name}.log"
        with log.open("ab") as out, held():
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
        with held():
            self._stop()

    def _stop(self) -> None:
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
