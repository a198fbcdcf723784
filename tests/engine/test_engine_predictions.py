"""Accuracy, label lag and calibration against brute force over the raw records and labels."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, slo
from prediction_histories import (
    COLUMNS,
    Event,
    Label,
    Prediction,
    band,
    history,
    known,
    minute,
    verdict,
)

from sloengine.jobs.evaluate import evaluate
from sloengine.jobs.fold import Corrections, Run
from sloengine.jobs.predictions import derive_predictions
from sloengine.labels.items import Label as Given
from sloengine.labels.rows import COLUMNS as GIVEN_COLUMNS
from sloengine.labels.rows import rows as given_rows
from sloengine.marked import UNSETTLED
from sloengine.model import Counts, Matcher, Selector, Sli, Source
from sloengine.tools.selection import taken

CUTS = (3600.0, 86400.0)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def _derived(measure: str, *where: Matcher) -> Selector:
    return Selector(Source.DERIVED, measure, where)


def _verdict(value: str) -> Matcher:
    return Matcher("verdict", "=", value)


ACCURACY = Sli(
    good=(_derived("predictions", _verdict("correct")),),
    bad=(_derived("predictions", _verdict("wrong")),),
    total=(_derived("predictions"),),
)


def _at_most(measure: str, cut: float) -> Sli:
    return Sli(good=(_derived(measure, Matcher("value", "<=", repr(cut))),), total=(_derived(measure),))


SLOS = (
    slo("accuracy", sli=ACCURACY, target=0.9, by=("edge.segment.site",)),
    slo("lag", sli=_at_most("label.lag", CUTS[1]), target=0.9, by=("region",)),
    slo("lag-short", sli=_at_most("label.lag", CUTS[0]), target=0.9, by=()),
    slo("calibration", sli=_at_most("calibration.ece", 0.2), target=0.9, by=("model",)),
)


@pytest.fixture
def prediction_rigs(rigs: Callable[..., Rig]) -> Callable[[], Rig]:
    return lambda: rigs(slos=SLOS[:3])


@pytest.fixture
def calibration_rigs(rigs: Callable[..., Rig]) -> Callable[[], Rig]:
    return lambda: rigs(slos=SLOS)


def _store(rig: Rig, events: Iterable[Event]) -> None:
    rig.store.insert("otel_logs", COLUMNS, [e.row() for e in events])


def _run(rig: Rig, now: datetime, **known: Any) -> set[datetime]:
    run = Run(int(now.timestamp() * 1000), "arrival", rig.deps.corrections)
    return derive_predictions(rig.deps, now, run, **known)


def _deliver(rig: Rig, events: Iterable[Event], ticks: Sequence[datetime]) -> None:
    waiting = sorted(events, key=lambda e: e.ingested)
    for now in ticks:
        _store(rig, [e for e in waiting if e.ingested <= now])
        waiting = [e for e in waiting if e.ingested > now]
        _run(rig, now)


def _stored(rig: Rig, measure: str, table: str = "count_minutes") -> list[dict[str, Any]]:
    rows = rig.rows(f"SELECT * FROM {table} FINAL WHERE Measure = '{measure}' AND Items + Unweighted > 0")
    return [{**row, **json.loads(row["Attributes"] or "{}")} for row in rows]


def _figures(rows: Iterable[dict[str, Any]], *names: str) -> dict[tuple[Any, ...], tuple[float, ...]]:
    out: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0, 0])
    for row in rows:
        key = (row["ModelVersion"], row["Region"], row["GatewayId"], row["Minute"], *(row.get(n, "") for n in names))
        for place, name in enumerate(("Events", "Squares", "Items", "Unweighted")):
            out[key][place] += row[name]
    return {key: tuple(cells) for key, cells in out.items()}


def _expected(events: list[Event], now: datetime, what: str) -> dict[tuple[Any, ...], tuple[float, ...]]:
    out: dict[tuple[Any, ...], list[float]] = defaultdict(lambda: [0.0, 0.0, 0, 0])
    for one in known(events, now):
        p = one.made
        if what == "predictions":
            told: tuple[Any, ...] = (p.segment, verdict(one, now))
        else:
            told = band(one, now, CUTS)
        cell = out[(p.version, p.region, p.gateway, minute(p.at), *told)]
        weight = p.weight
        for place, add in enumerate((weight or 0, (weight or 0) ** 2, weight is not None, weight is None)):
            cell[place] += add
    return {key: tuple(cell) for key, cell in out.items()}


def _same(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    assert found.keys() == expected.keys()
    for key, cell in expected.items():
        assert found[key] == pytest.approx(cell, abs=1e-5), key


def _check(rig: Rig, events: list[Event], now: datetime) -> None:
    _same(_figures(_stored(rig, "predictions"), "edge.segment.site", "verdict"), _expected(events, now, "predictions"))
    bounds = {"gt": "-inf", "le": "inf", UNSETTLED: "inf"}
    lag = [{**row, **{n: float(row.get(n, d)) for n, d in bounds.items()}} for row in _stored(rig, "label.lag")]
    _same(_figures(lag, *bounds), _expected(events, now, "label.lag"))


def test_verdicts_and_lags_are_what_brute_force_over_the_raw_records_says(
    calibration_rigs: Callable[[], Rig],
) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice = random.Random(seed)
    events = history(dice, 250)
    end = max(e.ingested for e in events) + MINUTE
    split, whole = calibration_rigs(), calibration_rigs()
    ticks = sorted(BASE + timedelta(seconds=dice.randrange(-140000, 60000)) for _ in range(3))
    for now in ticks:
        _deliver_until(split, events, ticks, now)
        _check(split, events, now)
    _deliver_until(split, events, ticks, end)
    _check(split, events, end)
    _deliver(whole, events, [end])
    assert _close(_bins(_stored(whole, "calibration.bins")), _expected_bins(events, end))
    for measure in ("predictions", "label.lag", "calibration.bins", "calibration.ece"):
        assert _plain(_stored(split, measure)) == _plain(_stored(whole, measure)), measure
        assert _plain(_stored(split, measure, "count_hours")) == _plain(_stored(whole, measure, "count_hours"))


def _deliver_until(rig: Rig, events: list[Event], ticks: Sequence[datetime], now: datetime) -> None:
    before = max((t for t in ticks if t < now), default=datetime(1970, 1, 1, tzinfo=UTC))
    _store(rig, [e for e in events if before < e.ingested <= now])
    _run(rig, now)


def _bins(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], float]:
    keys = ("ModelVersion", "Region", "GatewayId", "Minute", "bin", "sum")
    return {tuple(str(r[k]) for k in keys): r["Events"] for r in rows}


def _expected_bins(events: list[Event], now: datetime) -> dict[tuple[Any, ...], float]:
    out: dict[tuple[Any, ...], float] = defaultdict(float)
    for one in known(events, now):
        p, told = one.made, verdict(one, now)
        if told not in ("correct", "wrong") or p.score is None or p.weight is None:
            continue
        # Scores of a history: 0.05, 0.3, 0.95, 1.0.
        place = {0.05: "0", 0.3: "3", 0.95: "9", 1.0: "9"}[p.score]
        key = (p.version, p.region, p.gateway, str(minute(p.at).replace(minute=0)), place)
        out[(*key, "weight")] += p.weight
        out[(*key, "score")] += p.weight * p.score
        out[(*key, "correct")] += p.weight * (told == "correct")
    return dict(out)


def _close(found: dict[Any, float], expected: dict[Any, float]) -> bool:
    return found == {key: pytest.approx(value, abs=1e-5) for key, value in expected.items()}


def _plain(rows: list[dict[str, Any]]) -> list[Any]:
    left = ("Revision", "Cause", "Before")
    return sorted((sorted((k, str(v)) for k, v in row.items() if k not in left) for row in rows), key=str)


# --- the traps, one by one


def _made(ident: str, at: datetime, **more: Any) -> Prediction:
    return Prediction(ident, at, more.pop("ingested", at + 5 * SECOND), **more)


def _label(ident: str, truth: str, at: datetime, **more: Any) -> Label:
    return Label(ident, truth, at, more.pop("ingested", at + 5 * SECOND), **more)


def _counts(rig: Rig, now: datetime) -> dict[tuple[str, str], Counts]:
    return {(s.slo.name, s.group[0][1] if s.group else ""): s.counts for s in evaluate(rig.deps, now)}


def _settled(rig: Rig) -> tuple[int, ...]:
    return tuple(rig.revisions(table) for table in ("count_minutes", "count_hours", "count_days", "restatements"))


def test_unlabelled_predictions_turn_bad_by_the_passing_of_time_alone(prediction_rigs: Callable[[], Rig]) -> None:
    """M12's trap: the lag of those that have a label is ten minutes; that one prediction never gets one shows only in its age."""
    rig = prediction_rigs()
    begin = BASE - 2 * DAY
    made = [_made(f"p{n}", begin + n * SECOND, segment="dock") for n in range(10)]
    labels = [_label(f"p{n}", "cat", begin + 600 * SECOND) for n in range(9)]
    _store(rig, made + labels)
    _run(rig, begin + HOUR)
    found = _counts(rig, begin + HOUR)
    assert (found["lag", "eu"].good, found["lag", "eu"].bad, found["lag", "eu"].unknown) == (0, 0, 10)
    assert (found["accuracy", "dock"].good, found["accuracy", "dock"].unknown) == (9, 1)
    _run(rig, begin + 2 * HOUR)
    found = _counts(rig, begin + 2 * HOUR)
    assert (found["lag-short", ""].good, found["lag-short", ""].bad) == (9, 1)
    assert (found["lag", "eu"].bad, found["lag", "eu"].unknown) == (0, 10)
    _run(rig, begin + DAY - MINUTE)
    assert [r["Events"] for r in _stored(rig, "predictions") if r["verdict"] == "waiting"] == [1]
    _run(rig, begin + DAY + MINUTE)
    found = _counts(rig, begin + DAY + MINUTE)
    assert (found["lag", "eu"].good, found["lag", "eu"].bad, found["lag", "eu"].unknown) == (9, 1, 0)
    assert {r["verdict"]: r["Events"] for r in _stored(rig, "predictions")} == {"correct": 9, "unlabelled": 1}
    assert {r["Cause"] for r in _stored(rig, "predictions") if r["verdict"] == "unlabelled"} == {"time"}


