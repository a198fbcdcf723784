"""OpenSLO v1: every kind, inline or by reference, over our metric sources; what is not acted on is said."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from sloengine.config.catalogue import check_catalogue, load_catalogue
from sloengine.errors import ConfigError
from sloengine.model import (
    Calendar,
    Catalogue,
    Component,
    DatedTarget,
    Exclusion,
    Matcher,
    Quantifier,
    RolloutTarget,
    Selector,
    Sli,
    SliceRule,
    Slo,
    Source,
    SqlMeasure,
    Unknown,
    Weighting,
)  # fmt: skip

GOLDEN = Path(__file__).parents[1] / "golden" / "lint"
HEAD = (
    "apiVersion: openslo/v1\nkind: SLO\nmetadata:\n  name: x\n"
    "  annotations:\n    sloengine.dev/owner: ml\n    sloengine.dev/runbook: r\n"
)
GOOD = "{metricSource: {type: metrics, spec: {metric: frames, where: ['result=\"ok\"']}}}"
TOTAL = "{metricSource: {type: metrics, spec: {metric: frames}}}"
RATIO = f"{{metadata: {{name: frames}}, spec: {{ratioMetric: {{good: {GOOD}, total: {TOTAL}}}}}}}"
ROLLING = "timeWindow: [{duration: 30d, isRolling: true}]"
FRAMES = Selector(Source.SUM, "frames")
FRAMES_OK = Selector(Source.SUM, "frames", (Matcher("result", "=", "ok"),))


def read(folder: Path, text: str) -> tuple[Catalogue, list[str]]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([folder])
    return catalogue, [str(p).removeprefix(f"{folder}/a.yaml:") for p in problems]


def document(
    indicator: str = f"indicator: {RATIO}", objectives: str = "[{target: 0.99}]", window: str = ROLLING,
    method: str = "Occurrences", more: str = "", annotations: str = "",
) -> str:  # fmt: skip
    extra = "".join(f"    sloengine.dev/{line}\n" for line in annotations.splitlines())
    return (
        f"{HEAD}{extra}spec:\n  service: digits\n  {indicator}\n  {window}\n  budgetingMethod: {method}\n"
        f"  objectives: {objectives}\n{more}"
    )


def slos(folder: Path, text: str) -> tuple[Slo, ...]:
    catalogue, problems = read(folder, text)
    assert problems == []
    return catalogue.slos


def metric(type_: str, spec: str) -> str:
    return f"{{metricSource: {{type: {type_}, spec: {spec}}}}}"


@pytest.mark.parametrize("name", ["other-vendors", "mistakes", "shapes", "alone"])
def test_lint_says_of_every_line_what_it_will_not_act_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reviewed as diffs: `cd tests/golden/lint; sloengine lint NAME.yaml > NAME.txt`."""
    monkeypatch.chdir(GOLDEN)
    _, problems = check_catalogue([Path(f"{name}.yaml")])
    said = "".join(f"{p}\n" for p in sorted(problems, key=lambda p: (p.file, p.line)))
    assert said == (GOLDEN / f"{name}.txt").read_text(encoding="utf-8")


def test_every_kind_and_field_over_our_sources_is_built() -> None:
    catalogue, _ = check_catalogue([GOLDEN / "shapes.yaml"])
    assert [s.name for s in catalogue.slos] == [
        *("crossing.inside", "crossing.contract", "crossing-slices", "crossing-ratios"),
        *("whole.closed", "whole.looked", "whole"),
    ]
    assert catalogue.broken == ()
    by_name = {s.name: s for s in catalogue.slos}
    factors = [round(w.factor(timedelta(days=28)), 9) for w in by_name["crossing.inside"].policy.windows]
    assert factors == [2, 3], "both conditions, not the policy that never alerts"
    assert by_name["whole"].components == (Component("whole.closed", 1), Component("whole.looked", 2))


def test_what_is_another_vendors_is_neither_built_nor_broken() -> None:
    catalogue, problems = check_catalogue([GOLDEN / "other-vendors.yaml"])
    assert (catalogue.slos, catalogue.broken) == ((), ())
    assert {p.severity for p in problems} == {"warning"}


