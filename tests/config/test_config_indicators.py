"""M1 to M15 compile to exactly what the engine counts, and each is one line to switch on."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from sloengine.config.catalogue import check_catalogue
from sloengine.config.indicators import templates
from sloengine.model import Catalogue, Matcher, Selector, Sli, SliceRule, Slo, Source

ALL = [f"M{n}" for n in range(1, 16)]


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, "=", value)


def derived(measure: str, *where: Matcher) -> tuple[Selector, ...]:
    return (Selector(Source.DERIVED, measure, where),)


def total(metric: str, *where: Matcher) -> tuple[Selector, ...]:
    return (Selector(Source.SUM, metric, where),)


def at_most(limit: str, *selectors: Selector) -> Sli:
    return Sli(
        good=tuple(replace(s, where=(*s.where, Matcher("value", "<=", limit))) for s in selectors), total=selectors
    )


def verdicts(rule: SliceRule) -> Sli:
    measure = "slice:x"
    good, bad = derived(measure, equal("verdict", "good")), derived(measure, equal("verdict", "bad"))
    return Sli(good, bad, derived(measure), rule)


HOUR = timedelta(hours=1)
REQUESTS, CHECKS = "edge.inference.requests", "edge.model.integrity_checks"
GAUGES = [Selector(Source.GAUGE, f"{n}.utilization") for n in ("system.cpu", "system.memory", "hw.gpu")]
COMPILED = {
    "M1": Sli(
        total(REQUESTS, equal("edge.inference.outcome", "success")),
        total(REQUESTS, equal("edge.inference.outcome", "failure")),
        total(REQUESTS),
    ),
    "M2": at_most("0.1", Selector(Source.HISTOGRAM, "edge.inference.duration")),
    "M3": Sli(
        derived("predictions", equal("verdict", "correct")),
        derived("predictions", equal("verdict", "wrong")),
        derived("predictions"),
    ),
    "M4": Sli(
        derived("nodes.heard", equal("heard", "true")),
        derived("nodes.heard", equal("heard", "false")),
        derived("nodes.heard"),
    ),
    "M5": at_most("0.25", *derived("drift.psi")),
    "M6": Sli(
        derived("rollout.devices", equal("state", "succeeded")),
        derived("rollout.devices", equal("state", "failed")) + derived("rollout.devices", equal("state", "unfinished")),
        derived("rollout.devices"),
    ),
    "M7": at_most("0.8", *GAUGES),
    "M8": verdicts(SliceRule(HOUR, ("device",), total("edge.data.raw"), total("edge.data.sent"), "gte", 10)),
    "M9": Sli(
        derived("slo.burning", equal("state", "ok")),
        derived("slo.burning", equal("state", "burning")),
        derived("slo.burning"),
    ),
    "M10": Sli(
        total(CHECKS, equal("edge.integrity.result", "ok")),
        total(CHECKS, equal("edge.integrity.result", "failed")),
        total(CHECKS),
    ),
    "M11": Sli(bad=total("edge.inference.cold_starts"), total=total(REQUESTS)),
    "M12": at_most("86400", *derived("label.lag")),
    "M13": verdicts(SliceRule(HOUR, ("device",), total("edge.data.sent"), (), "lte", 50e6)),
    "M14": Sli(
        derived("retrain.step", equal("verdict", "good")),
        derived("retrain.step", equal("verdict", "bad")),
        derived("retrain.step"),
    ),
    "M15": at_most("0.1", *derived("calibration.ece")),
}
TARGETS = [0.999, 0.95, 0.95, 0.99, 0.95, 0.99, 0.99, 0.95, 0.99, 1, 0.99, 0.95, 0.99, 0.95, 0.95]


def read(folder: Path, text: str) -> tuple[Catalogue, list[str]]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([folder])
    return catalogue, [str(p).removeprefix(f"{folder}/a.yaml:") for p in problems]


def slo(folder: Path, reference: str, more: str = "") -> Slo:
    head = "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: x}\n"
    text = f"{head}spec: {{service: digits, indicatorRef: {reference}{more}}}\n"
    catalogue, problems = read(folder, text)
    assert [p for p in problems if "error" in p] == []
    (found,) = catalogue.slos
    return found


def lines(folder: Path, *rows: str, by: str = "region") -> tuple[list[Slo], list[str]]:
    head = "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: digits}\n"
    text = f"{head}spec:\n  service: digits\n  owner: ml\n  by: {by}\n  indicators:\n" + "".join(
        f"    - {r}\n" for r in rows
    )
    catalogue, problems = read(folder, text)
    return list(catalogue.slos), problems


@pytest.mark.parametrize("name", ALL)
def test_a_service_and_an_indicator_are_enough(name: str, tmp_path: Path) -> None:
    found = slo(tmp_path, name)
    assert found.sli == COMPILED[name]
    assert found.target == TARGETS[ALL.index(name)]
    assert found.zero_tolerance == (name == "M10")
    assert (found.indicator, found.window, found.calendar) == (name, timedelta(days=30), None)


@pytest.mark.parametrize("name", ALL)
def test_one_line_switches_one_on_without_a_complaint(name: str, tmp_path: Path) -> None:
    (found,), problems = lines(tmp_path, name)
    assert [p for p in problems if "no Inventory" not in p] == []
    assert found.name == f"digits-{templates()[name].slug}"
    assert (found.owner, found.service, found.by) == ("ml", "digits", ("region",))
    assert (found.runbook or "").startswith("docs/runbooks/")
    assert found.source.endswith(":9")


def test_every_template_says_what_people_need() -> None:
    assert list(templates()) == ALL
    for found in templates().values():
        assert all((found.title, found.measures, found.trap, found.needs, found.runbook)), found.id
    assert len({t.slug for t in templates().values()}) == 15


def test_a_line_can_say_what_its_indicator_does_differently(tmp_path: Path) -> None:
    found, problems = lines(
        tmp_path,
        "{M3: {target: 0.97, by: 'model, edge.segment.hospital'}}",
        "{M2: {value: 0.25, name: slow, annotations: {sloengine.dev/unknown: bad}}}",
        "{M9: {where: ['slo=\"slow\"'], runbook: docs/mine.md}}",
        "{M1: {timeWindow: [{duration: 7d, isRolling: true}], owner: ops}}",
    )
    assert problems == []
    accuracy, slow, burn, week = found
    assert (accuracy.target, accuracy.by) == (0.97, ("model", "edge.segment.hospital"))
    assert (slow.name, slow.sli, slow.unknown) == ("slow", at_most("0.25", *COMPILED["M2"].total), "bad")
    assert (burn.where, burn.runbook) == ((equal("slo", "slow"),), "docs/mine.md")
    assert (week.window, week.owner, week.policy.name) == (timedelta(days=7), "ops", "7d")


def test_what_a_document_is_told_apart_by_leaves_out_what_an_indicator_does_not_know(tmp_path: Path) -> None:
    found, problems = lines(tmp_path, "M1", "M4", "M7", "M8", by="model, region, hardware")
    assert [p for p in problems if "no Inventory" not in p] == []
    assert [s.by for s in found] == [
        ("model", "region", "hardware"), ("region",), ("region", "hardware"), ("model", "region", "hardware"),
    ]  # fmt: skip
    rule = found[3].sli.slices
    assert rule is not None
    assert rule.per == ("device", "model", "region", "hardware")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("m2", "9: error: unknown indicator 'm2'; did you mean 'M2'?"),
        ("M16", "9: error: unknown indicator 'M16'; did you mean"),
        ("{M3: {taget: 0.9}}", "9: error: M3: 'taget'; did you mean 'target'?"),
        ("{M3: {target: 2}}", "9: error: target 2 must lie between 0 and 1"),
        ("{M3: {target: high}}", "9: error: M3: 'target': expected a number"),
        ("{M3: {}, M4: {}}", "9: error: a line is an indicator's name, or one name with a mapping"),
        ("{M2: {op: gte}}", "9: error: M2 is good the other way: op is lte"),
        ("{M10: {target: 0.99}}", "9: error: target 0.99: zero tolerance means a target of 1"),
        ("{M4: {by: model}}", "9: error: M4 is about nodes: 'model' can't tell them apart"),
        ("{M7: {by: version}}", "9: error: M7 is about nodes: 'version' can't tell them apart"),
        ("{M1: {where: ['region=~\"(\"']}}", "9: error: '(' is not a regular expression"),
        (
            "{M1: {annotations: {sloengine.dev/unknwon: bad}}}",
            "9: error: unknown annotation 'sloengine.dev/unknwon'; did you mean",
        ),
    ],
)
def test_a_line_that_is_wrong_is_named_stays_visible_and_stops_no_other(row: str, said: str, tmp_path: Path) -> None:
    found, problems = lines(tmp_path, row, "M1")
    assert len(problems) == 1, problems
    assert problems[0].startswith(said)
    assert [s.name for s in found] == ["digits-success"]
    broken = check_catalogue([tmp_path])[0].broken
    assert [b.source for b in broken] == [f"{tmp_path}/a.yaml:9"]
    assert said.split("error: ")[1] in broken[0].reason


def test_the_same_line_twice_is_a_name_twice(tmp_path: Path) -> None:
    found, problems = lines(tmp_path, "M1", "M1")
    assert (len(found), problems) == (1, [f"10: error: SLO 'digits-success' is defined already at {tmp_path}/a.yaml:9"])


def test_a_name_of_ours_can_not_stand_for_another_measure(tmp_path: Path) -> None:
    text = (
        "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: M1}\n"
        "spec: {ratioMetric: {good: {metricSource: {type: logs, spec: {event: a}}}, "
        "total: {metricSource: {type: logs, spec: {event: b}}}}}\n"
    )
    assert read(tmp_path, text)[1][0].startswith("3: error: 'M1' is a ready-made indicator")
    inline = text.replace(
        "kind: SLI\nmetadata: {name: M1}\nspec: {",
        "kind: SLO\nmetadata: {name: x}\nspec: {service: d, "
        "objectives: [{target: 0.9}], budgetingMethod: Occurrences, "
        "indicator: {metadata: {name: M1}, spec: {",
    )
    problems = read(tmp_path, inline.rstrip() + "}}\n")[1]
    assert any("'M1' is inference success rate; an indicator of another kind needs another name" in p for p in problems)


# --- burn policies


OWN_POLICY = (
    "---\napiVersion: sloengine.dev/v1\nkind: BurnPolicy\nmetadata: {name: mine}\n"
    "spec: {windows: [{severity: page, long: 2h, factor: 8}]}\n"
    "---\napiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: theirs}\nspec:\n  conditions:\n"
    "    - kind: AlertCondition\n      metadata: {name: c}\n"
    "      spec: {severity: page, condition: {kind: burnrate, threshold: 4, lookbackWindow: 6h}}\n"
)


def policies(folder: Path, for_all: str, *rows: str) -> tuple[dict[str, str], list[str]]:
    text = (
        "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: d}\nspec:\n  service: digits\n  owner: ml\n"
        f"  alertPolicies: {for_all}\n  indicators:\n" + "".join(f"    - {row}\n" for row in rows) + OWN_POLICY
    )
    catalogue, problems = read(folder, text)
    return {s.name: s.policy.name for s in catalogue.slos}, problems


def test_a_line_and_a_document_for_all_its_lines_name_burn_policies_as_an_slo_does(tmp_path: Path) -> None:
    found, problems = policies(
        tmp_path,
        "[mine]",
        "M1",
        "{M2: {target: 0.99, alertPolicies: [theirs, {alertPolicyRef: gentle}]}}",
        "{M11: {alertPolicies: []}}",
        "{M7: {alertPolicies: }}",
    )
    assert problems == []
    assert found == {
        "d-success": "mine.30d",
        "d-latency": "theirs.30d+gentle",
        "d-cold-starts": "sre-workbook",
        "d-saturation": "mine.30d",
    }


@pytest.mark.parametrize(
    ("for_all", "row", "said"),
    [
        ("[]", "{M1: {alertPolicies: [gentel]}}", "9: error: unknown alert policy 'gentel'; did you mean 'gentle'?"),
        ("[]", "{M1: {alertPolicies: [{}]}}", "9: error: give a policy's name, or one in place"),
        ("[]", "{M1: {alertPolicies: mine}}", "9: error: M1: 'alertPolicies': expected a list"),
        ("[]", "{M1: {alertPolicys: [mine]}}", "9: error: M1: 'alertPolicys'; did you mean 'alertPolicies'?"),
        (
            "[]",
            "{M1: {alertPolicies: [sre-workbook], target: 0.9}}",
            "9: error: policy 'sre-workbook', window 1h: burn rate 14.4 can't be reached, at target 0.9 it is at most 10",
        ),
        (
            "[sre-workbook]",
            "{M1: {timeWindow: [{duration: 1d, isRolling: true}]}}",
            "9: error: policy 'sre-workbook', window 3d: longer than the SLO's window 1d",
        ),
        ("[sre-workbook]", "M14", "9: warning: policy 'sre-workbook': short window 5m, 30m, 2h, 6h rarely holds 2"),
    ],
)
def test_a_policy_that_a_line_can_not_have_is_said_at_the_line(
    for_all: str, row: str, said: str, tmp_path: Path
) -> None:
    _, problems = policies(tmp_path, for_all, row, "{M1: {name: other, alertPolicies: [mine, theirs]}}")
    assert [p for p in problems if p.startswith(said)], problems
    assert [p for p in problems if not p.startswith("9: ")] == []


def test_a_wrong_policy_for_all_lines_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    found, problems = policies(tmp_path, "[mine, gentel]", "M1", "{M2: {alertPolicies: [theirs]}}")
    assert found == {}
    assert [p for p in problems if "error" in p] == ["7: error: unknown alert policy 'gentel'; did you mean 'gentle'?"]
    assert [b.name for b in check_catalogue([tmp_path])[0].broken] == ["Indicators d"]
