"""The past that the demo writes, and the SQL that people are told to run: against a real, small store."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from sloengine.config.settings import StoreSection
from sloengine.edge import contract
from sloengine.evaluate.drift.indices import psi
from sloengine.gameday import past, plan
from sloengine.gameday.classifier import Classifier, images, train
from sloengine.gameday.processes import Processes, answers, free_port
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

RUNBOOKS = sorted((Path(__file__).parents[2] / "docs" / "runbooks").glob("*.md"))
NOW = datetime.now(UTC).replace(microsecond=0)
DEVICES = plan.fleet(regions=2, per_region=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with the past of four devices."""
    folder = tmp_path_factory.mktemp("past")
    section = StoreSection(url=f"http://127.0.0.1:{free_port()}")
    port = section.url.rsplit(":", 1)[1]
    processes = Processes(folder)
    processes.start(
        "store", [sys.executable, "-m", "sloengine", "store", "--path", str(folder / "data"), "--port", port]
    )
    try:
        processes.wait_until("store", lambda: answers(f"{section.url}/ping"), 60)
        migrate(section)
        found = Store(section)
        past.seed(found, NOW, DEVICES, {"1": model(folder, "1", 500), "2": model(folder, "2", 1200)})
        yield found
        found.close()
    finally:
        processes.stop()


def model(folder: Path, version: str, samples: int) -> Classifier:
    file = folder / f"{version}.npz"
    file.write_bytes(train(version, samples).data)
    return Classifier(file)


def one(store: Store, sql: str) -> dict[str, object]:
    (row,) = store.sql_rows(sql)
    return row


def test_no_point_of_the_past_is_of_the_future_and_none_came_before_it_was_measured(store: Store) -> None:
    tables = {"otel_metrics_sum": "TimeUnix", "otel_metrics_gauge": "TimeUnix", "otel_metrics_histogram": "TimeUnix",
              "otel_metrics_exponential_histogram": "TimeUnix", "otel_logs": "Timestamp"}  # fmt: skip
    for table, at in tables.items():
        found = one(
            store, f"SELECT count() AS n, max({at}) < now() AS over, countIf(IngestTime < {at}) AS early FROM {table}"
        )
        assert found["n"]
        assert (found["over"], found["early"]) == (True, 0), table


def test_counters_never_fall(store: Store) -> None:
    falls = one(
        store,
        "SELECT countIf(less) AS n FROM (SELECT Value < lagInFrame(Value, 1, Value) OVER (PARTITION BY SeriesId ORDER BY TimeUnix"
        " ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS less FROM otel_metrics_sum)",
    )
    assert falls["n"] == 0


def test_score_histograms_have_the_bins_and_the_shape_of_live_ones(store: Store) -> None:
    pictures, _ = images()
    found = one(
        store,
        "SELECT any(ExplicitBounds) AS bounds, uniqExact(ExplicitBounds) AS kinds, argMax(BucketCounts, TimeUnix) AS counts,"
        " argMax(Count, TimeUnix) AS total FROM otel_metrics_histogram WHERE ModelVersion = '2'",
    )
    assert (found["bounds"], found["kinds"]) == (list(contract.SCORE_BOUNDS), 1)
    counts, total = found["counts"], found["total"]
    assert isinstance(counts, list)
    assert isinstance(total, int)
    assert sum(counts) == total
    # One image in 1,797 is the finest difference; that the last bin holds most is what a good model looks like.
    assert counts[-1] / total == max(counts) / total > 1 / len(pictures)


def counts_of(store: Store, where: str) -> NDArray[np.float64]:
    """Score counts by bin, of what came between the first and the last point of each series."""
    rows = store.sql_rows(
        "SELECT sumForEach(Fresh) AS counts FROM (SELECT arrayMap((a, b) -> toInt64(a) - b, argMax(BucketCounts, TimeUnix),"
        f" argMin(BucketCounts, TimeUnix)) AS Fresh FROM otel_metrics_histogram WHERE {where} GROUP BY SeriesId)"
    )
    return np.array(rows[0]["counts"], dtype=np.float64)


SINCE, BEFORE = "TimeUnix >= '{at}'", "TimeUnix < '{at}' AND TimeUnix > '{at}' - INTERVAL 2 DAY"
PLACES = [f"ModelVersion = '{v}' AND Attributes['{plan.SEGMENT}'] = '{s}'" for v in "12" for s in ("bold", "thin")]


def moved(store: Store, where: str) -> float:
    """PSI between what scores have been since the drift and what they were in the two days before it."""
    at = (NOW - plan.DRIFT.ago).strftime("%Y-%m-%d %H:%M:%S")
    parts = [counts_of(store, f"{where} AND {when.format(at=at)}") for when in (BEFORE, SINCE)]
    return float(psi(parts[0][None, :], parts[1][None, :])[0])


