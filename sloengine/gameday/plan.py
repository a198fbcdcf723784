"""The demo's fleet: which devices, behind which gateways, running which version, and what each of them sends. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SERVICE = "digits"
MODEL = "digits-classifier"
REGIONS = ("eu-north", "eu-south", "us-east")
DEVICES_PER_REGION = 10
HARDWARE = "simulated"
RATE_HZ = 2.0
"""Inferences per second and device."""
ROLLOUT = "rollout-2"
PAST_ROLLOUT = "rollout-1"
"""The one before, three weeks ago."""
PREDICTIONS = 0.25
"""Share of predictions that are recorded; ``seed_predictions.sql`` says the same as a threshold."""
RAW_BYTES = 512
"""Of an image as it is taken in: 64 numbers of 8 bytes."""
ANSWER_BYTES = 8
"""Uploaded per request: digit and score."""
PICTURE_BYTES = 64
"""Uploaded with a recorded prediction, for whoever labels it: the image at a byte per pixel."""

SEGMENT = "edge.segment.stroke"
"""Thin or bold: how much ink a digit is written with."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A change of the environment (F4): for some hours the thin digits that version 1 is shown have been on coarse paper.

    Whoever reads such pictures puts them aside for a second reader, who comes tomorrow: none of them has a label yet.
    """

    version: str = "1"
    stroke: str = "thin"
    ago: timedelta = timedelta(hours=6)

    @property
    def labels(self) -> dict[str, str]:
        """What an alert that is right names."""
        return {"model": MODEL, "version": self.version, "segment": f"{SEGMENT}={self.stroke}"}


DRIFT = Drift()


@dataclass(frozen=True, slots=True)
class Device:
    name: str
    region: str
    gateway: str
    version: str
    rollout: str | None


def fleet(regions: int = len(REGIONS), per_region: int = DEVICES_PER_REGION) -> list[Device]:
    """The first third of each region's devices already run version 2, by a rollout."""
    return [_device(region, index, per_region) for region in REGIONS[:regions] for index in range(per_region)]


def _device(region: str, index: int, per_region: int) -> Device:
    new = index < per_region / 3
    return Device(f"{region}-{index:03d}", region, f"gw-{region}", "2" if new else "1", ROLLOUT if new else None)
