"""`drift export`: the part and the span that are asked for, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from drift_rig import CALM, METRIC, SERVICE, Device, Hours, watched_by
from engine_rig import Rig
from pyarrow import parquet

from sloengine.monitor import DriftMonitor, Values
from sloengine.tools.drift_explain import Part
from sloengine.tools.drift_export import Wanted, run_drift_export

HOUR = timedelta(hours=1)
MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
NOW = MIDNIGHT + timedelta(days=1)
SCORES = DriftMonitor("scores", SERVICE, METRIC, segments=("segment",))
CLASSES = DriftMonitor("classes", SERVICE, "digits.found", values=Values.CLASSES, class_attribute="digit")


def filled(rigs: Callable[..., Rig]) -> Rig:
    rig = rigs()
    hours = Hours(rig.store)
    for h in range(4):
        for segment in ("thin", "bold"):
            hours.explicit(Device("eu-1", segment=segment), MIDNIGHT + h * HOUR, 100 * CALM)
    hours.flush()
    watched_by(rig, SCORES, CLASSES)
    return rig


def test_a_segment_of_some_hours_is_written_and_told(rigs: Callable[..., Rig], tmp_path: Path) -> None:
    rig, out = filled(rigs), tmp_path / "out"
    part = Part("m", "1", segment="segment=thin")
    wanted = Wanted(part, (MIDNIGHT + HOUR).isoformat(), (MIDNIGHT + 3 * HOUR).isoformat(), out)
    made = run_drift_export(rig.deps, "scores", wanted, NOW)
    assert (made.code, made.found["segments"], made.found["models"]) == (0, {"segment": "thin"}, ["m"])
    assert "histograms.parquet: 2 rows" in made.text
    rows = parquet.read_table(out / "histograms.parquet").to_pylist()
    assert [(row["Hour"].replace(tzinfo=UTC), row["Attributes"]) for row in rows] == [
        (MIDNIGHT + h * HOUR, '{"segment": "thin"}') for h in (1, 2)
    ]
    assert parquet.read_metadata(out / "predictions.parquet").num_rows == 0
    assert sorted(file.name for file in out.iterdir()) == ["histograms.parquet", "manifest.json", "predictions.parquet"]


def test_counts_of_classes_are_written_as_they_are(rigs: Callable[..., Rig], tmp_path: Path) -> None:
    rig = filled(rigs)
    row = ["digits.found", SERVICE, "m", "1", "eu", "gw-1", "eu-1", '{"digit": "7"}', MIDNIGHT, 12.0, 1, 1]
    columns = ["Measure", "ServiceName", "ModelName", "ModelVersion", "Region", "GatewayId", "DeviceId", "Attributes", "Hour",
        "Events", "Items", "Revision"]  # fmt: skip
    rig.store.insert("count_hours", columns, [row])
    wanted = Wanted(Part(), MIDNIGHT.isoformat(), NOW.isoformat(), tmp_path / "out")
    assert run_drift_export(rig.deps, "classes", wanted, NOW).code == 0
    [told] = parquet.read_table(tmp_path / "out" / "histograms.parquet").to_pylist()
    assert (told["Attributes"], told["Events"]) == ('{"digit": "7"}', 12.0)


@pytest.mark.parametrize(
    ("name", "end", "folder", "said"),
    [
        ("score", "", "out", "did you mean scores?"),
        ("scores", MIDNIGHT.isoformat(), "out", "holds no time"),
        ("scores", "tomorrow", "out", "is not a moment"),
        ("scores", "", "full", "is there and holds something"),
        ("scores", "", "full/file", "is there and holds something"),
        ("scores", "", "full/file/below", "full/file/below: Not a directory"),
    ],
)
def test_mistakes_are_told_and_nothing_is_written_over(
    rigs: Callable[..., Rig], tmp_path: Path, name: str, end: str, folder: str, said: str
) -> None:
    rig = filled(rigs)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("mine", encoding="utf-8")
    wanted = Wanted(Part(), MIDNIGHT.isoformat(), end or NOW.isoformat(), tmp_path / folder)
    refused = run_drift_export(rig.deps, name, wanted, NOW)
    assert (refused.code, said in refused.text) == (2, True), refused.text
    assert (tmp_path / "full" / "file").read_text(encoding="utf-8") == "mine"
