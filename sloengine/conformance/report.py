"""Findings on the terminal, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .findings import WORST_FIRST, Finding, Level

_STYLES = {Level.ERROR: "bold red", Level.WARNING: "yellow", Level.NOTE: "cyan"}


def _level(level: Level) -> Text:
    return Text(f"{level.value:<8}", style=_STYLES[level])


def _headline(finding: Finding) -> Text:
    return _level(finding.rule.level) + Text(finding.rule.what)


def _place(finding: Finding) -> Text:
    shown = Text(str(finding.place))
    if finding.example:
        shown.append(" = " if finding.place.attribute else ": ", style="dim")
        shown.append(finding.example, style="bold")
    if finding.detail:
        shown.append(f"  ({finding.detail})")
    return shown


def show_new(console: Console, findings: Sequence[Finding]) -> None:
    """Two lines for each finding, the moment it is found."""
    for finding in findings:
        console.print(_headline(finding), soft_wrap=True)
        console.print(Text(" " * 8) + _place(finding), soft_wrap=True)


def show_all(
    console: Console, findings: Sequence[Finding], received: Mapping[str, int], devices: Sequence[str]
) -> None:
    """Everything found, worst first and by rule, and one line that sums it up."""
    by_rule: dict[str, list[Finding]] = {}
    for finding in findings:
        by_rule.setdefault(finding.rule.id, []).append(finding)
    for same in by_rule.values():
        _show_rule(console, same)
    console.print()
    console.print(Text(f"received  {_received(received, devices)}", style="dim"))
    console.print(_verdict(findings))


_PLACES_SHOWN = 8


def _show_rule(console: Console, same: Sequence[Finding]) -> None:
    rule = same[0].rule
    console.print()
    console.print(_headline(same[0]) + Text(f"  [{rule.id}]", style="dim"), soft_wrap=True)
    lines = [("", _place(finding) + Text(_often(finding), style="dim")) for finding in same[:_PLACES_SHOWN]]
    if len(same) > _PLACES_SHOWN:
        lines.append(("", Text(f"… and in {len(same) - _PLACES_SHOWN} more places", style="dim")))
    lines += [("→ ", Text(rule.do)), ("", Text(rule.link, style="dim"))]
    for mark, line in lines:
        console.print(_indented(Text(mark, style="green"), line))


def _indented(mark: Text, line: Text) -> Table:
    """A line that wraps below itself."""
    row = Table.grid()
    row.add_column(width=8)
    row.add_column(width=2)
    row.add_column(overflow="fold")
    row.add_row("", mark, line)
    return row


def _often(finding: Finding) -> str:
    times = f"  ×{finding.count}" if finding.count > 1 else ""
    devices = sorted(finding.devices)
    if not devices:
        return times
    return f"{times}  on {devices[0]}" + (f" and {len(devices) - 1} more" if len(devices) > 1 else "")


def _received(received: Mapping[str, int], devices: Sequence[str]) -> str:
    counts = ", ".join(f"{received.get(name, 0)} {name}" for name in ("requests", "points", "spans", "records"))
    named = ", ".join(devices[:3]) + (f" and {len(devices) - 3} more" if len(devices) > 3 else "")
    return f"{counts}; devices: {named or 'none'}"


def tally(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings of each level."""
    counted = Counter(f.rule.level for f in findings)
    return {f"{level.value}s": counted[level] for level in WORST_FIRST}


def _verdict(findings: Sequence[Finding]) -> Text:
    counts = tally(findings)
    words = ", ".join(f"{n} {name if n != 1 else name[:-1]}" for name, n in counts.items())
    if counts["errors"]:
        return Text(f"does not conform: {words}", style="bold red")
    return Text(f"conforms: {words}", style="bold green")


def as_dict(findings: Sequence[Finding], received: Mapping[str, int], devices: Sequence[str]) -> dict[str, object]:
    """The report as one JSON object."""
    counts = tally(findings)
    return {
        "ok": not counts["errors"],
        **counts,
        "received": {name: received.get(name, 0) for name in ("requests", "points", "spans", "records")},
        "devices": list(devices),
        "findings": [finding.as_dict() for finding in findings],
    }
