"""Query: named questions for ML engineers. Each is a ``.sql`` file whose head names its parameters; the server binds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from sloengine.store.client import Row, Store, statement
from sloengine.times import parse_duration, utc
from sloengine.tools.outcome import OK, Outcome, Refused, nearest, refusal, table

_PARAMETER = re.compile(r"^-- param: (\w+) (\w+)(?: = (\S*))?(?:\s+(.*))?$")
_COMMENT = re.compile(r"^-- ?(.*)$")
FORMATS = ("table", "json", "csv", "parquet")
ROWS_SHOWN = 200
NAMES = {
    "Slo": ("known_slos", "no SLO was ever judged under the name"),
    "Segment": ("known_segments", "no prediction of that time declares the segment"),
    "Span": ("known_spans", "no span of that time is called"),
}
"""Kinds of names, each with the statement that tells those there are: of a mistyped one there are no rows, as of nothing."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a named query: ``Duration``, ``Text``, ``Integer``, ``Number``, ``Moment`` or one of ``NAMES``."""

    name: str
    kind: str
    default: str | None
    """None: it must be given."""
    about: str

    def read(self, text: str) -> object:
        """As the server is to bind it; durations are seconds.

        Raises:
            Refused: not of its kind.
        """
        try:
            return _READERS[self.kind](text)
        except (ValueError, OverflowError) as error:
            raise Refused(f"--param {self.name}={text}: {_why(self.kind, error)}") from None


def _why(kind: str, error: Exception) -> str:
    what = {"Integer": "is not a whole number", "Number": "is not a number", "Moment": "is not an ISO moment"}
    return what.get(kind, str(error))


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


