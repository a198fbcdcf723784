"""Burn policies: the ones that ship as data, a user's own, and what of OpenSLO's alert policies can be acted on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import resources
from typing import Any

from ruamel.yaml import YAML

from sloengine.config.documents import BurnPair, BurnPolicyDocument, Condition, ConditionSpec, PolicySpec
from sloengine.config.findings import Findings
from sloengine.config.matchers import shown
from sloengine.config.pace import SEVERAL, Pace
from sloengine.config.windows import NOMINAL, span
from sloengine.model import BurnPolicy, BurnWindow, Calendar, Severity
from sloengine.times import format_duration, parse_duration

PAGES = {"page", "critical", "crit", "urgent", "high", "sev0", "sev1", "sev-0", "sev-1", "p0", "p1"}
TICKETS = {
    "ticket",
    "warning",
    "warn",
    "info",
    "low",
    "medium",
    "sev2",
    "sev3",
    "sev4",
    "sev-2",
    "sev-3",
    "p2",
    "p3",
    "p4",
}
SHORTER = 12
"""Short windows are a twelfth of the long ones (The Site Reliability Workbook, chapter 5)."""
SHARE_MAX = 0.75
MINUTES = Pace()
"""Verdicts that come with the telemetry."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A policy of ours and the window that it is made for."""

    policy: BurnPolicy
    window: timedelta
    calendar: str = ""
    verdicts: timedelta = timedelta()
    """The slowest step of verdicts that it is made for; zero: they come by the minute."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A window pair that says either which share of the budget, or which rate."""

    severity: Severity
    long: timedelta
    short: timedelta
    share: float | None = None
    factor: float | None = None

    def burn(self, window: timedelta) -> BurnWindow:
        share = self.share if self.share is not None else (self.factor or 0.0) * (self.long / window)
        return BurnWindow(self.severity, self.long, self.short, share)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named policy before it is known for which window."""

    name: str
    pairs: tuple[Pair, ...]

    def policy(self, window: timedelta) -> BurnPolicy:
        """For an SLO of this window. Where rates are given, the shares differ by window, and so does the policy's name."""
        by_rate = any(pair.factor is not None for pair in self.pairs)
        name = f"{self.name}.{format_duration(window)}" if by_rate else self.name
        return BurnPolicy(name, tuple(pair.burn(window) for pair in self.pairs))


@cache
def shipped() -> Mapping[str, Shipped]:
    text = resources.files("sloengine.config").joinpath("burn_policies.yaml").read_text(encoding="utf-8")
    return {name: _shipped(name, row) for name, row in YAML(typ="safe").load(text).items()}


def _shipped(name: str, row: Mapping[str, object]) -> Shipped:
    pairs: Any = row["windows"]
    windows = tuple(
        BurnWindow(Severity(p["severity"]), parse_duration(p["long"]), parse_duration(p["short"]), p["budget_share"])
        for p in pairs
    )
    verdicts = parse_duration(str(row["verdicts"])) if "verdicts" in row else timedelta()
    return Shipped(
        BurnPolicy(name, windows), parse_duration(str(row["window"])), str(row.get("calendar", "")), verdicts
    )


def load_policies() -> dict[str, BurnPolicy]:
    """The burn policies that ship with sloengine, as data."""
    return {name: found.policy for name, found in shipped().items()}


def shipped_recipes() -> dict[str, Recipe]:
    return {
        name: Recipe(name, tuple(Pair(w.severity, w.long, w.short, w.budget_share) for w in policy.windows))
        for name, policy in load_policies().items()
    }


# --- choosing one


def highest(target: float) -> float:
    """The highest burn rate that a target allows: everything fails."""
    return math.inf if target >= 1 else 1 / (1 - target)


def _reached(factor: float, target: float) -> bool:
    """Whether a burn rate can be above a factor; not decided by the last digit of a division."""
    return factor < highest(target) * (1 - 1e-9)


