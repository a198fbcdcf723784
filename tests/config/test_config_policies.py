"""Burn policies: those that ship make sense for every window and target, and OpenSLO's alert policies become window pairs."""

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine.config.catalogue import check_catalogue
from sloengine.config.policies import chosen, highest, load_policies, misfits, shipped
from sloengine.model import BurnPolicy, BurnWindow, Calendar, Severity

DAY = timedelta(days=1)
FACTORS = {
    "sre-workbook": [14.4, 6, 3, 1],
    "28d": [13.44, 5.6, 2.8, 1.03],
    "1d": [10, 4.2, 2],
    "7d": [13.44, 4.2, 1.75, 1.05],
    "90d": [16.2, 7.2, 3.6, 1.03],
    "quarter": [16.2, 7.2, 3.6, 1.5],
    "365d": [17.52, 7.3, 3.65, 1.04],
    "gentle": [4.8, 2.1, 1.1],
    "quarter-hourly": [6, 3, 1],
    "hourly": [3, 1.1],
    "hourly-7d": [1.75, 1.05],
    "hourly-1d": [1.5],
    "late": [2, 1.07],
    "late-7d": [1.75, 1.05],
    "daily": [1.07, 1.07],
    "daily-7d": [1.05],
}


@pytest.mark.parametrize("name", FACTORS)
def test_factors_are_derived_from_shares(name: str) -> None:
    found = shipped()[name]
    assert [w.factor(found.window) for w in found.policy.windows] == pytest.approx(FACTORS[name], abs=0.005)


def test_every_policy_that_ships_is_in_this_table() -> None:
    assert set(load_policies()) == set(FACTORS)


@pytest.mark.parametrize("name", FACTORS)
def test_a_policy_that_ships_pages_first_and_falls_to_a_rate_that_the_budget_does_not_survive(name: str) -> None:
    found = shipped()[name]
    factors = [w.factor(found.window) for w in found.policy.windows]
    assert factors == sorted(factors, reverse=True)
    assert factors[-1] >= 1 - 1e-9
    assert factors[0] < highest(0.95), "reachable at the lowest default target of M1 to M15"
    for window in found.policy.windows:
        assert window.long <= found.window / 2 or name in ("1d", "daily-7d")
        # Short windows that have to hold several slow verdicts can't be so short.
        assert timedelta(minutes=1) <= window.short <= (window.long / 6 if not found.verdicts else window.long * 0.8)
        assert window.short.total_seconds() % 60 == 0
    severities = [w.severity for w in found.policy.windows]
    assert severities == sorted(severities), "pages before tickets"


@given(
    days=st.integers(1, 400), target=st.one_of(st.sampled_from([0.8, 0.9, 0.95, 0.99, 0.999]), st.floats(0.95, 0.99999))
)
def test_an_slo_that_names_no_policy_gets_one_without_fault(days: int, target: float) -> None:
    window = days * DAY
    if target < 0.9 and days < 4:
        return  # no policy that ships is made for this; lint says so
    policy = chosen(window, None, target)
    if target >= 0.93 or days >= 5:
        assert misfits(policy, target, window) == [], policy
    assert all(0 < w.budget_share <= 0.75 for w in policy.windows)


@pytest.mark.parametrize(
    ("window", "calendar", "target", "name"),
    [
        (30, None, 0.999, "sre-workbook"),
        (28, None, 0.999, "28d"),
        (7, None, 0.999, "7d"),
        (90, None, 0.999, "90d"),
        (365, None, 0.999, "365d"),
        (1, None, 0.99, "1d"),
        (30, None, 0.9, "gentle"),
        (45, None, 0.999, "sre-workbook.45d"),
        (90, "quarter", 0.999, "quarter"),
        (30, "month", 0.999, "sre-workbook"),
        (365, "year", 0.999, "365d"),
    ],
)
def test_the_policy_is_the_one_made_for_the_nearest_window(
    window: int, calendar: str | None, target: float, name: str
) -> None:
    from datetime import datetime

    periods = Calendar(1, calendar, datetime(2026, 1, 1), "UTC") if calendar else None  # noqa: DTZ001
    assert chosen(window * DAY, periods, target).name == name


def test_for_another_window_the_shares_are_scaled_so_that_the_factors_stay() -> None:
    policy = chosen(45 * DAY, None, 0.999)
    assert [w.factor(45 * DAY) for w in policy.windows] == pytest.approx([14.4, 6, 3, 1])


def test_the_workbooks_policy_kept_for_a_week_would_ticket_a_burn_that_the_budget_survives() -> None:
    said = [
        words
        for severity, words, _ in misfits(load_policies()["sre-workbook"], 0.999, 7 * DAY)
        if severity == "warning"
    ]
    assert [w.partition(": ")[2] for w in said] == [
        "burn rate 0.7 is below 1, a burn that the budget survives",
        "burn rate 0.233 is below 1, a burn that the budget survives",
    ]


