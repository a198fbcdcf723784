"""Buckets against a brute-force oracle that shares no code with the engine: plain Python over the raw points."""

from __future__ import annotations

import math
import os
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from importlib import import_module

import pytest
from engine_rig import BASE, CUMULATIVE, DELTA, HOUR, MINUTE, SERVICE, Rig, Series

from sloengine import jobs

latencies = import_module("sloengine.jobs.evaluate").latencies

HISTORIES = 32
GATEWAYS = 8
# Spans a midnight: pieces are cut there.
BEGIN = BASE.replace(hour=23) - timedelta(days=2)
SPAN = 2 * HOUR
Histogram = tuple[int, int, int, tuple[int, ...]]
Dimensions = tuple[str, str, str, str, str, str, datetime]


@dataclass
class Point:
    series: Series
    at: datetime
    ingested: datetime
    value: float = 0.0
    histogram: Histogram | None = None


@dataclass
class History:
    """What really happened to one model behind one gateway, and the points that told of it."""

    model: str
    gateway: str
    points: list[Point] = field(default_factory=list)
    seconds: dict[datetime, list[float]] = field(default_factory=lambda: defaultdict(list))
    """Latencies by the minute of the point that first told of them, of histograms of full resolution."""
    exact: bool = True


# --- random histories


def history(dice: random.Random, number: int) -> History:
    made = History(f"model-{number}", f"gw-{number % GATEWAYS}")
    kind = dice.choice(["steady", "late", "gaps", "restarts", "resets", "delta", "scales", "everything"])
    made.exact = kind not in ("scales", "everything")
    for device in range(dice.randint(1, 3)):
        _device(dice, made, f"node-{number}-{device}", kind)
    for point in list(made.points):
        if dice.random() < 0.05:  # delivered again, now or hours later
            again = point.ingested + timedelta(minutes=dice.choice([0, 1, 90]))
            made.points.append(replace(point, ingested=again))
    return made


def _device(dice: random.Random, made: History, device: str, kind: str) -> None:
    has = {name: kind in (name, "everything") for name in ("late", "gaps", "restarts", "resets", "scales")}
    temporality = DELTA if kind == "delta" or (kind == "everything" and dice.random() < 0.3) else CUMULATIVE
    start = BEGIN - timedelta(minutes=dice.choice([0, 1, 600]))
    common = Series(device, made.gateway, "eu", made.model, dice.choice("12"), start=start, temporality=temporality)
    good, bad, cells, scale = 0, 0, Counter[int](), 6
    values: list[float] = []
    held: list[Point] = []
    at = BEGIN + timedelta(seconds=dice.uniform(0, 59))
    if start < BEGIN - MINUTE:  # it ran long before: its first point tells of an unknown past, unless it says zero
        _tell(made, held, replace(common, outcome="success"), at, 0, None, at)
    while at < BEGIN + SPAN:
        step = timedelta(seconds=dice.uniform(20, 90))
        if has["gaps"] and dice.random() < 0.06:
            step = timedelta(minutes=dice.choice([7, 20, 65]))
        at += step
        if has["restarts"] and dice.random() < 0.08:
            common = replace(common, start=at - timedelta(seconds=dice.uniform(1, 15)))
            good, bad, cells, scale = 0, 0, Counter(), 6
        elif has["resets"] and dice.random() < 0.08 and cells.total() > 40:
            good, bad, cells, scale = 0, 0, Counter(), 6
        if temporality == DELTA:
            good, bad, cells = 0, 0, Counter()
            common = replace(common, start=at - step)
        if has["scales"] and scale > 1 and dice.random() < 0.1:
            cells, scale = Counter(_coarser(cells)), scale - 1
        good, bad = good + dice.randint(0, 30), bad + dice.choice([0, 0, 1, 5])
        values = [dice.lognormvariate(-4, 0.6) for _ in range(dice.randint(0, 20))]
        cells.update(math.ceil(math.log2(v) * 2**scale) - 1 for v in values)
        made.seconds[_minute(at)] += values
        late = has["late"] and dice.random() < 0.4
        ingested = at + (timedelta(minutes=dice.uniform(1, 200)) if late else timedelta(seconds=2))
        _tell(made, held, common, at, good, _histogram(cells, scale), ingested)
        _tell(made, held, replace(common, outcome="failure"), at, bad, None, ingested)
    made.points += held


