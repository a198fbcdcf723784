"""What ``--help`` says of each command beside its options: exit codes and examples that answer beside the demo."""

from __future__ import annotations

WITH_STORE = "Exit codes: 0 ok, 2 wrong use or settings, 4 ClickHouse does not answer or refuses."
CODES = {
    "run": "Exit codes: 0 stopped, 2 settings or catalogue can't be used, 4 ClickHouse does not answer for 30 s or refuses.",
    "route": "Exit codes: 0 somebody would be told, or the tree, 1 nobody, 2 wrong use or the routing is wrong.",
    "store": "Exit codes: 0 stopped, 2 it can't start: address, passwords or folder.",
    **dict.fromkeys(("migrate", "explain", "query", "backfill", "quarantine"), WITH_STORE),
}
EXAMPLES = {
    "lint": ("sloengine lint", "sloengine lint --live catalogue alerting.yaml"),
    "route": ("sloengine route", "sloengine route --live --labels alertname=ErrorBudgetBurn,severity=page"),
    "status": ("sloengine status", "sloengine status digits-success --by region"),
    "explain": (
        "sloengine explain digits-success",
        "sloengine explain digits-success --at 2026-11-24T02:10 --slice model=digits-classifier,region=eu-north",
    ),
    "backtest": (
        "sloengine backtest changed/ --since 30d",
        "sloengine backtest --slo digits-success --policy 7d --step 5m",
    ),
    "gate": (
        "sloengine gate --model digits-classifier --version 2",
        "sloengine gate --model digits-classifier --version 2 --against 1 --since 6h",
    ),
    "query": (
        "sloengine query",
        "sloengine query worst_nodes --param since=1h --param top=10",
        "sloengine query span_quantiles --param span=edge.inference --format parquet --file spans.parquet",
    ),
    "backfill": (
        "sloengine backfill --since 7d --dry-run",
        "sloengine backfill --since 2026-11-20 --until 2026-11-21 --gateway gw-eu-north",
    ),
    "quarantine": (
        'sloengine quarantine gw-eu-north --since 2d --reason "forged points"',
        'sloengine quarantine gw-eu-north --since 2d --reason cleared --lift',
    ),
}  # fmt: skip


def ending(command: str) -> str:
    """What stands below a command's options; a line with \\b keeps the lines after it as they are."""
    examples = "\n".join(f"  {line}" for line in EXAMPLES.get(command, ()))
    return "\n\n".join(filter(None, [CODES.get(command, ""), examples and f"\b\nExamples:\n{examples}"]))
