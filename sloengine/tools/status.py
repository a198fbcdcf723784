"""The table of ``sloengine status``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sloengine.store.client import Store
from sloengine.times import format_duration
from sloengine.tools.outcome import FOUND, OK, Outcome, Refused, nearest, refusal, told

HEAD = ("SLO", "SLICE", "TARGET", "NOW", "95 % INTERVAL", "BUDGET LEFT", "LASTS", "COVERAGE", "STATE")


def run_status(store: Store, name: str | None, *, by: str | None, at: str | None) -> Outcome:
    """What was last said of every SLO, or of one; exit 1 if one is burning or exhausted.

    Raises:
        StoreUnavailable: ClickHouse does not answer.
    """
    try:
        if by is not None:
            raise Refused("--by cuts one SLO: say which")
        if at is not None:
            raise Refused("--at needs --by; what was said at a moment, `sloengine explain --at` tells")
        rows = _said(store, name)
    except Refused as error:
        return refusal(error)
    over = any(row["State"] in ("burning", "exhausted") for row in rows)
    return Outcome(status_table(rows), {"slos": rows}, FOUND if over else OK)


def _said(store: Store, name: str | None) -> list[dict[str, Any]]:
    rows = store.sql_rows("SELECT * FROM slo_now ORDER BY Slo, toString(Slice)")
    if name is None:
        return rows
    mine = [row for row in rows if row["Slo"] == name]
    if not mine:
        raise Refused(
            f"no SLO of this name was judged in the last hour: '{name}'{nearest(name, {r['Slo'] for r in rows})}"
        )
    return mine


def status_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of ``slo_now`` for a person, aligned."""
    if not rows:
        return "No SLO was judged in the last hour. Is 'sloengine run' running?"
    lines = [HEAD, *(_line(row) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    drawn = ["  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*drawn, "", *_legend(rows)])


def _legend(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    lasts = "LASTS: how long the budget lasts at the present burn; - where it outlasts the window, or there is nothing to last"
    return [lasts, *(["≈: an estimate, from samples"] if any(row["Sampled"] for row in rows) else [])]


def _line(row: Mapping[str, Any]) -> tuple[str, ...]:
    slice_ = ", ".join(f"{k}={v}" for k, v in row["Slice"].items()) or "all"
    if row["Folded"]:
        slice_ += f" ({row['Folded']} slices beyond the budget)"
    interval = "-" if row["Low"] is None else f"{row['Low']:.3%} to {row['High']:.3%}"
    return (
        row["Slo"],
        slice_,
        f"{row['Target']:.3%}",
        # A figure from samples is an estimate, and says so.
        ("≈" if row["Sampled"] else "") + _percent(row["Sli"]),
        interval,
        # Where nothing bad is tolerated there is no budget to have a share of.
        "-" if row["Target"] == 1 else _percent(row["BudgetRemaining"]),
        _lasts(row["ExhaustsInSeconds"]),
        _percent(row["Coverage"]),
        told(row["State"], row["Reason"]),
    )


def _lasts(seconds: float | None) -> str:
    """How long the budget lasts at the present burn; nothing where it outlasts the window."""
    return "-" if seconds is None else format_duration(timedelta(minutes=seconds // 60))


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.3%}"
