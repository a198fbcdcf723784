"""Backfill: what it counts is what an engine that knew the catalogue from the beginning has; nothing twice, nothing beside."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, Rig, Series, slo
from test_tools_explain import SPAN_COLUMNS, _span, _spans

from sloengine import jobs
from sloengine.model import Slo
from sloengine.tools.backfill import run_backfill

END = BASE + 6 * HOUR
OLD = (slo(), slo("traced", by=(), sli=_spans()))
NEW = (
    slo(by=("model", "site")),
    slo("traced", by=("device",), sli=_spans(), target=0.9),
    slo("fast", "M2", target=0.9),
)
COLUMNS = "Measure, Region, GatewayId, DeviceId, Attributes"
TABLES = {"count_minutes": "Minute", "count_hours": "Hour"}


def _fill(rig: Rig, seed: int) -> None:
    dice = random.Random(seed)
    for n in range(4):
        series = Series(device=f"n{n}", gateway=f"gw-{n % 2}", extra=(("site", f"s{n % 2}"),))
        rig.points.traffic(series, BASE + n * MINUTE, 50, dice.randrange(5, 50), dice.randrange(4), every=2 * MINUTE)
        for step in range(20):
            rig.points.duration(series, BASE + step * 3 * MINUTE, (6, 0, -400, [step, step * 2, 3 * step]))
    rig.points.flush()
    rig.store.insert("otel_traces", SPAN_COLUMNS, [_within_the_hour(_span(n, dice)) for n in range(60)])


def _within_the_hour(span: list[Any]) -> list[Any]:
    at = SPAN_COLUMNS.index("Timestamp")
    return [*span[:at], BASE + (span[at] - BASE) / 4, *span[at + 1 :]]


def _held(rig: Rig) -> dict[str, list[Any]]:
    out = {}
    for table, time in TABLES.items():
        sql = f"SELECT {COLUMNS}, {time}, Events, Squares, Items, Unweighted, Bridged, Shifted FROM {table} FINAL"
        rows = rig.rows(f"{sql} WHERE Items + Unweighted > 0 AND Measure != 'covered' ORDER BY ALL")
        out[table] = [tuple(r.values()) for r in rows]
    return out


@pytest.fixture(scope="module")
def filled(rigs: Callable[..., Rig]) -> Callable[[tuple[Slo, ...]], Rig]:
    """An engine whose raw rows are the same each time, rolled up under a catalogue."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")

    def make(slos: tuple[Slo, ...]) -> Rig:
        rig = rigs(slos=slos)
        _fill(rig, seed)
        jobs.roll_up(rig.deps, END)
        return rig

    return make


def test_a_changed_catalogue_is_counted_as_if_it_had_always_been(filled: Callable[[tuple[Slo, ...]], Rig]) -> None:
    changed, fresh = filled(OLD), filled(NEW)
    changed.deps.catalogue = fresh.deps.catalogue
    assert _held(changed) != _held(fresh)
    for table in (*TABLES, "histogram_minutes"):
        changed.store.command(f"SYSTEM STOP MERGES {table}")  # a merge would take replaced rows out of the count
    before = changed.revisions("count_minutes")
    dry = run_backfill(changed.deps, END + HOUR, since="8h", dry_run=True)
    assert (changed.revisions("count_minutes"), dry.found["changed_rows"]) == (before, None)
    told: list[tuple[int, int]] = []
    outcome = run_backfill(
        changed.deps, END + HOUR, since="8h", progress=lambda done, total: told.append((done, total))
    )
    assert _held(changed) == _held(fresh)
    assert outcome.found["changed_rows"] == changed.revisions("count_minutes") - before > 0
    assert told[-1] == (outcome.found["batches"],) * 2
    assert {r["Cause"] for r in changed.rows("SELECT DISTINCT Cause FROM count_minutes")} == {"backfill"}
    _again_nothing(changed)


def _again_nothing(rig: Rig) -> None:
    """A second run, and the engine itself under that catalogue, find nothing to write."""
    counts = [rig.revisions(t) for t in (*TABLES, "histogram_minutes")]
    assert "no bucket row changed" in run_backfill(rig.deps, END + 1.5 * HOUR, since="9h").text
    jobs.roll_up(rig.deps, END + 2 * HOUR)
    assert [rig.revisions(t) for t in (*TABLES, "histogram_minutes")] == counts


def test_what_the_engine_counts_meanwhile_stays(filled: Callable[[tuple[Slo, ...]], Rig]) -> None:
    """A row came in after the backfill had read: the engine's revision is the newer one, in whatever order they are written."""
    rig = filled(OLD)
    held = _held(rig)
    late = Series(device="late", gateway="gw-0", extra=(("site", "s0"),))
    rig.points.count(late, BASE + 10 * MINUTE, 5, ingested=END + HOUR)
    rig.points.count(late, BASE + 11 * MINUTE, 9, ingested=END + HOUR)
    rig.points.flush()
    jobs.roll_up(rig.deps, END + 2 * HOUR)
    counted = _held(rig)
    assert counted != held
    rig.store.command("ALTER TABLE otel_metrics_sum DELETE WHERE DeviceId = 'late' SETTINGS mutations_sync = 1")
    # It read before the row came, and began before the engine did: so it writes the old figures, under an older revision.
    run_backfill(rig.deps, END + HOUR, since="8h")
    assert _held(rig)["count_minutes"] == counted["count_minutes"]


def test_one_gateway_or_one_measure(filled: Callable[[tuple[Slo, ...]], Rig]) -> None:
    rig = filled(OLD)
    whole = _held(rig)
    rig.store.command("TRUNCATE TABLE count_minutes")
    run_backfill(rig.deps, END + HOUR, since="8h", gateway="gw-1", measure="edge.inference.requests")
    found = _held(rig)["count_minutes"]
    assert found == [r for r in whole["count_minutes"] if r[0] == "edge.inference.requests" and r[2] == "gw-1"]
    kinds = run_backfill(rig.deps, END + HOUR, since="8h", measure="span:infer", dry_run=True).found["kinds"]
    assert [k["kind"] for k in kinds] == ["spans"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"since": "40d"}, "raw rows are kept whole for 39d"),
        ({"since": "2020-01-01"}, "can't be counted again"),
        ({"since": "tomorrow"}, "is not a moment"),
        ({"since": "1h", "until": "2h"}, "nothing lies between"),
        ({"measure": "edge.inference.request"}, "did you mean edge.inference.requests"),
        ({"measure": "nodes.heard"}, "no measure of raw rows"),
    ],
)
def test_what_cannot_be_counted_is_refused(rigs: Callable[..., Rig], options: dict[str, str], words: str) -> None:
    rig = _shared(rigs)
    outcome = run_backfill(rig.deps, END, **options)  # type: ignore[arg-type]
    assert outcome.code == 2
    assert words in outcome.text


_made: list[Rig] = []


def _shared(rigs: Callable[..., Rig]) -> Rig:
    if not _made:
        _made.append(rigs(slos=(slo(), slo("heard", "M4"))))
    return _made[0]


def test_what_jobs_work_out_is_said_to_be_left(rigs: Callable[..., Rig]) -> None:
    outcome = run_backfill(_shared(rigs).deps, END)
    assert "no raw rows lie in this span" in outcome.text
    assert "not touched: what jobs of the engine work out, which heard count" in outcome.text
