"""Named queries: each documented example runs; figures by hand; parameters are typed and bound, never pasted."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_rig import BASE, DELTA, HOUR, MINUTE, SERVICE, SUM_COLUMNS, Rig, Series
from scipy import stats  # type: ignore[import-untyped]
from test_tools_explain import SPAN_COLUMNS

import sloengine
from sloengine import jobs
from sloengine.config.catalogue import check_catalogue
from sloengine.edge import contract
from sloengine.gameday import plan
from sloengine.model import Node
from sloengine.tools.outcome import Refused, moment_of
from sloengine.tools.query import bound, named_queries, read_named, run_query

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^sloengine query (.+)$", PAGE, re.MULTILINE)
END = BASE + 2 * HOUR


def _asked(line: str) -> tuple[str, list[str]]:
    name, *words = shlex.split(line)
    return name, [value for flag, value in zip(words[::2], words[1::2], strict=True) if flag == "--param"]


@pytest.fixture(scope="module")
def fleet(rigs: Callable[..., Rig]) -> Rig:
    """Two versions in two regions, one bad node; scores, bytes, spans, predictions and labels, updates."""
    return _fleet(rigs)


@pytest.fixture(scope="module")
def documented(rigs: Callable[..., Rig]) -> Rig:
    """The same, with what the examples name, which is what the demo has."""
    rig = _fleet(rigs)
    rig.store.insert("slo_status", ["At", "Slo", "ServiceName"], [[BASE, "digits-success", SERVICE]])
    rig.store.insert("otel_traces", ["ServiceName", "SpanName", "Timestamp"], [[SERVICE, "edge.inference", BASE]])
    columns = ["Timestamp", "ServiceName", "PredictionId", "Segments"]
    rig.store.insert("predictions", columns, [[BASE, SERVICE, "s", {"edge.segment.stroke": "thin"}]])
    return rig


def _fleet(rigs: Callable[..., Rig]) -> Rig:
    rig = rigs(nodes=[Node("n1", "gw-eu", "eu", SERVICE, BASE), Node("gone", "gw-eu", "eu", SERVICE, BASE)])
    for device, region, version, rate in (
        ("n1", "eu", "1", (9, 1)),
        ("n2", "us", "2", (99, 1)),
        ("n3", "us", "2", (50, 50)),
    ):
        series = Series(device=device, region=region, gateway=f"gw-{region}", version=version)
        rig.points.traffic(series, BASE, 60, *rate)
        rig.points.duration(series, BASE, (6, 0, -400, [0]))
        rig.points.duration(series, BASE + MINUTE, (6, 0, -400, [90, 10]))
    for _ in range(2):
        rig.points.count(replace(Series(device="n4", region="ap", version="3"), temporality=DELTA), BASE + MINUTE, 30)
    rig.points.flush()
    _bytes(rig)
    _spans(rig)
    _scores(rig)
    _predictions(rig)
    jobs.roll_up(rig.deps, END)
    return rig


def _bytes(rig: Rig) -> None:
    rows = []
    for name, values in {
        "edge.data.raw": (0, 1000),
        "edge.data.sent": (0, 100),
        "edge.inference.cold_starts": (0, 3),
    }.items():
        for step, value in enumerate(values):
            at = BASE + step * MINUTE
            rows.append([*replace(Series(device="n1"), start=BASE).row(name, "By", at, None, None), float(value), True])
    rig.store.insert("otel_metrics_sum", SUM_COLUMNS, rows)


def _spans(rig: Rig) -> None:
    rows: list[list[Any]] = []
    for n, th in enumerate(["0", "0", "8", "8", ""]):
        ident = f"{n:x}"
        state = f"ot=th:{th}" if th else ""
        rows.append(
            [{}, SERVICE, "infer", {}, ident.rjust(32, "0"), ident.rjust(16, "0"), state, BASE, 10, "Unset", BASE]
        )
    rig.store.insert("otel_traces", SPAN_COLUMNS, [*rows, rows[0]])


def _scores(rig: Rig) -> None:
    columns = [
        "Measure",
        "ServiceName",
        "ModelName",
        "ModelVersion",
        "Minute",
        "Scale",
        "Bounds",
        "Zero",
        "Buckets",
        "Items",
        "Revision",
    ]
    rows = [
        ["edge.inference.score", SERVICE, "m", version, BASE, 0, [0.5], 0.0, buckets, 1, 1]
        for version, buckets in (("1", {0: 50.0, 1: 50.0}), ("2", {0: 30.0, 1: 10.0}))
    ]
    rig.store.insert("histogram_minutes", columns, rows)


def _predictions(rig: Rig) -> None:
    names = [
        "Timestamp",
        "IngestTime",
        "ServiceName",
        "ModelName",
        "ModelVersion",
        "PredictionId",
        "Label",
        "Truth",
        "Segments",
        "Weight",
        "Score",
    ]
    rows = [
        [BASE, BASE, SERVICE, "m", "1", f"p{n}", "cat", "", {"edge.segment.site": site}, 2.0, score]
        for n, (site, score) in enumerate([("dock", 0.95), ("dock", 0.91), ("dock", 0.42), ("hall", 0.99)])
    ]
    rig.store.insert("predictions", names, [*rows, rows[0]])
    labels = [("p0", "cat", 1), ("p1", "dog", 2), ("p1", "cat", 3), ("p3", "dog", 4)]
    given = [[i, SERVICE, BASE + hours * HOUR, truth, BASE + hours * HOUR] for i, truth, hours in labels]
    rig.store.insert("labels", ["PredictionId", "ServiceName", "At", "Truth", "IngestTime"], given)
    updates = [
        ["r", SERVICE, d, BASE + n * MINUTE, s]
        for n, (d, s) in enumerate([("a", "started"), ("a", "succeeded"), ("b", "failed")])
    ]
    rig.store.insert("device_updates", ["RolloutId", "ServiceName", "DeviceId", "Timestamp", "Status"], updates)


def _rows(rig: Rig, name: str, **parameters: str) -> list[dict[str, Any]]:
    outcome = run_query(rig.store, name, [f"{k}={v}" for k, v in parameters.items()])
    assert outcome.code == 0, outcome.text
    return list(outcome.found["rows"])


@pytest.mark.parametrize("line", EXAMPLES)
def test_each_documented_example_runs(documented: Rig, line: str) -> None:
    name, given = _asked(line)
    outcome = run_query(documented.store, name, given)
    assert outcome.code == 0, outcome.text


def test_examples_name_what_the_demo_has() -> None:
    """Else a newcomer who pastes one beside the demo sees no rows."""
    folder = Path(sloengine.__file__).parent
    catalogue, _ = check_catalogue(sorted(folder.joinpath("gameday").glob("*.yaml")))
    cut = {name for slo in catalogue.slos for name in slo.by}
    given = [tuple(item.split("=", 1)) for line in EXAMPLES for item in _asked(line)[1]]
    assert {value for key, value in given if key == "slo"} <= {slo.name for slo in catalogue.slos}
    assert {f"edge.segment.{value}" for key, value in given if key == "segment"} <= cut
    assert {value for key, value in given if key == "model"} <= {plan.MODEL}
    assert {value for key, value in given if key == "region"} <= set(plan.REGIONS)
    assert {value for key, value in given if key == "service"} <= {plan.SERVICE}
    assert {value for key, value in given if key == "span"} <= {contract.SPAN}


def test_every_query_is_documented_with_each_parameter_and_an_example() -> None:
    assert {_asked(line)[0] for line in EXAMPLES} == set(named_queries())
    for query in named_queries().values():
        told = PAGE.split(f"**{query.name}**", 1)[1].split("```", 1)[0]
        assert query.about
        assert re.findall(r"`(\w+)`", told.split("Parameter", 1)[1]) == [p.name for p in query.parameters], query.name


def test_every_declared_parameter_is_used_and_the_reverse() -> None:
    for query in named_queries().values():
        assert set(re.findall(r"\{(\w+):", query.sql)) == {p.name for p in query.parameters}, query.name


def test_figures_by_hand(fleet: Rig) -> None:
    worst = _rows(fleet, "worst_nodes", since="1d")
    assert [(r["device"], r["bad"], r["requests"]) for r in worst] == [
        ("n3", 3000, 6000),
        ("n1", 60, 600),
        ("n2", 60, 6000),
        ("n4", 0, 30),
    ]
    rates = {(r["version"], r["region"]): (r["good"], r["bad"]) for r in _rows(fleet, "success_by_version")}
    assert rates == {("1", "eu"): (540, 60), ("2", "us"): (149 * 60, 51 * 60), ("3", "ap"): (30, 0)}
    (latency, _) = _rows(fleet, "latency_by_version")
    assert latency["p50_s"] == pytest.approx(2 ** ((-400 + 0.5) / 64))
    assert latency["p99_s"] == pytest.approx(2 ** ((-399 + 0.5) / 64))
    low, high = _rows(fleet, "score_histogram", model="m", version="2", against="1")
    assert (low["share"], low["against_share"], high["difference"]) == (0.75, 0.5, -0.25)


def test_figures_of_telemetry_by_hand(fleet: Rig) -> None:
    (nodes,) = _rows(fleet, "data_reduction")
    assert (nodes["device"], nodes["reduction"]) == ("n1", 10)
    (cold,) = _rows(fleet, "cold_starts")
    assert (cold["cold"], cold["device"]) == (3, "n1")
    (spans,) = _rows(fleet, "sampled_share")
    assert (spans["spans"], spans["of_unknown_weight"], spans["requests_estimated"], spans["effective"]) == (
        5,
        1,
        6,
        3.6,
    )
    silent = _rows(fleet, "freshness", older="1h")
    assert [r["device"] for r in silent] == ["gone", "n1"]
    assert _rows(fleet, "errors_by_type")[0]["failures"] == 51 * 60


def test_figures_of_labels_and_updates_by_hand(fleet: Rig) -> None:
    """A corrected label counts, a repeated record does not; the unlabelled are counted."""
    hall, dock = _rows(fleet, "accuracy_by_segment", segment="site")
    assert (hall["segment"], hall["accuracy"], hall["coverage"]) == ("hall", 0, 1)
    assert (dock["predictions"], dock["labelled"], dock["correct"], dock["accuracy"]) == (6, 4, 4, 1)
    (lag,) = _rows(fleet, "label_lag")
    assert (lag["predictions"], lag["waiting"], lag["p50_h"], lag["longest_h"]) == (4, 1, 2, 4)
    (rollout,) = _rows(fleet, "update_failures")
    assert (rollout["devices"], rollout["succeeded"], rollout["failed"], rollout["done"]) == (2, 1, 1, 0.5)


def _kept(version: str, durations_s: Any, weights: Any, first: int) -> list[list[Any]]:
    """Spans of one model version; a weight is 2^k, its threshold the hex digits that say so."""
    rows = []
    for n, (seconds, weight) in enumerate(zip(durations_s, weights, strict=True), first):
        th = {1: "0", 2: "8", 4: "c", 8: "e", 16: "f"}[int(weight)]
        rows.append(
            [{}, SERVICE, "timed", {"edge.model.name": "m", "edge.model.version": version}, f"{n:032x}", f"{n:016x}",
             f"ot=th:{th}", BASE, int(seconds * 1e9), "Unset", BASE]
        )  # fmt: skip
    return rows


def test_quantiles_of_weighted_spans_by_hand(rigs: Callable[..., Rig]) -> None:
    rig = rigs()
    # 900 spans of a second that stand for themselves, 100 of two that stand for 16 each: p50 of all 2500 is at two seconds.
    rows = _kept("1", [1.0] * 900 + [2.0] * 100, [1] * 900 + [16] * 100, 0)
    few = _kept("2", [1.0, 2.0, 3.0], [1] * 3, 2000)
    unknown = [[*row[:6], "", *row[7:]] for row in _kept("1", [9.0] * 7, [1] * 7, 3000)]
    set_meanwhile = [
        [*r[:3], {**r[3], "edge.original_end_time_unix_nano": "1"}, *r[4:]] for r in _kept("1", [9.0], [1], 4000)
    ]
    rig.store.insert("otel_traces", SPAN_COLUMNS, [*rows, *rows[:50], *few, *unknown, *set_meanwhile])
    found = {(r["version"], r["quantile"]): r for r in _rows(rig, "span_quantiles", span="timed", since="1d")}
    median, high = found["1", 0.5], found["1", 0.99]
    assert (median["spans"], median["spans_estimated"], median["of_unknown_weight"], median["heaviest"]) == (
        1000,
        2500,
        8,
        16,
    )
    assert median["seconds"] == pytest.approx(2, rel=0.003)
    assert high["seconds"] == pytest.approx(2, rel=0.003)
    # All of the sample lies at or below the p99: Kish's size. So do all of version 2's at its p99.
    assert high["effective"] == pytest.approx(2500**2 / (900 + 100 * 256), abs=0.1)
    assert (found["2", 0.99]["effective"], found["2", 0.99]["high"], found["2", 0.5]["low"]) == (3, None, None)
    assert found["2", 0.5]["seconds"] == pytest.approx(2, rel=0.003)


@pytest.mark.parametrize("tail", [False, True], ids=["head sampling", "slow spans all kept"])
def test_intervals_of_span_quantiles_hold_the_truth(rigs: Callable[..., Rig], tail: bool) -> None:
    """150 versions with the same log-normal durations; kept is one span of eight, or all of the slow ones and one of sixteen."""
    rig, seed = rigs(), 20265
    rng, rows = np.random.default_rng(seed), []
    for version in range(150):
        durations = rng.lognormal(-3, 1, 3000)
        weight = np.where(durations > np.exp(-3 + 1.2), 1, 16) if tail else np.full(3000, 8)
        kept = rng.random(3000) < 1 / weight
        rows += _kept(str(version), durations[kept], weight[kept], version * 4000)
    rig.store.insert("otel_traces", SPAN_COLUMNS, rows)
    found = _rows(rig, "span_quantiles", span="timed", since="1d")
    for quantile in (0.5, 0.95, 0.99):
        truth = float(np.exp(-3 + stats.norm.ppf(quantile)))
        mine = [r for r in found if r["quantile"] == quantile]
        assert len(mine) == 150
        held = np.mean([(r["low"] or 0) * 0.997 <= truth <= (r["high"] or np.inf) * 1.003 for r in mine])
        width = np.nanmedian([(r["high"] or np.nan) / r["low"] for r in mine])
        size = np.median([r["effective"] for r in mine])
        print(f"seed {seed}, tail {tail}, p{quantile:g}: held {held:.3f}, {width:.2f} wide, n {size:.0f}")
        # 0.95 less four standard errors of 150 runs.
        assert held >= 0.95 - 4 * (0.95 * 0.05 / 150) ** 0.5
        assert width < 2.5


def test_saturation_is_weighed_by_time(rigs: Callable[..., Rig]) -> None:
    rig = rigs()
    columns = ["ResourceAttributes", "ServiceName", "MetricName", "Attributes", "TimeUnix", "Value", "IngestTime"]
    resource = {"device.id": "n1", "edge.gateway.id": "gw", "edge.region": "eu"}
    # Ten minutes at 0.3 told every ten seconds, then 90 at 0.9 told each minute; an hour and a half of silence is nobody's.
    times = (
        [(s, 0.3) for s in range(0, 601, 10)] + [(600 + 60 * m, 0.9) for m in range(1, 91)] + [(600 + 5400 + 5400, 0.1)]
    )
    rows = [[resource, SERVICE, "system.cpu.utilization", {}, BASE + timedelta(seconds=s), v, BASE] for s, v in times]
    idle = [[{**resource, "device.id": "n2"}, *r[1:5], 0.05, BASE] for r in rows]
    rig.store.insert("otel_metrics_gauge", columns, [*rows, *rows[:20], *idle])
    busy, calm = _rows(rig, "saturation_quantiles", since="1d")
    assert (busy["device"], busy["p50"], busy["p99"], busy["highest"]) == ("n1", 0.9, 0.9, 0.9)
    assert (busy["hours"], busy["share_above"]) == (pytest.approx(100 / 60), pytest.approx(0.9))
    assert (calm["device"], calm["p99"], calm["share_above"]) == ("n2", 0.05, 0)
    assert _rows(rig, "saturation_quantiles", since="1d", limit="0.95")[0]["share_above"] == 0
    assert _rows(rig, "saturation_quantiles", since="1d", top="1") == [busy]


def test_values_are_bound_and_not_pasted(fleet: Rig) -> None:
    nasty = "'; DROP TABLE labels; -- \\"
    assert _rows(fleet, "worst_nodes", model=nasty) == []
    assert _rows(fleet, "label_lag")


def test_formats(fleet: Rig, tmp_path: Path) -> None:
    given = ["since=1d"]
    rows = _rows(fleet, "worst_nodes", since="1d")
    found = json.loads(run_query(fleet.store, "worst_nodes", given, form="json").text)
    assert found["rows"] == rows
    text = run_query(fleet.store, "worst_nodes", given, form="csv").text
    assert [r["device"] for r in csv.DictReader(io.StringIO(text))] == ["n3", "n1", "n2", "n4"]
    outcome = run_query(fleet.store, "worst_nodes", given, form="parquet", file=tmp_path / "x.parquet")
    assert outcome.code == 0
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(tmp_path / "x.parquet").column("device").to_pylist() == ["n3", "n1", "n2", "n4"]
    assert "n3" in run_query(fleet.store, "worst_nodes", given).text
    assert run_query(fleet.store, "integrity_failures").text == "no rows"


def test_the_list_shows_types_and_defaults() -> None:
    outcome = run_query(None, None)  # type: ignore[arg-type]
    assert re.search(r"--param since +Duration +default 1h +how far back", outcome.text)
    assert re.search(r"--param segment +Segment +needed", outcome.text)
    assert len(outcome.found["queries"]) >= 10


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("worst_node",), "is called 'worst_node' ('sloengine query' describes them all); did you mean worst_nodes"),
        (("zzz",), "; there are accuracy_by_segment, budget_history, calibration_by_bin"),
        (("zzz",), f"{sorted(named_queries())[9]} and {len(named_queries()) - 10} more"),
        (("worst_nodes", ["since=long"]), "is not a duration"),
        (("worst_nodes", ["top=few"]), "is not a whole number"),
        (("worst_nodes", ["top=-1"]), "is not a whole number"),
        (("worst_nodes", ["region=eu"]), "takes since, model, least, top"),
        (("worst_nodes", ["since=1h", "since=2h"]), "given twice"),
        (("worst_nodes", ["since=99999999999d"]), "is too long a time"),
        (("score_histogram", ["model=m"]), "needs --param version=…, --param against=…"),
    ],
)
def test_a_mistake_is_told(fleet: Rig, arguments: tuple[Any, ...], words: str) -> None:
    outcome = run_query(fleet.store, *arguments)
    assert outcome.code == 2
    assert words in outcome.text


@pytest.mark.parametrize(
    ("form", "words"),
    [("xml", "no format"), ("parquet", "parquet is no text: name a file, --format parquet --file FILE")],
)
def test_a_wrong_format_is_told(fleet: Rig, form: str, words: str) -> None:
    assert words in run_query(fleet.store, "worst_nodes", form=form).text


def test_a_file_that_cannot_be_written_is_told(fleet: Rig, tmp_path: Path) -> None:
    outcome = run_query(fleet.store, "worst_nodes", form="csv", file=tmp_path / "no" / "where.csv")
    assert outcome.code == 2
    assert "No such file" in outcome.text


@pytest.mark.parametrize("text", ["0001-01-01", "0001-01-01T00:00+14:00"])
def test_a_moment_that_no_window_ends_at_is_refused(text: str) -> None:
    """Taking a window's length from it is no date any more."""
    with pytest.raises(Refused):
        moment_of(text, BASE)


