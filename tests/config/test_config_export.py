"""Reading what `sloengine export` prints gives the same catalogue, whatever the catalogue holds."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sloengine.config.catalogue import catalogue_to_export, check_catalogue
from sloengine.config.export import as_yaml, documents
from sloengine.config.kept import Kept
from sloengine.config.yamlfile import read_documents
from sloengine.model import Catalogue

# Shrinking reads thousands of documents, which takes minutes; the failing one is small as it is.
same_folder = settings(
    suppress_health_check=list(HealthCheck),
    deadline=None,
    max_examples=60,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
names = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9]", fullmatch=True)
values = st.one_of(words, st.just('a"b\\\n;--'), st.just("' OR 1=1"))
attributes = st.sampled_from(["region", "model", "device", "k8s.cluster.name", "http.status_code"])
targets = st.sampled_from([0.95, 0.97, 0.99, 0.995, 0.999, 0.9995])


def matcher(name: str, op: str, value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'{name}{op}"{escaped}"'


matchers = st.builds(matcher, attributes, st.sampled_from(["=", "!="]), values)
where = st.one_of(
    st.lists(matchers, max_size=2),
    st.dictionaries(attributes, st.one_of(values, st.integers(0, 9)), min_size=1, max_size=2),
)


def spec(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(parts, optional={"where": where})


counts = st.one_of(
    st.builds(lambda s: {"type": "metrics", "spec": s}, spec(metric=names)),
    st.builds(lambda s: {"type": "metrics", "spec": {"any": s}}, st.lists(spec(metric=names), min_size=1, max_size=3)),
    st.builds(lambda s: {"type": "spans", "spec": s}, spec(span=names, request=st.sampled_from(["", "request.id"]))),
    st.builds(lambda s: {"type": "logs", "spec": s}, spec(event=names)),
    st.builds(
        lambda q, s: {"type": "sql", "spec": {"query": f"SELECT minute, events, '{q}' FROM t", "lookback": "1d", **s}},
        names,
        spec(),
    ),
)
valued = st.one_of(
    st.builds(
        lambda k, s: {"type": "metrics", "spec": {**s, "kind": k}},
        st.sampled_from(["histogram", "gauge"]),
        spec(metric=names),
    ),
    st.builds(lambda s: {"type": "spans", "spec": s}, spec(span=names)),
)


@st.composite
def indicators(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """An inline indicator (or a reference) and what its objective has to say."""
    kind = draw(st.sampled_from(["ratio", "threshold", "slices", "template"]))
    if kind == "template":
        return {"indicatorRef": draw(st.sampled_from([f"M{n}" for n in range(1, 16)]))}, {}
    metadata = {"name": "sli-" + draw(st.uuids()).hex[:12]}
    if kind == "ratio":
        roles = draw(st.sampled_from([("good", "total"), ("bad", "total"), ("good", "bad"), ("good", "bad", "total")]))
        ratio = {role: {"metricSource": draw(counts)} for role in roles}
        return {"indicator": {"metadata": metadata, "spec": {"ratioMetric": ratio}}}, {}
    objective = {"op": draw(st.sampled_from(["lte", "lt", "gte", "gt"])), "value": draw(st.floats(-1e6, 1e6))}
    if kind == "threshold":
        source = draw(valued)
    else:
        over = (
            {"over": draw(counts), "mode": draw(st.sampled_from(["verdict", "ratio"]))} if draw(st.booleans()) else {}
        )
        source = {"type": "slices", "spec": {"length": "30m", "per": ["device"], "of": draw(counts), **over}}
    return {"indicator": {"metadata": metadata, "spec": {"thresholdMetric": {"metricSource": source}}}}, objective


annotations = st.fixed_dictionaries(
    {},
    optional={
        "owner": st.sampled_from(["ml", "device ops, night"]),
        "runbook": st.just("docs/x.md"),
        "by": st.sampled_from(["region", "region, gateway", "device, k8s.cluster.name"]),
        "where": st.builds(", ".join, st.lists(matchers.filter(lambda m: "model" not in m), min_size=1, max_size=2)),
        "unknown": st.sampled_from(["ignore", "good", "bad"]),
        "weighting": st.sampled_from(["events", "nodes", "sites"]),
        "quantifier": st.sampled_from(["95% of nodes meet 99%", "worst 1% of nodes", "worst 2.5% of nodes meet 90%"]),
        "reserve": st.sampled_from(["20%", "0.125", "0.3"]),
        "slices-max": st.sampled_from(["7", "1000", "5000"]),
        "was": names,
    },
)
windows = st.sampled_from(
    [
        {"duration": "30d", "isRolling": True},
        {"duration": "28d", "isRolling": True},
        {"duration": "1w", "isRolling": True},
        {"duration": "45d", "isRolling": True},
        {"duration": "1M", "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": "Europe/Berlin"}},
        {"duration": "1Q", "isRolling": False, "calendar": {"startTime": "2026-01-31 06:30:00", "timeZone": "UTC"}},
    ]
)


@st.composite
def slos(draw: st.DrawFn, name: str) -> dict[str, Any]:
    found = {f"sloengine.dev/{k}": v for k, v in draw(annotations).items()}
    method = draw(st.sampled_from(["Occurrences", "Occurrences", "Timeslices", "RatioTimeslices"]))
    sliced = (
        {"timeSliceTarget": draw(st.sampled_from([0.9, 0.95, 1])), "timeSliceWindow": "5m"}
        if method == "Timeslices"
        else {}
    )
    sliced = {"timeSliceWindow": 10} if method == "RatioTimeslices" else sliced
    indicator, asked = draw(indicators())
    count = draw(st.sampled_from([1, 1, 2, 3]))
    # Of a promise over nodes the target is what it says.
    promised = {"95% of nodes meet 99%": 0.95, "worst 2.5% of nodes meet 90%": 0.9}.get(
        found.get("sloengine.dev/quantifier", "")
    )
    objectives = [
        {
            "target": promised or draw(targets),
            **sliced,
            **asked,
            **({"displayName": draw(words)} if draw(st.booleans()) else {}),
        }
        for _ in range(count)
    ]
    if count > 1 and draw(st.booleans()):
        objectives = [{**o, "compositeWeight": draw(st.sampled_from([1, 2.5, 0.1]))} for o in objectives]
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, "displayName": draw(words), "annotations": found},
        "spec": {
            "service": draw(st.sampled_from(["digits", "it's; DROP TABLE x --", "Größe"])),
            "description": draw(words),
            **indicator,
            "budgetingMethod": method,
            "timeWindow": [draw(windows)],
            "objectives": objectives,
            **({"alertPolicies": ["mine"]} if draw(st.booleans()) else {}),
        },
    }


MINE = {
    "apiVersion": "sloengine.dev/v1",
    "kind": "BurnPolicy",
    "metadata": {"name": "mine"},
    "spec": {
        "windows": [
            {"severity": "page", "long": "2h", "factor": 10},
            {"severity": "ticket", "long": "1d", "short": "1h", "budgetShare": 0.2},
        ]
    },
}
REST = """\
apiVersion: sloengine.dev/v1
kind: BurnPolicy
metadata: {name: mine}
spec: {windows: [{severity: page, long: 2h, factor: 10}, {severity: ticket, long: 1d, short: 1h, budgetShare: 0.2}]}
---
apiVersion: sloengine.dev/v1
kind: Rollout
metadata: {name: november}
spec:
  rollout: r_2026.11
  service: digits
  declared: 2026-11-01T06:00:00.1234Z
  version: 3
  waves:
    - {wave: 1, devices: [d1, d2]}
    - {devices: [d3]}