_READERS: Mapping[str, Any] = {
    "Duration": lambda text: int(parse_duration(text).total_seconds()),
    **dict.fromkeys(("Text", *NAMES), str),
    "Integer": _whole,
    "Number": float,
    "Moment": lambda text: utc(datetime.fromisoformat(text)),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A query with its description and parameters."""

    name: str
    about: str
    parameters: tuple[Parameter, ...]
    sql: str


@cache
def named_queries() -> dict[str, Named]:
    """Every named query, by name."""
    folder = resources.files("sloengine.store").joinpath("queries", "named")
    names = sorted(file.name.removesuffix(".sql") for file in folder.iterdir() if file.name.endswith(".sql"))
    return {name: read_named(name, statement(f"named/{name}")) for name in names}


def read_named(name: str, sql: str) -> Named:
    """A query from its text; its head is the comment lines that it begins with.

    Raises:
        ValueError: a parameter's line can't be read, or its type is none that we know.
    """
    about, parameters = [], []
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if line.startswith("-- param:"):
            parameters.append(_parameter(name, line))
        else:
            about.append(_COMMENT.sub(r"\1", line))
    return Named(name, " ".join(about), tuple(parameters), sql)


def _parameter(name: str, line: str) -> Parameter:
    found = _PARAMETER.match(line)
    if not found or found[2] not in _READERS:
        raise ValueError(f"{name}.sql: '{line}' is not '-- param: name Type = default  meaning'")
    return Parameter(found[1], found[2], found[3], found[4] or "")


# --- the command


def run_query(
    store: Store,
    name: str | None,
    given: Sequence[str] = (),
    *,
    form: str = "table",
    file: Path | None = None,
) -> Outcome:
    """Run a named query with ``k=v`` parameters; without a name, list what there is.

    ``form``: ``table``, ``json``, ``csv`` or ``parquet``; the last needs a ``file``, the others may have one.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
        StoreError: ClickHouse's own error.
    """
    if name is None:
        return _listed()
    try:
        query, values = _asked(name, given)
        if form not in FORMATS:
            raise Refused(f"no format is called '{form}'{nearest(form, FORMATS)}")
        if form == "parquet" and file is None:
            raise Refused("parquet is no text: name a file, --format parquet --file FILE")
        _known(store, query, values)
        return _answer(store, query, values, form, file)
    except Refused as error:
        return refusal(error)
    except OSError as error:
        return refusal(Refused(f"{file}: {error.strerror}"))


def _asked(name: str, given: Sequence[str]) -> tuple[Named, dict[str, object]]:
    known = named_queries()
    if name not in known:
        raise Refused(f"no query is called '{name}' ('sloengine query' describes them all){nearest(name, known)}")
    return known[name], bound(known[name], given)


def _known(store: Store, query: Named, values: Mapping[str, object]) -> None:
    """
    Raises:
        Refused: a name is none that the store knows.
    """
    for parameter in query.parameters:
        if parameter.kind in NAMES:
            listing, words = NAMES[parameter.kind]
            name, there = (
                str(values[parameter.name]),
                [r["name"] for r in store.rows(listing, since=values.get("since"))],
            )
            if there and name not in there:
                raise Refused(f"--param {parameter.name}={name}: {words} '{name}'{nearest(name, there)}")


def bound(query: Named, given: Iterable[str]) -> dict[str, object]:
    """Values of all parameters of a query.

    Raises:
        Refused: a parameter is unknown, missing, given twice, or not of its kind.
    """
    texts: dict[str, str] = {}
    names = [p.name for p in query.parameters]
    for item in given:
        key, sign, value = item.partition("=")
        if not sign or key not in names:
            raise Refused(f"--param {item}: {query.name} takes {', '.join(names) or 'no parameters'}, as in name=value")
        if key in texts:
            raise Refused(f"--param {key} is given twice")
        texts[key] = value
    missing = [p.name for p in query.parameters if p.default is None and p.name not in texts]
    if missing:
        raise Refused(f"{query.name} needs {', '.join(f'--param {m}=…' for m in missing)}")
    return {p.name: p.read(texts.get(p.name, p.default or "")) for p in query.parameters}


def _answer(store: Store, query: Named, values: dict[str, object], form: str, file: Path | None) -> Outcome:
    if form in ("csv", "parquet"):
        body = store._call(lambda client: client.raw_query(query.sql, parameters=values, fmt=_FORMAT[form]))
        return _written(query, file, body)
    rows = [{k: _aware(v) for k, v in row.items()} for row in store.sql_rows(query.sql, values)]
    found = {"query": query.name, "parameters": values, "rows": rows}
    text = json.dumps(found, default=_json) if form == "json" else _table(rows)
    if file is not None:
        return _written(query, file, (text + "\n").encode())
    return Outcome(text, found)


_FORMAT = {"csv": "CSVWithNames", "parquet": "Parquet"}


def _aware(value: object) -> object:
    return utc(value) if isinstance(value, datetime) else value


def _json(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _written(query: Named, file: Path | None, body: bytes) -> Outcome:
    if file is None:
        return Outcome(body.decode().rstrip("\n"), {"query": query.name})
    file.write_bytes(body)
    return Outcome(f"wrote {file}, {len(body):,} bytes", {"query": query.name, "file": str(file), "bytes": len(body)})


def _table(rows: Sequence[Row]) -> str:
    if not rows:
        return "no rows"
    body = table(tuple(rows[0]), [[_short(v) for v in r.values()] for r in rows[:ROWS_SHOWN]], "")
    more = len(rows) - ROWS_SHOWN
    return f"{body}\n… {more} more: --format csv" if more > 0 else body


def _short(value: object) -> object:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else value


def _listed() -> Outcome:
    found = named_queries()
    text = "\n\n".join(_described(q) for q in found.values())
    queries = [
        {
            "name": q.name,
            "about": q.about,
            "parameters": [
                {"name": p.name, "type": p.kind, "default": p.default, "about": p.about} for p in q.parameters
            ],
        }
        for q in found.values()
    ]
    return Outcome(text, {"queries": queries}, OK)


def _described(query: Named) -> str:
    rows = [(f"--param {p.name}", p.kind, _default(p), p.about) for p in query.parameters]
    return f"{query.name}\n  {query.about}" + (f"\n{_plain(rows)}" if rows else "")


def _plain(rows: Sequence[tuple[str, ...]]) -> str:
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return "\n".join("    " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _default(parameter: Parameter) -> str:
    if parameter.default is None:
        return "needed"
    return f"default {parameter.default}" if parameter.default else "default any"