def test_labels_count_at_the_time_of_their_prediction_and_corrections_restate_it(
    prediction_rigs: Callable[[], Rig],
) -> None:
    """M3's trap: what was predicted three days ago and labelled now says nothing about now."""
    rig = prediction_rigs()
    begin = BASE - 3 * DAY
    _store(rig, [_made("p1", begin), _made("p2", begin + HOUR, truth="dog")])
    _run(rig, begin + 2 * HOUR)
    # Given at the same moment, the one that came in last holds, and delivering the other again does not make it the last.
    same = [_label("p2", "dog", BASE), _label("p2", "cat", BASE, ingested=BASE + 10 * SECOND)]
    again = _label("p2", "dog", BASE, ingested=BASE + 20 * SECOND)
    _store(rig, [_label("p1", "cat", BASE), *same, again])
    _run(rig, BASE + MINUTE)
    found = {(r["verdict"], r["Minute"]): r["Events"] for r in _stored(rig, "predictions")}
    assert found == {("correct", begin): 1, ("correct", begin + HOUR): 1}
    # The record's own truth was a label at once: a correction does not make it late.
    assert [float(r["le"]) for r in sorted(_stored(rig, "label.lag"), key=lambda r: r["Minute"])] == [
        float("inf"),
        CUTS[0],
    ]
    _store(rig, [_label("p1", "dog", BASE + HOUR)])
    hours = _run(rig, BASE + HOUR + MINUTE)
    assert begin.replace(minute=0) in hours
    assert {(r["verdict"], r["Minute"]) for r in _stored(rig, "predictions")} == {
        ("wrong", begin),
        ("correct", begin + HOUR),
    }
    restated = rig.rows("SELECT * FROM restatements WHERE Measure = 'predictions' AND Cause = 'label' ORDER BY At")
    assert (restated[-1]["Hour"], {(r["Before"], r["After"]) for r in restated[-2:]}) == (begin, {(1, 0), (0, 1)})
    # An older label that comes late changes nothing, nor does the same again, nor a run with nothing to do.
    before = _settled(rig)
    _store(rig, [_label("p1", "cat", BASE, ingested=BASE + HOUR + 2 * MINUTE)])
    _store(rig, [_label("p2", "cat", BASE, ingested=BASE + HOUR + 2 * MINUTE)])
    _run(rig, BASE + HOUR + 3 * MINUTE)
    _run(rig, BASE + HOUR + 3 * MINUTE)
    assert _settled(rig) == before


