"""Segments, for a person at a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sloengine.times import format_duration
from sloengine.tools.outcome import clock, number, percent, shown, table

Step = Mapping[str, Any]
HEAD = ("segment", "share good", "together 95 %", "good", "bad", "not told", "worth", "told", "if all told")


def render(found: Step) -> str:
    window = format_duration(timedelta(seconds=found["window_s"]))
    head = f"{found['slo']} by {found['by']}   {clock(found['at'])} UTC, {window}, promise {percent(found['target'])}"
    return "\n\n".join([head, *(_slice(s) for s in found["slices"]), _legend()])


def _slice(s: Step) -> str:
    lines = [shown(s["slice"]), table(HEAD, [_row(r) for r in s["segments"]]), _gap(s)]
    lines.append(_coverage(s["coverage_gap"]))
    return "\n".join(line for line in lines if line)


def _row(r: Step) -> tuple[object, ...]:
    mark = "≈" if r["sampled"] else ""
    interval = "-" if r["interval"] is None else f"{percent(r['interval'][0], 2)} to {percent(r['interval'][1], 2)}"
    bounds = "-" if r["bounds"] is None else f"{percent(r['bounds'][0], 1)} to {percent(r['bounds'][1], 1)}"
    return (
        r["segment"] or "(none)",
        mark + percent(r["share"], 2),
        interval + (" below the promise" if r["below_target"] else ""),
        round(r["good"], 1),
        round(r["bad"], 1),
        round(r["unknown"], 1),
        f"{number(round(r['effective']))}{'' if r['compared'] else ' (too few)'}",
        percent(r["coverage"], 1),
        bounds,
    )


def _gap(s: Step) -> str:
    gap = s["gap"]
    if gap is None:
        return "  gap       fewer than two segments have enough events to be compared"
    low, high = gap["interval"]
    verdict = "surely a gap" if gap["sure"] else "may be none"
    out = f"; left out: {', '.join(name or '(none)' for name in s['left_out'])}" if s["left_out"] else ""
    return (
        f"  gap       {percent(gap['gap'], 2)} as seen, {gap['worst'] or '(none)'} below {gap['best'] or '(none)'}"
        f" ({percent(gap['by_chance'], 2)} by chance alone); truly {percent(low, 2)} to {percent(high, 2)}: {verdict}{out}"
    )


def _coverage(gap: Step | None) -> str:
    if gap is None or not gap["sure"]:
        return ""
    low, high = gap["interval"]
    return (
        f"  beware    fewer of {gap['worst'] or '(none)'} are told than of {gap['best'] or '(none)'}, by"
        f" {percent(low, 2)} to {percent(high, 2)}: if what is missing is not like the rest, shares and gap are off"
    )


def _legend() -> str:
    return "\n".join(
        [
            "worth: effective sample size. told: share of events that are known to be good or bad (labelled).",
            "if all told: the share if everything that is not told were bad, and if it were good.",
            "The intervals of all segments hold together with 95 %. So does the gap's, although best and worst were chosen for",
            "looking it (docs/statistics.md).",
        ]
    )
