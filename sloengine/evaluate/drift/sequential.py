"""Slow drift: cumulative sums of small surprises, for many series at once. Pure.

CUSUM (Page 1954) of z, the normal deviate of a look's p: S = max(0, S + z - k), an alarm at S > h. Without drift z is standard
normal, and the mean number of looks until an alarm is that of Siegmund (1985): (exp(2kb) - 2kb - 1) / (2k²) with b = h + 1.166.

Looks share their baseline, whose own chance deviation moves every z by about n/(n + m)·(a standard normal deviate), for ever; the
allowance k holds five of these, so that what an alarm speaks of is in the looks and not in the baseline. They share its inflation
too, a mean over its windows: what of it exceeds chance, 1 - 1/inflation, is as unsure as the mean of so many z is, √(n/(n + m));
k holds two of these. What lasts L looks makes a baseline worth 1/L of its windows: n is n·L then.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

ALLOWANCE = 0.5
"""Half of the mean z that is found soonest: a look that 16 in 100 undrifted ones exceed."""
BASELINE_DEVIATES = 5.0
INFLATION_DEVIATES = 2.0
Z_MAX = 6.0
"""More surprising looks count as this one: that is what a single look's own test is for."""
OVERSHOOT = 1.166


@dataclass(frozen=True, slots=True)
class Sums:
    """Of each series: the sum, and for how many looks it has been above zero."""

    sums: Floats
    looks: Floats

    @classmethod
    def fresh(cls, size: int) -> Sums:
        return cls(np.zeros(size), np.zeros(size))


def step(before: Sums, p: Floats, n: Floats, m: Floats, inflation: Floats, *, most: float = Z_MAX) -> Sums:
    """After one more look, shapes (S,), that counts at most ``most``; one that says nothing of a series (p is NaN) leaves it.

    n are times how many looks what varies lasts.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.minimum(-special.ndtri(p), most)
        part = n / (n + m)
        unsure = BASELINE_DEVIATES * part + INFLATION_DEVIATES * (1 - 1 / inflation) * np.sqrt(part)
        moved = np.maximum(0.0, before.sums + z - ALLOWANCE - unsure)
    told = ~np.isnan(p)
    sums = np.where(told, moved, before.sums)
    return Sums(sums, np.where(told, np.where(moved > 0, before.looks + 1, 0.0), before.looks))


def most_of_look(limit: float, looks: int) -> float:
    """What a look may count, so that so many of them alone don't reach the limit: what they show is single looks' to tell."""
    return min(Z_MAX, ALLOWANCE + limit / looks)


def run_length(limit: float) -> float:
    """Mean looks until one series exceeds the limit without drift, for a baseline that is known exactly."""
    reach = 2 * ALLOWANCE * (limit + OVERSHOOT)
    return (math.exp(reach) - reach - 1) / (2 * ALLOWANCE**2)


def limit_for(looks: float) -> float:
    """Limit at which the mean run length of one series without drift is so many looks."""
    return float(optimize.brentq(lambda h: math.log(run_length(h)) - math.log(max(looks, 10.0)), 0.0, 500.0))
