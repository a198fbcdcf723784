"""What the SDK leaves undone (0.0.21): grid, datasources, a ``placement`` that hides links in a menu. Pure."""

from __future__ import annotations

import copy
from typing import Any

from sloengine.grafana.panels import DATASOURCE

COLUMNS = 24

Json = dict[str, Any]


def finish(dashboard: Json, annotations: list[dict[str, object]]) -> Json:
    """A finished copy of the SDK's JSON."""
    done = copy.deepcopy(dashboard)
    done["editable"] = False
    done["annotations"] = {"list": annotations}
    for link in done.get("links", []):
        link.pop("placement", None)
    for variable in done["templating"]["list"]:
        _finish_variable(variable)
    for panel in done["panels"]:
        _finish_panel(panel)
    _lay_out(done["panels"])
    return done


def _finish_variable(variable: Json) -> None:
    if variable["type"] == "query":
        variable["datasource"] = dict(DATASOURCE)
        variable["definition"] = variable["query"]["rawSql"]


def _finish_panel(panel: Json) -> None:
    if panel["type"] == "row":
        panel.setdefault("panels", [])
        return
    panel["datasource"] = dict(DATASOURCE)
    for target in panel["targets"]:
        target["datasource"] = dict(DATASOURCE)
    for link in panel.get("fieldConfig", {}).get("defaults", {}).get("links", []) or []:
        link.pop("placement", None)


def _lay_out(panels: list[Json]) -> None:
    """Left to right, a new line where the next panel doesn't fit or is a row."""
    x = y = tallest = 0
    for panel in panels:
        row = panel["type"] == "row"
        width, height = (COLUMNS, 1) if row else (panel["gridPos"]["w"], panel["gridPos"]["h"])
        if x + width > COLUMNS:
            x, y, tallest = 0, y + tallest, 0
        panel["gridPos"] = {"h": height, "w": width, "x": x, "y": y}
        x, tallest = x + width, max(tallest, height)
