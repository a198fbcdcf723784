"""docs/settings.md names every variable that anything of ours reads, with its default."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sloengine.config.settings import OTHERS, PREFIX, variables
from sloengine.embedded.settings import Role

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))


def told(part: str) -> dict[str, str]:
    """Variables of a part's table with the second cell."""
    return dict(re.findall(r"^\| `(SLOENGINE_\w+)` \| (.*?) \|", PARTS[part], re.MULTILINE))


def _shown(default: Any) -> tuple[str, ...]:
    if default is None:
        return ("none", "1.5 ticks, at least 5 s")
    text = default.get_secret_value() if isinstance(default, SecretStr) else default
    text = f"{text:g}" if isinstance(text, float) else str(text)
    return (f"`{text}`",) if text else ("empty",)


def test_every_setting_of_the_engine_is_told_with_its_default() -> None:
    found = told("Engine")
    assert list(found) == sorted(found, key=list(variables()).index)
    assert set(found) == set(variables())
    assert {n: t for n, t in found.items() if t not in _shown(variables()[n].default)} == {}


def test_every_variable_of_the_gateway_is_told_with_its_default() -> None:
    texts = [file.read_text(encoding="utf-8") for file in sorted((ROOT / "collector").glob("*.yaml"))]
    read = {m[1]: m[2] for text in texts for m in re.finditer(r"\$\{env:(\w+)(?::-([^}]*))?\}", text)}
    wanted = {n: "must be given" if d is None else f"`{d}`" if d else "empty" for n, d in read.items()}
    assert told("Gateway") == wanted


def test_what_store_and_grafana_read_is_told() -> None:
    assert set(told("Embedded store")) == {f"SLOENGINE_STORE_{role.name}_PASSWORD" for role in Role}
    source = ROOT / "sloengine" / "grafana" / "provisioning" / "datasources" / "clickhouse.yaml"
    assert set(told("Grafana")) == set(re.findall(r"\$(SLOENGINE_\w+)", source.read_text(encoding="utf-8")))


def test_the_engine_knows_what_the_others_read() -> None:
    others = {name for part in ("Embedded store", "Gateway", "Grafana") for name in told(part)}
    assert {PREFIX + name for name in OTHERS} == others
