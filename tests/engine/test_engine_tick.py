"""What a tick makes of silence, lying clocks, backfill, a store that goes away, and rows that should not exist."""

from __future__ import annotations

import math
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from engine_rig import BASE, DELTA, HOUR, MINUTE, SERVICE, SHARED_COLUMNS, Rig, Series, slo

from sloengine import jobs
from sloengine.model import Broken, Node, State
from sloengine.state.database import set_watermark, transaction
from sloengine.tools.query import run_query

HOSTILE = "'); DROP TABLE count_minutes; --\"`\\{x:String}%s\n\x00\u202e💥" + "x" * 300


def _freshness(rig: Rig, gateway: str) -> dict[datetime, tuple[int, int]]:
    return {key[6]: value[:2] for key, value in rig.counts("nodes.heard").items() if key[4] == gateway}


def _fleet(rigs: Callable[..., Rig], *names: str) -> Rig:
    """A rig whose inventory holds one node behind a gateway of the same name each, since BASE."""
    nodes = [Node(name, f"gw-{name}", "eu", SERVICE, BASE) for name in names]
    return rigs(slos=[slo("freshness", "M4", ("gateway",), 0.99), slo()], nodes=nodes)


def _beat(rig: Rig, name: str, begin: datetime, minutes: int, clock_off: timedelta = timedelta(0)) -> None:
    series = Series(name, f"gw-{name}", start=BASE - HOUR)
    for minute in range(minutes):
        heard = begin + minute * MINUTE + timedelta(seconds=30)
        rig.points.count(series, heard + clock_off, 10 * minute, ingested=heard, gateway_time=heard)
    rig.points.flush()


def test_a_node_that_sends_nothing_counts_as_bad(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs, "alive", "silent")
    _beat(rig, "alive", BASE, 30)
    statuses = {s.group: s for s in rig.tick(BASE + 30 * MINUTE) if s.slo.name == "freshness"}
    assert set(_freshness(rig, "gw-alive").values()) == {(1, 0)}
    assert set(_freshness(rig, "gw-silent").values()) == {(0, 1)}
    assert len(_freshness(rig, "gw-silent")) == 30
    assert statuses[(("gateway", "gw-alive"),)].state is State.OK
    assert statuses[(("gateway", "gw-silent"),)].state is State.BURNING
    assert [p["labels"]["gateway"] for p in rig.pager.pages()] == ["gw-silent"]


def test_a_node_is_fresh_for_five_minutes_and_not_longer(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs, "n")
    _beat(rig, "n", BASE, 10)
    rig.tick(BASE + 30 * MINUTE)
    slices = _freshness(rig, "gw-n")
    # Heard last in minute 9: good in it and in the four minutes after it.
    assert [minute for minute, value in sorted(slices.items()) if value == (1, 0)] == [
        BASE + m * MINUTE for m in range(14)
    ]


