"""The full gateway's configuration: valid in every combination that ships, and as careful as the lean one everywhere."""

import itertools
import os
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from collector_running import ROOT, TAIL_GATE, FullGateway
from ruamel.yaml import YAML

COLLECTOR = ROOT / "collector"
LEAN, FULL, TAIL = (COLLECTOR / f"gateway{which}.yaml" for which in ("", "-full", "-tail"))
AUTH = (COLLECTOR / "gateway-auth.yaml", COLLECTOR / "gateway-full-auth.yaml")
SETTING = re.compile(r"\$\{env:(SLOENGINE_\w+)")


def load(path: Path) -> dict:
    return YAML(typ="safe").load(path)


@pytest.mark.collector
@pytest.mark.parametrize(
    "configs",
    [(LEAN, FULL), (LEAN, FULL, TAIL), (LEAN, FULL, *AUTH), (LEAN, FULL, TAIL, *AUTH)],
    ids=lambda configs: " + ".join(path.name for path in configs),
)
def test_the_full_binary_accepts_what_is_shipped(full_binary: Path, configs: tuple[Path, ...]) -> None:
    command = [str(full_binary), "validate", TAIL_GATE]
    command += [word for path in configs for word in ("--config", str(path))]
    environment = {**os.environ, "SLOENGINE_GATEWAY_TOKEN": "secret"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("config", [FULL, TAIL], ids=lambda path: path.name)
def test_every_setting_has_a_default_and_is_documented_at_the_head_and_in_the_docs(config: Path) -> None:
    text = config.read_text()
    used = set(SETTING.findall(text)) - set(SETTING.findall(LEAN.read_text()))
    assert used == set(re.findall(r"^#   (SLOENGINE_\w+)", text, re.MULTILINE))
    assert re.findall(r"\$\{env:\w+\}", text) == []
    described = (ROOT / "docs" / "gateway.md").read_text()
    assert {setting for setting in used if f"`{setting}`" not in described} == set()


def test_the_docs_name_every_setting_of_the_lean_gateway_too() -> None:
    described = (ROOT / "docs" / "gateway.md").read_text()
    assert {setting for setting in SETTING.findall(LEAN.read_text()) if f"`{setting}`" not in described} == set()


def pipelines(*configs: Path) -> dict[str, dict]:
    """The pipelines as the collector merges them: maps merged, lists replaced."""
    merged: dict[str, dict] = {}
    for config in configs:
        for name, pipeline in load(config)["service"]["pipelines"].items():
            merged[name] = {**merged.get(name, {}), **pipeline}
    return merged


# What a pipeline may leave out of the lean one's of its kind: the host's metrics come from the gateway itself.
OWN = {"transform/truncate", "redaction", "filter/no_data", "filter/time_out_of_range"}
LEFT_OUT = {"metrics/host": OWN, "metrics/spans": OWN - {"filter/no_data"}}


@pytest.mark.parametrize("overlays", [(FULL,), (FULL, TAIL)], ids=["full", "tail"])
def test_every_way_to_the_store_has_the_lean_gateways_safeguards_in_their_order(overlays: tuple[Path, ...]) -> None:
    lean, full = pipelines(LEAN), pipelines(LEAN, *overlays)
    assert full.keys() > lean.keys()
    for name, pipeline in full.items():
        if pipeline["exporters"] != ["clickhouse"]:
            continue
        safeguards = [step for step in lean[name.split("/")[0]]["processors"] if step not in LEFT_OUT.get(name, ())]
        assert [step for step in pipeline["processors"] if step in safeguards] == safeguards, name
        assert pipeline["processors"][:2] == ["memory_limiter", "transform/stamp"], name


def test_what_comes_from_devices_cannot_claim_what_only_the_gateway_says() -> None:
    for name, pipeline in pipelines(LEAN, FULL, TAIL).items():
        if name not in ("metrics/host", "metrics/spans"):
            assert "transform/claims" in pipeline["processors"], name


def test_overlays_change_nothing_that_the_lean_gateway_defines() -> None:
    """An overlay that redefined a processor or the exporter would weaken the lean gateway's promises unseen."""
    lean = load(LEAN)
    for overlay, kind in itertools.product((FULL, TAIL), ("extensions", "receivers", "processors", "exporters")):
        assert load(overlay).get(kind, {}).keys().isdisjoint(lean[kind]), (overlay.name, kind)


def test_the_full_manifest_differs_from_the_lean_one_only_where_it_says_so() -> None:
    kinds = ("receivers", "processors", "exporters", "connectors", "extensions", "providers")
    full, lean = load(COLLECTOR / "manifest-full.yaml"), load(COLLECTOR / "manifest.yaml")
    modules = {module["gomod"] for kind in kinds for module in full[kind]}
    assert modules > {module["gomod"] for kind in kinds for module in lean.get(kind, [])}
    versions = {module.split()[1] for module in modules if "prometheusremotewritereceiver" not in module}
    assert versions == {"v0.161.0", "v1.67.0"}


@pytest.mark.collector
def test_remote_write_needs_the_token_too(gateways, store, database, full_binary) -> None:
    gateway: FullGateway = gateways(store.url, database, kind=FullGateway, SLOENGINE_GATEWAY_TOKEN="secret")
    gateway.overlays += AUTH
    gateway.start()
    url = f"http://{gateway.remote_write}/api/v1/write"
    assert httpx.post(url, content=b"").status_code == 401
    assert httpx.post(url, content=b"", headers={"authorization": "Bearer secret"}).status_code == 415
