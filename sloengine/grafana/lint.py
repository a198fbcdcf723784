"""Rules that our dashboards hold; each prevents what would only show when the dashboard is needed. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from grafana_foundation_sdk.models import units

Json = dict[str, Any]
COLUMNS = 24
UID_MAX = 40

_VALUE = re.compile(r"\$\{[^}]*\}")


def lint(dashboard: Json, others: Mapping[str, Collection[str]] | None = None) -> list[str]:
    """What is wrong, in words; empty when all is well.

    Args:
        dashboard: the JSON that Grafana reads.
        others: variables of the other dashboards by uid, which links may lead to.
    """
    known = dict(others or {}) | {str(dashboard.get("uid")): _names(dashboard)}
    rules = (_whole, _variables, _panels, _ids, _grid, _thresholds)
    return [problem for rule in rules for problem in rule(dashboard)] + list(_links(dashboard, known))


def _names(dashboard: Json) -> set[str]:
    return {v["name"] for v in _listed(dashboard)}


def _listed(dashboard: Json) -> list[Json]:
    listed: list[Json] = dashboard.get("templating", {}).get("list", [])
    return listed


def _all_panels(dashboard: Json) -> Iterator[Json]:
    for panel in dashboard.get("panels", []):
        yield panel
        yield from panel.get("panels") or []


def _drawn(dashboard: Json) -> Iterator[Json]:
    return (p for p in _all_panels(dashboard) if p.get("type") != "row")


def _whole(dashboard: Json) -> Iterator[str]:
    uid = dashboard.get("uid") or ""
    if not uid or len(uid) > UID_MAX:
        yield f"uid '{uid}' must have 1 to {UID_MAX} characters"
    if dashboard.get("editable") is not False:
        yield "must not be editable: changes in the browser would be lost with the next build"
    for link in dashboard.get("links", []) + dashboard.get("annotations", {}).get("list", []):
        if "placement" in link:
            yield f"'{link.get('title') or link.get('name')}' is placed in a hidden menu"


def _variables(dashboard: Json) -> Iterator[str]:
    sources = [v["name"] for v in _listed(dashboard) if v.get("type") == "datasource"]
    if sources != ["datasource"]:
        yield f"needs exactly one datasource variable, named datasource; has {sources}"
    for variable in _listed(dashboard):
        if variable.get("type") != "query":
            continue
        if variable.get("refresh") != 2:
            yield f"variable {variable['name']} must refresh when the time range changes"
        if (variable.get("datasource") or {}).get("uid") != "${datasource}":
            yield f"variable {variable['name']} must ask ${{datasource}}"


def _panels(dashboard: Json) -> Iterator[str]:
    for panel in _drawn(dashboard):
        name = _name(panel)
        for field in ("title", "description"):
            if not str(panel.get(field) or "").strip():
                yield f"{name} has no {field}"
        yield from _units(panel, name)
        yield from _targets(panel, name)


def _units(panel: Json, name: str) -> Iterator[str]:
    config = panel.get("fieldConfig", {})
    unit = config.get("defaults", {}).get("unit")
    if unit not in valid_units():
        yield f"{name} has no valid unit: {unit}"
    for override in config.get("overrides", []):
        for item in override.get("properties", []):
            if item.get("id") == "unit" and item.get("value") not in valid_units():
                yield f"{name} has no valid unit: {item.get('value')}"


def _targets(panel: Json, name: str) -> Iterator[str]:
    targets = panel.get("targets") or []
    if not targets:
        yield f"{name} has no target"
    if any((t.get("datasource") or {}).get("uid") != "${datasource}" for t in [panel, *targets]):
        yield f"{name} must ask ${{datasource}}"
    references = [t.get("refId") for t in targets]
    if len(references) != len(set(references)):
        yield f"{name} has targets of the same refId"
    if not all(str(t.get("rawSql") or "").strip() for t in targets):
        yield f"{name} has a target without SQL"


def _ids(dashboard: Json) -> Iterator[str]:
    seen: set[int] = set()
    for panel in _all_panels(dashboard):
        number = panel.get("id")
        if not isinstance(number, int) or number <= 0:
            yield f"{_name(panel)} has no id"
        elif number in seen:
            yield f"{_name(panel)} has the id of another panel: {number}"
        else:
            seen.add(number)


def _grid(dashboard: Json) -> Iterator[str]:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard.get("panels", []):
        name, place = _name(panel), panel.get("gridPos") or {}
        x, y, w, h = (place.get(k, 0) for k in ("x", "y", "w", "h"))
        if w < 1 or h < 1 or x < 0 or y < 0 or x + w > COLUMNS:
            yield f"{name} does not fit into {COLUMNS} columns"
            continue
        cells = [(column, line) for column in range(x, x + w) for line in range(y, y + h)]
        for other in sorted({taken[c] for c in cells if c in taken}):
            yield f"{name} overlaps {other}"
        taken.update(dict.fromkeys(cells, name))


def _thresholds(dashboard: Json) -> Iterator[str]:
    for panel in _drawn(dashboard):
        steps = panel.get("fieldConfig", {}).get("defaults", {}).get("thresholds", {}).get("steps")
        if steps is None:
            continue
        values = [s.get("value") for s in steps]
        if not values or values[0] is not None or None in values[1:]:
            yield f"{_name(panel)}: the first threshold, and only it, must be null"
        elif values[1:] != sorted(set(values[1:])):
            yield f"{_name(panel)}: thresholds must ascend"


def _links(dashboard: Json, known: Mapping[str, Collection[str]]) -> Iterator[str]:
    for where, url in _urls(dashboard):
        parts = urlsplit(_VALUE.sub("x", url))
        if not parts.path.startswith("/d/"):
            continue
        uid = parts.path.split("/")[2]
        if uid not in known:
            yield f"{where} leads to /d/{uid}, which doesn't exist"
            continue
        for name, _ in parse_qsl(parts.query, keep_blank_values=True):
            if name.startswith("var-") and name.removeprefix("var-") not in known[uid]:
                yield f"{where} passes {name}, which {uid} doesn't have"


def _urls(dashboard: Json) -> Iterator[tuple[str, str]]:
    for link in dashboard.get("links", []):
        yield f"link '{link.get('title')}'", link.get("url") or ""
    for panel in _drawn(dashboard):
        for link in (panel.get("links") or []) + (panel.get("fieldConfig", {}).get("defaults", {}).get("links") or []):
            yield f"a link of {_name(panel)}", link.get("url") or ""


def _name(panel: Json) -> str:
    return f"panel '{panel.get('title') or panel.get('id')}'"


@cache
def valid_units() -> frozenset[str]:
    """Every unit that Grafana knows, from the SDK's own list."""
    return frozenset(v for k, v in vars(units).items() if isinstance(v, str) and not k.startswith("_"))
