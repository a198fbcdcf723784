"""YAML that remembers lines: every problem can say ``file:line``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from stat import S_ISREG
from typing import Any

from pydantic import BaseModel, ValidationError

from sloengine.config.words import words
from sloengine.config.yamltree import MAX_DEPTH, Map, Seq, Unreadable, read_tree, walk
from sloengine.errors import ConfigError, Problem

MAX_FILE_BYTES = 2**20
"""A catalogue file is hand-written; anything larger is a mistake or an attack."""
MAX_MARKS = 50_000
"""Bound on line ends, commas, colons and brackets, before anything is parsed: two thousand SLOs have as many. Each mark is at
most a value, and a value takes some ten microseconds."""
PER_DOCUMENT = 4
"""What a document costs beside its marks, in marks."""
MAX_PROBLEMS = 100
"""Of one document's shape: twenty thousand unknown keys, each with its nearest known one, took a quarter of a minute."""
MAX_NODES = 200_000
"""Bound on values after aliases are expanded: an alias bomb of nine lines expands to billions."""

Path_ = Sequence[str | int]
_BRACKET = re.compile(r"[\[\]{}]")


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its values and where each of them stands."""

    file: str
    value: Any

    @staticmethod
    def empty(file: str) -> Document:
        return Document(file, Map())

    def line(self, path: Path_ = ()) -> int:
        """1-based line of the value at ``path``; of its nearest ancestor where the value itself is missing."""
        node, line = self.value, getattr(self.value, "line", 1)
        for key in path:
            place = _place(node, key)
            if place is None:
                break
            line, node = place
        return int(line)

    def texts(self) -> Iterator[tuple[str, int]]:
        """Every key and every text of it, with its line."""
        todo: list[Any] = [self.value]
        while todo:
            node = todo.pop()
            lines = node.lines if isinstance(node, Seq) else list(node.lines.values()) if isinstance(node, Map) else []
            items = node if isinstance(node, Seq) else node.values() if isinstance(node, Map) else ()
            if isinstance(node, Map):
                yield from ((str(key), line) for key, line in node.lines.items())
            yield from ((item, line) for item, line in zip(items, lines, strict=True) if isinstance(item, str))
            todo.extend(reversed(list(items)))

    def problem(self, message: str, path: Path_ = (), severity: str = "error") -> Problem:
        return Problem(self.file, self.line(path), message, severity)


def said_where(documents: Iterable[Document]) -> dict[str, str]:
    """``file:line`` at which each key or text stands first."""
    found: dict[str, str] = {}
    for document in documents:
        for text, line in document.texts():
            found.setdefault(text, f"{document.file}:{line}")
    return found


def _place(node: Any, key: str | int) -> tuple[int, Any] | None:
    if isinstance(node, Map) and key in node:
        return node.lines[key], node[key]
    if isinstance(node, Seq) and isinstance(key, int) and key < len(node):
        return node.lines[key], node[key]
    return None


def read_documents(path: Path) -> list[Document]:
    """All documents of a file.

    Raises:
        ConfigError: unreadable, too large, not YAML, keys given twice, values that are none, or an alias bomb; with the lines.
    """
    text = _text(path)
    refused = too_much(text)
    if refused:
        raise ConfigError([Problem(str(path), *refused)])
    try:
        tree = read_tree(text)
    except Unreadable as error:
        raise ConfigError([Problem(str(path), error.line, error.words)]) from None
    if tree.mistakes:
        raise ConfigError([Problem(str(path), line, f"not valid YAML: {words}") for line, words in tree.mistakes])
    documents = [Document(str(path), value) for value in tree.documents if value is not None]
    for document in documents:
        _refuse_bomb(document)
    return documents


def _text(path: Path) -> str:
    """The file's text. Of a pipe or a device nobody knows the end, so only files are opened, and no more is read than allowed."""
    try:
        if not S_ISREG(path.stat().st_mode):
            raise ConfigError([Problem(str(path), 1, "can't be read: it is not a file")])
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError([Problem(str(path), 1, f"can't be read: {error}")]) from None
    if len(content) > MAX_FILE_BYTES:
        raise ConfigError([Problem(str(path), 1, f"larger than {MAX_FILE_BYTES // 2**20} MiB: split it")])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(str(path), line, f"can't be read: {error}")]) from None


def too_much(text: str) -> tuple[int, str] | None:
    """Why a file with this text is refused before it is parsed, and its line; marks in quotes and comments count too."""
    if len(text) > MAX_FILE_BYTES:
        return 1, f"larger than {MAX_FILE_BYTES // 2**20} MiB: split it"
    if sum(text.count(mark) for mark in "\n,:[{") + PER_DOCUMENT * text.count("\n---") > MAX_MARKS:
        return 1, f"holds more than {MAX_MARKS} line ends, commas, colons and brackets: split it"
    depth = 0
    for found in _BRACKET.finditer(text):
        depth = depth + 1 if found[0] in "[{" else max(0, depth - 1)
        if depth > MAX_DEPTH:
            return text.count("\n", 0, found.start()) + 1, f"nested deeper than {MAX_DEPTH} brackets"
    return None


def _refuse_bomb(document: Document) -> None:
    for seen, (depth, _) in enumerate(walk(document.value)):
        if seen > MAX_NODES:
            raise ConfigError([document.problem(f"holds more than {MAX_NODES} values once aliases are expanded")])
        if depth > MAX_DEPTH:
            raise ConfigError([document.problem(f"nested deeper than {MAX_DEPTH} levels once aliases are expanded")])


def plain(value: Any) -> Any:
    """The document without YAML's own types."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value


def problems_of(error: ValidationError, document: Document, model: type[BaseModel] | None = None) -> list[Problem]:
    """pydantic's findings, each at its line, with the nearest known key where one was mistyped."""
    listed = error.errors()
    found = [problem_of(item, document, model) for item in listed[:MAX_PROBLEMS]]
    if len(listed) > MAX_PROBLEMS:
        found.append(document.problem(f"and {len(listed) - MAX_PROBLEMS} more of this kind"))
    return found


def problem_of(item: Any, document: Document, model: type[BaseModel] | None = None) -> Problem:
    """One of pydantic's findings."""
    return document.problem(_sentence(item, model), item["loc"])


def _sentence(item: Any, model: type[BaseModel] | None) -> str:
    where = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        near = get_close_matches(str(item["loc"][-1]), known_keys(model), n=1)
        return f"unknown key '{where}'" + (f"; did you mean '{near[0]}'?" if near else "")
    return f"{where}: {words(item)}" if where else words(item)


def known_keys(model: type[BaseModel] | None) -> list[str]:
    """Every key of a model and of the models inside it: enough to guess what a typo meant."""
    keys: list[str] = []
    todo, done = [model] if model else [], set()
    while todo:
        current = todo.pop()
        if current is None or current in done:
            continue
        done.add(current)
        for name, field in current.model_fields.items():
            keys.append(field.alias or name)
            todo.extend(_models_in(field.annotation))
    return keys


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for inner in getattr(annotation, "__args__", ()) for m in _models_in(inner)]
