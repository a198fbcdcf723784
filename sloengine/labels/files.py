"""Label files: CSV with a header, or one JSON object a line. Read twice, in bounded memory: checked whole, then written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from sloengine.errors import ConfigError, Problem
from sloengine.labels.bodies import check_line
from sloengine.labels.items import FIELDS, Label, check
from sloengine.labels.rows import COLUMNS, TABLE, rows

Insert = Callable[[str, list[str], list[list[object]]], None]
Progress = Callable[[int, int], None]
LINE_BYTES_MAX = 64 * 1024
BATCH = 10_000
"""Labels of one insert."""
PROBLEMS_MAX = 1000
"""Problems that are listed; more are only counted."""
JSON_ENDINGS = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file."""

    accepted: int
    bad: int
    """Lines that hold no label."""
    problems: tuple[Problem, ...]
    """The first of them, by line."""


def import_labels(
    path: Path,
    insert: Insert,
    now: datetime,
    progress: Progress = lambda done, total: None,
    *,
    skip_bad: bool = False,
) -> Imported:
    """Check the whole file, then write its labels; if any line is bad nothing is written, unless ``skip_bad``.

    ``progress(done, total)`` is told bytes, of both readings together. Labels are written in batches: if the store fails
    half-way, the same file again does no harm.

    Raises:
        ConfigError: the file can't be read, its name says neither CSV nor JSON lines, or its header is wrong.
        StoreError: from ``insert``.
    """
    total = 2 * _size(path)
    bad, problems = 0, []
    for done, line, label in _read(path, now):
        progress(done, total)
        if not isinstance(label, Label):
            bad += 1
            problems += [Problem(str(path), line, label)] if bad <= PROBLEMS_MAX else []
    accepted = 0
    if not bad or skip_bad:
        accepted = _write(path, insert, now, lambda done: progress(total // 2 + done, total))
    progress(total, total)
    return Imported(accepted, bad, tuple(problems))


def _write(path: Path, insert: Insert, now: datetime, progress: Callable[[int], None]) -> int:
    found = ((done, label) for done, _, label in _read(path, now) if isinstance(label, Label))
    accepted = 0
    while batch := list(islice(found, BATCH)):
        insert(TABLE, COLUMNS, rows((label for _, label in batch), now))
        accepted += len(batch)
        progress(batch[-1][0])
    return accepted


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, f"can't be read: {error.strerror}")]) from None


def _read(path: Path, now: datetime) -> Iterator[tuple[int, int, Label | str]]:
    """Bytes read so far, line, and the label or what is wrong with it."""
    ending = path.suffix.lower()
    if ending not in (".csv", *JSON_ENDINGS):
        known = ", ".join((".csv", *JSON_ENDINGS))
        raise ConfigError([Problem(str(path), 1, f"unknown kind of file: its name must end in one of {known}")])
    try:
        with path.open("rb") as file:
            yield from _csv(path, file, now) if ending == ".csv" else _json(file, now)
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, f"can't be read: {error.strerror}")]) from None


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, each cut at its greatest length: one without an end must not fill the memory."""
    while line := file.readline(LINE_BYTES_MAX + 1):
        cut = len(line) > LINE_BYTES_MAX
        yield line
        while cut and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES_MAX + 1)
            if not line:
                return


def _json(file: BinaryIO, now: datetime) -> Iterator[tuple[int, int, Label | str]]:
    for number, line in enumerate(_lines(file), 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if len(line) > LINE_BYTES_MAX:
            yield file.tell(), number, f"a line of more than {LINE_BYTES_MAX} bytes; each line is one object"
        elif text.strip():
            yield file.tell(), number, check_line(text, now)


def _csv(path: Path, file: BinaryIO, now: datetime) -> Iterator[tuple[int, int, Label | str]]:
    # What is no UTF-8 becomes characters that the check refuses, with their line.
    texts = (line[: LINE_BYTES_MAX + 1].decode("utf-8", "surrogateescape") for line in _lines(file))
    reader = csv.reader(texts, strict=True, skipinitialspace=True)
    header = _header(path, reader)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield file.tell(), reader.line_num, f"not CSV: {error}"
            continue
        if len(cells) == len(header):
            yield file.tell(), reader.line_num, check(dict(zip(header, cells, strict=True)), now)
        elif cells:
            message = (
                f"{len(cells)} values for the {len(header)} columns {','.join(header)}; quote values that hold commas"
            )
            yield file.tell(), reader.line_num, message


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        found = [name.removeprefix("\ufeff").strip() for name in next(reader, [])]
    except csv.Error as error:
        raise ConfigError([Problem(str(path), 1, f"not CSV: {error}")]) from None
    problems = [f"column '{name}' is missing" for name in ("prediction_id", "truth") if name not in found]
    problems += [f"unknown column '{name[:60]}'; known are {', '.join(FIELDS)}" for name in found if name not in FIELDS]
    problems += [f"column '{name}' comes twice" for name in FIELDS if found.count(name) > 1]
    if problems:
        raise ConfigError(
            [Problem(str(path), 1, f"{problem}; the first line names the columns") for problem in problems]
        )
    return found