def test_weights_are_those_of_the_threshold_and_nobody_can_claim_more(prediction_rigs: Callable[[], Rig]) -> None:
    """p-1 has R = 1dee6e3ec67dc8 (docs/telemetry.md)."""
    rig = prediction_rigs()
    at = BASE - HOUR
    thresholds = {"1dee6e3ec67dc8": 2**56 / (2**56 - 0x1DEE6E3EC67DC8), "1": 16 / 15, "0": 1.0}
    sent = [_made("p-1", at + n * MINUTE, th=th, service=f"s{n}") for n, th in enumerate(thresholds)]
    liars = ["1dee6e3ec67dc9", "f", "ffffffffffffff", "", "1g", "-1", "100000000000000"]
    sent += [_made("p-1", at + HOUR, th=th, service=f"liar{n}") for n, th in enumerate(liars)]
    hostile = [
        _made("p-2", at, service="odd", extra={"edge.inference.score": score})
        for score in ("nan", "-inf", "1e999", "7", "")
    ]
    _store(rig, [*sent, *hostile, _made("", at, service="none")])
    _run(rig, BASE + MINUTE)
    rows = {r["ServiceName"]: r for r in _stored(rig, "predictions")}
    for n, weight in enumerate(thresholds.values()):
        assert (rows[f"s{n}"]["Events"], rows[f"s{n}"]["Squares"]) == pytest.approx((weight, weight**2), abs=1e-6)
    for n in range(len(liars)):
        assert (rows[f"liar{n}"]["Events"], rows[f"liar{n}"]["Items"], rows[f"liar{n}"]["Unweighted"]) == (0, 0, 1), (
            liars[n]
        )
    assert rows["odd"]["Events"] == 1
    assert "none" not in rows
    scores = rig.rows("SELECT DISTINCT Score FROM predictions WHERE ServiceName = 'odd'")
    assert scores == [{"Score": None}]