---
apiVersion: sloengine.dev/v1
kind: Inventory
metadata: {name: fleet}
spec:
  service: digits
  since: 2026-01-01T00:00:00Z
  nodes: [{device: "d'1", gateway: g, region: r}, {device: d2, gateway: g, region: r, since: 2026-02-01T12:00:30+02:00}]
---
apiVersion: sloengine.dev/v1
kind: Exclusion
metadata: {name: sundays}
spec:
  reason: Gateways are updated.
  where: {region: eu, k8s.cluster.name: 'a"b'}
  start: 2026-01-04 02:00:00
  duration: 90m
  rrule: FREQ=WEEKLY;BYDAY=SU
  timeZone: Europe/Stockholm
---
apiVersion: sloengine.dev/v1
kind: Exclusion
metadata: {name: gone}
spec: {reason: Decommissioned., where: {device: d9}, start: 2026-03-01T00:00:00+01:00}
---
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: scores, displayName: Scores, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec:
  service: digits
  metric: edge.inference.score
  segments: [site]
  against: pinned
  baseline: launch
  critical: [brakes]
  retrain: train
---
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: classes}
spec:
  service: digits
  metric: digits.found
  values: classes
  classAttribute: digit
  levels: [model, version]
  trailing: 2w
  window: 1h
  index: hellinger
  minimum: 0.123456789
  falseAlarms: 0.001
  persistence: 1 of 1
