"""Statements that a person can paste into any ClickHouse client: parameters written out as literals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sloengine.times import utc

_PARAMETER = re.compile(r"\{(\w+):([^{}]+)\}")
_MARKER = re.compile(r"\$([a-z_]+)\b")


def paste(sql: str, values: Mapping[str, object], expressions: Mapping[str, str] | None = None) -> str:
    """The statement with each ``{name:Type}`` as a literal of that type and each ``$name`` as an expression.

    Raises:
        KeyError: a parameter or marker has no value.
    """
    given = expressions or {}
    # Both at once: what is put in is never read as a marker or parameter itself.
    both = re.compile(f"{_PARAMETER.pattern}|{_MARKER.pattern}")
    return both.sub(lambda m: given[m[3]] if m[3] else literal(values[m[1]], m[2]), _bare(sql))


def _bare(sql: str) -> str:
    """Without comments: they tell how the files fit together, not what a person pastes."""
    lines = [line for line in sql.splitlines() if not line.lstrip().startswith("--") and line.strip()]
    return "\n".join(lines)


def literal(value: Any, kind: str) -> str:
    """A value as ClickHouse reads it back as this type."""
    if kind.startswith(("Array", "Map")):
        return f"CAST({_nested(value)}, {quoted(kind)})"
    if kind.startswith("DateTime64"):
        return f"toDateTime64({quoted(_time(value))}, 3, 'UTC')"
    if kind.startswith("DateTime"):
        return f"toDateTime({quoted(_time(value)[:19])}, 'UTC')"
    if kind == "Identifier":
        return "`" + str(value).replace("\\", "\\\\").replace("`", "\\`") + "`"
    return _nested(value)


def _nested(value: Any) -> str:
    if isinstance(value, str | datetime):
        return quoted(value if isinstance(value, str) else _time(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"map({', '.join(f'{_nested(k)}, {_nested(v)}' for k, v in value.items())})"
    inner = ", ".join(map(_nested, value))
    return f"({inner})" if isinstance(value, tuple) else f"[{inner}]"


def _time(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%d %H:%M:%S}.{utc(moment).microsecond // 1000:03d}"


def quoted(text: str) -> str:
    """A string literal. Values come from telemetry: quotes and backslashes in them must not end it."""
    escaped = (
        text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\t", "\\t").replace("\0", "\\0")
    )
    return f"'{escaped}'"