# --- metric sources


@pytest.mark.parametrize(
    ("type_", "spec", "selector"),
    [
        ("metrics", "{metric: a.b}", Selector(Source.SUM, "a.b")),
        (
            "metrics",
            "{metric: a.b, kind: gauge, where: ['value <= 0.5']}",
            Selector(Source.GAUGE, "a.b", (Matcher("value", "<=", "0.5"),)),
        ),
        (
            "spans",
            "{span: GET /x, where: {model: digits}, request: request.id}",
            Selector(Source.SPAN, "GET /x", (Matcher("model", "=", "digits"),), "request.id"),
        ),
        ("spans", "{span: call, where: ['value > 2']}", Selector(Source.SPAN, "call", (Matcher("value", ">", "2"),))),
        (
            "logs",
            "{event: edge.model.loaded, where: ['edge.region=~\"eu-.*\"']}",
            Selector(Source.LOG, "edge.model.loaded", (Matcher("edge.region", "=~", "eu-.*"),)),
        ),
        (
            "derived",
            "{measure: label.lag, where: ['value <= 60']}",
            Selector(Source.DERIVED, "label.lag", (Matcher("value", "<=", "60"),)),
        ),
    ],
)
def test_a_metric_source_becomes_a_selector(type_: str, spec: str, selector: Selector, tmp_path: Path) -> None:
    ratio = f"{{bad: {metric(type_, spec)}, total: {metric(type_, spec)}}}"
    (found,) = slos(tmp_path, document(f"indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {ratio}}}}}"))
    assert found.sli == Sli(bad=(selector,), total=(selector,))
    assert found.indicator == "y"


def test_a_query_becomes_a_measure_of_its_own_with_its_place(tmp_path: Path) -> None:
    query = "WITH 1 AS x SELECT toStartOfMinute(t) AS minute, count() AS events FROM otel_logs GROUP BY minute -- it's; fine"
    sql = f'{{metricSource: {{type: sql, spec: {{query: "{query}", lookback: 1d}}}}}}'
    text = document(f"indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {{bad: {sql}, total: {TOTAL}}}}}}}")
    catalogue, problems = read(tmp_path, text)
    assert problems == ["13: warning: bad can exceed total: it counts 'sql:y:bad', total counts 'frames'"]
    assert catalogue.queries == (SqlMeasure("sql:y:bad", query, timedelta(days=1), f"{tmp_path}/a.yaml:10"),)
    assert catalogue.slos[0].sli.bad == (Selector(Source.DERIVED, "sql:y:bad"),)


@pytest.mark.parametrize(
    ("op", "cut"),
    [("lte", "<="), ("lt", "<="), ("gte", ">"), ("gt", ">")],
)
def test_a_threshold_is_a_cut_that_holds_its_upper_edge(op: str, cut: str, tmp_path: Path) -> None:
    indicator = f"indicator: {{metadata: {{name: y}}, spec: {{thresholdMetric: {metric('spans', '{span: call}')}}}}}"
    (found,) = slos(tmp_path, document(indicator, f"[{{target: 0.99, op: {op}, value: 0.25}}]"))
    span = Selector(Source.SPAN, "call")
    assert found.sli == Sli(good=(Selector(Source.SPAN, "call", (Matcher("value", cut, "0.25"),)),), total=(span,))


@pytest.mark.parametrize(
    ("unit", "value", "text"), [("ms", "100", "0.1"), ("min", "1.5", "90"), ("%", "80", "0.8"), ("MB", "0.3", "300000")]
)
def test_a_value_in_another_unit_is_the_number_that_a_person_would_write(
    unit: str, value: str, text: str, tmp_path: Path
) -> None:
    indicator = f"indicator: {{metadata: {{name: y}}, spec: {{thresholdMetric: {metric('spans', '{span: call}')}}}}}"
    (found,) = slos(
        tmp_path, document(indicator, f"[{{target: 0.99, op: lte, value: {value}}}]", annotations=f'unit: "{unit}"')
    )
    assert found.sli.good[0].where == (Matcher("value", "<=", text),)


# --- time slices


