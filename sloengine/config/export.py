"""The catalogue as documents again: SLOs as plain OpenSLO v1 over our metric sources, the rest as our own kinds.

Reading the export gives an equal catalogue but for the places of definitions. Ready-made indicators are written out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import chain, count, groupby
from typing import Any

from ruamel.yaml import YAML

from sloengine.config.annotations import of_slo
from sloengine.config.documents import OPENSLO, OWN, ServiceDocument
from sloengine.config.kept import About, Kept, Said, about, written_about
from sloengine.config.matchers import written
from sloengine.config.monitors import written_monitor
from sloengine.config.policies import load_policies
from sloengine.config.slos import slug
from sloengine.config.windows import calendar_text, duration_text
from sloengine.model import (
    BurnPolicy,
    Calendar,
    Catalogue,
    Exclusion,
    Node,
    RolloutTarget,
    Selector,
    SliceRule,
    Slo,
    Source,
    SqlMeasure,
)
from sloengine.times import format_duration

Written = dict[str, Any]
Queries = Mapping[str, SqlMeasure]


@dataclass(frozen=True, slots=True)
class Books:
    queries: Queries
    kept: Kept
    policies: Mapping[BurnPolicy, str]

    def said(self, slo: Slo) -> Said:
        return self.kept.slos.get(slo.name, Said())


_KINDS = {Source.SUM: "sum", Source.HISTOGRAM: "histogram", Source.GAUGE: "gauge"}


def documents(catalogue: Catalogue, kept: Kept | None = None) -> list[Written]:
    """Every document of a catalogue, ready for YAML or JSON; broken SLOs have none. ``kept``: what nothing acts on."""
    kept = kept or Kept()
    books = Books({q.name: q for q in catalogue.queries}, kept, _policy_names(catalogue.slos))
    return [
        *(_service(s) for s in kept.services),
        *_policies(books.policies),
        *_slos(catalogue.slos, books),
        *_inventories(catalogue.nodes),
        *_rollouts(catalogue.targets),
        *(_exclusion(e, kept.exclusions.get(e.name, About())) for e in catalogue.exclusions),
        *(written_monitor(m, kept.monitors.get(m.name, About())) for m in catalogue.monitors),
    ]


def as_yaml(found: Iterable[Written]) -> str:
    """YAML text of documents, one after the other."""
    yaml, out = YAML(typ="safe", pure=True), StringIO()
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.explicit_start = True
    yaml.width = 120
    yaml.dump_all(list(found), out)
    return out.getvalue()


def _head(version: str, kind: str, name: str, **more: object) -> Written:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name, **{k: v for k, v in more.items() if v}}}


# --- SLOs


def _slos(slos: Sequence[Slo], books: Books) -> list[Written]:
    """Parts of a composite stand in its document, in the place of the first."""
    by_name = {slo.name: slo for slo in slos}
    parts = {c.slo for slo in slos for c in slo.components}
    return [
        _composite(slo, by_name, books) if slo.components else _single(slo, books)
        for slo in slos
        if slo.name not in parts
    ]


def _document(slo: Slo, objectives: list[Written], indicator: Written | None, books: Books, whole: bool) -> Written:
    about = books.said(slo).slo
    display = slo.display_name if slo.display_name != slo.name else ""
    annotations = {**of_slo(slo, whole), **about.annotations}
    return {
        **_head(OPENSLO, "SLO", slo.name, displayName=display, labels=dict(about.labels), annotations=annotations),
        "spec": {
            **({"description": slo.description} if slo.description else {}),
            "service": slo.service,
            **({"indicator": indicator} if indicator else {}),
            "timeWindow": [_window(slo)],
            "budgetingMethod": "Occurrences",
            "objectives": objectives,
            "alertPolicies": [books.policies[slo.policy]],
        },
    }


def _window(slo: Slo) -> Written:
    if slo.calendar is None:
        return {"duration": duration_text(slo.window), "isRolling": True}
    return {"duration": calendar_text(slo.calendar), "isRolling": False, "calendar": _calendar(slo.calendar)}


def _calendar(periods: Calendar) -> Written:
    return {"startTime": periods.start.isoformat(" ", "seconds"), "timeZone": periods.zone}


def _single(slo: Slo, books: Books) -> Written:
    indicator, objective = _indicator(slo, books)
    said = books.said(slo)
    display = {"displayName": said.objective} if said.objective else {}
    return _document(slo, [{**display, **objective}], indicator, books, True)


def _composite(slo: Slo, by_name: Mapping[str, Slo], books: Books) -> Written:
    objectives = []
    for number, component in enumerate(slo.components, start=1):
        part = by_name[component.slo]
        indicator, objective = _indicator(part, books)
        display = {"displayName": part.display_name} if _named(slo, part, number) else {}
        objectives.append({**display, **objective, "compositeWeight": component.weight, "indicator": indicator})
    parts = [slo, *(by_name[c.slo] for c in slo.components)]
    own = all(p.quantifier is None or p.quantifier.target == p.target for p in parts)
    return _document(slo, objectives, None, books, own)


def _named(whole: Slo, part: Slo, number: int) -> bool:
    """Whether an objective had a name of its own, which then is the end of the part's name."""
    usual = whole.display_name if whole.display_name != whole.name else part.name
    end, words = part.name.removeprefix(f"{whole.name}."), slug(part.display_name)
    return part.display_name != usual or (bool(words) and end in (words, f"{words}-{number}"))


