"""Figures and states at a terminal: plain numbers, each thing said once, and signs explained."""

from __future__ import annotations

import pytest

from sloengine.evaluate.gate import Stratum, against_control
from sloengine.model import Counts
from sloengine.tools.outcome import number, times, told
from sloengine.tools.status import status_table

ROW = {
    "Slo": "s", "Slice": {}, "Folded": 0, "Target": 0.99, "Sampled": False, "Sli": 0.9, "Low": None, "High": None,
    "BudgetRemaining": 0.5, "ExhaustsInSeconds": 3600.0, "Coverage": None, "State": "burning", "Reason": "burning 23.6x over 1h",
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (6_048_663.2, "6,048,663"),
        (1e16, "10,000,000,000,000,000"),
        (1234.5678, "1,234.57"),
        (0.0000123, "0.0000123"),
        (12, "12"),
        (-0.5, "-0.5"),
    ],
)
def test_a_number_has_no_exponent(value: float, said: str) -> None:
    assert number(value) == said


@pytest.mark.parametrize(
    ("burn", "said"), [(1000, "1,000x"), (14.42, "14.4x"), (99.96, "100x"), (0.0001, "0.0001x"), (None, "-")]
)
def test_a_burn_rate_has_no_exponent(burn: float | None, said: str) -> None:
    assert times(burn) == said


def test_a_reason_that_begins_with_its_state_is_said_once() -> None:
    assert told("burning", "burning 23.6x over 1h") == "burning 23.6x over 1h"
    assert told("burning", "burning 23.6x over 1h", loud=True) == "BURNING 23.6x over 1h"
    assert told("ok", "50% of the budget left", loud=True) == "OK: 50% of the budget left"


def test_status_explains_what_it_abbreviates() -> None:
    plain = status_table([ROW]).splitlines()
    assert plain[1].endswith("burning 23.6x over 1h")
    assert "burning: " not in plain[1]
    assert plain[-1].startswith("LASTS: how long the budget lasts at the present burn")
    sampled = status_table([ROW, ROW | {"Sampled": True}]).splitlines()
    assert sampled[-2:] == [plain[-1], "≈: an estimate, from samples"]


def test_no_difference_has_no_sign() -> None:
    reason = against_control([Stratum("eu", Counts(90_000_000, 1), Counts(90_000_001, 1))], 0.001).reason
    assert "+0.0000% bad against" in reason
    assert "-0.0000%" not in reason.split("surely")[0]
