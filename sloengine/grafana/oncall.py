"""The on-call dashboard: is it bad, where, since when, and what changed."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as models

from sloengine.grafana.panels import DATASOURCE, PLUGIN, figure, graph, listing, query, stable_id

UID = "sloengine-on-call"
ONE_REGION = f"/d/{UID}?var-region=${{__field.labels.region}}&${{__url_time_range}}"
_GOOD, _WARN, _BAD = "green", "orange", "red"
_BUDGET = [(None, _BAD), (0, _WARN), (0.25, _GOOD)]


def on_call() -> dashboard.Dashboard:
    """The builder; :mod:`sloengine.grafana.finish` makes it ready for Grafana."""
    board = (
        dashboard.Dashboard("On call")
        .uid(UID)
        .description("Objectives, alerts, models and nodes. Generated: edit sloengine/grafana instead.")
        .tags(["sloengine", "slo", "generated"])
        .readonly()
        .timezone("utc")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time("now-6h", "now")
        .refresh("30s")
        .link(dashboard.DashboardLink("Everything, all regions").type(models.DashboardLinkType.LINK).url(f"/d/{UID}"))
    )
    for part in (_variables, _now, _objectives, _quality, _latency, _nodes, _alerts, _changes):
        board = part(board)
    return board


def _variables(board: dashboard.Dashboard) -> dashboard.Dashboard:
    board = board.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type(PLUGIN))
    for name, label in (("region", "Region"), ("model", "Model"), ("version", "Version")):
        board = board.with_variable(_variable(name, label))
    return board


def _variable(name: str, label: str) -> dashboard.QueryVariable:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .query({"queryType": "sql", "rawSql": query(f"variable_{name}"), "refId": name})
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .current(models.VariableOption(text="All", value="$__all", selected=True))
    )


def _row(board: dashboard.Dashboard, title: str) -> dashboard.Dashboard:
    return board.with_row(dashboard.Row(title).id(stable_id(f"row {title}")))


def _now(board: dashboard.Dashboard) -> dashboard.Dashboard:
    share = "Share of requests whose final outcome was good, over the whole range. Unknown outcomes count as neither."
    firing = "Alert episodes that fire now, whenever they began."
    least = "The slice with the least error budget left: 100 % untouched, 0 % spent, negative overspent."
    silent = "Expected nodes that their gateway has not heard for five minutes, or never."
    return (
        board.with_panel(figure("alerts_firing_count", "Alerts firing", firing, "short", [(None, _GOOD), (1, _BAD)]))
        .with_panel(figure("budget_worst", "Least budget left", least, "percentunit", _BUDGET, decimals=1))
        .with_panel(figure("success_rate_now", "Success rate", share, "percentunit", [(None, "text")], decimals=4))
        .with_panel(figure("nodes_stale_count", "Silent nodes", silent, "short", [(None, _GOOD), (1, _WARN)]))
    )


def _objectives(board: dashboard.Dashboard) -> dashboard.Dashboard:
    table = listing(
        "slos",
        "Objectives now, worst first",
        "The engine's newest word on every slice of every SLO, with its numbers and their coverage.",
        [
            ("sli", "percentunit"),
            ("target", "percentunit"),
            ("budget_left", "percentunit"),
            ("coverage", "percentunit"),
        ],
    )
    left = "Budget left by slice as known at each moment; the lowest of each point."
    burn = "Burn rate by SLO and window, worst slice: 1 spends the budget exactly over the SLO's window."
    return (
        _row(board, "Objectives")
        .with_panel(table)
        .with_panel(graph("budget_left", "Budget left", left, "percentunit", 1))
        .with_panel(graph("burn", "Burn rate by window", burn, "none", 1))
    )


def _quality(board: dashboard.Dashboard) -> dashboard.Dashboard:
    one = "Good over valid final outcomes (M1), exact counts from the devices' own metrics."
    region = graph("success_by_region", "Success rate by region", one, "percentunit", 4).data_links(
        [
            dashboard.DashboardLink("Only this region").url(
                f"/d/{UID}?var-region=${{__field.labels.region}}&${{__url_time_range}}"
            )
        ]
    )
    errors = "Bad over valid final outcomes by model and version: a bad version stands out from its predecessor."
    counted = "Events behind the ratios. Unknown: outcome can't be told; never counted as good or bad."
    return (
        _row(board, "Outcomes")
        .with_panel(region)
        .with_panel(graph("success_by_model", "Success rate by model", one, "percentunit", 4))
        .with_panel(graph("errors_by_version", "Error rate by model and version", errors, "percentunit", 4))
        .with_panel(graph("traffic", "Good, bad and unknown events", counted, "short"))
    )


def _latency(board: dashboard.Dashboard) -> dashboard.Dashboard:
    text = "Quantiles of merged exponential buckets, never averaged; within 0.54 % at scale 6. Retries included."
    return (
        _row(board, "Latency")
        .with_panel(graph("latency_by_model", "p95 and p99 by model and version", text, "s"))
        .with_panel(graph("latency_by_region", "p95 and p99 by region", text, "s"))
    )


def _nodes(board: dashboard.Dashboard) -> dashboard.Dashboard:
    silent = "Expected nodes that are silent, longest first. Offset: the gateway's clock minus the device's."
    failing = "Gateways with failures in the range, worst error rate first: a fault of one site shows here first."
    return (
        _row(board, "Nodes")
        .with_panel(listing("nodes", "Silent nodes", silent, [("age", "s"), ("clock_offset", "s")]).span(14))
        .with_panel(listing("nodes_failing", "Failing gateways", failing, [("error_rate", "percentunit")]).span(10))
    )


def _alerts(board: dashboard.Dashboard) -> dashboard.Dashboard:
    firing = "Episodes that fire now, pages first."
    changes = "Every change of an alert episode in the range with the engine's reason."
    return (
        _row(board, "Alerts")
        .with_panel(listing("alerts_firing", "Firing now", firing))
        .with_panel(listing("alert_transitions", "Transitions", changes))
    )


def _changes(board: dashboard.Dashboard) -> dashboard.Dashboard:
    changed = "Model versions and rollouts first seen in the range (looking back 30 days before it)."
    spans = (
        "Sampled, not counts of requests: spans as stored, by whether their weight is known. Represented is what"
        " those of known weight stand for. A span of unknown weight is never counted as one."
    )
    return (
        _row(board, "What changed")
        .with_panel(
            listing("what_changed", "Versions and rollouts first seen", changed, [("error_rate", "percentunit")]).span(
                14
            )
        )
        .with_panel(graph("sampled_spans", "Spans (sampled)", spans, "short").span(10))
    )


def marks() -> list[dict[str, object]]:
    """Marks on every graph. Written as data: the SDK's type of an annotation target drops a plugin's own fields."""
    target = {
        "refId": "versions",
        "editorType": "sql",
        "rawSql": query("new_versions"),
        "format": 1,
        "queryType": "table",
        "datasource": dict(DATASOURCE),
    }
    return [
        {
            "name": "New versions",
            "enable": True,
            "hide": False,
            "iconColor": "purple",
            "datasource": dict(DATASOURCE),
            "target": target,
        }
    ]
