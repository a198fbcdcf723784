"""A past of up to thirty days in the real tables, so that every promise of the demo has a history to be judged by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources

import numpy as np

from sloengine.edge import contract
from sloengine.gameday import plan
from sloengine.gameday.classifier import Classifier, Floats, images, is_thin
from sloengine.store.client import Store

CUT_GATEWAY, CUT_AGO = "gw-eu-south", timedelta(days=12)
PICTURES = 300
"""Images that the past's predictions are drawn from: they travel as parameters, and a request has a length."""
MONTH, WEEK = timedelta(days=30), timedelta(days=8)
"""How much past there is: as much as the window of the promise that reads it, and a day before, for drift's first baseline."""


@dataclass(frozen=True, slots=True)
class Seed:
    """One kind of telemetry: how far back, and seconds between points, then in the last three hours."""

    name: str
    length: timedelta
    coarse_s: int
    dense_s: int


SEEDS = (
    Seed("seed_requests", MONTH, 300, 60),
    Seed("seed_rare", MONTH, 1800, 1800),
    Seed("seed_latency", WEEK, 1800, 60),
    Seed("seed_updates", MONTH, 300, 300),
    # Bytes need a point in each sixth of an hour: else the hour is not known to its end.
    Seed("seed_bytes", WEEK, 600, 600),
    Seed("seed_scores", WEEK, 1800, 300),
    Seed("seed_gauges", WEEK, 1800, 300),
    Seed("seed_predictions", WEEK, 300, 300),
    Seed("seed_labels", WEEK, 300, 300),
)
"""In this order: labels are given to the predictions that are there."""
_INCLUDE = re.compile(r"^-- include (\w+)$", re.MULTILINE)


def seed(store: Store, now: datetime, devices: Sequence[plan.Device], models: Mapping[str, Classifier]) -> None:
    """Write it all; ``models`` by version."""
    # It ends a minute ago: the whole steps of the seed then leave no hole before the first live minute.
    end = (now - timedelta(minutes=1)).replace(second=0)
    known = {**_fleet(devices), **_answers(models), "end": end, "cut_from": now - CUT_AGO}
    for one in SEEDS:
        sql = statement(one.name)
        given = {**known, "begin": end - one.length, "coarse": one.coarse_s, "dense": one.dense_s}
        store.write(sql, {key: value for key, value in given.items() if f"{{{key}:" in sql})


def statement(name: str) -> str:
    """SQL of ``<name>.sql`` here; a line ``-- include other`` stands for the text of ``other.sql``."""
    text = resources.files("sloengine.gameday").joinpath(f"{name}.sql").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda found: statement(found[1]).rstrip("\n"), text)


def _fleet(devices: Sequence[plan.Device]) -> dict[str, object]:
    return {
        "rate": plan.RATE_HZ,
        "service": plan.SERVICE,
        "model": plan.MODEL,
        "hardware": plan.HARDWARE,
        "devices": [d.name for d in devices],
        "regions": [d.region for d in devices],
        "gateways": [d.gateway for d in devices],
        "versions": [d.version for d in devices],
        "rollouts": [d.rollout or "" for d in devices],
        "past_rollout": plan.PAST_ROLLOUT,
        "cut_gateway": CUT_GATEWAY,
        "raw": float(plan.RAW_BYTES),
        "sent": plan.ANSWER_BYTES + plan.PREDICTIONS * plan.PICTURE_BYTES,
    }


def _answers(models: Mapping[str, Classifier]) -> dict[str, object]:
    """What the versions make of real images, and the truth about these: a character or a number for each."""
    pictures, truths = images()
    chosen = np.random.default_rng(1).choice(len(pictures), PICTURES, replace=False)
    found: dict[str, object] = {
        "truths": "".join(str(digit) for digit in truths[chosen]),
        "strokes": "".join("t" if is_thin(picture) else "b" for picture in pictures[chosen]),
        "bounds": list(contract.SCORE_BOUNDS),
    }
    for version, model in models.items():
        digits, scores = model.predict_all(pictures)
        found[f"digits_{version}"] = "".join(str(digit) for digit in digits[chosen])
        found[f"scores_{version}"] = [round(float(score), 4) for score in scores[chosen]]
        found[f"shares_{version}"] = _shares(scores)
    return found


def _shares(scores: Floats) -> list[float]:
    """Share of the scores in each bin of the telemetry contract, whose bins hold their upper edge."""
    places = np.searchsorted(contract.SCORE_BOUNDS, scores, side="left")
    counts = np.bincount(places, minlength=len(contract.SCORE_BOUNDS) + 1)
    return [float(count) for count in counts / counts.sum()]