def test_a_record_that_came_twice_counts_once_whichever_way_it_came(prediction_rigs: Callable[[], Rig]) -> None:
    rig = prediction_rigs()
    at = BASE - HOUR
    first = _made("p1", at, gateway="gw-2")
    _store(rig, [first, first])
    _run(rig, at + MINUTE)
    assert [(r["GatewayId"], r["Events"]) for r in _stored(rig, "predictions")] == [("gw-2", 1)]
    # Delivered once more through another gateway: the one of the lower name holds, the other is emptied.
    _store(rig, [_made("p1", at, gateway="gw-1", ingested=at + HOUR)])
    _run(rig, at + HOUR + MINUTE)
    assert [(r["GatewayId"], r["Events"]) for r in _stored(rig, "predictions")] == [("gw-1", 1)]
    # Two services may use the same name for two predictions; and a name used again days later is another one.
    told = at + HOUR + 90 * SECOND
    _store(rig, [_made("p1", at, service="other", ingested=told), _made("p1", at - 2 * DAY, ingested=told)])
    _run(rig, at + HOUR + 2 * MINUTE)
    assert sum(r["Events"] for r in _stored(rig, "predictions")) == 3
    _store(rig, [_label("p1", "cat", at, service="", ingested=at + HOUR + 3 * MINUTE)])
    _run(rig, at + HOUR + 4 * MINUTE)
    assert {(r["ServiceName"], r["verdict"]) for r in _stored(rig, "predictions")} == {
        (SERVICE, "correct"),
        ("other", "correct"),
    }


def test_untrusted_gateways_and_wrong_clocks_are_put_right_when_known(prediction_rigs: Callable[[], Rig]) -> None:
    rig = prediction_rigs()
    at = BASE - 5 * HOUR
    _store(rig, [_made("p1", at, gateway="gw-bad"), _made("p1", at), _made("p2", at, device="node-2")])
    _store(rig, [_label("p2", "dog", at + HOUR, gateway="gw-bad")])
    _run(rig, BASE)
    assert {(r["verdict"], r["Events"]) for r in _stored(rig, "predictions")} == {("waiting", 1), ("wrong", 1)}
    long = (at - DAY, BASE + DAY)
    rig.deps.corrections = Corrections(skew=(("node-2", *long, 3600_000),), quarantine=(("gw-bad", *long),))
    _run(rig, BASE + MINUTE, again=[(at - MINUTE, BASE)])
    found = {
        (r["GatewayId"], r["verdict"], r["Minute"]): (r["Events"], r["Shifted"]) for r in _stored(rig, "predictions")
    }
    assert found == {("gw-1", "waiting", at): (1, 0), ("gw-1", "waiting", at + HOUR): (1, 1)}
    rig.deps.corrections = Corrections()
    _run(rig, BASE + 2 * MINUTE, again=[(at - MINUTE, BASE)])
    assert {(r["verdict"], r["Events"]) for r in _stored(rig, "predictions")} == {("waiting", 1), ("wrong", 1)}


