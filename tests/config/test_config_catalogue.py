"""The catalogue: what it means, and every mistake by file, line and words."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import sloengine
from sloengine.config.catalogue import check_catalogue, load_catalogue
from sloengine.errors import ConfigError
from sloengine.model import Catalogue, Node

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
    assert problems == []
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
    assert (slo.target, slo.window, slo.by, slo.threshold_s) == (0.999, timedelta(days=30), ("model", "region"), None)
    assert (slo.owner, slo.runbook, slo.policy.name) == ("ml", "docs/x.md", "sre-workbook")
    assert slo.source == f"{path}:2"


def test_a_latency_slo_takes_its_threshold_from_the_objective(tmp_path: Path) -> None:
    text = SLO.replace("M1", "M2").replace("target: 0.999", "{target: 0.95, op: lte, value: 0.1}")
    write(tmp_path, "a.yaml", text)
    assert read(tmp_path).slos[0].threshold_s == 0.1


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
            [
                "10: error: spec.budgetingMethod: Field required",
                "17: error: unknown key 'spec.budgetingMehtod'; did you mean 'budgetingMethod'?",
            ],
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
            ["19: error: spec.objectives.0.target: Input should be a valid number"],
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
        ("no target", "target: 0.999", "displayName: x", ["19: error: give exactly one of target and targetPercent"]),
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
            ["14: error: policy 'sre-workbook', window 3d: longer than the SLO's window 1d"],
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
            ["15: error: calendar windows are not supported yet"],
        ),
        (
            "an unknown dimension",
            "model, region",
            "model, country",
            ["9: error: unknown dimension 'country'; known: service, model, version, region, gateway, rollout"],
        ),
        (
            "a dimension twice",
            "model, region",
            "model, region, model",
            ["9: error: dimension 'model' is given twice"],
        ),
        ("an unknown indicator", "M1", "M9", ["13: error: unknown indicator 'M9'; known: M1, M2, M4"]),
        (
            "latency without a threshold",
            "M1",
            "M2",
            ["19: error: M2 needs 'op: lte' and 'value', the latency in seconds"],
        ),
        ("nodes told apart by model", "M1", "M4", ["9: error: M4 is about nodes"]),
        (
            "an unknown policy",
            "[sre-workbook]",
            "[mine]",
            ["20: error: unknown alert policy 'mine'; known: sre-workbook"],
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
            ["4: error: metadata.name: String should match"],
        ),
        (
            "other budgeting",
            "Occurrences",
            "Timeslices",
            ["17: error: only budgetingMethod: Occurrences is supported yet"],
        ),
        (
            "an unknown kind",
            "kind: SLO",
            "kind: SLA",
            ["2: error: unknown apiVersion/kind 'openslo/v1' 'SLA'; known: "],
        ),
        (
            "another version",
            "openslo/v1",
            "openslo/v9",
            ["2: error: unknown apiVersion/kind 'openslo/v9' 'SLO'; known: "],
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


@pytest.mark.parametrize(
    "kind", ["Service", "SLI", "DataSource", "AlertPolicy", "AlertCondition", "AlertNotificationTarget"]
)
def test_valid_openslo_that_is_not_acted_on_is_a_warning(kind: str, tmp_path: Path) -> None:
    write(tmp_path, "a.yaml", f"# words\napiVersion: openslo/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec: {{}}\n")
    assert lint(tmp_path) == [f"a.yaml:3: warning: OpenSLO {kind} is valid but not acted on"]


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
    write(tmp_path, "a.yaml", SLO.replace("0.999", "99.9").replace("model, region", "country").replace("M1", "M9"))
    write(tmp_path, "b.yaml", "- not\n- a mapping\n")
    write(tmp_path, "c.yaml", "a: [1\n")
    write(tmp_path, "d.yaml", SLO)
    (tmp_path / "e.yaml").write_bytes(b"a: \xff\n")
    write(tmp_path, "f.yaml", "x: " + "y" * 5 * 2**20)
    write(tmp_path, "notes.txt", "not: [ours")
    found = lint(tmp_path)
    assert [line.split(": error")[0] for line in found] == [
        "a.yaml:19",
        "a.yaml:13",
        "a.yaml:9",
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


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(data=st.data(), text=st.sampled_from([SLO, INVENTORY]), new=values)
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
