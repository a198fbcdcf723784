"""Six indices over a fleet's histograms against scipy and against evidently, one series after the other, on the same events.

What devices send is counts, so that ours begin with counts; a tool for raw samples begins with samples. Both are said: ours from
counts, and ours with every event of both sides binned first. evidently lives in a virtual environment of its own, made when it is
first needed.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bench_store import size
from scipy import stats
from scipy.spatial import distance

from sloengine.evaluate.drift import fleet, indices
from sloengine.evaluate.drift.histogram import Floats

SERIES = size("DRIFT_SERIES", 10_000)
ALONE = size("DRIFT_SERIES_ALONE", 100)
"""Series that are worked on one after the other; their time is scaled."""
ROUNDS = size("DRIFT_ROUNDS", 5)
BINS, BASELINE, CURRENT = 64, 5_000, 1_000
EDGES = np.concatenate([[-np.inf], np.linspace(0, 1, BINS + 1)[1:-1], [np.inf]])
BOUNDS = EDGES[1:-1]
PLACES = np.clip((np.linspace(0, 1, BINS + 1)[:-1] + np.linspace(0, 1, BINS + 1)[1:]) / 2, 0, 1)
HERE = Path(__file__).parent
PINNED = HERE / "evidently.txt"
BUILT = HERE.parents[1] / ".build" / "evidently"
COUNTS_GOAL, SAMPLES_GOAL = 50.0, 2.0

Timed = dict[str, float]
"""Seconds for one series, by index."""


def run() -> list[dict[str, Any]]:
    samples = drawn()
    counts = binned(samples)
    sides: dict[str, Callable[[], Timed]] = {
        "ours": lambda: ours(*counts),
        "binning": lambda: {"binning": timed(lambda: binned(samples)) / SERIES},
        "fleet": lambda: {"fleet": timed(lambda: fleet.read(fleet.Block.plain(*counts, EDGES))) / SERIES},
        "scipy": lambda: scipys(samples, counts),
    }
    with evidently(samples) as asked:
        if asked:
            sides["evidently"] = lambda: asked(f"round {ALONE}")
        took = alternately(sides)
        agreement = agreed(counts, asked(f"values {ALONE}")) if asked else ""
    return [line for rival in ("scipy", "evidently") if rival in took for line in lines(rival, took, agreement)]


def drawn() -> dict[str, Floats]:
    """Scores of every series, between 0 and 1, half of them anywhere; the others' shape moved a little since the baseline."""
    dice = np.random.default_rng(64)
    first, second = dice.uniform(1.5, 6, size=(2, SERIES, 1))
    found: dict[str, Floats] = {"bounds": BOUNDS}
    for side, events, moved in (("baseline", BASELINE, 1.0), ("current", CURRENT, 1.1)):
        values = dice.beta(first * moved, second, size=(SERIES, events))
        values[:, ::2] = dice.random(values[:, ::2].shape)
        found[side] = values
    return found


def binned(samples: dict[str, Floats]) -> tuple[Floats, Floats]:
    """Counts of both sides, shape (S, B); a bin includes its upper bound."""
    base, now = (_counted(samples[side]) for side in ("baseline", "current"))
    return base, now


def _counted(values: Floats) -> Floats:
    # As many series at a time as the processor's cache holds.
    rows = []
    for at in range(0, len(values), 64):
        part = values[at : at + 64]
        places = np.searchsorted(BOUNDS, part) + np.arange(len(part))[:, None] * BINS
        rows.append(np.bincount(places.ravel(), minlength=len(part) * BINS).reshape(len(part), BINS))
    return np.concatenate(rows).astype(np.float64)


def alternately(sides: dict[str, Callable[[], Timed]]) -> dict[str, Timed]:
    """Medians of rounds in which all sides take turns; the first round is not counted."""
    rounds = [{name: work() for name, work in sides.items()} for _ in range(ROUNDS + 1)][1:]
    return {
        name: {index: statistics.median(one[name][index] for one in rounds) for index in rounds[0][name]}
        for name in sides
    }


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ours(base: Floats, now: Floats) -> Timed:
    """On one processor."""
    works: dict[str, Callable[[], object]] = {
        "psi": lambda: indices.psi(base, now),
        "js": lambda: indices.js(base, now),
        "hellinger": lambda: indices.hellinger(base, now),
        "ks": lambda: indices.ks(base, now),
        "wasserstein": lambda: indices.wasserstein(base, now, EDGES),
        "chi2": lambda: indices.chi2_p(*indices.chi2(base, now)),
    }
    return {name: timed(work) / SERIES for name, work in works.items()}


def scipys(samples: dict[str, Floats], counts: tuple[Floats, Floats]) -> Timed:
    """scipy's own functions: of counts where they take counts, KS of the samples, because it takes nothing else."""

    def each(work: Callable[[Floats, Floats], object], sides: tuple[Floats, Floats]) -> float:
        return timed(lambda: [work(b, c) for b, c in zip(*(side[:ALONE] for side in sides), strict=True)]) / ALONE

    raw = (samples["baseline"], samples["current"])
    return {
        "js": each(distance.jensenshannon, counts),
        "ks": each(lambda b, c: stats.ks_2samp(b, c, method="asymp"), raw),
        "wasserstein": each(lambda b, c: stats.wasserstein_distance(PLACES, PLACES, b, c), counts),
        "chi2": each(_contingency, counts),
    }


