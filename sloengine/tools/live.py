"""What a store holds, as linting asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sloengine.config.live import DAYS, Judged, Seen
from sloengine.model import Source
from sloengine.store.client import Store


class InStore:
    """What the store knows of the catalogue's words: ``sloengine.config.live.Known``, each question asked once."""

    VALUES_MAX = 200

    def __init__(self, store: Store) -> None:
        self._store, self._days = store, DAYS
        self._names: dict[str, dict[str, list[str]]] | None = None

    def names(self, source: Source) -> dict[str, list[str]]:
        if self._names is None:
            self._names = {}
            for row in self._store.rows("seen_names", days=self._days):
                self._names.setdefault(row["Source"], {})[row["Name"]] = row["Services"]
        return self._names.get(str(source), {})

    def seen(self, source: Source, name: str, service: str, keys: Sequence[str]) -> Seen | None:
        (row,) = self._rows("seen_values", source, name, service, keys)
        if not row["Items"]:
            return None
        values = dict(zip(keys, map(frozenset, row["Values"]), strict=True)) if keys else {}
        return Seen(values, frozenset(k for k, found in values.items() if len(found) > self.VALUES_MAX))

    def combinations(self, source: Source, name: str, service: str, keys: Sequence[str]) -> int:
        return int(self._rows("seen_combinations", source, name, service, keys)[0]["Combinations"])

    def _rows(self, query: str, source: Source, name: str, service: str, keys: Sequence[str]) -> list[dict[str, Any]]:
        asked = {"source": str(source), "wanted": name, "service": service, "keys": list(keys), "days": self._days}
        found: list[dict[str, Any]] = self._store.rows(query, **asked)
        return found

    def judged(self) -> list[Judged]:
        return [Judged(r["Slo"], r["Service"], r["Sli"], tuple(r["By"])) for r in self._store.rows("seen_slos")]
