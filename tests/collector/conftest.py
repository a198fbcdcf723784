"""The real gateway binary and the real embedded store, started on free ports."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from collector_running import BINARY, FULL_BINARY, PROMETHEUS, ROOT, FullGateway, Gateway, Store


def needed(part: Path | None, name: str, target: str) -> Path:
    """The part; without it the test is skipped, or fails where nothing may be skipped."""
    if part is None or not part.exists():
        reason = f"no {name}: run `make {target}`"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return part


@pytest.fixture(scope="session")
def binary() -> Path:
    return needed(BINARY, str(BINARY.relative_to(ROOT)), "collector")


@pytest.fixture(scope="session")
def full_binary() -> Path:
    return needed(FULL_BINARY, str(FULL_BINARY.relative_to(ROOT)), "collector-full")


@pytest.fixture(scope="session")
def prometheus_3() -> Path:
    """Prometheus that speaks remote write 2, built from its Go module."""
    return needed(PROMETHEUS, str(PROMETHEUS.relative_to(ROOT)), "prometheus")


@pytest.fixture(scope="session")
def prometheus_2() -> Path:
    """Debian's Prometheus, 2.42."""
    found = shutil.which("prometheus")
    return needed(Path(found) if found else None, "prometheus on PATH", "setup-system")


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
    """gateways(store_url, database, kind=FullGateway, SETTING=…) makes a gateway; all of them are ended with the test."""
    made: list[Gateway] = []

    def make(store_url: str, database: str = "sloengine", kind: type[Gateway] = Gateway, **settings: str) -> Gateway:
        made.append(kind(tmp_path / f"gateway{len(made)}", store_url, database, **settings))
        return made[-1]

    yield make
    for gateway in made:
        gateway.end(signal.SIGKILL)


@pytest.fixture(scope="module")
def full_database(store: Store, request: pytest.FixtureRequest) -> str:
    """A migrated database named after the module."""
    name = request.module.__name__.rpartition(".")[2]
    store.migrate(name)
    return name


@pytest.fixture(scope="module")
def full_gateway(
    store: Store, full_database: str, full_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FullGateway]:
    """One full gateway for all tests of a module."""
    gateway = FullGateway(tmp_path_factory.mktemp("full"), store.url, full_database, SLOENGINE_GATEWAY_ID="gw-full")
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.end(signal.SIGKILL)


@pytest.fixture
def collector_dir() -> Path:
    return ROOT / "collector"
