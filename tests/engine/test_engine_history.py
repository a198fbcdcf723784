"""A changed catalogue on a running engine: verdicts don't wait until history has been counted anew."""

from dataclasses import replace
from datetime import datetime, timedelta
from importlib import import_module

from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, Series, slo

from sloengine import jobs
from sloengine.errors import StoreError
from sloengine.jobs.history import LEFT
from sloengine.jobs.marks import read_marks
from sloengine.model import Matcher, Node, Selector, Sli, Slo, Source

DAYS = 28
END = BASE
BEGIN = END - timedelta(days=DAYS)


def _by_site() -> Slo:
    """Requests told apart by an attribute that nobody asked for before."""
    requests = Selector(Source.SUM, "edge.inference.requests")
    bad = Selector(Source.SUM, "edge.inference.requests", (Matcher("edge.inference.outcome", "=", "failure"),))
    return replace(slo("by-site", sli=Sli(bad=(bad,), total=(requests,))), by=("edge.site",))


def _past(rig: Rig) -> None:
    """Four weeks of one device behind each of two sites, a point every 10 minutes."""
    for number, site in enumerate(("north", "south")):
        device = Series(device=f"node-{number}", extra=(("edge.site", site),), start=BEGIN)
        rig.points.traffic(device, BEGIN, DAYS * 24 * 60 - 10, 10, 1 + number, every=10 * MINUTE)
    rig.points.flush()


class _Slow:
    """A clock by which each look takes longer than a tick may: one batch of history a tick."""

    def __init__(self) -> None:
        self.now = END

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=3)
        return self.now


def _asked_anew(rig: Rig) -> jobs.Deps:
    rig.catalogue = replace(rig.catalogue, slos=(*rig.catalogue.slos, _by_site()))
    deps = rig.engine("engine-2")
    deps.clock = _Slow()
    return deps


def _counted(deps: jobs.Deps) -> dict[str, tuple[float, float]]:
    found = [s for s in deps.snapshot.statuses if s.slo.name == "by-site" and s.counts.valid]
    return {dict(s.group)["edge.site"]: (s.counts.good, s.counts.bad) for s in found}


def test_verdicts_go_on_while_history_is_counted_anew_newest_first(rig: Rig) -> None:
    _past(rig)
    before = rig.tick(END)
    deps = _asked_anew(rig)
    seen: list[float] = []
    for number in range(1, 40):
        snapshot = jobs.tick(deps, END + number * MINUTE)
        assert snapshot.problems == ()
        old = [s for s in snapshot.statuses if s.slo.name == "success"]
        assert [s.counts for s in old] == [
            replace(s.counts, covered_s=o.counts.covered_s) for s, o in zip(before, old, strict=True)
        ]
        seen.append(sum(bad for site, (_, bad) in _counted(deps).items() if site))
        if number == 1:
            assert "counted anew for a changed catalogue" in snapshot.notes[0]
            oldest = deps.store.sql_rows(
                "SELECT min(Minute) AS first FROM count_minutes FINAL WHERE Attributes LIKE '%site%' AND Items > 0"
            )[0]["first"]
            assert oldest >= (END - timedelta(days=8)).replace(tzinfo=None), "the newest week comes first"
        if not snapshot.notes:
            break
    assert len(seen) > 2, "one tick must not take it all"
    assert seen == sorted(seen)
    assert seen[0] < seen[-1]
    steps = DAYS * 24 * 60 - 10
    assert _counted(deps) == {"north": (10.0 * steps, 1.0 * steps), "south": (10.0 * steps, 2.0 * steps)}


def test_an_engine_that_restarts_in_the_middle_goes_on_and_pays_once(rig: Rig) -> None:
    _past(rig)
    rig.tick(END)
    deps = _asked_anew(rig)
    jobs.tick(deps, END + MINUTE)
    left = read_marks(deps, LEFT)
    again = rig.engine("engine-3")
    again.clock = _Slow()
    jobs.tick(again, END + 2 * MINUTE)
    assert max(read_marks(again, LEFT).values()) < max(left.values()), "what was paid stays paid"
    for number in range(3, 40):
        if not jobs.tick(again, END + number * MINUTE).notes:
            break
    rows = rig.revisions("count_minutes")
    steps = DAYS * 24 * 60 - 10
    assert _counted(again) == {"north": (10.0 * steps, 1.0 * steps), "south": (10.0 * steps, 2.0 * steps)}
    jobs.roll_up(again, END + HOUR)
    assert rig.revisions("count_minutes") == rows, "nothing is left to be written"


