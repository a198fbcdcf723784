"""Panels over ClickHouse: the SDK's builders with what every panel of ours has in common."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from functools import cache
from importlib import resources

from grafana_foundation_sdk.builders import common, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog import builder as cogbuilder
from grafana_foundation_sdk.cog import variants as cogvariants
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

PLUGIN = "grafana-clickhouse-datasource"
PLUGIN_VERSION = "4.20.0"
DATASOURCE = {"type": PLUGIN, "uid": "${datasource}"}
TIME_SERIES, TABLE = 0, 1
"""The plugin's ``format``."""

Steps = Sequence[tuple[float | None, str]]


@cache
def query(name: str) -> str:
    """SQL of ``grafana/queries/<name>.sql`` without its comments: Grafana would replace variables in them too."""
    text = resources.files("sloengine.grafana").joinpath("queries", f"{name}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.strip().splitlines() if not line.startswith("--"))


class Target(cogvariants.Dataquery):
    """A query of the ClickHouse plugin, for which the SDK has no type."""

    def __init__(self, sql: str, format_: int, ref_id: str = "A") -> None:
        self.sql = sql
        self.format = format_
        self.ref_id = ref_id

    def to_json(self) -> dict[str, object]:
        return {
            "refId": self.ref_id,
            "datasource": dict(DATASOURCE),
            "editorType": "sql",
            "rawSql": self.sql,
            "format": self.format,
            "queryType": "timeseries" if self.format == TIME_SERIES else "table",
            "pluginVersion": PLUGIN_VERSION,
            "meta": {"timezone": "UTC"},
        }


class _Built(cogbuilder.Builder[cogvariants.Dataquery]):
    def __init__(self, target: Target) -> None:
        self.target = target

    def build(self) -> cogvariants.Dataquery:
        return self.target


def stable_id(key: str) -> int:
    """An id that stays the same when panels are added or moved, so that links to a panel keep working."""
    return zlib.crc32(key.encode()) % 1_000_000 + 1


def target(name: str, format_: int) -> cogbuilder.Builder[cogvariants.Dataquery]:
    return _Built(Target(query(name), format_))


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """The first step's value is None: it holds from minus infinity on."""
    return (
        dashboard.ThresholdsConfig()
        .mode(models.ThresholdsMode.ABSOLUTE)
        .steps([models.Threshold(value=value, color=color) for value, color in steps])
    )


def figure(name: str, title: str, description: str, unit: str, steps: Steps, *, decimals: int = 0) -> stat.Panel:
    """One number."""
    return (
        stat.Panel()
        .id(stable_id(name))
        .title(title)
        .description(description)
        .unit(unit)
        .decimals(decimals)
        .no_value("no data")
        .thresholds(thresholds(steps))
        .color_mode(common_models.BigValueColorMode.VALUE)
        .graph_mode(common_models.BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
        .with_target(target(name, TABLE))
        .height(4)
        .span(6)
    )


def graph(name: str, title: str, description: str, unit: str, decimals: int | None = None) -> timeseries.Panel:
    """Lines over time. Gaps stay gaps: a line drawn over missing data would be a claim."""
    panel = (
        timeseries.Panel()
        .id(stable_id(name))
        .title(title)
        .description(description)
        .unit(unit)
        .interval("1m")
        .no_value("no data")
        .line_width(2)
        .fill_opacity(6)
        .show_points(common_models.VisibilityMode.AUTO)
        .span_nulls(False)
        .legend(
            common.VizLegendOptions()
            .show_legend(True)
            .display_mode(common_models.LegendDisplayMode.TABLE)
            .placement(common_models.LegendPlacement.BOTTOM)
            .calcs(["lastNotNull", "min", "max"])
        )
        .tooltip(
            common.VizTooltipOptions()
            .mode(common_models.TooltipDisplayMode.MULTI)
            .sort(common_models.SortOrder.DESCENDING)
        )
        .with_target(target(name, TIME_SERIES))
        .height(9)
        .span(12)
    )
    return panel if decimals is None else panel.decimals(decimals)


def listing(name: str, title: str, description: str, units: Sequence[tuple[str, str]] = ()) -> table.Panel:
    """A table; ``units`` of columns by name."""
    panel = (
        table.Panel()
        .id(stable_id(name))
        .title(title)
        .description(description)
        .unit("none")
        .no_value("–")
        .filterable(True)
        .with_target(target(name, TABLE))
        .height(9)
        .span(24)
    )
    for column, unit in units:
        panel = panel.override_by_name(column, [models.DynamicConfigValue(id_val="unit", value=unit)])
    return panel
