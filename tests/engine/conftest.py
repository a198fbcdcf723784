"""One real embedded store for all of tests/engine, a database and an engine of its own for each test."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from engine_rig import Rig

from sloengine.gameday.pager import Pager

_numbers = itertools.count(1)


def start_store(path: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """A store process and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sloengine.embedded", "--path", str(path), "--port", str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return process, line.split()[-1]


def end_process(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(30)
    if process.stdout is not None:
        process.stdout.close()


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, url = start_store(tmp_path_factory.mktemp("store") / "data")
    yield url
    end_process(process)


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Callable[[int], tuple[subprocess.Popen[str], str]]]:
    """own_store(port) starts a store that the test may kill and start again on the same folder."""
    started: list[subprocess.Popen[str]] = []

    def start(port: int = 0) -> tuple[subprocess.Popen[str], str]:
        process, url = start_store(tmp_path / "own-store", port)
        started.append(process)
        return process, url

    yield start
    for process in started:
        end_process(process)


@pytest.fixture
def pager() -> Iterator[Pager]:
    pager = Pager()
    yield pager
    pager.close()


@pytest.fixture
def database() -> str:
    return f"test_{next(_numbers)}"


@pytest.fixture
def rigs(store_url: str, tmp_path: Path, pager: Pager) -> Iterator[Callable[..., Rig]]:
    """rigs(**changes) makes another engine with a database and a state of its own."""
    made: list[Rig] = []

    def make(url: str = store_url, **changes: object) -> Rig:
        number = next(_numbers)
        made.append(Rig(url, f"test_{number}", tmp_path / f"rig{number}", pager, **changes))
        return made[-1]

    yield make
    for rig in made:
        rig.close()


@pytest.fixture
def rig(rigs: Callable[..., Rig]) -> Rig:
    return rigs()


@pytest.fixture(scope="module")
def module_rig(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """One rig for tests that only read."""
    pager = Pager()
    rig = Rig(store_url, f"test_{next(_numbers)}", tmp_path_factory.mktemp("rig"), pager)
    yield rig
    rig.close()
    pager.close()
