"""YAML 1.2 as plain values that remember their lines, from the parser's events.

Events come one by one and are put together without recursion, so a hostile file is refused where it goes too far. PyYAML's
libyaml makes them twenty times faster than a parser in Python. Only its events are taken: what a word means is decided by
YAML 1.2, so that ``yes`` stays a text. Where PyYAML is not installed, ruamel's parser makes the same events, slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode

MAX_DEPTH = 200
"""Levels inside each other. Pydantic and our own readers go down by recursion, which Python ends at a thousand."""
MERGED_MAX = 200_000
"""Keys looked at for ``<<``: a list of ten thousand merges of ten thousand keys is short to write."""
MISTAKES_MAX = 100
WORD_MAX = 100
"""Words up to here are remembered, because the same ones come in every document: telling what they are is half of the work."""
_CORE = "tag:yaml.org,2002:"
_MERGE, _TEXT = _CORE + "merge", _CORE + "str"
_TEXTS = (_TEXT, _CORE + "value")
_NOTHING = object()


class Map(dict[Any, Any]):
    """A mapping: ``line`` is where it begins, ``lines`` where each of its keys stands; 1-based."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int = 1) -> None:
        super().__init__()
        self.line, self.lines = line, dict[Any, int]()


class Seq(list[Any]):
    """A list: ``line`` is where it begins, ``lines`` where each of its items does; 1-based."""

    __slots__ = ("line", "lines")

    def __init__(self, line: int = 1) -> None:
        super().__init__()
        self.line, self.lines = line, list[int]()


class Unreadable(Exception):
    """Nothing can be made of the text: it is not YAML, or it goes beyond a bound; at a line."""

    def __init__(self, line: int, words: str) -> None:
        self.line, self.words = line, words
        super().__init__(words)


@dataclass(slots=True)
class Tree:
    """Documents of a file, and what is wrong with single values of them: (line, words)."""

    documents: list[Any] = field(default_factory=list)
    mistakes: list[tuple[int, str]] = field(default_factory=list)


def read_tree(text: str) -> Tree:
    """All documents of a text.

    Raises:
        Unreadable: it is not YAML, nested too deep, or merges too many keys.
    """
    builder = _Builder()
    for event in _checked(_events(text), text):
        builder.take(event)
    return builder.tree


def _checked(events: Iterator[Any], text: str) -> Iterator[Any]:
    while True:
        try:
            event = next(events)
        except StopIteration:
            return
        except Exception as error:  # noqa: BLE001 - the parsers' errors have no common root, and ruamel's own bugs come through
            raise _unreadable(error, text) from None
        yield event


def _events(text: str) -> Iterator[Any]:
    try:
        from yaml import CLoader, parse  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        return iter(YAML(typ="safe", pure=True).parse(text))
    return iter(parse(text, Loader=CLoader))


def _unreadable(error: Exception, text: str) -> Unreadable:
    """Line and words of what a parser could not go on with."""
    mark, position = getattr(error, "problem_mark", None), getattr(error, "position", None)
    words = str(getattr(error, "problem", None) or str(error).partition("\n")[0] or type(error).__name__)
    if words == "found character that cannot start any token" and mark is not None:
        # libyaml doesn't say which; it is a tab, mostly
        words = f"found character {text[mark.index : mark.index + 1]!r} that cannot start any token"
    if words == "could not find expected ':'":  # seen on the next line; the key is what is wrong
        mark = getattr(error, "context_mark", None) or mark
    line = mark.line + 1 if mark is not None else 1
    if mark is None and isinstance(position, int):
        line = text.count("\n", 0, position) + 1
    # libyaml places what is missing at the end one line too far.
    return Unreadable(min(line, text.count("\n") + 1), f"not valid YAML: {words}")


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    value: Any
    key: Any = _NOTHING
    key_line: int = 0
    merges: list[tuple[Any, int]] = field(default_factory=list)


