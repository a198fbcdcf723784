"""Explain, for a person at a terminal: each step in words, its figures, and the statement that gives them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sloengine.times import format_duration
from sloengine.tools.budget_text import restated_lines, spent_lines
from sloengine.tools.outcome import clock, number, percent, shown, table, times, told

Step = Mapping[str, Any]
HOURS_MAX = 10
"""Restated hours that are listed; ``sloengine budget`` lists more."""


def render(found: Step, *, sql: bool = True) -> str:
    """The whole chain; the statements behind it at the end, numbered like the steps."""
    parts = [
        _head(found),
        _promise(found["definition"]),
        _window(found["window"]),
        _buckets(found["buckets"]),
        _sums(found["windows"], found["definition"]),
        _known(found),
        "\n".join([_budget(found), *spent_lines(found["spent"])]),
        _burns(found),
        _verdict(found),
        "\n".join([_said(found["said"]), *restated_lines(found["spent"], HOURS_MAX)]),
        _raw(found["raw"]),
        _statements(found) if sql else "",
    ]
    return "\n\n".join(part for part in parts if part)


def _head(found: Step) -> str:
    lines = [f"{found['slo']}   {shown(found['slice'])}   {clock(found['at'])} UTC"]
    lines.append(f"  {told(found['state'], found['reason'], loud=True)}")
    if found["unfolded_hours"]:
        lines.append(
            f"  a roll-up is under way: {found['unfolded_hours']} hours hold newer minutes than windows sum, so steps 3 and 10"
            " may be ahead of 4 to 9; ask again when it has ended"
        )
    if len(found["slices"]) > 1:
        rows = [
            (shown(s["slice"]), s["state"], percent(s["sli"]), percent(s["budget_remaining"], 1))
            for s in found["slices"][:30]
        ]
        lines += [f"  {len(found['slices'])} slices; explained is {shown(found['slice'])}"]
        lines += [table(("slice", "state", "now", "budget left"), rows, "    ")]
    return "\n".join(lines)


def _title(number_: int, text: str) -> str:
    return f"{number_}  {text}"


def _promise(d: Step) -> str:
    what = "good" if d["weighting"] == "events" else f"good, by {d['weighting']}"
    lines = [_title(1, f"The promise   {d['source']}"), f"  {percent(d['target'])} of events {what}; {d['indicator']}"]
    if d["description"]:
        lines.append(f"  {d['description']}")
    lines += [_selectors(name, d[name]) for name in ("good", "bad", "total") if d[name]]
    if not d["good"] or not d["bad"]:
        lines.append("  bad      total less good" if d["good"] else "  good     total less bad")
    lines += [f"  only     {' and '.join(d['where'])}"] if d["where"] else []
    lines.append(f"  unknown  {_unknown(d['unknown'])}")
    lines.append(f"  by       {', '.join(d['by']) or 'nothing: one budget for all'}")
    lines += [f"  target   {percent(t['target'])} since {clock(t['since'])}" for t in d["targets"]]
    lines.append(f"  policy   {d['policy']}")
    lines += [f"  beside   {command}" for command in d["quantiles"]]
    return "\n".join(lines)


def _unknown(policy: str) -> str:
    return "counts as nothing" if policy == "ignore" else f"counts as {policy}"


def _selectors(name: str, listed: Iterable[str]) -> str:
    return "\n".join(f"  {name if n == 0 else 'or':<8} {text}" for n, text in enumerate(listed))


def _window(w: Step) -> str:
    lines = [
        _title(2, f"The window   {w['kind']}, {w['length']}"),
        f"  [{clock(w['start'])}, {clock(w['until'])}) UTC, whole minutes",
    ]
    lines += [f"  excluded: {e['name']} ({e['reason']}), {e['minutes']} minutes" for e in w["excluded"]]
    if w["excluded"]:
        lines.append(f"  in that time: {number(w['excluded_good'])} good, {number(w['excluded_bad'])} bad, not counted")
    return "\n".join(lines)


def _buckets(b: Step) -> str:
    head = (
        "measure",
        "key",
        "events",
        "good",
        "bad",
        "unknown",
        "raw rows",
        "unweighted",
        "bridged",
        "shifted",
        "last",
    )
    columns = ("events", "good", "bad", "unknown", "items", "unweighted", "bridged", "shifted")
    rows = [(r["Measure"], _key(r), *(r[c] for c in columns), clock(r["last"])) for r in b["rows"]]
    most = f"the {b['top']} busiest" if len(rows) == b["top"] else f"all {len(rows)}"
    text = table(head, rows) if rows else "  nothing was counted in the window"
    return "\n".join([_title(3, f"The buckets   {most}"), text, *_unlisted(b["rows"])])


def _unlisted(rows: list[dict[str, Any]]) -> list[str]:
    """What the keys that are not listed hold, so that the columns can be added up."""
    if not rows or rows[0]["keys"] == len(rows):
        return []
    columns = ("events", "good", "bad", "unknown")
    rest = (f"{number(round(rows[0][f'all_{c}'] - sum(r[c] for r in rows), 6))} {c}" for c in columns)
    return [f"  and {number(rows[0]['keys'] - len(rows))} more keys with together {', '.join(rest)}"]


def _key(row: Step) -> str:
    names = ("ModelName", "ModelVersion", "Region", "GatewayId", "RolloutId", "Wave", "Hardware", "DeviceId")
    held = json.loads(row["Attributes"]) if row["Attributes"] else {}
    return " ".join([*(row[n] for n in names if row[n]), *(f"{k}={v}" for k, v in held.items())])


def _sums(w: Step, definition: Step) -> str:
    none = definition["target"] == 1
    columns = ("good", "bad", "unknown")
    rows = [
        (
            r["window"],
            clock(r["from"]),
            *(r[c] for c in columns),
            percent(r["bad_ratio"], 4),
            times(r["burn"], none=none),
        )
        for r in w["rows"]
    ]
    allowed = percent(1 - definition["target"], 4)
    counted = "none is tolerated: what burns is their number"
    rule = counted if none else f"burn = bad ratio / {allowed}, which the target allows"
    head = ("window", "from", "good", "bad", "unknown", "bad ratio", "burn")
    return "\n".join([_title(4, "The sums"), table(head, rows), f"  {rule}"])


def _known(found: Step) -> str:
    c, coverage = found["certainty"], found["coverage"]
    lines = [_title(5, f"How well it is known   {percent(c['sli'], 4)} of valid events were good")]
    if c["interval"]:
        low, high = c["interval"]
        lines.append(f"  95 % interval   {percent(low, 4)} to {percent(high, 4)} (docs/statistics.md)")
    lines.append(f"  known from      {_size(c)}")
    if c["bridged"]:
        bridged = number(c["bridged"])
        lines.append(
            f"  bridged         {bridged} events came in one increase over more than 5 minutes: of no known minute"
        )
    if c["shifted"]:
        lines.append(f"  shifted         {number(c['shifted'])} events were moved because the device's clock was off")
    covered = number(coverage["covered_s"])
    lines.append(f"  coverage        {percent(coverage['coverage'], 1)}: {covered} node-seconds heard")
    return "\n".join(lines)


def _size(c: Step) -> str:
    effective = number(round(c["effective"] or 0))
    apart = f" of {number(c['clustered'])} nodes or sites that differ" if c["clustered"] else ""
    if not c["sampled"]:
        worth = f", known as well as {effective} independent ones" if apart else ", each counted once"
        return f"{number(c['valid'])} events{apart}{worth}"
    low, high = c["weights"]
    return (
        f"sampled: weights {number(round(low, 1))}…{number(round(high, 1))}; {number(c['valid'])} events estimated{apart},"
        f" known as well as {effective} counted ones (effective sample size)"
    )


def _budget(found: Step) -> str:
    b, title = found["budget"], _title(6, "The budget")
    if b is None:
        return f"{title}\n  no valid events in the window, so none to speak of"
    if found["definition"]["target"] == 1:
        return f"{title}\n  no bad event is tolerated; there were {number(b['spent'])}"
    lines = [
        title,
        f"  ratio    {percent(1 - found['definition']['target'], 4)} of valid events may be bad",
        f"  events   {number(round(b['allowed'], 6))} allowed, {number(b['spent'])} spent",
        f"  left     {percent(b['remaining'], 2)}; as time {_minutes(b['left_s'])} of everything failing",
    ]
    if len(b["parts"]) > 1:
        lines += [f"  part     [{clock(p['from'])}, {clock(p['until'])}) at {percent(p['target'])}" for p in b["parts"]]
    if b["remaining"] > 0 and b["exhausts_in_s"] is not None:
        lines.append(f"  at the present burn it lasts {format_duration(timedelta(seconds=round(b['exhausts_in_s'])))}")
    if b["reserved"]:
        lines.append(f"  reserved {percent(b['reserved'], 1)} of it is set aside for rollouts")
    return "\n".join(lines)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.1f} minutes"


def _burns(found: Step) -> str:
    none = found["definition"]["target"] == 1
    rows = [
        (
            b["severity"], b["long"], b["short"], *(times(b[name], none=none) for name in ("factor", "long_burn", "short_burn")),
            times(b["surely_above"]), _burn_word(b),
        )
        for b in found["burn"]
    ]  # fmt: skip
    if not rows:
        return _title(7, "Burn alerts   none: the policy has no windows")
    head = ("severity", "long", "short", "limit", "long burn", "short burn", "surely above", "verdict")
    words = "  alerts if both burns pass the limit and the long one surely so (99 %, one-sided)"
    return "\n".join([_title(7, f"Burn alerts   {found['definition']['policy']}"), table(head, rows), words])


def _burn_word(b: Step) -> str:
    if b["alerts"]:
        return "ALERTS"
    if b["over"]:
        return "over, but not surely"
    if b["long_burn"] is None:
        return "no events"
    return "within"


def _verdict(found: Step) -> str:
    return "\n".join([_title(8, "The verdict"), f"  {told(found['state'], found['reason'])}"])


def _said(said: Step | None) -> str:
    title = _title(9, "As known then, and as corrected now")
    if said is None:
        return f"{title}\n  nothing was said of this slice in the day before: the engine was not running, or did not know it"
    lines = [title, f"  said at {clock(said['At'])}   {told(said['State'], said['Reason'])}"]
    if said["differs"]:
        differing = [(d["figure"], _figure(d["then"]), _figure(d["now"])) for d in said["differs"]]
        lines.append(table(("figure", "then", "now"), differing))
    else:
        lines.append("  nothing differs")
    rows = [(r["cause"], r["minutes"], r["before"], r["after"], clock(r["newest"])) for r in said["restated"]]
    if rows:
        lines += [
            "  minutes that were counted anew since:",
            table(("cause", "rows", "before", "after", "newest"), rows),
        ]
    return "\n".join(lines)


def _figure(value: object) -> object:
    return f"{value:.8g}" if isinstance(value, float) and 0 < value < 1 else value


def _raw(raw: Step) -> str:
    title = _title(10, "From raw rows")
    if "words" in raw:
        return f"{title}\n  {raw['words']}"
    bucket = raw["bucket"]
    recount = _bucket(raw["recount"]) if raw["recount"] else "nothing: the raw rows are gone"
    lines = [
        _title(
            10,
            f"From raw rows   {raw['measure']}, the minute {clock(bucket['Minute'])} of the bucket with the most bad",
        ),
        f"  {' '.join(v for v in raw['key'].values() if v)}",
        f"  stored   {_bucket(bucket)}; written because of {bucket['Cause'] or 'nothing told'}, revision {bucket['Revision']}",
        f"  counted  {recount}, just now, from {_where(raw)}",
    ]
    if "rows" in raw:
        lines.append(_rows(raw))
    return "\n".join(lines)


def _where(raw: Step) -> str:
    return "the histograms of the minute" if raw["from_histograms"] else "raw rows"


def _bucket(row: Step) -> str:
    text = f"{number(row['Events'])} events from {number(row['Items'])} raw rows"
    for name in ("Unweighted", "Bridged", "Shifted"):
        text += f", {number(row[name])} {name.lower()}" if row[name] else ""
    return text


def _rows(raw: Step) -> str:
    rows = raw["rows"]
    if not rows:
        return "  no raw row is left"
    head = tuple(rows[0])
    body = table(head, [[_moment(v) for v in r.values()] for r in rows])
    more = f"\n  … {raw['rows_found']} rows in all" if raw["rows_found"] > len(rows) else ""
    return f"{body}{more}\n  together {number(raw['rows_total'])}"


def _moment(value: object) -> object:
    return f"{value:%H:%M:%S}.{value.microsecond // 1000:03d}" if isinstance(value, datetime) else value


def _statements(found: Step) -> str:
    """What gives each step's figures, in any ClickHouse client."""
    said, raw = found["said"] or {}, found["raw"]
    listed = [
        ("3  the buckets", found["buckets"]["sql"]),
        ("4  the sums", found["windows"]["sql"]),
        ("5  coverage", found["coverage"]["sql"]),
        ("6  the budget", (found["budget"] or {}).get("sql")),
        ("9  what was said", said.get("sql")),
        ("9  what was counted anew", said.get("restated_sql")),
        ("10  the bucket as stored", raw.get("bucket_sql")),
        ("10  its raw rows", raw.get("rows_sql")),
        ("10  the bucket counted from raw rows, as the engine does it", raw.get("recount_sql")),
    ]
    parts = [f"-- {title}\n{text.strip()};" for title, text in listed if text]
    head = "The statements behind each step, for any ClickHouse client (curl, Grafana, clickhouse-client):"
    return "\n\n".join([head, *parts])
