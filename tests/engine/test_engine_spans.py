"""SLIs over spans: weights, retries and durations against brute force over the raw spans."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from engine_rig import BASE, HOUR, MINUTE, SERVICE, Rig, slo

from sloengine import jobs
from sloengine.model import Matcher, Selector, Sli, Source

COLUMNS = [
    "ResourceAttributes",
    "ServiceName",
    "SpanName",
    "SpanAttributes",
    "TraceId",
    "SpanId",
    "TraceState",
    "Timestamp",
    "Duration",
    "StatusCode",
    "IngestTime",
]
CUTS = (0.05, 0.2)
RATES = ("", "0", "8", "e", "ff")
"""Thresholds as written in tracestate: unknown, everything, half, an eighth, 1 in 256."""


@dataclass(frozen=True)
class Span:
    request: str
    at: datetime
    duration_s: float
    outcome: str
    th: str
    gateway: str
    ident: str
    ingested: datetime

    @property
    def weight(self) -> float | None:
        return 2**56 / (2**56 - int(self.th.ljust(14, "0"), 16)) if self.th else None

    def row(self) -> list[Any]:
        resource = {"device.id": "node-1", "edge.region": "eu", "edge.gateway.id": self.gateway}
        attributes = {"edge.model.name": "m", "edge.model.version": "1", "outcome": self.outcome}
        if self.request:
            attributes["request.id"] = self.request
        state = f"ot=th:{self.th}" if self.th else ""
        times = [self.at, round(self.duration_s * 1e9), "Unset", self.ingested]
        return [
            resource,
            SERVICE,
            "infer",
            attributes,
            self.ident.rjust(32, "0"),
            self.ident.rjust(16, "0"),
            state,
            *times,
        ]


def _selector(*where: Matcher, request: str = "request.id") -> Selector:
    return Selector(Source.SPAN, "infer", where, request)


def _is(value: str) -> Matcher:
    return Matcher("outcome", "=", value)


SUCCESS = Sli(good=(_selector(_is("ok")),), bad=(_selector(_is("error")),), total=(_selector(),))
SPEED = Sli(good=(_selector(Matcher("value", "<=", str(CUTS[1]))),), total=(_selector(),))
EACH = Sli(good=(_selector(_is("ok"), request=""),), bad=(_selector(_is("error"), request=""),))


def _history(dice: random.Random, count: int) -> list[Span]:
    """Requests of one to three attempts, most of them delivered at once, some late, some twice."""
    found: list[Span] = []
    for number in range(count):
        at = BASE + timedelta(seconds=dice.uniform(0, 7200))
        th, gateway = dice.choice(RATES), dice.choice(["gw-1", "gw-2"])
        for attempt in range(dice.choice([1, 1, 1, 2, 3])):
            length = dice.choice([0.01, 0.05, 0.051, 0.2, 0.3])
            late = timedelta(minutes=dice.choice([0, 0, 0, 30, 100]))
            ident = f"{number:04x}{attempt:04x}"
            outcome = dice.choice(["ok", "ok", "error", "odd"])
            found.append(Span(f"r{number}", at, length, outcome, th, gateway, ident, at + late + MINUTE))
            at += timedelta(seconds=length + dice.uniform(1, 300))
    again = [replace(s, ingested=s.ingested + HOUR) for s in found if dice.random() < 0.1]
    return found + again


def _expected(spans: list[Span]) -> dict[tuple[str, str, datetime], tuple[float, float, float]]:
    """(outcome of the last attempt, band, minute of the first) → weight, squared weight, items of unknown weight."""
    requests: dict[str, dict[str, Span]] = defaultdict(dict)
    for span in spans:
        requests[span.request][span.ident] = span
    out: dict[tuple[str, str, datetime], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for attempts in requests.values():
        ordered = sorted(attempts.values(), key=lambda s: s.at)
        first, last = ordered[0], ordered[-1]
        seconds = max(_nanos(s.at) + round(s.duration_s * 1e9) for s in ordered) - _nanos(first.at)
        band = next((str(c) for c in CUTS[1:] if seconds <= c * 1e9), "inf")
        cell = out[last.outcome, band, first.at.replace(second=0, microsecond=0)]
        if last.weight is None:
            cell[2] += 1
        else:
            cell[0] += last.weight
            cell[1] += last.weight**2
    return {k: (v[0], v[1], v[2]) for k, v in out.items()}


def _nanos(at: datetime) -> int:
    return (at - BASE) // timedelta(microseconds=1) * 1000


def _found(rig: Rig) -> dict[tuple[str, str, datetime], tuple[float, float, float]]:
    rows = rig.rows(
        "SELECT JSONExtractString(Attributes, 'outcome') AS O, JSONExtractString(Attributes, 'le') AS Le, Minute,"
        " sum(Events) AS E, sum(Squares) AS S, sum(Unweighted) AS U FROM count_minutes FINAL"
        " WHERE Measure = 'span:infer/request.id' AND Items + Unweighted > 0 GROUP BY ALL"
    )
    return {(r["O"], r["Le"], r["Minute"]): (r["E"], r["S"], r["U"]) for r in rows}


def _deliver(rig: Rig, spans: list[Span], ticks: list[datetime]) -> None:
    waiting = sorted(spans, key=lambda s: s.ingested)
    for now in ticks:
        rig.store.insert("otel_traces", COLUMNS, [s.row() for s in waiting if s.ingested <= now])
        waiting = [s for s in waiting if s.ingested > now]
        jobs.roll_up(rig.deps, now)
    assert not waiting


@pytest.fixture
def span_rigs(rigs: Callable[..., Rig]) -> Callable[[], Rig]:
    slos = (slo("requests", sli=SUCCESS, target=0.9), slo("speed", sli=SPEED, target=0.9))
    return lambda: rigs(slos=slos)


def test_span_counts_are_what_brute_force_over_the_raw_spans_says(span_rigs: Callable[[], Rig]) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    spans = _history(random.Random(seed), 400)
    end = max(s.ingested for s in spans) + MINUTE
    split, whole = span_rigs(), span_rigs()
    _deliver(split, spans, [BASE + 1.5 * HOUR, BASE + 2.2 * HOUR, end])
    expected = _expected(spans)
    found = _found(split)
    assert found.keys() == expected.keys()
    for key, cell in expected.items():
        assert found[key] == pytest.approx(cell, abs=1e-5), key
    _deliver(whole, spans, [end])
    assert _found(whole) == found


def test_a_retry_is_not_a_second_request(rigs: Callable[..., Rig]) -> None:
    """M1's trap: two failed attempts before an answer are one good request; without a request's name they are three spans."""
    rig = rigs(slos=(slo("requests", sli=SUCCESS), slo("spans", sli=EACH)))
    told = BASE + MINUTE
    attempts = [("error", 0), ("error", 10), ("ok", 20)]
    spans = [Span("r1", BASE + timedelta(seconds=s), 1, outcome, "0", "gw-1", f"a{s}", told) for outcome, s in attempts]
    rig.store.insert("otel_traces", COLUMNS, [s.row() for s in spans])
    statuses = {s.slo.name: s.counts for s in rig.tick(BASE + 2 * MINUTE)}
    assert (statuses["requests"].good, statuses["requests"].bad) == (1, 0)
    assert (statuses["spans"].good, statuses["spans"].bad) == (1, 2)


def test_sampled_spans_count_with_their_weights_and_say_so(span_rigs: Callable[[], Rig]) -> None:
    rig = span_rigs()
    told = BASE + MINUTE
    spans = [Span(f"g{n}", BASE, 0.01, "ok", "8", "gw-1", f"b{n}", told) for n in range(50)]
    spans += [Span(f"e{n}", BASE, 0.01, "error", "0", "gw-1", f"c{n}", told) for n in range(10)]
    spans += [Span("u", BASE, 0.01, "error", "", "gw-1", "d0", told)]
    rig.store.insert("otel_traces", COLUMNS, [s.row() for s in spans])
    counts = {s.slo.name: s for s in rig.tick(BASE + 2 * MINUTE)}["requests"]
    assert (counts.counts.good, counts.counts.bad, counts.counts.unknown) == (100, 10, 1)
    assert counts.counts.sampled
    assert counts.counts.squares == (200, 10)
    assert counts.sli == 100 / 110
    assert counts.effective is not None
    assert counts.effective < 110
