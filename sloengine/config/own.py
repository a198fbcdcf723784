"""Our own kinds: Indicators (one line switches one on), Inventory, Exclusion."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from sloengine.config.annotations import PREFIX
from sloengine.config.documents import (
    ExclusionDocument,
    IndicatorLine,
    IndicatorsDocument,
    InventoryDocument,
    Metadata,
    Objective,
    SloSpec,
)
from sloengine.config.findings import Findings, near
from sloengine.config.indicators import Template, templates
from sloengine.config.kept import about
from sloengine.config.matchers import VALUE, read_matchers, shown, written
from sloengine.config.salvage import salvage
from sloengine.config.slos import Draft
from sloengine.config.windows import instant, span, zone_name
from sloengine.config.yamlfile import MAX_PROBLEMS
from sloengine.model import Exclusion, Node
from sloengine.recurrence import parse_rule
from sloengine.times import utc

DURATION_MAX = timedelta(days=3660)


# --- Indicators


def expand(parsed: IndicatorsDocument, findings: Findings) -> list[tuple[Findings, Draft | None]]:
    """One SLO per line, each with findings of its own: what is wrong with one line is not wrong with the next."""
    lines = []
    for i, row in enumerate(parsed.spec.indicators):
        at = findings.apart("spec", "indicators", i)
        found = _line(row, at)
        lines.append((at, _draft(parsed, *found, at) if found else None))
    return lines


def _line(row: str | dict[str, Any], findings: Findings) -> tuple[Template, IndicatorLine] | None:
    more: Any
    if isinstance(row, str):
        name, more = row, None
    elif len(row) == 1:
        ((name, more),) = row.items()
    else:
        findings.error("a line is an indicator's name, or one name with a mapping: {M3: {target: 0.95}}")
        return None
    if name not in templates():
        findings.error(f"unknown indicator '{shown(name)}'{near(name, templates())}", name)
    line = _line_says(name, more or {}, findings)
    return (templates()[name], line) if line is not None and name in templates() else None


def _line_says(name: str, more: Any, findings: Findings) -> IndicatorLine | None:
    """What a line says; without what is wrong with its shape, which is named."""
    try:
        return IndicatorLine.model_validate(more)
    except ValidationError as error:
        listed = error.errors()
        for item in listed[:MAX_PROBLEMS]:
            where = ".".join(str(part) for part in item["loc"])
            known = [f.alias or n for n, f in IndicatorLine.model_fields.items()]
            hint = near(where, known) if item["type"] == "extra_forbidden" else f": {item['msg']}"
            findings.error(f"{name}: '{shown(where)}'{hint or ' is not known'}", name, *item["loc"])
        if len(listed) > MAX_PROBLEMS:
            findings.error(f"{name}: and {len(listed) - MAX_PROBLEMS} more of this kind", name)
        found = salvage(IndicatorLine, more, error)
        return found.parsed if found else None


def _draft(parsed: IndicatorsDocument, template: Template, line: IndicatorLine, findings: Findings) -> Draft:
    spec = parsed.spec
    annotations = dict(line.annotations)
    by = line.by if line.by is not None else _fitting(spec.by, template)
    owner, runbook = line.owner or spec.owner, line.runbook or spec.runbook
    for key, text in (("owner", owner), ("runbook", runbook), ("by", by), ("where", _where(line.where, findings))):
        if text:
            annotations.setdefault(PREFIX + key, text)
    objective = Objective(
        target=line.target, targetPercent=line.target_percent, value=line.value, op=line.op
    )  # fmt: skip
    return Draft(
        Metadata(
            name=line.name or f"{parsed.metadata.name}-{template.slug}",
            displayName=template.title
            if not parsed.metadata.display_name
            else f"{parsed.metadata.display_name}: {template.title}",
            annotations=annotations,
        ),
        SloSpec(
            description=template.measures,
            service=spec.service,
            indicatorRef=template.id,
            timeWindow=line.time_window or spec.time_window,
            budgetingMethod="Occurrences",
            objectives=[objective],
            alertPolicies=spec.alert_policies if line.alert_policies is None else line.alert_policies,
        ),
        findings,
        findings.place,
        runbook=template.runbook,
        above=about(parsed.metadata),
    )


def _fitting(by: str | None, template: Template) -> str | None:
    """Of the document's ``by`` what an indicator can be told apart by: M4 knows no models."""
    if by is None or not template.about:
        return by
    unknown = ("model", "version", "rollout", "wave")
    names = [n.strip() for n in by.split(",")]
    kept = [n for n in names if (n in template.dimensions if template.dimensions else n not in unknown)]
    return ", ".join(kept)


def _where(where: object, findings: Findings) -> str:
    try:
        return ", ".join(written(m) for m in read_matchers(where))
    except ValueError as error:
        findings.refuse(error)
        return ""


# --- Inventory


def inventory(parsed: InventoryDocument, findings: Findings, nodes: dict[tuple[str, str], tuple[Node, str]]) -> None:
    """Add the expected nodes; one that is listed twice is an error."""
    for index, node in enumerate(parsed.spec.nodes):
        at = findings.below("spec", "nodes", index)
        key = (parsed.spec.service, node.device)
        since = utc(node.since or parsed.spec.since)
        if key in nodes:
            at.error(f"node '{shown(node.device)}' is listed already at {nodes[key][1]}")
        else:
            nodes[key] = (Node(node.device, node.gateway, node.region, parsed.spec.service, since), at.place)


# --- Exclusion


def exclusion(parsed: ExclusionDocument, findings: Findings) -> Exclusion | None:
    """Time that doesn't count; None if it is wrong."""
    spec, at = parsed.spec, findings.below("spec")
    values: dict[str, Any] = {}
    readers: Mapping[str, Any] = {
        "where": lambda: _excluded(spec.where),
        "timeZone": lambda: zone_name(spec.zone),
        "duration": lambda: _duration(spec.duration),
        "rrule": lambda: _rrule(spec.rrule),
    }
    for key, read in readers.items():
        try:
            values[key] = read()
        except ValueError as error:
            at.refuse(error, key)
    zone = values.get("timeZone", "UTC")
    for key, text in (("start", spec.start), ("until", spec.until)):
        try:
            values[key] = None if text is None else instant(text, zone)
        except ValueError as error:
            at.error(str(error), key)
    if spec.rrule and spec.duration is None:
        at.error("an exclusion that recurs needs a duration", "rrule")
    if findings.failed:
        return None
    return Exclusion(
        parsed.metadata.name,
        spec.reason,
        values["where"],
        values["start"],
        values["duration"],
        values["rrule"],
        values["timeZone"],
        values["until"],
    )


def _excluded(where: object) -> Any:
    found = read_matchers(where)
    if not found:
        raise ValueError("where is missing: what is excluded; 'service=~\".*\"' is everything")
    if any(m.name == VALUE for m in found):
        raise ValueError("time is excluded by dimensions and attributes, not by 'value'")
    return found


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    found = span(text)
    if found.total_seconds() % 60 or found > DURATION_MAX:
        raise ValueError(f"'{shown(text)}': an exclusion lasts whole minutes, at most {DURATION_MAX.days}d")
    return found


def _rrule(text: str | None) -> str | None:
    """The rule as written, once it is known to be one.

    Raises:
        ValueError: not RFC 5545, or more than we take.
    """
    if text is None:
        return None
    rule = text.removeprefix("RRULE:").strip().upper()
    parse_rule(rule)
    return rule