def test_scores_drift_where_and_when_it_was_planted_and_nowhere_else(store: Store) -> None:
    drift = f"ModelVersion = '{plan.DRIFT.version}' AND Attributes['{plan.SEGMENT}'] = '{plan.DRIFT.stroke}'"
    found = {where: moved(store, where) for where in PLACES}
    assert found.pop(drift) > 0.2
    # Two devices behind each: some ten thousand scores.
    assert max(found.values()) < 0.01
    # In its whole version it is too little to be spoken of.
    assert 0.02 < moved(store, f"ModelVersion = '{plan.DRIFT.version}'") < 0.1


def test_scores_scatter_as_chance_makes_them(store: Store) -> None:
    """χ² of the hours of one device against all of them: one for each degree of freedom."""
    rows = store.sql_rows(
        "SELECT toStartOfHour(TimeUnix) AS hour, argMax(BucketCounts, TimeUnix) AS counts FROM otel_metrics_histogram"
        f" WHERE DeviceId = '{DEVICES[0].name}' AND Attributes['{plan.SEGMENT}'] = 'bold' GROUP BY hour ORDER BY hour"
    )
    fresh = np.diff(np.array([row["counts"] for row in rows], dtype=np.float64), axis=0)
    fresh = fresh[:, fresh.sum(axis=0) > 30 * len(fresh)]
    expected = fresh.sum(axis=1, keepdims=True) * fresh.sum(axis=0) / fresh.sum()
    freedom = (fresh.shape[0] - 1) * (fresh.shape[1] - 1)
    assert float(((fresh - expected) ** 2 / expected).sum()) / freedom == pytest.approx(1.0, abs=0.15)


def test_of_what_drifts_nothing_has_a_label_yet_and_accuracy_is_there_for_everything_else(store: Store) -> None:
    waiting = store.sql_rows(past.statement("drift_labels"), past.drift_since(NOW - plan.DRIFT.ago))[0]
    assert waiting["predictions"] > 5
    assert waiting["labelled"] == 0
    others = one(
        store,
        "SELECT uniqExact(Region, ModelVersion, Segments['edge.segment.stroke']) AS n FROM predictions"
        " WHERE PredictionId IN (SELECT PredictionId FROM labels) AND Timestamp > now() - INTERVAL 6 HOUR",
    )
    assert others["n"] >= 4


def test_every_prediction_has_the_weight_that_devices_sample_by(store: Store) -> None:
    found = one(
        store,
        "SELECT uniqExact(Weight) AS weights, any(Weight) AS weight, countIf(Weight IS NULL) AS unknown FROM predictions",
    )
    assert found == {"weights": 1, "weight": 1 / plan.PREDICTIONS, "unknown": 0}


def test_labels_are_the_truth_of_the_picture_and_rarer_for_thin_digits(store: Store) -> None:
    rows = store.sql_rows(
        "SELECT Segments['edge.segment.stroke'] AS stroke, avg(l.Truth != '') AS labelled,"
        " avgIf(l.Truth = p.Label, l.Truth != '') AS right, countIf(l.Truth != '' AND l.At <= p.Timestamp) AS early"
        " FROM predictions AS p LEFT JOIN labels AS l ON l.PredictionId = p.PredictionId"
        " WHERE p.Timestamp < now() - INTERVAL 1 DAY GROUP BY stroke ORDER BY stroke"
    )
    assert [row["stroke"] for row in rows] == ["bold", "thin"]
    assert [row["labelled"] for row in rows] == pytest.approx([0.97, 0.90], abs=0.03)
    # By chance one in ten would be right.
    assert all(row["right"] > 0.85 and row["early"] == 0 for row in rows)


def test_a_rollout_ended_well_on_every_device(store: Store) -> None:
    last = "SELECT argMax(Status, Timestamp) AS last FROM device_updates GROUP BY DeviceId"
    found = one(store, f"SELECT groupArray(last) AS ends FROM ({last})")
    assert found["ends"] == ["succeeded"] * len(DEVICES)


def test_only_the_gateway_that_was_cut_off_delivered_late(store: Store) -> None:
    rows = store.sql_rows(
        "SELECT GatewayId, max(IngestTime - TimeUnix) AS late_s FROM otel_metrics_sum GROUP BY GatewayId"
    )
    late_s = {row["GatewayId"]: row["late_s"] for row in rows}
    assert late_s.pop(past.CUT_GATEWAY) == pytest.approx(6 * 3600, abs=400)
    assert all(seconds < 10 for seconds in late_s.values())


@pytest.mark.parametrize("page", RUNBOOKS, ids=lambda page: page.stem)
def test_the_sql_of_a_runbook_runs(store: Store, page: Path) -> None:
    blocks = re.findall(r"```sql\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    for block in blocks:
        store.sql_rows(block.strip())