def test_a_prediction_that_a_clock_moves_is_no_longer_where_it_was(prediction_rigs: Callable[[], Rig]) -> None:
    rig = prediction_rigs()
    at = BASE - 5 * HOUR
    _store(rig, [_made("p1", at)])
    _run(rig, BASE)
    assert [(r["Minute"], r["Events"]) for r in _stored(rig, "predictions")] == [(at, 1)]
    rig.deps.corrections = Corrections(skew=(("node-1", at - DAY, BASE + DAY, 3600_000),))
    _run(rig, BASE + MINUTE, again=[(at - MINUTE, BASE)])
    assert [(r["Minute"], r["Events"]) for r in _stored(rig, "predictions")] == [(at + HOUR, 1)]


def test_a_day_is_judged_by_its_calibration_and_only_if_the_labels_can_tell(
    calibration_rigs: Callable[[], Rig],
) -> None:
    """M15: three days. Over-confident: right half of the time at a score of 0.9. Calibrated. And too few labels to say."""
    rig = calibration_rigs()
    first = BASE.replace(hour=0) - 4 * DAY
    events: list[Event] = []
    for day, (count, right) in enumerate([(400, 200), (400, 360), (5, 3)]):
        for n in range(count):
            at = first + day * DAY + n * MINUTE
            made = _made(f"{day}-{n}", at, gateway=f"gw-{n % 2}")
            events += [made, _label(made.ident, "cat" if n < right else "dog", at + HOUR)]
    events.append(_made("alone", first + 3 * DAY))
    _store(rig, events)
    now = first + 4 * DAY
    _run(rig, now)
    found = {r["Minute"]: (float(r["gt"]), float(r["le"]), r["Events"]) for r in _stored(rig, "calibration.ece")}
    inf = float("inf")
    assert found == {
        first: (0.2, inf, 1),  # ECE 0.4, surely above 0.2
        first + DAY: (-inf, 0.2, 1),  # ECE 0
        first + 2 * DAY: (-inf, inf, 1),  # ECE 0.3 of five labels, which chance makes as well
        first + 3 * DAY: (-inf, inf, 1),  # no label at all
    }
    counts = _counts(rig, now)["calibration", "m"]
    assert (counts.good, counts.bad, counts.unknown) == (1, 1, 2)
    _store(rig, [_label(f"1-{n}", "dog", now, ingested=now + SECOND) for n in range(300)])
    _run(rig, now + MINUTE)
    counts = _counts(rig, now + MINUTE)["calibration", "m"]
    assert (counts.good, counts.bad, counts.unknown) == (0, 2, 2)
    before = _settled(rig)
    _run(rig, now + MINUTE)
    assert _settled(rig) == before


def test_labels_from_the_api_meet_predictions_of_any_age(prediction_rigs: Callable[[], Rig]) -> None:
    rig = prediction_rigs()
    at = BASE - 30 * DAY
    _store(rig, [_made("p1", at), _made("p2", at, service="other")])
    _run(rig, BASE)
    days = [Given(f"x{n}", "cat", BASE - n * DAY) for n in range(390)]
    known_ones = [Given("p1", "cat", at + HOUR), Given("p2", "dog", at + HOUR, "operator", "other")]
    rig.store.insert("otel_logs", GIVEN_COLUMNS, given_rows([*days, *known_ones], BASE + MINUTE))
    found = rig.rows("SELECT PredictionId, At, Source FROM labels ORDER BY At")
    assert len(found) == 392
    assert {r["PredictionId"]: r["At"] for r in found} == {
        label.prediction_id: label.at for label in [*days, *known_ones]
    }
    # Stored now, by the store's own clock: the next run sees them.
    _run(rig, datetime.now(UTC) + MINUTE)
    assert {(r["ServiceName"], r["verdict"], r["Minute"]) for r in _stored(rig, "predictions")} == {
        (SERVICE, "correct", at),
        ("other", "wrong", at),
    }
    assert {float(r["le"]) for r in _stored(rig, "label.lag")} == {CUTS[0]}


