"""What the demo starts ends with it, and commands beside it find it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from sloengine.gameday.demo import FOLDER, VARIABLES, Options, _Demo

PARENT = """
import sys
from pathlib import Path
from sloengine.gameday.processes import Processes, interruptible
processes = Processes(Path(sys.argv[1]))
try:
    with interruptible():
        for n in range(3):
            processes.start(f"child{n}", ["sleep", "600"])
        processes.wait_until("child2", lambda: False, 600)
except KeyboardInterrupt:
    print("interrupted")
finally:
    processes.stop()
"""


def children_of(pid: int) -> set[int]:
    """Of all descendants, the process ids that live."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text(encoding="ascii").split()):
            found |= {child} | children_of(child)
    return found


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ends_with_its_children(parent: subprocess.Popen[str], least: int, number: signal.Signals) -> str:
    until(lambda: len(children_of(parent.pid)) >= least)
    children = children_of(parent.pid)
    try:
        parent.send_signal(number)
        said = "".join(filter(None, parent.communicate(timeout=60)))
        until(lambda: not any(map(lives, children)), 10)
        return said
    finally:
        for pid in filter(lives, {parent.pid, *children}):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_the_parent_ends_its_children(number: signal.Signals, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert ends_with_its_children(parent, 3, number) == "interrupted\n"


def test_sigterm_to_the_demo_ends_what_it_started(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sloengine", "demo", "--once", "--door"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as demo:
        said = ends_with_its_children(demo, 1, signal.SIGTERM)
    assert demo.returncode == 1
    assert "interrupted" in said
    assert "stopped after" in said


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Demo]:
    """One that was not started, in a folder whose name a shell would take apart."""
    folder = tmp_path / "it's $HOME here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = _Demo(Options(), Console(quiet=True))
    yield found
    found.close()


def test_a_shell_that_reads_the_demos_variables_has_its_settings_and_its_commands(demo: _Demo, tmp_path: Path) -> None:
    demo.write_variables()
    script = f"source {shlex.quote(str(VARIABLES.resolve()))}; cd {shlex.quote(str(tmp_path))}; sloengine status"
    show = (
        "import json; from sloengine.config.settings import load_settings; s = load_settings(); "
        "print(json.dumps([s.store.url, str(s.catalogue), s.state_url]))"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("SLOENGINE_")}

    def shell(words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", words], env=clean, capture_output=True, text=True, timeout=60, check=False)

    found = shell(f"{script.rpartition(';')[0]}; python -c {shlex.quote(show)}")
    folder = FOLDER.resolve()
    assert json.loads(found.stdout) == [
        demo.section.url, str(folder / "catalogue"), f"sqlite:///{folder}/state.db",
    ], found.stderr  # fmt: skip
    # Nothing listens there, and that is what it says: it is the demo's address.
    assert demo.section.url in shell(script).stderr
