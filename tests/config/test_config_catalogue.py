"""The catalogue: what it means, and every mistake by file, line and words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import sloengine
from sloengine.config.catalogue import check_catalogue, load_catalogue
from sloengine.errors import ConfigError
from sloengine.model import Catalogue, Matcher, Node, Selector, Sli, Source

SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: digits-success
  displayName: Digits answered
  annotations:
    sloengine.dev/owner: ml
    sloengine.dev/runbook: docs/x.md
    sloengine.dev/by: model, region
spec:
  description: Requests end with an answer.
  service: digits
  indicatorRef: M1
  timeWindow:
    - duration: 30d
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 0.999
  alertPolicies: [sre-workbook]
"""
INVENTORY = """\
apiVersion: sloengine.dev/v1
kind: Inventory
metadata: {name: fleet}
spec:
  service: digits
  since: 2026-01-01T00:00:00Z
  nodes:
    - {device: d1, gateway: g1, region: eu}
    - {device: d2, gateway: g1, region: eu, since: 2026-02-01T02:00:00+02:00}
"""


OTHERS = [
    """\
apiVersion: sloengine.dev/v1
kind: Indicators
metadata: {name: digits}
spec:
  service: digits
  owner: ml
  by: model
  indicators: [M1, {M3: {target: 0.9, where: ['a="b"'], annotations: {sloengine.dev/unit: s}}}]
""",
    """\
apiVersion: sloengine.dev/v1
kind: Exclusion
metadata: {name: e}
spec: {reason: r, where: {a: b}, start: 2026-01-01 00:00:00, duration: 1h, rrule: FREQ=DAILY, timeZone: UTC}
""",
    """\
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: m, displayName: M, annotations: {sloengine.dev/owner: ml}}
spec: {service: digits, metric: s, levels: [model, device], segments: [site], window: 2h, minimum: 0.2, persistence: 2 of 4}
""",
    """\
apiVersion: sloengine.dev/v1
kind: BurnPolicy
metadata: {name: p}
spec: {windows: [{severity: page, long: 1h, short: 5m, factor: 3}]}
""",
    """\
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: p, labels: {a: [b]}}
spec:
  alertWhenBreaching: true
  conditions:
    - kind: AlertCondition
      metadata: {name: c}
      spec: {severity: page, condition: {threshold: 2, lookbackWindow: 1h, alertAfter: 5m}}
  notificationTargets: [{targetRef: t}]
""",
    """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: s, annotations: {sloengine.dev/by: region, sloengine.dev/quantifier: worst 1% of nodes}}
spec:
  service: digits
  timeWindow: [{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: UTC}}]
  budgetingMethod: Timeslices
  objectives:
    - target: 0.9
      compositeWeight: 1
      timeSliceTarget: 0.9
      timeSliceWindow: 5
      indicator:
        metadata: {name: i}
        spec:
          ratioMetric:
            good: {metricSource: {type: spans, spec: {span: x, where: ['a=~"b"']}}}
            total: {metricSource: {type: sql, spec: {query: select minute events}}}
    - target: 0.9
      compositeWeight: 2
      op: lte
      value: 2
      timeSliceTarget: 0.9
      timeSliceWindow: 5m
      indicator:
        metadata: {name: j}
        spec: {thresholdMetric: {metricSource: {type: metrics, spec: {any: [{metric: m, kind: gauge}]}}}}
  alertPolicies: [{alertPolicyRef: gentle}]
""",
    """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: s}
spec:
  service: digits
  indicator:
    metadata: {name: j}
    spec:
      thresholdMetric:
        metricSource:
          type: slices
          spec:
            length: 1h
            per: [device]
            of: {type: logs, spec: {event: e}}
            over: [{type: metrics, spec: {metric: m}}]
            mode: ratio
  objectives: [{target: 0.9, op: gte, value: 3}]
""",
]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def lint(folder: Path) -> list[str]:
    """Problems with the folder's name cut off."""
    _, problems = check_catalogue([folder])
    return [str(p).removeprefix(f"{folder}/") for p in problems]