class _Builder:
    def __init__(self) -> None:
        self.tree = Tree()
        self._open: list[_Open] = []
        self._anchors: dict[str, Any] = {}
        self._root: Any = None
        self._merged = 0

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._place(self._known(event, self._scalar(event, line)), line)
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            self._begin(event, line, kind == "MappingStartEvent")
        elif kind == "MappingEndEvent":
            self._merge(self._open.pop())
        elif kind == "SequenceEndEvent":
            self._open.pop()
        elif kind == "AliasEvent":
            self._place(self._alias(event, line), line)
        elif kind == "DocumentStartEvent":
            if event.version not in (None, (1, 2)):
                self._wrong(line, "only YAML 1.2 is read: leave %YAML out")
            self._anchors, self._root = {}, None
        elif kind == "DocumentEndEvent":
            self.tree.documents.append(self._root)

    def _wrong(self, line: int, words: str) -> None:
        if len(self.tree.mistakes) < MISTAKES_MAX:
            self.tree.mistakes.append((line, words))

    def _known(self, event: Any, value: Any) -> Any:
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _alias(self, event: Any, line: int) -> Any:
        if event.anchor not in self._anchors:
            self._wrong(line, f"found undefined alias '{event.anchor}'")
        return self._anchors.get(event.anchor)

    def _begin(self, event: Any, line: int, is_map: bool) -> None:
        if len(self._open) >= MAX_DEPTH:
            raise Unreadable(line, f"nested deeper than {MAX_DEPTH} levels")
        if event.tag not in (None, "!", _CORE + ("map" if is_map else "seq")):
            self._wrong(line, f"tag '{event.tag}' is not known here")
        value = self._known(event, Map(line) if is_map else Seq(line))
        self._place(value, line)
        self._open.append(_Open(value))

    def _place(self, value: Any, line: int) -> None:
        if not self._open:
            self._root = value
            return
        at = self._open[-1]
        if isinstance(at.value, Seq):
            at.value.append(value)
            at.value.lines.append(line)
        elif at.key is _NOTHING:
            at.key, at.key_line = self._key(value, line), line
        else:
            self._pair(at, value)
            at.key = _NOTHING

    def _key(self, value: Any, line: int) -> Any:
        if isinstance(value, Map | Seq):
            self._wrong(line, "a key is one word, no list or mapping")
            return f"?{line}"
        return value

    def _pair(self, at: _Open, value: Any) -> None:
        if at.key is _Merge:
            at.merges.append((value, at.key_line))
        elif at.key in at.value:
            self._wrong(at.key_line, f'found duplicate key "{at.key}"')
        else:
            at.value[at.key] = value
            at.value.lines[at.key] = at.key_line

    def _merge(self, done: _Open) -> None:
        """``<<``: what a mapping takes over from others, unless it says it itself; of several, the first holds."""
        for value, line in done.merges:
            for source in value if isinstance(value, Seq) else (value,):
                if not isinstance(source, Map) or source is done.value or any(source is o.value for o in self._open):
                    self._wrong(line, "<< needs a mapping, or a list of them, that is complete before")
                    continue
                self._merged += len(source)
                if self._merged > MERGED_MAX:
                    raise Unreadable(line, f"<< takes over more than {MERGED_MAX} keys")
                for key, inherited in source.items():
                    if key not in done.value:
                        done.value[key] = inherited
                        done.value.lines[key] = line

    def _scalar(self, event: Any, line: int) -> Any:
        text, tag = event.value, event.tag
        if tag is None and event.implicit[0]:
            tag = _implicit(text) if len(text) <= WORD_MAX else _resolved(text)
        if tag == _MERGE and self._awaits_key():
            return _Merge
        if tag in (None, "!", _MERGE) or tag in _TEXTS:
            return text
        if tag not in _values():
            self._wrong(line, f"tag '{tag}' is not known here")
            return text
        try:
            return _values()[tag](ScalarNode(tag, text))
        except Exception as error:  # noqa: BLE001 - 2026-13-41, ten thousand digits, `0x_`: each fails in its own way
            self._wrong(line, f"'{text[:40]}' is no value: {error or type(error).__name__}")
            return text

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, Map) and self._open[-1].key is _NOTHING


class _Merge:
    """Stands for the key ``<<``."""


@cache
def _resolver() -> Any:
    return YAML(typ="safe").resolver


@lru_cache(maxsize=4096)
def _implicit(text: str) -> str:
    return _resolved(text)


def _resolved(text: str) -> str:
    """What a plain word is: a number, a date, true, null, or a text."""
    return str(_resolver().resolve(ScalarNode, text, (True, False)))


@cache
def _values() -> dict[str, Callable[[ScalarNode], Any]]:
    maker = YAML(typ="safe").constructor
    names = ("int", "float", "bool", "null", "timestamp")
    return {_CORE + name: getattr(maker, f"construct_yaml_{name}") for name in names}


def walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Every value with its depth, aliases spread out; of a value that holds itself there is no end."""
    # Iterators, not their values: a list of a million aliases of itself must not be spread out again and again.
    stack = [iter((value,))]
    while stack:
        for node in stack[-1]:
            yield len(stack), node
            if isinstance(node, Map):
                stack.append(iter(node.values()))
                break
            if isinstance(node, Seq):
                stack.append(iter(node))
                break
        else:
            stack.pop()
