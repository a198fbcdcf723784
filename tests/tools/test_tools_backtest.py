"""Backtest on the real store: the engine, ticked every minute over a random history, and the replay alert in the same minutes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo
from test_tools_explain import SPAN_COLUMNS, _spans

from sloengine import jobs
from sloengine.jobs.fold import Sources
from sloengine.jobs.history import EPOCH, LEFT, marks_of_sources
from sloengine.jobs.marks import move_marks
from sloengine.jobs.tick import export_transitions
from sloengine.model import (
    BurnPolicy,
    BurnWindow,
    Exclusion,
    Matcher,
    Quantifier,
    Selector,
    Severity,
    Sli,
    SliceRule,
    Slo,
    Source,
    Unknown,
    Weighting,
)
from sloengine.store.client import Store
from sloengine.tools.backtest import run_backtest, unknowable

QUICK = BurnPolicy(
    "quick",
    (
        BurnWindow(Severity.PAGE, 20 * MINUTE, 4 * MINUTE, 0.10),
        BurnWindow(Severity.PAGE, HOUR, 10 * MINUTE, 0.15),
        BurnWindow(Severity.TICKET, 2 * HOUR, 20 * MINUTE, 0.15),
    ),
)
LENGTH = 90
CALM = (40, 65)
"""Minutes in which nothing fails, so that alerts end."""
END = BASE + LENGTH * MINUTE
FAILED = (Selector(Source.SUM, "edge.inference.requests", (Matcher("edge.inference.outcome", "=", "failure"),)),)


def _quick(name: str, **changes: Any) -> Slo:
    return replace(slo(name, target=0.99, by=()), window=timedelta(hours=12), policy=QUICK, **changes)


SLOS = (
    _quick("success"),
    replace(_quick("regional"), by=("region",)),
    _quick("nodes", weighting=Weighting.NODES),
    _quick("promised", quantifier=Quantifier(0.9, 0.99)),
    replace(_quick("zero", zero_tolerance=True), target=1.0),
    replace(_quick("traced"), sli=_spans(), unknown=Unknown.BAD),
)
WORKS = Exclusion("works", "maintenance", (Matcher("region", "=", "us"),), BASE + 50 * MINUTE, 5 * MINUTE)


def _tell(rig: Rig, minute: int, dice: random.Random, state: dict[Any, Any]) -> list[Any]:
    """What a minute brings: counters of four nodes, some of them failing or silent for a while, and sampled spans."""
    at = BASE + minute * MINUTE
    for n, region in enumerate(("eu", "eu", "us", "us")):
        if CALM[0] <= minute < CALM[1]:
            state[n] = (0.0, False)
        elif dice.random() < 0.04:
            state[n] = (dice.choice([0, 0.005, 0.02, 0.3, 1.0]), dice.random() < 0.2)
        ratio, silent = state.get(n, (0.0, False))
        total = dice.randrange(30, 60)
        bad = sum(dice.random() < ratio for _ in range(total))
        good = state.setdefault(("sum", n), [0, 0])
        good[0] += total - bad
        good[1] += bad
        series = Series(device=f"node-{n}", region=region, gateway=f"gw-{n % 2}")
        if not silent:
            rig.points.count(series, at, good[0])
            rig.points.count(replace(series, outcome="failure"), at, good[1])
    return [_one(dice, at, state) for _ in range(dice.randrange(6))]


def _one(dice: random.Random, at: datetime, state: dict[Any, Any]) -> list[Any]:
    state["span"] = state.get("span", 0) + 1
    ident = f"{state['span']:x}"
    resource = {"device.id": "node-1", "edge.region": "eu", "edge.gateway.id": "gw-1"}
    outcome = "error" if dice.random() < state.get(0, (0.0, False))[0] else "ok"
    th = dice.choice(["", "0", "8", "f"])
    state_text = f"ot=th:{th}" if th else ""
    return [
        resource, SERVICE, "infer", {"outcome": outcome}, ident.rjust(32, "0"), ident.rjust(16, "0"), state_text,
        at + timedelta(seconds=1), 10**6, "Unset", at + timedelta(seconds=3),
    ]  # fmt: skip


class Then:
    """The store as it was: everything came in within its minute, so what a tick saw are the minutes before it."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def table(self, name: str, **parameters: Any) -> Any:
        return self._store.table(name, **parameters | {"end": parameters["end"] - MINUTE})