---
apiVersion: sloengine.dev/v1
kind: Indicators
metadata: {name: all}
spec:
  service: digits
  owner: ml
  by: region
  indicators: [M1, M2, M3, M4, M5, M6, M7, M8, M9, M10, M11, M12, M13, M14, M15]
"""


def without_places(catalogue: Catalogue) -> Catalogue:
    return replace(
        catalogue,
        slos=tuple(replace(s, source="") for s in catalogue.slos),
        queries=tuple(replace(q, source="") for q in catalogue.queries),
        monitors=tuple(replace(m, source="") for m in catalogue.monitors),
    )


def again(catalogue: Catalogue, kept: Kept, file: Path) -> tuple[Catalogue, Kept]:
    file.write_text(as_yaml(documents(catalogue, kept)), encoding="utf-8")
    found, kept, problems = catalogue_to_export([file])
    assert [str(p) for p in problems if p.severity == "error"] == [], file.read_text(encoding="utf-8")
    return found, kept


def same(text: str, folder: Path) -> Catalogue:
    """The catalogue of a text, which its export, and the export of that, give again."""
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    first, kept, problems = catalogue_to_export([folder / "a.yaml"])
    assert first.slos or first.broken, [str(p) for p in problems]
    second, kept_again = again(first, kept, folder / "b.yaml")
    assert without_places(second) == without_places(replace(first, broken=()))
    assert documents(second, kept_again) == documents(first, kept)
    return first


@same_folder
@given(found=st.tuples(slos("a"), slos("b")))
def test_reading_an_export_gives_an_equal_catalogue(found: tuple[dict[str, Any], ...], tmp_path: Path) -> None:
    same(json.dumps([*found, MINE], ensure_ascii=False), tmp_path)


def test_all_indicators_and_our_own_kinds_come_back_too(tmp_path: Path) -> None:
    catalogue = same(REST, tmp_path)
    assert (len(catalogue.slos), len(catalogue.nodes), len(catalogue.exclusions)) == (15, 2, 2)
    assert [(m.name, m.display_name, m.owner) for m in catalogue.monitors] == [
        ("scores", "Scores", "ml"), ("classes", "", ""),
    ]  # fmt: skip


def test_every_slo_of_an_export_is_plain_openslo_over_our_metric_sources(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(REST, encoding="utf-8")
    catalogue, _ = check_catalogue([tmp_path])
    found = [d for d in documents(catalogue) if d["kind"] == "SLO"]
    assert len(found) == 15
    for document in found:
        assert document["apiVersion"] == "openslo/v1"
        assert "indicatorRef" not in document["spec"], "templates are written out"
        assert document["metadata"]["annotations"]["sloengine.dev/owner"] == "ml"


@pytest.mark.parametrize("kind", ["Inventory", "Exclusion", "DriftMonitor", "BurnPolicy", "Rollout"])
def test_what_openslo_can_not_say_is_exported_as_our_own_kinds(kind: str, tmp_path: Path) -> None:
    use = REST.replace("{M1", "").replace("by: region", "by: region\n  timeWindow: [{duration: 45d, isRolling: true}]")
    (tmp_path / "a.yaml").write_text(use, encoding="utf-8")
    catalogue, _ = check_catalogue([tmp_path])
    assert {d["apiVersion"] for d in documents(catalogue) if d["kind"] == kind} == {"sloengine.dev/v1"}


def test_slices_over_several_kinds_of_sources_come_back(tmp_path: Path) -> None:
    source = {"good": {"type": "logs", "spec": {"event": "a"}}, "bad": {"type": "metrics", "spec": {"metric": "b"}}}
    slo = {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": "x"},
        "spec": {
            "service": "s",
            "indicator": {
                "metadata": {"name": "i"},
                "spec": {"ratioMetric": {role: {"metricSource": part} for role, part in source.items()}},
            },
            "budgetingMethod": "Timeslices",
            "objectives": [{"target": 0.99, "timeSliceTarget": 0.9, "timeSliceWindow": "5m"}],
        },
    }
    (found,) = same(json.dumps(slo), tmp_path).slos
    assert found.sli.slices is not None
    assert [s.name for s in found.sli.slices.denominator] == ["a", "b"]


# --- what nothing acts on is not lost


class Words:
    """Words that occur once each, so that one can look for them."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw, self.count = draw, 0

    def word(self) -> str:
        self.count += 1
        return f"w{self.count}w"

    def some(self, **texts: Any) -> dict[str, Any]:
        """Some of these keys."""
        return {key: value for key, value in texts.items() if self.draw(st.booleans())}

    def metadata(self, name: str, **own: str) -> dict[str, Any]:
        label = self.word() if self.draw(st.booleans()) else [self.word(), self.word()]
        labels, annotations = {self.word(): label}, {f"foo.com/{self.word()}": self.word()}
        return {"name": name, **self.some(displayName=self.word(), labels=labels, annotations=annotations), **own}

    def about(self) -> dict[str, str]:
        return self.some(description=self.word())

    def document(self, kind: str, name: str, spec: dict[str, Any], version: str = "openslo/v1") -> dict[str, Any]:
        return {"apiVersion": version, "kind": kind, "metadata": self.metadata(name), "spec": spec}

    def policy(self) -> dict[str, Any]:
        condition = {"severity": "page", "condition": {"kind": "burnrate", "threshold": 4, "lookbackWindow": "2h"}}
        there = self.draw(st.booleans())
        use = {"kind": "AlertCondition", "metadata": self.metadata("here"), "spec": {**self.about(), **condition}}
        target = {"metadata": self.metadata("pager"), "spec": {**self.about(), "target": "pager"}}
        targets = self.some(notificationTargets=[{"targetRef": "mail"}, target])
        return {**self.about(), "conditions": [{"conditionRef": "fast"} if there else use], **targets}

    def slo(self, name: str) -> dict[str, Any]:
        count = self.draw(st.integers(1, 3))
        weight = {"compositeWeight": 1} if self.draw(st.booleans()) else {}
        ratio = {role: {"metricSource": source} for role, source in SOURCES.items()}
        inline = {"metadata": self.metadata("i"), "spec": {**self.about(), "ratioMetric": ratio}}
        indicator = self.draw(st.sampled_from([{"indicatorRef": "M1"}, {"indicatorRef": "sli"}, {"indicator": inline}]))
        policy = {"kind": "AlertPolicy", "metadata": self.metadata("there"), "spec": self.policy()}
        uses = self.draw(st.sampled_from([[], ["mine"], ["theirs"], [policy], ["mine", policy]]))
        return self.document(
            "SLO",
            name,
            {
                **self.about(),
                "service": "digits",
                **indicator,
                "objectives": [{"target": 0.995, **self.some(displayName=self.word()), **weight} for _ in range(count)],
                "timeWindow": [{"duration": "30d", "isRolling": True}],
                "budgetingMethod": "Occurrences",
                "alertPolicies": uses,
            },
        )