def _tell(
    made: History,
    held: list[Point],
    series: Series,
    at: datetime,
    value: int,
    cells: Histogram | None,
    ingested: datetime,
) -> None:
    held.append(Point(series, at, ingested, value))
    if cells:
        # Not the same instant as the counters, as when the two come from different readers.
        held.append(Point(series, _minute(at) + 0.5 * (at - _minute(at)), ingested, histogram=cells))


def _coarser(cells: Counter[int]) -> Counter[int]:
    out: Counter[int] = Counter()
    for index, count in cells.items():
        out[index // 2] += count
    return out


def _histogram(cells: Counter[int], scale: int) -> Histogram:
    if not cells:
        return scale, 0, 0, ()
    low, high = min(cells), max(cells)
    return scale, 0, low, tuple(cells[i] for i in range(low, high + 1))


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


# --- the oracle


def _runs(points: Sequence[Point], histograms: bool) -> list[list[Point]]:
    """Points of each (series, start) once, in order of time."""
    runs: dict[Series, dict[datetime, Point]] = defaultdict(dict)
    for point in points:
        if (point.histogram is not None) is histograms:
            runs[point.series][point.at] = point
    return [[run[at] for at in sorted(run)] for run in runs.values()]


def _dimensions(point: Point) -> Dimensions:
    s = point.series
    return (s.service, s.model, s.version, s.region, s.gateway, s.rollout, _minute(point.at))


def _node_dimensions(point: Point) -> Dimensions:
    """Coverage is a node's, whatever models it runs."""
    return (point.series.service, "", "", point.series.region, point.series.gateway, "", _minute(point.at))


def expected_counts(points: Sequence[Point]) -> dict[Dimensions, tuple[int, int, int]]:
    sums: dict[Dimensions, list[int]] = defaultdict(lambda: [0, 0, 0])
    for run in _runs(points, histograms=False):
        before = 0.0
        for point in run:
            fell = point.value < before
            whole = fell or point.series.temporality == DELTA
            place = {"success": 0, "failure": 1}.get(point.series.outcome, 2)
            sums[_dimensions(point)][place] += int(point.value if whole else point.value - before)
            before = point.value
    return {k: (v[0], v[1], v[2]) for k, v in sums.items()}


def expected_buckets(points: Sequence[Point]) -> dict[tuple[Dimensions, int], Counter[int]]:
    """Bucket counts by dimensions, minute and scale; a step between scales is told in the coarser one."""
    out: dict[tuple[Dimensions, int], Counter[int]] = defaultdict(Counter)
    for run in _runs(points, histograms=True):
        before: Histogram | None = None
        for point in run:
            assert point.histogram is not None
            cells = _cells(point.histogram)
            scale = point.histogram[0]
            if before and point.series.temporality == CUMULATIVE and cells.total() >= _cells(before).total():
                scale = min(scale, before[0])
                cells = _at(point.histogram, scale)
                cells.subtract(_at(before, scale))
            out[_dimensions(point), scale] += cells
            before = point.histogram
    return {k: v for k, v in out.items() if v.total()}


def _cells(histogram: Histogram) -> Counter[int]:
    return Counter({histogram[2] + i: c for i, c in enumerate(histogram[3]) if c})


def _at(histogram: Histogram, scale: int) -> Counter[int]:
    cells = _cells(histogram)
    for _ in range(histogram[0] - scale):
        cells = _coarser(cells)
    return cells


def expected_coverage(points: Sequence[Point]) -> dict[Dimensions, float]:
    """Seconds since the device was last heard with the same dimensions, at most 5 min of them, none after more than an hour."""
    heard: dict[tuple[object, ...], set[datetime]] = defaultdict(set)
    for point in points:
        if point.histogram is None:
            heard[(*_node_dimensions(point)[:6], point.series.device)].add(point.at)
    out: dict[Dimensions, float] = defaultdict(float)
    for key, moments in heard.items():
        ordered = sorted(moments)
        for before, after in zip([None, *ordered], ordered):  # noqa: B905
            gap = (after - before).total_seconds() if before else math.inf
            out[(*key[:6], _minute(after))] += min(300.0, gap) if gap <= 3600 else 0.0  # type: ignore[index]
    return out


# --- running it


def deliver_in(rig: Rig, points: Sequence[Point], ticks: Sequence[datetime]) -> None:
    """Between two ticks comes what was ingested then, in any order."""
    waiting = sorted(points, key=lambda p: p.ingested)
    for now in ticks:
        for point in [p for p in waiting if p.ingested <= now]:
            if point.histogram is None:
                rig.points.count(point.series, point.at, point.value, ingested=point.ingested)
            else:
                rig.points.duration(point.series, point.at, point.histogram, ingested=point.ingested)
        waiting = [p for p in waiting if p.ingested > now]
        rig.points.flush()
        rig.clock.now = now
        jobs.roll_up(rig.deps, now)
    assert not waiting


def found_buckets(rig: Rig) -> dict[tuple[Dimensions, int], Counter[int]]:
    rows = rig.rows(
        "SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute, Scale, Buckets"
        " FROM histogram_minutes FINAL WHERE notEmpty(Buckets) AND Measure = 'edge.inference.duration'"
    )
    return {(tuple(r.values())[:7], r["Scale"]): Counter(r["Buckets"]) for r in rows}


def found_coverage(rig: Rig) -> dict[Dimensions, float]:
    rows = rig.rows(
        "SELECT ServiceName, ModelName, ModelVersion, Region, GatewayId, RolloutId, Minute, Events"
        " FROM count_minutes FINAL WHERE Measure = 'covered' AND Items > 0"
    )
    return {tuple(r.values())[:7]: r["Events"] for r in rows}


def _differences(found: dict, wanted: dict) -> dict:
    keys = [k for k in {*found, *wanted} if found.get(k) != wanted.get(k)]
    return {k: (found.get(k), wanted.get(k)) for k in sorted(keys, key=str)[:5]}


def test_buckets_are_what_brute_force_over_the_raw_points_says(rigs: Callable[..., Rig]) -> None:
    seed = int(os.environ.get("SLOENGINE_TEST_SEED", str(random.randrange(10**6))))
    print(f"seed {seed}")
    dice = random.Random(seed)
    histories = [history(dice, n) for n in range(HISTORIES)]
    points = [p for h in histories for p in h.points]
    end = max(p.ingested for p in points) + MINUTE
    ticks = sorted(BEGIN + timedelta(minutes=dice.uniform(1, 300)) for _ in range(3))
    split, whole = rigs(), rigs()
    deliver_in(split, points, [*ticks, end])
    assert _differences(split.counts(), expected_counts(points)) == {}
    assert _differences(found_buckets(split), expected_buckets(points)) == {}
    coverage = expected_coverage(points)
    assert {k: round(v, 2) for k, v in found_coverage(split).items()} == pytest.approx(coverage, abs=0.05)
    deliver_in(whole, points, [end])
    assert _differences(whole.counts(), split.counts()) == {}
    assert _differences(found_buckets(whole), found_buckets(split)) == {}
    assert _differences(found_coverage(whole), found_coverage(split)) == {}
    _quantiles_agree(whole, [h for h in histories if h.exact])


def _quantiles_agree(rig: Rig, histories: Sequence[History]) -> None:
    hour = BEGIN + SPAN
    found = {dict(group)["model"]: latency for group, latency in _by_model(rig, hour).items()}
    assert len(found) >= len(histories)
    for one in histories:
        values = sorted(v for at, vs in one.seconds.items() if hour - HOUR <= at <= hour for v in vs)
        if not values:
            continue
        latency = found[one.model]
        assert latency.count == len(values)
        for q, said in ((0.5, latency.p50), (0.95, latency.p95), (0.99, latency.p99)):
            assert said == pytest.approx(values[math.ceil(q * len(values)) - 1], rel=0.01)


def _by_model(rig: Rig, hour: datetime) -> dict:
    """Two versions of a model are two groups; here each history is judged whole."""
    histogram = import_module("sloengine.evaluate.histogram")
    parts: dict = defaultdict(list)
    for row in rig.store.rows("window_histograms", measure="edge.inference.duration", start=hour - HOUR, end=hour):
        parts[(("model", row["model"]),)].append((row["Scale"], row["Zero"], row["Buckets"]))
    assert len(latencies(rig.deps, hour)) >= len(parts)
    return {group: histogram.summarise(items) for group, items in parts.items()}


def test_a_second_run_over_the_same_rows_writes_nothing(rig: Rig) -> None:
    dice = random.Random(7)
    points = [p for n in range(4) for p in history(dice, n).points]
    end = max(p.ingested for p in points) + MINUTE
    deliver_in(rig, points, [end])
    for table in ("count_minutes", "histogram_minutes"):
        rig.store.command(f"OPTIMIZE TABLE {table} FINAL")
    before = {t: rig.revisions(t) for t in ("count_minutes", "histogram_minutes")}
    newest = "SELECT max(Revision) AS r FROM count_minutes"
    revision = rig.store.sql_rows(newest)[0]["r"]
    with rig.deps.state.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")
    assert jobs.roll_up(rig.deps, end + MINUTE) > 0
    assert {t: rig.revisions(t) for t in before} == before
    assert rig.store.sql_rows(newest)[0]["r"] == revision


def test_an_old_point_rewrites_its_minute_and_the_next_points_and_no_other(rig: Rig) -> None:
    for device, gateway in (("node-1", "gw-1"), ("node-2", "gw-2")):
        series = Series(device, gateway, start=BASE - MINUTE)
        for minute in range(180):
            if minute != 60:
                rig.points.count(series, BASE + minute * MINUTE, 10 * minute)
                rig.points.duration(series, BASE + minute * MINUTE, (6, 0, -300, [10 * minute]))
    rig.points.flush()
    first, second = BASE + 4 * HOUR, BASE + 5 * HOUR
    jobs.roll_up(rig.deps, first)
    late = Series("node-1", "gw-1", start=BASE - MINUTE)
    rig.points.count(late, BASE + 60 * MINUTE, 600, ingested=second)
    rig.points.duration(late, BASE + 60 * MINUTE, (6, 0, -300, [600]), ingested=second)
    rig.points.flush()
    jobs.roll_up(rig.deps, second)
    for table in ("count_minutes", "histogram_minutes"):
        rewritten = rig.rows(
            f"SELECT DISTINCT GatewayId, Minute FROM {table} WHERE Revision = {int(second.timestamp() * 1000)} ORDER BY Minute"
        )
        assert [tuple(r.values()) for r in rewritten] == [("gw-1", BASE + m * MINUTE) for m in (60, 61)], table


def test_what_a_cut_of_three_days_delivers_late_is_not_counted_twice(rig: Rig) -> None:
    """The point after the hole was counted from the one before it; the hole's own points must be taken out of it again."""
    begin = BASE - timedelta(days=4)
    series = Series(start=begin - MINUTE)
    cells = [(begin, 0), (begin + MINUTE, 100), (begin + timedelta(days=3), 500)]
    for at, value in cells[::2]:
        rig.points.count(series, at, value, ingested=BASE - HOUR)
        rig.points.duration(series, at, (6, 0, 0, [value]), ingested=BASE - HOUR)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE)
    at, value = cells[1]
    rig.points.count(series, at, value, ingested=BASE + HOUR)
    rig.points.duration(series, at, (6, 0, 0, [value]), ingested=BASE + HOUR)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + HOUR)
    assert sum(good for good, _, _ in rig.counts().values()) == 500
    assert sum(c.total() for c in found_buckets(rig).values()) == 500