def test_moments_and_numbers_are_read() -> None:
    query = read_named("x", "-- about\n-- param: at Moment  when\n-- param: share Number = 0.5  how much\nSELECT 1")
    assert bound(query, ["at=2026-01-01T10:00+01:00"]) == {"at": datetime(2026, 1, 1, 9, tzinfo=UTC), "share": 0.5}
    with pytest.raises(ValueError, match="is not '-- param"):
        read_named("x", "-- param: at Time")


def test_figures_of_model_quality_by_hand(fleet: Rig) -> None:
    (drift,) = _rows(fleet, "score_drift", model="m", version="2", against="1")
    assert (drift["events"], drift["against_events"], drift["ks"]) == (40, 100, pytest.approx(0.25))
    assert drift["psi"] == pytest.approx(sum((q - p) * np.log(q / p) for p, q in ((0.5, 30.5 / 41), (0.5, 10.5 / 41))))
    assert drift["psi_by_chance"] == pytest.approx(1 / 40 + 1 / 100)
    assert drift["ks_p"] == pytest.approx(stats.kstwobign.sf(0.25 * np.sqrt(4000 / 140)))
    # p0 and p1 are right (p1 by its corrected label), p3 is wrong; p2 has no label. Each stands for two.
    (high,) = _rows(fleet, "calibration_by_bin")
    assert (high["bin"], high["labelled"], high["effective"]) == (0.9, 6, 3)
    assert (high["mean_score"], high["accuracy"]) == (pytest.approx(0.95), pytest.approx(2 / 3))
    wilson = stats.binomtest(2, 3).proportion_ci(0.95, "wilson")
    assert (high["low"], high["high"]) == pytest.approx((wilson.low, wilson.high), abs=1e-6)
    bins = [(r["bin"], r["sampled"], r["estimated"], r["share"]) for r in _rows(fleet, "confidence_histogram")]
    assert bins == [(0.4, 1, 2, 0.25), (0.9, 3, 6, 0.75)]
    segments = [(r["segment"], r["value"], r["accuracy"]) for r in _rows(fleet, "worst_segments", least="1")]
    assert segments == [("site", "hall", 0), ("site", "dock", 1)]
    assert [r["value"] for r in _rows(fleet, "worst_segments", least="2")] == ["dock"]


