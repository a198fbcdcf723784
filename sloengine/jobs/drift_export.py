"""Windows of what drifts, handed on as Parquet: recorded predictions with the labels that are known, and the histograms."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyarrow import parquet  # type: ignore[import-untyped]

from sloengine.errors import SloengineError
from sloengine.jobs.drift_read import Only, Span
from sloengine.monitor import DriftMonitor, Values
from sloengine.store.client import Store

MANIFEST = "manifest.json"
"""Written last: a folder that has one is whole."""
FORMAT = "Parquet"
CHUNK = 1 << 20


class ExportError(SloengineError):
    """A folder can't be written."""


@dataclass(frozen=True, slots=True)
class Export:
    """Part of a fleet, and times [lo, hi) of it."""

    monitor: DriftMonitor
    only: Only
    span: Span
    folder: Path

    @property
    def _asked(self) -> dict[str, object]:
        lo, hi = self.span
        monitor = self.monitor
        return {"measure": monitor.metric, "service": monitor.service, "lo": lo, "hi": hi, **self.only.asked}

    @property
    def files(self) -> dict[str, tuple[str, dict[str, object]]]:
        """Statements and what they are asked, by file."""
        counted = "export_classes" if self.monitor.values is Values.CLASSES else "export_histograms"
        return {
            "predictions.parquet": ("export_predictions", self._asked),
            "histograms.parquet": (counted, self._asked),
        }


def export(store: Store, asked: Export, now: datetime) -> dict[str, Any]:
    """Write what is not there yet; the manifest. A folder that has one is left as it is, so that a repeated call costs nothing.

    Raises:
        ExportError: the folder can't be written.
        StoreUnavailable: ClickHouse does not answer.
    """
    manifest = asked.folder / MANIFEST
    try:
        if manifest.is_file():
            found: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
            return found
        asked.folder.mkdir(parents=True, exist_ok=True)
        files = [_written(store, asked.folder / name, *told) for name, told in asked.files.items()]
        told = _manifest(asked, files, now)
        _put(manifest, json.dumps(told, indent=2).encode())
    except OSError as error:
        raise ExportError(f"{asked.folder}: {error.strerror or error}") from error
    return told


def _written(store: Store, file: Path, statement: str, parameters: dict[str, object]) -> dict[str, Any]:
    """One statement's answer, as it comes: it may be larger than memory."""
    digest, size, part = hashlib.sha256(), 0, file.with_suffix(".part")
    with part.open("wb") as sink:
        for chunk in store.stream(statement, FORMAT, CHUNK, **parameters):
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(file)
    rows = parquet.read_metadata(file).num_rows
    return {"name": file.name, "rows": rows, "bytes": size, "sha256": digest.hexdigest()}


def _manifest(asked: Export, files: list[dict[str, Any]], now: datetime) -> dict[str, Any]:
    """What the files hold, for whoever finds them without us."""
    monitor, only, (lo, hi) = asked.monitor, asked.only, asked.span
    return {
        "monitor": monitor.name,
        "service": monitor.service,
        "metric": monitor.metric,
        "models": list(only.models),
        "versions": list(only.versions),
        "regions": list(only.regions),
        "devices": list(only.devices),
        "segments": {only.segment: only.value} if only.segment else {},
        "from": lo.isoformat(),
        "to": hi.isoformat(),
        "exported_at": now.isoformat(),
        "files": files,
    }


def _put(file: Path, content: bytes) -> None:
    """All of it or nothing, whenever the machine stops."""
    part = file.with_suffix(".part")
    with part.open("wb") as sink:
        sink.write(content)
        sink.flush()
        os.fsync(sink.fileno())
    part.replace(file)