def test_timeslices_are_verdicts_of_a_rule_by_what_the_slo_is_told_apart_by(tmp_path: Path) -> None:
    objectives = "[{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}]"
    (found,) = slos(
        tmp_path, document(objectives=objectives, method="Timeslices", annotations="by: region\nwhere: 'model=\"m\"'")
    )
    where = (Matcher("model", "=", "m"),)
    rule = SliceRule(
        timedelta(minutes=5), ("region",), (Selector(Source.SUM, "frames", FRAMES_OK.where + where),),
        (Selector(Source.SUM, "frames", where),), "gte", 0.95,
    )  # fmt: skip
    verdict = {v: (Selector(Source.DERIVED, "slice:x", (Matcher("verdict", "=", v),)),) for v in ("good", "bad")}
    assert found.sli == Sli(verdict["good"], verdict["bad"], (Selector(Source.DERIVED, "slice:x"),), rule)
    assert found.where == (), "verdicts no longer carry it; the rule's selectors do"


@pytest.mark.parametrize(
    ("ratio", "op", "method", "expected"),
    [
        (f"{{good: {GOOD}, total: {TOTAL}}}", "", "Timeslices", ("gte", 0.9, "verdict")),
        (f"{{good: {GOOD}, total: {TOTAL}}}", "op: gt,", "Timeslices", ("gt", 0.9, "verdict")),
        (f"{{bad: {GOOD}, total: {TOTAL}}}", "", "Timeslices", ("lte", 0.1, "verdict")),
        (f"{{bad: {GOOD}, total: {TOTAL}}}", "op: gt,", "Timeslices", ("lt", 0.1, "verdict")),
        (f"{{good: {GOOD}, total: {TOTAL}}}", "", "RatioTimeslices", ("gte", 0.0, "ratio")),
        (f"{{bad: {GOOD}, total: {TOTAL}}}", "", "RatioTimeslices", ("lte", 1.0, "ratio")),
    ],
)
def test_a_slice_is_judged_by_its_good_or_by_its_bad_part(
    ratio: str, op: str, method: str, expected: tuple[str, float, str], tmp_path: Path
) -> None:
    share = "timeSliceTarget: 0.9, " if method == "Timeslices" else ""
    objectives = f"[{{target: 0.99, {op} {share}timeSliceWindow: 5}}]"
    (found,) = slos(
        tmp_path,
        document(f"indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {ratio}}}}}", objectives, method=method),
    )
    rule = found.sli.slices
    assert rule is not None
    assert (rule.op, rule.threshold, rule.mode) == expected
    assert rule.length == timedelta(minutes=5)


def test_weighting_and_quantifiers_keep_the_verdicts_of_nodes_and_sites_apart(tmp_path: Path) -> None:
    objectives = "[{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}]"
    for words, per in (
        ("weighting: nodes", "device"),
        ("weighting: sites", "gateway"),
        ("quantifier: worst 1% of nodes", "device"),
    ):
        (found,) = slos(
            tmp_path, document(objectives=objectives, method="Timeslices", annotations=f"by: model\n{words}")
        )
        assert found.sli.slices is not None
        assert found.sli.slices.per == ("model", per)


# --- windows


@pytest.mark.parametrize(("duration", "days"), [("7d", 7), ("4w", 28), ("1M", 30), ("1Q", 90), ("1Y", 365), ("72h", 3)])
def test_a_rolling_window_has_a_length(duration: str, days: int, tmp_path: Path) -> None:
    (found,) = slos(tmp_path, document(window=f"timeWindow: [{{duration: {duration}, isRolling: true}}]"))
    assert (found.window, found.calendar) == (timedelta(days=days), None)


@pytest.mark.parametrize(
    ("duration", "days", "count", "unit"),
    [
        ("1d", 1, 1, "day"),
        ("2w", 14, 2, "week"),
        ("1M", 30, 1, "month"),
        ("1Q", 90, 1, "quarter"),
        ("1Y", 365, 1, "year"),
    ],
)
def test_a_calendar_window_has_periods_in_a_zone(
    duration: str, days: int, count: int, unit: str, tmp_path: Path
) -> None:
    calendar = "{startTime: 2026-01-01 06:30:00, timeZone: America/New_York}"
    (found,) = slos(tmp_path, document(window=f"timeWindow: [{{duration: {duration}, calendar: {calendar}}}]"))
    assert (found.window, found.calendar) == (
        timedelta(days=days), Calendar(count, unit, datetime(2026, 1, 1, 6, 30), "America/New_York"),  # noqa: DTZ001
    )  # fmt: skip


