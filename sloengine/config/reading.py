"""From documents to a catalogue: shapes first, then references over all files in any order, then meaning."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from sloengine.config import documents as docs
from sloengine.config.excluding import MARKS_MAX, unacted
from sloengine.config.findings import Findings, near, tidy
from sloengine.config.indicators import Shape, read_sli, templates
from sloengine.config.kept import Kept, Said, about, inside, words_lost
from sloengine.config.matchers import shown
from sloengine.config.monitors import drift_monitor
from sloengine.config.own import Targets, exclusion, expand, inventory, rollout, strangers, told_apart
from sloengine.config.policies import Recipe, of_alert_policy, of_condition, of_document, shipped_recipes
from sloengine.config.routing import Alerting, check_alerting, is_alerting, unknown_hooks
from sloengine.config.salvage import NAMELESS, salvage
from sloengine.config.settings import SETTINGS_FILE, check_settings
from sloengine.config.slos import Books, Draft, build
from sloengine.config.sources import TYPES
from sloengine.config.together import told_together
from sloengine.config.yamlfile import Document, plain, problems_of, said_where
from sloengine.errors import Problem
from sloengine.marked import mark_of, marks_of
from sloengine.model import Broken, Catalogue, Exclusion, Node, Slo, SqlMeasure
from sloengine.monitor import DriftMonitor

T = TypeVar("T", bound=docs.AnyDocument)


@dataclass(slots=True)
class Entry:
    """A document of a known shape."""

    findings: Findings
    parsed: docs.AnyDocument
    used: bool = False

    @property
    def name(self) -> str:
        return self.parsed.metadata.name


class CatalogueReader:
    """Takes documents, then builds; ``problems`` and ``catalogue`` are what came of it."""

    def __init__(self) -> None:
        self.unreadable = False
        self._files: list[str] = []
        self._said: list[Problem] = []
        self._entries: list[Entry] = []
        self._by_name: dict[tuple[str, str], Entry] = {}
        self._shapes: dict[str, Shape | None] = {}
        self._used: set[str] = set()
        self._types: dict[str, str] = {}
        self._recipes: dict[str, Recipe | None] = {}
        self._slos: dict[str, Slo] = {}
        self._nodes: dict[tuple[str, str], tuple[Node, str]] = {}
        self._targets: Targets = {}
        self._exclusions: list[Exclusion] = []
        self._monitors: list[DriftMonitor] = []
        self._alerting: Alerting | None = None
        self._excluding: list[tuple[Findings, Exclusion]] = []
        self._broken: list[Broken] = []
        self._queries: dict[str, SqlMeasure] = {}
        self._kept: dict[str, Said] = {}
        self._books = Books(self._shapes, frozenset(), self._types, self._policy, self._used)

    # --- results

    def problems(self) -> list[Problem]:
        """Everything found, by file in the order of reading, then by line."""
        found = [tidy(p) for p in (*self._said, *(p for e in self._entries for p in e.findings.problems))]
        order = {file: i for i, file in enumerate(dict.fromkeys(self._files))}
        return sorted(dict.fromkeys(found), key=lambda p: (order.get(p.file, -1), p.line))

    def catalogue(self) -> Catalogue:
        used = {s.name for slo in self._slos.values() for s in slo.sli.selectors}
        return Catalogue(
            tuple(self._slos.values()),
            tuple(node for node, _ in self._nodes.values()),
            tuple(self._exclusions),
            tuple(self._broken),
            tuple(q for q in self._queries.values() if q.name in used),
            tuple(target for target, _ in self._targets.values()),
            tuple(self._monitors),
        )

    def kept(self) -> Kept:
        """What documents say beside what is promised."""
        found = Kept(self._kept)
        for entry in self._entries:
            parsed = entry.parsed
            if entry.findings.wrong:
                continue
            if isinstance(parsed, docs.ExclusionDocument):
                found.exclusions[entry.name] = about(parsed.metadata)
            if isinstance(parsed, docs.DriftDocument):
                found.monitors[entry.name] = about(parsed.metadata)
            if isinstance(parsed, docs.ServiceDocument):
                found.services.append(parsed)
            document = entry.findings.document
            for what, path in words_lost(parsed, document.value):
                found.lost.append(tidy(document.problem(f"not exported: {what}", path, "warning")))
        return found

    def places(self) -> dict[str, dict[str, str]]:
        """Where the documents of each SLO, its own and its SLI's, and each monitor's say what: ``file:line`` of each text."""
        whole = {entry.findings.place: entry for entry in self._entries}
        found: dict[str, dict[str, str]] = {}
        for slo in self._slos.values():
            entries = (whole.get(slo.source), self._by_name.get(("SLI", slo.indicator)))
            found[slo.name] = said_where(entry.findings.document for entry in entries if entry)
        for entry, _ in self._of(docs.DriftDocument):
            found[f"DriftMonitor {entry.name}"] = said_where([entry.findings.document])
        return found

    # --- taking documents

    def say(self, problem: Problem) -> None:
        self._files.append(problem.file)
        self._said.append(problem)

    def refuse(self, problems: Iterable[Problem]) -> None:
        """A file that can't be read: nobody knows what it promised."""
        self.unreadable = True
        for problem in problems:
            self.say(problem)

    def take(self, document: Document) -> None:
        """One YAML document; a list of OpenSLO objects, as the project publishes them, is as many."""
        self._files.append(document.file)
        items = document.value
        if isinstance(items, list) and items and all(isinstance(item, dict) for item in items):
            for item in items:
                self._one(Document(document.file, item))
        else:
            self._one(document)

    def _one(self, document: Document) -> None:
        if not isinstance(document.value, dict):
            self.say(document.problem("expected a mapping with apiVersion and kind"))
            return
        if is_alerting(document):
            self._routing(document)
            return
        if Path(document.file).name == SETTINGS_FILE and "apiVersion" not in document.value:
            self._said.extend(check_settings(document))  # where everything lies in one folder
            return
        kind = (str(document.value.get("apiVersion")), str(document.value.get("kind")))
        shape = docs.DOCUMENTS.get(kind)
        if shape is None:
            self.say(document.problem(_unknown_kind(*kind), ("kind",)))
            self._lost(document, "unknown kind")
            return
        try:
            parsed = shape.model_validate(plain(document.value))
        except ValidationError as error:
            self._misshapen(document, shape, error)
            return
        self._entries.append(Entry(Findings(document), parsed))

    def _misshapen(self, document: Document, shape: type[docs.AnyDocument], error: ValidationError) -> None:
        """Its shape's mistakes are said here; what is left of it is read with the others, and never used."""
        problems = [tidy(p) for p in problems_of(error, document, shape)]
        self._said.extend(problems)
        found = salvage(shape, plain(document.value), error)
        if found is None:
            self._lost(document, problems[0].message)
            return
        findings = Findings(document, wrong=problems[0].message, holes=found.holes)
        self._entries.append(Entry(findings, found.parsed))

    def _routing(self, document: Document) -> None:
        """Routing beside the catalogue is checked with it, though not used from there."""
        self._alerting, problems = check_alerting(document)
        self._said.extend(problems)

    def _lost(self, document: Document, reason: str) -> None:
        """A document that promises something and can't be read stays visible."""
        kind, metadata = document.value.get("kind"), document.value.get("metadata")
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if kind in ("SLO", "Indicators", "Inventory", "Rollout", "Exclusion", "DriftMonitor"):
            label = shown(name) if isinstance(name, str) else "without a name"
            self._break(label if kind == "SLO" else f"{kind} {label}", f"{document.file}:{document.line()}", reason)

    def _break(self, name: str, source: str, reason: str) -> None:
        self._broken.append(Broken(name, source, tidy(Problem("", 1, reason)).message))

    # --- building

    def build(self) -> None:
        """Resolve references and read meaning, once all documents are there."""
        for entry in self._entries:
            self._unique(entry)
        # Once for all SLOs: looking them up anew for each made ten thousand of them take minutes.
        self._types = {
            entry.name: "" if ("spec", "type") in entry.findings.holes else parsed.spec.type
            for entry, parsed in self._of(docs.DataSourceDocument)
        }
        services = frozenset(self._names(docs.ServiceDocument))
        described = {entry.name: about(sli.metadata, sli.spec.description) for entry, sli in self._of(docs.SliDocument)}
        self._books = Books(self._shapes, services, self._types, self._policy, self._used, described)
        for entry, sli in self._of(docs.SliDocument):
            self._shapes[entry.name] = self._read_sli(sli, entry.findings)
        self._recipes.update(shipped_recipes())
        for entry, burn in self._of(docs.BurnPolicyDocument):
            self._burn_policy(burn, entry.findings)
        for entry, policy in self._of(docs.PolicyDocument):
            self._alert_policy(policy, entry.findings)
        for entry in self._entries:
            self._promise(entry)
        for entry in self._entries:
            self._unacted(entry)
        for at, found in self._excluding:
            self._excludes(at, found)
        for slo, said in told_together(self._slos, [node for node, _ in self._nodes.values()]):
            self._warn(slo, said)

    def _of(self, kind: type[T]) -> Iterator[tuple[Entry, T]]:
        return ((e, e.parsed) for e in self._entries if isinstance(e.parsed, kind))

    def _names(self, kind: type[T]) -> list[str]:
        return [entry.name for entry, _ in self._of(kind) if entry.name != NAMELESS]

    def _unique(self, entry: Entry) -> None:
        if entry.name == NAMELESS:
            return
        key = (entry.parsed.kind, entry.name)
        first = self._by_name.setdefault(key, entry)
        if first is not entry:
            said = f"{key[0]} '{entry.name}' is defined already at {first.findings.place}"
            entry.findings.error(said, "metadata", "name")

    def _read_sli(self, parsed: docs.SliDocument, findings: Findings) -> Shape | None:
        name = parsed.metadata.name
        if name in templates():
            said = f"'{name}' is a ready-made indicator; an SLI of your own needs another name"
            findings.error(said, "metadata", "name")
        shape = read_sli(name, parsed.spec, self._types, findings.below("spec"))
        return None if findings.wrong or name in templates() else shape

    # --- policies

    def _burn_policy(self, parsed: docs.BurnPolicyDocument, findings: Findings) -> None:
        name = parsed.metadata.name
        if name in shipped_recipes():
            findings.error(f"'{name}' is a policy that ships; choose another name", "metadata", "name")
        recipe = of_document(parsed, findings)
        self._recipes.setdefault(name, recipe)

    def _alert_policy(self, parsed: docs.PolicyDocument, findings: Findings) -> None:
        name = parsed.metadata.name
        if name in self._recipes:
            findings.error(f"a burn policy is named '{name}' too; choose another name", "metadata", "name")
        recipe = self._openslo_policy(name, parsed.spec, findings)
        self._recipes.setdefault(name, None if findings.wrong else recipe)

    def _openslo_policy(self, name: str, spec: docs.PolicySpec, findings: Findings) -> Recipe | None:
        use, path = spec.conditions[0], ("spec", "conditions", 0)
        condition, at = use.spec, findings.below(*path)
        if (use.ref is None) == (use.spec is None):
            findings.error("give exactly one of conditionRef and a condition in place", *path)
        elif use.ref is not None:
            known = self._by_name.get(("AlertCondition", use.ref))
            names = self._names(docs.ConditionDocument)
            if known is None or not isinstance(known.parsed, docs.ConditionDocument):
                said = f"AlertCondition '{shown(use.ref)}' is not in the catalogue{near(use.ref, names)}"
                findings.error(said, *path, "conditionRef")
            else:
                known.used = True
                condition, at = known.parsed.spec, known.findings
                if at.wrong:
                    findings.error(f"AlertCondition '{shown(use.ref)}' is wrong, see there", *path, "conditionRef")
        for i, target in enumerate(spec.targets):
            self._target(target, findings.below("spec", "notificationTargets", i))
        return of_alert_policy(name, spec, condition, findings, at)

    def _target(self, target: docs.TargetUse, findings: Findings) -> None:
        """Nothing acts on targets, so one that is not there is not an error."""
        names = self._names(docs.TargetDocument)
        if target.ref is not None and target.ref not in names:
            said = f"AlertNotificationTarget '{shown(target.ref)}' is not in the catalogue{near(target.ref, names)}"
            findings.warn(said, "targetRef")

    def _policy(self, use: docs.PolicyUse, findings: Findings) -> Recipe | None:
        if use.spec is not None and use.ref is None:
            name = use.metadata.name if use.metadata else "inline"
            return self._openslo_policy(name, use.spec, findings)
        if use.ref is None or use.spec is not None:
            findings.error("give a policy's name, or one in place")
            return None
        if use.ref not in self._recipes:
            findings.error(f"unknown alert policy '{shown(use.ref)}'{near(use.ref, self._recipes)}")
            return None
        entry = self._by_name.get(("AlertPolicy", use.ref)) or self._by_name.get(("BurnPolicy", use.ref))
        if entry is not None:
            entry.used = True
            if self._recipes[use.ref] is None and entry.findings.failed:
                findings.error(f"alert policy '{shown(use.ref)}' is wrong, see there")
        return self._recipes[use.ref]

    # --- what promises something

    def _promise(self, entry: Entry) -> None:
        parsed, findings = entry.parsed, entry.findings
        if isinstance(parsed, docs.SloDocument):
            self._slo(Draft(parsed.metadata, parsed.spec, findings, findings.place))
        elif isinstance(parsed, docs.IndicatorsDocument):
            self._indicators(_label(parsed), parsed, findings)
        elif isinstance(parsed, docs.InventoryDocument):
            self._inventory(parsed, findings)
        elif isinstance(parsed, docs.RolloutDocument):
            self._rollout(parsed, findings)
        elif isinstance(parsed, docs.ExclusionDocument):
            found = exclusion(parsed, findings)
            if found and not findings.failed:
                self._exclusions.append(found)
                self._excluding.append((findings, found))
            else:
                self._break(f"Exclusion {_label(parsed)}", findings.place, findings.reason())
        elif isinstance(parsed, docs.DriftDocument):
            self._drift(parsed, findings)

    def _drift(self, parsed: docs.DriftDocument, findings: Findings) -> None:
        found = drift_monitor(parsed, self._books.services, findings)
        if found is None:
            self._break(f"DriftMonitor {_label(parsed)}", findings.place, findings.reason())
        else:
            self._monitors.append(found)
            if self._alerting is not None:
                self._said.extend(unknown_hooks(self._alerting, [found]))

    def _inventory(self, parsed: docs.InventoryDocument, findings: Findings) -> None:
        if findings.wrong:
            inventory(parsed, findings, dict(self._nodes))
            self._break(f"Inventory {_label(parsed)}", findings.place, findings.reason())
        else:
            inventory(parsed, findings, self._nodes)

    def _rollout(self, parsed: docs.RolloutDocument, findings: Findings) -> None:
        """All of it or nothing: with half of its devices a rollout would look nearer to its end than it is."""
        targets = dict(self._targets)
        rollout(parsed, findings, targets)
        if findings.failed:
            self._break(f"Rollout {_label(parsed)}", findings.place, findings.reason())
        else:
            self._targets = targets

    def _excludes(self, findings: Findings, exclusion: Exclusion) -> None:
        if said := unacted(exclusion, self._slos.values()):
            findings.warn(said, "spec", "where")
        marks = marks_of(self._exclusions)
        mark = mark_of(exclusion)
        if mark in marks[MARKS_MAX:]:
            many = f"{len(marks)} exclusions by device, hardware or attribute make roll-up slow"
            said = f'{many}: name several devices in one, device=~"a|b"'
            findings.warn(said, "spec", "where")

    def _indicators(self, name: str, parsed: docs.IndicatorsDocument, findings: Findings) -> None:
        for i, use in enumerate(parsed.spec.alert_policies):
            self._policy(
                use, findings.below("spec", "alertPolicies", i)
            )  # wrong ones are named once, not for each line
        by = told_apart(parsed.spec.by, findings.below("spec", "by"))
        lost = findings.failed  # then no line is used; each is still read for its own mistakes
        if lost:
            less: dict[str, object] = {"alert_policies": [], "by": by}
            parsed = parsed.model_copy(update={"spec": parsed.spec.model_copy(update=less)})
            self._break(f"Indicators {name}", findings.place, findings.reason())
        for at, draft in expand(parsed, findings):
            if draft is not None:
                self._slo(draft, lost)
            elif not lost:
                self._break(f"Indicators {name}", at.place, at.reason())
            findings.problems += at.problems

    def _slo(self, draft: Draft, lost: bool = False) -> None:
        findings = draft.findings
        built = build(draft, self._books)
        for slo in built.slos:
            first = self._slos.get(slo.name)
            if first is not None:
                said = f"SLO '{shown(slo.name)}' is defined already at {first.source}"
                findings.error(said, "metadata", "name")
        self._same_queries(built.queries, findings)
        if lost:
            return
        if findings.failed:
            self._break(_label(draft), draft.source, findings.reason())
            return
        self._slos.update({slo.name: slo for slo in built.slos})
        self._queries.update({q.name: q for q in built.queries})
        self._kept.update(built.said)

    def _same_queries(self, queries: Iterable[SqlMeasure], findings: Findings) -> None:
        for query in queries:
            known = self._queries.get(query.name)
            if known and (known.query, known.lookback) != (query.query, query.lookback):
                said = f"another query is named '{shown(query.name)}' at {known.source}: give this SLI another name"
                findings.error(said, "spec", "indicator")

    def _warn(self, slo: Slo, said: str) -> None:
        file, _, line = slo.source.rpartition(":")
        self._said.append(Problem(file, int(line), said, "warning"))

    # --- what nothing acts on

    def _unacted(self, entry: Entry) -> None:
        """Valid OpenSLO that changes nothing is named."""
        parsed, findings = entry.parsed, entry.findings
        if isinstance(parsed, docs.PolicyDocument) and not entry.used:
            findings.soften()
        if isinstance(parsed, docs.PolicyDocument) and not entry.used and not findings.wrong:
            findings.warn(f"AlertPolicy '{entry.name}' is used by no SLO that is built", "metadata", "name")
        if isinstance(parsed, docs.BurnPolicyDocument) and not entry.used and not findings.failed:
            findings.warn(f"BurnPolicy '{entry.name}' is used by no SLO", "metadata", "name")
        if isinstance(parsed, docs.SliDocument) and entry.name not in self._used and not findings.failed:
            findings.warn(f"SLI '{entry.name}' is used by no SLO", "metadata", "name")
        if isinstance(parsed, docs.ConditionDocument) and not entry.used:
            of_condition(parsed.spec, findings)
            findings.soften()
        if isinstance(parsed, docs.ConditionDocument) and not entry.used and not findings.wrong:
            findings.warn(f"AlertCondition '{entry.name}' is used by no AlertPolicy", "metadata", "name")
        if isinstance(parsed, docs.TargetDocument):
            said = f"AlertNotificationTarget '{entry.name}' is not acted on: alerting.yaml says where alerts go"
            findings.warn(said, "metadata", "name")
        if isinstance(parsed, docs.RolloutDocument):
            strangers(parsed, (node for node, _ in self._nodes.values()), findings)
        if isinstance(parsed, docs.DataSourceDocument):
            self._data_source(parsed, findings)
        self._metadata(parsed, findings)

    def _data_source(self, parsed: docs.DataSourceDocument, findings: Findings) -> None:
        if parsed.spec.type not in TYPES:
            said = f"DataSource of type '{shown(parsed.spec.type)}' is not acted on; ours are {', '.join(TYPES)}"
            findings.warn(said, "spec", "type")
        if parsed.spec.connection:
            said = "connectionDetails are not acted on: telemetry is read from the one store of sloengine.yaml"
            findings.warn(said, "spec", "connectionDetails")

    def _metadata(self, parsed: docs.AnyDocument, findings: Findings) -> None:
        for key, path in inside(findings.document.value):
            if key in ("labels", "annotations"):
                findings.warn(f"{key} are not acted on", *path)
        if isinstance(parsed, docs.SloDocument):
            return
        metadata: Any = parsed.metadata
        if metadata.labels:
            findings.warn("labels are not acted on", "metadata", "labels")
        if isinstance(parsed, docs.DriftDocument):
            return
        for key in metadata.annotations:
            findings.warn(f"annotation '{shown(key)}' of {parsed.kind} is not acted on", "metadata", "annotations", key)


def _label(said: docs.AnyDocument | Draft) -> str:
    """Its name, or that it has none."""
    return "without a name" if said.metadata.name == NAMELESS else said.metadata.name


def _unknown_kind(version: str, kind: str) -> str:
    known = [f"{v} {k}" for v, k in docs.DOCUMENTS]
    right = [f"{v} {k}" for v, k in docs.DOCUMENTS if k == kind]
    hint = near(f"{version} {kind}", right or known)
    hint = hint if "mean" in hint else f"; known: {', '.join(known)}"
    return f"unknown apiVersion/kind '{shown(version)}' '{shown(kind)}'{hint}"