def test_a_late_coarser_histogram_leaves_no_bucket_of_the_old_scale_behind(rig: Rig) -> None:
    """A step between scales is told in the coarser one: the row of the finer one must go, or it counts twice."""
    series = Series(start=BASE - MINUTE)
    rig.points.duration(series, BASE, (6, 0, 4, [10]))
    rig.points.duration(series, BASE + 2 * MINUTE, (6, 0, 4, [30]))
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + HOUR)
    rig.points.duration(series, BASE + MINUTE, (5, 0, 2, [20]), ingested=BASE + HOUR)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + HOUR + MINUTE)
    assert sum(c.total() for c in found_buckets(rig).values()) == 30


def test_what_a_raised_threshold_of_zero_takes_in_is_no_new_event(rig: Rig) -> None:
    """The smallest values of before stand in the bucket of zero now: they are the same hundred, and ten came."""
    series = Series(start=BASE - HOUR)
    rig.points.duration(series, BASE + MINUTE, (3, 0, -40, [100, *[0] * 40, 10]))
    rig.points.duration(series, BASE + 2 * MINUTE, (3, 100, 0, [0, 20]))
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + 5 * MINUTE)
    rows = rig.rows("SELECT Minute, Zero, Buckets FROM histogram_minutes FINAL ORDER BY Minute")
    assert [(r["Zero"], r["Buckets"]) for r in rows] == [(0, {-40: 100, 1: 10}), (0, {1: 10})]


