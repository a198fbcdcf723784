"""Is a candidate version good enough? Against the objective, and against a control version. Pure.

Versions are compared inside each region and the differences are weighed together, so that a candidate rolled out where life is
harder is not blamed for it: weights n1·n0/(n1 + n0) of effective sample sizes, as in Mantel & Haenszel's risk difference.
The interval of each region's difference combines the two ratios' own intervals (Newcombe 1998, method 10, with the bounds of
``interval.py`` in place of Wilson's), and the regions' are combined in the same way (MOVER: Zou & Donner 2008).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from sloengine.evaluate.burn import error_ratio
from sloengine.evaluate.interval import bad_ratio_interval, effective_size
from sloengine.model import Counts

CONFIDENCE = 0.95


class Verdict(StrEnum):
    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNDECIDED = "not enough data"


@dataclass(frozen=True, slots=True)
class Finding:
    """One answer with its reason; the figures are bad ratios."""

    verdict: Verdict
    reason: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Stratum:
    """One region's part of a comparison."""

    region: str
    candidate: Counts
    control: Counts

    @property
    def compared(self) -> bool:
        return bool(self.candidate.valid and self.control.valid)


@dataclass(frozen=True, slots=True)
class Difference:
    """Bad ratio of the candidate less that of the control, over the regions that saw both."""

    value: float
    low: float
    high: float
    regions: tuple[str, ...]
    left_out: tuple[str, ...]
    """Regions where only one of the two ran."""
    share: float
    """Share of the candidate's events that lie in compared regions."""


def against_objective(counts: Counts, allowed: float, margin: float) -> Finding:
    """Fail if surely worse than the objective allows; pass if not worse and, at most, surely within ``margin`` of it.

    So a pass says two things: the candidate does not burn faster than its budget lasts, and had it been worse by ``margin`` that
    would have been seen. ``allowed``: bad ratio that the objective allows.
    """
    ratio = error_ratio(counts)
    if ratio is None:
        return Finding(Verdict.UNDECIDED, "no valid events")
    found = bad_ratio_interval(counts.good, counts.bad, *counts.squares, CONFIDENCE)
    say = f"{ratio:.4%} bad, surely between {found.low:.4%} and {found.high:.4%}; {allowed:.4%} is allowed"
    if found.low > allowed:
        return Finding(Verdict.FAIL, f"worse than the objective: {say}", ratio, found.low, found.high)
    if ratio <= allowed and found.high <= allowed + margin:
        word = "better than the objective" if found.high <= allowed else "within the objective"
        return Finding(Verdict.PASS, f"{word}: {say}", ratio, found.low, found.high)
    needed = f"more would have to be known to rule out {allowed + margin:.4%}"
    return Finding(Verdict.UNDECIDED, f"{say}; {needed}", ratio, found.low, found.high)


def against_control(strata: Iterable[Stratum], margin: float) -> Finding:
    """Pass if surely not worse than the control by ``margin`` (non-inferiority); fail if surely worse, but not that surely."""
    found = difference(strata)
    if found is None:
        return Finding(Verdict.UNDECIDED, "candidate and control have no region in common where both answered")
    value, low, high = (_signed(part) for part in (found.value, found.low, found.high))
    say = f"{value} bad against the control, surely between {low} and {high}"
    say += f"; margin {margin:.4%}, over {', '.join(r or '(no region)' for r in found.regions)}"
    if found.left_out:
        say += f"; not compared: {', '.join(r or '(no region)' for r in found.left_out)}"
    bounds = (found.value, found.low, found.high)
    if found.high < margin:
        return Finding(Verdict.PASS, f"not worse than the control: {say}", *bounds)
    if found.low > 0:
        return Finding(Verdict.FAIL, f"worse than the control: {say}", *bounds)
    return Finding(Verdict.UNDECIDED, f"can't be told apart from the control: {say}", *bounds)


def _signed(ratio: float) -> str:
    """Nothing has no sign: a hair below it would be told as less than nothing."""
    return f"{round(ratio, 6) + 0.0:+.4%}"


def difference(strata: Iterable[Stratum]) -> Difference | None:
    """The weighed difference of bad ratios and its 95 % interval; None where no region saw both versions."""
    listed = list(strata)
    mine = [s for s in listed if s.compared]
    if not mine:
        return None
    weights = [_weight(s) for s in mine]
    total = math.fsum(weights)
    value = low = high = 0.0
    for stratum, weight in zip(mine, weights, strict=True):
        share = weight / total
        d, below, above = _within(stratum)
        value += share * d
        low += (share * below) ** 2
        high += (share * above) ** 2
    events = math.fsum(s.candidate.valid for s in listed)
    return Difference(
        value,
        max(-1.0, value - math.sqrt(low)),
        min(1.0, value + math.sqrt(high)),
        tuple(s.region for s in mine),
        tuple(s.region for s in listed if not s.compared),
        math.fsum(s.candidate.valid for s in mine) / events,
    )


def _weight(stratum: Stratum) -> float:
    sizes = [effective_size(c.good, c.bad, *c.squares) for c in (stratum.candidate, stratum.control)]
    return sizes[0] * sizes[1] / (sizes[0] + sizes[1])


def _within(stratum: Stratum) -> tuple[float, float, float]:
    """One region's difference, and how far its interval reaches below and above it."""
    p1, l1, u1 = _ratio(stratum.candidate)
    p0, l0, u0 = _ratio(stratum.control)
    return p1 - p0, math.hypot(p1 - l1, u0 - p0), math.hypot(u1 - p1, p0 - l0)


def _ratio(counts: Counts) -> tuple[float, float, float]:
    found = bad_ratio_interval(counts.good, counts.bad, *counts.squares, CONFIDENCE)
    return counts.bad / counts.valid, found.low, found.high


def overall(findings: Iterable[Finding]) -> Verdict:
    """One failure fails; all must pass to pass; without any finding nothing is known."""
    verdicts = [f.verdict for f in findings]
    if Verdict.FAIL in verdicts:
        return Verdict.FAIL
    return Verdict.PASS if verdicts and set(verdicts) == {Verdict.PASS} else Verdict.UNDECIDED


def strata_of(candidate: Mapping[str, Counts], control: Mapping[str, Counts]) -> list[Stratum]:
    """Counts by region of two versions, side by side."""
    regions = sorted({*candidate, *control})
    return [Stratum(r, candidate.get(r, Counts()), control.get(r, Counts())) for r in regions]
