"""Explain: every statement that it prints, run, gives the figure that it prints beside it; by hand-made and random histories."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine.jobs.fold import fold_hours
from sloengine.model import (
    Calendar,
    DatedTarget,
    Exclusion,
    Matcher,
    Node,
    Quantifier,
    Selector,
    Sli,
    Source,
    Unknown,
    Weighting,
)
from sloengine.tools import explain
from sloengine.tools.explain import run_explain
from sloengine.tools.query import run_query

ODD = "it's \\ a 'model'"
END = BASE + 5 * HOUR
SPAN_COLUMNS = ["ResourceAttributes", "ServiceName", "SpanName", "SpanAttributes", "TraceId", "SpanId", "TraceState"]
SPAN_COLUMNS += ["Timestamp", "Duration", "StatusCode", "IngestTime"]


def _spans(request: str = "") -> Sli:
    def of(*where: Matcher) -> tuple[Selector, ...]:
        return (Selector(Source.SPAN, "infer", where, request),)

    return Sli(good=of(Matcher("outcome", "=", "ok")), bad=of(Matcher("outcome", "=~", "err.*")), total=of())


WEEKS = Calendar(1, "week", (BASE - timedelta(days=30)).replace(tzinfo=None, hour=0), "Europe/Berlin")
SLOS = (
    slo(),
    replace(slo("dated"), targets=(DatedTarget(BASE, 0.99), DatedTarget(BASE + HOUR, 0.999)), by=()),
    replace(slo("calendar", by=("region",)), calendar=WEEKS, window=timedelta(days=7)),
    replace(slo("nodes", by=()), weighting=Weighting.NODES),
    replace(slo("sites", by=("model",)), weighting=Weighting.SITES),
    replace(slo("promised", by=()), quantifier=Quantifier(0.9, 0.95)),
    replace(slo("worst", by=()), quantifier=Quantifier(0.4, 0.95, worst=True)),
    slo("fast", "M2", by=("region",), target=0.9),
    slo("traced", by=("gateway",), sli=_spans(), target=0.9),
    replace(slo("asked", by=(), sli=_spans("request.id"), target=0.9), unknown=Unknown.BAD),
    replace(slo("narrow", by=("device",)), where=(Matcher("version", "!=", "2"), Matcher("region", "=~", "e.|us"))),
    slo("heard", "M4", by=("region",), target=0.99),
)
NAMES = [s.name for s in SLOS]


def _exclusions() -> tuple[Exclusion, ...]:
    return (Exclusion("works", "maintenance", (Matcher("region", "=", "us"),), BASE + HOUR, 20 * MINUTE),)


def _span(number: int, dice: random.Random) -> list[Any]:
    # Two attempts of one request, minutes apart: an hour is as far as the engine looks. All have come in by the end.
    at = BASE + timedelta(seconds=random.Random(number // 2).uniform(0, 3 * 3600) + dice.uniform(0, 600))
    resource = {"device.id": "node-1", "edge.region": "eu", "edge.gateway.id": dice.choice(["gw-1", "gw-2"])}
    attributes = {
        "edge.model.name": ODD,
        "outcome": dice.choice(["ok", "ok", "ok", "error"]),
        "request.id": f"r{number // 2}",
    }
    th = dice.choice(["", "0", "8", "ff"])
    ident = f"{number:x}"
    return [
        resource, SERVICE, "infer", attributes, ident.rjust(32, "0"), ident.rjust(16, "0"), f"ot=th:{th}" if th else "",
        at, dice.randrange(10**8), "Unset", at + timedelta(minutes=dice.choice([1, 1, 90])),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def told(rigs: Callable[..., Rig]) -> Rig:
    """Five hours of counters (with late and repeated points, and a silence), spans of every weight, histograms."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    nodes = [Node("node-1", "gw-1", "eu", SERVICE, BASE), Node("node-9", "gw-1", "eu", SERVICE, BASE)]
    rig = rigs(slos=SLOS, nodes=nodes)
    rig.deps.catalogue = replace(rig.catalogue, exclusions=_exclusions())
    for n, region in enumerate(("eu", "us", "eu", "us", "ap")):
        series = Series(device=f"node-{n}", region=region, gateway=f"gw-{n % 2 + 1}", model=ODD, version=str(n % 2 + 1))
        _count(rig, series, dice)
    late = Series(device="node-7", region="eu", gateway="gw-3", model=ODD)
    for step in range(30):
        rig.points.count(late, BASE + step * 3 * MINUTE, 10.0 * step, ingested=END - HOUR)
        rig.points.duration(late, BASE + step * 3 * MINUTE, (6, 0, -300, [step, 2 * step]), ingested=END - HOUR)
    rig.points.flush()
    rig.store.insert("otel_traces", SPAN_COLUMNS, [_span(n, dice) for n in range(300)])
    rig.tick(END - 2 * HOUR)
    rig.tick(END)
    return rig


