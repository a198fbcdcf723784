"""Meaning of one SLO document: everything that a schema can't say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from sloengine.config.annotations import PREFIX, Extras, actionable, read_annotations, scaled
from sloengine.config.documents import InlineSli, Metadata, Objective, PolicyUse, SloSpec
from sloengine.config.findings import Findings, documented, near
from sloengine.config.indicators import Shape, Template, may_exceed, measured, read_sli, templates
from sloengine.config.kept import About, Said, about
from sloengine.config.matchers import shown
from sloengine.config.pace import Pace, pace_of, slowest
from sloengine.config.policies import Recipe, chosen, misfits
from sloengine.config.slices import Ask, build_sli
from sloengine.config.windows import calendar, calendar_mistakes, rolling
from sloengine.model import (
    DIMENSIONS,
    BurnPolicy,
    Calendar,
    Component,
    DatedTarget,
    Sli,
    Slo,
    SqlMeasure,
    Weighting,
)

WINDOW_DEFAULT = timedelta(days=30)
OF_MODELS = ("model", "version", "rollout", "wave")
"""What measures about nodes don't know."""
COMPOSITE = "composite"
NAME_MAX = 253
FAR = 100
"""Times an indicator's own limit in seconds, from which on milliseconds are meant."""
PolicyReader = Callable[[PolicyUse, Findings], Recipe | None]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that an SLO may refer to."""

    slis: Mapping[str, Shape | None]
    """None: defined, but wrong."""
    services: frozenset[str]
    data_sources: Mapping[str, str]
    policy: PolicyReader
    used: set[str]
    """SLIs that an SLO referred to; added to."""
    described: Mapping[str, About] = field(default_factory=dict)
    """What documents of SLIs say beside what is counted."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An SLO before its meaning is read; ``findings`` stands at its document or at the line that it comes from."""

    metadata: Metadata
    spec: SloSpec
    findings: Findings
    source: str
    runbook: str | None = None
    """Taken if the annotations name none."""
    above: About = field(default_factory=About)
    """Of the document of which this is one line."""


@dataclass(slots=True)
class Built:
    slos: list[Slo] = field(default_factory=list)
    queries: list[SqlMeasure] = field(default_factory=list)
    said: dict[str, Said] = field(default_factory=dict)
    """By the SLO's name."""
    foreign: bool = False
    """Valid, but another vendor's: nothing is built and nothing is broken."""


def build(draft: Draft, books: Books) -> Built:
    """SLOs of one document: one per objective, and one over them where they have weights; none if anything is wrong."""
    return _Builder(draft, books).build()


