"""Dashboard SQL as the ClickHouse plugin sends it: variables and macros replaced. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

ALL = "$__all"
"""What a variable holds when *All* is selected."""

Variables = Mapping[str, Sequence[str] | str]

_CONDITIONAL = "$__conditionalAll("
_REFERENCE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
_MACRO = re.compile(r"\$__\w+")


def expand(sql: str, start: datetime, end: datetime, interval_s: int, variables: Variables) -> str:
    """SQL that ClickHouse can run.

    Args:
        sql: with the plugin's macros.
        start: beginning of the dashboard's time range, aware.
        end: its end.
        interval_s: width of one point.
        variables: chosen values by name; ``ALL`` makes ``$__conditionalAll`` true.

    Raises:
        ValueError: a macro or a variable that isn't known, so that a typing error never reaches Grafana.
    """
    text = _conditionals(sql, variables)
    text = _REFERENCE.sub(lambda m: _variable(m.group(1), m.group(2), variables), text)
    for pattern, replacement in _time_macros(start, end, interval_s):
        text = re.sub(pattern, replacement, text)
    if unknown := _MACRO.search(text):
        raise ValueError(f"unknown macro {unknown.group()}")
    return text


def _conditionals(sql: str, variables: Variables) -> str:
    while (at := sql.find(_CONDITIONAL)) >= 0:
        condition, variable, end = _arguments(sql, at + len(_CONDITIONAL))
        name = variable.strip().lstrip("$").strip("{}")
        if name not in variables:
            raise ValueError(f"unknown variable {name}")
        sql = sql[:at] + ("1=1" if variables[name] == ALL else condition) + sql[end:]
    return sql


def _arguments(sql: str, at: int) -> tuple[str, str, int]:
    """The two arguments from ``at`` on, and where the call ends. Like the plugin, it counts brackets and no quotes."""
    depth, comma = 0, None
    for i in range(at, len(sql)):
        if sql[i] == "," and depth == 0:
            comma = i
        elif sql[i] == "(":
            depth += 1
        elif sql[i] == ")":
            if depth == 0 and comma is not None:
                return sql[at:comma], sql[comma + 1 : i], i + 1
            depth -= 1
    raise ValueError("$__conditionalAll needs a condition and a variable")


def _variable(name: str, form: str | None, variables: Variables) -> str:
    if name not in variables:
        raise ValueError(f"unknown variable {name}")
    chosen = variables[name]
    values = [chosen] if isinstance(chosen, str) else list(chosen)
    if form == "singlequote":
        # Grafana's own escaping of this format.
        return ",".join("'" + v.replace("'", "\\'") + "'" for v in values)
    raise ValueError(f"variable {name} is not quoted: use ${{{name}:singlequote}}")


def _time_macros(start: datetime, end: datetime, interval_s: int) -> list[tuple[str, str]]:
    first, last = (int(t.astimezone(UTC).timestamp()) for t in (start, end))
    first_ms, last_ms = (int(t.astimezone(UTC).timestamp() * 1000) for t in (start, end))
    return [
        (
            r"\$__timeFilter_ms\(([^()]+)\)",
            rf"\1 >= fromUnixTimestamp64Milli({first_ms}) AND \1 <= fromUnixTimestamp64Milli({last_ms})",
        ),
        (r"\$__timeFilter\(([^()]+)\)", rf"\1 >= toDateTime({first}) AND \1 <= toDateTime({last})"),
        (r"\$__timeInterval\(([^()]+)\)", rf"toStartOfInterval(toDateTime(\1), INTERVAL {max(1, interval_s)} second)"),
        (r"\$__fromTime\b", f"toDateTime({first})"),
        (r"\$__toTime\b", f"toDateTime({last})"),
        (r"\$__interval_s\b", str(max(1, interval_s))),
    ]