def _count(rig: Rig, series: Series, dice: random.Random) -> None:
    failure = replace(series, outcome="failure")
    good, bad = 0, 0
    for step in range(250):
        good, bad = good + dice.randrange(60), bad + (dice.randrange(3) if step % 7 == 0 else 0)
        if 40 < step < 60:
            continue  # nothing got through
        for one, value in ((series, good), (failure, bad)):
            for _ in range(dice.choice([1, 1, 1, 2])):
                rig.points.count(one, BASE + step * MINUTE, value)


@pytest.fixture(scope="module")
def explained(told: Rig) -> dict[str, dict[str, Any]]:
    found = {name: run_explain(told.deps, name, END) for name in NAMES}
    assert all(outcome.code == 0 for outcome in found.values()), [o.text for o in found.values() if o.code]
    return {name: {**outcome.found, "text": outcome.text} for name, outcome in found.items()}


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_sums_are_what_their_statement_gives(told: Rig, explained: dict[str, Any], name: str) -> None:
    windows = explained[name]["windows"]
    rows = {r["window"]: r for r in told.rows(windows["sql"])}
    for shown in windows["rows"]:
        run = rows.get(shown["window"])
        for column in ("good", "bad", "unknown"):
            assert (run[column] if run else 0) == pytest.approx(shown[column], rel=1e-12, abs=1e-5), (shown, run)
        if run and shown["burn"] is None:
            assert run["burn"] is None, (shown, run)
        elif run:
            assert run["burn"] == pytest.approx(shown["burn"], rel=1e-9), (shown, run)
    assert any(r["good"] for r in windows["rows"])


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_keys_sum_to_the_printed_window(told: Rig, explained: dict[str, Any], name: str) -> None:
    buckets = explained[name]["buckets"]
    assert told.rows(buckets["sql"]) == buckets["rows"]
    if name in ("success", "fast", "traced", "heard", "narrow", "dated", "calendar"):
        for column in ("good", "bad", "unknown"):
            total = buckets["rows"][0][f"all_{column}"]
            if len(buckets["rows"]) == buckets["rows"][0]["keys"]:
                assert total == pytest.approx(sum(r[column] for r in buckets["rows"]), abs=1e-5)
            assert total == pytest.approx(explained[name]["windows"]["rows"][0][column], abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_budget_is_what_its_statement_gives(told: Rig, explained: dict[str, Any], name: str) -> None:
    budget = explained[name]["budget"]
    row = told.rows(budget["sql"])[0]
    for column in ("allowed", "spent", "remaining", "left_s"):
        assert row[column] == pytest.approx(budget[column], rel=1e-9, abs=1e-5), column


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_coverage_is_what_its_statement_gives(told: Rig, explained: dict[str, Any], name: str) -> None:
    coverage = explained[name]["coverage"]
    row = told.rows(coverage["sql"])[0]
    assert (row["covered_s"] or 0) == pytest.approx(coverage["covered_s"])
    assert row["coverage"] == pytest.approx(coverage["coverage"])


@pytest.mark.parametrize("name", NAMES)
def test_a_bucket_counted_again_from_raw_rows_is_what_is_stored(
    told: Rig, explained: dict[str, Any], name: str
) -> None:
    raw = explained[name]["raw"]
    if name == "heard":
        assert "job of the engine" in raw["words"]
        return
    figures = ("Events", "Squares", "Items", "Unweighted", "Bridged", "Shifted")
    stored = {r["Minute"]: r for r in told.rows(raw["bucket_sql"])}[raw["bucket"]["Minute"]]
    (again,) = told.rows(raw["recount_sql"])
    assert [again[f] for f in figures] == [stored[f] for f in figures] == [raw["recount"][f] for f in figures]
    if "rows" in raw:
        rows = told.rows(raw["rows_sql"])
        total = sum(r["increase"] if "increase" in r else r["weight"] or 0 for r in rows)
        assert total == pytest.approx(stored["Events"]) == pytest.approx(raw["rows_total"])
        assert len(rows) == raw["rows_found"] == stored["Items"] + stored["Unweighted"]


def test_raw_rows_are_listed_one_by_one_for_counters_and_for_spans(explained: dict[str, Any]) -> None:
    assert explained["success"]["raw"]["rows"]
    assert explained["traced"]["raw"]["rows"]
    assert explained["fast"]["raw"]["from_histograms"]


def test_a_roll_up_under_way_is_waited_for_and_said(rigs: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    rig = rigs(slos=(slo(),))
    rig.points.traffic(Series(), BASE, 30, 10, 1)
    rig.points.flush()
    rig.tick(END)
    minute = BASE + 5 * MINUTE
    rig.store.command(
        "INSERT INTO count_minutes SELECT * REPLACE(Events + 5 AS Events, Revision + 1 AS Revision) FROM count_minutes FINAL"
        f" WHERE Minute = '{minute:%Y-%m-%d %H:%M:%S}' AND Measure = 'edge.inference.requests'"
    )
    monkeypatch.setattr(explain, "PATIENCE_S", 0.0)
    revision = rig.rows("SELECT max(Revision) AS r FROM count_minutes")[0]["r"]
    hour = minute.replace(minute=0)
    given = {"hours": [hour], "lo": hour, "hi": hour + timedelta(hours=1), "measures": [], "revision": revision}
    # Each statement of a roll-up leaves the next of what windows sum behind.
    for step in ("fold_hour_minutes", "fold_hours", None):
        under_way = run_explain(rig.deps, "success", END)
        assert under_way.found["unfolded_hours"] >= 1, step
        assert "a roll-up is under way" in under_way.text
        if step:
            rig.store.run(step, **given)
    monkeypatch.setattr(explain, "PATIENCE_S", 30.0)
    threading.Timer(1.0, fold_hours, (rig.store, [hour], revision)).start()
    settled = run_explain(rig.deps, "success", END)
    assert settled.found["unfolded_hours"] == 0
    assert "under way" not in settled.text
    listed = settled.found["buckets"]["rows"][0]
    assert listed["all_good"] == settled.found["windows"]["rows"][0]["good"]


def test_excluded_time_is_named_and_not_counted(told: Rig) -> None:
    found = run_explain(told.deps, "success", END, slice_="region=us").found
    assert [(e["name"], e["minutes"]) for e in found["window"]["excluded"]] == [("works", 20)]
    assert found["window"]["excluded_good"] > 0
    assert "works (maintenance), 20 minutes" in run_explain(told.deps, "success", END, slice_="region=us").text


def test_as_known_then_differs_by_what_came_late_and_says_why(told: Rig) -> None:
    outcome = run_explain(told.deps, "success", END, at=(END - 2 * HOUR).isoformat(), slice_="region=eu")
    said = outcome.found["said"]
    assert said["At"] == END - 2 * HOUR
    good = {d["figure"]: d for d in said["differs"]}["good"]
    # node-7 counted 10 more in each of 29 steps, and told it an hour later.
    assert good["now"] - good["then"] == 290
    again = {r["cause"]: r for r in told.rows(said["restated_sql"])}
    assert (
        again["arrival"]["after"] - again["arrival"]["before"] >= 290
    )  # by whole hours: the one of that moment as well
    assert told.rows(said["sql"])[0]["Good"] == good["then"]
    assert "arrival" in outcome.text


def test_sampled_figures_say_so_with_their_weights(explained: dict[str, Any]) -> None:
    found = explained["traced"]
    assert found["certainty"]["sampled"]
    assert "sampled: weights 1…256" in found["text"]
    assert found["certainty"]["effective"] < found["certainty"]["valid"]


def test_how_far_values_are_from_their_limit_is_asked_of_raw_rows(rigs: Callable[..., Rig]) -> None:
    """What is named is a command that runs."""
    slow = (Matcher("value", "<=", "0.5"),)
    sli = Sli(good=(Selector(Source.SPAN, "infer", slow),), total=(Selector(Source.SPAN, "infer"),))
    usage = "system.cpu.utilization"
    busy = Sli(good=(Selector(Source.GAUGE, usage, slow),), total=(Selector(Source.GAUGE, usage),))
    rig = rigs(slos=(slo("quick", by=(), sli=sli), slo("busy", by=(), sli=busy), slo("plain", by=())))
    rig.store.insert("otel_traces", SPAN_COLUMNS, [_span(n, random.Random(n)) for n in range(20)])
    gauges = [[{"device.id": "n1"}, SERVICE, usage, BASE + n * MINUTE, 0.9, BASE + n * MINUTE] for n in range(5)]
    rig.store.insert(
        "otel_metrics_gauge",
        ["ResourceAttributes", "ServiceName", "MetricName", "TimeUnix", "Value", "IngestTime"],
        gauges,
    )
    rig.points.traffic(Series(), BASE, 5, 10, 0)
    rig.points.flush()
    rig.tick(END)
    told = {name: run_explain(rig.deps, name, END) for name in ("quick", "busy", "plain")}
    commands = {name: outcome.found["definition"]["quantiles"] for name, outcome in told.items()}
    assert commands == {
        "quick": ["sloengine query span_quantiles --param span=infer"],
        "busy": [f"sloengine query saturation_quantiles --param metric={usage} --param limit=0.5"],
        "plain": [],
    }
    for name in ("quick", "busy"):
        (command,) = commands[name]
        assert command in told[name].text
        query, *given = command.replace(" --param", "").split()[2:]
        assert run_query(rig.store, query, given).code == 0


def test_the_worst_slice_is_explained_unless_one_is_named(told: Rig, explained: dict[str, Any]) -> None:
    slices = explained["success"]["slices"]
    worst = min(slices, key=lambda s: (s["state"] != "burning", s["budget_remaining"]))
    assert explained["success"]["slice"] == worst["slice"]
    assert run_explain(told.deps, "success", END, slice_="region=ap").found["slice"] == {"model": ODD, "region": "ap"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "sucess"}, "did you mean success"),
        ({"name": "success", "slice_": "region=mars"}, "there are"),
        ({"name": "success", "slice_": "mars"}, "model=digits,region=eu"),
        ({"name": "success", "at": "yesterday"}, "is not a moment such as"),
        ({"name": "success", "at": "2999-01-01"}, "lies ahead"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(told: Rig, arguments: dict[str, str], words: str) -> None:
    outcome = run_explain(told.deps, arguments.pop("name"), END, **arguments)
    assert outcome.code == 2
    assert words in outcome.text


def test_an_slo_without_any_data_is_refused_in_words(rigs: Callable[..., Rig]) -> None:
    rig = rigs()
    outcome = run_explain(rig.deps, "success", END)
    assert (outcome.code, "nothing that it counts was ever received" in outcome.text) == (2, True)