@pytest.mark.parametrize(
    ("window", "said"),
    [
        (
            "{duration: 1M, isRolling: true, calendar: {startTime: 2026-01-01, timeZone: UTC}}",
            "rolling or of the calendar, not both",
        ),
        ("{duration: 1M, isRolling: false}", "say isRolling: true, or give calendar"),
        ("{duration: 1M, calendar: {startTime: 2026-01-01T00:00:00Z, timeZone: UTC}}", "is not a local date and time"),
        (
            "{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: utc}}",
            "unknown time zone 'utc'; did you mean 'UTC'",
        ),
        ("{duration: 13m, calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}}", "did you mean '13M'?"),
        ("{duration: 2Y, calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}}", "is longer than 400d"),
        ("{duration: 0M, isRolling: true}", "a duration must be longer than zero"),
    ],
)
def test_a_window_that_contradicts_itself_is_refused(window: str, said: str, tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, document(window=f"timeWindow: [{window}]"))
    assert catalogue.slos == ()
    assert any(said in p and ": error: " in p for p in problems), problems


# --- several objectives


POLICY = """\
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: p}
      spec:
        conditions:
          - kind: AlertCondition
            metadata: {name: c}
            spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h, alertAfter: 5m}}
"""


def test_each_objective_is_an_slo_named_by_its_words(tmp_path: Path) -> None:
    objectives = "[{target: 0.99, displayName: Good Experience}, {target: 0.999}, {target: 0.9, displayName: '!'}]"
    found = slos(tmp_path, document(objectives=objectives, more=POLICY))
    assert [(s.name, s.target) for s in found] == [("x.good-experience", 0.99), ("x.2", 0.999), ("x.3", 0.9)]
    assert found[0].policy.windows[0].factor(timedelta(days=30)) == pytest.approx(2)


def test_weights_add_an_slo_over_the_objectives(tmp_path: Path) -> None:
    one = f"{{displayName: Frames, target: 0.98, compositeWeight: 1, indicator: {RATIO}}}"
    two = "{displayName: Answers, target: 0.99, compositeWeight: 3, indicatorRef: M1}"
    found = slos(tmp_path, document("description: two in one", f"[{one}, {two}]"))
    assert [s.name for s in found] == ["x.frames", "x.answers", "x"]
    whole = found[2]
    assert whole.components == (Component("x.frames", 1), Component("x.answers", 3))
    assert whole.sli == Sli()
    assert whole.target == pytest.approx(0.9875)


# --- annotations


def test_annotations_say_what_openslo_has_no_place_for(tmp_path: Path) -> None:
    annotations = """by: model, k8s.cluster.name, job, device.id, os.version
where: 'region="eu", k8s.namespace.name=~"a|b"'
unknown: bad
weighting: nodes
quantifier: 99% of nodes meet 95%
reserve: 20%
slices-max: 50
target-history: '2026-01-01: 95%, 2026-06-01T12:00:00+02:00: 99%'
was: old"""
    (found,) = slos(tmp_path, document(annotations=annotations))
    assert found.by == ("model", "k8s.cluster.name", "job", "device.id", "os.version")
    assert found.where == (Matcher("region", "=", "eu"), Matcher("k8s.namespace.name", "=~", "a|b"))
    assert (found.unknown, found.weighting) == (Unknown.BAD, Weighting.NODES)
    assert found.quantifier == Quantifier(0.99, 0.95)
    assert (found.reserve, found.slices_max, found.was) == (0.2, 50, "old")
    june = datetime(2026, 6, 1, 10, tzinfo=UTC)
    assert found.targets == (DatedTarget(datetime(2026, 1, 1, tzinfo=UTC), 0.95), DatedTarget(june, 0.99))


