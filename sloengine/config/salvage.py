"""What a document of a wrong shape still says: its meaning is read at once, so that nobody fixes one mistake to meet the next."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

M = TypeVar("M", bound=BaseModel)
Path_ = tuple[str | int, ...]
NAMELESS = "nameless"
STAND_INS: tuple[Any, ...] = ({}, NAMELESS, [], [NAMELESS], "2026-01-01T00:00:00Z", 1, "page")
"""Tried in turn where something is needed. A document with one of them is read, never used."""
ROUNDS_MAX = 40
ERRORS_MAX = 100
"""A document with more mistakes than that has enough to be fixed first."""


@dataclass(frozen=True, slots=True)
class Salvaged(Generic[M]):
    """A document without its mistakes of shape, and where they were."""

    parsed: M
    holes: frozenset[Path_]
    """Where something was taken out or stands in: what is said of it, or of the mapping that lacks it, is the mistake's echo."""


def salvage(model: type[M], value: Any, error: ValidationError) -> Salvaged[M] | None:
    """The document without what is wrong with it; None if nothing sensible is left.

    Unknown keys and wrong values are left out, so that defaults hold; what must be there gets a stand-in.
    """
    value, holes, tries = deepcopy(value), set[Path_](), dict[Path_, int]()
    for _ in range(ROUNDS_MAX):
        errors = error.errors(include_url=False)
        if not isinstance(value, dict) or len(errors) > ERRORS_MAX:
            return None
        for path, kind, context in _once(value, errors):
            if not path or not _mend(value, path, kind, context, tries):
                return None
            if kind not in ("extra_forbidden", "too_long"):
                holes.add(path)
        try:
            return Salvaged(model.model_validate(value), frozenset(holes))
        except ValidationError as next_error:
            error = next_error
    return None


def _once(value: Any, errors: list[Any]) -> list[tuple[Path_, str, Any]]:
    """One mistake for each place, the last of a list first, so that taking one out moves none of the others."""
    found: dict[Path_, tuple[Path_, str, Any]] = {}
    for item in errors:
        path = _resolved(value, item["loc"], item["type"] == "missing")
        found.setdefault(path, (path, item["type"], item.get("ctx", {})))
    return list(found.values())


def _resolved(value: Any, loc: tuple[str | int, ...], missing: bool) -> Path_:
    """The part of pydantic's place that is a place in the document: it adds the names of alternatives."""
    path: list[str | int] = []
    for key in loc:
        if (isinstance(value, dict) and key in value) or (isinstance(value, list) and isinstance(key, int)):
            path.append(key)
            value = value[key]  # type: ignore[index]
        else:
            if missing:
                path.append(key)
            break
    return tuple(path)


def _mend(value: Any, path: Path_, kind: str, context: Any, tries: dict[Path_, int]) -> bool:
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    present = isinstance(parent, list) or key in parent
    if kind == "too_long" and isinstance(parent[key], list):
        parent[key] = parent[key][: context["max_length"]]
    elif present and isinstance(parent, dict) and path not in tries:
        del parent[key]
        tries[path] = 0
    else:
        count = tries.get(path, 0)
        if count >= len(STAND_INS):
            return False
        parent[key] = deepcopy(STAND_INS[count])
        tries[path] = count + 1
    return True