def chosen(window: timedelta, periods: Calendar | None, target: float, pace: Pace = MINUTES) -> BurnPolicy:
    """The policy of an SLO that names none: reachable at its target and not too quick for its verdicts if one is, made for
    verdicts no slower than it takes, and for the nearest window.

    For another window than it was made for the shares are scaled so that the factors stay.
    """
    fitting = [s for s in shipped().values() if _fits(s, window) and (pace.least or not s.verdicts)]
    fitting = [s for s in fitting if not s.calendar or (periods is not None and periods.unit == s.calendar)] or fitting
    known = fitting or [s for s in shipped().values() if not (s.verdicts or s.calendar)]
    reachable = [s for s in known if all(_reached(w.factor(s.window), target) for w in s.policy.windows)]
    best = min(
        reachable or known,
        key=lambda s: (
            _lack(s.policy, pace), s.verdicts, not s.calendar, _distance(s.window, window), s.policy.name == "gentle"
        ),
    )  # fmt: skip
    return _scaled(best, window)


def _lack(policy: BurnPolicy, pace: Pace) -> timedelta:
    """By how much the shortest window is too short for several verdicts."""
    return max(timedelta(), pace.least - min(w.short for w in policy.windows))


def _fits(found: Shipped, window: timedelta) -> bool:
    """Scaled to a short window, a share near the whole budget would speak when there is nothing left to save."""
    return all(w.long <= window and w.budget_share * (found.window / window) <= SHARE_MAX for w in found.policy.windows)


def _distance(one: timedelta, other: timedelta) -> float:
    return abs(math.log(one / other))


def _scaled(found: Shipped, window: timedelta) -> BurnPolicy:
    if found.window == window:
        return found.policy
    name = f"{found.policy.name}.{format_duration(window)}"
    return BurnPolicy(
        name,
        tuple(
            BurnWindow(w.severity, w.long, w.short, w.budget_share * (found.window / window))
            for w in found.policy.windows
        ),
    )


# --- reading one


def of_document(parsed: BurnPolicyDocument, findings: Findings) -> Recipe | None:
    """A user's own policy; errors go to ``findings``."""
    pairs = [_pair(row, findings.below("spec", "windows", i)) for i, row in enumerate(parsed.spec.windows)]
    return None if findings.failed else Recipe(parsed.metadata.name, tuple(p for p in pairs if p))


def _pair(row: BurnPair, findings: Findings) -> Pair | None:
    long = _span(row.long, "long", findings)
    short = _span(row.short, "short", findings) if row.short else long and _twelfth(long)
    if (row.budget_share is None) == (row.factor is None):
        findings.error("give exactly one of budgetShare and factor")
    if row.budget_share is not None and not 0 < row.budget_share < math.inf:
        findings.error(f"budgetShare {row.budget_share:g} is a share of the budget, above 0", "budgetShare")
    if row.factor is not None and not 0 < row.factor < math.inf:
        findings.error(f"factor {row.factor:g} must be above 0", "factor")
    if long and short and short >= long:
        findings.error("the short window must be shorter than the long one", "short" if row.short else "long")
    return Pair(Severity(row.severity), long, short, row.budget_share, row.factor) if long and short else None


def _span(text: str, key: str, findings: Findings) -> timedelta | None:
    try:
        found = span(text)
    except ValueError as error:
        findings.error(str(error), key)
        return None
    if found.total_seconds() % 60 or found > timedelta(days=NOMINAL["year"]):
        findings.error(f"'{shown(text)}': alert windows are whole minutes, at most a year", key)
        return None
    return found


def _twelfth(long: timedelta) -> timedelta:
    return timedelta(minutes=max(1, math.ceil(long / timedelta(minutes=1) / SHORTER)))


def of_alert_policy(
    name: str, spec: PolicySpec, condition: ConditionSpec | None, findings: Findings, at: Findings | None
) -> Recipe | None:
    """What of an OpenSLO alert policy can be acted on: a burn rate over a look-back, as one window pair.

    ``at`` is where the condition stands, None where it can't be found; what is not acted on is said.
    """
    _unacted(spec, findings)
    if spec.when_breaching is False:
        findings.warn(
            "alertWhenBreaching: false: a policy that never alerts is not acted on", "spec", "alertWhenBreaching"
        )
        return None
    if condition is None or at is None:
        return None
    pair = of_condition(condition, at)
    return Recipe(name, (pair,)) if pair else None


def _unacted(spec: PolicySpec, findings: Findings) -> None:
    if spec.when_no_data:
        said = "alertWhenNoData is not acted on: 'stale' and 'no traffic' are states of their own, silence is M4's"
        findings.warn(said, "spec", "alertWhenNoData")
    if spec.when_resolved is not None:
        said = "alertWhenResolved is not acted on: send_resolved of each receiver in alerting.yaml says it"
        findings.warn(said, "spec", "alertWhenResolved")
    if spec.targets:
        said = "notificationTargets are not acted on: alerting.yaml says where alerts go"
        findings.warn(said, "spec", "notificationTargets")