def test_zero_tolerance_has_a_target_of_one_and_no_unreachable_burn_rate(tmp_path: Path) -> None:
    (found,) = slos(tmp_path, document(objectives="[{target: 1}]", annotations="zero-tolerance: true"))
    assert (found.target, found.zero_tolerance) == (1.0, True)


def test_a_history_ends_with_the_present_target(tmp_path: Path) -> None:
    _, problems = read(tmp_path, document(annotations="target-history: '2026-01-01: 95%'"))
    assert problems == ["8: error: target-history ends with 0.95, the objective's target is 0.99"]


@pytest.mark.parametrize(
    ("quantifier", "said"),
    [
        (
            "95% of nodes meet 99%",
            "of a promise over nodes the target is the share of nodes that keep the promise, 0.95",
        ),
        ("worst 1% of nodes meet 90%", "of a promise over nodes the target is what the worst nodes are to reach, 0.9"),
        ("99% of nodes meet 95%", ""),
        ("worst 1% of nodes meet 99%", ""),
        ("worst 1% of nodes", ""),
    ],
)
def test_a_promise_over_nodes_and_its_objective_say_the_same(quantifier: str, said: str, tmp_path: Path) -> None:
    _, problems = read(tmp_path, document(annotations=f"quantifier: {quantifier}"))
    assert problems == ([f"14: error: target 0.99 and the quantifier differ: {said}"] if said else [])


def test_an_exclusion_is_read_in_its_zone(tmp_path: Path) -> None:
    text = (
        "apiVersion: sloengine.dev/v1\nkind: Exclusion\nmetadata: {name: sundays}\n"
        "spec:\n  reason: updates\n  where: {region: eu}\n"
        "  start: 2026-01-04 02:00:00\n  duration: 2h\n  rrule: FREQ=WEEKLY;BYDAY=SU\n  timeZone: Europe/Stockholm\n"
    )
    catalogue, problems = read(tmp_path, text)
    assert problems == []
    start = datetime(2026, 1, 4, 1, tzinfo=UTC)
    where = (Matcher("region", "=", "eu"),)
    assert catalogue.exclusions == (
        Exclusion("sundays", "updates", where, start, timedelta(hours=2), "FREQ=WEEKLY;BYDAY=SU", "Europe/Stockholm"),
    )


# --- rollouts


ROLLOUT = """apiVersion: sloengine.dev/v1
kind: Rollout
metadata: {name: november}
spec:
  service: digits
  declared: 2026-11-01T06:00:00Z
  model: m
  version: 3
  waves:
    - {wave: canary, devices: [d1]}
    - {devices: [d2, d3]}
"""


def test_a_rollout_names_the_devices_that_it_is_meant_to_reach(tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, ROLLOUT)
    at = datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert problems == []
    assert catalogue.targets == (
        RolloutTarget("november", "d1", "digits", at, "canary", "m", "3"),
        RolloutTarget("november", "d2", "digits", at, "", "m", "3"),
        RolloutTarget("november", "d3", "digits", at, "", "m", "3"),
    )
    catalogue, _ = read(tmp_path, ROLLOUT.replace("service: digits", "service: digits\n  rollout: r_1"))
    assert {t.rollout for t in catalogue.targets} == {"r_1"}


def test_a_rollout_with_a_mistake_declares_nothing_and_stays_visible(tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, ROLLOUT.replace("[d2, d3]", "[d2, d1]"))
    assert problems == [f"11: error: device 'd1' of rollout 'november' is listed already at {tmp_path}/a.yaml:10"]
    assert catalogue.targets == ()
    assert [b.name for b in catalogue.broken] == ["Rollout november"]


def test_devices_of_a_rollout_that_no_inventory_knows_are_named(tmp_path: Path) -> None:
    nodes = "[{device: d1, gateway: g, region: r}, {device: d3, gateway: g, region: r}]"
    inventory = "---\napiVersion: sloengine.dev/v1\nkind: Inventory\nmetadata: {name: i}\n"
    spec = f"spec: {{service: digits, since: 2026-01-01T00:00:00Z, nodes: {nodes}}}\n"
    _, problems = read(tmp_path, ROLLOUT + inventory + spec)
    assert problems == [
        "9: warning: 1 devices are in no Inventory of 'digits', such as 'd2':"
        " while they are silent, their region and gateway are not known"
    ]


