"""Measures that follow from others, on the real store: burning budgets, drift index, retrain cadence, SQL."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, slo

from sloengine.errors import StoreError, StoreUnavailable
from sloengine.evaluate.drift.hourly import band, drift_index
from sloengine.jobs.burning import derive_burning
from sloengine.jobs.fold import Corrections, Run
from sloengine.jobs.indicators import derive_drift, derive_retrain
from sloengine.jobs.sql_measures import broken_queries, derive_sql, open_reader
from sloengine.model import Catalogue, Component, Matcher, Selector, Sli, Slo, Source, SqlMeasure
from sloengine.store.client import Store

DAY = timedelta(days=1)
TABLES = ("count_minutes", "count_hours", "histogram_minutes", "slo_status")
_revisions = iter(range(2, 10**6))


def reading(measure: str, name: str, *where: Matcher, service: str = SERVICE, **more: Any) -> Slo:
    """An SLO that counts a derived measure."""
    total = (Selector(Source.DERIVED, measure),)
    return replace(
        slo(name, service=service, sli=Sli(good=(Selector(Source.DERIVED, measure, where),), total=total)), **more
    )


@pytest.fixture
def engine(module_rig: Rig) -> Callable[..., Rig]:
    """engine(slos, queries) makes the module's one engine a new one."""

    def make(slos: Sequence[Slo], queries: Sequence[SqlMeasure] = ()) -> Rig:
        for table in TABLES:
            module_rig.store.command(f"TRUNCATE TABLE {table}")
        forget(module_rig)
        module_rig.deps.catalogue = Catalogue(tuple(slos), (), queries=tuple(queries))
        return module_rig

    return make


def forget(rig: Rig) -> None:
    with rig.deps.state.begin() as connection:
        connection.exec_driver_sql("DELETE FROM watermarks")


def derive(job: Any, rig: Rig, now: datetime, hours: Iterable[datetime] = ()) -> set[datetime]:
    found: set[datetime] = job(rig.deps, set(hours), now, Run(next(_revisions), "arrival", Corrections()))
    return found


def stored(rig: Rig, measure: str, *columns: str) -> dict[tuple[Any, ...], float]:
    """(…columns, attributes as sorted pairs, minute) → events."""
    listed = "".join(f"{c}, " for c in columns)
    rows = rig.rows(
        f"SELECT {listed}Attributes, Minute, Events FROM count_minutes FINAL WHERE Measure = '{measure}' AND Items > 0"
    )
    return {(*(r[c] for c in columns), _pairs(r["Attributes"]), r["Minute"]): r["Events"] for r in rows}


def _pairs(text: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(json.loads(text or "{}").items()))


def written(rig: Rig, measure: str) -> int:
    return int(rig.store.sql_rows(f"SELECT count() AS n FROM count_minutes WHERE Measure = '{measure}'")[0]["n"])


# --- M9


def burning(**more: Any) -> Slo:
    return reading("slo.burning", "budgets", Matcher("state", "=", "ok"), by=(), **more)


def say(
    rig: Rig, at: datetime, name: str, state: str, slice_: dict[str, str] | None = None, service: str = SERVICE
) -> None:
    rig.store.insert(
        "slo_status", ["At", "Slo", "ServiceName", "Slice", "State"], [[at, name, service, slice_ or {}, state]]
    )


def states(rig: Rig, name: str, model: str = "") -> dict[int, str]:
    """Minute after BASE → state."""
    found: dict[int, str] = {}
    for (of, pairs, minute), events in stored(rig, "slo.burning", "ModelName").items():
        if of == model and dict(pairs)["slo"] == name:
            assert events == 1
            found[int((minute - BASE) / MINUTE)] = dict(pairs)["state"]
    return found


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("ok", "ok"),
        ("burning", "burning"),
        ("exhausted", "ok"),
        ("no traffic", "unknown"),
        ("stale", "unknown"),
        ("broken", "unknown"),
    ],
)
def test_a_state_in_the_words_of_m9(engine: Callable[..., Rig], state: str, word: str) -> None:
    rig = engine([slo("a"), burning()])
    say(rig, BASE, "a", state)
    assert derive(derive_burning, rig, BASE + MINUTE) == {BASE}
    assert states(rig, "a") == {0: word}