@pytest.mark.parametrize("off", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_clock_that_is_an_hour_off_neither_fakes_freshness_nor_loses_it(
    rigs: Callable[..., Rig], off: timedelta
) -> None:
    rig = _fleet(rigs, "liar")
    _beat(rig, "liar", BASE, 20, clock_off=off)
    rig.tick(BASE + 40 * MINUTE)
    slices = sorted(_freshness(rig, "gw-liar").items())
    assert [value for _, value in slices] == [(1, 0)] * 24 + [(0, 1)] * 16
    [node] = rig.deps.snapshot.nodes
    assert node.clock_lag_s == pytest.approx(-off.total_seconds())


def test_what_a_gateway_held_back_repairs_freshness_and_counts(rigs: Callable[..., Rig]) -> None:
    rig = _fleet(rigs, "cut")
    rig.tick(BASE + 30 * MINUTE)
    assert set(_freshness(rig, "gw-cut").values()) == {(0, 1)}
    series = Series("cut", "gw-cut", start=BASE - MINUTE)
    for minute in range(30):
        at = BASE + minute * MINUTE + timedelta(seconds=30)
        rig.points.count(series, at, 10 * minute, ingested=BASE + 31 * MINUTE, gateway_time=at)
    rig.points.flush()
    rig.tick(BASE + 32 * MINUTE)
    assert set(_freshness(rig, "gw-cut").values()) == {(1, 0)}
    assert sum(good for good, _, _ in rig.counts().values()) == 290


def test_no_requests_and_no_telemetry_are_different_answers(rigs: Callable[..., Rig]) -> None:
    rig = rigs(
        slos=[slo(by=("model",)), slo("never", by=("region",), service="other")],
        nodes=[Node("o", "g", "eu", "other", BASE)],
    )
    rig.points.traffic(Series(model="idle"), BASE, 30, 0, 0)
    rig.points.traffic(Series(model="gone"), BASE, 10, 10, 0)
    rig.points.flush()
    found = {dict(s.group).get("model", s.slo.name): s.state for s in rig.tick(BASE + 31 * MINUTE)}
    assert found == {"idle": State.NO_TRAFFIC, "gone": State.STALE, "never": State.STALE}
    assert rig.pager.received == []


def test_a_firing_alert_is_held_while_nothing_is_heard(rig: Rig) -> None:
    rig.points.traffic(Series(), BASE, 60, 90, 10)
    rig.points.flush()
    rig.tick(BASE + 61 * MINUTE)
    assert len(rig.pager.pages()) == 1
    for minute in (66, 70, 90, 200):
        [status] = rig.tick(BASE + minute * MINUTE)
        assert status.state in (State.STALE, State.BURNING)
    assert {r["status"] for r in rig.pager.received} == {"firing"}


def test_an_alert_of_what_the_catalogue_no_longer_has_ends(rig: Rig) -> None:
    rig.points.traffic(Series(), BASE, 60, 90, 10)
    rig.points.flush()
    rig.tick(BASE + 61 * MINUTE)
    whole = rig.deps.catalogue
    rig.deps.catalogue = replace(
        whole, slos=(slo("another", target=0.5),), broken=(Broken("success", "f:1", "not valid"),)
    )
    jobs.tick(rig.deps, BASE + 62 * MINUTE)
    rig.clock.now = BASE + 62 * MINUTE
    jobs.deliver(rig.deps)
    assert [r["status"] for r in rig.pager.received] == ["firing"], "while it can't be read it may still be there"
    rig.deps.catalogue = replace(whole, slos=(slo("another", target=0.5),))
    rig.tick(BASE + 63 * MINUTE)
    assert [(r["status"], r["labels"]["slo"]) for r in rig.pager.received] == [
        ("firing", "success"),
        ("resolved", "success"),
    ]


def test_a_store_that_goes_away_during_a_tick_is_a_problem_and_loses_nothing(
    rigs: Callable[..., Rig], own_store: Callable[..., tuple[subprocess.Popen[str], str]]
) -> None:
    process, url = own_store(0)
    port = int(url.rsplit(":", 1)[1])
    rig = rigs(url)
    rig.points.traffic(Series(), BASE, 60, 90, 10)
    rig.points.traffic(Series(model="fine", device="node-2"), BASE, 60, 100, 0)
    rig.points.flush()
    rig.tick(BASE + 61 * MINUTE)
    assert len(rig.pager.pages()) == 1
    before = rig.counts()
    late = Series(model="late", device="node-3", start=BASE - MINUTE)
    rig.points.count(late, BASE + 30 * MINUTE, 77, ingested=BASE + 61 * MINUTE)
    rig.points.flush()
    # It dies when the late minute is folded and its hour is not.
    whole = rig.deps.store.run

    def run(name: str, **parameters: object) -> int:
        if name == "fold_hours" and process.poll() is None:
            process.kill()
            process.wait(30)
        return whole(name, **parameters)

    rig.deps.store.run = run  # type: ignore[method-assign]
    for seconds in (10, 20, 600):
        rig.clock.now = BASE + 61 * MINUTE + timedelta(seconds=seconds)
        snapshot = jobs.tick(rig.deps, rig.clock.now)
        jobs.deliver(rig.deps)
        assert snapshot.problems and "StoreUnavailable" in snapshot.problems[0]
    assert len(rig.pager.received) == 1
    own_store(port)
    rig.tick(BASE + 72 * MINUTE)
    assert {k: v for k, v in rig.counts().items() if k[1] != "late"} == before
    assert [v for k, v in rig.counts().items() if k[1] == "late"] == [(77, 0, 0)]
    assert len(rig.pager.received) == 1


def test_rows_that_should_not_exist_hurt_no_other_slice(rig: Rig) -> None:
    bad = Series("bad", "gw-bad", model="bad", start=BASE - MINUTE)
    at, came = BASE + 10 * MINUTE, BASE + 60 * MINUTE
    for number, value in enumerate((math.nan, math.inf, -math.inf, -5.0, 1e300)):
        for temporality in (DELTA, 2):
            broken = Series(
                f"bad{number}{temporality}", "gw-bad", model=f"bad{number}", start=bad.start, temporality=temporality
            )
            rig.points.count(broken, at, value, ingested=came)
    for year in (1970, 2100, 2200):
        for start in (datetime(1970, 1, 1, tzinfo=UTC), datetime(year, 1, 1, tzinfo=UTC)):
            strange = Series(f"y{year}{start.year}", "gw-bad", model="strange", start=start)
            moment = datetime(year, 1, 1, 0, 0, 7, tzinfo=UTC)
            rig.points.count(strange, moment, 5, ingested=came)
            rig.points.duration(strange, moment, (6, 0, -300, [5]), ingested=came)
    rig.points.count(Series("", "", "", "", "", "", SERVICE, "", BASE - MINUTE), at, 3, ingested=came)
    hostile = Series(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, SERVICE, extra=((HOSTILE, HOSTILE),))
    rig.points.traffic(hostile, BASE, 60, 50, 50)
    shapes = ((127, 0, 1), (-128, 0, 1), (6, 2**31 - 1, 1), (6, -(2**31), 1), (6, 0, 2**64 - 1))
    for scale, offset, count in shapes:
        broken = Series(f"h{scale}{offset}", "gw-bad", start=BASE - MINUTE)
        rig.points.duration(broken, at, (scale, 0, offset, [count]), ingested=came)
    rig.points.traffic(Series(), BASE, 60, 100, 0)
    rig.points.flush()
    statuses = {dict(s.group)["model"]: s for s in rig.tick(BASE + 61 * MINUTE)}
    assert statuses["m"].counts.good == 6000
    assert statuses["m"].state is State.OK
    assert statuses[HOSTILE].counts.bad == 3000
    [page] = rig.pager.pages()
    assert page["labels"]["model"] == HOSTILE
    assert page["labels"]["region"] == HOSTILE
    # A point that says nothing usable is not a count of anything.
    assert {k: v for k, v in rig.counts().items() if k[1].startswith("bad") and v != (0, 0, 0)} == {}
    assert "strange" not in statuses
    for table in ("count_minutes", "histogram_minutes"):
        ahead = f"SELECT count() AS n FROM {table} WHERE Minute > now() + toIntervalDay(2)"
        assert rig.store.sql_rows(ahead) == [{"n": 0}], table
    rig.tick(BASE + 62 * MINUTE)
    assert len(rig.pager.received) == 1


def test_a_tick_after_a_long_sleep_catches_up_without_a_second_page(rig: Rig) -> None:
    rig.points.traffic(Series(), BASE, 60, 90, 10)
    rig.points.flush()
    rig.tick(BASE + 61 * MINUTE)
    with transaction(rig.deps.state) as connection:
        set_watermark(connection, "ingest", BASE - HOUR)
    rig.tick(BASE + 61 * MINUTE + timedelta(seconds=10))
    assert len(rig.pager.received) == 1


def test_what_no_bucket_can_hold_is_counted_once_by_reason(rig: Rig) -> None:
    series, received = Series("n", "gw", start=BASE - HOUR), BASE + timedelta(seconds=2)
    rig.points.count(series, BASE, 10)
    rig.points.count(series, BASE + timedelta(seconds=1), math.nan, ingested=received)
    rig.points.count(series, BASE + timedelta(days=3), 10, ingested=received)
    rig.points.flush()
    for seconds in (10, 20, 30):
        rig.tick(BASE + timedelta(seconds=seconds))
    counted = rig.deps.left_out.render()
    assert 'reason="impossible value"} 1\n' in counted
    assert 'reason="in the future"} 1\n' in counted


def test_what_comes_in_later_than_raw_rows_are_kept_is_counted_and_can_be_looked_at(rig: Rig) -> None:
    """Raw rows live for 40 days from their own time: these were gone before anybody could count them."""
    came, old = BASE + timedelta(seconds=2), BASE - timedelta(days=50)
    rig.points.count(Series("n", "gw"), old, 10, ingested=came)
    rig.points.duration(Series("n", "gw"), old, (6, 0, 0, [1]), ingested=came)
    rig.points.flush()
    rig.store.insert("otel_logs", ["Timestamp", "EventName", "IngestTime"], [[old, "edge.model.load_failed", came]])
    for seconds in (10, 20):
        rig.tick(BASE + timedelta(seconds=seconds))
    assert 'signal="metrics",reason="too late"} 2\n' in rig.deps.left_out.render()
    rig.store.command("OPTIMIZE TABLE otel_metrics_sum FINAL")
    late = run_query(rig.store, "too_late").found["rows"]
    assert [(r["signal"], r["name"], r["gateway"], r["items"]) for r in late] == [
        ("logs", "edge.model.load_failed", "", 1),
        ("metrics", "edge.inference.duration", "gw", 1),
        ("metrics", "edge.inference.requests", "gw", 1),
    ]
    assert rig.counts() == {}


def test_a_store_that_was_away_makes_no_node_silent(
    rigs: Callable[..., Rig], own_store: Callable[..., tuple[subprocess.Popen[str], str]]
) -> None:
    process, url = own_store(0)
    nodes = [Node("n", "gw-n", "eu", SERVICE, BASE)]
    rig = rigs(url=url, slos=[slo("freshness", "M4", ("gateway",), 0.99)], nodes=nodes)
    _beat(rig, "n", BASE, 30)
    rig.tick(BASE + 30 * MINUTE)
    process.kill()
    process.wait()
    back = BASE + 45 * MINUTE
    rig.clock.now = back
    assert jobs.tick(rig.deps, back).problems
    own_store(int(url.rstrip("/").rsplit(":", 1)[1]))
    # The store is back before the gateway has delivered what it heard meanwhile.
    rig.tick(back + timedelta(seconds=10))
    assert rig.pager.pages() == []
    series = Series("n", "gw-n", start=BASE - HOUR)
    for minute in range(30, 47):
        heard = BASE + minute * MINUTE + timedelta(seconds=30)
        rig.points.count(series, heard, 10 * minute, ingested=back + MINUTE, gateway_time=heard)
    rig.points.flush()
    rig.tick(back + 4 * MINUTE)
    assert rig.pager.pages() == []
    assert set(_freshness(rig, "gw-n").values()) == {(1, 0)}


def test_a_bug_in_a_tick_is_shown_and_the_next_tick_works(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def buggy(*_: object) -> None:
        raise KeyError("a bug of ours")

    with monkeypatch.context() as broken:
        broken.setattr(import_module("sloengine.jobs.tick"), "evaluate", buggy)
        assert jobs.tick(rig.deps, BASE).problems == ("KeyError: 'a bug of ours'",)
    assert rig.tick(BASE + MINUTE) == []


def test_histograms_that_no_bucket_can_hold_are_counted_by_reason(rig: Rig) -> None:
    series = Series("n", "gw", start=BASE - HOUR)
    rig.points.duration(series, BASE, (3, 0, 0, [5]))
    # Values beyond 2^60, on either side.
    rig.points.duration(series, BASE + timedelta(seconds=1), (0, 0, 61, [5]))
    rig.points.flush()
    sound = series.row("edge.inference.duration", "s", BASE, None, None)
    explicit = [*SHARED_COLUMNS, "Count", "ExplicitBounds", "BucketCounts"]
    rows = [
        [*sound, 5, [0.1, 0.2], [1, 2, 2]],
        [*sound, 5, [0.1, 0.2], [1, 4]],
        [*sound, 5, [0.2, 0.1], [1, 2, 2]],
        [*sound, 5, [], []],
    ]
    rig.store.insert("otel_metrics_histogram", explicit, rows)
    rig.tick(BASE + timedelta(seconds=10))
    counted = rig.deps.left_out.render()
    assert 'reason="impossible value"} 3\n' in counted
    assert 'reason="no buckets"} 1\n' in counted