SOURCES = {
    "good": {"type": "metrics", "spec": {"metric": "a", "where": ['ok="1"']}},
    "total": {"metricSourceRef": "ours", "spec": {"metric": "a"}},
}


@st.composite
def folders(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Every kind of document, with words wherever words may stand."""
    words = Words(draw)
    ratio = {role: {"metricSource": source} for role, source in SOURCES.items()}
    node = {"device": "d", "gateway": "g", "region": "r"}
    condition = {"kind": "burnrate", "op": "gt", "threshold": 5, "lookbackWindow": "1h"}
    own = "sloengine.dev/v1"
    window = {"severity": "page", "long": "2h", "factor": 10}
    rollout = {"service": "digits", "declared": "2026-01-01T00:00:00Z"}
    made = [
        words.document("Service", "digits", words.about()),
        words.document("SLI", "sli", {**words.about(), "ratioMetric": ratio}),
        words.document("DataSource", "ours", {**words.about(), "type": "metrics"}),
        words.document("AlertPolicy", "theirs", words.policy()),
        words.document("AlertCondition", "fast", {**words.about(), "severity": "page", "condition": condition}),
        words.document("AlertNotificationTarget", "mail", {**words.about(), "target": "mail"}),
        words.document("BurnPolicy", "mine", {**words.about(), "windows": [window]}, own),
        words.document(
            "Inventory", "fleet", {"service": "digits", "since": "2026-01-01T00:00:00Z", "nodes": [node]}, own
        ),
        words.document("Rollout", "next", {**rollout, "waves": [{"devices": ["d"]}]}, own),
        words.document(
            "Exclusion", "works", {"reason": words.word(), "where": ['region="x"'], "start": "2026-01-01"}, own
        ),
        words.document("DriftMonitor", "scores", {"service": "digits", "metric": "s"}, own),
        words.slo("one"),
        words.slo("two"),
    ]
    row = {"M1": words.some(annotations={f"foo.com/{words.word()}": words.word()})}
    policies = [{"kind": "AlertPolicy", "metadata": words.metadata("all"), "spec": words.policy()}]
    lines = {"service": "digits", "indicators": [row, "M2"], **words.some(alertPolicies=policies)}
    return [*made, words.document("Indicators", "lines", lines, own)]


def paths(value: Any, path: tuple[str | int, ...] = ()) -> dict[str, tuple[str | int, ...]]:
    """Where each word stands: the path of a value, or of a key."""
    if isinstance(value, str):
        return {value.removeprefix("foo.com/"): path}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {}
    for key, item in items:
        found |= paths(item, (*path, key)) | (paths(key, (*path, key)) if isinstance(key, str) else {})
    return {word: place for word, place in found.items() if word.startswith("w") and word.endswith("w")}


@settings(same_folder, max_examples=8)
@given(made=folders())
def test_a_word_of_a_document_is_exported_or_it_is_said_that_it_is_not(
    made: list[dict[str, Any]], tmp_path: Path
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("---\n".join(json.dumps(d, indent=1) + "\n" for d in made), encoding="utf-8")
    same(file.read_text(encoding="utf-8"), tmp_path)
    catalogue, kept, problems = catalogue_to_export([file])
    assert [str(p) for p in problems if p.severity == "error"] == []
    out, said = as_yaml(documents(catalogue, kept)), {p.line for p in problems if "not acted on" in p.message}
    said |= {p.line for p in problems if "not exported" in p.message}
    unused = {p.line for p in problems if "is used by no" in p.message}
    for value, document in zip(made, read_documents(file), strict=True):
        for word, path in paths(value).items():
            if document.line(("metadata", "name")) in unused:
                continue  # of what is not exported at all it is said once
            named = [document.line(path)]
            named += [document.line(path[: i + 1]) for i, key in enumerate(path) if key in ("labels", "annotations")]
            assert word in out or said & set(named), (word, path, file.read_text(encoding="utf-8"))
    for value in made:
        if value["kind"] in ("SLO", "Service", "Exclusion", "DriftMonitor"):
            (metadata,) = [value["metadata"]]
            copies = [d["metadata"] for d in documents(catalogue, kept) if d["kind"] == value["kind"]]
            mine = [m for m in copies if m["name"].partition(".")[0] == metadata["name"]]
            assert mine
            assert all(m.get("labels") == metadata.get("labels") for m in mine)
            assert all(m.get("annotations", {}) == metadata.get("annotations", {}) for m in mine)


@pytest.mark.parametrize("what", ["labels", "annotations"])
def test_labels_and_annotations_of_a_document_of_indicators_are_those_of_its_slos(what: str, tmp_path: Path) -> None:
    text = REST.replace("metadata: {name: all}", f"metadata: {{name: all, {what}: {{foo.com/a: b}}}}")
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, kept, _ = catalogue_to_export([tmp_path])
    found = [d["metadata"][what] for d in documents(catalogue, kept) if d["kind"] == "SLO"]
    assert len(found) == 15
    assert all(m["foo.com/a"] == "b" for m in found)


def test_policies_of_one_name_that_differ_do_not_become_one(tmp_path: Path) -> None:
    condition = {"severity": "page", "condition": {"kind": "burnrate", "threshold": 8, "lookbackWindow": "1h"}}
    other = {"severity": "page", "condition": {"kind": "burnrate", "threshold": 4, "lookbackWindow": "6h"}}
    slo = {"service": "s", "indicatorRef": "M1", "timeWindow": [{"duration": "10d", "isRolling": True}]}
    own = {"windows": [{"severity": "page", "long": "1h", "budgetShare": 0.05}]}
    made = [
        {"apiVersion": "sloengine.dev/v1", "kind": "BurnPolicy", "metadata": {"name": "7d.10d"}, "spec": own},
        *(
            {
                "apiVersion": "openslo/v1",
                "kind": "SLO",
                "metadata": {"name": name},
                "spec": {**slo, "alertPolicies": uses},
            }
            for name, uses in {
                "a": [{"metadata": {"name": "fast"}, "spec": {"conditions": [{"spec": condition}]}}],
                "b": [{"metadata": {"name": "fast"}, "spec": {"conditions": [{"spec": other}]}}],
                "c": [],
                "d": ["7d.10d"],
            }.items()
        ),
    ]
    (tmp_path / "a.yaml").write_text(json.dumps(made), encoding="utf-8")
    first, kept, _ = catalogue_to_export([tmp_path / "a.yaml"])
    assert [s.policy.name for s in first.slos] == ["a.fast.10d", "b.fast.10d", "7d.10d", "7d.10d"]
    second, _ = again(first, kept, tmp_path / "b.yaml")
    assert [s.policy.windows for s in second.slos] == [s.policy.windows for s in first.slos]
    assert len({s.policy.windows for s in second.slos}) == 4
