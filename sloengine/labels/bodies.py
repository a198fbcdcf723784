"""Bodies of requests: a JSON array of labels, or one label a line. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime

from sloengine.labels.items import BadLabel, Label, check

LABELS_MAX = 10_000
"""Labels of one request."""


class BadBodyError(ValueError):
    """A body that holds no labels at all; says what to send instead."""


class TooManyError(BadBodyError):
    """More labels than one request may hold."""


def read_array(body: bytes, now: datetime) -> tuple[list[Label], list[BadLabel]]:
    """Labels of a JSON array, and what is wrong, by index from 0."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadBodyError(
            f"not JSON: {_reason(error)}; send an array of objects, or lines as application/x-ndjson"
        ) from None
    if not isinstance(found, list):
        raise BadBodyError('expected a JSON array such as [{"prediction_id": "p-1", "truth": "cat"}]')
    _count(len(found))
    return _sorted((place, check(item, now)) for place, item in enumerate(found))


def read_lines(body: bytes, now: datetime) -> tuple[list[Label], list[BadLabel]]:
    """Labels of newline-delimited JSON, and what is wrong, by line from 1; empty lines are no labels."""
    lines = [(place, line) for place, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    _count(len(lines))
    return _sorted((place, check_line(line, now)) for place, line in lines)


def check_line(line: bytes, now: datetime) -> Label | str:
    """A label from one line of JSON, or what is wrong with it."""
    try:
        item = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {_reason(error)}; each line is one object"
    return check(item, now)


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else "a number has too many digits"


def _count(number: int) -> None:
    if number > LABELS_MAX:
        raise TooManyError(f"{number} labels in one request; send at most {LABELS_MAX} at once")


def _sorted(found: Iterator[tuple[int, Label | str]]) -> tuple[list[Label], list[BadLabel]]:
    labels: list[Label] = []
    wrong: list[BadLabel] = []
    for place, label in found:
        if isinstance(label, Label):
            labels.append(label)
        else:
            wrong.append(BadLabel(place, label))
    return labels, wrong