# --- references and what is broken


def test_references_are_resolved_over_all_files_in_any_order(tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_text(
        f"apiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: frames}}\nspec: {{ratioMetric: {{good: {GOOD}, total: "
        "{metricSource: {metricSourceRef: ours, spec: {metric: frames}}}}}\n---\n"
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: ours}\nspec: {type: metrics}\n",
        encoding="utf-8",
    )
    (found,) = slos(tmp_path, document("indicatorRef: frames"))
    assert found.sli == Sli(good=(FRAMES_OK,), total=(FRAMES,))


def test_one_broken_slo_stops_no_other_and_stays_visible(tmp_path: Path) -> None:
    broken = document(objectives="[{target: 99}]").replace("name: x", "name: broken")
    (tmp_path / "a.yaml").write_text(
        document() + "---\n" + broken + "---\n" + document().replace("kind: SLO", "kind: SLO\nextra: 1")
    )
    catalogue = load_catalogue(tmp_path)
    assert [s.name for s in catalogue.slos] == ["x"]
    assert [(b.name, b.source.rsplit(":", 1)[1], b.reason) for b in catalogue.broken] == [
        ("broken", "15", "target 99 must lie between 0 and 1; targets are ratios, such as 0.999"),
        ("x", "29", "unknown key 'extra'"),
    ]