@pytest.fixture(scope="module")
def ticked(rigs: Callable[..., Rig]) -> Rig:
    """An engine that judged and alerted every minute."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    dice, state = random.Random(seed), {0: (0.0, False)}
    rig = rigs(slos=SLOS)
    rig.deps.catalogue = replace(rig.catalogue, exclusions=(WORKS,))
    spans: list[Any] = []
    for minute in range(LENGTH):
        if minute % 25 == 5:
            state[dice.randrange(4)] = (0.5, False)
        spans += _tell(rig, minute, dice, state)
    rig.points.flush()
    rig.store.insert("otel_traces", SPAN_COLUMNS, spans)
    jobs.roll_up(rig.deps, END)
    then = replace(rig.deps, store=Then(rig.store))
    for minute in range(LENGTH):
        now = BASE + (minute + 1) * MINUTE
        jobs.transition(rig.deps, jobs.evaluate(then, now), now)
    export_transitions(rig.deps)
    return rig


Found = set[tuple[str, str, str, datetime, datetime | None]]


def _alerted(rig: Rig) -> Found:
    """What the engine did: SLO, region, severity, begin, end."""
    rows = rig.rows(
        "SELECT DedupKey, Slo, Severity, ToState, At, Labels['region'] AS Region FROM alert_transitions FINAL"
        " ORDER BY TransitionId"
    )
    found: dict[str, list[Any]] = {}
    for row in rows:
        if row["ToState"] == "firing":
            found[row["DedupKey"]] = [row["Slo"], row["Region"], row["Severity"], row["At"], None]
        else:
            found[row["DedupKey"]][4] = row["At"]
    return {tuple(v) for v in found.values()}


def _replayed(rig: Rig) -> Found:
    outcome = run_backtest(rig.deps, END, policy="sre-workbook", since=f"{LENGTH}m")
    assert outcome.code in (0, 1), outcome.text
    return {
        (s["slo"], one["slice"].get("region", ""), a["severity"], a["begin"], a["end"])
        for s in outcome.found["slos"]
        for one in s["slices"]
        for a in one["present"]["alerts"]
    }


def test_the_replay_alerts_when_the_engine_did(ticked: Rig) -> None:
    engine, replayed = _alerted(ticked), _replayed(ticked)
    assert replayed == engine
    assert {e[0] for e in engine} >= {"success", "zero"}
    assert any(e[4] for e in engine)


def test_the_replays_budget_is_the_engines(ticked: Rig) -> None:
    statuses = {(s.slo.name, dict(s.group).get("region", "")): s for s in jobs.evaluate(ticked.deps, END)}
    found = run_backtest(ticked.deps, END, policy="sre-workbook", since="1h").found
    for s in found["slos"]:
        for one in s["slices"]:
            status = statuses[s["slo"], one["slice"].get("region", "")]
            assert one["present"]["remaining"] == pytest.approx(status.budget_remaining), s["slo"]


CHANGED = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: success, annotations: {sloengine.dev/owner: o, sloengine.dev/runbook: r}}
spec:
  service: digits
  indicatorRef: M1
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: %s}]
  alertPolicies: [sre-workbook]
"""


def test_a_changed_target_is_shown_beside_the_present_one(ticked: Rig, tmp_path: Path) -> None:
    (tmp_path / "slo.yaml").write_text(CHANGED % 0.94)
    told: list[tuple[int, int, str]] = []
    outcome = run_backtest(
        ticked.deps,
        END,
        paths=[tmp_path],
        since="2h",
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert outcome.code == 1, outcome.text
    (found,) = outcome.found["slos"]
    assert (outcome.code, found["changed"]["target"], found["present"]["target"]) == (1, 0.94, 0.99)
    (only,) = found["slices"]
    assert only["present"]["pages"] >= 1
    assert only["changed"]["remaining"] > only["present"]["remaining"]
    assert told == [(0, 1, "success"), (1, 1, "")]
    assert "present" in outcome.text


def test_the_same_policy_differs_in_nothing(ticked: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sloengine.tools.backtest.load_policies", lambda: {"same": QUICK})
    outcome = run_backtest(ticked.deps, END, policy="same", name="success", since="90m")
    assert outcome.code == 0
    (only,) = outcome.found["slos"][0]["slices"]
    assert only["changed"] == only["present"]
    assert "in both" in outcome.text


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (replace(SLOS[0], by=("site",)), "are not told apart by site"),
        (replace(SLOS[0], by=("hardware", "region")), "are not told apart by hardware"),
        (slo("fast", "M2"), "are not cut at 0.1"),
        (
            replace(SLOS[0], sli=Sli(bad=FAILED, total=(Selector(Source.SUM, "edge.model.loads"),))),
            "no buckets of edge.model.loads",
        ),
        (replace(SLOS[0], quantifier=Quantifier(0.1, 0.99, worst=True)), "the worst"),
        (
            replace(SLOS[0], sli=Sli(good=FAILED, slices=SliceRule(HOUR, ("device",), FAILED, (), "lte", 1.0))),
            "slices of time were never judged",
        ),
    ],
)
def test_what_past_buckets_cannot_tell_is_said(ticked: Rig, changed: Slo, words: str) -> None:
    assert words in unknowable(changed, ticked.deps.catalogue)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "nothing is changed"),
        ({"policy": "workbook"}, "did you mean sre-workbook"),
        ({"policy": "7d", "name": "succes"}, "did you mean success"),
        ({"policy": "7d", "since": "soon"}, "is not a duration"),
        ({"policy": "7d", "step": "90s"}, "whole number"),
        ({"policy": "7d", "since": "400d"}, "take longer steps"),
        ({"paths": [Path("nowhere")]}, "nowhere"),
    ],
)
def test_a_mistake_is_told(ticked: Rig, arguments: dict[str, Any], words: str) -> None:
    outcome = run_backtest(ticked.deps, END, **arguments)
    assert outcome.code == 2
    assert words in outcome.text


