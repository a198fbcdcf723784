"""Budget: every unit of it, what spent it, what was counted anew; over buckets that a real engine folded."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig, Series, slo
from spent_histories import NODES, PROMISE, SLOS, bad_rollout
from typer.testing import CliRunner, Result

from sloengine import cli
from sloengine.model import Component, Exclusion, Matcher, Weighting
from sloengine.tools.budget import run_budget
from sloengine.tools.explain import run_explain

STRICT = replace(PROMISE, name="strict", target=0.995)
MINE = (
    *SLOS,
    STRICT,
    replace(PROMISE, name="nodewise", by=("device",)),
    replace(PROMISE, name="sites", by=(), weighting=Weighting.SITES),
    replace(slo("both", by=("region",), target=0.99), components=(Component("success", 1), Component("strict", 2))),
)
NOW = BASE + 10 * MINUTE
LATE = 40.0
"""Failures of a device in us that came in three hours after they happened."""


@pytest.fixture(scope="module")
def spent(rigs: Callable[..., Rig]) -> Rig:
    rig = bad_rollout(rigs(slos=MINE, nodes=NODES))
    begin = BASE - 4 * HOUR
    for n in range(3):
        held = Series(device="node-late", gateway="gw-us", region="us", outcome="failure", start=begin)
        rig.points.count(held, begin + n * MINUTE, LATE / 2 * n, ingested=BASE + 11 * MINUTE)
    rig.points.flush()
    rig.tick(BASE + 13 * MINUTE)
    return rig


@pytest.fixture(scope="module")
def found(spent: Rig) -> dict[str, Any]:
    outcome = run_budget(spent.deps, "success", BASE + 14 * MINUTE)
    return {**outcome.found, "text": outcome.text, "code": outcome.code}


def of(found: dict[str, Any], region: str) -> dict[str, Any]:
    return next(s for s in found["slices"] if s["slice"].get("region") == region)


def test_a_budget_is_told_as_a_ratio_in_events_and_as_time(found: dict[str, Any]) -> None:
    eu = of(found, "eu")
    counts, events = eu["counts"], eu["events"]
    valid = counts["good"] + counts["bad"]
    assert events["allowed"] == pytest.approx(0.01 * valid)
    assert events["spent"] == counts["bad"]
    assert events["left"] == pytest.approx(events["allowed"] - counts["bad"])
    assert eu["ratio"]["left"] == pytest.approx(0.01 - counts["bad"] / valid)
    assert eu["time"]["allowed_s"] == pytest.approx(0.01 * 12 * 3600)
    assert eu["time"]["left_s"] == pytest.approx(eu["remaining"] * 432)
    assert eu["remaining"] == pytest.approx(1 - counts["bad"] / events["allowed"])


def test_what_spent_it_is_told_by_cause_with_evidence_and_the_reserve(found: dict[str, Any]) -> None:
    eu = of(found, "eu")
    causes = {c["cause"]: c for c in eu["spent_by"]["causes"]}
    assert sum(c["bad"] for c in causes.values()) == eu["spent_by"]["bad"]
    assert causes["rollout"]["bad"] == pytest.approx(99, abs=1)
    assert "version 2 by rollout r-42 in eu" in causes["rollout"]["evidence"]
    assert len(causes["rollout"]["hours"]) == 5
    assert causes["resources"]["looked_at"] == []
    own = eu["reserve"]["rollouts"]
    assert own["share"] == 0.25
    assert own["left"] == pytest.approx(1 - own["spent"] / 0.25)
    for words in (
        "rollout",
        "version 2 by rollout r-42 in eu: 10.00% bad against 0.10%",
        "not measured",
        "and may spend 25.0 % (overspent)",
    ):
        assert words in found["text"], words


def test_what_came_late_is_listed_with_hour_cause_and_both_figures(found: dict[str, Any]) -> None:
    us = of(found, "us")
    (late,) = [r for r in us["restated"] if r["hour"] == BASE - 4 * HOUR]
    assert (late["cause"], late["before"]["bad"], late["after"]["bad"]) == ("arrival", 0, LATE)
    assert late["newest"] >= BASE + 11 * MINUTE
    known = us["known"]
    assert known["bad"] == us["counts"]["bad"] - LATE
    assert known["remaining"] > us["remaining"]
    assert known["sli"] == pytest.approx(known["good"] / (known["good"] + known["bad"]))
    assert f"{BASE - 4 * HOUR:%Y-%m-%d %H:%M}  arrival" in found["text"]
    assert "as known" in found["text"]
    assert of(found, "eu")["restated"] == [] or of(found, "eu")["slice"] != us["slice"]


def test_a_reserve_of_everything_leaves_nothing_for_the_rest_and_json_no_infinity(spent: Rig) -> None:
    whole = replace(spent.deps, catalogue=replace(spent.deps.catalogue, slos=(replace(PROMISE, reserve=1.0),)))
    outcome = run_budget(whole, "success", NOW, slice_="region=eu")
    rest = outcome.found["slices"][0]["reserve"]["rest"]
    assert (rest["share"], rest["left"]) == (0, None)
    json.dumps(outcome.found, default=str, allow_nan=False)
    assert "may spend 0.0 % (overspent)" in outcome.text


def test_the_worst_slice_comes_first(found: dict[str, Any]) -> None:
    left = [s["remaining"] for s in found["slices"]]
    assert left == sorted(left)


@pytest.mark.parametrize(
    ("name", "slice_", "code"),
    [
        ("success", None, 0),
        ("strict", None, 1),
        ("strict", "region=eu", 1),
        ("strict", "region=us", 0),
        ("both", None, 1),
    ],
)
def test_a_spent_budget_is_exit_code_one(spent: Rig, name: str, slice_: str | None, code: int) -> None:
    outcome = run_budget(spent.deps, name, NOW, slice_=slice_)
    assert outcome.code == code, outcome.text


def test_what_is_excluded_is_shown_with_the_figure_before_and_after(spent: Rig) -> None:
    shut = (
        Exclusion("works", "maintenance", (Matcher("region", "=", "eu"),), BASE - 3 * HOUR, HOUR),
        Exclusion("other", "of another service", (Matcher("service", "=", "x"),), BASE - 3 * HOUR, HOUR),
    )
    deps = replace(spent.deps, catalogue=replace(spent.deps.catalogue, exclusions=shut))
    eu = of(run_budget(deps, "success", NOW).found, "eu")
    assert [(e["name"], e["minutes"]) for e in eu["excluded"]["by"]] == [("works", 60)]
    assert eu["excluded"]["bad"] == 21
    whole = {k: eu["counts"][k] + eu["excluded"][k] for k in ("good", "bad")}
    assert eu["excluded"]["sli_with_it"] == pytest.approx(whole["good"] / (whole["good"] + whole["bad"]))
    text = run_budget(deps, "success", NOW, slice_="region=eu").text
    assert "works (maintenance), 60 minutes" in text
    assert "not counted; with it the SLI would be" in text
    assert "another service" not in text


def test_a_composite_names_its_parts_and_nodes_are_no_events(spent: Rig) -> None:
    both = run_budget(spent.deps, "both", NOW).found["slices"][0]
    assert [p["slo"] for p in both["parts"]] == ["success", "strict"]
    assert both["spent_by"] is None
    sites = run_budget(spent.deps, "sites", BASE + 14 * MINUTE).found["slices"][0]
    assert sites["spent_by"]["allowed"] is None
    assert {c["share"] for c in sites["spent_by"]["causes"]} == {None}
    assert sites["known"] is None


def test_restatements_of_a_node_are_those_of_all_nodes_and_say_so(spent: Rig) -> None:
    slices = run_budget(spent.deps, "nodewise", BASE + 14 * MINUTE).found["slices"]
    assert {s["blind"] for s in slices} == {"restatements are kept without device: these are of all of them"}
    assert all(s["known"] is None for s in slices)


def test_explain_shows_the_same_causes_and_restated_hours(spent: Rig) -> None:
    outcome = run_explain(spent.deps, "success", BASE + 14 * MINUTE, slice_="region=us")
    assert outcome.found["spent"]["restated"][0]["after"]["bad"] == LATE
    assert "what spent it, by whole hours" in outcome.text
    assert "counted anew more than ten minutes after the fact" in outcome.text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "sucess"}, "did you mean success"),
        ({"name": "success", "slice_": "region=mars"}, "there are"),
        ({"name": "success", "at": "2999-01-01"}, "lies ahead"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(spent: Rig, arguments: dict[str, str], words: str) -> None:
    outcome = run_budget(spent.deps, arguments.pop("name"), NOW, **arguments)
    assert outcome.code == 2
    assert words in outcome.text


CATALOGUE = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: strict, annotations: {sloengine.dev/by: region}}
spec:
  service: digits
  indicatorRef: M1
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
"""


@pytest.fixture
def command(spent: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """sloengine in this process, in a folder with a catalogue, on the rig's store."""
    (tmp_path / "catalogue").mkdir()
    (tmp_path / "catalogue" / "slos.yaml").write_text(CATALOGUE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLOENGINE_STORE__URL", spent.settings.store.url)
    monkeypatch.setenv("SLOENGINE_STORE__DATABASE", spent.settings.store.database)
    return lambda *words: CliRunner().invoke(cli.app, list(words))


def test_the_command_prints_one_object_and_exits_by_what_it_found(command: Callable[..., Result]) -> None:
    done = command("budget", "strict", "--json")
    assert done.exit_code == 1, done.stderr
    answer = json.loads(done.stdout)
    assert {s["slice"]["region"]: s["exhausted"] for s in answer["slices"]} == {"eu": True, "us": True}
    done = command("budget", "strict", "--slice", "region=eu")
    assert (done.exit_code, "what spent it" in done.stdout) == (1, True)
    done = command("budget", "nothing")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "no SLO is called 'nothing'; there are strict" in done.stderr