def test_the_last_word_holds_for_five_minutes_and_for_skipped_minutes(engine: Callable[..., Rig]) -> None:
    rig = engine([slo("a"), slo("b"), burning()])
    say(rig, BASE + timedelta(seconds=5), "a", "ok", {"model": "m", "k8s.pod": "p"})
    say(rig, BASE + timedelta(seconds=50), "a", "burning", {"model": "m", "k8s.pod": "p"})
    say(rig, BASE + 2 * MINUTE, "a", "ok", {"model": "m", "k8s.pod": "p"})
    for minute in range(12):
        say(rig, BASE + minute * MINUTE, "b", "ok")
    for now in range(1, 13):
        derive(derive_burning, rig, BASE + now * MINUTE + timedelta(seconds=3))
    # Gone, while others are spoken of.
    assert states(rig, "a", "m") == {0: "burning", 1: "burning", **dict.fromkeys(range(2, 7), "ok")}
    assert states(rig, "b") == dict.fromkeys(range(12), "ok")


def test_while_the_engine_was_away_nobody_knows(engine: Callable[..., Rig]) -> None:
    rig = engine([slo("a"), slo("gone"), burning()])
    say(rig, BASE - 20 * MINUTE, "gone", "burning")
    for minute in range(-20, 3):
        say(rig, BASE + minute * MINUTE, "a", "ok")
    derive(derive_burning, rig, BASE + 3 * MINUTE)
    derive(derive_burning, rig, BASE + 60 * MINUTE)
    say(rig, BASE + 60 * MINUTE, "a", "burning")
    derive(derive_burning, rig, BASE + 61 * MINUTE)
    late = {m: s for m, s in states(rig, "a").items() if m >= 0}
    assert late == {**dict.fromkeys(range(7), "ok"), **dict.fromkeys(range(7, 60), "unknown"), 60: "burning"}
    assert max(states(rig, "gone")) == -16
    before = written(rig, "slo.burning")
    forget(rig)
    assert derive(derive_burning, rig, BASE + 61 * MINUTE) == set()
    assert written(rig, "slo.burning") == before


def test_what_counts_burning_minutes_is_not_counted_itself(engine: Callable[..., Rig]) -> None:
    whole = replace(slo("whole"), sli=Sli(), components=(Component("budgets", 1), Component("a", 1)))
    rig = engine([slo("a"), slo("other", service="elsewhere"), burning(), whole])
    for name in ("a", "budgets", "whole", "removed"):
        say(rig, BASE, name, "burning")
    say(rig, BASE, "other", "burning", service="elsewhere")
    derive(derive_burning, rig, BASE + MINUTE)
    assert [dict(pairs)["slo"] for pairs, _ in stored(rig, "slo.burning")] == ["a"]


def test_nothing_is_derived_that_nobody_counts(engine: Callable[..., Rig]) -> None:
    rig = engine([slo("a")])
    say(rig, BASE, "a", "burning")
    for job in (derive_burning, derive_drift, derive_retrain, derive_sql):
        assert derive(job, rig, BASE + HOUR) == set()


# --- M5


BOUNDS = [round(0.05 * i, 2) for i in range(1, 20)]
FLAT, HIGH = [1.0] * 20, [0.2] * 10 + [1.8] * 10
HISTOGRAM = [
    "Measure",
    "ServiceName",
    "ModelName",
    "ModelVersion",
    "Region",
    "GatewayId",
    "DeviceId",
    "Minute",
    "Bounds",
    "Buckets",
]
HISTOGRAM += ["Items", "Revision"]
NOON = BASE.replace(hour=12)
DUE = NOON + HOUR + 10 * MINUTE


def drifting(cut: str = "0.25", **more: Any) -> Slo:
    return reading("drift.psi", "drift", Matcher("value", "<=", cut), by=("model",), **more)


