"""What an SLO counts: OpenSLO's SLIs over our metric sources, and the templates M1 to M15."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from sloengine.config.documents import Metric, Op, RatioMetric, SliSpec
from sloengine.config.findings import Findings, near
from sloengine.config.matchers import VALUE, shown, written
from sloengine.config.sources import DERIVED, TYPES, Read, Sliced, read_source
from sloengine.config.yamlfile import Document
from sloengine.model import Selector, Source, SqlMeasure
from sloengine.times import parse_duration

VALUED = (Source.HISTOGRAM, Source.GAUGE, Source.SPAN)


@dataclass(frozen=True, slots=True)
class Shape:
    """An SLI before an objective says op, value and slices."""

    name: str
    good: tuple[Selector, ...] = ()
    bad: tuple[Selector, ...] = ()
    total: tuple[Selector, ...] = ()
    values: tuple[Selector, ...] = ()
    """thresholdMetric: what has a value that the objective compares."""
    slices: Sliced | None = None
    queries: tuple[SqlMeasure, ...] = ()
    foreign: str = ""
    """Why it is not acted on: it is another vendor's."""

    @property
    def threshold(self) -> bool:
        return bool(self.values) or self.slices is not None


@dataclass(frozen=True, slots=True)
class Verdicts:
    """How often a measure's verdicts come and after which time they are known; None: after the objective's own value."""

    every: timedelta
    known: timedelta | None


@dataclass(frozen=True, slots=True)
class Template:
    """One of M1 to M15."""

    id: str
    slug: str
    title: str
    measures: str
    trap: str
    target: float
    needs: str
    runbook: str
    shape: Shape
    op: Op | None = None
    value: float | None = None
    unit: str = ""
    zero_tolerance: bool = False
    about: str = ""
    dimensions: tuple[str, ...] = ()
    verdicts: Verdicts | None = None
    """None: they come with the telemetry, or the slices of its SLI say how often."""


@cache
def templates() -> Mapping[str, Template]:
    """The ready-made indicators by id, from ``indicators.yaml``."""
    text = resources.files("sloengine.config").joinpath("indicators.yaml").read_text(encoding="utf-8")
    rows = YAML(typ="safe").load(text)
    return {name: _template(name, row) for name, row in rows.items()}


def _template(name: str, row: Mapping[str, Any]) -> Template:
    findings = Findings(Document("indicators.yaml", row))
    shape = read_sli(name, SliSpec.model_validate(row["sli"]), {}, findings)
    if shape is None or findings.problems:
        raise ValueError(f"{name}: {findings.reason()}")
    rest = {k: v for k, v in row.items() if k not in ("sli", "dimensions", "verdicts")}
    dimensions, verdicts = tuple(row.get("dimensions", ())), _verdicts(row.get("verdicts"))
    return Template(id=name, shape=shape, dimensions=dimensions, verdicts=verdicts, **rest)


def _verdicts(row: Mapping[str, str] | None) -> Verdicts | None:
    if row is None:
        return None
    known = row["known"]
    return Verdicts(parse_duration(row["every"]), None if known == VALUE else parse_duration(known))


# --- OpenSLO SLIs


def read_sli(name: str, spec: SliSpec, data_sources: Mapping[str, str], findings: Findings) -> Shape | None:
    """An SLI's selectors; None if it is wrong. ``findings`` stands where ``spec`` stands; ``data_sources`` are types by name."""
    before = findings.errors
    if (spec.threshold is None) == (spec.ratio is None):
        findings.error("an SLI has either a thresholdMetric or a ratioMetric")
    reader = _Sources(name, data_sources, findings)
    if spec.threshold and spec.ratio:
        reader.threshold(spec.threshold)
    shape = reader.ratio(spec.ratio) if spec.ratio else reader.threshold(spec.threshold) if spec.threshold else None
    return None if findings.errors > before else shape


