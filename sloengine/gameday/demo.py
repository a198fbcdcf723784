"""The whole path, once, for real: fleet, gateways, store, engine, one fault, one page."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any, TextIO

import httpx
from rich.console import Console

from sloengine.config.settings import StoreSection
from sloengine.errors import SloengineError
from sloengine.gameday import found_drift, past, plan
from sloengine.gameday.classifier import Classifier, Trained, train
from sloengine.gameday.pager import Pager
from sloengine.gameday.processes import DemoError, Processes, answers, exports, free_port, interruptible
from sloengine.store.client import Store
from sloengine.store.migrate import migrate

FOLDER = Path(".sloengine/demo")
LOCK = Path(".sloengine/demo.lock")
VARIABLES = FOLDER / "env.sh"
FAULT = "F1"
FAULT_REGION = plan.REGIONS[0]
PAGE_TIMEOUT_S = 300.0
READY_TIMEOUT_S = 300.0
"""For a busy machine; a quiet one with two cores needs less than 90 s."""
SETTLE_S = 25.0
"""How long to look for a second page after the first: two ticks and a delivery."""
DRIFT_TIMEOUT_S = 240.0
"""For looks at all hours since the baseline, beside a busy machine's ticks; they take some seconds."""
CATALOGUE = ("slos.yaml", "indicators.yaml", "drift.yaml")
LOOK = "SELECT * FROM slo_now FORMAT Vertical"
RAW_TABLES = (
    "otel_traces",
    "otel_logs",
    "otel_metrics_sum",
    "otel_metrics_gauge",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
)
PAGE = {"alertname": "ErrorBudgetBurn", "slo": "digits-success", "model": plan.MODEL, "region": FAULT_REGION}
"""Labels of the one page that the fault must cause."""


@dataclass(frozen=True, slots=True)
class Options:
    stay: bool = False
    door: bool = False
    """Send OTLP through the engine's own door although a collector is there."""
    regions: int = len(plan.REGIONS)
    per_region: int = plan.DEVICES_PER_REGION


def run_demo(options: Options) -> dict[str, Any]:
    """Run it and return what happened, as the contract of ``demo --once --json`` says."""
    began = time.monotonic()
    console = Console(stderr=True, highlight=False)
    demo = _Demo(options, console)
    result: dict[str, Any] = {
        "ok": False,
        "fault": None,
        "pages": [],
        "fault_to_page_s": None,
        "rows": 0,
        "indicators": {},
        "drift": [],
        "drift_looks": {},
    }
    try:
        with interruptible():
            result = demo.run()
            if options.stay:
                demo.stay()
    except SloengineError as error:
        console.print("[bold red]failed[/]", str(error))
    except KeyboardInterrupt:
        console.print("interrupted")
    finally:
        demo.close()
        console.print(f"stopped after {time.monotonic() - began:.0f} s", style="dim")
    return {**result, "transport": demo.transport}


