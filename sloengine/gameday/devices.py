"""The devices of one region as a process: ``python -m sloengine.gameday.devices plan.json``. Real inferences on real images."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import threading
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from sloengine import edge
from sloengine.gameday import plan
from sloengine.gameday.classifier import Classifier, images, stroke_of
from sloengine.gameday.environment import coarse_paper
from sloengine.gameday.machine import Machine
from sloengine.gameday.sorting_room import SortingRoom


class SimulatedDevice:
    """One device: its model file, its telemetry, its loop."""

    def __init__(self, shared: dict[str, Any], spec: dict[str, Any]) -> None:
        self.path, self.expected = Path(spec["model_path"]), spec["sha256"]
        self.period_s = 1.0 / shared["rate_hz"]
        self.random = Random(spec["name"])  # noqa: S311 — a simulation, repeatable by device name
        self.node = edge.Node(
            service=shared["service"],
            device=spec["name"],
            region=spec["region"],
            gateway=spec["gateway"],
            endpoint=shared["endpoint"],
            driver="npu-2.1.0",
            hardware=plan.HARDWARE,
            span_ratio=shared["span_ratio"],
            predictions=plan.PREDICTIONS,
            export_interval_s=shared["export_interval_s"],
        )
        self.machine = Machine(spec["name"])
        for name in self.machine.gauges:
            self.node.gauge(name, self.machine.reader(name))
        self.node.power("normal")
        self.update = {"model": shared["model"], "version": spec["version"], "rollout": spec["rollout"], "wave": "1"}
        self.model = self.node.model(
            shared["model"], version=spec["version"], rollout=spec["rollout"], wave="1" if spec["rollout"] else None
        )
        self.room = SortingRoom(self.random)
        self.drifts = spec["version"] == plan.DRIFT.version
        self.grain = np.random.default_rng(self.random.getrandbits(64))
        self.classifier: Classifier | None = None
        self.loaded_mtime_ns = -1

    def load_if_changed(self) -> bool:
        """Load the model file when it changed on disk, as after an update; True if this call had to load."""
        mtime = self.path.stat().st_mtime_ns
        if mtime == self.loaded_mtime_ns:
            return False
        self.loaded_mtime_ns = mtime
        began = time.perf_counter()
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        self.model.integrity(
            digest == self.expected, hash=digest, expected=self.expected, path=self.path.name, signer="demo"
        )
        try:
            self.classifier = Classifier(self.path)
        except Exception as error:  # noqa: BLE001 — a damaged zip raises whatever its reader likes
            self.classifier = None
            self.model.load_failed(error)
            return False
        self.model.loaded(time.perf_counter() - began)
        return True

    def infer(self, image: Any, truth: int) -> None:
        """One request. Without a model it fails, and so it is counted."""
        cold = self.load_if_changed()
        self.machine.busy = self.classifier is not None
        stroke = stroke_of(image)
        coarse = self.drifts and stroke == plan.DRIFT.stroke
        with self.model.inference() as call:
            if cold:
                call.cold_start()
            if self.classifier is None:
                call.fail("ModelNotLoaded")
                return
            digit, score = self.classifier.predict(coarse_paper(image, self.grain) if coarse else image)
            call.score(score, label=str(digit), segments={"stroke": stroke})
            if not coarse:
                self.room.receive(call.prediction_id, str(truth), stroke, time.monotonic())
        pictures = self.random.random() < plan.PREDICTIONS
        self.model.data(raw=image.nbytes, sent=plan.ANSWER_BYTES + pictures * plan.PICTURE_BYTES)

    def loop(self, pictures: Any, truths: Any, stop: threading.Event) -> None:
        self._report("started")
        # Devices do not beat in step.
        stop.wait(self.random.random() * self.period_s)
        due, first = time.monotonic(), True
        while not stop.is_set():
            number = self.random.randrange(len(pictures))
            self.infer(pictures[number], int(truths[number]))
            if first:
                self._report("succeeded" if self.classifier else "failed")
                first = False
            for prediction, truth in self.room.ready(time.monotonic()):
                self.model.label(prediction, truth, source="sorting-room")
            due += self.period_s
            stop.wait(max(0.0, due - time.monotonic()))
        self.node.close(2.0)

    def _report(self, status: str) -> None:
        """How the update that brought this version is going; most devices are in none."""
        if self.update["rollout"]:
            self.node.update(status=status, **self.update)


def main(plan_file: str) -> None:
    shared = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    pictures, truths = images()
    devices = [SimulatedDevice(shared, spec) for spec in shared["devices"]]
    threads = [threading.Thread(target=d.loop, args=(pictures, truths, stop), name=d.path.parent.name) for d in devices]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1])