@dataclass(frozen=True, slots=True)
class _Sources:
    name: str
    data_sources: Mapping[str, str]
    findings: Findings

    def ratio(self, metric: RatioMetric) -> Shape:
        findings = self.findings.below("ratioMetric")
        if metric.raw is not None:
            return self._raw(metric)
        if not (metric.good or metric.bad) or not (metric.total or (metric.good and metric.bad)):
            findings.error("a ratioMetric needs good or bad, and total")
        parts = {
            role: self._source(part, role, "ratioMetric", role)
            for role, part in (("good", metric.good), ("bad", metric.bad), ("total", metric.total))
            if part
        }
        for role, part in parts.items():
            if part.slices:
                findings.error(
                    "a 'slices' source belongs into a thresholdMetric: its value is held to the objective's", role
                )
        self._counter(metric, parts)
        good, bad, total = (parts[role].selectors if role in parts else () for role in ("good", "bad", "total"))
        queries = tuple(q for part in parts.values() for q in part.queries)
        foreign = next((part.foreign for part in parts.values() if part.foreign), "")
        return Shape(self.name, good, bad, total, queries=queries, foreign=foreign)

    def _raw(self, metric: RatioMetric) -> Shape:
        findings = self.findings.below("ratioMetric")
        if metric.good or metric.bad or metric.total:
            findings.error("raw can't be used together with good, bad or total", "raw")
        if metric.raw_type is None:
            findings.error("raw needs rawType: success or failure", "raw")
        said = "raw, a precomputed ratio, is not acted on: ratios can't be summed over windows; give good and total"
        findings.warn(said, "raw")
        return Shape(self.name, foreign=said)

    def _counter(self, metric: RatioMetric, parts: Mapping[str, Read]) -> None:
        """``counter`` says again what our sources say by their kind; where the two disagree, ours holds and it is said."""
        sources = {s.source for part in parts.values() for s in part.selectors}
        if metric.counter is False and Source.SUM in sources:
            said = "counter: false is not acted on: the kind of a metric says what it is, and a sum is a counter"
            self.findings.warn(said, "ratioMetric", "counter")
        if metric.counter is True and Source.GAUGE in sources:
            said = "counter: true is not acted on: the kind of a metric says what it is, and a gauge is no counter"
            self.findings.warn(said, "ratioMetric", "counter")

    def threshold(self, metric: Metric) -> Shape:
        read = self._source(metric, "total", "thresholdMetric")
        if read.foreign or read.slices:
            return Shape(self.name, slices=read.slices, queries=read.queries, foreign=read.foreign)
        for selector in read.selectors:
            valued = selector.source in VALUED or VALUE in DERIVED.get(selector.name, ())
            if not valued:
                said = f"'{shown(selector.name)}' is a count, without a value to compare: use a ratioMetric, or type slices"
                self.findings.error(said, "thresholdMetric")
            elif any(m.name == VALUE for m in selector.where):
                self.findings.error(
                    "the objective's op and value make the cut; leave 'value' out of where", "thresholdMetric"
                )
        return Shape(self.name, values=read.selectors)

    def _source(self, metric: Metric, role: str, *path: str) -> Read:
        source, findings = metric.source, self.findings.below(*path, "metricSource")
        type_ = source.type or self.data_sources.get(source.ref or "", "")
        if not type_ and source.ref in self.data_sources:
            findings.error(f"DataSource '{source.ref}' is wrong, see there", "metricSourceRef")
            return Read()
        unknown = source.ref is not None and source.ref not in self.data_sources
        missing = (
            f"; DataSource '{source.ref}' is not in the catalogue{near(source.ref or '', self.data_sources)}"
            if unknown
            else ""
        )
        if not type_ or (unknown and type_ in TYPES):
            findings.error(
                missing[2:] or "type is missing: " + ", ".join(TYPES), "metricSourceRef" if unknown else "type"
            )
            return Read()
        read = read_source(type_, source.spec, role, self.name, findings)
        if read.foreign:
            findings.warn(read.foreign + missing, "type" if source.type else "metricSourceRef")
        return read


# --- what a shape counts


def measured(shape: Shape) -> set[tuple[str, str]]:
    """Source and name of everything that it counts."""
    sliced = (shape.slices.numerator + shape.slices.denominator) if shape.slices else ()
    selectors = shape.good + shape.bad + shape.total + shape.values + sliced
    return {(str(s.source), s.name) for s in selectors}


def may_exceed(shape: Shape, findings: Findings) -> None:
    """Where nothing makes good (or bad) a part of total, a ratio can leave 0 to 1."""
    for role, selectors in (("good", shape.good), ("bad", shape.bad)):
        said = next((words for s in selectors if (words := _outside(s, shape.total))), "")
        if shape.total and said:
            findings.warn(f"{role} can exceed total: {said}")
    both = next((s for s in shape.good for b in shape.bad if _overlap(s, b)), None)
    if both:
        findings.warn(f"good and bad count the same of '{shown(both.name)}': together they can exceed total")


def _overlap(one: Selector, other: Selector) -> bool:
    """Whether all that one of them takes is taken by the other too."""
    same = (one.source, one.name, one.request) == (other.source, other.name, other.request)
    return same and (set(one.where) <= set(other.where) or set(other.where) <= set(one.where))


def _outside(selector: Selector, total: tuple[Selector, ...]) -> str:
    same = [t for t in total if (t.source, t.name, t.request) == (selector.source, selector.name, selector.request)]
    if not same:
        names = ", ".join(f"'{shown(t.name)}'" for t in total)
        return f"it counts '{shown(selector.name)}', total counts {names}"
    if any(set(t.where) <= set(selector.where) for t in same):
        return ""
    missing = next(m for t in same for m in t.where if m not in selector.where)
    return f"total asks for {shown(written(missing))}, it does not"