@pytest.mark.parametrize(("target", "said"), [(0.93, "error"), (0.9305555, "error"), (0.931, ""), (0.999, "")])
def test_a_burn_rate_beyond_one_over_the_budget_is_an_error(target: float, said: str) -> None:
    policy = BurnPolicy("p", (BurnWindow(Severity.PAGE, timedelta(hours=1), timedelta(minutes=5), 0.02),))
    assert [severity for severity, _, _ in misfits(policy, target, 30 * DAY)] == ([said] if said else [])


# --- OpenSLO's

POLICY = """\
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: burning}
spec:
  alertWhenBreaching: true
  conditions: [{conditionRef: fast}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 8, lookbackWindow: 2h, alertAfter: 10m}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: x, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec:
  service: digits
  indicatorRef: M1
  timeWindow: [{duration: 30d, isRolling: true}]
  alertPolicies: [burning]
"""


def read(folder: Path, text: str) -> tuple[BurnPolicy | None, list[str]]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([folder])
    policy = catalogue.slos[0].policy if catalogue.slos else None
    return policy, [str(p).removeprefix(f"{folder}/a.yaml:") for p in problems]


def test_an_alert_condition_is_one_pair_of_windows(tmp_path: Path) -> None:
    policy, problems = read(tmp_path, POLICY)
    assert problems == []
    assert policy is not None
    (pair,) = policy.windows
    assert (pair.severity, pair.long, pair.short) == (Severity.PAGE, timedelta(hours=2), timedelta(minutes=10))
    assert pair.factor(30 * DAY) == pytest.approx(8)


def test_the_same_rate_is_another_share_of_another_window(tmp_path: Path) -> None:
    month, _ = read(tmp_path, POLICY)
    week, _ = read(tmp_path, POLICY.replace("30d", "7d"))
    assert month is not None
    assert week is not None
    assert (month.name, week.name) == ("burning.30d", "burning.7d")
    assert week.windows[0].factor(7 * DAY) == pytest.approx(8)


@pytest.mark.parametrize(
    ("case", "old", "new", "said"),
    [
        (
            "nothing there",
            "conditionRef: fast",
            "conditionRef: fats",
            "6: error: AlertCondition 'fats' is not in the catalogue; did you",
        ),
        ("a low rate", "op: gt", "op: lt", "13: warning: op lt: an alert on a burn rate that is low is not acted on"),
        ("no threshold", "threshold: 8, ", "", "13: error: a burnrate condition needs threshold and lookbackWindow"),
        ("a look-back that is none", "2h", "2 h", "13: error: '2 h' is not a duration"),
        ("too short a look-back", "2h", "1m", "13: error: lookbackWindow must be at least 2m"),
        (
            "another wait",
            "10m",
            "30m",
            "13: warning: alertAfter 30m is not acted on: the short window of 10m must burn too",
        ),
        ("another word", "page", "purple", "12: warning: severity 'purple' is taken as ticket"),
        (
            "never",
            "alertWhenBreaching: true",
            "alertWhenBreaching: false",
            "5: warning: alertWhenBreaching: false: a policy that never alerts",
        ),
        (
            "a rate beyond reach",
            "threshold: 8",
            "threshold: 2000",
            "18: error: policy 'burning.30d', window 2h: burn rate 2000 can't be reached",
        ),
        (
            "another kind",
            "kind: burnrate",
            "kind: drop",
            "13: error: spec.condition.kind: 'drop' is not known; known: burnrate",
        ),
    ],
)
def test_what_an_alert_policy_can_not_have_is_said(case: str, old: str, new: str, said: str, tmp_path: Path) -> None:
    assert old in POLICY
    _, problems = read(tmp_path, POLICY.replace(old, new, 1))
    assert any(p.startswith(said) for p in problems), (case, problems)


def test_several_policies_of_an_slo_are_one_with_all_windows(tmp_path: Path) -> None:
    policy, problems = read(tmp_path, POLICY.replace("[burning]", "[burning, sre-workbook]"))
    assert problems == []
    assert policy is not None
    assert (policy.name, len(policy.windows)) == ("burning.30d+sre-workbook", 5)


def test_a_policy_of_ones_own_is_data(tmp_path: Path) -> None:
    own = (
        "apiVersion: sloengine.dev/v1\nkind: BurnPolicy\nmetadata: {name: burning}\nspec:\n  windows:\n"
        "    - {severity: page, long: 1h, budgetShare: 0.02}\n    - {severity: ticket, long: 6h, short: 1h, factor: 2}\n---\n"
    )
    policy, problems = read(tmp_path, own + POLICY.split("---\n")[2])
    assert problems == []
    assert policy is not None
    assert [(w.long, w.short) for w in policy.windows] == [
        (timedelta(hours=1), timedelta(minutes=5)), (timedelta(hours=6), timedelta(hours=1)),
    ]  # fmt: skip
    assert [w.factor(30 * DAY) for w in policy.windows] == pytest.approx([14.4, 2])