class _Builder:
    def __init__(self, draft: Draft, books: Books) -> None:
        self.draft, self.books, self.spec = draft, books, draft.spec
        self.findings = draft.findings
        self.name = draft.metadata.name
        self.out = Built()
        self.window: timedelta | None = None
        self.periods: Calendar | None = None
        self.extras = Extras()
        self.recipes: list[Recipe] = []
        self.paces: dict[str, Pace] = {}
        self.about = about(draft.metadata, draft.spec.description).below(draft.above)

    def build(self) -> Built:
        self._metadata()
        shapes = self._shapes()
        template = self._template(shapes)
        self._service()
        self._window(template is not None)
        method = self._method(template is not None)
        objectives = self.spec.objectives or ([Objective()] if template else [])
        if not objectives:
            self.findings.error("an SLO needs objectives", "spec")
        slos = [
            self._objective(i, objective, shape, method, len(objectives))
            for i, (objective, shape) in enumerate(zip(objectives, shapes, strict=False))
        ]
        built = [slo for slo in slos if slo]
        if self.extras.was and len(objectives) > 1 and all(o.weight is None for o in objectives):
            said = "'was' is not acted on: with several objectives nobody knows whose name it was"
            self.findings.warn(said, "metadata", "annotations", f"{PREFIX}was")
        built += self._composite(objectives, built)
        if self.out.foreign:
            self.findings.soften()
            self.findings.warn("this SLO is not built: what it measures is not in a source of ours", "metadata", "name")
            return Built(foreign=True)
        self._actionable()
        self._policies(built)
        if not self.findings.failed:
            self.out.slos = self._finished(built)
        return self.out if not self.findings.failed else Built()

    # --- what stands above the objectives

    def _metadata(self) -> None:
        metadata = self.draft.metadata
        self.extras = read_annotations(metadata.annotations, self.findings.below("metadata", "annotations"))
        if metadata.labels:
            self.findings.warn("labels are not acted on; 'sloengine.dev/by' tells slices apart", "metadata", "labels")

    def _actionable(self) -> None:
        shipped = {PREFIX + "runbook"} if self.draft.runbook else set()
        actionable(shipped | self.draft.metadata.annotations.keys(), self.findings)

    def _service(self) -> None:
        documented(self.spec.service, self.books.services, self.findings)

    def _shapes(self) -> list[Shape | None]:
        """One per objective; the SLO's own indicator where an objective brings none."""
        own = [o.indicator is not None or o.indicator_ref is not None for o in self.spec.objectives]
        above = self.spec.indicator is not None or self.spec.indicator_ref is not None
        if any(own) and (above or not all(own)):
            said = "an indicator stands in the SLO or in each of its objectives, not in both"
            self.findings.error(said, "spec", "objectives")
        if not any(own):
            shape = self._shape(self.spec.indicator, self.spec.indicator_ref, "spec")
            return [shape] * max(1, len(self.spec.objectives))
        return [
            self._shape(o.indicator, o.indicator_ref, "spec", "objectives", i)
            for i, o in enumerate(self.spec.objectives)
        ]

    def _shape(self, inline: InlineSli | None, ref: str | None, *path: str | int) -> Shape | None:
        if (inline is None) == (ref is None):
            self.findings.error("give exactly one of indicator and indicatorRef", *path)
            if inline is not None:
                self._inline(inline, path)
                self._referred(str(ref), path)
            return None
        shape = self._inline(inline, path) if inline is not None else self._referred(str(ref), path)
        if shape is not None and shape.foreign:
            self.out.foreign = True
        return shape

    def _inline(self, inline: InlineSli, path: tuple[str | int, ...]) -> Shape | None:
        for key in ("labels", "annotations"):
            if getattr(inline.metadata, key):
                self.findings.warn(f"{key} of an indicator are not acted on", *path, "indicator", "metadata", key)
        findings = self.findings.below(*path, "indicator", "spec")
        shape = read_sli(inline.metadata.name, inline.spec, self.books.data_sources, findings)
        template = templates().get(inline.metadata.name)
        if shape and template and measured(shape) != measured(template.shape):
            said = f"'{template.id}' is {template.title.lower()}; an indicator of another kind needs another name"
            findings.error(said)
            return None
        return shape

    def _referred(self, ref: str, path: tuple[str | int, ...]) -> Shape | None:
        if ref in templates():
            return templates()[ref].shape
        if ref in self.books.slis:
            self.books.used.add(ref)
            found = self.books.slis[ref]
            if found is None:
                self.findings.error(f"SLI '{shown(ref)}' is wrong, see there", *path, "indicatorRef")
            elif found.foreign:
                self.findings.warn(f"SLI '{shown(ref)}' is not acted on, see there", *path, "indicatorRef")
            return found
        known = [*self.books.slis, *templates()]
        self.findings.error(f"unknown indicator '{shown(ref)}'{near(ref, known)}", *path, "indicatorRef")
        return None

    def _template(self, shapes: list[Shape | None]) -> Template | None:
        """The template whose defaults stand in, if the SLO is one of M1 to M15."""
        ref = self.spec.indicator_ref or ""
        found = templates().get(ref)
        for shape in shapes:
            about = templates().get(shape.name) if shape else None
            if about:
                self._known_dimensions(about)
        return found

    def _known_dimensions(self, template: Template) -> None:
        names = {PREFIX + "by": self.extras.by, PREFIX + "where": tuple(m.name for m in self.extras.where)}
        for key, given in names.items():
            wrong = [n for n in given if n in OF_MODELS] if template.about == "nodes" else []
            if template.dimensions:
                wrong = [n for n in given if n not in template.dimensions]
            if wrong:
                known = template.dimensions or tuple(d for d in DIMENSIONS if d not in OF_MODELS)
                said = f"{template.id} is about nodes: '{wrong[0]}' can't tell them apart; known: {', '.join(known)}"
                self.findings.error(said, "metadata", "annotations", key)

    def _window(self, quiet: bool) -> None:
        if not self.spec.time_window:
            self.window = WINDOW_DEFAULT
            if not quiet:
                self.findings.warn("no timeWindow: the last 30 days are taken", "spec")
            return
        declared, path = self.spec.time_window[0], ("spec", "timeWindow", 0)
        if declared.calendar is not None:
            of = declared.calendar
            for key, words in calendar_mistakes(declared.duration, of.start, of.zone):
                self.findings.error(words, *path, *(("calendar",) if key != "duration" else ()), key)
        try:
            if declared.calendar is None and declared.is_rolling:
                self.window = rolling(declared.duration)
            elif declared.calendar is None:
                self.findings.error("say isRolling: true, or give calendar with startTime and timeZone", *path)
            elif declared.is_rolling:
                self.findings.error("a window is rolling or of the calendar, not both", *path)
            else:
                self.window, self.periods = calendar(declared.duration, declared.calendar.start, declared.calendar.zone)
        except ValueError as error:
            if declared.calendar is None:
                self.findings.error(str(error), *path, "duration")

    def _method(self, quiet: bool) -> str:
        if self.spec.budgeting_method is None and not quiet:
            self.findings.warn("no budgetingMethod, which OpenSLO requires: Occurrences is taken", "spec")
        return self.spec.budgeting_method or "Occurrences"

    # --- objectives

    def _objective(self, index: int, objective: Objective, shape: Shape | None, method: str, count: int) -> Slo | None:
        findings = self.findings.below("spec", "objectives", index)
        template = templates().get(shape.name) if shape and self._by_reference(objective) else None
        zero = self.extras.zero_tolerance
        zero_tolerance = template.zero_tolerance if zero is None and template else bool(zero)
        target = self._target(objective, template, zero_tolerance, findings)
        if shape is None or shape.foreign:
            return None
        op, value = self._threshold(objective, template, findings)
        name = self._part_name(index, objective, count)
        if len(name) > NAME_MAX:
            findings.error(f"name '{shown(name)}' is longer than {NAME_MAX} characters")
        ask = Ask(name, method, objective, op, value, self._per(), self.extras.where, self.window)
        sli = build_sli(shape, ask, findings)
        if sli is None or target is None or self.window is None:
            return None
        self._promised(target, findings)
        if shape.name not in templates():
            may_exceed(shape, findings)
        self._add_queries(shape, findings)
        display = objective.display_name if count > 1 or not self.draft.metadata.display_name else ""
        self.out.said[name] = Said(self.about, self._described(objective), "" if display else objective.display_name)
        return self._slo(name, display, shape.name, sli, target=target, zero=zero_tolerance, count=count)

    def _described(self, objective: Objective) -> About:
        inline = objective.indicator or self.spec.indicator
        if inline is not None:
            return about(inline.metadata, inline.spec.description)
        return self.books.described.get(objective.indicator_ref or self.spec.indicator_ref or "", About())

    def _by_reference(self, objective: Objective) -> bool:
        return (objective.indicator_ref or self.spec.indicator_ref) is not None

    def _target(self, objective: Objective, template: Template | None, zero: bool, findings: Findings) -> float | None:
        target, percent = objective.target, objective.target_percent
        if target is not None and percent is not None:
            findings.error("give exactly one of target and targetPercent")
            return None
        if percent is not None:
            target = float(Decimal(repr(percent)) / 100)
        if target is None:
            target = 1.0 if zero else template.target if template else None
        if target is None:
            findings.error("give exactly one of target and targetPercent")
            return None
        return self._possible(target, zero, findings)

    def _possible(self, target: float, zero: bool, findings: Findings) -> float | None:
        if zero and target == 1:
            return 1.0
        if zero:
            findings.error(f"target {target:g}: zero tolerance means a target of 1")
            return None
        if not 0 < target < 1:
            hint = "; targets are ratios, such as 0.999"
            if target == 1:
                hint = f"; 1 leaves no budget to measure: '{PREFIX}zero-tolerance: true' says that one bad event is too many"
            findings.error(f"target {target:g} must lie between 0 and 1{hint}")
            return None
        return target

    def _promised(self, target: float, findings: Findings) -> None:
        """A promise over nodes and an objective that differ: one of the two would be said and never judged."""
        extras = self.extras
        meant = extras.share_target if extras.worst else extras.share
        if meant is None or meant == target:
            return
        what = "what the worst nodes are to reach" if extras.worst else "the share of nodes that keep the promise"
        findings.error(
            f"target {target:g} and the quantifier differ: of a promise over nodes the target is {what}, {meant:g}"
        )

    def _threshold(
        self, objective: Objective, template: Template | None, findings: Findings
    ) -> tuple[str | None, float | None]:
        op, value = objective.op, objective.value
        if value is not None:
            try:
                value = scaled(value, self.extras.unit)
            except ValueError as error:
                findings.error(str(error), "value")
        if template is None or template.op is None:
            return op, value
        if value is not None:
            self._likely(value, template, findings)
        if op is not None and op[:2] != template.op[:2]:
            findings.error(f"{template.id} is good the other way: op is {template.op}", "op")
        return op or template.op, template.value if value is None else value

    def _likely(self, value: float, template: Template, findings: Findings) -> None:
        """Limits that nothing meets, or everything: a slip of the sign, or of the unit."""
        if value < 0:
            findings.error(f"value {value:g}: what {template.id} measures is never below 0", "value")
        elif template.unit == "s" and template.value and value >= FAR * template.value and self.extras.unit == 1:
            said = f"value {value:g} is in seconds, and nearly everything is below it; for milliseconds write {value / 1000:g}"
            findings.warn(f"{said}, or annotate '{PREFIX}unit: ms'", "value")

    def _per(self) -> tuple[str, ...]:
        extras = self.extras
        by_node = extras.weighting is Weighting.NODES or extras.share is not None
        by_site = extras.weighting is Weighting.SITES
        return (*extras.by, *(("device",) if by_node else ()), *(("gateway",) if by_site else ()))

    def _part_name(self, index: int, objective: Objective, count: int) -> str:
        if count == 1:
            return self.name
        slugs = [slug(o.display_name) or str(i + 1) for i, o in enumerate(self.spec.objectives)]
        mine = slugs[index]
        return f"{self.name}.{mine}" if slugs.count(mine) == 1 else f"{self.name}.{mine}-{index + 1}"

    def _slo(self, name: str, display: str, indicator: str, sli: Sli, *, target: float, zero: bool, count: int) -> Slo:
        extras, metadata, window = self.extras, self.draft.metadata, self.window or WINDOW_DEFAULT
        # A composite counts nothing itself: it is as slow as its slowest part.
        self.paces[name] = pace_of(sli) if sli.selectors else slowest(self.paces.values())
        return Slo(
            name=name,
            display_name=display or metadata.display_name or name,
            description=self.spec.description,
            service=self.spec.service,
            indicator=indicator,
            sli=sli,
            target=target,
            window=window,
            by=extras.by,
            policy=chosen(window, self.periods, target, self.paces[name]),
            owner=extras.owner,
            runbook=extras.runbook or self.draft.runbook,
            source=self.draft.source,
            calendar=self.periods,
            targets=self._history(target, count),
            where=() if sli.slices else extras.where,
            unknown=extras.unknown,
            weighting=extras.weighting,
            quantifier=extras.quantifier(target),
            zero_tolerance=zero,
            reserve=extras.reserve,
            slices_max=extras.slices_max,
            was=extras.was if count == 1 else "",
        )

    def _history(self, target: float, count: int) -> tuple[DatedTarget, ...]:
        history, path = self.extras.history, ("metadata", "annotations", PREFIX + "target-history")
        if history and count > 1:
            self.findings.error("target-history is for an SLO with one objective: write one SLO each", *path)
        elif history and history[-1].target != target:
            said = f"target-history ends with {history[-1].target:g}, the objective's target is {target:g}"
            self.findings.error(said, *path)
        return history

    def _add_queries(self, shape: Shape, findings: Findings) -> None:
        known = {q.name for q in self.out.queries}
        self.out.queries += [q for q in shape.queries if q.name not in known]

    # --- over several objectives

    def _composite(self, objectives: list[Objective], parts: list[Slo]) -> list[Slo]:
        weights = [o.weight for o in objectives]
        if all(w is None for w in weights):
            return []
        for i, weight in enumerate(weights):
            if weight is None or not 0 < weight < float("inf"):
                said = "a composite needs a compositeWeight above 0 in each objective"
                self.findings.error(said, "spec", "objectives", i)
        if len(objectives) == 1:
            self.findings.warn(
                "compositeWeight is not acted on: one objective is no composite", "spec", "objectives", 0
            )
            return []
        if self.findings.failed or len(parts) != len(objectives):
            return []
        if any(part.zero_tolerance for part in parts):
            self.findings.error(
                "a composite can't hold zero tolerance: it has no budget to weigh", "spec", "objectives"
            )
            return []
        pairs = [(part, float(weight or 0)) for part, weight in zip(parts, weights, strict=True)]
        target = sum(part.target * weight for part, weight in pairs) / sum(weight for _, weight in pairs)
        self.out.said[self.name] = Said(self.about)
        whole = self._slo(self.name, "", COMPOSITE, Sli(), target=target, zero=False, count=1)
        components = tuple(Component(part.name, weight) for part, weight in pairs)
        return [replace(whole, components=components, targets=())]

    def _policies(self, slos: Iterable[Slo]) -> None:
        """Replace the chosen policy by the named ones; what can't be reached is an error."""
        uses = self.spec.alert_policies
        found = [self._recipe(use, self.findings.below("spec", "alertPolicies", i)) for i, use in enumerate(uses)]
        recipes = [r for r in found if r]
        if uses and not recipes and not self.findings.failed:
            said = "none of the alert policies can be acted on: one of ours is chosen by the window"
            self.findings.warn(said, "spec", "alertPolicies")
        self.recipes = list({r.name: r for r in recipes}.values())
        if len(self.recipes) < len(recipes):
            self.findings.warn("an alert policy is named twice", "spec", "alertPolicies")
        said_of: set[str] = set()
        for slo in slos:
            if len(self._policy(slo).name) > NAME_MAX:
                self.findings.error(f"names of alert policies are together longer than {NAME_MAX} characters", "spec")
            for severity, words, key in misfits(self._policy(slo), slo.target, slo.window, self.paces[slo.name]):
                if slo.zero_tolerance and key == "objectives":
                    continue
                said = words + self._remedy(slo) if severity == "error" else words
                place = ("spec", key, *((0,) if key == "objectives" else ()))
                if said not in said_of:
                    (self.findings.error if severity == "error" else self.findings.warn)(said, *place)
                said_of.add(said)

    def _remedy(self, slo: Slo) -> str:
        """What to do about a policy that an SLO can't use: most often nobody wrote that policy."""
        fits = not any(severity == "error" for severity, _, _ in misfits(slo.policy, slo.target, slo.window))
        if self.recipes and fits:
            return f"; without alertPolicies one that fits is chosen, '{slo.policy.name}'"
        chosen_for = "" if self.recipes else "; it was chosen because alertPolicies names none, and"
        return f"{chosen_for or ';'} none that ships fits: write a BurnPolicy and name it in alertPolicies"

    def _recipe(self, use: PolicyUse, findings: Findings) -> Recipe | None:
        """One that stands in place has a name among this SLO's only: two SLOs may each have their own 'fast'."""
        found = self.books.policy(use, findings)
        return replace(found, name=f"{self.name}.{found.name}") if found and use.spec is not None else found

    def _policy(self, slo: Slo) -> BurnPolicy:
        if not self.recipes:
            return slo.policy
        policies = [r.policy(slo.window) for r in self.recipes]
        windows = tuple(w for p in policies for w in p.windows)
        return BurnPolicy("+".join(p.name for p in policies), windows)

    def _finished(self, slos: Iterable[Slo]) -> list[Slo]:
        return [replace(slo, policy=self._policy(slo)) for slo in slos]


def slug(text: str) -> str:
    """``"Within 100 ms"`` → ``within-100-ms``."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