def test_a_histogram_that_says_nothing_makes_no_quantile_coarser(rig: Rig) -> None:
    start = BASE - MINUTE
    rig.points.duration(Series(start=start), BASE, (6, 0, 4, [10]))
    rig.points.duration(Series("node-2", start=start), BASE, (0, 0, 0, []))
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + MINUTE)
    ((_, latency),) = latencies(rig.deps, BASE + MINUTE)
    assert latency.error == pytest.approx(2 ** (2**-7) - 1)


def test_an_unknown_outcome_is_neither_good_nor_bad(rig: Rig) -> None:
    rig.points.count(Series(outcome="maybe", start=BASE - MINUTE), BASE, 7)
    rig.points.flush()
    jobs.roll_up(rig.deps, BASE + HOUR)
    assert rig.counts() == {(SERVICE, "m", "1", "eu", "gw-1", "", BASE): (0, 0, 7)}


@pytest.mark.parametrize("kind", ["sums", "exponential"])
def test_delta_and_cumulative_points_of_one_name_are_two_series(rig: Rig, kind: str) -> None:
    cumulative = Series(start=BASE)
    delta = replace(cumulative, temporality=DELTA)
    for second, series, value in ((10, cumulative, 10), (20, delta, 5), (30, cumulative, 20), (30, delta, 3)):
        at = BASE + timedelta(seconds=second)
        if kind == "sums":
            rig.points.count(series, at, value)
        else:
            rig.points.duration(series, at, (3, 0, 0, [value]))
    rig.points.flush()
    rig.tick(BASE + MINUTE)
    if kind == "sums":
        counted = rig.rows("SELECT sum(Events) AS n FROM count_minutes FINAL WHERE Measure = 'edge.inference.requests'")
    else:
        counted = rig.rows("SELECT sum(arraySum(mapValues(Buckets))) AS n FROM histogram_minutes FINAL")
    assert counted == [{"n": 28.0}]
