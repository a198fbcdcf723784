"""A past of up to thirty days in the real tables, so that every promise of the demo has a history to be judged by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from sloengine.edge import contract
from sloengine.gameday import plan
from sloengine.gameday.classifier import Classifier, Floats, images, stroke_of
from sloengine.gameday.environment import coarse_paper
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
    known = {
        **_fleet(devices),
        **drift_since(now - plan.DRIFT.ago),
        **_answers(models),
        "end": end,
        "cut_from": now - CUT_AGO,
    }
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


def drift_since(moment: datetime) -> dict[str, object]:
    """Whose answers drift since then, as statements want it."""
    return {"drift_from": moment, "drift_version": plan.DRIFT.version, "drift_stroke": plan.DRIFT.stroke}


def _answers(models: Mapping[str, Classifier]) -> dict[str, object]:
    """What each version makes of real images, and `drifted` what its own makes of them since the drift; of some the truth."""
    pictures, truths = images()
    strokes = np.array([stroke_of(picture) for picture in pictures])
    dice = np.random.default_rng(1)
    chosen = dice.choice(len(pictures), PICTURES, replace=False)
    answers = {version: model.predict_all(pictures) for version, model in models.items()}
    answers["drifted"] = models[plan.DRIFT.version].predict_all(coarse_paper(pictures, dice))
    return {
        "truths": "".join(str(digit) for digit in truths[chosen]),
        "strokes": "".join(stroke[0] for stroke in strokes[chosen]),
        "bounds": list(contract.SCORE_BOUNDS),
        "who": list(answers),
        "digits": ["".join(str(digit) for digit in digits[chosen]) for digits, _ in answers.values()],
        "scores": [[round(float(score), 4) for score in scores[chosen]] for _, scores in answers.values()],
        "thin": [_shares(scores, strokes == "thin") for _, scores in answers.values()],
        "bold": [_shares(scores, strokes == "bold") for _, scores in answers.values()],
    }


def _shares(scores: Floats, kind: NDArray[np.bool_]) -> list[float]:
    """Of all scores the share of one kind in each bin of the telemetry contract, whose bins hold their upper edge."""
    places = np.searchsorted(contract.SCORE_BOUNDS, scores[kind], side="left")
    counts = np.bincount(places, minlength=len(contract.SCORE_BOUNDS) + 1)
    return [float(count) for count in counts / len(scores)]
