"""Verdicts that come by the hour or the day, or late, alert under the policy that their SLO gets, not under one for minutes."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sloengine import jobs
from sloengine.config.catalogue import check_catalogue
from sloengine.config.indicators import templates
from sloengine.config.pace import Pace, pace_of
from sloengine.config.policies import chosen, load_policies, misfits, shipped
from sloengine.evaluate.burn import read_all_burns, windows_of
from sloengine.evaluate.tally import tally_of
from sloengine.jobs.indicators import SETTLE
from sloengine.jobs.predictions import SLICE, WAIT
from sloengine.model import BurnWindow, Counts, Severity, Slo
from sloengine.times import format_duration

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ZERO = timedelta()
BEFORE, AFTER = -40 * DAY, 8 * DAY
"""How long everything was good, and how long it is bad; the moment 0 is when it turns."""
MOMENTS = [-DAY + 3 * MINUTE + i * 45 * MINUTE for i in range((AFTER + DAY) // (45 * MINUTE))]
"""When it is looked; also in the minutes before an hour's verdict is known."""


@dataclass(frozen=True)
class Verdicts:
    """At ``every`` step ``good`` and ``bad`` ones from the moment 0 on, before it as many good ones; ``known`` so much later."""

    every: timedelta
    known: timedelta
    good: int
    bad: int

    def counts(self, lo: timedelta, now: timedelta) -> Counts:
        """Of a window that ends now what is known by now."""
        before = self._steps(max(lo, BEFORE), min(now - self.known + MINUTE, ZERO)) * (self.good + self.bad)
        since = self._steps(max(lo, ZERO), min(now - self.known + MINUTE, now))
        return Counts(before + since * self.good, since * self.bad)

    def _steps(self, lo: timedelta, hi: timedelta) -> int:
        """How many steps stand in ``[lo, hi)``."""
        return max(0, -(-hi // self.every) + (lo // -self.every))


JUDGED = SETTLE + MINUTE
HISTORIES = {
    "M3": [Verdicts(HOUR, 20 * HOUR, 5, 1)],
    "M5": [Verdicts(HOUR, HOUR + JUDGED, 0, 1)],
    "M8": [Verdicts(HOUR, HOUR + MINUTE, 15, 5)],
    "M12": [Verdicts(10 * MINUTE, HOUR, 1, 0), Verdicts(10 * MINUTE, DAY, 0, 1)],
    "M13": [Verdicts(HOUR, HOUR + MINUTE, 18, 2)],
    "M14": [Verdicts(DAY, DAY + JUDGED, 0, 1)],
    "M15": [Verdicts(DAY, SLICE + WAIT, 0, 1)],
}
"""M3: labels after twenty hours, one prediction in six wrong. M5, M14, M15: one model in one region. M8, M13: twenty devices,
of which some are bad. M12: half of the labels come within an hour, the other half stops coming."""


def read(folder: Path, reference: str, days: int, more: str = "") -> Slo:
    spec = f"service: s, indicatorRef: {reference}, timeWindow: [{{duration: {days}d, isRolling: true}}]{more}"
    text = f"apiVersion: openslo/v1\nkind: SLO\nmetadata: {{name: x}}\nspec: {{{spec}}}\n"
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    (found,) = check_catalogue([folder])[0].slos
    return found


def over(slo: Slo) -> dict[BurnWindow, list[timedelta]]:
    """When which pair alerted: each moment sees only what was known then."""
    parts, lengths = HISTORIES[slo.indicator], windows_of(slo)
    seen = [{n: sum((p.counts(now - n, now) for p in parts), Counts()) for n in lengths} for now in MOMENTS]
    spans = {length: column for column, length in enumerate(sorted(lengths))}
    table = tally_of([[counts[length] for length in spans] for counts in seen])
    burns = read_all_burns((slo,) * len(seen), table, spans, slo.window)
    found: dict[BurnWindow, list[timedelta]] = {pair: [] for pair in slo.policy.windows}
    for now, readings in zip(MOMENTS, burns, strict=True):
        for reading in readings:
            found[reading.window] += [now] * reading.exceeded
    return found


WITHIN = [
    ("M3", 30, "late", 65 * HOUR),
    ("M3", 7, "late-7d", 45 * HOUR),
    ("M5", 30, "hourly", 10 * HOUR),
    ("M5", 7, "hourly-7d", 8 * HOUR),
    ("M8", 30, "hourly", 19 * HOUR),
    ("M8", 7, "hourly-7d", 13 * HOUR),
    ("M12", 30, "late", 40 * HOUR),
    ("M12", 7, "late-7d", 34 * HOUR),
    ("M13", 30, "hourly", 27 * HOUR),
    ("M13", 7, "hourly-7d", 17 * HOUR),
    ("M14", 30, "daily", 3 * DAY + HOUR),
    ("M14", 7, "daily-7d", 3 * DAY + HOUR),
    ("M15", 30, "daily", 4 * DAY + HOUR),
    ("M15", 7, "daily-7d", 3 * DAY + HOUR),
]


@pytest.mark.parametrize(("name", "days", "policy", "within"), WITHIN)
def test_a_slow_indicator_that_goes_bad_is_a_ticket_in_time_and_stays_one(
    name: str, days: int, policy: str, within: timedelta, tmp_path: Path
) -> None:
    slo = read(tmp_path, name, days)
    assert (slo.policy.name, {w.severity for w in slo.policy.windows}) == (policy, {Severity.TICKET})
    fired = over(slo)
    first = min(moments[0] for moments in fired.values() if moments)
    assert ZERO < first <= within
    for pair, moments in fired.items():
        assert moments, f"{pair} never alerts"
        assert moments == [m for m in MOMENTS if m >= moments[0]], f"{pair} comes and goes"


@pytest.mark.parametrize("name", ["M3", "M12", "M14", "M15"])
@pytest.mark.parametrize(("days", "policy"), [(30, "sre-workbook"), (7, "7d")])
def test_under_a_policy_for_minutes_what_is_late_or_daily_never_alerts(
    name: str, days: int, policy: str, tmp_path: Path
) -> None:
    fired = over(read(tmp_path, name, days, f", alertPolicies: [{policy}]"))
    assert all(moments == [] for moments in fired.values())


@pytest.mark.parametrize("name", ["M5", "M8", "M13"])
@pytest.mark.parametrize(("days", "policy"), [(30, "sre-workbook"), (7, "7d")])
def test_under_a_policy_for_minutes_the_pages_of_hourly_verdicts_are_dead(
    name: str, days: int, policy: str, tmp_path: Path
) -> None:
    fired = over(read(tmp_path, name, days, f", alertPolicies: [{policy}]"))
    assert [moments for pair, moments in fired.items() if pair.severity is Severity.PAGE] == [[], []]


def test_under_a_policy_for_minutes_a_ticket_about_hourly_verdicts_ends_with_every_hour(tmp_path: Path) -> None:
    fired = over(read(tmp_path, "M5", 7, ", alertPolicies: [7d]"))
    (day,) = [moments for pair, moments in fired.items() if pair.short == 2 * HOUR]
    assert [m for m in MOMENTS if m > day[0] and m not in day] == [
        m for m in MOMENTS if m > day[0] and m % HOUR == 3 * MINUTE
    ]


# --- which policy, and what lint says


PACES = {
    **{name: Pace() for name in ("M1", "M2", "M4", "M6", "M7", "M9", "M10", "M11")},
    "M3": Pace(MINUTE, WAIT),
    "M5": Pace(HOUR, HOUR + JUDGED),
    "M8": Pace(HOUR, HOUR + MINUTE),
    "M12": Pace(MINUTE, DAY),
    "M13": Pace(HOUR, HOUR + MINUTE),
    "M14": Pace(DAY, DAY + JUDGED),
    "M15": Pace(DAY, SLICE + WAIT),
}


@pytest.mark.parametrize("name", list(templates()))
def test_how_slow_an_indicator_is_is_what_the_jobs_do(name: str, tmp_path: Path) -> None:
    assert pace_of(read(tmp_path, name, 30).sli) == PACES[name]


def test_a_label_is_as_late_as_its_objective_allows(tmp_path: Path) -> None:
    quick = read(tmp_path, "M12", 30, ", objectives: [{value: 600}]")
    assert (pace_of(quick.sli), quick.policy.name) == (Pace(MINUTE, 10 * MINUTE), "gentle")
    never = read(tmp_path, "M12", 30, ", objectives: [{value: 1e300}]")
    assert pace_of(never.sli).known == 400 * DAY


SLICES = """apiVersion: openslo/v1
kind: SLO
metadata: {name: x, annotations: {sloengine.dev/owner: ml, sloengine.dev/runbook: r}}
spec:
  service: s
  indicator:
    metadata: {name: i}
    spec:
      ratioMetric:
        good: {metricSource: {type: metrics, spec: {metric: a, where: ['ok="1"']}}}
        total: {metricSource: {type: metrics, spec: {metric: a}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Timeslices
  objectives: [{target: 0.99, timeSliceTarget: 0.9, timeSliceWindow: LENGTH}]
"""


def lint(folder: Path, text: str) -> tuple[list[str], list[str]]:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    catalogue, problems = check_catalogue([folder])
    return [s.policy.name for s in catalogue.slos], [str(p).removeprefix(f"{folder}/a.yaml:") for p in problems]


@pytest.mark.parametrize(
    ("length", "policy"),
    [("1m", "sre-workbook"), ("5m", "gentle"), ("15m", "quarter-hourly"), ("30m", "hourly"), ("1h", "hourly"), ("1d", "daily")],
)  # fmt: skip
def test_slices_get_the_quickest_policy_that_holds_several(length: str, policy: str, tmp_path: Path) -> None:
    assert lint(tmp_path, SLICES.replace("LENGTH", length)) == ([policy], [])


def test_slices_that_no_policy_is_slow_enough_for_are_said(tmp_path: Path) -> None:
    names, problems = lint(tmp_path, SLICES.replace("LENGTH", "7d"))
    assert names == ["daily"]
    assert problems == [
        "4: warning: policy 'daily': short window 4d, 5d rarely holds 2 verdicts, so it may never alert: verdicts that come "
        "every 7d and are known 7d1m later need at least 21d1m"
    ]


def test_a_policy_that_is_too_quick_is_named_where_it_is_chosen(tmp_path: Path) -> None:
    text = SLICES.replace("LENGTH", "1h") + "  alertPolicies:\n    - sre-workbook\n"
    names, problems = lint(tmp_path, text)
    assert names == ["sre-workbook"]
    assert [p.partition(", so")[0] for p in problems] == [
        "15: warning: policy 'sre-workbook': short window 5m, 30m, 2h rarely holds 2 verdicts"
    ]


def test_a_composite_is_as_slow_as_its_slowest_part(tmp_path: Path) -> None:
    owned = "{name: x, annotations: {sloengine.dev/owner: o, sloengine.dev/runbook: r}}"
    text = (
        f"apiVersion: openslo/v1\nkind: SLO\nmetadata: {owned}\nspec:\n  service: s\n"
        "  timeWindow: [{duration: 30d, isRolling: true}]\n  budgetingMethod: Occurrences\n  objectives:\n"
        "    - {indicatorRef: M1, compositeWeight: 1}\n    - {indicatorRef: M14, compositeWeight: 1}\n"
    )
    assert lint(tmp_path, text) == (["sre-workbook", "daily", "daily"], [])


@pytest.mark.parametrize("name", [n for n, found in shipped().items() if found.verdicts])
@given(phase=st.integers(0, 1439))
def test_a_short_window_of_the_policy_holds_several_verdicts_at_any_moment(name: str, phase: int) -> None:
    found = shipped()[name]
    slow = {"1d": 2 * DAY, "12h": DAY}.get(format_duration(found.verdicts), found.verdicts + JUDGED)
    history = Verdicts(MINUTE if found.verdicts == 12 * HOUR else found.verdicts, slow, 1, 0)
    now = -10 * DAY + phase * MINUTE
    assert all(history.counts(now - w.short, now).valid >= 2 for w in found.policy.windows)


@given(
    days=st.integers(1, 400),
    target=st.sampled_from([0.9, 0.95, 0.99, 0.999]),
    name=st.sampled_from(list(PACES)),
)
def test_who_names_no_policy_is_never_told_that_it_is_too_quick_if_the_window_has_room(
    days: int, target: float, name: str
) -> None:
    pace = PACES[name]
    policy = chosen(days * DAY, None, target, pace)
    if days >= 7 or pace.least < DAY:
        assert [w for _, w, _ in misfits(policy, target, days * DAY, pace) if "verdicts" in w] == []


def test_a_policy_made_for_slow_verdicts_is_not_taken_by_those_that_come_at_once() -> None:
    slow = {name for name, found in shipped().items() if found.verdicts}
    taken = {chosen(d * DAY, None, t).name.partition(".")[0] for d in range(1, 401) for t in (0.8, 0.9, 0.95, 0.999)}
    assert taken & slow == set()
    assert slow < set(load_policies())


def test_the_demos_catalogue_has_no_complaint_and_what_is_slow_in_it_wakes_nobody() -> None:
    catalogue, problems = check_catalogue([Path(jobs.__file__).parents[1] / "gameday"])
    assert [p for p in problems if "no Inventory" not in p.message] == []  # the demo writes its own
    slow = [slo for slo in catalogue.slos if pace_of(slo.sli) != Pace()]
    assert {slo.indicator for slo in slow} == set(HISTORIES)
    assert {w.severity for slo in slow for w in slo.policy.windows} == {Severity.TICKET}
