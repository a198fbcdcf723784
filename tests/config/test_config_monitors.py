"""DriftMonitor documents: what they mean, and every mistake at its line, in words."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from sloengine.config.catalogue import catalogue_to_export, check_catalogue, load_catalogue
from sloengine.config.export import documents
from sloengine.config.monitors import INDICES
from sloengine.model import Catalogue
from sloengine.monitor import LEVELS, Against, DriftMonitor, Values

HEAD = """\
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata:
  name: scores
  annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: docs/drift.md}
spec:
"""
SPEC = f"{HEAD}  service: digits\n  metric: edge.inference.score\n"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
WINDOWS = "what is compared at a time is whole hours that divide a day: 1h, 2h, 3h, 4h, 6h, 8h, 12h, 1d"


def read(folder: Path, text: str) -> tuple[Catalogue, list[str]]:
    file = folder / "a.yaml"
    file.write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([file])
    return catalogue, [str(p).removeprefix(f"{file}:") for p in problems]


def one(folder: Path, text: str) -> DriftMonitor:
    catalogue, problems = read(folder, text)
    assert problems == []
    (found,) = catalogue.monitors
    return found


def test_what_is_left_out_is_as_the_engine_has_it(tmp_path: Path) -> None:
    plain = DriftMonitor(
        "scores",
        "digits",
        "edge.inference.score",
        owner="ml",
        runbook="docs/drift.md",
        source=f"{tmp_path / 'a.yaml'}:1",
    )
    assert one(tmp_path, SPEC) == plain
    empty = "".join(
        f"  {key}:\n" for key in ("levels", "segments", "trailing", "window", "index", "minimum", "critical")
    )
    assert one(tmp_path, SPEC + empty) == plain


def test_everything_that_a_monitor_may_say(tmp_path: Path) -> None:
    text = """\
