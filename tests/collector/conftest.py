"""The real gateway binary and the real embedded store, started on free ports."""

import os
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector_running import BINARY, ROOT, Gateway, Store


@pytest.fixture(scope="session")
def binary() -> Path:
    if not BINARY.exists():
        reason = f"no {BINARY.relative_to(ROOT)}: run `make collector`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return BINARY


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory, binary: Path) -> Iterator[Store]:
    """One store for all tests that use a database of their own."""
    store = Store(tmp_path_factory.mktemp("store") / "data")
    try:
        store.start()
        yield store
    finally:
        store.stop()


@pytest.fixture
def database(store: Store, request: pytest.FixtureRequest) -> str:
    """A migrated database named after the test."""
    name = re.sub(r"\W", "_", request.node.name)[:60]
    store.migrate(name)
    return name


@pytest.fixture
def own_store(tmp_path: Path, binary: Path) -> Iterator[Store]:
    """A store that the test may stop and start."""
    store = Store(tmp_path / "data")
    try:
        store.start()
        store.migrate("sloengine")
        yield store
    finally:
        store.stop()


@pytest.fixture
def gateways(tmp_path: Path, binary: Path) -> Iterator[Callable[..., Gateway]]:
    """gateways(store_url, database, SETTING=…) makes a gateway; all of them are ended with the test."""
    made: list[Gateway] = []

    def make(store_url: str, database: str = "sloengine", **settings: str) -> Gateway:
        made.append(Gateway(tmp_path / f"gateway{len(made)}", store_url, database, **settings))
        return made[-1]

    yield make
    for gateway in made:
        gateway.end(signal.SIGKILL)


@pytest.fixture
def collector_dir() -> Path:
    return ROOT / "collector"