def of_condition(spec: ConditionSpec, findings: Findings) -> Pair | None:
    """One window pair of an alert condition; what is not acted on is said."""
    condition, path = spec.condition, ("spec", "condition")
    if condition.threshold is None or condition.lookback is None:
        findings.error("a burnrate condition needs threshold and lookbackWindow", *path)
    long = _look_back(condition, findings.below(*path))
    if condition.op in ("lte", "lt"):
        said = f"op {condition.op}: an alert on a burn rate that is low is not acted on"
        findings.warn(said, *path, "op")
        return None
    rate = condition.threshold
    if rate is not None and not 0 < rate < math.inf:
        findings.error(f"threshold {rate:g}: a burn rate above 0 is needed", *path, "threshold")
        rate = None
    if long is None or rate is None:
        return None
    _said_otherwise(condition, _twelfth(long), findings.below(*path))
    return Pair(_severity(spec, findings), long, _twelfth(long), factor=rate)


def _look_back(condition: Condition, findings: Findings) -> timedelta | None:
    if condition.lookback is None:
        return None
    long = _span(condition.lookback, "lookbackWindow", findings)
    if long is not None and long < timedelta(minutes=2):
        findings.error("lookbackWindow must be at least 2m: counts are kept by the minute", "lookbackWindow")
        return None
    return long


def _said_otherwise(condition: Condition, short: timedelta, findings: Findings) -> None:
    if condition.op == "gte":
        findings.warn("op gte is taken as gt: a rate alerts once it is above the threshold", "op")
    after = (condition.alert_after or "0m").strip()
    if after not in ("0m", "0h", "0s", "0d") and _soft_span(after) != short:
        said = f"alertAfter {shown(after)} is not acted on: the short window of {format_duration(short)} must burn too"
        findings.warn(said, "alertAfter")


def _soft_span(text: str) -> timedelta | None:
    try:
        return span(text)
    except ValueError:
        return None


def _severity(spec: ConditionSpec, findings: Findings) -> Severity:
    word = spec.severity.strip().lower()
    if word not in PAGES | TICKETS:
        findings.warn(
            f"severity '{shown(spec.severity)}' is taken as ticket; page is what wakes people", "spec", "severity"
        )
    return Severity.PAGE if word in PAGES else Severity.TICKET


# --- what it means for an SLO


def misfits(
    policy: BurnPolicy, target: float, window: timedelta, pace: Pace = MINUTES
) -> list[tuple[str, str, str]]:  # fmt: skip
    """What of a policy an SLO can't use: (severity, words, the key that they are about)."""
    found = _too_quick(policy, pace)
    for pair in policy.windows:
        factor, most = pair.factor(window), highest(target)
        where = f"policy '{policy.name}', window {format_duration(pair.long)}"
        if pair.long > window:
            found.append(("error", f"{where}: longer than the SLO's window {format_duration(window)}", "timeWindow"))
        elif not _reached(factor, target):
            words = f"{where}: burn rate {factor:g} can't be reached, at target {target:g} it is at most {most:g}"
            found.append(("error", words, "objectives"))
        elif factor < 1 - 1e-9:
            words = f"{where}: burn rate {factor:.3g} is below 1, a burn that the budget survives"
            found.append(("warning", words, "alertPolicies"))
        elif pair.budget_share > 1:
            words = f"{where}: it speaks when {pair.budget_share:.3g} times the whole budget is spent"
            found.append(("warning", words, "alertPolicies"))
    return found


def _too_quick(policy: BurnPolicy, pace: Pace) -> list[tuple[str, str, str]]:
    """Short windows that hold no verdict, or one, most of the time: what is empty doesn't burn, and never alerts."""
    short = [format_duration(w) for w in sorted({w.short for w in policy.windows}) if w < pace.least]
    if not short:
        return []
    come = f"verdicts that come every {format_duration(pace.every)} and are known {format_duration(pace.known)} later"
    few = f"policy '{policy.name}': short window {', '.join(short)} rarely holds {SEVERAL} verdicts, so it may never alert"
    return [("warning", f"{few}: {come} need at least {format_duration(pace.least)}", "alertPolicies")]