class _Demo:
    def __init__(self, options: Options, console: Console) -> None:
        self.options, self.console, self.began = options, console, time.monotonic()
        self._lock = _only_demo_here()
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        self.processes = Processes(FOLDER)
        self.pager = Pager()
        self.devices = plan.fleet(options.regions, options.per_region)
        self.section = StoreSection(url=f"http://127.0.0.1:{free_port()}")
        self.store = Store(self.section)
        self.web = f"http://127.0.0.1:{free_port()}"
        self.collector = None if options.door else find_collector()
        self.transport = "collector" if self.collector else "otlp-door"
        self.models: dict[str, Trained] = {}

    def run(self) -> dict[str, Any]:
        with self._step("train two versions of a digit classifier"):
            self.models = {"1": train("1", 500), "2": train("2", 1200)}
        with self._step("start the store (chDB behind ClickHouse's HTTP interface)"):
            self._start_store()
        with self._step(f"write a past of {past.MONTH.days} days for {len(self.devices)} devices"):
            now = datetime.now(UTC).replace(microsecond=0)
            self._seed(now)
        self._start_engine(now)
        with self._step(self._gateway_words()):
            endpoints = self._start_gateways()
        with self._step(f"start {len(self.devices)} devices running inferences"):
            self._start_devices(endpoints)
            self._wait_for_devices()
        with self._step("fold the past into minute buckets"):
            self.processes.wait_until("engine", lambda: answers(f"{self.web}/readyz"), READY_TIMEOUT_S)
        ready = f"ready after {time.monotonic() - self.began:.0f} s"
        self.console.print(
            f"[green]✓[/] {ready}: [bold]{self.web}[/]   SQL: [bold]{self.section.url}[/]   logs: {FOLDER}"
        )
        return self._fault(now - plan.DRIFT.ago)

    @contextmanager
    def _step(self, words: str) -> Iterator[None]:
        began = time.monotonic()
        with self.console.status(f"{words}…"):
            yield
        self.console.print(f"[green]✓[/] {words} [dim]{time.monotonic() - began:.1f} s[/]")

    # --- bringing it up

    def _start_store(self) -> None:
        port = self.section.url.rsplit(":", 1)[1]
        command = [sys.executable, "-m", "sloengine", "store", "--path", str(FOLDER / "store"), "--port", port]
        self.processes.start("store", command)
        self.processes.wait_until("store", lambda: answers(f"{self.section.url}/ping"), 60)
        migrate(self.section)

    def _seed(self, now: datetime) -> None:
        models = {}
        for version, trained in self.models.items():
            file = FOLDER / f"model-{version}.npz"
            file.write_bytes(trained.data)
            models[version] = Classifier(file)
        past.seed(self.store, now, self.devices, models)

    def _start_engine(self, now: datetime) -> None:
        catalogue = FOLDER / "catalogue"
        catalogue.mkdir()
        for name in CATALOGUE:
            shipped = resources.files("sloengine.gameday").joinpath(name).read_text(encoding="utf-8")
            (catalogue / name).write_text(shipped, encoding="utf-8")
        (catalogue / "inventory.json.yaml").write_text(json.dumps(self._inventory(now)), encoding="utf-8")
        receivers = [{"name": "on-call", "webhook_configs": [{"url": self.pager.url}]}]
        # Grouped as the starting configuration groups, but told at once: a demo is watched.
        grouped = ["alertname", "severity", "cluster", "service", "model", "region"]
        route = {"receiver": "on-call", "group_by": grouped, "group_wait": "0s", "group_interval": "5s"}
        alerting = {"route": route, "receivers": receivers}
        (FOLDER / "alerting.yaml").write_text(json.dumps(alerting), encoding="utf-8")
        self.write_variables()
        # It folds the past while gateways and devices start: a newcomer waits for both at once.
        self.processes.start("engine", [sys.executable, "-m", "sloengine", "run"], self.settings(FOLDER))

    def _inventory(self, now: datetime) -> dict[str, Any]:
        nodes = [{"device": d.name, "gateway": d.gateway, "region": d.region} for d in self.devices]
        spec = {
            "service": plan.SERVICE,
            "since": (now - past.MONTH + timedelta(minutes=5)).isoformat(),
            "nodes": nodes,
        }
        return {"apiVersion": "sloengine.dev/v1", "kind": "Inventory", "metadata": {"name": "demo-fleet"}, "spec": spec}

    def write_variables(self) -> None:
        text = exports(self.settings(FOLDER.resolve()), Path(sys.executable).parent)
        VARIABLES.write_text(text, encoding="utf-8")

    def settings(self, folder: Path) -> dict[str, str]:
        """The engine's settings as variables; its ports are free ones, so nobody could guess them."""
        return {
            "SLOENGINE_STORE__URL": self.section.url,
            "SLOENGINE_CATALOGUE": str(folder / "catalogue"),
            "SLOENGINE_ALERTING": str(folder / "alerting.yaml"),
            "SLOENGINE_STATE_URL": f"sqlite:///{folder}/state.db",
            "SLOENGINE_WEB__PORT": self.web.rsplit(":", 1)[1],
            "SLOENGINE_PUBLIC_URL": self.web,
            "SLOENGINE_CLUSTER": "demo",
        }

    def _gateway_words(self) -> str:
        gateways = len({d.gateway for d in self.devices})
        if self.collector:
            return f"start {gateways} gateways (OpenTelemetry Collector)"
        return (
            "no collector binary: devices will use the engine's own OTLP door ('make collector' builds one; needs Go)"
        )

    def _start_gateways(self) -> dict[str, str]:
        """OTLP endpoint by gateway."""
        names = sorted({d.gateway for d in self.devices})
        if not self.collector:
            self.processes.wait_until("engine", lambda: answers(f"{self.web}/healthz"), 60)
            return dict.fromkeys(names, self.web)
        return {name: self._start_gateway(name, self.collector) for name in names}

    def _start_gateway(self, name: str, binary: str) -> str:
        http_port, health = free_port(), free_port()
        buffer = FOLDER / "buffer" / name
        buffer.mkdir(parents=True)
        env = {
            "SLOENGINE_GATEWAY_ID": name,
            "SLOENGINE_OTLP_HTTP": f"127.0.0.1:{http_port}",
            "SLOENGINE_OTLP_GRPC": f"127.0.0.1:{free_port()}",
            "SLOENGINE_HEALTH": f"127.0.0.1:{health}",
            "SLOENGINE_GATEWAY_METRICS": f"{free_port()}",
            "SLOENGINE_STORE_URL": self.section.url,
            "SLOENGINE_DATABASE": self.section.database,
            "SLOENGINE_BUFFER_DIR": str(buffer.resolve()),
        }
        config = Path(__file__).parents[2] / "collector" / "gateway.yaml"
        self.processes.start(name, [binary, "--config", str(config)], env)
        self.processes.wait_until(name, lambda: answers(f"http://127.0.0.1:{health}/"), 60)
        return f"http://127.0.0.1:{http_port}"

    def _start_devices(self, endpoints: dict[str, str]) -> None:
        for gateway, endpoint in endpoints.items():
            specs = [self._install(d) for d in self.devices if d.gateway == gateway]
            spec = {
                "service": plan.SERVICE,
                "model": plan.MODEL,
                "rate_hz": plan.RATE_HZ,
                "endpoint": endpoint,
                "span_ratio": 0.1,
                "export_interval_s": 10.0,
                "devices": specs,
            }
            file = FOLDER / f"devices-{gateway}.json"
            file.write_text(json.dumps(spec), encoding="utf-8")
            self.processes.start(f"devices-{gateway}", [sys.executable, "-m", "sloengine.gameday.devices", str(file)])

    def _install(self, device: plan.Device) -> dict[str, Any]:
        """Put the model file onto the device's own disk."""
        trained = self.models[device.version]
        path = FOLDER / "devices" / device.name / "model.npz"
        path.parent.mkdir(parents=True)
        path.write_bytes(trained.data)
        return {**asdict(device), "model_path": str(path), "sha256": trained.sha256}

    def _wait_for_devices(self) -> None:
        live = "SELECT uniqExact(DeviceId) AS n FROM otel_metrics_gauge WHERE IngestTime > now() - 60"
        last = f"devices-{self.devices[-1].gateway}"
        self.processes.wait_until(last, lambda: self.store.sql_rows(live)[0]["n"] >= len(self.devices), 90)

    # --- the fault

    def _fault(self, planted: datetime) -> dict[str, Any]:
        """Damage the files, and wait for what people are told of that, and of the drift planted in the past."""
        began = datetime.now(UTC)
        for device in self.devices:
            if device.region == FAULT_REGION:
                _damage(FOLDER / "devices" / device.name / "model.npz")
        self.console.print(
            f"[yellow]![/] {FAULT}: a partial update damages the model file on every device of {FAULT_REGION}"
        )
        with self._step("wait for the page, and that no other follows"):
            pages = self._wait_for_page()
        with self._step("wait until somebody is told of the drift"):
            drift = self._wait_for_drift(planted)
        fault = {"id": FAULT, "model": plan.MODEL, "region": FAULT_REGION, "began_at": began.isoformat()}
        result = {
            "ok": len(pages) == 1 and PAGE.items() <= pages[0]["labels"].items() and drift.right,
            "fault": fault,
            "pages": [_page(p) for p in pages],
            "fault_to_page_s": round((pages[0]["received_at"] - began).total_seconds(), 1) if pages else None,
            "rows": sum(int(self.store.sql_rows(f"SELECT count() AS n FROM {t}")[0]["n"]) for t in RAW_TABLES),  # noqa: S608
            "indicators": worst_by_indicator(self._slices()),
            "drift": drift.findings,
            "drift_looks": {"before": drift.before, "since": drift.since},
        }
        self._tell(result, pages)
        self._tell_drift(drift)
        return result

    def _slices(self) -> list[dict[str, Any]]:
        """Every slice of every SLO, worst first, as the engine's API tells it."""
        try:
            answer = httpx.get(f"{self.web}/api/v1/slos", timeout=10.0).raise_for_status()
        except httpx.HTTPError as error:
            raise DemoError(f"the engine's API did not answer: {error}; see {FOLDER}/engine.log") from error
        found: list[dict[str, Any]] = answer.json()["slos"]
        return found

    def _wait_for_page(self) -> list[dict[str, Any]]:
        deadline = time.monotonic() + PAGE_TIMEOUT_S
        while not self.pager.pages() and time.monotonic() < deadline:
            self.processes.check()
            time.sleep(0.5)
        if self.pager.pages():
            time.sleep(SETTLE_S)
        return self.pager.pages()

    def _wait_for_drift(self, planted: datetime) -> found_drift.Told:
        deadline = time.monotonic() + DRIFT_TIMEOUT_S
        while True:
            drift = found_drift.read(self.store, self.pager.firing(), planted)
            if drift.findings or time.monotonic() > deadline:
                return drift
            self.processes.check()
            time.sleep(1.0)

    def _tell(self, result: dict[str, Any], pages: list[dict[str, Any]]) -> None:
        if not pages:
            self.console.print(f"[red]✗[/] no page within {PAGE_TIMEOUT_S:.0f} s; see {FOLDER}/engine.log")
        for page in pages:
            self.console.print(f"[bold]PAGE[/] {page['annotations']['summary']}", highlight=False)
            self.console.print(f"     {page['annotations']['description']}")
            self.console.print(f"     {page['annotations'].get('versions', '')}")
        if result["ok"]:
            words = f"exactly one page, {result['fault_to_page_s']} s after the fault began; {result['rows']:,} rows"
            self.console.print(f"[green]✓[/] {words}, over {self.transport}")

    def _tell_drift(self, drift: found_drift.Told) -> None:
        if not drift.findings:
            self.console.print(f"[red]✗[/] no drift found within {DRIFT_TIMEOUT_S:.0f} s; see {FOLDER}/engine.log")
        self.console.print("[bold]DRIFT[/] " + "\n     ".join(found_drift.in_words(drift)))

    def stay(self) -> None:
        self.console.print(f"\nStill running: console [bold]{self.web}[/], SQL at {self.section.url}. Ctrl-C stops it.")
        self.console.print("At another terminal, in this folder:")
        self.console.print(f"  source {VARIABLES} && sloengine status", soft_wrap=True)
        self.console.print("  sloengine query drifting")
        self.console.print(f"  curl '{self.section.url}/?database=sloengine' --data-binary '{LOOK}'")
        while True:
            self.processes.check()
            time.sleep(1)

    def close(self) -> None:
        self.processes.stop()
        self.store.close()
        self.pager.close()
        self._lock.close()


