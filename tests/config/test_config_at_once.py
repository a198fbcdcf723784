"""Everything wrong with a document is said at once: shape and meaning, of every part of it."""

from pathlib import Path

import pytest

from sloengine.config.catalogue import check_catalogue

OWN = "apiVersion: sloengine.dev/v1\nkind: "
OPEN = "apiVersion: openslo/v1\nkind: "
SLO = f"{OPEN}SLO\nmetadata: {{name: x, annotations: {{sloengine.dev/owner: a, sloengine.dev/runbook: r}}}}\n"
WINDOW = "  timeWindow: [{duration: 30d, isRolling: true}]\n  budgetingMethod: Occurrences\n"
COUNT = "{metricSource: {type: metrics, spec: {metric: frames}}}"
RATIO = f"{{good: {COUNT}, total: {COUNT}}}"


def errors(folder: Path, text: str) -> list[str]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    _, problems = check_catalogue([folder])
    return [str(p).removeprefix(f"{folder}/a.yaml:") for p in problems if p.severity == "error"]


@pytest.mark.parametrize(
    ("case", "text", "said"),
    [
        (
            "an unknown key beside an unknown indicator",
            f"{OWN}Indicators\nmetadata: {{name: d}}\nspec:\n  service: s\n  ownr: me\n  indicators:\n    - M99\n"
            "    - {M1: {target: 7, bogus: 1}}\n    - {M98: {bogus: 1}}\n    - {M3: {name: 'a b', where: [z, x]}}\n",
            [
                "6: error: unknown key 'spec.ownr'; did you mean 'owner'?",
                "8: error: unknown indicator 'M99'; did you mean 'M9'?",
                "9: error: M1: 'bogus'; known: ",
                "9: error: target 7 must lie between 0 and 1",
                "10: error: unknown indicator 'M98'",
                "10: error: M98: 'bogus'; known: ",
                "11: error: M3: 'name': a name has letters and digits",
                "11: error: 'z' is not a matcher",
                "11: error: 'x' is not a matcher",
            ],
        ),
        (
            "a policy that is not there, and each line's own mistakes, once",
            f"{OWN}Indicators\nmetadata: {{name: d}}\nspec:\n  service: s\n  alertPolicies: [srework]\n  indicators:\n"
            "    - M1\n    - {M2: {target: 3}}\n",
            [
                "6: error: unknown alert policy 'srework'",
                "9: error: target 3 must lie between 0 and 1",
            ],
        ),
        (
            "Indicators without a service or a name",
            f"{OWN}Indicators\nmetadata: {{}}\nspec:\n  indicators:\n    - M99\n",
            [
                "3: error: metadata.name: is missing",
                "4: error: spec.service: is missing",
                "6: error: unknown indicator 'M99'",
            ],
        ),
        (
            "an SLO with an unknown key, a wrong value and a wrong meaning",
            f"{SLO}spec:\n  service: s\n  indicator:\n    metadata: {{name: y}}\n    spec: {{ratioMetric: {RATIO}}}\n"
            "  timeWindow: [{duration: 900d, isRolling: true, extra: 1}]\n  budgetingMethod: Often\n"
            "  objectives: [{target: 99}]\n  alertPolicies: [nothing]\n",
            [
                "9: error: unknown key 'spec.timeWindow.0.extra'",
                "9: error: window '900d' is longer than",
                "10: error: spec.budgetingMethod: 'Often' is not known; known: Occurrences, Timeslices, RatioTimeslices",
                "11: error: target 99 must lie between 0 and 1",
                "12: error: unknown alert policy 'nothing'",
            ],
        ),
        (
            "what a wrong value leaves open is not said twice",
            f"{SLO}spec:\n  service: s\n  indicator:\n    metadata: {{name: y}}\n    spec: {{ratioMetric: {RATIO}}}\n{WINDOW}"
            "  objectives: [{target: much}]\n  alertPolicies: [nothing]\n",
            ["11: error: spec.objectives.0.target: expected a number", "12: error: unknown alert policy 'nothing'"],
        ),
        (
            "both indicators, and what is wrong inside each",
            f"{SLO}spec:\n  service: s\n  indicatorRef: nope\n"
            f"  indicator: {{metadata: {{name: y}}, spec: {{ratioMetric: {{good: {COUNT}}}}}}}\n"
            f"{WINDOW}  objectives: [{{target: 0.9}}]\n",
            [
                "4: error: give exactly one of indicator and indicatorRef",
                "6: error: unknown indicator 'nope'",
                "7: error: a ratioMetric needs good or bad, and total",
            ],
        ),
        (
            "a threshold without op, and slices without a window and a target",
            f"{SLO}spec:\n  service: s\n  indicator:\n    metadata: {{name: y}}\n"
            "    spec: {thresholdMetric: {metricSource: {type: spans, spec: {span: call}}}}\n"
            "  timeWindow: [{duration: 30d, isRolling: true}]\n  budgetingMethod: Timeslices\n  objectives: [{target: 0.9}]\n",
            [
                "11: error: a thresholdMetric needs op and value",
                "11: error: budgetingMethod Timeslices needs timeSliceWindow",
                "11: error: budgetingMethod Timeslices needs timeSliceTarget",
            ],
        ),
        (
            "all of a calendar window",
            f"{SLO}spec:\n  service: s\n  indicatorRef: M1\n  timeWindow:\n    - duration: 1m\n      isRolling: false\n"
            "      calendar:\n        startTime: soon\n        timeZone: Europe/Berln\n  objectives: [{target: 0.9}]\n",
            [
                "8: error: '1m' is no calendar window",
                "11: error: 'soon' is not a local date and time",
                "12: error: unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'",
            ],
        ),
        (
            "every dimension and every matcher of the annotations",
            f"{OPEN}SLO\nmetadata:\n  name: x\n  annotations:\n    sloengine.dev/owner: a\n    sloengine.dev/runbook: r\n"
            "    sloengine.dev/by: modle, reigon\n    sloengine.dev/was:\nspec: {service: s, indicatorRef: M1}\n",
            [
                "8: error: unknown dimension 'modle'; did you mean 'model'?",
                "8: error: unknown dimension 'reigon'; did you mean 'region'?",
                "9: error: metadata.annotations.sloengine.dev/was: expected a text",
            ],
        ),
        (
            "an SLI of a wrong shape and of wrong sources is wrong to who refers to it, not unknown",
            f"{OPEN}SLI\nmetadata: {{name: y, colour: red}}\nspec:\n  ratioMetric:\n"
            "    good: {metricSource: {type: metrics, spec: {kind: sums, where: [z, 'a=\"b\"', x]}}}\n"
            f"    total: {COUNT}\n---\n{SLO}spec:\n  service: s\n  indicatorRef: y\n{WINDOW}  objectives: [{{target: 0.9}}]\n",
            [
                "3: error: unknown key 'metadata.colour'",
                "6: error: kind 'sums' of a metric; known: ",
                "6: error: 'metric' is missing",
                "6: error: 'z' is not a matcher",
                "6: error: 'x' is not a matcher",
                "14: error: SLI 'y' is wrong, see there",
            ],
        ),
        (
            "matchers, each at its line",
            f"{OPEN}SLI\nmetadata: {{name: y}}\nspec:\n  ratioMetric:\n    total: {COUNT}\n    good:\n      metricSource:\n"
            "        type: metrics\n        spec:\n          metric: frames\n          where:\n            - z\n"
            "            - a=\"b\"\n            - x\n",
            ["13: error: 'z' is not a matcher", "15: error: 'x' is not a matcher"],
        ),
        (
            "a data source of no type",
            f"{OPEN}DataSource\nmetadata: {{name: d}}\nspec: {{type: [1], more: 1}}\n---\n"
            f"{OPEN}SLI\nmetadata: {{name: y}}\n"
            f"spec: {{ratioMetric: {{good: {COUNT}, total: {{metricSource: {{metricSourceRef: d}}}}}}}}\n",
            [
                "4: error: spec.type: expected a text",
                "4: error: unknown key 'spec.more'",
                "9: error: DataSource 'd' is wrong, see there",
            ],
        ),
        (
            "an alert condition, and the policy and the SLO that use it",
            f"{OPEN}AlertCondition\nmetadata: {{name: c}}\nspec:\n  severity: page\n  loud: true\n"
            "  condition: {kind: burnrate, op: gt, threshold: -1, lookbackWindow: 1x}\n"
            f"---\n{OPEN}AlertPolicy\nmetadata: {{name: p}}\nspec: {{conditions: [{{conditionRef: c}}]}}\n"
            f"---\n{SLO}spec:\n  service: s\n  indicatorRef: M1\n  alertPolicies: [p]\n",
            [
                "6: error: unknown key 'spec.loud'",
                "7: error: '1x'",
                "7: error: threshold -1: a burn rate above 0 is needed",
                "12: error: AlertCondition 'c' is wrong, see there",
                "20: error: alert policy 'p' is wrong, see there",
            ],
        ),
        (
            "a burn policy whose name ships",
            f"{OWN}BurnPolicy\nmetadata: {{name: daily}}\nspec:\n  windows:\n"
            "    - {severity: page, long: 1h, short: 2h, extra: 1}\n    - {severity: loud, long: 1x, factor: 2}\n",
            [
                "3: error: 'daily' is a policy that ships",
                "6: error: unknown key 'spec.windows.0.extra'",
                "6: error: give exactly one of budgetShare and factor",
                "6: error: the short window must be shorter",
                "7: error: spec.windows.1.severity: 'loud' is not known; known: page, ticket",
                "7: error: '1x'",
            ],
        ),
        (
            "an exclusion",
            f"{OWN}Exclusion\nmetadata: {{name: e}}\nspec:\n  why: upkeep\n  where: [z, x]\n  start: never\n  duration: 1x\n"
            "  rrule: FREQ=OFTEN\n  timeZone: Mars\n",
            [
                "4: error: spec.reason: is missing",
                "5: error: unknown key 'spec.why'",
                "6: error: 'z' is not a matcher",
                "6: error: 'x' is not a matcher",
                "7: error: 'never' is not a date and time",
                "8: error: '1x'",
                "9: error: ",
                "10: error: unknown time zone 'Mars'",
            ],
        ),
        (
            "a drift monitor",
            f"{OWN}DriftMonitor\nmetadata: {{name: m}}\nspec:\n  metric: [s]\n  model: x\n  window: 90m\n  index: psy\n",
            [
                "4: error: spec.service: is missing",
                "5: error: spec.metric: expected a text",
                "6: error: unknown key 'spec.model'",
                "7: error: '90m'",
                "8: error: unknown index 'psy'; did you mean 'psi'?",
            ],
        ),
        (
            "a rollout",
            f"{OWN}Rollout\nmetadata: {{name: r}}\nspec:\n  service: s\n  declared: soon\n  colour: red\n  waves:\n"
            "    - {wave: 1, devices: [a, b]}\n    - {wave: 2, devices: [b, '']}\n    - {wave: 3}\n",
            [
                "6: error: spec.declared: expected a date and time such as 2026-01-01T06:00:00Z",
                "7: error: unknown key 'spec.colour'",
                "10: error: spec.waves.1.devices.1: is empty",
                "10: error: device 'b' of rollout 'r' is listed already at ",
                "11: error: spec.waves.2.devices: is missing",
            ],
        ),
        (
            "an inventory",
            f"{OWN}Inventory\nmetadata: {{name: i}}\nspec:\n  service: s\n  since: 2026-01-01T00:00:00Z\n  nodes:\n"
            "    - {device: d, gateway: g, region: r, colour: red}\n    - {device: d, gateway: g, region: r}\n",
            ["8: error: unknown key 'spec.nodes.0.colour'", "9: error: node 'd' is listed already"],
        ),
        (
            "an SQL source and a source of slices",
            f"{OPEN}SLI\nmetadata: {{name: y}}\nspec:\n  ratioMetric:\n"
            "    bad: {metricSource: {type: sql, spec: {lookback: 90d, where: x, more: 1}}}\n"
            "    total: {metricSource: {type: derived, spec: {measure: nope, where: x}}}\n---\n"
            f"{OPEN}SLI\nmetadata: {{name: z}}\nspec:\n  thresholdMetric:\n"
            "    metricSource: {type: slices, spec: {length: 90d, per: 3, "
            "mode: odd, over: {type: metrics, role: none, spec: {}}}}\n",
            [
                "6: error: unknown key 'more'",
                "6: error: 'x' is not a matcher",
                "6: error: 'query' is missing",
                "6: error: lookback '90d'",
                "7: error: unknown derived measure 'nope'",
                "7: error: 'x' is not a matcher",
                "14: error: length '90d'",
                "14: error: 'per' is a list",
                "14: error: 'mode' is verdict or ratio",
                "14: error: 'of' is missing",
                "14: error: 'role' is one of",
                "14: error: 'metric' is missing",
            ],
        ),
    ],
)  # fmt: skip
def test_all_that_is_wrong_is_said_at_once(case: str, text: str, said: list[str], tmp_path: Path) -> None:
    found = errors(tmp_path, text)
    assert len(found) == len(said), (case, found)
    assert all(one.startswith(start) for one, start in zip(found, said, strict=True)), (case, found)