def _indicator(slo: Slo, books: Books) -> tuple[Written, Written]:
    """The SLI in place, and its objective."""
    about, queries = books.said(slo).indicator, books.queries
    metadata = {"name": slo.indicator, **written_about(about)}
    text = {"description": about.description} if about.description else {}
    rule = slo.sli.slices
    if rule is not None:
        objective = {"target": slo.target, "op": rule.op, "value": rule.threshold}
        source = {"type": "slices", "spec": _slices(rule, queries)}
        return {"metadata": metadata, "spec": {**text, "thresholdMetric": {"metricSource": source}}}, objective
    ratio = {
        role: {"metricSource": _source(selectors, queries)}
        for role, selectors in (("good", slo.sli.good), ("bad", slo.sli.bad), ("total", slo.sli.total))
        if selectors
    }
    return {"metadata": metadata, "spec": {**text, "ratioMetric": ratio}}, {"target": slo.target}


def _slices(rule: SliceRule, queries: Queries) -> Written:
    return {
        "length": format_duration(rule.length),
        "per": list(rule.per),
        "of": _sources(rule.numerator, queries),
        **({"over": _sources(rule.denominator, queries)} if rule.denominator else {}),
        "mode": rule.mode,
    }


def _sources(selectors: Sequence[Selector], queries: Queries) -> Written | list[Written]:
    """One metric source per run of selectors of a type; a query is one of its own."""
    runs = groupby(selectors, key=lambda s: s.name if s.name in queries else _type(s))
    found = [_source(list(run), queries, role=True) for _, run in runs]
    return found[0] if len(found) == 1 else found


def _source(selectors: Sequence[Selector], queries: Queries, role: bool = False) -> Written:
    first = selectors[0]
    if first.name in queries:
        found = queries[first.name]
        spec = {"query": found.query, "lookback": format_duration(found.lookback), **_where(first)}
        return {"type": "sql", **({"role": found.name.rsplit(":", 1)[1]} if role else {}), "spec": spec}
    specs = [_selector(s) for s in selectors]
    return {"type": _type(first), "spec": specs[0] if len(specs) == 1 else {"any": specs}}


def _type(selector: Selector) -> str:
    return {Source.SPAN: "spans", Source.LOG: "logs", Source.DERIVED: "derived"}.get(selector.source, "metrics")