def _only_demo_here() -> TextIO:
    """Hold the folder: a second demo would delete the first one's store under it."""
    LOCK.parent.mkdir(parents=True, exist_ok=True)
    lock = LOCK.open("w", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise DemoError(f"a demo is already running in {FOLDER.parent}; stop it, or start this one elsewhere") from None
    return lock


def _page(page: dict[str, Any]) -> dict[str, Any]:
    return {
        "dedup_key": page["dedup_key"],
        "severity": page["severity"],
        "labels": page["labels"],
        "received_at": page["received_at"].isoformat(),
    }


def worst_by_indicator(slices: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The first slice of each indicator, M1 to M15 in their order; slices come worst first."""
    first: dict[str, dict[str, Any]] = {}
    for one in slices:
        told = {key: one[key] for key in ("slo", "slice", "state", "reason", "sli")}
        first.setdefault(one["indicator"], told)
    return {key: first[key] for key in sorted(first, key=lambda name: (len(name), name))}


def _damage(path: Path) -> None:
    """Keep the first half of the file, as an update does that ran out of disk."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def find_collector() -> str | None:
    """The gateway binary: ours, or a distribution's on PATH."""
    ours = Path(__file__).parents[2] / ".bin" / "sloengine-collector"
    if ours.exists() and os.access(ours, os.X_OK):
        return str(ours)
    return shutil.which("otelcol-contrib")


__all__ = ["DemoError", "Options", "run_demo"]