apiVersion: sloengine.dev/v1
kind: DriftMonitor
metadata: {name: hits, displayName: Digits found, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec:
  service: digits
  metric: digits.found
  values: classes
  classAttribute: digit
  levels: [device, model, version]
  segments: [edge.site, age.band]
  against: pinned
  baseline: launch
  trailing: 14d
  window: 120m
  index: js
  minimum: 0.2
  falseAlarms: 0.01
  persistence: 3 of 4
  critical: [brakes, 7]
  retrain: train
"""
    assert one(tmp_path, text) == DriftMonitor(
        name="hits",
        service="digits",
        metric="digits.found",
        values=Values.CLASSES,
        class_attribute="digit",
        levels=("model", "version", "device"),
        segments=("edge.site", "age.band"),
        against=Against.PINNED,
        baseline="launch",
        trailing=14 * DAY,
        window=2 * HOUR,
        index="js",
        minimum=0.2,
        false_alarms=0.01,
        persistence=(3, 4),
        critical=("brakes", "7"),
        retrain="train",
        display_name="Digits found",
        owner="ml",
        runbook="r",
        source=f"{tmp_path / 'a.yaml'}:1",
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("levels: [model, versoin]", "unknown level 'versoin'; did you mean 'version'?"),
        ("levels: [version, device]", "levels always hold 'model', what the others are parts of"),
        ("levels: []", "levels always hold 'model', what the others are parts of"),
        ("levels: [model, model]", "level 'model' is given twice"),
        (
            "segments: [region]",
            "'region' is a dimension and not an attribute that tells segments apart;"
            " 'levels' has model, version, region, device",
        ),
        ("segments: [hardware]", "'hardware' is a dimension and not an attribute that tells segments apart"),
        ("segments: [a, a]", "segment 'a' is given twice"),
        ("segments: ['a b']", "'a b' can't be an attribute's name"),
        ("segments: [value]", "'value' can't be an attribute's name"),
        ("segments: [a, b, c, d, e, f, g, h, i]", "9 segments; 8 is the most"),
        ("against: trialing", "spec.against: 'trialing' is not known; did you mean 'trailing'?"),
        (
            "against: yesterday",
            "spec.against: 'yesterday' is not known; known: pinned, previous-version, trailing, same-hours-last-week, control",
        ),
        ("against: pinned", "'against: pinned' needs baseline, the name of the pinned one"),
        (
            "baseline: launch",
            "baseline names a pinned one and goes with 'against: pinned', not with 'trailing'",
        ),
        ("values: histogam", "spec.values: 'histogam' is not known; did you mean 'histogram'?"),
        ("values: classes", "'values: classes' needs classAttribute, the attribute that tells classes apart"),
        ("classAttribute: digit", "classAttribute goes with 'values: classes'; histograms have no classes"),
        ("trailing: 36h", "'36h': a trailing baseline reaches back whole days, at least 2d"),
        ("trailing: 1d", "'1d': a trailing baseline reaches back whole days, at least 2d"),
        ("trailing: 500d", "window '500d' is longer than 400d, how long buckets are kept"),
        ("trailing: week", "'week' is not a duration such as 30d, 6h or 5m"),
        ("window: 90m", f"'90m': {WINDOWS}"),
        ("window: 5h", f"'5h': {WINDOWS}"),
        ("window: 2d", f"'2d': {WINDOWS}"),
        ("window: 1", "spec.window: expected a text; quotes make one of a number"),
        ("index: psy", "unknown index 'psy'; did you mean 'psi'?"),
        ("index: chi2", "unknown index 'chi2'; known: psi, ks, js, wasserstein, hellinger"),
        ("index: wasserstein", "index wasserstein is in the metric's own unit: say with minimum what matters"),
        ("minimum: 0", "minimum 0: psi is a number above 0"),
        ("minimum: -0.1", "minimum -0.1: psi is a number above 0"),
        ("minimum: .inf", "minimum inf: psi is a number above 0"),
        ("minimum: .nan", "minimum nan: psi is a number above 0"),
        ("falseAlarms: 0", "falseAlarms 0 is a probability, above 0 and below 1, such as 0.05"),
        ("falseAlarms: 1", "falseAlarms 1 is a probability, above 0 and below 1, such as 0.05"),
        ("falseAlarms: .nan", "falseAlarms nan is a probability, above 0 and below 1, such as 0.05"),
        ("falseAlarms: 5%", "spec.falseAlarms: expected a number"),
        ("persistence: 2", "'2' is not like '2 of 3', windows in which it is found"),
        ("persistence: 3 of 2", "'3 of 2': it is found in at least one of them, and at most in all"),
        ("persistence: 0 of 2", "'0 of 2': it is found in at least one of them, and at most in all"),
        ("persistence: 2 of 9", "'2 of 9': at most 8 windows are looked back over"),
        ("critical: ['']", "spec.critical.0: is empty"),
        ("falseAlarm: 0.1", "unknown key 'spec.falseAlarm'; did you mean 'falseAlarms'?"),
    ],
)
def test_a_mistake_is_named_at_its_line(line: str, said: str, tmp_path: Path) -> None:
    catalogue, problems = read(tmp_path, f"{SPEC}  {line}\n")
    assert problems == [f"9: error: {said}"]
    assert catalogue.monitors == ()
    assert [(b.name, b.source) for b in catalogue.broken] == [("DriftMonitor scores", f"{tmp_path / 'a.yaml'}:1")]


@pytest.mark.parametrize("index", [name for name, most in INDICES.items() if most < 10])
def test_a_minimum_that_the_index_can_not_reach_is_named(index: str, tmp_path: Path) -> None:
    most = INDICES[index]
    assert one(tmp_path, f"{SPEC}  index: {index}\n  minimum: {most!r}\n").minimum == most
    _, problems = read(tmp_path, f"{SPEC}  index: {index}\n  minimum: 1.5\n")
    assert problems == [f"10: error: minimum 1.5: {index} is a number above 0 and at most {most:.3g}"]


@pytest.mark.parametrize("index", ["ks", "wasserstein"])
def test_classes_have_no_order(index: str, tmp_path: Path) -> None:
    text = f"{SPEC}  values: classes\n  classAttribute: digit\n  minimum: 0.1\n  index: {index}\n"
    said = f"12: error: index {index} compares numbers, which have an order; of classes there are psi, js, hellinger"
    assert read(tmp_path, text)[1] == [said]


def test_a_class_is_no_dimension_and_no_segment(tmp_path: Path) -> None:
    text = f"{SPEC}  values: classes\n  classAttribute: version\n"
    said = "10: error: 'version' is a dimension and not an attribute that tells classes apart"
    assert read(tmp_path, text)[1] == [said]
    text = f"{SPEC}  values: classes\n  classAttribute: digit\n  segments: [digit]\n"
    assert read(tmp_path, text)[1] == ["11: error: 'digit' tells classes apart and can't tell segments apart too"]


def test_everything_that_is_wrong_is_said_at_once_and_what_follows_from_it_is_not(tmp_path: Path) -> None:
    text = (
        f"{SPEC}  values: clases\n  classAttribute: digit\n  levels: [modle, device, device]\n  segments: [region, a, a]\n"
        "  against: pined\n  trailing: 36h\n  window: 90m\n  index: kss\n  minimum: -1\n  falseAlarms: 7\n"
        "  persistence: 12 of 9\n"
    )
    assert [
        line.partition(": error: ")[0] + ": " + line.partition(": error: ")[2][:24] for line in read(tmp_path, text)[1]
    ] == [
        "9: spec.values: 'clases' is",
        "11: unknown level 'modle'; d",
        "11: level 'device' is given ",
        "11: levels always hold 'mode",
        "12: 'region' is a dimension ",
        "12: segment 'a' is given twi",
        "13: spec.against: 'pined' is",
        "14: '36h': a trailing baseli",
        "15: '90m': what is compared ",
        "16: unknown index 'kss'; did",
        "17: minimum -1: an index is ",
        "18: falseAlarms 7 is a proba",
        "19: '12 of 9': at most 8 win",
    ]


def test_who_can_act_is_asked_for_and_nothing_else_is_annotated(tmp_path: Path) -> None:
    text = SPEC.replace(
        "{sloengine.dev/owner: ml, sloengine.dev/runbook: docs/drift.md}", "{sloengine.dev/by: region, a/b: c}"
    )
    assert read(tmp_path, text)[1] == [
        "3: warning: no sloengine.dev/owner: an alert nobody can act on is a defect",
        "3: warning: no sloengine.dev/runbook: an alert nobody can act on is a defect",
        "5: error: unknown annotation 'sloengine.dev/by'; did you mean 'sloengine.dev/runbook' or 'sloengine.dev/owner'?",
        "5: warning: annotation 'a/b' is not acted on",
    ]


def test_a_service_without_a_document_is_named(tmp_path: Path) -> None:
    service = "---\napiVersion: openslo/v1\nkind: Service\nmetadata: {name: digit}\nspec: {}\n"
    said = "7: warning: service 'digits' has no Service document; did you mean 'digit'?"
    assert read(tmp_path, SPEC + service)[1] == [said]


def test_of_two_with_one_name_the_first_is_used_and_a_broken_one_stops_no_other(tmp_path: Path) -> None:
    other = SPEC.replace("name: scores", "name: others")
    catalogue, problems = read(tmp_path, f"{SPEC}---\n{SPEC}  window: 2h\n---\n{other}---\n{other}  index: x\n")
    assert problems[0] == f"13: error: DriftMonitor 'scores' is defined already at {tmp_path / 'a.yaml'}:1"
    assert [(m.name, m.window) for m in catalogue.monitors] == [("scores", HOUR), ("others", HOUR)]
    assert [b.name for b in catalogue.broken] == ["DriftMonitor scores", "DriftMonitor others"]
    assert load_catalogue(tmp_path).monitors == catalogue.monitors, "a catalogue of monitors alone is one"


def test_a_monitor_that_can_not_be_read_at_all_is_visible(tmp_path: Path) -> None:
    catalogue, _ = read(tmp_path, "apiVersion: sloengine.dev/v2\nkind: DriftMonitor\nmetadata: {name: scores}\n")
    assert [b.name for b in catalogue.broken] == ["DriftMonitor scores"]


def test_an_export_holds_all_of_it(tmp_path: Path) -> None:
    head = HEAD.replace("docs/drift.md}", "docs/drift.md, a/b: c}\n  labels: {team: blue}\n  displayName: Scores")
    (tmp_path / "a.yaml").write_text(f"{head}  service: digits\n  metric: s\n", encoding="utf-8")
    catalogue, kept, problems = catalogue_to_export([tmp_path])
    assert [p.message for p in problems] == ["annotation 'a/b' is not acted on", "labels are not acted on"]
    (document,) = [d for d in documents(catalogue, kept) if d["kind"] == "DriftMonitor"]
    assert document["apiVersion"] == "sloengine.dev/v1"
    assert document["metadata"] == {
        "name": "scores",
        "displayName": "Scores",
        "labels": {"team": "blue"},
        "annotations": {"sloengine.dev/owner": "ml", "sloengine.dev/runbook": "docs/drift.md", "a/b": "c"},
    }
    assert document["spec"] == {
        "service": "digits",
        "metric": "s",
        "values": "histogram",
        "levels": list(LEVELS),
        "against": "trailing",
        "trailing": "7d",
        "window": "1h",
        "index": "psi",
        "minimum": 0.1,
        "falseAlarms": 0.05,
        "persistence": "2 of 3",
    }
