"""`status --by`: any cut of an SLO's buckets is judged as its own slices are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig, Series, slo

from sloengine.jobs.tick import status_row
from sloengine.tools.cut import run_cut
from sloengine.tools.status import run_status

MODELS, REGIONS = ("m1", "m2"), ("ap", "eu")
END = BASE + 70 * MINUTE
BAD = {("m1", "ap"): 0, ("m1", "eu"): 1, ("m2", "ap"): 2, ("m2", "eu"): 3}
"""Of ten requests a minute."""


@pytest.fixture
def told(rigs) -> Rig:  # type: ignore[no-untyped-def]
    rig: Rig = rigs(slos=[slo(), slo("by node", by=("device",))])
    for (model, region), bad in BAD.items():
        series = Series(device=f"{model}-{region}", gateway=f"gw-{region}", model=model, region=region, start=BASE)
        rig.points.traffic(series, BASE, 60, 10 - bad, bad)
    rig.points.flush()
    rig.tick(END)
    return rig


def _bad(rig: Rig, by: str, name: str = "success") -> dict[tuple[str, ...], float]:
    outcome = run_cut(rig.deps, name, END, by=by)
    return {tuple(row["Slice"].values()): row["Bad"] / 60 for row in outcome.found["slos"]}


def test_slices_are_rolled_up_to_any_of_their_dimensions(told: Rig) -> None:
    assert _bad(told, "") == {(): 6}
    assert _bad(told, "region") == {("ap",): 2, ("eu",): 4}
    assert _bad(told, "model") == {("m1",): 1, ("m2",): 5}
    assert _bad(told, "model, region") == {key: float(bad) for key, bad in BAD.items()}


def test_and_drilled_down_to_what_the_buckets_hold(told: Rig) -> None:
    assert _bad(told, "gateway,model") == {(f"gw-{region}", model): float(bad) for (model, region), bad in BAD.items()}
    # Another SLO asks for nodes.
    assert _bad(told, "device") == {(f"{model}-{region}",): float(bad) for (model, region), bad in BAD.items()}


def test_a_cut_has_a_budget_burns_and_an_interval_of_its_own(told: Rig) -> None:
    outcome = run_cut(told.deps, "success", END, by="region")
    (ap, eu) = outcome.found["slos"]
    assert (ap["Sli"], eu["Sli"]) == (0.9, 0.8)
    assert ap["Low"] < ap["Sli"] < ap["High"]
    assert eu["Burn"]["1h"] == pytest.approx(200)
    assert outcome.code == 1
    assert "alerts go by the SLO's own slices, by model, region" in outcome.text
    before = told.revisions("slo_status")
    run_cut(told.deps, "success", END, by="")
    assert told.revisions("slo_status") == before


def test_an_earlier_moment(told: Rig) -> None:
    at = (BASE + timedelta(minutes=30)).isoformat()
    (row,) = run_cut(told.deps, "success", END, by="", at=at).found["slos"]
    assert row["Bad"] == 6 * 30


@pytest.mark.parametrize(
    ("name", "by", "words"),
    [
        ("success", "modle", "has passed; did you mean model?"),
        ("success", "region,k8s.pod.name", "don't tell k8s.pod.name apart"),
        ("sucess", "region", "no SLO is called 'sucess'; did you mean success?"),
    ],
)
def test_what_can_not_be_answered_is_refused_in_words(told: Rig, name: str, by: str, words: str) -> None:
    outcome = run_cut(told.deps, name, END + HOUR, by=by)
    assert outcome.code == 2
    assert words in outcome.text


@pytest.fixture
def said_now(told: Rig) -> Rig:
    """As if the tick had been now: `status` shows what was said in the last hour."""
    rows = [status_row(status) | {"At": datetime.now(UTC)} for status in told.deps.snapshot.statuses]
    told.store.insert("slo_status", list(rows[0]), [list(row.values()) for row in rows])
    return told


def test_status_of_one_slo_is_what_was_last_said_of_it(said_now: Rig) -> None:
    told = said_now
    said = run_status(told.store, "success", by=None, at=None)
    assert {row["Slo"] for row in said.found["slos"]} == {"success"}
    assert len(said.found["slos"]) == len(BAD)
    assert said.code == 1


@pytest.mark.parametrize(
    ("name", "by", "at", "words"),
    [
        ("sucess", None, None, "'sucess'; did you mean success?"),
        (None, "region", None, "--by cuts one SLO"),
        ("success", None, "2026-11-24T10:05", "--at needs --by"),
    ],
)
def test_status_refuses_what_it_can_not_say(
    said_now: Rig, name: str | None, by: str | None, at: str | None, words: str
) -> None:
    said = run_status(said_now.store, name, by=by, at=at)
    assert said.code == 2
    assert words in said.text
