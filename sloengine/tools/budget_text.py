"""Budget, for a person at a terminal. ``explain`` shows the same sections for its slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sloengine.times import format_duration
from sloengine.tools.outcome import clock, number, percent, shown, table, told

Step = Mapping[str, Any]
SLICES_MAX = 20
"""Slices that are written out; ``--slice`` names others, ``--json`` has all."""
HOURS_MAX = 20
"""Restated hours that are listed, the newest; ``--json`` has all."""


def render(found: Step) -> str:
    slices = found["slices"]
    head = f"{found['slo']}   {clock(found['at'])} UTC, as corrected by {clock(found['corrected_at'])}"
    parts = [head, *(_slice(s) for s in slices[:SLICES_MAX])]
    if len(slices) > SLICES_MAX:
        parts.append(f"{len(slices) - SLICES_MAX} more slices with more budget left; --slice names one, --json has all")
    return "\n\n".join(parts)


def _slice(s: Step) -> str:
    lines = [
        f"{shown(s['slice'])}   {told(s['state'], s['reason'], loud=True)}",
        f"  promise   {percent(s['target'])} over {format_duration(timedelta(seconds=s['window']['nominal_s']))}"
        f" [{clock(s['window']['start'])}, {clock(s['window']['end'])})",
        _now(s),
        _budget(s),
        _lasts(s),
        *_excluded(s["excluded"]),
        *(f"  part      {p['slo']}, weight {number(p['weight'])}: ask for its own budget" for p in s["parts"]),
        *spent_lines(s),
        *restated_lines(s),
    ]
    return "\n".join(line for line in lines if line)


def _now(s: Step) -> str:
    if s["sli"] is None:
        return "  now       no valid events"
    sure = ""
    if s["interval"]:
        low, high = s["interval"]
        sure = f", 95 % interval {percent(low, 4)} to {percent(high, 4)}"
    apart = f"; allows for {number(s['clustered'])} nodes or sites that differ" if s["clustered"] else ""
    sampled = f"; sampled, worth {number(round(s['effective'] or 0))} events" if s["sampled"] else ""
    coverage = "" if s["coverage"] is None else f"; coverage {percent(s['coverage'], 1)}"
    return f"  now       {'≈' if s['sampled'] else ''}{percent(s['sli'], 4)}{sure}{apart}{sampled}{coverage}"


def _budget(s: Step) -> str:
    if s["ratio"] is None:
        left = "" if s["remaining"] is None else f"  budget    {percent(s['remaining'], 1)} left"
        return left or "  budget    none to speak of without valid events"
    ratio, events, time = s["ratio"], s["events"], s["time"]
    rows = [
        ("ratio", *(percent(ratio[k], 4) for k in ("allowed", "spent", "left"))),
        ("events", *(_events(events[k]) for k in ("allowed", "spent", "left"))),
        ("time", *(_span(time[k]) for k in ("allowed_s", "spent_s", "left_s"))),
    ]
    if events["allowed"]:
        rows.append(("share", *(percent(v, 1) for v in (1.0, events["spent"] / events["allowed"], s["remaining"]))))
    return table(("budget", "allowed", "spent", "left"), rows)


def _events(value: float) -> str:
    return number(round(value, 1))


def _span(seconds: float) -> str:
    """Time in which everything may fail, to the second."""
    text = format_duration(timedelta(seconds=abs(round(seconds))))
    return f"-{text}" if round(seconds) < 0 else text


def _lasts(s: Step) -> str:
    if s["exhausted"]:
        return "  lasts     it is spent"
    if s["ratio"] is None:
        return ""
    if s["exhausts_in_s"] is None:
        return "  lasts     at the present burn it outlasts the window"
    return f"  lasts     {_span(s['exhausts_in_s'])} at the present burn"


def _excluded(e: Step) -> list[str]:
    lines = [f"  excluded  {x['name']} ({x['reason']}), {number(x['minutes'])} minutes" for x in e["by"]]
    if lines:
        with_it = "" if e["sli_with_it"] is None else f"; with it the SLI would be {percent(e['sli_with_it'], 4)}"
        lines.append(f"            in that time {number(e['good'])} good, {number(e['bad'])} bad, not counted{with_it}")
    return lines


def spent_lines(s: Step) -> list[str]:
    """What spent the budget, by cause with evidence, and the reserve of rollouts."""
    by = s["spent_by"]
    if by is None:
        return []
    lines = [
        f"  what spent it, by whole hours [{clock(by['since'])}, {clock(by['until'])}): {_events(by['bad'])} bad events"
    ]
    rows = [(c["cause"], _events(c["bad"]), percent(c["share"], 1), len(c["hours"]) or "-") for c in by["causes"]]
    aligned = table(("cause", "bad", "of budget", "hours"), rows).splitlines()
    width = max(len(line) for line in aligned)
    said = ["evidence", *(_evidence(c) for c in by["causes"])]
    lines += [f"{line.ljust(width)}  {text}" for line, text in zip(aligned, said, strict=True)]
    if s["reserve"]:
        own, rest = (_purse(s["reserve"][name]) for name in ("rollouts", "rest"))
        lines.append(f"  reserve   rollouts spent {own}; everything else spent {rest}")
    return lines


def _purse(purse: Step) -> str:
    over = " (overspent)" if purse["spent"] > purse["share"] else ""
    return f"{percent(purse['spent'], 1)} of the budget and may spend {percent(purse['share'], 1)}{over}"


def _evidence(cause: Step) -> str:
    if cause["evidence"]:
        return str(cause["evidence"])
    looked = ", ".join(cause["looked_at"])
    return f"nothing found in {looked}" if looked else "not measured"


def restated_lines(s: Step, hours_max: int = HOURS_MAX) -> list[str]:
    """Hours that were counted anew, and what that made of the figures: as known beside as corrected."""
    rows: Sequence[Step] = s["restated"]
    if not rows:
        return []
    lines = ["  counted anew more than ten minutes after the fact:"]
    listed = [
        (clock(r["hour"]), r["cause"], r["minutes"], _pair(r["before"]), _pair(r["after"]), clock(r["newest"]))
        for r in rows[:hours_max]
    ]
    lines.append(table(("hour", "cause", "minutes", "as known good/bad", "as corrected", "newest"), listed))
    if len(rows) > hours_max:
        lines.append(f"  … {number(len(rows) - hours_max)} more; --json has all")
    if s["blind"]:
        lines.append(f"  {s['blind']}")
    if s["known"]:
        lines.append(
            f"  as known  {percent(s['known']['sli'], 4)}, {percent(s['known']['remaining'], 1)} of the budget left;"
            f" as corrected {percent(s['sli'], 4)}, {percent(s['remaining'], 1)} left"
        )
    return lines


def _pair(tally: Step) -> str:
    unknown = f" +{number(round(tally['unknown'], 1))} unknown" if tally["unknown"] else ""
    return f"{_events(tally['good'])} / {_events(tally['bad'])}{unknown}"
