"""The devices of one region as a process: ``python -m sloengine.gameday.devices plan.json``. Real inferences on real images."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sloengine import edge
from sloengine.gameday.classifier import Classifier, images


class SimulatedDevice:
    """One device: its model file, its telemetry, its loop."""

    def __init__(self, plan: dict[str, Any], spec: dict[str, Any]) -> None:
        self.path, self.expected = Path(spec["model_path"]), spec["sha256"]
        self.period_s = 1.0 / plan["rate_hz"]
        self.node = edge.Node(
            service=plan["service"],
            device=spec["name"],
            region=spec["region"],
            gateway=spec["gateway"],
            endpoint=plan["endpoint"],
            driver="npu-2.1.0",
            hardware="simulated",
            span_ratio=plan["span_ratio"],
            export_interval_s=plan["export_interval_s"],
        )
        self.model = self.node.model(
            plan["model"], version=spec["version"], rollout=spec["rollout"], wave="1" if spec["rollout"] else None
        )
        self.classifier: Classifier | None = None
        self.loaded_mtime_ns = -1
        self.random = random.Random(spec["name"])  # noqa: S311 — a simulation, repeatable by device name

    def load_if_changed(self) -> bool:
        """Load the model file when it changed on disk, as after an update; True if this call had to load."""
        mtime = self.path.stat().st_mtime_ns
        if mtime == self.loaded_mtime_ns:
            return False
        self.loaded_mtime_ns = mtime
        began = time.perf_counter()
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.model.integrity(digest == self.expected, hash=digest, expected=self.expected, path=self.path.name)
        try:
            self.classifier = Classifier(self.path)
        except (OSError, ValueError, KeyError, EOFError) as error:
            self.classifier = None
            self.model.load_failed(error)
            return False
        except Exception as error:  # noqa: BLE001 — a damaged zip raises whatever its reader likes
            self.classifier = None
            self.model.load_failed(error)
            return False
        self.model.loaded(time.perf_counter() - began)
        return True

    def infer(self, image: Any) -> None:
        """One request. Without a model it fails, and so it is counted."""
        cold = self.load_if_changed()
        with self.model.inference() as call:
            if cold:
                call.cold_start()
            if self.classifier is None:
                call.fail("ModelNotLoaded")
                return
            digit, score = self.classifier.predict(image)
            call.score(score, label=str(digit))
        self.model.data(raw=image.nbytes, sent=2)

    def loop(self, pictures: Any, stop: threading.Event) -> None:
        # Devices do not beat in step.
        stop.wait(self.random.random() * self.period_s)
        due = time.monotonic()
        while not stop.is_set():
            self.infer(pictures[self.random.randrange(len(pictures))])
            due += self.period_s
            stop.wait(max(0.0, due - time.monotonic()))
        self.node.close(2.0)


def main(plan_file: str) -> None:
    plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pictures, _ = images()
    devices = [SimulatedDevice(plan, spec) for spec in plan["devices"]]
    threads = [threading.Thread(target=d.loop, args=(pictures, stop), name=d.path.parent.name) for d in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
