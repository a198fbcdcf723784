"""Our own kinds: Indicators (one line switches one on), Inventory, Rollout, Exclusion."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from sloengine.config.annotations import PREFIX, read_by
from sloengine.config.documents import (
    ExclusionDocument,
    IndicatorLine,
    IndicatorsDocument,
    InventoryDocument,
    Metadata,
    Objective,
    RolloutDocument,
    SloSpec,
)
from sloengine.config.findings import Findings, near
from sloengine.config.indicators import Template, templates
from sloengine.config.kept import about
from sloengine.config.matchers import VALUE, read_matchers, shown, written
from sloengine.config.salvage import salvage
from sloengine.config.slos import Draft
from sloengine.config.windows import instant, span, zone_name
from sloengine.config.words import words
from sloengine.config.yamlfile import MAX_PROBLEMS
from sloengine.model import Exclusion, Node, RolloutTarget
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


def told_apart(text: str | None, findings: Findings) -> str | None:
    """What the lines of a document are told apart by; None if it is wrong, which is said once and not of each line."""
    try:
        read_by(text or "")
    except ValueError as error:
        findings.refuse(error)
        return None
    return text


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
            hint = near(where, known) if item["type"] == "extra_forbidden" else f": {words(item)}"
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


# --- Rollout

Targets = dict[tuple[str, str], tuple[RolloutTarget, str]]
"""By rollout and device, with the place that declares it."""


def rollout(parsed: RolloutDocument, findings: Findings, targets: Targets) -> None:
    """Add the devices that a rollout is meant to reach; one that is listed twice is an error."""
    spec = parsed.spec
    name, at = spec.rollout or parsed.metadata.name, _to_the_millisecond(utc(spec.declared))
    for i, wave in enumerate(spec.waves):
        for j, device in enumerate(wave.devices):
            here = findings.below("spec", "waves", i, "devices", j)
            if (name, device) in targets:
                first = targets[name, device][1]
                here.error(f"device '{shown(device)}' of rollout '{shown(name)}' is listed already at {first}")
                continue
            target = RolloutTarget(name, device, spec.service, at, wave.wave, spec.model, spec.version)
            targets[name, device] = target, here.place


def _to_the_millisecond(at: datetime) -> datetime:
    """As the store keeps it: another moment would look like another declaration at every start."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def strangers(parsed: RolloutDocument, nodes: Iterable[Node], findings: Findings) -> None:
    """Devices that no inventory of the service lists are counted, but nobody knows where they stand."""
    known = {node.device for node in nodes if node.service == parsed.spec.service}
    missing = [device for wave in parsed.spec.waves for device in wave.devices if device not in known]
    if known and missing:
        said = f"{len(missing)} devices are in no Inventory of '{shown(parsed.spec.service)}', such as '{shown(missing[0])}'"
        findings.warn(f"{said}: while they are silent, their region and gateway are not known", "spec", "waves")


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