def test_who_spent_and_what_was_restated_by_hand(fleet: Rig) -> None:
    worst, _ = _rows(fleet, "who_spent")
    assert (worst["version"], worst["bad"], worst["requests"]) == ("2", 51 * 60, 200 * 60)
    assert worst["share_of_bad"] == pytest.approx(3060 / 3120)
    assert worst["lift"] == pytest.approx((3060 / 3120) / (12000 / 12630))
    columns = ["At", "Slo", "ServiceName", "BudgetRemaining"]
    fleet.store.insert("slo_status", columns, [[BASE + MINUTE, "said", SERVICE, 0.25]])
    columns = ["At", "Cause", "Measure", "ServiceName", "Region", "Hour", "Minutes", "Before", "After"]
    late = [END, "arrival", "edge.inference.requests", SERVICE, "eu", BASE, 2, 10.0, 25.0]
    fleet.store.insert("restatements", columns, [late, [*late[:3], "other", *late[4:]]])
    (found,) = [r for r in _rows(fleet, "restated_slos", slo="said") if (r["before"], r["after"]) == (10, 25)]
    assert (found["cause"], found["change"], found["budget_said"]) == ("arrival", 15, 0.25)
    (history,) = _rows(fleet, "budget_history", slo="said")
    assert history["budget_left"] == 0.25


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("restated_slos", "slo=sad", "no SLO was ever judged under the name 'sad'; did you mean said?"),
        ("budget_history", "slo=nosuch", "no SLO was ever judged under the name 'nosuch'; there are said"),
        (
            "accuracy_by_segment",
            "segment=site_type",
            "no prediction of that time declares the segment 'site_type'; did you mean site?",
        ),
        ("span_quantiles", "span=inferr", "no span of that time is called 'inferr'; did you mean infer?"),
    ],
)
def test_a_name_that_the_store_does_not_know_is_wrong_use(fleet: Rig, name: str, given: str, words: str) -> None:
    fleet.store.insert("slo_status", ["At", "Slo", "ServiceName"], [[BASE + MINUTE, "said", SERVICE]])
    outcome = run_query(fleet.store, name, [given, "since=2d"])
    assert (outcome.code, outcome.text) == (2, f"--param {given}: {words}")
