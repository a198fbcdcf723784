"""The rig of tests/engine on a real embedded store, for the tools as well."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))

from engine_rig import Rig

from sloengine.gameday.pager import Pager

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def tools_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a store of our own."""
    path = tmp_path_factory.mktemp("store") / "data"
    command = [sys.executable, "-m", "sloengine.embedded", "--path", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        yield line.split()[-1]
        process.kill()


@pytest.fixture(scope="module")
def rigs(tools_store: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Rig]]:
    """rigs(**changes) makes an engine with a database and a state of its own; they live as long as the module's tests."""
    pager = Pager()
    made: list[Rig] = []

    def make(**changes: object) -> Rig:
        folder = tmp_path_factory.mktemp("rig")
        made.append(Rig(tools_store, f"tools_{next(_numbers)}", folder, pager, **changes))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for rig in made:
        rig.close()
    pager.close()