def test_a_dimension_that_is_asked_for_later_has_a_past(rigs: Callable[..., Rig]) -> None:
    plain = slo("accuracy", sli=ACCURACY, target=0.9, by=())
    rig = rigs(slos=(plain,))
    made = [
        _made("p1", BASE - 3 * DAY, hardware="orin", segment="dock"),
        _made("p2", BASE, hardware="pi", ingested=BASE),
    ]
    _store(rig, made)
    _run(rig, BASE + MINUTE)
    assert {(r["Hardware"], r["Attributes"]) for r in _stored(rig, "predictions")} == {
        ("", '{"verdict":"unlabelled"}'),
        ("", '{"verdict":"waiting"}'),
    }
    asked = slo("by-part", sli=ACCURACY, target=0.9, by=("hardware", "edge.segment.site", "edge.inference.label"))
    rig.deps.catalogue = replace(rig.catalogue, slos=(plain, asked))
    _run(rig, BASE + 2 * MINUTE)
    assert {(r["Hardware"], r["Attributes"]) for r in _stored(rig, "predictions")} == {
        ("orin", '{"edge.inference.label":"cat","edge.segment.site":"dock","verdict":"unlabelled"}'),
        ("pi", '{"edge.inference.label":"cat","verdict":"waiting"}'),
    }


# --- the trap of M12: young predictions


LIMIT_S = DAY.total_seconds()
LAGS = (slo("lag", sli=_at_most("label.lag", LIMIT_S), target=0.6), slo("quick", sli=_at_most("label.lag", 7200.0)))


def _half_labelled(rig: Rig, begin: datetime, hours: int) -> list[Event]:
    """A prediction every ten minutes; each other one gets its label within the hour, the rest never do."""
    found: list[Event] = []
    for number in range(hours * 6):
        at = begin + number * 10 * MINUTE
        found.append(_made(f"p{number}", at))
        if number % 2:
            found.append(_label(f"p{number}", "cat", at + 30 * MINUTE, ingested=at + 30 * MINUTE))
    _store(rig, found)
    return found


def _told(rig: Rig, now: datetime) -> dict[str, tuple[float, float, float]]:
    statuses = rig.tick(now)
    return {s.slo.name: (s.counts.good, s.counts.bad, s.counts.unknown) for s in statuses if s.group}


def test_what_is_younger_than_the_limit_is_not_counted_as_good_because_it_could_not_be_bad_yet(
    rigs: Callable[..., Rig],
) -> None:
    """M12's trap: of the last day only good verdicts can be known, so counting them would say 100 % while half have no label."""
    rig = rigs(slos=LAGS)
    begin = BASE - 2 * DAY
    events = _half_labelled(rig, begin, 30)
    early = _told(rig, begin + 12 * HOUR - 5 * MINUTE)
    assert early["lag"] == (0, 0, 72), "nothing is old enough to be judged"
    # The same labels are judged at once where the limit is two hours: an SLO waits for its own limit, not for another's.
    assert early["quick"] == (30, 30, 12)
    later = _told(rig, begin + 30 * HOUR - 5 * MINUTE)
    assert later["lag"] == (18, 18, 144), (
        "six hours of predictions have passed the limit, and half of them have no label"
    )
    assert later["quick"] == (84, 84, 12)
    assert {name: _printed(rig, name) for name in later} == later, "explain's SQL counts the same"
    final = _told(rig, begin + 54 * HOUR + MINUTE)
    assert final["lag"] == (90, 90, 0)
    _check_cuts(rig, events, begin + 54 * HOUR + MINUTE)


def _printed(rig: Rig, name: str) -> tuple[float, float, float]:
    """Good, bad and unknown by the expressions that ``explain`` prints."""
    (sli,) = [s.sli for s in LAGS if s.name == name]
    row = rig.rows(
        "SELECT sumIf(Events, ifNull(G = 1, 0)) AS good, sumIf(Events, ifNull(G = 0, 0)) AS bad,"
        " sumIf(Events, G IS NULL) AS other"
        f" FROM (SELECT Events, {taken(sli.good)} AS G FROM count_minutes FINAL WHERE Measure = 'label.lag')"
    )[0]
    return row["good"], row["bad"], row["other"]


def _check_cuts(rig: Rig, events: list[Event], now: datetime) -> None:
    """Nothing is left that says it will be judged later."""
    assert {r.get(UNSETTLED) for r in _stored(rig, "label.lag")} == {None}
    assert len(known(events, now)) == 180


def test_a_label_that_came_too_late_is_bad_from_the_limit_on_and_not_before(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=LAGS)
    begin = BASE - 2 * DAY
    _store(rig, [_made("p1", begin), _label("p1", "cat", begin + 3 * HOUR, ingested=begin + 3 * HOUR)])
    assert _told(rig, begin + HOUR) == {"lag": (0, 0, 1), "quick": (0, 0, 1)}
    assert _told(rig, begin + 4 * HOUR) == {"lag": (0, 0, 1), "quick": (0, 1, 0)}
    assert _told(rig, begin + 25 * HOUR) == {"lag": (1, 0, 0), "quick": (0, 1, 0)}
