"""What stands behind an SLO's budget, for a console that many look at: worked out once, one at a time, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig
from spent_histories import EU, NODES, PROMISE, SLOS, bad_rollout

from sloengine.config.settings import StoreSection
from sloengine.evaluate.evidence import Cause
from sloengine.gameday.pager import Pager
from sloengine.jobs import Deps
from sloengine.jobs.account import FRESH, KeptAccounts
from sloengine.model import Exclusion
from sloengine.store.client import Store

BEGIN = BASE + 11 * MINUTE


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
