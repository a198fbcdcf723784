"""The release gate: how often it is wrong in simulation, what it weighs, and the command on the real store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.evaluate.gate import Stratum, Verdict, against_control, against_objective, difference, overall
from sloengine.model import Counts, Node
from sloengine.tools.gate import run_gate

RUNS = 400
MARGIN = 0.01
REGIONS = {"eu": (0.005, 4000, 2000), "us": (0.02, 1000, 3000), "ap": (0.05, 300, 500)}
"""Region: the control's bad ratio, its events, the candidate's."""


def _draw(dice: np.random.Generator, events: int, ratio: float, weight: float = 1.0) -> Counts:
    kept = round(events / weight)
    bad = dice.binomial(kept, ratio)
    good = kept - bad
    squares = (None, None) if weight == 1 else (good * weight**2, bad * weight**2)
    return Counts(good * weight, bad * weight, good_squares=squares[0], bad_squares=squares[1])


def _rates(worse: float, weight: float = 1.0) -> dict[Verdict, float]:
    dice = np.random.default_rng(7)
    found = []
    for _ in range(RUNS):
        strata = [
            Stratum(region, _draw(dice, mine, ratio + worse, weight), _draw(dice, theirs, ratio))
            for region, (ratio, theirs, mine) in REGIONS.items()
        ]
        found.append(against_control(strata, MARGIN).verdict)
    return {verdict: found.count(verdict) / RUNS for verdict in Verdict}


def test_a_candidate_as_good_as_the_control_rarely_fails() -> None:
    rates = _rates(0.0)
    print("equal:", rates)
    assert rates[Verdict.FAIL] <= 0.03  # 2.5 % by the interval, which is on the safe side
    assert rates[Verdict.PASS] >= 0.8


def test_a_candidate_worse_by_the_margin_rarely_passes() -> None:
    rates = _rates(MARGIN)
    print("worse by the margin:", rates)
    assert rates[Verdict.PASS] <= 0.03


def test_a_candidate_worse_by_three_margins_fails() -> None:
    rates = _rates(3 * MARGIN)
    print("worse by three margins:", rates)
    assert rates[Verdict.FAIL] >= 0.99


def test_a_sampled_candidate_is_wrong_no_more_often() -> None:
    """A tenth of the requests kept: the same rates of error, more often no answer."""
    equal, worse = _rates(0.0, 10), _rates(MARGIN, 10)
    print("sampled:", equal, worse)
    assert equal[Verdict.FAIL] <= 0.03
    assert worse[Verdict.PASS] <= 0.03


def test_against_the_objective_the_verdict_is_rarely_wrong() -> None:
    dice = np.random.default_rng(11)
    at, beyond = [], []
    for _ in range(2000):
        at.append(against_objective(_draw(dice, 20_000, 0.001), 0.001, 0.001).verdict)
        beyond.append(against_objective(_draw(dice, 20_000, 0.002), 0.001, 0.001).verdict)
    print("at the objective:", {v.value: at.count(v) / 2000 for v in Verdict})
    print("twice as bad:", {v.value: beyond.count(v) / 2000 for v in Verdict})
    assert at.count(Verdict.FAIL) / 2000 <= 0.025
    assert beyond.count(Verdict.PASS) / 2000 <= 0.025
    assert beyond.count(Verdict.FAIL) / 2000 >= 0.9


def test_a_harder_mix_of_regions_is_not_held_against_the_candidate() -> None:
    """Equal in each region, but the candidate runs where life is harder: pooled it would look 4 times as bad."""
    strata = [
        Stratum("easy", Counts(999, 1), Counts(9990, 10)),
        Stratum("hard", Counts(9500, 500), Counts(950, 50)),
    ]
    found = difference(strata)
    assert found is not None
    assert found.value == pytest.approx(0)
    assert found.low < 0 < found.high
    assert against_control(strata, 0.02).verdict is Verdict.PASS


def test_the_difference_is_mantel_and_haenszels() -> None:
    """Weights n1 n0 / (n1 + n0), by hand: 0.04 of 50 and 0.01 of 75."""
    strata = [
        Stratum("a", Counts(90, 10), Counts(94, 6)),
        Stratum("b", Counts(291, 9), Counts(98, 2)),
        Stratum("only", Counts(5, 5), Counts()),
    ]
    found = difference(strata)
    assert found is not None
    assert found.value == pytest.approx((0.04 * 50 + 0.01 * 75) / 125)
    assert (found.regions, found.left_out) == (("a", "b"), ("only",))
    assert found.share == pytest.approx(400 / 410)


@pytest.mark.parametrize(
    ("good", "bad", "verdict"),
    [
        (0, 0, Verdict.UNDECIDED),
        (100, 0, Verdict.UNDECIDED),  # may still be 3 % bad
        (10_000, 0, Verdict.PASS),
        (99_900, 100, Verdict.PASS),
        (9_900, 100, Verdict.FAIL),
        (1_000, 2, Verdict.UNDECIDED),
    ],
)
def test_against_the_objective(good: int, bad: int, verdict: Verdict) -> None:
    found = against_objective(Counts(good, bad), 0.001, 0.001)
    assert found.verdict is verdict, found.reason


def test_one_failure_fails_and_doubt_is_no_pass() -> None:
    found = [against_objective(Counts(*c), 0.001, 0.001) for c in ((100_000, 0), (10, 0), (1_000, 500))]
    assert overall(found) is Verdict.FAIL
    assert overall(found[:2]) is Verdict.UNDECIDED
    assert overall(found[:1]) is Verdict.PASS
    assert overall([]) is Verdict.UNDECIDED


# --- the command

END = BASE + 4 * HOUR


@pytest.fixture(scope="module")
def fleet(rigs: Callable[..., Rig]) -> Rig:
    """Version 1 all along; 2 like it, 3 much worse, 4 with hardly any traffic, since three hours."""
    slos = (slo(target=0.99, by=("model", "region")), slo("heard", "M4", by=("region",), target=0.9))
    rig = rigs(slos=slos, nodes=[Node("n1", "gw-1", "eu", SERVICE, BASE)])
    for region, n in (("eu", 1), ("us", 2)):
        _traffic(rig, f"n{n}", region, "1", BASE, (200, 1))
        _traffic(rig, f"n{n + 2}", region, "2", BASE + HOUR, (200, 1))
        _traffic(rig, f"n{n + 4}", region, "3", BASE + HOUR, (20, 3))
        _traffic(rig, f"n{n + 6}", region, "4", BASE + HOUR, (1, 0), minutes=5)
    rig.points.flush()
    jobs.roll_up(rig.deps, END)
    return rig


def _traffic(
    rig: Rig, device: str, region: str, version: str, begin: Any, rate: tuple[int, int], minutes: int = 0
) -> None:
    series = Series(device=device, region=region, gateway=f"gw-{region}", version=version)
    rig.points.traffic(series, begin, minutes or (END - begin) // MINUTE - 1, *rate)


def _gate(rig: Rig, version: str, **options: Any) -> Any:
    return run_gate(rig.deps, END, **{"model": "m", "version": version, "ignore_budget": True, **options})


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("2", 0, "PASS"),
        ("3", 1, "worse than the objective"),
        ("4", 3, "NOT ENOUGH DATA"),
    ],
)
def test_a_version_is_judged_by_its_own_objective(fleet: Rig, version: str, code: int, words: str) -> None:
    outcome = _gate(fleet, version)
    assert outcome.code == code, outcome.text
    assert words in outcome.text


def test_a_version_is_compared_with_the_one_before(fleet: Rig) -> None:
    good, bad = _gate(fleet, "2", against="previous"), _gate(fleet, "3", against="1")
    assert (good.code, good.found["against"]) == (0, "1")
    assert "over eu, us" in good.text
    assert bad.code == 1
    assert "worse than the control" in bad.text
    counted = next(s for s in good.found["slos"] if s["slo"] == "success")
    # Two regions, 179 minutes of 201 from its first minute on.
    assert counted["events"] == 2 * 179 * 201


def test_what_knows_no_versions_is_left_out_in_words(fleet: Rig) -> None:
    assert "heard is left out: what it counts is not told apart by model version" in _gate(fleet, "2").text


def test_a_budget_that_is_gone_freezes_releases(fleet: Rig) -> None:
    outcome = run_gate(fleet.deps, END, model="m", version="2")
    assert outcome.code == 1
    assert "the budget is gone, releases are frozen" in outcome.text
    assert run_gate(fleet.deps, END, model="m", version="2", ignore_budget=True).code == 0


def test_a_mistyped_model_or_version_is_no_verdict_although_a_budget_is_gone(fleet: Rig) -> None:
    for model, version in (("mm", "2"), ("m", "9")):
        outcome = run_gate(fleet.deps, END, model=model, version=version)
        assert (outcome.code, set(outcome.found)) == (2, {"error"}), outcome.text


def test_events_can_be_asked_for(fleet: Rig) -> None:
    outcome = _gate(fleet, "2", min_events=10**6)
    assert outcome.code == 3
    assert "1,000,000 are asked for" in outcome.text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"version": "9"}, "version '9' of m answered nothing in 30d; there are 1, 2, 3, 4"),
        ({"version": "2", "model": "mm"}, "model 'mm' answered nothing in 30d; did you mean m?"),
        ({"version": "2", "against": "8"}, "--against: version '8' answered nothing in 30d; there are 1, 2, 3, 4"),
        ({"version": "2", "against": "2"}, "with itself"),
        (
            {"version": "1", "against": "previous"},
            "no version came before 1: leave --against out, to judge it by its objectives alone, or name another: 2, 3, 4",
        ),
        ({"version": "2", "slos": ["sucess"]}, "did you mean success"),
        ({"version": "2", "since": "x"}, "--since"),
        ({"version": "2", "service": "other"}, "m answered nothing in the service 'other': it runs in digits"),
    ],
)
def test_a_mistake_is_told(fleet: Rig, options: dict[str, Any], words: str) -> None:
    outcome = _gate(fleet, options.pop("version"), **options)
    assert outcome.code == 2, outcome.text
    assert words in outcome.text