def _selector(selector: Selector) -> Written:
    match selector.source:
        case Source.SPAN:
            request = {"request": selector.request} if selector.request else {}
            return {"span": selector.name, **request, **_where(selector)}
        case Source.LOG:
            return {"event": selector.name, **_where(selector)}
        case Source.DERIVED:
            return {"measure": selector.name, **_where(selector)}
        case _:
            return {"metric": selector.name, "kind": _KINDS[selector.source], **_where(selector)}


def _where(selector: Selector) -> Written:
    return {"where": [written(m) for m in selector.where]} if selector.where else {}


# --- the rest


def _service(found: ServiceDocument) -> Written:
    text = {"description": found.spec.description} if found.spec.description else {}
    return {**_head(OPENSLO, "Service", found.metadata.name, **written_about(about(found.metadata))), "spec": text}


def _policy_names(slos: Iterable[Slo]) -> dict[BurnPolicy, str]:
    """Of policies that differ and have one name, as 7d.10d that is chosen and one of a user's own, one gets another."""
    found: dict[BurnPolicy, str] = {policy: name for name, policy in load_policies().items()}
    for policy in dict.fromkeys(slo.policy for slo in slos):
        names = chain([policy.name], (f"{policy.name}-{i}" for i in count(2)))
        found.setdefault(policy, next(n for n in names if n not in found.values()))
    return found


def _policies(names: Mapping[BurnPolicy, str]) -> list[Written]:
    shipped = load_policies()
    return [_policy(policy, name) for policy, name in names.items() if name not in shipped]


def _policy(policy: BurnPolicy, name: str) -> Written:
    windows = [
        {
            "severity": str(w.severity),
            "long": format_duration(w.long),
            "short": format_duration(w.short),
            "budgetShare": w.budget_share,
        }
        for w in policy.windows
    ]
    return {**_head(OWN, "BurnPolicy", name), "spec": {"windows": windows}}


def _inventories(nodes: Sequence[Node]) -> list[Written]:
    """One per run of nodes of a service, so that their order stays."""
    out = []
    for number, (service, group) in enumerate(groupby(nodes, key=lambda n: n.service), start=1):
        rows = [_node(n) for n in group]
        spec = {"service": service, "since": rows[0]["since"], "nodes": rows}
        out.append({**_head(OWN, "Inventory", f"nodes-{number}"), "spec": spec})
    return out


def _node(node: Node) -> Written:
    return {"device": node.device, "gateway": node.gateway, "region": node.region, "since": node.since.isoformat()}


def _rollouts(targets: Sequence[RolloutTarget]) -> list[Written]:
    """One per run of targets that differ in wave and device only."""
    out = []
    runs = groupby(targets, key=lambda t: (t.rollout, t.service, t.at, t.model, t.version))
    for number, ((name, service, at, model, version), group) in enumerate(runs, start=1):
        waves = [
            {**({"wave": wave} if wave else {}), "devices": [t.device for t in part]}
            for wave, part in groupby(group, key=lambda t: t.wave)
        ]
        about = {"model": model, "version": version}
        spec = {"rollout": name, "service": service, "declared": at.isoformat()}
        spec |= {key: text for key, text in about.items() if text}
        out.append({**_head(OWN, "Rollout", f"rollout-{number}"), "spec": {**spec, "waves": waves}})
    return out


def _exclusion(found: Exclusion, about: About) -> Written:
    spec: Written = {
        "reason": found.reason,
        "where": [written(m) for m in found.where],
        "start": found.start.isoformat(),
        "timeZone": found.zone,
    }
    if found.duration is not None:
        spec["duration"] = format_duration(found.duration)
    if found.until is not None:
        spec["until"] = found.until.isoformat()
    if found.rrule is not None:
        spec["rrule"] = found.rrule
    return {**_head(OWN, "Exclusion", found.name, **written_about(about)), "spec": spec}
