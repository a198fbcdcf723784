"""Just enough lexing of ClickHouse SQL: where an INSERT's data begins, the format asked for, names that are called.

Nothing here decides what is allowed on its own: `access` reads the engine's own parse beside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
    | (?P<string>'(?:[^'\\]|\\.|'')*')
    | (?P<quoted>`(?:[^`\\]|\\.|``)*`|"(?:[^"\\]|\\.|"")*")
    | (?P<word>[^\W\d]\w*)
    | (?P<number>\d\w*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def names(text: str) -> frozenset[str]:
    """A table of names, as text that is easy to read and to extend."""
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Token:
    kind: str
    text: str
    end: int

    @property
    def name(self) -> str | None:
        """The identifier this token spells, unquoted; None for anything else."""
        if self.kind == "word":
            return self.text
        if self.kind == "quoted":
            return re.sub(r"\\(.)|``|\"\"", lambda m: m.group(1) or m.group(0)[0], self.text[1:-1])
        return None

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.upper() in words


def tokens(sql: str) -> Iterator[Token]:
    """Tokens of `sql` without spaces and comments."""
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup or "other"
        if kind != "space":
            yield Token(kind, match.group(), match.end())


@dataclass(frozen=True, slots=True)
class InsertHead:
    """`INSERT INTO t (…) [SETTINGS …] FORMAT f`: `target` runs up to SETTINGS or FORMAT, data starts at `data_at`."""

    target: str
    settings: tuple[tuple[str, str], ...]
    format: str | None
    data_at: int


def is_insert(sql: str) -> bool:
    first = next(tokens(sql), None)
    return first is not None and first.is_word("INSERT")


def makes_function(sql: str) -> bool:
    """Whether it may be a CREATE FUNCTION: what follows the first CREATE, if not its OR REPLACE, says FUNCTION."""
    head = [token for token, _ in zip(tokens(sql), range(4), strict=False)]
    return bool(head) and head[0].is_word("CREATE") and any(token.is_word("FUNCTION") for token in head)


def is_select(sql: str) -> bool:
    first = next(tokens(sql), None)
    return first is not None and (first.is_word("SELECT", "WITH", "FROM") or first.text == "(")


def insert_head(text: str) -> InsertHead | None:
    """The head of an INSERT that brings its rows along; None for INSERT … SELECT, FROM INFILE and anything else.

    `text` may go on into the data. Without FORMAT or VALUES `data_at` is the end of `text` and `format` is None.
    """
    if not is_insert(text):
        return None
    settings_at: int | None = None
    depth, previous = 0, 0
    for token in tokens(text):
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "other" else 0
        if depth == 0 and token.kind == "word":
            if token.is_word("SELECT", "WITH", "FROM", "WATCH"):
                return None
            if token.is_word("SETTINGS") and settings_at is None:
                settings_at = previous
            if token.is_word("VALUES"):
                return _head(text, settings_at, previous, "Values", token.end)
            if token.is_word("FORMAT"):
                return _head_with_format(text, settings_at, previous, token.end)
        elif depth == 0 and token.text == ";":
            return _head(text, settings_at, previous, None, token.end)
        previous = token.end
    return _head(text, settings_at, previous, None, len(text))


def _head_with_format(text: str, settings_at: int | None, until: int, after: int) -> InsertHead | None:
    token = next(tokens(text[after : after + 256]), None)
    if token is None or token.kind != "word":
        return None
    at = after + token.end
    if token.is_word("VALUES"):
        return _head(text, settings_at, until, "Values", at)
    return _head(text, settings_at, until, token.text, _data_start(text, at))


def _data_start(text: str, at: int) -> int:
    """ClickHouse skips blanks and at most one line end after the format's name (ParserInsertQuery)."""
    found = re.compile(r"[ \t\f]*(?:\r?\n)?").match(text, at)
    return found.end() if found else at


def _head(text: str, settings_at: int | None, until: int, fmt: str | None, data_at: int) -> InsertHead | None:
    target = text[: until if settings_at is None else settings_at]
    if settings_at is None:
        return InsertHead(target, (), fmt, data_at)
    settings = _settings(text[settings_at:until])
    return None if settings is None else InsertHead(target, settings, fmt, data_at)


def _settings(clause: str) -> tuple[tuple[str, str], ...] | None:
    """`SETTINGS a = 1, b = 'x'` as pairs; None if a value is not a plain literal."""
    parts = [token for token in tokens(clause) if not token.is_word("SETTINGS")]
    pairs: list[tuple[str, str]] = []
    for at in range(0, len(parts), 4):
        group = parts[at : at + 4]
        if len(group) < 3 or group[1].text != "=" or (len(group) == 4 and group[3].text != ","):
            return None
        pairs.append((group[0].text, group[2].text.strip("'")))
    return tuple(pairs)


def output_format(sql: str) -> str | None:
    """The format that a top-level `FORMAT f` at the end of `sql` asks for."""
    depth, found, take = 0, None, False
    for token in tokens(sql):
        if take:
            found, take = token.name, False
            continue
        depth += {"(": 1, ")": -1}.get(token.text, 0) if token.kind == "other" else 0
        take = depth == 0 and token.is_word("FORMAT")
    return found


def called_and_bare_names(sql: str) -> tuple[frozenset[str], frozenset[str]]:
    """Of a *normalised* statement, in lower case: names before `(`, and all names that aren't part of a dotted path.

    The second set is what catches functions passed by name (`arrayMap(file, …)`, `APPLY(file)`), which the engine's AST
    dump doesn't show.
    """
    called: set[str] = set()
    bare: set[str] = set()
    found = list(tokens(sql))
    for at, token in enumerate(found):
        name = token.name
        if name is None:
            continue
        after = found[at + 1].text if at + 1 < len(found) else ""
        before = found[at - 1].text if at else ""
        if after == "(":
            called.add(name.lower())
        if before != "." and after != ".":
            bare.add(name.lower())
    return frozenset(called), frozenset(bare)