class Scores:
    """Hours of predictions, each a histogram of scores."""

    def __init__(self, rig: Rig, seed: int = 1) -> None:
        self.rig, self.dice = rig, random.Random(seed)
        self.held: dict[tuple[str, datetime], Counter[int]] = defaultdict(Counter)
        self.rows: list[list[Any]] = []

    def hour(
        self,
        hour: datetime,
        n: int,
        shares: Sequence[float] = FLAT,
        version: str = "1",
        bounds: Sequence[float] = BOUNDS,
    ) -> None:
        counts = Counter(self.dice.choices(range(len(shares)), shares, k=n))
        self.held[version, hour] += counts
        gateways = {f"gw-{next(_revisions)}": counts}
        gateways |= {"gw-2": Counter({3: 1})} if n == 300 else {}
        if n == 300:
            self.held[version, hour][3] += 1
        for number, (gateway, own) in enumerate(gateways.items()):
            minute = hour + (7 + number) * MINUTE
            key = ["edge.inference.score", SERVICE, "m", version, "eu", gateway, "d", minute]
            self.rows.append([*key, list(bounds), dict(own), own.total(), next(_revisions)])

    def history(self, until: datetime, n: int, hours: int = 160, **more: Any) -> None:
        for back in range(7, 7 + hours):
            self.hour(until - back * HOUR, n, **more)

    def send(self) -> set[datetime]:
        self.rig.store.insert("histogram_minutes", HISTOGRAM, self.rows)
        hours = {row[7].replace(minute=0) for row in self.rows}
        self.rows = []
        return hours

    def said(self, hour: datetime, cuts: Sequence[float], version: str = "1") -> tuple[float, float]:
        """By loops over what was sent."""
        past = [
            self.held[version, h] for v, h in list(self.held) if v == version and hour - 7 * DAY <= h < hour - 6 * HOUR
        ]
        past = [counts for counts in past if counts]
        base, now = sum(past, Counter()), self.held[version, hour]
        if len(past) < 24 or base.total() < 1000:
            return band(None, cuts)
        return band(drift_index([base[i] for i in range(20)], [now[i] for i in range(20)]), cuts)


def bands(rig: Rig) -> dict[tuple[str, datetime], tuple[float, float]]:
    found = {}
    for (version, pairs, minute), events in stored(rig, "drift.psi", "ModelVersion").items():
        assert events == 1
        found[version, minute] = (float(dict(pairs)["gt"]), float(dict(pairs)["le"]))
    return found


@pytest.mark.parametrize(
    ("n", "shares", "said"),
    [
        (2000, FLAT, (float("-inf"), 0.25)),
        (2000, HIGH, (0.25, float("inf"))),
        (40, FLAT, (float("-inf"), float("inf"))),
    ],
    ids=["unchanged", "drifted", "too few to tell"],
)
def test_an_hour_against_its_past(
    engine: Callable[..., Rig], n: int, shares: list[float], said: tuple[float, float]
) -> None:
    rig = engine([drifting()])
    scores = Scores(rig)
    scores.history(NOON, 100)
    scores.hour(NOON, n, shares)
    scores.send()
    assert NOON in derive(derive_drift, rig, DUE)
    assert bands(rig)["1", NOON] == scores.said(NOON, (0.25,)) == said


def test_every_hour_of_weeks_is_what_loops_say_and_late_data_changes_the_baselines_after_it(
    engine: Callable[..., Rig],
) -> None:
    rig = engine([drifting("0.25"), replace(drifting("0.1"), name="strict")])
    scores = Scores(rig)
    begin = NOON - 12 * DAY
    for i in range(12 * 24 + 1):
        scores.hour(begin + i * HOUR, 300 if i % 24 < 20 else 20, HIGH if 200 <= i < 240 else FLAT)
        if i > 150:
            scores.hour(begin + i * HOUR, 200, FLAT, version="2")
    scores.send()
    derive(derive_drift, rig, DUE)
    cuts = (0.1, 0.25)
    expected = {key: scores.said(key[1], cuts, key[0]) for key in scores.held if scores.held[key]}
    assert bands(rig) == expected
    assert set(expected.values()) >= {(0.25, float("inf")), (float("-inf"), 0.25)}
    # Late: an hour that doubles what the week after it is held against.
    late = begin + 3 * DAY
    scores.hour(late, 30_000, HIGH)
    changed = derive(derive_drift, rig, DUE + 20 * MINUTE, scores.send())
    after = {key: scores.said(key[1], cuts, key[0]) for key in scores.held if scores.held[key]}
    assert bands(rig) == after
    assert changed == {hour for (version, hour), said in after.items() if expected[version, hour] != said}
    assert changed
    assert max(changed) <= late + 7 * DAY
    before = written(rig, "drift.psi")
    forget(rig)
    assert derive(derive_drift, rig, DUE + 40 * MINUTE) == set()
    assert written(rig, "drift.psi") == before


