"""The schema that migrations make, and the views that people read."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engine_rig import BASE, HISTOGRAM_COLUMNS, HOUR, MINUTE, SERVICE, SUM_COLUMNS, Rig, Series

from sloengine import jobs
from sloengine.config.settings import StoreSection
from sloengine.errors import StoreError, StoreUnavailable
from sloengine.model import Node
from sloengine.store import migrate as migrations
from sloengine.store.client import Store

GOLDEN = Path(__file__).parents[1] / "golden" / "store_columns.json"


def _columns(store: Store) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in store.sql_rows(
        "SELECT table, name, type, default_kind, default_expression FROM system.columns"
        " WHERE database = currentDatabase() ORDER BY table, position"
    ):
        default = f" {row['default_kind']} {row['default_expression']}" if row["default_kind"] else ""
        found.setdefault(row["table"], []).append(f"{row['name']} {row['type']}{default}")
    return found


def test_an_empty_store_migrates_to_the_columns_that_the_code_expects(rig: Rig) -> None:
    """Set SLOENGINE_WRITE_GOLDEN=1 to write the golden file anew, and read the diff."""
    found = _columns(rig.store)
    if os.environ.get("SLOENGINE_WRITE_GOLDEN"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    assert found == json.loads(GOLDEN.read_text())
    for table, wanted in (
        ("otel_metrics_sum", SUM_COLUMNS),
        ("otel_metrics_exponential_histogram", HISTOGRAM_COLUMNS),
    ):
        assert set(wanted) <= {column.split()[0] for column in found[table]}


def test_a_second_migration_applies_nothing(rig: Rig) -> None:
    assert migrations.migrate(rig.settings.store) == []
    applied = rig.store.sql_rows("SELECT count() AS n, uniqExact(Name) AS u FROM schema_migrations")[0]
    assert applied["n"] == applied["u"] == len(migrations.migrations())


def test_a_migration_that_was_edited_after_it_was_applied_is_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    real = migrations.migrations()
    edited = migrations.Migration(real[3].name, real[3].sql + "\n-- one more remark")
    monkeypatch.setattr(migrations, "migrations", lambda: [*real[:3], edited, *real[4:]])
    with pytest.raises(StoreError, match=f"{real[3].name} was edited"):
        migrations.migrate(rig.settings.store)


def test_a_migration_that_was_interrupted_is_finished_by_the_next_start(rig: Rig) -> None:
    """Killed between the statement and its note: the statement runs again and must not mind."""
    rig.store.command("TRUNCATE TABLE schema_migrations")
    assert len(migrations.migrate(rig.settings.store)) == len(migrations.migrations())


def test_a_store_that_is_not_there_is_unavailable_and_not_another_error(rig: Rig) -> None:
    with pytest.raises(StoreUnavailable, match="did not answer"):
        migrations.migrate(StoreSection(url="http://127.0.0.1:9"))


def test_one_statement_per_file_and_numbers_without_holes() -> None:
    found = migrations.migrations()
    assert [m.name[:4] for m in found] == [f"{n:04d}" for n in range(1, len(found) + 1)]
    assert all(";" not in re.sub(r"--.*|'[^']*'", "", m.sql) for m in found)


def test_peoples_views_answer(rigs: Callable[..., Rig]) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    rig = rigs(nodes=[Node("node-1", "gw-1", "eu", SERVICE, BASE), Node("node-2", "gw-1", "eu", SERVICE, BASE)])
    rig.points.traffic(Series(start=now - HOUR), now - 20 * MINUTE, 20, 90, 10)
    rig.points.flush()
    rig.tick(now + MINUTE)
    [word] = rig.rows("SELECT Slo, Slice, State, Good, Bad, Burn FROM slo_now")
    assert (word["Slo"], word["State"], word["Good"], word["Bad"]) == ("success", "burning", 1800, 200)
    assert word["Slice"] == {"model": "m", "region": "eu"}
    assert word["Burn"]["5m"] == pytest.approx(100)
    minutes = rig.rows("SELECT * FROM success_by_minute ORDER BY Minute")
    assert len(minutes) == 21
    assert {round(r["SuccessRate"], 9) for r in minutes[1:]} == {0.9}
    assert minutes[0]["SuccessRate"] is None
    nodes = {r["DeviceId"]: r for r in rig.rows("SELECT * FROM nodes_now")}
    assert nodes["node-1"]["AgeSeconds"] < 300
    assert nodes["node-1"]["ClockLagSeconds"] == pytest.approx(2)
    assert nodes["node-2"]["LastReceived"] is nodes["node-2"]["AgeSeconds"] is None
    [transition] = rig.rows("SELECT * FROM alert_transitions FINAL")
    assert (transition["FromState"], transition["ToState"]) == ("none", "firing")


def test_a_node_that_left_the_inventory_is_expected_no_longer(rigs: Callable[..., Rig]) -> None:
    rig = rigs(nodes=[Node("node-1", "gw-1", "eu", SERVICE, BASE), Node("node-2", "gw-1", "eu", SERVICE, BASE)])
    assert len(rig.rows("SELECT * FROM nodes_now")) == 2
    rig.deps.catalogue = type(rig.deps.catalogue)(rig.deps.catalogue.slos, rig.deps.catalogue.nodes[:1])
    jobs.publish_inventory(rig.deps, BASE + HOUR)
    assert [r["DeviceId"] for r in rig.rows("SELECT * FROM nodes_now")] == ["node-1"]