def _contingency(base: Floats, now: Floats) -> object:
    held = base + now > 0
    return stats.chi2_contingency(np.array([base[held], now[held]]), correction=False)


# --- evidently


@contextmanager
def evidently(samples: dict[str, Floats]) -> Iterator[Callable[[str], Any] | None]:
    """A function that asks evidently's process; None where it can't be had."""
    python = made()
    if python is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "samples.npz"
        np.savez(path, **{name: values[:ALONE] if values.ndim > 1 else values for name, values in samples.items()})
        process = subprocess.Popen(
            [python, HERE / "evidently_side.py", path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DO_NOT_TRACK": "1"},
        )
        assert process.stdin is not None and process.stdout is not None
        stdin, stdout = process.stdin, process.stdout

        def asked(order: str) -> Any:
            stdin.write(order + "\n")
            stdin.flush()
            return json.loads(stdout.readline())

        try:
            stdout.readline()
            yield asked
        finally:
            process.kill()
            process.communicate()


def made() -> Path | None:
    """The python of evidently's environment; made anew when what is pinned has changed."""
    python, mark = BUILT / "bin" / "python", BUILT / ".ready"
    wanted = hashlib.sha256(PINNED.read_bytes()).hexdigest()
    if mark.is_file() and mark.read_text() == wanted:
        return python
    print("… evidently's virtual environment (about 1 GB, one to three minutes)", file=sys.stderr)
    # Its dependencies name extras, whose hashes pip does not find; all of them are pinned, so none has to be resolved.
    install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", "-r"]
    for command in ([sys.executable, "-m", "venv", "--clear", BUILT], [python, *install, PINNED]):
        if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
            print("… evidently can't be had here: compared with scipy alone", file=sys.stderr)
            return None
    mark.write_text(wanted)
    return python


def agreed(counts: tuple[Floats, Floats], theirs: dict[str, list[float]]) -> str:
    """By how much ours differ, at most or in the median; where definitions differ, why."""
    base, now = (side[:ALONE] for side in counts)
    p, q = indices.shares(base), indices.shares(now)
    full = np.all((p > 0) & (q > 0), axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        bare = np.sum((q - p) * np.log(q / p), axis=-1)
    told = {name: np.array(values) for name, values in theirs.items()}
    moved, spread = indices.wasserstein(base, now, EDGES), _spread(base)
    p_of_ks = np.array([indices.ks_p(float(indices.ks(b, c)), b, c) for b, c in zip(base, now, strict=True)])
    same = {
        "JS": indices.js(base, now) - told["js"],
        "Hellinger": indices.hellinger(base, now) - told["hellinger"],
        "PSI without our half event, where no bin is empty": (bare - told["psi"])[full],
    }
    worst = max(float(np.max(np.abs(apart), initial=0.0)) for apart in same.values())
    if worst > 1e-9:
        raise RuntimeError(f"the sides disagree by {worst:.2g}: {', '.join(same)}")
    said = [
        f"{', '.join(same)} ({np.count_nonzero(full)} of {len(full)} series) differ by at most {worst:.1g}",
        f"Wasserstein over the baseline's deviation {np.median(np.abs(moved / spread / told['wasserstein'] - 1)):.1%} (bins)",
        f"p of KS {np.median(np.abs(p_of_ks - told['ks'])):.2g} (ours is of the bins)",
    ]
    if not full.all():
        apart = np.median(np.abs(told["psi"] / indices.psi(base, now) - 1)[~full])
        said.append(f"PSI with empty bins, which it fills with 1e-4, {apart:.1%}")
    return "; ".join(said)


def _spread(base: Floats) -> Floats:
    share = indices.shares(base)
    mean = share @ PLACES
    return np.asarray(np.sqrt(share @ PLACES**2 - mean**2))


# --- lines


def lines(rival: str, took: dict[str, Timed], agreement: str) -> Iterator[dict[str, Any]]:
    shared = [index for index in took[rival] if index in took["ours"]]
    theirs = sum(took[rival][index] for index in shared)
    mine, binning = sum(took["ours"][index] for index in shared), took["binning"]["binning"]
    each = ", ".join(f"{i} {took['ours'][i] * 1e6:.2f} vs {took[rival][i] * 1e6:.0f}" for i in shared)
    name = f"{SERIES} series x {BINS} bins, {len(shared)} indices, {rival} one by one vs ours"
    whole = f"all six with G-test {took['fleet']['fleet'] * 1e6:.2f} us on all processors"
    yield entry(f"{name} from counts", theirs / mine, COUNTS_GOAL, f"us per series: {each}; {whole}")
    told = f"us per series: binning {BASELINE} and {CURRENT} events {binning * 1e6:.0f}, indices {mine * 1e6:.2f}"
    said = f"; {agreement}" if rival == "evidently" else ""
    yield entry(f"{name} from samples", theirs / (mine + binning), SAMPLES_GOAL, told + said)


def entry(name: str, ratio: float, goal: float, detail: str) -> dict[str, Any]:
    return {
        "name": name,
        "ratio": round(ratio, 2),
        "unit": "x",
        "goal": goal,
        "better": "higher",
        "ok": ratio >= goal,
        "detail": detail,
    }


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