def test_a_drift_is_not_its_own_baseline(engine: Callable[..., Rig]) -> None:
    """Six drifted hours with ten times the traffic of the week: the seventh is still seen."""
    rig = engine([drifting()])
    scores = Scores(rig)
    scores.history(NOON, 100)
    for back in range(7):
        scores.hour(NOON - back * HOUR, 30_000, HIGH)
    scores.send()
    derive(derive_drift, rig, DUE)
    assert [bands(rig)["1", NOON - back * HOUR][0] for back in range(7)] == [0.25] * 7


def test_a_morning_is_no_baseline(engine: Callable[..., Rig]) -> None:
    rig = engine([drifting()])
    scores = Scores(rig)
    scores.history(NOON, 1000, hours=23)
    scores.hour(NOON, 2000, HIGH)
    scores.send()
    derive(derive_drift, rig, DUE)
    assert bands(rig)["1", NOON] == (float("-inf"), float("inf"))
    scores.hour(NOON - 40 * HOUR, 1000)
    derive(derive_drift, rig, DUE + 20 * MINUTE, scores.send())
    assert bands(rig)["1", NOON] == (0.25, float("inf"))


def test_other_bins_are_no_drift(engine: Callable[..., Rig]) -> None:
    rig = engine([drifting()])
    scores = Scores(rig)
    scores.history(NOON, 100)
    scores.hour(NOON, 2000, FLAT, bounds=[b / 2 for b in BOUNDS])
    scores.send()
    derive(derive_drift, rig, DUE)
    assert bands(rig)["1", NOON] == (float("-inf"), float("inf"))


def test_late_data_is_remembered_until_the_next_pass(engine: Callable[..., Rig]) -> None:
    rig = engine([drifting()])
    scores = Scores(rig)
    scores.history(NOON, 100)
    scores.send()
    derive(derive_drift, rig, DUE)
    scores.hour(NOON, 2000, HIGH)
    # Within ten minutes of the last pass, and never named again.
    assert derive(derive_drift, rig, DUE + MINUTE, scores.send()) == set()
    assert derive(derive_drift, rig, DUE + 9 * MINUTE) == set()
    assert derive(derive_drift, rig, DUE + 11 * MINUTE) == {NOON}


# --- M14


def retraining() -> Slo:
    return reading("retrain.step", "retrain", Matcher("verdict", "=", "good"), by=("model",))


TODAY = BASE.replace(hour=0)
HOURS = ["Measure", "ServiceName", "ModelName", "ModelVersion", "Region", "Attributes", "Events", "Items", "Revision"]


def hourly(rig: Rig, table: str, rows: Iterable[tuple[str, str, str, datetime, str]]) -> None:
    """Rows of (measure, model, version, time, attributes)."""
    column = "Hour" if table == "count_hours" else "Minute"
    listed = [[m, SERVICE, model, version, "eu", text, 5.0, 1, 1, at] for m, model, version, at, text in rows]
    rig.store.insert(table, [*HOURS, column], listed)


def traffic(model: str, version: str, since: datetime, days: int) -> list[tuple[str, str, str, datetime, str]]:
    return [("edge.inference.requests", model, version, since + i * 6 * HOUR, "") for i in range(days * 4)]


def steps(rig: Rig, model: str) -> dict[int, str]:
    """Days before today → verdict and reason."""
    found = {}
    for (of, pairs, minute), events in stored(rig, "retrain.step", "ModelName").items():
        if of == model:
            assert events == 1
            found[int((TODAY - minute) / DAY)] = f"{dict(pairs)['verdict']}: {dict(pairs)['reason']}"
    return found


