"""From builders to files."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from sloengine.grafana.finish import finish
from sloengine.grafana.oncall import marks, on_call

PROVISIONING = ("provisioning/datasources/clickhouse.yaml", "provisioning/dashboards/sloengine.yaml")


def build() -> dict[str, str]:
    """JSON text of every dashboard by file name; the same on every run."""
    return {"on-call.json": _text(finish(_plain(on_call()), marks()))}


def write(folder: Path) -> list[Path]:
    """Write dashboards and provisioning files below ``folder``; what was written."""
    package = resources.files("sloengine.grafana")
    texts = build() | {name: package.joinpath(name).read_text(encoding="utf-8") for name in PROVISIONING}
    written = [folder / name for name in texts]
    for path, text in zip(written, texts.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return written


def _plain(board: Dashboard) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(board.build(), cls=JSONEncoder))
    return plain


def _text(dashboard: dict[str, Any]) -> str:
    return json.dumps(dashboard, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
