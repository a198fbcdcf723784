"""Retrain cadence: a table of days, and when drift is confirmed."""

from datetime import UTC, datetime, timedelta

import pytest

from sloengine.evaluate.retrain import Cadence, confirmations, deployments, judge_day

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
CADENCE = Cadence()


def day(number: float) -> datetime:
    return BEGAN + number * DAY


@pytest.mark.parametrize(
    ("end", "deployed", "confirmed", "verdict", "reason"),
    [
        (6, [], [], "unknown", "history"),
        (7, [], [], "good", "in step"),
        (40, [12, 15, 20, 30], [11], "good", "in step"),
        (40, [12, 15, 20, 30, 39], [11], "bad", "too often"),
        (40, [9, 15, 20, 30, 39], [11], "good", "in step"),
        (40, [12, 15, 20, 30, 40], [11], "good", "in step"),
        (40, [30], [], "good", "deployed without drift"),
        (40, [12, 30], [20], "good", "deployed without drift"),
        (40, [30], [30], "good", "deployed without drift"),
        (50, [45], [15], "good", "in step"),
        (50, [46], [15], "good", "deployed without drift"),
        (40, [9], [], "good", "in step"),
        (40, [], [26.5], "good", "in step"),
        (40, [], [26], "bad", "drift unanswered"),
        (40, [25], [26], "bad", "drift unanswered"),
        (40, [27], [26], "good", "in step"),
        (45, [43], [26], "good", "in step"),
        (43, [43], [26], "bad", "drift unanswered"),
        (60, [], [26], "good", "in step"),
    ],
    ids=[
        "six days are no history",
        "a week is",
        "four in thirty days",
        "five are too many",
        "the fifth is out of the window",
        "the fifth is tomorrow's",
        "a deployment without drift is neither, and told",
        "one of two had drift",
        "drift of the same moment came too late for it",
        "drift thirty days before",
        "but no longer",
        "one that is out of the window is history",
        "drift can still be answered",
        "it no longer can",
        "a deployment before it is no answer",
        "one after it is",
        "a late one is one from then on",
        "but not before",
        "after thirty days it is history",
    ],
)
def test_a_day(end: float, deployed: list[float], confirmed: list[float], verdict: str, reason: str) -> None:
    step = judge_day(day(end), BEGAN, [day(d) for d in deployed], [day(c) for c in confirmed], CADENCE)
    assert (step.verdict, step.reason) == (verdict, reason)


def test_drift_is_confirmed_by_24_hours_of_72() -> None:
    every_third = [BEGAN + 3 * i * HOUR for i in range(30)]
    assert confirmations(every_third, CADENCE) == [every_third[23] + HOUR]
    every_fourth = [BEGAN + 4 * i * HOUR for i in range(60)]
    assert confirmations(every_fourth, CADENCE) == []
    assert confirmations([BEGAN + i * HOUR for i in range(23)], CADENCE) == []


def test_drift_that_comes_back_is_confirmed_again() -> None:
    first = [BEGAN + i * HOUR for i in range(30)]
    again = [BEGAN + 20 * DAY + i * HOUR for i in range(30)]
    assert confirmations(first + again, CADENCE) == [BEGAN + DAY, BEGAN + 21 * DAY]


def test_versions_of_the_first_day_were_there_before() -> None:
    seen = {"1": BEGAN, "2": BEGAN + 23 * HOUR, "3": BEGAN + DAY, "4": BEGAN + 5 * DAY}
    assert deployments(seen, CADENCE) == [BEGAN + DAY, BEGAN + 5 * DAY]
    assert deployments({}, CADENCE) == []
