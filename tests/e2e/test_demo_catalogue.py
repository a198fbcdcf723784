"""What the demo promises, before anything is started."""

from __future__ import annotations

from pathlib import Path

import pytest

import sloengine
from sloengine.config.catalogue import check_catalogue
from sloengine.gameday import found_drift, plan
from sloengine.gameday.demo import CATALOGUE, worst_by_indicator
from sloengine.model import Severity, Slo

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def slos() -> tuple[Slo, ...]:
    folder = Path(sloengine.__file__).parent / "gameday"
    catalogue, problems = check_catalogue([folder / name for name in CATALOGUE])
    assert [str(p) for p in problems if "no Inventory" not in p.message] == []  # it writes its own
    return tuple(catalogue.slos)


def test_all_fifteen_indicators_are_switched_on(slos: tuple[Slo, ...]) -> None:
    assert {slo.indicator for slo in slos} == {f"M{n}" for n in range(1, 16)}


def test_each_promise_has_an_owner_and_a_runbook_that_exists(slos: tuple[Slo, ...]) -> None:
    assert [slo.name for slo in slos if not slo.owner] == []
    assert [slo.name for slo in slos if not (ROOT / str(slo.runbook)).is_file()] == []


def test_one_damaged_file_pages_once_because_what_else_it_breaks_only_tickets(slos: tuple[Slo, ...]) -> None:
    touched = [slo for slo in slos if slo.indicator in ("M9", "M10")]
    assert {w.severity for slo in touched for w in slo.policy.windows} == {Severity.TICKET}


def test_an_indicator_is_told_by_its_worst_slice_in_the_order_of_the_numbers() -> None:
    def told(indicator: str, state: str) -> dict[str, object]:
        return {
            "indicator": indicator,
            "slo": "s",
            "slice": {},
            "state": state,
            "reason": "",
            "sli": 0.5,
            "target": 0.9,
        }

    found = worst_by_indicator([told("M10", "burning"), told("M2", "ok"), told("M10", "ok")])
    assert list(found) == ["M2", "M10"]
    assert found["M10"] == {"slo": "s", "slice": {}, "state": "burning", "reason": "", "sli": 0.5}


def test_the_monitor_that_the_demo_asks_about_is_in_its_catalogue() -> None:
    folder = Path(sloengine.__file__).parent / "gameday"
    catalogue, _ = check_catalogue([folder / name for name in CATALOGUE])
    [monitor] = catalogue.monitors
    assert (monitor.name, monitor.segments) == (found_drift.MONITOR, (plan.SEGMENT,))
    assert (ROOT / monitor.runbook).is_file()


RIGHT = {"severity": "ticket", "labels": {"alertname": "PredictionDrift", **plan.DRIFT.labels}}


@pytest.mark.parametrize(
    ("findings", "found_before", "right"),
    [
        ([RIGHT], 0, True),
        ([RIGHT], 1, False),
        ([], 0, False),
        ([RIGHT, RIGHT], 0, False),
        ([{**RIGHT, "severity": "page"}], 0, False),
        ([{**RIGHT, "labels": {**RIGHT["labels"], "version": "2"}}], 0, False),
    ],
)
def test_drift_is_shown_if_one_ticket_names_what_was_planted_and_nothing_was_seen_before(
    findings: list[dict[str, object]], found_before: int, right: bool
) -> None:
    assert found_drift.Told(findings, {"looks": 20, "found": found_before}, {}).right is right
    assert not found_drift.Told(findings, {"looks": 0, "found": 0}, {}).right