def test_deployments_against_drift(engine: Callable[..., Rig]) -> None:
    rig = engine([retraining()])
    begin = TODAY - 60 * DAY
    hourly(rig, "count_hours", traffic("often", "1", begin, 60) + traffic("young", "1", TODAY - 5 * DAY, 5))
    for number, back in enumerate((12, 10, 8, 6, 4), 2):
        hourly(rig, "count_hours", traffic("often", str(number), TODAY - back * DAY, 1))
    hourly(rig, "count_hours", traffic("drifted", "1", begin, 60))
    over, under = '{"gt":"0.25","le":"inf"}', '{"gt":"-inf","le":"0.25"}'
    drift = [("drift.psi", "drifted", "1", TODAY - 20 * DAY + i * HOUR, over) for i in range(30)]
    drift += [("drift.psi", "often", "1", TODAY - 20 * DAY + i * HOUR, under) for i in range(30)]
    hourly(rig, "count_hours", drift)
    derive(derive_retrain, rig, TODAY + HOUR)
    often, drifted = steps(rig, "often"), steps(rig, "drifted")
    assert [often[back] for back in (13, 5, 4, 3, 1)] == [
        "good: in step",
        "good: deployed without drift",
        "bad: too often",
        "bad: too often",
        "bad: too often",
    ]
    # Confirmed at the end of the first day: 19 days ago; unanswered 14 days later.
    assert [drifted[back] for back in (20, 7, 6, 5, 1)] == ["good: in step"] * 2 + ["bad: drift unanswered"] * 3
    assert set(steps(rig, "young").values()) == {"unknown: history"}
    before = written(rig, "retrain.step")
    forget(rig)
    assert derive(derive_retrain, rig, TODAY + 2 * HOUR) == set()
    assert written(rig, "retrain.step") == before


def test_a_deployment_thirty_days_ago_is_held_against_the_drift_before_it(engine: Callable[..., Rig]) -> None:
    """Also where only yesterday is to be judged: what is read of the drift reaches as far back as it may count."""
    rig = engine([retraining()])
    hourly(rig, "count_hours", traffic("m", "1", TODAY - 90 * DAY, 90))
    hourly(rig, "count_hours", traffic("m", "2", TODAY - 28 * DAY, 28))
    over = '{"gt":"0.25","le":"inf"}'
    hourly(rig, "count_hours", [("drift.psi", "m", "1", TODAY - 55 * DAY + i * HOUR, over) for i in range(30)])
    derive(derive_retrain, rig, TODAY - DAY + HOUR)
    derive(derive_retrain, rig, TODAY + HOUR)
    assert {steps(rig, "m")[back] for back in (25, 10, 2, 1)} == {"good: in step"}


def test_what_was_just_touched_is_read_from_its_minutes(engine: Callable[..., Rig]) -> None:
    """The hours are refolded after this job: a late deployment would be missed."""
    rig = engine([retraining()])
    hourly(rig, "count_hours", traffic("m", "1", TODAY - 40 * DAY, 40))
    late = [TODAY - back * DAY for back in (9, 8, 7, 6)]
    for number, at in enumerate(late, 2):
        hourly(rig, "count_hours", traffic("m", str(number), at, 1)[:1])
    derive(derive_retrain, rig, TODAY + HOUR)
    assert steps(rig, "m")[1] == "good: deployed without drift"
    at = TODAY - 5 * DAY + 3 * HOUR
    hourly(rig, "count_minutes", [("edge.inference.requests", "m", "9", at + 20 * MINUTE, "")])
    assert derive(derive_retrain, rig, TODAY + 2 * HOUR, {at}) == {TODAY - back * DAY for back in range(1, 6)}
    assert [steps(rig, "m")[back] for back in (6, 5, 1)] == [
        "good: deployed without drift",
        "bad: too often",
        "bad: too often",
    ]


def test_what_was_just_taken_back_is_not_read_from_its_hour(engine: Callable[..., Rig]) -> None:
    rig = engine([retraining()])
    hourly(rig, "count_hours", traffic("m", "1", TODAY - 30 * DAY, 30))
    for number, back in enumerate((9, 8, 7, 6, 5), 2):
        hourly(rig, "count_hours", traffic("m", str(number), TODAY - back * DAY, 1)[:1])
    derive(derive_retrain, rig, TODAY + HOUR, {TODAY - 5 * DAY})
    assert steps(rig, "m")[1] == "good: deployed without drift"


def test_drift_is_what_the_services_own_slo_calls_drift(engine: Callable[..., Rig]) -> None:
    over = '{"gt":"0.1","le":"inf"}'
    drift = [("drift.psi", "m", "1", TODAY - 20 * DAY + i * HOUR, over) for i in range(30)]
    for slos, verdict in (
        ([retraining()], "good: in step"),
        ([retraining(), drifting("0.1")], "bad: drift unanswered"),
    ):
        rig = engine(slos)
        hourly(rig, "count_hours", traffic("m", "1", TODAY - 30 * DAY, 30) + drift)
        derive(derive_retrain, rig, TODAY + HOUR)
        assert steps(rig, "m")[1] == verdict


