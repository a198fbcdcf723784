"""A store and an engine for benchmarks: the store is one process, the engine's jobs run in another whose memory is watched."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx

from sloengine import jobs
from sloengine.config.routing import Alerting
from sloengine.config.settings import Settings, StoreSection
from sloengine.model import Catalogue
from sloengine.state.database import open_database
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

MEMORY_GOAL_MB = 500.0


def size(name: str, full: int) -> int:
    """How much of something: ``SLOENGINE_BENCH_<NAME>``, or what the figures in the README were measured with."""
    return int(os.environ.get(f"SLOENGINE_BENCH_{name}", full))


def entry(name: str, ratio: float, goal: float, *, unit: str = "x", detail: str = "") -> dict[str, Any]:
    """One line of ``make bench``; lower is better."""
    found = {"name": name, "ratio": round(ratio, 3), "unit": unit, "goal": goal, "better": "lower", "ok": ratio <= goal}
    return found | ({"detail": detail} if detail else {})


@contextmanager
def a_store() -> Iterator[str]:
    """The URL of an embedded store of its own, gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "sloengine.embedded", "--path", f"{folder}/data", "--port", "0"],
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_STORE_")},
        )
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.kill()
            process.communicate()


def database(url: str, name: str) -> Store:
    """A migrated, empty database."""
    section = StoreSection(url=url, database=name)
    migrate(section)
    return Store(section)


def engine_on(url: str, name: str, catalogue: Catalogue, folder: Path) -> jobs.Deps:
    """An engine that is never started: its jobs are called."""
    settings = Settings(state_url=f"sqlite:///{folder}/state.db", store=StoreSection(url=url, database=name))
    alerting = Alerting.model_validate({"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]})
    return jobs.Deps(
        settings=settings,
        catalogue=catalogue,
        alerting=alerting,
        store=Store(settings.store),
        state=open_database(settings.state_url),
        http=httpx.Client(),
        clock=lambda: datetime.now(UTC),
        holder="bench",
    )


@dataclass(frozen=True, slots=True)
class Job:
    """Something an engine does, made in the engine's own process: ``make(url, database, folder)`` gives what is then timed."""

    make: Callable[..., Callable[[Any], Any]]
    arguments: tuple[Any, ...] = ()


class EngineProcess:
    """An engine in a process of its own; use as a context."""

    def __init__(self, url: str, name: str, job: Job) -> None:
        context = get_context("spawn")
        self._here, there = context.Pipe()
        self._folder = tempfile.TemporaryDirectory()
        self._process = context.Process(target=_serve, args=(there, url, name, self._folder.name, job))

    def __enter__(self) -> EngineProcess:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._folder.cleanup()

    def do(self, order: Any = None) -> tuple[float, Any]:
        """Seconds that the job took, and its answer."""
        self._here.send(order)
        if not self._here.poll(300):
            raise TimeoutError("the engine did not answer within 300 s")
        took_s, answer = self._here.recv()
        if took_s is None:
            raise RuntimeError(answer)
        return took_s, answer

    @property
    def peak_mb(self) -> float:
        """Most memory that the process ever held."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("this system does not tell a process's peak memory")


def _serve(there: Connection, url: str, name: str, folder: str, job: Job) -> None:
    work = job.make(url, name, Path(folder), *job.arguments)
    while True:
        order = there.recv()
        began = time.perf_counter()
        try:
            answer = work(order)
        except Exception as error:  # noqa: BLE001  it is the parent that raises
            there.send((None, f"{type(error).__name__}: {error}"))
        else:
            there.send((time.perf_counter() - began, answer))
