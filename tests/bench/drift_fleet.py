"""A look at a hundred thousand series of 64 bins, from tables to stored verdicts, and at a million, for how cost and memory grow.

Beside it, in the same run, a loop of scipy over some of the same series: its G-test and Kolmogorov-Smirnov's p, which is what one
would write without us. Looks of the same window are repeated over a fleet that moves a little each time, so that all rows are
written.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from bench_store import EngineProcess, Job, a_store, database, engine_on, entry, size
from scipy import stats

from sloengine.evaluate.drift import fleet
from sloengine.jobs.drift_baselines import Made, make
from sloengine.jobs.drift_look import look, write
from sloengine.model import Catalogue
from sloengine.monitor import DriftMonitor
from sloengine.store.client import Store

SERIES = size("DRIFT_SERIES", 100_000)
MANY = size("DRIFT_MANY", 1_000_000)
BINS = 64
ROUNDS = size("DRIFT_ROUNDS", 5)
LOOPED = 200
MEMORY_GOAL_MB = 1024.0
DAY = timedelta(days=1)
END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
BEGIN = END - 3 * DAY
MONITOR = DriftMonitor("bench", "fleet", "score", levels=("model", "version", "region", "device"), window=DAY)
EVENTS = 640


def run() -> list[dict[str, Any]]:
    with a_store() as url:
        return [*_statistics(), *_fleet(url)]


# --- the statistics alone


def _statistics() -> list[dict[str, Any]]:
    block = _block(SERIES)
    took = statistics.median(_timed(lambda: fleet.read(block)) for _ in range(ROUNDS))
    few = block.part(slice(0, LOOPED))
    looped = statistics.median(_timed(lambda: _loop(few)) for _ in range(3)) * SERIES / LOOPED
    return [
        entry("drift: statistics of 100,000 series", took, 0.5, unit="s", detail=f"{SERIES} series, {BINS} bins"),
        entry("drift: statistics against a loop of scipy", took / looped, 0.05, detail=f"scipy {looped:.1f} s"),
    ]


def _block(series: int) -> fleet.Block:
    dice = np.random.default_rng(1)
    shares = dice.dirichlet(np.full(BINS, 5.0))
    base, now = (dice.multinomial(n, shares, size=series).astype(float) for n in (20 * EVENTS, EVENTS))
    edges = np.concatenate([[-np.inf], np.linspace(0, 1, BINS - 1), [np.inf]])
    return fleet.Block.plain(base, now, edges)


def _loop(block: fleet.Block) -> None:
    for base, now in zip(block.baseline, block.current, strict=True):
        held = base + now > 0
        stats.chi2_contingency(np.array([base[held], now[held]]), lambda_="log-likelihood", correction=False)
        p, q = base / base.sum(), now / now.sum()
        distance = np.max(np.abs(np.cumsum(p) - np.cumsum(q)))
        stats.kstwobign.sf(distance * np.sqrt(base.sum() * now.sum() / (base.sum() + now.sum())))


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# --- from tables to verdicts


def _fleet(url: str) -> list[dict[str, Any]]:
    one, memory = _looks(url, "few", SERIES, ROUNDS)
    many, memory_many = _looks(url, "many", MANY, 1)
    growth = many / one / (MANY / SERIES)
    return [
        entry("drift: 100,000 series from tables to verdicts", one, 5.0, unit="s", detail=f"engine {memory:.0f} MB"),
        entry("drift: cost of a series among a million", growth, 1.5, detail=f"{MANY} series in {many:.1f} s"),
        entry("drift: memory of a million series", memory_many, MEMORY_GOAL_MB, unit="MB"),
    ]


def _looks(url: str, name: str, series: int, rounds: int) -> tuple[float, float]:
    """Median seconds of a look, and the most memory that the engine held."""
    store = database(url, name)
    for day in range(2):
        _fill(store, series, BEGIN + day * DAY, day)
    with EngineProcess(url, name, Job(_watcher)) as engine:
        took = []
        engine.do("baseline")
        for turn in range(rounds):
            _fill(store, series, BEGIN + 2 * DAY, 2 + turn)
            seconds, written = engine.do("look")
            assert written >= series, written
            took.append(seconds)
        return statistics.median(took), engine.peak_mb


def _fill(store: Store, series: int, hour: datetime, seed: int) -> None:
    """One row of each device: some 640 events over 64 bins of a rounded shape, drawn by hash, for all of a day."""
    bounds = ", ".join(f"{i / (BINS - 1):.6f}" for i in range(BINS - 1))
    store.command(
        "INSERT INTO histogram_hours (Measure, ServiceName, ModelName, ModelVersion, Region, GatewayId, DeviceId, Attributes,"
        " Hour, Scale, Bounds, Zero, First, Counts, NegativeFirst, Negatives, Items, Revision)"
        " SELECT 'score', 'fleet', 'm', toString(number % 3), concat('region-', toString(number % 20)),"
        " concat('gw-', toString(number % 500)), concat('device-', toString(number)), '',"
        f" toDateTime('{hour:%Y-%m-%d %H:%M:%S}', 'UTC'), 0, [{bounds}], 0., 0,"
        f" arrayMap(i -> toFloat64(intDiv(cityHash64(number, i, {seed}) % 20, 2) + i % 12), range({BINS})), 0, [], 1, {seed + 1}"
        f" FROM numbers({series})"
    )


def _watcher(url: str, name: str, folder: Path) -> Callable[[Any], Any]:
    engine = engine_on(url, name, Catalogue((), ()), folder)

    def work(order: Any) -> Any:
        if order == "baseline":
            return make(engine.store, MONITOR, Made("trailing", (BEGIN, BEGIN + 2 * DAY)), END).series
        found = look(engine.store, MONITOR, BEGIN + 3 * DAY)
        assert found is not None
        return write(engine.store, found, int(time.time() * 1000))

    return work