@pytest.mark.parametrize(
    ("case", "text"),
    [("nothing but a broken one", document(objectives="[{target: 99}]")), ("no YAML", document() + "---\na: [1\n")],
)
def test_a_catalogue_of_which_nothing_can_be_used_or_read_is_refused(case: str, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(ConfigError):
        load_catalogue(tmp_path)


def test_hostile_names_end_on_one_line_of_words(tmp_path: Path) -> None:
    hostile = "x\\n/etc/passwd:1: error: '; DROP TABLE slo_status; --" + "y" * 5000
    for place in ("indicatorRef: frames", "alertPolicies: [mine]", "budgetingMethod: Occurrences"):
        text = document("indicatorRef: frames", more="  alertPolicies: [mine]\n")
        assert place in text
        key = place.split(":")[0]
        value = f'"{hostile}"' if key != "alertPolicies" else f'[{{alertPolicyRef: "{hostile}"}}]'
        _, problems = read(tmp_path, text.replace(place, f"{key}: {value}"))
        assert problems
        assert all(p.isprintable() and len(p) < 600 for p in problems)
        assert all(p.split(":")[0].isdigit() for p in problems)


@pytest.mark.parametrize("percent", ["99.9", "99.95", "99.7", "56.7"])
def test_a_percentage_in_an_annotation_is_exactly_the_ratio_that_a_person_would_write(
    percent: str, tmp_path: Path
) -> None:
    target = str(Decimal(percent) / 100)
    text = document(
        objectives=f"[{{target: {target}}}]",
        annotations=f"target-history: '2026-01-01: {percent}%'\nreserve: {percent}%",
    )
    found, problems = read(tmp_path, text.replace("sre-workbook", "gentle"))
    assert not any("target-history" in p for p in problems), problems
    assert [s.reserve for s in found.slos] in ([float(target)], [])


def test_a_source_of_ours_that_refers_to_nothing_is_an_error_and_another_vendors_is_not(tmp_path: Path) -> None:
    def problems(source: str) -> list[str]:
        text = document(
            f"indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {{good: {source}, total: {TOTAL}}}}}}}"
        )
        return read(tmp_path, text)[1]

    ours = "{metricSource: {metricSourceRef: huose, type: metrics, spec: {metric: frames}}}"
    assert problems(ours) == ["10: error: DataSource 'huose' is not in the catalogue"]
    assert problems(ours.replace("type: metrics, ", "")) == ["10: error: DataSource 'huose' is not in the catalogue"]
    assert all("warning" in p for p in problems(ours.replace("type: metrics", "type: Prometheus")))
    assert problems("{metricSource: {spec: {}}}") == [
        "10: error: type is missing: metrics, spans, logs, sql, derived, slices"
    ]


@pytest.mark.parametrize(
    ("type_", "spec", "said"),
    [
        (
            "metrics",
            "{metric: a, where: ['value <= 3']}",
            "'value' can be compared for histograms, gauges and spans only",
        ),
        ("logs", "{event: a, where: ['value > 3']}", "'value' can be compared for histograms, gauges and spans only"),
        ("spans", "{span: a, where: ['value > 3', 'value <= 5']}", "'value' is compared twice"),
        ("spans", "{span: a, request: 'a b'}", "request 'a b' is not an attribute name"),
        ("spans", "{}", "'span' is missing"),
        ("metrics", "{metric: ''}", "'metric' is missing"),
        ("metrics", '{metric: "a\\nb"}', r"metric 'a\nb' is not a name"),
        ("metrics", "{metric: nodes.heard}", "'nodes.heard' is a measure of sloengine's own: use type: derived"),
        ("metrics", "{any: []}", "'any' is a list of 1 to 20 mappings"),
        ("metrics", "{any: [{metric: a}], kind: gauge}", "unknown key 'kind'"),
        ("metrics", "[a]", "the spec of a 'metrics' source is a mapping"),
        ("derived", "{measure: nodes.herd}", "unknown derived measure 'nodes.herd'; did you mean 'nodes.heard'?"),
        ("derived", "{measure: predictions, where: ['value <= 1']}", "'value' can be compared"),
        ("sql", "{lookback: 1d}", "'query' is missing"),
        ("sql", "{query: SELECT minute FROM t}", "missing: events"),
        ("slices", "{of: {type: logs, spec: {event: a}}}", "a 'slices' source belongs into a thresholdMetric"),
        ("slices", "{of: {type: slices, spec: {}}}", "a metric source with type (not slices) and spec"),
        ("slices", "{}", "'of' is missing"),
        ("slices", "{of: {type: logs, spec: {event: a}}, mode: ratio}", "a ratio needs 'over'"),
        ("slices", "{of: {type: logs, spec: {event: a}}, per: [a, a]}", "'per' is a list of different dimensions"),
        ("slices", "{of: {type: logs, spec: {event: a}}, length: 90s}", "length '90s' must be whole minutes"),
    ],
)
def test_a_metric_source_that_is_wrong_is_said_at_its_line(type_: str, spec: str, said: str, tmp_path: Path) -> None:
    text = document(
        f"indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {{good: {metric(type_, spec)}, total: {TOTAL}}}}}}}"
    )
    catalogue, problems = read(tmp_path, text)
    assert any(p.startswith("10: error: ") and said in p for p in problems), problems
    assert [b.name for b in catalogue.broken] == ["x"]


def test_metadata_of_what_stands_in_place_is_named_as_not_acted_on(tmp_path: Path) -> None:
    inline = RATIO.replace(
        "metadata: {name: frames}", "metadata: {name: frames, labels: {a: b}, annotations: {c/d: e}}"
    )
    policy = (
        "  alertPolicies:\n    - kind: AlertPolicy\n      metadata:\n        name: p\n        labels: {a: b}\n"
        "      spec: {conditions: [{spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h}}}]}\n"
    )
    _, problems = read(tmp_path, document(indicator=f"indicator: {inline}", more=policy))
    assert problems == [
        "10: warning: labels of an indicator are not acted on",
        "10: warning: annotations of an indicator are not acted on",
        "18: warning: labels are not acted on",
    ]


def test_a_name_before_of_several_objectives_is_named_as_not_acted_on(tmp_path: Path) -> None:
    text = document(
        objectives="[{target: 0.99}, {target: 0.9}]", annotations="was: y", more="  alertPolicies: [gentle]\n"
    )
    catalogue, problems = read(tmp_path, text)
    assert [s.was for s in catalogue.slos] == ["", ""]
    assert problems == [
        "8: warning: 'was' is not acted on: with several objectives nobody knows whose name it was",
    ]


def test_an_only_objective_may_name_the_slo(tmp_path: Path) -> None:
    (found,) = slos(tmp_path, document(objectives="[{target: 0.99, displayName: Frames arrive}]"))
    assert found.display_name == "Frames arrive"