def test_what_is_left_of_a_document_of_a_wrong_shape_is_never_used(tmp_path: Path) -> None:
    text = (
        f"{OWN}Indicators\nmetadata: {{name: d}}\nspec: {{service: s, ownr: me, indicators: [M1]}}\n---\n"
        f"{OWN}Inventory\nmetadata: {{name: i}}\n"
        "spec: {service: s, since: 2026-01-01T00:00:00Z, extra: 1, nodes: [{device: d, gateway: g, region: r}]}\n---\n"
        f"{OWN}Exclusion\nmetadata: {{name: e}}\nspec: {{reason: r, where: 'a=\"b\"', start: 2026-01-01, extra: 1}}\n---\n"
        f"{OWN}DriftMonitor\nmetadata: {{name: m}}\nspec: {{service: s, metric: m, extra: 1}}\n---\n"
        f"{SLO}spec: {{service: s, indicatorRef: M2, extra: 1}}\n"
    )
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, _ = check_catalogue([tmp_path])
    assert (catalogue.slos, catalogue.nodes, catalogue.exclusions, catalogue.monitors) == ((), (), (), ())
    assert [b.name for b in catalogue.broken] == ["Indicators d", "Inventory i", "Exclusion e", "DriftMonitor m", "x"]
    assert {b.reason.partition(" '")[0] for b in catalogue.broken} == {"unknown key"}