# --- SQL


def asking(query: str, name: str = "sql:kpi:total", lookback: timedelta = 2 * HOUR) -> SqlMeasure:
    return SqlMeasure(name, query, lookback, "kpi.yaml:7")


def counting(name: str = "sql:kpi:total", service: str = SERVICE) -> Slo:
    return reading(name, f"counts-{name}-{service}", service=service)


KPI = (
    "SELECT toStartOfMinute(Minute) AS minute, sum(Events) AS events, Region AS region, 'a%b' AS line FROM count_minutes "
    "WHERE Measure = 'kpi' AND Minute >= {from:DateTime} AND Minute < {to:DateTime} GROUP BY minute, region;"
)


def test_a_query_becomes_rows_and_what_changed_is_written(engine: Callable[..., Rig]) -> None:
    rig = engine([counting()], [asking(KPI)])
    rows = [("kpi", "m", "1", BASE + i * MINUTE, "") for i in range(-10, 10)]
    hourly(rig, "count_minutes", rows)
    now = BASE + 5 * MINUTE + timedelta(seconds=20)
    assert derive(derive_sql, rig, now) == {BASE - HOUR, BASE}
    found = stored(rig, "sql:kpi:total", "ServiceName", "Region")
    assert found == {(SERVICE, "eu", (("line", "a%b"),), BASE + i * MINUTE): 5.0 for i in range(-10, 5)}
    # Once a minute at most; then only what is new.
    assert derive(derive_sql, rig, now + timedelta(seconds=20)) == set()
    before = written(rig, "sql:kpi:total")
    assert derive(derive_sql, rig, now + MINUTE) == {BASE}
    assert written(rig, "sql:kpi:total") == before + 1
    # Taken back at the source, so taken back here.
    rig.store.command("TRUNCATE TABLE count_minutes")
    hourly(rig, "count_minutes", [("sql:kpi:total", "", "", BASE, "")])
    assert derive(derive_sql, rig, now + 2 * MINUTE) == {BASE}
    assert stored(rig, "sql:kpi:total") == {}
    assert broken_queries(rig.deps) == ()


ONE = "toDateTime({to:DateTime}, 'UTC') - 60 AS minute"
BROKEN = {
    "no such table": ("SELECT * FROM nowhere", "nowhere"),
    "not SQL": ("SELECT FROM WHERE", "Syntax error"),
    "no column minute": ("SELECT 1 AS events, 'eu' AS region", "no column minute; it has events, region"),
    "minute is text": ("SELECT 'x' AS minute, 1 AS events", "row 1: minute is 'x', not a DateTime"),
    "minute is a day": ("SELECT toDate({to:DateTime}) AS minute, 1 AS events", "not a DateTime"),
    "minute is elsewhere": ("SELECT {to:DateTime} AS minute, 1 AS events", "not in the lookback of 2h"),
    "negative": (f"SELECT {ONE}, -1 AS events", "events is -1"),
    "not finite": (f"SELECT {ONE}, nan AS events", "events is nan"),
    "nothing": (f"SELECT {ONE}, NULL AS events", "events is None, not a number"),
    "a number as text": (f"SELECT {ONE}, '3' AS events", "events is '3'"),
    "a list as attribute": (f"SELECT {ONE}, 1 AS events, [1, 2] AS tags", "tags is"),
    "too many": (f"SELECT {ONE}, 1 AS events, toString(number) AS n FROM numbers(100001)", "more than 100,000 rows"),
    "insert": ("INSERT INTO count_minutes (Measure) VALUES ('forged')", "Syntax error"),
    "drop": ("DROP TABLE count_minutes", "Syntax error"),
    "two statements": ("SELECT 1; DROP TABLE count_minutes", "Syntax error"),
    "out of the brackets": ("SELECT 1) ; DROP TABLE count_minutes; SELECT (1", ""),
    "url": (f"SELECT {ONE}, 1 AS events FROM url('http://127.0.0.1:9/', 'CSV', 'a String')", "url"),
    "file as a table": (f"SELECT {ONE}, 1 AS events FROM file('/etc/passwd', 'CSV', 'a String')", "file"),
    "file as a function": (f"SELECT {ONE}, 1 AS events, file('/etc/passwd') AS held", "file"),
    "file in disguise": (f"SELECT {ONE}, 1 AS events, `fi\\x6ce`('/etc/passwd') AS held", "file"),
    "processes": (f"SELECT {ONE}, count() AS events FROM system.processes", "system.processes"),
    "url with settings": (
        f"SELECT {ONE}, 1 AS events FROM url('http://127.0.0.1:9/', 'CSV', 'a String') SETTINGS readonly = 0",
        "url",
    ),
}