def test_a_tick_that_fails_after_folding_pays_nothing(rig: Rig, monkeypatch) -> None:
    _past(rig)
    rig.tick(END)
    deps = _asked_anew(rig)

    def broken(*_: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(import_module("sloengine.jobs.roll_up"), "fold_hours", broken)
        assert jobs.tick(deps, END + MINUTE).problems
    for number in range(2, 60):
        if not jobs.tick(deps, END + number * MINUTE).notes and number > 3:
            break
    steps = DAYS * 24 * 60 - 10
    assert _counted(deps) == {"north": (10.0 * steps, 1.0 * steps), "south": (10.0 * steps, 2.0 * steps)}


def test_a_catalogue_that_comes_back_owes_what_was_folded_without_it(rig: Rig) -> None:
    """A, then B without A's attribute, then A again: B has folded A's buckets over."""
    _past(rig)
    plain = rig.catalogue
    rig.catalogue = replace(plain, slos=(*plain.slos, _by_site()))
    first = rig.engine("first")
    assert jobs.tick(first, END).problems == ()
    whole = _counted(first)
    assert set(whole) == {"north", "south"}
    rig.catalogue = plain
    without = rig.engine("without")
    for number in range(1, 30):
        if not jobs.tick(without, END + number * MINUTE).notes and number > 1:
            break
    back = _asked_anew(rig)
    for number in range(30, 60):
        if not jobs.tick(back, END + number * MINUTE).notes and number > 31:
            break
    assert _counted(back) == whole


def test_alerts_never_look_at_time_that_is_half_counted_anew(rig: Rig) -> None:
    """What a changed cut or a new slice makes of old buckets must not burn: the alert windows are paid before the verdict."""
    _past(rig)
    rig.tick(END)
    deps = _asked_anew(rig)
    jobs.tick(deps, END + MINUTE)
    longest = max(pair.long for pair in _by_site().policy.windows)
    rows = deps.store.sql_rows(
        "SELECT count() AS n FROM count_minutes FINAL WHERE Measure = 'edge.inference.requests' AND Items > 0"
        f" AND Attributes NOT LIKE '%site%' AND Minute >= toDateTime('{END - longest:%Y-%m-%d %H:%M:%S}', 'UTC')"
    )
    assert rows == [{"n": 0}]
    assert deps.history, "and the rest of the month goes on being owed"


def test_a_past_that_cannot_be_counted_is_said_and_stops_no_verdict(rig: Rig, monkeypatch) -> None:
    _past(rig)
    rig.tick(END)
    deps = _asked_anew(rig)

    def broken(*_: object) -> None:
        raise StoreError("memory limit exceeded")

    with monkeypatch.context() as patched:
        patched.setattr(import_module("sloengine.jobs.history"), "recompute", broken)
        snapshot = jobs.tick(deps, END + MINUTE)
    assert snapshot.problems == ()
    assert "memory limit exceeded" in snapshot.notes[0]
    assert any(s.slo.name == "success" and s.counts.valid for s in snapshot.statuses)


def test_freshness_is_judged_again_when_nodes_are_told_apart(rigs) -> None:
    nodes = [Node(f"node-{n}", "gw-1", "eu", SERVICE, END - HOUR) for n in (1, 2)]
    rig = rigs(slos=(slo("heard", "M4", by=("region",)),), nodes=nodes)
    for n in (1, 2):
        rig.points.traffic(Series(device=f"node-{n}", start=END - HOUR), END - HOUR, 60, 10, 0)
    rig.points.flush()
    rig.tick(END)
    rig.catalogue = replace(rig.catalogue, slos=(slo("heard", "M4", by=("device",)),))
    deps = rig.engine("engine-2")
    snapshot = jobs.tick(deps, END + MINUTE)
    found = {dict(s.group)["device"]: s.counts.valid for s in snapshot.statuses if s.counts.valid}
    assert set(found) == {"node-1", "node-2"}
    assert min(found.values()) >= 55
