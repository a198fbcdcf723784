"""The shipped gateway configurations, as the binary itself reads them."""

import os
import re
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sloengine.otlp import values

ROOT = Path(__file__).resolve().parents[2]
COLLECTOR = ROOT / "collector"
CONFIG = COLLECTOR / "gateway.yaml"


def validate(binary: Path, *configs: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(binary), "validate"]
    for config in configs:
        command += ["--config", str(config)]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


@pytest.mark.collector
@pytest.mark.parametrize("configs", [["gateway.yaml"], ["gateway.yaml", "gateway-auth.yaml"]], ids=" + ".join)
def test_the_binary_accepts_what_is_shipped(binary: Path, configs: list[str]) -> None:
    result = validate(binary, *[COLLECTOR / name for name in configs], SLOENGINE_GATEWAY_TOKEN="secret")
    assert result.returncode == 0, result.stderr


@pytest.mark.collector
def test_every_configuration_that_ships_is_validated_here() -> None:
    overlays_and_bases = {path.name for path in COLLECTOR.glob("gateway*.yaml")}
    full = {"gateway-full.yaml", "gateway-tail.yaml", "gateway-full-auth.yaml"}  # test_collector_full_config.py
    assert overlays_and_bases == {"gateway.yaml", "gateway-auth.yaml"} | full


@pytest.mark.collector
def test_the_overlay_without_a_token_is_refused(binary: Path) -> None:
    result = validate(binary, CONFIG, COLLECTOR / "gateway-auth.yaml", SLOENGINE_GATEWAY_TOKEN="")
    assert result.returncode != 0


def test_every_setting_of_the_gateway_is_documented_at_its_head() -> None:
    text = CONFIG.read_text()
    used = set(re.findall(r"\$\{env:(SLOENGINE_\w+)", text))
    documented = set(re.findall(r"^#   (SLOENGINE_\w+)", text, re.MULTILINE))
    assert used == documented


def test_every_setting_has_a_default() -> None:
    assert re.findall(r"\$\{env:\w+\}", CONFIG.read_text()) == []


def test_the_door_redacts_with_the_gateways_patterns() -> None:
    redaction = YAML(typ="safe").load(CONFIG)["processors"]["redaction"]
    unescaped = [pattern.replace("$$", "$") for pattern in redaction["blocked_key_patterns"]]
    assert tuple(redaction["ignored_keys"]) == values.IGNORED_KEYS
    assert tuple(unescaped) == values.BLOCKED_KEY_PATTERNS
    assert tuple(redaction["blocked_values"]) == values.BLOCKED_VALUES
    marking = values.CARD.replace("\\", "\\\\")
    assert CONFIG.read_text(encoding="utf-8").count(f'"{marking}", "$${{1}}{values.MARK}$${{2}}")') == 7


def test_the_manifest_pins_one_set_of_versions() -> None:
    manifest = COLLECTOR / "manifest.yaml"
    document = YAML(typ="safe").load(manifest)
    lists = [document[kind] for kind in ("receivers", "processors", "exporters", "extensions", "providers")]
    versions = {module["gomod"].split()[1] for modules in lists for module in modules}
    assert versions == {"v0.161.0", "v1.67.0"}
    assert "# BUILDER_VERSION=v0.161.0" in manifest.read_text()
