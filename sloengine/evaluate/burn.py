"""Error budgets and burn rates. Source of the arithmetic: Google, The Site Reliability Workbook, chapter 5. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from sloengine.model import BurnReading, Counts, Slo


def error_ratio(counts: Counts) -> float | None:
    """Bad over valid events; None without valid events, which is not the same as none bad."""
    return counts.bad / counts.valid if counts.valid else None


def burn_rate(counts: Counts, target: float) -> float | None:
    """How many times faster than allowed the budget goes: 1 spends it exactly over the SLO's window."""
    ratio = error_ratio(counts)
    return None if ratio is None else ratio / (1 - target)


def budget_remaining(counts: Counts, target: float) -> float | None:
    """Share of the window's budget that is left: 1 untouched, 0 spent, negative overspent; None without valid events."""
    burn = burn_rate(counts, target)
    return None if burn is None else 1 - burn


def read_burns(slo: Slo, by_window: Mapping[timedelta, Counts]) -> tuple[BurnReading, ...]:
    """Each window pair of the SLO's policy, measured."""
    return tuple(
        BurnReading(
            pair,
            pair.factor(slo.window),
            burn_rate(by_window.get(pair.long, Counts()), slo.target),
            burn_rate(by_window.get(pair.short, Counts()), slo.target),
        )
        for pair in slo.policy.windows
    )


def windows_of(slo: Slo) -> set[timedelta]:
    """Every window that judging this SLO needs."""
    return {slo.window} | {span for pair in slo.policy.windows for span in (pair.long, pair.short)}
