"""What stands behind an SLO's budget, for a console that many look at: worked out once, one at a time, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig
from spent_histories import EU, NODES, PROMISE, SLOS, bad_rollout

from sloengine.config.settings import StoreSection
from sloengine.evaluate.evidence import Cause
from sloengine.gameday.pager import Pager
from sloengine.jobs import Deps
from sloengine.jobs.account import FRESH, KeptAccounts
from sloengine.jobs.quantiles import quantiles
from sloengine.model import Exclusion, Matcher, Selector, Sli, Source
from sloengine.store.client import Store

BEGIN = BASE + 11 * MINUTE
SPAN_COLUMNS = ["ResourceAttributes", "ServiceName", "SpanName", "SpanAttributes", "TraceId", "SpanId", "TraceState"]
SPAN_COLUMNS += ["Timestamp", "Duration", "StatusCode", "IngestTime"]


@pytest.fixture(scope="module")
def told(store_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    pager = Pager()
    rig = bad_rollout(Rig(store_url, "accounts", tmp_path_factory.mktemp("rig"), pager, slos=SLOS, nodes=NODES))
    rig.tick(BEGIN)
    yield rig
    rig.close()
    pager.close()


@pytest.fixture
def engine(told: Rig) -> Deps:
    """An engine that a test may change, on a store that it only reads."""
    return replace(told.deps)


def test_how_far_values_are_from_their_limit_comes_from_raw_rows(rigs: Callable[..., Rig]) -> None:
    limit = (Matcher("value", "<=", "0.5"),)
    kinds = ((Source.SPAN, "infer"), (Source.GAUGE, "heat"))
    slos = [
        replace(PROMISE, name=name, sli=Sli(good=(Selector(kind, name, limit),), total=(Selector(kind, name),)))
        for kind, name in kinds
    ]
    rig, lately = rigs(slos=slos), datetime.now(UTC) - 10 * MINUTE
    spans = [
        [{}, PROMISE.service, "infer", {"edge.model.name": "m"}, f"{n:032x}", f"{n:016x}", "ot=th:8", lately, n * 10**7]
        for n in range(1, 101)
    ]
    spans = [[*span, "Unset", lately] for span in spans]
    rig.store.insert("otel_traces", SPAN_COLUMNS, spans)
    columns = ["ResourceAttributes", "ServiceName", "MetricName", "TimeUnix", "Value", "IngestTime"]
    rig.store.insert(
        "otel_metrics_gauge",
        columns,
        [[{"device.id": "d1"}, PROMISE.service, "heat", lately + n * MINUTE, n / 10, lately] for n in range(10)],
    )
    spans_found, unknown = quantiles(rig.deps, slos[0])
    (of_spans,) = spans_found
    assert unknown == ""
    assert (of_spans.who, of_spans.sampled) == ((("service", PROMISE.service), ("model", "m"), ("version", "")), True)
    assert [p.value for p in of_spans.points] == pytest.approx([0.5, 0.95, 0.99], rel=0.01)
    ((of_node,), _) = quantiles(rig.deps, slos[1])
    assert dict(of_node.who)["device"] == "d1"
    assert (of_node.points[-1].value, of_node.above) == (0.9, pytest.approx(4 / 9))


def test_what_takes_too_long_is_said_and_leaves_the_account_as_it_is(
    engine: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sloengine.jobs.account.quantiles", lambda *_: ((), "too much"))
    found = KeptAccounts(engine).of("success")
    assert found.problem == ""
    assert found.accounts is not None and found.accounts.unknown_quantiles == "too much"
    assert found.accounts.of(EU).attribution is not None
    _away(engine)
    slo = replace(PROMISE, sli=Sli(good=(Selector(Source.SPAN, "infer", (Matcher("value", "<=", "1"),)),)))
    assert "did not answer" in quantiles(engine, slo)[1]


def _away(engine: Deps) -> None:
    engine.store = Store(StoreSection(url="http://127.0.0.1:9", database="nowhere"))


def test_what_stands_behind_each_slice_is_there(engine: Deps) -> None:
    found = KeptAccounts(engine).of("success")
    assert found.problem == ""
    assert found.accounts is not None and found.accounts.at == BEGIN
    account = found.accounts.of(EU)
    assert account.attribution is not None
    assert {p.cause for p in account.attribution.parts} == {Cause.ROLLOUT, Cause.UNEXPLAINED}
    assert account.known is None and account.restated == (), "counted for the first time is not counted anew"


def test_it_is_worked_out_anew_only_for_a_newer_tick_and_not_within_a_minute(engine: Deps) -> None:
    kept = KeptAccounts(engine)
    first = kept.of("success")
    assert kept.of("success") is first
    engine.snapshot = replace(engine.snapshot, at=BEGIN + FRESH / 2)
    assert kept.of("success") is first
    engine.snapshot = replace(engine.snapshot, at=BEGIN + FRESH)
    again = kept.of("success")
    assert again is not first and again.accounts is not None and again.accounts.at == BEGIN + FRESH


def test_a_store_that_is_away_is_said_with_the_older_account_and_not_asked_again_at_once(engine: Deps) -> None:
    kept = KeptAccounts(engine)
    first = kept.of("success")
    _away(engine)
    engine.snapshot = replace(engine.snapshot, at=BEGIN + FRESH)
    away = kept.of("success")
    assert "did not answer" in away.problem
    assert away.accounts is first.accounts
    assert kept.of("success") is away
    assert "did not answer" in KeptAccounts(engine).of("success").problem


def test_whatever_goes_wrong_is_told_in_words(engine: Deps) -> None:
    wrong = Exclusion("odd", "its rule is no rule", (), BASE - HOUR, HOUR, rrule="FREQ=NEVER")
    engine.catalogue = replace(engine.catalogue, exclusions=(wrong,))
    found = KeptAccounts(engine).of("success")
    assert found.accounts is None
    assert found.problem.startswith("ValueError: ")


def test_one_is_worked_out_at_a_time_and_nobody_waits_for_long(engine: Deps) -> None:
    kept = KeptAccounts(engine, patience_s=0.05)
    first = kept.of("success")
    engine.snapshot = replace(engine.snapshot, at=BEGIN + FRESH)
    with kept._turn:
        began = time.monotonic()
        assert kept.of("success") is first, "the older one, at once"
        assert time.monotonic() - began < 0.04
        assert "busy" in kept.of("freshness").problem
    assert kept.of("freshness").problem == ""


def test_many_who_ask_at_once_get_the_same(engine: Deps) -> None:
    kept = KeptAccounts(engine, patience_s=30)
    found = []
    threads = [threading.Thread(target=lambda: found.append(kept.of("success"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(one) for one in found}) == 1


def test_names_that_nobody_judges_ask_the_store_nothing(engine: Deps) -> None:
    _away(engine)
    assert KeptAccounts(engine).of("nothing").problem == "no slice of it is judged"
    engine.snapshot = replace(engine.snapshot, at=None)
    assert KeptAccounts(engine).of(PROMISE.name).problem == "nothing is judged yet"
