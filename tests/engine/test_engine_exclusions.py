"""Exclusions by what buckets are not told apart by: devices, hardware, attributes. On the real engine, before and after."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo, within
from hypothesis import given, settings
from hypothesis import strategies as st
from test_engine_slices import OUTCOME, REQUESTS, sliced, sums
from test_engine_spans import COLUMNS, Span

from sloengine.evaluate.cube import matches
from sloengine.jobs.fold import marks_asked
from sloengine.marked import marks_of
from sloengine.model import Exclusion, Matcher, Node, Selector, Sli, SliceRule, Source, Status
from sloengine.store.client import statement
from sloengine.tools.explain import run_explain

NODES = [Node(name, "gw-1", "eu", SERVICE, BASE) for name in ("node-1", "node-2", "node-3")]
AFTER = BASE + HOUR + 2 * MINUTE


def out(*where: tuple[str, str, str], begin: datetime = BASE, length: timedelta | None = HOUR) -> Exclusion:
    return Exclusion("away", "maintenance", tuple(Matcher(*parts) for parts in where), begin, length)


def _exclude(rig: Rig, *exclusions: Exclusion) -> None:
    rig.deps.catalogue = replace(rig.deps.catalogue, exclusions=exclusions)


def _fleet(rigs: Callable[..., Rig], minutes: int = 60) -> Rig:
    """Three devices that each answer 10 a minute; node-2 fails on all of them, node-3 on one."""
    rig = rigs(nodes=NODES, slos=(slo(by=("region",)),))
    for device, good, bad in (("node-1", 10, 0), ("node-2", 0, 10), ("node-3", 9, 1)):
        extra = (("site", f"dock '{device[-1]}'"),)
        rig.points.traffic(Series(device=device, extra=extra), BASE, minutes, good, bad)
    rig.points.flush()
    return rig


def _one(statuses: list[Status]) -> Status:
    (found,) = statuses
    return found


def _told(status: Status) -> tuple[float, float, float, float]:
    return status.counts.good, status.counts.bad, status.excluded.good, status.excluded.bad


NAMED: list[tuple[tuple[tuple[str, str, str], ...], tuple[float, ...]]] = [
    ((("device", "=", "node-2"),), (1140, 60, 0, 600)),
    ((("device", "=~", "node-2|node-3"),), (600, 0, 540, 660)),
    ((("device", "!=", "node-2"),), (0, 600, 1140, 60)),
    ((("device", "!~", "node-[12]"),), (600, 600, 540, 60)),
    ((("device", "=~", "ode-2"),), (1140, 660, 0, 0)),
    ((("device", "=~", "node.*"), ("device", "!=", "node-1")), (600, 0, 540, 660)),
    ((("site", "=", "dock '2'"),), (1140, 60, 0, 600)),
    ((("region", "=", "eu"), ("device", "=", "node-2")), (1140, 60, 0, 600)),
    ((("region", "!=", "eu"), ("device", "=", "node-2")), (1140, 660, 0, 0)),
    ((("hardware", "=", ""),), (0, 0, 1140, 660)),
    ((("device", "=", "x'); DROP TABLE count_minutes --"),), (1140, 660, 0, 0)),
    ((("device", "=~", r"(?:'|\\|\.)+|{x:String}%s\{"),), (1140, 660, 0, 0)),
]
"""Matchers, and good, bad, excluded good and excluded bad of an hour."""


def test_what_an_exclusion_names_is_taken_out_of_requests_and_shown_as_excluded(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs, 20)
    for n, (where, told) in enumerate(NAMED):
        _exclude(rig, out(*where, length=2 * HOUR))
        found = _told(_one(rig.tick(BASE + (22 + n) * MINUTE)))
        assert [figure * 3 for figure in found] == list(told), where
    devices = rig.store.sql_rows("SELECT groupUniqArray(DeviceId) AS found FROM count_minutes")[0]["found"]
    assert devices == [""], "no bucket is kept for one device"


def test_an_exclusion_of_the_past_is_folded_into_it_and_only_into_its_own_time(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs)
    rig.store.command("SYSTEM STOP MERGES count_minutes")
    assert _told(_one(rig.tick(AFTER))) == (1140, 660, 0, 0)
    written = rig.rows("SELECT max(Revision) AS r FROM count_minutes")[0]["r"]
    _exclude(rig, out(("device", "=", "node-2"), begin=BASE + 30 * MINUTE, length=None))
    assert _told(_one(rig.tick(AFTER + MINUTE))) == (1140, 350, 0, 310)
    again = rig.rows(
        f"SELECT min(Minute) AS m, any(Cause) AS c FROM count_minutes WHERE Revision > {written} AND Items > 0"
    )
    assert again[0]["c"] == "exclusion"
    assert again[0]["m"] >= BASE + 30 * MINUTE - HOUR
    revisions = rig.revisions("count_minutes")
    rig.tick(AFTER + MINUTE)
    assert rig.revisions("count_minutes") == revisions, "a re-run writes nothing"
    _exclude(rig)
    assert _told(_one(rig.tick(AFTER + 2 * MINUTE))) == (1140, 660, 0, 0)


def test_verdicts_of_a_region_are_judged_without_the_device_and_with_it_again(rigs: Callable[..., Rig]) -> None:
    """The whole way: 19 of 20 answers are good without it, 19 of 30 with it."""
    good = sums(REQUESTS, where=(Matcher(OUTCOME, "=", "success"),))
    steady = sliced("steady", SliceRule(5 * MINUTE, (), good, sums(REQUESTS), "gte", 0.9))
    rig = _fleet(rigs)
    rig.deps.catalogue = replace(rig.catalogue, slos=(steady,))

    def told(at: datetime, *exclusions: Exclusion) -> tuple[float, float, float]:
        _exclude(rig, *exclusions)
        for n in range(3):
            status = _one(rig.tick(at + n * MINUTE))
        return status.counts.good, status.counts.bad, status.counts.unknown

    half = out(("device", "=", "node-2"), begin=BASE + 30 * MINUTE, length=None)
    # The last increase lies in the slice after the hour, which ends meanwhile; then all are silent.
    assert told(AFTER) == (0, 12, 0)
    assert told(AFTER + 3 * MINUTE, half) == (7, 6, 0)
    assert told(AFTER + 6 * MINUTE, replace(half, start=BASE)) == (13, 0, 1)
    assert told(AFTER + 9 * MINUTE) == (0, 13, 1)


def test_an_exclusion_that_was_taken_out_and_comes_back_finds_what_came_meanwhile(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=(slo(by=("region",)),))
    away = out(("device", "=", "node-2"), length=None)
    rig.points.traffic(Series(device="node-2"), BASE, 10, 0, 10)
    rig.points.flush()
    _exclude(rig, away)
    assert _told(_one(rig.tick(BASE + 11 * MINUTE))) == (0, 0, 0, 100)
    _exclude(rig)
    rig.tick(BASE + 12 * MINUTE)
    rig.points.count(Series(device="node-2", outcome="failure"), BASE + 20 * MINUTE, 200)
    rig.points.flush()
    rig.tick(BASE + 25 * MINUTE)
    _exclude(rig, away)
    assert _told(_one(rig.tick(BASE + 40 * MINUTE))) == (0, 0, 0, 200)


def test_an_earlier_start_reaches_further_back(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs)
    _exclude(rig, out(("device", "=", "node-2"), begin=BASE + 50 * MINUTE, length=None))
    assert _told(_one(rig.tick(AFTER)))[3] == 110
    _exclude(rig, out(("device", "=", "node-2"), begin=BASE, length=None))
    assert _told(_one(rig.tick(AFTER + MINUTE)))[3] == 600


def test_freshness_and_coverage_leave_an_excluded_node_out(rigs: Callable[..., Rig]) -> None:
    """node-2 is silent. As long as it counts, a third of freshness and of coverage is missing; excluded, nothing is."""
    rig = rigs(nodes=NODES, slos=(slo("fresh", "M4", ("region",)), slo("success", by=("region",))))
    for device in ("node-1", "node-3"):
        rig.points.traffic(Series(device=device), BASE, 60, 10, 0)
    rig.points.flush()
    fresh, success = rig.tick(BASE + HOUR)
    assert (fresh.counts.good, fresh.counts.bad) == (120, 60)
    assert success.coverage == pytest.approx(2 / 3)
    _exclude(rig, out(("device", "=", "node-2"), begin=BASE + 30 * MINUTE, length=None))
    fresh, success = rig.tick(BASE + HOUR)
    assert _told(fresh) == (120, 30, 0, 30)
    assert success.coverage == pytest.approx(120 / 150)
    _exclude(rig, out(("device", "=~", "node-[^13]"), length=None))
    fresh, success = rig.tick(BASE + HOUR)
    assert _told(fresh) == (120, 0, 0, 60)
    assert success.coverage == pytest.approx(1)


def test_values_that_are_cut_know_what_is_excluded(rigs: Callable[..., Rig]) -> None:
    rig = rigs(slos=(slo("fast", by=("region",), sli=within(0.1)),))
    for device, offset in (("node-1", -400), ("node-2", 100)):
        series = Series(device=device, extra=(("cell", device),))
        rig.points.duration(series, BASE, (6, 0, offset, [0]))
        rig.points.duration(series, BASE + MINUTE, (6, 0, offset, [100]))
    rig.points.flush()
    assert _told(_one(rig.tick(BASE + 3 * MINUTE))) == (100, 100, 0, 0)
    _exclude(rig, out(("device", "=", "node-2")))
    assert _told(_one(rig.tick(BASE + 4 * MINUTE))) == (100, 0, 0, 100)
    _exclude(rig, out(("device", "=", "node-2")), out(("cell", "=~", "NODE-.|node-1")))
    assert _told(_one(rig.tick(BASE + 5 * MINUTE))) == (0, 0, 100, 100)


@pytest.mark.parametrize("request_name", ["", "request.id"])
def test_spans_know_what_is_excluded(rigs: Callable[..., Rig], request_name: str) -> None:
    every = Selector(Source.SPAN, "infer", (), request_name)
    good = replace(every, where=(Matcher("outcome", "=", "ok"),))
    rig = rigs(slos=(slo("spans", by=("region",), sli=Sli(good=(good,), total=(every,))),))
    rows = []
    for n, (device, outcome) in enumerate(
        [("node-1", "ok"), ("node-2", "error"), ("node-2", "ok"), ("node-3", "error")]
    ):
        row = Span(f"r{n}", BASE, 0.1, outcome, "0", "gw-1", f"{n:x}", BASE).row()
        row[0] |= {"device.id": device}
        rows.append(row)
    rig.store.insert("otel_traces", COLUMNS, rows)
    assert _told(_one(rig.tick(BASE + 2 * MINUTE))) == (2, 2, 0, 0)
    _exclude(rig, out(("device", "=~", "node-[23]"), ("outcome", "=", "error")))
    assert _told(_one(rig.tick(BASE + 3 * MINUTE))) == (2, 0, 0, 2)


WORDS = st.text("ab-'\\.|%{} \né", max_size=6)
PATTERNS = st.sampled_from(
    ["", "a", "a|b", "a.*", ".", "a.b", "[ab]+", "(a|b)-?", r"\w*", "a\nb", "(?i)A", "é?", "^a$", "a$"]
)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(WORDS, min_size=1, max_size=8),
    texts=st.lists(WORDS, min_size=1, max_size=3),
    patterns=st.lists(PATTERNS, min_size=1, max_size=3),
)
def test_the_store_and_the_engine_agree_on_every_matcher(
    module_rig: Rig, values: list[str], texts: list[str], patterns: list[str]
) -> None:
    written = [Matcher("device", op, text) for text in texts for op in ("=", "!=")]
    written += [
        Matcher("device", op, re.escape(t) if p == "" else p) for t in texts for p in patterns for op in ("=~", "!~")
    ]
    exclusions = [Exclusion(f"e{n}", "", (matcher,), BASE, None) for n, matcher in enumerate(written)]
    marks = marks_asked(marks_of(exclusions))
    body = re.sub(r"--.*", "", statement("asked_value"))
    rows = module_rig.store.sql_rows(
        "WITH {names:Array(String)} AS names, CAST(map(), 'Map(String, String)') AS none SELECT p.DeviceId AS device,"
        f" arrayFilter((n, hit) -> hit = '1', names, arrayMap(a -> {body}, names)) AS hit"
        " FROM (SELECT arrayJoin({values:Array(String)}) AS DeviceId, none AS Own, none AS ResourceAttributes) AS p",
        {"names": [name for name, _ in marks], "values": values, "marks": marks},
    )
    for row in rows:
        wanted = {m.name for e in exclusions for m in marks_of([e]) if matches(e.where[0], row["device"])}
        assert set(row["hit"]) == wanted


def test_explain_counts_an_excluded_bucket_again_and_covers_what_is_left(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs, 20)
    _exclude(rig, out(("device", "=~", "node-2|x'y"), begin=BASE + 5 * MINUTE, length=None))
    status = _one(rig.tick(BASE + 22 * MINUTE))
    found = run_explain(rig.deps, "success", BASE + 22 * MINUTE).found
    assert found["window"]["excluded_bad"] == status.excluded.bad == 160
    coverage = rig.store.sql_rows(found["coverage"]["sql"])[0]
    assert (coverage["covered_s"], coverage["coverage"]) == pytest.approx((status.counts.covered_s, status.coverage))
    raw = found["raw"]
    stored = {r["Minute"]: r for r in rig.rows(raw["bucket_sql"])}[raw["bucket"]["Minute"]]
    (again,) = rig.store.sql_rows(raw["recount_sql"])
    assert again["Events"] == stored["Events"] > 0
