"""Histories of predictions and labels, and what plain Python makes of them. Shares nothing with the engine but names."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from engine_rig import BASE, HOUR, MINUTE, SERVICE

SPACE = 2**56
WAIT_S = 86400.0
COLUMNS = [
    "Timestamp",
    "ServiceName",
    "ResourceAttributes",
    "LogAttributes",
    "EventName",
    "IngestTime",
]
THRESHOLDS = ("", "0", "8", "c", "e6666666666666")
"""As devices write them: none, all, half, a quarter, one in ten."""


@dataclass(frozen=True)
class Prediction:
    ident: str
    at: datetime
    ingested: datetime
    label: str = "cat"
    score: float | None = 0.9
    truth: str = ""
    th: str = "0"
    gateway: str = "gw-1"
    region: str = "eu"
    version: str = "1"
    service: str = SERVICE
    segment: str = ""
    device: str = "node-1"
    hardware: str = ""
    extra: dict[str, str] = field(default_factory=dict)

    @property
    def weight(self) -> float | None:
        threshold = int(self.th.ljust(14, "0"), 16) if self.th else None
        if threshold is None or randomness(self.ident) < threshold:
            return None
        return SPACE / (SPACE - threshold)

    def row(self) -> list[Any]:
        resource = {"device.id": self.device, "edge.region": self.region, "edge.gateway.id": self.gateway}
        attributes = {
            "event.name": "edge.prediction",
            "edge.model.name": "m",
            "edge.model.version": self.version,
            "edge.prediction.id": self.ident,
            "edge.inference.label": self.label,
            "edge.inference.score": "" if self.score is None else repr(self.score),
            "edge.prediction.truth": self.truth,
            "edge.sampling.threshold": self.th,
            "edge.segment.site": self.segment,
            **self.extra,
        }
        resource["edge.hardware"] = self.hardware
        held = {k: v for k, v in attributes.items() if v}
        return [self.at, self.service, resource, held, "edge.prediction", self.ingested]


@dataclass(frozen=True)
class Label:
    ident: str
    truth: str
    at: datetime
    ingested: datetime
    service: str = SERVICE
    gateway: str = "gw-1"
    source: str = ""

    def row(self) -> list[Any]:
        resource = {"edge.gateway.id": self.gateway}
        attributes = {
            "edge.prediction.id": self.ident,
            "edge.label.truth": self.truth,
            "edge.label.source": self.source,
        }
        held = {k: v for k, v in attributes.items() if v}
        return [self.at, self.service, resource, held, "edge.label", self.ingested]


Event = Prediction | Label


def randomness(ident: str) -> int:
    return int.from_bytes(hashlib.sha256(ident.encode()).digest()[:7], "big")


def history(dice: random.Random, count: int, begin: datetime = BASE - 40 * HOUR) -> list[Event]:
    """Predictions over two days, sampled by their id; labels late, early, twice, corrected, of nothing."""
    found: list[Event] = []
    for number in range(count):
        th = dice.choice(THRESHOLDS)
        ident = f"{dice.randrange(10**6)}-{number}"
        if th and randomness(ident) < int(th.ljust(14, "0"), 16):
            continue
        at = begin + timedelta(seconds=dice.randrange(0, 40 * 3600), microseconds=dice.randrange(10**6))
        late = timedelta(minutes=dice.choice([0, 0, 0, 30, 600]), seconds=dice.randrange(1, 60))
        made = Prediction(
            ident,
            at,
            at + late,
            label=dice.choice(["cat", "dog", "dog", ""]),
            score=dice.choice([None, 0.05, 0.3, 0.95, 1.0]),
            truth=dice.choice(["", "", "", "cat", "dog"]),
            th=th,
            gateway=dice.choice(["gw-1", "gw-2"]),
            region=dice.choice(["eu", "us"]),
            version=dice.choice(["1", "2"]),
            segment=dice.choice(["", "dock", "yard"]),
        )
        found.append(made)
        found += _labels(dice, made)
        if dice.random() < 0.1:
            # Delivered again, by the same gateway or, after the device had moved, by another one.
            found.append(replace(made, ingested=made.ingested + HOUR, gateway=dice.choice(["gw-1", "gw-2"])))
    return found


def _labels(dice: random.Random, made: Prediction) -> list[Event]:
    out: list[Event] = []
    for _ in range(dice.choice([0, 0, 1, 1, 2, 3])):
        given = made.at + timedelta(seconds=dice.choice([-30, 0, 600, 3600, 3601, 80000, 86400, 90000, 170000]))
        came = max(given, made.at) + timedelta(minutes=dice.choice([-5, 0, 1, 300]), seconds=dice.randrange(50))
        service = dice.choice([SERVICE, SERVICE, "", "another"])
        label = Label(made.ident, dice.choice(["cat", "dog"]), given, came, service)
        out.append(label)
        if dice.random() < 0.2:
            out.append(replace(label, ingested=came + timedelta(hours=2)))
    if dice.random() < 0.05:
        out.append(Label(f"unknown-{made.ident}", "cat", made.at, made.at + MINUTE))
    return out


# --- the oracle


@dataclass(frozen=True)
class Known:
    """One prediction with what is known of it at a moment."""

    made: Prediction
    truth: str
    lag_s: float | None


def known(events: Iterable[Event], now: datetime) -> list[Known]:
    """Each prediction once, with its label, as far as it had come in."""
    listed = [e for e in events if e.ingested <= now]
    made = [e for e in listed if isinstance(e, Prediction)]
    firsts: dict[tuple[str, str], Prediction] = {}
    for p in sorted(made, key=lambda p: (p.at, p.gateway, p.ingested)):
        firsts.setdefault((p.service, p.ident), p)
    labels: dict[str, list[Label]] = defaultdict(list)
    for e in listed:
        if isinstance(e, Label):
            labels[e.ident].append(e)
    return [_known(p, [lb for lb in labels[p.ident] if lb.service in ("", p.service)]) for p in firsts.values()]


def _known(made: Prediction, labels: list[Label]) -> Known:
    came: dict[tuple[datetime, str], datetime] = {}
    for label in labels:
        key = (label.at, label.truth)
        came[key] = min(label.ingested, came.get(key, label.ingested))
    if not came:
        return Known(made, made.truth, 0.0 if made.truth else None)
    _, _, truth = max((at, first, truth) for (at, truth), first in came.items())
    lag = max(0.0, (min(at for at, _ in came) - made.at).total_seconds())
    return Known(made, truth, 0.0 if made.truth else lag)


def verdict(one: Known, now: datetime) -> str:
    if not one.truth:
        return "waiting" if (now - one.made.at).total_seconds() < WAIT_S else "unlabelled"
    if not one.made.label:
        return "unjudged"
    return "correct" if one.truth == one.made.label else "wrong"


def band(one: Known, now: datetime, cuts: tuple[float, ...]) -> tuple[float, float, float]:
    """Between which cuts the lag lies, and from which one on it is not judged yet because the prediction is younger."""
    age = (now - one.made.at).total_seconds()
    if one.lag_s is None:
        return max((c for c in cuts if c <= age), default=float("-inf")), float("inf"), float("inf")
    above = max((c for c in cuts if c < one.lag_s), default=float("-inf"))
    below = min((c for c in cuts if one.lag_s <= c), default=float("inf"))
    return above, below, min((c for c in cuts if c > age), default=float("inf"))


def minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
