"""Segments: where a prediction was made, in a few named parts; bounded, because each combination is a series of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from . import contract
from .contract import DropReason
from .ledger import Ledger

_NAME = re.compile(rf"[a-z][a-z0-9_]{{0,{contract.SEGMENT_NAME_MAX - 1}}}")


class Segments:
    """Those of one model, of its records and scores together."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._values: dict[str, set[str]] = {}
        self._combinations: set[frozenset[tuple[str, str]]] = set()

    def attributes(self, given: object) -> dict[str, str]:
        """Attributes for what was given, bounded in number and in number of values, like labels."""
        if given is None:
            return {}
        if not isinstance(given, Mapping):
            self._ledger.drop(DropReason.WRONG_TYPE)
            return {}
        pairs = ((str(name), self._ledger.text(value)) for name, value in given.items())
        return {
            contract.SEGMENT + name: self._bounded(name, value)
            for name, value in pairs
            if value is not None and self._is_known(name)
        }

    def series(self, attributes: dict[str, str]) -> dict[str, str]:
        """The same for a histogram: eight names of two hundred values would be more series than a device has memory for."""
        combination = frozenset(attributes.items())
        if not attributes or combination in self._combinations:
            return attributes
        if len(self._combinations) >= contract.SEGMENT_COMBINATIONS_MAX:
            self._ledger.drop(DropReason.TOO_MANY_VALUES)
            return dict.fromkeys(attributes, contract.OTHER)
        self._combinations.add(combination)
        return attributes

    def _is_known(self, name: str) -> bool:
        if name in self._values:
            return True
        if not _NAME.fullmatch(name):
            self._ledger.drop(DropReason.OUT_OF_RANGE)
        elif len(self._values) >= contract.SEGMENTS_MAX:
            self._ledger.drop(DropReason.TOO_MANY_VALUES)
        else:
            self._values[name] = set()
        return name in self._values

    def _bounded(self, name: str, value: str) -> str:
        known = self._values[name]
        if value not in known and len(known) >= contract.SEGMENT_VALUES_MAX:
            self._ledger.drop(DropReason.TOO_MANY_VALUES)
            return contract.OTHER
        known.add(value)
        return value