def read(folder: Path) -> Catalogue:
    catalogue, problems = check_catalogue([folder])
    assert [str(p) for p in problems if p.severity == "error"] == []
    return catalogue


def test_the_demos_catalogue_lints_clean() -> None:
    path = Path(sloengine.__file__).parent / "gameday" / "slos.yaml"
    catalogue, problems = check_catalogue([path])
    # The demo writes its own.
    assert [str(p) for p in problems if "no Inventory" not in p.message] == []
    assert [s.name for s in catalogue.slos] == ["digits-success", "digits-latency", "fleet-freshness"]


def test_an_slo_means_what_it_says(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", "# words\n" + SLO)
    (slo,) = load_catalogue(tmp_path).slos
    assert (slo.name, slo.display_name, slo.service, slo.indicator) == (
        "digits-success",
        "Digits answered",
        "digits",
        "M1",
    )
    assert (slo.target, slo.window, slo.by) == (0.999, timedelta(days=30), ("model", "region"))
    assert (slo.owner, slo.runbook, slo.policy.name) == ("ml", "docs/x.md", "sre-workbook")
    assert slo.source == f"{path}:2"


def test_a_latency_slo_takes_its_threshold_from_the_objective(tmp_path: Path) -> None:
    text = SLO.replace("M1", "M2").replace("target: 0.999", "{target: 0.95, op: lte, value: 0.25}")
    write(tmp_path, "a.yaml", text)
    sli = read(tmp_path).slos[0].sli
    duration = Selector(Source.HISTOGRAM, "edge.inference.duration")
    assert sli == Sli(good=(replace(duration, where=(Matcher("value", "<=", "0.25"),)),), total=(duration,))


@pytest.mark.parametrize(("percent", "target"), [("99.9", 0.999), ("99.95", 0.9995), ("95", 0.95), ("99.99", 0.9999)])
def test_a_percentage_means_exactly_the_ratio_that_a_person_would_write(
    percent: str, target: float, tmp_path: Path
) -> None:
    write(tmp_path, "a.yaml", SLO.replace("target: 0.999", f"targetPercent: {percent}"))
    assert read(tmp_path).slos[0].target == target


def test_an_inventory_lists_nodes_with_their_own_beginning_in_utc(tmp_path: Path) -> None:
    write(tmp_path, "n.yaml", INVENTORY)
    assert read(tmp_path).nodes == (
        Node("d1", "g1", "eu", "digits", datetime(2026, 1, 1, tzinfo=UTC)),
        Node("d2", "g1", "eu", "digits", datetime(2026, 2, 1, tzinfo=UTC)),
    )


@pytest.mark.parametrize("since", ["2026-02-01", "2026-02-01T00:00:00", "'2026-02-01T01:00:00+01:00'"])
def test_a_beginning_without_a_zone_is_utc(since: str, tmp_path: Path) -> None:
    write(tmp_path, "n.yaml", INVENTORY.replace("2026-01-01T00:00:00Z", since))
    assert read(tmp_path).nodes[0].since == datetime(2026, 2, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("case", "old", "new", "said"),
    [
        (
            "a mistyped key",
            "budgetingMethod",
            "budgetingMehtod",
            ["17: error: unknown key 'spec.budgetingMehtod'; did you mean 'budgetingMethod'?"],
        ),
        (
            "a mistyped key in an objective",
            "target: 0.999",
            "taget: 0.999",
            ["19: error: unknown key 'spec.objectives.0.taget'; did you mean 'target'?"],
        ),
        (
            "a key nothing resembles",
            "  service: digits",
            "  service: digits\n  zzzzzzz: 1",
            ["13: error: unknown key 'spec.zzzzzzz'"],
        ),
        ("target 1", "0.999", "1", ["19: error: target 1 must lie between 0 and 1; 1 leaves no budget to measure"]),
        (
            "a percentage for a ratio",
            "0.999",
            "99.9",
            ["19: error: target 99.9 must lie between 0 and 1; targets are ratios, such as 0.999"],
        ),
        ("target 0", "0.999", "0", ["19: error: target 0 must lie between 0 and 1; targets are ratios, such as 0.999"]),
        ("a negative target", "0.999", "-0.5", ["19: error: target -0.5 must lie between 0 and 1"]),
        ("a target that is no number", "0.999", ".nan", ["19: error: target nan must lie between 0 and 1"]),
        (
            "a target in words",
            "0.999",
            "three nines",
            ["19: error: spec.objectives.0.target: expected a number"],
        ),
        (
            "a target of 100 percent",
            "target: 0.999",
            "targetPercent: 100",
            ["19: error: target 1 must lie between 0 and 1"],
        ),
        (
            "two targets",
            "target: 0.999",
            "target: 0.999\n      targetPercent: 99.9",
            ["19: error: give exactly one of target and targetPercent"],
        ),
        ("a latency's value on a ratio", "0.999", "0.999\n      value: 3", ["20: warning: value is not acted on"]),
        (
            "a burn rate that can't be reached",
            "0.999",
            "0.9",
            [
                "19: error: policy 'sre-workbook', window 1h: burn rate 14.4 can't be reached,"
                " at target 0.9 it is at most 10"
            ],
        ),
        (
            "a window shorter than an alert's",
            "30d",
            "1d",
            [
                "14: error: policy 'sre-workbook', window 3d: longer than the SLO's window 1d",
                "20: warning: policy 'sre-workbook', window 1h: burn rate 0.48 is below 1, a burn that the budget survives",
                "20: warning: policy 'sre-workbook', window 6h: burn rate 0.2 is below 1",
                "20: warning: policy 'sre-workbook', window 1d: burn rate 0.1 is below 1",
            ],
        ),
        ("a window that is none", "30d", "a month", ["15: error: 'a month' is not a duration such as 30d, 6h or 5m"]),
        ("an empty window", "30d", "0d", ["15: error: a duration must be longer than zero"]),
        (
            "a window beyond all calendars",
            "30d",
            "9999999999d",
            ["15: error: window '9999999999d' is longer than 400d"],
        ),
        ("a window of more than a year and a month", "30d", "401d", ["15: error: window '401d' is longer than 400d"]),
        (
            "a calendar window",
            "isRolling: true",
            "isRolling: false",
            ["15: error: say isRolling: true, or give calendar with startTime and timeZone"],
        ),
        (
            "a dimension with a slip of the pen",
            "model, region",
            "model, regoin",
            ["9: error: unknown dimension 'regoin'; did you mean 'region'?"],
        ),
        (
            "a dimension twice",
            "model, region",
            "model, region, model",
            ["9: error: dimension 'model' is given twice"],
        ),
        ("an unknown indicator", "M1", "N1", ["13: error: unknown indicator 'N1'; known: M1, M2, M3, M4"]),
        (
            "latency that burns faster than it can",
            "M1",
            "M2\n  indicator: {metadata: {name: x}, spec: {}}",
            [
                "10: error: give exactly one of indicator and indicatorRef",
                "14: error: an SLI has either a thresholdMetric or a ratioMetric",
            ],
        ),
        ("nodes told apart by model", "M1", "M4", ["9: error: M4 is about nodes"]),
        (
            "an unknown policy",
            "[sre-workbook]",
            "[mine]",
            ["20: error: unknown alert policy 'mine'; known: sre-workbook, 28d, 1d, 7d, 90d, quarter, 365d, gentle"],
        ),
        (
            "an unknown annotation",
            "sloengine.dev/by",
            "sloengine.dev/bye",
            ["9: error: unknown annotation 'sloengine.dev/bye'"],
        ),
        (
            "a name that is none",
            "name: digits-success",
            "name: Digits!",
            ["4: error: metadata.name: a name has letters and digits, inside it also - . _ | / \\ and +, no spaces"],
        ),
        (
            "time slices without their length",
            "Occurrences",
            "Timeslices",
            [
                "19: error: budgetingMethod Timeslices needs timeSliceWindow, such as 5m",
                "19: error: budgetingMethod Timeslices needs timeSliceTarget",
            ],
        ),
        (
            "an unknown kind",
            "kind: SLO",
            "kind: SLA",
            ["2: error: unknown apiVersion/kind 'openslo/v1' 'SLA'; did you mean 'openslo/v1 SLO'"],
        ),
        (
            "another version",
            "openslo/v1",
            "openslo/v9",
            ["2: error: unknown apiVersion/kind 'openslo/v9' 'SLO'; did you mean 'openslo/v1 SLO'?"],
        ),
        (
            "no owner",
            "    sloengine.dev/owner: ml\n",
            "",
            ["3: warning: no sloengine.dev/owner: an alert nobody can act on"],
        ),
        ("no runbook", "    sloengine.dev/runbook: docs/x.md\n", "", ["3: warning: no sloengine.dev/runbook"]),
        ("a tab", "\n  service", "\n\tservice", ["12: error: not valid YAML"]),
        ("wrong indentation", "\n  service", "\n   service", ["12: error: not valid YAML"]),
        ("an open quote", "Requests end", '"Requests end', ["21: error: not valid YAML"]),
        (
            "a key twice",
            "  service: digits",
            "  service: digits\n  service: x",
            ["13: error: not valid YAML: found duplicate key"],
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(case: str, old: str, new: str, said: list[str], tmp_path: Path) -> None:
    assert old in SLO
    write(tmp_path, "a.yaml", SLO.replace(old, new))
    found = lint(tmp_path)
    assert len(found) == len(said), (case, found)
    for line, start in zip(found, said, strict=True):
        assert line.startswith(f"a.yaml:{start}"), (case, line)


def test_a_warning_does_not_keep_an_slo_from_being_read(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", SLO.replace("    sloengine.dev/owner: ml\n", ""))
    assert [s.owner for s in load_catalogue(tmp_path).slos] == [None]


def test_names_are_unique_over_all_files(tmp_path: Path) -> None:
    first = write(tmp_path, "a.yaml", SLO)
    write(tmp_path, "sub/b.yml", "\n" + SLO)
    assert lint(tmp_path) == [f"sub/b.yml:5: error: SLO 'digits-success' is defined already at {first}:1"]


def test_nodes_are_unique_within_a_service(tmp_path: Path) -> None:
    path = write(tmp_path, "n.yaml", INVENTORY.replace("d2", "d1"))
    assert lint(tmp_path) == [f"n.yaml:9: error: node 'd1' is listed already at {path}:8"]


def test_nodes_are_unique_also_on_one_line(tmp_path: Path) -> None:
    nodes = "nodes: [{device: d1, gateway: g, region: r}, {device: d1, gateway: g, region: r}]"
    path = write(tmp_path, "n.yaml", INVENTORY.split("nodes:", maxsplit=1)[0] + nodes + "\n")
    assert lint(tmp_path) == [f"n.yaml:7: error: node 'd1' is listed already at {path}:7"]


def test_the_same_device_may_serve_two_services(tmp_path: Path) -> None:
    other = INVENTORY.replace("service: digits", "service: letters").replace("name: fleet", "name: fleet-2")
    write(tmp_path, "n.yaml", INVENTORY + "---\n" + other)
    assert len(read(tmp_path).nodes) == 4


def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    path = write(tmp_path, "a.yaml", SLO)
    catalogue, problems = check_catalogue([path, tmp_path, tmp_path / "." / "a.yaml"])
    assert (len(catalogue.slos), problems) == (1, [])


def test_all_problems_of_all_files_come_at_once_and_good_files_are_still_read(tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", SLO.replace("0.999", "99.9").replace("model, region", "regoin").replace("M1", "N1"))
    write(tmp_path, "b.yaml", "- not\n- a mapping\n")
    write(tmp_path, "c.yaml", "a: [1\n")
    write(tmp_path, "d.yaml", SLO)
    (tmp_path / "e.yaml").write_bytes(b"a: \xff\n")
    write(tmp_path, "f.yaml", "x: " + "y" * 5 * 2**20)
    write(tmp_path, "notes.txt", "not: [ours")
    found = lint(tmp_path)
    assert [line.split(": error")[0] for line in found] == [
        "a.yaml:9",
        "a.yaml:13",
        "a.yaml:19",
        "b.yaml:1",
        "c.yaml:2",
        "d.yaml:4",
        "e.yaml:1",
        "f.yaml:1",
    ]
    with pytest.raises(ConfigError) as caught:
        load_catalogue(tmp_path)
    assert len(caught.value.problems) == 8


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n---\n"])
def test_an_empty_file_is_a_warning(text: str, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", text)
    assert lint(tmp_path) == ["a.yaml:1: warning: holds no document"]


def test_a_folder_without_catalogue_files_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path, "slos.txt", SLO)
    assert lint(tmp_path) == [f"{tmp_path}:1: warning: holds no .yaml or .yml file"]


def test_a_missing_folder_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        check_catalogue([tmp_path / "none"])
    with pytest.raises(ConfigError, match="no such folder"):
        load_catalogue(tmp_path / "none")


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.just(10**400),
    st.sampled_from(["M1", "30d"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
)


def places(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(p for key, inner in items for p in places(inner, (*path, key)))]


def put(value: object, path: tuple[str | int, ...], new: object) -> object:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = put(copy[path[0]], path[1:], new)
    return copy


@pytest.mark.parametrize("text", OTHERS)
def test_the_documents_that_are_changed_below_are_right_before(text: str, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", text)
    assert [line for line in lint(tmp_path) if "error" in line] == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data(), text=st.sampled_from([SLO, INVENTORY, *OTHERS]), new=values)
def test_whatever_stands_in_any_place_of_a_document_only_problems_come_out(
    data: st.DataObject, text: str, new: object, tmp_path: Path
) -> None:
    document = YAML(typ="safe").load(text)
    path = data.draw(st.sampled_from(places(document)))
    file = tmp_path / "a.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(put(document, path, new), out)
    _, problems = check_catalogue([file])
    assert all(p.line >= 1 and p.message for p in problems)


@pytest.mark.parametrize(
    ("where", "indicators", "said"),
    [
        ('device="d1"', "M1, M2, M4, M7, M10", ""),
        ('region="eu"', "M3, M5, M6", ""),
        (
            'device="d1"',
            "M3, M5",
            "nothing is taken out of SLO 'digits-accuracy' (by device), 'digits-drift' (by device)",
        ),
        ('hardware="orin"', "M4", "nothing is taken out of SLO 'digits-freshness' (by hardware)"),
        ('service="other", device="d1"', "M3", ""),
        ('hardware="orin"', "M8, M13", ""),
    ],
)
def test_lint_names_slos_that_an_exclusion_takes_nothing_out_of(
    tmp_path: Path, where: str, indicators: str, said: str
) -> None:
    (tmp_path / "c.yaml").write_text(
        "apiVersion: sloengine.dev/v1\nkind: Indicators\nmetadata: {name: digits}\n"
        f"spec: {{service: digits, owner: ml, by: region, indicators: [{indicators}]}}\n---\n"
        "apiVersion: sloengine.dev/v1\nkind: Exclusion\nmetadata: {name: e}\n"
        f"spec: {{reason: r, where: '{where}', start: 2026-01-01 00:00:00}}\n"
    )
    _, problems = check_catalogue([tmp_path])
    found = [p.message for p in problems if "taken out" in p.message]
    assert [message.split(": what")[0] for message in found] == ([said] if said else [])


OWNED = "annotations: {sloengine.dev/owner: o, sloengine.dev/runbook: r"


def one(name: str, more: str = "", spec: str = "") -> str:
    head = f"apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: {name}, {OWNED}{more}}}}}\n"
    return f"{head}spec: {{service: s, indicatorRef: M1{spec}}}\n---\n"


@pytest.mark.parametrize(
    ("case", "text", "said"),
    [
        (
            "the old one is still there",
            one("a") + one("b", ", sloengine.dev/was: a"),
            "6: warning: 'was' names SLO 'a', which is still there, at FILE:1",
        ),
        (
            "it was itself",
            one("a", ", sloengine.dev/was: a"),
            "1: warning: 'was' names SLO 'a', which is still there, at FILE:1",
        ),
        (
            "two heirs",
            one("a", ", sloengine.dev/was: z") + one("b", ", sloengine.dev/was: z"),
            "6: warning: SLO 'a' at FILE:1 was 'z' too: a history has one heir",
        ),
        (
            "a policy twice",
            one("a", spec=", alertPolicies: [gentle, 28d, gentle]"),
            "4: warning: an alert policy is named twice",
        ),
        (
            "a window that no policy is short enough for",
            one("a", spec=", timeWindow: [{duration: 1h, isRolling: true}]"),
            "4: error: policy '1d.1h', window 2h: longer than the SLO's window 1h; it was chosen because alertPolicies names"
            " none, and none that ships fits: write a BurnPolicy and name it in alertPolicies",
        ),
    ],
)
def test_contradictions_are_named(case: str, text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([file])
    found = [str(p).removeprefix(f"{file}:").replace(str(file), "FILE") for p in problems]
    assert said in found, (case, found)
    if case == "a policy twice":
        assert (catalogue.slos[0].policy.name, len(catalogue.slos[0].policy.windows)) == ("gentle+28d", 7)


def test_good_and_bad_that_count_the_same_are_named(tmp_path: Path) -> None:
    source = "{metricSource: {type: metrics, spec: {metric: a}}}"
    narrow = "{metricSource: {type: metrics, spec: {metric: a, where: ['x=y']}}}"
    other = "{metricSource: {type: metrics, spec: {metric: a, where: ['x=z']}}}"
    said = []
    for good, bad in ((source, source), (narrow, source), (narrow, other)):
        text = (
            "apiVersion: openslo/v1\nkind: SLI\nmetadata: {name: i}\n"
            f"spec: {{ratioMetric: {{good: {good}, bad: {bad}, total: {source}}}}}\n---\n" + one("a").replace("M1", "i")
        )
        (tmp_path / "a.yaml").write_text(
            text.replace("indicatorRef: i", "indicatorRef: i, objectives: [{target: 0.9}]")
        )
        said.append([p.message for p in check_catalogue([tmp_path])[1] if "good and bad" in p.message])
    assert said == [["good and bad count the same of 'a': together they can exceed total"]] * 2 + [[]]


@pytest.mark.parametrize(
    ("most", "said"), [(3, []), (2, ["1: warning: the inventory makes 3 combinations of region, device"])]
)
def test_more_slices_than_the_budget_are_said_where_the_inventory_alone_makes_them(
    most: int, said: list[str], tmp_path: Path
) -> None:
    nodes = ", ".join(f"{{device: d{n}, gateway: g, region: r{n % 2}}}" for n in range(3))
    text = one("a", f", sloengine.dev/by: 'region, device, model', sloengine.dev/slices-max: {most}") + (
        "apiVersion: sloengine.dev/v1\nkind: Inventory\nmetadata: {name: i}\n"
        f"spec: {{service: s, since: 2026-01-01T00:00:00Z, nodes: [{nodes}]}}\n"
    )
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    found = [str(p).removeprefix(f"{tmp_path}/a.yaml:") for p in check_catalogue([tmp_path])[1]]
    assert [p.partition(";")[0] for p in found] == said


def test_a_files_name_writes_no_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "x\ny.yaml:1: error: forged.yaml").write_text("a: 1\n", encoding="utf-8")
    (problem,) = check_catalogue([tmp_path])[1]
    assert "\n" not in str(problem)