def test_queries_that_may_not_or_can_not_fail_alone_and_say_why(engine: Callable[..., Rig]) -> None:
    queries = [asking(query, f"sql:{case}:total") for case, (query, _) in BROKEN.items()]
    good = asking(f"SELECT {ONE}, 2 AS events", "sql:other:total")
    rig = engine([counting(q.name) for q in (*queries, good)], [*queries, good])
    assert derive(derive_sql, rig, BASE) == {BASE - HOUR}
    assert sum(stored(rig, "sql:other:total").values()) == 2
    assert rig.store.sql_rows("SELECT DISTINCT Measure AS m FROM count_minutes") == [{"m": "sql:other:total"}]
    told = {line.split(" failed: ")[0]: line.split(" failed: ")[1] for line in broken_queries(rig.deps)}
    assert {
        case for case, (_, said) in BROKEN.items() if said not in told[f"kpi.yaml:7: SQL measure sql:{case}:total"]
    } == set()
    # Repaired, all is well again.
    repaired = tuple(replace(q, query=good.query) for q in queries)
    rig.deps.catalogue = replace(rig.deps.catalogue, queries=(*repaired, good))
    derive(derive_sql, rig, BASE)
    assert broken_queries(rig.deps) == ()


FORBIDDEN = [
    "INSERT INTO count_minutes (Measure) VALUES ('forged')",
    "DROP TABLE count_minutes",
    "CREATE TABLE forged (a UInt8) ENGINE = Memory",
    "ALTER TABLE count_minutes DELETE WHERE 1",
    "SELECT * FROM url('http://127.0.0.1:9/', 'CSV', 'a String')",
    "SELECT * FROM file('/etc/passwd', 'CSV', 'a String')",
    "SET readonly = 0",
]


@pytest.mark.parametrize("configured", [False, True], ids=["readonly", "reader"])
def test_the_connection_itself_can_not_change_anything(module_rig: Rig, configured: bool) -> None:
    section = module_rig.settings.store
    reader = Store(section.model_copy(update={"user": "reader"})) if configured else open_reader(section)
    for sql in FORBIDDEN:
        with pytest.raises(StoreError) as found:
            reader.command(sql)
        assert not isinstance(found.value, StoreUnavailable), sql
    reader.close()
    assert module_rig.store.sql_rows("EXISTS TABLE forged")[0]["result"] == 0


def test_a_failing_query_is_not_run_again_within_the_minute(engine: Callable[..., Rig], tmp_path: Path) -> None:
    rig = engine([counting()], [asking("SELECT * FROM nowhere")])
    derive(derive_sql, rig, BASE)
    told = broken_queries(rig.deps)
    rig.deps.settings = rig.settings.model_copy(
        update={"store": rig.settings.store.model_copy(update={"url": "http://127.0.0.1:1"})}
    )
    try:
        assert derive(derive_sql, rig, BASE + timedelta(seconds=30)) == set()
        assert broken_queries(rig.deps) == told
        with pytest.raises(StoreUnavailable):
            derive(derive_sql, rig, BASE + MINUTE)
    finally:
        rig.deps.settings = rig.settings


def test_rows_without_a_service_belong_to_the_one_that_counts_them(engine: Callable[..., Rig]) -> None:
    query = asking(f"SELECT {ONE}, 1 AS events")
    rig = engine([counting(service="shop")], [query])
    derive(derive_sql, rig, BASE)
    assert [key[0] for key in stored(rig, "sql:kpi:total", "ServiceName")] == ["shop"]
    rig = engine([counting(service="shop"), counting(service="depot")], [query])
    derive(derive_sql, rig, BASE)
    assert "no column service, but SLOs of depot, shop count it" in broken_queries(rig.deps)[0]
