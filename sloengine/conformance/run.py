"""The command: listen or read files, say what is wrong, and how it ended."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from rich.console import Console

from sloengine.otlp.door import _unix_nano

from .checker import Checker
from .decode import requests_in
from .findings import RULES, Finding, Level
from .items import Sending
from .listen import Desk, open_socket, serve
from .report import as_dict, show_all, show_new

CONFORMS, FOUND, WRONG_USE = 0, 1, 2
_FILE_COLUMNS = 1000  # what goes to a file or a pipe is not wrapped
FILE_BYTES_MAX = 512 * 1024 * 1024


def _nothing(address: str, stop: Callable[[], None]) -> None:
    """Nobody needs to know."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to check. Either `listen` (a port, or host:port) or `files`."""

    now: Callable[[], datetime]
    """Aware; the clock that devices are compared with."""
    listen: str | None = None
    files: tuple[Path, ...] = ()
    for_s: float | None = None
    """How long to listen; None until Ctrl-C."""
    json: bool = False
    ignore: frozenset[str] = field(default_factory=frozenset)
    """Ids of rules to leave out."""
    started: Callable[[str, Callable[[], None]], None] = _nothing
    """Told the address once it listens, and given a function that ends it."""


class _UseError(Exception):
    """The command can't do what it was asked to."""


def run_conformance(options: Options) -> int:
    """Check, print the report, and return the exit code: 0 conforms, 1 errors found (nothing received is one), 2 wrong use."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else _FILE_COLUMNS)
    try:
        _check(options)
        checker = Checker(options.ignore)
        if options.listen is None:
            _read_files(checker, options)
        else:
            _listen(checker, options, console)
    except _UseError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG_USE
    findings = checker.finish()
    _report(checker, findings, options, console)
    return FOUND if any(f.rule.level is Level.ERROR for f in findings) else CONFORMS


def _check(options: Options) -> None:
    if (options.listen is None) == (not options.files):
        raise _UseError("say either --listen PORT, to be sent telemetry, or files with what was sent")
    if options.files and options.for_s is not None:
        raise _UseError("--for goes with --listen: files are read to their end")
    unknown = sorted(options.ignore - RULES.keys())
    if unknown:
        raise _UseError(f"no rule is called {', '.join(unknown)}: docs/conformance.md lists them")


def _read_files(checker: Checker, options: Options) -> None:
    sending = Sending(now_ns=_unix_nano(options.now()))
    for path in options.files:
        for part in requests_in(str(path), _bytes_of(path)):
            if part.problem:
                checker.refuse("request-unreadable", part.place, part.problem)
            else:
                checker.feed(part.signal, part.request, sending)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise _UseError(f"{path}: larger than {FILE_BYTES_MAX >> 20} MiB; split it")
        return path.read_bytes()
    except OSError as error:
        raise _UseError(f"{path}: can't be read: {error.strerror}") from error


def _listen(checker: Checker, options: Options, console: Console) -> None:
    try:
        listening = open_socket(options.listen or "")
    except ValueError as error:
        raise _UseError(f"--listen: {error}") from error
    except OSError as error:
        raise _UseError(f"can't listen on {options.listen}: {error.strerror or error}; choose another port") from error
    with listening:
        port = listening.getsockname()[1]
        if not options.json:
            _greet(console, listening.getsockname()[0], port, options.for_s)
        desk = Desk(checker, lambda new: _live(console, new, options), options.now)
        serve(desk, listening, options.for_s, lambda stop: options.started(f"http://127.0.0.1:{port}", stop))


def _greet(console: Console, host: str, port: int, for_s: float | None) -> None:
    here = "this host, on any of its addresses" if host in {"0.0.0.0", "::"} else host  # noqa: S104
    until = "until Ctrl-C" if for_s is None else f"for {for_s:g} s"
    lines = (
        f"Listening on {here}, port {port}, {until}: OTLP/HTTP, protobuf or JSON. Point the device at it:",
        f"  OTEL_EXPORTER_OTLP_ENDPOINT=http://<this host>:{port} OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        "Each finding is shown when it is first met, all of them with counts at the end.",
    )
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)


def _live(console: Console, new: list[Finding], options: Options) -> None:
    if not options.json:
        show_new(console, new)


def _report(checker: Checker, findings: list[Finding], options: Options, console: Console) -> None:
    if options.json:
        sys.stdout.write(json.dumps(as_dict(findings, checker.received, checker.devices)) + "\n")
    else:
        show_all(console, findings, checker.received, checker.devices)