# --- what a replay over corrected buckets must not be taken for


PREDICTIONS = ["Timestamp", "IngestTime", "ServiceName", "PredictionId", "Label", "Truth", "GatewayId"]
LABELS = ["PredictionId", "ServiceName", "At", "Truth", "IngestTime"]
ACCURACY = Sli(
    good=(Selector(Source.DERIVED, "predictions", (Matcher("verdict", "=", "correct"),)),),
    bad=(Selector(Source.DERIVED, "predictions", (Matcher("verdict", "=", "wrong"),)),),
)


def _words(rig: Rig, name: str, **changes: Any) -> list[str]:
    outcome = run_backtest(rig.deps, END, policy="sre-workbook", since="1h", name=name, **changes)
    (found,) = outcome.found["slos"]
    words: list[str] = found["as_known"]["words"]
    assert all(line in outcome.text for line in words), outcome.text
    return words


def test_how_late_labels_came_is_said_as_measured(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=(replace(_quick("accurate"), sli=ACCURACY), _quick("success")))
    assert "no prediction record" in _words(rig, "accurate")[0]
    seen, came = BASE - 2 * HOUR, BASE - 2 * HOUR + timedelta(seconds=10)
    predictions = [[seen, came, SERVICE, f"p{n}", "cat", "", "gw"] for n in range(10)]
    predictions += [[seen, came + 20 * MINUTE, SERVICE, "own", "cat", "cat", "gw"]]
    predictions += [[seen, came, "another", "foreign", "cat", "", "gw"]]
    rig.store.insert("predictions", PREDICTIONS, predictions)
    assert "none of 11 predictions has a label yet" not in _words(rig, "accurate")[0], "one brought its own"
    # What counts is when a label came in, not when it was given; the first one, whoever gave a second.
    labels = [[f"p{n}", SERVICE if n % 2 else "", seen, "cat", seen + (1 + n % 2) * HOUR] for n in range(8)]
    labels += [["p0", SERVICE, seen, "dog", seen + 90 * MINUTE], ["foreign", "another", seen, "cat", seen]]
    rig.store.insert("labels", LABELS, labels)
    outcome = run_backtest(rig.deps, END, policy="sre-workbook", since="1h", name="accurate")
    known = outcome.found["slos"][0]["as_known"]["labels"]
    assert (known["predictions"], known["labelled"]) == (11, 9)
    # Four an hour late, four two hours, and one as late as its record, twenty minutes.
    assert known["mean_lag_s"] == pytest.approx((4 * 3600 + 4 * 7200 + 1210) / 9, abs=1)
    assert known["nine_in_ten_s"] == 7200
    (words,) = _words(rig, "accurate")
    assert "labels came on average 1h22m after the prediction, nine in ten within 2h, and 18.2 % have none yet" in words
    assert "as corrected, not as known" in words
    assert _words(rig, "success") == []


def test_verdicts_by_the_hour_say_when_they_were_known(rigs: Callable[..., Rig]) -> None:
    drift = Sli(good=(Selector(Source.DERIVED, "drift.psi", (Matcher("value", "<=", "0.25"),)),))
    rig = rigs(slos=(replace(_quick("drift"), sli=replace(drift, total=(Selector(Source.DERIVED, "drift.psi"),))),))
    (words,) = _words(rig, "drift")
    assert "known up to 1h6m after the minute that it stands at" in words


def test_what_is_not_counted_anew_yet_is_named(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=(_quick("success"),))
    rig.points.traffic(Series(), BASE, 30, 10, 0)
    rig.points.flush()
    rig.tick(BASE + 40 * MINUTE)
    assert _words(rig, "success") == []
    (name,) = [n for s, n in marks_of_sources(Sources(rig.deps.folds())).items() if s is Source.SUM]
    move_marks(rig.deps, {f"{LEFT}:{name}": BASE + 20 * MINUTE})
    (words,) = _words(rig, "success")
    assert f"sum before {BASE + 20 * MINUTE:%Y-%m-%d %H:%M} UTC are not yet counted" in words
    move_marks(rig.deps, {f"{LEFT}:{name}": EPOCH})
    assert _words(rig, "success") == []
    # A catalogue that no engine has ticked with yet.
    rig.deps.catalogue = replace(rig.deps.catalogue, slos=(_quick("success"), replace(_quick("new"), by=("site",))))
    assert "not yet counted as the catalogue now asks" in _words(rig, "success")[0]
