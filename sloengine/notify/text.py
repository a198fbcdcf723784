"""What a person reads, for every target: what, where, since when, how bad, how sure, what changed, what to do, where to look.

Made of labels and of the annotations that docs/targets.md lists. It is read at night on a phone, so the title alone must do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sloengine.alert.notification import FIRING, Notification, Told
from sloengine.notify.cutting import Measure, clean, cut, fit, line, units
from sloengine.times import format_duration, unix_ms, utc

TITLE_MAX = 130
"""Opsgenie's limit, and what a phone shows of a page."""
FACT_MAX = 1_500
"""Of one answer: an annotation without an end would push out all others."""
_WHERE_MAX = 56
"""Of the title: what is wrong has the larger part."""
_BARE = ("model", "region")
"""Their values are known without their names."""
_NO_PLACE = {"alertname", "severity", "cluster", "slo", "service", "monitor"}
_PLACES = ("model", "version", "rollout", "wave", "region", "gateway", "hardware", "device", "segment")
_RANKS = {"page": 0, "critical": 0, "error": 1, "ticket": 2, "warning": 2, "info": 3}
_UNRANKED = 1
_BEFORE, _AFTER = timedelta(hours=1), timedelta(minutes=15)
"""What a dashboard shows around an alert."""
_LINK = re.compile(r"https?://[^\s<>|\"\\^`{}]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Text:
    """A notification in words. Nothing of it is escaped for anybody yet."""

    title: str
    facts: tuple[tuple[str, str], ...]
    """Question and answer, of the worst alert."""
    links: tuple[tuple[str, str], ...]
    """Name and address, of those that are addresses."""
    alerts: tuple[str, ...]
    """Of a group one line for each alert, the worst first; of a single alert nothing."""
    left_out: int
    """Alerts that the notification itself leaves out."""

    def more(self, left_out: int) -> str:
        """The line that counts what is not shown."""
        return f"… and {left_out + self.left_out:,} more, left out here"


def text_of(notification: Notification) -> Text:
    alerts = worst_first(notification.alerts)
    head = alerts[0]
    single = len(alerts) == 1 and not notification.truncated
    common = _places(notification.common_labels)
    return Text(
        title=_title(notification, head),
        facts=tuple(() if single else _counts(notification)) + tuple(_facts(head)),
        links=tuple(_links(head, notification.external_url)),
        alerts=() if single else tuple(_entry(alert, common) for alert in alerts),
        left_out=notification.truncated,
    )


def plain(text: Text, limit: int, write: Callable[[str], str] = clean, measure: Measure = units) -> str:
    """Facts, links and alerts as lines of plain text, at most ``limit`` long."""
    facts = [f"{name}: {write(answer)}" for name, answer in text.facts]
    links = [f"{name}: {write(address)}" for name, address in text.links]
    top = fit([*facts, *links], limit, lambda n: f"… and {n} more lines, left out here", measure)
    if not text.alerts and not text.left_out:
        return top
    rest = limit - measure(top) - measure("\n\n")
    listed = listing(text, rest, write, measure)
    return f"{top}\n\n{listed}" if listed else top


def listing(text: Text, limit: int, write: Callable[[str], str] = clean, measure: Measure = units) -> str:
    """The alerts, one on a line, at most ``limit`` long together; whole lines, the worst first, and how many are left out."""
    return fit([f"- {write(entry)}" for entry in text.alerts], limit, text.more, measure, always=text.left_out > 0)


# --- order and severity


def severity_rank(alert: Told) -> int:
    """0 wakes people, 2 is for the day, 3 for nobody in particular."""
    return _RANKS.get(alert.labels.get("severity", ""), _UNRANKED)


def worst_first(alerts: Iterable[Told]) -> list[Told]:
    """Firing before resolved, pages before tickets, the fastest burn first, then the oldest."""
    return sorted(
        alerts,
        key=lambda a: (a.status != FIRING, severity_rank(a), -_badness(_evidence(a)), utc(a.started_at), a.dedup_key),
    )


def _badness(evidence: Mapping[str, Any]) -> float:
    burns = [_number(burn.get("long_burn")) for burn in _rows(evidence, "burn")]
    effects = [_number(member.get("effect")) for member in _rows(evidence, "members")]
    return max([b for b in burns + effects if b is not None], default=0.0)


def _evidence(alert: Told) -> Mapping[str, Any]:
    """The numbers that decided; nothing if the annotation is not ours."""
    try:
        found = json.loads(alert.annotations.get("evidence", ""))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _rows(evidence: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    rows = evidence.get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # A whole number of a thousand digits fits in no float, and one that is none is no order.
    return float(value) if abs(value) < 1e300 else None


# --- title


def _title(notification: Notification, head: Told) -> str:
    firing = len(notification.firing)
    mark = line(head.labels.get("severity", "alert")).upper()[:20] or "ALERT"
    if not firing:
        mark = "RESOLVED"
    # What is over counts only where all is.
    count = (firing or len(notification.alerts)) + notification.truncated
    many = len(notification.alerts) + notification.truncated > 1
    where = _short(notification.common_labels if many else head.labels)
    what = _what(head)
    if not many:
        return _joined(mark, what, where)
    counted = f"{count:,} alerts" if count > 1 else "1 alert"
    return _joined(f"{mark} {counted}", f"worst {what}" if firing > 1 else what, where)


def _joined(mark: str, what: str, where: str) -> str:
    tail = f" · {cut(where, _WHERE_MAX)}" if where else ""
    return f"{mark}: {cut(what, TITLE_MAX - units(mark) - 2 - units(tail))}{tail}"


def _what(alert: Told) -> str:
    """The summary without the place that it ends in, which is told beside it."""
    summary = line(alert.annotations.get("summary", "")) or line(alert.labels.get("alertname", "")) or "an alert"
    places = {
        ", ".join(f"{k} {v}" for k, v in alert.labels.items() if k not in keys)
        for keys in (_NO_PLACE, _NO_PLACE - {"service"})
    }
    for place in ({line(place) for place in places} | {"everywhere"}) - {""}:
        summary = summary.removesuffix(f" ({place})").removesuffix(f": {place}")
    return summary


def _places(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels that say where, the wider place first."""
    known = {name: labels[name] for name in _PLACES if labels.get(name)}
    others = {k: v for k, v in labels.items() if k not in _NO_PLACE and k not in known and v}
    return {line(k): line(v) for k, v in (known | others).items()}


def _short(labels: Mapping[str, str]) -> str:
    return " · ".join(v if k in _BARE else f"{k} {v}" for k, v in _places(labels).items())


def _entry(alert: Told, common: Mapping[str, str]) -> str:
    """One alert of a group on one line: where it is different from the others."""
    own = [f"{k} {v}" for k, v in _places(alert.labels).items() if common.get(k) != v]
    state = f"since {_moment(alert.started_at)}" if alert.ended_at is None else f"over at {_moment(alert.ended_at)}"
    return f"{cut(', '.join(own), 200)}{': ' if own else ''}{cut(_what(alert), 200)}, {state}"


# --- facts


def _counts(notification: Notification) -> Iterator[tuple[str, str]]:
    firing, resolved = len(notification.firing), len(notification.resolved)
    since = min((alert.started_at for alert in notification.firing), default=None)
    parts = [f"{firing:,} firing since {_moment(since)}"] if since else []
    parts += [f"{resolved:,} resolved"] if resolved else []
    parts += [f"{notification.truncated:,} more not listed"] if notification.truncated else []
    yield "Alerts", f"{', '.join(parts)}; what follows is of the worst"


def _facts(alert: Told) -> Iterator[tuple[str, str]]:
    evidence, notes = _evidence(alert), alert.annotations
    answers = {
        "What": [line(notes.get("summary", "")) or line(alert.labels.get("alertname", ""))],
        "Where": [_where(alert.labels)],
        "Which": [notes.get("failures", "")],
        "Worst nodes": [notes.get("nodes", "")],
        "Since": [_since(alert)],
        "How bad": [line(notes.get("description", "")), *_burns(evidence)],
        "How sure": list(_certainty(evidence)),
        "What changed": [line(notes.get(name, "")) for name in ("changes", "versions", "why")],
        "What to do": [_to_do(alert)],
        "Owner": [line(notes.get("owner", ""))],
        "Where to look": [_dashboard(alert)] if not _is_link(_dashboard(alert)) else [],
    }
    for name, parts in answers.items():
        told = [clean(part).strip() for part in parts if part]
        if any(told):
            yield name, cut("\n".join(filter(None, told)), FACT_MAX)


def _where(labels: Mapping[str, str]) -> str:
    named = {k: labels[k] for k in ("service", "cluster") if labels.get(k)}
    return line(", ".join(f"{k} {v}" for k, v in (_places(labels) | named).items()))


def _since(alert: Told) -> str:
    if alert.ended_at is None:
        return _moment(alert.started_at)
    lasted = max(timedelta(0), utc(alert.ended_at) - utc(alert.started_at))
    return f"{_moment(alert.started_at)}, over at {_moment(alert.ended_at)} after {format_duration(lasted)}"


def _moment(moment: datetime) -> str:
    return f"{utc(moment):%Y-%m-%d %H:%M} UTC"


def _burns(evidence: Mapping[str, Any]) -> Iterator[str]:
    if evidence.get("target") == 1:
        # Nothing is tolerated: there is no budget, and what is held to the limit is a count.
        return
    for burn in _rows(evidence, "burn"):
        long, short, factor = (_number(burn.get(key)) for key in ("long_burn", "short_burn", "factor"))
        if burn.get("exceeded") is True and long is not None and short is not None and factor:
            spans = line(str(burn.get("long"))), line(str(burn.get("short")))
            yield f"Budget burns {long:.3g}× over {spans[0]} and {short:.3g}× over {spans[1]}; {factor:.3g}× is the limit."


def _certainty(evidence: Mapping[str, Any]) -> Iterator[str]:
    yield "; ".join(filter(None, _counted(evidence)))
    for member in _rows(evidence, "members")[:1]:
        p, events = _number(member.get("p")), _number(member.get("events"))
        if p is not None and events is not None:
            yield f"A chance of {p:.2g} without drift, over {events:,.0f} events."
    if evidence.get("baseline_quality"):
        yield f"Baseline {line(str(evidence.get('baseline')))} is {line(str(evidence['baseline_quality']))}."


def _counted(evidence: Mapping[str, Any]) -> Iterator[str]:
    coverage = _number(evidence.get("coverage"))
    good, bad, unknown = (_number(evidence.get(key)) for key in ("good", "bad", "unknown"))
    interval = evidence.get("interval")
    if good is not None and bad is not None:
        yield f"{good + bad:,.0f} events counted"
    if unknown:
        yield f"{unknown:,.0f} unknown"
    if isinstance(interval, list) and len(interval) == 2 and all(_number(end) is not None for end in interval):
        yield f"good ones between {interval[0]:.4%} and {interval[1]:.4%} (95 %)"
    if good is not None:
        yield "coverage not known" if coverage is None else f"{coverage:.2%} of expected telemetry was there"


def _to_do(alert: Told) -> str:
    """The runbook, where it is not among the links."""
    runbook = line(alert.annotations.get("runbook", ""))
    return f"follow {runbook}" if runbook and alert.ended_at is None and not _is_link(runbook) else ""


# --- links


def _links(alert: Told, external_url: str) -> Iterator[tuple[str, str]]:
    found = {
        "Runbook": line(alert.annotations.get("runbook", "")),
        "Dashboard": _dashboard(alert),
        "Console": console_of(alert, external_url),
    }
    yield from ((name, address) for name, address in found.items() if _is_link(address))


def console_of(alert: Told, external_url: str) -> str:
    """Where the console tells of it; empty if nothing that is an address does."""
    known = (line(address) for address in (alert.annotations.get("console", ""), external_url))
    return next((address for address in known if _is_link(address)), "")


def _is_link(text: str) -> bool:
    """Whether it is an address that may stand in a link: anything else could end the link and write beyond it."""
    return len(text) <= FACT_MAX and _LINK.fullmatch(text) is not None


def _dashboard(alert: Told) -> str:
    """The dashboard's address with the time around the alert."""
    address = line(alert.annotations.get("dashboard", ""))
    if not address or re.search(r"[?&](from|to)=", address):
        return address
    start = unix_ms(alert.started_at - _BEFORE)
    end = unix_ms(alert.ended_at + _AFTER) if alert.ended_at else "now"
    return f"{address}{'&' if '?' in address else '?'}from={start}&to={end}"


def first_link(text: Text, *names: str) -> str:
    """The address of the first of these that there is."""
    known = dict(text.links)
    return next((known[name] for name in names if name in known), "")


def alerts_within(alerts: Sequence[Told], most: int) -> list[Told]:
    """At most so many, the worst, in the order they had."""
    kept = {id(alert) for alert in worst_first(alerts)[:most]}
    return [alert for alert in alerts if id(alert) in kept]
